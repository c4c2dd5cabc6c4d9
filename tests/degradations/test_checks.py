"""What all degradations have in common: form, seed, levels and their limits."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pictures import uniform
from scipy import stats

from sklearn_medgan import degradations as dg

FUNCTIONS = {name: entry.function for name, entry in dg.DEGRADATIONS.items()}
NEW = ["speckle", "defocus", "rings", "streaks", "bias_field", "ghosting", "undersampling", "stain"]
COLOUR = (3, 20, 24, 3)
RANDOM = sorted(set(FUNCTIONS) - {"downscale"})
by_name = pytest.mark.parametrize("name", sorted(FUNCTIONS))


@given(
    name=st.sampled_from(sorted(FUNCTIONS)),
    shape=st.tuples(st.integers(0, 3), st.integers(1, 13), st.integers(1, 13), st.integers(1, 4)),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 2**31 - 1),
)
@example(name="defocus", shape=(1, 3, 512, 1), dtype=np.float32, seed=0)
@example(name="rings", shape=(1, 512, 3, 1), dtype=np.float32, seed=0)
@example(name="ghosting", shape=(1, 511, 512, 1), dtype=np.float32, seed=0)
def test_shape_and_dtype_are_kept_and_the_input_is_not_touched(name, shape, dtype, seed):
    shape = (*shape[:3], 3) if name == "stain" else shape
    images = uniform(shape, dtype, seed, low=-0.5, high=1.5)
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
    images, state = uniform(COLOUR), np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = (FUNCTIONS[name](images, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


@pytest.mark.parametrize("name", RANDOM)
def test_a_random_state_goes_on(name):
    rng, images = np.random.RandomState(0), uniform(COLOUR)
    assert np.abs(FUNCTIONS[name](images, rng) - FUNCTIONS[name](images, rng)).max() > 1e-3


@pytest.mark.parametrize("name", RANDOM)
def test_equal_images_are_degraded_each_in_its_own_way(name):
    degraded = FUNCTIONS[name](np.repeat(uniform((1, 16, 16, 3)), 4, axis=0), 0)
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
        "speckle": {"dynamic_range": 1e9},
        "defocus": {"radius": 2.2},
        "rings": {"gain_error": 0.01},
        "streaks": {"n_views": 20},
        "bias_field": {"nonuniformity": 0.5},
        "ghosting": {"intensity": 0.1},
        "undersampling": {"acceleration": 3},
        "stain": {"sigma": 0.2},
    }[name]
    images = np.rint(uniform(COLOUR) * 255) / 255
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
        dg.gaussian_noise(uniform(), 0, sigma=bad)


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
        ("speckle", {"looks": 0}),
        ("speckle", {"correlation_length": -1}),
        ("speckle", {"dynamic_range": 0}),
        ("defocus", {"radius": -1}),
        ("rings", {"gain_error": -0.1}),
        ("rings", {"attenuation": 0}),
        ("streaks", {"n_views": (0, 20)}),
        ("streaks", {"n_views": 181}),
        ("bias_field", {"nonuniformity": 2}),
        ("bias_field", {"order": 0}),
        ("ghosting", {"intensity": 1.1}),
        ("ghosting", {"period": 1}),
        ("ghosting", {"axis": 2}),
        ("undersampling", {"acceleration": 0.5}),
        ("undersampling", {"centre_fraction": 1.1}),
        ("undersampling", {"axis": "down"}),
        ("stain", {"sigma": -0.1}),
        ("stain", {"offset": -0.1}),
        ("downscale", {"factor": 1.5}),
        ("downscale", {"factor": 0}),
    ],
)
def test_levels_have_limits(name, level):
    (parameter,) = level
    with pytest.raises(ValueError, match=rf"{parameter} must be .*; got .*Pass"):
        FUNCTIONS[name](uniform(COLOUR), 0, **level)


@pytest.mark.parametrize("name", sorted(set(NEW) - {"stain"}))
def test_grey_images_of_three_channels_stay_grey(name):
    grey = np.repeat(uniform((2, 20, 24, 1)), 3, axis=3)
    degraded = FUNCTIONS[name](grey, 0)
    np.testing.assert_allclose(degraded, np.repeat(degraded[..., :1], 3, axis=3), atol=1e-12)


@by_name
def test_images_of_another_form_are_refused(name):
    with pytest.raises(TypeError, match="float32 or float64 array; got uint8"):
        FUNCTIONS[name](np.zeros((2, 8, 8, 1), np.uint8), 0)
    with pytest.raises(TypeError, match="got list"):
        FUNCTIONS[name]([[0.0]], 0)
    with pytest.raises(ValueError, match=r"shape \(n, height, width, channels\); got \(2, 8, 8\)"):
        FUNCTIONS[name](np.zeros((2, 8, 8)), 0)


@pytest.mark.slow
def test_importing_loads_nothing_heavy():
    code = "import sys, sklearn_medgan.degradations; print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert "sklearn_medgan.degradations" in loaded
    assert not loaded & {"tensorflow", "keras", "skimage", "PIL", "matplotlib"}
