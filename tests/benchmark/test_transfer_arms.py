"""Transfer learning beside the other arms."""

import keras
import numpy as np
import pytest
from protocol import NB
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from tiny import flat_classes

from sklearn_medgan.benchmark import ARMS, Fold, _transfer_arms, diagnostic_benchmark, transfer_arms
from sklearn_medgan.benchmark._transfer_arms import C_VALUES, with_chosen_c

FEATURES, BESIDE, TUNED = transfer_arms()


def trunk(side=8):
    """A network of two maps: red of the image, and red with green of the image at half the size."""
    image = keras.Input((side, side, 3))
    red = keras.layers.Conv2D(1, 1, use_bias=False, trainable=False)
    two = keras.layers.Conv2D(2, 1, use_bias=False, trainable=False)
    model = keras.Model(image, [red(image), two(keras.layers.AveragePooling2D(2)(image))])
    red.set_weights([np.array([1.0, 0, 0]).reshape(1, 1, 3, 1)])
    two.set_weights([np.eye(3)[:, :2].reshape(1, 1, 3, 2)])
    return model


def fold_of(X, y, X_test=None, groups=None):
    groups = np.arange(len(X)) if groups is None else groups
    return Fold(X, y, groups, X[:5] if X_test is None else X_test, ("all", 0, 0))


def colours(n=24, side=8):
    return np.random.RandomState(0).randint(0, 256, (n, side, side, 3)).astype(np.uint8), np.arange(n) % 2


def columns_of(name, fold, classifier=None):
    arm = transfer_arms(trunk())[name]
    return arm.prepare(fold, arm.fit_shared(fold), GaussianNB() if classifier is None else classifier)


def test_columns_are_standardised_means_of_each_map_at_equal_weight():
    X, y = colours()
    columns = columns_of(FEATURES, fold_of(X, y))
    means = X.mean((1, 2))[:, [0, 0, 1]]
    expected = StandardScaler().fit_transform(means) / np.sqrt([2, 4, 4])
    assert pytest.approx(expected, abs=1e-4) == columns.X
    assert columns.X_test == pytest.approx(expected[:5], abs=1e-4)


def test_pixels_beside_them_have_the_same_weight_as_they_have_together():
    X, y = colours()
    alone, beside = (columns_of(name, fold_of(X, y)) for name in (FEATURES, BESIDE))
    assert np.array_equal(beside.X[:, :3], alone.X)
    pixels = StandardScaler().fit_transform(X.reshape(24, -1).astype(float)) / np.sqrt(8 * 8 * 3)
    assert beside.X[:, 3:] == pytest.approx(pixels, abs=1e-4)


def test_pixels_are_those_of_the_image_at_64_at_most():
    columns = columns_of(BESIDE, fold_of(*colours(6, side=128)))
    assert columns.X.shape == (6, 3 + 64 * 64 * 3)


def test_nothing_is_learned_from_test_rows():
    X, y = colours()
    bright = np.full((3, 8, 8, 3), 255, np.uint8)
    one, other = (columns_of(BESIDE, fold_of(X, y, test)) for test in (X[:3], bright))
    assert np.array_equal(one.X, other.X)


def test_the_intensity_scale_is_that_of_the_training_rows():
    X, y = colours()
    as_they_are, hounsfield = (columns_of(FEATURES, fold_of(rows, y)) for rows in (X, X.astype(np.int16) * 8 - 1000))
    assert pytest.approx(as_they_are.X, abs=1e-3) == hounsfield.X


@pytest.mark.parametrize(
    ("classifier", "name"),
    [(SVC(), "C"), (LogisticRegression(), "C"), (make_pipeline(StandardScaler(), SVC()), "svc__C")],
)
def test_c_is_chosen_on_inner_folds_by_group(classifier, name):
    X, y = colours(24)
    groups = np.arange(24) // 2 % 6 * 2 + y
    search = columns_of(FEATURES, fold_of(X, y, groups=groups), classifier).classifier
    assert isinstance(search, GridSearchCV)
    assert search.param_grid == {name: C_VALUES}
    for train, held_out in search.cv:
        assert not set(groups[train]) & set(groups[held_out])
    assert sorted(np.concatenate([held_out for _, held_out in search.cv])) == list(range(24))


def test_a_classifier_without_c_and_rows_that_cannot_be_split_stay_as_they_are():
    X, y = colours()
    naive, svc = GaussianNB(), SVC(C=7)
    assert with_chosen_c(naive, fold_of(X, y)) is naive
    assert with_chosen_c(svc, fold_of(X, y, groups=y)) is svc


@pytest.mark.slow
def test_arms_through_the_benchmark():
    X, y = flat_classes(n=9)
    arms = transfer_arms(trunk(), max_iter=1)
    result = diagnostic_benchmark(X, y, arms=arms, classifiers={"SVC": SVC(C=10), **NB}, seeds=0, n_splits=3)
    assert not result.failures
    by_arm = {(row["arm"], row["classifier"]): row for row in result.table}
    assert by_arm[FEATURES, "SVC"]["balanced_accuracy"] == by_arm[BESIDE, "SVC"]["balanced_accuracy"] == 1
    assert by_arm[TUNED, "SVC"]["balanced_accuracy"] == by_arm[TUNED, "nb"]["balanced_accuracy"]
    assert any(note.startswith(f"{FEATURES} + SVC, all: C ") for note in result.notes)
    assert any(note.startswith(f"{TUNED} + SVC, all: batches 1") for note in result.notes)


def test_all_classifiers_share_one_fine_tuning(monkeypatch):
    fits = []

    class Told:
        n_iter_ = 5

        def __init__(self, **parameters):
            self.parameters = parameters

        def get_params(self, deep=True):
            return self.parameters

        def fit(self, X, y):
            fits.append((len(X), self.parameters["random_state"]))
            return self

        def predict_proba(self, X):
            return np.eye(2)[(X.mean((1, 2)) > 100).astype(int)]

    monkeypatch.setattr(_transfer_arms, "FineTunedNetwork", Told)
    X, y = flat_classes(n=8)
    arms = {TUNED: transfer_arms(trunk())[TUNED]}
    result = diagnostic_benchmark(X, y, arms=arms, classifiers={"SVC": SVC(), **NB}, seeds=(0, 1), n_splits=2)
    assert not result.failures
    assert len(fits) == 4
    assert len(set(fits)) == 4  # a seed of its own each
    assert {row["balanced_accuracy"] for row in result.table if row["arm"] == TUNED} == {1.0}
    assert {row["auc"] for row in result.table if row["arm"] == TUNED} == {1.0}


def test_the_frozen_network_is_in_the_protocol_and_the_long_training_is_asked_for():
    assert {FEATURES, BESIDE} < set(ARMS)
    assert TUNED not in ARMS
    assert ARMS[FEATURES].missing(is_images=False) == "it needs images, and the rows are a table"
    assert transfer_arms(trunk())[FEATURES].needs == ()


def test_weights_that_are_not_installed_leave_the_arms_out(monkeypatch):
    monkeypatch.setattr(_transfer_arms, "LITE0", "no_such_module")
    assert transfer_arms()[FEATURES].missing(is_images=True) == "no_such_module is not installed"
