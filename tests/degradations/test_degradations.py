"""Degradations against closed forms and other people's code: moments, SciPy, Pillow and scikit-image."""

import pickle
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage, stats
from skimage.transform import iradon, radon

from sklearn_medgan import degradations as dg
from sklearn_medgan.degradations import _tomography

FUNCTIONS = {name: entry.function for name, entry in dg.DEGRADATIONS.items()}
RANDOM = sorted(set(FUNCTIONS) - {"downscale"})
by_name = pytest.mark.parametrize("name", sorted(FUNCTIONS))


def some_images(shape=(3, 20, 24, 1), dtype=np.float64, seed=0, low=0.0, high=1.0):
    return np.random.RandomState(seed).uniform(low, high, shape).astype(dtype)


def constant(value, n=40):
    return np.full((n, 32, 32, 1), float(value))


def assert_moments(sample, mean, variance):
    """Within five standard errors of the closed form; noise here has at most twice the kurtosis of a Gaussian."""
    assert sample.mean() == pytest.approx(mean, abs=5 * np.sqrt(variance / sample.size))
    assert sample.var() == pytest.approx(variance, rel=5 * np.sqrt(4 / sample.size))


# ------------------------------------------------------------------------------------- what all have in common


@given(
    name=st.sampled_from(sorted(FUNCTIONS)),
    shape=st.tuples(st.integers(0, 3), st.integers(8, 13), st.integers(8, 13), st.integers(1, 4)),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 2**31 - 1),
)
def test_shape_and_dtype_are_kept_and_the_input_is_not_touched(name, shape, dtype, seed):
    images = some_images(shape, dtype, seed, low=-0.5, high=1.5)
    before = images.copy()
    images.flags.writeable = False
    degraded = FUNCTIONS[name](images, seed)
    n, height, width, channels = shape
    expected = (n, -(-height // 2), -(-width // 2), channels) if name == "downscale" else shape
    assert degraded.shape == expected
    assert degraded.dtype == dtype
    assert np.isfinite(degraded).all()
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize("name", RANDOM)
def test_the_seed_decides_and_the_global_state_stays(name):
    images, state = some_images(), np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = (FUNCTIONS[name](images, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


@pytest.mark.parametrize("name", RANDOM)
def test_a_random_state_goes_on(name):
    rng, images = np.random.RandomState(0), some_images()
    assert np.abs(FUNCTIONS[name](images, rng) - FUNCTIONS[name](images, rng)).max() > 1e-3


@pytest.mark.parametrize("name", RANDOM)
def test_equal_images_are_degraded_each_in_its_own_way(name):
    degraded = FUNCTIONS[name](np.repeat(some_images((1, 16, 16, 1)), 4, axis=0), 0)
    differences = [np.abs(degraded[i] - degraded[j]).max() for i in range(4) for j in range(i)]
    assert min(differences) > 1e-4


@pytest.mark.parametrize("name", RANDOM)
def test_float32_differs_from_float64_by_rounding_where_nothing_is_drawn(name):
    levels = {
        "noise": {"sigma": 0},
        "poisson": {"photons": 1e14},
        "rician": {"sigma": 0},
        "blur": {"sigma": 1.3},
        "motion_blur": {"length": 5.5, "angle": 20},
        "low_contrast": {"gain": 0.5, "gamma": 1.2, "offset": 0.2},
        "jpeg": {"quality": 50},
        "low_dose_ct": {"photons": 1e12},
    }[name]
    images = np.rint(some_images() * 255) / 255
    single, double = (FUNCTIONS[name](images.astype(d), 0, **levels) for d in (np.float32, np.float64))
    np.testing.assert_allclose(single, double, atol=1e-5)


def test_a_pair_spans_its_range_evenly():
    noise = dg.gaussian_noise(np.zeros((400, 32, 32, 1)), 0, sigma=(0.1, 0.3))
    # The standard deviation of 1024 pixels is off by 2 %, next to nothing in the width of the range.
    assert stats.kstest(noise.std(axis=(1, 2, 3)), stats.uniform(0.1, 0.2).cdf).pvalue > 0.001


def test_a_number_is_the_level_of_every_image():
    levels = dg.gaussian_noise(np.zeros((50, 32, 32, 1)), 0, sigma=0.2).std(axis=(1, 2, 3))
    np.testing.assert_allclose(levels, 0.2, rtol=5 / np.sqrt(2 * 1024))


@pytest.mark.parametrize("bad", ["0.1", None, (0.3, 0.1), (0.1,), (0.1, 0.2, 0.3), -0.1, np.nan, (0, np.inf), True])
def test_a_bad_level_is_named(bad):
    with pytest.raises(ValueError, match=r"sigma must be a number or a pair \(low, high\).*at least 0; got .*Pass one"):
        dg.gaussian_noise(some_images(), 0, sigma=bad)


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("poisson", {"photons": 0.5}),
        ("rician", {"sigma": -1}),
        ("blur", {"sigma": -1}),
        ("motion_blur", {"length": 0}),
        ("motion_blur", {"angle": 400}),
        ("low_contrast", {"gain": 1.1}),
        ("low_contrast", {"gamma": 0}),
        ("low_contrast", {"offset": (-0.1, 0.5)}),
        ("jpeg", {"quality": 0}),
        ("jpeg", {"quality": (50, 101)}),
        ("low_dose_ct", {"photons": 0}),
        ("low_dose_ct", {"attenuation": 0}),
        ("low_dose_ct", {"n_angles": 0}),
        ("downscale", {"factor": 1.5}),
        ("downscale", {"factor": 0}),
    ],
)
def test_levels_have_limits(name, level):
    (parameter,) = level
    with pytest.raises(ValueError, match=rf"{parameter} must be .*; got .*Pass"):
        FUNCTIONS[name](some_images(), 0, **level)


@by_name
def test_images_of_another_form_are_refused(name):
    with pytest.raises(TypeError, match="float32 or float64 array; got uint8"):
        FUNCTIONS[name](np.zeros((2, 8, 8, 1), np.uint8), 0)
    with pytest.raises(TypeError, match="got list"):
        FUNCTIONS[name]([[0.0]], 0)
    with pytest.raises(ValueError, match=r"shape \(n, height, width, channels\); got \(2, 8, 8\)"):
        FUNCTIONS[name](np.zeros((2, 8, 8)), 0)


def test_importing_loads_nothing_heavy():
    code = "import sys, sklearn_medgan.degradations; print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert "sklearn_medgan.degradations" in loaded
    assert not loaded & {"tensorflow", "keras", "skimage", "PIL", "matplotlib"}


# ------------------------------------------------------------------------------------------------------- noise


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


# -------------------------------------------------------------------------------------------------------- blur


@pytest.mark.parametrize("sigma", [0, 0.4, 1.0, 2.6])
def test_gaussian_blur_is_scipys(sigma):
    images = some_images((2, 11, 17, 3))
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
    images = some_images()
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


# -------------------------------------------------------------------------------------------------- resolution


def pillow_bicubic(images, height, width):
    """Pillow has Keys's cubic with a = -0.5, widened to shrink, but cuts it off at the border."""
    return np.stack(
        [
            np.stack(
                [
                    np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BICUBIC))
                    for plane in image
                ],
                axis=-1,
            )
            for image in np.moveaxis(images, 3, 1)
        ]
    )


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
@pytest.mark.parametrize("sides", [(24, 36), (25, 31)])
def test_downscale_is_pillows_on_a_mirrored_border(factor, sides):
    images = some_images((2, *sides, 2), np.float32)
    new, ring = [-(-side // factor) for side in sides], 4 * factor
    pad = [(ring, ring + small * factor - side) for side, small in zip(sides, new, strict=True)]
    padded = np.pad(images, [(0, 0), *pad, (0, 0)], mode="symmetric")
    expected = pillow_bicubic(padded, new[0] + 8, new[1] + 8)[:, 4:-4, 4:-4]
    np.testing.assert_allclose(dg.downscale(images, factor=factor), expected, atol=1e-5)


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_upscale_is_pillows_on_a_mirrored_border(factor):
    images = some_images((2, 9, 14, 3), np.float32)
    padded = np.pad(images, [(0, 0), (4, 4), (4, 4), (0, 0)], mode="symmetric")
    expected = pillow_bicubic(padded, 17 * factor, 22 * factor)[:, 4 * factor : -4 * factor, 4 * factor : -4 * factor]
    np.testing.assert_allclose(dg.upscale(images, factor=factor), expected, atol=1e-5)


def test_away_from_the_border_both_are_pillows_as_it_is():
    images = some_images((1, 32, 48, 1), np.float32)
    small, large = dg.downscale(images), dg.upscale(images)
    np.testing.assert_allclose(small[:, 2:-2, 2:-2], pillow_bicubic(images, 16, 24)[:, 2:-2, 2:-2], atol=1e-5)
    np.testing.assert_allclose(large[:, 4:-4, 4:-4], pillow_bicubic(images, 64, 96)[:, 4:-4, 4:-4], atol=1e-5)


def test_enlarging_reproduces_a_ramp():
    ramp = np.arange(16.0).reshape(1, 1, 16, 1).repeat(8, axis=1)
    large = dg.upscale(ramp, factor=2)[0, 5, 6:-6, 0]
    np.testing.assert_allclose(large, (np.arange(6, 26) + 0.5) / 2 - 0.5, atol=1e-12)


# ------------------------------------------------------------------------------------ contrast and compression


@given(
    gain=st.floats(0, 1),
    gamma=st.floats(0.1, 10),
    offset=st.floats(0, 1),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_low_contrast_stays_in_range_keeps_order_and_uses_its_share(gain, gamma, offset, dtype):
    ramp = np.linspace(-0.5, 1.5, 201, dtype=dtype).reshape(1, 1, 201, 1)
    dull = dg.low_contrast(ramp, 0, gain=gain, gamma=gamma, offset=offset).ravel()
    assert dull.min() >= 0
    assert dull.max() <= 1
    assert (np.diff(dull) >= 0).all()
    assert float(dull[-1]) - float(dull[0]) == pytest.approx(gain, abs=1e-6)
    assert dull[0] == pytest.approx(offset * (1 - gain), abs=1e-6)


def test_low_contrast_at_full_gain_is_a_power_law():
    images = some_images()
    dull = dg.low_contrast(images, 0, gain=1, gamma=2, offset=0.3)
    np.testing.assert_allclose(dull, np.square(images), atol=1e-12)


def smooth_images(channels, n=4):
    blurred = ndimage.gaussian_filter(some_images((n, 32, 40, channels)), (0, 2, 2, 0))
    return (blurred - blurred.min()) / np.ptp(blurred)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_the_error_of_jpeg_falls_with_its_quality(channels):
    images = smooth_images(channels)
    error = [np.sqrt(np.mean((dg.jpeg(images, 0, quality=quality) - images) ** 2)) for quality in (5, 20, 60, 95)]
    assert (np.diff(error) < 0).all()
    # Colour loses half of its resolution at any quality.
    assert error[-1] < (0.04 if channels == 3 else 0.01)


def test_jpeg_returns_eight_bit_levels_of_the_clipped_image():
    compressed = dg.jpeg(smooth_images(1) * 2 - 0.5, 0, quality=100) * 255
    np.testing.assert_allclose(compressed, np.rint(compressed), atol=1e-9)
    np.testing.assert_allclose(compressed, np.clip(smooth_images(1) * 2 - 0.5, 0, 1) * 255, atol=2.5)


def test_jpeg_of_low_quality_wipes_faint_texture_off():
    faint = 0.5 + some_images((1, 32, 32, 1), low=-2 / 255, high=2 / 255)
    blocks = dg.jpeg(faint, 0, quality=10).reshape(4, 8, 4, 8)
    assert np.ptp(faint.reshape(4, 8, 4, 8), axis=(1, 3)).min() > 3 / 255
    np.testing.assert_allclose(np.ptp(blocks, axis=(1, 3)), 0, atol=1e-12)


def test_channels_that_are_no_colours_do_not_mix_in_jpeg():
    images = smooth_images(4)
    together = dg.jpeg(images, 0, quality=15)
    apart = np.concatenate([dg.jpeg(images[..., [k]], 0, quality=15) for k in range(4)], axis=3)
    np.testing.assert_array_equal(together, apart)


# ------------------------------------------------------------------------------------------ computed tomography

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
    image = ndimage.gaussian_filter(np.pad(some_images((1, 21, 21, 1))[0, :, :, 0], 6), 1.5)
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
    images = some_images((2, 21, 30, 2), dtype, low=-0.2, high=1.2)
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


# ----------------------------------------------------------------------------------------------- names and reach


def test_the_names_are_those_of_the_enhancer():
    expected = "noise poisson rician blur motion_blur downscale low_contrast jpeg low_dose_ct"
    assert set(dg.DEGRADATIONS) == set(expected.split())


@pytest.mark.parametrize("name", sorted(name for name, entry in dg.DEGRADATIONS.items() if entry.reach == 0))
def test_a_pixelwise_degradation_changes_one_pixel_for_one(name):
    images = some_images((2, 12, 12, 1))
    changed = images.copy()
    changed[-1, -1, -1] += 0.5  # the last one drawn: a Poisson count takes as many draws as it needs
    before, after = (FUNCTIONS[name](batch, 0) for batch in (images * 0.5, changed * 0.5))
    differs = np.argwhere(before != after)
    assert {tuple(place) for place in differs} <= {(1, 11, 11, 0)}


CROPPED = {
    "blur at its widest": ("blur", {"sigma": 2.0}),
    "small blur": ("blur", {"sigma": 0.7}),
    "no blur": ("blur", {"sigma": 0}),
    "motion": ("motion_blur", {"length": 9.0, "angle": 0}),
    "slanting motion": ("motion_blur", {"length": 6.4, "angle": 30}),
    "downscale": "downscale",
    "downscale by 3": ("downscale", {"factor": 3}),
    "two blurs": (("blur", {"sigma": 1.0}), ("motion_blur", {"length": 3, "angle": 60})),
    "blur, downscale": (("blur", {"sigma": 0.5}), "downscale"),
    "downscale, blur": ("downscale", ("blur", {"sigma": 0.5})),
}


def crop_error(degradation, reach):
    """How far a crop with this margin, once degraded, is from the crop of the whole."""
    images, scale = some_images((1, 60, 72, 1)), degradation.scale
    margin = -(-reach // scale) * scale
    start, stop = 24, 36
    crop = images[:, start - margin : stop + margin, start - margin : stop + margin]
    whole = degradation(images, 0)[:, start // scale : stop // scale, start // scale : stop // scale]
    inner = slice(margin // scale, margin // scale + (stop - start) // scale)
    return np.abs(degradation(crop, 0)[:, inner, inner] - whole).max()


@pytest.mark.parametrize("case", CROPPED)
def test_a_crop_with_the_reach_as_margin_is_degraded_like_the_whole(case):
    step = CROPPED[case]
    degradation = dg.compose(*step) if isinstance(step[0], tuple) or isinstance(step[1], tuple) else dg.compose(step)
    assert crop_error(degradation, degradation.reach) < 1e-12


@pytest.mark.parametrize("case", ["blur at its widest", "small blur", "motion"])
def test_a_narrower_margin_would_not_do(case):
    degradation = dg.compose(CROPPED[case])
    assert crop_error(degradation, degradation.reach - 1) > 1e-6


@pytest.mark.parametrize("name", ["blur", "motion_blur"])
def test_the_tabled_reach_covers_the_default_levels(name):
    point = np.zeros((300, 41, 41, 1))
    point[:, 20, 20] = 1
    touched = np.argwhere(FUNCTIONS[name](point, 0).any(axis=(0, 3)))
    assert np.abs(touched - 20).max() == dg.DEGRADATIONS[name].reach


# ------------------------------------------------------------------------------------------ compose, mix, resolve


def negative(images, rng):
    return 1 - images


def halved(images, rng):
    return images / 2


def test_compose_applies_in_turn():
    images = some_images()
    np.testing.assert_allclose(dg.compose(negative, halved)(images, 0), (1 - images) / 2)
    np.testing.assert_allclose(dg.compose(halved, negative)(images, 0), 1 - images / 2)
    np.testing.assert_array_equal(dg.compose()(images, 0), images)


def test_steps_of_a_composition_draw_apart():
    # Drawn alike, the noise of both steps would be one and the same, with twice the standard deviation.
    step = ("noise", {"sigma": 0.1})
    assert_moments(dg.compose(step, step)(constant(0), 0), 0, 2 * 0.1**2)


def test_mix_sends_each_image_through_one_choice_with_equal_chances():
    mixed = dg.mix(negative, halved, dg.compose())(np.full((900, 2, 2, 1), 0.2), 0)
    values, counts = np.unique(mixed.reshape(900, -1).round(6), axis=0, return_counts=True)
    np.testing.assert_allclose(values, [[0.1] * 4, [0.2] * 4, [0.8] * 4])
    assert stats.chisquare(counts).pvalue > 0.001


def test_mix_keeps_each_image_in_its_place():
    images = some_images((30, 4, 4, 1))
    mixed = dg.mix(negative, halved)(images, 0)
    is_negative = np.isclose(mixed, 1 - images).all(axis=(1, 2, 3))
    assert 0 < is_negative.sum() < 30
    np.testing.assert_allclose(mixed[~is_negative], images[~is_negative] / 2)


def test_mix_takes_no_images_and_refuses_two_sizes():
    assert dg.mix("downscale", "downscale")(np.zeros((0, 8, 8, 1)), 0).shape == (0, 4, 4, 1)
    with pytest.raises(ValueError, match=r"images of one size; got .*same factor"):
        dg.mix("downscale", "noise")(some_images((20, 8, 8, 1)), 0)
    with pytest.raises(ValueError, match="at least one choice"):
        dg.mix()


def test_auto_blurs_a_third_and_makes_all_noisy():
    step = np.zeros((600, 16, 16, 1), np.float32)
    step[:, :, 8:] = 1
    function, reach = dg.resolve("auto")
    degraded = function(step, 0)
    assert reach == 6  # of a sigma of 1.5
    assert degraded.dtype == np.float32
    noise = (degraded - step)[:, :, :2].std(axis=(1, 2, 3))  # dark: silent where photons are counted
    assert stats.binomtest(int((noise > 0).sum()), 600, 0.5).pvalue > 0.001
    # Beside a blurred edge some photons are counted where there were none.
    counted = noise == 0
    blurred = degraded[counted][:, :, 7].sum(axis=(1, 2)) > 0
    # A sigma below 0.25 (a sixth of the range) puts nothing measurable across the edge.
    assert stats.binomtest(int(blurred.sum()), int(counted.sum()), 5 / 6 / 3).pvalue > 0.001


def test_resolve_reads_all_forms():
    assert dg.resolve(negative) == (negative, None)
    images = some_images()
    for form in ("blur", ["blur"], ("blur",), ("blur", {}), [("blur", {})]):
        function, reach = dg.resolve(form)
        assert reach == 8
        np.testing.assert_array_equal(function(images, 3), dg.gaussian_blur(images, 3))
    assert dg.resolve(["blur", "motion_blur", "noise"])[1] == 12
    assert dg.resolve(["blur", "jpeg"])[1] is None
    assert dg.resolve(["blur", negative])[1] is None
    assert dg.resolve(("blur", {"sigma": (0, 0.5)}))[1] == 2


def test_parameters_given_with_a_name_are_used():
    function, _ = dg.resolve(("noise", {"sigma": 0.3}))
    assert_moments(function(constant(0.5), 0), 0.5, 0.3**2)


@pytest.mark.parametrize(
    ("degradation", "error", "message"),
    [
        ("nosie", ValueError, "Unknown degradation 'nosie'; did you mean 'noise'.*'low_dose_ct'"),
        (["noise", "Blur"], ValueError, "Unknown degradation 'Blur'; did you mean 'blur'"),
        ("xyz", ValueError, r"Unknown degradation 'xyz'\. Known are 'auto', 'blur'"),
        ([], ValueError, "at least one; got \\[\\]"),
        (3, TypeError, "a name, a pair .* got 3"),
        (None, TypeError, "got None"),
        ([None], TypeError, "got None"),
        (("noise", {"photons": 3}), TypeError, r"'noise' takes the parameters \['sigma'\]; got \['photons'\]"),
        (("auto", {"sigma": 1}), TypeError, r"'auto' takes the parameters \[\]"),
    ],
)
def test_what_is_no_degradation_is_explained(degradation, error, message):
    with pytest.raises(error, match=message):
        dg.resolve(degradation)


def test_a_bad_level_is_found_when_the_reach_is_asked_for():
    with pytest.raises(ValueError, match="sigma must be a number or a pair"):
        dg.resolve(("blur", {"sigma": "wide"}))


@pytest.mark.parametrize(
    "degradation",
    ["auto", *sorted(FUNCTIONS), ["blur", "noise"], ("noise", {"sigma": 0.1}), [negative, "jpeg"], partial(halved)],
    ids=str,
)
def test_degradations_pickle(degradation):
    function, reach = dg.resolve(degradation)
    again = pickle.loads(pickle.dumps(function))
    images = some_images((2, 16, 16, 1))
    np.testing.assert_array_equal(again(images, 0), function(images, 0))
    assert getattr(again, "reach", None) == reach


# --------------------------------------------------------------------------------------------------------- apply


def test_apply_returns_what_the_function_made_of_a_copy():
    images = some_images(dtype=np.float32)
    before = images.copy()

    def in_place(batch, rng):
        batch *= rng.uniform(0.5, 0.5)
        return batch.astype(np.float64)

    degraded = dg.apply(in_place, images, 0)
    assert degraded.dtype == np.float32
    np.testing.assert_array_equal(degraded, before / 2)
    np.testing.assert_array_equal(images, before)


def test_apply_expects_smaller_images_where_the_scale_says_so():
    images = some_images((2, 9, 12, 1))
    assert dg.apply(dg.resolve("downscale")[0], images, 0, scale=2).shape == (2, 5, 6, 1)
    with pytest.raises(ValueError, match=r"shape \(2, 9, 12, 1\) .*scale=1; got shape \(2, 5, 6, 1\)"):
        dg.apply(dg.downscale, images, 0)
    with pytest.raises(ValueError, match="scale must be a whole number"):
        dg.apply(dg.downscale, images, 0, scale=0.5)


@pytest.mark.parametrize(
    ("result", "error", "message"),
    [
        (None, TypeError, "NumPy array of real numbers; got NoneType"),
        ([1.0], TypeError, "got list"),
        (np.zeros((2, 8, 8, 1), complex), TypeError, "got dtype complex128"),
        (np.zeros((2, 8, 8)), ValueError, r"got shape \(2, 8, 8\)"),
        (np.full((2, 8, 8, 1), np.nan), ValueError, "finite values; got NaN or infinity"),
        (np.full((2, 8, 8, 1), np.inf), ValueError, "finite values"),
    ],
)
def test_apply_explains_what_a_function_returned(result, error, message):
    def mine(images, rng):
        return result

    with pytest.raises(error, match=f"The degradation mine must return .*{message}"):
        dg.apply(mine, some_images((2, 8, 8, 1)), 0)
