"""Image files to arrays and back, every value as stored: PNG, JPEG and TIFF."""

from __future__ import annotations

import importlib.util
import os
import struct
import warnings
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image, ImageOps

# Codecs for which tifffile wants imagecodecs; pillow has them built in: fax, LZW, JPEG.
CODECS_OF_PILLOW = (2, 3, 4, 5, 6, 7)
PHOTOMETRIC = tifffile.PHOTOMETRIC
ONE_TO_FOUR = (1, 2, 3, 4)
INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
FLOATS = ["float16", "float32", "float64"]
# What each format holds: dtype -> numbers of channels.
HOLDS = {
    "PNG": {"bool": (1,), "uint8": ONE_TO_FOUR, "uint16": (1,)},
    "JPEG": {"uint8": (1, 3)},
    "TIFF": {"bool": (1,)} | dict.fromkeys(INTEGERS + FLOATS, ONE_TO_FOUR),
}


class _Unsupported(ValueError):
    """A sound file whose pixels cannot be had exactly; the message says what and what to do."""


def read_image(path):
    """Read a file that holds one image.

    Parameters
    ----------
    path : str or path-like
        A PNG, JPEG or TIFF file.

    Returns
    -------
    image : ndarray of shape (height, width) or (height, width, channels)
        As :func:`read_stack`.

    Raises
    ------
    OSError, ValueError
        As :func:`read_stack`, and for a file of several pages.
    """
    stack = read_stack(path)
    if len(stack) > 1:
        raise ValueError(f"{path} was expected to hold one image; it holds {len(stack)} pages. Save them one a file.")
    return stack[0]


def read_stack(path):
    """Read an image file as a stack of its pages.

    Parameters
    ----------
    path : str or path-like
        A PNG, JPEG or TIFF file.

    Returns
    -------
    stack : ndarray of shape (n_pages, height, width) or (n_pages, height, width, channels)
        Values and dtype as stored: bool for one bit a pixel, uint16 for 16-bit PNG, any dtype of TIFF. Alpha is a
        channel. A palette becomes its colours, or its greys. What JPEG and PNG say about the orientation is applied.
        Where zero is white (a kind of TIFF), values are turned round, so that zero is black.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it is no image, is cut short, is too large to be trusted, or holds pixels that cannot be had exactly.
    """
    decode = _READ[image_kind(path)]
    with open(path, "rb") as file:
        try:
            if not os.fstat(file.fileno()).st_size:
                raise ValueError("the file is empty")
            return decode(file)
        except _Unsupported as error:
            raise ValueError(f"{path} cannot be read exactly: {error}.") from error.__cause__
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise ValueError(
                f"{path} has more pixels than an image is expected to have: {error} Reduce it or cut it into tiles; "
                "if you trust it, raise PIL.Image.MAX_IMAGE_PIXELS."
            ) from error
        except Exception as error:  # decoders meet damage with errors of every kind
            raise ValueError(
                f"{path} is not an image that can be read ({error}). Expected a whole PNG, JPEG or TIFF file; "
                "fetch it again, or remove it."
            ) from error


def write_image(path, image):
    """Write one image in the format its name ends in.

    Parameters
    ----------
    path : str or path-like
        File to write, ending in .png, .jpg, .jpeg, .tif or .tiff; one that is there is replaced.
    image : ndarray of shape (height, width) or (height, width, channels)
        1 to 4 channels. PNG holds bool and uint16 in grey, and uint8; JPEG, which is lossy, holds uint8 in grey or RGB;
        TIFF holds integers and floats, and bool in grey.

    Raises
    ------
    OSError
        If the file cannot be written.
    ValueError
        If the suffix is unknown, or the format cannot hold such an image. No file is written then.
    """
    write_stack(path, np.asarray(image)[np.newaxis])


