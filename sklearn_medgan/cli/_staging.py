"""Files that appear together when all are complete, or not at all."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

HIDDEN = f".medgan-{platform.node()}-"  # begins the names of hidden folders
UNFINISHED = "medgan-unfinished.txt"  # beside files that are being moved: load_images warns of it


class Staging:
    """Files under their own names in hidden folders, which take their places together or vanish.

    A folder that is new takes its place as a whole, by one renaming. Hidden folders of runs that were killed are
    removed when a later run writes to the same place; `notes` tells of those that another machine may be using.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.n_files = 0  # that `path` was asked for
        self._folders: dict[Path, Path] = {}
        self._locks: list[int] = []
        self._tops: dict[Path, bool] = {}  # files, and folders that are new: whether something is replaced

    def __enter__(self) -> Staging:
        return self

    def reserve(self, final: Path) -> None:
        """Raise OSError where `final` cannot be written: a name too long, a place that is full or read-only."""
        try:
            staged = self._staged(final)[0]
            staged.parent.mkdir(parents=True, exist_ok=True)
            staged.touch()
            staged.unlink()
        except OSError as error:
            raise OSError(f"{final} cannot be written ({error.strerror or error}). Name another place.") from error

    def reserve_all(self, outputs: Iterable[Path], inputs: Iterable[Path], *, force: bool) -> None:
        """Raise an error unless every output can be written, is written once, and replaces nothing unasked."""
        read = {path.resolve() for path in inputs}
        seen, existing = set(), []
        for path in outputs:
            self.reserve(path)
            place = path.resolve()
            if place in read:
                raise ValueError(f"{path} would be written, and is read from. Name another output.")
            if place in seen:
                raise ValueError(
                    f"{path} would be written twice: two outputs have this name, or two inputs have names that differ "
                    "by their suffix only. Rename one of them."
                )
            if path.is_dir():
                raise ValueError(f"{path} is a folder, and a file was to be written there. Name a file.")
            if path.exists() and not path.is_file():
                raise ValueError(f"{path} is no regular file, and would be replaced by one. Name another.")
            seen.add(place)
            existing += [path] if path.exists() else []
        if existing and not force:
            raise ValueError(f"{existing[0]} exists ({len(existing)} file(s) in all). Name another, or pass --force.")

    def path(self, final: Path) -> Path:
        """Where to write what shall become `final`."""
        staged, top = self._staged(final)
        staged.parent.mkdir(parents=True, exist_ok=True)
        self._tops.setdefault(top, top.exists())
        self.n_files += 1
        return staged

    def _staged(self, final: Path) -> tuple[Path, Path]:
        """Where `final` is until all is complete, and the first part of its path that is new, else itself."""
        final = final.resolve()
        top = next((part for part in reversed(final.parents) if not part.exists()), final)
        return self._new(top.parent) / final.relative_to(top.parent), top

    def _new(self, home: Path) -> Path:
        """Where things are until they move to `home`."""
        if home not in self._folders:
            self._sweep(home)
            folder = Path(tempfile.mkdtemp(prefix=HIDDEN, dir=home))
            self._folders[home] = folder
            self._locks += _lock(folder)
        return self._folders[home] / "new"

    def _sweep(self, home: Path) -> None:
        """Remove what is left of runs that were killed: it holds copies of images."""
        for folder in home.glob(".medgan-*"):
            with contextlib.suppress(OSError):
                if folder.is_symlink() or not any(folder.iterdir()):  # empty: a run that has just begun
                    continue
                locks = _lock(folder) if folder.name.startswith(HIDDEN) else []
                if locks:
                    shutil.rmtree(folder, ignore_errors=True)
                    os.close(locks[0])
                else:
                    self.notes.append(f"{folder} is left from a run that was killed; remove it, unless one goes on.")

    def commit(self) -> None:
        """Move everything to its place; an error moves all of it back."""
        shared = [home for home, n in Counter(top.parent for top in self._tops).items() if n > 1]
        with contextlib.ExitStack() as marks, contextlib.ExitStack() as moves:
            for mark in (home / UNFINISHED for home in shared):
                marks.callback(mark.unlink, missing_ok=True)
                mark.write_text("medgan was moving files here: what this folder holds is not complete. Run it again.\n")
            for number, (top, replaces) in enumerate(self._tops.items()):
                staged = self._new(top.parent) / top.name
                if top.exists() and not (replaces and top.is_file()):
                    raise FileExistsError(f"{top} has appeared meanwhile. Name another.")
                if replaces and top.exists():
                    shutil.copymode(top, staged)
                    if len(self._tops) > 1:  # one alone is replaced in one step, and needs no way back
                        earlier = self._folders[top.parent] / f"earlier-{number}"
                        os.replace(top, earlier)
                        moves.callback(os.replace, earlier, top)
                os.replace(staged, top)
                moves.callback(os.replace, top, staged)
            moves.pop_all()

    def __exit__(self, *_: object) -> None:
        for folder in self._folders.values():
            shutil.rmtree(folder, ignore_errors=True)
        for lock in self._locks:
            os.close(lock)


def _lock(folder: Path) -> list[int]:
    """A descriptor that holds the folder until the process ends; none where the file system has no such locks."""
    if fcntl is None:
        return []
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            raise
        return []
    return [descriptor]
