"""How good images become poor ones: noise, blur, lost resolution and contrast, compression, low dose.

Every degradation is a pure function ``f(images, rng, *, levels) -> images`` on float arrays of shape
(n, height, width, channels) in fractions of the intensity scale: 0 is its lower end, 1 its upper end.
``GANEnhancer`` maps the user's scale, such as Hounsfield units, to this one and back. Values may lie outside
[0, 1] and are clipped only where a docstring says so; float32 stays float32 and float64 stays float64.

A level is one number for all images, or a pair (low, high) from which each image draws its own, evenly: a blind range.
"""

from __future__ import annotations

import difflib
import inspect
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from math import ceil, prod
from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_random_state

CT_CHUNK_PIXELS = 2**20  # scanned at a time: bounds the memory of the sinograms

__all__ = [
    "DEGRADATIONS",
    "Degradation",
    "apply",
    "compose",
    "downscale",
    "gaussian_blur",
    "gaussian_noise",
    "jpeg",
    "low_contrast",
    "low_dose_ct",
    "mix",
    "motion_blur",
    "poisson_noise",
    "resolve",
    "rician_noise",
    "upscale",
]


# --------------------------------------------------------------------------------------------------- checks


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


# ---------------------------------------------------------------------------------------------------- noise


def gaussian_noise(images, rng, *, sigma=(0.0, 0.2)):
    """Add white Gaussian noise.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels), float32 or float64
        Fractions of the intensity scale, nominally 0 to 1.
    rng : int, RandomState instance or None
        Where the draws come from; anything that :func:`sklearn.utils.check_random_state` takes.
    sigma : float or (float, float), default=(0.0, 0.2)
        Standard deviation in fractions of the scale, at least 0: the "sigma 25" of 8-bit images is 25/255.

    Returns
    -------
    noisy : ndarray of the shape and dtype of images
        Not clipped, so that the noise keeps mean 0.

    Raises
    ------
    TypeError
        If `images` is no float32 or float64 array.
    ValueError
        If `images` has not four dimensions, or `sigma` is neither a number nor a rising pair.

    References
    ----------
    Zhang, Zuo, Chen, Meng and Zhang, "Beyond a Gaussian denoiser: residual learning of deep CNN for image
    denoising", IEEE Transactions on Image Processing 26 (2017): one network trained on a range of sigma.

    Examples
    --------
    >>> import numpy as np
    >>> noisy = gaussian_noise(np.full((1, 64, 64, 1), 0.5), 0, sigma=25 / 255)
    >>> round(float(noisy.std() * 255))
    25
    """
    rng = _check(images, rng)
    sigma = _levels("sigma", sigma, len(images), rng).astype(images.dtype)
    noisy = rng.standard_normal(images.shape, dtype=images.dtype)
    noisy *= sigma
    noisy += images
    return noisy


def poisson_noise(images, rng, *, photons=(10.0, 200.0)):
    """Count photons: noise whose variance grows with the brightness.

    A pixel of value x becomes Poisson(photons * x) / photons: mean x, variance x / photons.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels), float32 or float64
        Fractions of the intensity scale, nominally 0 to 1; a negative value counts as no light, that is 0.
    rng : int, RandomState instance or None
        Where the draws come from; anything that :func:`sklearn.utils.check_random_state` takes.
    photons : float or (float, float), default=(10.0, 200.0)
        Mean number of photons in a pixel of value 1, at least 1. Fewer are noisier.

    Returns
    -------
    noisy : ndarray of the shape and dtype of images
        At least 0; above 1 where more photons came than in a pixel of value 1.

    Raises
    ------
    TypeError
        If `images` is no float32 or float64 array.
    ValueError
        If `images` has not four dimensions, or `photons` is neither a number nor a rising pair.

    References
    ----------
    Foi, Trimeche, Katkovnik and Egiazarian, "Practical Poissonian-Gaussian noise modeling and fitting for
    single-image raw-data", IEEE Transactions on Image Processing 17 (2008).

    Examples
    --------
    >>> import numpy as np
    >>> noisy = poisson_noise(np.full((1, 128, 128, 1), 0.5), 0, photons=20)
    >>> round(float(noisy.mean()), 1), round(float(noisy.var()), 3)
    (0.5, 0.025)
    """
    rng = _check(images, rng)
    photons = _levels("photons", photons, len(images), rng, minimum=1.0)
    return (rng.poisson(photons * np.maximum(images, 0)) / photons).astype(images.dtype)


