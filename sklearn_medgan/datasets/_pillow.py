"""PNG and JPEG, and the kinds of TIFF that pillow knows, as arrays."""

from __future__ import annotations

import warnings
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageOps

from ._files import RefusedError, check_unpacked

MODES = ("1", "L", "LA", "RGB", "RGBA", "I", "F")


def read_png_or_jpeg(file: BinaryIO) -> np.ndarray:
    """Read a PNG or JPEG as a stack of one image: by content, so that one named as the other is read as well."""
    header = file.read(26)
    depth, colour = header[24:26] if header.startswith(b"\x89PNG") and len(header) == 26 else (8, 0)
    if depth == 16 and colour != 0:
        raise RefusedError("it is a PNG of 16 bits in colour or with alpha, which pillow reduces to 8; save it as TIFF")
    file.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        image = Image.open(file, formats=("PNG", "JPEG"))
    if image.format == "PNG" and getattr(image, "n_frames", 1) > 1:
        raise RefusedError(f"it is an animation of {image.n_frames} frames; save each as a file, or as pages of a TIFF")
    check_unpacked(file, image.width * image.height * len(image.getbands()) * (depth // 8 or 1))
    if colour == 0 and depth in (2, 4) and "transparency" in image.info:  # pillow scales the pixels, but not this
        image.info["transparency"] *= 255 // (2**depth - 1)
    image.load()
    if image.info:  # where an orientation would be
        ImageOps.exif_transpose(image, in_place=True)
    array = pixels_of(image)
    if array.dtype == np.int32:  # 16-bit grey in pillow before 11
        array = array.astype(np.uint16)
    return array[np.newaxis]


def read_frames(file: BinaryIO) -> np.ndarray:
    """Read every page of a TIFF, as far as pillow decodes it; errors are of any kind."""
    file.seek(0)
    pages = []
    with Image.open(file, formats=("TIFF",)) as image:
        for k in range(image.n_frames):
            image.seek(k)
            pages.append(pixels_of(image))
    return np.stack(pages)


def pixels_of(image: Image.Image) -> np.ndarray:
    """Return the array of a pillow image.

    One bit a pixel becomes 0 and 255, as pillow itself spreads two and four bits; a transparent colour or palette entry
    makes an alpha channel. A RefusedError where the colours are of another kind, as CMYK.
    """
    transparent = image.info.get("transparency")
    if image.mode == "P":
        return _through_palette(image, transparent is not None)
    if image.mode == "1":
        transparent = transparent and 255  # 1 in pillow before 11
        image = image.convert("L")
    if transparent is not None and image.mode == "RGB":
        image = image.convert("RGBA")
    if image.mode not in MODES and not image.mode.startswith("I;16"):
        raise RefusedError(f"its colours are {image.mode}; convert it to RGB")
    array = np.asarray(image)
    return _with_alpha(array, transparent) if transparent is not None and array.ndim == 2 else array


def _with_alpha(grey: np.ndarray, transparent: int) -> np.ndarray:
    """Grey and alpha, where one value stands for transparent."""
    opaque = np.iinfo(np.uint8 if grey.dtype == np.uint8 else np.uint16).max
    return np.stack([grey, np.where(grey == transparent, 0, opaque).astype(grey.dtype)], axis=-1)


def _through_palette(image: Image.Image, transparent: bool) -> np.ndarray:
    colours = np.asarray(image.convert("RGBA" if transparent else "RGB"))
    if np.ptp(np.reshape(image.getpalette(), (-1, 3)), axis=1).any():
        return colours
    return colours[..., [0, 3]] if transparent else colours[..., 0]


def write_pillow(path: Any, stack: np.ndarray, kind: str, **options: Any) -> None:
    """Write the one image of a stack as PNG or JPEG."""
    image = stack[0].astype(stack.dtype.newbyteorder("<"), copy=False)
    with open(path, "wb") as file:
        Image.fromarray(np.ascontiguousarray(image)).save(file, format=kind, **options)
