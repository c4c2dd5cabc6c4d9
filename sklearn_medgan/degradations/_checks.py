"""Checks of images, and a level for each of them."""

from __future__ import annotations

import numpy as np
from sklearn.utils import check_random_state

from .._parameters import check_range

# What `check_random_state` takes, and a level: one number for all images, or a range to draw from.
RandomState = int | np.random.RandomState | None
Level = float | tuple[float, float]


def checked_rng(images: np.ndarray, rng: RandomState) -> np.random.Generator:
    """Return a Generator seeded by `rng`, once the images are checked; it draws float32 several times faster."""
    check_images(images)
    return np.random.default_rng(check_random_state(rng).randint(0, 2**31 - 1, size=4))


def check_images(images: np.ndarray) -> None:
    """Raise a TypeError or ValueError unless these are float images (n, height, width, channels)."""
    dtype = getattr(images, "dtype", None)
    if not isinstance(images, np.ndarray) or dtype not in (np.float32, np.float64):
        raise TypeError(
            f"images must be a float32 or float64 array; got {type(images).__name__ if dtype is None else dtype}. Map "
            "the intensity scale to 0 to 1 as floats first."
        )
    if images.ndim != 4:
        raise ValueError(
            f"images must have shape (n, height, width, channels); got {images.shape}. Grey images have one channel: "
            "images[..., None]."
        )


def draw_levels(
    name: str, value: Level, n: int, rng: np.random.Generator, lowest: float = 0.0, highest: float = np.inf
) -> np.ndarray:
    """Return a level for each of n images, (n, 1, 1, 1): the number itself, or even draws from the pair (low, high)."""
    low, high = check_range(name, value, lowest, highest)
    return np.full((n, 1, 1, 1), low) if low == high else rng.uniform(low, high, (n, 1, 1, 1))
