"""Whether synthetic rows give away the rows they were learned from."""

from __future__ import annotations

from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from .._parameters import check_whole
from ._neighbours import nearest_distances
from ._rows import feature_rows


class Memorisation(NamedTuple):
    """How near synthetic rows are to training rows, by what is to be expected."""

    ratio: float
    share_nearer: float | None


def memorisation_ratio(
    X_train: ArrayLike,
    X_synthetic: ArrayLike,
    X_reference: ArrayLike | None = None,
    *,
    features: Any = None,
    random_state: int | np.random.RandomState | None = 0,
) -> Memorisation:
    """Tell whether synthetic rows are nearer to training rows than to other real rows. About 1 is good, 0 a copy.

    Parameters
    ----------
    X_train : array-like of shape (n, n_features) or (n, height, width[, channels]), any real dtype
        The rows that the generator was trained on; two or more. Images are flattened.
    X_synthetic : array-like of the same row shape
        Rows that it made; two or more.
    X_reference : array-like of the same row shape, default=None
        Real rows of the same population that it was not trained on, from other patients; two or more.
    features : callable or fitted transformer, default=None
        Maps rows, in the form in which they were passed, to an array (n, d); an object with `transform` is asked for
        that. None: the flattened values.
    random_state : int, RandomState instance or None, default=0
        Which rows stand for the larger set where the numbers differ.

    Returns
    -------
    memorisation : named tuple
        ``ratio``: median over synthetic rows of the distance to the nearest training row divided by that to the nearest
        reference row, as if there were equally many of both. From 0; about 1 where nothing was memorised, well below 1
        where training rows are repeated. ``share_nearer``: share of synthetic rows nearer to a training row, ties by
        half; about 0.5 where nothing was memorised, 1 for copies.

        Without `X_reference`: ``ratio`` is the median of the distance to the nearest by that to the second nearest
        training row, 0 to 1, and ``share_nearer`` is None. Its value without memorisation depends on the data (about
        0.5 for a single column, towards 1 for many), so only figures near 0 speak for themselves.

    Raises
    ------
    ValueError
        If rows are too few, not finite, no numbers, or of different sizes.

    See Also
    --------
    membership_inference_auc : What an attacker gains from it.

    Notes
    -----
    The nearest of more rows is nearer. A larger reference is therefore cut to as many rows as `X_train`. A larger
    `X_train` is kept whole, or copies of the rows left out would go unseen; the distances to it are divided by the
    effect of its size, measured on reference rows: their median distance to all training rows, by that to as many
    training rows as there are reference rows.

    It is a median: a few copies among many new rows do not move it. Look at the nearest pairs too.

    References
    ----------
    Zhao, Kunar, Van der Scheer, Birke and Chen, "CTAB-GAN: effective table data synthesizing", 2021 (arXiv
    2102.08369), use the distance to the closest record, and the ratio of the nearest to the second nearest, as measures
    of privacy.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_medgan.metrics import memorisation_ratio
    >>> train, reference, new = np.random.default_rng(0).normal(size=(3, 300, 4))
    >>> memorisation_ratio(train, train, reference)
    Memorisation(ratio=0.0, share_nearer=1.0)
    >>> 0.8 < memorisation_ratio(train, new, reference).ratio < 1.25
    True
    """
    sets = {"X_train": X_train, "X_synthetic": X_synthetic, "X_reference": X_reference}
    rows = feature_rows({name: X for name, X in sets.items() if X is not None}, features)
    if X_reference is None:
        nearest, second = nearest_distances(rows[1], rows[0], 2).T
        return Memorisation(float(np.median(_ratio(nearest, second, equal=0.0))), None)
    train, synthetic, reference = rows
    to_train, to_reference = comparable_distances(train, synthetic, reference, check_random_state(random_state))
    nearer = (to_train < to_reference) + 0.5 * (to_train == to_reference)
    ratios = _ratio(to_train, to_reference, equal=1.0)
    return Memorisation(float(np.median(ratios)), float(nearer.mean()))


