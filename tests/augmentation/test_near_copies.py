"""Samples that come near real rows are drawn again or left out, and rows that start from real ones are told of."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from tiny import gan, random_images

from sklearn_medgan import Pipeline
from sklearn_medgan.augmentation._near_copies import RealRows
from sklearn_medgan.metrics import privacy_report

RNG = np.random.RandomState(0)
ROWS = RNG.normal(size=(120, 4)).clip(-1.2, 1.2) * [1, 10, 100, 0.1]  # ends that several share: none is cut
LABELS = np.arange(120) % 2
TRAIN, HELD_OUT = ROWS[:60], ROWS[60:]


@pytest.fixture(scope="module")
def fitted():
    return gan().fit(TRAIN, LABELS[:60])


def copying(monkeypatch, model, n_calls):
    """Let a model draw training rows in its first calls."""
    plain, calls = model._draw, []

    def draw(labels, rng):
        calls.append(len(labels))
        if len(calls) > n_calls:
            return plain(labels, rng)
        return model._canvas.codec.encode(TRAIN[np.arange(len(labels)) % len(TRAIN)])

    monkeypatch.setattr(model, "_draw", draw)
    return calls


def test_copies_are_drawn_again_and_the_report_finds_none_then(monkeypatch, fitted):
    calls = copying(monkeypatch, fitted, 1)
    with pytest.warns(UserWarning, match=r"60 of 60 samples were within 0\.5 of the usual distance between rows of X"):
        new, labels = fitted.sample(60, X=TRAIN, random_state=0)
    assert len(new) == len(labels) == 60
    assert calls[:2] == [60, 60]
    distances = np.linalg.norm((new[:, None] - TRAIN) / TRAIN.std(0), axis=2).min(1)
    between = np.linalg.norm((TRAIN[:, None] - TRAIN) / TRAIN.std(0), axis=2) + np.diag(np.full(60, np.inf))
    assert distances.min() > 0.5 * np.median(between.min(1)) - 1e-5

    class Shown:
        def sample(self, n, random_state=None):
            return new

    assert privacy_report(Shown(), TRAIN, HELD_OUT).leaks == ()


def test_what_stays_near_is_left_out(monkeypatch, fitted):
    copying(monkeypatch, fitted, 99)
    wanted = np.repeat([0, 1], 5)
    with pytest.warns(UserWarning, match="10 still came so near after 10 rounds, and are left out"):
        new, labels = fitted.sample(y=wanted, X=TRAIN)
    assert new.shape == (0, 4)
    assert labels.shape == (0,)


def test_without_rows_or_distance_nothing_is_compared(monkeypatch, fitted):
    copying(monkeypatch, fitted, 99)
    for more in ({}, {"X": TRAIN, "min_distance": 0}):  # warnings are errors
        np.testing.assert_allclose(fitted.sample(8, **more)[0], TRAIN[:8], rtol=0.5)


def test_a_distance_that_is_none_is_refused(fitted):
    for wrong in (-1, np.inf, "far"):
        with pytest.raises(ValueError, match="min_distance must be a number of at least 0"):
            fitted.sample(2, X=TRAIN, min_distance=wrong)


def test_a_distance_that_is_none_is_refused_without_rows_too(fitted):
    with pytest.raises(ValueError, match="min_distance must be a number of at least 0; got -1"):
        fitted.sample(2, min_distance=-1)


def test_rows_in_other_units_of_which_nothing_can_be_near_are_told_of():
    X, y = random_images(12, 8, 8), np.arange(12) % 2
    model = gan().fit(X, y)
    for use in (lambda rows: model.sample(3, X=rows), lambda rows: model.resample(rows, y, labels=[0, 1])):
        use(X)  # warnings are errors
        with pytest.warns(UserWarning, match="these range from 0 to 0.780.* units of fit") as told:
            use(X / 255)
        assert told[0].filename == __file__


def test_the_limit_goes_by_rows_that_differ():
    rows = np.arange(10.0)[:, None] ** 2
    assert RealRows.of(rows, 0.5).limit == 0.5 * np.median([1, 1, 3, 5, 7, 9, 11, 13, 15, 17])
    assert RealRows.of(np.repeat(rows, 3, axis=0), 0.5).limit == RealRows.of(rows, 0.5).limit
    single = RealRows.of(rows[[2, 2]], 0.5)
    assert single.near(np.array([[4.0], [4.001]])).tolist() == [True, False]


def test_rows_that_start_from_real_ones_are_told_of_where_they_leave():
    X, y = RNG.randint(0, 255, (20, 8, 8)).astype(np.uint8), np.arange(20) % 2
    with pytest.warns(UserWarning, match="start from real ones .* To hand rows on, set resampling='sample'"):
        gan().fit_resample(X, y)
    gan(resampling="sample").fit_resample(X, y)  # warnings are errors
    Pipeline([("gan", gan()), ("clf", LogisticRegression(max_iter=500))]).fit(X, y)
