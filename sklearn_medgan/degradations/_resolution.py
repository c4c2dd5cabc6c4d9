"""Lost resolution, and the enlargement that goes with it."""

from __future__ import annotations

from functools import lru_cache
from math import ceil

import numpy as np

from .._parameters import check_whole
from ._checks import check_images, documented


@documented
def downscale(images: np.ndarray, rng: object = None, *, factor: int = 2) -> np.ndarray:
    """Shrink by a whole factor with bicubic interpolation, as the tables of super-resolution do.

    The kernel is Keys's cubic (a = -0.5) widened by the factor, which is anti-aliasing, and the border is mirrored: the
    convention of MATLAB's imresize. Pillow's BICUBIC differs near the border only.

    Parameters
    ----------
    {images}
    rng : object, default=None
        Not used: nothing is drawn. Present so that all degradations are called alike.
    {factor}

    Returns
    -------
    small : ndarray of shape (n, ceil(height / factor), ceil(width / factor), channels)
        The dtype of images. The cubic overshoots at edges, so values may leave the range of the input.

    {raises}

    References
    ----------
    Keys 1981, IEEE Transactions on Acoustics, Speech, and Signal Processing 29, equation 15.

    Examples
    --------
    >>> import numpy as np
    >>> downscale(np.ones((2, 33, 48, 3), np.float32), factor=2).shape
    (2, 17, 24, 3)
    """
    check_images(images)
    factor = check_whole("factor", factor, advice="Pass for example factor=2.")
    return _resample(images, [ceil(side / factor) for side in images.shape[1:3]], step=float(factor))


@documented
def upscale(images: np.ndarray, *, factor: int = 2) -> np.ndarray:
    """Enlarge by a whole factor with bicubic interpolation: where super-resolution starts from.

    Parameters
    ----------
    {images}
    {factor}

    Returns
    -------
    large : ndarray of shape (n, factor * height, factor * width, channels)
        The dtype of images. The cubic overshoots at edges, so values may leave the range of the input.

    {raises}

    See Also
    --------
    downscale : The reverse, by the same kernel (Keys 1981, equation 15).

    Examples
    --------
    >>> import numpy as np
    >>> upscale(np.ones((2, 17, 24, 3), np.float32), factor=3).shape
    (2, 51, 72, 3)
    """
    check_images(images)
    factor = check_whole("factor", factor, advice="Pass for example factor=2.")
    return _resample(images, [side * factor for side in images.shape[1:3]], step=1 / factor)


def _resample(images: np.ndarray, sides: list[int], step: float) -> np.ndarray:
    """Two matrix products: over the rows and over the columns, a channel at a time."""
    down, across = (
        _bicubic_matrix(old, new, step).astype(images.dtype) for old, new in zip(images.shape[1:3], sides, strict=True)
    )
    resampled = down @ np.moveaxis(images, 3, 1) @ across.T
    return np.ascontiguousarray(np.moveaxis(resampled, 1, 3))


@lru_cache(maxsize=32)
def _bicubic_matrix(n_old: int, n_new: int, step: float) -> np.ndarray:
    """Weight of each old pixel of a side, mirrored at its ends, in each new one: (n_new, n_old), rows sum to 1."""
    width = max(step, 1.0)  # the kernel widens to shrink, never to enlarge
    centre = ((np.arange(n_new) + 0.5) * step - 0.5)[:, None]
    pixel = np.floor(centre - 2 * width).astype(int) + np.arange(ceil(4 * width) + 2)
    weight = _keys_cubic((centre - pixel) / width)
    weight /= weight.sum(axis=1, keepdims=True)
    place = pixel % (2 * n_old)
    matrix = np.zeros((n_new, n_old))
    np.add.at(matrix, (np.arange(n_new)[:, None], np.minimum(place, 2 * n_old - 1 - place)), weight)
    matrix.flags.writeable = False
    return matrix


def _keys_cubic(x: np.ndarray) -> np.ndarray:
    """Keys's equation 15: third-order accurate, zero from 2 on."""
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))
