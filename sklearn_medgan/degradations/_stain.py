"""Stained tissue."""

from __future__ import annotations

import numpy as np

from ._checks import Level, RandomState, checked_rng, documented, draw_levels

DARKEST = 1 / 255  # transmission below which an 8-bit camera tells no densities apart


@documented
def stain_variation(
    images: np.ndarray, rng: RandomState, *, sigma: Level = (0.0, 0.2), offset: Level = 0.05
) -> np.ndarray:
    """Vary how strongly haematoxylin and eosin stain, as from one laboratory to the next.

    By Beer and Lambert's law the optical density ``-log10(x)`` of a pixel is the sum of its stains' amounts times their
    colours. Each image draws for either stain a factor from 1 - sigma to 1 + sigma and an amount from -offset to offset
    that is added, but not below none; what is of neither colour stays.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels), float32 or float64
        Transmitted red, green and blue light in fractions of that sent, clipped to 0 to 1; three channels.
    {rng}
    sigma : float or (float, float), default=(0.0, 0.2)
        How far the factor may be from 1, 0 to 1.
    offset : float or (float, float), default=0.05
        Largest amount added or taken away, in units of optical density, at least 0.

    Returns
    -------
    stained : {as_images}
        Within 0 to 1.

    {raises}

    References
    ----------
    Ruifrok and Johnston 2001, Analytical and Quantitative Cytology and Histology 23: the colours of the stains; Tellez
    et al. 2018, IEEE Transactions on Medical Imaging 37: factor and offset.

    Examples
    --------
    >>> import numpy as np
    >>> tissue = np.full((2, 8, 8, 3), [0.7, 0.4, 0.6])
    >>> stain_variation(tissue, 0)[:, 0, 0].round(2).tolist()
    [[0.67, 0.36, 0.58], [0.71, 0.39, 0.6]]
    """
    generator = checked_rng(images, rng)
    n, _, _, channels = images.shape
    if channels != 3:
        raise ValueError(
            "The degradation 'stain' needs colour images, with channels for red, green and blue; got images of "
            f"{channels} channel{'s' * (channels != 1)}. Pass colour images, or another degradation."
        )
    from skimage.color import rgb_from_hed

    colours = rgb_from_hed[:2] / np.linalg.norm(rgb_from_hed[:2], axis=1, keepdims=True)
    spread = draw_levels("sigma", sigma, n, generator, highest=1.0)
    most = draw_levels("offset", offset, n, generator)
    factor, added = (level * generator.uniform(-1, 1, (n, 1, 1, 2)) for level in (spread, most))
    light = np.clip(images, 0, 1)
    amounts = -np.log10(np.maximum(light, DARKEST)) @ np.linalg.pinv(colours).astype(images.dtype)
    change = factor.astype(images.dtype) * amounts + added.astype(images.dtype)
    change = np.maximum(change, -np.maximum(amounts, 0))  # no stain is less than none
    return np.minimum(light * 10 ** -(change @ colours.astype(images.dtype)), 1)
