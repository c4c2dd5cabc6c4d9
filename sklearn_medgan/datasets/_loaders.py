"""Your own images from a file, as the arrays a scikit-learn estimator takes."""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils._param_validation import validate_params

MEDMNIST_SPLITS = ("train", "val", "test")
FORMS = (
    "either MedMNIST's keys (train_images, train_labels, and the same for val and test), or X with optional "
    "y, group, class_names, split and spacing"
)


@validate_params(
    {"path": [str, os.PathLike], "subset": [str], "return_X_y": ["boolean"]},
    prefer_skip_nested_validation=True,
)
def load_images(path, *, subset="all", return_X_y=False):
    """Load your own images, with labels, groups and splits where the file has them.

    An ``.npz`` file in one of two forms, both written by :func:`numpy.savez`:

    - MedMNIST: ``train_images`` and ``train_labels`` of shape (n, 1), and the same for ``val`` and ``test``;
      any of the three may be absent, and so may the labels.
    - ``X``, and where known ``y`` (one label a row), ``group`` (patient or region), ``split`` (name of the
      row's split), ``class_names`` and ``spacing`` (millimetres a pixel). MedMNIST files may hold the last
      two as well. Other keys are not read.

    Files are read without pickle, so a file from a stranger cannot run code.

    Parameters
    ----------
    path : str or path-like
        The file.
    subset : str, default="all"
        Which split to load: "train", "val", "test", or what the file calls its splits; "all" joins them.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        data : ndarray of shape (n_samples, height, width) or (n_samples, height, width, channels)
            The images, dtype and values as stored.
        target : ndarray of shape (n_samples,), int64, or None
            Label of each image, as stored; text labels become their index in `target_names`. None if the file
            has no labels.
        target_names : list of str or None
            Name of each class, for ``target_names[label]``; None if the file names no classes.
        groups : ndarray of shape (n_samples,) or None
            As stored under ``group``; None if absent. Where present, split by it.
        split : ndarray of shape (n_samples,), str, or None
            Name of the split each image belongs to.
        spacing : tuple of float or None
            Size of a pixel in millimetres; None if the file does not tell.
        path : str
            The file.
        DESCR : str
            What was found.
    (data, target) : tuple if ``return_X_y=True``

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is of another kind, holds neither form, would need pickle, has arrays of unequal length,
        or has no split called `subset`.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np
    >>> from sklearn_medgan.datasets import load_images
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "scans.npz"
    >>> np.savez(path, X=np.zeros((4, 16, 16), np.uint8), y=[0, 0, 1, 1], class_names=["healthy", "ill"])
    >>> scans = load_images(path)
    >>> scans.data.shape, scans.target, scans.target_names
    ((4, 16, 16), array([0, 0, 1, 1]), ['healthy', 'ill'])
    """
    path = Path(path)
    columns = _READERS[_known_suffix(path)](path, subset)
    data, target = columns["data"], columns["target"]
    if return_X_y:
        return data, target
    labels = "no labels" if target is None else f"{len(np.unique(target))} classes"
    found = f"{path.name}: {len(data)} images of shape {data.shape[1:]}, {data.dtype}, {labels}."
    return Bunch(**columns, path=str(path), DESCR=found)


def _known_suffix(path):
    """The suffix that picks the reader, for a file that is there."""
    if not path.exists():
        raise FileNotFoundError(
            f"load_images expected a file at {path}; there is none. "
            f"Check the path; relative ones start at {Path.cwd()}."
        )
    suffix = path.suffix.lower()
    if path.is_dir() or suffix not in _READERS:
        what = "a folder" if path.is_dir() else f"the suffix {path.suffix!r}"
        raise ValueError(
            f"load_images expected a file ending in {' or '.join(_READERS)}; got {what}: {path}. "
            "Save the images with numpy.savez(path, X=images, y=labels)."
        )
    return suffix


def _read_npz(path, subset):
    """The columns of the Bunch from either form of an npz file."""
    # numpy would take a broken archive for a pickle, and say so; say what is wrong instead.
    if not zipfile.is_zipfile(path):
        raise ValueError(
            f"load_images expected an npz archive; {path} is not one (or is cut short). "
            "Write it with numpy.savez, or fetch it again."
        )
    with np.load(path, allow_pickle=False) as archive:
        if "X" in archive:
            columns = _read_plain(archive, path, subset)
        elif any(f"{split}_images" in archive for split in MEDMNIST_SPLITS):
            columns = _read_medmnist(archive, path, subset)
        else:
            raise ValueError(
                f"{path} was expected to hold {FORMS}; its keys are {sorted(archive)}. "
                "Save the file again with its arrays under these names."
            )
        columns["spacing"] = _spacing(_read_key(archive, "spacing", path), path)
        class_names = _read_key(archive, "class_names", path)
    columns["target"], columns["target_names"] = _encode_labels(columns["target"], class_names, path)
    return columns


_READERS = {".npz": _read_npz}


def _read_plain(archive, path, subset):
    """The `X`, `y`, `group`, `split` form."""
    keys = {"data": "X", "target": "y", "groups": "group", "split": "split"}
    columns = {name: _read_key(archive, key, path) for name, key in keys.items()}
    _check_images(columns["data"], path)
    for name in ("groups", "split"):
        if columns[name] is not None and columns[name].ndim != 1:
            raise ValueError(
                f"{keys[name]!r} in {path} was expected to hold one value an image, shape (n,); "
                f"got {columns[name].shape}. Flatten it and save it again."
            )
    _check_lengths({keys[name]: column for name, column in columns.items() if column is not None}, path)
    split = columns["split"]
    if split is not None:
        split = columns["split"] = split.astype(str)
    if subset == "all":
        return columns
    present = [] if split is None else np.unique(split).tolist()
    if subset not in present:
        raise _unknown_subset(subset, present, path)
    rows = split == subset
    return {name: None if column is None else column[rows] for name, column in columns.items()}


