"""How errors on held-out images relate to the spread that a network predicted for them.

A network that learned many degradations at once is too sure of some of its results and not sure enough of others. How
errors grow with the predicted spread, and with how much was changed around a pixel, is learned by a regression; the
fewer the images, the less of it is believed.

Pixels of an image err together: its contrast was taken for another, its noise for less. Quantiles over the pixels of a
few images therefore hold less of the next image than they say. So the quantiles learned from all images but one are
held against that one, and widened until they hold what they say of images left out (the idea of the jackknife+, Barber
et al. 2021, arXiv 1905.02928, with relative scores as of Sesia and Candes 2020, arXiv 1909.05433).
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

LEVELS = np.linspace(0.0025, 0.9975, 200)
WINDOW = 17  # pixels a side of the surroundings over which the size of the correction is averaged
SMALLEST_SIZE = 1e-4  # of the scale; whatever is changed less counts alike
PRIOR_IMAGES = 5.0  # images whose errors count as much as the belief that the network's spread is right
USUAL = (0.005, 0.995)  # shares of held-out values between which the regression is believed
MOST_STUDIED = 4096  # values of each array from which the regression and the widening are learned
COVERAGES = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95])  # widened intervals; tails go with the last
MOST_FOLDS = 16  # in which images are left out: one each, unless rows of a table are more
MOST_BEYOND = 2.0  # a spread may explode where an image is unlike those held out
WIDEST = 3.0  # times what was learned from all images
SMALLEST_END = 1e-9  # of an interval, where errors are equal


Place = slice | np.ndarray  # of values: all of them, or where a mask is true


class Scaling(NamedTuple):
    """How a predicted spread is corrected: times ``exp(offset + of_spread * log(spread) + of_level * level)``.

    Beyond the two ranges, in which held-out values lay, the logarithm and the level count as their ends; a spread of
    more than `MOST_BEYOND` times the largest of its range counts as that.
    """

    offset: float = 0.0
    of_spread: float = 0.0
    of_level: float = 0.0
    logs: tuple[float, float] = (-np.inf, np.inf)
    levels: tuple[float, float] = (-np.inf, np.inf)


def level(correction: np.ndarray) -> np.ndarray:
    """Return the logarithm of how much the network changed around each value: it grows with the degradation.

    `correction` is (..., height, width, channels), or (n, columns), where a row's columns surround each other; the last
    axis of the result has length 1.
    """
    from scipy.ndimage import uniform_filter

    squares = np.square(correction, dtype=np.float32).mean(-1, keepdims=True)
    if correction.ndim > 2:
        squares = uniform_filter(squares, (*[1] * (correction.ndim - 3), WINDOW, WINDOW, 1))
    return np.log(np.sqrt(np.maximum(squares, 0.0)) + SMALLEST_SIZE)


def rescaled(spread: np.ndarray, at_level: np.ndarray, scaling: Scaling) -> np.ndarray:
    """Return predicted spreads corrected, in their shape and dtype."""
    of_spread = scaling.of_spread * np.clip(np.log(spread), *scaling.logs)
    of_level = scaling.of_level * np.clip(at_level, *scaling.levels)
    within = np.minimum(spread, MOST_BEYOND * np.exp(scaling.logs[1]))
    return (within * np.exp(scaling.offset + of_spread + of_level)).astype(spread.dtype)


class Study:
    """Errors on held-out images beside predicted spreads and levels, arrays that `images` assigns to images.

    It looks at regularly spaced values of each.
    """

    def __init__(
        self, errors: list[np.ndarray], spreads: list[np.ndarray], levels: list[np.ndarray], images: list[int]
    ) -> None:
        parts = [_spaced(*part) for part in zip(errors, spreads, levels, strict=True)]
        self.errors, self.spreads, self.levels = (np.concatenate(part) for part in zip(*parts, strict=True))
        self.images = np.repeat(images, [len(part[0]) for part in parts])

    def scaling(self, place: Place = slice(None)) -> Scaling:
        """Return the Poisson regression of the sizes of errors at a place: on average, large ones come out right.

        Its coefficients are shrunk to 0, the network's own spread, as if `PRIOR_IMAGES` images had shown that.
        """
        from sklearn.linear_model import PoissonRegressor

        spreads = self.spreads[place].astype(np.float64)
        ratios = np.abs(self.errors[place]) / spreads
        if not ratios.any():
            return Scaling()
        features = np.column_stack([np.log(spreads), self.levels[place]])
        low, high = np.quantile(features, USUAL, axis=0)
        features = np.clip(features, low, high)
        middle = np.average(features, 0, spreads)
        width = np.sqrt(np.average((features - middle) ** 2, 0, spreads))
        width[width < 1e-6] = np.inf  # nothing can be learned of what does not vary
        strength = PRIOR_IMAGES / len(np.unique(self.images[place]))
        regression = PoissonRegressor(alpha=strength, solver="newton-cholesky", max_iter=50)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # coefficients near the best ones serve as well
            regression.fit((features - middle) / width, ratios / ratios.mean(), spreads / spreads.mean())
        weights = regression.coef_ / width
        logs, levels = ((float(least), float(most)) for least, most in zip(low, high, strict=True))
        return Scaling(float(-weights @ middle), float(weights[0]), float(weights[1]), logs, levels)

    def relative(self, scaling: Scaling, place: Place = slice(None)) -> np.ndarray:
        """Return errors at a place in units of corrected spreads."""
        return self.errors[place] / rescaled(self.spreads[place], self.levels[place], scaling)

    def widths(self) -> np.ndarray:
        """Return how much wider intervals of `COVERAGES` must be to hold that share of images left out.

        At least 1, which a single image gets: nothing tells more of it.
        """
        names = np.unique(self.images)
        if len(names) < 2:
            return np.ones(len(COVERAGES))
        folds = np.array_split(names, min(len(names), MOST_FOLDS))
        scores = np.empty((len(self.images), len(COVERAGES)))
        for fold in folds:
            left_out = np.isin(self.images, fold)
            scores[left_out] = self._scores(left_out)
        found = [np.quantile(of_one, coverage) for of_one, coverage in zip(scores.T, COVERAGES, strict=True)]
        return np.clip(found, 1.0, WIDEST)

    def _scores(self, left_out: np.ndarray) -> np.ndarray:
        """Distances of errors left out from the median of others, in units of central intervals, (n, coverages)."""
        scaling = self.scaling(~left_out)
        quantiles = quantiles_of(self.relative(scaling, ~left_out))
        middle = at(0.5, quantiles)
        below, above = (np.abs(at(0.5 + side * COVERAGES / 2, quantiles) - middle) for side in (-1.0, 1.0))
        distances = self.relative(scaling, left_out)[:, None] - middle
        return np.abs(distances) / np.maximum(np.where(distances < 0, below, above), SMALLEST_END)


def _spaced(error: np.ndarray, spread: np.ndarray, at_level: np.ndarray) -> tuple[np.ndarray, ...]:
    """Regularly spaced values, each (n,)."""
    step = -(-error.size // MOST_STUDIED) | 1  # odd, to meet all columns of an image of even width
    return tuple(np.broadcast_to(part, error.shape).ravel()[::step] for part in (error, spread, at_level))


def quantiles_of(values: np.ndarray) -> np.ndarray:
    return np.quantile(values.astype(np.float64), LEVELS)


def at(shares: ArrayLike, quantiles: np.ndarray) -> np.ndarray:
    """Return what lies at these shares of a distribution."""
    return np.interp(np.asarray(shares), LEVELS, quantiles)


def widened(quantiles: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Return quantiles at distances from the median multiplied as `widths` says; sorted, should they cross then."""
    middle = at(0.5, quantiles)
    return np.sort(middle + (quantiles - middle) * np.interp(np.abs(2.0 * LEVELS - 1.0), COVERAGES, by))
