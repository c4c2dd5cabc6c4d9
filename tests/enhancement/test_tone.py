"""The global change of intensities: quantiles in, quantiles out, order kept."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_medgan.enhancement._tone import MOST_PIXELS, QUANTILES, ToneCurve, ToneMapping, describe, quantiles

RNG = np.random.RandomState(0)


def good_images(n, seed=0):
    """Images of one modality: the same histogram, other pixels."""
    rng = np.random.RandomState(seed)
    return [np.kron(rng.beta(2, 3, (12, 10, 1)), np.ones((4, 4, 1))).astype(np.float32) for _ in range(n)]


def squeezed(images, seed=0, gains=(0.2, 0.7)):
    """Each with a contrast and a brightness of its own."""
    rng = np.random.RandomState(seed)
    return [(rng.uniform(0, 0.3) + rng.uniform(*gains) * image).astype(np.float32) for image in images]


def psnr(first, second):
    return -10 * np.log10(np.mean((first - second) ** 2))


def test_quantiles_are_those_of_the_means_of_blocks():
    means = RNG.normal(size=(30, 17, 3))
    noise = RNG.normal(size=(30, 4, 17, 4, 3))
    noise -= noise.mean((1, 3), keepdims=True)  # whatever averages out in a block is not seen
    image = (means[:, None, :, None] + noise).reshape(120, 68, 3)
    np.testing.assert_allclose(quantiles(image), np.quantile(means, QUANTILES / 100))
    assert np.allclose(quantiles(np.pad(image, [(0, 3), (0, 1), (0, 0)])), quantiles(image))


def test_quantiles_of_a_large_image_are_close_and_cheap():
    side = int(np.sqrt(MOST_PIXELS)) + 100
    image = np.repeat(np.repeat(RNG.uniform(size=(side, side, 1)).astype(np.float32), 4, 0), 4, 1)
    np.testing.assert_allclose(quantiles(image), QUANTILES / 100, atol=5e-3)


def test_large_raw_images_are_encoded_in_strips():
    """As the whole would be, with no float copy of it."""
    raw = RNG.randint(0, 4096, (2060, 2090, 1)).astype(np.int16)
    sizes = []

    def encode(block):
        sizes.append(block.size)
        return block.astype(np.float32) / 4096

    assert np.array_equal(quantiles(raw, encode), quantiles(raw.astype(np.float32) / 4096))
    assert max(sizes) <= 4 * 2090


def test_description_of_a_shape_does_not_know_gain_and_offset():
    points = np.sort(RNG.uniform(size=len(QUANTILES)))
    n = len(points)
    plain, changed = describe(points), describe(0.2 + 0.3 * points)
    np.testing.assert_allclose(plain[:n], points)
    np.testing.assert_allclose(changed[n : 2 * n], plain[n : 2 * n])
    assert np.isfinite(describe(np.full(n, 0.5))).all()


def test_change_is_the_line_that_numpy_interpolates():
    points, mapped = np.array([0.0, 0.5, 1.0]), np.array([0.2, 0.2, 1.4])
    image = np.array([0.0, 0.25, 0.5, 0.75, 1.0]).reshape(1, 5, 1)
    np.testing.assert_allclose(ToneCurve(points, mapped).apply(image).ravel(), [0.2, 0.2, 0.2, 0.8, 1.4], rtol=1e-6)


def test_change_goes_on_with_its_overall_slope_beyond_its_ends():
    points, mapped = np.array([0.0, 1.0]), np.array([5.0, 9.0])
    result = ToneCurve(points, mapped).apply(np.array([-2.0, -1.0, 1.0, 4.0]).reshape(2, 2, 1))
    assert result.ravel().tolist() == [-3.0, 1.0, 9.0, 21.0]
    assert result.dtype == np.float32


def test_tone_learned_from_equal_pairs_changes_little():
    images = good_images(30)
    tone = ToneMapping.learn(images, images)
    assert tone.weights.shape == (2 * len(QUANTILES) + 1, len(QUANTILES))
    for image in good_images(3, seed=1):
        assert psnr(tone(image), image) > 35


def test_tone_undoes_lost_contrast_of_images_it_did_not_see():
    good = good_images(40)
    tone = ToneMapping.learn(squeezed(good), good)
    others = good_images(8, seed=5)
    poor = squeezed(others, seed=6)
    before = np.mean([psnr(p, g) for p, g in zip(poor, others, strict=True)])
    after = np.mean([psnr(tone(p), g) for p, g in zip(poor, others, strict=True)])
    assert before < 20
    assert after > before + 10


def test_tone_brings_the_quantiles_to_those_of_good_images():
    good = good_images(40)
    tone = ToneMapping.learn(squeezed(good), good)
    poor = squeezed(good_images(1, seed=9), seed=9)[0]
    np.testing.assert_allclose(quantiles(tone(poor)), quantiles(good[0]), atol=0.05)


@given(st.integers(0, 1000), st.floats(0.05, 3.0), st.floats(-1.0, 1.0))
def test_order_of_grey_levels_is_kept(seed, gain, offset):
    """Whatever the weights: the mapping rises, so that no structure is inverted."""
    rng = np.random.RandomState(seed)
    tone = ToneMapping(rng.normal(size=(2 * len(QUANTILES) + 1, len(QUANTILES))))
    image = (gain * rng.uniform(size=(12, 10, 1)) + offset).astype(np.float32)
    result = tone(image)
    order = np.argsort(image, axis=None)
    assert (np.diff(result.ravel()[order]) >= -1e-4).all()
    assert result.shape == image.shape


@pytest.mark.parametrize("value", [0.0, 0.3, -5.0])
def test_constant_image_stays_finite_and_constant(value):
    good = good_images(20)
    tone = ToneMapping.learn(squeezed(good), good)
    result = tone(np.full((9, 8, 1), value, np.float32))
    assert np.isfinite(result).all()
    assert np.ptp(result) == 0


def test_image_is_not_modified():
    good = good_images(5)
    tone, image = ToneMapping.learn(good, good), good[0].copy()
    image.setflags(write=False)
    tone(image)
    assert np.array_equal(image, good[0])
