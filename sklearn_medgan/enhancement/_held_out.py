"""Rows held out from training, what the network makes of each (once), and what is learned from that."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from . import _guard
from ._configuration import Degrading
from ._error_model import ErrorModel
from ._restoration import Method
from ._shrinkage import Restorer, Shrunk, learn_shrinkage, shrink, size_of_change, spare

MOST_HELD_OUT = 16  # images that guard and calibration see and training does not; with labels, a quarter of the rows
MOST_LABELLED = 100
FEWEST_OF_SETS = 2  # images held out where two sets are compared
CALIBRATED_ON = 48  # poor versions of held-out images, at most `MOST_VERSIONS` of each
CALIBRATED_SIDE = 256  # pixels a side of what the spread is calibrated on
LARGEST_COMPARED = 512  # pixels a side of what is restored to compare methods
MOST_VERSIONS = 6
MOST_VERSIONS_OF_WHOLE = 2  # by degradations of whole images, which may take a second each, as low_dose_ct does
SPARED_MARGIN = 1.25  # times the largest change of a held-out good image: others may be changed a little more
SPARED_CLEARANCE = 2.0  # times that is what a poor image must usually be changed, or good and poor look alike

Images = list[np.ndarray]


@dataclass(frozen=True)
class Subset:
    """Some rows of an array, without a copy of them all."""

    rows: np.ndarray
    indices: np.ndarray

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self.rows[i] for i in self.indices)

    def __getitem__(self, place: Any) -> np.ndarray:
        return self.rows[self.indices[place]]


@dataclass(frozen=True)
class HeldOutRows:
    """Raw rows of a fit, of which some are held out from training.

    `target` are their good versions where these were given, `labels` their classes; `held` and `kept` are the numbers
    of the rows held out and of those trained on. `degrading` makes good rows poor, by chance of `rng`. Where good and
    poor rows are those of different patients, these are the good ones, and `poor` holds the others.
    """

    rows: np.ndarray
    target: np.ndarray | None
    labels: np.ndarray | None
    held: np.ndarray
    kept: np.ndarray
    degrading: Degrading
    rng: np.random.RandomState
    poor: HeldOutRows | None = None

    @classmethod
    def split(
        cls,
        rows: np.ndarray,
        labels: np.ndarray | None,
        good: tuple[np.ndarray | None, np.ndarray | None],
        degrading: Degrading,
        of_split: np.random.RandomState,
        rng: np.random.RandomState,
        reference_labels: np.ndarray | None = None,
    ) -> HeldOutRows:
        """Return rows of which some are held out by chance; `good` are their targets, and the good ones of others.

        With labels of both sets, each keeps of a class what makes their mixes alike.
        """
        target, reference = good
        if reference is None:
            return cls(rows, target, labels, *hold_out(len(rows), labels, of_split), degrading, rng)
        usable, others = np.arange(len(rows)), np.arange(len(reference))
        if labels is not None and reference_labels is not None:
            mix = alike_mix(labels, reference_labels)
            usable, others = of_mix(labels, mix[0], of_split), of_mix(reference_labels, mix[1], of_split)
        (held, kept), (good_held, good_kept) = (
            hold_out(len(numbers), None if classes is None else classes[numbers], of_split, FEWEST_OF_SETS)
            for numbers, classes in ((usable, labels), (others, reference_labels))
        )
        parts = cls(rows, target, labels, usable[held], usable[kept], degrading, rng)
        return cls(reference, None, None, others[good_held], others[good_kept], degrading, rng, parts)

    def part(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return some rows and their targets, copies."""
        return self.rows[indices], None if self.target is None else self.target[indices]

    def good(self, indices: np.ndarray) -> Subset:
        """Return good versions of some rows: the targets, or where there are none the rows themselves."""
        return Subset(self.rows if self.target is None else self.target, indices)

    def n_versions(self, n: int, most: int = MOST_VERSIONS) -> int:
        """Return how many poor versions of each of `n` rows the spread is calibrated on; given ones cannot vary."""
        return int(np.clip(-(-CALIBRATED_ON // n), 1, most)) if self.target is None else 1


class Assessment(NamedTuple):
    """What was learned from held-out rows: the `guard_report_`, and how the chosen method errs, if that is known."""

    report: dict[str, Any]
    error_model: ErrorModel | None


def hold_out(
    n: int, labels: np.ndarray | None, rng: np.random.RandomState, fewest: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows for guard and calibration, and rows for training; with labels, of each class alike."""
    order = rng.permutation(n)
    if labels is None:
        n_held = max(fewest, min(MOST_HELD_OUT, n // 5))
        return order[:n_held], order[n_held:]
    share = min(0.25, MOST_LABELLED / n)
    held: list[int] = []
    for label in np.unique(labels):
        members = order[labels[order] == label]
        held.extend(members[: int(len(members) * share)])
    held = held if len(held) >= fewest else order[:fewest].tolist()
    return np.array(held), np.setdiff1d(order, held)


def alike_mix(labels: np.ndarray, others: np.ndarray) -> tuple[dict[Any, int], dict[Any, int]]:
    """Return how many rows of each class to keep of two sets, so that both have the same shares of the common ones.

    A share is in proportion to the lower of those that the class has in the two sets: few rows are left out of either.
    """
    counts = [dict(zip(*np.unique(values, return_counts=True), strict=True)) for values in (labels, others)]
    lower = {c: min(n / len(labels), counts[1][c] / len(others)) for c, n in counts[0].items() if c in counts[1]}
    shares = {c: share / sum(lower.values()) for c, share in lower.items()}
    whole = [min((n[c] / share for c, share in shares.items()), default=0.0) for n in counts]
    first, second = ({c: int(size * share + 1e-9) for c, share in shares.items()} for size in whole)
    return first, second


def of_mix(labels: np.ndarray, mix: dict[Any, int], rng: np.random.RandomState) -> np.ndarray:
    """Return the numbers of so many rows of each class, by chance, in order."""
    order = rng.permutation(len(labels))
    return np.sort(np.concatenate([order[labels[order] == label][:n] for label, n in mix.items()]))


class RestoredImages:
    """Held-out images that come in, and the first few of them restored.

    `inputs` maps "poor" and, where users may have them too, "clean" to images. `crop(images)` takes what of the first
    few methods are compared on; `restore(image, with_spread)` gives what `respond` does. `good` is what the middles of
    poor images should become; None leaves the network's corrections as they are.

    `compared` are the parts that `crop` takes, and `outputs` what became of them (poor ones with spread and
    correction). `shrinkage` is that of `Shrunk`, and `spared` is `Method.spared`: a little more than what becomes of
    good images, if poor ones are changed far more; else 0.
    """

    def __init__(
        self,
        inputs: dict[str, Images],
        crop: Callable[[Images], Images],
        restore: Callable[[np.ndarray, bool], Images],
        good: Images | None = None,
    ) -> None:
        self.inputs, self._restore = inputs, restore
        self.compared = {kind: crop(images) for kind, images in inputs.items()}
        self.outputs = {
            kind: [restore(image, kind == "poor") for image in images] for kind, images in self.compared.items()
        }
        self.shrinkage = 0.0 if good is None else self._learn_shrinkage(good)
        self.spared = self._learn_spared() if "clean" in inputs else 0.0

    def _learn_shrinkage(self, good: Images) -> float:
        """From poor images; `outputs` are then those of the shrunk network."""
        restored, spreads, corrections = zip(*self.outputs["poor"], strict=True)
        seen = [r - c for r, c in zip(restored, corrections, strict=True)]
        size = learn_shrinkage(*(_guard.middles(images) for images in (seen, restored, good)))
        results = [shrink(*pair, size) for pair in zip(seen, restored, strict=True)]
        self.outputs["poor"] = [[r, s, r - p] for r, s, p in zip(results, spreads, seen, strict=True)]
        if "clean" in self.inputs:
            pairs = zip(self.compared["clean"], self.outputs["clean"], strict=True)
            self.outputs["clean"] = [[shrink(image, restored, size)] for image, (restored,) in pairs]
        return size

    def _learn_spared(self) -> float:
        clean, poor = (
            [size_of_change(image, restored) for image, (restored, *_) in zip(*pairs, strict=True)]
            for pairs in ((self.compared[kind], self.outputs[kind]) for kind in ("clean", "poor"))
        )
        spared = SPARED_MARGIN * max(clean)
        return spared if SPARED_CLEARANCE * spared <= np.median(poor) else 0.0

    def by_network(self, kind: str) -> Images:
        """Return the compared parts after the network, but for those spared."""
        return self.spare(self.compared[kind], [restored for restored, *_ in self.outputs[kind]])

    def whole_by_network(self, kind: str) -> Images:
        """Return all images after the network, but for those spared; those compared whole are not restored again."""
        images = self.inputs[kind]
        whole = self.compared[kind][0].shape == images[0].shape  # images of a stack are of one shape
        known = [restored for restored, *_ in self.outputs[kind]] if whole else []
        return self.spare(images, known + [self._restored(image) for image in images[len(known) :]])

    def _restored(self, image: np.ndarray) -> np.ndarray:
        """After the shrunk network; what it took, perhaps after a tone curve, is the result less the correction."""
        if self.shrinkage == 0.0:
            return self._restore(image, False)[0]
        restored, _, correction = self._restore(image, True)
        return shrink(restored - correction, restored, self.shrinkage)

    def spare(self, before: Images, after: Images) -> Images:
        return spare(before, after, self.spared)


def assess_images(restoration: Any, rows: HeldOutRows, network: Restorer, guard: bool) -> Assessment:
    """Compare methods on held-out images, and learn how the chosen one errs; see `Restoration.assess`."""
    poor, good = restoration.examples(*rows.part(rows.held), rows.degrading, rows.rng)
    takes_good = guard and restoration.takes_good(rows.target)
    inputs = {"poor": poor, "clean": good} if takes_good else {"poor": poor}

    def restore(image: np.ndarray, with_spread: bool) -> Images:
        return restoration.restore(image, network, with_spread)

    def crop(images: Images) -> Images:
        """The first few; of large ones the middle, but for a tone curve, which has to see all of an image."""
        return _guard.middles(images, LARGEST_COMPARED if restoration.tone is None else None)

    images = RestoredImages(inputs, crop, restore, _guard.middles(good) if guard else None)
    report = _guard.uncompared(len(rows.held))
    if guard:
        tuned = restoration.examples(*rows.part(rows.kept[: _guard.TUNED_ON]), rows.degrading, rows.rng)
        poor_middles, good_middles = map(_guard.middles, tuned)
        report["strength"] = restoration.tuned(poor_middles, good_middles)
        report["shrinkage"] = images.shrinkage * restoration.span
        report["spared"] = images.spared * restoration.span
        report.update(_compare(restoration, rows, images, good, report["strength"]))
        report = restoration.reconsidered(report, rows, network)
    return Assessment(report, _calibrate(restoration, rows, network, images, good, report))


def _compare(
    restoration: Any, rows: HeldOutRows, images: RestoredImages, good: Images, strength: dict[str, float]
) -> dict[str, Any]:
    def whole(name: str, kind: str) -> Images:
        if name == "network":
            return images.whole_by_network(kind)
        return [restoration.filtered(image, name, strength[name]) for image in images.inputs[kind]]

    def middles(name: str, kind: str) -> Images:
        if name == "network":
            return _guard.middles(images.by_network(kind))
        return [restoration.filtered(image, name, strength[name]) for image in _guard.middles(images.compared[kind])]

    kinds = list(images.inputs)
    judge = _judge(restoration, rows)
    diagnosis = None if judge is None else _guard.Diagnosis(*judge, whole, kinds)
    return _guard.compare(["network", *strength], middles, kinds, _guard.middles(good), diagnosis)


def _judge(restoration: Any, rows: HeldOutRows) -> tuple[Any, np.ndarray] | None:
    """A classifier of good training images and the labels of those held out; None where these are too few."""
    labels = rows.labels
    if labels is None or len(rows.held) < _guard.FEWEST_ROWS or len(np.unique(labels[rows.held])) < 2:
        return None
    good = map(restoration.encode, rows.good(rows.kept))
    return _guard.classifier(good, labels[rows.kept]), labels[rows.held]


def _versions(
    restoration: Any, rows: HeldOutRows, network: Restorer, images: RestoredImages
) -> Iterator[tuple[int, np.ndarray, Images]]:
    """The number of an image that was compared, a poor version of it, and what the shrunk network makes of that.

    First those that were compared, then others: each has its level of the degradation, and a few images would meet few.
    """
    for i, (poor, outputs) in enumerate(zip(images.compared["poor"], images.outputs["poor"], strict=True)):
        yield i, poor, outputs
    network, side = Shrunk(network, images.shrinkage), CALIBRATED_SIDE if restoration.tone is None else None
    compared, most = rows.held[: _guard.MOST_COMPARED], MOST_VERSIONS
    if getattr(rows.degrading.function, "reach", None) is None:
        most = MOST_VERSIONS_OF_WHOLE
    for _ in range(1, rows.n_versions(len(compared), most)):
        for i, row in enumerate(compared):
            (poor,), _ = restoration.examples(rows.rows[row : row + 1], None, rows.degrading, rows.rng)
            (poor,) = _guard.middles([poor], side)
            yield i, poor, restoration.restore(poor, network, with_spread=True)


def _calibrate(
    restoration: Any,
    rows: HeldOutRows,
    network: Restorer,
    images: RestoredImages,
    good: Images,
    report: dict[str, Any],
) -> ErrorModel:
    chosen, found, middle = report["chosen"], [], functools.partial(_guard.middle, side=CALIBRATED_SIDE)
    for i, poor, (restored, spread, correction) in _versions(restoration, rows, network, images):
        if chosen == "network":
            (treated,) = images.spare([poor], [restored])
        else:
            method = Method(network, chosen, report["strength"].get(chosen, 0.0))
            (treated,) = restoration.apply_encoded([poor], method)
        found.append((middle(good[i]) - middle(treated), middle(spread), middle(correction), i))
    return ErrorModel.learn(*map(list, zip(*found, strict=True)))
