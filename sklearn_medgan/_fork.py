"""Whether this process was forked from one in which TensorFlow ran: its threads do not survive a fork."""

from __future__ import annotations

import os
import sys

_forked_while_running = False


def _tensorflow_runs() -> bool:
    """Tell whether TensorFlow has started its threads; merely to have imported it does no harm."""
    context = getattr(sys.modules.get("tensorflow.python.eager.context"), "_context", None)
    return bool(getattr(context, "_initialized", False))


def _note() -> None:
    global _forked_while_running
    _forked_while_running = _forked_while_running or _tensorflow_runs()


def check_not_forked() -> None:
    """Raise where a program would wait for ever for threads that a fork has left behind."""
    if _forked_while_running:
        raise RuntimeError(
            "TensorFlow ran before this process was forked, and cannot run after it: the call would wait for ever. "
            "Start processes with the method 'spawn' (multiprocessing.get_context('spawn')), or use joblib's default "
            "backend 'loky'."
        )


if hasattr(os, "register_at_fork"):  # no fork, no function
    os.register_at_fork(after_in_child=_note)
