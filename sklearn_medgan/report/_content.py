"""What a report shows, taken from a result and set in order for the templates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ._drawing import Axis, curve_path, roc_path
from ._headline import featured, headline, is_compared

KINDS = {
    "rows": "Training data: synthetic and other rows",
    "columns": "Image features",
    "enhancement": "Enhanced images",
}
WITHOUT: dict[str, Any] = {
    "unit": "cases",
    "classes": [],
    "counts": [],
    "n_groups": None,
    "arms": {},
    "lines": None,
    "shown": [],
}
MARKS = {"gain": "gain", "loss": "loss"}  # verdict -> class of its mark; the others have none
# Curves that belong in one drawing; others have one each.
CURVES = {"losses": ("discriminator_loss", "generator_loss", "class_loss")}
IN_CURVES = {name: title for title, names in CURVES.items() for name in names}


def content_of(result: Any, **more: Any) -> dict[str, Any]:
    """Return the names of the templates: rows by kind, cards, pictures, and what the caller adds."""
    table, evidence = result.table, {**WITHOUT, **result.evidence}
    verdict, sentences = headline(table, evidence)
    lines = evidence["lines"] or [None] * len(table)
    cards = {_place(row): _card(row, line) for row, line in zip(table, lines, strict=True) if line}
    best = featured(table)
    first, second = (cards.get(place) for place in _pair(best)) if best else (None, None)
    compared = [row for row in table if is_compared(row)]
    axis = Axis.of(value for row in compared for value in (row["low"], row["high"], row["difference"]))
    return {
        **more,
        "verdict": verdict,
        "sentences": sentences,
        "evidence": evidence,
        "settings": result.settings,
        "notes": result.notes,
        "failures": result.failures,
        "table": table,
        "arms": {row["arm"]: (evidence["arms"].get(row["arm"], ""), row["reference"]) for row in table},
        "differing": [name for name in ("classifier", "regime") if len({row[name] for row in table}) > 1],
        "axis": axis,
        "kinds": {title: rows for kind, title in KINDS.items() if (rows := [r for r in compared if r["kind"] == kind])},
        "marks": MARKS,
        "others": [card for card in _with_reference(cards, table) if best and _place(card["row"]) not in _pair(best)],
        "first": first,
        "second": second,
        "shown": [
            {"error": "", "pictures": [], "privacy": [], **each, "curves": _curves(each.get("history", {}))}
            for each in evidence["shown"]
        ],
    }


def _place(row: Mapping) -> tuple:
    return row["regime"], row["arm"], row["classifier"]


def _pair(row: Mapping) -> tuple[tuple, tuple]:
    """Return the places of a row and of its reference."""
    return _place(row), (row["regime"], row["reference"], row["classifier"])


def _card(row: dict, line: Mapping) -> dict[str, Any]:
    """Return curve, confusion and classes of one row of the table."""
    curve = line["curve"]
    shares = [[value / (sum(counts) or 1) for value in counts] for counts in line["confusion"]]
    return {
        "row": row,
        "shares": shares,
        "recalls": line["recalls"],
        "groups": line["groups"],
        "path": curve and roc_path(curve["rates"]),
        "area": curve and curve["area"],
        "points": {
            name: (row[f"sensitivity{end}"], row[f"specificity{end}"])
            for name, end in {"own": "", "at_90": "_at_90"}.items()
            if not math.isnan(row[f"specificity{end}"])
        },
    }


def _with_reference(cards: dict[tuple, dict], table: list[dict]) -> list[dict]:
    """Return cards in the order of the table, each with that of its reference, None for the reference's own."""
    places = {_place(row): _pair(row) for row in table if _place(row) in cards}
    return [
        {**cards[place], "reference": cards.get(other) if other != place else None} for place, other in places.values()
    ]


def _curves(history: Mapping[str, list]) -> list[dict[str, Any]]:
    """Return drawings of a training: those curves together that have a scale in common."""
    steps: list = history.get("step", [])
    drawings: dict[str, dict] = {}
    for name, values in history.items():
        if name != "step" and any(math.isfinite(value) and value for value in values):
            drawings.setdefault(IN_CURVES.get(name, name.replace("_", " ")), {})[name.replace("_", " ")] = values
    return [_drawing(title, steps, curves) for title, curves in drawings.items()]


def _drawing(title: str, steps: list, curves: dict[str, list]) -> dict[str, Any]:
    finite = [value for values in curves.values() for value in values if math.isfinite(value)]
    low, high = min(finite), max(finite)
    return {
        "title": title,
        "low": low,
        "high": high,
        "last_step": steps[-1],
        "paths": {name: curve_path(steps, values, low, high) for name, values in curves.items()},
        "ends": {name: (values[0], values[-1]) for name, values in curves.items()},
    }
