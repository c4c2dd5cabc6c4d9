"""Axes of matplotlib: those given, parts of them, or those of a new figure."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _pyplot() -> ModuleType:
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError('Pictures need matplotlib. Install it with: pip install "sklearn-medgan[plot]"') from error
    return plt


def one_axes(ax: Axes | None, aspect: float) -> Axes:
    """Return `ax`, or the axes of a new figure for a picture that is `aspect` times as wide as high."""
    if ax is not None:
        return ax
    plt = _pyplot()
    width = float(np.clip(3.0 * aspect, 3.0, 10.0))
    return plt.subplots(figsize=(width + 1.2, width / aspect + 0.6), layout="constrained")[1]


def rows_axes(ax: Axes | None, labels: Sequence[str]) -> Axes:
    """Return `ax`, or the axes of a new figure for a row of text and marks for each label."""
    if ax is not None:
        return ax
    names = 0.075 * max(map(len, labels), default=0)  # inches, about
    size = (min(5.8 + names, 12.0), 0.27 * len(labels) + 1.1)
    return _pyplot().subplots(figsize=size, layout="constrained")[1]


def three_axes(ax: Any) -> np.ndarray:
    """Return three axes: the ones given, parts of the one given, or those of a new figure."""
    return _grid(ax, 1, 3, size=(11, 3), wspace=0.3, expected="three: losses, logit gap, sample spread")[0]


def grid_of_axes(ax: Any, n_rows: int, n_columns: int, aspect: float) -> np.ndarray:
    """Return an array of axes for pictures that are `aspect` times as wide as high: as in `three_axes`."""
    size, expected = grid_size(n_rows, n_columns, aspect), f"{n_rows} x {n_columns}, a row an image"
    return _grid(ax, n_rows, n_columns, size=size, wspace=0.05, expected=expected)


def _grid(
    ax: Any, n_rows: int, n_columns: int, *, size: tuple[float, float], wspace: float, expected: str
) -> np.ndarray:
    if ax is None:
        return _pyplot().subplots(n_rows, n_columns, figsize=size, layout="constrained", squeeze=False)[1]
    axes = np.asarray(ax if np.iterable(ax) else _divided(ax, n_rows, n_columns, wspace), dtype=object)
    if axes.size != n_rows * n_columns:
        raise ValueError(f"ax must be one Axes or {expected}; got {axes.size}.")
    return axes.reshape(n_rows, n_columns)


def grid_size(n_rows: int, n_columns: int, aspect: float) -> tuple[float, float]:
    """Return the inches of a figure for pictures that are `aspect` times as wide as high."""
    height = 2.2 / max(1.0, aspect)
    return n_columns * (height * aspect + 0.1) + 0.8, n_rows * (height + 0.1) + 0.8


def _divided(ax: Axes, n_rows: int, n_columns: int, wspace: float) -> list[Axes]:
    """New axes in place of the one given."""
    place = ax.get_subplotspec()
    if place is None:
        raise ValueError("ax must be made by subplots, to be divided; got one placed freely. Pass an array of Axes.")
    ax.set_axis_off()
    parts = place.subgridspec(n_rows, n_columns, wspace=wspace)
    return [ax.figure.add_subplot(parts[i, j]) for i in range(n_rows) for j in range(n_columns)]
