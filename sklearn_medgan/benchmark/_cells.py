"""Run a unit of work: fit arms and classifiers on the training rows of a fold, and keep what they say of the others."""

from __future__ import annotations

import base64
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.metrics import recall_score

from ..pipeline._rows import seed_parts
from ._arms import Fold
from ._plan import Plan, Task

MOST_WARNINGS = 5  # different ones kept of a cell


def pack(array: np.ndarray) -> dict:
    array = np.ascontiguousarray(array)
    data = base64.b64encode(array.tobytes()).decode("ascii")
    return {"dtype": array.dtype.str, "shape": list(array.shape), "base64": data}


def unpack(packed: dict) -> np.ndarray:
    data = base64.b64decode(packed["base64"])
    return np.frombuffer(data, packed["dtype"]).reshape(packed["shape"])


def key_of(cell: dict) -> tuple:
    return cell["regime"], cell["seed"], cell["fold"], cell["arm"], cell["classifier"]


def run_task(X: np.ndarray, plan: Plan, task: Task, wanted: list[tuple[str, str]]) -> Generator[dict]:
    """Yield cells of the (arm, classifier) pairs wanted, as soon as they are finished; a failed one holds its error."""
    train, test = plan.split_of(task)
    key = (task.regime, task.seed, task.fold)
    fold = Fold(X[train], plan.rows.y[train], plan.rows.groups[train], X[test], key)
    fits = [plan.arms[arm].fit_shared for arm, _ in wanted if plan.arms[arm].fit_shared is not None]
    shared = _Once(fits[0] if fits else lambda _: None, fold)
    with _recorded() as caught:
        shared.get()
    of_shared = _messages(caught)
    truth = plan.rows.codes[test]
    unseen = {arm for arm, _ in wanted if plan.arms[arm].show is not None and plan.is_shown(task)}
    for arm in dict.fromkeys(arm for arm, _ in wanted):
        prepared = _Once(plan.arms[arm].prepare)
        for name in (c for a, c in wanted if a == arm):
            with _recorded() as caught:
                outcome = _outcome(plan, fold, arm, name, shared, prepared)
            if "predicted" in outcome:
                outcome["balanced_accuracy"] = balanced_accuracy(truth, unpack(outcome["predicted"]))
            cell = {**task._asdict(), "arm": arm, "classifier": name, **outcome}
            if arm in unseen and "error" not in outcome:
                unseen.clear()  # the others have the fit in common
                cell["shown"] = _shown(plan, fold, arm, shared)
            yield {**cell, "shared_seconds": shared.seconds, "warnings": of_shared + _messages(caught)}


def _shown(plan: Plan, fold: Fold, arm: str, shared: _Once) -> dict:
    """Return what a fit has to show, fit for JSON; or why that failed: the figures stand without it."""
    try:
        shown = plan.arms[arm].show(fold, shared.value(), plan.n_images)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    names = dict(zip(plan.rows.classes.tolist(), plan.rows.names, strict=True))
    pictures = [{**each, "label": names.get(each["label"])} for each in shown["pictures"]]
    return {**shown, "pictures": pictures}


