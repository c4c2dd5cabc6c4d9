"""Blur against SciPy's filters."""

import numpy as np
import pytest
from pictures import uniform
from scipy import ndimage

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
