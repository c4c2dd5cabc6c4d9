"""The 4x4 convolution of stride 2, its transpose and its filter gradient, each by TensorFlow's fastest route on a CPU.

The three are one trilinear form, so each is the derivative of the others and derivatives of any order stay among them.
TensorFlow's own gradient kernels take up to four times as long as these routes (measured on one core, batch 128,
8x8x64 to 4x4x128: transpose 36 ms against 10 ms, filter gradient 15 ms against 9 ms). Padding is "same": one row
before, one or two after, also for odd sides. Arrays are NHWC, filters (4, 4, fine channels, coarse channels).
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from ._tensorflow_gradients import custom_gradient

FEW_CHANNELS = 8  # below this TensorFlow's own transpose is faster


def _conv(fine: tf.Tensor, filters: tf.Tensor) -> tf.Tensor:
    return tf.nn.conv2d(fine, filters, 2, "SAME")


def _transpose(coarse: tf.Tensor, filters: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Interleave four dense 2x2 convolutions: each quarter of the output pixels sees a 2x2 neighbourhood."""
    shape = tf.shape(coarse)
    n, height, width, channels = shape[0], coarse.shape[1], coarse.shape[2], filters.shape[2]
    if channels < FEW_CHANNELS:
        return tf.nn.conv2d_transpose(coarse, filters, (n, *size, channels), 2, "SAME")
    taps = tf.reshape(filters, (2, 2, 2, 2, channels, filters.shape[3]))
    taps = tf.reverse(tf.transpose(taps, [1, 3, 0, 2, 5, 4]), [0, 1, 2, 3])
    quarters = [
        tf.nn.conv2d(coarse, taps[a, b], 1, [[0, 0], [1 - a, a], [1 - b, b], [0, 0]]) for a in (0, 1) for b in (0, 1)
    ]
    mixed = tf.reshape(tf.stack(quarters, 3), (n, height, width, 2, 2, channels))
    mixed = tf.reshape(tf.transpose(mixed, [0, 1, 3, 2, 4, 5]), (n, 2 * height, 2 * width, channels))
    return mixed[:, : size[0], : size[1]]


def _filter_gradient(fine: tf.Tensor, coarse: tf.Tensor) -> tf.Tensor:
    """Convolve with the rows of the batch in the role of channels: coarse pixels are a dilated filter."""
    height, width = coarse.shape[1], coarse.shape[2]
    after = [2 * side + 1 - before for side, before in ((height, fine.shape[1]), (width, fine.shape[2]))]
    padding = [[0, 0], [1, after[0]], [1, after[1]], [0, 0]]
    turned, dilated = tf.transpose(fine, [3, 1, 2, 0]), tf.transpose(coarse, [1, 2, 0, 3])
    summed = tf.nn.conv2d(turned, dilated, 1, padding, dilations=2)
    return tf.transpose(summed, [1, 2, 0, 3])


def conv(fine: tf.Tensor, filters: tf.Tensor) -> tf.Tensor:
    """Halve the sides: (n, 2h, 2w, fine) -> (n, h, w, coarse)."""
    return _differentiable_conv(fine, tf.convert_to_tensor(filters))  # of a variable `custom_gradient` wants to know


@custom_gradient
def _differentiable_conv(fine: tf.Tensor, filters: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    def gradient(g: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return transpose(g, filters, tuple(fine.shape[1:3])), filter_gradient(fine, g)

    return _conv(fine, filters), gradient


def transpose(coarse: tf.Tensor, filters: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Double the sides to `size`: (n, h, w, coarse) -> (n, *size, fine)."""

    @custom_gradient
    def apply(coarse: tf.Tensor, filters: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        return _transpose(coarse, filters, size), lambda g: (conv(g, filters), filter_gradient(g, coarse))

    return apply(coarse, tf.convert_to_tensor(filters))


@custom_gradient
def filter_gradient(fine: tf.Tensor, coarse: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """Return the derivative of sum(conv(fine, filters) * coarse) with respect to the filters."""

    def gradient(g: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return transpose(coarse, g, tuple(fine.shape[1:3])), conv(fine, g)

    return _filter_gradient(fine, coarse), gradient
