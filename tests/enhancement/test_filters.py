"""Filters as scikit-image has them, from the usual noise on."""

import importlib.util

import numpy as np
import pytest
from enhancers import discs, noisy
from scipy.ndimage import median_filter
from skimage import restoration

from sklearn_medgan.enhancement import _filters, _guard

IMAGE = noisy(discs(1)[0], 0.1)[..., None]


COLOUR = noisy(np.repeat(discs(1)[0][..., None], 3, -1), 0.1)


@pytest.mark.parametrize("sigma", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("channels", [1, 3])
def test_noise_is_estimated(sigma, channels):
    ramp = np.add.outer(np.linspace(0, 1, 96), np.linspace(0, 1, 96))[..., None].repeat(channels, -1)
    assert _filters.estimate_noise(noisy(ramp, sigma)) == pytest.approx(sigma, rel=0.05)


def test_straight_slopes_are_no_noise():
    ramp = np.add.outer(np.linspace(0, 1, 40), np.linspace(0, 3, 30))[..., None]
    assert _filters.estimate_noise(ramp) < 1e-12


@pytest.mark.parametrize("strength", [0.5, 1.5])
@pytest.mark.parametrize("image", [IMAGE, COLOUR], ids=["grey", "colour"])
def test_filters_are_those_of_scikit_image(image, strength):
    sigma = _filters.estimate_noise(image)
    grey = image.shape[2] == 1
    rows, axis = (image[..., 0], None) if grey else (image, -1)
    expected = {
        "nothing": rows,
        "median": median_filter(image, (3, 3, 1)).reshape(rows.shape) if strength >= 1 else rows,
        "total variation": restoration.denoise_tv_chambolle(rows, weight=2 * strength * sigma, channel_axis=axis),
        "non-local means": restoration.denoise_nl_means(
            rows, h=strength * sigma, sigma=sigma, patch_size=5, patch_distance=6, fast_mode=True, channel_axis=axis
        ),
    }
    if importlib.util.find_spec("pywt"):
        expected["wavelet"] = restoration.denoise_wavelet(
            rows, sigma=strength * sigma, rescale_sigma=False, channel_axis=axis
        )
    assert expected.keys() == _filters.available_filters().keys()
    for name, result in expected.items():
        filtered = _filters.run_filter(name, strength, image)
        assert (filtered.shape, filtered.dtype) == (image.shape, np.float32)
        np.testing.assert_allclose(filtered.reshape(rows.shape), result, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("name", sorted(_filters.available_filters().keys() - {"nothing"}))
def test_filters_help_against_noise(name):
    good = discs(1, size=48)[0][..., None]
    poor = noisy(good, 0.1)
    best = max(_guard.psnr(_filters.run_filter(name, s, poor), good) for s in _filters.STRENGTHS)
    assert best > _guard.psnr(poor, good) + 3


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", sorted(_filters.available_filters()))
@pytest.mark.parametrize("shape", [(8, 8, 1), (9, 40, 3)])
def test_constant_images_stay_as_they_are(name, shape):
    image = np.full(shape, 0.25, np.float32)
    np.testing.assert_allclose(_filters.run_filter(name, 1.0, image), image, atol=1e-6)


def test_result_that_is_not_finite_is_replaced_by_the_image(monkeypatch):
    monkeypatch.setitem(_filters.FILTERS, "median", lambda image, strength, noise: image * np.nan)
    assert np.array_equal(_filters.run_filter("median", 1.0, IMAGE), IMAGE)


FILTERS = sorted(_filters.available_filters().keys() - {"nothing"})


@pytest.mark.parametrize("name", FILTERS)
def test_images_as_clean_as_good_ones_are_left_alone(name):
    noise = _filters.estimate_noise(IMAGE)
    for usual in (noise, 2 * noise):
        assert np.array_equal(_filters.run_filter(name, 1.5, IMAGE, usual), IMAGE)
    assert not np.array_equal(_filters.run_filter(name, 1.5, IMAGE, 0.9 * noise), IMAGE)


def test_filter_removes_the_noise_beyond_the_usual():
    """Variances add: of noise 0.5, where 0.3 is usual, 0.4 is to be removed."""
    noise = _filters.estimate_noise(IMAGE)
    for image, usual in ((IMAGE, 0.6 * noise), (COLOUR, 0.6 * _filters.estimate_noise(COLOUR))):
        weight = 2 * 0.5 * 0.8 * _filters.estimate_noise(image)
        expected = restoration.denoise_tv_chambolle(image, weight=weight, channel_axis=-1)
        np.testing.assert_allclose(_filters.run_filter("total variation", 0.5, image, usual), expected, atol=1e-5)


@pytest.mark.parametrize("name", sorted(set(FILTERS) - {"median"}))
def test_filter_fades_out(name):
    noise = _filters.estimate_noise(IMAGE)
    changes = [
        np.abs(_filters.run_filter(name, 1.0, IMAGE, share * noise) - IMAGE).mean() for share in (0, 0.99, 0.99999)
    ]
    assert changes[0] > 5 * changes[2]
    assert changes[0] > changes[1] >= changes[2]


def test_usual_noise_is_exceeded_by_few_good_images():
    good = [noisy(discs(1, 64)[0], sigma, seed)[..., None] for seed, sigma in enumerate([0.02] * 19 + [0.5])]
    usual = _filters.usual_noise(good)
    assert sum(_filters.estimate_noise(image) > usual for image in good) == 1
    assert usual < 0.06  # the one poor image among them hardly counts
