"""Columns for a classifier: kinds of columns, each a block or several, joined at equal weight.

A kind has `transform(encoded)`, which returns its blocks (n, width), and `names(widths)`. A row's blocks do not depend
on the rows beside it. `Representation` standardises the blocks on training rows, so that every kind has the same weight
in a distance, and so have the blocks within a kind.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from ._class_scores import MOST_ROWS, ClassScores, thinned
from ._patches import PatchDictionary, load_dictionary

CHUNK_VALUES = 1 << 20  # of encoded rows whose columns are computed at a time
COLUMNS_AT_ONCE = 256  # whose spread is taken at a time: bounds the float64 copy that it needs


class Columns(Protocol):
    """One kind of columns."""

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""

    def transform(self, encoded: np.ndarray) -> list[np.ndarray]:
        """Return the blocks of encoded rows, float32 (n, width) each."""

    def names(self, widths: Sequence[int]) -> list[str]:
        """Return a name for each column."""


@dataclass(frozen=True)
class Pixels:
    """The flattened input; its columns are named by whoever knows the names of the input."""

    n_features: int
    n_blocks: int = 1

    def transform(self, encoded: np.ndarray) -> list[np.ndarray]:
        """Return the values themselves, without padding."""
        return [encoded.reshape(len(encoded), -1)[:, : self.n_features]]

    def names(self, widths: Sequence[int]) -> list[str]:
        """Return no names."""
        return []


@dataclass(frozen=True)
class DiscriminatorMaps:
    """The maps of a discriminator, averaged down to the coarsest one's size; its dense layers for a table."""

    program: Callable[[], Any]
    player: Any
    rooted: bool  # by the root of each value's size, as for images
    n_blocks: int

    def transform(self, encoded: np.ndarray) -> list[np.ndarray]:
        """Return the discriminator's blocks, in batches of one fixed shape."""
        from ..gan.training import INFERENCE_BATCH

        represent, parts = self.program().represent, []
        for start in range(0, len(encoded), INFERENCE_BATCH):
            batch = encoded[start : start + INFERENCE_BATCH]
            padding = [(0, INFERENCE_BATCH - len(batch))] + [(0, 0)] * (batch.ndim - 1)
            _, blocks = represent(self.player.ema, self.player.buffers, np.pad(batch, padding))
            parts.append([block.numpy()[: len(batch)] for block in blocks])
        joined = [np.concatenate(block) for block in zip(*parts, strict=True)]
        return [signed_root(block) for block in joined] if self.rooted else joined

    def names(self, widths: Sequence[int]) -> list[str]:
        """Return ``layer0_0``, ..., ``layer1_0``, ..."""
        return [f"layer{depth}_{i}" for depth, width in enumerate(widths) for i in range(width)]


class TypicalPatches:
    """Which typical patches an image and its mirror image hold, and where.

    Parameters
    ----------
    source : dict or tuple
        Arrays of a `PatchDictionary` learned at `fit`; or name, fingerprint and number of blocks of one in a file.
    """

    def __init__(self, source: dict[str, np.ndarray] | tuple[str, str, int]) -> None:
        self.source = source
        self.n_blocks = len(source["sides"]) if isinstance(source, dict) else source[2]

    @functools.cached_property
    def _dictionary(self) -> PatchDictionary:
        if isinstance(self.source, dict):
            return PatchDictionary(self.source)
        return load_dictionary(*self.source[:2])

    def transform(self, encoded: np.ndarray) -> list[np.ndarray]:
        """Return a block for each way to cut the image into parts."""
        return self._dictionary.blocks(encoded)

    def names(self, widths: Sequence[int]) -> list[str]:
        """Return ``patches0_0``, ..., ``patches1_0``, ..."""
        return [f"patches{depth}_{i}" for depth, width in enumerate(widths) for i in range(width)]


def kinds_of(augmenter: Any, example: np.ndarray | None = None) -> list[Columns]:
    """Return the kinds of columns of an augmenter, the pixels first.

    How many blocks the discriminator has is seen on an encoded row, or, after `fit`, by what was learned.
    """
    patches = None if augmenter._dictionary is None else TypicalPatches(augmenter._dictionary)
    n_of_patches = 0 if patches is None else patches.n_blocks
    n_of_maps = len(augmenter._moments) - 1 - n_of_patches if example is None else 0
    maps = DiscriminatorMaps(
        augmenter._program, augmenter._state.discriminator, augmenter._form.kind != "table", n_of_maps
    )
    if example is not None:
        maps = replace(maps, n_blocks=len(maps.transform(example)))
    kinds: list[Columns] = [Pixels(augmenter.n_features_in_), maps]
    return kinds if patches is None else [*kinds, patches]


