"""How a restorer errs: learned quantiles, intervals and draws against known distributions."""

import functools

import numpy as np
import pytest
from scipy import stats

from sklearn_medgan.enhancement._calibration import LEVELS, Scaling
from sklearn_medgan.enhancement._error_model import ErrorModel

RNG = np.random.RandomState(0)


def learn(errors, spreads=None, images=None, corrections=None):
    """By default of spread 1, and as if nothing had been changed."""
    spreads = [np.ones_like(error) for error in errors] if spreads is None else spreads
    corrections = [np.zeros_like(error) for error in errors] if corrections is None else corrections
    return ErrorModel.learn(errors, spreads, corrections, images)


def laplace_images(n=4, shape=(60, 60, 1), seed=0):
    """ErrorModel of a Laplace distribution whose scale differs from pixel to pixel, and these scales."""
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
    errors = [error / spread for error, spread in zip(*laplace_images(), strict=True)]
    learned = learn(errors, [np.full_like(e, 0.5) for e in errors], images=[0] * 4)  # nothing to leave out
    np.testing.assert_allclose(learned.quantiles, 2.0 * np.quantile(errors, LEVELS), rtol=1e-6)
    np.testing.assert_allclose(learned.quantiles[20:-20], 2.0 * stats.laplace.ppf(LEVELS)[20:-20], atol=0.2)
    np.testing.assert_allclose(learned.scaling[:3], 0.0, atol=1e-12)


def test_images_of_several_sizes_count_by_their_pixels():
    errors = [np.full((10, 30, 1), 1.0), np.full((10, 10, 1), 3.0)]
    learned = learn(errors)
    assert (learned.quantiles == 1.0).mean() == pytest.approx(0.75, abs=0.01)


def test_correlation_is_that_of_neighbours():
    rng = np.random.RandomState(0)
    errors = [autoregressive(0.6, (80, 80, 1), rng) for _ in range(4)]
    assert learn(errors).correlation == pytest.approx(0.6, abs=0.03)
    white = [rng.standard_normal((80, 80, 1)) for _ in range(4)]
    assert abs(learn(white).correlation) < 0.03


def test_tables_have_no_neighbours():
    rows = RNG.normal(size=(40, 1)) * np.ones((1, 6))  # equal columns
    assert learn([rows]).correlation == 0.0


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9])
def test_interval_covers_what_it_says(coverage):
    learned = learn(*laplace_images())
    low, high = learned.interval(coverage)
    errors, spreads = (np.stack(part) for part in laplace_images(seed=1))
    ratios = errors / learned.scaled(spreads, np.zeros_like(errors))
    assert np.mean((ratios > low) & (ratios < high)) == pytest.approx(coverage, abs=0.02)
    assert high == pytest.approx(stats.laplace.ppf(0.5 + coverage / 2), rel=0.1)


def test_intervals_are_nested():
    learned = learn(*laplace_images())
    intervals = np.array([learned.interval(c) for c in (0.1, 0.5, 0.9, 0.99)])
    assert (np.diff(intervals[:, 0]) < 0).all()
    assert (np.diff(intervals[:, 1]) > 0).all()


def test_deviation_is_the_standard_deviation_in_units_of_the_spread():
    """ErrorModel beyond the outermost levels, one in 200, are taken for these."""
    rng = np.random.RandomState(0)
    for error, expected in ((rng.standard_normal(10**5), 1.0), (rng.uniform(-1, 1, 10**5), 3**-0.5)):
        assert learn([error[:, None]]).deviation == pytest.approx(expected, rel=0.03)
    biased = learn([np.full((50, 2), -3.0)])
    assert biased.deviation == pytest.approx(3.0)


DISTRIBUTIONS = {"gauss": stats.norm, "laplace": stats.laplace}


@pytest.mark.parametrize("law", DISTRIBUTIONS)
def test_deviation_of_draws_is_that_of_the_distribution_but_for_chance(law):
    """Unbiased in its square, and with few draws less off than the square root of twice as many would be."""
    learned = ErrorModel(DISTRIBUTIONS[law].ppf(LEVELS), 0.0, Scaling())
    spreads = []
    for n in (2, 16, 64):
        found = learned.deviation_of_draws((50, 60, 1), n, np.random.RandomState(0))
        assert found.shape == (50, 60, 1)
        assert np.sqrt(np.mean(found**2)) == pytest.approx(learned.deviation, rel=0.03)
        spreads.append(found.std() / learned.deviation)
    assert spreads[0] > spreads[1] > spreads[2]
    assert spreads[1] < 0.1
    independent = learned.draw((16, 3000), np.random.RandomState(0))
    assert spreads[1] < 0.5 * np.sqrt(np.mean(independent**2, axis=0)).std() / learned.deviation
    assert spreads[2] < 0.02


