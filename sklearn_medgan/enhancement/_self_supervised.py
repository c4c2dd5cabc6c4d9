"""Noisy images alone: the network learns from noise that is added once more, and is judged by pixels left out.

Training is Recorrupted-to-Recorrupted (Pang et al. 2021, CVPR): with Gaussian noise z of the level that is in an image
y, y + a z and y - z / a err independently, so that to predict the second from the first is to predict what is free of
noise. Here z and -z come in pairs: most of what a single draw of it adds to the gradient cancels.

Both this and the guard need noise that is independent from pixel to pixel and has mean zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .._base import warn_caller
from . import _guard
from ._configuration import Budget, Degrading
from ._filters import GAIN, STRENGTHS, available_filters, mixed_difference
from ._held_out import Assessment, HeldOutRows, Subset
from ._images import ImageRestoration
from ._pairs import Encode, Rows, cut, turn
from ._shrinkage import Restorer
from ._tiling import block_means

if TYPE_CHECKING:
    from typing_extensions import Self

RECORRUPTION = 0.5  # a: the smaller, the less noise is added, and the more is in return
GAUSSIAN_MEDIAN = 0.6745  # of the sizes of Gaussian values, over their standard deviation
LEARNED_ON = 32  # images
BINS = 8  # of intensities, in each of which the noise is estimated
LOOKED_AT = 512  # pixels a side of an image whose noise is estimated
LEAST_NOISE = 0.005  # of the standard deviation of the images: less is none
MOST_AT_HALF_SIZE = 1.7  # times as much noise as expected in means of 2x2 pixels: white noise in images reached 1.46
Mask = tuple[slice, slice]
STRIDE = 4  # of the grid of pixels that are left out at once
MASKS = tuple((slice(i, None, STRIDE), slice(j, None, STRIDE)) for i, j in ((0, 0), (2, 1)))


def noise_of(image: np.ndarray) -> float:
    """Return the standard deviation of white noise in an image (height, width, channels).

    By a median, unlike `_filters.estimate_noise`: structure that takes less than half of the image hardly counts.
    """
    return _deviation(mixed_difference(image))


def _deviation(values: np.ndarray) -> float:
    """Of the noise, from its mixed differences."""
    return float(np.median(np.abs(values)) / (GAUSSIAN_MEDIAN * GAIN))


def correlation(images: list[np.ndarray]) -> float:
    """Return the noise in means of 2x2 pixels over what it is where pixels err independently; 1 is white."""
    fine, halved = (sum(map(noise_of, stack)) for stack in (images, [block_means(image, 2) for image in images]))
    return 2.0 * halved / max(fine, 1e-12)


@dataclass(frozen=True)
class NoiseCurve:
    """How noise depends on intensity: its standard deviation, `levels`, at mean intensities, `points`."""

    points: np.ndarray
    levels: np.ndarray

    @classmethod
    def learn(cls, images: list[np.ndarray]) -> NoiseCurve:
        """Return the curve of all images together, in bins that hold equally many of their pixels."""
        means = np.concatenate([_local_mean(image)[1:-1, 1:-1].ravel() for image in images])
        responses = np.concatenate([mixed_difference(image).ravel() for image in images])
        parts = np.array_split(np.argsort(means, kind="stable"), BINS)
        points = np.array([means[part].mean() for part in parts]) + 1e-9 * np.arange(BINS)
        return cls(points, np.array([_deviation(responses[part]) for part in parts]))

    def of(self, image: np.ndarray) -> np.ndarray:
        """Return the noise expected at each pixel of an image like those learned from."""
        return np.interp(_local_mean(image), self.points, self.levels).astype(np.float32)


def _local_mean(image: np.ndarray) -> np.ndarray:
    from scipy.ndimage import uniform_filter

    return uniform_filter(image, (5, 5, 1))


class RecorruptedPairs:
    """Noisy patches with more noise, and with other noise in return, every draw anew; images may differ in noise."""

    def __init__(self, images: Rows, encode: Encode, noise: NoiseCurve, patch: int, rng: np.random.RandomState) -> None:
        self.images, self.encode, self.noise = images, encode, noise
        self.patch, self.rng = patch, rng
        self.relative: dict[int, float] = {}  # noise of an image over that expected by the curve

    def draw(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return `n` pairs (poor, good), each (n, patch, patch, channels) float32; neighbours have opposite noise."""
        picks = self.rng.randint(len(self.images), size=-(-n // 2))
        images = [self.encode(self.images[i]) for i in picks]
        seen, _ = turn(*cut([(image, image) for image in images], self.patch, self.rng), self.rng)
        level = np.stack(
            [
                self._relative(i, image) * self.noise.of(patch)
                for i, image, patch in zip(picks, images, seen, strict=True)
            ]
        )
        noise = level * self.rng.standard_normal(seen.shape).astype(np.float32)
        signed = np.stack([noise, -noise], 1).reshape(-1, *seen.shape[1:])[:n]
        seen = np.repeat(seen, 2, axis=0)[:n]
        return seen + RECORRUPTION * signed, seen - signed / RECORRUPTION

    def _relative(self, i: int, image: np.ndarray) -> float:
        if i not in self.relative:
            part = _guard.middle(image, LOOKED_AT)
            self.relative[i] = noise_of(part) / max(float(np.median(self.noise.of(part))), 1e-12)
        return self.relative[i]


@dataclass(frozen=True)
class NoisyRestoration(ImageRestoration):
    """Images that are all noisy: `noise` is how much there is at which intensity; without any, nothing is done."""

    noise: NoiseCurve | None = None

    budget: ClassVar[Budget] = Budget(max_iter=4000, learning_rate=4e-3, learning_rate_when_started=5e-4)

    def learn(self, rows: HeldOutRows, rng: np.random.RandomState) -> Self:
        """Return this with the noise of the images; warns where it is none that can be learned from."""
        picks = rows.kept[rng.permutation(len(rows.kept))[:LEARNED_ON]]
        images = [_guard.middle(self.codec.encode(rows.rows[i]), LOOKED_AT) for i in picks]
        images = [image[..., self._varying] for image in images]
        structured = correlation(images)
        if structured > MOST_AT_HALF_SIZE:
            warn_caller(
                "What is learned from noisy images alone removes noise that is independent from pixel to pixel. Means "
                f"of 2x2 pixels of these images hold {structured:.1f} times as much noise as that would leave there: "
                "it is correlated, as after reconstruction, interpolation or compression, or too weak to be told from "
                "structure. Expect that it stays. Use images as the detector gave them, or good images.",
                UserWarning,
            )
        ends = self.codec.low, self.codec.high
        return replace(self, noise=NoiseCurve.learn(images), poor_range=ends)

    @property
    def _varying(self) -> list[int] | slice:
        """The channels that can have noise."""
        varying = [channel for channel, value in enumerate(self.constant) if value is None]
        return varying or slice(None)

    def degrading(self, enhancer: Any) -> Degrading:
        """Return nothing: no image is good."""
        return Degrading(None, 0)

    def pairs(self, rows: HeldOutRows, patch: int, rng: np.random.RandomState) -> RecorruptedPairs:
        assert self.noise is not None
        return RecorruptedPairs(rows.good(rows.kept), self.codec.encode, self.noise, patch, rng)

    def examples(self, rows: np.ndarray, target: np.ndarray | None, *more: Any) -> tuple[_guard.Images, _guard.Images]:
        """Return images as they were given, poor and good; ValueError without a target."""
        if target is None:
            raise ValueError(
                "score needs target= here: this GANEnhancer learned from noisy images alone (supervision='self'), and "
                "does not know how a good one would be degraded."
            )
        return super().examples(rows, target, *more)

    def assess(self, rows: HeldOutRows, network: Restorer, guard: bool) -> Assessment:
        """Compare methods on images held out by pixels that they did not see; their errors stay unknown.

        The figures are those of a J-invariant loss (Batson and Royer 2019, arXiv 1901.11365, eq. 2). Doing nothing
        cannot predict a pixel that it does not see; it gets that of a second, equally noisy image of the same. With
        labels, a method after which a classifier does worse than on the images as they came is out.
        """
        held, tuning = (
            [_guard.middle(self.codec.encode(image)) for image in rows.rows[places]]
            for places in (rows.held[: _guard.MOST_COMPARED], rows.kept[: _guard.TUNED_ON])
        )
        noises = np.array([noise_of(image[..., self._varying]) for image in held])
        report = {**_guard.uncompared(len(rows.held)), "noise": float(noises.mean()) * self.span}
        if noises.mean() <= LEAST_NOISE * np.mean([image[..., self._varying].std() for image in held]):
            return Assessment({**report, "chosen": "nothing"}, None)
        if guard:
            best = {name: self._tuned(name, tuning, network) for name in available_filters()}
            losses = {name: self._loss(held, name, best.get(name, 0.0), network) for name in (*best, "network")}
            losses["nothing"] = 2.0 * float(np.mean(noises**2))
            scores = {name: -10.0 * float(np.log10(max(loss, 1e-10))) for name, loss in losses.items()}
            diagnosis = self._diagnosis(rows, best, network)
            report.update(strength=best, psnr=scores, chosen=_guard.choose(scores, diagnosis))
            report["balanced_accuracy"] = diagnosis and diagnosis.found.get("poor")
        return Assessment(report, None)

    def _diagnosis(self, rows: HeldOutRows, best: dict[str, float], network: Restorer) -> _guard.Diagnosis | None:
        """What a classifier says of the images held out; None without labels, or with too few."""
        labels = None if rows.labels is None else rows.labels[rows.held]
        if labels is None or _guard.too_few(labels):
            return None

        def restored(name: str, kind: str) -> _guard.Images:
            images = map(self.codec.encode, Subset(rows.rows, rows.held))
            return [self._by(image, name, best.get(name, 0.0), network) for image in images]

        return _guard.Diagnosis(None, labels, restored, ["poor"])

    def _by(self, image: np.ndarray, name: str, strength: float, network: Restorer) -> np.ndarray:
        """An encoded image after a method."""
        return self.restore(image, network)[0] if name == "network" else self.filtered(image, name, strength)

    def _tuned(self, name: str, images: _guard.Images, network: Restorer) -> float:
        """The strength of a filter at which it predicts best what it did not see of training images."""
        if name == "nothing":
            return 0.0
        return STRENGTHS[int(np.argmin([self._loss(images, name, s, network, MASKS[:1]) for s in STRENGTHS]))]

    def _loss(
        self, images: _guard.Images, name: str, strength: float, network: Restorer, masks: tuple[Mask, ...] = MASKS
    ) -> float:
        def restored(image: np.ndarray, channel_axis: int) -> np.ndarray:
            return self._by(image, name, strength, network)

        return float(np.mean([left_out_loss(image, restored, masks, self._varying) for image in images]))


def left_out_loss(
    image: np.ndarray,
    method: Callable[..., np.ndarray],
    masks: tuple[Mask, ...] = MASKS,
    channels: list[int] | slice = slice(None),
) -> float:
    """Return the mean square error of pixels of a noisy image that a method did not see, on some grids of them."""
    from skimage.restoration import denoise_invariant

    found = denoise_invariant(image, method, masks=masks, denoiser_kwargs={"channel_axis": -1})
    return float(np.mean([np.square(found[mask] - image[mask])[..., channels].mean() for mask in masks]))
