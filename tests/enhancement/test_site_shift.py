"""A shift that is known is found again from images of others."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from sklearn_medgan.enhancement._site_shift import LEVELS, Noise, SiteShift, blur_and_noise, tone_and_shading

LIMITS = 0.0, 1.0


def fields(n, size=48, seed=0, channels=1):
    """Random smooth images with structure at every scale, in about 0.1 to 0.9."""
    rng = np.random.RandomState(seed)
    white = rng.standard_normal((n, size, size, channels))
    scales = [gaussian_filter(white, (0, s, s, 0), mode="wrap") * s for s in (0.7, 2.0, 6.0)]
    return np.clip(0.5 + 0.25 * sum(scales), 0.05, 0.95).astype(np.float32)


def shade(height, width, slope=0.3):
    """Brighter to the right."""
    return np.exp(slope * np.cos(np.pi * (np.arange(width) + 0.5) / width))[None, :, None] * np.ones((height, 1, 1))


def poor_of(good, *, gamma=1.0, slope=0.0, blur=0.0, noise=0.0, seed=9):
    rng = np.random.RandomState(seed)  # not that of `fields`: the noise would be the image's own
    toned = good**gamma * shade(*good.shape[1:3], slope)
    blurred = gaussian_filter(toned, (0, blur, blur, 0)) if blur else toned
    return (blurred + noise * rng.standard_normal(good.shape)).astype(np.float32)


@pytest.fixture(scope="module")
def found():
    return SiteShift.learn(poor_of(fields(80), gamma=1.4, slope=0.2, blur=0.9, noise=0.04), fields(80, 40, seed=1))


def test_tone_and_shading_are_those_of_the_other_site(found):
    levels = np.full((32, 32, 1), 0.5, np.float32)
    middle = found.toned(levels)[8:24, 16].mean()
    assert abs(middle - 0.5**1.4) < 0.03
    left, right = found.toned(levels)[:, 0].mean(), found.toned(levels)[:, -1].mean()
    assert abs(np.log(left / right) - 2 * 0.2) < 0.08


def test_blur_and_noise_are_those_of_the_other_site(found):
    assert abs(np.sqrt(found.blur) - 0.9) < 0.15
    even = np.full((8, 48, 48, 1), 0.5, np.float32)
    residual = found(even, np.random.RandomState(0)) - np.stack([found.toned(image) for image in even])
    assert abs(residual.std() - 0.04) < 0.006


def test_images_of_one_site_are_left_as_they_are():
    shift = SiteShift.learn(fields(80), fields(80, seed=1))
    image = fields(1, seed=2)[0]
    assert np.abs(shift.untoned(image) - image).mean() < 0.02
    assert abs(shift.blur) < 0.05
    assert np.abs(shift(image[None], np.random.RandomState(0))[0] - image).mean() < 0.03


def test_tone_and_shading_are_undone(found):
    image = fields(1, seed=3)[0]
    before = image.copy()
    np.testing.assert_allclose(found.untoned(found.toned(image)), image, atol=0.01)
    np.testing.assert_array_equal(image, before)


def test_noise_that_grows_with_brightness_is_found():
    good, rng = fields(60), np.random.RandomState(5)
    poor = (good + 0.1 * good * rng.standard_normal(good.shape)).astype(np.float32)
    shift = SiteShift.learn(poor, fields(60, seed=1))
    spreads = []
    for level in (0.25, 0.75):
        even = np.full((8, 48, 48, 1), level, np.float32)
        spreads.append((shift(even, np.random.RandomState(0)) - even.mean()).std())
    assert 2.0 < spreads[1] / spreads[0] < 4.0  # 3 by construction


def test_correlated_noise_is_told_from_white_one():
    good, rng = fields(80), np.random.RandomState(6)
    noise = gaussian_filter(rng.standard_normal(good.shape), (0, 1.0, 1.0, 0), mode="wrap")
    _, white = blur_and_noise(good + 0.05 * rng.standard_normal(good.shape), fields(80, seed=1))
    _, correlated = blur_and_noise(good + 0.05 * noise / noise.std(), fields(80, seed=1))
    fine = np.array([np.pi**2])
    assert correlated.power(fine) < 0.3 * white.power(fine)
    assert abs(np.sqrt(white.power(fine)[0]) - 0.05) < 0.01


def test_power_of_noise_is_that_of_its_formula():
    assert Noise(2.0, 3.0, 0.5).power(np.array([0.0, 2.0])) == pytest.approx([5.0, 2.0 + 3.0 * np.exp(-1.0)])


def test_values_stay_within_those_of_poor_images(found):
    made = found(fields(4, seed=7), np.random.RandomState(0))
    assert made.dtype == np.float32
    low, high = np.float32(found.limits)
    assert low <= made.min() <= made.max() <= high


def test_background_of_one_value_becomes_that_of_the_other_site():
    good = fields(40)[..., 0]
    good[:, :, :16] = 0.0
    poor = good + 0.0
    poor[:, :, :16] = 0.2
    levels = np.quantile(good, LEVELS)
    mapped, _ = tone_and_shading(poor, good, levels)
    shift = SiteShift(
        levels[:, None], mapped[:, None], np.zeros((5, 1)), LIMITS, 0.0, Noise(0.0, 0.0, 1.0), *2 * [np.ones(1)]
    )
    black = np.zeros((16, 16, 1), np.float32)
    assert abs(shift.toned(black).mean() - 0.2) < 0.05


def test_flat_background_is_not_torn_over_two_of_the_other_site():
    rng = np.random.RandomState(0)
    level = np.where(np.arange(40) % 2, 0.5, 0.95)[:, None, None, None]
    poor, good = (mean + 0.01 * rng.standard_normal((40, 32, 32, 1)) for mean in (0.8, level))
    shift = SiteShift.learn(poor.astype(np.float32), good.astype(np.float32))
    restored = np.stack([shift.untoned(image) for image in poor])
    assert abs(restored.std((1, 2)).mean() - 0.01) < 0.002  # as within an image of either site
    assert abs(restored.mean() - good.mean()) < 0.02


@pytest.mark.parametrize(("size", "other", "channels"), [(8, 33, 1), (28, 64, 3), (40, 17, 2)])
def test_sizes_may_differ_and_channels_are_taken_one_by_one(size, other, channels):
    shift = SiteShift.learn(poor_of(fields(12, size, 0, channels), noise=0.02), fields(9, other, 1, channels))
    made = shift(fields(3, other, 2, channels), np.random.RandomState(0))
    assert made.shape == (3, other, other, channels)
    assert np.isfinite(made).all()


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_constant_images_do_not_break_it(value):
    even = np.full((8, 24, 24, 1), value, np.float32)
    for poor, good in ((even, fields(8, 24)), (fields(8, 24), even)):
        assert np.isfinite(SiteShift.learn(poor, good)(good, np.random.RandomState(0))).all()
