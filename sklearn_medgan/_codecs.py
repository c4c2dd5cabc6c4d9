"""Rows to network units and back.

A codec learns the intensity scale at fit: images go to [-1, 1] between the smallest and the largest training value, the
columns of a table to zero mean and unit variance. `Form` remembers container, shape and dtypes of what came, and gives
rows back in it. Neither holds a training row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ._containers import Form

FEW_LEVELS = 10  # an integer column with at most this many distinct values keeps to them
COLUMN_STEP = 16  # tables are padded to a multiple of this, so that tables of similar width share a compiled step


@dataclass(frozen=True)
class ImageCodec:
    """Images in [low, high] to (n, height, width, channels) float32 in [-1, 1] and back."""

    image_shape: tuple[int, int, int]
    low: float
    high: float

    @classmethod
    def learn(cls, rows: np.ndarray, image_shape) -> ImageCodec:
        """The scale of these training rows."""
        return cls(tuple(image_shape), float(rows.min()), float(rows.max()))

    @property
    def network_shape(self) -> tuple[int, ...]:
        """Shape of an encoded row."""
        return self.image_shape

    def encode(self, rows: np.ndarray) -> np.ndarray:
        """Values beyond the training range go beyond [-1, 1]; nothing is clipped."""
        middle, half = self.low / 2 + self.high / 2, self.high / 2 - self.low / 2
        scaled = (np.asarray(rows, dtype=np.float64) - middle) / (half or 1.0)
        return scaled.astype(np.float32).reshape(-1, *self.image_shape)

    def decode(self, rows: np.ndarray) -> np.ndarray:
        """Float64 in the units of the data, (n, n_features), within the training range."""
        middle, half = self.low / 2 + self.high / 2, self.high / 2 - self.low / 2
        values = rows.reshape(len(rows), math.prod(self.image_shape)).astype(np.float64) * half + middle
        return np.clip(values, self.low, self.high)


@dataclass(frozen=True)
class ImageScale:
    """Intensities as fractions of the training range [low, high], and back, whatever the size of an image."""

    low: float
    high: float

    @classmethod
    def learn(cls, rows: np.ndarray) -> ImageScale:
        """The range of these training rows."""
        low, high = float(rows.min()), float(rows.max())
        if not high - low < np.finfo(np.float32).max:
            raise ValueError(f"Images range from {low:g} to {high:g}, more than float32 holds. Rescale them.")
        return cls(low, high)

    @property
    def span(self) -> float:
        """What a fraction of one stands for; 1 for constant images."""
        return self.high - self.low or 1.0

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Float32; values beyond the training range go beyond [0, 1]."""
        if np.asarray(values).dtype.itemsize <= 2:  # exact in float32, and half the memory
            return (np.asarray(values, np.float32) - np.float32(self.low)) / np.float32(self.span)
        return ((np.asarray(values, np.float64) - self.low) / self.span).astype(np.float32)

    def decode(self, values: np.ndarray) -> np.ndarray:
        """Float64 in the units of the data, not clipped."""
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

    @classmethod
    def learn(cls, rows: np.ndarray) -> TableCodec:
        """Location, spread, range and levels of these training rows."""
        rows = np.asarray(rows, dtype=np.float64)
        low, high = rows.min(0), rows.max(0)
        largest = np.maximum(np.maximum(np.abs(low), np.abs(high)), np.finfo(np.float64).tiny)
        scale = (rows / largest).std(0) * largest
        whole = (rows == np.rint(rows)).all(0)
        distinct = [np.unique(column) for column in rows.T]
        levels = tuple(
            d if len(d) <= 2 or (w and len(d) <= FEW_LEVELS) else None for d, w in zip(distinct, whole, strict=True)
        )
        mean = (rows / largest).mean(0) * largest
        return cls(mean, np.where(scale > 1e-12 * largest, scale, 1.0), low, high, whole, levels)

    @property
    def network_shape(self) -> tuple[int, ...]:
        """Shape of an encoded row: the columns and the padding."""
        return self.padded_shape(len(self.mean))

    @staticmethod
    def padded_shape(n_columns: int) -> tuple[int, ...]:
        """Columns rounded up to a multiple of `COLUMN_STEP`."""
        return (-(-n_columns // COLUMN_STEP) * COLUMN_STEP,)

    def encode(self, rows: np.ndarray) -> np.ndarray:
        """Float32 (n, padded columns)."""
        scaled = (np.asarray(rows, dtype=np.float64) - self.mean) / self.scale
        padding = self.network_shape[0] - len(self.mean)
        return np.pad(scaled.astype(np.float32), [(0, 0), (0, padding)])

    def decode(self, rows: np.ndarray) -> np.ndarray:
        """Float64 in the units of the data, within each column's training range and on its levels."""
        values = rows[:, : len(self.mean)].astype(np.float64) * self.scale + self.mean
        values = np.clip(np.where(self.whole, np.rint(values), values), self.low, self.high)
        for j, levels in enumerate(self.levels):
            if levels is not None:
                values[:, j] = nearest(levels, values[:, j])
        return values


def nearest(levels: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Each value's nearest level (`levels` ascending)."""
    between = levels[:-1] / 2 + levels[1:] / 2
    return levels[np.searchsorted(between, values)]


def learn_codec(rows: np.ndarray, form: Form) -> ImageCodec | TableCodec:
    """The codec for rows of this form."""
    if form.kind == "table":
        return TableCodec.learn(rows)
    return ImageCodec.learn(rows, form.image_shape)
