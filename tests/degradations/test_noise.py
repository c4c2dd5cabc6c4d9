"""Noise against the moments of its distribution."""

import numpy as np
import pytest
from pictures import assert_moments, constant
from scipy import stats

from sklearn_medgan import degradations as dg

FUNCTIONS = {name: entry.function for name, entry in dg.DEGRADATIONS.items()}


@pytest.mark.parametrize("value", [-0.2, 0.0, 0.5, 1.3])
def test_gaussian_noise_has_mean_zero_and_its_sigma(value):
    assert_moments(dg.gaussian_noise(constant(value), 0, sigma=25 / 255), value, (25 / 255) ** 2)


@pytest.mark.parametrize("value", [0.1, 0.5, 1.3])
@pytest.mark.parametrize("photons", [20, 3000])
def test_poisson_noise_keeps_the_mean_and_its_variance_grows_with_it(value, photons):
    noisy = dg.poisson_noise(constant(value), 0, photons=photons)
    assert_moments(noisy, value, value / photons)
    np.testing.assert_allclose(noisy * photons, np.rint(noisy * photons), atol=1e-9)


def test_poisson_noise_counts_darkness_below_zero_as_none():
    np.testing.assert_array_equal(dg.poisson_noise(constant(-0.3), 0), 0)


@pytest.mark.parametrize("value", [0.0, 0.05, 0.4, 1.0])
def test_rician_noise_has_the_moments_of_the_rice_distribution(value):
    sigma = 0.1
    rice = stats.rice(value / sigma, scale=sigma)
    noisy = dg.rician_noise(constant(value), 0, sigma=sigma)
    assert_moments(noisy, rice.mean(), rice.var())
    assert stats.kstest(noisy[:2].ravel(), rice.cdf).pvalue > 0.001


@pytest.mark.parametrize("name", ["noise", "poisson", "rician"])
def test_noise_of_neighbouring_pixels_and_channels_is_independent(name):
    noise = FUNCTIONS[name](np.full((20, 32, 32, 2), 0.5), 0)
    noise = (noise - noise.mean(axis=(1, 2, 3), keepdims=True)) / noise.std(axis=(1, 2, 3), keepdims=True)
    pairs = [(noise[:, 1:], noise[:, :-1]), (noise[:, :, 1:], noise[:, :, :-1]), (noise[..., 0], noise[..., 1])]
    for left, right in pairs:
        assert abs((left * right).mean()) < 5 / np.sqrt(left.size)


@pytest.mark.parametrize("length", [0, 1.2])
@pytest.mark.parametrize("looks", [1, 4])
def test_fully_developed_speckle_has_its_signal_to_noise_ratio(looks, length):
    noisy = dg.speckle(constant(0.5, n=100), 0, looks=looks, correlation_length=length)
    # Independent samples are fewer by the area of a grain.
    precision = 5 * np.sqrt(max(1, 4 * np.pi * length**2) / noisy.size)
    assert noisy.mean() == pytest.approx(0.5, rel=precision)
    assert noisy.mean() / noisy.std() == pytest.approx(1.913 * np.sqrt(looks), rel=precision)


def test_speckle_of_one_look_has_a_rayleigh_distribution():
    noisy = dg.speckle(constant(0.7), 0, looks=1, correlation_length=0)
    rayleigh = stats.rayleigh(scale=0.7 * np.sqrt(2 / np.pi))  # of mean 0.7
    assert stats.kstest(noisy.ravel(), rayleigh.cdf).pvalue > 0.001


def test_the_intensity_of_speckle_is_correlated_over_its_length():
    images, length = np.ones((300, 32, 40, 1)), 2.0
    intensity = dg.speckle(images, 0, looks=1, correlation_length=length)[..., 0] ** 2
    intensity -= intensity.mean()
    for distance in (1, 2, 4, 9):
        expected = np.exp(-((distance / length) ** 2) / 2)
        for shifted in (np.roll(intensity, distance, axis=1), np.roll(intensity, distance, axis=2)):
            assert np.mean(intensity * shifted) / intensity.var() == pytest.approx(expected, abs=0.03)


def test_speckle_of_a_logarithmic_display_is_added_in_decibels():
    for value in (0.2, 0.9):
        noise = dg.speckle(constant(value), 0, looks=1, correlation_length=0, dynamic_range=60) - value
        assert noise.std() * 60 == pytest.approx(10 / np.log(10) * np.pi / np.sqrt(6), rel=0.02)  # 5.57 dB
