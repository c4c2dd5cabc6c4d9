"""Class labels on their way to the networks and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.multiclass import check_classification_targets

from .._base import warn_caller
from .._sklearn_compat import _check_y
from .._validation import check_same_length

FEWEST_ROWS = 3  # of a class, without a warning


def check_labels(X: ArrayLike, y: ArrayLike, name: str) -> np.ndarray:
    if np.ma.is_masked(y):
        raise ValueError("y contains masked values. Expected a label for each row; leave the others out.")
    y = np.asarray(_check_y(y, estimator=name))
    check_same_length(X, y)
    check_classification_targets(y)
    return y


def encode_labels(
    X: ArrayLike, y: ArrayLike | None, n_rows: int, name: str, goes_on: bool, known: np.ndarray | None
) -> tuple[np.ndarray | None, np.ndarray]:
    """Return classes and one-hot labels; (None, a column of zeros) without labels.

    A fit that goes on keeps the classes `known` from the earlier one.
    """
    if y is None:
        if known is not None:
            raise ValueError(
                "warm_start=True: the earlier fit had labels; got y=None. Pass y, or set warm_start=False."
            )
        return None, np.zeros((n_rows, 1), np.float32)
    y = check_labels(X, y, name)
    if goes_on and (known is None or not np.isin(y, known).all()):
        raise ValueError(
            f"warm_start=True: the earlier fit had classes {known!r}; got {np.unique(y)!r}. Set warm_start=False."
        )
    classes, labels = one_hot(y, known)
    few = [label for label, n in zip(classes.tolist(), labels.sum(0), strict=False) if 0 < n < FEWEST_ROWS]
    if few:
        warn_caller(
            f"{name}: classes {few} have fewer than {FEWEST_ROWS} training rows. What is drawn of them shows these "
            "rows; collect more, or leave the class out.",
            UserWarning,
        )
    return classes, labels


def one_hot(y: np.ndarray, known: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted classes, those `known` from an earlier fit where given, and one-hot labels, padded."""
    classes, codes = np.unique(y, return_inverse=True)
    if known is not None:
        codes, classes = np.searchsorted(known, y), known
    return classes, np.eye(n_label_columns(len(classes)), dtype=np.float32)[codes]


def n_label_columns(n_classes: int) -> int:
    """Return the width of one-hot labels: a power of two, for fewer shapes to compile; 1 without labels."""
    return max(2, 1 << (n_classes - 1).bit_length()) if n_classes else 1


def codes_of(y: Any, n_samples: int, classes: np.ndarray, name: str = "y") -> np.ndarray:
    """Return the positions in `classes` of one label for all rows, or of one label a row."""
    wanted = np.asarray(y)
    if wanted.ndim > 1 or (wanted.ndim == 1 and n_samples not in (1, len(wanted))):
        raise ValueError(
            f"{name} must be one label, or an array of as many labels as rows; got shape {wanted.shape} with "
            f"n_samples={n_samples}."
        )
    wanted = np.full(n_samples, wanted) if wanted.ndim == 0 else wanted
    position = {label: i for i, label in enumerate(classes.tolist())}
    unknown = sorted({str(label) for label in wanted.tolist() if label not in position})
    if unknown:
        raise ValueError(f"{name} holds labels that were not seen at fit: {unknown}. Known: {classes.tolist()}.")
    return np.array([position[label] for label in wanted.tolist()], dtype=int)


def drawing_probabilities(labels: np.ndarray) -> np.ndarray:
    """Return the cumulative probability of each row: classes equally often, rows without a label at most every second.

    `labels` are one-hot (n, n_classes), zeros for a row without a label.
    """
    counts = labels.sum(0)
    n_unlabeled = int((labels.sum(1) == 0).sum())
    share = 1.0 if not counts.any() else min(0.5, n_unlabeled / len(labels))
    present = np.maximum((counts > 0).sum(), 1)
    weights = (labels / np.maximum(counts, 1)).sum(1, dtype=np.float64) * (1.0 - share) / present
    weights[labels.sum(1) == 0] = share / max(n_unlabeled, 1)
    return np.cumsum(weights / weights.sum()).astype(np.float32)
