"""Precision, recall, density and coverage against the authors' package."""

import tracemalloc

import numpy as np
import pytest
from rows import one_mode, rows

from sklearn_medgan.metrics import (
    _manifolds,
    membership_inference_auc,
    memorisation_ratio,
    precision_recall_density_coverage,
)

# Made once with prdc 0.2 (PyPI, of the authors of density and coverage): compute_prdc(real, synthetic, nearest_k).
PRDC = [
    ((0, 60, 3), (1, 50, 3, 0.7, 0.5), 3, (1.0, 0.55, 1.34, 0.6)),
    ((2, 200, 10), (3, 150, 10, 1.3), 5, (89 / 150, 0.975, 0.416, 0.745)),
    ((4, 80, 40), (5, 90, 40, 1.0, 0.4), 1, (16 / 90, 0.4, 24 / 90, 0.175)),
]


@pytest.mark.parametrize(("real", "synthetic", "n_neighbors", "expected"), PRDC)
def test_manifold_scores_are_those_of_prdc(real, synthetic, n_neighbors, expected):
    scores = precision_recall_density_coverage(rows(*real), rows(*synthetic), n_neighbors=n_neighbors)
    np.testing.assert_allclose(scores, expected)
    assert scores._fields == ("precision", "recall", "density", "coverage")


def test_manifold_scores_by_hand():
    """On a line, one neighbour: real rows 0, 1, 10 of radii 1, 1, 9; synthetic 0.5, 0.6, 30 of radii 0.1, 0.1, 29.4."""
    scores = precision_recall_density_coverage([[0.0], [1.0], [10.0]], [[0.5], [0.6], [30.0]], n_neighbors=1)
    # 0.5 lies in the balls of 0 and 1 only: 10 - 9 = 1. So does 0.6; 30 lies in none.
    assert scores.precision == pytest.approx(2 / 3)
    assert scores.density == pytest.approx(4 / 3)
    assert scores.coverage == pytest.approx(2 / 3)
    # 30 - 29.4 = 0.6: its ball holds 1 and 10; 0 lies in none.
    assert scores.recall == pytest.approx(2 / 3)


def test_manifold_scores_see_a_copy_and_a_collapse():
    real = rows(0)
    assert precision_recall_density_coverage(real, real) == (1.0, 1.0, 1.0, 1.0)
    copy = precision_recall_density_coverage(1e4 + real, 1e4 + real[::-1])  # far from the origin: rounding
    np.testing.assert_allclose(copy, 1.0)
    collapsed = precision_recall_density_coverage(real, one_mode())
    assert collapsed.precision == 1.0
    assert max(collapsed.recall, collapsed.coverage) < 0.1
    constant = precision_recall_density_coverage(real, np.repeat(real[:1], 200, axis=0))
    assert constant.precision == 1.0
    assert max(constant.recall, constant.coverage) < 0.1
    far = precision_recall_density_coverage(real, rows(1, shift=100.0))
    assert far == (0.0, 0.0, 0.0, 0.0)


def test_manifold_scores_of_alike_rows_are_as_the_paper_expects():
    """Lemmas 1 and 2 of Naeem et al.: density 1, coverage 1 - 2**-k for many rows."""
    values = [precision_recall_density_coverage(rows(s, 400), rows(s + 50, 400), n_neighbors=3) for s in range(8)]
    _, _, density, coverage = np.mean(values, axis=0)
    assert density == pytest.approx(1.0, abs=0.03)
    assert coverage == pytest.approx(1 - 2**-3, abs=0.02)


def test_duplicates_are_in_their_own_ball():
    """A table of two levels: every ball is a point."""
    real = np.repeat([[0.0], [1.0]], 20, axis=0)
    assert precision_recall_density_coverage(real, real)[:2] == (1.0, 1.0)
    scores = precision_recall_density_coverage(real, real[:20])
    assert (scores.precision, scores.recall, scores.coverage) == (1.0, 0.5, 0.5)


def test_distances_are_held_in_blocks(monkeypatch):
    """The whole matrix takes 32 MB."""
    real, synthetic = rows(0, 2000), rows(1, 2000)
    whole = precision_recall_density_coverage(real, synthetic)
    monkeypatch.setattr(_manifolds, "WORKING_MEMORY_MB", 1)
    tracemalloc.start()
    try:
        assert precision_recall_density_coverage(real, synthetic) == whole
        membership_inference_auc(real, real[::2], synthetic)
        memorisation_ratio(real, synthetic, real[::2])
        assert tracemalloc.get_traced_memory()[1] < 8e6
    finally:
        tracemalloc.stop()
