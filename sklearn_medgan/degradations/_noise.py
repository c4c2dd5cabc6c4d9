"""Noise: Gaussian, of counted photons, of magnitudes, of coherent waves."""

from __future__ import annotations

import numpy as np
from scipy import fft

from ._checks import Level, RandomState, checked_rng, documented, draw_levels


@documented
def gaussian_noise(images: np.ndarray, rng: RandomState, *, sigma: Level = (0.0, 0.2)) -> np.ndarray:
    """Add white Gaussian noise.

    Parameters
    ----------
    {images_and_rng}
    sigma : float or (float, float), default=(0.0, 0.2)
        Standard deviation in fractions of the scale, at least 0: the "sigma 25" of 8-bit images is 25/255.

    Returns
    -------
    noisy : {as_images}
        Not clipped, so that the noise keeps mean 0.

    {raises}

    References
    ----------
    Zhang et al. 2017, IEEE Transactions on Image Processing 26: one network trained on a range of sigma.

    Examples
    --------
    >>> import numpy as np
    >>> noisy = gaussian_noise(np.full((1, 64, 64, 1), 0.5), 0, sigma=25 / 255)
    >>> round(float(noisy.std() * 255))
    25
    """
    generator = checked_rng(images, rng)
    deviation = draw_levels("sigma", sigma, len(images), generator).astype(images.dtype)
    return images + deviation * generator.standard_normal(images.shape, dtype=images.dtype)


@documented
def poisson_noise(images: np.ndarray, rng: RandomState, *, photons: Level = (10.0, 200.0)) -> np.ndarray:
    """Count photons: noise whose variance grows with the brightness.

    A pixel of value x becomes ``Poisson(photons * x) / photons``: mean x, variance x / photons.

    Parameters
    ----------
    {images}
        A negative value counts as no light, that is 0.
    {rng}
    photons : float or (float, float), default=(10.0, 200.0)
        Mean number of photons in a pixel of value 1, at least 1. Fewer are noisier.

    Returns
    -------
    noisy : {as_images}
        At least 0; above 1 where more photons came than in a pixel of value 1.

    {raises}

    References
    ----------
    Foi et al. 2008, IEEE Transactions on Image Processing 17, section II.

    Examples
    --------
    >>> import numpy as np
    >>> noisy = poisson_noise(np.full((1, 128, 128, 1), 0.5), 0, photons=20)
    >>> round(float(noisy.mean()), 1), round(float(noisy.var()), 3)
    (0.5, 0.025)
    """
    generator = checked_rng(images, rng)
    brightest = draw_levels("photons", photons, len(images), generator, lowest=1.0)
    return (generator.poisson(brightest * np.maximum(images, 0)) / brightest).astype(images.dtype)


@documented
def rician_noise(images: np.ndarray, rng: RandomState, *, sigma: Level = (0.0, 0.2)) -> np.ndarray:
    """Add the noise of magnetic resonance magnitude images.

    A pixel of value x becomes ``sqrt((x + n1)**2 + n2**2)``, the magnitude of a complex signal with Gaussian noise in
    both parts. Dark regions become brighter: where x is 0 the mean is ``sigma * sqrt(pi / 2)``.

    Parameters
    ----------
    {signal_and_rng}
    sigma : float or (float, float), default=(0.0, 0.2)
        Standard deviation of either part in fractions of the scale, at least 0.

    Returns
    -------
    noisy : {as_images}
        {magnitude}

    {raises}

    References
    ----------
    Gudbjartsson and Patz 1995, Magnetic Resonance in Medicine 34, equation 1.

    Examples
    --------
    >>> import numpy as np
    >>> air = rician_noise(np.zeros((1, 64, 64, 1)), 0, sigma=0.1)
    >>> round(float(air.mean() / 0.1), 1), round(float(np.sqrt(np.pi / 2)), 1)
    (1.3, 1.3)
    """
    generator = checked_rng(images, rng)
    deviation = draw_levels("sigma", sigma, len(images), generator).astype(images.dtype)
    real, imaginary = (deviation * generator.standard_normal(images.shape, dtype=images.dtype) for _ in range(2))
    real += images
    return np.hypot(real, imaginary, out=real)


