"""The protocol by which `GANEnhancer` restores rows, whatever they are: images and tables implement it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from ._configuration import Budget
from ._shrinkage import Restorer

if TYPE_CHECKING:
    from typing_extensions import Self

    from .._containers import Form
    from ..gan.restoration import RestorerConfiguration
    from ._configuration import Degrading
    from ._held_out import Assessment, HeldOutRows
    from ._pairs import PairSource


# Rows in the units of the network: a list of images that may differ in size, or an array of a table's rows.
Encoded = Any


class Method(NamedTuple):
    """What restores: the network, or the simple filter of this name, which the guard chose instead.

    `spared` is the change (root mean square over an image, in fractions of the scale) up to which the network does not
    change an image at all, because it makes as much of good ones.
    """

    network: Restorer
    name: str
    strength: float = 0.0
    spared: float = 0.0


class Restoration(ABC):
    """How rows of a kind come to the network and back, are made poor, and are restored by a `Method`.

    Rows are raw, in the units of the data, (n, height, width, channels) or (n, columns); or encoded, in the units of
    the network. `codec` goes from one to the other; `scale` is the enlargement. `enhancer` is a `GANEnhancer`, of which
    parameters are looked at.
    """

    budget: ClassVar[Budget]
    codec: Any  # an `ImageScale` or a `TableCodec`
    scale: int

    # ---- before training

    @classmethod
    @abstractmethod
    def network_for(cls, enhancer: Any, form: Form) -> RestorerConfiguration:
        """Return the configuration of the network; ValueError where parameters do not suit such rows."""

    @classmethod
    @abstractmethod
    def begin(cls, good: np.ndarray, enhancer: Any) -> Self:
        """Return the restoration that has learned the scale of these good rows, and nothing else."""

    @classmethod
    @abstractmethod
    def target_of(
        cls, shape: tuple[int, ...], form: Form, enhancer: Any
    ) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
        """Return the shape of the good versions of raw rows of a shape, and the `image_shape` if these come flat."""

    def adjusted(self, enhancer: Any) -> Self:
        """Return this with what may change between fits that go on from each other."""
        return self

    @abstractmethod
    def degrading(self, enhancer: Any) -> Degrading:
        """Return what makes good rows poor; ValueError or TypeError for one that is not known."""

    def learn(self, rows: HeldOutRows, rng: np.random.RandomState) -> Self:
        """Return this with what the rows for training teach beside the network."""
        return self

    @abstractmethod
    def pairs(self, rows: HeldOutRows, patch: int, rng: np.random.RandomState) -> PairSource:
        """Return a source of training pairs from the rows that are not held out."""

    # ---- on rows held out

    @abstractmethod
    def examples(
        self, rows: np.ndarray, target: np.ndarray | None, degrading: Degrading, rng: np.random.RandomState
    ) -> tuple[Encoded, Encoded]:
        """Return encoded rows, poor and good: degraded here, or where there is a target as they were given."""

    @abstractmethod
    def assess(self, rows: HeldOutRows, network: Restorer, guard: bool) -> Assessment:
        """Compare methods on the rows held out (if `guard`), and learn how the chosen one errs."""

    # ---- at use

    @staticmethod
    def shaped(rows: np.ndarray, form: Form) -> np.ndarray:
        """Return checked rows in the shape of raw ones."""
        return rows

    @abstractmethod
    def warn_of_units(self, rows: np.ndarray) -> None:
        """Warn where raw rows seem to be in other units than those seen at fit."""

    def in_form(self, restored: np.ndarray, form: Form) -> Any:
        """Return raw restored rows in the form of the input."""
        return form.restore(restored)

    @staticmethod
    def in_shape(values: np.ndarray, form: Form) -> np.ndarray:
        """Return raw values as an array that is shaped like the rows that came."""
        return values

    def names_out(self, names: np.ndarray) -> np.ndarray:
        """Return names of the restored columns, from those of the input's."""
        return names

    @abstractmethod
    def apply(self, rows: np.ndarray, method: Method) -> np.ndarray:
        """Return raw rows restored, raw."""

    @abstractmethod
    def apply_encoded(self, poor: Encoded, method: Method) -> Encoded:
        """Return encoded rows, already as large as the good ones, restored and encoded."""

    @abstractmethod
    def apply_with_spread(self, rows: np.ndarray, method: Method) -> list[np.ndarray]:
        """Return raw rows as [restored, spread, correction], encoded; the last two are the network's."""

    @abstractmethod
    def decode_draw(self, encoded: np.ndarray) -> np.ndarray:
        """Return a draw of encoded rows as float64 in the units of the data."""

    @property
    def span(self) -> float:
        """What a difference of one between encoded rows stands for; 1 where that differs between columns."""
        return 1.0

    @abstractmethod
    def in_units(self, spread: np.ndarray) -> np.ndarray:
        """Return differences of encoded rows as differences in the units of the data."""

    def visible(self, encoded: Encoded) -> Encoded:
        """Return what of encoded rows belongs to the data, without padding."""
        return encoded
