"""Initial weights of the restorer that ship with the package, for images of any number of channels.

`examples/pretraining/restorer.py` makes them; `sklearn_medgan/weights/README.md` lists the images and their licences.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .restoration import RestorerConfiguration

FILE = "restorer.npz"
BLOCK = 4  # pixels of one channel that the network sees as channels: a 2x2 block


def restorer_weights(config: RestorerConfiguration, shapes: list[tuple[int, ...]]) -> np.ndarray | None:
    """Return flat float32 weights for a network of these shapes, or None where the file has none so wide and deep."""
    if len(config.shape) != 3:
        return None
    with (resources.files("sklearn_medgan") / "weights" / FILE).open("rb") as file:
        archive = np.load(file, allow_pickle=False)
        if (config.width, config.depth) != tuple(archive["width_depth"]):
            return None
        stored = [archive[f"weight_{i}"].astype(np.float32) for i in range(len(shapes))]
    return np.concatenate([for_channels(s, shape).ravel() for s, shape in zip(stored, shapes, strict=True)])


def for_channels(weight: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return a weight learned on grey images in the shape for several channels.

    The first convolution then sees their mean, and the last ones give all channels the same: at the start images in
    colour are corrected as their mean is.
    """
    for axis, (side, wanted) in enumerate(zip(weight.shape, shape, strict=True)):
        if side != wanted:
            n_channels = wanted // BLOCK
            weight = np.repeat(weight, n_channels, axis) / (n_channels if axis == weight.ndim - 2 else 1)
    return weight
