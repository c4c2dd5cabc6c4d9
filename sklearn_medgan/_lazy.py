"""Images of an array that lies in a file: read when they are asked for, some at a time, never all at once."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

BYTES_AT_ONCE = 1 << 24  # that are read at a time


class LazyImages:
    """Images of an array that is not in memory, and some of them without reading any.

    Estimators of this package wrap what they are given by themselves. Wrap it yourself for scikit-learn's
    `cross_val_score`, `GridSearchCV` or `train_test_split`, which take folds by arrays of places: h5py takes only
    sorted ones, zarr none, and both read the whole fold. Here a fold is a `LazyImages` again.

    Parameters
    ----------
    source : array-like of shape (n, height, width) or (n, height, width, channels)
        Anything with `shape`, `dtype` and slices that give arrays: a data set of h5py, an array of zarr or dask. Read
        by slices of neighbouring images; where it has `chunks`, images of one chunk together.

    Attributes
    ----------
    shape : tuple of int
        That of the source.
    dtype : numpy.dtype
        That of what the source gives.

    Raises
    ------
    TypeError
        If `source` has no shape, dtype or items, or its dtype is none of NumPy's.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_medgan.datasets import LazyImages
    >>> images = LazyImages(np.zeros((6, 16, 16), np.uint8))  # in place of an h5py.Dataset, say
    >>> images[2:4].shape  # a slice or a number reads
    (2, 16, 16)
    >>> images[np.array([5, 0, 0])]  # an array of places does not
    LazyImages of shape (3, 16, 16), uint8
    """

    def __init__(self, source: Any) -> None:
        try:
            shape, dtype = tuple(source.shape), np.dtype(source.dtype)
            # What is read counts: a proxy of nibabel names the dtype in its file, and gives scaled values.
            self.dtype = np.asarray(source[:1]).dtype if shape[0] else dtype
        except (AttributeError, TypeError) as error:
            raise TypeError(
                f"LazyImages expected an array with shape, dtype and slices; got {type(source).__name__} ({error}). "
                "Pass for example a data set of h5py or an array of zarr."
            ) from error
        self._source, self._row_shape = source, shape[1:]
        self._places: np.ndarray | None  # None: all, in order
        self._n, self._places = int(shape[0]), None

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of images, and the shape of each."""
        return self._n, *self._row_shape

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return 1 + len(self._row_shape)

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    def __len__(self) -> int:
        return self._n

    def __repr__(self) -> str:
        return f"LazyImages of shape {self.shape}, {self.dtype}"

    def __getitem__(self, key: Any) -> Any:
        """Return images as an array for a slice or a number; for an array of places or a mask, `LazyImages`."""
        if isinstance(key, tuple):  # as scikit-learn asks
            if len(key) != 2 or key[1] is not Ellipsis:
                raise TypeError(f"LazyImages takes whole images by their places; got {key!r}. Slice what it returns.")
            key = key[0]
        if isinstance(key, slice):
            return self._read(self._in_source(np.arange(*key.indices(self._n))))
        if np.ndim(key) == 0:
            return self._read(self._in_source(np.array([key])))[0]
        some = copy.copy(self)
        some.__dict__.pop("extremes", None)
        some._places = self._in_source(np.asarray(key, None if len(key) else int))
        some._n = len(some._places)
        return some

    def _in_source(self, places: np.ndarray) -> np.ndarray:
        """Return places here, or a mask, as places in the source."""
        if places.dtype == bool:
            if len(places) != self._n:
                raise IndexError(f"A mask for {self._n} images must be as long; got {len(places)}.")
            places = np.flatnonzero(places)
        if places.size and not -self._n <= places.min() <= places.max() < self._n:
            raise IndexError(f"There are {self._n} images; got places from {places.min()} to {places.max()}.")
        places = places % max(self._n, 1)
        return places if self._places is None else self._places[places]

    def __iter__(self) -> Iterator[np.ndarray]:
        for block in self.blocks():
            yield from block

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("LazyImages are not in memory: copy=False cannot be. Leave it out.")
        return self[:] if dtype is None else self[:].astype(dtype)

    def copy(self) -> np.ndarray:
        """Return all images, in memory."""
        return self[:]

    def reshape(self, *shape: int) -> LazyImages:
        """Return these with images of another shape; the first number is that of the images, or -1."""
        if shape[0] not in (-1, len(self)) or math.prod(shape[1:]) != math.prod(self._row_shape):
            raise ValueError(f"LazyImages of shape {self.shape} cannot have the shape {shape}: images stay apart.")
        other = copy.copy(self)
        other._row_shape = tuple(shape[1:])
        return other

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield all images in order, `BYTES_AT_ONCE` at a time."""
        step = self._step - self._step % self._chunk or self._step
        for start in range(0, len(self), step):
            yield self[start : start + step]

    @functools.cached_property
    def extremes(self) -> tuple[np.ndarray, np.ndarray]:
        """Smallest and largest value of each channel of each image, (n, channels); read once."""
        n_channels = (*self._source.shape, 1)[3]
        blocks = (block.reshape(len(block), -1, n_channels) for block in self.blocks())
        lows, highs = zip(*[(block.min(1), block.max(1)) for block in blocks], strict=True)
        return np.concatenate(lows), np.concatenate(highs)

    @property
    def limits(self) -> tuple[np.ndarray, np.ndarray]:
        """Smallest and largest value of each channel."""
        return self.extremes[0].min(0), self.extremes[1].max(0)

    def min(self) -> Any:
        """Return the smallest value."""
        return self.limits[0].min()

    def max(self) -> Any:
        """Return the largest value."""
        return self.limits[1].max()

    @property
    def _step(self) -> int:
        """Images of `BYTES_AT_ONCE`."""
        return max(1, BYTES_AT_ONCE // max(1, math.prod(self._row_shape) * self.dtype.itemsize))

    @property
    def _chunk(self) -> int:
        """Images that the source stores together."""
        chunks = getattr(self._source, "chunks", None)
        return chunks[0] if chunks and isinstance(chunks[0], int) else 1

    def _read(self, places: np.ndarray) -> np.ndarray:
        """Return images by their places in the source, in this order."""
        wanted, order = np.unique(places, return_inverse=True)
        found = np.empty((len(wanted), *self._row_shape), self.dtype)
        near = (np.diff(wanted) <= 1) | (np.diff(wanted // self._chunk) == 0)
        start = 0
        for end in [*(np.flatnonzero(~near) + 1).tolist(), len(wanted)] if len(wanted) else []:
            while start < end:  # of images that lie together, as many as may be read at once
                first = int(wanted[start])
                stop = start + int(np.searchsorted(wanted[start:end], first + self._step))
                block = np.asarray(self._source[first : int(wanted[stop - 1]) + 1])
                block = block if len(block) == stop - start else block[wanted[start:stop] - first]
                found[start:stop] = block.reshape(stop - start, *self._row_shape)
                start = stop
        return found if np.array_equal(wanted, places) else found[order]


def is_lazy(X: Any) -> bool:
    """Tell whether X is an array of images that is not in memory: shape, dtype, slices, and none of memory's marks."""
    if isinstance(X, LazyImages):
        return True
    in_memory = isinstance(X, np.ndarray) or hasattr(X, "__dlpack__") or hasattr(X, "__array_interface__")
    shape = getattr(X, "shape", None)
    if in_memory or not isinstance(shape, tuple) or len(shape) < 3 or not hasattr(X, "__getitem__"):
        return False
    try:
        return np.dtype(X.dtype).kind != "O"
    except (AttributeError, TypeError):
        return False
