"""Lost contrast and JPEG against their closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import uniform
from scipy import ndimage

from sklearn_medgan import degradations as dg


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
    images = uniform()
    dull = dg.low_contrast(images, 0, gain=1, gamma=2, offset=0.3)
    np.testing.assert_allclose(dull, np.square(images), atol=1e-12)


def smooth_images(channels, n=4):
    blurred = ndimage.gaussian_filter(uniform((n, 32, 40, channels)), (0, 2, 2, 0))
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
    faint = 0.5 + uniform((1, 32, 32, 1), low=-2 / 255, high=2 / 255)
    blocks = dg.jpeg(faint, 0, quality=10).reshape(4, 8, 4, 8)
    assert np.ptp(faint.reshape(4, 8, 4, 8), axis=(1, 3)).min() > 3 / 255
    np.testing.assert_allclose(np.ptp(blocks, axis=(1, 3)), 0, atol=1e-12)


def test_channels_that_are_no_colours_do_not_mix_in_jpeg():
    images = smooth_images(4)
    together = dg.jpeg(images, 0, quality=15)
    apart = np.concatenate([dg.jpeg(images[..., [k]], 0, quality=15) for k in range(4)], axis=3)
    np.testing.assert_array_equal(together, apart)