def test_deviation_of_draws_of_one_value_twice_is_its_size():
    learned = ErrorModel(np.full(200, -0.7), 0.0, Scaling())
    np.testing.assert_allclose(learned.deviation_of_draws((5,), 2, np.random.RandomState(0)), 0.7)


@pytest.mark.parametrize("shape", [(40, 30, 30, 2), (2000, 9)])
def test_draws_have_the_learned_distribution(shape):
    skewed = np.random.RandomState(0).gamma(2.0, size=(200, 200, 1)) - 1.0
    learned = learn([skewed])
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
    normal = ErrorModel(stats.norm.ppf(LEVELS), correlation, Scaling())
    drawn = normal.draw((6, 80, 80, 1), np.random.RandomState(0))
    np.testing.assert_allclose(neighbours(drawn), correlation, atol=0.05)
    assert drawn.std() == pytest.approx(1.0, rel=0.05)


def test_draws_without_correlation_are_white():
    drawn = ErrorModel(stats.norm.ppf(LEVELS), 0.0, Scaling()).draw((4, 80, 80, 1), np.random.RandomState(0))
    assert np.abs(neighbours(drawn)).max() < 0.02


def test_channels_and_images_are_drawn_apart():
    drawn = ErrorModel(stats.norm.ppf(LEVELS), 0.8, Scaling()).draw((2, 60, 60, 2), np.random.RandomState(0))
    parts = drawn.transpose(0, 3, 1, 2).reshape(4, -1)
    assert np.abs(np.corrcoef(parts) - np.eye(4)).max() < 0.2


def test_same_seed_same_draws():
    learned = learn(*laplace_images(1))
    first, same, other = (learned.draw((2, 9, 9, 1), np.random.RandomState(seed)) for seed in (0, 0, 1))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("value", [0.0, 0.25])
def test_equal_errors_are_drawn_equal(value):
    """A constant image restored without fault: nothing divides by zero."""
    errors = [np.full((12, 12, 1), value)]
    learned = learn(errors)
    assert learned.correlation == 0.0
    np.testing.assert_allclose(learned.draw((2, 5, 5, 1), np.random.RandomState(0)), value)


def test_single_outlier_does_not_hide_the_correlation():
    field = autoregressive(0.6, (80, 80, 1), np.random.RandomState(0))
    field[40, 40] = 1e6
    assert learn([field]).correlation == pytest.approx(0.6, abs=0.05)


# -- how often intervals hold what they say -----------------------------------

COVERAGES = (0.5, 0.8, 0.9)
LAWS = {
    "gauss": lambda rng, shape: rng.standard_normal(shape),
    "laplace": lambda rng, shape: rng.laplace(size=shape),
    "mixture": lambda rng, shape: rng.standard_normal(shape) * np.where(rng.uniform(size=shape) < 0.15, 3.0, 0.4),
    "skewed": lambda rng, shape: rng.exponential(size=shape) - 0.7,
}


def misjudged(law, n, seed, shape=(20, 20, 1)):
    """ErrorModel of a law that grow with the degradation, of which the predicted spread knows half (on a log scale)."""
    rng = np.random.RandomState(seed)
    parts = [], [], []
    for sigma in np.geomspace(0.02, 0.2, n):
        parts[0].append(LAWS[law](rng, shape) * sigma)
        parts[1].append(np.sqrt(sigma) * np.exp(rng.uniform(-0.2, 0.2, shape)))
        parts[2].append(sigma * rng.standard_normal(shape))
    return parts


@functools.lru_cache
def fitted(law):
    return ErrorModel.learn(*misjudged(law, 40, seed=0))


def held(learned, errors, spreads, corrections, coverage):
    """Share of errors in the central interval."""
    low, high = learned.interval(coverage)
    scaled = learned.scaled(spreads, corrections)
    return np.mean((errors > low * scaled) & (errors < high * scaled))


@pytest.mark.parametrize("coverage", COVERAGES)
@pytest.mark.parametrize("law", LAWS)
def test_intervals_hold_what_they_say_at_any_degradation(law, coverage):
    new = [np.stack(part) for part in misjudged(law, 20, seed=1)]
    assert held(fitted(law), *new, coverage) == pytest.approx(coverage, abs=0.02)
    for part in (slice(5), slice(5, 15), slice(15, None)):
        assert held(fitted(law), *(values[part] for values in new), coverage) == pytest.approx(coverage, abs=0.05)


