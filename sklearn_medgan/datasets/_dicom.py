"""DICOM files by pydicom: frames in the units of the modality, and the little of the header that is used.

No value of a header is quoted: it may name a patient. So errors of pydicom's parser are not chained, and its warnings
and log lines, which quote values too, are held back.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import warnings
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from .._containers import cast
from ._files import RefusedError, check_unpacked, open_regular, unpacked_limit
from ._units import BYTE, Header, Window, in_units, windowed

if TYPE_CHECKING:
    from pydicom import Dataset

INSTALL = 'pip install "sklearn-medgan[dicom]"'
DEFLATED = "1.2.840.10008.1.2.1.99"
DIRECTORY = "1.2.840.10008.1.3.10"  # class of a DICOMDIR, which lists files
HEAD = 132  # bytes up to and with the mark
FUNCTIONAL = ("PixelValueTransformationSequence", "FrameVOILUTSequence", "PixelMeasuresSequence")
SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")


def is_dicom(path: str | os.PathLike[str]) -> bool:
    """Tell by content whether a regular file is DICOM with the usual preamble; hospitals leave out the suffix."""
    try:
        with open_regular(path) as file:
            return file.read(HEAD)[128:] == b"DICM"
    except (OSError, ValueError):
        return False


def read_dicom_header(path: str | os.PathLike[str]) -> Header | None:
    """Return what a DICOM file tells without its pixels; None for a DICOMDIR, which has none."""
    with open_regular(path) as file, quiet():
        data = dataset(file, path, stop_before_pixels=True)
        try:
            kind = data.get("file_meta", {}).get("MediaStorageSOPClassUID")
            if kind == DIRECTORY or "DirectoryRecordSequence" in data:
                return None
            return Header(
                n_images=int(data.get("NumberOfFrames") or 1),
                size=(int(data.get("Rows") or 0), int(data.get("Columns") or 0)),
                spacing=_spacing(frame_of(data, 0)),
                patient=_patient(data),
                order=(str(data.get("SeriesInstanceUID", "")), _position(data), int(data.get("InstanceNumber") or 0)),
            )
        except Exception:  # pydicom converts values when they are asked for
            raise _damaged(path) from None


def read_dicom(path: str | os.PathLike[str], window: Window = None) -> np.ndarray:
    """Read the frames of a DICOM file, (n_frames, rows, columns[, channels]).

    Grey values are those after the modality's table or slope and intercept, as Hounsfield units; MONOCHROME1 is turned
    round, so that zero is black, except in CT. YBR and palettes become RGB. A `window`, in the units of the file, is
    what to spread over 0 to 255, uint8.

    An ImportError without pydicom, an OSError where the file cannot be opened, a ValueError where it holds no pixels,
    is damaged, or a decoder is missing: the message says what to install.
    """
    with open_regular(path) as file, quiet():
        data = dataset(file, path)
        try:
            stack = stored_frames(data, file)
            if int(data.SamplesPerPixel) == 1 and data.PhotometricInterpretation != "PALETTE COLOR":
                stack = np.stack([_meant(frame, frame_of(data, k), window) for k, frame in enumerate(stack)])
            elif window is not None:
                raise RefusedError("it is in colour, and a window is for grey images")
        except RefusedError as error:
            raise ValueError(f"{path} cannot be read: {error}.") from None
        except ImportError:
            raise
        except Exception as error:  # decoders meet damage with errors of every kind
            raise ValueError(
                f"{path} is not a DICOM image that can be read ({_on_one_line(error)}). Is it damaged or cut short? "
                "Fetch it again, or remove it."
            ) from None
    return stack


def dataset(file: BinaryIO, path: str | os.PathLike[str], **options: Any) -> Dataset:
    """Return the parsed file; errors quote nothing of it."""
    pydicom = imported()
    try:
        _check_inflated(file, path)
        return pydicom.dcmread(file, force=True, **options)  # also old files, which lack the preamble
    except RefusedError as error:
        raise ValueError(f"{path} cannot be read: {error}.") from None
    except Exception:
        raise _damaged(path) from None


def imported() -> Any:
    """Return pydicom, or raise an ImportError that says what to install."""
    try:
        return importlib.import_module("pydicom")
    except ImportError as error:
        raise ImportError(f"DICOM files need pydicom. Install it with: {INSTALL}") from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back warnings and log lines, which may name patients."""
    logger = logging.getLogger("pydicom")
    logger.addFilter(_nothing)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.removeFilter(_nothing)


