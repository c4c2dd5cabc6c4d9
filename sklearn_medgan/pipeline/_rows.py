"""Drawing rows of an augmenter, and seeds of parts."""

from __future__ import annotations

from sklearn.utils import check_random_state

from .._sklearn_compat import _set_random_states


def draw_rows(augmenter, X, y, labels, random_state):
    """Synthetic rows of these labels, and the labels: by `resample` where an augmenter has it, else its samples."""
    if hasattr(augmenter, "resample"):
        return augmenter.resample(X, y, labels=labels, random_state=random_state)
    return augmenter.sample(y=labels, random_state=random_state)


def _seed_parts(random_state, *estimators):
    """Set every random_state parameter, nested ones too, from one; return a seed for what is drawn besides."""
    if random_state is None:
        return None
    rng = check_random_state(random_state)
    for estimator in estimators:
        _set_random_states(estimator, rng)
    return int(rng.randint(2**31 - 1))
