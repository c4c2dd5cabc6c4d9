"""How a restorer errs: learned quantiles, intervals and draws against known distributions."""

import numpy as np
import pytest
from scipy import stats

from sklearn_medgan._errors import FEWEST_VALUES, LEVELS, MOST_BINS, Errors, level

RNG = np.random.RandomState(0)


def laplace_images(n=4, shape=(60, 60, 1), seed=0):
    """Errors of a Laplace distribution whose scale differs from pixel to pixel, and these scales."""
    rng = np.random.RandomState(seed)
    spreads = [rng.uniform(0.5, 2.0, shape) for _ in range(n)]
    return [rng.laplace(size=shape) * spread for spread in spreads], spreads


def neighbours(field):
    """Correlation between a pixel and the one to its right, and the one below."""
    return [
        np.corrcoef(a.ravel(), b.ravel())[0, 1]
        for a, b in ((field[:, :, :-1], field[:, :, 1:]), (field[:, :-1], field[:, 1:]))
    ]


def autoregressive(correlation, shape, rng):
    """Gaussian rows in which neighbours along a row have this correlation exactly."""
    field = rng.standard_normal(shape)
    for column in range(1, shape[1]):
        field[:, column] = correlation * field[:, column - 1] + np.sqrt(1 - correlation**2) * field[:, column]
    return field


def test_quantiles_are_those_of_numpy():
    errors, spreads = laplace_images()
    ratios = np.concatenate([(e / s).ravel() for e, s in zip(errors, spreads, strict=True)])
    learned = Errors.learn(errors, spreads)
    np.testing.assert_allclose(learned.quantiles, np.quantile(ratios, LEVELS), rtol=1e-6)
    np.testing.assert_allclose(learned.quantiles[20:-20], stats.laplace.ppf(LEVELS)[20:-20], atol=0.15)


def test_images_of_several_sizes_count_by_their_pixels():
    errors = [np.full((10, 30, 1), 1.0), np.full((10, 10, 1), 3.0)]
    learned = Errors.learn(errors, [np.ones_like(e) for e in errors])
    assert (learned.quantiles == 1.0).mean() == pytest.approx(0.75, abs=0.01)


def test_correlation_is_that_of_neighbours():
    rng = np.random.RandomState(0)
    errors = [autoregressive(0.6, (80, 80, 1), rng) for _ in range(4)]
    assert Errors.learn(errors, [np.ones_like(e) for e in errors]).correlation == pytest.approx(0.6, abs=0.03)
    white = [rng.standard_normal((80, 80, 1)) for _ in range(4)]
    assert abs(Errors.learn(white, [np.ones_like(e) for e in white]).correlation) < 0.03


def test_tables_have_no_neighbours():
    rows = RNG.normal(size=(40, 1)) * np.ones((1, 6))  # equal columns
    assert Errors.learn([rows], [np.ones_like(rows)]).correlation == 0.0


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9])
def test_interval_covers_what_it_says(coverage):
    learned = Errors.learn(*laplace_images())
    low, high = learned.interval(coverage)
    errors, spreads = (np.stack(part) for part in laplace_images(seed=1))
    inside = (errors / spreads > low) & (errors / spreads < high)
    assert inside.mean() == pytest.approx(coverage, abs=0.02)
    assert high == pytest.approx(stats.laplace.ppf(0.5 + coverage / 2), rel=0.1)


def test_intervals_are_nested():
    learned = Errors.learn(*laplace_images())
    intervals = np.array([learned.interval(c) for c in (0.1, 0.5, 0.9, 0.99)])
    assert (np.diff(intervals[:, 0]) < 0).all()
    assert (np.diff(intervals[:, 1]) > 0).all()


def test_deviation_is_the_standard_deviation_in_units_of_the_spread():
    """Errors beyond the outermost levels, one in 200, are taken for these."""
    rng = np.random.RandomState(0)
    for error, expected in ((rng.standard_normal(10**5), 1.0), (rng.uniform(-1, 1, 10**5), 3**-0.5)):
        assert Errors.learn([error[:, None]], [np.ones((10**5, 1))]).deviation == pytest.approx(expected, rel=0.03)
    biased = Errors.learn([np.full((50, 2), -3.0)], [np.ones((50, 2))])
    assert biased.deviation == pytest.approx(3.0)


@pytest.mark.parametrize("shape", [(40, 30, 30, 2), (2000, 9)])
def test_draws_have_the_learned_distribution(shape):
    skewed = np.random.RandomState(0).gamma(2.0, size=(200, 200, 1)) - 1.0
    learned = Errors.learn([skewed], [np.ones_like(skewed)])
    drawn = learned.draw(shape, np.random.RandomState(1))
    assert drawn.shape == shape
    levels = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
    expected = stats.gamma(2.0, loc=-1.0).ppf(levels)
    np.testing.assert_allclose(np.quantile(drawn, levels), expected, atol=0.08)


@pytest.mark.parametrize(
    "correlation",
    [
        0.2,
        0.4,
        0.7,
        0.9,
    ],
)
def test_draws_have_the_learned_correlation_in_both_directions(correlation):
    normal = Errors(stats.norm.ppf(LEVELS), correlation)
    drawn = normal.draw((6, 80, 80, 1), np.random.RandomState(0))
    np.testing.assert_allclose(neighbours(drawn), correlation, atol=0.05)
    assert drawn.std() == pytest.approx(1.0, rel=0.05)


