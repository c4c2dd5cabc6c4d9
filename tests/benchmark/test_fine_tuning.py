"""A pretrained network that is trained on."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from tiny import flat_classes

from sklearn_medgan.benchmark import _fine_tuning as fine_tuning
from sklearn_medgan.benchmark._fine_tuning import FineTunedNetwork, rate_at

KINDS = np.array(["dark", "grey", "bright"])


class Counted(keras.layers.Layer):
    """Gives back its input, and counts how often it is traced."""

    traces = 0

    def call(self, x):
        Counted.traces += 1
        return x


def network(side=8, seed=0):
    """A small network with batch normalisation, whose map says where it is bright and where dark."""
    image = keras.Input((side, side, 3))
    x = keras.layers.Rescaling(1 / 127.5, -1.0)(image)
    x = keras.layers.Conv2D(4, 3, activation="relu", kernel_initializer=keras.initializers.GlorotUniform(seed))(x)
    return keras.Model(image, keras.layers.BatchNormalization()(x), name="small")


def tuned(**parameters):
    given = {"backbone": network(), "max_iter": 40, "batch_size": 8, "learning_rate": 0.05, "random_state": 0}
    return FineTunedNetwork(**{**given, **parameters})


def halves(n=20, side=8):
    """Images with noise, of which the left or the right half is bright."""
    rng = np.random.RandomState(0)
    X, y = rng.randint(0, 60, (n, side, side)), np.arange(n) % 2
    X[y == 0, :, : side // 2] += 150
    X[y == 1, :, side // 2 :] += 150
    return X.astype(np.uint8), y


def test_it_learns_what_the_averaged_map_alone_tells():
    X, y = flat_classes(levels=(10, 120, 240))
    model = tuned().fit(X, KINDS[y])
    assert model.classes_.tolist() == sorted(KINDS)
    assert (model.predict(X) == KINDS[y]).all()
    proba = model.predict_proba(X)
    assert proba.sum(1) == pytest.approx(1)
    assert (model.classes_[proba.argmax(1)] == KINDS[y]).all()


def test_it_learns_what_needs_new_filters(monkeypatch):
    """The mean of the frozen map cannot tell a left half from a right one but for the borders; trained filters can."""
    X, y = halves()
    assert (tuned(max_iter=150, learning_rate=0.02).fit(X, y).predict(X) == y).mean() >= 0.9


def test_the_backbone_and_the_images_stay_as_they_were():
    X, y = flat_classes()
    trunk, before = network(), X.copy()
    weights = [w.copy() for w in trunk.get_weights()]
    model = tuned(backbone=trunk, max_iter=5).fit(X, y)
    assert np.array_equal(X, before)
    assert all(np.array_equal(a, b) for a, b in zip(trunk.get_weights(), weights, strict=True))
    assert not np.array_equal(model.network_.get_weights()[0], weights[0])


def test_batch_normalisation_keeps_the_statistics_of_the_pretraining():
    X, y = flat_classes()
    model = tuned(max_iter=5).fit(X, y)
    trunk = next(layer for layer in model.network_.layers if isinstance(layer, keras.Model))
    (norm,) = (layer for layer in trunk.layers if isinstance(layer, keras.layers.BatchNormalization))
    assert np.array_equal(norm.moving_mean, np.zeros(4))
    assert np.array_equal(norm.moving_variance, np.ones(4))


def test_a_seed_decides_and_the_global_state_is_left_alone():
    X, y = flat_classes()
    np.random.seed(3)  # noqa: NPY002
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first, same, other = (tuned(max_iter=3, random_state=seed).fit(X, y).predict_proba(X) for seed in (0, 0, 1))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)
    assert np.array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_a_row_does_not_depend_on_the_rows_beside_it():
    X, y = flat_classes(levels=(10, 120, 240))
    model = tuned(max_iter=3).fit(X, y)
    assert np.array_equal(model.predict_proba(X)[-2:], model.predict_proba(X[-2:]))


def test_time_ends_the_training(monkeypatch):
    clock = iter(np.arange(0.0, 100.0, 2.5))
    monkeypatch.setattr(fine_tuning.time, "perf_counter", lambda: next(clock))
    X, y = flat_classes()
    assert tuned(max_time=10).fit(X, y).n_iter_ == 3  # asked after 2.5, 5, 7.5 and 10 seconds
    clock = iter(np.arange(0.0, 100.0, 0.01))
    assert tuned(max_time=1000, max_iter=4).fit(X, y).n_iter_ == 4


def test_the_learning_rate_rises_and_falls_to_nothing():
    rates = np.array([rate_at(p) for p in np.linspace(0, 1, 101)])
    assert rates[0] > 0
    assert rates.argmax() == 10
    assert rates.max() == pytest.approx(1)
    assert (np.diff(rates[10:]) <= 0).all()
    assert rates[-1] == pytest.approx(0, abs=1e-12)


def test_classes_come_in_equal_shares(monkeypatch):
    """Of 6 rows of one class and 60 of another, a batch holds as many."""
    drawn = []
    network = SimpleNamespace(optimizer=SimpleNamespace(), train_on_batch=lambda images, labels: drawn.append(labels))
    monkeypatch.setattr(fine_tuning, "pretrained_classifier", lambda *_: (network, (8, 8)))
    X, y = flat_classes(n=60)
    tuned(max_iter=50, batch_size=16).fit(X[54:], y[54:])
    assert np.concatenate(drawn).mean(0) == pytest.approx(0.5, abs=0.06)  # of 800 rows


@pytest.mark.parametrize("flip", [False, True])
def test_images_change_in_training_alone_and_are_mirrored_only_when_asked(flip):
    side, rng = 40, np.random.RandomState(0)
    image = keras.Input((side, side, 3))
    model = keras.Model(image, fine_tuning.moved(image, flip, rng))
    spot = np.zeros((side, side))
    spot[18:22, 8:12] = 200.0
    images = np.tile(spot[None, :, :, None], (200, 1, 1, 3)).astype(np.float32)
    assert np.array_equal(model(images, training=False), images)
    changed = np.array(model(images, training=True))
    weight = changed[..., 0] - changed[..., 0].min((1, 2), keepdims=True)
    rows, columns = (np.array([(w * place).sum() / w.sum() for w in weight]) - 19.5 for place in np.mgrid[:side, :side])
    assert (columns > 0).mean() == pytest.approx(0.5 if flip else 0, abs=0.1)
    shift, zoom, turn = fine_tuning.SHIFT * side, 1 + fine_tuning.ZOOM, np.radians(fine_tuning.ROTATION)
    assert np.abs(rows).max() <= shift + 10 * zoom * np.sin(turn) + 1
    assert np.abs(np.abs(columns) - 10).max() <= shift + 10 * (zoom - np.cos(turn)) + 1
    assert rows.std() > 1
    assert len(np.unique(columns)) > 100  # each image by itself


def test_contrast_changes_around_the_mean_and_keeps_the_range():
    image = keras.Input((6, 6, 3))
    change = keras.Model(image, fine_tuning.moved(image, False, np.random.RandomState(0))).layers[-1]
    images = np.random.RandomState(0).uniform(100, 150, (30, 6, 6, 3)).astype(np.float32)
    changed = np.array(change(images, training=True))
    assert changed.mean((1, 2)) == pytest.approx(images.mean((1, 2)), rel=1e-5)
    factors = changed.std((1, 2, 3)) / images.std((1, 2, 3))
    assert fine_tuning.CONTRAST[0] - 1e-3 <= factors.min() < 0.9
    assert 1.1 < factors.max() <= fine_tuning.CONTRAST[1] + 1e-3
    assert np.array(change(images * 2, training=True)).max() <= 255


def test_the_network_is_traced_once_however_many_images_are_classified():
    X, y = flat_classes()
    image = keras.Input((8, 8, 3))
    model = tuned(backbone=keras.Model(image, Counted()(image)), max_iter=2).fit(X, y)
    model.predict_proba(X[:2])
    traces = Counted.traces
    model.predict_proba(X)
    model.predict(X[:5])
    assert Counted.traces == traces


@pytest.mark.slow
def test_the_embedded_network_takes_a_step():
    X, y = flat_classes(n=2)
    model = FineTunedNetwork(side=32, max_iter=1, batch_size=2, random_state=0).fit(X, y)
    assert model.predict_proba(X).shape == (4, 2)
    assert len(model.network_.trainable_variables) > 90  # all layers


def test_it_needs_a_network():
    with pytest.raises(ValueError, match="needs a backbone; got None"):
        tuned(backbone=None).fit(*flat_classes())
