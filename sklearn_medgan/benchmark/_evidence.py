"""What a table leaves out and a report shows: confusions, curves, classes, groups, and what the arms have to show."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix

from . import _statistics as statistics
from ._plan import Plan
from ._table import Line, by_row, fold_numbers, lines_of

MOST_GROUPS = 10  # that are named as the hardest


def evidence_of(plan: Plan, cells: list[dict], diseased: dict) -> dict[str, Any]:
    """Return what `BenchmarkResult.evidence` documents, fit for JSON."""
    rows, n_folds = plan.rows, sum(map(len, plan.folds.values()))
    has_groups = rows.n_groups < len(rows.codes)
    fold_of = np.stack([fold_numbers(folds) for folds in plan.folds.values()])
    return {
        "unit": "images" if rows.X.ndim > 2 else "cases",
        "classes": list(rows.names),
        "counts": np.bincount(rows.codes).tolist(),
        "n_groups": rows.n_groups if has_groups else None,
        "diseased": {regime: [rows.names[code] for code in codes] for regime, codes in diseased.items()},
        "arms": {name: arm.about for name, arm in plan.arms.items()},
        "lines": [
            None if line.error(n_folds) else _of_line(plan, line, diseased[line.regime], fold_of, has_groups)
            for line in lines_of(plan, cells)
        ],
        "shown": _shown(cells),
    }


def _of_line(plan: Plan, line: Line, diseased: tuple[int, ...], fold_of: np.ndarray, has_groups: bool) -> dict:
    rows, kinds = plan.rows, np.arange(len(plan.rows.names))
    predicted = by_row(plan, line, "predicted", int)
    right = predicted == rows.codes
    counts = sum(confusion_matrix(rows.codes, row, labels=kinds) for row in predicted)
    return {
        "confusion": (counts / len(predicted)).tolist(),
        "recalls": [statistics.share_interval(right, rows.codes == code, rows.groups, fold_of) for code in kinds],
        "curve": _curve(plan, line, diseased),
        "groups": _groups(plan, ~right) if has_groups else None,
    }


def _curve(plan: Plan, line: Line, diseased: tuple[int, ...]) -> dict | None:
    """Return the ROC curve of being ill at all, or the mean of each class against the rest; mean over all fits."""
    cells, codes = list(line.cells.values()), plan.rows.codes
    if any(cell["scores"] is None for cell in cells):
        return None
    scores, truths = by_row(plan, line, "scores", np.float64), codes[:, None] == np.arange(len(plan.rows.names))
    if diseased:
        are_probabilities = all(cell["probabilities"] for cell in cells)
        scores = np.stack([statistics.suspicion(row, diseased, are_probabilities)[:, None] for row in scores])
        truths = np.isin(codes, diseased)[:, None]
    tests = ((seed, test) for seed, folds in enumerate(plan.folds.values()) for _, test in folds)
    found = [curve for seed, test in tests if (curve := statistics.roc(truths[test], scores[seed, test]))]
    if not found:
        return None
    rates, areas = zip(*found, strict=True)
    return {"rates": np.mean(rates, axis=0).round(4).tolist(), "area": float(np.mean(areas))}


def _groups(plan: Plan, wrong: np.ndarray) -> dict:
    """Return how many groups are more often wrong than right, and the hardest, by their places in `np.unique`."""
    rows = plan.rows
    counts = np.bincount(rows.groups)
    shares = np.bincount(rows.groups, wrong.mean(0)) / counts
    hardest = [int(group) for group in np.argsort(-shares, kind="stable")[:MOST_GROUPS] if shares[group]]
    classes = {group: np.unique(rows.codes[rows.groups == group]) for group in hardest}
    return {
        "n_mostly_wrong": int((shares > 0.5).sum()),
        "hardest": [
            {
                "group": group,
                "n": int(counts[group]),
                "wrong": float(shares[group]),
                "classes": [rows.names[code] for code in classes[group]],
            }
            for group in hardest
        ],
    }


def _shown(cells: list[dict]) -> list[dict]:
    """Return what each shared fit has to show, once."""
    found: dict[tuple, dict] = {}
    for cell in cells:
        if cell.get("shown"):
            told = {"regime": cell["regime"], "fit": cell["share"], **cell["shown"]}
            found.setdefault((cell["regime"], cell["share"]), told)
    return list(found.values())
