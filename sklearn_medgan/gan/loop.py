"""The loop around the training step: budgets, divergence, interruption, history. It returns a record of these."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import keras
import numpy as np

from .._interrupt import Interrupt, termination_as_interrupt
from .._progress import progress_bar
from .backends import Tensor, Workers
from .callbacks import Listeners
from .checkpoint import Checkpoint, Saved
from .program import Program
from .state import State, is_finite, restarted

INTERVAL = 10  # steps between two entries of the history
SLOWER = 0.1  # of the learning rate, after a training that diverged went back
LONGEST_CALL = 1.0  # seconds that a call of the compiled step should take at most: Ctrl-C waits as long

Advance = Callable[[State, Tensor, int, int, float], tuple[State, Tensor]]
Plan = Callable[[int, int, float], tuple[float, Advance]]
End = Literal["max_iter", "max_time", "callback", "divergence", "interrupt", "lost"]


@dataclass
class Run:
    """How long to train and whom to tell; `max_iter` more steps, or `max_time` seconds, whichever ends first."""

    max_iter: int
    max_time: float | None = None
    verbose: int = 0
    callbacks: list | None = None
    history: dict[str, list] = field(default_factory=dict)  # of an earlier run, if this one goes on from it
    checkpoint: Checkpoint | None = None


class Outcome(NamedTuple):
    """What a training came to: its last good state, its history, and what ended it ("lost": with what words).

    `went_back_at` is the step from which it took smaller steps, because it had diverged after it.
    """

    state: State
    history: dict[str, list]
    ended_by: End
    error: str = ""
    went_back_at: int | None = None


def loop(program: Program, state: State, plan: Plan, learning_rate: float, run: Run) -> Outcome:
    """Advance `state` by the steps of `run`; stops early on a budget, callback, NaN, Ctrl-C or SIGTERM.

    ``plan(step, n_steps, progress)`` is asked before each interval of at most `INTERVAL` steps, where `progress` is the
    share of the budget used before, from 0 to 1. It returns the learning rate, at the start `learning_rate`, and a
    function ``advance(state, sums, start, stop, rate)`` that takes the steps `start` to `stop` of the interval. So what
    a step draws does not depend on how steps are grouped into calls, which their speed decides.

    Training that diverges goes back, once, to the last good averages, and on in steps `SLOWER` times as long.

    Where several processes share the training, each calls this; budgets, callbacks and signals that end one end all.
    """
    shared = program.workers.n_processes > 1
    signals = Interrupt()  # none may leave a step that the others take, so signals are held
    signals.held = True
    listeners = Listeners(program, run.callbacks, -(-run.max_iter // INTERVAL))
    training = _Training(program, state, run, signals)
    with signals if shared else termination_as_interrupt(), listeners, training.bar:
        try:
            training.run(plan, learning_rate, listeners)
        except KeyboardInterrupt:
            training.ended_by = "interrupt"
        except Exception as error:
            training.lose(error)
        training.state = listeners.end(training.state)
    state = keras.tree.map_structure(keras.ops.convert_to_numpy, training.state)
    return Outcome(state, training.history, training.ended_by, training.error, training.went_back_at)


class _Training:
    """A training under way."""

    def __init__(self, program: Program, state: State, run: Run, signals: Interrupt) -> None:
        self.program, self.state, self.max_iter = program, state, run.max_iter
        unknown = [float("nan")] * len(run.history.get("step", []))  # to what wrote an older file
        names = "step", *program.metrics, "learning_rate"
        self.history = {name: list(run.history.get(name, unknown)) for name in names}
        self.pace, self.signals, self.checkpoint = _Pace(run.max_time, program.workers), signals, run.checkpoint
        self.bar = progress_bar(run.max_iter, "step", disable=not run.verbose)
        self.done = 0
        self.ended_by: End = "max_iter"
        self.error = ""
        self.went_back_at: int | None = None

    def run(self, plan: Plan, learning_rate: float, listeners: Listeners) -> None:
        """Take intervals until the end."""
        self.state, n_entries = listeners.begin(self.state, learning_rate)
        self.done = min(self.max_iter, n_entries * INTERVAL)
        if self._resume(plan):
            return
        while self.done < self.max_iter:
            self.pace.look()
            n_steps = min(INTERVAL, self.max_iter - self.done)
            rate, advance = plan(int(self.state.step), n_steps, max(self.done / self.max_iter, self.pace.spent))
            self.state, rate = listeners.before_entry(self.state, rate if self.went_back_at is None else SLOWER * rate)
            end, values = self._take_interval(advance, n_steps, rate)
            del advance  # and with it the rows of this interval, before those of the next are read
            if end == "divergence" and self.went_back_at is None:
                self.state, self.went_back_at, end = restarted(self.state), int(self.state.step), None
            if values:
                self._record({**values, "learning_rate": rate})
                self.state = listeners.after_entry(self.state, values)
            end = end or ("callback" if self.pace.look(listeners.stopped) else None)
            if values:
                self._show(values)
            self._offer(end or ("max_iter" if self.done == self.max_iter else None))
            if end:
                self.ended_by = end
                return

    def _resume(self, plan: Plan) -> bool:
        """Take up what was saved of this training; whether it had come to its end."""
        saved = self.checkpoint.read(self.program) if self.checkpoint else None
        if saved is None:
            return False
        starts = [*range(self.done, saved.done, INTERVAL)] if saved.ended_by is None else []
        first, self.went_back_at = int(self.state.step), saved.went_back_at
        if saved.ended_by is None and self.went_back_at is not None:  # an interval that diverged drew rows, too
            starts = sorted([*starts, self.went_back_at - first])
        for start in starts:
            plan(first + start, min(INTERVAL, self.max_iter - start), start / self.max_iter)
        self.state, self.history, self.done = saved.state, saved.history, saved.done
        self.ended_by = saved.ended_by or self.ended_by
        return saved.ended_by is not None

    def _offer(self, end: End | None) -> None:
        """Save the training so far; one that was stopped from outside goes on from what was saved before."""
        if self.checkpoint and end not in ("interrupt", "lost"):
            self.checkpoint.offer(Saved(self.state, self.history, self.done, end, self.went_back_at))

    def _take_interval(self, advance: Advance, n_steps: int, rate: float) -> tuple[End | None, dict[str, float]]:
        """Take steps in calls of suitable length; what ended training, and the metrics' means over the steps taken.

        An interval that diverges, with numbers that are not finite or losses of unheard-of size, is dropped as a whole:
        where its calls ended is a matter of speed. Of one that is cut short by time or Ctrl-C the finished calls are
        kept.
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
                interrupted = self.pace.look(self.signals.seen > 0)
                end = "interrupt" if interrupted else "max_time" if self.pace.spent >= 1.0 else None
        except KeyboardInterrupt:
            end = "interrupt"
        except Exception as error:
            end = self.lose(error)
        means = keras.ops.convert_to_numpy(sums) / np.float32(max(taken, 1))
        values = dict(zip(self.program.metrics, means.tolist(), strict=True))
        if self.program.has_exploded(values):
            self.state = before
            return "divergence", {}
        self.done += taken
        return end, values if taken else {}

    def lose(self, error: Exception) -> End:
        """Go on alone with what arrived before another process was lost; raise again any other error."""
        if not self.program.workers.lost(error):
            raise error
        self.state = keras.tree.map_structure(keras.ops.convert_to_numpy, self.state)
        self.error = str(error).strip().rpartition("\n\n")[2].partition("\n")[0]  # TensorFlow's begins with a stack
        self.ended_by = "lost"
        return self.ended_by

    def _show(self, values: dict[str, float]) -> None:
        """Show the steps taken, those to come, the time left and the losses that there are.

        Where time will end training before `max_iter` steps, the total is what it will suffice for at the speed so far,
        and so the time left is what is left of the budget.
        """
        if self.pace.spent > 0.0:
            self.bar.total = min(self.max_iter, max(self.done, math.ceil(self.done / self.pace.spent)))
        self.bar.set_postfix({name: values[name] for name in self.program.active_metrics}, refresh=False)
        self.bar.update(self.done - self.bar.n)

    def _record(self, values: dict[str, float]) -> None:
        for name, value in {"step": int(self.state.step), **values}.items():
            self.history[name].append(value)


