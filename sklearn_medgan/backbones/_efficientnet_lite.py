"""EfficientNet-Lite in Keras, for inference: batch normalisation is folded into the convolutions.

Tan and Le 2019 ("EfficientNet: rethinking model scaling for convolutional neural networks"), in the variant for small
devices of the same authors (tensorflow/tpu, models/official/efficientnet/lite): no squeeze-and-excitation, ReLU6, stem
and head of one size. TensorFlow trained it, so padding is TensorFlow's "same": for an even side and stride 2 the odd
pixel is at the lower right.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras

STRIDES = (1, 2, 2, 2, 1, 2, 1)  # of each stage's first block
LITE0_REPEATS = (1, 2, 2, 3, 3, 4, 1)  # blocks of each stage
EPSILON = 1e-3  # added to the variance in batch normalisation
MEAN, SPREAD = 127.0, 128.0  # an input value v in 0 to 255 enters as (v - 127) / 128


def build_efficientnet_lite(
    arrays: Mapping[str, np.ndarray], repeats: tuple[int, ...] = LITE0_REPEATS, name: str = "efficientnet_lite0"
) -> keras.Model:
    """Return the network with the weights of its PyTorch edition, named as in the package `efficientnet_lite_pytorch`.

    It maps RGB images (n, height, width, 3), float32, 0 to 255, sides that are multiples of 32 where maps are to lie
    pixel by pixel over the image, to a dictionary of the outputs `stage_1` to `stage_7` (after each stage; channels of
    Lite0: 16, 24, 40, 80, 112, 192, 320; sides 1/2, 1/4, 1/8, 1/16, 1/16, 1/32, 1/32), `head` (1,280 channels, 1/32)
    and `logits`.
    """
    import keras

    image = keras.Input((None, None, 3), dtype="float32", name="image")
    x = keras.layers.Rescaling(1 / SPREAD, -MEAN / SPREAD, dtype="float32", name="scaling")(image)
    weights: dict[str, list[np.ndarray]] = {}

    def convolve(x: Any, conv: str, norm: str, activation: str | None = "relu6", stride: int = 1) -> Any:
        kernel, bias = _folded(arrays, conv, norm)
        layer = _layer(kernel, stride, activation, conv)
        weights[layer.name] = [kernel, bias]
        return layer(x)

    x = convolve(x, "_conv_stem", "_bn0", stride=2)
    outputs, block = {}, 0
    for stage, (n_blocks, first_stride) in enumerate(zip(repeats, STRIDES, strict=True), start=1):
        for i in range(n_blocks):
            part, entry = f"_blocks.{block}.", x
            if f"{part}_expand_conv.weight" in arrays:
                x = convolve(x, f"{part}_expand_conv", f"{part}_bn0")
            x = convolve(x, f"{part}_depthwise_conv", f"{part}_bn1", stride=1 if i else first_stride)
            x = convolve(x, f"{part}_project_conv", f"{part}_bn2", activation=None)
            if i:
                x = keras.layers.Add(dtype="float32", name=f"block_{block}_sum")([entry, x])
            block += 1
        outputs[f"stage_{stage}"] = x
    outputs["head"] = convolve(x, "_conv_head", "_bn1")
    pooled = keras.layers.GlobalAveragePooling2D(data_format="channels_last", dtype="float32", name="mean")
    classify = keras.layers.Dense(1000, kernel_initializer="zeros", dtype="float32", name="logits")
    outputs["logits"] = classify(pooled(outputs["head"]))
    weights["logits"] = [arrays["_fc.weight"].T, arrays["_fc.bias"]]

    model = keras.Model(image, outputs, name=name)
    for layer_name, values in weights.items():
        model.get_layer(layer_name).set_weights(values)
    model.trainable = False
    return model


def _folded(arrays: Mapping[str, np.ndarray], conv: str, norm: str) -> tuple[np.ndarray, np.ndarray]:
    """Return kernel (height, width, in, out), or (height, width, channels, 1) of each channel by itself, and bias."""
    mean, variance, scale, shift = (
        arrays[f"{norm}.{part}"].astype(np.float64) for part in ("running_mean", "running_var", "weight", "bias")
    )
    factor = scale / np.sqrt(variance + EPSILON)
    kernel = arrays[f"{conv}.weight"] * factor[:, None, None, None]
    axes = (2, 3, 0, 1) if conv.endswith("_depthwise_conv") else (2, 3, 1, 0)
    return kernel.transpose(axes).astype(np.float32), (shift - mean * factor).astype(np.float32)


def _layer(kernel: np.ndarray, stride: int, activation: str | None, conv: str) -> keras.layers.Layer:
    """Return a convolution of this kernel's shape; weights come later."""
    import keras

    settings = {
        "strides": stride,
        "padding": "same",
        "activation": activation,
        "data_format": "channels_last",
        "dtype": "float32",
        "name": conv.strip("_").replace("s.", "_").replace(".", ""),
    }
    if conv.endswith("_depthwise_conv"):
        return keras.layers.DepthwiseConv2D(kernel.shape[:2], depthwise_initializer="zeros", **settings)
    return keras.layers.Conv2D(kernel.shape[3], kernel.shape[:2], kernel_initializer="zeros", **settings)
