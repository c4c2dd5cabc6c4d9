"""Held-out images, and what the network makes of each: once, for all that is learned from them."""

from __future__ import annotations

import numpy as np

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
    few treatments are compared on; `restore(image, with_spread)` gives what `respond` does.

    `compared` are these parts, `outputs` what became of them (poor ones with their spread), and `spared` is
    `Treatment.spared`: a little more than what becomes of good images, if poor ones are changed far more; else 0.
    """

    def __init__(self, inputs: dict[str, list], crop, restore):
        self.inputs, self._restore = inputs, restore
        self.compared = {kind: crop(images) for kind, images in inputs.items()}
        self.outputs = {
            kind: [restore(image, kind == "poor") for image in images] for kind, images in self.compared.items()
        }
        self.spared = self._learn_spared() if "clean" in inputs else 0.0

    def _learn_spared(self) -> float:
        clean, poor = (
            [size_of_change(image, restored) for image, (restored, *_) in zip(*pairs, strict=True)]
            for pairs in ((self.compared[kind], self.outputs[kind]) for kind in ("clean", "poor"))
        )
        spared = SPARED_MARGIN * max(clean)
        return spared if SPARED_CLEARANCE * spared <= np.median(poor) else 0.0

    def by_network(self, kind: str) -> list[np.ndarray]:
        """The compared parts after the network, but for those spared."""
        return self._spare(self.compared[kind], [restored for restored, *_ in self.outputs[kind]])

    def whole_by_network(self, kind: str) -> list[np.ndarray]:
        """All images after the network, but for those spared; where parts were compared whole, they are taken."""
        images = self.inputs[kind]
        whole = self.compared[kind][0].shape == images[0].shape  # images of a stack are of one shape
        known = [restored for restored, *_ in self.outputs[kind]] if whole else []
        return self._spare(images, known + [self._restore(image, False)[0] for image in images[len(known) :]])

    def _spare(self, before: list, after: list) -> list[np.ndarray]:
        keep = hardly_changed(before, after, self.spared)
        return [b if kept else a for b, a, kept in zip(before, after, keep, strict=True)]
