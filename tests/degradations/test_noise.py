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
