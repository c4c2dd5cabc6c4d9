"""Held-out images, and what the network makes of each: once, for all that is learned from them."""

from __future__ import annotations

import numpy as np

from ._guard import middles
from ._shrinkage import earned, learn_doubt

SPARED_MARGIN = 1.25  # times the largest change of a held-out good image: others may be changed a little more
SPARED_CLEARANCE = 2.0  # times that is what a poor image must usually be changed, or good and poor look alike


def size_of_change(before: np.ndarray, after: np.ndarray) -> float:
    """Root mean square of what became different."""
    return float(np.sqrt(np.mean(np.square(np.subtract(after, before, dtype=np.float32)), dtype=np.float64)))


def hardly_changed(before, after, limit: float) -> np.ndarray:
    """Which images a treatment changed by no more than `limit`, (n,) bool."""
    return np.array([size_of_change(*pair) <= limit for pair in zip(before, after, strict=True)], dtype=bool)


class HeldOutImages:
    """Images that come in, and the first few of them restored.

    `inputs` maps "poor" and, where users may have them too, "clean" to images. `crop(images)` takes what of the first
    few treatments are compared on; `restore(image, with_spread)` gives what `respond` does. `good` is what the middles
    of poor images should become; None trusts the network.

    `compared` are the parts that `crop` takes, and `outputs` what became of them (poor ones with spread and
    correction). `doubt` is that of `Doubted`, and `spared` is `Treatment.spared`: a little more than what becomes of
    good images, if poor ones are changed far more; else 0.
    """

    def __init__(self, inputs: dict[str, list], crop, restore, good: list | None = None):
        self.inputs, self._restore = inputs, restore
        self.compared = {kind: crop(images) for kind, images in inputs.items()}
        self.outputs = {
            kind: [restore(image, kind == "poor") for image in images] for kind, images in self.compared.items()
        }
        self.doubt = 0.0
        if good is not None:
            self._learn_doubt(good)
        self.spared = self._learn_spared() if "clean" in inputs else 0.0

    def _learn_doubt(self, good: list) -> None:
        """From poor images; `outputs` are then those of the doubted network."""
        restored, spreads, corrections = zip(*self.outputs["poor"], strict=True)
        seen = [r - c for r, c in zip(restored, corrections, strict=True)]
        self.doubt = learn_doubt(*map(middles, (seen, restored, good)))
        results = [earned(*pair, self.doubt) for pair in zip(seen, restored, strict=True)]
        self.outputs["poor"] = [[r, s, r - p] for r, s, p in zip(results, spreads, seen, strict=True)]
        if "clean" in self.inputs:
            pairs = zip(self.compared["clean"], self.outputs["clean"], strict=True)
            self.outputs["clean"] = [[earned(image, restored, self.doubt)] for image, (restored,) in pairs]

    def _learn_spared(self) -> float:
        clean, poor = (
            [size_of_change(image, restored) for image, (restored, *_) in zip(*pairs, strict=True)]
            for pairs in ((self.compared[kind], self.outputs[kind]) for kind in ("clean", "poor"))
        )
        spared = SPARED_MARGIN * max(clean)
        return spared if SPARED_CLEARANCE * spared <= np.median(poor) else 0.0

    def by_network(self, kind: str) -> list[np.ndarray]:
        """The compared parts after the network, but for those spared."""
        return self.spare(self.compared[kind], [restored for restored, *_ in self.outputs[kind]])

    def whole_by_network(self, kind: str) -> list[np.ndarray]:
        """All images after the network, but for those spared; where parts were compared whole, they are taken."""
        images = self.inputs[kind]
        whole = self.compared[kind][0].shape == images[0].shape  # images of a stack are of one shape
        known = [restored for restored, *_ in self.outputs[kind]] if whole else []
        return self.spare(images, known + [self._restored(image) for image in images[len(known) :]])

    def _restored(self, image: np.ndarray) -> np.ndarray:
        """After the doubted network; what it took, perhaps changed by an anchor, is the result less the correction."""
        if self.doubt == 0.0:
            return self._restore(image, False)[0]
        restored, _, correction = self._restore(image, True)
        return earned(restored - correction, restored, self.doubt)

    def spare(self, before: list, after: list) -> list[np.ndarray]:
        """Images after the network, but for those that it hardly changed."""
        keep = hardly_changed(before, after, self.spared)
        return [b if kept else a for b, a, kept in zip(before, after, keep, strict=True)]
