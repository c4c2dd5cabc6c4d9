"""What a benchmark found, as a table, text, JSON or a page."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..report import fragment, page
from ..report._headline import comparisons, is_compared, without_bounds
from ._table import COLUMNS, sentence

if TYPE_CHECKING:
    import pandas

SHOWN = {
    "regime": "regime",
    "arm": "arm",
    "classifier": "classifier",
    "balanced_accuracy": "balanced accuracy",
    "auc": "AUC",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "brier": "Brier",
    "difference": "points against reference (95 %)",
    "p_holm": "p (Holm)",
    "verdict": "verdict",
    "seconds": "fit, s",
}


@dataclass
class BenchmarkResult:
    """Outcome of `diagnostic_benchmark`.

    Attributes
    ----------
    table : list of dict
        One row a regime, arm and classifier; the columns are those of `to_frame`.
    cells : list of dict
        What every fit on every fold said of its test rows; arrays are packed as dtype, shape and base64.
    notes : list of str
        What a reader has to know besides: groups of two classes, arms left out, warnings of fits, doses chosen.
    settings : dict
        What was measured on which data.
    evidence : dict
        What a report shows besides: `unit`, `classes` with their `counts`, `n_groups` (None without groups), `diseased`
        classes by regime, `arms` in words; `lines`, one a row of the table (None where it
        failed), with `confusion` (n_classes, n_classes), mean counts over seeds, true classes first, `recalls` of the
        classes with their 95 % intervals, `curve` (true positive rates at 101 false positive rates from 0 to 1, and the
        area) and `groups`; and `shown`, training curves and pictures of the first fold.
    """

    table: list[dict]
    cells: list[dict] = field(repr=False)
    notes: list[str]
    settings: dict = field(repr=False)
    evidence: dict = field(default_factory=dict, repr=False)

    @property
    def verdict_(self) -> dict[tuple[str, str, str], str]:
        """Return (regime, arm, classifier) -> the verdict as a sentence with its figures."""
        n = self.n_comparisons
        return {(row["regime"], row["arm"], row["classifier"]): sentence(row, n) for row in self.table}

    @property
    def n_comparisons(self) -> int:
        """Return how many differences Holm's correction counts."""
        return sum(map(is_compared, self.table))

    @property
    def failures(self) -> list[str]:
        """Return arms that failed, with their errors."""
        return [self.verdict_[row["regime"], row["arm"], row["classifier"]] for row in self.table if row["error"]]

    def to_frame(self) -> pandas.DataFrame:
        """Return the table as a DataFrame.

        Returns
        -------
        pandas.DataFrame
            One row a regime, arm and classifier. `n` test rows; `balanced_accuracy`, `auc` (macro, one against the
            rest), `sensitivity` and `specificity` of the ill classes at the classifier's own operating point, and
            `..._at_90` where the threshold aims at a specificity of 90 %; `brier` (NaN without probabilities).
            `difference` to `reference` in balanced accuracy (fractions) with its 95 % interval `low` to `high`, `p`,
            and `p_holm`; the same against `best_other`. `verdict`, `seconds` of a fit, and the `error` of what failed.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError("to_frame needs pandas. Install it with: pip install pandas") from error
        return pd.DataFrame(self.table, columns=list(COLUMNS))

    def to_json(self, path: str | os.PathLike | None = None) -> str:
        """Return the table with settings, verdicts and notes as JSON; NaN becomes null.

        Parameters
        ----------
        path : path-like, default=None
            File to write to.

        Returns
        -------
        str
            What is written.
        """
        rows = [{name: _plain(value) for name, value in row.items()} for row in self.table]
        for row, text in zip(rows, self.verdict_.values(), strict=True):
            row["sentence"] = text
        text = json.dumps({"settings": self.settings, "table": rows, "notes": self.notes}, indent=1, allow_nan=False)
        if path is not None:
            Path(path).write_text(text + "\n", encoding="utf-8")
        return text

    def to_text(self, columns: Sequence[str] | None = None) -> str:
        """Return the table for a terminal.

        Parameters
        ----------
        columns : sequence of str, default=None
            Which columns of `to_frame`, in this order. None: the most important, some 200 characters wide.

        Returns
        -------
        str
            A line for the names of the columns, and one a row.
        """
        names = list(SHOWN if columns is None else columns)
        rows = [[SHOWN.get(name, name) for name in names], *self._shown(names)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(names))]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
        )

    def to_markdown(self) -> str:
        """Return the table for a page of documentation.

        Returns
        -------
        str
        """
        rows = [list(SHOWN.values()), ["---"] * len(SHOWN), *self._shown()]
        return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows)

    def to_html(
        self,
        path: str | os.PathLike | None = None,
        *,
        title: str = "Diagnostic benchmark",
        command: str | None = None,
        about: Sequence[str] = (),
    ) -> str:
        """Return a report as one HTML file that fetches nothing: the verdict first, then what it rests on.

        It has the intervals, ROC curves and confusions with their operating points, classes and groups that fail, what
        was trained, all figures, and the protocol. Images are in it where `diagnostic_benchmark` was told `n_images`.

        Parameters
        ----------
        path : path-like, default=None
            File to write to.
        title : str, default="Diagnostic benchmark"
            What it is about, such as the name of the data.
        command : str, default=None
            The line that made it.
        about : sequence of str, default=()
            Sentences on the data.

        Returns
        -------
        str
            What is written.
        """
        text = page(self, title=title, command=command, about=list(about))
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def _repr_html_(self) -> str:
        return fragment(self)

    def summary(self) -> str:
        """Return what may be claimed, in words: counts, every gain and loss, what failed, notes. Bounds are no gains.

        Returns
        -------
        str
            One statement a line.
        """
        tried = without_bounds(self.table)
        by_verdict = {name: [r for r in tried if r["verdict"] == name] for name in ("gain", "loss")}
        n, gains, losses = sum(map(is_compared, tried)), *map(len, by_verdict.values())
        counts = f"gains {gains}, losses {losses}, no evidence {n - gains - losses}"
        lines = [f"{comparisons(n)} with a reference: {counts}."]
        if n and not gains:
            lines.append("No evidence of a gain.")
        lines += [sentence(row, self.n_comparisons) for rows in by_verdict.values() for row in rows]
        return "\n".join([*lines, *self.failures, *self.notes])

    def _shown(self, columns: Sequence[str] = tuple(SHOWN)) -> list[list[str]]:
        return [[_cell(row, name) for name in columns] for row in self.table]


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def _cell(row: dict, name: str) -> str:
    """Return a figure as text; empty where there is none."""
    value = row[name]
    if not isinstance(value, float):
        return str(value)
    if math.isnan(value):
        return ""
    if name == "difference":
        return f"{100 * value:+.1f} ({100 * row['low']:+.1f} to {100 * row['high']:+.1f})"
    return f"{value:.1f}" if name == "seconds" else f"{value:.3f}"
