"""Your own images from a file or folder, as the arrays a scikit-learn estimator takes."""

from __future__ import annotations

import os
import re
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.utils import Bunch

from .._containers import cast
from .._sklearn_compat import validate_params
from ._images import IMAGE_SUFFIXES, read_stack

MEDMNIST_SPLITS = ("train", "val", "test")
FORMS = (
    "either MedMNIST's keys (train_images, train_labels, and the same for val and test), or X with optional "
    "y, group, class_names, split and spacing"
)
LAYOUT = "images directly in it, or one subfolder per class with images directly in each"
N_EXAMPLES = 3
MANIFEST = "manifest.csv"  # what `medgan augment` writes beside images: no cause for a warning
SYNTHETIC = re.compile(r"synthetic_\d+\.(png|tiff?)", re.IGNORECASE)  # and what it calls those it has drawn


@validate_params(
    {
        "path": [str, os.PathLike],
        "subset": [str],
        "image_shape": [tuple, list, None],
        "return_X_y": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def load_images(path, *, subset="all", image_shape=None, return_X_y=False):
    """Load your own images, with labels, groups and splits where they are known.

    A folder, either with images directly in it, which are then not labelled, or with one subfolder per class. Files
    are read in sorted order; hidden ones and ``manifest.csv`` are left out, others that are no images with a
    warning.

    An image file: PNG or JPEG, turned upright as the file says, or TIFF, of which each page is an image. Values are as
    stored: one bit a pixel is bool, 16 bits are uint16, alpha is a channel; a palette becomes its colours or greys.

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
        The folder or the file.
    subset : str, default="all"
        Which split to load: "train", "val", "test", or what the file calls its splits; "all" joins them. Folders and
        image files have no splits.
    image_shape : tuple of int (height, width), default=None
        Resize images of another shape to this one, smoothed where reduced, and rounded and clipped to their dtype.
        None keeps every pixel, and takes images of equal shape only.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        data : ndarray of shape (n_samples, height, width) or (n_samples, height, width, channels)
            The images, dtype and values as stored unless resized.
        target : ndarray of shape (n_samples,), int64, or None
            Label of each image, as stored; text labels and names of subfolders become their index in
            `target_names`. None if there are no labels.
        target_names : list of str or None
            Name of each class, for ``target_names[label]``: those of the subfolders, sorted, or what an ``.npz`` file
            gives; None if the classes have no names.
        filenames : list of str or None
            Path of the file each image is from; None for ``.npz``. Pages of one TIFF share it, so split by it then.
        groups : ndarray of shape (n_samples,) or None
            As stored under ``group``; None if absent. Where present, split by it.
        split : ndarray of shape (n_samples,), str, or None
            Name of the split each image belongs to.
        spacing : tuple of float or None
            Size of a pixel in millimetres; None if an ``.npz`` file does not tell, and for folders and image files.
        path : str
            The folder or the file.
        DESCR : str
            What was found.
    (data, target) : tuple if ``return_X_y=True``

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder.
    ValueError
        If an ``.npz`` file holds neither form, would need pickle, or has arrays of unequal length; if a file is of
        another kind, is cut short, or cannot be read exactly; if a folder or one of its classes holds no image, if
        it is nested deeper, or holds images both directly and in subfolders; if images differ in channels, dtype or,
        without `image_shape`, in shape; if there is no split called `subset`.

    Warns
    -----
    UserWarning
        If a folder holds files that are no images; it names some.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np
    >>> from sklearn_medgan.datasets import load_images
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "scans.npz"
    >>> np.savez(path, X=np.zeros((4, 16, 16), np.uint8), y=[0, 0, 1, 1], class_names=["healthy", "ill"])
    >>> scans = load_images(path)
    >>> scans.data.shape, scans.target, scans.target_names
    ((4, 16, 16), array([0, 0, 1, 1]), ['healthy', 'ill'])

    A subfolder per class:

    >>> from PIL import Image
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for name in ("healthy/1.png", "healthy/2.png", "ill/1.png"):
    ...     (folder / name).parent.mkdir(exist_ok=True)
    ...     Image.new("L", (16, 16)).save(folder / name)
    >>> scans = load_images(folder, image_shape=(8, 8))
    >>> scans.data.shape, scans.target, scans.target_names
    ((3, 8, 8), array([0, 0, 1]), ['healthy', 'ill'])
    """
    path = Path(path)
    _check_image_shape(image_shape)
    columns = _reader(path)(path, subset, image_shape)
    data, target = columns["data"], columns["target"]
    if return_X_y:
        return data, target
    labels = "no labels" if target is None else f"{len(np.unique(target))} classes"
    found = f"{path.absolute().name}: {len(data)} images of shape {data.shape[1:]}, {data.dtype}, {labels}."
    return Bunch(**columns, path=str(path), DESCR=found)


def _check_image_shape(image_shape):
    sides = () if image_shape is None else tuple(image_shape)
    whole = all(isinstance(side, (int, np.integer)) and not isinstance(side, bool) and side > 0 for side in sides)
    if image_shape is not None and not (len(sides) == 2 and whole):
        raise ValueError(
            f"image_shape was expected to be (height, width), two whole numbers above 0; got {image_shape!r}. "
            "Pass for example image_shape=(64, 64)."
        )


def _reader(path):
    """The function that reads what is at the path."""
    if not path.exists():
        raise FileNotFoundError(
            f"load_images expected a file or folder at {path}; there is none. "
            f"Check the path; relative ones start at {Path.cwd()}."
        )
    if path.is_dir():
        return _read_folder
    suffix = path.suffix.lower()
    if suffix not in _READERS:
        raise ValueError(
            f"load_images expected a folder or a file ending in {' or '.join(_READERS)}; got the suffix "
            f"{path.suffix!r}: {path}. Save the images with numpy.savez(path, X=images, y=labels)."
        )
    return _READERS[suffix]


class _Listing(NamedTuple):
    """What is directly in a folder, sorted by name, hidden entries left out."""

    images: list
    folders: list
    others: list


def _listing(folder):
    listing = _Listing([], [], [])
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if not entry.name.startswith(".") and entry.name != MANIFEST:
            is_image = entry.suffix.lower() in IMAGE_SUFFIXES
            kind = listing.folders if entry.is_dir() else listing.images if is_image else listing.others
            kind.append(entry)
    return listing


def _read_folder(path, subset, image_shape):
    """The columns of the Bunch from a folder; its subfolders, where there are any, are the classes."""
    classes = list_folder(path, stacklevel=5)
    columns = _read_files([file for files in classes.values() for file in files], path, subset, image_shape)
    if None not in classes:
        label_of = {str(file): label for label, files in enumerate(classes.values()) for file in files}
        columns["target"] = np.array([label_of[name] for name in columns["filenames"]], dtype=np.int64)
        columns["target_names"] = list(classes)
    return columns


def list_folder(path, *, stacklevel=2):
    """The image files of each class, {name of the subfolder: paths}, sorted; {None: paths} where there is no subfolder.

    Raises and warns as :func:`load_images` does.
    """
    top = _listing(path)
    if top.folders and top.images:
        raise ValueError(
            f"load_images expected {path} to hold {LAYOUT}; it holds both, images ({_few(top.images, path)}) and "
            f"subfolders ({_few(top.folders, path)}). Move one of the two away."
        )
    classes = {folder.name: _listing(folder) for folder in top.folders} or {None: top}
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


def _check_folders(path, parts, folders):
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


def _few(entries, folder):
    names = [entry.relative_to(folder).as_posix() for entry in entries[:N_EXAMPLES]]
    return ", ".join(names) + (", ..." if len(entries) > N_EXAMPLES else "")


def _read_file(path, subset, image_shape):
    return _read_files([path], path, subset, image_shape)


def _read_files(files, path, subset, image_shape):
    """The columns of the Bunch from image files, pages as rows."""
    if subset != "all":
        raise ValueError(
            f"subset was expected to be 'all' for {path}; got {subset!r}. Folders and image files have no splits: "
            "load the folder of one split, or save an npz file with a split array."
        )
    stacks = {}
    for file in files:
        stack = read_stack(file)
        _check_images(stack, file)
        stacks[str(file)] = stack if image_shape is None else _resized(stack, image_shape)
    _check_alike(stacks, path)
    return {
        "data": np.concatenate(list(stacks.values())),
        "filenames": [name for name, stack in stacks.items() for _ in stack],
        **dict.fromkeys(("target", "target_names", "groups", "split", "spacing")),
    }


# What the images of a folder share, how to tell it, and what to do where they do not.
_SHARED = {
    "number of channels": (lambda stack: (*stack.shape, 1)[3], "Convert the files to one kind, grey or RGB"),
    "dtype": (lambda stack: str(stack.dtype), "Convert the files to one dtype"),
    "shape": (lambda stack: stack.shape[1:3], "Pass image_shape=(height, width) to resize them"),
}


def _check_alike(stacks, path):
    for what, (value_of, advice) in _SHARED.items():
        first_with = {}
        for name, stack in stacks.items():
            first_with.setdefault(value_of(stack), name)
        if len(first_with) > 1:
            examples = " and ".join(f"{value} ({name})" for value, name in list(first_with.items())[:2])
            raise ValueError(
                f"The images in {path} were expected to have one {what}; they have {len(first_with)}, for example "
                f"{examples}. {advice}."
            )


def _resized(stack, image_shape):
    """The images at another height and width; those of that size already are left alone."""
    if stack.shape[1:3] == tuple(image_shape):
        return stack
    from skimage.transform import resize

    shape = (*image_shape, *stack.shape[3:])
    images = [resize(image.astype(np.float64), shape, anti_aliasing=True, preserve_range=True) for image in stack]
    return cast(np.stack(images), stack.dtype) if images else np.empty((0, *shape), stack.dtype)


def _check_archive(path):
    # numpy would take a broken archive for a pickle, and say so; say what is wrong instead.
    if not zipfile.is_zipfile(path):
        raise ValueError(
            f"load_images expected an npz archive; {path} is not one (or is cut short). "
            "Write it with numpy.savez, or fetch it again."
        )


def read_image_arrays(path):
    """Every array of an npz file in either form, {key: array}, and the keys of those that are images."""
    _check_archive(path)
    with np.load(path, allow_pickle=False) as archive:
        splits = [f"{split}_images" for split in MEDMNIST_SPLITS]
        keys = [key for key in (["X"] if "X" in archive else splits) if key in archive]
        if not keys:
            raise _unknown_form(archive, path)
        arrays = {key: _read_key(archive, key, path) for key in archive}
    others = [key for key, array in arrays.items() if not isinstance(array, np.ndarray)]
    if others:
        raise ValueError(f"{path} was expected to hold arrays only; {others[0]!r} is none. Write it with numpy.savez.")
    for key in keys:
        _check_images(arrays[key], path)
    return arrays, keys


def split_names(path):
    """Names of the splits that a file tells of, read without its images; [] where it tells of none."""
    if not (path.is_file() and path.suffix.lower() == ".npz"):
        return []
    _check_archive(path)
    with np.load(path, allow_pickle=False) as archive:
        if "X" not in archive:
            return [split for split in MEDMNIST_SPLITS if f"{split}_images" in archive]
        split = _read_key(archive, "split", path)
    return [] if split is None else np.unique(np.asarray(split).astype(str)).tolist()


def _unknown_form(archive, path):
    return ValueError(
        f"{path} was expected to hold {FORMS}; its keys are {sorted(archive)}. "
        "Save the file again with its arrays under these names."
    )


def _read_npz(path, subset, image_shape):
    """The columns of the Bunch from either form of an npz file."""
    _check_archive(path)
    with np.load(path, allow_pickle=False) as archive:
        if "X" in archive:
            columns = _read_plain(archive, path, subset)
        elif any(f"{split}_images" in archive for split in MEDMNIST_SPLITS):
            columns = _read_medmnist(archive, path, subset)
        else:
            raise _unknown_form(archive, path)
        columns["spacing"] = _spacing(_read_key(archive, "spacing", path), path)
        class_names = _read_key(archive, "class_names", path)
    columns["target"], columns["target_names"] = _encode_labels(columns["target"], class_names, path)
    if image_shape is not None:
        columns["data"] = _resized(columns["data"], image_shape)
    return {**columns, "filenames": None}


_READERS = {".npz": _read_npz} | dict.fromkeys(IMAGE_SUFFIXES, _read_file)


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
