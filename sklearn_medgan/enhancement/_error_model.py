"""How a restorer errs on images it did not see: what calibrates its spread, and samples are drawn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import _calibration as calibration


@dataclass(frozen=True)
class ErrorModel:
    """Distribution of errors in units of the scaled spread, which is the predicted one corrected by `scaling`.

    `quantiles` (200,) at `calibration.LEVELS`; `correlation` between neighbouring pixels, 0 for tables.
    """

    quantiles: np.ndarray
    correlation: float
    scaling: calibration.Scaling

    @classmethod
    def learn(
        cls,
        errors: list[np.ndarray],
        spreads: list[np.ndarray],
        corrections: list[np.ndarray],
        images: list[int] | None = None,
    ) -> ErrorModel:
        """Return what errors (good less restored) and predicted spreads of held-out rows tell, channels last.

        `corrections` is what the network changed (restored less poor). `images` says which array shows which image, so
        that several of one are left out together; without, each shows another.
        """
        levels = [calibration.level(correction) for correction in corrections]
        images = list(range(len(errors))) if images is None else images
        study = calibration.Study(errors, spreads, levels, images)
        scaling = study.scaling()
        parts = zip(errors, spreads, levels, strict=True)
        values = [error / calibration.rescaled(spread, at, scaling) for error, spread, at in parts]
        quantiles = calibration.quantiles_of(np.concatenate([part.ravel() for part in values]))
        return cls(calibration.widened(quantiles, study.widths()), _correlation(values, quantiles), scaling)

    def scaled(self, spread: np.ndarray, correction: np.ndarray) -> np.ndarray:
        """Return predicted spreads corrected for their size and what the network changed; shape and dtype stay."""
        return calibration.rescaled(spread, calibration.level(correction), self.scaling)

    @property
    def deviation(self) -> float:
        """The root mean square, in units of the scaled spread."""
        return float(np.sqrt(np.mean(np.square(self.quantiles))))

    def deviation_of_draws(self, shape: tuple[int, ...], n: int, rng: np.random.RandomState) -> np.ndarray:
        """Return the root mean square of `n` draws for each of the values of an array; of ever more draws, `deviation`.

        The draws of a value lie at equal distances in its distribution, from a random start on (systematic sampling):
        16 of a Laplace distribution come within a tenth, where independent ones would be off by a quarter.
        """
        start, squares = rng.uniform(size=shape), np.zeros(shape)
        for i in range(n):
            squares += np.square(calibration.at((start + i / n) % 1.0, self.quantiles))
        return np.sqrt(squares / n)

    def interval(self, coverage: float) -> tuple[float, float]:
        """Return the central interval in units of the scaled spread that holds this share of errors."""
        low, high = calibration.at(np.array([0.5 - coverage / 2, 0.5 + coverage / 2]), self.quantiles)
        return low, high

    def draw(self, shape: tuple[int, ...], rng: np.random.RandomState) -> np.ndarray:
        """Draw errors for rows of this shape, (n, height, width, channels) or (n, columns): a Gaussian copula."""
        from scipy.ndimage import gaussian_filter1d
        from scipy.special import ndtr

        field = rng.standard_normal(shape)
        if len(shape) == 4 and self.correlation > 0.01:
            width = width_for(self.correlation)
            for axis in (1, 2):
                field = gaussian_filter1d(field, width, axis=axis, mode="wrap")
            field /= max(field.std(), 1e-12)
        return calibration.at(ndtr(field), self.quantiles)


def _correlation(ratios: list[np.ndarray], quantiles: np.ndarray) -> float:
    """Mean correlation between a pixel and its right neighbour, outliers cut; 0 for tables."""
    if ratios[0].ndim < 3:
        return 0.0
    limited = [np.clip(ratio, quantiles[0], quantiles[-1]) for ratio in ratios]
    neighbours = [np.corrcoef(r[:, :-1].ravel(), r[:, 1:].ravel())[0, 1] for r in limited if r.std() > 0]
    return float(np.clip(np.mean(neighbours or [0.0]), 0.0, 0.95))


def width_for(correlation: float) -> float:
    """Return the width of the Gaussian, in pixels, by which blurred white noise has this correlation of neighbours."""
    from scipy.ndimage import gaussian_filter1d

    impulse = np.zeros(129)
    impulse[64] = 1.0
    widths = np.geomspace(0.2, 8.0, 80)
    kernels = [gaussian_filter1d(impulse, width, mode="wrap") for width in widths]
    return float(np.interp(correlation, [k[1:] @ k[:-1] / (k @ k) for k in kernels], widths))
