"""Networks: any image size, and the seed article's system layer for layer."""

import itertools

import keras
import numpy as np
import pytest
from keras import layers

from sklearn_medgan.augmentation._configuration import FAMILIES
from sklearn_medgan.gan import networks
from sklearn_medgan.gan.flat import FlatNetwork
from sklearn_medgan.gan.strided import DoublingConv2DTranspose, HalvingConv2D

SIDES = (8, 9, 15, 17, 31, 48, 70)
SIZES = [(a, b) for a, b in itertools.combinations(SIDES, 2) if (a + b) % 3 == 0] + [(70, 8), (8, 8), (23, 11)]


@pytest.mark.parametrize("architecture", ["conv", "dcgan"])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_generator_makes_images_of_any_size_that_the_discriminator_takes(architecture, height, width):
    shape = (height, width, 1 + (height + width) % 4)
    build_generator, build_discriminator = networks.ARCHITECTURES[architecture]
    generator, discriminator = build_generator(shape, 2, 4, 3), build_discriminator(shape, 2, 4).model
    labels = np.eye(2, dtype=np.float32)[[0, 1, 1]]
    drawn = FlatNetwork(generator).initial(np.random.RandomState(0))  # a layer that is built is all zeros
    FlatNetwork(generator).write(generator, drawn.weights, drawn.buffers)
    images = generator([np.ones((3, 3), np.float32), labels]).numpy()
    assert images.shape == (3, *shape)
    assert 0 < np.abs(images).max() <= 1
    logits, class_logits, *blocks = discriminator([images, labels])
    assert logits.shape == (3, 1)
    assert class_logits.shape == (3, 2)
    n_blocks = 2 if architecture == "dcgan" else round(np.log2(min(height, width) / 4))
    assert [len(block.shape) for block in blocks] == [2] * n_blocks


def test_every_architecture_that_the_estimator_offers_is_built():
    assert {name for family in FAMILIES.values() for name in family.values()} == set(networks.ARCHITECTURES)


def test_dense_networks_take_the_columns_of_a_table():
    generator = networks.dense_generator((16,), 4, 8, 5)
    rows = generator([np.zeros((2, 5)), np.eye(4)[:2]]).numpy()
    assert rows.shape == (2, 16)
    assert networks.dense_discriminator((16,), 4, 8).model([rows, np.eye(4)[:2]])[-1].shape == (2, 32)


@pytest.mark.parametrize(
    ("height", "width", "halvings"), [(8, 8, 1), (16, 16, 2), (28, 28, 3), (32, 64, 3), (64, 64, 4), (256, 300, 6)]
)
def test_images_are_halved_to_about_4x4(height, width, halvings):
    assert networks.n_halvings(height, width) == halvings


def test_discriminator_judges_by_projection_of_the_label():
    """logit(x, y) - logit(x, no label) is linear in y, and differs from row to row (Miyato and Koyama 2018, eq. 3)."""
    model = networks.conv_discriminator((8, 8, 1), 2, 4).model
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(0.1 * rng.normal(size=variable.shape))
    rows = rng.normal(size=(3, 8, 8, 1)).astype(np.float32)
    none, first, second, both = (
        model([rows, np.tile(label, (3, 1))])[0].numpy() for label in ([0.0, 0], [1.0, 0], [0.0, 1], [1.0, 1])
    )
    np.testing.assert_allclose(first - none + second - none, both - none, atol=1e-5)
    assert np.ptp(first - none) > 1e-3


def chain(model, *kinds):
    """The model's layers of these kinds in the order they are applied."""
    return [layer for layer in model.layers if isinstance(layer, kinds)]


def names(found):
    return [type(layer).__name__ for layer in found]


KINDS = (layers.Dense, layers.Conv2D, layers.Conv2DTranspose, layers.LeakyReLU, layers.BatchNormalization)


def feeds(layer):
    """Type of the layer whose output `layer` takes."""
    return type(layer.input._keras_history.operation).__name__


