"""`diagnostic_benchmark`: from rows and arms to the table, and what can be said of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

from numpy.typing import ArrayLike
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from .._parameters import check_whole
from ._arms import KINDS, REFERENCES, Arm
from ._estimator_arms import as_arm, default_arms
from ._evidence import evidence_of
from ._journal import Journal, describe, parameters_of
from ._plan import Plan, Rows, check_diseased, check_folds, check_regimes, check_sizes, labelled_rows
from ._result import BenchmarkResult
from ._run import measure
from ._table import all_notes, build_table, last_of_each

#: Name -> Arm: rows and columns of the protocol.
ARMS = MappingProxyType(default_arms())
#: Name -> classifier of the protocol.
CLASSIFIERS = MappingProxyType(
    {"SVC": SVC(C=10), "forest": RandomForestClassifier(200), "logistic": LogisticRegression(max_iter=1000)}
)


def diagnostic_benchmark(
    X: ArrayLike,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    arms: Mapping[str, Any] | Sequence[str] | None = None,
    classifiers: Any = None,
    regimes: Any = ("all",),
    image_shape: Sequence[int] | None = None,
    target_names: Sequence[str] | None = None,
    diseased: Any = None,
    n_splits: int = 4,
    seeds: int | Iterable[int] = (0, 1, 2),
    reference: str | Mapping[str, str] | None = None,
    results: str | os.PathLike | None = None,
    n_images: int = 0,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> BenchmarkResult:
    """Compare ways to prepare rows for a classifier, on rows of groups that were not trained on.

    Every arm and classifier is fitted on the training rows of each fold of a cross-validation by group, repeated with
    each seed; nothing is fitted outside them. Arms are compared with their reference by balanced accuracy, paired, by a
    t-test with clusters by group and by fit, and Holm's correction over all comparisons of the table.

    Parameters
    ----------
    X : array-like of shape (n, height, width), (n, height, width, channels) or (n, n_features)
        Images or table rows.
    y : array-like of shape (n,)
        Class labels.
    groups : array-like of shape (n,), default=None
        Patient, or whatever else rows have in common: a group is never on both sides of a split. None: each row is its
        own, and the result says so.
    arms : mapping or list of str, default=None
        Name -> `Arm` or estimator: a transformer makes columns, an object with `fit_resample` makes rows, a
        meta-estimator with a parameter `estimator` is put around each classifier. Or names in `ARMS`. None: all
        of `ARMS`. References that are missing are added; what cannot run here is left out, and the result says so.
        `transfer_arms` has one more, a pretrained network that is fine-tuned.
    classifiers : mapping of str to classifier, or list of str, default=None
        None: `CLASSIFIERS`, the SVC (C=10), a forest of 200 trees and logistic regression; or names in it.
    regimes : "all", int or dict, or a list of these, default=("all",)
        Which training rows: all; this many a class; or one class made rare, ``{"rare": label, "n_rare": 20, "n_other":
        300}``. Test rows are never thinned.
    image_shape : tuple (height, width) or (height, width, channels), default=None
        Shape of an image where rows are flat.
    target_names : list of str, default=None
        Names of the sorted classes.
    diseased : label or list of labels, default=None
        Classes that count as diseased. Sensitivity is the share of their rows that are called any of them, whichever:
        what is missed is who is sent home. Specificity is the share of the other rows that are called none of them.
        None: the class that a regime makes rare, else the second of two classes, else there is neither figure. The
        notes of the result name the classes, and the rule where it decided.
    n_splits : int, default=4
        Folds.
    seeds : int or list of int, default=(0, 1, 2)
        One repetition each, with other folds and other fits.
    reference : str or mapping of kind to str, default=None
        Arm that the others are compared with. None: "none" for rows, "pixels" for columns, and for enhancement the
        degraded images.
    results : path-like, default=None
        JSON-lines file to which every finished cell is appended at once (of a parallel run: when its task is
        finished). A call with the same settings goes on where the file ends; cells that failed are tried again.
        An arm is known by its name and its parameters, wherever its code stands; what a function of yours does is not
        looked at: give the arm another name, or name another file, after you have changed it.
    n_images : int, default=0
        Images that the result and its file keep for a report, of the first fold: this many training images of each
        class beside synthetic ones, and this many test images before and after enhancement. 0: none of yours is kept.
    n_jobs : int, default=None
        Tasks at a time, by joblib: ``joblib.parallel_config("dask")`` puts them on a cluster. Classifiers that share
        the fit of a GAN or enhancer are one task.
    verbose : int, default=0
        1 shows a progress bar of tasks on standard error.

    Returns
    -------
    BenchmarkResult

    Raises
    ------
    ValueError, TypeError
        For rows, groups, regimes or arms that cannot be used, or a results file of other settings.
    OSError
        If the results file cannot be written.
    KeyboardInterrupt
        After Ctrl-C; finished cells stay in `results`.

    Notes
    -----
    Balanced accuracy is taken on the pooled test rows of a seed, then averaged; AUC by fold. The classifier's seed is
    the same for all arms. Intervals hold the part of chance of the groups, the splits and the fits, not another
    hospital's data. Research use; not a medical device.

    References
    ----------
    Cameron, Gelbach and Miller, "Robust inference with multiway clustering", Journal of Business & Economic Statistics
    29, 238-249, 2011. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6, 65-70, 1979.

    Examples
    --------
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_medgan.benchmark import diagnostic_benchmark
    >>> from sklearn_medgan.datasets import make_nodules
    >>> X, y = make_nodules(60, image_size=16, random_state=0, return_X_y=True)
    >>> result = diagnostic_benchmark(
    ...     X, y, arms={"two components": PCA(2)}, classifiers={"logistic": LogisticRegression(max_iter=1000)},
    ...     seeds=[0, 1], n_splits=2,
    ... )
    >>> [(row["arm"], row["verdict"]) for row in result.table]
    [('pixels', 'reference'), ('two components', 'no evidence of a gain')]
    """
    rows = labelled_rows(X, y, groups, image_shape, target_names)
    arms, references, notes = _resolve_arms(arms, reference, rows)
    plan = Plan(
        rows=rows,
        regimes=check_regimes(regimes, rows),
        folds=check_folds(rows, n_splits, seeds),
        arms=arms,
        classifiers=_resolve_classifiers(classifiers),
        n_images=check_whole("n_images", n_images, 0),
    )
    notes += check_sizes(plan)
    of_regime, of_whom = check_diseased(diseased, rows, plan.regimes)
    settings = _settings(plan)
    with Journal(results, settings) as journal:
        measure(plan, journal, n_jobs, verbose)
    cells = last_of_each(plan, journal.cells)
    table = build_table(plan, cells, references, of_regime)
    notes = all_notes(plan, [*of_whom, *notes], cells)
    return BenchmarkResult(table, cells, notes, settings, evidence_of(plan, cells, of_regime))


def _resolve_arms(
    arms: Any, reference: str | Mapping[str, str] | None, rows: Rows
) -> tuple[dict[str, Arm], dict[str, str], list[str]]:
    """Return arms that can run here, by kind, each reference there; the reference of each; notes on those left out."""
    wanted = {name: as_arm(name, value) for name, value in _named(arms, ARMS, "arms").items()}
    absent = {name: arm.missing(rows.X.ndim > 2) for name, arm in wanted.items()}
    kept = {name: arm for name, arm in wanted.items() if absent[name] is None}
    notes = [f"Left out: {name}, since {reason}." for name, reason in absent.items() if reason]
    if not kept:
        raise ValueError(f"No arm can run here. {' '.join(notes)}")
    unknown = sorted(set(reference) - set(KINDS)) if isinstance(reference, Mapping) else []
    if unknown:
        raise ValueError(f"reference must be an arm by name for some of the kinds {list(KINDS)}; got {unknown}.")
    references = {name: _reference_of(name, arm, reference) for name, arm in kept.items()}
    missing = [name for name in dict.fromkeys(references.values()) if name not in kept]
    for name in missing:
        if name not in ARMS or ARMS[name].missing(rows.X.ndim > 2):
            raise ValueError(f"reference={name!r} is no arm that can run here. Known are {[*kept, *ARMS]}.")
    every = {**{name: ARMS[name] for name in missing}, **kept}
    references.update({name: name for name in references.values()})
    _check_shares(every)
    order = sorted(every, key=lambda name: KINDS.index(every[name].kind))
    return {name: every[name] for name in order}, references, notes


def _named(values: Any, known: Mapping, parameter: str) -> dict:
    """Return a mapping by name, from None (all that are known), names, or a mapping."""
    if values is None:
        return dict(known)
    if not isinstance(values, Iterable):
        raise TypeError(f"{parameter} must be a mapping by name, or names in {list(known)}; got {values!r}.")
    if not isinstance(values, Mapping):
        names = [values] if isinstance(values, str) else list(values)
        unknown = [name for name in names if name not in known]
        if unknown:
            raise ValueError(
                f"{parameter} holds unknown names {unknown}. Known are {list(known)}; pass others as a dict."
            )
        values = {name: known[name] for name in names}
    if not values or not all(isinstance(name, str) for name in values):
        raise ValueError(f"{parameter} must hold one or more by name; got {list(values)!r}.")
    return dict(values)


def _reference_of(name: str, arm: Arm, reference: str | Mapping[str, str] | None) -> str:
    given = reference.get(arm.kind) if isinstance(reference, Mapping) else reference
    found = given or arm.reference or REFERENCES.get(arm.kind)
    if found is None:
        raise ValueError(f"Arm {name!r} of kind {arm.kind!r} has nothing to be compared with: set its reference.")
    return found


def _check_shares(arms: Mapping[str, Arm]) -> None:
    fits: dict[str, Callable | None] = {}
    for name, arm in arms.items():
        if arm.share is not None and not _is_same_fit(fits.setdefault(arm.share, arm.fit_shared), arm.fit_shared):
            raise ValueError(
                f"Arm {name!r} has share={arm.share!r} of another arm, but another fit_shared. Give it a key of its "
                "own (gan_arms: another name)."
            )


def _is_same_fit(first: Callable | None, second: Callable | None) -> bool:
    """Return whether two functions are one, or one with equal parameters bound to it."""
    if isinstance(first, partial) and isinstance(second, partial):
        return first.func == second.func and parameters_of(first) == parameters_of(second)
    return first == second


def _resolve_classifiers(classifiers: Any) -> dict:
    if hasattr(classifiers, "fit"):
        classifiers = {type(classifiers).__name__: classifiers}
    found = _named(classifiers, CLASSIFIERS, "classifiers")
    for name, classifier in found.items():
        if isinstance(classifier, type) or not (hasattr(classifier, "fit") and hasattr(classifier, "predict")):
            raise TypeError(f"Classifier {name!r} must be an instance with fit and predict; got {classifier!r}.")
    return found


def _settings(plan: Plan) -> dict:
    """Return what was measured on which data, in the words of the results file."""
    rows = plan.rows
    return {
        "data": f"{len(rows.codes)} rows, {rows.n_groups} groups, {rows.fingerprint()}",
        "classes": list(rows.names),
        "n_splits": len(next(iter(plan.folds.values()))),
        "seeds": list(plan.folds),
        "regimes": [regime.name for regime in plan.regimes],
        "arms": {name: arm.describe() for name, arm in plan.arms.items()},
        "classifiers": {name: describe(classifier) for name, classifier in plan.classifiers.items()},
    }
