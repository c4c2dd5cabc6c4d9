"""What the metrics accept as rows, and how rows become features."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse


def as_rows(X: ArrayLike, name: str, fewest: int) -> np.ndarray:
    """Return `X` as an array of finite numbers, rows first, of two or more dimensions."""
    array = as_numbers(X, name)
    if array.ndim < 2:
        raise ValueError(
            f"{name} must hold one row a sample: a table (n, n_features) or images (n, height, width[, channels]); got "
            f"shape {array.shape}. A single column is X[:, None], a single row X[None]."
        )
    if len(array) < fewest or array.size == 0:
        raise ValueError(
            f"{name} must hold at least {fewest} row(s) of at least one value; got shape {array.shape}. Pass more rows."
        )
    return array


def as_numbers(X: ArrayLike, name: str) -> np.ndarray:
    """Return `X` as an array of finite real numbers."""
    if issparse(X):
        raise TypeError(f"{name} must be a dense array; got a sparse {type(X).__name__}. Pass {name}.toarray().")
    try:
        array = np.asarray(X)
        array = array.astype(np.float64) if array.dtype.kind == "O" else array
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must be an array of numbers, all rows equally large; got {type(X).__name__} that is none "
            f"({error}). Resize the images, or encode the columns as numbers."
        ) from error
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be an array of real numbers; got dtype {array.dtype}. Convert it to floats.")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite; got NaN or infinity. Impute the values or leave those rows out.")
    return array


def flatten(rows: np.ndarray) -> np.ndarray:
    return rows.reshape(len(rows), -1)


def feature_rows(sets: Mapping[str, ArrayLike], features: Any, fewest: int = 2) -> list[np.ndarray]:
    """Return the features of each set of rows, by its name for messages, float64 (n, d) with one d.

    `features`, a callable or an object with `transform`, maps rows, in the form in which they were passed, to (n, d);
    None: they are flattened.
    """
    found = {name: _features_of(X, name, features, fewest) for name, X in sets.items()}
    check_widths(found)
    return list(found.values())


def check_widths(sets: Mapping[str, Any]) -> None:
    """Raise a ValueError unless all sets, tables by name, have equally many columns."""
    widths = {name: np.shape(rows)[1] for name, rows in sets.items()}
    if len(set(widths.values())) > 1:
        listed = ", ".join(f"{name} has {width}" for name, width in widths.items())
        raise ValueError(f"All rows must have equally many values (or features); {listed}. Resize the images.")


def _features_of(X: ArrayLike, name: str, features: Any, fewest: int) -> np.ndarray:
    rows = as_rows(X, name, fewest)
    if features is None:
        return flatten(rows).astype(np.float64)
    container = X if hasattr(X, "columns") else rows  # a frame keeps the names that a transformer was fitted with
    mapped = as_numbers(_as_function(features)(container), f"features of {name}")
    if mapped.ndim != 2 or len(mapped) != len(rows) or mapped.shape[1] == 0:
        raise ValueError(
            f"features must map {len(rows)} rows of {name} to an array of shape ({len(rows)}, n_features); got shape "
            f"{mapped.shape}. Flatten what it returns."
        )
    return mapped.astype(np.float64)


def _as_function(features: Any) -> Callable[[Any], Any]:
    function = getattr(features, "transform", features)
    if not callable(function):
        raise TypeError(
            f"features must be a function of rows or a fitted transformer; got {features!r}. Pass for example "
            "PCA(20).fit(X_real)."
        )
    return function


def evenly(n: int, most: int) -> np.ndarray:
    """Return the places of at most `most` of n rows, evenly spaced."""
    return np.linspace(0, n - 1, min(n, most)).astype(int)
