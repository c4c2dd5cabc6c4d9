"""What is kept of columns' means and spreads does not tell who was among few rows."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from sklearn.metrics import roc_auc_score

from sklearn_medgan.augmentation._representation import Moments


def images(n, rng):
    return gaussian_filter(rng.normal(size=(n, 32, 32)), (0, 1, 1)).reshape(n, -1)


def attacked(n, n_known, seed):
    """Areas under the curve of an attacker who knows the population's means and spreads: by mean, and by spread."""
    rng = np.random.RandomState(seed)
    population, members, others = images(1000, rng), images(n, rng), images(n, rng)
    mean, spread = population.mean(0), population.std(0)
    offset = rng.normal(size=len(mean)) * spread  # means lie anywhere between the steps
    moments = Moments(len(mean))
    moments.add((members + offset).astype(np.float32))
    location, weight = moments.scaled(1.0, 1, n_known)
    leans = (location - offset - mean) / spread, np.log(spread * weight).mean() - np.log(spread * weight)
    scores = [
        [((rows - mean) / spread) ** (k + 1) @ lean for rows in (members, others)] for k, lean in enumerate(leans)
    ]
    return [roc_auc_score(np.repeat([1, 0], n), np.concatenate(pair)) for pair in scores]


@pytest.mark.parametrize("n", [20, 40])
def test_members_of_a_small_set_are_not_told_by_its_means_and_spreads(n):
    exact = np.mean([attacked(n, 10**9, seed) for seed in range(4)], axis=0)
    rounded = np.mean([attacked(n, n, seed) for seed in range(4)], axis=0)
    assert (exact > 0.85).all()
    assert (rounded < 0.6).all()


def test_of_many_rows_they_are_exact_and_a_block_has_its_total_either_way():
    rng = np.random.RandomState(0)
    rows = (rng.normal(size=(300, 7)) * [1, 2, 3, 4, 5, 6, 0] + 50).astype(np.float32)
    moments = Moments(7)
    moments.add(rows[:100])
    moments.add(rows[100:])
    exact = moments.scaled(2.0, 3, 10**9)
    np.testing.assert_allclose(exact[0], rows.mean(0, dtype=np.float64), rtol=1e-5)
    np.testing.assert_allclose(exact[1][:6], 2 / (rows.std(0, dtype=np.float64)[:6] * np.sqrt(3 * 7)), rtol=1e-4)
    assert exact[1][6] == 0
    for n in (10**9, 300, 10):
        location, weight = moments.scaled(2.0, 3, n)
        np.testing.assert_allclose(((rows - location) * weight).var(0).sum(), 4 / 3 * 6 / 7, rtol=1e-4)
