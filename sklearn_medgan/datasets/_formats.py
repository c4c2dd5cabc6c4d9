"""Files of every kind that is read: which kind a file is, its images, and what it tells without them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .._parameters import ParameterError
from ._dicom import is_dicom, read_dicom, read_dicom_header
from ._images import IMAGE_SUFFIXES, read_stack
from ._nifti import read_nifti, read_nifti_header
from ._stacks import check_stack, resized, with_channels
from ._units import Header, Window, windowed

DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
VOLUME_SUFFIXES = (".nii", ".nii.gz", ".hdr", ".img", ".mgh", ".mgz")
SUFFIXES = (*IMAGE_SUFFIXES, *DICOM_SUFFIXES, *VOLUME_SUFFIXES)
DIRECTORY = "DICOMDIR"


class Conversion(NamedTuple):
    """What becomes of images as they are read; as :func:`load_images`."""

    image_shape: Sequence[int] | None = None
    channels: int | None = None
    window: Window = None
    axis: str = "axial"

    def __call__(self, stack: np.ndarray, path: object) -> np.ndarray:
        """Return images in the window, of the channels and of the size."""
        if self.window == "file":
            raise ParameterError(
                "window",
                'was expected to be (center, width) where files are not DICOM, which alone say of a "file" window',
                f"{self.window!r} for {path}",
            )
        if self.window is not None:
            stack = windowed(stack, *self.window)
        stack = with_channels(stack, self.channels)
        return stack if self.image_shape is None else resized(stack, self.image_shape)


AS_STORED = Conversion()


def kind_of(path: str | os.PathLike[str]) -> str | None:
    """Return "PNG", "JPEG", "TIFF", "DICOM" or "NIfTI"; None for a file of another kind.

    By the name, except that DICOM is known by its content where the name says nothing.
    """
    name = os.path.basename(path).lower()
    suffix = os.path.splitext(name)[1]
    if suffix in IMAGE_SUFFIXES:
        return IMAGE_SUFFIXES[suffix]
    if name.endswith(DICOM_SUFFIXES):
        return "DICOM"
    if name.endswith(VOLUME_SUFFIXES):
        return "NIfTI"
    return "DICOM" if is_dicom(path) else None


def is_companion(path: Path) -> bool:
    """Tell whether a file belongs to another that is read: pixels beside their header, the directory of DICOM files."""
    name = path.name.upper()
    header = name.endswith(".IMG") and any(path.with_suffix(suffix).exists() for suffix in (".hdr", ".HDR"))
    return header or name == DIRECTORY


def read_header(path: Path, conversion: Conversion) -> Header | None:
    """Return what a file tells without its images; None where it is a directory of other files."""
    kind = kind_of(path)
    if kind == "DICOM":
        return read_dicom_header(path)
    if kind == "NIfTI":
        return read_nifti_header(path, conversion.axis)
    return Header(n_images=None if kind == "TIFF" else 1)


def read_images(path: str | os.PathLike[str], conversion: Conversion = AS_STORED) -> np.ndarray:
    """Return the images of a file, (n, height, width) or (n, height, width, channels).

    An ImportError where the package that reads such files is not installed; an OSError or ValueError for other files.
    """
    kind, window = kind_of(path), conversion.window
    if kind == "DICOM":
        stack, window = read_dicom(path, window), None
    elif kind == "NIfTI":
        stack = read_nifti(path, conversion.axis)
    else:
        stack = read_stack(path)
    check_stack(stack, path)
    return conversion._replace(window=window)(stack, path)
