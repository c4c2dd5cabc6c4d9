"""Low-dose CT against scikit-image's transforms and the variance of filtered back projection."""

import numpy as np
import pytest
from pictures import uniform
from scipy import ndimage
from skimage.transform import iradon, radon

from sklearn_medgan import degradations as dg
from sklearn_medgan.degradations import _tomography

SIDE = 33
CT_SHAPE = (100, SIDE, SIDE, 1)
MIDDLE = slice(SIDE // 2 - 4, SIDE // 2 + 5)


def disc(value=1.0, n=100):
    offset = np.arange(SIDE) - SIDE // 2
    return np.repeat(value * (np.hypot(offset, offset[:, None]) <= SIDE / 2)[None, :, :, None], n, axis=0)


def ct_noise(images, **levels):
    return (dg.low_dose_ct(images, 0, **levels) - images)[..., 0]


def test_rays_and_back_projection_are_scikit_images():
    # An odd side, for which both turn about the middle of the middle pixel.
    image = ndimage.gaussian_filter(np.pad(uniform((1, 21, 21, 1))[0, :, :, 0], 6), 1.5)
    theta = np.arange(40) * 180 / 40
    sinogram = _tomography._project(image.reshape(-1, 1), image.shape, 40)
    expected = radon(image, theta, circle=False)
    margin = (sinogram.shape[1] - len(expected)) // 2
    ours = sinogram[:, margin : margin + len(expected), 0].T
    np.testing.assert_allclose(ours, expected, atol=0.02 * expected.max())
    back = _tomography._filtered_back_projection(sinogram, image.shape).reshape(image.shape)
    theirs = iradon(sinogram[..., 0].T, theta, output_size=SIDE, circle=False)
    np.testing.assert_allclose(back, theirs, atol=1e-9)


def test_noise_in_air_has_the_variance_of_filtered_back_projection():
    photons, n_angles, attenuation = 1e4, 45, 3.0
    noise = ct_noise(np.zeros(CT_SHAPE), photons=photons, n_angles=n_angles, attenuation=attenuation)
    # A line integral has variance 1 / photons, the ramp |f| power 1/12 up to 1/2. Linear interpolation between two
    # pixels of correlation rho = -6 / pi^2 (that of the ramp) averages to 2/3 + rho / 3.
    interpolation = 2 / 3 - 2 / np.pi**2
    expected = (SIDE / attenuation) ** 2 * np.pi**2 / (12 * n_angles * photons) * interpolation
    assert noise[:, MIDDLE, MIDDLE].var() == pytest.approx(expected, rel=0.1)


def test_attenuation_is_the_line_integral_through_the_disc():
    air, dense = (
        ct_noise(images, photons=1e5, attenuation=2.0)[:, SIDE // 2, SIDE // 2].var()
        for images in (np.zeros((400, *CT_SHAPE[1:])), disc(n=400))
    )
    # exp(2) times fewer photons arrive; the ramp mixes in neighbouring rays, which cross the disc nearly as far.
    assert dense / air == pytest.approx(np.exp(2), rel=0.25)


def test_noise_variance_falls_with_photons_and_angles():
    images = disc(0.4)
    variance = {
        (photons, n): ct_noise(images, photons=photons, n_angles=n).var()
        for photons, n in ((1e4, 30), (1e5, 30), (1e4, 60))
    }
    assert variance[1e4, 30] / variance[1e5, 30] == pytest.approx(10, rel=0.1)
    assert variance[1e4, 30] / variance[1e4, 60] == pytest.approx(2, rel=0.1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_scan_with_endless_photons_returns_the_image(dtype):
    images = uniform((2, 21, 30, 2), dtype, low=-0.2, high=1.2)
    np.testing.assert_allclose(dg.low_dose_ct(images, 0, photons=1e12), images, atol=1e-3)


def test_ct_noise_is_blue_and_streaks_along_dense_directions():
    air = ct_noise(np.zeros(CT_SHAPE), photons=1e4)
    blocks = air[:, :32, :32].reshape(100, 4, 8, 4, 8).mean(axis=(2, 4))
    assert blocks.var() < 0.6 * air.var() / 64  # white noise: equal

    bar = np.zeros(CT_SHAPE)
    bar[:, 13:20] = 2.0
    noise = ct_noise(bar, photons=1e4)[:, MIDDLE, :]
    along = np.mean(noise[:, :, 3:] * noise[:, :, :-3]) / noise.var()
    across = np.mean(noise[:, 3:] * noise[:, :-3]) / noise.var()
    assert along > across + 0.2


def test_a_starved_scan_is_finite():
    assert np.isfinite(dg.low_dose_ct(disc(5.0, n=2), 0, photons=1, attenuation=20)).all()


def test_images_scanned_in_chunks_are_still_scanned_alike(monkeypatch):
    monkeypatch.setattr(_tomography, "CT_CHUNK_PIXELS", 3 * SIDE * SIDE)
    noise = ct_noise(disc(0.5, n=10), photons=1e4)
    spread = noise.std(axis=(1, 2))
    assert len(np.unique(spread)) == 10
    np.testing.assert_allclose(spread, spread.mean(), rtol=0.25)


@pytest.mark.parametrize("sides", [(41, 41), (40, 40), (33, 48)])
def test_rings_are_constant_along_circles_around_the_middle(sides):
    images = uniform((2, *sides, 2))
    rings = (dg.ct_rings(images, 0, gain_error=0.02) - images)[0, :, :, 0]
    # Pixels of one distance from the middle have one value.
    down, across = (2 * np.arange(side) - side + 1 for side in sides)
    _, circle = np.unique(np.add.outer(down**2, across**2), return_inverse=True)
    mean = np.bincount(circle.ravel(), rings.ravel()) / np.bincount(circle.ravel())
    np.testing.assert_allclose(rings, mean[circle.reshape(sides)], atol=1e-12)
    assert rings.std() > 0.01


def test_rings_are_the_reconstruction_of_a_sinogram_that_is_wrong_in_each_view_alike(monkeypatch):
    """Against scikit-image's filtered back projection over a full turn, with one detector pixel 1 % off."""
    wrong = np.zeros((53, 1))
    wrong[53 // 2 + 12] = 1

    class OneDetector:
        def standard_normal(self, shape):
            assert shape == wrong.shape
            return wrong

    monkeypatch.setattr(_tomography, "checked_rng", lambda images, rng: OneDetector())
    side = 35
    rings = dg.ct_rings(np.zeros((1, side, side, 1)), 0, gain_error=0.01, attenuation=3.5)[0, :, :, 0]
    theta = np.arange(720) / 2
    sinogram = np.repeat(wrong * 0.01 * side / 3.5, 720, axis=1)
    expected = iradon(sinogram, theta, output_size=side, circle=False)
    np.testing.assert_allclose(rings, expected, atol=0.03 * expected.max())


def test_rings_grow_with_the_gain_error_and_none_leaves_the_image():
    images = uniform((3, 21, 30, 2))
    np.testing.assert_array_equal(dg.ct_rings(images, 0, gain_error=0), images)
    weak, strong = (dg.ct_rings(images, 0, gain_error=e, attenuation=a) - images for e, a in ((0.01, 4), (0.03, 2)))
    np.testing.assert_allclose(strong, 6 * weak, atol=1e-12)


def test_all_views_leave_the_image_and_fewer_make_more_streaks():
    images = uniform((2, 21, 30, 2), low=-0.2, high=1.2)
    np.testing.assert_allclose(dg.ct_streaks(images, 0, n_views=180), images, atol=1e-12)
    error = [np.std(dg.ct_streaks(disc(n=3), 0, n_views=n) - disc(n=3)) for n in (6, 12, 24, 90)]
    assert (np.diff(error) < 0).all()


def test_streaks_are_the_difference_of_two_reconstructions():
    image = np.zeros((SIDE, SIDE))
    image[8, 10] = image[24, 13] = 1
    image = ndimage.gaussian_filter(image, 1.2)
    theta = np.arange(180)
    sinogram = radon(image, theta, circle=False)
    full, *few = (  # the first of 10 views is one of 18
        iradon(sinogram[:, first::step], theta[first::step], circle=False, output_size=SIDE)
        for first, step in [(0, 1), *((first, 18) for first in range(18))]
    )
    streaks = dg.ct_streaks(image[None, :, :, None], 0, n_views=10)[0, :, :, 0] - image
    errors = np.sort([np.abs(streaks - (start - full)).max() for start in few]) / np.abs(streaks).max()
    assert errors[0] < 0.1  # two projectors
    assert errors[1] > 0.3


def test_a_dense_point_has_no_streaks_up_to_the_views_over_pi():
    point = np.zeros((1, 129, 129, 1))
    point[0, 64, 64] = 1
    streaks = np.abs(dg.ct_streaks(point, 0, n_views=40) - point)[0, :, :, 0]
    distance = np.hypot(*(np.ogrid[:129, :129][axis] - 64 for axis in (0, 1)))
    near, far = (streaks[(distance > low) & (distance < high)].max() for low, high in ((2, 8), (30, 60)))
    assert far > 5 * near
