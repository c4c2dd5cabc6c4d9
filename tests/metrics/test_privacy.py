"""Memorisation and membership, on copies and on new rows."""

import numpy as np
import pytest
from rows import rows
from scipy.spatial.distance import cdist
from sklearn.metrics import roc_auc_score

from sklearn_medgan.metrics import membership_inference_auc, memorisation_ratio
from sklearn_medgan.metrics._neighbours import nearest_distances


def test_memorisation_is_the_median_quotient_of_nearest_distances():
    train, synthetic, reference = rows(0, 40), rows(1, 30), rows(2, 40)
    to_train, to_reference = (cdist(synthetic, s).min(axis=1) for s in (train, reference))
    found = memorisation_ratio(train, synthetic, reference)
    assert found.ratio == pytest.approx(np.median(to_train / to_reference))
    assert found.share_nearer == pytest.approx(np.mean(to_train < to_reference))


def test_memorisation_without_reference_compares_the_two_nearest():
    train, synthetic = rows(0, 40), rows(1, 30)
    nearest = np.sort(cdist(synthetic, train), axis=1)
    found = memorisation_ratio(train, synthetic)
    assert found == (pytest.approx(np.median(nearest[:, 0] / nearest[:, 1])), None)
    assert memorisation_ratio(train, train).ratio == 0.0
    twice = np.repeat(train, 2, axis=0)  # every row and its duplicate: both distances are 0
    assert memorisation_ratio(twice, train).ratio == 0.0


@pytest.mark.parametrize("sizes", [(400, 400), (1000, 100), (300, 900)])
def test_memorisation_of_new_rows_is_about_one(sizes):
    values = [memorisation_ratio(rows(s, sizes[0]), rows(s + 50), rows(s + 90, sizes[1])) for s in range(8)]
    ratio, share = np.mean(values, axis=0)
    assert ratio == pytest.approx(1.0, abs=0.1)
    assert share == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("sizes", [(400, 400), (1000, 100), (300, 900)])
def test_memorisation_sees_copies_of_any_training_row(sizes):
    """Also where there are ten times as many training rows as reference rows."""
    train, reference = rows(0, sizes[0]), rows(1, sizes[1])
    assert memorisation_ratio(train, train[:200], reference) == (0.0, 1.0)
    near = memorisation_ratio(1e4 + train, 1e4 + train[:200] + 0.01 * rows(2), 1e4 + reference)
    assert near.ratio < 0.1
    assert near.share_nearer > 0.95
    half = memorisation_ratio(train, np.r_[train[:100], rows(2, 100)], reference)
    assert half.ratio < 0.9
    assert half.share_nearer == pytest.approx(0.75, abs=0.07)


def test_memorisation_of_one_mode_is_not_memorisation():
    """All synthetic rows alike, between the real ones: as near to either set."""
    middle = np.zeros((50, 4))
    ratios = [memorisation_ratio(rows(s), middle, rows(s + 50)).ratio for s in range(20)]
    assert np.median(ratios) == pytest.approx(1.0, abs=0.2)


def test_rows_that_all_sets_hold_are_no_copies():
    same = np.zeros((20, 4))
    assert memorisation_ratio(same, same, same) == (1.0, 0.5)
    assert memorisation_ratio(same, same, same[:10]) == (1.0, 0.5)
    assert memorisation_ratio(same + 1, same, same) == (np.inf, 0.0)


def test_membership_is_the_area_of_nearest_distances():
    members, others, synthetic = rows(0, 60), rows(1, 50, 4, 1.2), rows(2, 70)
    distances = cdist(np.r_[members, others], synthetic).min(axis=1)
    expected = roc_auc_score(np.arange(110) < 60, -distances)
    assert membership_inference_auc(members, others, synthetic) == pytest.approx(expected)


def test_membership_of_tied_rows_counts_by_half():
    members, others = [[0.0], [1.0], [2.0]], [[1.0], [2.0]]
    # Distances to 0: (0, 1, 2) against (1, 2). Of six pairs three are won, two tied.
    assert membership_inference_auc(members, others, [[0.0], [0.0]]) == pytest.approx(4 / 6)


def test_membership_sees_copies_and_no_collapse():
    members, others = rows(0), rows(1)
    assert membership_inference_auc(members, others, members) == 1.0
    assert membership_inference_auc(1e4 + members, 1e4 + others, 1e4 + members) == 1.0
    assert membership_inference_auc(others, members, members) == 0.0
    assert membership_inference_auc(members, others, rows(2)) == pytest.approx(0.5, abs=0.08)
    assert membership_inference_auc(members, others, np.zeros((50, 4))) == pytest.approx(0.5, abs=0.08)


def test_interval_covers_as_often_as_it_says():
    """Members and others alike: the area is 0.5 in truth."""
    held = []
    for seed in range(40):
        sets = rows(seed, 60, 2), rows(seed + 200, 60, 2), rows(seed + 400, 60, 2)
        area, (low, high) = membership_inference_auc(*sets, return_interval=True, n_bootstraps=100, confidence=0.8)
        assert low < area < high
        held.append(low <= 0.5 <= high)
    assert 0.65 < np.mean(held) < 0.95


def test_interval_is_seeded_and_widens_with_confidence():
    sets = rows(0, 50), rows(1, 50), rows(2, 50)
    area, (low, high) = membership_inference_auc(*sets, return_interval=True)
    assert (area, (low, high)) == membership_inference_auc(*sets, return_interval=True)
    assert (low, high) != membership_inference_auc(*sets, return_interval=True, random_state=1)[1]
    inner = membership_inference_auc(*sets, return_interval=True, confidence=0.5)[1]
    assert low < inner[0] < inner[1] < high


def test_privacy_of_many_columns_far_from_the_origin():
    """There a search by matrix products errs: by its neighbours, and by distances of copies above 0."""
    train, reference, near = rows(0, 60, 64), rows(1, 60, 64), rows(0, 60, 64) + 0.1 * rows(2, 60, 64)
    far = [1e8 + s for s in (train, near, reference)]
    assert not nearest_distances(rows(3, 400, 301), rows(3, 400, 301)).any()
    assert memorisation_ratio(far[0], far[0], far[2]) == (0.0, 1.0)
    assert memorisation_ratio(*far) == pytest.approx(memorisation_ratio(train, near, reference))
    assert membership_inference_auc(far[0], far[2], far[1]) == 1.0
