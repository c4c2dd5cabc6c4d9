"""One run of a command, with what all commands share: lines, notes and errors, signals, and files that appear together.

Nothing heavy is imported here: `medgan info` tells of a model without scikit-learn.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .._backend import TITLES, backend_name, check_backend
from .._interrupt import Interrupt
from .._parameters import ParameterError
from ._staging import Staging
from ._streams import StreamError, import_backend, say

# Parameters of the library: the option, what to call it in a command without that, and what its user can do.
OPTIONS = {
    "image_shape": ("--image-size", "The size of images", "Pass --image-size N to resize them to N x N pixels."),
    "channels": ("--channels", "The number of channels", "Pass --channels 1 (grey) or --channels 3 (RGB)."),
    "window": ("--window", "The window", "Pass --window CENTER,WIDTH."),
    "groups": ("--groups", "What tells patients apart", ""),
    "path_column": ("--path-column", "The column of paths", "Name it with --path-column, of a table."),
    "label_column": (
        "--label-column",
        "The column of labels",
        "Name that of a table or .npz file.",
    ),
    "n_splits": ("--folds", "The number of folds", "Lower --folds, or give finer groups (--groups)."),
    "seeds": ("--seeds", "The seeds", ""),
    "n_rare": ("--n-rare", "The number of rows of a rare class", "Lower --n-rare."),
    "regimes": ("--per-class", "The number of rows a class", "Lower it, or use 'all'."),
    "diseased": ("--diseased", "The list of classes that are diseased", ""),
    "results": ("--out", "The file of results", ""),
    "n_jobs": ("--jobs", "The number of processes", ""),
    "degradation": ("--degradation", "The degradation", ""),
    "scale": ("--scale", "The scale", ""),
    "ratio": ("--ratio", "The ratio", ""),
    "backbone": (
        "--backbone",
        "The pretrained network",
        "Name another one, or pass --backbone none to go without.",
    ),
    "max_iter": ("--max-iter", "The number of updates", ""),
    "max_time": ("--max-time", "The time", ""),
    "MAX_IMAGE_PIXELS": (None, "The number of pixels", "Reduce it, or cut it into tiles."),
    "subset": (None, "The split", "Save each split as a file of its own."),
}


def run(options: argparse.Namespace) -> int:
    """Run a parsed command, and return its exit status.

    0; 1 where the machine fails it (standard output, memory, a package that is missing); 2 for bad input; 128 and the
    number of the signal that stopped it: 130 after Ctrl-C, 143 after SIGTERM.
    """
    code, interrupt = 0, Interrupt()
    try:
        with interrupt, Session(options, interrupt) as session:
            module = importlib.import_module(f"._{options.name}", __package__)
            code = module.run(options, session)
    except StreamError as error:
        return 1 if error.quiet else _failed(options, error, 1)
    except BrokenPipeError:
        return 1
    except (OSError, ValueError) as error:
        return _failed(options, error, 2)
    except (ImportError, MemoryError) as error:
        return _failed(options, error, 1)
    if interrupt.seen:
        what = "interrupted" if interrupt.seen == signal.SIGINT else f"stopped by {signal.Signals(interrupt.seen).name}"
        _complain(f"medgan: {what}")
        return 128 + interrupt.seen
    return code


def _failed(options: argparse.Namespace, error: Exception, code: int) -> int:
    _complain(f"medgan {options.name}: error: {worded(error, options) or type(error).__name__}")
    return code


def _complain(text: str) -> None:
    with contextlib.suppress(StreamError):
        say(sys.stderr, text)


class AboutError(ValueError):
    """An error, and what it is about."""

    def __init__(self, name: object, error: Exception, advice: str | None = None) -> None:
        super().__init__(f"{name}: {error}")
        self.name, self.error, self.advice = name, error, advice


@contextlib.contextmanager
def about(name: object, advice: str | None = None) -> Iterator[None]:
    """Errors of the block begin with what they are about; `advice` replaces that for Python code."""
    try:
        yield
    except (FileNotFoundError, ValueError) as error:
        raise AboutError(name, error, advice) from error


def worded(error: Exception, options: argparse.Namespace, advice: str | None = None) -> str:
    """Return an error on one line, in the words of the command."""
    if isinstance(error, AboutError):
        return f"{error.name}: {worded(error.error, options, error.advice or advice)}"
    text = str(error)
    if isinstance(error, ParameterError):
        option, words, own = OPTIONS.get(error.parameter, (None, error.parameter, ""))
        known = option is None or hasattr(options, option.removeprefix("--").replace("-", "_"))
        own = own if known else ""
        text = error.worded(option if option and known else words, own if advice is None else advice)
    return " ".join(text.split())


@contextlib.contextmanager
def reading(path: object) -> Iterator[None]:
    """Errors of the block tell of a damaged file: readers meet damage with errors of every kind."""
    try:
        yield
    except (OSError, ValueError, ImportError, MemoryError):
        raise
    except Exception as error:
        raise ValueError(
            f"{path} cannot be read ({type(error).__name__}: {error}). Is it damaged? Fetch or write it again."
        ) from error


class Session:
    """One run of a command.

    What was `found` goes to standard output, as text or with ``--json`` as one object; all else, but for the line that
    says that training begins, goes to standard error. `verbose` is for estimators.
    """

    def __init__(self, options: argparse.Namespace, interrupt: Interrupt) -> None:
        self.found: dict[str, Any] = {"command": options.name}
        self.verbose, self.as_json = int(not options.quiet), options.json
        self.staging = Staging()
        self.interrupt = interrupt
        self._started = time.monotonic()
        self._recording = contextlib.ExitStack()
        self._caught: list[warnings.WarningMessage] | None = None

    def __enter__(self) -> Session:
        self._caught = self._recording.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("always")
        return self

    def __exit__(self, *_: object) -> None:
        self.interrupt.held = True  # nothing ends the cleaning
        self.staging.__exit__()
        self.interrupt.held = False
        self._recording.close()

    def write(self, text: str) -> None:
        """Write lines of progress, unless it is to be quiet."""
        if self.verbose:
            say(sys.stderr, text)

    def announce(self, text: str) -> None:
        """Write to standard output, for a script that waits for it, what begins and may take long."""
        if self.verbose:
            self.show(text)

    def show(self, text: str) -> None:
        """Write lines of the result, unless it is printed as JSON."""
        if not self.as_json:
            say(sys.stdout, text)

    def notes(self) -> list[str]:
        """Return what the user should know, once: warnings, and rests of runs that were killed."""
        told = [str(w.message) for w in self._caught or () if issubclass(w.category, UserWarning)]
        return list(dict.fromkeys([*told, *self.staging.notes]))

    def load_backend(self) -> None:
        check_backend()
        self.write(f"Loading {TITLES[backend_name()]} ...")
        import_backend()

    def learn(self, estimator: Any, name: object, *rows: Any, **more: Any) -> None:
        """Fit an estimator on rows (and labels, and more of `fit`) that are called `name`."""
        started = time.monotonic()
        with about(name):
            estimator.fit(*rows, **more)
        self.interrupt.check()  # which training has swallowed
        self.write(f"Learned in {time.monotonic() - started:.0f} s and {estimator.n_iter_} steps.")

    def keep(self, estimator: Any, path: Path) -> None:
        """Save an estimator, to take its place with the other files."""
        from ..persistence import save

        staged = self.staging.path(path)
        short = staged.with_name(".medgan-model")  # `save` appends to the name, which may be as long as it can
        save(estimator, short)
        short.replace(staged)

    def finish(self, text: str, disclaimer: str, following: str) -> None:
        """Put all files in place, and tell how it ended and which command may follow."""
        self.interrupt.check()
        self.interrupt.held = True
        self.staging.commit()
        self.interrupt.held, self.interrupt.seen = False, 0  # all is there: nothing is left to stop
        self.found["files"] = self.staging.n_files
        self.show(f"{self.staging.n_files} file(s) written{text}. {disclaimer}")
        self.end(following)

    def end(self, following: str) -> None:
        """Tell the notes and which command may follow, and print the result where it is to be JSON."""
        for note in self.notes():
            say(sys.stderr, f"note: {note}")
        self.write(f"{time.monotonic() - self._started:.0f} s in all. Next: {following}")
        if self.as_json:
            say(sys.stdout, json.dumps({**self.found, "notes": self.notes()}, indent=1, default=str))
