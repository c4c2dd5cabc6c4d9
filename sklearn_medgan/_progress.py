"""One progress bar for all that takes long: it moves on a terminal and in a notebook, and is lines elsewhere."""

from __future__ import annotations

import sys
from typing import Any, TextIO

from tqdm import tqdm

SECONDS_A_LINE = 10.0


class ProgressBar(tqdm):
    """tqdm, with no thread that watches over it and that a fork would lose."""

    monitor_interval = 0


class _Lines:
    """A file or pipe, where each state of a bar is a line of its own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._last = stream, ""

    def write(self, text: str) -> None:
        """Write a state of the bar, unless it is the last one again."""
        text = text.strip()
        if text and text != self._last:
            self._last = text
            self._stream.write(f"{text}\n")

    def flush(self) -> None:
        self._stream.flush()


def progress_bar(total: int, unit: str, **settings: Any) -> ProgressBar:
    """Return a bar on standard error, whose time left goes by the mean speed so far; `settings` are tqdm's."""
    stream = sys.stderr
    if stream is None:
        return ProgressBar(disable=True)
    moves = stream.isatty() or "ipykernel" in sys.modules
    how = {"file": stream, "dynamic_ncols": True} if moves else {"file": _Lines(stream), "mininterval": SECONDS_A_LINE}
    return ProgressBar(**{"total": total, "unit": unit, "smoothing": 0, **how, **settings})
