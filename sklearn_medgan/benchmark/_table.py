"""From cells to a table: one row a regime, arm and classifier, with its figures and what may be claimed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import chain, product
from typing import Any

import numpy as np

from ..report._headline import comparisons
from . import _statistics as statistics
from ._cells import key_of, unpack
from ._plan import Plan

COLUMNS = (
    "regime",
    "kind",
    "arm",
    "classifier",
    "n",
    "balanced_accuracy",
    "auc",
    "sensitivity",
    "specificity",
    "sensitivity_at_90",
    "specificity_at_90",
    "brier",
    "reference",
    "difference",
    "low",
    "high",
    "p",
    "p_holm",
    "best_other",
    "difference_to_best",
    "low_to_best",
    "high_to_best",
    "verdict",
    "seconds",
    "error",
)
NAN = float("nan")


@dataclass(frozen=True)
class Line:
    """Cells of one regime, arm and classifier, by (seed, fold)."""

    regime: str
    arm: str
    classifier: str
    cells: dict

    @property
    def key(self) -> tuple:
        return self.regime, self.arm, self.classifier

    @property
    def errors(self) -> list[dict]:
        return [cell for cell in self.cells.values() if "error" in cell]

    def error(self, n_folds: int) -> str:
        """Return what failed where, in a sentence; empty where nothing did."""
        if len(self.cells) < n_folds:
            return f"{n_folds - len(self.cells)} of {n_folds} fits are missing"
        if not self.errors:
            return ""
        first = self.errors[0]
        where = f"first in seed {first['seed']}, fold {first['fold']}"
        said = " ".join(first["error"].split()).rstrip(".")  # some errors of scikit-learn are paragraphs
        return f"failed in {len(self.errors)} of {n_folds} fits, {where}: {said}"

    def seconds(self) -> float:
        """Return mean over fits; what classifiers have in common is counted in full for each."""
        names = ("seconds", "prepared_seconds", "shared_seconds")  # earlier files lack the second
        fitted = [sum(cell.get(name, 0.0) for name in names) for cell in self.cells.values()]
        return float(np.mean(fitted)) if fitted else NAN


@dataclass(frozen=True)
class Predictions:
    """Predicted classes (n_seeds, n) of the lines that have no error, by their keys."""

    plan: Plan
    of: dict[tuple, np.ndarray]

    def accuracy(self, key: tuple) -> float:
        """Return the balanced accuracy, mean over seeds."""
        codes = self.plan.rows.codes
        return float(statistics.balanced_parts(codes, self.of[key] == codes).sum(1).mean())

    def difference(self, first: tuple, second: tuple) -> statistics.PairedDifference:
        rows = self.plan.rows
        fold_of = np.stack([fold_numbers(folds) for folds in self.plan.folds.values()])
        return statistics.paired_difference(rows.codes, rows.groups, fold_of, self.of[first], self.of[second])


def last_of_each(plan: Plan, cells: list[dict]) -> list[dict]:
    """Return cells in the order of the plan, whatever the order of work; of one that was tried again, the last."""
    last = {key_of(cell): cell for cell in cells}
    keys = ((task.regime, task.seed, task.fold, *pair) for task in plan.tasks() for pair in plan.cells_of(task))
    return [last[key] for key in keys if key in last]


def build_table(plan: Plan, cells: list[dict], references: dict, diseased: dict) -> list[dict]:
    """Return rows of the table, dicts of `COLUMNS`; `references` by arm, positions of `diseased` classes by regime."""
    lines = lines_of(plan, cells)
    n_folds = sum(map(len, plan.folds.values()))
    whole = {line.key: line for line in lines if not line.error(n_folds)}
    compared = Predictions(plan, {key: by_row(plan, line, "predicted", int) for key, line in whole.items()})
    table = []
    for line in lines:
        row: dict[str, Any] = dict.fromkeys(COLUMNS, NAN)
        row.update(regime=line.regime, kind=plan.arms[line.arm].kind, arm=line.arm, classifier=line.classifier)
        row.update(
            n=len(plan.rows.codes), reference=references[line.arm], best_other="", verdict="", seconds=line.seconds()
        )
        row["error"] = line.error(n_folds)
        if line.key in whole:
            row["balanced_accuracy"] = compared.accuracy(line.key)
            row.update(_figures(plan, line, compared.of[line.key], diseased[line.regime]))
            row.update(_against_reference(line, references, compared, whole))
            row.update(_against_best(line, plan, references, compared, whole))
        table.append(row)
    _judge(table, {name for name, arm in plan.arms.items() if not arm.competes})
    return table


def lines_of(plan: Plan, cells: list[dict]) -> list[Line]:
    found = {key_of(cell): cell for cell in cells}
    lines = []
    for regime, arm, classifier in product(plan.regimes, plan.arms, plan.classifiers):
        keys = {place: (regime.name, *place, arm, classifier) for place in plan.places()}
        kept = {place: found[key] for place, key in keys.items() if key in found}
        lines.append(Line(regime.name, arm, classifier, kept))
    return lines


def by_row(plan: Plan, line: Line, name: str, dtype: type) -> np.ndarray:
    """Return values of a cell's array in the order of the rows, (n_seeds, n, ...)."""
    result: Any = None
    for i, (seed, folds) in enumerate(plan.folds.items()):
        for fold, (_, test) in enumerate(folds):
            values = unpack(line.cells[seed, fold][name])
            if result is None:
                result = np.zeros((len(plan.folds), len(plan.rows.codes), *values.shape[1:]), dtype)
            result[i, test] = values
    return result


