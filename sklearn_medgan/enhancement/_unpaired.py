"""Poor images and good ones of others: how the good ones become like the poor ones is learned, then undone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from . import _guard
from ._configuration import Degrading, Settings
from ._held_out import HeldOutRows
from ._images import ImageRestoration
from ._tone import QUANTILES, ToneCurve

if TYPE_CHECKING:
    from typing_extensions import Self

MAPPING = "intensity mapping"
LEARNED_ON = 256  # images of each side
VALUES_AN_IMAGE = 4096


def pooled_curve(source: list[np.ndarray], wanted: list[np.ndarray], rng: np.random.RandomState) -> ToneCurve:
    """Return the increasing change of intensities that gives all `source` images together the histogram of `wanted`."""

    def percentiles(images: list[np.ndarray]) -> np.ndarray:
        return np.percentile(
            np.concatenate([rng.choice(image.ravel(), VALUES_AN_IMAGE) for image in images]), QUANTILES
        )

    points, mapped = percentiles(source), percentiles(wanted)
    return ToneCurve(points + 1e-4 * np.arange(len(points)), mapped)


@dataclass(frozen=True)
class SiteShift:
    """A degradation: what turns good images into such as came from another scanner or site."""

    curve: ToneCurve

    @property
    def reach(self) -> int | None:
        """Pixels around a pixel that it looks at; None for the whole image."""
        return 0

    @classmethod
    def learn(cls, poor: list[np.ndarray], good: list[np.ndarray], rng: np.random.RandomState) -> SiteShift:
        """Return the shift between images of any size, (height, width, channels) in fractions of the scale."""
        return cls(pooled_curve(good, poor, rng))

    def __call__(self, images: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
        """Return good images (n, height, width, channels) as they would look at the other site."""
        return self.curve.apply(images)


@dataclass(frozen=True)
class UnpairedRestoration(ImageRestoration):
    """Images whose degradation is learned from poor ones, X, and good ones of others, `reference`.

    `shift` makes good images poor; `mapping` is a plain change of intensities from poor to good, which the guard
    compares.
    """

    shift: SiteShift | None = None
    mapping: ToneCurve | None = None

    def learn(self, rows: HeldOutRows, rng: np.random.RandomState) -> Self:
        """Return this with the shift, the mapping, and what an `ImageRestoration` learns of pairs made by them."""
        assert rows.poor is not None
        poor, good = ([self.encode(image) for image in _some(part, rng)] for part in (rows.poor, rows))
        shift, mapping = SiteShift.learn(poor, good, rng), pooled_curve(poor, good, rng)
        learned = replace(self, shift=shift, mapping=mapping)
        return super(UnpairedRestoration, learned).learn(replace(rows, degrading=Degrading(shift, shift.reach)), rng)

    def degrading(self, settings: Settings) -> Degrading:
        """Return the learned shift; before it is learned, nothing."""
        return Degrading(None, 0) if self.shift is None else Degrading(self.shift, self.shift.reach)

    def tuned(self, poor: _guard.Images, good: _guard.Images) -> dict[str, float]:
        """Return the strengths of filters, and the mapping of intensities beside them."""
        return {**super().tuned(poor, good), MAPPING: 1.0}

    def filtered(self, image: np.ndarray, name: str, strength: float) -> np.ndarray:
        """Return an image in fractions of the scale through a filter, or through the mapping of intensities."""
        if name != MAPPING or self.mapping is None:
            return super().filtered(image, name, strength)
        return self.mapping.apply(image)


def _some(rows: HeldOutRows, rng: np.random.RandomState) -> list[np.ndarray]:
    """Some raw images of those that are not held out."""
    return [rows.rows[i] for i in rows.kept[rng.permutation(len(rows.kept))[:LEARNED_ON]]]
