"""What a benchmark measures on which rows: checked input, regimes, folds, and the units of work they make."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .._parameters import ParameterError, check_whole
from .._validation import as_array_if_list, check_image_shape, check_same_length

SPLIT_ATTEMPTS = 20  # shuffles tried until the training rows of every fold hold every class
RARE_KEYS = {"rare", "n_rare", "n_other"}


class Task(NamedTuple):
    """A unit of work: the arms of one `share` on one fold, which may have a fit in common."""

    regime: str
    seed: int
    fold: int
    share: str


@dataclass(frozen=True)
class Regime:
    """Which training rows are used; test rows are never thinned.

    `most` holds the most rows of each class (None: all of them), by position in the classes; `rare` is the position
    of a class that was made rare.
    """

    name: str
    most: tuple[int | None, ...]
    rare: int | None = None

    def thin(self, train: np.ndarray, codes: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
        kept = [
            rows if most is None else rng.permutation(rows)[:most]
            for rows, most in ((train[codes[train] == code], most) for code, most in enumerate(self.most))
        ]
        return np.sort(np.concatenate(kept))


@dataclass(frozen=True)
class Rows:
    """Checked input: rows, labels as positions in `classes`, and groups as numbers from 0."""

    X: np.ndarray
    codes: np.ndarray
    classes: np.ndarray
    names: tuple[str, ...]
    groups: np.ndarray
    notes: tuple[str, ...] = ()

    @property
    def y(self) -> np.ndarray:
        return self.classes[self.codes]

    @property
    def n_groups(self) -> int:
        return int(self.groups.max()) + 1

    def code_of(self, label: Any, parameter: str) -> int:
        """Return position of a class given by its label or its name."""
        for known in (self.classes.tolist(), list(self.names)):
            if label in known:
                return known.index(label)
        named = f", named {list(self.names)}" if list(self.names) != list(map(str, self.classes)) else ""
        raise ParameterError(
            parameter, f"must name classes of y, which are {self.classes.tolist()}{named}", repr(label)
        )

    def fingerprint(self) -> str:
        """Return a short hash of everything in here."""
        digest = hashlib.blake2b(digest_size=16)
        for array in (self.X, self.codes, self.groups):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        digest.update(repr((self.classes.tolist(), self.names)).encode())
        return digest.hexdigest()


def derive_seed(*parts: object) -> int:
    """Return a seed from names and numbers, whatever the order in which work is done."""
    digest = hashlib.blake2b(json.dumps(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") % (2**31 - 1)


# ------------------------------------------------------------------------------------------------------------ input


def labelled_rows(
    X: ArrayLike,
    y: ArrayLike | None,
    groups: ArrayLike | None,
    image_shape: Sequence[int] | None,
    target_names: Sequence[str] | None,
) -> Rows:
    """Return the user's rows, or an error that says what to change."""
    X = _check_X(X, image_shape)
    y = _one_a_row(X, y, "y")
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"y holds {len(classes)} class ({classes.tolist()}); a diagnosis needs two or more.")
    names = tuple(map(str, classes if target_names is None else target_names))
    if len(names) != len(classes):
        expected = f"must name each of the {len(classes)} classes {classes.tolist()}"
        raise ParameterError("target_names", expected, str(list(names)))
    if groups is None:
        note = "There are no groups: rows count as independent, and rows of one patient may be on both sides."
        return Rows(X, codes, classes, names, np.arange(len(X)), (note,))
    groups = np.unique(_one_a_row(X, groups, "groups"), return_inverse=True)[1]
    present = np.zeros((groups.max() + 1, len(classes)), bool)
    present[groups, codes] = True
    n_mixed = int((present.sum(1) > 1).sum())
    several = f"{n_mixed} groups hold" if n_mixed > 1 else "1 group holds"
    notes = (f"{several} rows of more than one class: kept whole.",) if n_mixed else ()
    return Rows(X, codes, classes, names, groups, notes)


