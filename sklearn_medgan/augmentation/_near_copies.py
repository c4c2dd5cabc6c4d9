"""Samples that come as near to a real row as real rows seldom do to each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..metrics._neighbours import nearest_distances
from ..metrics._rows import evenly
from ._canvas import identities

MOST_COMPARED = 1_000  # rows whose distance to the nearest other one says what is usual
ROUNDS = 10  # in which near-copies are drawn again


@dataclass(frozen=True)
class RealRows:
    """Real rows (n, n_values) as the GAN sees them, none twice; what is within `limit` of one is a near-copy of it."""

    rows: np.ndarray
    limit: float

    @classmethod
    def of(cls, rows: np.ndarray, min_distance: float) -> RealRows:
        """Return encoded rows with a limit of `min_distance` times the median distance of a row to the nearest other.

        As the rows stand for those of other patients, 0.5 is where `metrics.privacy_report` speaks of near-copies.
        """
        rows = rows.reshape(len(rows), -1)
        rows = rows[np.sort(np.unique(identities(rows), return_index=True)[1])]
        if len(rows) < 2:
            return cls(rows, 0.0)
        some = rows[evenly(len(rows), MOST_COMPARED)]
        return cls(rows, min_distance * float(np.median(nearest_distances(some, rows, 2)[:, 1])))

    def near(self, rows: np.ndarray) -> np.ndarray:
        return nearest_distances(rows.reshape(len(rows), -1), self.rows)[:, 0] <= self.limit


def told(n: int, n_near: int, n_left: int, min_distance: float) -> str:
    """Return how many of n samples were near-copies, and how many are left out."""
    again = "was" if n_near == 1 else "were"
    found = (
        f"{n_near} of {n} samples {again} within {min_distance:g} of the usual distance between rows of X, and drawn "
        "again"
    )
    if not n_left:
        return f"{found}."
    return (
        f"{found}; {n_left} still came so near after {ROUNDS} rounds, and are left out. Train on more rows, or for "
        "fewer steps."
    )
