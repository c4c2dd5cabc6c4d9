"""Estimators in place of real ones: an augmenter that draws in microseconds, a classifier that keeps what it saw."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.utils import assert_all_finite, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d, validate_data

from sklearn_medgan import GANAugmenter
from sklearn_medgan._allocation import synthetic_counts


def tiny(**params):
    """A GANAugmenter that is fitted in moments; where sizes are equal, tests share its compiled step."""
    small = {"backbone": None, "max_iter": 2, "width": 8, "latent_dim": 4, "n_patches": 16, "random_state": 0}
    return GANAugmenter(**{**small, **params})


class FakeAugmenter(TransformerMixin, BaseEstimator):
    """Draws the mean of a class with noise; transforms to the rows beside their sums.

    ``seen`` (a class attribute: it survives clones) logs the rows of every fit, ``drawn`` every synthetic row.
    """

    seen: ClassVar[list] = []
    seen_unlabeled: ClassVar[list] = []
    drawn: ClassVar[list] = []

    def __init__(self, *, sampling_strategy="auto", ratio=1.0, noise=0.0, random_state=None):
        self.sampling_strategy = sampling_strategy
        self.ratio = ratio
        self.noise = noise
        self.random_state = random_state

    @classmethod
    def forget(cls):
        for log in (cls.seen, cls.seen_unlabeled, cls.drawn):
            log.clear()

    def fit(self, X, y=None, *, X_unlabeled=None):
        rows = self._check_rows(X, reset=True)
        self.seen.append(rows)
        self.seen_unlabeled.append(None if X_unlabeled is None else np.asarray(X_unlabeled))
        labels = np.zeros(len(rows)) if y is None else _check_labels(rows, y)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        self.means_ = np.stack([rows[codes == code].mean(axis=0) for code in range(len(self.classes_))])
        self.like_, self.rng_ = X, check_random_state(self.random_state)
        return self

    def transform(self, X):
        check_is_fitted(self)
        rows = self._check_rows(X, reset=False)
        return np.column_stack([rows, rows.sum(axis=1)]).astype(np.float32)

    def sample(self, n_samples=1, *, y=None, random_state=None):
        check_is_fitted(self)
        rng = self.rng_ if random_state is None else check_random_state(random_state)
        labels = rng.choice(self.classes_, n_samples) if y is None else np.asarray(y)
        means = self.means_[np.searchsorted(self.classes_, labels)]
        rows = means + self.noise * rng.standard_normal(means.shape)
        self.drawn.append(rows)
        return _like(rows, self.like_), labels

    def fit_resample(self, X, y, *, X_unlabeled=None):
        self.fit(X, y, X_unlabeled=X_unlabeled)
        counts = synthetic_counts(_check_labels(X, y), self.sampling_strategy, self.ratio)
        X_new, y_new = self.sample(y=np.repeat(self.classes_, list(counts.values())))
        y = np.ravel(y) if np.asarray(y).ndim == 2 else y  # a column of labels, of which the check has warned
        return _append(X, X_new), _append(y, y_new.astype(np.asarray(y).dtype))

    def get_feature_names_out(self, input_features=None):
        names = getattr(self, "feature_names_in_", [f"x{i}" for i in range(self.n_features_in_)])
        return np.array([*names, "sum"], dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _check_rows(self, X, *, reset):
        if getattr(X, "ndim", 2) > 2:
            X = np.asarray(X).reshape(len(X), -1)
        return validate_data(self, X, reset=reset, dtype=np.float64, ensure_min_samples=2 if reset else 1)


class Recorder(ClassifierMixin, BaseEstimator):
    """Keeps what it was fitted on, and scores; predicts the first class."""

    def fit(self, X, y, sample_weight=None, groups=None):
        self.X_, self.y_, self.sample_weight_, self.groups_ = X, y, sample_weight, groups
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])

    def score(self, X, y, sample_weight=None):
        self.scored_ = X
        return super().score(X, y, sample_weight)


def _check_labels(X, y):
    check_consistent_length(X, y)
    labels = column_or_1d(y, warn=True)
    assert_all_finite(labels, input_name="y")
    check_classification_targets(labels)
    return labels


def _like(rows, X):
    """Rows in the container and dtype of ``X``, as the contract of `GANAugmenter` has it."""
    like = np.asarray(X)
    rows = rows.reshape(len(rows), *like.shape[1:]).astype(like.dtype)
    if type(X).__module__.startswith("pandas"):
        return type(X)(rows, columns=X.columns)
    if type(X).__module__.startswith("polars"):
        return type(X)(rows, schema=X.columns)
    return rows.tolist() if isinstance(X, list) else rows


def _append(first, second):
    if type(first).__module__.startswith("pandas"):
        import pandas as pd

        return pd.concat([first, type(first)(second)], ignore_index=True)
    if isinstance(first, list):
        return [*first, *second]
    return np.concatenate([np.asarray(first), np.asarray(second)])
