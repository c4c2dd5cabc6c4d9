"""A degradation that someone else wrote."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

import numpy as np
from sklearn.utils import check_random_state

from .._parameters import check_whole
from ._checks import RandomState, check_images, documented


@documented
def apply(function: Callable[..., object], images: np.ndarray, rng: RandomState, *, scale: int = 1) -> np.ndarray:
    """Call a degradation that someone else wrote, and check what it returns.

    Parameters
    ----------
    function : callable
        ``f(images, rng) -> images``. It gets a copy of the images and a RandomState.
    {images_and_rng}
    scale : int, default=1
        How many times smaller the result must be.

    Returns
    -------
    degraded : ndarray of shape (n, ceil(height / scale), ceil(width / scale), channels)
        The dtype of images.

    Raises
    ------
    TypeError
        If the function returns no array of real numbers.
    ValueError
        If the result has another shape, or holds NaN or infinity.

    Examples
    --------
    >>> import numpy as np
    >>> apply(lambda images, rng: 1 - images, np.zeros((1, 2, 2, 1)), 0).ravel().tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    check_images(images)
    scale = check_whole("scale", scale)
    degraded = function(images.copy(), check_random_state(rng))
    called = f"The degradation {getattr(function, '__name__', None) or repr(function)}"
    if not isinstance(degraded, np.ndarray) or degraded.dtype.kind not in "biuf":
        what = f"dtype {degraded.dtype}" if isinstance(degraded, np.ndarray) else type(degraded).__name__
        raise TypeError(f"{called} must return a NumPy array of real numbers; got {what}. Return the degraded images.")
    n, height, width, channels = images.shape
    expected = (n, ceil(height / scale), ceil(width / scale), channels)
    if degraded.shape != expected:
        raise ValueError(
            f"{called} must return images of shape {expected} for images of shape {images.shape} and "
            f"scale={scale}; got shape {degraded.shape}. Keep the number, size and channels of the images, and set "
            "scale to how many times smaller they become."
        )
    if not np.isfinite(degraded).all():
        raise ValueError(
            f"{called} must return finite values; got NaN or infinity. Look for a division by zero or a "
            "logarithm of zero; the images hold fractions of the intensity scale."
        )
    return degraded.astype(images.dtype, copy=False)
