"""An augmenter that keeps the interface of `GANAugmenter` and draws class means with noise, in microseconds."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_medgan._allocation import synthetic_counts


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
        self.classes_, codes = np.unique(np.zeros(len(rows)) if y is None else y, return_inverse=True)
        check_classification_targets(codes)
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
        counts = synthetic_counts(y, self.sampling_strategy, self.ratio)
        X_new, y_new = self.sample(y=np.repeat(self.classes_, list(counts.values())))
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
