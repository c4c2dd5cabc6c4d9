"""How far a network's corrections are applied: fully where they are large, hardly where they may be its own errors.

A network changes every pixel a little, empty background too. Beside edges that does not show, but on an even background
nothing else is left, and what looks at contrast whatever its size (histograms of oriented gradients) sees a pattern. So
a correction c is multiplied by e / (e + s^2), where e is the mean square of the corrections around it, and s, the
shrinkage, is learned from held-out images: the gain of a Wiener filter, with s^2 for the network's own noise. An image
that the network changes no more than it changes good ones is left as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ._guard import mean_psnr

REACH = 2  # pixels on each side that the mean square is taken over
VALUES_AT_ONCE = 1 << 18  # of an image that are compared at once, so that no float copy of a large one is made
# Symmetries of the square: whether mirrored, and quarter turns. Two views are opposite, four all turns.
VIEWS = tuple((mirrored, turns) for mirrored in (False, True) for turns in (0, 2, 1, 3))
SHRINKAGES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8)  # times the root mean square of the corrections

# What restores: rows, and whether the spread of their errors is wanted, to [restored] or [restored, spread].
Restorer = Callable[[np.ndarray, bool], list[np.ndarray]]


@dataclass(frozen=True)
class Shrunk:
    """A restorer whose small corrections are made smaller; `size` is that of corrections that are applied by half."""

    network: Restorer
    size: float

    def __call__(self, rows: np.ndarray, with_spread: bool) -> list[np.ndarray]:
        restored, *spread = self.network(rows, with_spread)
        return [shrink(rows, restored, self.size), *spread]


def averaged(network: Restorer, n_views: int) -> Restorer:
    """Return a restorer that averages over the first `n_views` of the eight symmetries of the square."""

    def over_views(rows: np.ndarray, with_spread: bool) -> list[np.ndarray]:
        sums: list[np.ndarray] = []
        for mirrored, turns in VIEWS[:n_views]:
            view = np.rot90(rows[:, :, ::-1] if mirrored else rows, turns, (1, 2))
            back = [np.rot90(part, -turns, (1, 2)) for part in network(np.ascontiguousarray(view), with_spread)]
            parts = [part[:, :, ::-1] if mirrored else part for part in back]
            sums = [a + b for a, b in zip(sums, parts, strict=True)] if sums else parts
        return [total / np.float32(n_views) for total in sums]

    return network if n_views == 1 else over_views


def respond(network: Restorer, rows: np.ndarray, with_spread: bool) -> list[np.ndarray]:
    """Return [restored], or [restored, spread, correction], where the correction is what the network changed."""
    outputs = network(rows, with_spread)
    return [*outputs, outputs[0] - rows] if with_spread else outputs


def n_outputs(with_spread: bool) -> int:
    return 3 if with_spread else 1


def local_mean(values: np.ndarray) -> np.ndarray:
    """Return means over squares of 2 x `REACH` + 1 pixels a side; edges repeat. Shape (..., height, width, channels).

    Every mean adds the same numbers in the same order, so that parts of an image give what the whole gives, to the bit:
    the running sums of `scipy.ndimage.uniform_filter` do not.
    """
    for axis in (-3, -2):
        padding = [(0, 0)] * values.ndim
        padding[axis] = (REACH, REACH)
        padded, n = np.moveaxis(np.pad(values, padding, mode="edge"), axis, 0), values.shape[axis]
        total = padded[:n] + padded[1 : n + 1]
        for i in range(2, 2 * REACH + 1):
            total += padded[i : i + n]
        values = np.moveaxis(total, 0, axis) / (2 * REACH + 1)
    return values


def shrink(poor: np.ndarray, restored: np.ndarray, size: float) -> np.ndarray:
    """Return restored images with their corrections scaled down where they are small against `size`.

    Images (..., height, width, channels), float32 in fractions of the scale, as `size` is; 0 leaves them alone.
    """
    if size == 0.0:
        return restored
    correction = restored - poor
    energy = local_mean(np.square(correction).mean(-1, keepdims=True))
    return poor + correction * (energy / (energy + np.float32(size**2)))


def learn_shrinkage(poor: list[np.ndarray], restored: list[np.ndarray], good: list[np.ndarray]) -> float:
    """Return the shrinkage with the highest mean PSNR on held-out images; 0 where none is better than none."""
    size = float(np.sqrt(np.mean([np.mean(np.square(r - p)) for p, r in zip(poor, restored, strict=True)])))
    scores = [
        mean_psnr([shrink(p, r, part * size) for p, r in zip(poor, restored, strict=True)], good) for part in SHRINKAGES
    ]
    return SHRINKAGES[int(np.argmax(scores))] * size


def size_of_change(before: np.ndarray, after: np.ndarray) -> float:
    """Return the root mean square of what became different, some rows at a time."""
    total, step = 0.0, max(1, VALUES_AT_ONCE * len(before) // before.size)
    for i in range(0, len(before), step):
        change = np.subtract(after[i : i + step], before[i : i + step], dtype=np.float32)
        total += np.square(change).sum(dtype=np.float64)
    return float(np.sqrt(total / before.size))


def hardly_changed(before: Iterable[np.ndarray], after: Iterable[np.ndarray], limit: float) -> np.ndarray:
    """Return which images a method changed by no more than `limit`, (n,) bool."""
    return np.array([size_of_change(*pair) <= limit for pair in zip(before, after, strict=True)], dtype=bool)


def spare(before: Sequence[np.ndarray], after: Sequence[np.ndarray], limit: float) -> list[np.ndarray]:
    """Return images after the network, but for those that it hardly changed, which stay as they were."""
    keep = hardly_changed(before, after, limit)
    return [b if kept else a for b, a, kept in zip(before, after, keep, strict=True)]
