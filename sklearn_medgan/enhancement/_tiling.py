"""Apply a convolutional network to images of any size, in tiles, as if to the whole; and sizes that it can take."""

from __future__ import annotations

import functools
import itertools
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np

from ..degradations import upscale

# Images whose padded sides stay below this go through the network in groups. A multiple of 48 rows a group makes a
# row's result independent of its neighbours (see training.INFERENCE_BATCH).
SMALL = 64
GROUP = 48
STREAMS = 2  # tiles under way at once: one before or after the network, where the work is NumPy's, beside one in it


def enlarge(images: np.ndarray, scale: int) -> np.ndarray:
    """Return poor images (n, ...) on the grid of the good ones, by bicubic interpolation: where the network starts."""
    return upscale(images, factor=scale) if scale > 1 else images


def trim(images: np.ndarray, scale: int) -> np.ndarray:
    """Return images (..., height, width, channels) with sides cut to multiples of the enlargement."""
    height, width = images.shape[-3:-1]
    return images[..., : height - height % scale, : width - width % scale, :]


def block_means(images: np.ndarray, side: int, dtype: Any = None) -> np.ndarray:
    """Return means of whole blocks of side x side pixels of images (..., height, width, channels)."""
    *n, height, width, channels = images.shape
    cut = images[..., : height // side * side, : width // side * side, :]
    return cut.reshape(*n, height // side, side, width // side, side, channels).mean((-4, -2), dtype=dtype)


def padded(size: int, stride: int) -> int:
    """Return the next multiple of `stride`."""
    return -(-size // stride) * stride


def tiles(size: int, tile: int, halo: int, stride: int) -> list[tuple[int, int, int, int]]:
    """Return tiles that cover an axis: (start, stop) of what each sees and (first, last) of what it keeps.

    All count from the start of the axis. `size` and `tile` are multiples of `stride`. What is kept lies at least `halo`
    inside, except at the image's edges. There are as few as tiles of `tile` allow, and none is longer than that takes.
    """
    if size <= tile:
        return [(0, size, 0, size)]
    margins = 2 * padded(halo, stride)
    n = math.ceil((size - margins) / (tile - margins))
    tile = margins + padded(math.ceil((size - margins) / n), stride)
    starts = [int(i * (size - tile) / (n - 1) // stride * stride) for i in range(n)]
    cuts = [0, *((a + tile + b) // 2 for a, b in pairwise(starts)), size]
    return [(s, s + tile, a, b) for s, a, b in zip(starts, cuts, cuts[1:], strict=False)]


Job = Callable[[], None]


def jobs(
    function: Callable[[np.ndarray], list[np.ndarray]],
    image: np.ndarray,
    *,
    tile: int,
    halo: int,
    stride: int,
    prepare: Callable[[np.ndarray], np.ndarray],
    write: Callable[[tuple[slice, slice], list[np.ndarray]], None],
) -> Iterator[Job]:
    """Yield what calls `function` on a tile of an image (height, width, channels) and `write`s what the tile keeps.

    `prepare(block)` turns a block of raw pixels into the float32 that the network takes; `write((rows, columns),
    outputs)` gets slices of the image and the list of outputs there. So no float copy of a large image is made. Sides
    that `stride` does not divide are continued by reflection.
    """
    height, width = image.shape[:2]

    def job(down: tuple[int, ...], across: tuple[int, ...]) -> None:
        (top, bottom, first_row, last_row), (left, right, first_column, last_column) = down, across
        block = reflect(prepare(image[top:bottom, left:right]), bottom - top, right - left)
        outputs = function(block[None])
        rows, columns = slice(first_row, min(last_row, height)), slice(first_column, min(last_column, width))
        inside = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
        write((rows, columns), [output[0][inside] for output in outputs])

    axes = (tiles(padded(side, stride), tile, halo, stride) for side in (height, width))
    yield from (functools.partial(job, *place) for place in itertools.product(*axes))


def run(some: Iterable[Job]) -> None:
    """Do all jobs, `STREAMS` at a time, and ask for the next when it can begin."""
    with ThreadPoolExecutor(STREAMS) as pool:
        begun: deque[Future] = deque()
        for job in some:
            if len(begun) == STREAMS:
                begun.popleft().result()
            begun.append(pool.submit(job))
        for future in begun:
            future.result()


def reflect(block: np.ndarray, height: int, width: int) -> np.ndarray:
    """Continue a block (..., h, w, c) to height x width by reflection at its lower and right edge."""
    missing = [(0, 0)] * (block.ndim - 3) + [(0, height - block.shape[-3]), (0, width - block.shape[-2]), (0, 0)]
    return np.pad(block, missing, mode="symmetric") if any(after for _, after in missing) else block