def write_stack(path, stack):
    """Write images as the pages of one file; of more than one image, only TIFF is made.

    Parameters
    ----------
    path : str or path-like
        As in :func:`write_image`.
    stack : ndarray of shape (n_pages, height, width) or (n_pages, height, width, channels)
        As in :func:`write_image`.

    Raises
    ------
    OSError, ValueError
        As :func:`write_image`.
    """
    kind, stack = image_kind(path), np.asarray(stack)
    check_holds(path, stack)
    if stack.ndim == 4 and stack.shape[3] == 1:
        stack = stack[..., 0]
    _WRITE[kind](path, stack)


def check_holds(path, stack):
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


def image_kind(path):
    """PNG, JPEG or TIFF, by the name of the file."""
    suffix = Path(path).suffix.lower()
    if suffix not in IMAGE_SUFFIXES:
        raise ValueError(f"An image file was expected to end in {' or '.join(IMAGE_SUFFIXES)}; got {path}. Rename it.")
    return IMAGE_SUFFIXES[suffix]


def _read_pillow(file):
    """PNG or JPEG, by content: one named as the other is read as well."""
    header = file.read(26)
    if header.startswith(b"\x89PNG") and header[24] == 16 and header[25] != 0:
        raise _Unsupported("it is a PNG of 16 bits in colour or with alpha, which pillow reduces to 8; save it as TIFF")
    file.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        image = Image.open(file, formats=("PNG", "JPEG"))
    if image.format == "PNG" and getattr(image, "n_frames", 1) > 1:
        raise _Unsupported(f"it is an animation of {image.n_frames} frames; save each as a file, or as pages of a TIFF")
    array = _pixels(ImageOps.exif_transpose(image))
    if array.dtype == np.int32:  # 16-bit grey in pillow before 11
        array = array.astype(np.uint16)
    return array[np.newaxis]


def _pixels(image):
    """The array of a pillow image; a transparent colour or palette entry makes an alpha channel."""
    transparent = "transparency" in image.info
    if image.mode == "P":
        return _through_palette(image, transparent)
    if transparent and image.mode in ("L", "RGB"):
        image = image.convert(f"{image.mode}A")
    if image.mode not in ("1", "L", "LA", "RGB", "RGBA", "I", "F") and not image.mode.startswith("I;16"):
        raise _Unsupported(f"its colours are {image.mode}; convert it to RGB")
    return np.asarray(image)


def _through_palette(image, transparent):
    colours = np.asarray(image.convert("RGBA" if transparent else "RGB"))
    if np.ptp(np.reshape(image.getpalette(), (-1, 3)), axis=1).any():
        return colours
    return colours[..., [0, 3]] if transparent else colours[..., 0]


def _read_tiff(file):
    with tifffile.TiffFile(file, is_ome=False) as tiff:  # OME would follow names of other files
        _check_whole(tiff)
        if len(tiff.series) > 1:
            pages = sorted({f"{series.shape} {series.dtype}" for series in tiff.series})
            raise _Unsupported(f"its pages are not alike: {', '.join(pages[:4])}; save them one a file")
        page = tiff.pages[0]
        _check_tiff_page(page)
        stack = _read_tiff_by_pillow(file, page) if _is_for_pillow(page) else _read_tiff_plainly(tiff.series[0], page)
    return stack.astype(stack.dtype.newbyteorder("="), copy=False)


def _check_whole(tiff):
    """The chain of pages ends, and their bytes are there: tifffile takes what it finds and goes on."""
    file, form, last = tiff.filehandle, tiff.tiff, tiff.pages[-1]
    file.seek(last.offset)
    n_tags = struct.unpack(form.tagnoformat, file.read(form.tagnosize))[0]
    file.seek(last.offset + form.tagnosize + n_tags * form.tagsize)
    if struct.unpack(form.offsetformat, file.read(form.offsetsize))[0]:
        raise ValueError(f"it is cut short after page {len(tiff.pages)}")
    for page in tiff.pages:
        page = page.aspage()
        ends = (start + count for start, count in zip(page.dataoffsets, page.databytecounts, strict=True))
        if max(ends, default=0) > file.size:
            raise ValueError(f"it is cut short in page {page.index + 1}")