def rician_noise(images, rng, *, sigma=(0.0, 0.2)):
    """Add the noise of magnetic resonance magnitude images.

    The scanner measures a complex signal with Gaussian noise in both parts and shows its magnitude,
    sqrt((x + n1)^2 + n2^2). Dark regions become brighter: where x is 0 the mean is sigma * sqrt(pi / 2).

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels), float32 or float64
        Fractions of the intensity scale, nominally 0 to 1; 0 must mean no signal.
    rng : int, RandomState instance or None
        Where the draws come from; anything that :func:`sklearn.utils.check_random_state` takes.
    sigma : float or (float, float), default=(0.0, 0.2)
        Standard deviation of either part in fractions of the scale, at least 0.

    Returns
    -------
    noisy : ndarray of the shape and dtype of images
        At least 0: a magnitude has no sign.

    Raises
    ------
    TypeError
        If `images` is no float32 or float64 array.
    ValueError
        If `images` has not four dimensions, or `sigma` is neither a number nor a rising pair.

    References
    ----------
    Gudbjartsson and Patz, "The Rician distribution of noisy MRI data", Magnetic Resonance in Medicine 34
    (1995), equation 1.

    Examples
    --------
    >>> import numpy as np
    >>> air = rician_noise(np.zeros((1, 64, 64, 1)), 0, sigma=0.1)
    >>> round(float(air.mean() / 0.1), 1), round(float(np.sqrt(np.pi / 2)), 1)
    (1.3, 1.3)
    """
    rng = _check(images, rng)
    sigma = _levels("sigma", sigma, len(images), rng).astype(images.dtype)
    real, imaginary = (sigma * rng.standard_normal(images.shape, dtype=images.dtype) for _ in range(2))
    real += images
    return np.hypot(real, imaginary, out=real)


# ----------------------------------------------------------------------------------------------------- blur


def gaussian_blur(images, rng, *, sigma=(0.0, 2.0)):
    """Blur with a Gaussian, as a lens out of focus or a thick slice does.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels), float32 or float64
        Fractions of the intensity scale, nominally 0 to 1.
    rng : int, RandomState instance or None
        Where the draws come from; anything that :func:`sklearn.utils.check_random_state` takes.
    sigma : float or (float, float), default=(0.0, 2.0)
        Standard deviation in pixels, at least 0. The kernel ends at 4 sigma.

    Returns
    -------
    blurred : ndarray of the shape and dtype of images
        Beyond the border the nearest pixel is repeated.

    Raises
    ------
    TypeError
        If `images` is no float32 or float64 array.
    ValueError
        If `images` has not four dimensions, or `sigma` is neither a number nor a rising pair.

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
    rng = _check(images, rng)
    sigma = _levels("sigma", sigma, len(images), rng)[:, 0, 0]
    radius = _gaussian_radius(sigma)
    offset = np.arange(-radius.max(initial=0), radius.max(initial=0) + 1)
    # A sigma of 0 leaves the one tap in the middle.
    kernel = np.exp(-((offset / np.maximum(sigma, 1e-9)) ** 2) / 2) * (np.abs(offset) <= radius)
    kernel /= kernel.sum(axis=1, keepdims=True)
    return _correlate(_correlate(images, kernel[:, :, None]), kernel[:, None, :])


def motion_blur(images, rng, *, length=(1.0, 9.0), angle=(0.0, 180.0)):
    """Blur along a line, as a patient who moves during the exposure does.

    The kernel is a straight line through the middle with soft edges: the weight of a pixel falls from 1 on the line
    to 0 at a distance of one pixel, and the weights sum to 1.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels), float32 or float64
        Fractions of the intensity scale, nominally 0 to 1.
    rng : int, RandomState instance or None
        Where the draws come from; anything that :func:`sklearn.utils.check_random_state` takes.
    length : float or (float, float), default=(1.0, 9.0)
        Number of pixels that the line covers, at least 1, which changes nothing.
    angle : float or (float, float), default=(0.0, 180.0)
        Direction in degrees, -360 to 360: 0 along a row, 90 along a column, anticlockwise.

    Returns
    -------
    blurred : ndarray of the shape and dtype of images
        Beyond the border the nearest pixel is repeated.

    Raises
    ------
    TypeError
        If `images` is no float32 or float64 array.
    ValueError
        If `images` has not four dimensions, or a level is neither a number nor a rising pair.

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
    rng = _check(images, rng)
    half = (_levels("length", length, len(images), rng, minimum=1.0)[..., 0] - 1) / 2
    angle = np.deg2rad(_levels("angle", angle, len(images), rng, minimum=-360.0, maximum=360.0)[..., 0])
    radius = ceil(half.max(initial=0))
    rows, columns = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    along, across = np.cos(angle) * columns - np.sin(angle) * rows, np.sin(angle) * columns + np.cos(angle) * rows
    # Rounded, so that a pixel a whole pixel off the line is not left with a weight of 1e-16.
    distance = np.hypot(np.maximum(np.abs(along) - half, 0), across).round(12)
    kernel = np.maximum(1 - distance, 0)
    return _correlate(images, kernel / kernel.sum(axis=(1, 2), keepdims=True))


