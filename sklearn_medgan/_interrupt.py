"""Ctrl-C and a scheduler's SIGTERM, where training would otherwise swallow them."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

# SIGHUP: the terminal or the connection is gone.
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def termination_as_interrupt() -> Iterator[None]:
    """Let SIGTERM, by which schedulers announce the end, raise KeyboardInterrupt as Ctrl-C does.

    Left alone: a handler that someone has set, and worker processes, which their pool ends by this signal.
    """
    default = _in_main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if not default or multiprocessing.parent_process() is not None:
        yield
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _in_main_thread() -> bool:
    """Tell whether signals arrive here, and may be given handlers."""
    return threading.current_thread() is threading.main_thread()


class Interrupt:
    """Catches signals that stop a program, and remembers them: training ends on one, and the rest would go on.

    Each raises KeyboardInterrupt in the block, which ends it. Those that the caller ignores stay ignored; outside of
    the main thread, where no signal arrives, nothing is caught. `seen` is the number of the last signal, or 0. While
    `held`, signals are remembered and raise nothing.
    """

    def __init__(self) -> None:
        self.seen = 0
        self.held = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Interrupt:
        if _in_main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) not in (signal.SIG_IGN, None):  # None: set by other than Python
                    self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.seen = number
        if self.held:
            return
        previous = self._previous[number]
        if isinstance(getattr(previous, "__self__", None), Interrupt):  # one around this one sees it, too
            previous(number, frame)
        raise KeyboardInterrupt

    def check(self) -> None:
        """Raise what someone else has caught."""
        if self.seen:
            raise KeyboardInterrupt

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self.seen = self.seen or (signal.SIGINT if kind is KeyboardInterrupt else 0)
        return kind is KeyboardInterrupt