def _figures(plan: Plan, line: Line, predicted: np.ndarray, diseased: tuple[int, ...]) -> dict:
    """Return what needs no other arm; means over seeds."""
    codes = plan.rows.codes
    figures = {}
    if diseased:
        is_ill = np.isin(codes, diseased)
        own = [statistics.sensitivity_specificity(is_ill, np.isin(row, diseased)) for row in predicted]
        figures["sensitivity"], figures["specificity"] = map(float, np.mean(own, axis=0))
    cells = list(line.cells.values())
    if any(cell["scores"] is None for cell in cells):
        return figures
    scores = by_row(plan, line, "scores", np.float64)
    parts = [(i, test) for i, folds in enumerate(plan.folds.values()) for _, test in folds]
    areas = [statistics.macro_auc(codes[test], scores[i, test]) for i, test in parts]
    figures["auc"] = float(np.nanmean(areas)) if not np.isnan(areas).all() else NAN
    are_probabilities = all(cell["probabilities"] for cell in cells)
    if diseased:
        suspicions = [statistics.suspicion(row, diseased, are_probabilities) for row in scores]
        at_90 = [
            statistics.sensitivity_specificity(is_ill, statistics.at_specificity(row, is_ill, fold_numbers(folds)))
            for row, folds in zip(suspicions, plan.folds.values(), strict=True)
        ]
        figures["sensitivity_at_90"], figures["specificity_at_90"] = map(float, np.mean(at_90, axis=0))
    if are_probabilities:
        figures["brier"] = float(np.mean([statistics.brier(codes, row) for row in scores]))
    return figures


def fold_numbers(folds: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    numbers = np.empty(sum(len(test) for _, test in folds), int)
    for fold, (_, test) in enumerate(folds):
        numbers[test] = fold
    return numbers


def _against_reference(line: Line, references: dict, compared: Predictions, whole: dict) -> dict:
    other = (line.regime, references[line.arm], line.classifier)
    if other == line.key or other not in whole:
        return {}
    found = compared.difference(line.key, other)
    return {"difference": found.mean, "low": found.low, "high": found.high, "p": found.p}


def _against_best(line: Line, plan: Plan, references: dict, compared: Predictions, whole: dict) -> dict:
    """Return the best of the other arms with the same reference, that itself included."""
    field = [arm for arm in plan.arms if references[arm] == references[line.arm] or arm == references[line.arm]]
    keys = [(line.regime, arm, line.classifier) for arm in field if arm != line.arm and plan.arms[arm].competes]
    keys = [key for key in keys if key in whole]
    if not keys:
        return {}
    best = max(keys, key=compared.accuracy)
    found = compared.difference(line.key, best)
    figures = {"difference_to_best": found.mean, "low_to_best": found.low, "high_to_best": found.high}
    return {"best_other": best[1], **figures}


def _judge(table: list[dict], bounds: set[str]) -> None:
    """Set p values corrected over the whole table, and the verdict of each row; arms that are `bounds` gain nothing."""
    rows = [row for row in table if not np.isnan(row["p"])]
    for row, p in zip(rows, statistics.holm([row["p"] for row in rows]), strict=True):
        row["p_holm"] = float(p)
        row["verdict"] = "bound" if row["arm"] in bounds else statistics.verdict(row["difference"], row["p_holm"])
    for row in table:
        if row["error"]:
            row["verdict"] = "failed"
        elif row["arm"] == row["reference"]:
            row["verdict"] = "reference"
        elif not row["verdict"]:
            row["verdict"] = "no comparison: the reference failed"


def sentence(row: dict, n_comparisons: int) -> str:
    who = f"{row['arm']} + {row['classifier']}, {row['regime']}"
    if row["error"]:
        return f"{who}: {row['error']}."
    accuracy = f"balanced accuracy {row['balanced_accuracy']:.3f}"
    if np.isnan(row["difference"]):
        return f"{who}: {row['verdict']}; {accuracy}."
    interval = f"95 % interval {100 * row['low']:+.1f} to {100 * row['high']:+.1f}"
    corrected = f"p {_p(row['p_holm'])} after correction for {comparisons(n_comparisons)}"
    points = f"{100 * row['difference']:+.1f} points against {row['reference']}"
    return f"{who}: {row['verdict']}; {points} ({interval}; {corrected}); {accuracy}."


def _p(value: float) -> str:
    return "below 0.001" if value < 0.001 else f"{value:.3f}"


def warning_notes(cells: list[dict]) -> list[str]:
    """Return warnings of the fits, each with the arms that raised it."""
    by_message: dict[str, Counter] = {}
    for cell in cells:
        for message in cell.get("warnings", ()):
            by_message.setdefault(message, Counter())[cell["arm"]] += 1
    return [
        f"Warning in {arms.total()} fits ({', '.join(arms)}): {message}" for message, arms in sorted(by_message.items())
    ]


def chosen_notes(cells: list[dict]) -> list[str]:
    """Return what arms chose on training rows, such as a dose, and how often."""
    counts: dict[tuple, Counter] = {}
    for cell in cells:
        for name, value in (cell.get("notes") or {}).items():
            counts.setdefault((cell["regime"], cell["arm"], cell["classifier"], name), Counter())[value] += 1
    return [
        f"{arm} + {classifier}, {regime}: {name} "
        + ", ".join(f"{v:g} ({n} of {of_arm.total()} fits)" for v, n in sorted(of_arm.items()))
        for (regime, arm, classifier, name), of_arm in sorted(counts.items())
    ]


def all_notes(plan: Plan, extra: list[str], cells: list[dict]) -> list[str]:
    """Return what a reader has to know besides the figures."""
    if len(plan.folds) == 1:
        extra = [
            *extra,
            "One seed: a few fits tell little of how fits differ, so intervals are wide. Use three or more.",
        ]
    return list(dict.fromkeys(chain(plan.rows.notes, extra, chosen_notes(cells), warning_notes(cells))))
