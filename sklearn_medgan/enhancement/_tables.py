"""Tables when `GANEnhancer` trains and restores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from .._codecs import TableCodec
from . import _guard
from ._error_model import Errors
from ._pairs import GivenRows, TableNoise
from ._restoration import HeldOut, Treatment, n_versions, respond
from ._tiling import GROUP

TABLE_NOISE = (0.0, 1.0)  # of each column's spread


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

    def learn(self, *_) -> TableMedium:
        """This: a table needs nothing beside the network."""
        return self

    def restore_encoded(self, encoded: np.ndarray, network: Callable, with_spread=False) -> list[np.ndarray]:
        """Encoded rows as `respond` treats them, encoded."""
        parts = []
        for start in range(0, len(encoded), GROUP):
            block = encoded[start : start + GROUP]
            outputs = respond(network, np.pad(block, [(0, GROUP - len(block)), (0, 0)]), with_spread)
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

    def treat(self, rows: np.ndarray, treatment: Treatment) -> np.ndarray:
        """Rows through the network, or as they came; float64."""
        if treatment.name == "nothing":
            return rows.astype(np.float64)
        return self.decode(self.restore_encoded(self.encode(rows), treatment.network)[0])

    def treat_encoded(self, poor: np.ndarray, treatment: Treatment) -> np.ndarray:
        """Encoded rows through a treatment."""
        return poor if treatment.name == "nothing" else self.restore_encoded(poor, treatment.network)[0]

    def with_spread(self, rows: np.ndarray, treatment: Treatment) -> list[np.ndarray]:
        """Rows to [treated, spread, correction], encoded; the correction is that of the columns without the padding."""
        encoded = self.encode(rows)
        restored, spread, correction = self.restore_encoded(encoded, treatment.network, with_spread=True)
        return [encoded if treatment.name == "nothing" else restored, spread, self.visible(correction)]

    def held_out(self, part, kept, held, labels, degradation, rng, network: Callable, guard: bool) -> HeldOut:
        """Compare the network with doing nothing on held-out rows, and learn how the better one errs."""
        rows, target = part(held)
        poor, good = self.examples(rows, target, degradation, rng)
        outputs = self.restore_encoded(poor, network, with_spread=True)
        report = _guard.uncompared(len(held))
        if guard:
            inputs = {"poor": poor} if target is not None else {"poor": poor, "clean": good}

            def treat(name, kind):
                if name == "network":
                    return [self.visible(outputs[0] if kind == "poor" else self.restore_encoded(good, network)[0])]
                return [self.visible(inputs[kind])]

            report.update(_guard.compare(["network", "nothing"], treat, list(inputs), [self.visible(good)]))
        versions = self._versions(poor, outputs, (rows, target), degradation, rng, network)
        return HeldOut(report, self._calibrate(versions, good, report["chosen"]))

    def _versions(self, poor, outputs, rows, degradation, rng, network: Callable) -> Iterator[tuple]:
        """Poor versions of the held-out rows and what `respond` makes of them: those compared, then further ones."""
        yield poor, outputs
        for _ in range(1, n_versions(*rows)):
            poor, _ = self.examples(*rows, degradation, rng)
            yield poor, self.restore_encoded(poor, network, with_spread=True)

    def _calibrate(self, versions, good, chosen: str) -> Errors:
        """How the chosen treatment errs; each row is one of its own, as an image is."""
        found = []
        for poor, (restored, spread, correction) in versions:
            errors = good - (restored if chosen == "network" else poor)
            rows = zip(*map(self.visible, (errors, spread, correction)), strict=True)
            found += [(*(values[None] for values in row), i) for i, row in enumerate(rows)]
        return Errors.learn(*map(list, zip(*found, strict=True)))