def _check_X(X: Any, image_shape: Sequence[int] | None) -> np.ndarray:
    from sklearn.utils import check_array

    X = as_array_if_list(X)
    X = check_array(X, dtype="numeric", allow_nd=True, ensure_min_samples=2, input_name="X")
    if X.ndim > 4:
        raise ValueError(f"X must be images (n, height, width[, channels]) or a table (n, n_features); got {X.shape}.")
    if image_shape is None or X.ndim > 2:
        return X
    check_image_shape(image_shape)
    if X.shape[1] != np.prod(image_shape):
        raise ParameterError(
            "image_shape",
            f"{tuple(image_shape)!r} needs {np.prod(image_shape)} columns",
            f"X of shape {X.shape}",
            "Pass the image_shape that the rows were flattened from.",
        )
    return X.reshape(len(X), *image_shape)


def _one_a_row(X: Any, values: ArrayLike | None, name: str) -> np.ndarray:
    if values is None:
        raise ValueError(f"{name} must hold one value a row; got None.")
    values = np.asarray(values)
    if values.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, one value a row; got shape {values.shape}.")
    check_same_length(X, values)
    values = _of_one_kind(values, name) if values.dtype == object else values
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError(f"{name} holds NaN or infinity. Drop those rows, or give them a value.")
    if name == "y" and values.dtype.kind == "f" and (values != np.floor(values)).any():
        raise ValueError("y must hold class labels, whole numbers or text; got fractions. Bin them first.")
    return values


def _of_one_kind(values: np.ndarray, name: str) -> np.ndarray:
    """Return objects, as columns of a DataFrame hold them, as an array of text or numbers; others as they are."""
    if all(isinstance(value, str) for value in values) or all(isinstance(value, Real) for value in values):
        return np.array(values.tolist())
    types = sorted({type(value).__name__ for value in values})
    if len(types) > 1 or types == ["NoneType"]:
        raise ValueError(
            f"{name} must hold values of one kind, such as text or numbers; got {types}. Drop rows without a value "
            "(None or NaN), or give them one."
        )
    return values


# ---------------------------------------------------------------------------------------------------------- regimes


def check_regimes(regimes: Any, rows: Rows) -> tuple[Regime, ...]:
    is_list = isinstance(regimes, Iterable) and not isinstance(regimes, str | Mapping)
    several = list(regimes) if is_list else [regimes]
    checked = tuple(_regime(value, rows) for value in several)
    names = [regime.name for regime in checked]
    if not names or len(set(names)) < len(names):
        raise ParameterError("regimes", "must hold one or more different regimes", repr(regimes))
    return checked


def _regime(value: Any, rows: Rows) -> Regime:
    n_classes = len(rows.classes)
    if isinstance(value, str) and value == "all":
        return Regime("all", (None,) * n_classes)
    if isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 2:
        return Regime(f"{value} a class", (int(value),) * n_classes)
    if isinstance(value, Mapping) and "rare" in value and set(value) <= RARE_KEYS:
        code = rows.code_of(value["rare"], "rare")
        n_rare, n_other = value.get("n_rare", 20), value.get("n_other", 300)
        if all(isinstance(n, Integral) and int(n) >= 2 for n in (n_rare, n_other)):
            most = tuple(int(n_rare if k == code else n_other) for k in range(n_classes))
            return Regime(f"rare {rows.names[code]} ({n_rare} to {n_other})", most, code)
    raise ParameterError(
        "regimes",
        "must hold 'all', a whole number of training rows a class from 2 up, or {'rare': label, 'n_rare': 20, "
        "'n_other': 300} with numbers from 2 up",
        repr(value),
    )


# ---------------------------------------------------------------------------------------------------------- diseased


