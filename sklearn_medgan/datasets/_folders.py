"""Image files, and folders of them with a subfolder per class."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .._lazy import LazyImages
from ._images import IMAGE_SUFFIXES, read_stack
from ._lazy_files import ImageFiles
from ._stacks import check_alike, check_stack, resized

LAYOUT = "images directly in it, or one subfolder per class with images directly in each"
N_EXAMPLES = 3
MANIFEST = "manifest.csv"  # what `medgan augment` writes beside images: no cause for a warning
SYNTHETIC = re.compile(r"synthetic_\d+\.(png|tiff?)", re.IGNORECASE)  # and what it calls those it has drawn


class _Listing(NamedTuple):
    """What is directly in a folder, sorted by name, hidden entries left out."""

    images: list[Path]
    folders: list[Path]
    others: list[Path]


def read_folder(path: Path, subset: str, image_shape: Sequence[int] | None, lazy: bool) -> dict[str, Any]:
    """Return the columns of the Bunch from a folder; its subfolders, where there are any, are the classes."""
    classes = list_folder(path, stacklevel=5)
    columns = _read_files([file for files in classes.values() for file in files], path, subset, image_shape, lazy)
    if None not in classes:
        label_of = {str(file): label for label, files in enumerate(classes.values()) for file in files}
        columns["target"] = np.array([label_of[name] for name in columns["filenames"]], dtype=np.int64)
        columns["target_names"] = list(classes)
    return columns


def read_file(path: Path, subset: str, image_shape: Sequence[int] | None, lazy: bool) -> dict[str, Any]:
    """Return the columns of the Bunch from one image file."""
    return _read_files([path], path, subset, image_shape, lazy)


def list_folder(path: Path, *, stacklevel: int = 2) -> dict[str | None, list[Path]]:
    """Return the image files of each class, {name of the subfolder: paths}, sorted.

    {None: paths} where there is no subfolder. Raises and warns as :func:`load_images` does.
    """
    top = _listing(path)
    if top.folders and top.images:
        raise ValueError(
            f"load_images expected {path} to hold {LAYOUT}; it holds both, images ({_few(top.images, path)}) and "
            f"subfolders ({_few(top.folders, path)}). Move one of the two away."
        )
    classes: dict[str | None, _Listing] = {folder.name: _listing(folder) for folder in top.folders}
    classes = classes or {None: top}
    parts = list(classes.values())
    _check_folders(path, parts, top.folders or [path])
    others = top.others + [file for name, part in classes.items() if name is not None for file in part.others]
    if others:
        warnings.warn(
            f"load_images ignored {len(others)} file(s) in {path} that are no images: {_few(others, path)}. "
            f"It reads {', '.join(IMAGE_SUFFIXES)}; move others away to silence this.",
            UserWarning,
            stacklevel=stacklevel,
        )
    return {name: part.images for name, part in classes.items()}


def _listing(folder: Path) -> _Listing:
    listing = _Listing([], [], [])
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if not entry.name.startswith(".") and entry.name != MANIFEST:
            is_image = entry.suffix.lower() in IMAGE_SUFFIXES
            kind = listing.folders if entry.is_dir() else listing.images if is_image else listing.others
            kind.append(entry)
    return listing


def _check_folders(path: Path, parts: list[_Listing], folders: list[Path]) -> None:
    """Images in each folder that is to hold them, and no folders."""
    nested = [deeper for part in parts for deeper in part.folders]
    if nested:
        raise ValueError(
            f"load_images expected {path} to hold {LAYOUT}; it is nested deeper: {_few(nested, path)}. "
            "Move the images up, or load one of the subfolders."
        )
    empty = [(folder, part.others) for folder, part in zip(folders, parts, strict=True) if not part.images]
    if empty:
        folder, others = empty[0]
        found = f"only other files ({_few(others, folder)})" if others else "nothing"
        raise ValueError(
            f"load_images expected images ({', '.join(IMAGE_SUFFIXES)}) in {folder}; it holds {found}. "
            "Convert or add images, or remove the folder."
        )


def _few(entries: list[Path], folder: Path) -> str:
    names = [entry.relative_to(folder).as_posix() for entry in entries[:N_EXAMPLES]]
    return ", ".join(names) + (", ..." if len(entries) > N_EXAMPLES else "")


def _read_files(
    files: list[Path], path: Path, subset: str, image_shape: Sequence[int] | None, lazy: bool
) -> dict[str, Any]:
    """The columns of the Bunch from image files, pages as rows."""
    if subset != "all":
        raise ValueError(
            f"subset was expected to be 'all' for {path}; got {subset!r}. Folders and image files have no splits: "
            "load the folder of one split, or save an npz file with a split array."
        )
    unknown = dict.fromkeys(("target", "target_names", "groups", "split", "spacing"))
    if lazy:
        source = ImageFiles(files, path, image_shape)
        owners = np.repeat(np.arange(len(files)), np.diff(source.ends, prepend=0))
        return {"data": LazyImages(source), "filenames": [str(files[owner]) for owner in owners], **unknown}
    stacks = {}
    for file in files:
        stack = read_stack(file)
        check_stack(stack, file)
        stacks[str(file)] = stack if image_shape is None else resized(stack, image_shape)
    check_alike(stacks, path)
    return {
        "data": np.concatenate(list(stacks.values())),
        "filenames": [name for name, stack in stacks.items() for _ in stack],
        **unknown,
    }
