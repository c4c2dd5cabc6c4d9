"""What `GANEnhancer` does to rows, whatever they are: the network, a treatment, and what held-out rows taught."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ._error_model import Errors

CALIBRATED_ON = 48  # poor versions of held-out images, at most `MOST_VERSIONS` of each
MOST_VERSIONS = 6


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


def respond(network: Callable, rows, with_spread: bool) -> list:
    """[restored], or [restored, spread, correction], where the correction is what the network changed."""
    outputs = network(rows, with_spread)
    return [*outputs, outputs[0] - rows] if with_spread else outputs


def n_outputs(with_spread: bool) -> int:
    """Of `respond`."""
    return 3 if with_spread else 1


def n_versions(rows, target, most: int = MOST_VERSIONS) -> int:
    """How many poor versions of each of these held-out rows the spread is calibrated on; given ones cannot vary."""
    return int(np.clip(-(-CALIBRATED_ON // len(rows)), 1, most)) if target is None else 1


class Treatment(NamedTuple):
    """What is done to rows: the network or a filter of this name.

    `spared` is the change (root mean square over an image, in fractions of the scale) up to which the network does not
    change an image at all, because it makes as much of good ones.
    """

    network: Callable
    name: str
    strength: float = 0.0
    spared: float = 0.0


class HeldOut(NamedTuple):
    """What was learned from held-out rows."""

    report: dict
    errors: Errors
