"""The size at which the GAN works, and rows at that size."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .._base import warn_caller
from .._codecs import in_other_units
from ._resampling import resized

LONGEST = 64  # side of the canvas that "auto" stands for, at most; networks of larger images take minutes
LEAST_OF_LONGEST = 0.8  # of `gan_size`, that the longest side of a whole part of the image must have
SHORTEST = 8  # side of an image that the networks take
LARGEST = 512  # side of an image that is tested
CHUNK_VALUES = 1 << 20  # of encoded rows that are looked at, at a time
MOST_KEPT = 1 << 25  # values on the canvas that training keeps, 4 bytes each; more are made again when they are drawn


class Views(NamedTuple):
    """Encoded rows, float32: as they are, and on the canvas (n, *canvas shape)."""

    whole: np.ndarray
    canvas: np.ndarray


@dataclass(frozen=True)
class Canvas:
    """The rows as the GAN sees them: encoded, and averaged down to `shape` where images are larger.

    `codec` encodes rows; of a table the canvas is the encoded row itself.
    """

    codec: Any
    shape: tuple[int, ...]

    @classmethod
    def of(cls, codec: Any, gan_size: int | str, is_table: bool) -> Canvas:
        """Return the canvas that `gan_size` asks for."""
        shape = codec.network_shape
        return cls(codec, shape if is_table else canvas_shape(shape, LONGEST if gan_size == "auto" else int(gan_size)))

    @property
    def is_whole(self) -> bool:
        """Tell whether rows are seen at their own size."""
        return self.shape == self.codec.network_shape

    def views(self, rows: np.ndarray) -> Views:
        """Return some rows in both ways."""
        encoded = self.codec.encode(rows)
        return Views(encoded, encoded if self.is_whole else resized(encoded, self.shape))

    def draw(self, parts: Sequence[np.ndarray]) -> np.ndarray | EncodedRows:
        """Return all rows of several arrays on the canvas, one after the other, in no more memory than that takes.

        More than `MOST_KEPT` values are made when they are asked for.
        """
        rows = EncodedRows(parts, self.shape, math.prod(self.codec.network_shape), lambda some: self.views(some).canvas)
        return rows if math.prod(rows.shape) > MOST_KEPT else rows[np.arange(len(rows))]

    def whole(self, parts: Sequence[np.ndarray]) -> EncodedRows:
        """Return all rows of several arrays at their own size, encoded when they are asked for."""
        shape = self.codec.network_shape
        return EncodedRows(parts, shape, math.prod(shape), self.codec.encode)


@dataclass(frozen=True)
class EncodedRows:
    """Rows of several arrays, one after the other, which `encode` makes when they are asked for.

    `row_shape` is that of an encoded row; `n_values` are those of a row before it is reduced.
    """

    parts: Sequence[np.ndarray]
    row_shape: tuple[int, ...]
    n_values: int
    encode: Callable[[np.ndarray], np.ndarray]

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of rows, and the shape of each."""
        return len(self), *self.row_shape

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __getitem__(self, places: Any) -> np.ndarray:
        """Return one row, or those of a slice or an array of places, float32."""
        if isinstance(places, slice):
            places = np.arange(len(self))[places]
        if np.ndim(places) == 0:
            return self[np.array([places])][0]
        found = np.empty((len(places), *self.row_shape), np.float32)
        offset = 0
        for rows in self.parts:
            here = np.flatnonzero((places >= offset) & (places < offset + len(rows)))
            for start, stop in chunks(len(here), self.n_values):
                some = here[start:stop]
                found[some] = self.encode(rows[places[some] - offset])
            offset += len(rows)
        return found


def identities(rows: np.ndarray) -> list[int]:
    """Return a number for each row, which only equal rows share."""
    return [hash(row.tobytes()) for row in rows]


def reduced(images: np.ndarray) -> np.ndarray:
    """Return images (n, height, width[, channels]) flat, float32, averaged down to at most `LONGEST` pixels a side."""
    images = np.asarray(images, np.float32)
    stack = images if images.ndim == 4 else images[..., None]
    return resized(stack, canvas_shape(stack.shape[1:], LONGEST)).reshape(len(images), -1)


def canvas_shape(shape: tuple[int, ...], longest: int) -> tuple[int, ...]:
    """Return `(height, width, channels)` with no side above `longest`.

    A whole part of the image, where one is about that large; else the longest side is `longest`.
    """
    height, width, n_channels = shape
    divisor = math.ceil(max(height, width) / longest)
    whole = height % divisor == 0 and width % divisor == 0 and min(height, width) >= SHORTEST * divisor
    if divisor == 1 or (whole and max(height, width) / divisor >= LEAST_OF_LONGEST * longest):
        return height // divisor, width // divisor, n_channels
    scale = longest / max(height, width)
    return max(SHORTEST, round(height * scale)), max(SHORTEST, round(width * scale)), n_channels


def warn_of_images(image_shape: tuple[int, ...] | None, parts: Sequence[np.ndarray]) -> None:
    """Say what images cost that are larger than those that are tested, and where units can hardly be the same."""
    if image_shape is not None:
        warn_of_size(image_shape)
        warn_of_units(parts)


def warn_of_units(parts: Sequence[np.ndarray]) -> None:
    """Say where images without a label can hardly be in the units of those with one."""
    if len(parts) == 1:
        return
    X, more = parts
    low, high = float(X.min()), float(X.max())
    if in_other_units(more, low, high):
        warn_caller(
            f"X has values from {low:g} to {high:g}, X_unlabeled from {more.min():g} to {more.max():g}. Both are "
            "learned as images in the same units: rescale one of them if they are not.",
            UserWarning,
        )


def warn_of_size(image_shape: tuple[int, ...]) -> None:
    """Say what images cost that are larger than those that are tested."""
    if max(image_shape[:2]) > LARGEST:
        height, width, n_channels = image_shape
        warn_caller(
            f"Images of {height}x{width} are larger than {LARGEST}x{LARGEST}, the largest that are tested. Columns are "
            "those of the image reduced to gan_size and to the size that the backbone takes, so finer detail does not "
            f"count; it is read and resized all the same, {height * width * n_channels / 224**2:.0f} times the values "
            "of an image of 224x224, and synthetic images are as large. Cut out what matters, or reduce the images.",
            UserWarning,
        )


def chunks(n: int, n_values: int) -> Iterator[tuple[int, int]]:
    """Yield ends of runs of rows of `n_values` each, a multiple of a batch of inference where rows are small."""
    from ..gan.training import INFERENCE_BATCH

    step = max(1, CHUNK_VALUES // (INFERENCE_BATCH * max(n_values, 1))) * INFERENCE_BATCH
    for start in range(0, n, step):
        yield start, min(n, start + step)