def _nothing(record: logging.LogRecord) -> bool:
    return False


def _damaged(path: object) -> ValueError:
    return ValueError(
        f"{path} is not a DICOM file that can be read; its header is damaged or cut short. Fetch it again, or remove "
        "it."
    )


def _on_one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _check_inflated(file: BinaryIO, path: str | os.PathLike[str]) -> None:
    """Raise a RefusedError for a deflated data set that is too large: pydicom inflates any."""
    from pydicom.filereader import read_file_meta_info

    if file.read(HEAD)[128:] == b"DICM":
        meta = read_file_meta_info(path)
        if meta.get("TransferSyntaxUID") == DEFLATED:
            file.seek(HEAD + 12 + int(meta.FileMetaInformationGroupLength))
            limit = unpacked_limit(file)
            check_unpacked(file, len(zlib.decompressobj(-zlib.MAX_WBITS).decompress(file.read(), limit + 1)))
    file.seek(0)


def stored_frames(data: Dataset, file: BinaryIO) -> np.ndarray:
    """Return the frames (n, rows, columns[, channels]) as stored, colours as RGB; any error where they are damaged."""
    from pydicom.pixels import apply_color_lut

    if not any(name in data for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise RefusedError(f"it holds no pixels ({_kind(data)})")
    n_frames, n_samples = int(data.get("NumberOfFrames") or 1), int(data.SamplesPerPixel)
    check_unpacked(file, n_frames * data.Rows * data.Columns * n_samples * max(1, data.BitsAllocated // 8))
    _check_decoder(data)
    array = _decoded(data)
    stack = array.reshape(n_frames, data.Rows, data.Columns, *([n_samples] if n_samples > 1 else []))
    if data.PhotometricInterpretation == "PALETTE COLOR":
        stack = apply_color_lut(stack, data)
    return stack.astype(stack.dtype.newbyteorder("="), copy=False)


def _decoded(data: Dataset) -> np.ndarray:
    try:
        return data.pixel_array
    except BaseException as error:  # what makes a decoder in Rust panic is no Exception
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError(str(error)) from None


def _kind(data: Dataset) -> str:
    """What kind of object it is, by its class: nothing of a patient."""
    uid = data.get("SOPClassUID") or data.get("file_meta", {}).get("MediaStorageSOPClassUID")
    return f"it is of the kind {uid.name!r}" if uid else "it does not say of what kind it is"


def _check_decoder(data: Dataset) -> None:
    from pydicom.pixels import get_decoder

    syntax = data.get("file_meta", {}).get("TransferSyntaxUID")
    if syntax is None:  # old files do not say; pydicom has found it out
        implicit, little = data.original_encoding
        names = imported().uid
        explicit = names.ExplicitVRLittleEndian if little else names.ExplicitVRBigEndian
        syntax = names.ImplicitVRLittleEndian if implicit else explicit
        data.file_meta = imported().dataset.FileMetaDataset()
        data.file_meta.TransferSyntaxUID = syntax
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        raise RefusedError(f"pixels coded as {syntax.name!r} are not read; save it uncompressed") from None
    if not decoder.is_available:
        raise RefusedError(f"no decoder for {syntax.name!r} is installed: {INSTALL}")


def frame_of(data: Dataset, k: int) -> Dataset:
    """Return what holds for one frame: the data set, with its functional groups where it has such."""
    groups = [data.get("SharedFunctionalGroupsSequence"), data.get("PerFrameFunctionalGroupsSequence")]
    items = [sequence[min(k, len(sequence) - 1)] for sequence in groups if sequence]
    parts = [item[name][0] for item in items for name in FUNCTIONAL if item.get(name)]
    if not parts:
        return data
    one = imported().Dataset()
    for name in ("PhotometricInterpretation", "BitsStored", "PixelRepresentation", "Modality", "RescaleType"):
        if name in data:
            setattr(one, name, data[name].value)
    for part in parts:
        one.update(part)
    return one


def scaling(data: Dataset) -> tuple[float, float]:
    """Return slope and intercept from stored values to units."""
    if "DoseGridScaling" in data:
        return float(data.DoseGridScaling), 0.0
    if data.get("RescaleSlope") is None or data.get("RescaleIntercept") is None:
        return 1.0, 0.0
    return float(data.RescaleSlope), float(data.RescaleIntercept)


def stored_limits(data: Dataset) -> tuple[int, int]:
    """Return the smallest and the largest value that the stored bits hold."""
    bits = int(data.BitsStored)
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if data.PixelRepresentation else (0, 2**bits - 1)


def is_inverted(data: Dataset) -> bool:
    """Tell whether zero is white, and values are no units: Hounsfield units stay, however they are to be shown."""
    hounsfield = data.get("Modality") == "CT" or data.get("RescaleType") == "HU"
    return data.PhotometricInterpretation == "MONOCHROME1" and not hounsfield


def _meant(frame: np.ndarray, data: Dataset, window: Window) -> np.ndarray:
    """One grey frame in units, or windowed; zero is black."""
    from pydicom.pixels import apply_modality_lut

    limits: tuple[float, ...]
    if data.get("ModalityLUTSequence"):
        values = apply_modality_lut(frame, data)
        limits = 0, 2 ** int(data.ModalityLUTSequence[0].LUTDescriptor[2]) - 1
    else:
        slope, intercept = scaling(data)
        values = in_units(frame, slope, intercept)
        limits = tuple(bound * slope + intercept for bound in stored_limits(data)) if frame.dtype.kind != "f" else ()
    if window is not None:
        values = _by_file(values, data) if window == "file" else windowed(values, *window)
        limits = 0, BYTE
    if not is_inverted(data):
        return values
    if not limits:
        raise RefusedError("zero is white and its values are floats; save it with zero as black")
    wide = np.float64 if values.dtype.kind == "f" else np.int64
    return cast(np.asarray(sum(limits), wide) - values.astype(wide), values.dtype)


def _by_file(values: np.ndarray, data: Dataset) -> np.ndarray:
    """Spread over 0 to 255 by the first table or window of the file."""
    from pydicom.pixels import apply_voi, apply_windowing

    if data.get("VOILUTSequence"):
        highest = 2 ** int(data.VOILUTSequence[0].LUTDescriptor[2]) - 1
        return cast(apply_voi(values, data) * (BYTE / highest), np.dtype(np.uint8))
    if data.get("WindowCenter") is None or data.get("WindowWidth") is None:
        raise RefusedError('it says nothing of a window; give one, (center, width) instead of "file"')
    shown = imported().Dataset()
    for name in ("WindowCenter", "WindowWidth", "VOILUTFunction"):
        if name in data:
            setattr(shown, name, data[name].value)
    shown.PhotometricInterpretation, shown.BitsStored, shown.PixelRepresentation = "MONOCHROME2", 8, 0  # to 0 to 255
    return cast(apply_windowing(values, shown), np.dtype(np.uint8))


def _spacing(data: Dataset) -> tuple[float, float] | None:
    """Millimetres from row to row and from column to column."""
    for name in SPACINGS:
        value = data.get(name)
        if value is not None and len(value) == 2 and all(float(side) > 0 for side in value):
            return float(value[0]), float(value[1])
    return None


def _patient(data: Dataset) -> str | None:
    """What tells patients apart: their id with who gave it, else the study."""
    for names in (("PatientID", "IssuerOfPatientID"), ("StudyInstanceUID",)):
        values = [str(data.get(name, "")).strip() for name in names]
        if values[0]:
            return "\0".join([names[0], *values])
    return None


def _position(data: Dataset) -> float:
    """Where a slice lies along the normal of its plane, in millimetres."""
    place, plane = data.get("ImagePositionPatient"), data.get("ImageOrientationPatient")
    if not place or not plane or len(place) != 3 or len(plane) != 6:
        return 0.0
    return float(np.dot(np.cross(plane[:3], plane[3:]), np.asarray(place, float)))
