"""Columns for a classifier: kinds of columns, each a block or several, joined at equal weight.

A kind has `transform(views)`, which returns its blocks (n, width), and `names(widths)`. A row's blocks do not depend
on the rows beside it. `Representation` standardises the blocks on training rows, so that every kind has its weight in a
distance, and the blocks within a kind have the same.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from .._base import warn_caller
from .._codecs import STEP_OF_MEAN
from ..metrics._rows import evenly
from ._canvas import Canvas, Views, chunks, identities
from ._class_scores import ClassScores
from ._patches import PatchDictionary, load_dictionary
from ._trunk_columns import Network, TrunkColumns

# Weights beside a pretrained network, whose columns have 1 (docs/research_log.md, "How the kinds are weighted"); where
# there is none every kind has 1. Beside it a constant column doubles the variance of all columns but pixels, by which
# the radial kernel of an SVC sets its width (gamma="scale").
PIXELS, MAPS, PATCHES = 0.3, 0.6, 0.6
MOST_ROWS = 5_000  # with a label, and without, that are learned from: bounds time and memory
FEW_ROWS = 48  # that columns are learned from after Ctrl-C
STEP_OF_SPREAD = 60  # of what is kept of columns, in logarithms, over the number of rows
FEW_MEMBERS = 50  # below it means are rounded in steps twice as large; larger ones widen a radial kernel
COLUMNS_AT_ONCE = 256  # whose spread is taken at a time: bounds the float64 copy that it needs


class Columns(Protocol):
    """One kind of columns, with its weight beside a pretrained network."""

    weight: ClassVar[float]

    def transform(self, views: Views) -> list[np.ndarray]:
        """Return the blocks of rows, float32 (n, width) each."""

    def names(self, widths: Sequence[int]) -> list[str]:
        """Return a name for each column."""


@dataclass(frozen=True)
class Pixels:
    """The flattened canvas; where that is the whole row, whoever knows the names of the input names its columns."""

    n_features: int
    are_input: bool
    weight: ClassVar[float] = PIXELS

    def transform(self, views: Views) -> list[np.ndarray]:
        """Return the values themselves, without the padding of a table."""
        return [views.canvas.reshape(len(views.canvas), -1)[:, : self.n_features]]

    def names(self, widths: Sequence[int]) -> list[str]:
        """Return ``pixel0``, ..., or no names."""
        return [] if self.are_input else [f"pixel{i}" for i in range(self.n_features)]


@dataclass(frozen=True)
class DiscriminatorMaps:
    """The maps of a discriminator, averaged down to the coarsest one's size; its dense layers for a table."""

    program: Callable[[], Any]
    player: Any
    rooted: bool  # by the root of each value's size, as for images
    weight: ClassVar[float] = MAPS

    def transform(self, views: Views) -> list[np.ndarray]:
        program = self.program()
        columns = program.represent(self.player.ema, self.player.buffers, views.canvas)
        columns = signed_root(columns) if self.rooted else columns
        return np.split(columns, np.cumsum(program.widths)[:-1], axis=1)

    def names(self, widths: Sequence[int]) -> list[str]:
        return numbered("layer", widths)


@dataclass(frozen=True)
class TypicalPatches:
    """Which typical patches an image and its mirror image hold, and where.

    `source` is the arrays of a `PatchDictionary` learned at `fit`; or name and fingerprint of one in a file.
    """

    source: dict[str, np.ndarray] | tuple[str, str]
    weight: ClassVar[float] = PATCHES

    @functools.cached_property
    def _dictionary(self) -> PatchDictionary:
        if isinstance(self.source, dict):
            return PatchDictionary(self.source)
        return load_dictionary(*self.source)

    def transform(self, views: Views) -> list[np.ndarray]:
        return self._dictionary.blocks(views.canvas)

    def names(self, widths: Sequence[int]) -> list[str]:
        return numbered("patches", widths)


@dataclass(frozen=True)
class TrunkMaps:
    """Means over the maps of a pretrained network, which sees whole images."""

    columns: TrunkColumns
    weight: ClassVar[float] = 1.0

    @functools.cached_property
    def _network(self) -> Network:
        return self.columns.network()

    def transform(self, views: Views) -> list[np.ndarray]:
        return self.columns.transform(views.whole, self._network)

    def names(self, widths: Sequence[int]) -> list[str]:
        return numbered("trunk", widths)


def numbered(word: str, widths: Sequence[int]) -> list[str]:
    """Return a name for each column of blocks of these widths."""
    return [f"{word}{depth}_{i}" for depth, width in enumerate(widths) for i in range(width)]