def test_draws_without_correlation_are_white():
    drawn = Errors(stats.norm.ppf(LEVELS), 0.0).draw((4, 80, 80, 1), np.random.RandomState(0))
    assert np.abs(neighbours(drawn)).max() < 0.02


def test_channels_and_images_are_drawn_apart():
    drawn = Errors(stats.norm.ppf(LEVELS), 0.8).draw((2, 60, 60, 2), np.random.RandomState(0))
    parts = drawn.transpose(0, 3, 1, 2).reshape(4, -1)
    assert np.abs(np.corrcoef(parts) - np.eye(4)).max() < 0.2


def test_same_seed_same_draws():
    learned = Errors.learn(*laplace_images(1))
    first, same, other = (learned.draw((2, 9, 9, 1), np.random.RandomState(seed)) for seed in (0, 0, 1))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("value", [0.0, 0.25])
def test_equal_errors_are_drawn_equal(value):
    """A constant image restored without fault: nothing divides by zero."""
    errors = [np.full((12, 12, 1), value)]
    learned = Errors.learn(errors, [np.ones((12, 12, 1))])
    assert learned.correlation == 0.0
    np.testing.assert_allclose(learned.draw((2, 5, 5, 1), np.random.RandomState(0)), value)


def test_single_outlier_does_not_hide_the_correlation():
    field = autoregressive(0.6, (80, 80, 1), np.random.RandomState(0))
    field[40, 40] = 1e6
    assert Errors.learn([field], [np.ones_like(field)]).correlation == pytest.approx(0.6, abs=0.05)


# -- the size of the correction -----------------------------------------------


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


def too_sure(n, sigmas, seed=0, shape=(48, 48, 1)):
    """Errors that grow with the noise, spreads that do not, and what was changed: the noise."""
    rng = np.random.RandomState(seed)
    parts = [], [], []
    for i in range(n):
        sigma = sigmas[i % len(sigmas)]
        parts[0].append(rng.laplace(size=shape) * sigma)
        parts[1].append(np.full(shape, 0.1))
        parts[2].append(rng.standard_normal(shape) * sigma)
    return parts


@pytest.mark.parametrize("sigma", [0.02, 0.05, 0.1, 0.2])
@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9])
def test_intervals_hold_at_every_level(sigma, coverage):
    """As nominal for weak and for strong noise, where one table for all is far off."""
    seen = too_sure(32, np.geomspace(0.01, 0.4, 32))
    errors, spreads, corrections = map(np.stack, too_sure(4, [sigma], seed=1))
    shares = []
    for learned in (Errors.learn(*seen), Errors.learn(*seen[:2])):
        low, high = learned.interval(coverage)
        scaled = learned.scaled(spreads, corrections)
        shares.append(np.mean((errors > low * scaled) & (errors < high * scaled)))
    assert shares[0] == pytest.approx(coverage, abs=0.05)
    if sigma in (0.02, 0.2):
        assert abs(shares[1] - coverage) > 0.07


def test_deviation_of_scaled_spreads_is_that_of_the_errors():
    learned = Errors.learn(*too_sure(32, np.geomspace(0.01, 0.4, 32)))
    for sigma in (0.03, 0.2):
        errors, spreads, corrections = map(np.stack, too_sure(4, [sigma], seed=1))
        deviation = learned.deviation * learned.scaled(spreads, corrections)
        assert np.sqrt(np.mean(deviation**2)) == pytest.approx(errors.std(), rel=0.15)


def test_factors_are_around_one_and_few():
    learned = Errors.learn(*too_sure(32, np.geomspace(0.01, 0.4, 32)))
    assert 4 <= len(learned.sizes) == len(learned.factors) <= MOST_BINS
    assert list(learned.sizes) == sorted(set(learned.sizes))
    assert list(learned.factors) == sorted(learned.factors)
    assert min(learned.factors) < 1 < max(learned.factors)
    assert {type(value) for value in (*learned.sizes, *learned.factors)} == {float}


def test_equal_corrections_share_one_factor():
    errors, spreads = laplace_images()
    learned = Errors.learn(errors, spreads, [np.full_like(e, -0.29) for e in errors])
    assert learned.factors == (1.0,)
    np.testing.assert_allclose(learned.quantiles, Errors.learn(errors, spreads).quantiles)


@pytest.mark.parametrize("n", [1, 3, 2 * FEWEST_VALUES])
def test_few_values_make_few_bins(n):
    rows = np.random.RandomState(0).normal(size=(n, 1)) * np.arange(1, n + 1)[:, None]
    learned = Errors.learn([rows], [np.ones_like(rows)], [rows])
    assert len(learned.factors) == max(1, n // FEWEST_VALUES)
    assert learned.scaled(np.ones((7, 16), np.float32), np.zeros((7, 1))).shape == (7, 16)


def test_scaled_keeps_shape_and_dtype_and_takes_rows_apart():
    learned = Errors.learn(*too_sure(32, np.geomspace(0.01, 0.4, 32)))
    correction = np.random.RandomState(3).normal(size=(4, 20, 30, 3)).astype(np.float32)
    spread = np.ones_like(correction)
    together = learned.scaled(spread, correction)
    assert (together.shape, together.dtype) == (spread.shape, np.float32)
    assert np.array_equal(together[1:2], learned.scaled(spread[1:2], correction[1:2]))


def test_perfect_regions_are_not_taken_for_certain():
    errors, spreads, corrections = too_sure(16, [0.0, 0.1])
    learned = Errors.learn(errors, spreads, corrections)
    assert min(learned.factors) > 0
    assert np.isfinite(learned.quantiles).all()
