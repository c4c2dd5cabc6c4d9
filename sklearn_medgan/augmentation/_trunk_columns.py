"""Columns from a frozen pretrained network: means over its maps of several depths."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..backbones._resolve import Backbone, resolve_backbone
from ._patches import footprints

# Images go through the network one by one: in a batch the last bit of a product depends on the place in it (TensorFlow
# 2.21 on a CPU, 1x1 convolutions), and a row's columns may not depend on the rows beside it.


class TrunkColumns:
    """Means over the maps of a pretrained network, a block of columns for each map.

    Images are brought to the size that the network takes (smaller ones enlarged by linear interpolation, larger ones
    reduced by averages). One channel is shown as grey, three as red, green and blue; of two the third is their mean, of
    four the first three are looked at.

    Parameters
    ----------
    backbone : "auto", str or keras.Model
        As `resolve_backbone` takes it.
    mirrored : bool, default=False
        Whether to average over an image and its mirror image, which takes twice the time.
    """

    def __init__(self, backbone: Any, mirrored: bool = False) -> None:
        self.backbone = backbone
        self.mirrored = mirrored

    def __getstate__(self) -> dict[str, Any]:
        """Return what is saved: not the embedded network, which is installed wherever it is loaded."""
        return {"backbone": self.backbone, "mirrored": self.mirrored}

    @functools.cached_property
    def _network(self) -> tuple[Backbone, Any]:
        import tensorflow as tf

        backbone = resolve_backbone(self.backbone)
        if backbone is None:
            raise ValueError("TrunkColumns needs a backbone; got None.")
        views = tf.TensorSpec((2 if self.mirrored else 1, *backbone.size, 3), tf.float32)

        def means(images: tf.Tensor) -> list[tf.Tensor]:
            return [tf.reduce_mean(tf.cast(maps, tf.float32), (0, 1, 2)) for maps in backbone.maps(images)]

        return backbone, tf.function(means, input_signature=[views])

    def transform(self, encoded: np.ndarray) -> dict[str, np.ndarray]:
        """Return the blocks of images.

        Parameters
        ----------
        encoded : ndarray of shape (n, height, width, channels), float32
            Images in [-1, 1].

        Returns
        -------
        blocks : dict of ndarray of shape (n, n_channels_of_map), float32
            Named "trunk0", "trunk1" and so on, from fine to coarse maps.

        Raises
        ------
        ValueError
            If the network gives values that are not finite.
        """
        backbone, means = self._network
        parts = []
        for image in encoded[:, None]:
            views = as_colour(resized((image + 1.0) * 127.5, backbone.size))
            views = np.concatenate([views, views[:, :, ::-1]]) if self.mirrored else views
            views = views if backbone.preprocess is None else backbone.preprocess(views)
            parts.append([block.numpy() for block in means(views)])
        blocks = [np.stack(block) for block in zip(*parts, strict=True)]
        if not all(np.isfinite(block).all() for block in blocks):
            raise ValueError(
                f"backbone={backbone.name!r} gives values that are not finite for these images. It is shown RGB images "
                "of 0 to 255: scale them inside the model if it expects others."
            )
        return {f"trunk{depth}": block for depth, block in enumerate(blocks)}


def resized(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return images (n, height, width, channels) at another size: averages, or linear interpolation to a larger one."""
    rows, columns = footprints(images.shape[1], size[0]), footprints(images.shape[2], size[1])
    channels = [rows @ images[..., channel] @ columns.T for channel in range(images.shape[3])]
    return np.stack(channels, axis=-1)


def as_colour(images: np.ndarray) -> np.ndarray:
    """Return images of one to four channels with three."""
    n_channels = images.shape[3]
    if n_channels == 1:
        return np.repeat(images, 3, axis=3)
    if n_channels == 2:
        return np.concatenate([images, images.mean(3, keepdims=True)], axis=3)
    return images[..., :3]