def kinds_of(augmenter: Any) -> list[Columns]:
    """Return the kinds of columns of an augmenter, the pixels first."""
    canvas, patches, is_table = augmenter._canvas, augmenter._dictionary, augmenter._form.kind == "table"
    if augmenter.backbone is not None and augmenter._trunk is None and not is_table:
        raise ValueError(
            f"This fit learned no columns of backbone={augmenter.backbone!r}: it had backbone=None. Fit again, or set "
            "backbone=None."
        )
    trunk = TrunkColumns(augmenter.backbone, augmenter.cache_size_mb, augmenter._trunk)
    n_pixels = augmenter.n_features_in_ if is_table else math.prod(canvas.shape)
    return [
        Pixels(n_pixels, canvas.is_whole),
        DiscriminatorMaps(augmenter._program, augmenter._state.discriminator, not is_table),
        *([] if patches is None else [TypicalPatches(patches)]),
        *([] if augmenter._trunk is None else [TrunkMaps(trunk)]),
    ]


@dataclass(frozen=True)
class Representation:
    """Kinds of columns (the pixels first) with what the training rows taught: location and weight of each column.

    `moments` holds (mean, weight) of each block of each kind, float32. `scores` are a further kind, learned from the
    columns of all others.
    """

    kinds: list[Columns]
    moments: list[list[tuple[np.ndarray, np.ndarray]]]
    scores: ClassScores | None = None

    @classmethod
    def of(cls, augmenter: Any) -> Representation:
        """Return that of a fitted augmenter."""
        if not augmenter._moments:
            raise ValueError(
                "This fit learned pixels alone: it had representation='pixels'; now it is "
                f"{augmenter.representation!r}. Fit again, or set representation='pixels'."
            )
        return cls(kinds_of(augmenter), augmenter._moments, augmenter._class_scores)

    @classmethod
    def fit(
        cls, kinds: list[Columns], parts: Sequence[np.ndarray], canvas: Canvas, labels: np.ndarray, score_weight: float
    ) -> Representation:
        """Learn from `parts`, rows with one-hot `labels` and rows without, an even choice of each where it has many."""
        chosen = [evenly(len(rows), MOST_ROWS) for rows in parts]
        scored = score_weight > 0 and labels.shape[1] > 1 and len(parts) > 1
        seen: list[list[Moments]] = [[] for _ in kinds]
        kept, distinct = [], set[int]()
        for rows, places in zip(parts, chosen, strict=True):
            for start, stop in chunks(len(places), math.prod(rows.shape[1:])):
                some = np.asarray(rows[places[start:stop]])
                distinct.update(identities(some))
                views = canvas.views(some)
                found = [kind.transform(views) for kind in kinds]
                for so_far, blocks in zip(seen, found, strict=True):
                    so_far += [Moments(block.shape[1]) for block in blocks[len(so_far) :]]
                    for moment, block in zip(so_far, blocks, strict=True):
                        moment.add(block)
                if scored:
                    kept.append(found)
        moments = [
            [moment.scaled(weight, len(so_far), len(distinct)) for moment in so_far]
            for so_far, weight in zip(seen, weights_of(kinds), strict=True)
        ]
        if not scored:
            return cls(kinds, moments)
        columns = np.concatenate([joined(found, moments) for found in kept])
        return cls(kinds, moments, ClassScores.learn(columns, labels[chosen[0]], score_weight))

    def width(self, with_pixels: bool) -> int:
        widths = [sum(len(mean) for mean, _ in blocks) for blocks in self.moments]
        n_scores = 0 if self.scores is None else len(self.scores.offset)
        return sum(widths if with_pixels else widths[1:]) + n_scores + (self.constant > 0)

    @property
    def constant(self) -> float:
        """Value of the column that widens a radial kernel; 0: there is none."""
        if not has_trunk(self.kinds):
            return 0.0
        return round(64 * math.hypot(*weights_of(self.kinds[1:]))) / 64  # a value whose sums are exact

    def transform(self, rows: np.ndarray, canvas: Canvas, with_pixels: bool) -> np.ndarray:
        """Return the columns of rows, float32 (n, width), some rows at a time."""
        columns = np.empty((len(rows), self.width(with_pixels)), np.float32)
        first = 0 if with_pixels or self.scores is not None else 1  # scores are of all columns, the pixels included
        for start, stop in chunks(len(rows), math.prod(rows.shape[1:])):
            found: list[np.ndarray] = []
            views = canvas.views(rows[start:stop])
            for kind, moments in zip(self.kinds[first:], self.moments[first:], strict=True):
                found += standardised(kind.transform(views), moments)
            if self.scores is not None:
                found.append(self.scores(np.concatenate(found, axis=1)))
                found = found if with_pixels else found[1:]
            if self.constant:
                found.append(np.full((stop - start, 1), self.constant, np.float32))
            np.concatenate(found, axis=1, out=columns[start:stop])
        return columns

    def names(self, prefix: str, with_pixels: bool) -> list[str]:
        """Return the names of all columns, of the pixels only where these are not the input's."""
        names = []
        for kind, moments in zip(self.kinds, self.moments, strict=True):
            if with_pixels or kind is not self.kinds[0]:
                names += kind.names([len(mean) for mean, _ in moments])
        names += [] if self.scores is None else [f"score_{i}" for i in range(len(self.scores.offset))]
        names += ["constant"] if self.constant else []
        return [f"{prefix}_{name}" for name in names]