def check_diseased(diseased: object, rows: Rows, regimes: tuple[Regime, ...]) -> tuple[dict, list[str]]:
    """Return the positions of the classes that count as diseased, by regime, and notes on them.

    What the user names holds in every regime. Where nothing is named, it is the class that a regime makes rare, else
    the second of two classes, as `pos_label` of scikit-learn has it, else none: names are not read.
    """
    given = None if diseased is None else _diseased_given(diseased, rows)
    found = {regime.name: given or _diseased_by_rule(regime, rows) for regime in regimes}
    regimes_of = {codes: [name for name, other in found.items() if other == codes] for codes in found.values()}
    notes = [_on_diseased(rows, codes, names) for codes, names in regimes_of.items()]
    if given is None:
        notes.append(
            "Which classes are diseased was not said: it is the one made rare, else the second of two, else none. Name "
            "them (diseased)."
        )
    return found, notes


def _diseased_given(diseased: Any, rows: Rows) -> tuple[int, ...]:
    labels = diseased.ravel().tolist() if isinstance(diseased, np.ndarray) else diseased
    several = isinstance(labels, list | tuple | set | frozenset)
    codes = tuple(sorted({rows.code_of(label, "diseased") for label in (labels if several else [labels])}))
    if not 0 < len(codes) < len(rows.classes):
        expected = f"must name one or more of the classes {list(rows.names)}, and leave one that is not"
        raise ParameterError("diseased", expected, repr(diseased))
    return codes


def _diseased_by_rule(regime: Regime, rows: Rows) -> tuple[int, ...]:
    if regime.rare is not None:
        return (regime.rare,)
    return (1,) if len(rows.classes) == 2 else ()


def _on_diseased(rows: Rows, codes: tuple[int, ...], regimes: list[str]) -> str:
    names, others = ([repr(n) for k, n in enumerate(rows.names) if (k in codes) == wanted] for wanted in (True, False))
    where = f" ({'; '.join(regimes)})."
    if not codes:
        return f"There is no sensitivity or specificity{where}"
    if len(codes) == 1:
        return f"Sensitivity and specificity are those of class {names[0]}{where}"
    return (
        f"Sensitivity and specificity are those of {', '.join(names[:-1])} and {names[-1]} together, against "
        f"{' and '.join(others)}: one taken for another of them counts as found{where}"
    )


# ------------------------------------------------------------------------------------------------------------ folds


def check_folds(
    rows: Rows, n_splits: int, seeds: int | Iterable[int]
) -> dict[int, list[tuple[np.ndarray, np.ndarray]]]:
    """Return training and test rows of each fold, by seed."""
    n_splits = check_whole("n_splits", n_splits, 2)
    seeds = list(seeds) if isinstance(seeds, Iterable) else [seeds]
    whole = all(isinstance(s, Integral) and not isinstance(s, bool) and 0 <= s < 2**31 for s in seeds)
    if not seeds or not whole or len(set(seeds)) < len(seeds):
        raise ParameterError("seeds", "must be one or more different whole numbers from 0 up", repr(seeds))
    if rows.n_groups < n_splits:
        expected = f"must be at most the number of groups, {rows.n_groups}"
        raise ParameterError("n_splits", expected, str(n_splits), "Lower n_splits, or give finer groups.")
    for code, name in enumerate(rows.names):
        if len(np.unique(rows.groups[rows.codes == code])) < 2:
            raise ValueError(
                f"Class {name!r} is in one group only, so no fold can train on it and test it. Leave the class out, or "
                "give finer groups."
            )
    return {int(seed): split(rows.codes, rows.groups, n_splits, int(seed)) for seed in seeds}


