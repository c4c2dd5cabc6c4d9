"""Fidelity of images against scikit-image."""

import numpy as np
import pytest
from rows import rows
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from sklearn_medgan.metrics import psnr, ssim
from sklearn_medgan.metrics._images import decibels


def images(seed, *shape, dtype=np.float64, top=1.0):
    return (top * np.random.RandomState(seed).uniform(size=shape)).astype(dtype)


STACKS = {
    "float": (images(0, 3, 16, 12), images(1, 3, 16, 12)),
    "one grey image": (images(0, 16, 12), images(1, 16, 12)),
    "colour": (images(0, 2, 16, 12, 3), images(1, 2, 16, 12, 3)),
    "uint8": (images(0, 3, 16, 12, dtype=np.uint8, top=200), images(1, 3, 16, 12, dtype=np.uint8, top=200)),
    "int16": (images(0, 3, 16, 12, dtype=np.int16, top=3000), images(1, 3, 16, 12, dtype=np.int16, top=3000)),
    "mixed dtypes": (images(0, 3, 16, 12, dtype=np.uint8, top=200), images(1, 3, 16, 12, top=200)),
}
RANGES = {np.float64: None, np.uint8: 255.0, np.int16: 65535.0}


@pytest.mark.parametrize(("true", "other"), STACKS.values(), ids=STACKS)
def test_images_are_judged_as_by_scikit_image(true, other):
    data_range = RANGES[true.dtype.type] or np.ptp(true)
    stack = [a if a.ndim > 2 else a[None] for a in (true.astype(float), other.astype(float))]
    noise = [peak_signal_noise_ratio(a, b, data_range=data_range) for a, b in zip(*stack, strict=True)]
    authors = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": data_range}
    axis = -1 if stack[0].ndim == 4 else None
    alike = [structural_similarity(a, b, channel_axis=axis, **authors) for a, b in zip(*stack, strict=True)]
    np.testing.assert_allclose(psnr(true, other, per_image=True), noise)
    np.testing.assert_allclose(ssim(true, other, per_image=True), alike)
    assert psnr(true, other) == pytest.approx(np.mean(noise))
    assert ssim(true, other) == pytest.approx(np.mean(alike))
    assert type(psnr(true, other)) is type(ssim(true, other)) is float


def test_psnr_is_its_definition():
    true = np.zeros((2, 8, 8), np.uint8)
    other = true + np.uint8([[[5]], [[51]]])
    expected = [20 * np.log10(255 / 5), 20 * np.log10(5)]
    np.testing.assert_allclose(psnr(true, other, per_image=True), expected)
    np.testing.assert_allclose(psnr(true, other, data_range=510, per_image=True), np.add(expected, 20 * np.log10(2)))


def test_ssim_of_constant_images_is_the_luminance_term():
    """Equation 6 of the paper: no contrast and no structure, C1 = (0.01 L)**2."""
    dark, bright = np.full((1, 16, 16), 0.2), np.full((1, 16, 16), 0.6)
    c1 = 0.01**2
    assert ssim(dark, bright, data_range=1.0) == pytest.approx((2 * 0.2 * 0.6 + c1) / (0.2**2 + 0.6**2 + c1))


def test_decibels_take_arrays_of_any_shape_and_dtype():
    """What the guard and the pictures judge by: rows of tables and images alike, unsigned differences included."""
    true = np.uint8([[0, 200], [100, 7]])
    other = np.uint8([[3, 196], [100, 7]])
    assert decibels(true, other, 255.0) == pytest.approx(20 * np.log10(255 / 2.5))
    assert decibels(true.ravel(), other.ravel().astype(np.float32), 255.0) == decibels(true, other, 255.0)
    assert decibels(true, true, 1.0) == np.inf
    assert decibels(true, other, 0.0) == -np.inf


def test_identical_images():
    true = images(0, 3, 16, 16)
    assert psnr(true, true) == np.inf
    assert psnr(true, true, per_image=True).tolist() == [np.inf] * 3
    assert ssim(true, true) == pytest.approx(1.0)


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_more_noise_is_worse(metric):
    true = np.random.RandomState(1).uniform(size=(2, 4, 4)).repeat(8, axis=1).repeat(8, axis=2)
    values = [metric(true, true + level * rows(2, 64, 32).reshape(2, 32, 32)) for level in (0.05, 0.1, 0.2, 0.4)]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[-1]


def test_bool_images_range_from_zero_to_one():
    true = np.zeros((1, 16, 16), bool)
    other = true.copy()
    other[0, :4, :4] = True  # one pixel in 16
    assert psnr(true, other) == pytest.approx(10 * np.log10(16))


BAD_IMAGES = {
    "shapes": (np.zeros((2, 16, 16)), np.zeros((2, 16, 15)), {}, r"one shape; got \(2, 16, 16\) and \(2, 16, 15\)"),
    "one row": (np.zeros(16), np.zeros(16), {}, r"got shape \(16,\)"),
    "five axes": (np.zeros((1, 16, 16, 1, 1)),) * 2 + ({}, "Expected images"),
    "empty": (np.zeros((0, 16, 16)),) * 2 + ({}, "Expected images"),
    "one colour image": (images(0, 16, 16, 3),) * 2 + ({}, r"Pass it as image\[None\]"),
    "NaN": (np.full((1, 16, 16), np.nan),) * 2 + ({}, "y_true must be finite"),
    "complex": (np.ones((1, 16, 16), complex),) * 2 + ({}, "real numbers; got dtype complex128"),
    "words": (np.full((1, 16, 16), "a"),) * 2 + ({}, "real numbers; got dtype <U1"),
    "constant": (np.ones((1, 16, 16)),) * 2 + ({}, "constant .* Pass data_range"),
    "range of zero": (images(0, 1, 16, 16),) * 2 + ({"data_range": 0}, "positive number; got 0"),
    "range a word": (images(0, 1, 16, 16),) * 2 + ({"data_range": "uint8"}, "positive number; got 'uint8'"),
}


@pytest.mark.parametrize("metric", [psnr, ssim])
@pytest.mark.parametrize("case", BAD_IMAGES.values(), ids=BAD_IMAGES)
def test_bad_images(metric, case):
    true, other, options, message = case
    with pytest.raises(ValueError, match=message):
        metric(true, other, **options)


def test_ssim_refuses_images_smaller_than_its_window():
    with pytest.raises(ValueError, match=r"windows of 11x11 pixels; got images of 10x16\. Use psnr"):
        ssim(images(0, 2, 10, 16), images(1, 2, 10, 16))
    assert np.isfinite(ssim(images(0, 2, 11, 11), images(1, 2, 11, 11)))
