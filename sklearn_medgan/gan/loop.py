"""The loop around the training step: budgets, divergence, interruption, history. It returns a record of these."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import keras
import numpy as np

from .._interrupt import termination_as_interrupt
from .backends import Tensor
from .callbacks import Listeners
from .program import Program
from .progress import ProgressBar
from .state import State, is_finite

INTERVAL = 10  # steps between two entries of the history
LONGEST_CALL = 1.0  # seconds that a call of the compiled step should take at most: Ctrl-C waits as long

Advance = Callable[[State, Tensor, int, int, float], tuple[State, Tensor]]
Plan = Callable[[int, int, float], tuple[float, Advance]]
End = Literal["max_iter", "max_time", "callback", "divergence", "interrupt"]


@dataclass
class Run:
    """How long to train and whom to tell; `max_iter` more steps, or `max_time` seconds, whichever ends first."""

    max_iter: int
    max_time: float | None = None
    verbose: int = 0
    callbacks: list | None = None
    history: dict[str, list] = field(default_factory=dict)  # of an earlier run, if this one goes on from it


class Outcome(NamedTuple):
    """What a training came to: its last finite state, its history, and what ended it."""

    state: State
    history: dict[str, list]
    ended_by: End


def loop(program: Program, state: State, plan: Plan, learning_rate: float, run: Run) -> Outcome:
    """Advance `state` by the steps of `run`; stops early on a budget, callback, NaN, Ctrl-C or SIGTERM.

    ``plan(step, n_steps, progress)`` is asked before each interval of at most `INTERVAL` steps, where `progress` is the
    share of the budget used before, from 0 to 1. It returns the learning rate, at the start `learning_rate`, and a
    function ``advance(state, sums, start, stop, rate)`` that takes the steps `start` to `stop` of the interval. So what
    a step draws does not depend on how steps are grouped into calls, which their speed decides.
    """
    training = _Training(program, state, run)
    with termination_as_interrupt(), Listeners(program, run.callbacks, -(-run.max_iter // INTERVAL)) as listeners:
        try:
            training.run(plan, learning_rate, listeners)
        except KeyboardInterrupt:
            training.ended_by = "interrupt"
        training.state = listeners.end(training.state)
    return Outcome(
        keras.tree.map_structure(keras.ops.convert_to_numpy, training.state), training.history, training.ended_by
    )


class _Training:
    """A training under way."""

    def __init__(self, program: Program, state: State, run: Run) -> None:
        self.program, self.state, self.max_iter = program, state, run.max_iter
        self.history = {name: list(run.history.get(name, [])) for name in ("step", *program.metrics)}
        self.pace = _Pace(run.max_time)
        self.bar = ProgressBar(program.active_metrics, run.max_iter) if run.verbose else None
        self.done = 0
        self.ended_by: End = "max_iter"

    def run(self, plan: Plan, learning_rate: float, listeners: Listeners) -> None:
        """Take intervals until the end."""
        self.state, n_entries = listeners.begin(self.state, learning_rate)
        self.done = min(self.max_iter, n_entries * INTERVAL)
        while self.done < self.max_iter:
            n_steps = min(INTERVAL, self.max_iter - self.done)
            rate, advance = plan(int(self.state.step), n_steps, max(self.done / self.max_iter, self.pace.spent))
            self.state, rate = listeners.before_entry(self.state, rate)
            end, values = self._take_interval(advance, n_steps, rate)
            if values:
                self._record(values)
                self.state = listeners.after_entry(self.state, values)
            end = end or ("callback" if listeners.stopped else None)
            if self.bar and values:
                self.bar.update(self.done, self.pace.spent, values, is_last=bool(end) or self.done == self.max_iter)
            if end:
                self.ended_by = end
                return

    def _take_interval(self, advance: Advance, n_steps: int, rate: float) -> tuple[End | None, dict[str, float]]:
        """Take steps in calls of suitable length; what ended training, and the metrics' means over the steps taken.

        An interval that diverges is dropped as a whole: where its calls ended is a matter of speed. Of one that is cut
        short by time or Ctrl-C the finished calls are kept.
        """
        before, taken = self.state, 0
        end: End | None = None
        sums = keras.ops.zeros(len(self.program.metrics), "float32")
        try:
            while taken < n_steps and end is None:
                size = self.pace.n_steps(n_steps - taken)
                with self.pace.measuring(size):
                    state, sums_now = advance(self.state, sums, taken, taken + size, rate)
                    finite = bool(keras.ops.all(keras.ops.isfinite(sums_now))) and is_finite(state)
                if not finite:
                    self.state = before
                    return "divergence", {}
                self.state, sums, taken = state, sums_now, taken + size
                end = "max_time" if self.pace.spent >= 1.0 else None
        except KeyboardInterrupt:
            end = "interrupt"
        self.done += taken
        means = keras.ops.convert_to_numpy(sums) / np.float32(max(taken, 1))
        return end, dict(zip(self.program.metrics, means.tolist(), strict=True)) if taken else {}

    def _record(self, values: dict[str, float]) -> None:
        for name, value in {"step": int(self.state.step), **values}.items():
            self.history[name].append(value)


class _Pace:
    """The time that training took, and how many steps the next call should have."""

    def __init__(self, max_time: float | None) -> None:
        self.started, self.max_time = time.monotonic(), max_time
        self.n_calls, self.seconds_per_step = 0, 0.0

    @property
    def spent(self) -> float:
        """Share of the time that there is; 0 where there is no limit."""
        return 0.0 if self.max_time is None else (time.monotonic() - self.started) / self.max_time

    def n_steps(self, most: int) -> int:
        """Return as many steps, at most `most`, as fit into a second and into the time left; one until that is known.

        The first call may have to compile, so the second is the first to measure.
        """
        if self.n_calls < 2:
            return 1
        left = LONGEST_CALL if self.max_time is None else min(LONGEST_CALL, self.max_time * (1.0 - self.spent))
        return int(np.clip(left / max(self.seconds_per_step, 1e-9), 1, most))

    @contextmanager
    def measuring(self, n_steps: int) -> Iterator[None]:
        """Measure a call of so many steps."""
        started = time.monotonic()
        yield
        self.n_calls, self.seconds_per_step = self.n_calls + 1, (time.monotonic() - started) / n_steps
