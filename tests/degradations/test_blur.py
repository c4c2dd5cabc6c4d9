"""Blur against SciPy's filters."""

import numpy as np
import pytest
from pictures import uniform
from scipy import ndimage, special

from sklearn_medgan import degradations as dg


@pytest.mark.parametrize("sigma", [0, 0.4, 1.0, 2.6])
def test_gaussian_blur_is_scipys(sigma):
    images = uniform((2, 11, 17, 3))
    expected = ndimage.gaussian_filter(images, (0, sigma, sigma, 0), mode="nearest")
    np.testing.assert_allclose(dg.gaussian_blur(images, 0, sigma=sigma), expected, atol=1e-12)


def test_gaussian_blur_of_a_range_lies_between_its_ends():
    point = np.zeros((60, 25, 25, 1))
    point[:, 12, 12] = 1
    peak = dg.gaussian_blur(point, 0, sigma=(1.0, 2.0))[:, 12, 12, 0]
    # The peak of a Gaussian of sigma s is 1 / (2 pi s^2).
    sigma = np.sqrt(1 / (2 * np.pi * peak))
    assert 0.99 < sigma.min() < 1.2
    assert 1.8 < sigma.max() < 2.01


@pytest.mark.parametrize("length", [1, 3, 7])
@pytest.mark.parametrize(("angle", "axis"), [(0, 2), (90, 1), (180, 2)])
def test_motion_blur_along_an_axis_is_a_moving_mean(length, angle, axis):
    images = uniform()
    expected = ndimage.uniform_filter1d(images, length, axis=axis, mode="nearest")
    np.testing.assert_allclose(dg.motion_blur(images, 0, length=length, angle=angle), expected, atol=1e-12)


def test_motion_blur_keeps_the_sum_and_the_place():
    point = np.zeros((50, 21, 21, 1))
    point[:, 10, 10] = 1
    spread = dg.motion_blur(point, 0)[..., 0]
    assert spread.min() >= 0
    np.testing.assert_allclose(spread.sum(axis=(1, 2)), 1)
    np.testing.assert_allclose(spread, spread[:, ::-1, ::-1], atol=1e-12)


@pytest.mark.parametrize("angle", [20, 45, 110, 160])
def test_motion_blur_runs_along_its_angle(angle):
    point = np.zeros((1, 41, 41, 1))
    point[0, 20, 20] = 1
    spread = dg.motion_blur(point, 0, length=31, angle=angle)[0, :, :, 0]
    up, right = 20 - np.arange(41)[:, None], np.arange(41) - 20
    covariance = np.sum(spread * up * right), np.sum(spread * (right**2 - up**2))
    assert np.rad2deg(np.arctan2(2 * covariance[0], covariance[1]) / 2) % 180 == pytest.approx(angle, abs=1)


@pytest.mark.parametrize("radius", [0.8, 2.0, 3.3, 6.5])
def test_defocus_is_a_disc_of_its_radius(radius):
    side, fine = 17, 41  # each pixel of the oracle is made of 41 x 41 points
    point = np.zeros((1, side, side, 1))
    point[0, side // 2, side // 2] = 1
    spread = dg.defocus_blur(point, 0, radius=radius)[0, :, :, 0]
    offset = (np.arange(side * fine) + 0.5) / fine - side / 2
    disc = (np.hypot(offset, offset[:, None]) <= radius).reshape(side, fine, side, fine).mean(axis=(1, 3))
    assert spread.sum() == pytest.approx(1)
    # The soft edge takes the distance of a pixel's middle for its share.
    np.testing.assert_allclose(spread, disc / (np.pi * radius**2), atol=0.12 / (np.pi * radius**2))
    assert np.abs(spread - disc / disc.sum()).sum() < 0.13


@pytest.mark.parametrize("frequency", [0.02, 0.05, 0.08, 0.11])
def test_defocus_has_the_transfer_function_of_a_disc(frequency):
    radius, place = 5.0, np.arange(-100, 101)
    wave = np.broadcast_to(np.cos(2 * np.pi * frequency * place), (20, 201))[None, :, :, None]
    contrast = dg.defocus_blur(wave, 0, radius=radius)[0, 10, 100, 0]
    x = 2 * np.pi * radius * frequency
    assert contrast == pytest.approx(2 * special.j1(x) / x, abs=0.01)
    assert contrast > 0 or frequency > 0.61 / radius - 0.02  # first zero at 0.61 / radius
