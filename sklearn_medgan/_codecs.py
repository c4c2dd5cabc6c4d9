"""Rows to network units and back.

A codec learns the intensity scale at fit: images go to [-1, 1] between the smallest and the largest training value, the
columns of a table to a mean near zero and unit variance. It holds no training row, and its ends tell of no single one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._base import warn_caller
from ._containers import Form
from ._lazy import LazyImages

FEWEST = 5  # rows behind an end of a range, or behind a level that is no code
STEP_OF_MEAN, WIDEST_STEP = 100, 2.0  # of kept means, in spreads: over the number of rows, and of what a network sees
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
        return cls(image_shape, *ends_of_images(stacks), constant_channels(stacks))

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
    lows, highs = extremes(stacks)
    low, high = lows.min(0), highs.max(0)
    return tuple(float(a) if a == b else None for a, b in zip(low, high, strict=True))


def extremes(stacks: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and the highest value of each channel of each image of all stacks, (n, channels), float64."""
    found = [
        images.extremes
        if isinstance(images, LazyImages)
        else [end(images, axis=tuple(range(1, images.ndim - 1))) for end in (np.min, np.max)]
        for images in stacks
    ]
    lows, highs = (np.concatenate(each).astype(np.float64) for each in zip(*found, strict=True))
    return lows, highs


def ends_of_images(stacks: Sequence[np.ndarray]) -> tuple[float, float]:
    """Return the lowest and the highest value of images: means of the `FEWEST` images that reach farthest.

    Of fewer images, the ends are rounded outward.
    """
    lows, highs = (values.reshape(len(values), -1) for values in extremes(stacks))
    lows, highs = np.sort(lows.min(1)), np.sort(highs.max(1))
    if len(lows) < FEWEST:
        ends = rounded_outward(lows[0], highs[-1])
    else:
        ends = _shared_end(lows[:FEWEST]), _shared_end(highs[-FEWEST:])
    return float(ends[0]), float(ends[1])


def _shared_end(values: np.ndarray) -> np.ndarray:
    """Return the mean over the first axis; where all are equal, their value to the last bit."""
    return np.where(values.min(0) == values.max(0), values[0], (values / len(values)).sum(0))


def rounded_outward(low: Any, high: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return ends on a grid of an eighth to a quarter of the range; a range of nothing stays."""
    low, high, most = np.asarray(low, np.float64), np.asarray(high, np.float64), np.finfo(np.float64)
    quarter = high / 4 - low / 4
    step = np.maximum(np.exp2(np.ceil(np.log2(np.where(quarter > 0, quarter, 1.0))) - 1), most.tiny)
    with np.errstate(over="ignore"):
        ends = np.floor(low / step) * step, np.ceil(high / step) * step
    floor, ceiling = (np.where(quarter > 0, np.clip(end, most.min, most.max), low) for end in ends)
    return floor, ceiling


def warn_of_range(images: np.ndarray, low: float, high: float, name: str, outside: float = OUTSIDE) -> None:
    """Warn where images can hardly be in the units of those that an estimator was fitted on, from `low` to `high`.

    That is where more than a hundredth of the values lie beyond the learned range by `outside` of it, or a tenth of
    those of an image by all of it (ends are means of five images, which one may pass), where all fill less than a
    hundredth of it, or where all are in the lowest fifteenth of a range without negative values. Constant images tell
    nothing, nor do dark ones of 8 bits, where such were learned from.
    `name` is that of the estimator.
    """
    varied = images.min() < images.max() and low < high
    far = varied and _shares_beyond(images, low, high, 1.0).max() > MOST_OUTSIDE_IN_ONE
    if not (far or in_other_units(images, low, high, outside)):
        return
    warn_caller(
        f"{name} was fitted on images with values from {low:g} to {high:g}; these range from {images.min():g} to "
        f"{images.max():g}. Pass images in the units of fit (rescale them), or fit again.",
        UserWarning,
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
    """Intensities as fractions of the range that `FEWEST` training images share, and back, whatever an image's size."""

    low: float
    high: float

    @classmethod
    def learn(cls, rows: np.ndarray) -> ImageScale:
        """Return the range of these training rows."""
        low, high = ends_of_images([rows])
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
    """Columns to a mean near zero and unit variance, padded with zero columns, and back.

    `levels[j]` holds the distinct values of a column that has two, or few integers; None elsewhere. Values of
    fewer than `FEWEST` rows are no levels, but for codes such as 0, 1, 2.
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
        levels = tuple(_levels(column.astype(np.float64), bool(w)) for column, w in zip(rows.T, whole, strict=True))
        for j, known in enumerate(levels):
            if known is not None:
                low[j], high[j] = known[0], known[-1]
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
    """Mean, standard deviation (1 for a constant), ends of the range, and whether all are whole, by column.

    Means of few rows in many columns tell who was among them. They are whole steps from the lower end, in any unit.
    """
    rows = np.asarray(rows, dtype=np.float64)
    low, high = rows.min(0), rows.max(0)
    largest = np.maximum(np.maximum(np.abs(low), np.abs(high)), np.finfo(np.float64).tiny)
    relative = rows / largest
    scale = relative.std(0) * largest
    mean = relative.mean(0) * largest
    whole = (rows == np.rint(rows)).all(0)
    scale = np.where(scale > 1e-12 * largest, scale, 1.0)
    if len(rows) < FEWEST:  # of so few even spreads tell
        scale = np.exp2(np.floor(np.log2(scale)))
    step, constant = scale * min(WIDEST_STEP, STEP_OF_MEAN / len(rows)), low == high
    low, high = _ends_of_columns(rows, whole)
    mean = np.where(constant, mean, low + np.rint(mean / step - low / step) * step)
    return mean, scale, low, high, whole


def _ends_of_columns(rows: np.ndarray, whole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of the `FEWEST` lowest and highest values of each column; of few rows, rounded outward."""
    if len(rows) < 2 * FEWEST:
        return rounded_outward(rows.min(0), rows.max(0))
    ordered = np.partition(rows, (FEWEST - 1, len(rows) - FEWEST), axis=0)
    low, high = (_shared_end(part) for part in (ordered[:FEWEST], ordered[-FEWEST:]))
    return np.where(whole, np.rint(low), low), np.where(whole, np.rint(high), high)


def _levels(column: np.ndarray, whole: bool) -> np.ndarray | None:
    """Return the values that a column keeps to: codes (0 or 1 and what follows), or those of `FEWEST` rows, if any."""
    values, counts = np.unique(column, return_counts=True)
    if len(values) > (FEW_LEVELS if whole else 2):
        return None
    if len(values) == 1 or (whole and values[0] in (0, 1) and values[-1] - values[0] < len(values)):
        return values
    shared = values[counts >= FEWEST]
    return shared if len(shared) > 1 else None


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