def has_pixels(augmenter: Any) -> bool:
    """Tell whether pixels are among the columns of a fitted augmenter that has others, too."""
    return augmenter.representation == "both" or (augmenter.representation == "auto" and augmenter._trunk is None)


def learn_columns(augmenter: Any, parts: Sequence[np.ndarray], labels: np.ndarray) -> Representation:
    """Return what the rows teach; after Ctrl-C what a few of them do, so that networks that are trained are kept.

    Pixels alone come as they are, and need nothing.
    """
    if augmenter.representation == "pixels":
        return Representation([], [])
    kinds, canvas = kinds_of(augmenter), augmenter._canvas
    try:
        return Representation.fit(kinds, parts, canvas, labels, augmenter.score_weight)
    except KeyboardInterrupt:
        few = [rows[evenly(len(rows), FEW_ROWS)] for rows in parts]
        learned = Representation.fit(kinds, few, canvas, labels, score_weight=0.0)
    warn_caller(
        f"Learning the columns was interrupted; going on with what {sum(map(len, few))} rows tell of their location "
        "and spread, without class scores."
    )
    return learned


def has_trunk(kinds: Sequence[Columns]) -> bool:
    return any(isinstance(kind, TrunkMaps) for kind in kinds)


def weights_of(kinds: Sequence[Columns]) -> list[float]:
    """Return the weight of each kind in a distance: the root of the total variance of its columns."""
    return [kind.weight for kind in kinds] if has_trunk(kinds) else [1.0] * len(kinds)


class Moments:
    """Mean and spread of columns whose rows come some at a time, float64.

    Sums of squares about the mean are joined by eq. 2.1 of Chan, Golub and LeVeque 1983, "Algorithms for computing the
    sample variance", doi 10.1080/00031305.1983.10483115.
    """

    def __init__(self, width: int) -> None:
        self.n, self.mean, self.squares = 0, np.zeros(width), np.zeros(width)

    def add(self, block: np.ndarray) -> None:
        """Take further rows, float32 (n, width)."""
        n, n_before = len(block), self.n
        self.n += n
        for start in range(0, block.shape[1], COLUMNS_AT_ONCE):
            part = slice(start, start + COLUMNS_AT_ONCE)
            rows = block[:, part].astype(np.float64)
            mean = rows.mean(0)
            self.squares[part] += np.square(rows - mean).sum(0)
            step = mean - self.mean[part]
            self.squares[part] += np.square(step) * (n * n_before / self.n)
            self.mean[part] += step * (n / self.n)

    def scaled(self, total: float, n_beside: int, n_rows: int) -> tuple[np.ndarray, np.ndarray]:
        """Return location and weight; `n_beside` blocks have the square of `total` as variance together.

        Means and spreads of few rows in many columns tell who was among them (Homer et al. 2008,
        doi 10.1371/journal.pgen.1000167). So they are rounded, in steps that shrink with the number of distinct rows:
        locations shift no distance, and the weights of a block are scaled to its total.
        """
        spread = np.sqrt(self.squares / self.n)
        constant = spread < 1e-6 * max(spread.max(initial=0.0), 1e-30)  # which carries nothing
        usual = np.sqrt(np.mean(np.square(spread), where=~constant)) if not constant.all() else 1.0
        steps = np.log(np.where(constant, usual, spread) / usual) * (n_rows / STEP_OF_SPREAD)
        rounded = usual * np.exp(np.rint(steps) * (STEP_OF_SPREAD / n_rows))
        weight = np.where(constant, 0.0, 1.0 / rounded)
        size = np.sqrt(np.sum(np.square(weight * spread))) or 1.0  # of the block, before it is scaled
        step = rounded * (STEP_OF_MEAN / n_rows) * (2 if n_rows < FEW_MEMBERS else 1)
        location = np.where(constant, self.mean, np.rint(self.mean / step) * step)
        varying = len(spread) - np.count_nonzero(constant)
        weight *= total * np.sqrt(varying / len(spread)) / (np.sqrt(n_beside) * size)
        return location.astype(np.float32), weight.astype(np.float32)


def joined(found: Sequence[list[np.ndarray]], moments: Sequence[list[tuple[np.ndarray, np.ndarray]]]) -> np.ndarray:
    parts = [part for blocks, learned in zip(found, moments, strict=True) for part in standardised(blocks, learned)]
    return np.concatenate(parts, axis=1)


def standardised(blocks: list[np.ndarray], moments: list[tuple[np.ndarray, np.ndarray]]) -> Iterator[np.ndarray]:
    """Yield blocks at zero mean and unit total variance over the training rows."""
    for block, (mean, weight) in zip(blocks, moments, strict=True):
        yield (block - mean) * weight


def signed_root(values: np.ndarray) -> np.ndarray:
    """Return the square root of each value's size, with its sign: a few large ones then say less of likeness."""
    return np.copysign(np.sqrt(np.abs(values)), values)
