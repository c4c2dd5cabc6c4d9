"""The layers that halve and double the sides of maps: 4x4 convolutions of stride 2, and blocks of pixels as channels.

The convolutions are those of the backend in use, padded "same": one row before, one or two after, also for odd sides.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from .backends import Tensor, backend

Shape = tuple[int | None, int | None, int | None, int]  # of a batch; None: not known yet


class _Strided:
    """Keras's convolutions, with other defaults."""

    def __init__(
        self, filters: int, kernel_size: Any = 4, strides: Any = 2, padding: str = "same", **more: Any
    ) -> None:
        super().__init__(filters, kernel_size, strides, padding, **more)  # type: ignore[call-arg]


@keras.saving.register_keras_serializable("sklearn_medgan")
class HalvingConv2D(_Strided, layers.Conv2D):
    """Keras's 4x4 convolution of stride 2, computed by `backend.conv`."""

    def call(self, inputs: Tensor) -> Tensor:
        return backend.conv(inputs, keras.ops.convert_to_tensor(self.kernel)) + self.bias


@keras.saving.register_keras_serializable("sklearn_medgan")
class DoublingConv2DTranspose(_Strided, layers.Conv2DTranspose):
    """Keras's transposed 4x4 convolution of stride 2, computed by `backend.transpose`."""

    def call(self, inputs: Tensor) -> Tensor:
        size = (2 * inputs.shape[1], 2 * inputs.shape[2])
        return backend.transpose(inputs, keras.ops.convert_to_tensor(self.kernel), size) + self.bias


def even_phases(kernel: Tensor) -> Tensor:
    """Return the nearest kernel of `DoublingConv2DTranspose` that answers a constant map alike at every pixel.

    Each second pixel of a line meets other taps, and where their sums differ flat parts show a check (Sugawara et al.
    2019, Checkerboard artifacts free convolutional neural networks).
    """
    taps = keras.ops.reshape(kernel, (2, 2, 2, 2, *kernel.shape[2:]))  # of each phase two along each axis
    sums = keras.ops.sum(taps, (0, 2), keepdims=True)
    surplus = sums - keras.ops.mean(sums, (1, 3), keepdims=True)
    return keras.ops.reshape(taps - surplus / 4, kernel.shape)


@keras.saving.register_keras_serializable("sklearn_medgan")
class SpaceToDepth(layers.Layer):
    """(n, 2h, 2w, c) -> (n, h, w, 4c): each 2x2 block of pixels becomes one."""

    def call(self, inputs: Tensor) -> Tensor:
        return backend.space_to_depth(inputs)

    def compute_output_shape(self, shape: Shape) -> Shape:
        n, height, width, channels = shape
        return n, height and height // 2, width and width // 2, 4 * channels


@keras.saving.register_keras_serializable("sklearn_medgan")
class DepthToSpace(layers.Layer):
    """(n, h, w, 4c) -> (n, 2h, 2w, c): the inverse of `SpaceToDepth`."""

    def call(self, inputs: Tensor) -> Tensor:
        return backend.depth_to_space(inputs)

    def compute_output_shape(self, shape: Shape) -> Shape:
        n, height, width, channels = shape
        return n, height and 2 * height, width and 2 * width, channels // 4


@keras.saving.register_keras_serializable("sklearn_medgan")
class Detached(layers.Layer):
    """The identity, through which no gradient flows."""

    def call(self, inputs: Tensor) -> Tensor:
        return keras.ops.stop_gradient(inputs)

    def compute_output_shape(self, shape: Shape) -> Shape:
        return shape
