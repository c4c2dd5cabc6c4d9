"""A small table, arms and classifiers that the tests of the benchmark share."""

from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from sklearn_medgan.benchmark import Arm, Columns, diagnostic_benchmark

N = 72


QUICK = {"seeds": (0, 1), "n_splits": 3}


def table(n=N, n_classes=2, seed=0):
    """Rows whose columns are their number, their group of three, and two that tell the class with some noise."""
    rng = np.random.RandomState(seed)
    groups = np.arange(n) // 3
    y = (groups * 7) % n_classes
    clues = np.eye(n_classes)[y][:, :2] + rng.normal(0, 0.8, (n, 2))
    return np.column_stack([np.arange(n), groups, clues]), y, groups


X, Y, GROUPS = table()


NB = {"nb": GaussianNB()}


TREE = {"tree": DecisionTreeClassifier(splitter="random")}  # its seed matters


def clues(fold, shared=None, classifier=None):
    """An arm of columns: those that tell the class."""
    return Columns(fold.X[:, 2:], fold.y, fold.X_test[:, 2:])


CLUES = Arm("columns", clues)


def run(arms=None, classifiers=NB, data=(X, Y, GROUPS), **settings):
    rows, y, groups = data
    arms = {"clues": CLUES} if arms is None else arms
    return diagnostic_benchmark(rows, y, groups=groups, arms=arms, classifiers=classifiers, **{**QUICK, **settings})


def without_time(result):
    return result.to_frame().drop(columns="seconds")


def row_of(result, arm, classifier="nb", regime="all"):
    return next(r for r in result.table if (r["regime"], r["arm"], r["classifier"]) == (regime, arm, classifier))


class Recorder(TransformerMixin, BaseEstimator):
    """Passes columns on, and logs the rows it is fitted on (first column)."""

    fits: ClassVar[list] = []

    def fit(self, X, y):
        self.fits.append(np.asarray(X)[:, 0].astype(int))
        return self

    def transform(self, X):
        return X


class RecordingClassifier(ClassifierMixin, BaseEstimator):
    """Logs the rows of fit and predict (first column), and calls everything the first class."""

    calls: ClassVar[list] = []

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.fitted_ = (np.asarray(X)[:, 0].round().astype(int), np.asarray(y))
        return self

    def predict(self, X):
        self.calls.append((*self.fitted_, np.asarray(X)[:, 0].round().astype(int)))
        return np.full(len(X), self.classes_[0])


class FailsOn(TransformerMixin, BaseEstimator):
    """Cannot be fitted without a certain row."""

    def __init__(self, row=0):
        self.row = row

    def fit(self, X, y):
        if self.row not in X[:, 0]:
            raise RuntimeError(f"no row {self.row}")
        return self

    def transform(self, X):
        return X[:, 2:]