@dataclass(frozen=True)
class Representation:
    """Kinds of columns with what the training rows taught: location and weight of each column, and class scores.

    Parameters
    ----------
    kinds : list of Columns
        The pixels first.
    moments : list of (mean, weight)
        Of each block, float32.
    scores : ClassScores or None
        A further kind, learned from the columns of all others.
    """

    kinds: list[Columns]
    moments: list[tuple[np.ndarray, np.ndarray]]
    scores: ClassScores | None = None

    @classmethod
    def of(cls, augmenter: Any) -> Representation:
        """Return that of a fitted augmenter."""
        return cls(kinds_of(augmenter), augmenter._moments, augmenter._class_scores)

    @classmethod
    def fit(cls, kinds: list[Columns], encoded: np.ndarray, labels: np.ndarray, score_weight: float) -> Representation:
        """Learn from encoded rows, the first of them with one-hot `labels`, or from an even choice of many."""
        n_labelled, n_classes = len(labels), labels.shape[1]
        studied = encoded
        if len(encoded) > MOST_ROWS:
            studied = np.concatenate([thinned(encoded[:n_labelled]), thinned(encoded[n_labelled:])])
            labels = thinned(labels)
        blocks = [block for kind in kinds for block in kind.transform(studied)]
        beside = [kind.n_blocks for kind in kinds for _ in range(kind.n_blocks)]
        moments = [moments_of(block, n) for block, n in zip(blocks, beside, strict=True)]
        if not (score_weight > 0 and n_classes > 1 and n_labelled < len(encoded)):
            return cls(kinds, moments)
        columns = np.concatenate(list(standardised(blocks, moments)), axis=1)
        return cls(kinds, moments, ClassScores.learn(columns, labels, score_weight))

    def width(self, with_pixels: bool) -> int:
        """Return the number of columns."""
        widths = [len(mean) for mean, _ in self.moments]
        n_scores = 0 if self.scores is None else len(self.scores.offset)
        return sum(widths if with_pixels else widths[1:]) + n_scores

    def transform(self, rows: np.ndarray, encode: Any, with_pixels: bool) -> np.ndarray:
        """Return the columns of rows, float32 (n, width), some rows at a time."""
        columns = np.empty((len(rows), self.width(with_pixels)), np.float32)
        skipped = 0 if with_pixels else len(self.moments[0][0])
        for start, stop in chunks(len(rows), int(np.prod(rows.shape[1:]))):
            encoded = encode(rows[start:stop])
            kinds = self.kinds if with_pixels or self.scores is not None else self.kinds[1:]
            moments = self.moments if len(kinds) == len(self.kinds) else self.moments[1:]
            found = list(standardised([block for kind in kinds for block in kind.transform(encoded)], moments))
            if self.scores is not None:
                found.append(self.scores(np.concatenate(found, axis=1)))
                found = found if with_pixels or not skipped else found[1:]
            np.concatenate(found, axis=1, out=columns[start:stop])
        return columns

    def names(self, prefix: str) -> list[str]:
        """Return the names of all columns but the pixels."""
        widths, names = [len(mean) for mean, _ in self.moments], []
        for kind in self.kinds:
            names += kind.names(widths[: kind.n_blocks])
            widths = widths[kind.n_blocks :]
        names += [] if self.scores is None else [f"score_{i}" for i in range(len(self.scores.offset))]
        return [f"{prefix}_{name}" for name in names]


def chunks(n: int, n_values: int) -> Iterator[tuple[int, int]]:
    """Yield ends of runs of rows, a multiple of a batch of inference each."""
    step = max(1, CHUNK_VALUES // (48 * max(n_values, 1))) * 48
    for start in range(0, n, step):
        yield start, min(n, start + step)


def moments_of(block: np.ndarray, n_beside: int) -> tuple[np.ndarray, np.ndarray]:
    """Return location and weight of each column, so that `n_beside` blocks have unit total variance together."""
    n_parts = max(1, block.shape[1] // COLUMNS_AT_ONCE)
    spread = np.concatenate([part.std(0, dtype=np.float64) for part in np.array_split(block, n_parts, axis=1)])
    spread[spread < 1e-6 * max(spread.max(initial=0.0), 1e-30)] = np.inf  # a constant column carries nothing
    weight = 1.0 / (spread * np.sqrt(n_beside * block.shape[1]))
    return block.mean(0, dtype=np.float64).astype(np.float32), weight.astype(np.float32)


def standardised(blocks: list[np.ndarray], moments: list[tuple[np.ndarray, np.ndarray]]) -> Iterator[np.ndarray]:
    """Yield blocks at zero mean and unit total variance over the training rows."""
    for block, (mean, weight) in zip(blocks, moments, strict=True):
        yield (block - mean) * weight


def signed_root(values: np.ndarray) -> np.ndarray:
    """Return the square root of each value's size, with its sign: a few large ones then say less of likeness."""
    return np.copysign(np.sqrt(np.abs(values)), values)
