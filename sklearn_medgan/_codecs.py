"""Rows to network units and back.

A codec learns the intensity scale at fit: images go to [-1, 1] between the smallest and the largest training value, the
columns of a table to zero mean and unit variance. It holds no training row.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._containers import Form
from ._lazy import LazyImages

FEW_LEVELS = 10  # an integer column with at most this many distinct values keeps to them
CHUNK_VALUES = 1 << 20  # encoded at a time, so that no float64 copy of all rows is made
OUTSIDE, MOST_OUTSIDE = 0.1, 0.01  # shares: of the learned range that values may lie beyond it, and of values that do
MOST_OUTSIDE_IN_ONE = 0.1  # of the values of a single image, which noise alone may spread farther
LEAST_FILLED, LEAST_BRIGHT = 0.01, 1 / 15  # of the learned range; images of 0 to 1, or of 8 bits where 12 were learned
BYTE = 255
COLUMN_STEP = 16  # tables are padded to a multiple of this, so that tables of similar width share a compiled step


@dataclass(frozen=True)
class ImageCodec:
    """Images in [low, high] to (n, height, width, channels) float32 in [-1, 1] and back.

    `constant` holds the value of a channel that has only one, as that of an opaque alpha channel; None elsewhere.
    """

    image_shape: tuple[int, int, int]
    low: float
    high: float
    constant: tuple[float | None, ...] = ()

    @classmethod
    def learn(cls, parts: Sequence[np.ndarray], image_shape: tuple[int, int, int]) -> ImageCodec:
        """Return the scale of training rows, which are all `parts` together."""
        image_shape = (image_shape[0], image_shape[1], image_shape[2])
        stacks = [rows.reshape(-1, *image_shape) for rows in parts]
        low, high = min(rows.min() for rows in stacks), max(rows.max() for rows in stacks)
        return cls(image_shape, float(low), float(high), constant_channels(stacks))

    @property
    def network_shape(self) -> tuple[int, ...]:
        """Shape of an encoded row."""
        return self.image_shape

    @property
    def _middle_and_half(self) -> tuple[float, float]:
        return self.low / 2 + self.high / 2, self.high / 2 - self.low / 2

    def encode(self, rows: np.ndarray) -> np.ndarray:
        """Return float32 images; values beyond the training range go beyond [-1, 1]; nothing is clipped."""
        middle, half = self._middle_and_half
        encoded = np.empty((len(rows), *self.image_shape), np.float32)
        step = max(1, CHUNK_VALUES // math.prod(self.image_shape))
        for start in range(0, len(rows), step):
            part = np.asarray(rows[start : start + step], dtype=np.float64)
            encoded[start : start + step] = ((part - middle) / (half or 1.0)).reshape(-1, *self.image_shape)
        return encoded

    def decode(self, rows: np.ndarray) -> np.ndarray:
        """Return float64 in the units of the data, (n, n_features), within the training range."""
        middle, half = self._middle_and_half
        values = np.clip(rows.reshape(-1, *self.image_shape).astype(np.float64) * half + middle, self.low, self.high)
        for channel, value in enumerate(self.constant):
            if value is not None:
                values[..., channel] = value
        return values.reshape(len(rows), math.prod(self.image_shape))


def constant_channels(stacks: Sequence[np.ndarray]) -> tuple[float | None, ...]:
    """Return the value of each channel (the last axis) that has only one in all stacks, None for the others."""
    constant = []
    for channel in range(stacks[0].shape[-1]):
        lows, highs = zip(*[_limits(images, channel) for images in stacks], strict=True)
        low, high = min(lows), max(highs)
        constant.append(float(low) if low == high else None)
    return tuple(constant)


def _limits(images: np.ndarray | LazyImages, channel: int) -> tuple[Any, Any]:
    if isinstance(images, LazyImages):
        return images.limits[0][channel], images.limits[1][channel]
    return images[..., channel].min(), images[..., channel].max()


def warn_of_range(
    images: np.ndarray, low: float, high: float, name: str, stacklevel: int = 4, outside: float = OUTSIDE
) -> None:
    """Warn where images can hardly be in the units of those that an estimator was fitted on.

    That is where more than a hundredth of the values, or a tenth of those of an image, lie beyond the learned range by
    `outside` of it, where all fill less than a hundredth of it, or where all are in the lowest fifteenth of a range
    without negative values. Constant images tell nothing, nor do dark ones of 8 bits, where such were learned from.

    Parameters
    ----------
    images : ndarray
        Images in the units of the caller.
    low, high : float
        Smallest and largest value at fit.
    name : str
        Of the estimator.
    stacklevel : int, default=4
        Frames from here to the user's call; 4 for a `transform`, which scikit-learn wraps.
    outside : float, default=0.1
        Share of the range by which values may lie beyond it.
    """
    varied = images.min() < images.max() and low < high
    far = varied and _shares_beyond(images, low, high, outside).max() > MOST_OUTSIDE_IN_ONE
    if not (far or in_other_units(images, low, high, outside)):
        return
    warnings.warn(
        f"{name} was fitted on images with values from {low:g} to {high:g}; these range from {images.min():g} to "
        f"{images.max():g}. Pass images in the units of fit (rescale them), or fit again.",
        UserWarning,
        stacklevel=stacklevel,
    )


def in_other_units(images: np.ndarray, low: float, high: float, outside: float = OUTSIDE) -> bool:
    """Tell whether images can hardly be in the units of others from `low` to `high`, by the values of all of them."""
    lowest, highest, span = float(images.min()), float(images.max()), high - low
    if lowest == highest or span <= 0:
        return False
    beyond = _shares_beyond(images, low, high, outside).mean() > MOST_OUTSIDE
    small = highest - lowest < LEAST_FILLED * span or (low >= 0 and highest < low + LEAST_BRIGHT * span)
    bytes_as_at_fit = images.dtype.itemsize == 1 and high <= BYTE  # bytes have no other units: these are dark
    return bool(beyond) or (small and not bytes_as_at_fit)


def _shares_beyond(images: np.ndarray, low: float, high: float, outside: float) -> np.ndarray:
    """Of each image the share of values that lie beyond a range by `outside` of it."""
    low, high = low - outside * (high - low), high + outside * (high - low)
    if images.min() >= low and images.max() <= high:
        return np.zeros(len(images))
    return np.array([np.mean((image < low) | (image > high)) for image in images])


@dataclass(frozen=True)
class ImageScale:
    """Intensities as fractions of the training range [low, high], and back, whatever the size of an image."""

    low: float
    high: float

    @classmethod
    def learn(cls, rows: np.ndarray) -> ImageScale:
        """Return the range of these training rows."""
        low, high = float(rows.min()), float(rows.max())
        if not high - low < float(np.finfo(np.float32).max):  # as float32 the comparison may overflow
            raise ValueError(f"Images range from {low:g} to {high:g}, more than float32 holds. Rescale them.")
        return cls(low, high)

    @property
    def span(self) -> float:
        """What a fraction of one stands for; 1 for constant images."""
        return self.high - self.low or 1.0

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Return float32; values beyond the training range go beyond [0, 1]."""
        if np.asarray(values).dtype.itemsize <= 2:  # exact in float32, and half the memory
            return (np.asarray(values, np.float32) - np.float32(self.low)) / np.float32(self.span)
        return ((np.asarray(values, np.float64) - self.low) / self.span).astype(np.float32)

    def decode(self, values: np.ndarray) -> np.ndarray:
        """Return float64 in the units of the data, not clipped."""
        return np.asarray(values, np.float64) * self.span + self.low


