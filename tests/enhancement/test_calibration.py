"""Correction of predicted spreads and widening of intervals, against laws whose answer is known."""

import numpy as np
import pytest
from scipy import stats

from sklearn_medgan.enhancement import _calibration as calibration
from sklearn_medgan.enhancement._calibration import (
    COVERAGES,
    LEVELS,
    MOST_FOLDS,
    PRIOR_IMAGES,
    WIDEST,
    Scaling,
    Study,
    level,
)

RNG = np.random.RandomState(0)


def test_level_is_that_of_the_surroundings():
    correction = np.zeros((80, 80, 1), np.float32)
    correction[:, 40:] = 0.1
    found = level(correction)
    assert found.shape == (80, 80, 1)
    np.testing.assert_allclose(found[:, 50:], np.log(0.1 + 1e-4), atol=1e-4)
    np.testing.assert_allclose(found[:, :30], np.log(1e-4), atol=1e-2)
    assert (np.diff(found, axis=1) > -1e-4).all()  # nothing jumps back


def test_level_takes_channels_together_and_images_apart():
    correction = RNG.normal(size=(3, 20, 24, 2)).astype(np.float32) * np.array([1, 2, 3])[:, None, None, None]
    found = level(correction)
    assert found.shape == (3, 20, 24, 1)
    for one, alone in zip(found, map(level, correction), strict=True):
        assert np.array_equal(one, alone)
    assert np.array_equal(level(correction[..., ::-1]), found)


def test_level_of_a_table_is_that_of_the_row():
    rows = RNG.normal(size=(5, 3))
    np.testing.assert_allclose(level(rows)[:, 0], np.log(np.sqrt((rows**2).mean(1)) + 1e-4), rtol=1e-5)


# -- correction ---------------------------------------------------------------


def study(n=30, of_spread=0.0, of_level=0.0, shape=(20, 20, 1), seed=0):
    """Laplace errors whose scale is the spread, times a power of it and of what was changed."""
    rng = np.random.RandomState(seed)
    spreads = [np.exp(rng.uniform(-4.0, 0.0, shape)) for _ in range(n)]
    levels = [rng.uniform(-3.0, 0.0, shape) for _ in range(n)]
    scales = [s * np.exp(of_spread * np.log(s) + of_level * at) for s, at in zip(spreads, levels, strict=True)]
    return Study([rng.laplace(size=shape) * scale for scale in scales], spreads, levels, list(range(n)))


@pytest.mark.parametrize("of_spread", [-0.5, 0.0, 0.3])
@pytest.mark.parametrize("of_level", [0.0, 0.5])
def test_powers_are_found_and_the_fewer_the_images_the_less_is_believed(of_spread, of_level):
    for n in (5, 200):
        found = study(n, of_spread, of_level).scaling()
        believed = n / (n + PRIOR_IMAGES)
        assert found.of_spread == pytest.approx(believed * of_spread, abs=0.1)
        assert found.of_level == pytest.approx(believed * of_level, abs=0.1)


def test_spreads_that_are_right_stay():
    found = study(200)
    np.testing.assert_allclose(
        calibration.rescaled(found.spreads, found.levels, found.scaling()), found.spreads, rtol=0.1
    )


def test_sizes_of_errors_come_out_right_on_average():
    found = study(200, -0.4, 0.4)
    values = np.abs(found.relative(found.scaling()))
    for part in (found.spreads < 0.03, found.spreads > 0.5, found.levels < -2.5, found.levels > -0.5):
        assert values[part].mean() == pytest.approx(values.mean(), rel=0.15)


def test_nothing_is_learned_beyond_what_was_seen():
    """Half the spread is half as much there, a larger one is held back, and what was changed makes no difference."""
    scaling = study(50, -0.4, 0.4).scaling()
    spreads = np.exp([1.0, 2.0, -6.0, -7.0])
    found = calibration.rescaled(spreads, np.full(4, -1.0), scaling)
    np.testing.assert_allclose(np.diff(np.log(found))[[0, 2]], [0.0, -1.0], atol=1e-6)
    levels = calibration.rescaled(np.ones(4), np.array([0.1, 3.0, -3.1, -9.0]), scaling)
    assert levels[0] == levels[1] > levels[2] == levels[3]


