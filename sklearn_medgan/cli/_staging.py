"""Files that appear together when all are complete, or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np


class Staging:
    """Files under temporary names, which take their places together or vanish."""

    def __init__(self):
        self._folders = {}
        self._moves = []

    def __enter__(self):
        return self

    def reserve(self, final: Path) -> Path:
        """A hidden folder on the file system of `final`, made where there was none."""
        home = next(parent for parent in final.absolute().parents if parent.exists())
        if home not in self._folders:
            try:
                self._folders[home] = Path(tempfile.mkdtemp(prefix=".medgan-", dir=home))
            except OSError as error:
                reason = error.strerror or error
                raise OSError(f"{final} cannot be written: {home} refuses ({reason}). Name another place.") from error
        return self._folders[home]

    def path(self, final: Path) -> Path:
        """Where to write what shall become `final`."""
        temporary = self.reserve(final) / f"{len(self._moves)}{final.suffix}"
        self._moves.append((temporary, final))
        return temporary

    def commit(self) -> int:
        """Move all files to their places; returns their number."""
        for temporary, final in self._moves:
            final.parent.mkdir(parents=True, exist_ok=True)
            os.replace(temporary, final)
        return len(self._moves)

    def __exit__(self, *_) -> None:
        for folder in self._folders.values():
            shutil.rmtree(folder, ignore_errors=True)


def reserve_outputs(staging: Staging, outputs: Iterable[Path], inputs: Iterable[Path], *, force: bool) -> None:
    """Every output can be written, is written once, and replaces nothing unasked."""
    read = {path.resolve() for path in inputs}
    seen, existing = set(), []
    for path in outputs:
        place = path.resolve()
        if place in read:
            raise ValueError(f"{path} would be written, and is read from. Name another output.")
        if place in seen:
            raise ValueError(
                f"{path} would be written twice: two outputs have this name, or two inputs have names that differ by "
                "their suffix only. Rename one of them."
            )
        if path.is_dir():
            raise ValueError(f"{path} is a folder, and a file was to be written there. Name a file.")
        seen.add(place)
        staging.reserve(path)
        existing += [path] if path.exists() else []
    if existing and not force:
        raise ValueError(f"{existing[0]} exists ({len(existing)} file(s) in all). Name another, or pass --force.")


def write_npz(path: Path, arrays: dict, compression: int = zipfile.ZIP_DEFLATED) -> None:
    """As numpy.savez, which reserves the name "file"."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for key, array in arrays.items():
            with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
