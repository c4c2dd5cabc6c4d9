"""Images that are not in memory: the same results as in memory, and never all of them read at once."""

import numpy as np
import pytest
from lazy_arrays import CountedRows
from scipy.stats import chisquare
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from tiny import gan, random_images

from sklearn_medgan import AugmentedClassifier, Pipeline, _lazy
from sklearn_medgan.augmentation import _canvas
from sklearn_medgan.augmentation._labels import drawing_probabilities
from sklearn_medgan.augmentation._representation import Moments
from sklearn_medgan.datasets import LazyImages

IMAGES = random_images(60, 24, 20)
MORE = random_images(30, 24, 20, seed=1)
LABELS = np.arange(60) % 3
ROW = IMAGES[0].nbytes


@pytest.fixture
def read_again(monkeypatch):
    """Nothing is kept for training, and no more than ten images are read at a time."""
    monkeypatch.setattr(_canvas, "MOST_KEPT", 0)
    monkeypatch.setattr(_lazy, "BYTES_AT_ONCE", 10 * ROW)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parameters", "dtype"),
    [
        pytest.param({}, np.uint8, marks=pytest.mark.backend),
        ({"gan_size": 12}, np.float32),
        ({"adversarial_weight": 0}, np.uint8),
    ],
    ids=str,
)
def test_results_are_those_in_memory(parameters, dtype, request):
    X, more = IMAGES.astype(dtype), MORE.astype(dtype)
    model = gan(max_iter=12, **parameters).fit(X, LABELS, X_unlabeled=more)
    request.getfixturevalue("read_again")
    lazy = CountedRows(X), CountedRows(more)
    again = gan(max_iter=12, **parameters).fit(lazy[0], LABELS, X_unlabeled=lazy[1])
    np.testing.assert_array_equal(again.transform(X), model.transform(X))
    np.testing.assert_array_equal(again.transform(CountedRows(X)), model.transform(X))
    assert again.history_ == model.history_
    if model.adversarial_weight:
        np.testing.assert_array_equal(again.sample(3, random_state=0)[0], model.sample(3, random_state=0)[0])
    for source in lazy:
        assert 0 < max(source.reads) <= 10 * X[0].nbytes


def test_rows_kept_for_training_are_read_in_bounded_parts_too(monkeypatch):
    monkeypatch.setattr(_lazy, "BYTES_AT_ONCE", 10 * ROW)
    source = CountedRows(IMAGES)
    model = gan().fit(source, LABELS)
    assert max(source.reads) <= 10 * ROW
    np.testing.assert_array_equal(model.transform(IMAGES), gan().fit(IMAGES, LABELS).transform(IMAGES))


@pytest.mark.backend
def test_the_steps_draw_every_row_equally_often():
    """Of what training asks for: chi-square of 300 rows over 40 intervals."""
    from sklearn_medgan.gan.training import Configuration, Data, compiled_program, drawn

    asked = []

    class Rows:
        def __getitem__(self, places):
            asked.append(places)
            return np.zeros((len(places), 8, 8, 1), np.float32)

    n = 300
    labels = np.zeros((n, 2), np.float32)
    labels[:200, 0], labels[200:, 1] = 1, 1  # classes equally often: rows of the second one twice as often
    program = compiled_program(Configuration("conv", (8, 8, 1), 2, batch_size=64, width=4, class_steps=2))
    data = Data(Rows(), labels, drawing_probabilities(labels))
    for step in range(0, 400, 10):
        drawn(program, data, np.array([5, 0], np.int32), step, 10)
    counts = np.bincount(np.concatenate(asked), minlength=n)
    n_drawn = 400 * (64 + 2 * 32)
    assert n_drawn - 20 < counts.sum() <= n_drawn  # two equal numbers of an interval are one row, asked for once
    expected = counts.sum() * np.r_[np.full(200, 1 / 400), np.full(100, 1 / 200)]
    assert 0.01 < chisquare(counts, expected).pvalue < 0.99
    first = np.concatenate(asked[:20]), np.concatenate(asked[20:])
    assert np.corrcoef(*[np.bincount(part, minlength=200)[:200] for part in first])[0, 1] < 0.2  # drawn anew each time


