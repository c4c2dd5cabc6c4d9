"""How a restorer errs on images it did not see: what calibrates its spread, and samples are drawn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEVELS = np.linspace(0.0025, 0.9975, 200)


@dataclass(frozen=True)
class Errors:
    """Distribution of held-out errors in units of the predicted spread.

    `quantiles` (200,) at `LEVELS`; `correlation` between neighbouring pixels, 0 for tables.
    """

    quantiles: np.ndarray
    correlation: float

    @classmethod
    def learn(cls, errors: list, spreads: list) -> Errors:
        """From errors (good less restored) and predicted spreads of held-out rows, arrays with channels last."""
        ratios = [error / spread for error, spread in zip(errors, spreads, strict=True)]
        quantiles = np.quantile(np.concatenate([ratio.ravel() for ratio in ratios]).astype(np.float64), LEVELS)
        if ratios[0].ndim < 3:
            return cls(quantiles, 0.0)
        limited = [np.clip(ratio, quantiles[0], quantiles[-1]) for ratio in ratios]
        neighbours = [np.corrcoef(r[:, :-1].ravel(), r[:, 1:].ravel())[0, 1] for r in limited if r.std() > 0]
        return cls(quantiles, float(np.clip(np.mean(neighbours or [0.0]), 0.0, 0.95)))

    @property
    def deviation(self) -> float:
        """Root mean square, in units of the spread."""
        return float(np.sqrt(np.mean(np.square(self.quantiles))))

    def interval(self, coverage: float) -> tuple[float, float]:
        """Central interval in units of the spread that held this share of the held-out errors."""
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


def width_for(correlation: float) -> float:
    """Width of the Gaussian, in pixels, that gives blurred white noise this correlation between neighbours."""
    from scipy.ndimage import gaussian_filter1d

    impulse = np.zeros(129)
    impulse[64] = 1.0
    widths = np.geomspace(0.2, 8.0, 80)
    kernels = [gaussian_filter1d(impulse, width, mode="wrap") for width in widths]
    return float(np.interp(correlation, [k[1:] @ k[:-1] / (k @ k) for k in kernels], widths))
