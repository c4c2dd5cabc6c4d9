"""Checks of images and levels, and drawing a level for each image."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_random_state


def _check(images, rng):
    """A Generator seeded by `rng`, once the images are checked; it draws float32 normals several times faster."""
    _check_images(images)
    return np.random.default_rng(check_random_state(rng).randint(0, 2**31 - 1, size=4))


def _check_images(images):
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


def _is_number(value):
    return isinstance(value, Real) and not isinstance(value, bool)


def _bounds(name, value, minimum=0.0, maximum=np.inf):
    """The range (low, high) that a level parameter stands for; a number is a range of its own."""
    pair = (value, value) if _is_number(value) else value
    if (
        not isinstance(pair, tuple | list)
        or len(pair) != 2
        or not all(_is_number(bound) and np.isfinite(bound) for bound in pair)
        or not minimum <= pair[0] <= pair[1] <= maximum
    ):
        limits = f"at least {minimum:g}" if maximum == np.inf else f"from {minimum:g} to {maximum:g}"
        raise ValueError(
            f"{name} must be a number or a pair (low, high) with low <= high, {limits}; got {value!r}. Pass one number "
            "for all images, or a pair from which each image draws its own."
        )
    return float(pair[0]), float(pair[1])


def _levels(name, value, n, rng, minimum=0.0, maximum=np.inf):
    """A level for each of n images, (n, 1, 1, 1): the number itself, or even draws from the pair (low, high)."""
    low, high = _bounds(name, value, minimum, maximum)
    return np.full((n, 1, 1, 1), low) if low == high else rng.uniform(low, high, (n, 1, 1, 1))


def _whole(name, value):
    """A whole number from 1 up."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be a whole number, at least 1; got {value!r}. Pass for example {name}=2.")
    return int(value)