def _gaussian_radius(sigma):
    """Pixels from the middle of a Gaussian to the end of its kernel, as in scipy.ndimage."""
    return (4 * np.asarray(sigma) + 0.5).astype(int)


def _correlate(images, kernels):
    """Each image with its own kernel, (n, rows, columns) of odd sides; the border repeats the nearest pixel."""
    height, width = images.shape[1:3]
    kernels = kernels.astype(images.dtype)[..., None, None, None]
    n_rows, n_columns = kernels.shape[1:3]
    padded = np.pad(images, [(0, 0), (n_rows // 2,) * 2, (n_columns // 2,) * 2, (0, 0)], mode="edge")
    result, term = np.zeros_like(images), np.empty_like(images)
    # One pass over the batch a tap; taps outside every kernel are skipped.
    for row, column in np.argwhere(kernels.any(axis=(0, 3, 4, 5))):
        result += np.multiply(kernels[:, row, column], padded[:, row : row + height, column : column + width], out=term)
    return result


# ----------------------------------------------------------------------------------------------- resolution


def downscale(images, rng=None, *, factor=2):
    """Shrink by a whole factor with bicubic interpolation, as the tables of super-resolution do.

    The kernel is Keys's cubic (a = -0.5) widened by the factor, which is anti-aliasing, and the border is mirrored: the
    convention of MATLAB's imresize. Pillow's BICUBIC differs near the border only.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels), float32 or float64
        Fractions of the intensity scale, nominally 0 to 1.
    rng : object, default=None
        Not used: nothing is drawn. Present so that all degradations are called alike.
    factor : int, default=2
        How many times smaller, at least 1.

    Returns
    -------
    small : ndarray of shape (n, ceil(height / factor), ceil(width / factor), channels)
        The dtype of images. The cubic overshoots at edges, so values may leave the range of the input.

    Raises
    ------
    TypeError
        If `images` is no float32 or float64 array.
    ValueError
        If `images` has not four dimensions, or `factor` is no whole number from 1 up.

    References
    ----------
    Keys, "Cubic convolution interpolation for digital image processing", IEEE Transactions on Acoustics,
    Speech, and Signal Processing 29 (1981), equation 15.

    Examples
    --------
    >>> import numpy as np
    >>> downscale(np.ones((2, 33, 48, 3), np.float32), factor=2).shape
    (2, 17, 24, 3)
    """
    _check_images(images)
    factor = _whole("factor", factor)
    return _resample(images, *(ceil(side / factor) for side in images.shape[1:3]), step=float(factor))


def upscale(images, *, factor=2):
    """Enlarge by a whole factor with bicubic interpolation: where super-resolution starts from.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels), float32 or float64
        Fractions of the intensity scale, nominally 0 to 1.
    factor : int, default=2
        How many times larger, at least 1.

    Returns
    -------
    large : ndarray of shape (n, factor * height, factor * width, channels)
        The dtype of images. The cubic overshoots at edges, so values may leave the range of the input.

    Raises
    ------
    TypeError
        If `images` is no float32 or float64 array.
    ValueError
        If `images` has not four dimensions, or `factor` is no whole number from 1 up.

    See Also
    --------
    downscale : The reverse, by the same kernel.

    References
    ----------
    Keys, "Cubic convolution interpolation for digital image processing", IEEE Transactions on Acoustics,
    Speech, and Signal Processing 29 (1981), equation 15.

    Examples
    --------
    >>> import numpy as np
    >>> upscale(np.ones((2, 17, 24, 3), np.float32), factor=3).shape
    (2, 51, 72, 3)
    """
    _check_images(images)
    factor = _whole("factor", factor)
    return _resample(images, *(side * factor for side in images.shape[1:3]), step=1 / factor)


def _resample(images, height, width, step):
    """Two matrix products: over the rows and over the columns, a channel at a time."""
    down, across = (
        _bicubic_matrix(old, new, step).astype(images.dtype)
        for old, new in zip(images.shape[1:3], (height, width), strict=True)
    )
    resampled = down @ np.moveaxis(images, 3, 1) @ across.T
    return np.ascontiguousarray(np.moveaxis(resampled, 1, 3))


@lru_cache(maxsize=32)
def _bicubic_matrix(n_old, n_new, step):
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


def _keys_cubic(x):
    """Keys's equation 15: third-order accurate, zero from 2 on."""
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


# --------------------------------------------------------------------------------- contrast and compression


def low_contrast(images, rng, *, gain=(0.2, 0.7), gamma=(0.7, 1.5), offset=(0.0, 0.3)):
    """Squeeze the grey levels into a part of the scale, as a wrong window or exposure does.

    A pixel of value x becomes ``gain * x**gamma + offset * (1 - gain)``: the result spans a share `gain` of the scale,
    and `offset` says where in the rest it begins. It never leaves [0, 1], and order among grey levels is kept.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels), float32 or float64
        Fractions of the intensity scale, clipped to 0 to 1 first: beyond the window nothing is told apart.
    rng : int, RandomState instance or None
        Where the draws come from; anything that :func:`sklearn.utils.check_random_state` takes.
    gain : float or (float, float), default=(0.2, 0.7)
        Share of the scale that is used, 0 to 1.
    gamma : float or (float, float), default=(0.7, 1.5)
        Exponent, 0.1 to 10; 1 is linear, below 1 brightens.
    offset : float or (float, float), default=(0.0, 0.3)
        Start of the used part as a fraction of what `gain` leaves free, 0 (dark) to 1 (bright).

    Returns
    -------
    dull : ndarray of the shape and dtype of images
        Within 0 to 1.

    Raises
    ------
    TypeError
        If `images` is no float32 or float64 array.
    ValueError
        If `images` has not four dimensions, or a level is neither a number nor a rising pair.

    References
    ----------
    Gonzalez and Woods, "Digital Image Processing", 4th edition (2018), section 3.2, power-law transformation.

    Examples
    --------
    >>> import numpy as np
    >>> ramp = np.linspace(0, 1, 64).reshape(1, 8, 8, 1)
    >>> dull = low_contrast(ramp, 0, gain=0.5, gamma=1, offset=0.5)
    >>> float(dull.min()), float(dull.max())
    (0.25, 0.75)
    """
    rng = _check(images, rng)
    n = len(images)
    gain = _levels("gain", gain, n, rng, maximum=1.0)
    gamma = _levels("gamma", gamma, n, rng, minimum=0.1, maximum=10.0)
    start = _levels("offset", offset, n, rng, maximum=1.0) * (1 - gain)
    dull = np.clip(images, 0, 1) ** gamma.astype(images.dtype)
    dull *= gain.astype(images.dtype)
    dull += start.astype(images.dtype)
    return dull


def jpeg(images, rng, *, quality=(10, 90)):
    """Compress with JPEG and decompress: blocks of 8x8 pixels and ringing at edges.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels), float32 or float64
        Fractions of the intensity scale; clipped to 0 to 1 and rounded to the 256 levels that JPEG stores. Three
        channels are taken for red, green and blue, whose colour is stored at half the resolution; any other number is
        compressed a channel at a time.
    rng : int, RandomState instance or None
        Where the draws come from; anything that :func:`sklearn.utils.check_random_state` takes.
    quality : int or (int, int), default=(10, 90)
        As in the JPEG library, 1 (poorest) to 100; what is drawn is rounded to a whole number.

    Returns
    -------
    compressed : ndarray of the shape and dtype of images
        Multiples of 1/255 within 0 to 1.

    Raises
    ------
    TypeError
        If `images` is no float32 or float64 array.
    ValueError
        If `images` has not four dimensions, or `quality` is neither a number nor a rising pair within 1 to 100.

    References
    ----------
    Wallace, "The JPEG still picture compression standard", Communications of the ACM 34 (1991).

    Examples
    --------
    >>> import numpy as np
    >>> image = np.random.RandomState(0).uniform(size=(1, 16, 16, 1))
    >>> poor, good = (float(np.abs(jpeg(image, 0, quality=q) - image).mean()) for q in (10, 95))
    >>> poor > 5 * good
    True
    """
    rng = _check(images, rng)
    quality = np.rint(_levels("quality", quality, len(images), rng, minimum=1.0, maximum=100.0)).astype(int).ravel()
    bytes_ = np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8)
    compressed = np.empty_like(images)
    for image, level, out in zip(bytes_, quality, compressed, strict=True):
        if image.shape[2] == 3:
            out[:] = _through_jpeg(image, level)
        else:
            for channel in range(image.shape[2]):
                out[..., channel] = _through_jpeg(image[..., channel], level)
    compressed /= 255
    return compressed


def _through_jpeg(picture, quality):
    """A uint8 picture, (height, width) or (height, width, 3), after a JPEG file in memory."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(file, "JPEG", quality=int(quality))
    with Image.open(file) as decoded:
        return np.asarray(decoded)


# --------------------------------------------------------------------------------------- computed tomography


def low_dose_ct(images, rng, *, photons=(3e3, 5e4), attenuation=4.0, n_angles=None):
    """Add the noise of a CT slice taken with few photons: streaks along dense directions.

    Each channel of an image is scanned by parallel beams, photons are counted, and what the counting changed in the
    sinogram is reconstructed by filtered back projection (ramp filter) and added to the image. Reconstruction is
    linear, so only noise is added: a scan without noise returns the image itself, free of resampling blur.

    A line integral is the sum of the pixels along a ray, times ``attenuation / longer side``, and
    ``photons * exp(-line integral)`` photons are expected at its end; a ray that lost all its photons counts as one.
    The noise variance falls as ``1 / (photons * n_angles)``.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels), float32 or float64
        Attenuation in fractions of the intensity scale, nominally 0 (air, also all around the image) to 1. For the
        photon counts alone, negative values count as 0.
    rng : int, RandomState instance or None
        Where the draws come from; anything that :func:`sklearn.utils.check_random_state` takes.
    photons : float or (float, float), default=(3e3, 5e4)
        Photons sent to each detector pixel at each angle, at least 1.
    attenuation : float or (float, float), default=4.0
        Line integral, a number without unit from 0.01 to 20, through the middle of a disc of value 1 that is as wide
        as the longer side: exp(-4), 2 % of the photons, pass.
    n_angles : int or None, default=None
        Number of projection angles, spread evenly over 180 degrees. None: the longer side, but at most 180.

    Returns
    -------
    noisy : ndarray of the shape and dtype of images
        Not clipped. The noise of neighbouring pixels is correlated.

    Raises
    ------
    TypeError
        If `images` is no float32 or float64 array.
    ValueError
        If `images` has not four dimensions, a level is neither a number nor a rising pair, or `n_angles` is no whole
        number from 1 up.

    References
    ----------
    Kak and Slaney, "Principles of Computerized Tomographic Imaging" (1988), section 3.3, equation 61: the ramp filter.

    Joseph, "An improved algorithm for reprojecting rays through pixel images", IEEE Transactions on Medical Imaging 1
    (1982): the line integrals.

    Zeng et al., "A simple low-dose X-ray CT simulation from high-dose scan", IEEE Transactions on Nuclear Science 62
    (2015): counts drawn from a given image.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.full((1, 32, 32, 1), 0.3)
    >>> poor, good = (float(np.std(low_dose_ct(image, 0, photons=p) - image)) for p in (1e4, 1e6))
    >>> round(poor / good)
    10
    """
    rng = _check(images, rng)
    n, height, width, channels = images.shape
    photons = _levels("photons", photons, n, rng, minimum=1.0)
    per_pixel = _levels("attenuation", attenuation, n, rng, minimum=0.01, maximum=20.0) / max(height, width)
    n_angles = min(180, max(height, width)) if n_angles is None else _whole("n_angles", n_angles)
    noisy = images.copy()
    chunk = max(1, CT_CHUNK_PIXELS // (height * width * channels))
    for start in range(0, n, chunk):
        rows = slice(start, start + chunk)
        # One column a channel of an image, so that each ray is one sparse product for all of them.
        columns = images[rows].transpose(1, 2, 0, 3).reshape(height * width, -1)
        dose, scale = (np.repeat(level[rows].ravel(), channels) for level in (photons, per_pixel))
        integrals = scale * _project(np.maximum(columns, 0), (height, width), n_angles)
        counts = np.maximum(rng.poisson(dose * np.exp(-integrals)), 1)
        noise = _filtered_back_projection(np.log(dose / counts) - integrals, (height, width)) / scale
        noisy[rows] += noise.reshape(height, width, -1, channels).transpose(2, 0, 1, 3).astype(images.dtype)
    return noisy


def _views(shape, n_angles, *, joseph):
    """For each angle the sparse matrix (detector pixels, image pixels) that sums an image along parallel rays.

    An image pixel is shared by the two detector pixels beside the foot of its ray, and the transpose interpolates
    linearly between them. With `joseph`, its share falls to 0 within max(|cos|, |sin|) pixels: Joseph's projector,
    without which the rays at 45 degrees beat against the pixel grid.
    """
    from scipy.sparse import csc_array

    height, width = shape
    right, down = np.arange(width) - (width - 1) / 2, (np.arange(height) - (height - 1) / 2)[:, None]
    half = ceil(np.hypot(height, width) / 2) + 1
    two_a_pixel = np.arange(0, 2 * height * width + 1, 2)
    for angle in np.pi * np.arange(n_angles) / n_angles:
        foot = (right * np.cos(angle) - down * np.sin(angle) + half).ravel()
        first = foot.astype(int)
        share = foot - first
        half_width = max(abs(np.cos(angle)), abs(np.sin(angle))) if joseph else 1.0
        detectors, distance = np.stack([first, first + 1], axis=1), np.stack([share, 1 - share], axis=1)
        weights = np.maximum(1 - distance / half_width, 0) / half_width
        yield csc_array((weights.ravel(), detectors.ravel(), two_a_pixel), shape=(2 * half + 1, height * width))


def _project(columns, shape, n_angles):
    """Sinograms (n_angles, detector pixels, m) of m images given as columns (height * width, m)."""
    return np.stack([view @ columns for view in _views(shape, n_angles, joseph=True)])


def _filtered_back_projection(sinograms, shape):
    """Images as columns (height * width, m) from sinograms (n_angles, detector pixels, m)."""
    from scipy.linalg import toeplitz

    n_angles, n_detectors, _ = sinograms.shape
    distance = np.arange(n_detectors)
    ramp = np.where(distance % 2, -1 / (np.pi * np.maximum(distance, 1)) ** 2, 0.0)
    ramp[0] = 1 / 4
    filtered = toeplitz(ramp) @ sinograms
    views = _views(shape, n_angles, joseph=False)
    smeared = sum(view.T @ rays for view, rays in zip(views, filtered, strict=True))
    return smeared * (np.pi / n_angles)


# --------------------------------------------------------------------------------- names and combinations


@dataclass(frozen=True)
class Degradation:
    """What a name in :data:`DEGRADATIONS` stands for.

    Parameters
    ----------
    function : callable
        ``f(images, rng, *, levels) -> images``.
    reach : int or None
        How many pixels away another pixel may lie and still change a pixel's result, at the default levels: 0 for
        pixelwise ones, None for the whole image. A crop with such a margin is degraded like the whole.
    reach_at : callable or None, default=None
        The reach at other levels, from the parameters of `function`; None where it is the same at any level.

    Examples
    --------
    >>> DEGRADATIONS["blur"].reach, DEGRADATIONS["noise"].reach, DEGRADATIONS["low_dose_ct"].reach
    (8, 0, None)
    """

    function: Callable
    reach: int | None
    reach_at: Callable | None = None


def _gaussian_reach(sigma=(0.0, 2.0)):
    return int(_gaussian_radius(_bounds("sigma", sigma)[1]))


def _motion_reach(length=(1.0, 9.0), angle=None):
    return ceil((_bounds("length", length, 1.0)[1] - 1) / 2)


def _downscale_reach(factor=2):
    return 2 * _whole("factor", factor)


#: Name in ``GANEnhancer(degradation=...)`` -> function and reach.
DEGRADATIONS = {
    "noise": Degradation(gaussian_noise, reach=0),
    "poisson": Degradation(poisson_noise, reach=0),
    "rician": Degradation(rician_noise, reach=0),
    "blur": Degradation(gaussian_blur, reach=_gaussian_reach(), reach_at=_gaussian_reach),
    "motion_blur": Degradation(motion_blur, reach=_motion_reach(), reach_at=_motion_reach),
    # In pixels of the large image, for crops that begin at a multiple of the factor.
    "downscale": Degradation(downscale, reach=_downscale_reach(), reach_at=_downscale_reach),
    "low_contrast": Degradation(low_contrast, reach=0),
    # Blocks of 8x8 count from the corner of the image, so a crop has other blocks.
    "jpeg": Degradation(jpeg, reach=None),
    "low_dose_ct": Degradation(low_dose_ct, reach=None),
}


@dataclass(frozen=True)
class _Named:
    """A degradation of the table with levels of its own."""

    name: str
    parameters: dict = field(default_factory=dict)

    def __call__(self, images, rng):
        return DEGRADATIONS[self.name].function(images, rng, **self.parameters)

    @property
    def reach(self):
        entry = DEGRADATIONS[self.name]
        return entry.reach if entry.reach_at is None else entry.reach_at(**self.parameters)

    @property
    def scale(self):
        """How many times smaller the result is."""
        return self.parameters.get("factor", 2) if self.name == "downscale" else 1


@dataclass(frozen=True)
class _Compose:
    """Steps applied in turn."""

    steps: tuple

    def __call__(self, images, rng):
        rng = check_random_state(rng)
        for step in self.steps:
            images = step(images, rng)
        return images

    @property
    def reach(self):
        reaches = [getattr(step, "reach", None) for step in self.steps]
        if None in reaches:
            return None
        # After a step that shrinks, a pixel stands for several of the input.
        sizes = [prod(_scale(earlier) for earlier in self.steps[:i]) for i in range(len(self.steps))]
        return sum(reach * size for reach, size in zip(reaches, sizes, strict=True))

    @property
    def scale(self):
        return prod(_scale(step) for step in self.steps)


@dataclass(frozen=True)
class _Mix:
    """One of the choices an image, drawn evenly."""

    choices: tuple

    def __call__(self, images, rng):
        rng = check_random_state(rng)
        if len(images) == 0:
            return self.choices[0](images, rng)
        drawn = rng.randint(len(self.choices), size=len(images))
        parts = {k: self.choices[k](images[drawn == k], rng) for k in np.unique(drawn).tolist()}
        shapes = {part.shape[1:] for part in parts.values()}
        if len(shapes) > 1:
            raise ValueError(
                f"The choices of mix must return images of one size; got {sorted(shapes)}. Mix degradations that "
                "shrink by the same factor, or put the one that shrinks after the mix with compose."
            )
        mixed = np.empty((len(images), *shapes.pop()), images.dtype)
        for k, part in parts.items():
            mixed[drawn == k] = part
        return mixed

    @property
    def reach(self):
        reaches = [getattr(choice, "reach", None) for choice in self.choices]
        return None if None in reaches else max(reaches)

    @property
    def scale(self):
        return max(_scale(choice) for choice in self.choices)


def _scale(step):
    """How many times smaller a step makes the images, as far as it says so."""
    return getattr(step, "scale", 1)


def compose(*steps):
    """Chain degradations: each works on the result of the one before.

    Parameters
    ----------
    *steps : str, (str, dict) or callable
        A name in :data:`DEGRADATIONS` or ``"auto"``, a name with its parameters, or ``f(images, rng) -> images``. No
        step at all returns the images themselves.

    Returns
    -------
    degradation : callable
        ``f(images, rng) -> images``. It pickles if its callables do. Attribute `reach`: pixels as in
        :class:`Degradation`, None if a step is a callable that has no such attribute. Attribute `scale`: how many
        times smaller its images are.

    Raises
    ------
    TypeError
        If a step is none of these, or a parameter is unknown.
    ValueError
        If a name is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> worn = compose(("blur", {"sigma": 1.0}), "noise")
    >>> worn(np.zeros((3, 16, 16, 1)), 0).shape, worn.reach
    ((3, 16, 16, 1), 4)
    """
    return _Compose(tuple(_step(step) for step in steps))


def mix(*choices):
    """Send each image through one of several degradations, drawn at random with equal chances.

    Parameters
    ----------
    *choices : str, (str, dict) or callable
        As the steps of :func:`compose`; at least one, and all must return images of the same size. A choice given
        twice is drawn twice as often, and ``compose()`` leaves an image as it is.

    Returns
    -------
    degradation : callable
        ``f(images, rng) -> images``, with the attributes of :func:`compose`.

    Raises
    ------
    TypeError
        If a choice is none of these, or a parameter is unknown.
    ValueError
        If a name is unknown, or there is no choice.

    References
    ----------
    Zhang, Liang, Van Gool and Timofte, "Designing a practical degradation model for deep blind image
    super-resolution", ICCV (2021): training on random mixtures generalises to unknown ones.

    Examples
    --------
    >>> import numpy as np
    >>> half_dark = mix(("low_contrast", {"gain": 0.0, "offset": 0.0}), compose())
    >>> sorted(set(half_dark(np.ones((8, 8, 8, 1)), 0).mean(axis=(1, 2, 3)).tolist()))
    [0.0, 1.0]
    """
    if not choices:
        raise ValueError("mix needs at least one choice; got none. Pass for example mix('noise', 'poisson').")
    return _Mix(tuple(_step(choice) for choice in choices))


def resolve(degradation):
    """Turn the `degradation` parameter of an estimator into a function and its reach.

    Parameters
    ----------
    degradation : str, (str, dict), list or tuple of these, or callable
        A name in :data:`DEGRADATIONS`, a name with its parameters, several applied in turn, or a callable
        ``f(images, rng) -> images``. ``"auto"`` is a blind mix meant for photographs of tissue: a third of the images
        is blurred (sigma up to 1.5 pixels), then each gets Gaussian noise (sigma up to 0.2) or photon noise.

    Returns
    -------
    function : callable
        ``f(images, rng) -> images``.
    reach : int or None
        Pixels of margin that a crop needs, as in :class:`Degradation`; None, for a callable without an attribute
        `reach`: degrade whole images.

    Raises
    ------
    TypeError
        If `degradation` is none of these, or a parameter is unknown.
    ValueError
        If a name is unknown, or a list is empty.

    Examples
    --------
    >>> resolve(["blur", "noise"])[1], resolve("jpeg")[1]
    (8, None)
    >>> resolve("nose")
    Traceback (most recent call last):
    ...
    ValueError: Unknown degradation 'nose'; did you mean 'noise'? Known are 'auto', 'blur', 'downscale', 'jpeg', \
'low_contrast', 'low_dose_ct', 'motion_blur', 'noise', 'poisson', 'rician'.
    """
    several = isinstance(degradation, list | tuple) and not _is_name_with_parameters(degradation)
    if several and not degradation:
        raise ValueError(f"degradation must name at least one; got {degradation!r}. Pass for example 'noise'.")
    function = compose(*degradation) if several else _step(degradation)
    return function, getattr(function, "reach", None)


def apply(function, images, rng, *, scale=1):
    """Call a degradation that someone else wrote, and check what it returns.

    Parameters
    ----------
    function : callable
        ``f(images, rng) -> images``. It gets a copy of the images and a RandomState.
    images : ndarray of shape (n, height, width, channels), float32 or float64
        Fractions of the intensity scale, nominally 0 to 1.
    rng : int, RandomState instance or None
        Where the draws come from; anything that :func:`sklearn.utils.check_random_state` takes.
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
    _check_images(images)
    scale = _whole("scale", scale)
    degraded = function(images.copy(), check_random_state(rng))
    if not isinstance(degraded, np.ndarray) or degraded.dtype.kind not in "biuf":
        what = f"dtype {degraded.dtype}" if isinstance(degraded, np.ndarray) else type(degraded).__name__
        raise TypeError(
            f"{_called(function)} must return a NumPy array of real numbers; got {what}. Return the degraded images."
        )
    n, height, width, channels = images.shape
    expected = (n, ceil(height / scale), ceil(width / scale), channels)
    if degraded.shape != expected:
        raise ValueError(
            f"{_called(function)} must return images of shape {expected} for images of shape {images.shape} and "
            f"scale={scale}; got shape {degraded.shape}. Keep the number, size and channels of the images, and set "
            "scale to how many times smaller they become."
        )
    if not np.isfinite(degraded).all():
        raise ValueError(
            f"{_called(function)} must return finite values; got NaN or infinity. Look for a division by zero or a "
            "logarithm of zero; the images hold fractions of the intensity scale."
        )
    return degraded.astype(images.dtype, copy=False)


def _called(function):
    """The degradation's name for a message."""
    return f"The degradation {getattr(function, '__name__', None) or repr(function)}"


def _is_name_with_parameters(step):
    return isinstance(step, tuple) and len(step) == 2 and isinstance(step[0], str) and isinstance(step[1], Mapping)


def _step(step):
    """`f(images, rng)` from a name, a name with parameters, or a callable."""
    if callable(step):
        return step
    if not isinstance(step, str) and not _is_name_with_parameters(step):
        raise TypeError(
            f"A degradation must be a name, a pair (name, {{parameter: value}}) or a callable f(images, rng); got "
            f"{step!r}. Pass for example 'noise' or ('noise', {{'sigma': 0.1}})."
        )
    name, parameters = (step, {}) if isinstance(step, str) else step
    known = {**DEGRADATIONS, "auto": None}
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else "."
        raise ValueError(f"Unknown degradation {name!r}{hint} Known are {', '.join(map(repr, sorted(known)))}.")
    accepted = [] if name == "auto" else list(inspect.signature(DEGRADATIONS[name].function).parameters)[2:]
    if not set(parameters) <= set(accepted):
        raise TypeError(
            f"The degradation {name!r} takes the parameters {accepted}; got {sorted(parameters)}. Rename or drop some."
        )
    return AUTO if name == "auto" else _Named(name, dict(parameters))


# A third of the images is blurred; compose() without steps leaves an image as it is.
AUTO = compose(
    mix(("blur", {"sigma": (0.0, 1.5)}), compose(), compose()),
    mix(("noise", {"sigma": (0.0, 0.2)}), "poisson"),
)