@documented
def speckle(
    images: np.ndarray,
    rng: RandomState,
    *,
    looks: Level = (1, 8),
    correlation_length: Level = (0.0, 1.5),
    dynamic_range: Level | None = None,
) -> np.ndarray:
    """Add the speckle of ultrasound: a grain whose strength grows with the brightness.

    Echoes of many scatterers add up to a complex Gaussian signal, whose magnitude has a Rayleigh distribution (fully
    developed speckle): its mean is ``sqrt(pi / (4 - pi)) = 1.91`` standard deviations, of an average over independent
    looks (frames, angles) ``1.91 * sqrt(looks)``. Pixels are multiplied by one of mean 1, the same for all channels.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels), float32 or float64
        Amplitude in fractions of the intensity scale, nominally 0 (no echo) to 1; decibels with `dynamic_range`.
    {rng}
    looks : int or (int, int), default=(1, 8)
        Number of magnitudes averaged, 1 to 1000; what is drawn is rounded. Fewer are noisier.
    correlation_length : float or (float, float), default=(0.0, 1.5)
        Standard deviation in pixels of the Gaussian pulse, at least 0: over a distance d the correlation of the
        intensity falls as ``exp(-(d / correlation_length)**2 / 2)``. 0: neighbours are independent.
    dynamic_range : float, (float, float) or None, default=None
        Decibels from 0 to 1 of a logarithmic display, such as 60; the speckle is then added, with a standard deviation
        of ``10 / log(10) * pi / sqrt(6) = 5.57`` dB for one look. None: the images are linear.

    Returns
    -------
    noisy : {as_images}
        Not clipped.

    {raises}

    References
    ----------
    Burckhardt 1978, IEEE Transactions on Sonics and Ultrasonics 25: the ratio 1.91, and the average of looks;
    Wagner et al. 1983, in volume 30: the correlation.

    Examples
    --------
    >>> import numpy as np
    >>> noisy = speckle(np.full((4, 128, 128, 1), 0.5), 0, looks=1, correlation_length=0)
    >>> round(float(noisy.mean()), 2), round(float(noisy.mean() / noisy.std()), 1)
    (0.5, 1.9)
    """
    generator = checked_rng(images, rng)
    n, height, width, _ = images.shape
    n_looks = np.rint(draw_levels("looks", looks, n, generator, lowest=1.0, highest=1000.0))
    sigma = draw_levels("correlation_length", correlation_length, n, generator)
    frequency = np.hypot(fft.fftfreq(height)[:, None], fft.fftfreq(width))[..., None]
    pulse = np.exp(-2 * (np.pi * sigma * frequency) ** 2)
    # White noise of this power keeps its variance, and both parts together have mean magnitude 1.
    pulse = (pulse * np.sqrt(2 / np.pi / (pulse**2).mean(axis=(1, 2), keepdims=True))).astype(images.dtype)
    gain = np.zeros((n, height, width, 1), images.dtype)
    for look in range(int(n_looks.max(initial=0))):
        real, imaginary = generator.standard_normal((2, *gain.shape), dtype=images.dtype)
        signal = fft.ifft2(fft.fft2(real + 1j * imaginary, axes=(1, 2)) * pulse, axes=(1, 2))
        gain += np.abs(signal) * (look < n_looks)
    gain /= n_looks.astype(images.dtype)
    if dynamic_range is None:
        return images * gain
    decibels = draw_levels("dynamic_range", dynamic_range, n, generator, lowest=1.0).astype(images.dtype)
    return images + 20 / decibels * np.log10(np.maximum(gain, 1e-6))
