"""Poor images and good ones of others: how the good ones become like the poor ones is learned, then undone.

What is smooth, tone and shading, is undone by its inverse; blur and noise by the network, which learns from good images
made poor by the learned shift. Between the two sets there are no pairs, so on poor images that were held out three
things are looked at: whether they come nearer to the good ones in simple features, whether their edges stay where they
were, and, with labels, whether a classifier still tells them apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .._containers import cast
from ..metrics._distributions import kernel_distance
from . import _filters, _guard
from ._configuration import Degrading, Settings
from ._held_out import HeldOutRows
from ._images import ImageRestoration
from ._pairs import DegradedPairs, PairSource
from ._restoration import Encoded, Method
from ._shrinkage import Restorer, Shrunk
from ._site_shift import SiteShift, differences
from ._tiling import GROUP

if TYPE_CHECKING:
    from typing_extensions import Self

MAPPING = "intensity mapping"
LEARNED_ON, MOST_PIXELS = 512, 1 << 22  # images of each side, and pixels of them all
RENEWED = 4.0  # times that a pixel of the pool is drawn before it is degraded anew
SMOOTHING = 1.5  # pixels, of what is compared of images
DRAWS = 20  # of good images, as a measure of chance: one set in 21 counts as another that is not
FARTHEST = 5.0  # standard deviations that a feature counts as away
LEAST_CONTENT = 0.9  # of the correlation of gradients that images made poor by the learned shift keep


@dataclass(frozen=True)
class UnpairedRestoration(ImageRestoration):
    """Images whose degradation is learned from poor ones, X, and good ones of others, `reference`.

    `shift` makes good images poor. Its tone and shading are undone before anything else, so encoded poor images are
    those that have the tone of good ones.
    """

    shift: SiteShift | None = None

    # ---- before training

    def learn(self, rows: HeldOutRows, rng: np.random.RandomState) -> Self:
        """Return this with the shift between the two sets, and the noise of good images."""
        assert rows.poor is not None
        poor, good = (np.stack([self.encode(image) for image in _some(part, rng)]) for part in (rows.poor, rows))
        usual = _filters.usual_noise(list(good[: _filters.GOOD_LOOKED_AT]))
        low, high = (float(self.codec.decode(end)) for end in (poor.min(), poor.max()))
        return replace(self, shift=SiteShift.learn(poor, good), usual_noise=usual, poor_range=(low, high))

    def degrading(self, settings: Settings) -> Degrading:
        """Return the learned shift; before it is learned, nothing."""
        return Degrading(self.shift, None)

    def pairs(self, rows: HeldOutRows, patch: int, rng: np.random.RandomState) -> PairSource:
        """Return a source of pairs of patches: of good images, and of the same made poor but for tone and shading."""
        return ShiftedPairs(rows.good(rows.kept), self.codec.encode, self._made_poor, None, 1, None, patch, rng)

    def _made_poor(self, images: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
        assert self.shift is not None
        return np.stack([self.shift.untoned(image) for image in self.shift(images, rng)])

    # ---- on images held out

    def takes_good(self, target: np.ndarray | None) -> bool:
        """Return False: what comes in is of the other site."""
        return False

    def examples(
        self, rows: np.ndarray, target: np.ndarray | None, degrading: Degrading, rng: np.random.RandomState
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return each image poor, with the tone of good ones, and good."""
        poor, good = super().examples(rows, target, degrading, rng)
        return [self._toned(image) for image in poor], good

    def _toned(self, image: np.ndarray) -> np.ndarray:
        return image if self.shift is None else self.shift.untoned(image)

    def tuned(self, poor: _guard.Images, good: _guard.Images) -> dict[str, float]:
        """Return the strengths of filters, which follow the mapping of intensities, and of that alone."""
        strengths = super().tuned(poor, good)
        return {MAPPING if name == "nothing" else name: strength for name, strength in strengths.items()}

    def filtered(self, image: np.ndarray, name: str, strength: float) -> np.ndarray:
        """Return an image in fractions of the scale, of the tone of good ones, through a filter."""
        return super().filtered(image, "nothing" if name == MAPPING else name, strength)

    def reconsidered(self, report: dict[str, Any], rows: HeldOutRows, network: Restorer) -> dict[str, Any]:
        """Return the report with what poor images say of the best method on good ones made poor, and of doing less."""
        poor, good = super().examples(*rows.part(rows.held[: _guard.MOST_COMPARED]), rows.degrading, rows.rng)
        psnr = {**report["psnr"], "nothing": _guard.mean_psnr(poor, good)}
        found = self._evidence(rows, report, network)
        chosen = choose(found, len(rows.poor.held) if rows.poor else 0)
        return {**report, "psnr": psnr, "on_poor": found, "chosen": chosen}

    def _evidence(self, rows: HeldOutRows, report: dict[str, Any], network: Restorer) -> dict[str, dict]:
        """What poor images that were held out say of the chosen method, the mapping of intensities, and nothing."""
        assert rows.poor is not None
        labels, held = rows.poor.labels, rows.poor.held
        raw = rows.poor.rows[held if labels is not None else held[: _guard.MOST_COMPARED]]
        good = [self.encode(rows.rows[i]) for i in rows.kept[: 4 * _guard.MOST_COMPARED]]
        made_poor, _ = self.examples(*rows.part(rows.held[: _guard.MOST_COMPARED]), rows.degrading, rows.rng)
        shrunk = Shrunk(network, report["shrinkage"] / self.span)
        found: dict[str, dict[str, float]] = {"distance": {}, "content": {}, "balanced_accuracy": {}}
        untreated = [self.encode(rows.poor.rows[i]) for i in [*held, *rows.poor.kept][: _guard.MOST_COMPARED]]
        found["apart"] = apart(untreated, good)
        names = dict.fromkeys([report["chosen"], MAPPING, "nothing"])
        toned = [self._toned(self.encode(image)) for image in raw]
        for name in names:
            method = Method(shrunk, name, report["strength"].get(name, 0.0))
            restored = self.apply_encoded(toned, method)
            found["distance"][name] = distance(restored, good)
            if name != "nothing":
                expected = content(made_poor, self.apply_encoded(made_poor, method))
                found["content"][name] = content(toned, restored) / max(expected, 1e-6)
            if labels is not None and not _guard.too_few(labels[held]):
                found["balanced_accuracy"][name] = _guard.cross_validated(restored, labels[held])
        return found

    # ---- at use

    def apply(self, rows: np.ndarray, method: Method) -> np.ndarray:
        """Return raw images restored, in their dtype."""
        if method.name == "nothing":
            return rows.copy()
        whole = super().apply
        return self._in_parts(rows, lambda toned: [cast(whole(toned, method), rows.dtype)])[0]

    def apply_encoded(self, poor: Encoded, method: Method) -> list[np.ndarray]:
        """Return images in fractions of the scale, of the tone of good ones, restored; by nothing, of that of X."""
        if method.name == "nothing" and self.shift is not None:
            return [self.shift.toned(image) for image in poor]
        return super().apply_encoded(poor, method)

    def apply_with_spread(self, rows: np.ndarray, method: Method) -> list[np.ndarray]:
        """Return raw images as [restored, spread, correction], in fractions of the scale."""
        whole = super().apply_with_spread
        results = self._in_parts(rows, lambda toned: whole(toned, method))
        return [self.codec.encode(rows), *results[1:]] if method.name == "nothing" else results

    def _in_parts(self, rows: np.ndarray, function: Callable[[np.ndarray], list[np.ndarray]]) -> list[np.ndarray]:
        """Images that have the tone of good ones through a function, some at a time: they are float copies."""
        size = int(np.clip(MOST_PIXELS // max(1, rows[0].size), 1, GROUP)) if len(rows) else GROUP
        parts = []
        for start in range(0, max(len(rows), 1), size):
            toned = [self._toned(self.codec.encode(image)) for image in rows[start : start + size]]
            stack = np.stack(toned) if toned else np.empty(rows.shape)
            parts.append(function(self.codec.decode(stack).astype(np.float32)))
        return [np.concatenate(part) for part in zip(*parts, strict=True)]


class ShiftedPairs(DegradedPairs):
    """Pairs from a pool of images of which as many are degraded anew as are used up."""

    def _from_pool(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        renewed = n * self.patch**2 / self.images[0].size * self.images[0].shape[-1] / RENEWED
        for _ in range(int(np.clip(renewed, 1, n)) - 1):
            self._renew(self.rng.randint(len(self.images)))
        return super()._from_pool(n)


def _some(rows: HeldOutRows, rng: np.random.RandomState) -> list[np.ndarray]:
    """Some raw images of those that are not held out."""
    most = int(np.clip(MOST_PIXELS // rows.rows[0].size, 8, LEARNED_ON))
    return [rows.rows[i] for i in rows.kept[rng.permutation(len(rows.kept))[:most]]]


# --------------------------------------------------------------------------------------------------------- evidence


def features(image: np.ndarray) -> np.ndarray:
    """Return what is compared of images, whatever their size: quantiles, means of parts, strength of gradients.

    Of the image a little smoothed: that a restored image has less noise than a good one shall not count.
    """
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(image, (SMOOTHING, SMOOTHING, 0))
    quantiles = np.quantile(smooth, np.linspace(0.05, 0.95, 7), axis=(0, 1))
    parts = [block.mean((0, 1)) for band in np.array_split(smooth, 3) for block in np.array_split(band, 3, axis=1)]
    return np.concatenate([quantiles.ravel(), np.ravel(parts), [np.log(_gradients(image).std() + 1e-3)]])


def distance(images: _guard.Images, good: _guard.Images) -> float:
    """Return the kernel distance of two sets, in features that are standardised on the good one: 0 to 2."""
    return _distance(*(np.stack([features(image) for image in some]) for some in (images, good)))


def apart(images: _guard.Images, good: _guard.Images) -> dict[str, float]:
    """Return the distance of untreated images, fine detail counted, and the largest among some draws of good ones."""
    of_images, of_good = (
        np.stack([[*features(image), np.log(differences(image[None])[0].std() + 1e-3)] for image in some])
        for some in (images, good)
    )
    rng, n = np.random.RandomState(0), min(len(of_images), len(of_good) // 2)
    draws = [np.split(rng.permutation(of_good), [n]) for _ in range(DRAWS)]
    return {"poor": _distance(of_images, of_good), "good": max(_distance(*draw) for draw in draws)}


def _distance(of_images: np.ndarray, of_good: np.ndarray) -> float:
    from scipy.spatial.distance import cdist

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:  # scikit-learn's checks take longer than this
        return np.exp(-cdist(a, b, "sqeuclidean") / a.shape[1])

    mean, spread = of_good.mean(0), np.maximum(of_good.std(0), 1e-3)
    rows = (np.clip((some - mean) / spread, -FARTHEST, FARTHEST) for some in (of_good, of_images))
    found = kernel_distance(*rows, kernel=kernel, n_subsets=20)
    assert isinstance(found, float)
    return found


def content(before: _guard.Images, after: _guard.Images) -> float:
    """Return the mean correlation of the gradients of images before and after, smoothed: of what is kept."""
    pairs = [(_gradients(b), _gradients(a)) for b, a in zip(before, after, strict=True)]
    sizes = [np.sqrt((a @ a) * (b @ b)) for a, b in pairs]
    return float(np.mean([a @ b / size if size > 1e-12 else 1.0 for (a, b), size in zip(pairs, sizes, strict=True)]))


def _gradients(image: np.ndarray) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(image, (SMOOTHING, SMOOTHING, 0))
    return np.stack([np.diff(smooth, axis=0)[:, :-1], np.diff(smooth, axis=1)[:-1]]).ravel()


def choose(found: dict[str, dict[str, float]], n: int) -> str:
    """Return the first method, in the order of `found`, by which poor images come nearer to good ones without harm.

    Nothing, where untreated images lie no farther `apart` than good ones do among each other.

    Harm is a content of less than `LEAST_CONTENT` of what the learned shift lets expect, or a balanced accuracy on `n`
    images that is lower than untreated by more than a standard error.
    """
    contents, accuracies = found["content"], found["balanced_accuracy"]
    if found["apart"]["poor"] <= found["apart"]["good"]:
        return "nothing"
    for name, away in found["distance"].items():
        least = _guard.lowest_alike(accuracies["nothing"], n) if accuracies else 0.0
        kept, tells = contents.get(name, 1.0) >= LEAST_CONTENT, accuracies.get(name, 0.0) >= least
        if kept and tells and away <= found["distance"]["nothing"]:
            return name
    return "nothing"
