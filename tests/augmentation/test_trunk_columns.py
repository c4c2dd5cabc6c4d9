"""Columns of a pretrained network."""

from __future__ import annotations

import pickle

import keras
import numpy as np
import pytest

from sklearn_medgan.augmentation._trunk_columns import TrunkColumns, as_colour, resized


@keras.saving.register_keras_serializable("tests")
class Same(keras.layers.Layer):
    """Gives back its input."""

    def call(self, x):
        return x


def eye(size=(12, 10)):
    """A network whose map is the image itself."""
    image = keras.Input((*size, 3))
    return keras.Model(image, Same()(image), name="eye")


def images(n, shape=(9, 11, 3), seed=0):
    return np.random.RandomState(seed).uniform(-1, 1, (n, *shape)).astype(np.float32)


def test_columns_are_the_means_of_the_maps_in_grey_levels():
    X = np.ones((3, 9, 11, 1), np.float32) * np.array([-1, 0, 1], np.float32)[:, None, None, None]
    blocks = TrunkColumns(eye()).transform(X)
    assert list(blocks) == ["trunk0"]
    np.testing.assert_allclose(blocks["trunk0"], np.repeat([[0], [127.5], [255]], 3, axis=1), rtol=1e-6)


@pytest.mark.parametrize("n", [1, 4, 16])
def test_a_row_does_not_depend_on_the_rows_beside_it(n):
    X = images(19)
    columns = TrunkColumns("auto")
    whole, part = columns.transform(X), columns.transform(X[-n:])
    assert {name: block.dtype for name, block in part.items()} == dict.fromkeys(whole, np.dtype(np.float32))
    for name, block in part.items():
        np.testing.assert_array_equal(block, whole[name][-n:], err_msg=name)


def test_small_images_are_enlarged_for_the_embedded_network():
    blocks = TrunkColumns("auto").transform(images(2, (8, 8, 1)))
    assert all(np.isfinite(block).all() and block.std() > 0 for block in blocks.values())


def test_mirrored_averages_over_the_mirror_image():
    X = images(3)
    both, one = TrunkColumns("auto", mirrored=True), TrunkColumns("auto")
    ways = one.transform(X), one.transform(X[:, :, ::-1])
    for name, block in both.transform(X).items():
        np.testing.assert_allclose(block, (ways[0][name] + ways[1][name]) / 2, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("channels", "expected"), [([5], [5, 5, 5]), ([5, 9], [5, 9, 7]), ([5, 9, 1], [5, 9, 1]), ([5, 9, 1, 3], [5, 9, 1])]
)
def test_one_to_four_channels_become_colours(channels, expected):
    X = np.full((2, 4, 4, len(channels)), channels, np.float32)
    np.testing.assert_array_equal(as_colour(X), np.full((2, 4, 4, 3), expected, np.float32))


def test_a_half_is_the_average_of_four_pixels():
    X = images(2, (8, 6, 2))
    np.testing.assert_allclose(resized(X, (4, 3)), X.reshape(2, 4, 2, 3, 2, 2).mean((2, 4)), atol=1e-6)


def test_a_ramp_stays_one_when_it_is_enlarged():
    ramp = np.tile(np.arange(8, dtype=np.float32)[None, :, None, None], (1, 1, 5, 1))
    large = resized(ramp, (32, 10))[0, 4:-4, :, 0]
    np.testing.assert_allclose(np.diff(large, axis=0), 0.25, atol=1e-5)
    np.testing.assert_allclose(large, large[:, :1].repeat(10, axis=1), atol=1e-6)


@pytest.mark.parametrize("backbone", ["auto", "own"])
def test_columns_survive_pickling(backbone):
    columns = TrunkColumns(eye() if backbone == "own" else backbone)
    X = images(2)
    before = columns.transform(X)
    content = pickle.dumps(columns)
    assert len(content) < 100_000  # the embedded network is not saved with it
    for name, block in pickle.loads(content).transform(X).items():
        np.testing.assert_array_equal(block, before[name])


def test_the_images_are_not_changed():
    X = images(3)
    before = X.copy()
    TrunkColumns(eye(), mirrored=True).transform(X)
    np.testing.assert_array_equal(X, before)


def test_values_that_are_not_finite_are_named():
    image = keras.Input((8, 8, 3))
    broken = keras.Model(image, keras.layers.Rescaling(np.inf)(image), name="broken")
    with pytest.raises(ValueError, match=r"backbone='broken' gives values that are not finite"):
        TrunkColumns(broken).transform(images(1))