def test_seed_article_generator_layer_for_layer():
    model = networks.dcgan_generator((28, 28, 1), 2, 32, 100)
    found = chain(model, *KINDS, layers.Activation)
    block = ["Dense", "LeakyReLU", "BatchNormalization"]
    up = ["DoublingConv2DTranspose", "BatchNormalization", "LeakyReLU"]
    assert names(found) == [*block * 3, "Dense", *up * 3, "DoublingConv2DTranspose", "Activation"]
    assert [layer.units for layer in chain(model, layers.Dense)] == [128, 128, 100, 2 * 2 * 256]
    assert [layer.filters for layer in chain(model, DoublingConv2DTranspose)] == [256, 128, 64, 1]
    assert found[-1].activation is keras.activations.tanh
    assert [feeds(layer) for layer in chain(model, layers.BatchNormalization)] == ["LeakyReLU"] * 3 + [
        "DoublingConv2DTranspose"
    ] * 3
    assert_settings(model)


def test_seed_article_discriminator_layer_for_layer():
    model, _, logit, *_ = networks.dcgan_discriminator((28, 28, 1), 2, 32)
    found = chain(model, *KINDS, layers.Flatten)
    down = ["HalvingConv2D", "BatchNormalization", "LeakyReLU"]
    assert names(found)[:9] == ["HalvingConv2D", "LeakyReLU", *down * 2, "Flatten"]
    assert [layer.filters for layer in chain(model, HalvingConv2D)] == [64, 128, 256]
    assert logit.units == 1
    assert feeds(logit) == "Flatten"
    assert_settings(model)


def assert_settings(model):
    assert {layer.negative_slope for layer in chain(model, layers.LeakyReLU)} == {0.2}
    assert {layer.momentum for layer in chain(model, layers.BatchNormalization)} == {0.8}
    convolutions = chain(model, layers.Conv2D, layers.Conv2DTranspose)
    assert {(layer.kernel_size, layer.strides, layer.padding) for layer in convolutions} == {((4, 4), (2, 2), "same")}
    dense = chain(model, layers.Dense)
    assert {layer.activation for layer in [*convolutions, *dense]} == {keras.activations.linear}


def test_seed_article_networks_have_the_weights_counted_by_hand():
    noise, classes = 100, 2
    dense = sum(i * o + o + 4 * o for i, o in ((noise + classes, 128), (128, 128), (128, 100)))
    dense += 100 * (2 * 2 * 256) + 2 * 2 * 256
    up = sum(16 * i * o + o for i, o in ((256, 256), (256, 128), (128, 64), (64, 1))) + 4 * (256 + 128 + 64)
    assert networks.dcgan_generator((28, 28, 1), classes, 32, noise).count_params() == dense + up

    down = sum(16 * i * o + o for i, o in ((1, 64), (64, 128), (128, 256))) + 4 * (128 + 256)
    flat = 4 * 4 * 256  # 28, 14, 7, 4
    heads = flat + 1 + classes * flat + flat * classes + classes  # logit, projection, class head
    assert networks.dcgan_discriminator((28, 28, 1), classes, 32).model.count_params() == down + heads


def test_feature_blocks_are_the_maps_averaged_to_the_coarsest():
    model = networks.conv_discriminator((16, 20, 1), 2, 8).model
    images = np.random.RandomState(0).normal(size=(3, 16, 20, 1)).astype(np.float32)
    _, _, fine, coarse = (np.asarray(block) for block in model([images, np.zeros((3, 2))]))
    first = next(layer for layer in model.layers if isinstance(layer, keras.layers.LeakyReLU))
    full = np.asarray(keras.Model(model.inputs, first.output)([images, np.zeros((3, 2))]))
    assert full.shape == (3, 8, 10, 8)
    np.testing.assert_allclose(fine, full.reshape(3, 4, 2, 5, 2, 8).mean((2, 4)).reshape(3, -1), atol=1e-5)
    assert coarse.shape == (3, 4 * 5 * 16)
