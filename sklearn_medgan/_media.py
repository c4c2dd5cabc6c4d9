"""What differs between images and tables when `GANEnhancer` trains and restores."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from . import _guard
from ._anchor import WORTHWHILE, Anchor, change, coarse
from ._encoding import ImageScale, TableCodec, cast
from ._errors import Errors
from ._pairs import DegradedPairs, GivenPairs, GivenRows, TableNoise, degrade, enlarge, trim
from ._tiling import GROUP, SMALL, apply, padded, reflect

MOST_COMPARED = 16  # held-out images on which treatments are compared by PSNR
LARGEST_COMPARED = 512  # pixels a side of what is restored for it
TABLE_NOISE = (0.0, 1.0)  # of each column's spread
ANCHORED_ON, DRAWS_OF_ANCHOR = 32, 12  # images, and draws of so many once it is worthwhile


@dataclass(frozen=True)
class Network:
    """The restorer with its weights: `restore(rows)` and `restore_with_spread(rows)`."""

    program: object
    weights: np.ndarray

    def __call__(self, rows, with_spread: bool):
        """Tuple of arrays."""
        function = self.program.restore_with_spread if with_spread else self.program.restore
        outputs = function(self.weights, rows)
        return [output.numpy() for output in (outputs if with_spread else [outputs])]


class HeldOut(NamedTuple):
    """What was learned from held-out rows."""

    report: dict
    errors: Errors


@dataclass(frozen=True)
class ImageMedium:
    """Images (n, height, width, channels): scale of intensities, enlargement, tiles, and the anchor where one helps."""

    codec: ImageScale
    scale: int
    tile: int
    halo: int
    stride: int
    anchor: Anchor | None = None

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

    def learn_anchor(self, images, target, degradation, rng) -> Anchor | None:
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

    def restore(self, image: np.ndarray, network: Network, with_spread=False) -> list[np.ndarray]:
        """One enlarged image in fractions of the scale, [restored] or [restored, spread]."""
        outputs = [np.empty(image.shape, np.float32) for _ in range(1 + with_spread)]

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
        function = functools.partial(network, with_spread=with_spread)
        apply(function, image, tile=self.tile, halo=self.halo, stride=self.stride, prepare=prepare, write=write)

    def restore_all(self, images: np.ndarray, network: Network, with_spread=False) -> list[np.ndarray]:
        """Raw images to [restored in their dtype] or [restored in fractions, spread in fractions]."""
        n, height, width, channels = images.shape
        shape = (n, height * self.scale, width * self.scale, channels)
        dtype = np.float32 if with_spread else images.dtype
        outputs = [np.empty(shape, dtype) for _ in range(1 + with_spread)]
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
            parts = network(np.pad(blocks, [(0, GROUP - n), (0, 0), (0, 0), (0, 0)]), with_spread)
            write(slice(start, start + n), [part[:n, :height, :width] for part in parts])

    def filter_all(self, images: np.ndarray, name: str, strength: float) -> np.ndarray:
        """Raw images through a classical filter, in their dtype."""
        results = []
        for image in images:
            source = enlarge(self.codec.encode(image)[None], self.scale)[0].astype(np.float32)
            results.append(cast(self.codec.decode(_guard.run_filter(name, strength, source)), images.dtype))
        return np.stack(results)

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

    def treat(self, images: np.ndarray, network: Network, chosen: str, strength: float) -> np.ndarray:
        """Raw images through the chosen treatment, in their dtype."""
        if chosen == "network":
            return self.restore_all(images, network)[0]
        return images.copy() if chosen == "nothing" and self.scale == 1 else self.filter_all(images, chosen, strength)

    def treat_encoded(self, poor: list, network: Network, chosen: str, strength: float) -> list:
        """Enlarged images in fractions of the scale through the chosen treatment."""
        if chosen == "network":
            return [self.restore(image, network)[0] for image in poor]
        return [_guard.run_filter(chosen, strength, image) for image in poor]

    def with_spread(self, images: np.ndarray, network: Network, chosen: str, strength: float) -> list[np.ndarray]:
        """Raw images to [treated, spread], in fractions of the scale."""
        restored, spread = self.restore_all(images, network, with_spread=True)
        if chosen != "network":
            restored = self.codec.encode(self.filter_all(images.astype(np.float64), chosen, strength))
        return [restored, spread]

    def held_out(self, part, kept, held, labels, degradation, rng, network: Network, guard: bool) -> HeldOut:
        """Compare treatments of held-out images, and learn how the chosen one errs."""
        poor, good = self.examples(*part(held), degradation, rng)
        some = [
            (_guard.middle(p, LARGEST_COMPARED), _guard.middle(g, LARGEST_COMPARED))
            for p, g in zip(poor, good, strict=True)
        ]
        some = some[:MOST_COMPARED]
        restored, spreads = zip(*(self.restore(p, network, with_spread=True) for p, _ in some), strict=True)
        report = {"chosen": "network", "n_held_out": len(held), "balanced_accuracy": None, "strength": {}, "psnr": {}}
        outputs = {"network": restored}
        if guard:
            tuned = self.examples(*part(kept[: _guard.TUNED_ON]), degradation, rng)
            strength = _guard.tune(*([_guard.middle(image) for image in images] for images in tuned))
            report["strength"] = strength
            middles = [[_guard.middle(image) for image in pair] for pair in some]
            psnr = {"network": _mean_psnr([_guard.middle(r) for r in restored], [g for _, g in middles])}
            for name, value in strength.items():
                filtered = [_guard.run_filter(name, value, p) for p, _ in middles]
                psnr[name] = _mean_psnr(filtered, [g for _, g in middles])
            report["psnr"] = psnr
            report["balanced_accuracy"] = self._diagnose(part(kept), labels, kept, held, poor, network, strength)
            report["chosen"] = _guard.verdict(psnr, report["balanced_accuracy"], len(held))
            chosen = report["chosen"]
            if chosen != "network":
                outputs[chosen] = [_guard.run_filter(chosen, strength[chosen], p) for p, _ in some]
        errors = [g - o for (_, g), o in zip(some, outputs[report["chosen"]], strict=True)]
        return HeldOut(report, Errors.learn(errors, list(spreads)))

    def _diagnose(self, training, labels, kept, held, poor, network, strength) -> dict | None:
        """Balanced accuracy of a linear classifier of good images on held-out ones: poor, restored, filtered."""
        if labels is None or len(held) < _guard.FEWEST_ROWS or len(np.unique(labels[held])) < 2:
            return None
        images, target = training
        good = [self.encode(image) for image in (images if target is None else target)]
        model = _guard.classifier(good, labels[kept])
        accuracy = functools.partial(_guard.accuracy, model, labels=labels[held])
        found = {"nothing": accuracy(poor), "network": accuracy([self.restore(image, network)[0] for image in poor])}
        if found["network"] < found["nothing"]:
            for name in strength.keys() - {"nothing"}:
                found[name] = accuracy([_guard.run_filter(name, strength[name], image) for image in poor])
        return found


def _mean_psnr(images, good) -> float:
    return float(np.mean([_guard.psnr(image, g) for image, g in zip(images, good, strict=True)]))


@dataclass(frozen=True)
class TableMedium:
    """Rows (n, columns): standardised, padded; nothing spatial."""

    codec: TableCodec
    scale: int = 1
    anchor: None = None

    def encode(self, rows: np.ndarray) -> np.ndarray:
        """Float32 (n, padded columns)."""
        return self.codec.encode(rows)

    @property
    def n_columns(self) -> int:
        return len(self.codec.mean)

    def pairs(self, rows, target, degradation, reach, patch, rng):
        """A source of training pairs."""
        if target is None:
            return TableNoise(self.encode(rows), degradation, self.n_columns, rng)
        return GivenRows(self.encode(rows), self.encode(target), rng)

    def examples(self, rows, target, degradation, rng) -> tuple[np.ndarray, np.ndarray]:
        """Encoded rows, poor and good."""
        if target is not None:
            return self.encode(rows), self.encode(target)
        good = self.encode(rows)
        return TableNoise(good, degradation, self.n_columns, rng).degrade(good, rng), good

    def learn_anchor(self, *_) -> None:
        """Tables have none."""

    def restore_encoded(self, encoded: np.ndarray, network: Network, with_spread=False) -> list[np.ndarray]:
        """Encoded rows to [restored] or [restored, spread], encoded."""
        parts = []
        for start in range(0, len(encoded), GROUP):
            block = encoded[start : start + GROUP]
            outputs = network(np.pad(block, [(0, GROUP - len(block)), (0, 0)]), with_spread)
            parts.append([output[: len(block)] for output in outputs])
        return [np.concatenate(part) for part in zip(*parts, strict=True)]

    def decode(self, encoded: np.ndarray) -> np.ndarray:
        """Float64 in the units of the data."""
        return encoded[..., : self.n_columns].astype(np.float64) * self.codec.scale + self.codec.mean

    def decode_draw(self, encoded: np.ndarray) -> np.ndarray:
        """As `decode`, within each column's training range and on its levels."""
        return self.codec.decode(encoded)

    def in_units(self, spread: np.ndarray) -> np.ndarray:
        """Differences of standardised columns as differences in the units of the data."""
        return spread[..., : self.n_columns] * self.codec.scale

    def visible(self, encoded: np.ndarray) -> np.ndarray:
        """The columns of encoded rows without the padding."""
        return encoded[:, : self.n_columns]

    def treat(self, rows: np.ndarray, network: Network, chosen: str, strength: float) -> np.ndarray:
        """Rows through the network, or as they came; float64."""
        if chosen == "nothing":
            return rows.astype(np.float64)
        return self.decode(self.restore_encoded(self.encode(rows), network)[0])

    def treat_encoded(self, poor: np.ndarray, network: Network, chosen: str, strength: float) -> np.ndarray:
        """Encoded rows through the chosen treatment."""
        return poor if chosen == "nothing" else self.restore_encoded(poor, network)[0]

    def with_spread(self, rows: np.ndarray, network: Network, chosen: str, strength: float) -> list[np.ndarray]:
        """Rows to [treated, spread], encoded."""
        encoded = self.encode(rows)
        restored, spread = self.restore_encoded(encoded, network, with_spread=True)
        return [encoded if chosen == "nothing" else restored, spread]

    def held_out(self, part, kept, held, labels, degradation, rng, network: Network, guard: bool) -> HeldOut:
        """Compare the network with doing nothing on held-out rows, and learn how the better one errs."""
        poor, good = self.examples(*part(held), degradation, rng)
        restored, spread = self.restore_encoded(poor, network, with_spread=True)
        poor, good, restored, spread = map(self.visible, (poor, good, restored, spread))
        report = {"chosen": "network", "n_held_out": len(held), "balanced_accuracy": None, "strength": {}, "psnr": {}}
        if guard:
            report["psnr"] = {"network": _guard.psnr(restored, good), "nothing": _guard.psnr(poor, good)}
            report["chosen"] = _guard.verdict(report["psnr"], None, len(held))
        chosen = restored if report["chosen"] == "network" else poor
        return HeldOut(report, Errors.learn([good - chosen], [spread]))
