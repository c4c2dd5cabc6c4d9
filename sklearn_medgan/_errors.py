"""How a restorer errs on images it did not see: what calibrates its spread, and samples are drawn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEVELS = np.linspace(0.0025, 0.9975, 200)
WINDOW = 17  # pixels a side of the surroundings over which the size of the correction is averaged
MOST_BINS = 8  # of that size
FEWEST_VALUES = 500  # in each
SMALLEST_SIZE = 1e-4  # of the scale; whatever is changed less counts alike
SMALLEST_FACTOR = 0.05  # what was restored without fault is not taken for certain


def level(correction: np.ndarray) -> np.ndarray:
    """Logarithm of how much the network changed the surroundings of each value, which grows with the degradation.

    `correction` is (..., height, width, channels), or (n, columns), where a row's columns surround each other; the last
    axis of the result has length 1.
    """
    from scipy.ndimage import uniform_filter

    squares = np.square(correction, dtype=np.float32).mean(-1, keepdims=True)
    if correction.ndim > 2:
        squares = uniform_filter(squares, (*[1] * (correction.ndim - 3), WINDOW, WINDOW, 1))
    return np.log(np.sqrt(np.maximum(squares, 0.0)) + SMALLEST_SIZE)


@dataclass(frozen=True)
class Errors:
    """Distribution of held-out errors in units of the scaled spread: the predicted one times a factor.

    `quantiles` (200,) at `LEVELS`; `correlation` between neighbouring pixels, 0 for tables. `factors` at the values
    `sizes` of `level`, linear between them: a network that learned many degradations at once is too sure where it
    changes much, and not sure enough where it changes little.
    """

    quantiles: np.ndarray
    correlation: float
    sizes: tuple[float, ...] = (0.0,)
    factors: tuple[float, ...] = (1.0,)

    @classmethod
    def learn(cls, errors: list, spreads: list, corrections: list | None = None) -> Errors:
        """From errors (good less restored) and predicted spreads of held-out rows, arrays with channels last.

        `corrections` is what the network changed (restored less poor); without, one factor holds for all.
        """
        ratios = [error / spread for error, spread in zip(errors, spreads, strict=True)]
        sizes, factors = (0.0,), (1.0,)
        if corrections is not None:
            levels = [level(correction) for correction in corrections]
            sizes, factors = _factors(ratios, levels)
            ratios = [r / np.interp(at, sizes, factors) for r, at in zip(ratios, levels, strict=True)]
        quantiles = np.quantile(np.concatenate([ratio.ravel() for ratio in ratios]).astype(np.float64), LEVELS)
        return cls(quantiles, _correlation(ratios, quantiles), sizes, factors)

    def scaled(self, spread: np.ndarray, correction: np.ndarray) -> np.ndarray:
        """Predicted spreads times the factors for what the network changed there; the shape and dtype of `spread`."""
        return spread * np.interp(level(correction), self.sizes, self.factors).astype(spread.dtype)

    @property
    def deviation(self) -> float:
        """Root mean square, in units of the scaled spread."""
        return float(np.sqrt(np.mean(np.square(self.quantiles))))

    def interval(self, coverage: float) -> tuple[float, float]:
        """Central interval in units of the scaled spread that held this share of the held-out errors."""
        return tuple(np.interp([0.5 - coverage / 2, 0.5 + coverage / 2], LEVELS, self.quantiles))

    def draw(self, shape: tuple[int, ...], rng) -> np.ndarray:
        """Errors for rows of this shape, (n, height, width, channels) or (n, columns): a Gaussian copula."""
        from scipy.ndimage import gaussian_filter1d
        from scipy.special import ndtr

        field = rng.standard_normal(shape)
        if len(shape) == 4 and self.correlation > 0.01:
            width = width_for(self.correlation)
            for axis in (1, 2):
                field = gaussian_filter1d(field, width, axis=axis, mode="wrap")
            field /= max(field.std(), 1e-12)
        return np.interp(ndtr(field), LEVELS, self.quantiles)


def _factors(ratios: list, levels: list) -> tuple[tuple, tuple]:
    """Mean size of errors in units of the predicted spread by level, relative to all: (levels, factors)."""
    sizes = np.concatenate([np.abs(ratio).ravel() for ratio in ratios])
    at = np.concatenate([np.broadcast_to(v, r.shape).ravel() for v, r in zip(levels, ratios, strict=True)])
    n_bins = int(np.clip(len(sizes) // FEWEST_VALUES, 1, MOST_BINS))
    # Rounded to a tenth, so that levels which hardly differ stay together.
    cuts = np.unique(np.round(np.quantile(at, np.arange(1, n_bins) / n_bins), 1))
    bins = np.searchsorted(cuts, at, side="right")
    places = [bins == b for b in np.unique(bins)]
    usual = float(sizes.mean(dtype=np.float64)) or 1.0
    factors = [max(float(sizes[place].mean(dtype=np.float64)) / usual, SMALLEST_FACTOR) for place in places]
    return tuple(float(np.median(at[place])) for place in places), tuple(factors)


def _correlation(ratios: list, quantiles: np.ndarray) -> float:
    """Mean correlation between a pixel and its right neighbour, outliers cut; 0 for tables."""
    if ratios[0].ndim < 3:
        return 0.0
    limited = [np.clip(ratio, quantiles[0], quantiles[-1]) for ratio in ratios]
    neighbours = [np.corrcoef(r[:, :-1].ravel(), r[:, 1:].ravel())[0, 1] for r in limited if r.std() > 0]
    return float(np.clip(np.mean(neighbours or [0.0]), 0.0, 0.95))


def width_for(correlation: float) -> float:
    """Width of the Gaussian, in pixels, that gives blurred white noise this correlation between neighbours."""
    from scipy.ndimage import gaussian_filter1d

    impulse = np.zeros(129)
    impulse[64] = 1.0
    widths = np.geomspace(0.2, 8.0, 80)
    kernels = [gaussian_filter1d(impulse, width, mode="wrap") for width in widths]
    return float(np.interp(correlation, [k[1:] @ k[:-1] / (k @ k) for k in kernels], widths))
