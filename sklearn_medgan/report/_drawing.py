"""Where the marks of the small drawings lie, in pixels; the templates make SVG of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

WIDTH, MARGIN = 240, 12  # of a row of the intervals
SIDE = 200  # of a ROC curve
CURVE = 260, 110  # of a training curve
MOST_TICKS = 6
STEPS = (1, 2, 5, 10)
LEAST = 0.005  # half a point to either side of zero


@dataclass(frozen=True)
class Axis:
    """A scale of differences that holds zero: from values to pixels across."""

    low: float
    high: float
    ticks: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> Axis:
        """Return an axis from tick to tick that holds all finite values."""
        finite = [-LEAST, LEAST, *(value for value in values if math.isfinite(value))]
        span = max(finite) - min(finite)
        power = 10.0 ** math.floor(math.log10(span / MOST_TICKS))
        step = power * next(k for k in STEPS if k * power * (MOST_TICKS - 1) >= span or k == STEPS[-1])
        first, last = math.floor(min(finite) / step), math.ceil(max(finite) / step)
        return cls(first * step, last * step, tuple(k * step for k in range(first, last + 1)))

    def __call__(self, value: float) -> float:
        """Return pixels from the left."""
        share = (value - self.low) / (self.high - self.low)
        return round(MARGIN + share * (WIDTH - 2 * MARGIN), 1)


def roc_path(rates: Sequence[float]) -> str:
    """Return the path of a curve: true positive rates at evenly spaced false positive rates, from (0, 0)."""
    places = np.linspace(0, SIDE, len(rates))
    return f"M0 {SIDE} L" + " ".join(f"{x:.4g} {SIDE * (1 - rate):.4g}" for x, rate in zip(places, rates, strict=True))


def curve_path(steps: Sequence[float], values: Sequence[float], low: float, high: float) -> str:
    """Return the path of a training curve on a scale from `low` to `high`; a value that is not finite breaks it."""
    (width, height), first, last = CURVE, steps[0], steps[-1]
    parts, pen = [], "M"
    for step, value in zip(steps, values, strict=True):
        if not math.isfinite(value):
            pen = "M"
            continue
        x, y = (step - first) / ((last - first) or 1) * width, height * (1 - (value - low) / ((high - low) or 1))
        parts.append(f"{pen}{x:.4g} {y:.4g}")
        pen = "L"
    return "".join(parts)
