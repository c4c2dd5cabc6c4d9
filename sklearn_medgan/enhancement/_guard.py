"""Would doing nothing, or a simple classical filter, have been better? The comparison behind `GANEnhancer(guard=True)`.

Users do not know which of their images are poor, so methods are judged on good ones as well, where those are among
what comes in:

- A filter removes only the noise beyond what is usual in good training images, and leaves an image that has no more
  than that as it is.
- With class labels, a method after which good images are diagnosed worse, by more than a standard error, is out.

By PSNR, good images are reported and not judged: no method can do better than leaving them alone, and how much worse
is too much depends on how many of them there are, which the user knows better.

All images here are float32 (height, width, channels) in fractions of the learned scale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin

from ..metrics._images import decibels
from ._filters import STRENGTHS, available_filters, run_filter

Images = list[np.ndarray]

TUNED_ON = 4  # images
MOST_COMPARED = 16  # held-out images on which methods are compared by PSNR
SIDE = 128  # of the crops on which filters are tuned and compared
CLASSIFIER_SIDE = 32  # images are averaged down to about this for the linear classifier
MOST_DECIBELS = 100.0  # of equal images, so that a mean over images stays finite
N_FOLDS = 3  # of a classifier where no good images are at hand to learn it from
FEWEST_ROWS = 20  # held-out rows below which a classifier would decide by chance


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio of images in fractions of the scale (peak 1), at most `MOST_DECIBELS`."""
    return min(decibels(first, second, 1.0), MOST_DECIBELS)


def mean_psnr(images: Iterable[np.ndarray], good: Iterable[np.ndarray]) -> float:
    return float(np.mean([psnr(image, g) for image, g in zip(images, good, strict=True)]))


def tune(poor: Images, good: Images, usual: float = 0.0) -> dict[str, float]:
    """Return the strength of each filter with the highest mean PSNR on these training images."""
    strengths = {"nothing": 0.0}
    for name in available_filters():
        if name != "nothing":
            scores = [mean_psnr([run_filter(name, s, p, usual) for p in poor], good) for s in STRENGTHS]
            strengths[name] = STRENGTHS[int(np.argmax(scores))]
    return strengths


def middles(images: Sequence[np.ndarray], side: int | None = SIDE) -> Images:
    """Return those of the first few images (None: as they are): what methods are compared on by PSNR."""
    few = list(images[:MOST_COMPARED])
    return few if side is None else [middle(image, side) for image in few]


def middle(image: np.ndarray, side: int = SIDE) -> np.ndarray:
    """Return the central square of at most `side` pixels."""
    top, left = (max(s - side, 0) // 2 for s in image.shape[:2])
    return image[top : top + side, left : left + side]


def classifier(images: Iterable[np.ndarray], labels: np.ndarray) -> ClassifierMixin:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000)).fit(_columns(images), labels)


def accuracy(model: ClassifierMixin, images: Iterable[np.ndarray], labels: np.ndarray) -> float:
    from sklearn.metrics import balanced_accuracy_score

    return float(balanced_accuracy_score(labels, model.predict(_columns(images))))


def too_few(labels: np.ndarray) -> bool:
    """Return whether rows of these labels are too few for `cross_validated`, or of one class."""
    counts = np.unique(labels, return_counts=True)[1]
    return len(labels) < FEWEST_ROWS or len(counts) < 2 or bool(counts.min() < N_FOLDS)


def cross_validated(images: Sequence[np.ndarray], labels: np.ndarray) -> float:
    """Return the mean balanced accuracy of `classifier`, learned from some of the images and tried on the others."""
    from sklearn.model_selection import StratifiedKFold

    def fold(train: np.ndarray, test: np.ndarray) -> float:
        model = classifier([images[i] for i in train], labels[train])
        return accuracy(model, [images[i] for i in test], labels[test])

    folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=0).split(labels, labels)
    return float(np.mean([fold(*places) for places in folds]))


