"""The file of finished cells: one JSON object a line, the first of which says what was measured on which data."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Callable, Mapping
from functools import partial
from io import FileIO
from pathlib import Path
from types import BuiltinFunctionType, FunctionType
from typing import Any

import numpy as np

FORMAT = "sklearn_medgan benchmark 1"


class Journal:
    """Cells that are finished, in memory and, where there is a path, in a file that survives a killed process.

    A ValueError for a file whose settings are not `header`, or that is no results file, or is damaged before its last
    line; an OSError for one that cannot be read and written, or is in use by another run.
    """

    def __init__(self, path: str | os.PathLike | None, header: dict) -> None:
        self.cells: list[dict] = []
        self.path = None if path is None else Path(path)
        self._file: FileIO | None = None
        if path is None:
            return
        try:
            self._file = open(Path(path), "a+b", buffering=0)  # noqa: SIM115 - closed by __exit__
            _lock(self._file)
        except OSError as error:
            self.close()
            raise type(error)(
                f"The results file {str(path)!r} cannot be written ({error.strerror or error}). Name one in a folder "
                "that exists, may be written to, and is not in use by another run."
            ) from error
        try:
            self._resume(self._file, {"format": FORMAT, **header})
        except BaseException:
            self.close()
            raise

    def _resume(self, file: FileIO, header: dict) -> None:
        """Read what is there; a last line that a killed process left half written is dropped."""
        file.seek(0)
        content = file.read()
        begun = (json.dumps(header) + "\n").encode()
        whole, newline, torn = content.rpartition(b"\n")
        if not newline and begun.startswith(torn):
            file.truncate(0)
            _write(file, begun)
            return
        lines = whole.split(b"\n")
        self._check_header(lines[0], header)
        self.cells = [self._parsed(line, number) for number, line in enumerate(lines[1:], start=2)]
        if torn:
            file.truncate(len(whole) + 1)

    def _parsed(self, line: bytes, number: int) -> dict:
        try:
            return json.loads(line)
        except ValueError as error:
            raise ValueError(
                f"Line {number} of {str(self.path)!r} is damaged ({error}). Remove it: its cell is measured again."
            ) from error

    def _check_header(self, line: bytes, header: dict) -> None:
        try:
            found = json.loads(line)
            is_ours = found["format"] == FORMAT
        except (ValueError, TypeError, KeyError):
            is_ours = False
        if not is_ours:
            raise ValueError(f"{str(self.path)!r} is no results file of this benchmark. Name another file.")
        expected = json.loads(json.dumps(header))
        differing = [key for key in expected if found.get(key) != expected[key]]
        if differing:
            what = "; ".join(_difference(key, found.get(key), expected[key]) for key in differing)
            raise ValueError(
                f"{str(self.path)!r} holds results of other settings: {what}. Name another file, or set them back."
            )

    def add(self, cell: dict) -> None:
        self.cells.append(cell)
        if self._file is not None:
            _write(self._file, (json.dumps(cell) + "\n").encode())

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _write(file: FileIO, line: bytes) -> None:
    """Write at once and unbuffered: what is written stays, whatever happens to the process."""
    view = memoryview(line)
    while view:
        view = view[file.write(view) :]


def _lock(file: FileIO) -> None:
    """Refuse a file that another live process writes to, where the system can tell."""
    if os.name != "posix":
        return
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OSError(error.errno, "another run is writing to it") from error
    except OSError:  # a network file system without locks
        return


def _difference(key: str, found: Any, expected: Any) -> str:
    if isinstance(found, dict) and isinstance(expected, dict):
        names = [name for name in {**found, **expected} if found.get(name) != expected.get(name)]
        if len(names) == 1 and names[0] in found and names[0] in expected:
            return f"{key}[{names[0]!r}] was {found[names[0]]}, is {expected[names[0]]}"
        return f"{key} differ in {names}"
    return f"{key} was {found!r}, is {expected!r}"


def describe(value: object, within: tuple[int, ...] = ()) -> str:
    """Return what a setting is, in words that are the same in another process and after code has moved.

    An estimator is its class's name with its parameters; a function among them is its name. `within` holds the
    identities of what is being described.
    """
    if id(value) in within:
        return "itself"
    part = partial(describe, within=(*within, id(value)))
    if isinstance(value, type | FunctionType | BuiltinFunctionType | np.ufunc):
        return value.__name__
    if isinstance(value, partial):
        return f"{part(value.func)}({parameters_of(value, part)})"
    if hasattr(value, "get_params"):
        return f"{type(value).__name__}({_named(value.get_params(deep=False), part)})"
    if dataclasses.is_dataclass(value):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return f"{type(value).__name__}({_named(fields, part)})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{part(k)}: {part(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(part, value))}]"
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(map(part, value)))}}}"
    if isinstance(value, np.ndarray):
        return f"array({value.tolist()})"
    if type(value).__repr__ is object.__repr__:
        return type(value).__name__
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))


def parameters_of(function: object, part: Callable[[object], str] = describe) -> str:
    """Return the parameters that are bound to a function; which function it is does not count."""
    if isinstance(function, partial):
        return ", ".join([*map(part, function.args), *filter(None, [_named(function.keywords, part)])])
    return part(function) if hasattr(function, "get_params") or dataclasses.is_dataclass(function) else ""


def _named(values: Mapping[str, object], part: Callable[[object], str]) -> str:
    return ", ".join(f"{name}={part(value)}" for name, value in sorted(values.items()))
