"""Paired differences with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ._axes import rows_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

# How a difference is marked, by what its interval says: told apart by shape and filling too, and by colours that stay
# apart for the colour-blind.
MARKS: dict[str, dict[str, Any]] = {
    "gain": {"color": "#0072B2", "marker": ">"},
    "loss": {"color": "#D55E00", "marker": "<"},
    "no evidence": {"color": "0.45", "marker": "o", "markerfacecolor": "white"},
}
COMPARED = ("arm", "classifier", "regime")  # columns that name a comparison
FIGURES = ("difference", "low", "high", "p_holm")  # and those that hold its result


class IntervalDisplay:
    """Paired differences with their intervals, a row a comparison: what gains, what loses, what shows neither.

    Make one with `from_result`, or with the numbers themselves and `plot`.

    Parameters
    ----------
    labels : sequence of str
        Name of each comparison, from the top.
    differences : array-like of shape (n,)
        Estimates, in `unit`; above zero is a gain.
    low, high : array-like of shape (n,)
        Ends of the intervals, in `unit`.
    reference : str, default=None
        What each comparison is with, for the axis.
    unit : str, default="points"
        Unit of the numbers, for the axis; "" for none. Numbers are drawn as they are.
    p_values : array-like of shape (n,), default=None
        p-values, adjusted where many comparisons are made. None: intervals alone decide.
    level : float, default=0.05
        A difference whose p-value is not below this is no evidence, whatever its interval.

    Attributes
    ----------
    verdicts_ : list of {"gain", "loss", "no evidence"}
        What each comparison shows.
    ax_ : matplotlib Axes
        Where the intervals are drawn.
    figure_ : matplotlib Figure
        The figure that holds it.

    Notes
    -----
    A *gain* has its whole interval above zero and, where there are p-values, one below `level`; a *loss* likewise below
    zero. All else is *no evidence*, which is not the same as no difference: look how wide the interval is.

    Examples
    --------
    >>> from sklearn_medgan.plotting import IntervalDisplay
    >>> display = IntervalDisplay(["GAN rows", "SMOTE"], [2.1, -0.4], [0.7, -1.9], [3.5, 1.1], reference="no rows")
    >>> display.plot().verdicts_
    ['gain', 'no evidence']
    """

    def __init__(
        self,
        labels: Sequence[str],
        differences: ArrayLike,
        low: ArrayLike,
        high: ArrayLike,
        *,
        reference: str | None = None,
        unit: str = "points",
        p_values: ArrayLike | None = None,
        level: float = 0.05,
    ) -> None:
        self.labels = labels
        self.differences = differences
        self.low = low
        self.high = high
        self.reference = reference
        self.unit = unit
        self.p_values = p_values
        self.level = level

    @classmethod
    def from_result(
        cls,
        result: Any,
        *,
        reference: str | None = None,
        unit: str = "points",
        level: float = 0.05,
        ax: Axes | None = None,
    ) -> IntervalDisplay:
        """Draw the comparisons of a benchmark.

        Parameters
        ----------
        result : object with a method to_frame, or DataFrame
            With the columns `arm`, `classifier`, `regime`, `difference`, `low`, `high` and `p_holm`. Rows without a
            difference, as that of the reference itself, are left out, and those whose `verdict` is "bound".
        reference : str, default=None
            What the arms are compared with, for the axis.
        unit : str, default="points"
            Unit of the differences, for the axis; "" for none.
        level : float, default=0.05
            A difference whose `p_holm` is not below this is no evidence, whatever its interval.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.

        Returns
        -------
        display : IntervalDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        TypeError, ValueError
            For a result that is no frame, lacks a column, or holds no difference.
        """
        frame = comparisons(result)
        differing = [name for name in COMPARED if frame[name].nunique() > 1] or ["arm"]
        labels = [", ".join(map(str, row)) for row in frame[differing].itertuples(index=False)]
        columns = [frame[name].to_numpy(dtype=float) for name in FIGURES]
        display = cls(labels, *columns[:3], reference=reference, unit=unit, p_values=columns[3], level=level)
        return display.plot(ax=ax)

    def plot(self, *, ax: Axes | None = None) -> IntervalDisplay:
        """Draw the intervals.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure, as high as the rows need.

        Returns
        -------
        self : IntervalDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        ValueError
            If the numbers are not of one length, not finite, or an interval ends before it begins.
        """
        labels, numbers = list(map(str, self.labels)), self._checked()
        self.verdicts_ = self._verdicts(*numbers[1:])
        largest = np.abs(numbers).max() or 1.0
        digits = max(1, 1 - math.floor(math.log10(largest)))  # two that count, of the largest number
        self.ax_ = rows_axes(ax, labels)
        self.figure_ = self.ax_.figure
        for row, (verdict, *row_numbers) in enumerate(zip(self.verdicts_, *numbers, strict=True)):
            self._draw_row(row, verdict, digits, *row_numbers)
        self.ax_.axvline(0.0, color="0.2", linewidth=1.0, zorder=1)
        self.ax_.set_yticks(range(len(labels)), labels)
        self.ax_.set_ylim(len(labels) - 0.5, -0.5)
        self.ax_.set_xlabel(self._axis_label())
        self.ax_.grid(axis="x", color="0.88", linewidth=0.8)
        self.ax_.set_axisbelow(True)
        self.ax_.tick_params(axis="y", length=0)
        self.ax_.spines[["top", "right", "left"]].set_visible(False)
        self._draw_legend()
        return self

    def _checked(self) -> list[np.ndarray]:
        """Differences and both ends as float64, checked."""
        names = ["differences", "low", "high"] + ["p_values"] * (self.p_values is not None)
        numbers = [np.asarray(getattr(self, name), dtype=np.float64) for name in names]
        n = len(self.labels)
        for name, values in zip(names, numbers, strict=True):
            if values.shape != (n,) or not n:
                raise ValueError(f"{name} must hold a number for each of {n} labels (1 or more); got {values.shape}.")
            if name != "p_values" and not np.isfinite(values).all():
                raise ValueError(f"{name} must be finite; got {values.tolist()}. Leave out what was not compared.")
        if (numbers[1] > numbers[2]).any():
            row = int(np.argmax(numbers[1] > numbers[2]))
            ends = f"{numbers[1][row]:g} and {numbers[2][row]:g} for {self.labels[row]!r}"
            raise ValueError(f"low must not be above high; got {ends}. Swap them.")
        return numbers[:3]

    def _verdicts(self, low: np.ndarray, high: np.ndarray) -> list[str]:
        significant = np.ones(len(low), bool) if self.p_values is None else np.less(self.p_values, self.level)
        verdicts = np.where(low > 0, "gain", np.where(high < 0, "loss", "no evidence"))
        return np.where(significant, verdicts, "no evidence").tolist()

    def _draw_row(self, row: int, verdict: str, digits: int, difference: float, low: float, high: float) -> None:
        mark, evident = MARKS[verdict], verdict != "no evidence"
        if row % 2:
            self.ax_.axhspan(row - 0.5, row + 0.5, color="0.965", zorder=0, linewidth=0)
        self.ax_.plot([low, high], [row, row], color=mark["color"], linewidth=2.0 if evident else 1.2, zorder=2)
        self.ax_.plot(difference, row, **mark, markersize=7, zorder=3)
        text = f"{difference:+.{digits}f}  [{low:+.{digits}f}, {high:+.{digits}f}]".replace("-", "\N{MINUS SIGN}")
        place = self.ax_.get_yaxis_transform()
        weight = "bold" if evident else "normal"
        self.ax_.text(1.02, row, text, transform=place, va="center", fontsize="small", weight=weight)

    def _axis_label(self) -> str:
        what = "difference" if self.reference is None else f"difference to {self.reference}"
        return f"{what} ({self.unit})" if self.unit else what

    def _draw_legend(self) -> None:
        """Above the rows, the marks in use, in a fixed order."""
        from matplotlib.lines import Line2D

        handles = [Line2D([], [], label=name, **mark) for name, mark in MARKS.items() if name in self.verdicts_]
        self.ax_.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=len(handles), frameon=False)


def comparisons(result: Any) -> pd.DataFrame:
    """Return the rows of a benchmark's frame that hold a difference, but for bounds, which are no gain."""
    frame = result.to_frame() if hasattr(result, "to_frame") and not hasattr(result, "columns") else result
    if not hasattr(frame, "columns"):
        raise TypeError(f"Expected a DataFrame, or a result whose to_frame gives one; got {type(result).__name__}.")
    missing = [name for name in (*COMPARED, *FIGURES) if name not in frame.columns]
    if missing:
        raise ValueError(f"The result lacks the columns {missing}; it has {list(frame.columns)}. Rename or add them.")
    frame = frame[frame["difference"].notna() & (frame.get("verdict") != "bound")]
    if not len(frame):
        raise ValueError("The result holds no difference: every row's is missing. Compare two arms or more.")
    return frame