def _columns(images: Iterable[np.ndarray]) -> np.ndarray:
    """Flat rows of images averaged down to about `CLASSIFIER_SIDE` pixels a side, one by one."""
    from skimage.measure import block_reduce

    def averaged(image: np.ndarray) -> np.ndarray:
        factor = max(1, min(image.shape[:2]) // CLASSIFIER_SIDE)
        return block_reduce(image, (factor, factor, 1), np.mean).ravel()

    return np.stack([averaged(image) for image in images])


@dataclass
class Diagnosis:
    """How well a classifier of good images does on held-out ones after each method.

    Without one (`model` None), one of the images after that method does, by cross-validation.

    `kinds` are the images that come in: "poor" and, where users may have them too, "clean". `restored(name, kind)`
    gives those of a kind after a method. Filters are slow, so nothing is measured before it is asked for; `found` keeps
    what was.
    """

    model: ClassifierMixin | None
    labels: np.ndarray
    restored: Callable[[str, str], Images]
    kinds: list[str]
    found: dict[str, dict[str, float]] = field(default_factory=dict)

    def accuracy(self, kind: str, name: str) -> float:
        """Return the balanced accuracy of a method on "poor" or "clean" images."""
        found = self.found.setdefault(kind, {})
        if name not in found:
            images = self.restored(name, kind)
            by_folds = self.model is None
            found[name] = (
                cross_validated(images, self.labels) if by_folds else accuracy(self.model, images, self.labels)
            )
        return found[name]

    def does_no_harm(self, name: str) -> bool:
        """Return whether images of each kind are diagnosed as well as untreated ones, within a standard error."""
        return all([self.accuracy(kind, name) >= self._least(kind) for kind in self.kinds])

    def _least(self, kind: str) -> float:
        return lowest_alike(self.accuracy(kind, "nothing"), len(self.labels))


def lowest_alike(accuracy: float, n: int) -> float:
    """Return an accuracy on `n` images less its standard error."""
    return float(accuracy - np.sqrt(max(accuracy * (1.0 - accuracy), 0.05) / n))


def choose(scores: dict[str, float], diagnosis: Diagnosis | None = None) -> str:
    """Return the method to use: that of the highest PSNR among those that do no harm; of equals, the network.

    Without a diagnosis, none is known to do harm. If the network does, what is left goes by the diagnosis of poor
    images first.
    """
    ranks: dict[str, tuple[float, float]] = {name: (score, name == "network") for name, score in scores.items()}
    if diagnosis is None:
        return max(ranks, key=ranks.__getitem__)
    if not diagnosis.does_no_harm("network"):
        ranks = {name: (diagnosis.accuracy("poor", name), scores[name]) for name in scores if name != "network"}
    for name in sorted(ranks, key=ranks.__getitem__, reverse=True):
        if diagnosis.does_no_harm(name):
            return name
    return "nothing"


def uncompared(n_held_out: int) -> dict[str, Any]:
    """Return the report of a fit that was not guarded."""
    return {
        "chosen": "network",
        "n_held_out": n_held_out,
        "strength": {},
        "shrinkage": 0.0,
        "spared": 0.0,
        "psnr": {},
        "psnr_clean": None,
        "balanced_accuracy": None,
        "balanced_accuracy_clean": None,
    }


def compare(
    names: list[str],
    restored: Callable[[str, str], Images],
    kinds: list[str],
    good: Images,
    diagnosis: Diagnosis | None = None,
) -> dict[str, Any]:
    """Return what `guard_report_` says of methods: the chosen one and the figures.

    `restored` and `kinds` are those of `Diagnosis`; `good` is what held-out rows should become.
    """
    psnr = {kind: {name: mean_psnr(restored(name, kind), good) for name in names} for kind in kinds}
    chosen = choose(psnr["poor"], diagnosis)
    found = {} if diagnosis is None else diagnosis.found
    return {
        "chosen": chosen,
        "psnr": psnr["poor"],
        "psnr_clean": psnr.get("clean"),
        "balanced_accuracy": found.get("poor"),
        "balanced_accuracy_clean": found.get("clean"),
    }