def test_what_does_not_vary_teaches_nothing():
    shape, rng = (20, 20, 1), np.random.RandomState(0)
    errors = [rng.laplace(size=shape) for _ in range(8)]
    found = Study(errors, [np.full(shape, 0.29)] * 8, [np.zeros(1)] * 8, list(range(8))).scaling()
    np.testing.assert_allclose(found[:3], 0.0, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_correction_keeps_shape_and_dtype_and_takes_values_apart(dtype):
    scaling = study(8, 0.3, 0.3).scaling()
    spread = np.exp(np.random.RandomState(0).normal(size=(4, 5, 6, 2))).astype(dtype)
    at_level = np.random.RandomState(1).normal(size=(4, 5, 6, 1))
    together = calibration.rescaled(spread, at_level, scaling)
    assert (together.shape, together.dtype) == (spread.shape, dtype)
    assert np.array_equal(together[1:2, 2:], calibration.rescaled(spread[1:2, 2:], at_level[1:2, 2:], scaling))


def test_errors_of_zero_can_be_learned():
    zeros = [np.zeros((9, 9, 1))] * 3
    found = Study(zeros, [np.ones((9, 9, 1))] * 3, zeros, [0, 1, 2])
    assert found.scaling() == Scaling()
    np.testing.assert_array_equal(found.widths(), 1.0)


def test_large_arrays_are_studied_at_regular_places():
    """In all columns alike."""
    columns = np.arange(256.0) * np.ones((256, 1))
    found = Study([columns], [np.ones_like(columns)], [np.zeros(1)], [0])
    assert len(found.errors) == pytest.approx(256 * 256 / 17, abs=1)
    assert np.unique(found.errors, return_counts=True)[1].min() >= 10


# -- widening -----------------------------------------------------------------


def widths(errors, images=None):
    ones = [np.ones_like(error) for error in errors]
    return Study(errors, ones, [np.zeros(1)] * len(errors), images or list(range(len(errors)))).widths()


def laplace(n, seed=0):
    return list(np.random.RandomState(seed).laplace(size=(n, 40, 40, 1)))


def test_images_alike_need_no_wider_intervals():
    np.testing.assert_allclose(widths(laplace(8)), 1.0, atol=0.06)
    np.testing.assert_allclose(study(8, 0.3, 0.3).widths(), 1.0, atol=0.06)


def test_a_single_image_tells_nothing_of_others():
    np.testing.assert_array_equal(widths(laplace(3), ["one"] * 3), np.ones(len(COVERAGES)))


def test_rows_of_a_table_are_left_out_in_few_folds(monkeypatch):
    """Each once."""
    left_out, scores = [], Study._scores
    monkeypatch.setattr(Study, "_scores", lambda self, out: left_out.append(out) or scores(self, out))
    rows = list(np.random.RandomState(0).laplace(size=(100, 1, 7)))
    np.testing.assert_allclose(widths(rows)[:-1], 1.0, atol=0.2)
    assert len(left_out) == MOST_FOLDS
    np.testing.assert_array_equal(np.sum(left_out, axis=0), 1)


def test_an_image_unlike_the_others_widens_what_it_would_fall_out_of():
    """Of eleven images that are left out in turn, one errs ten times as much: it is a share of the tails."""
    errors = laplace(11)
    errors[4] = 10.0 * errors[4]
    found = widths(errors)
    assert found[-1] > 1.2  # 95 %
    assert found[0] < 1.1  # 10 %
    assert ((found >= 1.0) & (found <= WIDEST)).all()


def test_widths_are_bounded():
    found = widths([np.full((9, 9, 1), value) for value in (0.0, 1e-3, 1e6)])
    assert ((found >= 1.0) & (found <= WIDEST)).all()


def test_widened_quantiles_are_farther_from_the_median_by_what_is_said():
    quantiles = stats.norm(1.0, 2.0).ppf(LEVELS)
    by = np.linspace(1.0, 2.0, len(COVERAGES))
    found = calibration.widened(quantiles, by)
    for coverage, factor in zip(COVERAGES, by, strict=True):
        for side in (-1, 1):
            before, after = (calibration.at(0.5 + side * coverage / 2, q) - 1.0 for q in (quantiles, found))
            assert after == pytest.approx(factor * before, rel=0.02)
    np.testing.assert_array_equal(calibration.widened(quantiles, np.ones(len(COVERAGES))), quantiles)


def test_widened_quantiles_do_not_cross():
    by = np.ones(len(COVERAGES))
    by[3] = WIDEST
    assert (np.diff(calibration.widened(stats.norm.ppf(LEVELS), by)) >= 0).all()


def test_spread_that_explodes_is_held_back():
    """Beyond twice the largest usual spread, the corrected one stays where it is."""
    scaling = Scaling(logs=(np.log(0.01), np.log(0.1)))
    spread = np.array([0.05, 0.1, 0.19, 0.3, 40.0], np.float32)
    found = calibration.rescaled(spread, np.zeros(5), scaling)
    assert found == pytest.approx([0.05, 0.1, 0.19, 0.2, 0.2])
    assert found.dtype == np.float32
