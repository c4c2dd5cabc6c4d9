"""Whether synthetic rows teach a classifier what real rows teach it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.metrics import check_scoring
from sklearn.utils.validation import assert_all_finite, column_or_1d

from ._rows import as_rows, check_widths, flatten


class TrainOnSyntheticScores(NamedTuple):
    """Scores on the same real test rows."""

    synthetic: float
    real: float | None
    ratio: float | None


def train_on_synthetic_score(
    estimator: BaseEstimator,
    X_synthetic: ArrayLike,
    y_synthetic: Any,
    X_test: ArrayLike,
    y_test: Any,
    *,
    X_real: ArrayLike | None = None,
    y_real: Any = None,
    scoring: str | Callable[..., float] | None = "balanced_accuracy",
) -> TrainOnSyntheticScores:
    """Return the score on real test rows of a classifier trained on synthetic rows only. Higher is better.

    Parameters
    ----------
    estimator : scikit-learn estimator
        Classifier (or regressor); clones of it are fitted, it stays as it is.
    X_synthetic : array-like of shape (n, n_features) or (n, height, width[, channels]), any real dtype
        Synthetic rows. Images are flattened.
    y_synthetic : array-like of shape (n,)
        Their labels.
    X_test, y_test : array-like
        Real rows and labels that nothing was trained on: neither the generator nor `estimator`.
    X_real, y_real : array-like, default=None
        Real training rows and labels to compare with: those that the generator was trained on.
    scoring : str, callable or None, default="balanced_accuracy"
        As in :func:`sklearn.model_selection.cross_val_score`; None is the estimator's own `score`.

    Returns
    -------
    scores : named tuple
        ``synthetic``: score after training on the synthetic rows. ``real``: after training on the real ones, None
        without `X_real`. ``ratio``: synthetic by real, 1 where synthetic rows teach as much; None without `X_real`, NaN
        where `real` is 0. It means little for scores that are negative or whose chance level is far from 0.

    Raises
    ------
    ValueError
        If rows and labels differ in number, rows differ in size, are not finite or no numbers, or only one of `X_real`
        and `y_real` is given.

    References
    ----------
    Esteban, Hyland and Ratsch, "Real-valued (medical) time series generation with recurrent conditional GANs", 2017
    (arXiv 1706.02633), section on "train on synthetic, test on real" (TSTR).

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_medgan.datasets import make_nodules
    >>> from sklearn_medgan.metrics import train_on_synthetic_score
    >>> X, y = make_nodules(150, image_size=16, random_state=0, return_X_y=True)
    >>> scores = train_on_synthetic_score(
    ...     LogisticRegression(max_iter=1000), X[:50], y[:50], X[50:100], y[50:100], X_real=X[100:], y_real=y[100:]
    ... )
    >>> scores.ratio == scores.synthetic / scores.real
    True
    """
    if (X_real is None) != (y_real is None):
        missing = "y_real" if y_real is None else "X_real"
        raise ValueError(f"X_real and y_real belong together; got no {missing}. Pass both, or neither.")
    sets = {"synthetic": (X_synthetic, y_synthetic), "test": (X_test, y_test), "real": (X_real, y_real)}
    sets = {name: _check_labelled(*pair, name) for name, pair in sets.items() if pair[0] is not None}
    check_widths({f"X_{name}": rows for name, (rows, _) in sets.items()})
    synthetic = _score(estimator, sets["synthetic"], sets["test"], scoring)
    if "real" not in sets:
        return TrainOnSyntheticScores(synthetic, None, None)
    real = _score(estimator, sets["real"], sets["test"], scoring)
    return TrainOnSyntheticScores(synthetic, real, synthetic / real if real else float("nan"))


def _score(estimator: BaseEstimator, rows: Any, test: Any, scoring: Any) -> float:
    model = clone(estimator).fit(*rows)
    return float(check_scoring(model, scoring=scoring)(model, *test))


def _check_labelled(X: Any, y: Any, name: str) -> tuple[Any, np.ndarray]:
    """Rows (flat, a table as it came) and labels."""
    rows = as_rows(X, f"X_{name}", 1)
    labels = column_or_1d(y)
    if labels.dtype.kind != "O":
        assert_all_finite(labels, input_name=f"y_{name}")
    if len(labels) != len(rows):
        raise ValueError(f"y_{name} must hold one label a row; got {len(labels)} labels for {len(rows)} rows.")
    return (X if hasattr(X, "columns") else flatten(rows)), labels
