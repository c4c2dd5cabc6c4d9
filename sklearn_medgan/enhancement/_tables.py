"""How rows of a table are made poor, and restored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .._codecs import TableCodec
from .._parameters import check_range
from . import _guard
from ._configuration import Budget, Degrading
from ._error_model import ErrorModel
from ._held_out import Assessment, HeldOutRows
from ._pairs import GivenRows, PairSource, TableNoise
from ._restoration import Encoded, Method, Restoration
from ._shrinkage import Restorer, respond
from ._tiling import GROUP

if TYPE_CHECKING:
    from .._containers import Form
    from ..gan.restoration import RestorerConfiguration

NOISE = (0.0, 1.0)  # of each column's spread


@dataclass(frozen=True)
class TableRestoration(Restoration):
    """Rows (n, columns), encoded as standardised and padded columns; nothing spatial, and no filters."""

    codec: TableCodec
    scale: int = 1

    budget: ClassVar[Budget] = Budget(max_iter=300, learning_rate=5e-3, learning_rate_when_started=5e-3)

    # ---- before training

    @classmethod
    def network_for(cls, enhancer: Any, form: Form) -> RestorerConfiguration:
        from ..gan.restoration import RestorerConfiguration

        _check_no_image_is_meant(enhancer)
        shape = TableCodec.padded_shape(form.row_shape[0])
        return RestorerConfiguration(shape, int(enhancer.width), 2, int(enhancer.batch_size), False)

    @classmethod
    def begin(cls, good: np.ndarray, enhancer: Any) -> TableRestoration:
        return cls(TableCodec.learn(good))

    @classmethod
    def target_of(cls, shape: tuple[int, ...], form: Form, enhancer: Any) -> tuple[tuple[int, ...], None]:
        return shape, None

    def degrading(self, enhancer: Any) -> Degrading:
        level = enhancer.degradation["noise"] if isinstance(enhancer.degradation, Mapping) else NOISE
        return Degrading(check_range("The level of 'noise'", level), None)

    def pairs(self, rows: HeldOutRows, patch: int, rng: np.random.RandomState) -> PairSource:
        kept, target = rows.part(rows.kept)
        if target is None:
            return TableNoise(self.encode(kept), rows.degrading.function, self.n_columns, rng)
        return GivenRows(self.encode(kept), self.encode(target), rng)

    # ---- on rows held out

    def examples(
        self, rows: np.ndarray, target: np.ndarray | None, degrading: Degrading, rng: np.random.RandomState
    ) -> tuple[np.ndarray, np.ndarray]:
        if target is not None:
            return self.encode(rows), self.encode(target)
        good = self.encode(rows)
        return TableNoise(good, degrading.function, self.n_columns, rng).degrade(good, rng), good

    def assess(self, rows: HeldOutRows, network: Restorer, guard: bool) -> Assessment:
        poor, good = self.examples(*rows.part(rows.held), rows.degrading, rows.rng)
        outputs = self.restore_encoded(poor, network, with_spread=True)
        report = _guard.uncompared(len(rows.held))
        if guard:
            inputs = {"poor": poor} if rows.target is not None else {"poor": poor, "clean": good}

            def restored(name: str, kind: str) -> list[np.ndarray]:
                if name == "network":
                    return [self.visible(outputs[0] if kind == "poor" else self.restore_encoded(good, network)[0])]
                return [self.visible(inputs[kind])]

            report.update(_guard.compare(["network", "nothing"], restored, list(inputs), [self.visible(good)]))
        versions = self._versions(rows, network, poor, outputs)
        return Assessment(report, self._calibrate(versions, good, report["chosen"]))

    def _versions(
        self, rows: HeldOutRows, network: Restorer, poor: np.ndarray, outputs: list[np.ndarray]
    ) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
        """Poor versions of the held-out rows and what `respond` makes of them: those compared, then further ones."""
        yield poor, outputs
        held = rows.part(rows.held)
        for _ in range(1, rows.n_versions(len(rows.held))):
            poor, _ = self.examples(*held, rows.degrading, rows.rng)
            yield poor, self.restore_encoded(poor, network, with_spread=True)

    def _calibrate(
        self, versions: Iterator[tuple[np.ndarray, list[np.ndarray]]], good: np.ndarray, chosen: str
    ) -> ErrorModel:
        """How the chosen method errs; each row is one of its own, as an image is."""
        found = []
        for poor, (restored, spread, correction) in versions:
            errors = good - (restored if chosen == "network" else poor)
            rows = zip(*map(self.visible, (errors, spread, correction)), strict=True)
            found += [(*(values[None] for values in row), i) for i, row in enumerate(rows)]
        return ErrorModel.learn(*map(list, zip(*found, strict=True)))

    # ---- at use

    def warn_of_units(self, rows: np.ndarray) -> None:
        """Do nothing: columns have units of their own, and a row may well be an outlier."""

    @property
    def n_columns(self) -> int:
        return len(self.codec.mean)

    def encode(self, rows: np.ndarray) -> np.ndarray:
        return self.codec.encode(rows)

    def decode_draw(self, encoded: np.ndarray) -> np.ndarray:
        return self.codec.decode(encoded)

    def in_units(self, spread: np.ndarray) -> np.ndarray:
        return spread[..., : self.n_columns] * self.codec.scale

    def visible(self, encoded: Encoded) -> np.ndarray:
        return encoded[:, : self.n_columns]

    def apply(self, rows: np.ndarray, method: Method) -> np.ndarray:
        """Return rows through the network, or as they came; float64."""
        if method.name == "nothing":
            return rows.astype(np.float64)
        (restored,) = self.restore_encoded(self.encode(rows), method.network)
        return restored[..., : self.n_columns].astype(np.float64) * self.codec.scale + self.codec.mean

    def apply_encoded(self, poor: Encoded, method: Method) -> np.ndarray:
        return poor if method.name == "nothing" else self.restore_encoded(poor, method.network)[0]

    def apply_with_spread(self, rows: np.ndarray, method: Method) -> list[np.ndarray]:
        """Return rows as [restored, spread, correction], encoded; the correction is without the padding."""
        encoded = self.encode(rows)
        restored, spread, correction = self.restore_encoded(encoded, method.network, with_spread=True)
        return [encoded if method.name == "nothing" else restored, spread, self.visible(correction)]

    def restore_encoded(self, encoded: np.ndarray, network: Restorer, with_spread: bool = False) -> list[np.ndarray]:
        """Return encoded rows as `respond` gives them, encoded."""
        parts = []
        for start in range(0, len(encoded), GROUP):
            block = encoded[start : start + GROUP]
            outputs = respond(network, np.pad(block, [(0, GROUP - len(block)), (0, 0)]), with_spread)
            parts.append([output[: len(block)] for output in outputs])
        return [np.concatenate(part) for part in zip(*parts, strict=True)]


def _check_no_image_is_meant(enhancer: Any) -> None:
    absent = {"scale": 1, "adversarial_weight": 0, "n_views": 1}
    spatial = [name for name, value in absent.items() if getattr(enhancer, name) != value]
    degradation = enhancer.degradation
    noise = degradation in ("auto", "noise", ["noise"], ("noise",)) or (
        isinstance(degradation, Mapping) and set(degradation) == {"noise"}
    )
    if spatial or not noise:
        what = f"{spatial[0]}={getattr(enhancer, spatial[0])!r}" if spatial else f"degradation={degradation!r}"
        raise ValueError(
            f"{what} is for images; got a table, from which GANEnhancer removes noise (degradation='auto' or 'noise'). "
            "Pass image stacks, or flat images with image_shape=(height, width)."
        )