@pytest.mark.filterwarnings("ignore:Rows that were added start")
def test_rows_are_added_behind_the_given_ones(read_again):
    source = CountedRows(IMAGES)
    grown, y = gan(ratio=1.5).fit_resample(source, LABELS)
    expected, y_expected = gan(ratio=1.5).fit_resample(IMAGES, LABELS)
    np.testing.assert_array_equal(grown, expected)
    np.testing.assert_array_equal(y, y_expected)
    assert max(source.reads) <= 10 * ROW


def test_augmented_classifier_leaves_them_where_they_are(read_again):
    classifier = AugmentedClassifier(KNeighborsClassifier(3), gan(), dose=0.5, random_state=0)
    source = CountedRows(IMAGES)
    found = classifier.fit(source, LABELS).predict_proba(source)
    np.testing.assert_array_equal(found, classifier.fit(IMAGES, LABELS).predict_proba(IMAGES))
    assert max(source.reads) <= 10 * ROW


def test_pipelines_and_folds(read_again):
    pipe = Pipeline([("aug", gan()), ("clf", KNeighborsClassifier(3))])
    expected = cross_val_score(pipe, IMAGES, LABELS, cv=2, error_score="raise")
    source = CountedRows(IMAGES)
    found = cross_val_score(pipe, LazyImages(source), LABELS, cv=2, error_score="raise")
    np.testing.assert_array_equal(found, expected)
    assert max(source.reads) <= 10 * ROW


@pytest.mark.parametrize("sizes", [(1, 1, 48), (50,), (13, 36, 1)], ids=str)
def test_moments_of_rows_that_come_some_at_a_time(sizes):
    rows = np.random.RandomState(0).normal(1000, np.linspace(0.01, 5, 600), (50, 600)).astype(np.float32)
    rows[:, 7] = 1 / 3
    moments = Moments(600)
    for part in np.split(rows, np.cumsum(sizes)[:-1]):
        moments.add(part)
    location, weight = moments.scaled(0.3, 2, n_rows=10**9)
    spread = rows.astype(np.float64).std(0)
    spread[7] = np.inf  # a constant column
    np.testing.assert_allclose(location, rows.mean(0, dtype=np.float64), rtol=1e-7)
    np.testing.assert_allclose(weight, 0.3 / (spread * np.sqrt(1200)), rtol=3e-7)


def test_pixels_alone_are_those_of_the_file():
    source = CountedRows(IMAGES)
    pixels = gan(representation="pixels").fit(source).transform(source)
    np.testing.assert_array_equal(pixels, IMAGES.reshape(60, -1).astype(np.float32))


def broken(value):
    X = IMAGES.astype(np.float32)
    X[41, 3, 2] = value
    return X


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (broken(np.nan), "Input X contains NaN"),
        (broken(-np.inf), "Input X contains infinity"),
        (IMAGES[:1], "minimum of 2"),
        (np.zeros((4, 3, 24, 20)), "channels on the last axis"),
        (np.zeros((4, 4, 20)), "at least 8 pixels"),
        (np.zeros((4, 8, 8, 8, 1)), r"shape \(4, 8, 8, 8, 1\)"),
        (np.zeros((4, 8, 8), complex), "Complex data not supported"),
    ],
)
def test_bad_images_are_refused_in_the_same_words(X, message):
    with pytest.raises(ValueError, match=message):
        gan().fit(CountedRows(X))
    with pytest.raises(ValueError, match=message):
        gan().fit(X)


def test_other_shapes_and_units_than_at_fit_are_noticed():
    model = gan().fit(CountedRows(IMAGES))
    with pytest.raises(ValueError, match=r"was fitted on images of shape \(24, 20, 1\)"):
        model.transform(CountedRows(IMAGES[:, :20]))
    with pytest.warns(UserWarning, match="Pass images in the units of fit"):
        model.transform(CountedRows(IMAGES.astype(np.float32) * 100))
