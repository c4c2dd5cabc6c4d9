"""The verdict of a whole benchmark, in words that need no statistics."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def is_compared(row: Mapping) -> bool:
    return not math.isnan(row["p_holm"])


def without_bounds(table: list[dict]) -> list[dict]:
    """Return the rows that something was tried in: not those of a bound, as the good images behind poor ones."""
    return [row for row in table if row["verdict"] != "bound"]


def comparisons(n: int) -> str:
    """Return a number of comparisons, in words."""
    return f"{n} comparison" if n == 1 else f"{n} comparisons"


def featured(table: list[dict]) -> dict | None:
    """Return the row that a verdict names: the clear gain that is largest, else the largest difference, else None."""
    compared = [row for row in without_bounds(table) if is_compared(row)]
    return max(compared, key=lambda row: (row["verdict"] == "gain", row["difference"]), default=None)


def headline(table: list[dict], evidence: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Return the verdict as a sentence, and the sentences that belong to it, from those fields of a `BenchmarkResult`.

    >>> from sklearn_medgan.report import headline
    >>> headline([], {})
    ('Nothing was compared.', [])
    """
    best, table = featured(table), without_bounds(table)
    if best is None:
        failed = sum(bool(row["error"]) for row in table)
        return "Nothing was compared.", [f"{failed} of {len(table)} measurements failed."] if failed else []
    name, verdict = f"“{best['arm']}”", best["verdict"]
    n_losses = sum(row["verdict"] == "loss" for row in table)
    if verdict == "gain":
        said = f"{name} helps: {_of_hundred(best, evidence)}."
    elif n_losses:
        n = sum(map(is_compared, table))
        said = f"Nothing that was tried is shown to help, and {n_losses} of {n} comparisons are shown to be worse."
    else:
        said = "No evidence that anything that was tried helps."
    return said, [*_meaning(best, evidence), *_diagnosis(best, table, evidence), _counts(table)]


def _of_hundred(row: dict, evidence: Mapping) -> str:
    """Return balanced accuracy as a count: the share that is right where each class is as frequent as the others."""
    right, before = 100 * row["balanced_accuracy"], 100 * (row["balanced_accuracy"] - row["difference"])
    digits = 0 if abs(row["difference"]) >= 0.015 else 1
    unit = evidence.get("unit", "cases")
    return f"of 100 {unit}, {right:.{digits}f} are classified correctly instead of {before:.{digits}f}"


def _meaning(row: dict, evidence: Mapping) -> list[str]:
    about, arms = evidence.get("arms", {}), (row["arm"], row["reference"])
    what, other = (f"“{name}”" + (f" ({about[name]})" if about.get(name) else "") for name in arms)
    points = f"{signed(row['difference'])} (95 % interval {signed(row['low'])} to {signed(row['high'])})"
    start = f"{what}, compared with {other}, the classifier being {row['classifier']}: {points}"
    if row["verdict"] == "gain":
        return [f"{start} more of 100, where every class is as frequent as the others."]
    best = f"The largest difference is that of {start} of 100, where every class is as frequent as the others."
    if row["low"] <= 0 <= row["high"]:
        best += " The interval holds zero, so chance may explain it; that is no proof that there is no difference."
    elif row["difference"] > 0:
        best += " After correction for the number of comparisons, chance may explain it."
    return [best]


def _diagnosis(row: dict, table: list[dict], evidence: Mapping) -> list[str]:
    """Return sensitivity and specificity beside those of the reference, where there are any."""
    place = row["regime"], row["reference"], row["classifier"]
    other = next((r for r in table if (r["regime"], r["arm"], r["classifier"]) == place), None)
    ill = evidence.get("diseased", {}).get(row["regime"])
    if other is None or not ill or math.isnan(row["sensitivity"]):
        return []
    found, cleared = (f"{percent(row[n])} instead of {percent(other[n])}" for n in ("sensitivity", "specificity"))
    whom = " or ".join(f"“{name}”" for name in ill)
    return [f"Of those with {whom} it finds {found} (sensitivity); of the others it clears {cleared} (specificity)."]


def _counts(table: list[dict]) -> str:
    verdicts = [row["verdict"] for row in table if is_compared(row)]
    gains, losses, n = verdicts.count("gain"), verdicts.count("loss"), len(verdicts)
    return f"{comparisons(n)}: {gains} shown to gain, {losses} to lose, {n - gains - losses} without evidence."


def signed(fraction: float) -> str:
    """Return a fraction as points, with its sign."""
    return f"{100 * fraction:+.1f}".replace("-", "\N{MINUS SIGN}")


def percent(fraction: float) -> str:
    """Return a fraction as per cent; a dash where there is none."""
    return "\N{EN DASH}" if math.isnan(fraction) else f"{100 * fraction:.0f}\N{NO-BREAK SPACE}%"
