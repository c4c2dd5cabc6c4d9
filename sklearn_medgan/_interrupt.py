"""Ctrl-C, where training would otherwise swallow it."""

from __future__ import annotations

import signal


class Interrupt:
    """Catches Ctrl-C and remembers it: training ends on it with a warning, and the rest would go on."""

    def __init__(self):
        self.seen = False

    def __enter__(self):
        self._previous = signal.signal(signal.SIGINT, self._on_signal)
        return self

    def _on_signal(self, *_):
        self.seen = True
        raise KeyboardInterrupt

    def check(self) -> None:
        """Raise what someone else has caught."""
        if self.seen:
            raise KeyboardInterrupt

    def __exit__(self, kind, error, traceback) -> bool:
        signal.signal(signal.SIGINT, self._previous)
        self.seen = self.seen or kind is KeyboardInterrupt
        return kind is KeyboardInterrupt