@dataclass(frozen=True)
class TableCodec:
    """Columns to zero mean and unit variance, padded with zero columns, and back.

    `levels[j]` holds the distinct values of a column that has two, or few integers; None elsewhere.
    """

    mean: np.ndarray
    scale: np.ndarray
    low: np.ndarray
    high: np.ndarray
    whole: np.ndarray
    levels: tuple[np.ndarray | None, ...]

    def __post_init__(self) -> None:
        """Raise ValueError where it cannot be that of a table: it may come from a file."""
        columns = self.mean, self.scale, self.low, self.high, self.whole
        if {each.shape for each in columns} != {(len(self.levels),)} or not (self.scale > 0).all():
            raise ValueError("the columns' means, spreads, ranges and levels do not belong together")

    @classmethod
    def learn(cls, rows: np.ndarray) -> TableCodec:
        """Learn location, spread, range and levels of these training rows."""
        n_parts = max(1, min(rows.shape[1] // 2, rows.size // CHUNK_VALUES))  # at least two columns each: the same sums
        parts = [_table_statistics(part) for part in np.array_split(rows, n_parts, axis=1)]
        mean, scale, low, high, whole = (np.concatenate(each) for each in zip(*parts, strict=True))
        distinct = [np.unique(column.astype(np.float64)) for column in rows.T]
        levels = tuple(
            d if len(d) <= 2 or (w and len(d) <= FEW_LEVELS) else None for d, w in zip(distinct, whole, strict=True)
        )
        return cls(mean, scale, low, high, whole, levels)

    @property
    def network_shape(self) -> tuple[int, ...]:
        """Shape of an encoded row: the columns and the padding."""
        return self.padded_shape(len(self.mean))

    @staticmethod
    def padded_shape(n_columns: int) -> tuple[int, ...]:
        """Round the number of columns up to a multiple of `COLUMN_STEP`."""
        return (-(-n_columns // COLUMN_STEP) * COLUMN_STEP,)

    def encode(self, rows: np.ndarray) -> np.ndarray:
        """Return float32 (n, padded columns)."""
        encoded = np.zeros((len(rows), *self.network_shape), np.float32)
        step = max(1, CHUNK_VALUES // len(self.mean))
        for start in range(0, len(rows), step):
            part = np.asarray(rows[start : start + step], dtype=np.float64)
            encoded[start : start + step, : len(self.mean)] = (part - self.mean) / self.scale
        return encoded

    def decode(self, rows: np.ndarray) -> np.ndarray:
        """Return float64 in the units of the data, within each column's training range and on its levels."""
        values = rows[:, : len(self.mean)].astype(np.float64) * self.scale + self.mean
        values = np.clip(np.where(self.whole, np.rint(values), values), self.low, self.high)
        for j, levels in enumerate(self.levels):
            if levels is not None:
                values[:, j] = nearest(levels, values[:, j])
        return values


def _table_statistics(rows: np.ndarray) -> tuple[np.ndarray, ...]:
    """Mean, standard deviation (1 for a constant), smallest and largest value, and whether all are whole, by column."""
    rows = np.asarray(rows, dtype=np.float64)
    low, high = rows.min(0), rows.max(0)
    largest = np.maximum(np.maximum(np.abs(low), np.abs(high)), np.finfo(np.float64).tiny)
    relative = rows / largest
    scale = relative.std(0) * largest
    mean = relative.mean(0) * largest
    return mean, np.where(scale > 1e-12 * largest, scale, 1.0), low, high, (rows == np.rint(rows)).all(0)


def nearest(levels: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return each value's nearest level (`levels` ascending)."""
    between = levels[:-1] / 2 + levels[1:] / 2
    return levels[np.searchsorted(between, values)]


def learn_codec(parts: Sequence[np.ndarray], form: Form) -> ImageCodec | TableCodec:
    """Return the codec for rows of this form, which are all `parts` together."""
    if form.kind == "table":
        return TableCodec.learn(parts[0] if len(parts) == 1 else np.concatenate(parts))
    assert form.image_shape is not None
    return ImageCodec.learn(parts, form.image_shape)