def _check_tiff_page(page):
    """The kinds of pixels that come back as they are meant to be seen."""
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and page.imagewidth * page.imagelength > limit:
        raise Image.DecompressionBombError(f"{page.imagewidth * page.imagelength} pixels, the limit is {limit}.")
    if page.photometric not in PHOTOMETRIC_READ:
        raise _Unsupported(f"its colours are {PHOTOMETRIC(page.photometric).name}; convert it to grey or RGB")
    if page.photometric == PHOTOMETRIC.MINISWHITE and page.dtype.kind not in "bu":
        raise _Unsupported(f"zero is white and the dtype {page.dtype}; save it with zero as black")
    orientation = page.tags.valueof("Orientation", 1)
    if orientation != 1:
        raise _Unsupported(f"it is stored turned or mirrored (orientation {orientation}); save it upright")


PHOTOMETRIC_READ = tuple(PHOTOMETRIC[name] for name in ("MINISWHITE", "MINISBLACK", "RGB", "PALETTE", "YCBCR"))


def _is_for_pillow(page):
    """Whether pillow turns the page into colours, or has the codec that tifffile lacks."""
    missing = importlib.util.find_spec("imagecodecs") is None and page.compression in CODECS_OF_PILLOW
    return missing or page.photometric in (PHOTOMETRIC.PALETTE, PHOTOMETRIC.YCBCR)


def _read_tiff_by_pillow(file, page):
    """All pages by pillow, which reduces some kinds to 8 bits: those are refused."""
    if page.photometric == PHOTOMETRIC.MINISWHITE and page.dtype.itemsize > 1:  # pillow leaves these as they are
        raise _Unsupported(f"zero is white and the dtype {page.dtype}; save it with zero as black")
    file.seek(0)
    pages = []
    with Image.open(file, formats=("TIFF",)) as image:
        for k in range(image.n_frames):
            image.seek(k)
            pages.append(_pixels(image))
    if not np.can_cast(page.dtype, pages[0].dtype):
        raise _Unsupported(
            f"pillow reduces its {page.dtype} to {pages[0].dtype}; save it without compression, or install imagecodecs"
        )
    return np.stack(pages).astype(page.dtype, copy=False)


def _read_tiff_plainly(series, page):
    """Pages first, channels ("S") last, zero as black."""
    array, axes = series.asarray(), series.axes
    if not axes.replace("S", "").endswith("YX"):
        raise _Unsupported(f"its axes are {axes}; save it as pages of (height, width)")
    if "S" in axes:
        array = np.moveaxis(array, axes.index("S"), -1)
    stack = array.reshape(-1, *array.shape[-2 - ("S" in axes) :])
    if page.photometric != PHOTOMETRIC.MINISWHITE:
        return stack
    return ~stack if stack.dtype.kind == "b" else (2**page.bitspersample - 1 - stack).astype(stack.dtype)


def _write_png(path, stack):
    _write_pillow(path, stack, "PNG")


def _write_jpeg(path, stack):
    _write_pillow(path, stack, "JPEG", quality=95, subsampling=0)


def _write_pillow(path, stack, kind, **options):
    image = stack[0].astype(stack.dtype.newbyteorder("<"), copy=False)
    with open(path, "wb") as file:
        Image.fromarray(np.ascontiguousarray(image)).save(file, format=kind, **options)


def _write_tiff(path, stack):
    n_channels = 1 if stack.ndim == 3 else stack.shape[3]
    options = {"photometric": "rgb" if n_channels > 2 else "minisblack"}
    if n_channels > 1:
        options["planarconfig"] = "contig"
    if n_channels in (2, 4):
        options["extrasamples"] = ("unassalpha",)
    tifffile.imwrite(path, stack, metadata=None, **options)


IMAGE_SUFFIXES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF"}
_READ = {"PNG": _read_pillow, "JPEG": _read_pillow, "TIFF": _read_tiff}
_WRITE = {"PNG": _write_png, "JPEG": _write_jpeg, "TIFF": _write_tiff}
