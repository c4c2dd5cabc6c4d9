"""Stain variation against Beer and Lambert's law."""

import numpy as np
import pytest
from pictures import uniform
from skimage.color import rgb_from_hed

from sklearn_medgan import degradations as dg

STAINS = rgb_from_hed[:2] / np.linalg.norm(rgb_from_hed[:2], axis=1, keepdims=True)


def stained(amounts):
    """Tissue with amounts (n, height, width, 2) of haematoxylin and eosin."""
    return 10 ** -(amounts @ STAINS)


@pytest.mark.parametrize("stain", [0, 1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_factor_keeps_the_direction_of_the_optical_density(stain, dtype):
    amounts = np.zeros((40, 6, 5, 2))
    amounts[..., stain] = uniform((1, 6, 5), low=0.1, high=1.0)
    density = -np.log10(dg.stain_variation(stained(amounts).astype(dtype), 0, sigma=0.3, offset=0))
    size = np.linalg.norm(density, axis=3)
    np.testing.assert_allclose(density / size[..., None], np.broadcast_to(STAINS[stain], density.shape), atol=1e-5)
    factor = size / amounts[..., stain]
    np.testing.assert_allclose(factor, factor[:, :1, :1] * np.ones((6, 5)), rtol=1e-4)  # one an image
    assert 0.7 <= factor.min() < 0.8
    assert 1.2 < factor.max() <= 1.3


def test_an_offset_adds_the_same_amount_everywhere_but_leaves_none_below_zero():
    amounts = uniform((60, 6, 5, 2), low=0.2, high=0.8)
    amounts[:, 0, 0] = 0
    density = -np.log10(dg.stain_variation(stained(amounts), 0, sigma=0, offset=0.1))
    changed = density @ np.linalg.pinv(STAINS)
    added = (changed - amounts)[:, 1:]
    np.testing.assert_allclose(added, added[:, :1, :1] * np.ones((5, 5, 1)), atol=1e-9)
    assert -0.1 <= added.min() < -0.09
    assert 0.09 < added.max() <= 0.1
    np.testing.assert_allclose(changed[:, 0, 0], np.maximum(added[:, 0, 0], 0), atol=1e-9)


def test_what_is_of_neither_colour_stays():
    other = np.cross(*STAINS)
    density = (uniform((3, 8, 8, 2), low=0.3, high=0.9) @ STAINS) + 0.05 * other
    changed = -np.log10(dg.stain_variation(10**-density, 0, sigma=0.2))
    np.testing.assert_allclose(changed @ other / np.dot(other, other), 0.05, atol=1e-9)


def test_without_levels_nothing_changes_and_light_stays_light():
    images = uniform((2, 9, 8, 3))
    images[:, 0, 0] = [[0, 0, 0], [1, 1, 1]]
    np.testing.assert_allclose(dg.stain_variation(images, 0, sigma=0, offset=0), images, atol=1e-12)
    changed = dg.stain_variation(images * 2 - 0.5, 0, sigma=1, offset=2)
    assert changed.min() >= 0
    assert changed.max() <= 1


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_images_without_colour_are_refused(channels):
    with pytest.raises(ValueError, match=rf"'stain' needs colour images.*got images of {channels} channels?\. Pass"):
        dg.stain_variation(uniform((2, 8, 8, channels)), 0)
