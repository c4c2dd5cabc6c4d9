"""Image files to arrays and back: PNG, JPEG and TIFF."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

import numpy as np
from PIL import Image, UnidentifiedImageError

from .._parameters import ParameterError
from ._files import RefusedError, open_regular
from ._pillow import read_png_or_jpeg, write_pillow
from ._tiff import read_tiff, write_tiff

ONE_TO_FOUR = (1, 2, 3, 4)
INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
FLOATS = ["float16", "float32", "float64"]
# What each format holds: dtype -> numbers of channels.
HOLDS: dict[str, dict[str, tuple[int, ...]]] = {
    "PNG": {"bool": (1,), "uint8": ONE_TO_FOUR, "uint16": (1,)},
    "JPEG": {"uint8": (1, 3)},
    "TIFF": {"bool": (1,)} | dict.fromkeys(INTEGERS + FLOATS, ONE_TO_FOUR),
}


def read_stack(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a PNG, JPEG or TIFF file as a stack of its pages, (n_pages, height, width[, channels]).

    Values and dtype are as stored: uint16 for 16-bit PNG, any dtype of TIFF. Grey of 1 to 7 bits is spread over 0 to
    255, as uint8: one bit a pixel becomes 0 and 255. Alpha is a channel. A palette becomes its colours, or its greys.
    What JPEG and PNG say about the orientation is applied. Where zero is white (a kind of TIFF), values are turned
    round, so that zero is black.

    A ValueError where it is no regular file, is no image, is cut short, is too large to be trusted, or holds pixels
    that cannot be had exactly: of a codec that is absent, the message says what to install.
    """
    decode = _READ[image_kind(path)]
    with open_regular(path) as file:
        try:
            return decode(file)
        except RefusedError as error:
            raise ValueError(f"{path} cannot be read: {error}.") from error.__cause__
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            advice = "Reduce it or cut it into tiles; if you trust it, raise PIL.Image.MAX_IMAGE_PIXELS."
            expected, got = "has more pixels than an image is expected to have", str(error).rstrip(".")
            raise ParameterError("MAX_IMAGE_PIXELS", expected, got, advice, subject=str(path)) from error
        except Exception as error:  # decoders meet damage with errors of every kind
            reason = "its content is of another kind" if isinstance(error, UnidentifiedImageError) else error
            reason = reason if os.fstat(file.fileno()).st_size else "the file is empty"
            raise ValueError(
                f"{path} is not an image that can be read ({reason}). Expected a whole PNG, JPEG or TIFF file; "
                "fetch it again, or remove it."
            ) from error


def write_stack(path: str | os.PathLike[str], stack: np.ndarray) -> None:
    """Write images as the pages of one file, in the format its name ends in: .png, .jpg, .jpeg, .tif or .tiff.

    Only TIFF holds more than one. 1 to 4 channels. PNG holds bool and uint16 in grey, and uint8; JPEG, which is lossy,
    holds uint8 in grey or RGB; TIFF holds integers and floats, and bool in grey. A ValueError for another suffix, or
    where the format cannot hold such images; no file is written then.
    """
    kind, stack = image_kind(path), np.asarray(stack)
    check_holds(path, stack)
    if stack.ndim == 4 and stack.shape[3] == 1:
        stack = stack[..., 0]
    _WRITE[kind](path, stack)


def check_holds(path: str | os.PathLike[str], stack: np.ndarray) -> None:
    """Raise the ValueError of :func:`write_stack` where the format of the file cannot hold the images."""
    kind = image_kind(path)
    if stack.ndim not in (3, 4) or not stack.size or (stack.ndim == 4 and stack.shape[3] > 4):
        raise ValueError(
            "An image to write was expected to have the shape (height, width) or (height, width, channels) with 1 to 4 "
            f"channels; got {stack.shape[1:]}, {len(stack)} time(s). Reshape it, or write .npz."
        )
    n_channels = (*stack.shape, 1)[3]
    other = "convert the image first" if kind == "TIFF" else "write TIFF (.tif)"
    if n_channels not in HOLDS[kind].get(stack.dtype.name, ()):
        held = (
            stack.dtype.name if stack.dtype.name not in HOLDS[kind] else f"{stack.dtype.name} of {n_channels} channels"
        )
        raise ValueError(f"{kind} cannot hold {held}; {other} or .npz. The file was to be {path}.")
    if kind != "TIFF" and len(stack) > 1:
        raise ValueError(f"{kind} cannot hold {len(stack)} images; {other} or .npz. The file was to be {path}.")


def image_kind(path: str | os.PathLike[str]) -> str:
    """Return "PNG", "JPEG" or "TIFF", by the name of the file; a ValueError where it is none of these."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in IMAGE_SUFFIXES:
        raise ValueError(f"An image file was expected to end in {' or '.join(IMAGE_SUFFIXES)}; got {path}. Rename it.")
    return IMAGE_SUFFIXES[suffix]


IMAGE_SUFFIXES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF"}
_READ = {"PNG": read_png_or_jpeg, "JPEG": read_png_or_jpeg, "TIFF": read_tiff}
_WRITE: dict[str, Callable[..., None]] = {
    "PNG": partial(write_pillow, kind="PNG"),
    "JPEG": partial(write_pillow, kind="JPEG", quality=95, subsampling=0),
    "TIFF": write_tiff,
}
