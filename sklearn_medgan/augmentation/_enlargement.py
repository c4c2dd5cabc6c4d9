"""Samples of the GAN's canvas at the size of the user's images: an octave of detail after the other.

A pyramid as of Burt and Adelson 1983 ("The Laplacian pyramid as a compact image code"), with detail drawn at each size
as in Denton et al. 2015 (LAPGAN, arXiv 1506.05751); `_detail.py` has one size, in closed form. Each image is drawn by
itself, so that it cannot depend on those beside it.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from ._detail import FEWEST_IMAGES, Arrays, Images, draw, learn, repeated
from ._resampling import footprints, resampled, resized, sparse_footprints

N_IMAGES, N_VALUES = 200, 5_000_000  # learned from, at most
N_TRIALS = 16  # images on which the strength of the random part is set
SHARE = 0.7  # drawn of the energy that the mean lacks: noise looks rougher than the edges that it stands for
LEAST_GRAIN, MOST_GRAIN = 0.3, 1.0
N_CORRECTIONS = 2  # one would do, but values are cut at -1 and 1
SMALLEST_ENERGY = 1e-9

Shape = tuple[int, ...]
Detail = dict[str, Any]


class Rows(Protocol):
    """Images that can be asked for one by one, as those of an array or a list."""

    def __len__(self) -> int:
        """Return how many there are."""

    def __getitem__(self, place: int) -> np.ndarray:
        """Return one, float32 (height, width, channels)."""


class _Pyramid:
    """Sizes between a canvas and full images: full ones halved while that stays above the canvas.

    The smallest is that of the canvas, or up to twice as large; then the first step adds detail without doubling.
    Full images are extended at the lower and right margin to a multiple of that many pixels.
    """

    def __init__(self, canvas: Shape, full: Shape) -> None:
        sizes = list(zip(canvas[:2], full[:2], strict=True))
        self.n_doublings = max(min(m // n for n, m in sizes).bit_length() - 1, 0)
        self.block = 2**self.n_doublings
        self.excess = [-m % self.block for _, m in sizes]
        self.ratios = [2] * self.n_doublings
        if any(n * self.block != m for n, m in sizes):
            self.ratios.insert(0, 1)
        self._down = [sparse_footprints(m, n) for n, m in sizes]
        self._up = [footprints(n, m) for n, m in sizes]
        self._exact_up = [up @ np.linalg.inv(down @ up) for down, up in zip(self._down, self._up, strict=True)]

    def start(self, canvas: np.ndarray) -> np.ndarray:
        """Return a canvas image (height, width, channels) at the smallest size."""
        if 1 not in self.ratios:
            return canvas
        lines = [np.pad(up, [(0, extra), (0, 0)], mode="edge") for up, extra in zip(self._up, self.excess, strict=True)]
        return resampled(canvas, *[line.reshape(-1, self.block, line.shape[1]).mean(1) for line in lines])

    def levels(self, image: np.ndarray) -> list[np.ndarray]:
        """Return an image (height, width, channels) at each size, the smallest first."""
        levels = [np.pad(image, [(0, extra) for extra in self.excess] + [(0, 0)], mode="edge")]
        for _ in range(self.n_doublings):
            height, width, n_channels = levels[0].shape
            levels.insert(0, levels[0].reshape(height // 2, 2, width // 2, 2, n_channels).mean((1, 3)))
        if 1 in self.ratios:
            levels.insert(0, self.start(resampled(image, *self._down)))
        return levels

    def corrected(self, image: np.ndarray, canvas: np.ndarray) -> np.ndarray:
        """Return an image within [-1, 1] that, averaged down, is the canvas image or nearly so."""
        image = np.clip(image, -1.0, 1.0)
        for _ in range(N_CORRECTIONS):
            missing = canvas - resampled(image, *self._down)
            image = np.clip(image + resampled(missing, *self._exact_up), -1.0, 1.0)
        return image


def learn_detail(images: Rows, canvas_shape: Shape, rng: np.random.RandomState) -> Detail:
    """Learn from images, float32 (height, width, channels) of one shape in [-1, 1], what their reduced versions lack.

    `canvas_shape` is the height and width of what `enlarge` will take. Returned are arrays for that, whose sizes do not
    depend on the number of images, by step and channel. At most 200 images, fewer where they are large, are drawn and
    looked at, each once. Each number is of five at least; of fewer nothing is learned, and the dictionary is empty.
    """
    if len(images) < FEWEST_IMAGES:
        return {}
    order = rng.permutation(len(images))
    first = np.asarray(images[order[0]], np.float32)
    n = min(N_IMAGES, max(N_VALUES // first.size, FEWEST_IMAGES))
    pyramid = _Pyramid(canvas_shape, first.shape)
    if not pyramid.ratios:
        return {}
    chosen = [first, *(np.asarray(images[i], np.float32) for i in order[1:n])]
    chosen = list({image.tobytes(): image for image in chosen}.values())  # copies are one image
    if len(chosen) < FEWEST_IMAGES:
        return {}
    colours = _colours(chosen)
    levels = list(zip(*[pyramid.levels(image @ colours) for image in chosen], strict=True))
    drawn, steps = levels[0][:N_TRIALS], []
    for ratio, before, after in zip(pyramid.ratios, levels[:-1], levels[1:], strict=True):
        channels = _learn_step(before, after, ratio)
        seeds = rng.randint(2**31 - 1, size=len(drawn))
        grain = _balanced_grain(drawn, before, after, ratio, channels, seeds)
        trials = zip(drawn, seeds, strict=True)
        drawn = [_refined(image, ratio, channels, np.random.RandomState(seed), grain) for image, seed in trials]
        steps.append({"grain": float(np.float32(grain)), "channels": channels})
    return {"colours": colours, "steps": steps}


def _colours(images: Images) -> np.ndarray:
    """Return the rotation (channels, channels) after which channels are uncorrelated, the most variable first."""
    values = np.concatenate([image[::4, ::4].reshape(-1, image.shape[2]) for image in images]).astype(np.float64)
    covariance = np.atleast_2d(np.cov(values, rowvar=False))
    return np.linalg.eigh(covariance)[1][:, ::-1].astype(np.float32)


def _learn_step(before: Images, after: Images, ratio: int) -> list[Arrays]:
    """Return what one step needs to know, channel by channel."""
    detail = [large - repeated(small, ratio) for small, large in zip(before, after, strict=True)]
    learned = []
    for channel in range(before[0].shape[2]):
        others = [[image[..., other] for other in range(channel)] for image in detail]
        of_channel = [[image[..., channel] for image in images] for images in (before, detail)]
        learned.append(learn(of_channel[0], ratio, others, of_channel[1]))
    return learned


def _balanced_grain(
    drawn: Images, before: Images, after: Images, ratio: int, channels: list[Arrays], seeds: np.ndarray
) -> float:
    """Return the factor of the random part with which drawn detail has its share of the true one's energy.

    What is drawn here starts from what earlier steps drew; a step learns from true images alone.
    """

    def energy(image: np.ndarray, start: np.ndarray) -> float:
        return float(np.square(image - repeated(start, ratio)).mean())

    missing, added = SMALLEST_ENERGY, SMALLEST_ENERGY
    for image, seed, small, large in zip(drawn, seeds, before, after, strict=False):
        trials = [_refined(image, ratio, channels, np.random.RandomState(seed), grain) for grain in (0.0, 1.0)]
        of_mean, of_drawn = (energy(trial, image) for trial in trials)
        missing += energy(large, small) - of_mean
        added += of_drawn - of_mean
    return float(np.sqrt(np.clip(SHARE * missing / added, LEAST_GRAIN**2, MOST_GRAIN**2)))


def enlarge(
    images: np.ndarray, detail: Detail, shape: Shape, rng: np.random.RandomState, grain: float = 1.0
) -> np.ndarray:
    """Enlarge images of the canvas, float32 in [-1, 1], to `shape`, with detail drawn at random.

    `detail` is what `learn_detail` returned; with an empty one, images are interpolated linearly. `grain` is a factor
    of what is random in it; with 0 it is the mean, which is blurred. Each image has a seed of its own, so its result
    does not depend on the others. Averaged down, the images are about those of the canvas.
    """
    if not detail:
        return resized(images, shape)
    pyramid = _Pyramid(images.shape[1:], shape)
    enlarged = np.empty((len(images), *shape[:2], images.shape[3]), np.float32)
    for canvas, target, seed in zip(images, enlarged, rng.randint(2**31 - 1, size=len(images)), strict=True):
        image, image_rng = pyramid.start(canvas @ detail["colours"]), np.random.RandomState(seed)
        for ratio, step in zip(pyramid.ratios, detail["steps"], strict=True):
            image = _refined(image, ratio, step["channels"], image_rng, grain * step["grain"])
        target[:] = pyramid.corrected(image[: shape[0], : shape[1]] @ detail["colours"].T, canvas)
    return enlarged


def _refined(
    image: np.ndarray, ratio: int, channels: list[Arrays], rng: np.random.RandomState, grain: float
) -> np.ndarray:
    """Return an image (height, width, channels) after one step."""
    details: list[np.ndarray] = []
    for channel, arrays in enumerate(channels):
        details.append(draw(image[..., channel], ratio, details, arrays, rng, grain))
    return repeated(image, ratio) + np.stack(details, axis=-1)