def comparable_distances(
    train: np.ndarray, synthetic: np.ndarray, reference: np.ndarray, rng: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Return distances of synthetic rows to the nearest training and reference row, as if both were equally many."""
    reference = _some(reference, len(train), rng)
    return to_nearest(synthetic, train) / _effect_of_size(train, reference, rng), to_nearest(synthetic, reference)


def to_nearest(rows: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Return the distance of each row to the nearest one among others."""
    return nearest_distances(rows, among)[:, 0]


def _some(rows: np.ndarray, n: int, rng: np.random.RandomState) -> np.ndarray:
    """At most n of the rows, drawn without replacement."""
    return rows if len(rows) <= n else rows[rng.choice(len(rows), n, replace=False)]


def _effect_of_size(train: np.ndarray, reference: np.ndarray, rng: np.random.RandomState) -> float:
    """By what factor all training rows are nearer to a new row than as many of them as there are reference rows."""
    if len(train) == len(reference):
        return 1.0
    few = np.median(to_nearest(reference, _some(train, len(reference), rng)))
    factor = np.median(to_nearest(reference, train)) / few if few > 0 else 1.0
    return factor if factor > 0 else 1.0


def _ratio(first: np.ndarray, second: np.ndarray, equal: float) -> np.ndarray:
    """Quotients; `equal` where both distances are 0."""
    quotient = np.divide(first, second, out=np.full(len(first), np.inf), where=second > 0)
    return np.where((first == 0) & (second == 0), equal, quotient)


def membership_inference_auc(
    X_members: ArrayLike,
    X_non_members: ArrayLike,
    X_synthetic: ArrayLike,
    *,
    features: Any = None,
    return_interval: bool = False,
    confidence: float = 0.95,
    n_bootstraps: int = 1000,
    random_state: int | np.random.RandomState | None = 0,
) -> float | tuple[float, tuple[float, float]]:
    """Tell how well an attacker who holds synthetic rows knows who was in the training data. 0.5 is good, 1 a leak.

    The attacker scores a real row by minus its distance to the nearest synthetic row.

    Parameters
    ----------
    X_members : array-like of shape (n, n_features) or (n, height, width[, channels]), any real dtype
        Rows that the generator was trained on; two or more. Images are flattened.
    X_non_members : array-like of the same row shape
        Rows of the same population that it was not trained on, from other patients; two or more.
    X_synthetic : array-like of the same row shape
        Rows that it made; two or more. The more there are, the stronger is the attack.
    features : callable or fitted transformer, default=None
        Maps rows, in the form in which they were passed, to an array (n, d); an object with `transform` is asked for
        that. None: the flattened values.
    return_interval : bool, default=False
        Whether to return a bootstrap interval too.
    confidence : float, default=0.95
        Of the interval, between 0 and 1.
    n_bootstraps : int, default=1000
        Draws of the interval.
    random_state : int, RandomState instance or None, default=0
        Which rows are drawn for the interval; the area itself has no randomness.

    Returns
    -------
    auc : float
        Area under the attacker's ROC curve, 0 to 1: the probability that a member scores higher than a non-member, ties
        by half. 0.5: no leak found. Below 0.5: members are *further* from the synthetic rows, mostly because the two
        sets of real rows differ in more than membership.
    interval : tuple (low, high) of float
        Only with `return_interval`: percentiles of the area over draws, with replacement, of members and of
        non-members; the synthetic rows stay. Rows count as independent: with several rows a patient it is too narrow.

    Raises
    ------
    ValueError
        If rows are too few, not finite, no numbers or of different sizes, or an option is out of range.

    See Also
    --------
    memorisation_ratio : Starts from the synthetic rows, not from the real ones.

    Notes
    -----
    A value near 0.5 proves no privacy: it is this attack that failed, in these features, on average. Other attacks are
    stronger, and single patients may be exposed where the average is not.

    References
    ----------
    Chen, Yu, Zhang and Fritz, "GAN-Leaks: a taxonomy of membership inference attacks against generative models", CCS
    2020 (arXiv 1909.03935), the attack on a black-box generator: among k samples of the generator G the one nearest to
    x stands for its reconstruction, ``R(x|G) = argmin L(x, x') over x' in {G(z_1), ..., G(z_k)}``, and x counts as a
    member where ``L(x, R(x|G))`` is below a threshold. Here L is the Euclidean distance of the features, without their
    calibration by a reference model.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_medgan.metrics import membership_inference_auc
    >>> members, others, new = np.random.default_rng(0).normal(size=(3, 300, 4))
    >>> membership_inference_auc(members, others, members)
    1.0
    >>> auc, (low, high) = membership_inference_auc(members, others, new, return_interval=True)
    >>> low < 0.5 < high
    True
    """
    n_bootstraps = check_whole("n_bootstraps", n_bootstraps, 1)
    if not isinstance(confidence, Real) or not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1; got {confidence!r}. Pass 0.95 for 95 percent.")
    sets = {"X_members": X_members, "X_non_members": X_non_members, "X_synthetic": X_synthetic}
    members, others, synthetic = feature_rows(sets, features)
    scores = -to_nearest(members, synthetic), -to_nearest(others, synthetic)
    auc = area_under_curve(*scores)
    if not return_interval:
        return auc
    rng = check_random_state(random_state)
    areas = [area_under_curve(*(rng.choice(s, len(s)) for s in scores)) for _ in range(n_bootstraps)]
    low, high = np.quantile(areas, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return auc, (float(low), float(high))


def area_under_curve(members: np.ndarray, others: np.ndarray) -> float:
    """Probability that a member scores higher than a non-member, ties by half (Mann and Whitney).

    By hand: scikit-learn's roc_auc_score, equal to the last bit but one, takes 15 to 100 times as long, and an interval
    takes a thousand of them.
    """
    ranked = np.sort(others)
    below, up_to = (np.searchsorted(ranked, members, side) for side in ("left", "right"))
    return float(np.mean(below + up_to) / (2 * len(ranked)))
