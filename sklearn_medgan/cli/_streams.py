"""Where a command runs: its streams, the backend of matplotlib, and the start-up log of what computes."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import IO, TextIO

from .._backend import backend_name


class StreamError(Exception):
    """Standard output cannot be written to; `quiet` where its reader went away, as in `medgan demo | head`."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"standard output cannot be written to ({error.strerror or error})")
        self.quiet = isinstance(error, BrokenPipeError)


def say(stream: TextIO, text: str) -> None:
    """Print lines at once, control characters written out: names come from a stranger's file."""
    try:
        print("\n".join(map(printable, text.split("\n"))), file=stream, flush=True)
    except OSError as error:
        raise StreamError(error) from error


def printable(text: str) -> str:
    """Return the text with control characters, and bytes that are no text, written out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@contextlib.contextmanager
def usable_streams(*, own: bool) -> Iterator[None]:
    """Streams that take every line: closed ones lead nowhere, and what a code page lacks is written out.

    They are put back at the end. `own`: they are the process's, which ends then, and what they cannot take is dropped.
    """
    _open_descriptors()
    with contextlib.ExitStack() as stack:
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if stream is None or stream.closed:
                stack.callback(setattr, sys, name, stream)
                setattr(sys, name, stack.enter_context(open(os.devnull, "w")))
            elif hasattr(stream, "reconfigure"):
                stack.callback(_restore, stream, stream.errors, own)
                with contextlib.suppress(OSError):  # what is in it cannot be written
                    stream.reconfigure(errors="backslashreplace")
        yield


def _open_descriptors() -> None:
    """Descriptors 0 to 2 are open, lest a file that is opened get one, and TensorFlow's log with it."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _restore(stream: TextIO, errors: str, own: bool) -> None:
    try:
        stream.flush()
        stream.reconfigure(errors=errors)  # type: ignore[attr-defined]
    except OSError:
        if own:  # else the interpreter complains at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def draw_to_files(*, own: bool) -> None:
    """Let matplotlib, which Keras imports, need no display and no notebook.

    A process that is not our `own` keeps its backend, unless it is that of another environment's notebook.
    """
    backend = os.environ.get("MPLBACKEND", "")
    module = backend.removeprefix("module://").split(".")[0]
    if own or (module != backend and importlib.util.find_spec(module) is None):
        os.environ["MPLBACKEND"] = "agg"


def import_backend() -> None:
    """Import Keras and its backend without their start-up log, which no setting silences; a failure shows all of it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with tempfile.TemporaryFile() as log:
        try:
            with _stderr_to(log):
                library = importlib.import_module(backend_name())
                importlib.import_module("keras")
                if library.__name__ == "tensorflow":
                    library.config.list_physical_devices()
        except BaseException:
            log.seek(0)
            sys.stderr.write(log.read().decode(errors="replace"))
            raise


@contextlib.contextmanager
def _stderr_to(file: IO[bytes]) -> Iterator[None]:
    """Send the process's stderr, that of libraries in C too, to `file`."""
    sys.stderr.flush()
    saved = os.dup(2)
    os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(saved, 2)
        os.close(saved)
