"""A global change of intensities that brings a poor image near the range of good ones, before the network looks closer.

A network of limited reach cannot know how much contrast an image lost as a whole. Its quantiles can tell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ._tiling import block_means

QUANTILES = np.linspace(0.5, 99.5, 17)
BLOCK = 4
MOST_PIXELS = 1 << 18  # quantiles of larger images are taken on a regular subset
WORTHWHILE = 1.0  # dB on training images; below, the network does as well alone


class ToneCurve(NamedTuple):
    """An increasing, piecewise linear change of intensities: `mapped` at `points`, beyond them its overall slope."""

    points: np.ndarray
    mapped: np.ndarray

    def apply(self, image: np.ndarray) -> np.ndarray:
        """Return the image with its intensities changed, float32."""
        slope = (self.mapped[-1] - self.mapped[0]) / (self.points[-1] - self.points[0])
        beyond = image - np.clip(image, self.points[0], self.points[-1])
        return (np.interp(image, self.points, self.mapped) + slope * beyond).astype(np.float32)


@dataclass(frozen=True)
class ToneMapping:
    """Predicts the quantiles of the good image from those of the poor one, linearly; `weights` is (35, 17)."""

    weights: np.ndarray

    @classmethod
    def learn(cls, poor: list[np.ndarray], good: list[np.ndarray]) -> ToneMapping:
        """Return the ridge regression over pairs of images."""
        rows = np.stack([describe(quantiles(image)) for image in poor])
        wanted = np.stack([quantiles(image) for image in good])
        # As scikit-learn's Ridge, whose other order of sums changes the last digits of documented figures.
        gram = rows.T @ rows + 1e-2 * np.eye(rows.shape[1])
        return cls(np.linalg.solve(gram, rows.T @ wanted))

    def curve(self, image: np.ndarray, encode: Callable[[np.ndarray], np.ndarray] = np.asarray) -> ToneCurve:
        """Return the curve of this image; `encode` as in `quantiles`."""
        points = quantiles(image, encode)
        mapped = np.maximum.accumulate(describe(points) @ self.weights)
        return ToneCurve(points + 1e-4 * np.arange(len(points)), mapped)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        return self.curve(image).apply(image)


def coarse(image: np.ndarray) -> np.ndarray:
    """Return means of blocks of 4x4 pixels, in which noise averages out and contrast stays."""
    return block_means(image, BLOCK)


def quantiles(image: np.ndarray, encode: Callable[[np.ndarray], np.ndarray] = np.asarray) -> np.ndarray:
    """Return those of the block means of an image (height, width, channels).

    `encode` turns raw pixels into fractions of the scale; it gets one strip of blocks at a time, so that no float copy
    of a large image is made.
    """
    n_down, n_across = (side // BLOCK for side in image.shape[:2])
    step = max(1, int(np.sqrt(n_down * n_across / MOST_PIXELS)))
    strips = (image[BLOCK * i : BLOCK * (i + 1)] for i in range(0, n_down, step))
    return np.percentile(np.concatenate([coarse(encode(strip))[:, ::step] for strip in strips]), QUANTILES)


def describe(points: np.ndarray) -> np.ndarray:
    """Return what the curve is predicted from: the quantiles, and their shape whatever their range."""
    spread = max(points[-1] - points[0], 1e-6)
    return np.concatenate([points, (points - points[0]) / spread, [1.0]])