def test_uncorrected_spreads_would_not_do():
    """What the correction is for: the same errors by one table of quantiles."""
    errors, spreads, _ = misjudged("gauss", 40, seed=0)
    learned = learn([error / spread for error, spread in zip(errors, spreads, strict=True)])
    errors, spreads, _ = map(np.stack, misjudged("gauss", 20, seed=1))
    ratios = errors / spreads
    shares = [held(learned, r, np.ones_like(r), np.zeros_like(r), 0.5) for r in (ratios[:5], ratios[-5:])]
    assert shares[0] > 0.6
    assert shares[1] < 0.4


@pytest.mark.parametrize("law", LAWS)
def test_draws_hold_what_they_say(law):
    """As a user looks at them: quantiles of draws, by the definition that holds k of n + 1."""
    errors, spreads, corrections = map(np.stack, misjudged(law, 10, seed=1))
    rng = np.random.RandomState(2)
    draws = np.stack([fitted(law).draw(spreads.shape, rng) for _ in range(40)])
    draws *= fitted(law).scaled(spreads, corrections)
    for coverage in COVERAGES:
        shares = [0.5 - coverage / 2, 0.5 + coverage / 2]
        low, high = np.quantile(draws, shares, axis=0, method="weibull")
        assert np.mean((low < errors) & (errors < high)) == pytest.approx(coverage, abs=0.03)


@pytest.mark.parametrize("law", ["gauss", "laplace", "mixture"])
def test_deviation_of_scaled_spreads_is_that_of_the_errors(law):
    errors, spreads, corrections = map(np.stack, misjudged(law, 20, seed=1))
    deviations = fitted(law).deviation * fitted(law).scaled(spreads, corrections)
    for part in (slice(5), slice(15, None)):
        assert np.sqrt(np.mean(deviations[part] ** 2)) == pytest.approx(np.sqrt(np.mean(errors[part] ** 2)), rel=0.15)


def offsets(n, rng, shape=(6, 6, 1)):
    """Images that err as wholes: an offset each, of which the pixels differ little."""
    return [rng.standard_normal() + 0.3 * rng.standard_normal(shape) for _ in range(n)]


@pytest.mark.slow
def test_intervals_hold_what_they_say_of_images_that_err_as_wholes():
    """Over many fits on ten images: quantiles of all pixels, which a single image of all of them gets, hold less."""
    rng, shares = np.random.RandomState(0), []
    for _ in range(60):
        seen, new = offsets(10, rng), np.stack(offsets(40, rng))
        fits = learn(seen), learn(seen, images=[0] * 10)
        shares.append([[held(fit, new, np.ones_like(new), np.zeros_like(new), c) for c in COVERAGES] for fit in fits])
    by_images, by_pixels = np.mean(shares, axis=0)
    np.testing.assert_allclose(by_images, COVERAGES, atol=0.05)
    assert (by_pixels < np.array(COVERAGES) - 0.03).all()


def test_versions_of_an_image_are_left_out_together():
    """Else each would be told by its twin."""
    seen = offsets(8, np.random.RandomState(0))
    together, apart = (learn([*seen, *seen], images=names) for names in ([*range(8)] * 2, [*range(16)]))
    np.testing.assert_allclose(together.quantiles, learn(seen).quantiles, rtol=0.1, atol=0.1)
    assert np.ptp(together.interval(0.8)) > 1.1 * np.ptp(apart.interval(0.8))


def test_spots_in_one_of_few_images_do_not_widen_the_tails():
    rng = np.random.RandomState(0)
    errors = [rng.laplace(size=(40, 40, 1)) for _ in range(5)]
    errors[2][:8, :16] = -14.0  # 8 % of that image: more than 1 % of all
    ones = [np.ones_like(error) for error in errors]
    found = ErrorModel.learn(errors, ones, [0.1 * one for one in ones]).deviation
    assert found == pytest.approx(np.sqrt(np.mean(np.square(errors))), rel=0.2)


def test_scaled_keeps_shape_and_dtype_and_takes_rows_apart():
    correction = np.random.RandomState(3).normal(size=(4, 20, 30, 3)).astype(np.float32)
    spread = np.ones_like(correction)
    together = fitted("gauss").scaled(spread, correction)
    assert (together.shape, together.dtype) == (spread.shape, np.float32)
    assert np.array_equal(together[1:2], fitted("gauss").scaled(spread[1:2], correction[1:2]))
