"""Networks as models of nothing but Keras's own layers, for whoever loads them without this package."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from .environment import own_settings
from .strided import DepthToSpace, Detached, DoublingConv2DTranspose, HalvingConv2D, SpaceToDepth

SAME_WEIGHTS = {HalvingConv2D: layers.Conv2D, DoublingConv2DTranspose: layers.Conv2DTranspose}


def stock_model(model: keras.Model) -> keras.Model:
    """Return a model that computes the same with stock layers.

    Its trainable weights are those of `model` in the same order. What rearranges pixels becomes a fixed convolution,
    whose weights are not trainable.
    """
    with own_settings():
        copy = keras.models.clone_model(model, clone_function=_stock_layer)
    for layer in copy.layers:
        if not layer.trainable and layer.weights:
            layer.kernel.assign(_identity(layer.kernel.shape))
    return copy


def _stock_layer(layer: layers.Layer) -> layers.Layer:
    kind = type(layer)
    if kind is Detached:
        return layers.Identity(name=layer.name)
    fixed: dict[str, Any] = {"use_bias": False, "trainable": False, "kernel_initializer": "zeros", "name": layer.name}
    if kind is SpaceToDepth:
        return layers.Conv2D(4 * layer.input.shape[-1], 2, 2, **fixed)
    if kind is DepthToSpace:
        return layers.Conv2DTranspose(layer.input.shape[-1] // 4, 2, 2, **fixed)
    config = layer.get_config()
    if "kernel_initializer" in config:  # of Keras, and with a seed: without one it would draw from Python's generator
        config["kernel_initializer"] = keras.initializers.GlorotUniform(seed=0)
    return SAME_WEIGHTS.get(kind, kind).from_config(config)


def _identity(shape: tuple[int, ...]) -> np.ndarray:
    """Return the kernel (2, 2, few, many) that has each value of a block of pixels in a channel, or puts it back."""
    few, many = shape[2:]
    return np.eye(many, dtype=np.float32).reshape(2, 2, few, many)
