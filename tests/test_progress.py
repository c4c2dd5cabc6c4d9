"""The progress bar, on a terminal and elsewhere."""

import io
import re
import sys

import pytest

from sklearn_medgan._progress import SECONDS_A_LINE, progress_bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("tqdm.std.time", lambda: now[0])
    return now


def take(clock, stream, monkeypatch, seconds=1.0):
    """30 steps at a steady pace, and what is shown of them."""
    monkeypatch.setattr(sys, "stderr", stream)
    with progress_bar(30, "step") as bar:
        for _ in range(30):
            clock[0] += seconds
            bar.update()
    return stream.getvalue()


def test_a_terminal_has_one_line_that_moves(clock, monkeypatch):
    shown = take(clock, Terminal(), monkeypatch)
    assert shown.count("\n") == 1
    assert shown.endswith("\n")
    assert shown.count("\r") > 30


def test_elsewhere_there_is_a_line_now_and_then(clock, monkeypatch):
    shown = take(clock, io.StringIO(), monkeypatch)
    assert re.findall(r"\| (\d+)/30 \[.*\n", shown) == ["0", "10", "20", "30"]
    assert "20/30 [00:20<00:10" in shown
    assert "\r" not in shown
    assert SECONDS_A_LINE == 10


def test_without_standard_error_nothing_is_shown(clock, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    with progress_bar(3, "step") as bar:
        bar.update()
