"""The images of many files as one array, each decoded when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ._images import image_kind, read_stack
from ._stacks import check_alike, check_stack, resized


class ImageFiles:
    """The images of files, one after the other: `shape`, `dtype`, and slices that decode.

    Parameters
    ----------
    files : list of Path
        At least one. The first is decoded for shape and dtype, which all must have; TIFF files for their pages.
    path : Path
        The folder, for messages.
    image_shape : (height, width) or None
        Size to which others are resized.

    Attributes
    ----------
    shape : tuple of int
        (n_images, height, width) or (n_images, height, width, channels).
    dtype : numpy.dtype
        As stored.
    ends : ndarray of shape (n_files,)
        Number of images up to and with each file.
    """

    def __init__(self, files: Sequence[Path], path: Path, image_shape: Sequence[int] | None) -> None:
        self.files, self.path, self.image_shape = list(files), path, image_shape
        self._first = self._decoded(self.files[0])[:0]
        pages = [len(read_stack(file)) if image_kind(file) == "TIFF" else 1 for file in self.files]
        self.ends = np.cumsum(pages)
        self.shape: tuple[int, ...] = (int(self.ends[-1]), *self._first.shape[1:])
        self.dtype = self._first.dtype

    def __getitem__(self, key: slice) -> np.ndarray:
        """Return the images of a slice, each file decoded once.

        Raises
        ------
        OSError, ValueError
            As `load_images`, and where a file has changed its number of pages.
        """
        places = np.arange(*key.indices(self.shape[0]))
        owners = np.searchsorted(self.ends, places, side="right")
        found = np.empty((len(places), *self.shape[1:]), self.dtype)
        for owner in np.unique(owners):
            here, file = owners == owner, self.files[owner]
            stack = self._decoded(file)
            check_alike({str(self.files[0]): self._first, str(file): stack}, self.path)
            start = self.ends[owner - 1] if owner else 0
            if len(stack) != self.ends[owner] - start:
                raise ValueError(
                    f"{file} had {self.ends[owner] - start} image(s) when it was listed, and has {len(stack)} now. "
                    "Load the images again."
                )
            found[here] = stack[places[here] - start]
        return found

    def _decoded(self, file: Path) -> np.ndarray:
        stack = read_stack(file)
        check_stack(stack, file)
        return stack if self.image_shape is None else resized(stack, self.image_shape)
