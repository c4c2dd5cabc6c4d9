"""The images of many files as one array, each decoded when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ._formats import Conversion, read_images
from ._stacks import check_alike


class ImageFiles:
    """The images of files, one after the other: `shape`, `dtype` as stored, and slices that decode.

    The first of the `files` is decoded for shape and dtype, which all must have; `counts` are the numbers of images in
    each. `path` is the folder, for messages.
    """

    def __init__(self, files: Sequence[Path], counts: Sequence[int], path: Path, conversion: Conversion) -> None:
        self.files, self.path, self.conversion = list(files), path, conversion
        self._first = read_images(self.files[0], conversion)[:0]
        self._ends = np.cumsum(counts)
        self.shape: tuple[int, ...] = (int(self._ends[-1]), *self._first.shape[1:])
        self.dtype = self._first.dtype

    def __getitem__(self, key: slice) -> np.ndarray:
        """Return the images of a slice, each file decoded once; a ValueError where it has other pages now."""
        places = np.arange(*key.indices(self.shape[0]))
        owners = np.searchsorted(self._ends, places, side="right")
        found = np.empty((len(places), *self.shape[1:]), self.dtype)
        for owner in np.unique(owners):
            here, file = owners == owner, self.files[owner]
            stack = read_images(file, self.conversion)
            check_alike({str(self.files[0]): self._first, str(file): stack}, self.path)
            start = self._ends[owner - 1] if owner else 0
            if len(stack) != self._ends[owner] - start:
                raise ValueError(
                    f"{file} had {self._ends[owner] - start} image(s) when it was listed, and has {len(stack)} now. "
                    "Load the images again."
                )
            found[here] = stack[places[here] - start]
        return found
