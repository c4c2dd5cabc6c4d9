"""Restored scans, in the form of the file that they are from: DICOM with its header, NIfTI with its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._containers import cast
from .._version import __version__
from ._dicom import SPACINGS, dataset, frame_of, imported, is_inverted, quiet, scaling, stored_limits
from ._files import open_regular
from ._formats import DICOM_SUFFIXES, VOLUME_SUFFIXES, kind_of
from ._images import IMAGE_SUFFIXES, check_holds, write_stack
from ._nifti import opened, volume_scaling

if TYPE_CHECKING:
    from pydicom import Dataset

WRITTEN_VOLUMES = (".nii", ".nii.gz", ".mgh", ".mgz")
DESCRIPTION = f"Restored by GANEnhancer of sklearn_medgan {__version__}; research use, not a medical device"
IDENTITY = (
    "DICOM files that were written keep the header of those they are from, with names, ids, dates and private "
    "elements, and what is burned into the pixels. Remove it before you share them."
)


def is_written_as_source(out: Path, source: Path) -> bool:
    """Tell whether a restored file takes the form of its source, by the name it gets; else it is an image file."""
    if out.suffix.lower() in IMAGE_SUFFIXES:
        return False
    kind, name = kind_of(source), out.name.lower()
    if kind == "DICOM" and not name.endswith(VOLUME_SUFFIXES):
        return True
    if kind == "NIfTI" and name.endswith(WRITTEN_VOLUMES) and source.name.lower().endswith(WRITTEN_VOLUMES):
        return True
    if name.endswith((*DICOM_SUFFIXES, *VOLUME_SUFFIXES)):
        raise ValueError(f"{out} cannot be written: only a file of that kind gives the header, and {source} is none.")
    return False


def check_restorable(out: Path, stack: np.ndarray, source: Path) -> None:
    """Raise a ValueError where the output cannot hold such images, before anything is restored."""
    if not is_written_as_source(out, source):
        check_holds(out, stack)
    elif kind_of(source) == "DICOM":
        with open_regular(source) as file, quiet():
            _check_dicom(dataset(file, source), source)
    elif stack.ndim == 4:
        raise ValueError(f"{source} is a volume of colours, which is not written as such. Let OUT end in .tif.")


def write_restored(path: Path, stack: np.ndarray, out: Path, source: Path, axis: str = "axial") -> None:
    """Write restored images to `path`, where they lie until they become `out`; as :func:`is_written_as_source` says.

    They are in the units of :func:`read_images`; height and width may be a whole multiple of the source's.
    """
    if not is_written_as_source(out, source):
        write_stack(path, stack)
    elif kind_of(source) == "DICOM":
        _write_dicom(path, stack, source)
    else:
        _write_volume(path, stack, source, axis)


# ------------------------------------------------------------------------------------------------------------- DICOM


def _check_dicom(data: Dataset, source: Path) -> None:
    refusals = {
        "its modality's table cannot be undone": bool(data.get("ModalityLUTSequence")),
        f"its pixels have {data.get('BitsAllocated')} bits": data.get("BitsAllocated") not in (8, 16),
        "its colours are those of a palette": data.get("PhotometricInterpretation") == "PALETTE COLOR",
        "it is big-endian, which DICOM has retired": data.original_encoding[1] is False,
    }
    for reason, refused in refusals.items():
        if refused:
            raise ValueError(f"{source} cannot be written as DICOM: {reason}. Let OUT end in .tif.")


def _write_dicom(path: str | os.PathLike[str], stack: np.ndarray, source: Path) -> None:
    """The header of the source, but for the pixels, an instance of its own, and what says that it is derived."""
    with open_regular(source) as file, quiet():
        data = dataset(file, source)
        _check_dicom(data, source)
        n_frames, first = data.get("NumberOfFrames"), int(data.Rows)
        grey = int(data.SamplesPerPixel) == 1
        frames = np.stack([_stored(frame, data, k) for k, frame in enumerate(stack)]) if grey else stack
        reference = imported().Dataset()
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = data.SOPClassUID, data.SOPInstanceUID
        data.SourceImageSequence = [reference]
        data.ImageType = ["DERIVED", *list(data.get("ImageType") or ["", "PRIMARY"])[1:]]
        data.DerivationDescription = DESCRIPTION
        data.set_pixel_data(
            frames if len(frames) > 1 else frames[0],
            data.PhotometricInterpretation if grey else "RGB",
            int(data.BitsStored),
        )
        if n_frames is not None:
            data.NumberOfFrames = n_frames
        for name in ("SmallestImagePixelValue", "LargestImagePixelValue"):
            if name in data:
                delattr(data, name)
        if data.Rows != first:
            _enlarge(data, data.Rows / first, source)
        for tag in tuple(data.keys()):
            if data.get_item(tag).VR is None:  # an implicit element in a file that calls itself explicit
                data[tag]
        data.save_as(path, enforce_file_format=True)


def _stored(values: np.ndarray, data: Dataset, k: int) -> np.ndarray:
    """A frame in units, as the bits of the file: what `read_dicom` does, undone."""
    one = frame_of(data, k)
    slope, intercept = scaling(one)
    low, high = stored_limits(data)
    stored = (values.astype(np.float64) - intercept) / slope
    if is_inverted(data):
        stored = low + high - stored
    dtype = np.dtype(f"{'i' if data.PixelRepresentation else 'u'}{int(data.BitsAllocated) // 8}")
    return cast(np.clip(stored, low, high), dtype)


def _enlarge(data: Dataset, factor: float, source: Path) -> None:
    """Smaller pixels, of which the first lies nearer to the corner."""
    if data.get("SharedFunctionalGroupsSequence"):
        raise ValueError(
            f"{source} keeps the size of its pixels frame by frame, and is not enlarged. Let OUT end in .tif."
        )
    for name in SPACINGS:
        if data.get(name):
            rows, columns = (float(side) for side in data[name].value)
            if name == "PixelSpacing" and data.get("ImagePositionPatient") and data.get("ImageOrientationPatient"):
                along, down = np.reshape([float(part) for part in data.ImageOrientationPatient], (2, 3))
                shift = (along * columns + down * rows) * (1 / factor - 1) / 2
                place = np.array([float(part) for part in data.ImagePositionPatient]) + shift
                data.ImagePositionPatient = [f"{value:.10g}" for value in place]
            setattr(data, name, [f"{rows / factor:.10g}", f"{columns / factor:.10g}"])


# ------------------------------------------------------------------------------------------------------------ volumes


def _write_volume(path: str | os.PathLike[str], stack: np.ndarray, source: Path, axis: str) -> None:
    """The header of the source with its dtype, slope and intercept; where enlarged, an affine that says so."""
    import nibabel

    image, slices = opened(source, axis)
    slope, intercept = volume_scaling(image)
    array = slices.join(stack)
    dtype = image.get_data_dtype()
    stored = cast((array.astype(np.float64) - intercept) / slope, dtype.newbyteorder("="))
    written = type(image)(stored, _affine(image, slices.shape, array.shape), image.header.copy())
    written.set_data_dtype(dtype)
    if (slope, intercept) != (1, 0):
        written.header.set_slope_inter(slope, intercept)
    nibabel.save(written, path)


def _affine(image: Any, old: tuple[int, ...], new: tuple[int, ...]) -> np.ndarray:
    """The corner of the volume stays, voxels shrink."""
    factors = np.array(old[:3]) / np.array(new[:3])
    scale = np.diag([*factors, 1.0])
    scale[:3, 3] = (factors - 1) / 2
    return image.affine @ scale
