"""How far a network's corrections are trusted: fully where they are large, hardly where they may be its own errors.

A network changes every pixel a little, empty background too. Beside edges that does not show, but on an even background
nothing else is left, and what looks at contrast whatever its size (histograms of oriented gradients) sees a pattern. So
a correction c is multiplied by e / (e + d^2), where e is the mean square of the corrections around it, and d, the
doubt, is learned from held-out images: the gain of a Wiener filter, with d^2 for the network's own noise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ._guard import mean_psnr

REACH = 2  # pixels on each side that the mean square is taken over
DOUBTS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8)  # times the root mean square of the corrections


@dataclass(frozen=True)
class Doubted:
    """A network, its small corrections made smaller."""

    network: Callable
    doubt: float

    def __call__(self, rows, with_spread: bool) -> list:
        """What the network gives: [restored], or [restored, spread]."""
        restored, *spread = self.network(rows, with_spread)
        return [earned(rows, restored, self.doubt), *spread]


def surroundings(values: np.ndarray) -> np.ndarray:
    """Mean over a square of 2 x `REACH` + 1 pixels a side; edges repeat. Shape (..., height, width, channels).

    Every mean adds the same numbers in the same order, so that parts of an image give what the whole gives.
    """
    for axis in (-3, -2):
        padding = [(0, 0)] * values.ndim
        padding[axis] = (REACH, REACH)
        padded, n = np.pad(values, padding, mode="edge"), values.shape[axis]
        values = sum(padded.take(range(i, i + n), axis) for i in range(2 * REACH + 1)) / (2 * REACH + 1)
    return values


def earned(poor: np.ndarray, restored: np.ndarray, doubt: float) -> np.ndarray:
    """Restored images with their corrections scaled down where they are small against `doubt`.

    Images (..., height, width, channels), float32 in fractions of the scale, as `doubt` is; 0 leaves them alone.
    """
    if doubt == 0.0:
        return restored
    correction = restored - poor
    energy = surroundings(np.square(correction).mean(-1, keepdims=True))
    return poor + correction * (energy / (energy + np.float32(doubt**2)))


def learn_doubt(poor: list, restored: list, good: list) -> float:
    """The doubt with the highest mean PSNR on held-out images; 0 where none is better than full trust."""
    size = float(np.sqrt(np.mean([np.mean(np.square(r - p)) for p, r in zip(poor, restored, strict=True)])))
    scores = [mean_psnr([earned(p, r, d * size) for p, r in zip(poor, restored, strict=True)], good) for d in DOUBTS]
    return DOUBTS[int(np.argmax(scores))] * size
