"""Pairs of a poor and a good patch, drawn without end from training images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ..degradations import apply, downscale
from ..degradations._checks import RandomState
from ._tiling import enlarge, trim
from ._tone import ToneMapping

RESAMPLING_REACH = 4  # low-resolution pixels that bicubic reduction and enlargement look at


def degrade(images: np.ndarray, degradation: Callable | None, scale: int, rng: RandomState) -> np.ndarray:
    """Return poor images (n, height / scale, width / scale, channels) of good ones: reduced first, then degraded.

    A degradation that shrinks images by itself is followed by bicubic enlargement to the size before.
    """
    poor = downscale(images, factor=scale) if scale > 1 else images
    if degradation is None:
        return poor
    factor = getattr(degradation, "scale", 1)
    height, width = poor.shape[1:3]
    return enlarge(apply(degradation, poor, rng, scale=factor), factor)[:, :height, :width]


Encode = Callable[[np.ndarray], np.ndarray]  # raw pixels to fractions of the scale


class Rows(Protocol):
    """Raw images that are taken one by one."""

    def __len__(self) -> int: ...

    def __getitem__(self, place: int, /) -> np.ndarray: ...


class PairSource(Protocol):
    """Where training pairs come from."""

    def draw(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return `n` new pairs (poor, good), each (n, patch, patch, channels) or (n, padded columns) float32."""


@dataclass
class DegradedPairs:
    """Good patches and what `degradation` makes of them, every draw anew.

    `encode` turns rows of `images` into float32 (n, height, width, channels) in fractions of the scale. Patches are cut
    out before they are degraded, with a margin of `reach` pixels; where a degradation depends on the whole image
    (`reach` None) whole images are degraded into a pool, of which each draw renews one.
    """

    images: Rows
    encode: Encode
    degradation: Callable | None
    reach: int | None
    scale: int
    tone: ToneMapping | None
    patch: int
    rng: np.random.RandomState
    pool: dict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Turn the degradation's reach into that of a patch, in pixels of good images; None for a change of tone."""
        if self.reach is not None:
            factor = getattr(self.degradation, "scale", 1) * self.scale
            reach = -(-(self.reach * self.scale + RESAMPLING_REACH * factor * (factor > 1)) // factor) * factor
            self.reach = reach if self.tone is None else None

    def draw(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        return turn(*(self._from_pool(n) if self.reach is None else self._from_crops(n, self.reach)), self.rng)

    def _from_crops(self, n: int, reach: int) -> tuple[np.ndarray, np.ndarray]:
        side = self.patch + 2 * reach
        good = np.stack([self._crop(side, reach) for _ in range(n)])
        poor = enlarge(degrade(good, self.degradation, self.scale, self.rng), self.scale)
        inside = slice(reach, reach + self.patch)
        return poor[:, inside, inside].astype(np.float32), good[:, inside, inside]

    def _crop(self, side: int, reach: int) -> np.ndarray:
        """A square somewhere on one of the images, reflected where it overhangs."""
        image = self.images[self.rng.randint(len(self.images))]
        height, width = image.shape[:2]
        # Patches, not their margins, lie inside; an image smaller than a patch is reflected as a whole.
        top, left = (self.rng.randint(max(s - self.patch, 0) + 1) - reach for s in (height, width))
        rows = np.arange(max(top, 0), min(top + side, height))
        columns = np.arange(max(left, 0), min(left + side, width))
        block = self.encode(image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
        before = max(-top, 0), max(-left, 0)
        after = side - before[0] - len(rows), side - before[1] - len(columns)
        return np.pad(block, [(before[0], after[0]), (before[1], after[1]), (0, 0)], mode="symmetric")

    def _from_pool(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        self._renew(self.rng.randint(len(self.images)))
        picks = self.rng.choice(sorted(self.pool), n)
        return cut([self.pool[i] for i in picks], self.patch, self.rng)

    def _renew(self, i: int) -> None:
        good = trim(self.encode(self.images[i]), self.scale)
        poor = enlarge(degrade(good[None], self.degradation, self.scale, self.rng), self.scale)[0].astype(np.float32)
        self.pool[i] = (poor if self.tone is None else self.tone(poor), good)


@dataclass
class GivenPairs:
    """Patches from images whose poor and good version were both given."""

    poor: Rows
    good: Rows
    encode: Encode
    scale: int
    tone: ToneMapping | None
    patch: int
    rng: np.random.RandomState

    def draw(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        picks = self.rng.randint(len(self.good), size=n)
        return turn(*cut([self._pair(i) for i in picks], self.patch, self.rng), self.rng)

    def _pair(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        poor = enlarge(self.encode(self.poor[i])[None], self.scale)[0]
        return poor if self.tone is None else self.tone(poor), self.encode(self.good[i])


class TableNoise:
    """Rows of a standardised table and the same with Gaussian noise of a level drawn for each row."""

    def __init__(
        self, rows: np.ndarray, level: tuple[float, float], n_columns: int, rng: np.random.RandomState
    ) -> None:
        self.rows, self.level, self.n_columns, self.rng = rows, level, n_columns, rng

    def draw(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        good = self.rows[self.rng.randint(len(self.rows), size=n)]
        return self.degrade(good, self.rng), good

    def degrade(self, good: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
        """Return the rows with noise in their columns, none in the padding."""
        noise = rng.uniform(*self.level, (len(good), 1)) * rng.standard_normal(good.shape)
        noise[:, self.n_columns :] = 0.0
        return good + noise.astype(np.float32)


class GivenRows:
    """Rows of two standardised tables, poor and good."""

    def __init__(self, poor: np.ndarray, good: np.ndarray, rng: np.random.RandomState) -> None:
        self.poor, self.good, self.rng = poor, good, rng

    def draw(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        picks = self.rng.randint(len(self.good), size=n)
        return self.poor[picks], self.good[picks]


def cut(
    pairs: list[tuple[np.ndarray, np.ndarray]], patch: int, rng: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Return the same random square of both images of each pair, reflected where the images are smaller."""
    cuts: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for pair in pairs:
        height, width = pair[1].shape[:2]
        top, left = (rng.randint(max(side - patch, 0) + 1) for side in (height, width))
        for image, patches in zip(pair, cuts, strict=True):
            block = image[top : top + patch, left : left + patch]
            missing = [(0, patch - block.shape[0]), (0, patch - block.shape[1]), (0, 0)]
            patches.append(np.pad(block, missing, mode="symmetric"))
    return np.stack(cuts[0]), np.stack(cuts[1])


def turn(poor: np.ndarray, good: np.ndarray, rng: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """Turn and mirror each pair at random, both alike (the eight symmetries of the square)."""
    poor, good = poor.copy(), good.copy()
    for i, (turns, mirrored) in enumerate(zip(rng.randint(4, size=len(good)), rng.rand(len(good)) < 0.5, strict=True)):
        for images in (poor, good):
            image = np.rot90(images[i], turns)
            images[i] = image[:, ::-1] if mirrored else image
    return poor, good
