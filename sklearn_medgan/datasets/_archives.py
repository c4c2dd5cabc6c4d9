"""Images in an npz file: in MedMNIST's form, or X with what is known of its rows."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .._parameters import ParameterError
from ._entries import Request
from ._files import RefusedError, check_unpacked, open_regular
from ._stacks import check_stack

MEDMNIST_SPLITS = ("train", "val", "test")
FORMS = (
    "either MedMNIST's keys (train_images, train_labels, and the same for val and test), or X with optional "
    "y, group, class_names, split and spacing"
)
ONE_AT_A_TIME = "Load one split at a time with subset=."
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


class _Archive:
    """The arrays of an npz file, each read when asked for.

    In place of :func:`numpy.load`, which takes memory for whatever a header states, and whose errors are of many kinds.
    """

    def __init__(self, path: Path, file: BinaryIO, archive: zipfile.ZipFile) -> None:
        self.path, self._file, self._zip = path, file, archive
        self._members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        self._n_bytes = 0

    def __contains__(self, key: str) -> bool:
        return key in self._members

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def read(self, key: str) -> np.ndarray | None:
        """Return one array, None if it is not there; a ValueError where it is damaged, or no plain array."""
        if key not in self._members:
            return None
        try:
            return self._read(self._members[key])
        except RefusedError as error:
            raise ValueError(f"{self.path} cannot be read: with {key!r}, {error}.") from error
        except Exception as error:  # zip, its codecs and numpy meet damage with errors of every kind
            raise ValueError(
                f"{key!r} in {self.path} was expected to be a plain array; it cannot be read ({error}). Loading "
                "never unpickles: convert object arrays (ragged lists, None) to numbers or text, and save the file "
                "again; fetch a damaged one again."
            ) from error

    def _read(self, member: zipfile.ZipInfo) -> np.ndarray:
        with self._zip.open(member) as file:
            shape, _, dtype = _HEADERS[np.lib.format.read_magic(file)](file)
            if dtype.hasobject:
                raise ValueError("it holds Python objects")
            stated = math.prod(shape) * dtype.itemsize
            if file.tell() + stated != member.file_size:
                raise ValueError(f"{shape} of {dtype} are {stated} bytes, which are not there")
        # Sides of 0 and text of no letters take no bytes, but time.
        self._n_bytes += math.prod(max(side, 1) for side in shape) * max(dtype.itemsize, 1)
        check_unpacked(self._file, self._n_bytes)
        with self._zip.open(member) as file:
            return np.lib.format.read_array(file, allow_pickle=False)


@contextmanager
def _opened(path: Path) -> Iterator[_Archive]:
    with open_regular(path) as file:
        try:
            archive = _Archive(path, file, zipfile.ZipFile(file))
        except Exception as error:  # of every kind, as above
            raise ValueError(
                f"Expected an npz archive; {path} is not one, or is damaged or cut short ({error}). "
                "Write it with numpy.savez, or fetch it again."
            ) from error
        yield archive


def _image_keys(archive: _Archive) -> list[str]:
    """Keys of the images, in either form."""
    keys = ["X"] if "X" in archive else [f"{split}_images" for split in MEDMNIST_SPLITS]
    present = [key for key in keys if key in archive]
    if not present:
        raise ValueError(
            f"{archive.path} was expected to hold {FORMS}; its keys are {sorted(archive)}. "
            "Save the file again with its arrays under these names."
        )
    return present


def read_image_arrays(path: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return every array of an npz file in either form, {key: array}, and the keys of those that are images."""
    with _opened(path) as archive:
        keys = _image_keys(archive)
        arrays = {key: array for key in archive if (array := archive.read(key)) is not None}
    for key in keys:
        check_stack(arrays[key], path)
    return arrays, keys


def split_names(path: Path) -> list[str]:
    """Return the names of the splits that a file tells of, read without its images; [] where it tells of none."""
    if not (path.is_file() and path.suffix.lower() == ".npz"):
        return []
    with _opened(path) as archive:
        if "X" not in archive:
            return [split for split in MEDMNIST_SPLITS if f"{split}_images" in archive]
        split = archive.read("split")
    return [] if split is None else np.unique(split.astype(str)).tolist()


