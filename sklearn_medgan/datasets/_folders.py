"""Folders of image files: which files there are, and what the names of their folders say."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ._formats import SUFFIXES, is_companion, kind_of

LAYOUT = "images directly in it, or one subfolder per class, or one per split with classes in it"
N_EXAMPLES = 3
MANIFEST = "manifest.csv"  # what `medgan augment` writes beside images: no cause for a note
SYNTHETIC = re.compile(r"synthetic_\d+\.(png|tiff?)", re.IGNORECASE)  # and what it calls those it has drawn
SPLITS = {"train", "training", "val", "valid", "validation", "test", "testing"}
PLAIN = {"images", "image", "img", "imgs", "png", "jpg", "jpeg", "tif", "dicom", "dcm"}  # folders that tell nothing
MASKS = {"mask", "masks", "label", "labels", "annotation", "annotations", "segmentation", "segmentations"}


class Entry(NamedTuple):
    """A file of images, and what is known of all of them without opening it."""

    file: Path
    label: str | None = None
    split: str | None = None
    group: str | None = None  # the subfolder of its class, or what a manifest says


def list_folder(path: Path) -> tuple[list[Entry], list[str]]:
    """Return the image files in and below a folder, sorted, and notes on what is left out.

    Folders in it are classes, unless all have names of splits, whose folders are classes then. What is in a class may
    lie deeper: the first folder there, as of a patient, is the group. A ValueError where images lie both directly and
    in subfolders, a class holds none, a link leads out of the folder, or there are masks beside images.
    """
    files, others = list[tuple[Path, tuple[str, ...]]](), list[Path]()
    for file, folders in _files_below(path):
        if is_companion(file):
            continue
        if kind_of(file) is None:
            others.append(file)
        else:
            files.append((file, folders))
    direct = [file for file, folders in files if not folders]
    if 0 < len(direct) < len(files):
        raise ValueError(
            f"Expected {path} to hold {LAYOUT}; it holds both, images ({_few(direct, path)}) and subfolders "
            f"({_few(_subfolders(path), path)}). Move one of the two away."
        )
    _check_not_empty(path, {folders[:1] for _, folders in files}, others)
    tops = [folder.name.casefold() for folder in _subfolders(path)]
    split = bool(tops) and set(tops) <= SPLITS
    notes = []
    if others:
        notes.append(
            f"Ignored {len(others)} file(s) in {path} that are no images: {_few(others, path)}. "
            f"It reads {', '.join(SUFFIXES)}; move others away to silence this."
        )
    return [_entry(file, folders, path, split) for file, folders in files], notes


def _entry(file: Path, folders: tuple[str, ...], path: Path, has_splits: bool) -> Entry:
    """What the folders of a file, from `path`, say: split, class, group."""
    rest = list(folders)
    split = rest.pop(0) if has_splits else None
    label = rest.pop(0) if rest else None
    deeper = [name for name in rest if name.casefold() not in PLAIN]
    if deeper and deeper[0].casefold() in MASKS:
        raise ValueError(
            f"{path} holds {'/'.join(folders)}, which by its name are no images to diagnose. "
            "Move it away, or rename it."
        )
    return Entry(file, label, split, deeper[0] if deeper else None)


def _files_below(folder: Path) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Every file in and below a folder, with the folders on the way to it; sorted, hidden ones left out."""
    top = folder.resolve()
    for place, folders, files in os.walk(folder, onerror=_raise):
        here = Path(place)
        inside = here.relative_to(folder).parts
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in folders:
            check_inside(here / name, top)
        for name in sorted(files):
            path = here / name
            check_inside(path, top)
            if not name.startswith(".") and name != MANIFEST:
                yield path, inside


def check_inside(path: Path, top: Path) -> None:
    """Raise a ValueError where a path leads out of the folder `top`, or a folder is a link, which may lead in circles.

    A folder from a stranger would have files read that are not meant to be.
    """
    if path.is_symlink() and (path.is_dir() or not path.resolve().is_relative_to(top)):
        raise ValueError(f"{path} is a link that leads out of {top}, or to a folder. Copy what it leads to.")


def _raise(error: OSError) -> None:
    raise error


def _subfolders(path: Path) -> list[Path]:
    return sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _check_not_empty(path: Path, holding: set[tuple[str, ...]], others: list[Path]) -> None:
    """Images in the folder, and in each folder that is to hold them; `holding` are those that do, from `path`."""
    for folder in _subfolders(path) or [path]:
        if folder.relative_to(path).parts not in holding:
            inside = [file for file in others if file.is_relative_to(folder)]
            found = f"only other files ({_few(inside, folder)})" if inside else "nothing"
            raise ValueError(
                f"Expected images ({', '.join(SUFFIXES)}) in {folder}; it holds {found}. "
                "Convert or add images, or remove the folder."
            )


def _few(entries: list[Path], folder: Path) -> str:
    names = [entry.relative_to(folder).as_posix() for entry in entries[:N_EXAMPLES]]
    return ", ".join(names) + (", ..." if len(entries) > N_EXAMPLES else "")
