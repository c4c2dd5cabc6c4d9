"""How images are made poor, and restored: by the network in tiles, or by the filter that the guard chose instead."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .._codecs import OUTSIDE, ImageScale, constant_channels, ends_of_images, warn_of_range
from .._containers import cast
from ..degradations import resolve
from . import _filters, _guard
from ._configuration import Budget, Degrading, with_levels
from ._held_out import Assessment, HeldOutRows, assess_images
from ._pairs import DegradedPairs, GivenPairs, PairSource, degrade
from ._restoration import Encoded, Method, Restoration
from ._shrinkage import REACH, Restorer, n_outputs, respond, size_of_change, spare
from ._tiling import GROUP, SMALL, Job, enlarge, jobs, padded, reflect, run, trim
from ._tone import WORTHWHILE, ToneMapping, coarse

if TYPE_CHECKING:
    from typing_extensions import Self

    from .._containers import Form
    from ..gan.restoration import RestorerConfiguration

NOISE_BEYOND = 0.6  # learned ranges that values of poor images may lie beyond, for noise: -1 to 1 is not 0 to 1
PART = 0.8  # of the largest image that goes through the network as a whole: sides of the parts of a larger one
TONE_LEARNED_ON, DRAWS_OF_TONE = 32, 12  # images, and draws of so many once it is worthwhile

Write = Callable[[Any, list[np.ndarray]], None]


@dataclass(frozen=True)
class ImageRestoration(Restoration):
    """Images (n, height, width, channels), encoded as fractions of the scale of intensities.

    `tone` is there where a change of intensities as a whole helps, ahead of the network; `usual_noise` is that of good
    images, from which filters start. `tile`, `halo` and `stride` are those of `_tiling.apply`. `constant` holds the
    value of a channel that has only one, beside others that have more, as opaque alpha: such channels are left alone.
    `poor_range` holds the ends of poor images, where `fit` saw such.
    """

    codec: ImageScale
    scale: int
    tile: int
    halo: int
    stride: int
    tone: ToneMapping | None = None
    usual_noise: float = 0.0
    constant: tuple[float | None, ...] = ()
    poor_range: tuple[float, float] | None = None

    budget: ClassVar[Budget] = Budget(max_iter=4000, learning_rate=4e-3, learning_rate_when_started=2e-3)

    # ---- before training

    @classmethod
    def network_for(cls, enhancer: Any, form: Form) -> RestorerConfiguration:
        from ..gan.restoration import RestorerConfiguration
        from ..gan.restorers import STRIDE

        patch, scale = int(enhancer.patch_size), enhancer.scale
        if patch % STRIDE or patch % scale:
            raise ValueError(f"patch_size must be a multiple of {STRIDE} and of scale={scale}; got {patch}.")
        shape = patch, patch, (form.image_shape or (0, 0, 1))[2]
        sizes = int(enhancer.width), int(enhancer.depth), int(enhancer.batch_size)
        return RestorerConfiguration(shape, *sizes, enhancer.adversarial_weight > 0)

    @classmethod
    def begin(cls, good: np.ndarray, enhancer: Any) -> ImageRestoration:
        from ..gan.restorers import STRIDE, receptive_radius

        reach = receptive_radius(int(enhancer.depth)) + REACH
        found = constant_channels([good])
        constant = found if None in found else ()
        return cls(ImageScale.learn(good), int(enhancer.scale), 0, reach, STRIDE, constant=constant)

    @classmethod
    def target_of(
        cls, shape: tuple[int, ...], form: Form, enhancer: Any
    ) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
        n, height, width, channels = shape
        target = n, height * enhancer.scale, width * enhancer.scale, channels
        return target, target[1:] if form.kind == "flat" else None

    def adjusted(self, enhancer: Any) -> ImageRestoration:
        """Return this with tiles of `tile_size`, or the smallest that are worth their margins."""
        return replace(self, tile=max(padded(int(enhancer.tile_size), self.stride), self._smallest_tile))

    @property
    def _smallest_tile(self) -> int:
        return 2 * padded(self.halo, self.stride) + 8 * self.stride

    def degrading(self, enhancer: Any) -> Degrading:
        degradation = enhancer.degradation
        if isinstance(degradation, str) and degradation == "auto" and enhancer.scale > 1:
            return Degrading(None, 0)
        if isinstance(degradation, Mapping):
            degradation = with_levels(degradation, self.codec.span)
        return Degrading(*resolve(list(degradation) if isinstance(degradation, list | tuple) else degradation))

    def learn(self, rows: HeldOutRows, rng: np.random.RandomState) -> Self:
        """Return this with the tone mapping, where one helps, and the noise of good images."""
        restoration = replace(self, tone=self._learn_tone(rows, rng))
        if rows.target is not None:
            self.warn_of_units(rows.rows)
            restoration = replace(restoration, poor_range=ends_of_images([rows.rows]))
        if not restoration.takes_good(rows.target):
            return restoration
        some = rows.rows[rows.kept[rng.permutation(len(rows.kept))[: _filters.GOOD_LOOKED_AT]]]
        return replace(restoration, usual_noise=_filters.usual_noise([self.encode(image) for image in some]))

    def _learn_tone(self, rows: HeldOutRows, rng: np.random.RandomState) -> ToneMapping | None:
        """One that brings training images at least `WORTHWHILE` dB closer to the good ones; else None."""
        picks = rng.permutation(len(rows.kept))

        def draw(places: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
            return self.examples(*rows.part(rows.kept[places]), rows.degrading, rng)

        tried = draw(picks[:TONE_LEARNED_ON])
        if _gain(ToneMapping.learn(*tried), *tried) < WORTHWHILE:
            return None
        # It is worth more examples: other levels of the degradation, on other images.
        pairs = [draw(rng.choice(len(rows.kept), TONE_LEARNED_ON)) for _ in range(DRAWS_OF_TONE)]
        return ToneMapping.learn(*([image for pair in pairs for image in pair[side]] for side in (0, 1)))

    def pairs(self, rows: HeldOutRows, patch: int, rng: np.random.RandomState) -> PairSource:
        good, encode = rows.good(rows.kept), self.codec.encode
        if rows.target is None:
            return DegradedPairs(good, encode, *rows.degrading, self.scale, self.tone, patch, rng)
        poor = replace(good, rows=rows.rows)
        return GivenPairs(poor, good, encode, self.scale, self.tone, patch, rng)

    # ---- on images held out

    def reconsidered(self, report: dict[str, Any], rows: HeldOutRows, network: Restorer) -> dict[str, Any]:
        """Return the guard's report as it is: what methods were compared on decides."""
        return report

    def takes_good(self, target: np.ndarray | None) -> bool:
        """Return whether good images may come in, to be left as they are: where they look like poor ones, but better.

        That is not so where there are targets, and where images are enlarged or changed in tone.
        """
        return target is None and self.scale == 1 and self.tone is None

    def examples(
        self, rows: np.ndarray, target: np.ndarray | None, degrading: Degrading, rng: np.random.RandomState
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return each image poor, enlarged and before its tone is changed, and good."""
        if target is None:
            good = [self.encode(image) for image in rows]
            poor = [degrade(image[None], degrading.function, self.scale, rng)[0] for image in good]
        else:
            good, poor = [self.encode(image) for image in target], [self.codec.encode(image) for image in rows]
        return [self._enlarged(image).astype(np.float32) for image in poor], good

    def tuned(self, poor: _guard.Images, good: _guard.Images) -> dict[str, float]:
        """Return the strength of every method that the network is compared with, as it was best on training images."""
        return _guard.tune(poor, good, self.usual_noise)

    def assess(self, rows: HeldOutRows, network: Restorer, guard: bool) -> Assessment:
        return assess_images(self, rows, network, guard)

    # ---- form

    @staticmethod
    def shaped(rows: np.ndarray, form: Form) -> np.ndarray:
        return rows.reshape(len(rows), *(form.image_shape or ()))

    def warn_of_units(self, rows: np.ndarray) -> None:
        """Warn where values lie beyond those of training, or in a small part of them."""
        low, high = self.poor_range or (self.codec.low, self.codec.high)
        beyond = NOISE_BEYOND if self.poor_range is None else OUTSIDE  # what was poor at fit was noisy as well
        low, high = min(self.codec.low, low), max(self.codec.high, high)
        warn_of_range(rows, low, high, "GANEnhancer", beyond)

    def in_form(self, restored: np.ndarray, form: Form) -> Any:
        values = self.in_shape(restored, form)
        if form.container == "numpy":
            return values
        columns, dtypes = form.columns, form.dtypes
        if self.scale > 1:
            columns = tuple(self.names_out(np.asarray(columns)))
            dtypes = dtypes[:1] * len(columns)
        return replace(form, row_shape=values.shape[1:], columns=columns, dtypes=dtypes).restore(values)

    @staticmethod
    def in_shape(values: np.ndarray, form: Form) -> np.ndarray:
        if form.kind == "stack":
            return values[..., 0] if len(form.row_shape) == 2 else values
        return values.reshape(len(values), -1)

    def names_out(self, names: np.ndarray) -> np.ndarray:
        if self.scale == 1:
            return names
        return np.asarray([f"ganenhancer{i}" for i in range(self.scale**2 * len(names))], dtype=object)

    # ---- at use

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Return good images as float32 in fractions of the scale, their sides cut to multiples of the enlargement."""
        return self.codec.encode(trim(images, self.scale))

    def decode_draw(self, encoded: np.ndarray) -> np.ndarray:
        images = self.codec.decode(encoded)
        for channel in self._constant_channels:
            images[..., channel] = self.constant[channel]
        return images

    @property
    def span(self) -> float:
        return self.codec.span

    def in_units(self, spread: np.ndarray) -> np.ndarray:
        differences = spread * self.span
        differences[..., self._constant_channels] = 0.0
        return differences

    @property
    def _constant_channels(self) -> list[int]:
        return [channel for channel, value in enumerate(self.constant) if value is not None]

    def _enlarged(self, image: np.ndarray) -> np.ndarray:
        """An encoded image on the grid of the good ones."""
        return enlarge(image[None], self.scale)[0]

    def apply(self, rows: np.ndarray, method: Method) -> np.ndarray:
        restored = self._apply(rows, method)
        for channel in self._constant_channels:
            for image, before in zip(restored, rows, strict=True):
                image[..., channel] = before[..., channel] if self.scale == 1 else self.constant[channel]
        return restored

    def _apply(self, rows: np.ndarray, method: Method) -> np.ndarray:
        if method.name == "network":
            (restored,) = self.restore_all(rows, method.network)
            self._leave_spared(rows, restored, method.spared * self.span)
            return restored
        if method.name == "nothing" and self.scale == 1:
            return rows.copy()
        return self._filter_all(rows, method, rows.dtype)

    def apply_encoded(self, poor: Encoded, method: Method) -> list[np.ndarray]:
        if method.name == "network":
            return spare(poor, [self.restore(image, method.network)[0] for image in poor], method.spared)
        return [self.filtered(image, method.name, method.strength) for image in poor]

    def apply_with_spread(self, rows: np.ndarray, method: Method) -> list[np.ndarray]:
        restored, spread, correction = self.restore_all(rows, method.network, with_spread=True)
        if method.name != "network":
            restored = self.codec.encode(self._filter_all(rows, method, np.dtype(np.float64)))
        else:
            self._leave_spared(map(self.codec.encode, rows), restored, method.spared)
        return [restored, spread, correction]

    @staticmethod
    def _leave_spared(before: Iterable[np.ndarray], restored: np.ndarray, limit: float) -> None:
        """Put images back that were hardly changed; without a limit, none."""
        if limit:
            for i, image in enumerate(before):
                if size_of_change(image, restored[i]) <= limit:
                    restored[i] = image

    def filtered(self, image: np.ndarray, name: str, strength: float) -> np.ndarray:
        """Return an enlarged image in fractions of the scale through a filter."""
        return _filters.run_filter(name, strength, image, self.usual_noise)

    def _filter_all(self, images: np.ndarray, method: Method, dtype: np.dtype) -> np.ndarray:
        """Raw images through a filter, in a dtype."""
        results = []
        for image in images:
            source = self._enlarged(self.codec.encode(image)).astype(np.float32)
            filtered = self.filtered(source, method.name, method.strength)
            results.append(cast(self.codec.decode(filtered), dtype))
        return np.stack(results)

    def restore(self, image: np.ndarray, network: Restorer, with_spread: bool = False) -> list[np.ndarray]:
        """Return one enlarged image in fractions of the scale, as `respond` does."""
        outputs = [np.empty(image.shape, np.float32) for _ in range(n_outputs(with_spread))]

        def write(place: Any, parts: list[np.ndarray]) -> None:
            for output, part in zip(outputs, parts, strict=True):
                output[place] = part

        run(self._in_tiles(image, network, with_spread, self._prepare(image, encoded=True), write))
        return outputs

    def restore_all(self, images: np.ndarray, network: Restorer, with_spread: bool = False) -> list[np.ndarray]:
        """Return raw images as [restored in their dtype], or all that `respond` gives in fractions of the scale."""
        n, height, width, channels = images.shape
        shape = (n, height * self.scale, width * self.scale, channels)
        dtype = np.dtype(np.float32) if with_spread else images.dtype
        outputs = [np.empty(shape, dtype) for _ in range(n_outputs(with_spread))]

        def write(place: Any, parts: list[np.ndarray]) -> None:
            for output, part in zip(outputs, parts, strict=True):
                output[place] = part if with_spread else cast(self.codec.decode(part), dtype)

        if max(padded(side, self.stride) for side in shape[1:3]) <= SMALL:
            self._in_groups(images, network, with_spread, write)
            return outputs

        def of_image(i: int) -> Iterator[Job]:
            source = images[i] if self.scale == 1 else self._enlarged(self.codec.encode(images[i]))
            prepare = self._prepare(source, encoded=self.scale > 1)
            return self._in_tiles(source, network, with_spread, prepare, lambda place, parts: write((i, *place), parts))

        run(itertools.chain.from_iterable(map(of_image, range(n))))
        return outputs

    def _prepare(self, image: np.ndarray, encoded: bool) -> Callable[[np.ndarray], np.ndarray]:
        """What turns a block of the image into what the network takes."""
        encode = (lambda block: np.asarray(block, np.float32)) if encoded else self.codec.encode
        if self.tone is None:
            return encode
        curve = self.tone.curve(image, encode)
        return lambda block: curve.apply(encode(block))

    def _in_tiles(
        self, image: np.ndarray, network: Restorer, with_spread: bool, prepare: Callable, write: Write
    ) -> Iterator[Job]:
        function = functools.partial(respond, network, with_spread=with_spread)
        tile = self.tile
        if max(image.shape[:2]) > tile:  # of a large image two parts are in memory at once, and the result beside them
            tile = max(padded(int(PART * tile), self.stride), self._smallest_tile)
        return jobs(function, image, tile=tile, halo=self.halo, stride=self.stride, prepare=prepare, write=write)

    def _in_groups(self, images: np.ndarray, network: Restorer, with_spread: bool, write: Write) -> None:
        """Small images, `GROUP` at a time."""
        for start in range(0, len(images), GROUP):
            blocks = enlarge(self.codec.encode(images[start : start + GROUP]), self.scale).astype(np.float32)
            if self.tone is not None:
                blocks = np.stack([self.tone(block) for block in blocks])
            n, height, width = blocks.shape[:3]
            blocks = reflect(blocks, padded(height, self.stride), padded(width, self.stride))
            parts = respond(network, np.pad(blocks, [(0, GROUP - n), (0, 0), (0, 0), (0, 0)]), with_spread)
            write(slice(start, start + n), [part[:n, :height, :width] for part in parts])


def _gain(tone: ToneMapping, poor: list[np.ndarray], good: list[np.ndarray]) -> float:
    """Mean gain in dB, judged on coarse images: to dampen noise is not the tone mapping's business."""
    gains = [
        _guard.psnr(coarse(tone(p)), coarse(g)) - _guard.psnr(coarse(p), coarse(g))
        for p, g in zip(poor, good, strict=True)
    ]
    return float(np.mean(gains))
