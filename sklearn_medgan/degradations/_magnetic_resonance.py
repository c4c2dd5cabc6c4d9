"""Artefacts of magnetic resonance: the coil's shading, ghosts, and k-space lines that were not measured.

Lines of k-space are complete along the readout, so one transform along the axis of phase encoding does.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.polynomial import legendre
from scipy import fft

from .._parameters import check_whole
from ._checks import Level, RandomState, checked_rng, documented, draw_levels


@documented
def bias_field(
    images: np.ndarray, rng: RandomState, *, nonuniformity: Level = (0.2, 1.0), order: int = 3
) -> np.ndarray:
    """Multiply by a smooth field, as the uneven sensitivity of a receiver coil does.

    The field is ``exp(p(x, y))``, where p is a random polynomial of mean 0 over the image, the same for all channels.

    Parameters
    ----------
    {signal_and_rng}
    nonuniformity : float or (float, float), default=(0.2, 1.0)
        Range of the field over the image, 0 to 1.9: its largest value over its smallest is
        ``(1 + nonuniformity / 2) / (1 - nonuniformity / 2)``, for 0.4 (BrainWeb's "40 %") 1.2 / 0.8.
    order : int, default=3
        Degree of the polynomial, at least 1: 1 is a slope, and more undulate more.

    Returns
    -------
    shaded : {as_images}
        Not clipped.

    {raises}

    References
    ----------
    Van Leemput et al. 1999, IEEE Transactions on Medical Imaging 18: polynomials in the logarithm; Collins et al. 1998,
    in volume 17: BrainWeb.

    Examples
    --------
    >>> import numpy as np
    >>> field = bias_field(np.ones((1, 32, 32, 1)), 0, nonuniformity=0.4)
    >>> round(float(field.max() / field.min()), 3), bool(np.isclose(np.log(field).mean(), 0))
    (1.5, True)
    """
    generator = checked_rng(images, rng)
    degree = np.arange(check_whole("order", order, advice="Pass for example order=3.") + 1)
    # log((1 + u / 2) / (1 - u / 2)) = 2 artanh(u / 2)
    span = 2 * np.arctanh(draw_levels("nonuniformity", nonuniformity, len(images), generator, highest=1.9)[..., 0] / 2)
    down, across = (legendre.legvander(np.linspace(-1, 1, side), degree[-1]) for side in images.shape[1:3])
    terms = generator.standard_normal((len(images), len(degree), len(degree)))
    terms *= degree + degree[:, None] < len(degree)
    field = down @ terms @ across.T
    field *= span / np.maximum(np.ptp(field, axis=(1, 2), keepdims=True), 1e-12)
    field -= field.mean(axis=(1, 2), keepdims=True)
    return images * np.exp(field[..., None]).astype(images.dtype)


@documented
def ghosting(
    images: np.ndarray,
    rng: RandomState,
    *,
    intensity: Level = (0.0, 0.2),
    period: Level = (2.0, 8.0),
    axis: int | None = None,
) -> np.ndarray:
    """Add ghosts: faint copies of the image, as breathing, a pulse or an uneven gradient leaves.

    The signal swings while the lines of k-space are measured one after the other: line k is multiplied by
    ``1 + 2 * intensity * cos(2 * pi * k / period + phase)`` with a random phase, the same for all channels. Of N lines
    that makes a copy N / period pixels away on either side, around the border, each of weight `intensity`.

    Parameters
    ----------
    {signal_and_rng}
    intensity : float or (float, float), default=(0.0, 0.2)
        Brightness of either ghost as a fraction of the image's own, 0 to 1.
    period : float or (float, float), default=(2.0, 8.0)
        Lines of k-space in a swing, at least 2, where both ghosts meet half an image away (the Nyquist ghost).
    {axis}

    Returns
    -------
    ghostly : {as_images}
        {magnitude}

    {raises}

    References
    ----------
    Wood and Henkelman 1985, Medical Physics 12: where ghosts of periodic motion lie.

    Examples
    --------
    >>> import numpy as np
    >>> point = np.zeros((1, 12, 12, 1))
    >>> point[0, 6, 6] = 1
    >>> ghosting(point, 0, intensity=0.1, period=3, axis=0)[0, :, 6, 0].round(3).tolist()
    [0.0, 0.0, 0.1, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.1, 0.0]
    """
    generator, n = checked_rng(images, rng), len(images)
    weight = draw_levels("intensity", intensity, n, generator, highest=1.0)[..., 0, 0]
    lines_a_swing = draw_levels("period", period, n, generator, lowest=2.0)[..., 0, 0]
    phase = generator.uniform(0, 2 * np.pi, (n, 1))

    def swing(lines: np.ndarray, of: np.ndarray) -> np.ndarray:
        return 1 + 2 * weight[of] * np.cos(2 * np.pi * lines / lines_a_swing[of] + phase[of])

    return _through_k_space(images, axis, generator, swing)


@documented
def k_space_undersampling(
    images: np.ndarray,
    rng: RandomState,
    *,
    acceleration: Level = (1.0, 4.0),
    centre_fraction: Level = 0.08,
    axis: int | None = None,
) -> np.ndarray:
    """Leave out lines of k-space, as a shortened scan does: blur, and incoherent copies along one axis.

    Of N lines the central ones are kept and others drawn at random, ``round(N / acceleration)`` in all; those left out
    are zero (Cartesian sampling, zero-filled). All channels miss the same lines.

    Parameters
    ----------
    {signal_and_rng}
    acceleration : float or (float, float), default=(1.0, 4.0)
        How many times fewer lines, at least 1, which changes nothing.
    centre_fraction : float or (float, float), default=0.08
        Share of the lines, around the lowest frequency, that is always kept, 0 to 1; one line at least.
    {axis}

    Returns
    -------
    undersampled : {as_images}
        {magnitude}

    {raises}

    References
    ----------
    Lustig, Donoho and Pauly 2007, Magnetic Resonance in Medicine 58: lines left out at random; Zbontar et al. 2018,
    arXiv 1811.08839: 8 % of the lines central at an acceleration of 4.

    Examples
    --------
    >>> import numpy as np
    >>> point = np.zeros((1, 32, 32, 1))
    >>> point[0, 8, 8] = 1
    >>> float(k_space_undersampling(point, 0, acceleration=4)[0, 8, 8, 0])
    0.25
    """
    generator, n = checked_rng(images, rng), len(images)
    factor = draw_levels("acceleration", acceleration, n, generator, lowest=1.0)[..., 0, 0]
    centre = draw_levels("centre_fraction", centre_fraction, n, generator, highest=1.0)[..., 0, 0]

    def kept(lines: np.ndarray, of: np.ndarray) -> np.ndarray:
        n_central = np.maximum(np.rint(centre[of] * len(lines)), 1)
        n_kept = np.maximum(np.rint(len(lines) / factor[of]), n_central).astype(int)
        # From the middle outwards: lines 0, -1, 1, -2, ...
        is_central = 2 * np.abs(lines + 0.25) < n_central
        draw = np.where(is_central, -1.0, generator.random(is_central.shape))
        return draw <= np.take_along_axis(np.sort(draw, axis=1), n_kept - 1, axis=1)

    return _through_k_space(images, axis, generator, kept)


def _through_k_space(
    images: np.ndarray, axis: int | None, generator: np.random.Generator, weigh: Callable[..., np.ndarray]
) -> np.ndarray:
    """Magnitudes of images of which each line of k-space along `axis` (None: one drawn for each) got a weight.

    `weigh` takes the numbers of N lines, 0 in the middle, and the places of m images, and returns weights (m, N).
    """
    if axis not in (0, 1, None):
        raise ValueError(f"axis must be 0 (down), 1 (across) or None (drawn for each image); got {axis!r}. Pass one.")
    axes = generator.integers(2, size=len(images)) if axis is None else np.full(len(images), axis)
    changed = np.empty_like(images)
    for along in np.unique(axes).tolist():
        of = np.flatnonzero(axes == along)
        n_lines = images.shape[along + 1]
        weights = weigh(np.rint(fft.fftfreq(n_lines) * n_lines), of).astype(images.dtype)
        k_space = fft.fft(images[of], axis=along + 1)
        k_space *= weights[:, :, None, None] if along == 0 else weights[:, None, :, None]
        changed[of] = np.abs(fft.ifft(k_space, axis=along + 1))
    return changed
