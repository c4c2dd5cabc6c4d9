"""Fidelity and variety of synthetic rows apart, by neighbourhoods.

By hand: the authors' package `prdc` holds all distances at once, and leaves equal rows outside their own ball.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import pairwise_distances_chunked

from .._parameters import check_whole
from ._neighbours import radii
from ._rows import feature_rows

WORKING_MEMORY_MB = 64  # for the distances held at a time
DUST = 1e-6  # rounding of distances between rows of norm about 1


class ManifoldScores(NamedTuple):
    """Precision and density: fidelity. Recall and coverage: variety."""

    precision: float
    recall: float
    density: float
    coverage: float


def precision_recall_density_coverage(
    X_real: ArrayLike, X_synthetic: ArrayLike, *, n_neighbors: int = 5, features: Any = None
) -> ManifoldScores:
    """Tell whether synthetic rows lie among real ones, and whether they cover them. Higher is better.

    Around each row lies a ball that reaches to its `n_neighbors`-th nearest row of the same set.

    Parameters
    ----------
    X_real, X_synthetic : array-like of shape (n, n_features) or (n, height, width[, channels]), any real dtype
        Rows, more than `n_neighbors` of each. Images are flattened.
    n_neighbors : int, default=5
        Size of a neighbourhood, without the row itself.
    features : callable or fitted transformer, default=None
        Maps rows, in the form in which they were passed, to an array (n, d); an object with `transform` is asked for
        that. None: the flattened values.

    Returns
    -------
    scores : named tuple of float
        ``precision``: share of synthetic rows inside the ball of a real row, 0 to 1.
        ``recall``: share of real rows inside the ball of a synthetic row, 0 to 1.
        ``density``: mean number of real balls that a synthetic row is in, divided by `n_neighbors`; from 0, about 1 for
        rows of the real distribution, more where they crowd in its densest part.
        ``coverage``: share of real rows with a synthetic row in their ball, 0 to 1.

    Raises
    ------
    ValueError
        If a set has no more than `n_neighbors` rows, or rows are not finite, no numbers or of different sizes.

    See Also
    --------
    frechet_distance, kernel_distance : One figure for fidelity and variety together.

    Notes
    -----
    Rows of the real distribution do not reach 1 in precision and recall, and reach about ``1 - 2**-n_neighbors`` in
    coverage where there are equally many of both: measure a second real sample beside the synthetic one. One outlier
    has a large ball and lifts precision or recall; density and coverage were made against that.

    A row on the rim of a ball is outside, as in the authors' package ``prdc``; equal rows are inside also where more
    than `n_neighbors` duplicates shrink the ball to a point. Distances are held in blocks of 64 MiB.

    References
    ----------
    Kynkaanniemi, Karras, Laine, Lehtinen and Aila, "Improved precision and recall metric for assessing generative
    models", NeurIPS 2019 (arXiv 1904.06991), equations 1 and 2. Naeem, Oh, Uh, Choi and Yoo, "Reliable fidelity and
    diversity metrics for generative models", ICML 2020 (arXiv 2002.09797), section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_medgan.metrics import precision_recall_density_coverage
    >>> real = np.random.default_rng(0).normal(size=(200, 2))
    >>> one_mode = real[:1] + 0.01 * np.random.default_rng(1).normal(size=(200, 2))
    >>> scores = precision_recall_density_coverage(real, one_mode)
    >>> scores.precision, scores.recall < 0.1, scores.coverage < 0.1
    (1.0, True, True)
    """
    n_neighbors = check_whole("n_neighbors", n_neighbors, 1)
    sets = {"X_real": X_real, "X_synthetic": X_synthetic}
    real, synthetic = _at_unit_scale(*feature_rows(sets, features, fewest=n_neighbors + 1))
    real_radii, synthetic_radii = radii(real, n_neighbors), radii(synthetic, n_neighbors)
    n_balls = np.zeros(len(synthetic))  # of real rows, around each synthetic row
    recalled, covered = [], []
    for start, distances in _blocks(real, synthetic):
        in_real = _inside(distances, real_radii[start : start + len(distances), None])
        n_balls += in_real.sum(axis=0)
        covered.append(in_real.any(axis=1))
        recalled.append(_inside(distances, synthetic_radii).any(axis=1))
    return ManifoldScores(
        precision=float(np.mean(n_balls > 0)),
        recall=float(np.mean(np.concatenate(recalled))),
        density=float(np.mean(n_balls) / n_neighbors),
        coverage=float(np.mean(np.concatenate(covered))),
    )


def _at_unit_scale(real: np.ndarray, synthetic: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both shifted and scaled alike, so that real rows have a norm of about 1: what counts as dust is then known."""
    centre = real.mean(axis=0)
    scale = np.sqrt(np.mean(np.sum((real - centre) ** 2, axis=1))) or 1.0
    return (real - centre) / scale, (synthetic - centre) / scale


def _blocks(real: np.ndarray, synthetic: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """First row and distances (some real rows, all synthetic rows) of one block after the other."""
    start = 0
    for distances in pairwise_distances_chunked(real, synthetic, working_memory=WORKING_MEMORY_MB):
        yield start, distances
        start += len(distances)


def _inside(distances: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Within the open ball, or in its very centre."""
    return (distances < reach * (1.0 - DUST)) | (distances < DUST)
