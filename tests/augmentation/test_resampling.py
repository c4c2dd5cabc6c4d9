"""Images at another size, by the definition: the mean of what a pixel covers."""

import numpy as np
import pytest

from sklearn_medgan.augmentation._resampling import footprints, resampled, resized

RNG = np.random.RandomState(0)


def test_halving_is_the_mean_of_pairs_and_equal_sizes_stay():
    line = RNG.rand(64).astype(np.float32)
    np.testing.assert_allclose(footprints(64, 32) @ line, line.reshape(32, 2).mean(1), rtol=1e-6)
    np.testing.assert_array_equal(footprints(32, 32), np.eye(32))


def test_an_odd_middle_is_shared():
    np.testing.assert_allclose(footprints(3, 2) * 1.5, [[1.0, 0.5, 0.0], [0.0, 0.5, 1.0]], rtol=1e-6)


@pytest.mark.parametrize("n_from", [8, 28, 45, 512])
def test_any_size_keeps_constants_and_slopes(n_from):
    weights = footprints(n_from, 32).astype(np.float64)
    np.testing.assert_allclose(weights.sum(1), 1.0, rtol=1e-6)
    centres = (np.arange(n_from) + 0.5) / n_from
    inner = slice(2, -2)  # beyond the outermost pixel centres there is nothing to interpolate between
    np.testing.assert_allclose((weights @ centres)[inner], ((np.arange(32) + 0.5) / 32)[inner], atol=0.15 / n_from)


def test_an_image_is_averaged_over_what_its_pixels_cover():
    images = RNG.rand(3, 8, 6, 2).astype(np.float32)
    np.testing.assert_allclose(resized(images, (4, 3)), images.reshape(3, 4, 2, 3, 2, 2).mean((2, 4)), atol=1e-6)
    assert resized(images, (8, 6, 2)) is images
    assert resized(images[:0], (4, 3)).shape == (0, 4, 3, 2)


def test_a_ramp_stays_one_when_it_is_enlarged():
    ramp = np.tile(np.arange(8, dtype=np.float32)[:, None, None], (1, 5, 1))
    large = resized(ramp[None], (32, 10))[0, 4:-4, :, 0]
    np.testing.assert_allclose(np.diff(large, axis=0), 0.25, atol=1e-5)
    np.testing.assert_allclose(large, large[:, :1].repeat(10, axis=1), atol=1e-6)


def test_an_image_does_not_depend_on_those_beside_it():
    images = RNG.rand(5, 50, 33, 3).astype(np.float32)
    np.testing.assert_array_equal(resized(images, (21, 64))[3:], resized(images[3:], (21, 64)))


def test_matrices_are_of_rows_and_columns_whether_sparse_or_not():
    image = RNG.rand(5, 4, 2)
    rows, columns = RNG.rand(3, 5), RNG.rand(6, 4)
    np.testing.assert_allclose(resampled(image, rows, columns), np.einsum("ah,bw,hwc->abc", rows, columns, image))
