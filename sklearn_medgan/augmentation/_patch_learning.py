"""Typical patches learned at `fit` from the training images themselves: no file to keep, no source that could leak.

The method is that of `examples/pretraining/dictionary.py` (Coates, Ng and Lee 2011, "An analysis of single-layer
networks in unsupervised feature learning", section 3.2). What is kept of the images are means: of all patches looked
at, and of those that are alike. A mean of few patches, or of few images, could show what one patient has, so it is
dropped.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from ._canvas import EncodedRows, identities
from ._patches import CHUNK, SIDE, even_contrast, load_dictionary, standardised

SIZE = 6
SIDES = (2, 3, 4)  # into how many parts an image is cut each way: one block of columns each
N_IMAGES = 2_000  # looked at, at most
N_LOOKED_AT, N_OF_AN_IMAGE = 30_000, 300  # patches, at most
FEWEST_ALIKE = 50  # patches looked at for each typical one, on average
FEWEST_PATCHES, FEWEST_IMAGES = 10, 5  # behind each typical patch, or it is dropped
LEAST_VARIANCE = 0.1  # added to the variance in each direction before it is evened out, or noise would rule


PatchSource = dict[str, np.ndarray] | tuple[str, str]


def choose_patches(augmenter: Any, images: np.ndarray | EncodedRows, goes_on: bool) -> PatchSource | None:
    """Return the patches that an augmenter learns here, or learned earlier; or what names a dictionary's file.

    A file is named by its source and its fingerprint. None: no patches are wanted or found.
    """
    if augmenter._form.kind == "table" or augmenter.representation == "pixels":
        return None
    if augmenter.pretrained not in (None, "auto"):
        return augmenter.pretrained, load_dictionary(augmenter.pretrained).fingerprint
    if augmenter.n_patches == 0:
        return None
    if goes_on and isinstance(augmenter._dictionary, dict):
        return augmenter._dictionary
    return learn_patches(images, int(augmenter.n_patches), check_random_state(augmenter.random_state))


def learn_patches(
    images: np.ndarray | EncodedRows, n_patches: int, rng: np.random.RandomState
) -> dict[str, np.ndarray] | None:
    """Learn the arrays of a `PatchDictionary`, in half precision; None where no patch is shared by enough images.

    Images are float32 (n, height, width, channels); every channel is looked at by itself.
    """
    chosen = rng.permutation(len(images))[:N_IMAGES]
    n = min(N_LOOKED_AT, N_OF_AN_IMAGE * len(chosen))
    (channels, distinct), n_channels = _channels(images, chosen), images.shape[3]
    patches, sources = draw_patches(channels, SIZE, n, rng)
    patches = even_contrast(patches.astype(np.float64))
    mean, whitening = learn_whitening(patches)
    white = ((patches - mean) @ whitening).astype(np.float32)
    typical = shared_means(white, distinct[sources // n_channels], min(n_patches, n // FEWEST_ALIKE), rng)
    if not len(typical):
        return None
    found = {"mean": mean, "whitening": whitening, "patches": typical}
    return {"sides": np.array(SIDES), **{name: array.astype(np.float16) for name, array in found.items()}}


def _channels(images: np.ndarray | EncodedRows, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return every channel of the chosen images as `standardised` makes it, one after the other; and each one's number.

    Copies of an image have the same number.
    """
    parts, numbers = [], list[int]()
    for start in range(0, len(chosen), CHUNK):
        some = images[chosen[start : start + CHUNK]].transpose(0, 3, 1, 2)
        numbers += identities(some)
        parts.append(standardised(some.reshape(-1, *some.shape[2:])))
    return np.concatenate(parts), np.unique(numbers, return_inverse=True)[1]


def draw_patches(images: np.ndarray, size: int, n: int, rng: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """Draw patches (n, size x size) anywhere in images (n_images, 32, 32), with replacement, and each one's image."""
    corners = rng.randint(0, SIDE - size + 1, (2, n, 1))
    top, left = corners + np.arange(size)
    sources = rng.randint(len(images), size=n)
    return images[sources[:, None, None], top[:, :, None], left[:, None, :]].reshape(n, -1), sources


def learn_whitening(patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of patches, and the symmetric matrix that makes their directions about equally variable."""
    variance, directions = np.linalg.eigh(np.cov(patches, rowvar=False))
    return patches.mean(0), directions / np.sqrt(variance + LEAST_VARIANCE) @ directions.T


def shared_means(white: np.ndarray, images: np.ndarray, n: int, rng: np.random.RandomState) -> np.ndarray:
    """Return at most `n` means of alike patches, each of at least `FEWEST_PATCHES` from `FEWEST_IMAGES` images.

    `images` says which image a patch is of; copies are one image.
    """
    from sklearn.cluster import MiniBatchKMeans

    alike = MiniBatchKMeans(n, batch_size=4096, max_iter=30, n_init=1, random_state=rng).fit_predict(white)
    counts = np.bincount(alike, minlength=n)
    pairs = np.unique(np.stack([alike, images]), axis=1)
    n_images = np.bincount(pairs[0], minlength=n)
    sums = np.zeros((n, white.shape[1]))
    np.add.at(sums, alike, white)  # k-means ends with running means, which single patches may have drawn aside
    shared = (counts >= FEWEST_PATCHES) & (n_images >= FEWEST_IMAGES)
    return sums[shared] / counts[shared, None]
