"""What scan files share: values in the units of the scanner, windows, and what a file tells without its pixels."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from .._containers import cast

BYTE = 255
Window = tuple[float, float] | Literal["file"] | None  # center and width, or those of the file
INT16 = np.iinfo(np.int16)


class Header(NamedTuple):
    """What a file tells without its pixels; `patient` leaves the package as a number only."""

    n_images: int | None  # None: known when it is read
    size: tuple[int, int] | None = None
    spacing: tuple[float, float] | None = None  # millimetres
    patient: str | None = None
    order: tuple[str, float, int] | None = None  # series, place and number in it


def in_units(stored: np.ndarray, slope: float, intercept: float) -> np.ndarray:
    """Return slope x stored + intercept: as int16 where that holds it exactly, else as float32.

    Values come back as stored, in their dtype, where slope is 1 and intercept 0.
    """
    if (slope, intercept) == (1, 0):
        return stored
    if stored.dtype.kind in "iu" and slope == int(slope) and intercept == int(intercept):
        values = stored.astype(np.int64) * int(slope) + int(intercept)
        if not values.size or (values.min() >= INT16.min and values.max() <= INT16.max):
            return values.astype(np.int16)
    return (stored.astype(np.float64) * slope + intercept).astype(np.float32)


def windowed(values: np.ndarray, center: float, width: float) -> np.ndarray:
    """Return 0 to 255 (uint8) for values from one end of a window to the other, clipped beyond.

    DICOM PS3.3, C.11.2.1.2.1 (linear).
    """
    share = (values.astype(np.float64) - (center - 0.5)) / max(width - 1, np.finfo(float).eps) + 0.5
    return cast(np.clip(share, 0, 1) * BYTE, np.dtype(np.uint8))
