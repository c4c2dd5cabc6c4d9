"""An augmenter and a classifier that are fitted together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone

from .._allocation import dose_counts, synthetic_weights
from .._containers import join_rows
from .._sklearn_compat import _check_method_params, _check_sample_weight, _safe_indexing
from ._rows import draw_rows, seed_parts


class Parts(NamedTuple):
    """Unfitted clones of an augmenter and a classifier, seeded from one generator.

    `seed` is that of the synthetic rows, each of which weighs `synthetic_weight` times the mean of its class.
    """

    augmenter: Any
    estimator: Any
    synthetic_weight: float
    seed: int | None

    @classmethod
    def of(
        cls,
        augmenter: Any,
        estimator: Any,
        synthetic_weight: float,
        random_state: np.random.RandomState | None,
        fold: int | None = None,
    ) -> Parts:
        """Clone both; every ``random_state`` in them is set where one is given. A fold has its own checkpoint."""
        augmenter, estimator = clone(augmenter), clone(estimator)
        folder = getattr(augmenter, "checkpoint_dir", None)
        if folder is not None and fold is not None:
            augmenter.set_params(checkpoint_dir=str(Path(folder) / f"fold_{fold}"))
        return cls(augmenter, estimator, synthetic_weight, seed_parts(random_state, augmenter, estimator))

    def fit_classifier(self, X: ArrayLike, y: np.ndarray, dose: float, params: Mapping[str, Any]) -> Any:
        """Fit a clone of the classifier on real rows and a dose of synthetic ones, as columns of the augmenter."""
        X_new, y_all = self._new_rows(X, y, dose)
        params = self._weigh_rows(X, y, y_all, params)
        columns = training_columns(self.augmenter, X, y, X_new, y_all[len(y) :])
        return clone(self.estimator).fit(columns, y_all, **params)

    def predict_doses(
        self,
        X: ArrayLike,
        y: np.ndarray,
        split: tuple[np.ndarray, np.ndarray],
        doses: tuple[float, ...],
        routed: Mapping[str, Any],
    ) -> np.ndarray:
        """Predict held-out rows, (n_doses, n_test), by one augmenter and a classifier for each dose."""
        train, test = split
        X_train, y_train = _safe_indexing(X, train), y[train]
        self.augmenter.fit(X_train, y_train, **_of_rows(X, train, routed["augmenter"]["fit"]))
        params = _of_rows(X, train, routed["estimator"]["fit"])
        columns = transform(self.augmenter, _safe_indexing(X, test))
        return np.stack([self.fit_classifier(X_train, y_train, dose, params).predict(columns) for dose in doses])

    def _new_rows(self, X: ArrayLike, y: np.ndarray, dose: float) -> tuple[ArrayLike | None, np.ndarray]:
        """Synthetic rows, None where there are none, and the labels of the real ones and of these."""
        counts = dose_counts(y, dose)
        if not any(counts.values()):
            return None, y
        labels = np.repeat(np.unique(y), list(counts.values()))
        X_new, y_new = draw_rows(self.augmenter, X, y, labels, self.seed)
        return X_new, np.concatenate([y, np.asarray(y_new, dtype=y.dtype)])

    def _weigh_rows(
        self, X: ArrayLike, y: np.ndarray, y_all: np.ndarray, params: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """The classifier's fit parameters, its sample_weight extended to the synthetic rows."""
        n_real = len(y)
        if params.get("sample_weight") is None and (self.synthetic_weight == 1 or len(y_all) == n_real):
            return params
        weights = _check_sample_weight(params.get("sample_weight"), X)
        added = synthetic_weights(y, weights, y_all[n_real:], self.synthetic_weight)
        return {**params, "sample_weight": np.concatenate([weights, added])}


def training_columns(augmenter: Any, X: Any, y: ArrayLike, X_new: ArrayLike | None, y_new: ArrayLike) -> Any:
    """Return columns of real rows with those of added ones behind them; None of these adds nothing."""
    if X_new is None:
        return transform(augmenter, X)
    if hasattr(augmenter, "training_columns"):
        return augmenter.training_columns(X, y, X_new, y_new)
    return transform(augmenter, join_rows(X, X_new))


def transform(augmenter: Any, X: ArrayLike) -> Any:
    """Return the augmenter's columns of the rows; the rows themselves, where it makes none."""
    return augmenter.transform(X) if hasattr(augmenter, "transform") else X


def _of_rows(X: ArrayLike, rows: np.ndarray, params: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata of some rows of X; `X_unlabeled` is not of rows, even where it is as long as X."""
    unrelated = {key: value for key, value in params.items() if key == "X_unlabeled"}
    return {**_check_method_params(X, params, indices=rows), **unrelated}