def read_npz(path: Path, request: Request, labels: str | None = None) -> dict[str, Any]:
    """Return the columns of the Bunch from either form of an npz file; `labels` names the array of labels."""
    if request.lazy:
        raise ValueError(
            f"lazy=True reads image files one by one; {path} is an npz file, which is unpacked whole. Save its images "
            "with numpy.save, and open that file with numpy.load(path, mmap_mode='r')."
        )
    with _opened(path) as archive:
        read = _read_plain if _image_keys(archive) == ["X"] else _read_medmnist
        columns = read(archive, request.subset, request.groups, labels)
        columns["spacing"] = _spacing(archive.read("spacing"), path)
        class_names = archive.read("class_names") if labels in (None, "y") else None  # those of y
    columns["target"], columns["target_names"] = _encode_labels(columns["target"], class_names, path)
    stored = columns["data"]
    columns["data"] = request.conversion(stored, path)
    if columns["spacing"] is not None and len(columns["spacing"]) == 2:
        sides = zip(columns["spacing"], stored.shape[1:3], columns["data"].shape[1:3], strict=True)
        columns["spacing"] = tuple(spacing * old / new for spacing, old, new in sides)
    return {**columns, "filenames": None}


def _read_plain(archive: _Archive, subset: str, groups: str | None, labels: str | None) -> dict[str, Any]:
    """The `X`, `y`, `group`, `split` form."""
    for parameter, name in {"groups": groups, "label_column": labels}.items():
        if name is not None and name not in archive:
            raise ParameterError(parameter, f"was expected to be one of the arrays of {archive.path}", repr(name))
    keys = {"data": "X", "target": labels or "y", "groups": groups or "group", "split": "split"}
    columns: dict[str, Any] = {name: archive.read(key) for name, key in keys.items()}
    check_stack(columns["data"], archive.path)
    for name in ("groups", "split"):
        if columns[name] is not None and columns[name].ndim != 1:
            raise ValueError(
                f"{keys[name]!r} in {archive.path} was expected to hold one value an image, shape (n,); "
                f"got {columns[name].shape}. Flatten it and save it again."
            )
    _check_lengths({keys[name]: column for name, column in columns.items() if column is not None}, archive.path)
    split = columns["split"]
    if split is not None:
        split = columns["split"] = split.astype(str)
    if subset == "all":
        return columns
    present = [] if split is None else np.unique(split).tolist()
    _check_subset(subset, present, archive.path)
    return {name: None if column is None else column[split == subset] for name, column in columns.items()}


def _read_medmnist(archive: _Archive, subset: str, groups: str | None, labels_in: str | None) -> dict[str, Any]:
    """The MedMNIST form: its splits one after another."""
    if groups is not None:
        raise ParameterError("groups", f"was expected to be None: {archive.path} has no patients", repr(groups))
    if labels_in is not None:
        known = "whose labels are train_labels and the like"
        raise ParameterError("label_column", f"was expected to be None for {archive.path}, {known}", repr(labels_in))
    path, present = archive.path, [split for split in MEDMNIST_SPLITS if f"{split}_images" in archive]
    _check_subset(subset, present, path)
    chosen = present if subset == "all" else [subset]
    images: dict[str, Any] = {split: archive.read(f"{split}_images") for split in chosen}
    labels: dict[str, Any] = {split: archive.read(f"{split}_labels") for split in chosen}
    for stack in images.values():
        check_stack(stack, path)
    labelled = [split for split in chosen if labels[split] is not None]
    if labelled not in ([], chosen):
        raise ParameterError(
            "subset",
            f"was expected to hold labels for all of {chosen} or for none",
            f"them for {labelled}",
            ONE_AT_A_TIME,
            subject=str(path),
        )
    for split in labelled:
        _check_lengths({f"{split}_images": images[split], f"{split}_labels": labels[split]}, path)
    shapes = {split: stack.shape[1:] for split, stack in images.items()}
    if len(set(shapes.values())) > 1:
        raise ParameterError(
            "subset",
            "were expected to hold images of one shape",
            str(shapes),
            ONE_AT_A_TIME,
            subject=f"The splits in {path}",
        )
    return {
        "data": np.concatenate(list(images.values())),
        "target": np.concatenate(list(labels.values())) if labelled else None,
        "groups": None,
        "split": np.repeat(chosen, [len(stack) for stack in images.values()]),
    }


