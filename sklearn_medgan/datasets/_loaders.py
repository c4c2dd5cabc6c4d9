"""Your own images from a file or folder, as the arrays a scikit-learn estimator takes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from .._sklearn_compat import validate_params
from ._archives import read_npz
from ._folders import read_file, read_folder
from ._images import IMAGE_SUFFIXES
from ._stacks import check_image_size

_READERS = {".npz": read_npz} | dict.fromkeys(IMAGE_SUFFIXES, read_file)


@validate_params(
    {
        "path": [str, os.PathLike],
        "subset": [str],
        "image_shape": [tuple, list, None],
        "lazy": ["boolean"],
        "return_X_y": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def load_images(
    path: str | os.PathLike[str],
    *,
    subset: str = "all",
    image_shape: Sequence[int] | None = None,
    lazy: bool = False,
    return_X_y: bool = False,
) -> Bunch | tuple[np.ndarray, np.ndarray | None]:
    """Load your own images, with labels, groups and splits where they are known.

    A folder, either with images directly in it, which are then not labelled, or with one subfolder per class. Files
    are read in sorted order; hidden ones and ``manifest.csv`` are left out, others that are no images with a
    warning.

    An image file: PNG or JPEG, turned upright as the file says, or TIFF, of which each page is an image. Values are as
    stored: 16 bits are uint16, alpha is a channel; a palette becomes its colours or greys. Only grey of fewer than 8
    bits is spread over 0 to 255: one bit a pixel becomes 0 and 255, as uint8.

    An ``.npz`` file in one of two forms, both written by :func:`numpy.savez`:

    - MedMNIST: ``train_images`` and ``train_labels`` of shape (n, 1), and the same for ``val`` and ``test``;
      any of the three may be absent, and so may the labels.
    - ``X``, and where known ``y`` (one label a row), ``group`` (patient or region), ``split`` (name of the
      row's split), ``class_names`` and ``spacing`` (millimetres a pixel). MedMNIST files may hold the last
      two as well. Other keys are not read.

    Files are read without pickle, so a file from a stranger cannot run code. Only regular files are opened, and none
    that would unpack to more than 256 MB and more than 50 times its size.

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
    lazy : bool, default=False
        Leave the images in their files, and decode each when it is asked for: `data` is a :class:`LazyImages`, which
        the estimators of this package read some at a time. A file of another shape or dtype than the first one is an
        error when it is read. Folders and image files only.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        data : ndarray of shape (n_samples, height, width) or (n_samples, height, width, channels)
            The images, dtype and values as stored unless resized; a :class:`LazyImages` with ``lazy=True``.
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
        If an ``.npz`` file holds neither form, would need pickle, has arrays of unequal length, or is to be lazy; if a
        file is of another kind, is cut short, or cannot be read exactly; if a folder or one of its classes holds no
        image, if it is nested deeper, or holds images both directly and in subfolders; if images differ in channels,
        dtype or, without `image_shape`, in shape; if there is no split called `subset`.

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

    More images than memory holds:

    >>> load_images(folder, lazy=True).data
    LazyImages of shape (3, 16, 16), uint8
    """
    path = Path(path)
    check_image_size(image_shape)
    columns = _reader(path)(path, subset, image_shape, lazy)
    data, target = columns["data"], columns["target"]
    if return_X_y:
        return data, target
    labels = "no labels" if target is None else f"{len(np.unique(target))} classes"
    found = f"{path.absolute().name}: {len(data)} images of shape {data.shape[1:]}, {data.dtype}, {labels}."
    return Bunch(**columns, path=str(path), DESCR=found)


def _reader(path: Path) -> Callable[[Path, str, Sequence[int] | None, bool], dict[str, Any]]:
    """The function that reads what is at the path."""
    if not path.exists():
        raise FileNotFoundError(
            f"load_images expected a file or folder at {path}; there is none. "
            f"Check the path; relative ones start at {Path.cwd()}."
        )
    if path.is_dir():
        return read_folder
    suffix = path.suffix.lower()
    if suffix not in _READERS:
        raise ValueError(
            f"load_images expected a folder or a file ending in {' or '.join(_READERS)}; got the suffix "
            f"{path.suffix!r}: {path}. Save the images with numpy.savez(path, X=images, y=labels)."
        )
    return _READERS[suffix]
