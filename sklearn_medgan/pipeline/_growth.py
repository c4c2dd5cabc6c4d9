"""How many rows a step added, which of them are real, and what that makes of metadata."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from .._allocation import synthetic_weights
from .._sklearn_compat import _num_samples, _safe_indexing
from ._rows import is_one_a_row


class Growth(NamedTuple):
    """Rows that one step added."""

    step: str
    y_before: Any
    y_after: Any
    origins: np.ndarray | None  # row that each row is a copy of, -1 for a synthetic one; None: unknown


def is_resampler(step: object) -> bool:
    return hasattr(step, "fit_resample")


def is_sampler(step: object) -> bool:
    """Return whether a step only resamples, as those of imbalanced-learn."""
    return is_resampler(step) and not hasattr(step, "transform")


def origins_of(step: object, X: ArrayLike, X_grown: ArrayLike) -> np.ndarray | None:
    """Return the row of ``X`` that each grown row copies, -1 for a synthetic one; None where it cannot be told."""
    n_before, n_after = _num_samples(X), _num_samples(X_grown)
    if hasattr(step, "sample_indices_"):
        return np.asarray(step.sample_indices_)
    if is_sampler(step) and not starts_with(X_grown, X):
        return None
    return np.where(np.arange(n_after) < n_before, np.arange(n_after), -1)


def starts_with(X_grown: ArrayLike, X: Any) -> bool:
    """Return whether rows, or labels, begin with those of ``X``."""
    n_before = _num_samples(X)
    if _num_samples(X_grown) < n_before:
        return False
    head = _safe_indexing(X_grown, slice(n_before))
    if sparse.issparse(X):
        return (head != X).nnz == 0
    return np.array_equal(np.asarray(head), np.asarray(X))


def grow(value: Any, key: str, step: str, growths: list[Growth]) -> Any:
    """Extend metadata of one value a row to the rows that were added since."""
    for growth in growths:
        n_before = _num_samples(growth.y_before)
        weighs = key == "sample_weight" and np.ndim(value) > 0
        if not weighs and not is_one_a_row(value, n_before):
            continue
        if growth.origins is None:
            reason = "mixes real rows with new ones and does not tell which is which"
        elif not weighs and np.any(growth.origins < 0):
            reason = "adds synthetic rows, to which only sample_weight can be extended"
        else:
            value = _grow_weights(value, growth) if weighs else _safe_indexing(value, growth.origins)
            continue
        raise ValueError(
            f"{key!r} of step {step!r} has one value for each of the {n_before} rows given, but step "
            f"{growth.step!r} {reason}. Leave out {key!r}, or step {growth.step!r}."
        )
    return value


def _grow_weights(sample_weight: ArrayLike, growth: Growth) -> np.ndarray:
    weights = np.asarray(sample_weight, dtype=np.float64)
    origins = np.asarray(growth.origins)
    synthetic = origins < 0
    added = synthetic_weights(growth.y_before, weights, np.asarray(growth.y_after)[synthetic])
    grown = weights[origins]
    grown[synthetic] = added
    return grown
