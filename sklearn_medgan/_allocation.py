"""How many synthetic rows each class gets, and what they weigh.

Pure functions of the labels: no model, no randomness. A label is returned as the Python scalar that equals
it, in sorted order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

Strategy = str | float | Mapping[Any, int] | Callable[[Any], Mapping[Any, int]]

STRATEGIES = ("auto", "minority", "not minority", "not majority", "all")


def target_counts(y: ArrayLike, sampling_strategy: Strategy = "auto") -> dict[Any, int]:
    """Return the count that each class named should reach, with imbalanced-learn's over-sampling meaning.

    ``"minority"``, ``"not minority"``, ``"not majority"`` and ``"all"`` raise these classes to the count of the largest
    one; ``"auto"`` is ``"all"``. A float in (0, 1] raises the smaller of two classes to this fraction of the
    larger one. A mapping {label: count}, or a callable of `y` that returns one, raises the classes that it names. A
    ValueError for what would need rows removed.
    """
    counts = class_counts(y)
    if isinstance(sampling_strategy, str):
        return _targets_by_name(counts, sampling_strategy)
    if isinstance(sampling_strategy, Mapping):
        return _targets_by_label(counts, sampling_strategy)
    if isinstance(sampling_strategy, Real) and not isinstance(sampling_strategy, bool):
        return _targets_by_ratio(counts, sampling_strategy)
    if callable(sampling_strategy):
        wanted = sampling_strategy(y)
        if not isinstance(wanted, Mapping):
            raise TypeError(
                f"A callable sampling_strategy must return a mapping {{label: count}}; got {wanted!r}. "
                "Return the count that each class should reach."
            )
        return _targets_by_label(counts, wanted)
    raise TypeError(
        "sampling_strategy must be a string, a float, a mapping {label: count} or a callable; got "
        f"{sampling_strategy!r}. To balance classes, pass one of {', '.join(map(repr, STRATEGIES))}."
    )


def synthetic_counts(y: ArrayLike, sampling_strategy: Strategy = "auto", ratio: float = 1.0) -> dict[Any, int]:
    """Return the synthetic rows that lift each class to ``round(ratio * target)``, targets as in `target_counts`.

    Classes that the strategy does not name, and those above their lifted target, get no row; "auto" names all.
    """
    _check_non_negative("ratio", ratio)
    counts = class_counts(y)
    targets = target_counts(y, sampling_strategy)
    return {label: max(0, round(ratio * targets.get(label, 0)) - n) for label, n in counts.items()}


def dose_counts(y: ArrayLike, dose: float = 1.0) -> dict[Any, int]:
    """Allot ``round(dose * n_samples)`` synthetic rows so that the classes end as even as possible.

    The smallest classes are filled up first, like water finding its level; what is left over goes, one row each, to the
    classes that were smallest, then in the order of the labels.
    """
    _check_non_negative("dose", dose)
    counts = class_counts(y)
    remaining = round(dose * sum(counts.values()))
    smallest_first = sorted(counts, key=counts.__getitem__)  # a stable sort: ties stay in the order of the labels
    level = 0
    for n_filling, label in enumerate(smallest_first):
        rise = min(counts[label] - level, remaining // n_filling) if n_filling else counts[label]
        level += rise
        remaining -= n_filling * rise
        if level < counts[label]:
            break
    else:
        n_filling = len(counts)
        level += remaining // n_filling
        remaining %= n_filling
    filled = smallest_first[:n_filling]
    allotted = dict.fromkeys(counts, 0)
    allotted.update({label: level - counts[label] + (i < remaining) for i, label in enumerate(filled)})
    return allotted


def synthetic_weights(
    y: ArrayLike, sample_weight: ArrayLike | None, y_new: ArrayLike, synthetic_weight: float = 1.0
) -> np.ndarray:
    """Return the weight of synthetic rows, (n_new,): the mean weight of their class times `synthetic_weight`.

    `y` and `sample_weight` (None: 1 each) are of the real rows, `y_new` of the synthetic ones, each among those of `y`.
    """
    y, y_new = np.asarray(y), np.asarray(y_new)
    weights = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    if weights.shape != y.shape:
        raise ValueError(
            f"sample_weight must have one weight per row, shape {y.shape}; got shape {weights.shape}. "
            "Pass one number for each row of X."
        )
    if len(y_new) == 0:
        return np.empty(0)
    classes, codes = np.unique(y, return_inverse=True)
    codes_new = np.searchsorted(classes, y_new).clip(max=len(classes) - 1)
    if not np.array_equal(classes[codes_new], y_new):
        unknown = sorted(set(y_new.tolist()) - set(classes.tolist()), key=repr)
        raise ValueError(
            f"Synthetic rows must carry labels among {classes.tolist()}; got {unknown}. "
            "Sample from a model that was fitted on the same labels."
        )
    means = np.bincount(codes, weights) / np.bincount(codes)
    return synthetic_weight * means[codes_new]


def class_counts(y: ArrayLike) -> dict[Any, int]:
    """Count the rows of each class, as a dict of label to int in the order of the labels."""
    y = np.asarray(y)
    if y.ndim != 1 or len(y) == 0:
        raise ValueError(
            f"y must be a non-empty one-dimensional array of class labels; got shape {y.shape}. "
            "Pass one label per row of X."
        )
    labels, counts = np.unique(y, return_counts=True)
    return dict(zip(labels.tolist(), counts.tolist(), strict=True))


def _targets_by_name(counts: dict[Any, int], name: str) -> dict[Any, int]:
    if name not in STRATEGIES:
        raise ValueError(
            f"sampling_strategy must be one of {', '.join(map(repr, STRATEGIES))} when it is a string; got "
            f"{name!r}. Pass one of these, a float, a mapping {{label: count}} or a callable."
        )
    smallest, largest = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
    lifted = {
        "minority": {smallest},
        "not minority": set(counts) - {smallest},
        "not majority": set(counts) - {largest},
        "auto": set(counts),
        "all": set(counts),
    }[name]
    return dict.fromkeys(lifted, counts[largest])


def _targets_by_label(counts: dict[Any, int], wanted: Mapping[Any, int]) -> dict[Any, int]:
    unknown = [label for label in wanted if label not in counts]
    if unknown:
        raise ValueError(
            f"sampling_strategy must name labels among {list(counts)}; got {unknown}. "
            "Leave out the labels that are not present in y."
        )
    for label, target in wanted.items():
        if not isinstance(target, Integral):
            raise TypeError(
                f"sampling_strategy must give whole numbers of rows; got {target!r} for class {label!r}. "
                "Pass the count that the class should reach as an int."
            )
        if target < counts[label]:
            raise ValueError(
                "sampling_strategy must ask for at least as many rows as a class has: rows are only added. "
                f"Got {target} for class {label!r}, which has {counts[label]}. Raise the count or leave out "
                "the class."
            )
    return {label: int(target) for label, target in wanted.items()}


def _targets_by_ratio(counts: dict[Any, int], ratio: float) -> dict[Any, int]:
    if not 0 < ratio <= 1:
        raise ValueError(
            f"sampling_strategy must be in (0, 1] when it is a float; got {ratio!r}. "
            "Pass the size of the smaller class over that of the larger one."
        )
    if len(counts) != 2:
        raise ValueError(
            f"A float sampling_strategy needs exactly two classes; got {len(counts)}: {list(counts)}. "
            "Pass a string or a mapping {label: count}."
        )
    smallest = min(counts, key=counts.__getitem__)
    target = int(ratio * max(counts.values()))
    if target < counts[smallest]:
        raise ValueError(
            f"sampling_strategy={ratio!r} would need rows of class {smallest!r} removed: it has "
            f"{counts[smallest]} and would end with {target}. Increase the ratio."
        )
    return {smallest: target}


def _check_non_negative(name: str, value: object) -> None:
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number of at least 0; got {value!r}. Pass a float such as 1.0.")
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{name} must be finite and at least 0; got {value!r}. Pass 0 for no synthetic row.")
