"""How many rows to add, judged on real rows that were held out: the fewest that the evidence asks for.

Pure functions of labels, groups and predictions: no model, no randomness. `AugmentedClassifier` and the benchmark
choose by them alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.model_selection import StratifiedGroupKFold, check_cv

Splits = list[tuple[np.ndarray, np.ndarray]]  # rows to train on, rows held out

DOSES = (0.0, 0.5, 1.0, 2.0)  # added rows per given one, ascending
# A GAN of two thirds of the rows tells more of one of all rows than a GAN of half of them does; more folds, more fits.
N_FOLDS = 3


# ------------------------------------------------------------------------------------------------------------ folds


def inner_splits(X: ArrayLike, y: np.ndarray, *, cv: Any = None, groups: ArrayLike | None = None) -> Splits:
    """Split the training rows into folds, of which every one trains on every class: (train, test) of each.

    `cv` None: 3 folds, or 2 where a class has rows (groups) for no more. An int: so many. Both are stratified, and by
    group where there are groups. A splitter or an iterable of (train, test) is taken as it is. A ValueError where rows
    cannot be split so, a training part lacks a class, a row (group) is on both sides, or fewer than two rows (groups)
    of a class are held out: chance could then not be told from gain.
    """
    splitter = _splitter(y, cv, groups)
    try:
        parts = list(splitter.split(X, y, groups))
    except ValueError as error:
        by_group = " If it splits by group, pass groups to fit." if groups is None else ""
        raise ValueError(
            f"dose='cv': cv={_name(cv)} cannot split n_samples={len(y)} rows: {error}{by_group} Or change cv."
        ) from error
    rows = np.arange(len(y))
    splits = [(rows[train], rows[test]) for train, test in parts]
    _check_parts(splits, y, cv, groups)
    _check_held_out(splits, y, cv, groups)
    return splits


def _splitter(y: np.ndarray, cv: Any, groups: ArrayLike | None) -> Any:
    if cv is None:
        cv = min(N_FOLDS, _fewest_of_a_class(y, groups))
    if isinstance(cv, Integral) and groups is not None:
        return StratifiedGroupKFold(int(cv))
    return check_cv(cv, y, classifier=True)


def _name(cv: Any) -> str:
    """For messages: rows of splits that were given one by one would fill pages."""
    return repr(cv) if cv is None or isinstance(cv, Integral) or hasattr(cv, "split") else "[...]"


def _fewest_of_a_class(y: np.ndarray, groups: ArrayLike | None) -> int:
    """Rows, or groups, of the class that has fewest: as many folds can hold some of it out."""
    what = "row" if groups is None else "group"
    labels = np.unique(y)
    counts = [_n_clusters(y == label, groups) for label in labels]
    if min(counts) < 2:
        raise ValueError(
            f"dose='cv' holds out rows of every class by turns and needs two {what}s of each; got n_samples={len(y)} "
            f"and one {what} of class {labels.tolist()[int(np.argmin(counts))]!r}. Set dose to a number, or give more "
            f"{what}s of it."
        )
    return min(counts)


def _n_clusters(mask: np.ndarray, groups: ArrayLike | None) -> int:
    return int(np.count_nonzero(mask)) if groups is None else len(np.unique(np.asarray(groups)[mask]))


def _check_parts(splits: Splits, y: np.ndarray, cv: Any, groups: ArrayLike | None) -> None:
    labels, clusters = np.unique(y), np.arange(len(y)) if groups is None else np.asarray(groups)
    for number, (train, test) in enumerate(splits):
        fold = f"dose='cv': inner fold {number} of cv={_name(cv)}"
        if not len(test):
            raise ValueError(f"{fold} holds out no row. Pass a cv of fewer folds.")
        missing = labels[~np.isin(labels, y[train])].tolist()
        if missing:
            raise ValueError(
                f"{fold} trains on no row of class {missing[0]!r}. Pass a cv that leaves rows of every class in every "
                "training part (with shuffle=True, other rows are drawn), finer groups, or a number as dose."
            )
        if len(np.intersect1d(clusters[train], clusters[test])):
            shared = "a row" if groups is None else "rows of a group"
            by_group = "" if groups is None else ", such as StratifiedGroupKFold, or no groups"
            raise ValueError(f"{fold} has {shared} on both sides. Pass a cv that keeps them apart{by_group}.")


def _check_held_out(splits: Splits, y: np.ndarray, cv: Any, groups: ArrayLike | None) -> None:
    held_out = np.zeros(len(y), bool)
    for _, test in splits:
        held_out[test] = True
    what = "row" if groups is None else "group"
    for label in np.unique(y).tolist():
        n = _n_clusters(held_out & (y == label), groups)
        if n < 2:
            raise ValueError(
                f"dose='cv' needs two {what}s of each class among those that cv={_name(cv)} holds out; got {n} of "
                f"class {label!r}. Pass a cv that holds out more, or a number as dose."
            )


# ----------------------------------------------------------------------------------------------------------- choice


def judge_doses(
    doses: Sequence[float],
    y: np.ndarray,
    groups: ArrayLike | None,
    held_out: Iterable[tuple[np.ndarray, ArrayLike]],
) -> dict[str, np.ndarray]:
    """Score each dose on held-out rows, and tell how much of a difference may be chance.

    `held_out` yields row numbers (n_test,) and the labels predicted for them, (n_doses, n_test). A row may be held out
    more than once, or never; of every class two rows (groups) must be.

    Balanced accuracy is that of all rows held out, pooled. A standard error is of what the doses differ by on the same
    rows, so that rows which are hard for all of them do not blur it: that of a mean recall with classes as strata
    (Cochran 1977, "Sampling Techniques", 3rd edition, chapter 5), from the sums of each group (Liang and Zeger 1986,
    "Longitudinal data analysis using generalized linear models", Biometrika 73); without groups each row is its own.

    Returned are arrays (n_doses,): ``dose``; ``balanced_accuracy`` with its ``standard_error``; ``difference`` to the
    first dose and ``behind_best``, each with the standard error of that paired difference, ``..._error``.
    """
    times, correct = np.zeros(len(y)), np.zeros((len(doses), len(y)))
    for test, predicted in held_out:
        np.add.at(times, test, 1.0)
        for row, is_correct in zip(correct, np.asarray(predicted) == y[test], strict=True):
            np.add.at(row, test, is_correct)
    codes = np.unique(y, return_inverse=True)[1]
    clusters = np.arange(len(y)) if groups is None else np.unique(groups, return_inverse=True)[1]
    recalls, deviations = _recalls_and_deviations(correct, times, codes, clusters)
    accuracy = recalls.mean(1)
    best = int(np.argmax(accuracy))
    return {
        "dose": np.array(doses, dtype=np.float64),
        "balanced_accuracy": accuracy,
        "standard_error": np.linalg.norm(deviations, axis=1),
        "difference": accuracy - accuracy[0],
        "difference_error": np.linalg.norm(deviations - deviations[0], axis=1),
        "behind_best": accuracy[best] - accuracy,
        "behind_best_error": np.linalg.norm(deviations[best] - deviations, axis=1),
    }


def _recalls_and_deviations(
    correct: np.ndarray, times: np.ndarray, codes: np.ndarray, clusters: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Recalls (n_doses, n_classes), and what each group moves balanced accuracy by, (n_doses, n_clusters).

    The root of the sum of squared deviations is the standard error. They are linear in `correct`: those of a difference
    are the difference of two doses' deviations. A class of G groups has the factor G / (G - 1) of an unbiased variance.
    """
    n_classes, seen = int(codes.max()) + 1, times > 0
    totals = np.bincount(codes, times, n_classes)
    recalls = np.stack([np.bincount(codes, row, n_classes) for row in correct]) / totals
    pairs = np.unique(np.stack([codes[seen], clusters[seen]]), axis=1)
    n_groups = np.bincount(pairs[0], minlength=n_classes)
    weights = np.sqrt(n_groups / (n_groups - 1)) / (n_classes * totals)
    of_rows = weights[codes] * (correct - times * recalls[:, codes])
    return recalls, np.stack([np.bincount(clusters, row) for row in of_rows])


