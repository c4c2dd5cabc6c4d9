"""A user's own degradation, and what is said of its result."""

import numpy as np
import pytest
from pictures import uniform

from sklearn_medgan import degradations as dg


def test_apply_returns_what_the_function_made_of_a_copy():
    images = uniform(dtype=np.float32)
    before = images.copy()

    def in_place(batch, rng):
        batch *= rng.uniform(0.5, 0.5)
        return batch.astype(np.float64)

    degraded = dg.apply(in_place, images, 0)
    assert degraded.dtype == np.float32
    np.testing.assert_array_equal(degraded, before / 2)
    np.testing.assert_array_equal(images, before)


def test_apply_expects_smaller_images_where_the_scale_says_so():
    images = uniform((2, 9, 12, 1))
    assert dg.apply(dg.resolve("downscale")[0], images, 0, scale=2).shape == (2, 5, 6, 1)
    with pytest.raises(ValueError, match=r"shape \(2, 9, 12, 1\) .*scale=1; got shape \(2, 5, 6, 1\)"):
        dg.apply(dg.downscale, images, 0)
    with pytest.raises(ValueError, match="scale must be a whole number from 1 up"):
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
        dg.apply(mine, uniform((2, 8, 8, 1)), 0)
