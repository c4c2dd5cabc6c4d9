"""NIfTI and FreeSurfer volumes by nibabel, as slices that look as a radiologist expects them."""

from __future__ import annotations

import importlib
import math
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ._files import RefusedError, check_unpacked, open_regular
from ._units import Header, in_units

INSTALL = 'pip install "sklearn-medgan[nifti]"'
AXES = {
    "sagittal": 0,
    "coronal": 1,
    "axial": 2,
}  # of a volume from left to right, from back to front, from foot to head
MILLIMETRES = {"meter": 1000.0, "micron": 0.001}


class Slices(NamedTuple):
    """How the array of a volume becomes slices, and slices an array again."""

    shape: tuple[int, ...]  # of the array, with three axes at least
    orientation: np.ndarray  # nibabel's: for each axis, which one of left-right, back-front, foot-head, and its sense
    axis: int

    def cut(self, array: np.ndarray) -> np.ndarray:
        """Return slices (n, rows, columns[, channels]), one volume after the other.

        Axial: anterior up, the patient's right at the left; coronal: head up, the patient's right at the left;
        sagittal: head up, anterior at the left.
        """
        canonical = _nibabel().orientations.apply_orientation(array.reshape(self.shape), self.orientation)
        turned = np.moveaxis(_upright(canonical, self.axis), self.axis, 0).swapaxes(1, 2)
        volumes = np.moveaxis(turned.reshape(*turned.shape[:3], -1), -1, 0)
        return volumes.reshape(-1, *volumes.shape[2:])

    def join(self, slices: np.ndarray) -> np.ndarray:
        """Return the array of which these are the slices; their size may differ from that of `cut`."""
        orientations = _nibabel().orientations
        n_slices = self.shape[int(np.flatnonzero(self.orientation[:, 0] == self.axis)[0])]
        volumes = slices.reshape(-1, n_slices, *slices.shape[1:])
        turned = np.moveaxis(volumes, 0, -1).swapaxes(1, 2)
        canonical = _upright(np.moveaxis(turned, 0, self.axis), self.axis)
        back = orientations.ornt_transform(orientations.axcodes2ornt("RAS"), self.orientation)
        array = orientations.apply_orientation(canonical, back)
        return array.reshape(*array.shape[:3], *self.shape[3:])


def _upright(canonical: np.ndarray, axis: int) -> np.ndarray:
    """Turn the two axes of a slice round: from right, front and head on; its own inverse."""
    return np.flip(canonical, tuple(other for other in range(3) if other != axis))


def read_nifti_header(path: str | os.PathLike[str], axis: str) -> Header:
    """Return what a volume tells without its pixels."""
    image, slices = opened(path, axis)
    order = slices.orientation[:, 0].astype(int).tolist()
    sides = dict(zip(order, slices.shape, strict=False))
    sizes = _millimetres(image.header) * _nibabel().affines.voxel_sizes(image.affine)
    zooms = dict(zip(order, sizes.tolist(), strict=True))
    column, row = (place for place in range(3) if place != slices.axis)
    return Header(
        n_images=math.prod(slices.shape) // (sides[row] * sides[column]),
        size=(sides[row], sides[column]),
        spacing=(zooms[row], zooms[column]),
    )


def _millimetres(header: Any) -> float:
    """Return how long the unit of a header is; that of one without a known unit is a millimetre."""
    try:
        return MILLIMETRES.get(header.get_xyzt_units()[0], 1.0)
    except (AttributeError, KeyError):
        return 1.0


def read_nifti(path: str | os.PathLike[str], axis: str) -> np.ndarray:
    """Read the slices of a volume in a plane, (n_slices, rows, columns[, channels]), slope and intercept applied.

    Volumes that lie askew are cut along the nearest axis of their own; those of a series come one after the other. An
    ImportError without nibabel, a ValueError where it is no volume, is cut short, or unpacks to too much.
    """
    image, slices = opened(path, axis)
    try:
        stored = stored_array(image)
        values = in_units(stored, *volume_scaling(image))
        parts = [slices.cut(values[name]) for name in values.dtype.names or ()]
        return np.stack(parts, axis=-1) if parts else slices.cut(values)
    except Exception as error:  # nibabel meets damage with errors of many kinds
        raise _damaged(path, error) from error


def stored_array(image: Any) -> np.ndarray:
    """Return the array of a volume before slope and intercept, in the byte order of the machine."""
    stored = np.asanyarray(image.dataobj.get_unscaled())
    return stored.astype(stored.dtype.newbyteorder("="), copy=False)


def volume_scaling(image: Any) -> tuple[float, float]:
    """Return slope and intercept from stored values to units."""
    return float(image.dataobj.slope), float(image.dataobj.inter)


def opened(path: str | os.PathLike[str], axis: str) -> tuple[Any, Slices]:
    """Return the image of nibabel, its data not read yet, and how it is cut."""
    nibabel = _nibabel()
    with open_regular(path) as file:
        try:
            image = nibabel.load(path)
            if not isinstance(image, nibabel.spatialimages.SpatialImage):
                raise RefusedError(f"it is no volume ({type(image).__name__})")
            shape = (*map(int, image.shape), 1, 1, 1)[: max(3, len(image.shape))]
            if math.prod(shape[4:]) != 1:
                raise RefusedError(f"it holds vectors, shape {image.shape}; save a component as a volume")
            if not math.prod(shape):
                raise RefusedError(f"its shape is {image.shape}: no pixels")
            orientation = nibabel.io_orientation(image.affine)
            if np.isnan(orientation).any():
                raise RefusedError("its affine does not tell the orientation; set it, and save it again")
            for part in image.file_map.values():  # of a pair, the other file is what holds the pixels
                with open_regular(part.filename) as other:
                    stored = max(file, other, key=lambda each: os.fstat(each.fileno()).st_size)
                    check_unpacked(stored, math.prod(shape) * image.get_data_dtype().itemsize)
        except RefusedError as error:
            raise ValueError(f"{path} cannot be read: {error}.") from None
        except FileNotFoundError as error:
            raise ValueError(
                f"{path} is one of a pair (.hdr, .img), and the other, {Path(error.filename or path).name}, is not "
                "there. Put it beside."
            ) from error
        except Exception as error:  # nibabel meets damage with errors of many kinds
            raise _damaged(path, error) from error
    return image, Slices(shape, orientation, AXES[axis])


def _nibabel() -> Any:
    try:
        return importlib.import_module("nibabel")
    except ImportError as error:
        raise ImportError(f"NIfTI files need nibabel. Install it with: {INSTALL}") from error


def _damaged(path: object, error: Exception) -> ValueError:
    return ValueError(
        f"{path} is not a volume that can be read ({error}). Expected a whole NIfTI or FreeSurfer file; fetch it "
        "again, or remove it."
    )
