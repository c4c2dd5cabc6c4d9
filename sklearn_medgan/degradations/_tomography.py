"""Computed tomography: noise of a low dose, rings, streaks.

The rays are sums by hand: skimage's `radon` turns one image at a time, which took 5 to 9 times as long, its `iradon`
1.4 to 3 times; the results are the same where a side is odd, and both turn about the middle of a pixel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from .._parameters import check_whole
from ._checks import Level, RandomState, checked_rng, documented, draw_levels

if TYPE_CHECKING:
    from scipy.sparse import csc_array

CT_CHUNK_PIXELS = 2**20  # scanned at a time: bounds the memory of the sinograms
ALL_VIEWS = 180  # of a scan that misses none


@documented
def low_dose_ct(
    images: np.ndarray,
    rng: RandomState,
    *,
    photons: Level = (3e3, 5e4),
    attenuation: Level = 4.0,
    n_angles: int | None = None,
) -> np.ndarray:
    """Add the noise of a CT slice taken with few photons: streaks along dense directions.

    Each channel is scanned by parallel beams. A line integral is the sum of the pixels along a ray, negative ones as 0,
    times ``attenuation / longer side``; ``photons * exp(-line integral)`` photons are expected at its end, at least one
    counts. What the counting changed is reconstructed by filtered back projection and added to the image, so a scan
    without noise returns the image itself. The variance of the noise falls as ``1 / (photons * n_angles)``.

    Parameters
    ----------
    {attenuations_and_rng}
    photons : float or (float, float), default=(3e3, 5e4)
        Photons sent to each detector pixel at each angle, at least 1.
    attenuation : float or (float, float), default=4.0
        Line integral, a number without unit from 0.01 to 20, through the middle of a disc of value 1 that is as wide
        as the longer side: exp(-4), 2 % of the photons, pass.
    n_angles : int or None, default=None
        Number of projection angles, spread evenly over 180 degrees. None: the longer side, but at most 180.

    Returns
    -------
    noisy : {as_images}
        Not clipped. The noise of neighbouring pixels is correlated.

    {raises}

    References
    ----------
    Kak and Slaney, "Principles of Computerized Tomographic Imaging" (1988), section 3.3, equation 61: the ramp filter;
    Joseph 1982, IEEE Transactions on Medical Imaging 1: the line integrals; Zeng et al. 2015, IEEE Transactions on
    Nuclear Science 62: counts drawn from a given image.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.full((1, 32, 32, 1), 0.3)
    >>> poor, good = (float(np.std(low_dose_ct(image, 0, photons=p) - image)) for p in (1e4, 1e6))
    >>> round(poor / good)
    10
    """
    generator = checked_rng(images, rng)
    n, height, width, channels = images.shape
    sent = draw_levels("photons", photons, n, generator, lowest=1.0)
    per_pixel = draw_levels("attenuation", attenuation, n, generator, lowest=0.01, highest=20.0) / max(height, width)
    given = min(ALL_VIEWS, max(height, width)) if n_angles is None else n_angles
    n_angles = check_whole("n_angles", given, advice="Pass for example n_angles=90.")
    shape = height, width

    def noise(columns: np.ndarray, rows: slice) -> np.ndarray:
        dose, scale = (np.repeat(level[rows].ravel(), channels) for level in (sent, per_pixel))
        integrals = scale * _project(np.maximum(columns, 0), shape, n_angles)
        counts = np.maximum(generator.poisson(dose * np.exp(-integrals)), 1)
        return _filtered_back_projection(np.log(dose / counts) - integrals, shape) / scale

    return _added(images, noise)


@documented
def ct_rings(
    images: np.ndarray, rng: RandomState, *, gain_error: Level = (0.0, 0.02), attenuation: Level = 4.0
) -> np.ndarray:
    """Add the rings of a CT slice whose detector pixels are not calibrated.

    A detector pixel that counts a factor g too many adds ``-log(g)`` to its line integral in every view of a full
    turn, which filtered back projection makes a ring around the middle. Only that is added to the image, as in
    :func:`low_dose_ct`. All channels have the same rings.

    Parameters
    ----------
    {images_and_rng}
    gain_error : float or (float, float), default=(0.0, 0.02)
        Standard deviation of log(g) over detector pixels, at least 0: 0.01 is an error of 1 %.
    attenuation : float or (float, float), default=4.0
        Line integral through a disc of value 1, as in :func:`low_dose_ct`: the scale of the rings is its inverse.

    Returns
    -------
    ringed : {as_images}
        Not clipped.

    {raises}

    References
    ----------
    Sijbers and Postnov 2004, Physics in Medicine and Biology 49: the cause. Kak and Slaney, as in :func:`low_dose_ct`.

    Examples
    --------
    >>> import numpy as np
    >>> rings = ct_rings(np.zeros((1, 33, 33, 1)), 0, gain_error=0.01)[0, :, :, 0]
    >>> bool(np.allclose(rings, np.rot90(rings))), bool(rings.std() > 0.001)
    (True, True)
    """
    generator = checked_rng(images, rng)
    n, height, width, _ = images.shape
    error = draw_levels("gain_error", gain_error, n, generator)
    per_pixel = draw_levels("attenuation", attenuation, n, generator, lowest=0.01, highest=20.0) / max(height, width)
    middle = ceil(np.hypot(height, width) / 2) + 1  # detector pixel that sees the middle
    detectors = np.arange(2 * middle + 1)
    wrong = generator.standard_normal((len(detectors), n)) * (error / per_pixel).ravel()
    filtered = _ramp(len(detectors)) @ (wrong + wrong[::-1]) / 2  # a view from behind is mirrored
    # All views are alike: what a pixel sees, over angles less than a pixel apart, depends on its distance alone.
    distances = np.arange(0, middle, 0.125)
    seen = middle + distances[:, None] * np.cos(np.pi / 4 * (np.arange(2 * middle) + 0.5) / middle)
    down, across = np.ogrid[:height, :width]
    distance = np.hypot(down - (height - 1) / 2, across - (width - 1) / 2)
    rings = np.empty((n, height, width, 1), images.dtype)
    for ring, views in zip(rings, filtered.T, strict=True):
        ring[..., 0] = np.interp(distance, distances, np.pi * np.interp(seen, detectors, views).mean(axis=1))
    return images + rings


@documented
def ct_streaks(images: np.ndarray, rng: RandomState, *, n_views: Level = (20, 90)) -> np.ndarray:
    """Add the streaks of a CT slice reconstructed from few views.

    The image is scanned by parallel beams at 180 angles; what filtered back projection makes of a few of them, less
    what it makes of all, is added to it: 180 views change nothing. Up to about ``n_views / pi`` pixels around a dense
    point there are no streaks. Those of photon starvation are :func:`low_dose_ct`'s with few photons.

    Parameters
    ----------
    {attenuations_and_rng}
    n_views : int or (int, int), default=(20, 90)
        Number of angles, spread evenly over 180 degrees from a random one on, 1 to 180; what is drawn is rounded.

    Returns
    -------
    streaked : {as_images}
        Not clipped.

    {raises}

    References
    ----------
    Kak and Slaney, as in :func:`low_dose_ct`, section 5.1: aliasing by too few views.

    Examples
    --------
    >>> import numpy as np
    >>> point = np.zeros((1, 33, 33, 1))
    >>> point[0, 16, 16] = 1
    >>> few, many = (float(np.std(ct_streaks(point, 0, n_views=n) - point)) for n in (10, 90))
    >>> few > 3 * many
    True
    """
    generator = checked_rng(images, rng)
    n, height, width, channels = images.shape
    counts = np.rint(draw_levels("n_views", n_views, n, generator, lowest=1.0, highest=ALL_VIEWS)).ravel()
    # Where evenly spaced ones, counted up to each of all views, become more.
    kept = np.diff(np.ceil(np.arange(ALL_VIEWS + 1)[:, None] * counts / ALL_VIEWS - generator.random((n,))), axis=0)
    weights = (kept * ALL_VIEWS / counts - 1)[:, None]

    def streaks(columns: np.ndarray, rows: slice) -> np.ndarray:
        sinograms = _project(columns, (height, width), ALL_VIEWS) * np.repeat(weights[..., rows], channels, axis=2)
        return _filtered_back_projection(sinograms, (height, width))

    return _added(images, streaks)


def _added(images: np.ndarray, change: Callable[[np.ndarray, slice], np.ndarray]) -> np.ndarray:
    """Images plus `change(columns, rows)`, for some rows at a time: (height * width, m), one column a channel.

    Each ray is then one sparse product for all of them.
    """
    n, height, width, channels = images.shape
    changed = images.copy()
    chunk = max(1, CT_CHUNK_PIXELS // (height * width * channels))
    for start in range(0, n, chunk):
        rows = slice(start, start + chunk)
        columns = images[rows].transpose(1, 2, 0, 3).reshape(height * width, -1)
        added = change(columns, rows).reshape(height, width, -1, channels)
        changed[rows] += added.transpose(2, 0, 1, 3).astype(images.dtype)
    return changed


def _views(shape: tuple[int, int], n_angles: int, *, joseph: bool) -> Iterator[csc_array]:
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


def _project(columns: np.ndarray, shape: tuple[int, int], n_angles: int) -> np.ndarray:
    """Sinograms (n_angles, detector pixels, m) of m images given as columns (height * width, m)."""
    return np.stack([view @ columns for view in _views(shape, n_angles, joseph=True)])


def _filtered_back_projection(sinograms: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Images as columns (height * width, m) from sinograms (n_angles, detector pixels, m)."""
    n_angles, n_detectors, _ = sinograms.shape
    filtered = _ramp(n_detectors) @ sinograms
    views = _views(shape, n_angles, joseph=False)
    smeared = sum(view.T @ rays for view, rays in zip(views, filtered, strict=True))
    return smeared * (np.pi / n_angles)


def _ramp(n_detectors: int) -> np.ndarray:
    from scipy.linalg import toeplitz

    distance = np.arange(n_detectors)
    ramp = np.where(distance % 2, -1 / (np.pi * np.maximum(distance, 1)) ** 2, 0.0)
    ramp[0] = 1 / 4
    return toeplitz(ramp)
