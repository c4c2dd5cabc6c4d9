"""Would doing nothing, or a simple classical filter, have been better? The comparison behind `GANEnhancer(guard=True)`.

Users do not know which of their images are poor, so treatments are judged on good ones as well, where those are among
what comes in:

- A filter removes only the noise beyond what is usual in good training images, and leaves an image that has no more
  than that as it is.
- With class labels, a treatment after which good images are diagnosed worse, by more than a standard error, is out.

By PSNR, good images are reported and not judged: no treatment can do better than leaving them alone, and how much worse
is too much depends on how many of them there are, which the user knows better.

All images here are float32 (height, width, channels) in fractions of the learned scale.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ..metrics._images import decibels
from ._filters import STRENGTHS, available_filters, run_filter

TUNED_ON = 4  # images
MOST_COMPARED = 16  # held-out images on which treatments are compared by PSNR
SIDE = 128  # of the crops on which filters are tuned and compared
CLASSIFIER_SIDE = 32  # images are averaged down to about this for the linear classifier
MOST_DECIBELS = 100.0  # of equal images, so that a mean over images stays finite
FEWEST_ROWS = 20  # held-out rows below which a classifier would decide by chance


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of images in fractions of the scale (peak 1), at most `MOST_DECIBELS`."""
    return min(decibels(first, second, 1.0), MOST_DECIBELS)


def mean_psnr(images, good) -> float:
    """Mean over pairs of images."""
    return float(np.mean([psnr(image, g) for image, g in zip(images, good, strict=True)]))


def tune(poor: list, good: list, usual: float = 0.0) -> dict[str, float]:
    """The strength of each filter with the highest mean PSNR on these training images."""
    strengths = {"nothing": 0.0}
    for name in available_filters():
        if name != "nothing":
            scores = [mean_psnr([run_filter(name, s, p, usual) for p in poor], good) for s in STRENGTHS]
            strengths[name] = STRENGTHS[int(np.argmax(scores))]
    return strengths


def middles(images: list, side: int | None = SIDE) -> list:
    """Those of the first few images (None: as they are): what treatments are compared on by PSNR."""
    few = images[:MOST_COMPARED]
    return few if side is None else [middle(image, side) for image in few]


def middle(image: np.ndarray, side: int = SIDE) -> np.ndarray:
    """The central square of at most `side` pixels."""
    top, left = (max(s - side, 0) // 2 for s in image.shape[:2])
    return image[top : top + side, left : left + side]


def classifier(images: list, labels):
    """A linear classifier of good training images."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000)).fit(_columns(images), labels)


def accuracy(model, images: list, labels) -> float:
    """Balanced accuracy of `classifier` on images."""
    from sklearn.metrics import balanced_accuracy_score

    return float(balanced_accuracy_score(labels, model.predict(_columns(images))))


def _columns(images: list) -> np.ndarray:
    """Flat rows of images averaged down to about `CLASSIFIER_SIDE` pixels a side."""
    from skimage.measure import block_reduce

    factor = max(1, min(images[0].shape[:2]) // CLASSIFIER_SIDE)
    return np.stack([block_reduce(image, (factor, factor, 1), np.mean).ravel() for image in images])


@dataclass
class Diagnosis:
    """How well a classifier of good images does on held-out ones after each treatment.

    `kinds` are the images that come in: "poor" and, where users may have them too, "clean". `treat(name, kind)` gives
    those of a kind after a treatment. Filters are slow, so nothing is measured before it is asked for; `found` keeps
    what was.
    """

    model: object
    labels: np.ndarray
    treat: Callable
    kinds: list[str]
    found: dict[str, dict[str, float]] = field(default_factory=dict)

    def accuracy(self, kind: str, name: str) -> float:
        """Balanced accuracy of a treatment on "poor" or "clean" images."""
        found = self.found.setdefault(kind, {})
        if name not in found:
            found[name] = accuracy(self.model, self.treat(name, kind), self.labels)
        return found[name]

    def spares(self, name: str) -> bool:
        """Whether images of each kind are diagnosed as well as untreated ones, within a standard error."""
        return all([self.accuracy(kind, name) >= self._least(kind) for kind in self.kinds])

    def _least(self, kind: str) -> float:
        p = self.accuracy(kind, "nothing")
        return p - np.sqrt(max(p * (1.0 - p), 0.05) / len(self.labels))


def verdict(scores: dict[str, float], diagnosis: Diagnosis | None = None) -> str:
    """The treatment to use: that of the highest PSNR among those that do no harm; of equals, the network.

    Without a diagnosis, none is known to do harm. If the network does, what is left goes by the diagnosis of poor
    images first.
    """
    ranks = {name: (score, name == "network") for name, score in scores.items()}
    if diagnosis is None:
        return max(ranks, key=ranks.get)
    if not diagnosis.spares("network"):
        ranks = {name: (diagnosis.accuracy("poor", name), scores[name]) for name in scores if name != "network"}
    for name in sorted(ranks, key=ranks.get, reverse=True):
        if diagnosis.spares(name):
            return name
    return "nothing"


def uncompared(n_held_out: int) -> dict:
    """The report of a fit that was not guarded."""
    return {
        "chosen": "network",
        "n_held_out": n_held_out,
        "strength": {},
        "doubt": 0.0,
        "spared": 0.0,
        "psnr": {},
        "psnr_clean": None,
        "balanced_accuracy": None,
        "balanced_accuracy_clean": None,
    }


def compare(names: list[str], treat: Callable, kinds: list[str], good: list, diagnosis=None) -> dict:
    """What `guard_report_` says of treatments: the chosen one and the figures.

    `treat` and `kinds` are those of `Diagnosis`; `good` is what held-out rows should become.
    """
    psnr = {kind: {name: mean_psnr(treat(name, kind), good) for name in names} for kind in kinds}
    chosen = verdict(psnr["poor"], diagnosis)
    found = {} if diagnosis is None else diagnosis.found
    return {
        "chosen": chosen,
        "psnr": psnr["poor"],
        "psnr_clean": psnr.get("clean"),
        "balanced_accuracy": found.get("poor"),
        "balanced_accuracy_clean": found.get("clean"),
    }
