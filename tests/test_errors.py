"""How a restorer errs: learned quantiles, intervals and draws against known distributions."""

import numpy as np
import pytest
from scipy import stats

from sklearn_medgan._errors import LEVELS, Errors

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
