"""The fast convolution routes against TensorFlow's and Keras's own, in float64, with their derivatives."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from sklearn_medgan.gan import strided
from sklearn_medgan.gan.backends import backend

# height, width, fine channels, coarse channels: even and odd sides, either route of the transpose
SHAPES = [(8, 8, 1, 3), (9, 13, 3, 5), (7, 10, 4, 2), (5, 6, 9, 4), (11, 9, 8, 1), (1, 2, 2, 10)]
by_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def arrays(shape):
    """Fine map, filters and coarse map."""
    height, width, fine, coarse = shape
    rng = np.random.default_rng(0)
    sizes = [(3, height, width, fine), (4, 4, fine, coarse), (3, -(-height // 2), -(-width // 2), coarse)]
    return [tf.constant(rng.normal(size=size)) for size in sizes]


def plain_conv(fine, filters):
    return tf.nn.conv2d(fine, filters, 2, "SAME")


def plain_transpose(coarse, filters, size):
    return tf.nn.conv2d_transpose(coarse, filters, (len(coarse), *size, filters.shape[2]), 2, "SAME")


def plain_filter_gradient(fine, coarse):
    filters = tf.zeros((4, 4, fine.shape[3], coarse.shape[3]), fine.dtype)
    with tf.GradientTape() as tape:
        tape.watch(filters)
        total = tf.reduce_sum(plain_conv(fine, filters) * coarse)
    return tape.gradient(total, filters)


def first_and_second(function, *inputs):
    """Value, gradients of a curved scalar of it, and the gradients of those gradients' curved sum."""
    with tf.GradientTape() as outer:
        outer.watch(inputs)
        with tf.GradientTape() as inner:
            inner.watch(inputs)
            value = function(*inputs)
            scalar = tf.reduce_sum(tf.sin(value))
        first = inner.gradient(scalar, inputs)
        curved = sum(tf.reduce_sum(tf.sin(g)) for g in first)
    return [value, *first, *outer.gradient(curved, inputs)]


def assert_same(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)


@by_shape
def test_conv_and_its_derivatives_are_those_of_tensorflow(shape):
    fine, filters, _ = arrays(shape)
    assert_same(first_and_second(backend.conv, fine, filters), first_and_second(plain_conv, fine, filters))


@by_shape
def test_transpose_and_its_derivatives_are_those_of_tensorflow(shape):
    _, filters, coarse = arrays(shape)
    size = shape[:2]
    ours = first_and_second(lambda c, f: backend.transpose(c, f, size), coarse, filters)
    assert_same(ours, first_and_second(lambda c, f: plain_transpose(c, f, size), coarse, filters))


@by_shape
def test_filter_gradient_and_its_derivatives_are_those_of_tensorflow(shape):
    fine, _, coarse = arrays(shape)
    ours = first_and_second(backend.filter_gradient, fine, coarse)
    assert_same(ours, first_and_second(plain_filter_gradient, fine, coarse))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("sides", [(8, 8), (9, 13), (15, 10)])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (strided.HalvingConv2D, layers.Conv2D),
        (strided.DoublingConv2DTranspose, layers.Conv2DTranspose),
    ],
)
def test_layers_equal_those_of_keras_with_the_same_weights(ours, theirs, sides, channels):
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(2, *sides, channels)).astype(np.float32)
    for filters in (3, 9):
        reference = theirs(filters, 4, 2, "same", bias_initializer=keras.initializers.RandomNormal(seed=2))
        expected = reference(rows)
        layer = ours(filters)
        layer.build(rows.shape)
        layer.set_weights(reference.get_weights())
        np.testing.assert_allclose(layer(rows), expected, rtol=1e-4, atol=1e-5)
        assert layer.compute_output_shape(rows.shape) == expected.shape


def test_layers_come_back_from_their_configuration():
    for layer in (strided.HalvingConv2D(5), strided.DoublingConv2DTranspose(5)):
        restored = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
        assert type(restored) is type(layer)
        assert (restored.filters, restored.kernel_size, restored.strides) == (5, (4, 4), (2, 2))


def test_even_phases_answer_a_constant_map_alike_and_change_no_more_than_that_needs():
    kernel = np.random.default_rng(0).normal(size=(4, 4, 2, 3))
    even = np.asarray(strided.even_phases(tf.constant(kernel)))
    answer = plain_transpose(tf.ones((1, 6, 6, 3), tf.float64), tf.constant(even), (12, 12)).numpy()[0, 2:-2, 2:-2]
    np.testing.assert_allclose(answer, np.broadcast_to(answer[0, 0], answer.shape), atol=1e-12)
    taps = np.arange(16).reshape(4, 4)
    phases = np.array([np.isin(range(16), taps[a::2, b::2]) for a in (0, 1) for b in (0, 1)], float)
    differences = phases[1:] - phases[0]  # the nearest of the kernels whose sums by phase do not differ
    nearest = (np.eye(16) - np.linalg.pinv(differences) @ differences) @ kernel.reshape(16, -1)
    np.testing.assert_allclose(even.reshape(16, -1), nearest, atol=1e-12)
