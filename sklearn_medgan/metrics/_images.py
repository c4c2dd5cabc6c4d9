"""How near an image is to the true one."""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike

from ._rows import as_numbers

SSIM_SIDE = 11  # pixels: the Gaussian window of standard deviation 1.5, cut at 3.5 of them
SSIM_SIGMA = 1.5  # pixels


def psnr(
    y_true: ArrayLike, y_pred: ArrayLike, *, data_range: float | None = None, per_image: bool = False
) -> float | np.ndarray:
    """Return the peak signal-to-noise ratio in dB: how small the squared error of images is. Higher is better.

    Parameters
    ----------
    y_true : array-like of shape (n, height, width[, channels]) or (height, width), any real dtype
        True images; one grey image may come without the first axis. One colour image is ``image[None]``.
    y_pred : array-like of the same shape
        Images to judge, in the same units; the dtype may differ.
    data_range : float, default=None
        Distance from the lowest to the highest intensity there can be, in the units of the images. None: the range of
        the dtype of `y_true` for integers (255 for uint8, 65535 for int16, also where the images use less of it), 1 for
        bool, and the largest less the smallest value of all of `y_true` for floats. Figures compare only at the
        same range: pass it where images are judged in parts.
    per_image : bool, default=False
        Whether to return a figure for each image instead of their mean.

    Returns
    -------
    value : float, or ndarray of shape (n,), float64, if `per_image`
        dB; infinite for identical images, and so is a mean that includes them.

    Raises
    ------
    ValueError
        If the shapes differ or are none of images, a value is not finite, the range is not positive, or `y_true` is
        constant and of floats while `data_range` is None.

    See Also
    --------
    ssim : Compares local structure, not pixels one by one.

    References
    ----------
    Huynh-Thu and Ghanbari, "Scope of validity of PSNR in image/video quality assessment", Electronics Letters 44
    (2008): ``10 log10(data_range**2 / mean squared error)``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_medgan.metrics import psnr
    >>> true = np.zeros((2, 8, 8))
    >>> round(psnr(true, true + 0.1, data_range=1.0), 6)
    20.0
    >>> psnr(true, true, data_range=1.0)
    inf
    """
    true, other = _check_images(y_true, y_pred)
    limit = _check_range(data_range, true)
    values = np.array([decibels(*pair, limit) for pair in zip(true, other, strict=True)])
    return values if per_image else float(values.mean())


def decibels(true: ArrayLike, other: ArrayLike, peak: float) -> float:
    """Return the `psnr` of one image, or of any two arrays of one shape, unchecked; infinite where they are equal."""
    error = np.mean(np.square(np.subtract(true, other, dtype=np.float64)))
    with np.errstate(divide="ignore"):  # a peak of 0 is a constant image: minus infinity
        return float(20.0 * np.log10(peak) - 10.0 * np.log10(error)) if error else np.inf


def ssim(
    y_true: ArrayLike, y_pred: ArrayLike, *, data_range: float | None = None, per_image: bool = False
) -> float | np.ndarray:
    """Return the structural similarity: whether the local mean, contrast and pattern of images agree. Higher is better.

    Computed by scikit-image with the settings of the authors: a Gaussian window of standard deviation 1.5 pixels,
    covariances divided by n. Colour: the mean over the channels.

    Parameters
    ----------
    y_true : array-like of shape (n, height, width[, channels]) or (height, width), any real dtype
        True images, at least 11 pixels high and wide; one grey image may come without the first axis. One colour image
        is ``image[None]``.
    y_pred : array-like of the same shape
        Images to judge, in the same units; the dtype may differ.
    data_range : float, default=None
        Distance from the lowest to the highest intensity there can be, as in :func:`psnr`.
    per_image : bool, default=False
        Whether to return a figure for each image instead of their mean.

    Returns
    -------
    value : float, or ndarray of shape (n,), float64, if `per_image`
        At most 1, which identical images have; about 0 for unrelated ones; negative where patterns are inverted.

    Raises
    ------
    ValueError
        As :func:`psnr`, and for images of fewer than 11 pixels a side.

    See Also
    --------
    psnr : Compares pixels one by one, without a window.

    References
    ----------
    Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural similarity", IEEE
    Transactions on Image Processing 13 (2004), equation 13.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_medgan.metrics import ssim
    >>> true = np.random.default_rng(0).uniform(size=(2, 16, 16))
    >>> ssim(true, true)
    1.0
    >>> ssim(true, 1.0 - true) < 0
    True
    """
    from skimage.metrics import structural_similarity

    true, other = _check_images(y_true, y_pred)
    if min(true.shape[1:3]) < SSIM_SIDE:
        raise ValueError(
            f"ssim compares windows of {SSIM_SIDE}x{SSIM_SIDE} pixels; got images of {true.shape[1]}x{true.shape[2]}. "
            "Use psnr, or enlarge both images."
        )
    settings = {
        "data_range": _check_range(data_range, true),
        "channel_axis": -1 if true.ndim == 4 else None,
        "gaussian_weights": True,
        "sigma": SSIM_SIGMA,
        "use_sample_covariance": False,
    }
    pairs = zip(true.astype(np.float64), other.astype(np.float64), strict=True)
    values = np.array([structural_similarity(*pair, **settings) for pair in pairs])
    return values if per_image else float(values.mean())


def _check_images(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    true, other = as_numbers(y_true, "y_true"), as_numbers(y_pred, "y_pred")
    if true.shape != other.shape:
        raise ValueError(
            f"y_true and y_pred must have one shape; got {true.shape} and {other.shape}. Resize or crop one of them."
        )
    if true.ndim not in (2, 3, 4) or true.size == 0:
        raise ValueError(
            f"Expected images (n, height, width[, channels]) or one grey image (height, width); got shape {true.shape}."
            " Reshape flat images first."
        )
    if true.ndim == 3 and true.shape[2] <= 4:
        raise ValueError(
            f"Expected images (n, height, width); got shape {true.shape}, which looks like one colour image (height, "
            "width, channels). Pass it as image[None]."
        )
    return (true[None], other[None]) if true.ndim == 2 else (true, other)


def _check_range(data_range: float | None, true: np.ndarray) -> float:
    if data_range is None:
        return _own_range(true)
    if not isinstance(data_range, Real) or not 0 < data_range < np.inf:
        raise ValueError(
            f"data_range must be a positive number; got {data_range!r}. Images from 0 to 1 have range 1.0."
        )
    return float(data_range)


def _own_range(true: np.ndarray) -> float:
    if true.dtype.kind == "b":
        return 1.0
    if true.dtype.kind in "iu":
        limits = np.iinfo(true.dtype)
        return float(limits.max) - float(limits.min)
    span = float(true.max()) - float(true.min())
    if span == 0:
        raise ValueError(
            f"y_true is constant ({float(true.max()):g}), which tells no intensity range. Pass data_range, for example "
            "data_range=1.0."
        )
    return span
