"""The benchmark as a whole: what it takes, and how often it claims a gain."""

import numpy as np
import pytest
from protocol import CLUES, clues, row_of, run
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from sklearn_medgan.benchmark import Arm, Columns, diagnostic_benchmark
from sklearn_medgan.benchmark import _plan as _benchmark_design


def test_another_reference_can_be_named():
    result = run({"clues": CLUES, "mine": PCA(1)}, reference="clues")
    assert [r["arm"] for r in result.table if r["verdict"] == "reference"] == ["clues"]
    with pytest.raises(ValueError, match="reference='nothing' is no arm that can run"):
        run(reference="nothing")


def test_an_arm_that_cannot_run_here_is_left_out_and_said(monkeypatch):
    from sklearn_medgan.benchmark import _arms as _benchmark_arms

    monkeypatch.setattr(_benchmark_arms.importlib.util, "find_spec", lambda name: None)
    result = run(["none", "SMOTE", "HOG", "class weights"])
    assert [r["arm"] for r in result.table] == ["none", "class weights"]
    assert "Left out: SMOTE, since imblearn is not installed." in result.notes
    assert "Left out: HOG, since imblearn is not installed." not in result.notes
    assert any(note.startswith("Left out: HOG, since it needs images") for note in result.notes)


def test_an_estimator_is_no_table_of_arms():
    with pytest.raises(TypeError, match="arms must be a mapping by name, or names in"):
        run(PCA(2))


def test_classifiers_must_be_instances():
    with pytest.raises(TypeError, match="must be an instance with fit and predict"):
        run(classifiers={"nb": GaussianNB})


def test_arms_do_not_share_the_fit_of_another_function():
    arms = {
        f"of {k}": Arm("columns", clues, share="fits", fit_shared=fit)
        for k, fit in enumerate([lambda fold: "first", lambda fold: "second"])
    }
    with pytest.raises(ValueError, match="has share='fits' of another arm, but another fit_shared"):
        run(arms)


class Projection(TransformerMixin, BaseEstimator):
    """Random mixtures of the columns, other ones in every fit."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y):
        self.mixture_ = np.random.RandomState(self.random_state).standard_normal((X.shape[1], 3))
        return self

    def transform(self, X):
        return X @ self.mixture_


class NearestMean(ClassifierMixin, BaseEstimator):
    """The class whose mean is nearest: a classifier of no cost."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.means_ = np.stack([X[y == k].mean(axis=0) for k in self.classes_])
        return self

    def predict(self, X):
        return self.classes_[np.square(X[:, None] - self.means_).sum(-1).argmin(1)]


NEAREST = {"nearest": NearestMean()}


@pytest.fixture
def _split_once(monkeypatch):
    """Runs with the same labels have the same splits, which take most of the time of a run that trains nothing."""
    kept = {}

    def split(codes, groups, *rest):
        key = (codes.tobytes(), groups.tobytes(), *rest)
        if key not in kept:
            kept[key] = make(codes, groups, *rest)
        return kept[key]

    make = _benchmark_design.split
    monkeypatch.setattr(_benchmark_design, "split", split)


@pytest.mark.slow
@pytest.mark.usefixtures("_split_once")
@pytest.mark.parametrize("shuffled", [True, False], ids=["labels shuffled", "two copies of an arm"])
def test_null_runs_rarely_claim_a_gain(shuffled):
    rng, n_runs, claimed = np.random.RandomState(0), 100, 0
    for _ in range(n_runs):
        y = np.arange(120) % 2
        rows = rng.standard_normal((120, 6)) + 0.4 * y[:, None]
        rows = rng.permutation(rows) if shuffled else rows  # as good as labels, and splits stay the same
        arms = {"first": Projection(), "second": Projection()}
        result = diagnostic_benchmark(rows, y, arms=arms, classifiers=NEAREST, reference="first", n_splits=3)
        claimed += any(row["verdict"] == "gain" for row in result.table)
    assert claimed <= 0.05 * n_runs


@pytest.mark.slow
@pytest.mark.usefixtures("_split_once")
def test_a_planted_gain_of_five_points_is_found():
    rng, n_runs, found, gains = np.random.RandomState(0), 40, 0, []
    for _ in range(n_runs):
        y = np.arange(400) % 2
        clue = 2 * y - 1 + 1.19 * rng.standard_normal(400)  # right in 80 % of the rows
        worse = clue + 0.9 * rng.standard_normal(400)  # 75 %
        take = {n: Arm("columns", _one_column(i)) for i, n in enumerate(("worse", "better"))}
        rows = np.column_stack([worse, clue])
        result = diagnostic_benchmark(rows, y, arms=take, classifiers=NEAREST, reference="worse")
        gains.append(row_of(result, "better", "nearest")["difference"])
        found += row_of(result, "better", "nearest")["verdict"] == "gain"
    assert np.mean(gains) == pytest.approx(0.05, abs=0.01)
    assert found >= 0.8 * n_runs


def _one_column(i):
    return lambda fold, shared, classifier: Columns(fold.X[:, [i]], fold.y, fold.X_test[:, [i]])


def test_logistic_regression_runs_by_name():
    assert row_of(run(classifiers=["logistic"]), "clues", "logistic")["balanced_accuracy"] > 0.5
    assert row_of(run(classifiers=LogisticRegression()), "clues", "LogisticRegression")["auc"] > 0.5
