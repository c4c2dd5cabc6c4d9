"""The state of a training in a file, from which one that was killed goes on."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import keras
import numpy as np

from .._version import __version__
from .program import Program
from .state import Player, State

FILE = "training.npz"
SHARE = 0.01  # of the time, at most, that writing may take
NOT_OF_TRAINING = {"backbone", "cache_size_mb", "callbacks", "checkpoint_dir", "verbose"}
MOST_ROWS = 1000  # of an array in a file, by which it is told from others


class Saved(NamedTuple):
    """A training so far: `done` steps of it, and what ended it (an `End` of `loop`), None while it goes on.

    `went_back_at` is as in `Outcome`.
    """

    state: State
    history: dict[str, list]
    done: int
    ended_by: Any
    went_back_at: int | None = None


class Checkpoint:
    """The file of one training in a folder, which holds the state of the networks and no row.

    `settings` and `data` tell whose training it is: names of parameters with their values, and `digest_of` the rows.
    """

    def __init__(self, folder: str | os.PathLike[str], settings: dict[str, str], data: str) -> None:
        self.path, self.settings, self.data = Path(folder) / FILE, settings, data
        self.written, self.cost = time.monotonic(), 0.0

    @classmethod
    def of(cls, estimator: Any, program: Program, *data: Any) -> Checkpoint | None:
        """Return that of an estimator's fit on `data`, None where it asks for none."""
        if estimator.checkpoint_dir is None:
            return None
        if not isinstance(estimator.random_state, int | np.integer):
            raise ValueError(
                f"checkpoint_dir needs a fit that can be repeated; got random_state={estimator.random_state!r}. Set "
                "random_state to an integer."
            )
        if program.workers.n_processes > 1:
            raise ValueError(
                f"checkpoint_dir is for trainings of one process; got {program.workers.n_processes}. Leave it out."
            )
        params = estimator.get_params(deep=False).items()
        settings = {name: _shown(value) for name, value in params if name not in NOT_OF_TRAINING}
        settings |= {"backend": repr(keras.backend.backend()), "sklearn_medgan": repr(__version__)}
        return cls(estimator.checkpoint_dir, settings, digest_of(data))

    def read(self, program: Program) -> Saved | None:
        """Return what was saved; None where there is nothing, or another training that had come to its end.

        Raises ValueError for a damaged file, and for a training of other rows or parameters that was cut short.
        """
        if not self.path.exists():
            return None
        try:
            with open(self.path, "rb") as file, np.load(file, allow_pickle=False) as archive:
                members = archive.zip.infolist()
                if sum(member.file_size for member in members) > os.fstat(file.fileno()).st_size:
                    raise ValueError("its parts are longer than it is")
                header = json.loads(bytes(archive["header"]))
                vectors = [archive[f"vector_{i}"] for i in range(header["n_vectors"])]
            if header["sha256"] != _checksum(vectors):
                raise ValueError("its checksum is another")
            others = _differences(header, self.settings, self.data)
            g, d = (Player(*vectors[start : start + len(Player._fields)]) for start in (0, len(Player._fields)))
            saved = Saved(State(g, d, vectors[-1]), *(header[name] for name in Saved._fields[1:]))
            if not others:
                program.check(saved.state)
        except Exception as error:
            raise ValueError(
                f"{self.path} is damaged, or none that a training wrote ({type(error).__name__}: {error}). Remove it "
                "to begin again."
            ) from error
        if others and saved.ended_by is None:
            raise ValueError(
                f"{self.path} holds a training that was cut short after {saved.done} steps, and this is another one: "
                f"{'; '.join(others)}. Give this fit a folder of its own, or remove the file."
            )
        return None if others else saved

    def offer(self, saved: Saved) -> None:
        """Write, if it is the last or writing takes next to none of the time."""
        now = time.monotonic()
        if saved.ended_by is None and now - self.written < self.cost / SHARE:
            return
        self._write(saved)
        self.written = time.monotonic()
        self.cost = self.written - now

    def _write(self, saved: Saved) -> None:
        vectors = [keras.ops.convert_to_numpy(vector) for vector in keras.tree.flatten(saved.state)]
        header = {
            "settings": self.settings,
            "data": self.data,
            **{name: getattr(saved, name) for name in Saved._fields[1:]},
            "n_vectors": len(vectors),
            "sha256": _checksum(vectors),
        }
        arrays = {f"vector_{i}": vector for i, vector in enumerate(vectors)}
        buffer = io.BytesIO()
        np.savez(buffer, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_suffix(".part")
        with open(unfinished, "wb") as file:
            file.write(buffer.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, self.path)


def digest_of(parts: Iterable[Any]) -> str:
    """Return a digest of arrays and of lists of them; of an array that lies in a file by some of its rows."""
    return joblib.hash([_at_hand(part) for part in parts], hash_name="sha1")


def _at_hand(part: Any) -> Any:
    if part is None or isinstance(part, np.ndarray | list | tuple):
        return part
    if hasattr(part, "dtype") and not hasattr(part, "parts"):
        return np.asarray(part)
    return [len(part), *(np.asarray(part[i]) for i in range(0, len(part), 1 + len(part) // MOST_ROWS))]


def _checksum(vectors: list[np.ndarray]) -> str:
    sha = hashlib.sha256()
    for vector in vectors:
        sha.update(np.ascontiguousarray(vector).data)
    return sha.hexdigest()


def _shown(value: Any) -> str:
    """Return a parameter's value, the same in every process: in words, or as a digest."""
    if isinstance(value, type(None) | bool | int | float | str | tuple | list):
        return repr(value)
    try:
        return f"<{joblib.hash(value)}>"
    except (pickle.PicklingError, AttributeError, TypeError):  # a function of a function, say
        return f"<{getattr(value, '__qualname__', type(value).__qualname__)}>"


def _differences(header: dict[str, Any], settings: dict[str, str], data: str) -> list[str]:
    theirs = header["settings"]
    found = [
        f"{name}={theirs.get(name)} there, {settings.get(name)} here"
        for name in sorted({*theirs, *settings})
        if theirs.get(name) != settings.get(name)
    ]
    return found if header["data"] == data else [*found, "other rows, labels or initial weights"]
