"""Arrays of images as pictures: channels, colours, mosaics."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

GAP = 1  # white pixels between two images
BLOCK_GAP = 6  # between the real and the synthetic images


def shown_channels(images: np.ndarray, channel: int | None) -> np.ndarray:
    """Reduce images (..., height, width, channels) to the three or the one channel to show."""
    if channel is None and images.shape[-1] == 3:
        return images
    picked = 0 if channel is None else channel
    return images[..., picked : picked + 1]


def as_colours(images: ArrayLike, channel: int | None) -> np.ndarray:
    """Return images (..., height, width, channels) as red, green and blue, float64."""
    shown = shown_channels(np.asarray(images, dtype=np.float64), channel)
    return shown if shown.shape[-1] == 3 else np.repeat(shown, 3, axis=-1)


def mosaic_of(tiles: np.ndarray) -> np.ndarray:
    """Lay out images (rows, columns, height, width, 3) in [0, 1] as one picture, a white gap between them."""
    tiles = np.where(np.isnan(tiles), 1.0, tiles)
    padded = np.pad(tiles, [(0, 0), (0, 0), (0, GAP), (0, GAP), (0, 0)], constant_values=1.0)
    n_rows, n_columns, height, width, _ = padded.shape
    return padded.swapaxes(1, 2).reshape(n_rows * height, n_columns * width, 3)[:-GAP, :-GAP]