def choose_dose(scores: Mapping[str, np.ndarray]) -> float:
    """Return the smallest dose that lies within one standard error of the best one, by `scores` of `judge_doses`.

    The standard error is that of the paired difference between the two doses (Breiman, Friedman, Olshen and Stone 1984,
    "Classification and Regression Trees", section 3.4.3). Without groups, a single row that one of them gets right and
    the other wrong makes exactly one standard error, and so never decides.
    """
    # A single row makes both sides equal but for rounding.
    is_within = scores["behind_best"] <= scores["behind_best_error"] * (1 + 1e-9) + 1e-12
    return float(scores["dose"][is_within].min())


def describe_choice(scores: Mapping[str, np.ndarray]) -> str:
    """Tell the choice in one line."""
    doses, chosen = scores["dose"], choose_dose(scores)
    best = int(np.argmin(scores["behind_best"]))
    told = int(np.flatnonzero(doses == chosen)[0]) if chosen > doses[0] else best
    begun = f"dose {chosen:g} chosen of {', '.join(f'{dose:g}' for dose in doses)}: "
    if best == 0:
        return f"{begun}no other was better on held-out real rows"
    gain, error = 100 * scores["difference"][told], 100 * scores["difference_error"][told]
    gained = f"{doses[told]:g} gained {gain:.1f} points of balanced accuracy on held-out real rows"
    return f"{begun}{gained}, {'within its' if chosen == doses[0] else 'with a'} standard error of {error:.1f}"
