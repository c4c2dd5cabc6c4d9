"""Blur: of a Gaussian point spread, out of focus, and of motion."""

from __future__ import annotations

from math import ceil

import numpy as np
from numpy.typing import ArrayLike

from ._checks import Level, RandomState, checked_rng, documented, draw_levels


@documented
def gaussian_blur(images: np.ndarray, rng: RandomState, *, sigma: Level = (0.0, 2.0)) -> np.ndarray:
    """Blur with a Gaussian, as a wide detector or a thick slice does.

    The point spread is ``exp(-r**2 / (2 * sigma**2))`` at a distance of r pixels; the kernel ends at 4 sigma.

    Parameters
    ----------
    {images_and_rng}
    sigma : float or (float, float), default=(0.0, 2.0)
        Standard deviation in pixels, at least 0.

    Returns
    -------
    blurred : {as_images}
        Beyond the border the nearest pixel is repeated.

    {raises}

    References
    ----------
    Gonzalez and Woods, "Digital Image Processing", 4th edition (2018), section 3.5.

    Examples
    --------
    >>> import numpy as np
    >>> point = np.zeros((1, 9, 9, 1))
    >>> point[0, 4, 4] = 1
    >>> blurred = gaussian_blur(point, 0, sigma=1.0)
    >>> round(float(blurred.max()), 3), round(float(1 / (2 * np.pi)), 3), round(float(blurred.sum()), 3)
    (0.159, 0.159, 1.0)
    """
    widths = draw_levels("sigma", sigma, len(images), checked_rng(images, rng))[:, 0, 0]
    radius = gaussian_radius(widths)
    offset = np.arange(-radius.max(initial=0), radius.max(initial=0) + 1)
    # A sigma of 0 leaves the one tap in the middle.
    kernel = np.exp(-((offset / np.maximum(widths, 1e-9)) ** 2) / 2) * (np.abs(offset) <= radius)
    kernel /= kernel.sum(axis=1, keepdims=True)
    return _correlate(_correlate(images, kernel[:, :, None]), kernel[:, None, :])


@documented
def defocus_blur(images: np.ndarray, rng: RandomState, *, radius: Level = (0.0, 3.0)) -> np.ndarray:
    """Blur with a disc, as a lens out of focus does: each point becomes an image of its round opening.

    The transfer function is ``2 * J1(x) / x`` with ``x = 2 * pi * radius * f`` at f cycles a pixel. The weight of a
    pixel falls from 1 to 0 within half a pixel on both sides of the radius.

    Parameters
    ----------
    {images_and_rng}
    radius : float or (float, float), default=(0.0, 3.0)
        Radius of the disc in pixels, at least 0; up to 0.5 nothing changes.

    Returns
    -------
    blurred : {as_images}
        Beyond the border the nearest pixel is repeated.

    {raises}

    References
    ----------
    Goodman, "Introduction to Fourier Optics", 3rd edition (2005), section 6.4: the limit of geometrical optics.

    Examples
    --------
    >>> import numpy as np
    >>> point = np.zeros((1, 5, 5, 1))
    >>> point[0, 2, 2] = 5
    >>> defocus_blur(point, 0, radius=1)[0, 2, :, 0].round(2).tolist()
    [0.0, 0.75, 1.5, 0.75, 0.0]
    """
    radii = draw_levels("radius", radius, len(images), checked_rng(images, rng))[..., 0]
    reach = defocus_reach(radii.max(initial=0))
    rows, columns = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    kernel = np.clip(radii + 0.5 - np.hypot(rows, columns), 0, 1)
    return _correlate(images, kernel / kernel.sum(axis=(1, 2), keepdims=True))


@documented
def motion_blur(
    images: np.ndarray, rng: RandomState, *, length: Level = (1.0, 9.0), angle: Level = (0.0, 180.0)
) -> np.ndarray:
    """Blur along a line, as a patient who moves during the exposure does.

    The point spread is a straight line through the middle with soft edges: the weight of a pixel falls from 1 on the
    line to 0 at a distance of one pixel.

    Parameters
    ----------
    {images_and_rng}
    length : float or (float, float), default=(1.0, 9.0)
        Number of pixels that the line covers, at least 1, which changes nothing.
    angle : float or (float, float), default=(0.0, 180.0)
        Direction in degrees, -360 to 360: 0 along a row, 90 along a column, anticlockwise.

    Returns
    -------
    blurred : {as_images}
        Beyond the border the nearest pixel is repeated.

    {raises}

    References
    ----------
    Gonzalez and Woods, "Digital Image Processing", 4th edition (2018), section 5.6, uniform linear motion.

    Examples
    --------
    >>> import numpy as np
    >>> point = np.zeros((1, 5, 5, 1))
    >>> point[0, 2, 2] = 3
    >>> motion_blur(point, 0, length=3, angle=0)[0, 2, :, 0].round(6).tolist()
    [0.0, 1.0, 1.0, 1.0, 0.0]
    """
    generator = checked_rng(images, rng)
    half = (draw_levels("length", length, len(images), generator, lowest=1.0)[..., 0] - 1) / 2
    theta = np.deg2rad(draw_levels("angle", angle, len(images), generator, lowest=-360.0, highest=360.0)[..., 0])
    radius = ceil(half.max(initial=0))
    rows, columns = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    along, across = np.cos(theta) * columns - np.sin(theta) * rows, np.sin(theta) * columns + np.cos(theta) * rows
    # Rounded, so that a pixel a whole pixel off the line is not left with a weight of 1e-16.
    distance = np.hypot(np.maximum(np.abs(along) - half, 0), across).round(12)
    kernel = np.maximum(1 - distance, 0)
    return _correlate(images, kernel / kernel.sum(axis=(1, 2), keepdims=True))


def gaussian_radius(sigma: ArrayLike) -> np.ndarray:
    """Return the pixels from the middle of a Gaussian to the end of its kernel, as in scipy.ndimage."""
    return (4 * np.asarray(sigma) + 0.5).astype(int)


def defocus_reach(radius: float) -> int:
    """Return the pixels from the middle of a disc to the last that it touches."""
    return max(ceil(radius - 0.5), 0)


def _correlate(images: np.ndarray, kernels: np.ndarray) -> np.ndarray:
    """Each image with its own kernel, (n, rows, columns) of odd sides; the border repeats the nearest pixel.

    A batch at a time: at the size of training crops as fast as scipy.ndimage, which takes one kernel for all images.
    """
    height, width = images.shape[1:3]
    kernels = kernels.astype(images.dtype)[..., None, None, None]
    n_rows, n_columns = kernels.shape[1:3]
    padded = np.pad(images, [(0, 0), (n_rows // 2,) * 2, (n_columns // 2,) * 2, (0, 0)], mode="edge")
    result, term = np.zeros_like(images), np.empty_like(images)
    # One pass over the batch a tap; taps outside every kernel are skipped.
    for row, column in np.argwhere(kernels.any(axis=(0, 3, 4, 5))):
        result += np.multiply(kernels[:, row, column], padded[:, row : row + height, column : column + width], out=term)
    return result
