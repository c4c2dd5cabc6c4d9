"""Image files, listed with what is known of each, as the columns of a Bunch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed

from .._lazy import LazyImages
from .._parameters import ParameterError
from ._folders import N_EXAMPLES, Entry
from ._formats import Conversion, kind_of, read_header, read_images
from ._lazy_files import ImageFiles
from ._stacks import check_alike
from ._units import Header

Unreadable = (OSError, ValueError)
AT_ONCE = 64  # files that a process takes at a time
IN_UNITS = {"DICOM", "NIfTI"}  # kinds whose values are in units, in whatever dtype


class Request(NamedTuple):
    """What is asked of `load_images`, beside the path."""

    subset: str = "all"
    conversion: Conversion = Conversion()
    groups: str | None = None
    skip_unreadable: bool = False
    lazy: bool = False
    n_jobs: int | None = None


class _Read(NamedTuple):
    """Files that were read: what was known of each, what its header tells, and how many images it holds."""

    entries: list[Entry]
    headers: list[Header]
    counts: list[int]
    data: Any

    def per_image(self, values: Sequence[Any]) -> list[Any]:
        """Return values of files for each of their images."""
        return [value for value, n in zip(values, self.counts, strict=True) for _ in range(n)]


def read_entries(
    entries: list[Entry], path: Path, request: Request, *, in_order: bool = False
) -> tuple[dict[str, Any], list[str]]:
    """Return the columns of the Bunch, and notes on what was left out; `path` is for messages.

    `in_order`: the order, and the groups, are those of a manifest; else slices of a series are sorted, and patients of
    DICOM files count before folders.
    """
    entries = _of_subset(entries, path, request.subset)
    unreadable: dict[Path, str] = {}
    listed = _headers(entries, request, unreadable)
    if not in_order:
        listed = _sorted_by_series(listed)
    read = (_read_lazily if request.lazy else _read_at_once)(listed, path, request, unreadable)
    labels = read.per_image([entry.label for entry in read.entries])
    names, codes = (None, None) if None in labels else np.unique(labels, return_inverse=True)
    splits = [entry.split for entry in read.entries]
    columns = {
        "data": read.data,
        "filenames": [str(file) for file in read.per_image([entry.file for entry in read.entries])],
        "target": None if codes is None else codes.astype(np.int64),
        "target_names": None if names is None else names.tolist(),
        "groups": _groups(read, path, request.groups, in_order),
        "split": np.array(read.per_image(splits)) if any(splits) else None,
        "spacing": _spacing(read.headers, request.conversion.image_shape),
    }
    notes = [f"Left out, since it cannot be read: {reason}" for reason in unreadable.values()]
    return columns, notes + _patients_for_classes(columns, path)


def _of_subset(entries: list[Entry], path: Path, subset: str) -> list[Entry]:
    splits = list(dict.fromkeys(entry.split for entry in entries if entry.split))
    if subset == "all":
        return entries
    if not splits:
        raise ValueError(
            f"subset was expected to be 'all' for {path}; got {subset!r}. Folders and image files have splits "
            "where the subfolders are called train, val and test, a manifest where it has a column of that name."
        )
    if subset not in splits:
        raise ValueError(f"subset was expected to be one of {['all', *splits]} for {path}; got {subset!r}.")
    return [entry for entry in entries if entry.split == subset]


def _headers(entries: list[Entry], request: Request, unreadable: dict[Path, str]) -> list[tuple[Entry, Header]]:
    """Each file that holds images, with what it tells without them."""
    listed = []
    for entry in entries:
        try:
            header = read_header(entry.file, request.conversion)
        except Unreadable as error:
            _take_note(entry.file, error, request, unreadable)
        else:
            listed += [] if header is None else [(entry, header)]
    return listed


def _take_note(file: Path, error: Exception, request: Request, unreadable: dict[Path, str]) -> None:
    if not request.skip_unreadable:
        raise error
    unreadable[file] = str(error) if str(file) in str(error) else f"{file}: {error}"


def _sorted_by_series(listed: list[tuple[Entry, Header]]) -> list[tuple[Entry, Header]]:
    """Slices of one series, in one folder, in the order of their places; all else stays where it is."""
    firsts: dict[object, int] = {}

    def place(item: tuple[int, tuple[Entry, Header]]) -> tuple[int, float, int, int]:
        number, (entry, header) = item
        if header.order is None or not header.order[0]:
            return number, 0.0, 0, number
        series = entry.file.parent, header.order[0]
        return firsts.setdefault(series, number), *header.order[1:], number

    return [item for _, item in sorted(enumerate(listed), key=place)]


def _read_at_once(
    listed: list[tuple[Entry, Header]], path: Path, request: Request, unreadable: dict[Path, str]
) -> _Read:
    stacks: dict[str, np.ndarray] = {}
    kept = []
    for (entry, header), found in zip(listed, _decoded([entry.file for entry, _ in listed], request), strict=True):
        if isinstance(found, Exception):
            _take_note(entry.file, found, request, unreadable)
        else:
            stacks[str(entry.file)] = found
            kept.append((entry, header))
    entries, headers = _parted(kept, path, unreadable)
    mixed = {stack.dtype for stack in stacks.values()} == {np.dtype(np.int16), np.dtype(np.float32)}
    if mixed and all(kind_of(entry.file) in IN_UNITS for entry in entries):
        stacks = {name: stack.astype(np.float32) for name, stack in stacks.items()}
    check_alike(stacks, path)
    counts = [len(stack) for stack in stacks.values()]
    return _Read(entries, headers, counts, np.concatenate(list(stacks.values())))


def _decoded(files: list[Path], request: Request) -> Iterator[np.ndarray | Exception]:
    """Yield the images of each file, or the error that it ends in, in order; of `n_jobs` processes each takes some."""
    parts = [files[i : i + AT_ONCE] for i in range(0, len(files), AT_ONCE)]
    decode = Parallel(n_jobs=request.n_jobs, return_as="generator")
    return chain.from_iterable(decode(delayed(_decode_some)(part, request.conversion) for part in parts))


def _decode_some(files: list[Path], conversion: Conversion) -> list[np.ndarray | Exception]:
    found: list[np.ndarray | Exception] = []
    for file in files:
        try:
            found.append(read_images(file, conversion))
        except Unreadable as error:
            found.append(error)
    return found


def _read_lazily(
    listed: list[tuple[Entry, Header]], path: Path, request: Request, unreadable: dict[Path, str]
) -> _Read:
    kept, counts = [], list[int]()
    for entry, header in listed:
        try:
            n_images = None if request.skip_unreadable else header.n_images
            counts.append(len(read_images(entry.file, request.conversion)) if n_images is None else n_images)
            kept.append((entry, header))
        except Unreadable as error:
            _take_note(entry.file, error, request, unreadable)
    entries, headers = _parted(kept, path, unreadable)
    source = ImageFiles([entry.file for entry in entries], counts, path, request.conversion)
    return _Read(entries, headers, counts, LazyImages(source))


def _parted(
    kept: list[tuple[Entry, Header]], path: Path, unreadable: dict[Path, str]
) -> tuple[list[Entry], list[Header]]:
    """Files that were read, and their headers; a ValueError if there are none."""
    if not kept:
        reasons = "; ".join(list(unreadable.values())[:N_EXAMPLES]) or "it holds no image"
        raise ValueError(f"Expected at least one image in {path} that can be read: {reasons}")
    return [entry for entry, _ in kept], [header for _, header in kept]


def _groups(read: _Read, path: Path, groups: str | None, in_order: bool) -> np.ndarray | None:
    """A number for each patient, or what else may not be parted; the names stay here."""
    files = [str(entry.file) for entry in read.entries]
    folders = [entry.group for entry in read.entries]
    patients = [header.patient for header in read.headers]
    if in_order and any(folders):
        keys = folders
    elif groups == "subfolder":
        if None in folders:
            missing = files[folders.index(None)]
            raise ParameterError(
                "groups",
                "was expected to be a subfolder of each class",
                f"none for {missing}",
                "Pass a regular expression, or sort images into class/patient/image.",
            )
        keys = folders
    elif groups is not None:
        keys = [_matched(groups, entry.file, path) for entry in read.entries]
    elif any(patients):
        keys = [patient or folder for patient, folder in zip(patients, folders, strict=True)]
    elif any(folders) or max(read.counts) > 1:
        keys = folders
    else:
        return None
    names = [file if key is None else key for key, file in zip(keys, files, strict=True)]
    return np.array(read.per_image(np.unique(names, return_inverse=True)[1].tolist()), np.int64)


def _matched(pattern: str, file: Path, path: Path) -> str:
    """The first group of a regular expression in a path, else all that matches."""
    relative = file.relative_to(path if path.is_dir() else path.parent).as_posix()
    try:
        found = re.search(pattern, relative)
    except re.error as error:
        raise ParameterError("groups", f"was expected to be a regular expression ({error})", repr(pattern)) from error
    if found is None:
        raise ParameterError(
            "groups",
            "was expected to be 'subfolder', a column of a manifest, or a regular expression that matches each path",
            f"{pattern!r}, which does not match {relative!r}",
            "Of an expression, the first group in brackets, else all of the match, tells patients apart.",
        )
    return found[1] if found.re.groups and found[1] is not None else found[0]


def _spacing(headers: list[Header], image_shape: Sequence[int] | None) -> tuple[float, ...] | None:
    """Millimetres a pixel, where one value holds for all files; None else."""
    found = set()
    for header in headers:
        if header.spacing is None or header.size is None:
            return None
        shape = header.size if image_shape is None else image_shape
        found.add(tuple(s * old / new for s, old, new in zip(header.spacing, header.size, shape, strict=True)))
    return found.pop() if len(found) == 1 else None


def _patients_for_classes(columns: dict[str, Any], path: Path) -> list[str]:
    """A note where each class is one patient: their folders, or a column of identifiers, were taken for classes."""
    target, groups = columns["target"], columns["groups"]
    if target is None or groups is None:
        return []
    n_pairs = len(np.unique(np.stack([target, groups]), axis=1).T)
    n_classes = len(columns["target_names"])
    if not 1 < n_classes == n_pairs == len(np.unique(groups)) < len(target):
        return []
    return [
        f"Each of the {n_classes} classes in {path} holds images of one patient alone: are the folders patients? Name "
        "labels and patients in a table: a CSV file with the columns path, label and patient."
    ]
