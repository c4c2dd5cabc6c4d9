"""A dictionary of typical small patches of medical images: which of them an image holds, and where, is further columns.

The encoder of Coates, Ng and Lee 2011 ("An analysis of single-layer networks in unsupervised feature learning",
section 3.2): every patch of an image is evened out, whitened and compared with each typical one; what is nearer than
the average counts, and counts are averaged over parts of the image, and over the image and its mirror image.
`fit` learns one (`_patch_learning.py`), unless a file is asked for: `examples/pretraining/dictionary.py` makes those;
`sklearn_medgan/weights/README.md` lists the images and licences of the one that ships. NumPy only, each image by
itself: a row's result cannot depend on the rows beside it.
"""

from __future__ import annotations

import functools
import hashlib
import math
import zipfile
from pathlib import Path

import numpy as np

from ._resampling import footprints

SHIPPED = {"medical": Path(__file__).parents[1] / "weights" / "medical.npz"}
CACHE_SIZE = 4  # dictionaries kept in the process; the least recently used one is dropped
SIDE = 32  # of the images that are compared
CHUNK = 16  # images at once: bounds the memory
SMALLEST_SPREAD = 1e-4  # of an image in [-1, 1]: below, it is constant
FLAT_VARIANCE = 0.004  # added to a patch's variance (an image's is 1), so that noise in flat regions stays small
ARRAYS = ("sides", "mean", "whitening", "patches")


def standardised(images: np.ndarray) -> np.ndarray:
    """Return images (n, height, width) at 32x32, each with zero mean and unit variance (a constant one is zero)."""
    height, width = images.shape[1:]
    small = footprints(height, SIDE) @ images @ footprints(width, SIDE).T
    flat = small.reshape(len(images), -1).astype(np.float64)
    flat -= flat.mean(1, keepdims=True)
    spread = flat.std(1, keepdims=True)
    return (flat / np.where(spread < SMALLEST_SPREAD, np.inf, spread)).astype(np.float32).reshape(small.shape)


def even_contrast(patches: np.ndarray) -> np.ndarray:
    """Return patches (..., pixels), each with zero mean and about unit variance."""
    patches = patches - patches.mean(-1, keepdims=True)
    return patches / np.sqrt(np.square(patches).mean(-1, keepdims=True) + FLAT_VARIANCE)


class PatchDictionary:
    """Typical patches, and how to compare with them.

    `arrays` are `patches` (n_patches, size x size), typical patches after whitening; `mean` (size x size,) and
    `whitening` (size x size, size x size), which whiten; `sides` (n_blocks,), into how many parts the image is cut each
    way. `fingerprint` tells this dictionary from others.
    """

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        content = [np.ascontiguousarray(arrays[name]) for name in ARRAYS]
        self.fingerprint = hashlib.sha256(b"".join(array.tobytes() for array in content)).hexdigest()
        self.sides = tuple(int(side) for side in arrays["sides"])
        self.mean, self.whitening, self.patches = (array.astype(np.float32) for array in content[1:])
        self.size = math.isqrt(len(self.mean))
        self._doubled, self._squares = 2.0 * self.patches.T, np.square(self.patches).sum(1)

    def blocks(self, images: np.ndarray) -> list[np.ndarray]:
        """Return one (n, channels x side x side x n_patches) array a side for images (n, height, width, channels).

        Every channel is compared by itself.
        """
        n, height, width, _ = images.shape
        lines = images.transpose(0, 3, 1, 2).reshape(-1, height, width)
        parts = [self._averages(lines[start : start + CHUNK]) for start in range(0, len(lines), CHUNK)]
        return [np.concatenate(block).reshape(n, -1) for block in zip(*parts, strict=True)]

    def _averages(self, images: np.ndarray) -> list[np.ndarray]:
        """Return averages over parts for the images and their mirror images, and of the two."""
        images = standardised(images)
        both = zip(self._averages_one_way(images), self._averages_one_way(images[:, :, ::-1]), strict=True)
        return [(block + mirrored) / 2 for block, mirrored in both]

    def _averages_one_way(self, images: np.ndarray) -> list[np.ndarray]:
        nearer = self._compare(images)
        n, places, _, n_patches = nearer.shape
        averages = []
        for side in self.sides:
            part = footprints(places, side)
            rows = part @ nearer.reshape(n, places, -1)
            averages.append((part @ rows.reshape(n * side, places, n_patches)).reshape(n, -1))
        return averages

    def _compare(self, images: np.ndarray) -> np.ndarray:
        """Return how much nearer than average each patch is, (n, places, places, n_patches); 0 for farther."""
        windows = np.lib.stride_tricks.sliding_window_view(images, (self.size, self.size), (1, 2))
        n, places = windows.shape[:2]
        white = (even_contrast(windows.reshape(n, places**2, -1)) - self.mean) @ self.whitening
        product = white @ self._doubled
        distance = np.square(white).sum(-1, keepdims=True) + self._squares
        distance -= product
        np.sqrt(np.maximum(distance, 0.0, out=distance), out=distance)
        nearer = np.subtract(distance.mean(-1, keepdims=True), distance, out=product)  # in the memory that there is
        return np.maximum(nearer, 0.0, out=nearer).reshape(n, places, places, -1)


def load_dictionary(pretrained: str, fingerprint: str | None = None) -> PatchDictionary:
    """Return the dictionary of this name, or of a file; an error where `fingerprint` is another's."""
    path = SHIPPED.get(pretrained, Path(pretrained))
    try:
        stamp = path.stat()
    except OSError as error:
        raise ValueError(
            f"pretrained must be None, 'auto', one of {sorted(SHIPPED)} or the path of a dictionary's file; got "
            f"{pretrained!r}, which cannot be read. Put the file back, or choose another."
        ) from error
    dictionary = _read_dictionary(path, stamp.st_mtime_ns, stamp.st_size)
    if fingerprint not in (None, dictionary.fingerprint):
        raise ValueError(
            f"The dictionary pretrained={pretrained!r} has changed since fit: expected {fingerprint[:12]}, got "
            f"{dictionary.fingerprint[:12]}. Fit again, or use the version of sklearn_medgan or the file of that fit."
        )
    return dictionary


@functools.lru_cache(maxsize=CACHE_SIZE)
def _read_dictionary(path: Path, modified: int, size: int) -> PatchDictionary:
    """Return the dictionary of a file, read once while the file stays as it is."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return PatchDictionary(dict(archive))
    except (KeyError, ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} holds no dictionary of patches ({error}). Make one with examples/pretraining/dictionary.py, or "
            "set pretrained='medical'."
        ) from error
