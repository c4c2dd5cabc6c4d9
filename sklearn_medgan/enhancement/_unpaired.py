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

from .._codecs import ends_of_images
from .._containers import cast
from . import _filters, _guard
from ._configuration import Degrading
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
MOST_TONED = 64  # images a side by which tone and shading have to show
RENEWED = 4.0  # times that a pixel of the pool is drawn before it is degraded anew
SMOOTHING = 1.5  # pixels, of what is compared of images
DRAWS, CHANCE = 200, 0.95  # ways to part two sets anew, and the share of their distances that count as chance
WEIGHT_OF_DETAIL = 2.0  # beside some 17 other features: noise shows in this one alone, and tells more of a scanner
EXPLAINED = 0.5  # of the distance between the sets, that has to go where what is left of it is no chance
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
        low, high = self.codec.decode(np.array(ends_of_images([poor]))).tolist()
        return replace(self, shift=_learned(poor, good), usual_noise=usual, poor_range=(low, high))

    def degrading(self, enhancer: Any) -> Degrading:
        """Return the learned shift; before it is learned, nothing."""
        return Degrading(self.shift, None)

    def pairs(self, rows: HeldOutRows, patch: int, rng: np.random.RandomState) -> PairSource:
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
        return {**report, "psnr": psnr, "on_poor": found, "chosen": choose(found)}

    def _evidence(self, rows: HeldOutRows, report: dict[str, Any], network: Restorer) -> dict[str, dict]:
        """What poor images that were held out say of the chosen method, the mapping of intensities, and nothing."""
        assert rows.poor is not None
        labels, held = rows.poor.labels, rows.poor.held
        compared = [*held, *rows.poor.kept][: max(_guard.MOST_COMPARED, len(held) if labels is not None else 0)]
        good = [self.encode(rows.rows[i]) for i in rows.kept[: 4 * _guard.MOST_COMPARED]]
        made_poor, _ = self.examples(*rows.part(rows.held[: _guard.MOST_COMPARED]), rows.degrading, rows.rng)
        shrunk = Shrunk(network, report["shrinkage"] / self.span)
        untreated = [self.encode(rows.poor.rows[i]) for i in compared]
        few = untreated[: _guard.MOST_COMPARED]
        found: dict[str, dict] = {name: {} for name in ("distance", "chance", "content", "balanced_accuracy")}
        found["apart"] = dict(zip(("distance", "chance"), distance(few, good, fine=True), strict=True))
        found["n_compared"] = {"poor": len(few), "good": len(good)}
        toned = [self._toned(image) for image in untreated]
        for name in dict.fromkeys([report["chosen"], "network", MAPPING, "nothing"]):
            method = Method(shrunk, name, report["strength"].get(name, 0.0))
            restored = self.apply_encoded(toned, method)
            found["distance"][name], found["chance"][name] = distance(restored[: len(few)], good)
            if name != "nothing":
                expected = content(made_poor, self.apply_encoded(made_poor, method))
                found["content"][name] = content(toned, restored) / max(expected, 1e-6)
            if labels is not None and not _guard.too_few(labels[held]):
                found["balanced_accuracy"][name] = _guard.cross_validated(restored[: len(held)], labels[held])
        found["against"] = {name: faults(found, name, len(held)) for name in found["content"]}
        return found

    # ---- at use

    def apply(self, rows: np.ndarray, method: Method) -> np.ndarray:
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


def _learned(poor: np.ndarray, good: np.ndarray) -> SiteShift:
    """The shift; without tone and shading where smooth features of the sets differ by chance, as patients do."""
    away, chance = distance(list(poor[:MOST_TONED]), list(good[:MOST_TONED]))
    return SiteShift.learn(poor, good, toned=away > chance)


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


def distance(images: _guard.Images, good: _guard.Images, fine: bool = False) -> tuple[float, float]:
    """Return the kernel distance of two sets, 0 to 2, and what it hardly exceeds by chance; `fine`: by detail, too.

    The squared maximum mean discrepancy of features that are standardised on both sets, without bias, and its quantile
    `CHANCE` when images of the two are mixed (Gretton et al. 2012, J. Mach. Learn. Res. 13, lemma 6 and section 3.2).
    """
    from scipy.spatial.distance import cdist

    rows = np.stack([[*features(image), _detail(image)] for image in [*images, *good]])
    rows = (rows - rows.mean(0)) / np.maximum(rows.std(0), 1e-3)
    rows[:, -1] *= WEIGHT_OF_DETAIL if fine else 0.0
    kernel = np.exp(-cdist(rows, rows, "sqeuclidean") / rows.shape[1])
    np.fill_diagonal(kernel, 0.0)
    n, m = len(images), len(good)

    def discrepancy(first: np.ndarray) -> float:
        second = 1.0 - first
        within = first @ kernel @ first / (n * (n - 1)) + second @ kernel @ second / (m * (m - 1))
        return float(within - 2.0 * first @ kernel @ second / (n * m))

    rng, of_images = np.random.RandomState(0), np.repeat([1.0, 0.0], [n, m])
    by_chance = [discrepancy(rng.permutation(of_images)) for _ in range(DRAWS)]
    return discrepancy(of_images), float(np.quantile(by_chance, CHANCE))


def _detail(image: np.ndarray) -> float:
    return float(np.log(differences(image[None])[0].std() + 1e-3))


def content(before: _guard.Images, after: _guard.Images) -> float:
    """Return the mean correlation of the gradients of images before and after, smoothed: of what is kept."""
    pairs = [(_gradients(b), _gradients(a)) for b, a in zip(before, after, strict=True)]
    sizes = [np.sqrt((a @ a) * (b @ b)) for a, b in pairs]
    return float(np.mean([a @ b / size if size > 1e-12 else 1.0 for (a, b), size in zip(pairs, sizes, strict=True)]))


def _gradients(image: np.ndarray) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(image, (SMOOTHING, SMOOTHING, 0))
    return np.stack([np.diff(smooth, axis=0)[:, :-1], np.diff(smooth, axis=1)[:-1]]).ravel()


def choose(found: dict[str, dict]) -> str:
    """Return the first method, in the order of `found`, that nothing speaks against.

    Nothing, where untreated images lie no farther `apart` from good ones than chance explains.
    """
    if found["apart"]["distance"] <= found["apart"]["chance"]:
        return "nothing"
    return next((name for name, words in found["against"].items() if not words), "nothing")


def faults(found: dict[str, dict], name: str, n: int) -> list[str]:
    """Return what speaks against a method, in words.

    That is a distance which is beyond chance and more than `EXPLAINED` of that untreated, a content of less than
    `LEAST_CONTENT` of what the learned shift lets expect, or a balanced accuracy on `n` images that is lower than
    untreated by more than a standard error.
    """
    away, before, accuracies = found["distance"][name], found["distance"]["nothing"], found["balanced_accuracy"]
    words = []
    if away > max(found["chance"][name], EXPLAINED * before):
        words.append(f"images come hardly nearer to the reference (kernel distance {away:.2f}, before {before:.2f})")
    if (kept := found["content"].get(name, 1.0)) < LEAST_CONTENT:
        words.append(f"edges do not stay where they were (only {100 * kept:.0f} % of what was to be expected)")
    if accuracies and accuracies[name] < _guard.lowest_alike(accuracies["nothing"], n):
        words.append(
            f"a classifier tells the classes worse apart (balanced accuracy {accuracies[name]:.2f}, before "
            f"{accuracies['nothing']:.2f})"
        )
    return words