def _read_medmnist(archive, path, subset):
    """The MedMNIST form: its splits one after another."""
    present = [split for split in MEDMNIST_SPLITS if f"{split}_images" in archive]
    if subset not in ("all", *present):
        raise _unknown_subset(subset, present, path)
    chosen = present if subset == "all" else [subset]
    images = {split: _read_key(archive, f"{split}_images", path) for split in chosen}
    labels = {split: _read_key(archive, f"{split}_labels", path) for split in chosen}
    for stack in images.values():
        _check_images(stack, path)
    labelled = [split for split in chosen if labels[split] is not None]
    if labelled not in ([], chosen):
        raise ValueError(
            f"{path} was expected to hold labels for all of {chosen} or for none; it has them for "
            f"{labelled}. Load one split at a time with subset=."
        )
    for split in labelled:
        _check_lengths({f"{split}_images": images[split], f"{split}_labels": labels[split]}, path)
    shapes = {split: stack.shape[1:] for split, stack in images.items()}
    if len(set(shapes.values())) > 1:
        raise ValueError(
            f"The splits in {path} were expected to hold images of one shape; got {shapes}. "
            "Load one split at a time with subset=."
        )
    return {
        "data": np.concatenate(list(images.values())),
        "target": np.concatenate(list(labels.values())) if labelled else None,
        "groups": None,
        "split": np.repeat(chosen, [len(stack) for stack in images.values()]),
    }


def _read_key(archive, key, path):
    """One array of the archive, None if it is not there."""
    if key not in archive:
        return None
    try:
        return archive[key]
    except (ValueError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ValueError(
            f"{key!r} in {path} was expected to be a plain array; numpy says: {error} "
            "load_images never unpickles: convert object arrays (ragged lists, None) to numbers or text, "
            "and save the file again."
        ) from error


def _check_lengths(columns, path):
    lengths = {key: len(np.atleast_1d(column)) for key, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"The arrays in {path} were expected to have one row an image; got the lengths {lengths}. "
            "Save them again with equal lengths."
        )


def _check_images(data, path):
    """A stack of 1 to 4 channels, of numbers."""
    if data.ndim not in (3, 4) or (data.ndim == 4 and not 1 <= data.shape[3] <= 4):
        raise ValueError(
            "load_images expected images of shape (n, height, width) or (n, height, width, channels) with "
            f"1 to 4 channels; got {data.shape} in {path}. Reshape the array, or take slices of a volume, "
            "and save it again."
        )
    if data.dtype.kind not in "buif":
        raise ValueError(
            f"load_images expected images of numbers; got dtype {data.dtype} in {path}. "
            "Save them as integers or floats."
        )


def _encode_labels(labels, class_names, path):
    """Labels as one int64 each, with the classes' names where known."""
    names = None if class_names is None else [str(name) for name in np.atleast_1d(class_names)]
    if labels is None:
        return None, names
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise ValueError(
            f"load_images expected one label an image, shape (n,) or (n, 1); got {labels.shape} in {path}. "
            "Of several labels an image, choose one column and save it again."
        )
    if labels.dtype.kind in "US":
        labels = labels.astype(str)
        names = names or np.unique(labels).tolist()
        unknown = sorted(set(labels.tolist()) - set(names))
        if unknown:
            raise ValueError(
                f"The labels in {path} were expected to be among its class_names {names}; got {unknown} "
                "as well. Add them to class_names."
            )
        return np.array([names.index(label) for label in labels.tolist()], dtype=np.int64), names
    return _whole_numbers(labels, names, path), names


def _whole_numbers(labels, names, path):
    """Numeric labels as int64, checked to index the names."""
    if labels.dtype.kind not in "buif" or not np.array_equal(labels, np.rint(labels)):
        raise ValueError(
            f"load_images expected labels that are whole numbers or text; got dtype {labels.dtype} "
            f"in {path}. Number the classes 0, 1, 2, ..."
        )
    labels = labels.astype(np.int64)
    if names is not None and len(labels) and not (labels.min() >= 0 and labels.max() < len(names)):
        raise ValueError(
            f"The labels in {path} were expected to index its {len(names)} class_names, 0 to "
            f"{len(names) - 1}; got {labels.min()} to {labels.max()}. "
            "Number the classes from 0, or name each of them."
        )
    return labels


def _spacing(spacing, path):
    """Millimetres a pixel, one value a side."""
    if spacing is None:
        return None
    values = np.atleast_1d(spacing)
    if values.dtype.kind not in "uif" or values.ndim != 1 or not (np.isfinite(values) & (values > 0)).all():
        raise ValueError(
            f"spacing in {path} was expected to be millimetres a pixel, numbers above 0; got {spacing!r}. "
            "Save it as for example spacing=(0.7, 0.7), or leave it out."
        )
    return tuple(values.astype(float).tolist()) if values.size > 1 else (float(values[0]),) * 2


def _unknown_subset(subset, present, path):
    return ValueError(
        f"subset was expected to be one of {['all', *present]} for {path}; got {subset!r}. "
        "Pass one of these, or save the file with a split array."
    )
