"""What all degradations share: parts of their docstrings, checks of images, and a level for each of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from sklearn.utils import check_random_state

from .._parameters import check_range

# What `check_random_state` takes, and a level: one number for all images, or a range to draw from.
RandomState = int | np.random.RandomState | None
Level = float | tuple[float, float]
Function = TypeVar("Function", bound=Callable[..., Any])

# What a name in braces stands for in the docstring of a `documented` function.
_IMAGES = """images : ndarray of shape (n, height, width, channels), float32 or float64
    Fractions of the intensity scale, nominally 0 to 1."""
_RNG = """rng : int, RandomState instance or None
    Where the draws come from; anything that :func:`sklearn.utils.check_random_state` takes."""
SHARED = {
    "images": _IMAGES,
    "rng": _RNG,
    "images_and_rng": f"{_IMAGES}\n{_RNG}",
    "signal_and_rng": f"{_IMAGES} 0 must mean no signal.\n{_RNG}",
    "attenuations_and_rng": f"{_IMAGES} 0 is air, as all around the image.\n{_RNG}",
    "axis": "axis : {0, 1} or None, default=None\n"
    "    Axis of phase encoding, along which the artefact lies: 0 down, 1 across. None: each image draws its own.",
    "factor": "factor : int, default=2\n    How many times smaller or larger, at least 1.",
    "as_images": "ndarray of the shape and dtype of images",
    "magnitude": "At least 0: a magnitude has no sign.",
    "raises": "Raises\n------\nTypeError\n    If `images` is no float32 or float64 array.\nValueError\n"
    "    If `images` has another shape, or a level is neither a number nor a rising pair, or out of its range.",
}


def documented(function: Function) -> Function:
    """Put the `SHARED` parts into a function's docstring, where their names stand in braces."""
    if function.__doc__:  # python -OO has none
        function.__doc__ = inspect.cleandoc(function.__doc__).format_map(SHARED)
    return function


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