def split(codes: np.ndarray, groups: np.ndarray, n_splits: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return stratified folds by group, of which every one trains on every class."""
    from sklearn.model_selection import StratifiedGroupKFold

    present, counts = np.unique(codes, return_counts=True)
    strata = codes if counts.max() >= n_splits else np.zeros(len(codes), int)  # below, scikit-learn refuses
    for attempt in range(SPLIT_ATTEMPTS):
        shuffle = seed if attempt == 0 else derive_seed("split", seed, attempt)
        folds = StratifiedGroupKFold(n_splits, shuffle=True, random_state=shuffle)
        with warnings.catch_warnings():  # a class may miss in some test folds: each row is tested all the same
            warnings.simplefilter("ignore", UserWarning)
            parts = list(folds.split(strata, strata, groups))
        if all(len(test) and np.isin(present, codes[train]).all() for train, test in parts):
            return parts
    raise ParameterError(
        "n_splits",
        f"must let every fold train on every class, with each group in one fold (no such split found, seed {seed})",
        str(n_splits),
        "Lower n_splits, or give finer groups.",
    )


# ------------------------------------------------------------------------------------------------------------- plan


@dataclass(frozen=True)
class Plan:
    """All that a worker needs besides the rows themselves (`rows.X` is empty in a plan that is `sent`)."""

    rows: Rows
    regimes: tuple[Regime, ...]
    folds: Mapping[int, list]
    arms: Mapping
    classifiers: Mapping
    n_images: int = 0  # that an arm shows

    def tasks(self) -> Iterator[Task]:
        shares = dict.fromkeys(self.share_of(name) for name in self.arms)
        for regime, (seed, fold), share in product(self.regimes, self.places(), shares):
            yield Task(regime.name, seed, fold, share)

    def places(self) -> list[tuple[int, int]]:
        """Return (seed, fold) of each test part."""
        return [(seed, fold) for seed, folds in self.folds.items() for fold in range(len(folds))]

    def share_of(self, arm: str) -> str:
        """Return key of the arms that are run together with this one."""
        return self.arms[arm].share or f"arm {arm}"

    def cells_of(self, task: Task) -> list[tuple[str, str]]:
        return [(arm, c) for arm in self.arms if self.share_of(arm) == task.share for c in self.classifiers]

    def regime(self, name: str) -> Regime:
        return next(regime for regime in self.regimes if regime.name == name)

    def split_of(self, task: Task) -> tuple[np.ndarray, np.ndarray]:
        """Return training rows, thinned to the regime, and all test rows."""
        train, test = self.folds[task.seed][task.fold]
        rng = np.random.RandomState(derive_seed("regime", task.regime, task.seed, task.fold))
        return self.regime(task.regime).thin(train, self.rows.codes, rng), test

    def is_shown(self, task: Task) -> bool:
        """Return whether a report shows what was fitted: in the first fold of each regime."""
        return task.seed == next(iter(self.folds)) and task.fold == 0

    def sent(self) -> Plan:
        """Return the same without the rows, which travel on their own."""
        return replace(self, rows=replace(self.rows, X=self.rows.X[:0]))


def check_sizes(plan: Plan) -> list[str]:
    """Return notes on classes with fewer training rows than a regime asks for; raise where a regime cuts nothing."""
    notes = []
    for regime in (r for r in plan.regimes if r.name != "all"):
        counts = np.array(
            [
                np.bincount(plan.rows.codes[train], minlength=len(regime.most))
                for folds in plan.folds.values()
                for train, _ in folds
            ]
        )
        _check_regime_fits(regime, counts, plan.rows.names)
        for name, fewest, most in zip(plan.rows.names, counts.min(0), regime.most, strict=True):
            if fewest < most and regime.rare is None:
                notes.append(f"Regime {regime.name!r}: class {name!r} has only {fewest} training rows in a fold.")
    return notes


def _check_regime_fits(regime: Regime, counts: np.ndarray, names: Any) -> None:
    fewest, most = counts.min(0), np.array(regime.most)
    if regime.rare is not None and fewest[regime.rare] < most[regime.rare]:
        expected = f"must be at most {fewest[regime.rare]}, the training rows of class {names[regime.rare]!r} in a fold"
        raise ParameterError("n_rare", expected, str(most[regime.rare]), "Lower n_rare.")
    if (counts.max(0) < most).all():
        raise ParameterError(
            "regimes",
            f"must be smaller than the data, whose largest class has {counts.max()} training rows in a fold",
            repr(regime.name),
            "Lower it, or use 'all'.",
        )
