"""TIFF files: by tifffile, which keeps every dtype, and by pillow where that has the codec."""

from __future__ import annotations

import importlib.util
import lzma
import os
import struct
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
import tifffile
from PIL import Image

from ._files import RefusedError, check_unpacked
from ._pillow import read_frames

COMPRESSION, PHOTOMETRIC = tifffile.COMPRESSION, tifffile.PHOTOMETRIC
# What tifffile decodes by itself; for all else it wants imagecodecs.
STREAMS: dict[int, Callable[[], Any]] = {8: zlib.decompressobj, 32946: zlib.decompressobj, 34925: lzma.LZMADecompressor}
PLAIN_CODECS = (1, 32773, *STREAMS)
CODECS_WITH_PREDICTOR = (5, 50000, *STREAMS)  # in pillow's libtiff: LZW, ZSTD, deflate, LZMA
PLAIN_PREDICTORS = (1, 2)
PLAIN_BITS = (1, 8, 16, 24, 32, 64)
PHOTOMETRIC_READ = tuple(PHOTOMETRIC[name] for name in ("MINISWHITE", "MINISBLACK", "RGB", "PALETTE", "YCBCR"))


def read_tiff(file: BinaryIO) -> np.ndarray:
    """Read the pages of a TIFF as a stack; a RefusedError where it may be sound, any other where it is damaged."""
    with tifffile.TiffFile(file, is_ome=False) as tiff:  # OME would follow names of other files
        _check_whole(tiff)
        if len(tiff.series) > 1:
            pages = sorted({f"{series.shape} {series.dtype}" for series in tiff.series})
            raise RefusedError(f"its pages are not alike: {', '.join(pages[:4])}; save them one a file")
        page, series = tiff.pages[0], tiff.series[0]
        _check_page(page)
        tile = page.tilewidth * page.tilelength * page.samplesperpixel
        check_unpacked(file, page.dtype.itemsize * max(series.size, tile))
        if _is_for_pillow(page):
            stack = _read_by_pillow(file, page)
        else:
            for each in tiff.pages:
                _check_streams(file, each.aspage())
            stack = _read_plainly(series, page)
    return stack.astype(stack.dtype.newbyteorder("="), copy=False)


def write_tiff(path: str | os.PathLike[str], stack: np.ndarray) -> None:
    n_channels = 1 if stack.ndim == 3 else stack.shape[3]
    options: dict[str, object] = {"photometric": "rgb" if n_channels > 2 else "minisblack"}
    if n_channels > 1:
        options["planarconfig"] = "contig"
    if n_channels in (2, 4):
        options["extrasamples"] = ("unassalpha",)
    tifffile.imwrite(path, stack, metadata=None, **options)


def _check_whole(tiff: tifffile.TiffFile) -> None:
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


def _check_page(page: tifffile.TiffPage) -> None:
    """The kinds of pixels that come back as they are meant to be seen."""
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and page.imagewidth * page.imagelength > limit:
        raise Image.DecompressionBombError(f"{page.imagewidth * page.imagelength} pixels, the limit is {limit}.")
    if page.photometric not in PHOTOMETRIC_READ:
        raise RefusedError(f"its colours are {PHOTOMETRIC(page.photometric).name}; convert it to grey or RGB")
    if page.dtype is None or not isinstance(page.bitspersample, int):
        raise RefusedError(f"its pixels have {page.bitspersample} bits of kind {page.sampleformat}; save it as uint16")
    if page.photometric == PHOTOMETRIC.MINISWHITE and page.dtype.kind not in "bu":
        raise RefusedError(f"zero is white and the dtype {page.dtype}; save it with zero as black")
    orientation = page.tags.valueof("Orientation", 1)
    if orientation != 1:
        raise RefusedError(f"it is stored turned or mirrored (orientation {orientation}); save it upright")


def _is_for_pillow(page: tifffile.TiffPage) -> bool:
    """Whether pillow turns the page into colours, or may have the codec that tifffile lacks."""
    if page.photometric in (PHOTOMETRIC.PALETTE, PHOTOMETRIC.YCBCR):
        return True
    plain = page.compression in PLAIN_CODECS and page.predictor in PLAIN_PREDICTORS and page.bitspersample in PLAIN_BITS
    return not plain and not _has_imagecodecs()


def _has_imagecodecs() -> bool:
    return importlib.util.find_spec("imagecodecs") is not None


def _read_by_pillow(file: BinaryIO, page: tifffile.TiffPage) -> np.ndarray:
    """All pages by pillow, which reduces some kinds to 8 bits: those are refused."""
    if page.photometric == PHOTOMETRIC.MINISWHITE and page.dtype.itemsize > 1:  # pillow leaves these as they are
        raise RefusedError(f"zero is white and the dtype {page.dtype}; save it with zero as black")
    kind = f"{COMPRESSION(page.compression).name}, predictor {int(page.predictor)}, {page.bitspersample} bits"
    remedy = "save it without compression" + (
        "" if _has_imagecodecs() else ", or pip install imagecodecs, which reads it"
    )
    if page.predictor != 1 and page.compression not in CODECS_WITH_PREDICTOR:
        raise RefusedError(f"pillow does not undo its predictor ({kind}); {remedy}")
    try:
        stack = read_frames(file)
    except RefusedError:
        raise
    except Exception as error:  # of every kind, whether the codec is missing or the data is damaged
        raise RefusedError(f"pillow does not decode it ({kind}): {error or type(error).__name__}; {remedy}") from error
    dtype = np.dtype(np.uint8) if page.bitspersample < 8 else page.dtype
    if not np.can_cast(dtype, stack.dtype):
        raise RefusedError(f"pillow reduces its {dtype} to {stack.dtype} ({kind}); {remedy}")
    if page.parent.byteorder == ">" and dtype.itemsize > 1 and dtype != np.uint16:  # bytes come swapped, seen in 13.0
        raise RefusedError(f"pillow does not decode big-endian {dtype} ({kind}); {remedy}")
    return stack.astype(dtype, copy=False)


def _check_streams(file: BinaryIO, page: tifffile.TiffPage) -> None:
    """Strips and tiles are no larger than the page says: tifffile would unpack them to any size."""
    if page.compression not in STREAMS:
        return
    limit = page.nbytes if not page.tilelength else page.tilewidth * page.tilelength * page.samplesperpixel * 8
    for start, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        file.seek(start)
        stream = STREAMS[page.compression]()
        if len(stream.decompress(file.read(count), limit + 1)) > limit:
            raise ValueError(f"a part of page {page.index + 1} unpacks to more than the page holds")


def _read_plainly(series: tifffile.TiffPageSeries, page: tifffile.TiffPage) -> np.ndarray:
    """Pages first, channels ("S") last, zero as black, fewer than 8 bits spread over 0 to 255."""
    array, axes = series.asarray(), series.axes
    if not axes.replace("S", "").endswith("YX"):
        raise RefusedError(f"its axes are {axes}; save it as pages of (height, width)")
    if "S" in axes:
        array = np.moveaxis(array, axes.index("S"), -1)
    stack = array.reshape(-1, *array.shape[-2 - ("S" in axes) :])
    highest = 2**page.bitspersample - 1
    if page.photometric == PHOTOMETRIC.MINISWHITE:
        stack = ~stack if stack.dtype.kind == "b" else (highest - stack).astype(stack.dtype)
    return np.rint(stack * (255 / highest)).astype(np.uint8) if page.bitspersample < 8 else stack
