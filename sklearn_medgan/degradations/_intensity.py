"""Lost contrast and compression."""

from __future__ import annotations

import io

import numpy as np

from ._checks import Level, RandomState, checked_rng, documented, draw_levels


@documented
def low_contrast(
    images: np.ndarray,
    rng: RandomState,
    *,
    gain: Level = (0.2, 0.7),
    gamma: Level = (0.7, 1.5),
    offset: Level = (0.0, 0.3),
) -> np.ndarray:
    """Squeeze the grey levels into a part of the scale, as a wrong window or exposure does.

    A pixel of value x becomes ``gain * x**gamma + offset * (1 - gain)``, within [0, 1] and in the same order.

    Parameters
    ----------
    {images}
        Clipped to 0 to 1 first: beyond the window nothing is told apart.
    {rng}
    gain : float or (float, float), default=(0.2, 0.7)
        Share of the scale that is used, 0 to 1.
    gamma : float or (float, float), default=(0.7, 1.5)
        Exponent, 0.1 to 10; 1 is linear, below 1 brightens.
    offset : float or (float, float), default=(0.0, 0.3)
        Start of the used part as a fraction of what `gain` leaves free, 0 (dark) to 1 (bright).

    Returns
    -------
    dull : {as_images}
        Within 0 to 1.

    {raises}

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
    generator, n = checked_rng(images, rng), len(images)
    span = draw_levels("gain", gain, n, generator, highest=1.0)
    exponent = draw_levels("gamma", gamma, n, generator, lowest=0.1, highest=10.0)
    start = draw_levels("offset", offset, n, generator, highest=1.0) * (1 - span)
    exponent, span, start = (level.astype(images.dtype) for level in (exponent, span, start))
    return span * np.clip(images, 0, 1) ** exponent + start


@documented
def jpeg(images: np.ndarray, rng: RandomState, *, quality: Level = (10, 90)) -> np.ndarray:
    """Compress with JPEG and decompress: blocks of 8x8 pixels and ringing at edges.

    Parameters
    ----------
    {images}
        Clipped to 0 to 1 and rounded to the 256 levels that JPEG stores. Three channels are taken for red, green and
        blue, whose colour is stored at half the resolution; any other number is compressed a channel at a time.
    {rng}
    quality : int or (int, int), default=(10, 90)
        As in the JPEG library, 1 (poorest) to 100; what is drawn is rounded to a whole number.

    Returns
    -------
    compressed : {as_images}
        Multiples of 1/255 within 0 to 1.

    {raises}

    References
    ----------
    Wallace 1991, Communications of the ACM 34.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.random.RandomState(0).uniform(size=(1, 16, 16, 1))
    >>> poor, good = (float(np.abs(jpeg(image, 0, quality=q) - image).mean()) for q in (10, 95))
    >>> poor > 5 * good
    True
    """
    drawn = draw_levels("quality", quality, len(images), checked_rng(images, rng), lowest=1.0, highest=100.0)
    levels = np.rint(drawn).astype(int).ravel()
    bytes_ = np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8)
    compressed = np.empty_like(images)
    for image, level, out in zip(bytes_, levels, compressed, strict=True):
        for part in [slice(None)] if image.shape[2] == 3 else range(image.shape[2]):
            out[..., part] = _through_jpeg(image[..., part], level)
    return compressed / 255


def _through_jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    """A uint8 picture, (height, width) or (height, width, 3), after a JPEG file in memory."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(file, "JPEG", quality=int(quality))
    with Image.open(file) as decoded:
        return np.asarray(decoded)
