"""Rows of an augmenter, metadata of one value a row, and seeds of parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from .._sklearn_compat import _num_samples, _set_random_states


def draw_rows(
    augmenter: Any, X: ArrayLike, y: ArrayLike, labels: np.ndarray, random_state: int | None
) -> tuple[Any, Any]:
    """Draw synthetic rows of these labels; return rows and labels. By `resample` where an augmenter has it."""
    if hasattr(augmenter, "resample"):
        return augmenter.resample(X, y, labels=labels, random_state=random_state)
    return augmenter.sample(y=labels, random_state=random_state)


def seed_parts(random_state: int | np.random.RandomState | None, *estimators: Any) -> int | None:
    """Set every random_state parameter, nested ones too, from one; return a seed for what is drawn besides."""
    if random_state is None:
        return None
    rng = check_random_state(random_state)
    for estimator in estimators:
        _set_random_states(estimator, rng)
    return int(rng.randint(2**31 - 1))


def is_one_a_row(value: object, n_samples: int) -> bool:
    if isinstance(value, (str, bytes, Mapping)):
        return False
    try:
        return _num_samples(value) == n_samples
    except TypeError:
        return False