def _check_subset(subset: str, present: list[str], path: Path) -> None:
    if subset not in ("all", *present):
        raise ValueError(
            f"subset was expected to be one of {['all', *present]} for {path}; got {subset!r}. "
            "Pass one of these, or save the file with a split array."
        )


def _check_lengths(columns: Mapping[str, np.ndarray], path: Path) -> None:
    lengths = {key: len(np.atleast_1d(column)) for key, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"The arrays in {path} were expected to have one row an image; got the lengths {lengths}. "
            "Save them again with equal lengths."
        )


def _encode_labels(
    labels: np.ndarray | None, class_names: np.ndarray | None, path: Path
) -> tuple[np.ndarray | None, list[str] | None]:
    """Labels as one int64 each, with the classes' names where known."""
    names = None if class_names is None else _text(class_names, "class_names", path).ravel().tolist()
    if labels is None:
        return None, names
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise ValueError(
            f"Expected one label an image, shape (n,) or (n, 1); got {labels.shape} in {path}. "
            "Of several labels an image, choose one column and save it again."
        )
    if labels.dtype.kind not in "US":
        return _whole_numbers(labels, names, path), names
    labels = _text(labels, "labels", path)
    names = names or np.unique(labels).tolist()
    unknown = sorted(set(labels.tolist()) - set(names))
    if unknown:
        raise ValueError(
            f"The labels in {path} were expected to be among its class_names {names}; got {unknown} "
            "as well. Add them to class_names."
        )
    code = {name: k for k, name in reversed(list(enumerate(names)))}
    return np.array([code[label] for label in labels.tolist()], dtype=np.int64), names


def _text(values: np.ndarray, what: str, path: Path) -> np.ndarray:
    """Names as text, of bytes as UTF-8."""
    try:
        return np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values.astype(str)
    except ValueError as error:
        raise ValueError(f"The {what} in {path} were expected to be text; {error}. Save them as str.") from error


def _whole_numbers(labels: np.ndarray, names: list[str] | None, path: Path) -> np.ndarray:
    """Numeric labels as int64, checked to index the names."""
    if labels.dtype.kind not in "buif" or not np.array_equal(labels, np.rint(labels)):
        raise ValueError(
            f"Expected labels that are whole numbers or text; got dtype {labels.dtype} "
            f"in {path}. Number the classes 0, 1, 2, ..."
        )
    if len(labels) and not (labels.min() >= -(2**63) and labels.max() < 2**63):
        raise ValueError(
            f"Expected labels that int64 holds; got {labels.min()} to {labels.max()} in {path}. "
            "Number the classes 0, 1, 2, ..."
        )
    labels = labels.astype(np.int64)
    if names is not None and len(labels) and not (labels.min() >= 0 and labels.max() < len(names)):
        raise ValueError(
            f"The labels in {path} were expected to index its {len(names)} class_names, 0 to "
            f"{len(names) - 1}; got {labels.min()} to {labels.max()}. "
            "Number the classes from 0, or name each of them."
        )
    return labels


def _spacing(spacing: np.ndarray | None, path: Path) -> tuple[float, ...] | None:
    """Millimetres a pixel, one value a side."""
    if spacing is None:
        return None
    values = np.atleast_1d(spacing)
    if values.dtype.kind not in "uif" or values.ndim != 1 or not (np.isfinite(values) & (values > 0)).all():
        raise ValueError(
            f"spacing in {path} was expected to be millimetres a pixel, numbers above 0; got {spacing!r}. "
            "Save it as two such numbers, as (0.7, 0.7), or leave it out."
        )
    return tuple(values.astype(float).tolist()) if values.size > 1 else (float(values[0]),) * 2
