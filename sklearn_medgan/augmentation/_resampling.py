"""Images at another size: a pixel is the mean of those that it covers, or between them where it is smaller."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from scipy.sparse import csr_array


@functools.lru_cache(maxsize=32)
def footprints(n_from: int, n_to: int) -> np.ndarray:
    """Return the matrix (n_to, n_from) that resamples a line: each target pixel is the mean of what it covers.

    A target pixel smaller than a source pixel covers as much as one of them: linear interpolation. Nobody may write to
    the matrix, which is kept.
    """
    centres = (np.arange(n_to) + 0.5) * n_from / n_to
    reach = max(n_from / n_to, 1.0) / 2
    first = np.arange(n_from)
    covered = np.minimum.outer(centres + reach, first + 1.0) - np.maximum.outer(centres - reach, first)
    covered = np.maximum(covered, 0.0)
    matrix = (covered / covered.sum(1, keepdims=True)).astype(np.float32)
    matrix.flags.writeable = False
    return matrix


@functools.lru_cache(maxsize=16)
def sparse_footprints(n_from: int, n_to: int) -> csr_array:
    """Return the matrix of `footprints`, of which a few pixels a line are not zero."""
    return csr_array(footprints(n_from, n_to))


def resampled(image: np.ndarray, rows: Any, columns: Any) -> np.ndarray:
    """Return an image (height, width, channels) after matrices, dense or sparse, of its rows and of its columns."""
    _, width, n_channels = image.shape
    lines = rows @ image.reshape(len(image), -1)
    lines = lines.reshape(-1, width, n_channels).swapaxes(0, 1).reshape(width, -1)
    return (columns @ lines).reshape(columns.shape[0], -1, n_channels).swapaxes(0, 1)


def resized(images: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Return images (n, height, width, channels), float32, at another height and width: see `footprints`."""
    n, height, width, n_channels = images.shape
    if (height, width) == tuple(size[:2]):
        return images
    rows, columns = sparse_footprints(height, size[0]), sparse_footprints(width, size[1])
    found = np.empty((n, *size[:2], n_channels), np.float32)
    for image, target in zip(images, found, strict=True):
        target[:] = resampled(image, rows, columns)
    return found