def balanced_accuracy(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Return the mean recall of the classes that have rows."""
    return float(recall_score(truth, predicted, labels=np.unique(truth), average="macro"))


def list_cells(X: np.ndarray, plan: Plan, task: Task, wanted: list[tuple[str, str]]) -> list[dict]:
    """Return the cells of `run_task`, for a worker, which cannot hand over one by one."""
    return list(run_task(X, plan, task, wanted))


class _Once:
    """A call made once, whose result or error everyone gets; `seconds` is how long it took."""

    def __init__(self, function: Callable, *arguments: Any) -> None:
        self._function, self._arguments = function, arguments
        self._done, self._result = False, None
        self._error: Exception | None = None
        self.seconds = 0.0

    def get(self, *arguments: Any) -> Any:
        """Return the result; None after an error, which `value` raises."""
        if not self._done:
            started = time.perf_counter()
            try:
                self._result = self._function(*self._arguments, *arguments)
            except Exception as error:  # whatever an arm fails with is a result of the benchmark
                self._error = error
            self._done, self.seconds = True, time.perf_counter() - started
        return self._result

    def value(self, *arguments: Any) -> Any:
        result = self.get(*arguments)
        if self._error is not None:
            raise self._error
        return result


def _outcome(plan: Plan, fold: Fold, arm: str, name: str, shared: _Once, prepared: _Once) -> dict:
    """Return what is measured of a cell, or its error; what the first classifier prepares for all is counted apart."""
    started, prepared_before = time.perf_counter(), prepared.seconds
    try:
        measured = _measure(plan, fold, arm, name, shared.value(), prepared)
    except Exception as error:  # named in the result, and the rest of the table survives
        measured = {"error": f"{type(error).__name__}: {error}"}
    own = time.perf_counter() - started - (prepared.seconds - prepared_before)
    return {"seconds": own, "prepared_seconds": prepared.seconds, **measured}


def _measure(plan: Plan, fold: Fold, arm: str, name: str, shared: Any, prepared: _Once) -> dict:
    classifier = clone(plan.classifiers[name])
    seed_parts(fold.seed(f"classifier {name}"), classifier)  # the same for all arms: they differ by the arm alone
    if plan.arms[arm].per_classifier:
        columns = plan.arms[arm].prepare(fold, shared, clone(classifier))
    else:
        columns = prepared.value(fold, shared, clone(classifier))
    model = classifier if columns.classifier is None else columns.classifier
    model.fit(columns.X, columns.y, **columns.fit_params)
    predicted = _codes(model.predict(columns.X_test), plan.rows.classes, len(fold.X_test))
    scores, are_probabilities = _scores(model, columns.X_test, plan.rows.classes)
    return {
        "predicted": pack(predicted),
        "scores": None if scores is None else pack(scores),
        "probabilities": are_probabilities,
        "notes": {**_numbers(columns.notes), **_chosen(model)},
    }


def _chosen(model: Any) -> dict[str, float]:
    """Return the dose that an `AugmentedClassifier` has chosen for itself, or what a search for parameters has."""
    dose = {"dose": float(model.dose_)} if hasattr(model, "dose_scores_") else {}
    found = getattr(model, "best_params_", {})
    return dose | {name: float(value) for name, value in found.items() if isinstance(value, Real)}


def _numbers(notes: Any) -> dict[str, float]:
    """Return what an arm noted, in the form of a results file."""
    try:
        return {str(name): float(value) for name, value in dict(notes).items()}
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"notes of Columns must be names with numbers; got {notes!r}. Leave out what is none."
        ) from error


def _codes(predicted: Any, classes: np.ndarray, n: int) -> np.ndarray:
    """Return predicted labels as positions in `classes`."""
    predicted = np.asarray(predicted)
    if predicted.shape != (n,):
        raise ValueError(f"expected one predicted label for each of {n} rows; got shape {predicted.shape}.")
    codes = np.searchsorted(classes, predicted).clip(max=len(classes) - 1)
    if not np.array_equal(classes[codes], predicted):
        raise ValueError(f"predicted labels {sorted(set(predicted.tolist()) - set(classes.tolist()))} are no classes.")
    return codes.astype(np.uint16)


def _scores(model: Any, X: Any, classes: np.ndarray) -> tuple[np.ndarray | None, bool]:
    """Return probabilities or decision values (n, n_classes) in the order of `classes`, and which of them; or None."""
    method = next((name for name in ("predict_proba", "decision_function") if hasattr(model, name)), None)
    if method is None:
        return None, False
    scores = np.asarray(getattr(model, method)(X), dtype=np.float64)
    if scores.ndim == 1:
        scores = np.column_stack([-scores, scores])
    if scores.shape != (len(X), len(classes)) or not np.array_equal(model.classes_, classes):
        raise ValueError(
            f"expected {method} of shape {(len(X), len(classes))}, a column for each of the classes "
            f"{classes.tolist()}; got {scores.shape} for {model.classes_.tolist()}."
        )
    if not np.isfinite(scores).all():
        raise ValueError(f"{method} of the classifier holds NaN or infinity.")
    return scores.astype("<f4"), method == "predict_proba"


@contextmanager
def _recorded() -> Iterator[list[warnings.WarningMessage]]:
    """Keep warnings of a fit for the result; in a thread, where Python cannot tell them apart, they go their way."""
    if threading.current_thread() is not threading.main_thread():
        yield []
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught


def _messages(caught: list[warnings.WarningMessage]) -> list[str]:
    first = ((warning.category.__name__, next(iter(str(warning.message).splitlines()), "")) for warning in caught)
    lines = (f"{category}: {line}" if line else category for category, line in first)
    return list(dict.fromkeys(lines))[:MOST_WARNINGS]
