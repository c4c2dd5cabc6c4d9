"""Shrinking and enlarging against Pillow's bicubic."""

import numpy as np
import pytest
from pictures import uniform
from PIL import Image

from sklearn_medgan import degradations as dg


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
    images = uniform((2, *sides, 2), np.float32)
    new, ring = [-(-side // factor) for side in sides], 4 * factor
    pad = [(ring, ring + small * factor - side) for side, small in zip(sides, new, strict=True)]
    padded = np.pad(images, [(0, 0), *pad, (0, 0)], mode="symmetric")
    expected = pillow_bicubic(padded, new[0] + 8, new[1] + 8)[:, 4:-4, 4:-4]
    np.testing.assert_allclose(dg.downscale(images, factor=factor), expected, atol=1e-5)


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_upscale_is_pillows_on_a_mirrored_border(factor):
    images = uniform((2, 9, 14, 3), np.float32)
    padded = np.pad(images, [(0, 0), (4, 4), (4, 4), (0, 0)], mode="symmetric")
    expected = pillow_bicubic(padded, 17 * factor, 22 * factor)[:, 4 * factor : -4 * factor, 4 * factor : -4 * factor]
    np.testing.assert_allclose(dg.upscale(images, factor=factor), expected, atol=1e-5)


def test_away_from_the_border_both_are_pillows_as_it_is():
    images = uniform((1, 32, 48, 1), np.float32)
    small, large = dg.downscale(images), dg.upscale(images)
    np.testing.assert_allclose(small[:, 2:-2, 2:-2], pillow_bicubic(images, 16, 24)[:, 2:-2, 2:-2], atol=1e-5)
    np.testing.assert_allclose(large[:, 4:-4, 4:-4], pillow_bicubic(images, 64, 96)[:, 4:-4, 4:-4], atol=1e-5)


def test_enlarging_reproduces_a_ramp():
    ramp = np.arange(16.0).reshape(1, 1, 16, 1).repeat(8, axis=1)
    large = dg.upscale(ramp, factor=2)[0, 5, 6:-6, 0]
    np.testing.assert_allclose(large, (np.arange(6, 26) + 0.5) / 2 - 0.5, atol=1e-12)
