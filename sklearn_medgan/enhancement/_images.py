"""Images when `GANEnhancer` trains and restores."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from .._codecs import ImageScale
from .._containers import cast
from . import _filters, _guard
from ._error_model import Errors
from ._held_out import HeldOutImages, hardly_changed
from ._pairs import DegradedPairs, GivenPairs, degrade, enlarge, trim
from ._restoration import MOST_VERSIONS, HeldOut, Treatment, n_outputs, n_versions, respond
from ._shrinkage import Doubted
from ._tiling import GROUP, SMALL, apply, padded, reflect
from ._tone import WORTHWHILE, Anchor, change, coarse

LARGEST_COMPARED = 512  # pixels a side of what is restored to compare treatments
CALIBRATED_SIDE = 256  # of what the spread is calibrated on
MOST_VERSIONS_OF_WHOLE = 2  # by degradations of whole images, which may take a second each, as low_dose_ct does
ANCHORED_ON, DRAWS_OF_ANCHOR = 32, 12  # images, and draws of so many once it is worthwhile


@dataclass(frozen=True)
class ImageMedium:
    """Images (n, height, width, channels): scale of intensities, enlargement, tiles, and the anchor where one helps.

    `usual_noise` is that of good images, from which filters start.
    """

    codec: ImageScale
    scale: int
    tile: int
    halo: int
    stride: int
    anchor: Anchor | None = None
    usual_noise: float = 0.0

    def takes_good(self, target) -> bool:
        """Whether good images may come in, to be left as they are: only where they look like poor ones, but better."""
        return target is None and self.scale == 1 and self.anchor is None

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Good images as float32 in fractions of the scale, their sides cut to multiples of the enlargement."""
        return self.codec.encode(trim(images, self.scale))

    def pairs(self, images, target, degradation, reach, patch: int, rng):
        """A source of training pairs."""
        if target is None:
            return DegradedPairs(images, self.codec.encode, degradation, reach, self.scale, self.anchor, patch, rng)
        return GivenPairs(images, target, self.codec.encode, self.scale, self.anchor, patch, rng)

    def examples(self, images, target, degradation, rng) -> tuple[list, list]:
        """Each image poor, in the form that the network takes but for the anchor, and good."""
        if target is None:
            good = [self.encode(image) for image in images]
            poor = [degrade(image[None], degradation, self.scale, rng)[0] for image in good]
        else:
            good, poor = [self.encode(image) for image in target], [self.codec.encode(image) for image in images]
        return [enlarge(image[None], self.scale)[0].astype(np.float32) for image in poor], good

    def learn(self, images, target, degradation, rng) -> ImageMedium:
        """This with what training images teach beside the network: the anchor, and the noise of good ones."""
        medium = replace(self, anchor=self._learn_anchor(images, target, degradation, rng))
        if not medium.takes_good(target):
            return medium
        some = images[rng.permutation(len(images))[: _filters.GOOD_LOOKED_AT]]
        return replace(medium, usual_noise=_filters.usual_noise([self.encode(image) for image in some]))

    def _learn_anchor(self, images, target, degradation, rng) -> Anchor | None:
        """One that brings training images at least `WORTHWHILE` dB closer to the good ones; else None."""
        picks = rng.permutation(len(images))

        def draw(rows):
            return self.examples(images[rows], None if target is None else target[rows], degradation, rng)

        tried = draw(picks[:ANCHORED_ON])
        if self._gain(Anchor.learn(*tried), *tried) < WORTHWHILE:
            return None
        # It is worth more examples: other levels of the degradation, on other images.
        pairs = [draw(rng.choice(len(images), ANCHORED_ON)) for _ in range(DRAWS_OF_ANCHOR)]
        return Anchor.learn(*([image for pair in pairs for image in pair[side]] for side in (0, 1)))

    @staticmethod
    def _gain(anchor: Anchor, poor: list, good: list) -> float:
        """Mean gain in dB, judged on coarse images: to dampen noise is not the anchor's business."""
        gains = [
            _guard.psnr(coarse(anchor(p)), coarse(g)) - _guard.psnr(coarse(p), coarse(g))
            for p, g in zip(poor, good, strict=True)
        ]
        return float(np.mean(gains))

    def restore(self, image: np.ndarray, network: Callable, with_spread=False) -> list[np.ndarray]:
        """One enlarged image in fractions of the scale, as `respond` does."""
        outputs = [np.empty(image.shape, np.float32) for _ in range(n_outputs(with_spread))]

        def write(rows, columns, parts):
            for output, part in zip(outputs, parts, strict=True):
                output[rows, columns] = part

        self._through(image, network, with_spread, self._prepare(image, encoded=True), write)
        return outputs

    def _prepare(self, image, encoded: bool):
        """What turns a block of the image into what the network takes."""
        encode = (lambda block: np.asarray(block, np.float32)) if encoded else self.codec.encode
        if self.anchor is None:
            return encode
        mapping = self.anchor.mapping(image, encode)
        return lambda block: change(encode(block), mapping)

    def _through(self, image, network, with_spread, prepare, write) -> None:
        function = functools.partial(respond, network, with_spread=with_spread)
        apply(function, image, tile=self.tile, halo=self.halo, stride=self.stride, prepare=prepare, write=write)

    def restore_all(self, images: np.ndarray, network: Callable, with_spread=False) -> list[np.ndarray]:
        """Raw images to [restored in their dtype], or all that `respond` gives in fractions of the scale."""
        n, height, width, channels = images.shape
        shape = (n, height * self.scale, width * self.scale, channels)
        dtype = np.float32 if with_spread else images.dtype
        outputs = [np.empty(shape, dtype) for _ in range(n_outputs(with_spread))]
        finish = (lambda part: part) if with_spread else (lambda part: cast(self.codec.decode(part), dtype))

        def write(place, parts):
            for output, part in zip(outputs, parts, strict=True):
                output[place] = finish(part)

        if max(padded(side, self.stride) for side in shape[1:3]) <= SMALL:
            self._in_groups(images, network, with_spread, write)
        else:
            for i, image in enumerate(images):
                source = image if self.scale == 1 else enlarge(self.codec.encode(image)[None], self.scale)[0]
                prepare = self._prepare(source, encoded=self.scale > 1)
                self._through(
                    source,
                    network,
                    with_spread,
                    prepare,
                    lambda rows, columns, parts, i=i: write((i, rows, columns), parts),
                )
        return outputs

    def _in_groups(self, images, network, with_spread, write) -> None:
        for start in range(0, len(images), GROUP):
            blocks = enlarge(self.codec.encode(images[start : start + GROUP]), self.scale).astype(np.float32)
            if self.anchor is not None:
                blocks = np.stack([self.anchor(block) for block in blocks])
            n, height, width = blocks.shape[:3]
            blocks = reflect(blocks, padded(height, self.stride), padded(width, self.stride))
            parts = respond(network, np.pad(blocks, [(0, GROUP - n), (0, 0), (0, 0), (0, 0)]), with_spread)
            write(slice(start, start + n), [part[:n, :height, :width] for part in parts])

    def filter_all(self, images: np.ndarray, name: str, strength: float) -> np.ndarray:
        """Raw images through a classical filter, in their dtype."""
        results = []
        for image in images:
            source = enlarge(self.codec.encode(image)[None], self.scale)[0].astype(np.float32)
            results.append(cast(self.codec.decode(self._filter(name, strength, source)), images.dtype))
        return np.stack(results)

    def _filter(self, name: str, strength: float, image: np.ndarray) -> np.ndarray:
        return _filters.run_filter(name, strength, image, self.usual_noise)

    def decode(self, values: np.ndarray) -> np.ndarray:
        """Fractions of the scale as float64 in the units of the data."""
        return self.codec.decode(values)

    decode_draw = decode

    def in_units(self, spread: np.ndarray) -> np.ndarray:
        """Differences in fractions of the scale as differences in the units of the data."""
        return spread * self.codec.span

    def visible(self, images: list) -> list:
        """What of encoded images belongs to the data: all."""
        return images

    def treat(self, images: np.ndarray, treatment: Treatment) -> np.ndarray:
        """Raw images through a treatment, in their dtype."""
        network, name, strength, spared = treatment
        if name == "network":
            restored = self.restore_all(images, network)[0]
            if spared:
                keep = hardly_changed(images, restored, spared * self.codec.span)
                restored[keep] = images[keep]
            return restored
        return images.copy() if name == "nothing" and self.scale == 1 else self.filter_all(images, name, strength)

    def treat_encoded(self, poor: list, treatment: Treatment) -> list:
        """Enlarged images in fractions of the scale through a treatment."""
        network, name, strength, spared = treatment
        if name == "network":
            restored = [self.restore(image, network)[0] for image in poor]
            keep = hardly_changed(poor, restored, spared)
            return [p if kept else r for p, r, kept in zip(poor, restored, keep, strict=True)]
        return [self._filter(name, strength, image) for image in poor]

    def with_spread(self, images: np.ndarray, treatment: Treatment) -> list[np.ndarray]:
        """Raw images to [treated, spread, correction], in fractions of the scale; the last two are the network's."""
        network, name, strength, spared = treatment
        treated, spread, correction = self.restore_all(images, network, with_spread=True)
        if name != "network":
            treated = self.codec.encode(self.filter_all(images.astype(np.float64), name, strength))
        elif spared:
            before = self.codec.encode(images)
            keep = hardly_changed(before, treated, spared)
            treated[keep] = before[keep]
        return [treated, spread, correction]

    def held_out(self, part, kept, held, labels, degradation, rng, network: Callable, guard: bool) -> HeldOut:
        """Compare treatments of held-out images, and learn how the chosen one errs."""
        poor, good = self.examples(*part(held), degradation, rng)
        inputs = {"poor": poor, "clean": good} if guard and self.takes_good(part(held)[1]) else {"poor": poor}

        def restore(image, with_spread):
            return self.restore(image, network, with_spread)

        images = HeldOutImages(inputs, self._compared, restore, _guard.middles(good) if guard else None)
        report = _guard.uncompared(len(held))
        if guard:
            tuned = self.examples(*part(kept[: _guard.TUNED_ON]), degradation, rng)
            report["strength"] = _guard.tune(*map(_guard.middles, tuned), self.usual_noise)
            report["doubt"], report["spared"] = (part * self.codec.span for part in (images.doubt, images.spared))
            judge = self._judge(part(kept), labels, kept, held)
            report.update(self._compare(images, good, judge, report["strength"]))
        versions = self._versions(images, part(held[: _guard.MOST_COMPARED]), degradation, rng, network)
        return HeldOut(report, self._calibrate(images, versions, good, report))

    def _compare(self, images: HeldOutImages, good: list, judge, strength: dict) -> dict:
        """Figures of every treatment, and the choice; `judge` is a classifier and the labels of the images, or None."""

        def treat(name, kind):
            if name == "network":
                return images.whole_by_network(kind)
            return [self._filter(name, strength[name], image) for image in images.inputs[kind]]

        def treat_middles(name, kind):
            if name == "network":
                return _guard.middles(images.by_network(kind))
            return [self._filter(name, strength[name], image) for image in _guard.middles(images.compared[kind])]

        kinds = list(images.inputs)
        diagnosis = None if judge is None else _guard.Diagnosis(*judge, treat, kinds)
        return _guard.compare(["network", *strength], treat_middles, kinds, _guard.middles(good), diagnosis)

    def _compared(self, images: list) -> list:
        """The first few; of large ones the middle, but for an anchor, which has to see all of an image."""
        return _guard.middles(images, LARGEST_COMPARED if self.anchor is None else None)

    def _judge(self, training, labels, kept, held) -> tuple | None:
        """A classifier of good training images and the labels of those held out; None where these are too few."""
        if labels is None or len(held) < _guard.FEWEST_ROWS or len(np.unique(labels[held])) < 2:
            return None
        images, target = training
        good = [self.encode(image) for image in (images if target is None else target)]
        return _guard.classifier(good, labels[kept]), labels[held]

    def _versions(self, images: HeldOutImages, rows, degradation, rng, network: Callable) -> Iterator[tuple]:
        """The number of an image that was compared, a poor version of it, and what the doubted network makes of that.

        First those that were compared, then others: each has its level of the degradation, and a few images would meet
        few.
        """
        for i, (poor, outputs) in enumerate(zip(images.compared["poor"], images.outputs["poor"], strict=True)):
            yield i, poor, outputs
        network, side = Doubted(network, images.doubt), CALIBRATED_SIDE if self.anchor is None else None
        whole = getattr(degradation, "reach", None) is None
        for _ in range(1, n_versions(*rows, MOST_VERSIONS_OF_WHOLE if whole else MOST_VERSIONS)):
            for i in range(len(rows[0])):
                (poor,), _ = self.examples(rows[0][i : i + 1], None, degradation, rng)
                (poor,) = _guard.middles([poor], side)
                yield i, poor, self.restore(poor, network, with_spread=True)

    def _calibrate(self, images: HeldOutImages, versions, good: list, report: dict) -> Errors:
        """How the chosen treatment errs on the middles of images."""
        chosen, found, middle = report["chosen"], [], functools.partial(_guard.middle, side=CALIBRATED_SIDE)
        for i, poor, (restored, spread, correction) in versions:
            if chosen == "network":
                (treated,) = images.spare([poor], [restored])
            else:
                treated = self._filter(chosen, report["strength"][chosen], poor)
            found.append((middle(good[i]) - middle(treated), middle(spread), middle(correction), i))
        return Errors.learn(*map(list, zip(*found, strict=True)))