class _Pace:
    """The time that training took, and how many steps the next call should have.

    All processes go by the one that has least of it: `spent` is the share of the time that there is, 0 without a limit,
    and `left` the seconds that a call may take.
    """

    def __init__(self, max_time: float | None, workers: Workers) -> None:
        self.started, self.max_time, self.workers = time.monotonic(), max_time, workers
        self.n_calls, self.seconds_per_step, self.spent, self.left = 0, 0.0, 0.0, LONGEST_CALL

    def look(self, flag: bool = False) -> bool:
        """Look at the clock, and return whether `flag` is true in any process."""
        spent, left = 0.0, LONGEST_CALL
        if self.max_time is not None:
            passed = time.monotonic() - self.started
            spent, left = passed / self.max_time, min(LONGEST_CALL, self.max_time - passed)
        table = self.workers.gather([spent, -left, self.seconds_per_step, float(flag)])
        self.spent, negative, self.seconds_per_step, raised = table.max(0).tolist()
        self.left = -negative
        return raised > 0

    def n_steps(self, most: int) -> int:
        """Return as many steps, at most `most`, as fit into a second and into the time left; one until that is known.

        The first call may have to compile, so the second is the first to measure.
        """
        if self.n_calls < 2:
            return 1
        return int(np.clip(self.left / max(self.seconds_per_step, 1e-9), 1, most))

    @contextmanager
    def measuring(self, n_steps: int) -> Iterator[None]:
        """Measure a call of so many steps."""
        started = time.monotonic()
        yield
        self.n_calls, self.seconds_per_step = self.n_calls + 1, (time.monotonic() - started) / n_steps
