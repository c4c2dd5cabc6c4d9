"""Your own images from a file, folder or manifest, as the arrays a scikit-learn estimator takes."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, Literal

import numpy as np
from sklearn.utils import Bunch

from .._parameters import ParameterError
from .._sklearn_compat import StrOptions, validate_params
from . import _manifests
from ._archives import read_npz
from ._entries import Request, read_entries
from ._folders import Entry, list_folder
from ._formats import DIRECTORY, SUFFIXES, Conversion, kind_of
from ._nifti import AXES
from ._stacks import check_channels, check_image_size, check_window

STACKLEVEL = 3  # from here to the user's call, which scikit-learn's check of parameters wraps


@validate_params(
    {
        "path": [str, os.PathLike],
        "subset": [str],
        "image_shape": [tuple, list, None],
        "channels": [int, None],
        "groups": [str, None],
        "window": [tuple, list, StrOptions({"file"}), None],
        "axis": [StrOptions(set(AXES))],
        "path_column": [str, None],
        "label_column": [str, None],
        "skip_unreadable": ["boolean"],
        "lazy": ["boolean"],
        "n_jobs": [Integral, None],
        "return_X_y": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def load_images(
    path: str | os.PathLike[str],
    *,
    subset: str = "all",
    image_shape: Sequence[int] | None = None,
    channels: int | None = None,
    groups: str | None = None,
    window: Sequence[float] | Literal["file"] | None = None,
    axis: str = "axial",
    path_column: str | None = None,
    label_column: str | None = None,
    skip_unreadable: bool = False,
    lazy: bool = False,
    n_jobs: int | None = None,
    return_X_y: bool = False,
) -> Bunch | tuple[np.ndarray, np.ndarray | None]:
    """Load your own images, with labels, groups and splits where they are known.

    What is read, by its path:

    - A folder with one subfolder per class, or with one per split (train, val, test) that has those of the classes. In
      a class, folders may be those of patients. Or a folder with images directly in it, which are then not labelled.
    - A manifest: a ``.csv`` or ``.tsv`` table, one row a file, with its path from the table's folder, and where known
      label, patient and split. Separator, order and the usual names of columns are found.
    - An image file: PNG, JPEG, TIFF (each page is an image), DICOM (each frame), NIfTI or FreeSurfer (each slice).
    - An ``.npz`` file, of ``X`` and where known ``y`` (one label a row), ``group`` (patient or region), ``split``,
      ``class_names`` and ``spacing`` (millimetres a pixel); or in MedMNIST's form: ``train_images`` and
      ``train_labels`` of shape (n, 1), and the same for ``val`` and ``test``, any of which may be absent.

    Values are as stored, or in units where the file tells of slope and intercept: CT is in Hounsfield units, int16 if
    that holds it, else float32. PNG and JPEG are turned upright as the file says; palettes and YBR become RGB; where
    zero is white, values are turned round; grey of fewer than 8 bits is spread over 0 to 255.

    Only regular files are opened, none outside of the folder, none that would unpack to more than 256 MB and more than
    50 times its size; nothing is unpickled. Names and ids of patients stay in the files: `groups` are numbers.

    Parameters
    ----------
    path : str or path-like
        The folder or the file.
    subset : str, default="all"
        Which split to load: "train", "val", "test", or what the file or folder calls its splits; "all" joins them.
    image_shape : tuple of int (height, width), default=None
        Resize images of another shape to this one, height and width each by its own factor, smoothed where reduced, and
        rounded and clipped to their dtype. None keeps every pixel, and takes images of equal shape only.
    channels : {1, 3}, default=None
        Make all images grey (1: the luma of a colour, ITU-R BT.601) or RGB (3: grey three times); alpha is left out.
        None keeps what is stored, and takes images of equal channels only.
    groups : str, default=None
        What tells patients apart: "subfolder", the first folder in that of the class; a column of the manifest, or an
        array of the ``.npz`` file; or a regular expression on the path from the folder, of which the first group in
        brackets counts, else all that matches. None takes a column of the usual names, else the patient id of DICOM
        files (where that is empty, the study), else subfolders of classes, else files where some hold several images.
    window : (center, width) or "file", default=None
        Spread this window of grey values over 0 to 255, as uint8; "file" takes the first window or table of a DICOM
        file. None keeps all values.
    axis : {"axial", "coronal", "sagittal"}, default="axial"
        Which slices a volume (NIfTI, FreeSurfer) is cut into, along the nearest of its own axes: head or anterior up,
        the patient's right, or in sagittal slices anterior, at the left.
    path_column, label_column : str, default=None
        Columns of a manifest; None finds them. `label_column` also names the array of labels of an ``.npz`` file.
    skip_unreadable : bool, default=False
        Leave out files that cannot be read, with a warning that names each and the reason. False raises the error.
    lazy : bool, default=False
        Leave the images in their files, and decode each when it is asked for: `data` is a :class:`LazyImages`, which
        the estimators of this package read some at a time. A file of another shape or dtype than the first one is an
        error when it is read. Not for ``.npz``.
    n_jobs : int, default=None
        Processes that decode, as of joblib; None is one. They pay from some ten seconds of reading on, since each takes
        about two seconds to start; not with `lazy`.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        data : ndarray of shape (n_samples, height, width) or (n_samples, height, width, channels)
            The images; a :class:`LazyImages` with ``lazy=True``. In sorted order of the files, slices of a DICOM series
            by their places; in that of the manifest.
        target : ndarray of shape (n_samples,), int64, or None
            Label of each image, as stored; text labels and names of subfolders become their index in
            `target_names`. None if there are no labels.
        target_names : list of str or None
            Name of each class, for ``target_names[label]``: sorted names of subfolders or labels, or what an ``.npz``
            file gives; None if the classes have no names.
        filenames : list of str or None
            Path of the file each image is from; None for ``.npz``.
        groups : ndarray of shape (n_samples,) or None
            A number for each patient, int64; as stored in an ``.npz`` file. Where present, split by it.
        split : ndarray of shape (n_samples,), str, or None
            Name of the split each image belongs to.
        spacing : tuple of float or None
            Height and width of a pixel in millimetres, after resizing; None if it is not known, or not one for all.
        path : str
            The folder or the file.
        DESCR : str
            What was found.
    (data, target) : tuple if ``return_X_y=True``

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder.
    ImportError
        If DICOM or NIfTI files want a package that is not installed; it says which.
    ValueError
        If a file cannot be read exactly, or is of another kind; if a folder or a class holds no image, or images both
        directly and in subfolders; if files of a manifest are missing, named twice or outside of its folder, or its
        labels look like identifiers; if images differ in shape, channels or dtype; if there is no split `subset`.

    Warns
    -----
    UserWarning
        If files are left out, or the classes seem to be patients.

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

    More images than memory holds:

    >>> load_images(folder, lazy=True).data
    LazyImages of shape (3, 16, 16), uint8
    """
    path = Path(path)
    check_image_size(image_shape)
    conversion = Conversion(image_shape, check_channels(channels), check_window(window), axis)
    request = Request(subset, conversion, groups, skip_unreadable, lazy, n_jobs)
    columns, notes = _read(path, request, _manifests.Columns(path_column, label_column, groups))
    for note in notes:
        warnings.warn(note, UserWarning, stacklevel=STACKLEVEL)
    data, target = columns["data"], columns["target"]
    if return_X_y:
        return data, target
    labels = "no labels" if target is None else f"{len(np.unique(target))} classes"
    found = f"{path.absolute().name}: {len(data)} images of shape {data.shape[1:]}, {data.dtype}, {labels}."
    return Bunch(**columns, path=str(path), DESCR=found)


def _read(path: Path, request: Request, named: _manifests.Columns) -> tuple[dict[str, Any], list[str]]:
    """The columns of the Bunch, and notes on what was left out."""
    if path.suffix.lower() == ".npz" and path.exists() and not path.is_dir():
        _check_unused("path_column", named.path, path)
        return read_npz(path, request, named.label), []
    if not is_manifest(path):
        _check_unused("path_column", named.path, path)
        _check_unused("label_column", named.label, path)
    entries, notes = list_entries(path, named)
    columns, more = read_entries(entries, path, request, in_order=is_manifest(path))
    return columns, notes + more


def _check_unused(parameter: str, value: str | None, path: Path) -> None:
    if value is not None and path.exists():
        raise ParameterError(parameter, f"was expected to be None for {path}, which is no table", repr(value))


def is_manifest(path: Path) -> bool:
    """Tell whether a path names a table of files."""
    return path.suffix.lower() in _manifests.SUFFIXES and not path.is_dir()


def list_entries(path: Path, named: _manifests.Columns = _manifests.TO_BE_FOUND) -> tuple[list[Entry], list[str]]:
    """Return the image files of a folder, a manifest or a single path, and notes on what was left out."""
    if not path.exists():
        raise FileNotFoundError(
            f"Expected a file or folder at {path}; there is none. Check the path; relative ones start at {Path.cwd()}."
        )
    if path.is_dir():
        return list_folder(path)
    if is_manifest(path):
        return _manifests.read_manifest(path, named)
    if path.name.upper() == DIRECTORY:
        return list_folder(path.parent)
    if kind_of(path) is None:
        known = " or ".join([".npz", *SUFFIXES, *_manifests.SUFFIXES])
        raise ValueError(
            f"Expected a folder or a file ending in {known}; got the suffix {path.suffix!r}: {path}. Save "
            "the images with numpy.savez(path, X=images, y=labels), a volume of another kind as NIfTI with nibabel."
        )
    return [Entry(path)], []
