"""Differentiable augmentation: what each transform does to an image, and its gradient."""

import numpy as np
import pytest
import tensorflow as tf

from sklearn_medgan.augmentation import _configuration
from sklearn_medgan.gan.augment import BRIGHTNESS, CONTRAST, CUTOUT, SHIFT, TRANSFORMS, augment, bend

by_name = pytest.mark.parametrize("name", TRANSFORMS)
SEED = tf.constant([3, 7])


def images(n=6, height=16, width=24, channels=2, seed=0):
    return np.random.default_rng(seed).normal(size=(n, height, width, channels))


def apply(name, batch, seed=SEED):
    return TRANSFORMS[name](tf.constant(batch), tf.constant(seed)).numpy()


def shifted(image, down, right):
    """`image` (h, w, c) moved by whole pixels, its edge repeated."""
    height, width = image.shape[:2]
    padded = np.pad(image, [(height, height), (width, width), (0, 0)], mode="edge")
    return np.roll(padded, (down, right), (0, 1))[height : 2 * height, width : 2 * width]


def test_every_transform_is_offered():
    assert set(TRANSFORMS) == set(_configuration.AUGMENTATIONS)


@by_name
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(3, 8, 8, 1), (2, 9, 13, 3), (1, 31, 10, 4)])
def test_shape_and_dtype_are_kept(name, shape, dtype):
    out = apply(name, np.zeros(shape, dtype))
    assert (out.shape, out.dtype) == (shape, dtype)


@by_name
def test_equal_seeds_draw_equally_and_others_do_not(name):
    batch = images()
    assert np.array_equal(apply(name, batch), apply(name, batch))
    assert not np.array_equal(apply(name, batch), apply(name, batch, [3, 8]))


@by_name
def test_rows_draw_their_own_numbers(name):
    batch = np.repeat(images(1), 40, 0)
    assert len(np.unique(apply(name, batch).reshape(40, -1), axis=0)) > 1


@by_name
def test_map_is_affine_in_the_images(name):
    a, b = images(seed=1), images(seed=2)
    middle = apply(name, 0.25 * a + 0.75 * b)
    np.testing.assert_allclose(middle, 0.25 * apply(name, a) + 0.75 * apply(name, b), atol=1e-12)


@by_name
def test_gradient_equals_finite_differences(name):
    batch, direction, weights = images(2, 9, 11), images(2, 9, 11, seed=1), images(2, 9, 11, seed=2)

    def scalar(values):
        return np.sum(weights * np.sin(apply(name, values)))

    x = tf.constant(batch)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = tf.reduce_sum(weights * tf.sin(TRANSFORMS[name](x, SEED)))
    slope = np.sum(tape.gradient(value, x).numpy() * direction)
    step = 1e-6
    assert slope == pytest.approx((scalar(batch + step * direction) - scalar(batch - step * direction)) / (2 * step))


def test_shift_moves_by_whole_pixels_and_repeats_the_edge():
    batch = images(n=60)
    seen = set()
    for before, after in zip(batch, apply("shift", batch), strict=True):
        matches = [
            (down, right)
            for down in range(-3, 4)
            for right in range(-4, 5)
            if np.allclose(shifted(before, down, right), after, atol=1e-12)
        ]
        assert len(matches) == 1
        seen.add(matches[0])
    reach = np.abs(list(seen)).max(0)
    assert reach.tolist() == [SHIFT * 16, SHIFT * 24]  # both limits are reached by 60 draws
    assert len(seen) > 15


def test_flip_mirrors_about_half_of_the_rows():
    batch = images(n=400)
    out = apply("flip", batch)
    same = np.array([np.array_equal(a, b) for a, b in zip(batch, out, strict=True)])
    mirrored = np.array([np.array_equal(a[:, ::-1], b) for a, b in zip(batch, out, strict=True)])
    assert np.array_equal(same, ~mirrored)
    assert 150 < mirrored.sum() < 250  # five standard deviations about 200


def test_contrast_stretches_about_the_mean_and_moves_it():
    batch = images(n=200)
    out = apply("contrast", batch)
    gains = out.std((1, 2, 3)) / batch.std((1, 2, 3))
    moves = out.mean((1, 2, 3)) - batch.mean((1, 2, 3))
    for drawn, low, high in ((gains, *CONTRAST), (moves, -BRIGHTNESS, BRIGHTNESS)):
        assert low - 1e-12 <= drawn.min() < low + 0.1 * (high - low)
        assert high + 1e-12 >= drawn.max() > high - 0.1 * (high - low)
    column = [a.reshape(len(a), -1) for a in (batch, out)]
    centred = [c - c.mean(1, keepdims=True) for c in column]
    np.testing.assert_allclose(centred[1], centred[0] * gains[:, None], atol=1e-12)


def test_cutout_fills_one_box_with_the_mean():
    batch = images(n=60, height=20, width=30)
    tallest = widest = 0
    for before, after in zip(batch, apply("cutout", batch), strict=True):
        hole = (before != after).any(-1)
        rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
        box = np.ix_(range(rows[0], rows[-1] + 1), range(columns[0], columns[-1] + 1))
        assert hole[box].all()
        assert hole.sum() == hole[box].size
        np.testing.assert_allclose(after[box], before.mean())
        tallest, widest = max(tallest, len(rows)), max(widest, len(columns))
    assert (tallest, widest) == (CUTOUT * 20, CUTOUT * 30)


@pytest.mark.parametrize("name", ["shift", "flip", "cutout"])
def test_constant_images_stay_as_they_are(name):
    batch = np.full((5, 10, 12, 1), 0.3)
    np.testing.assert_allclose(apply(name, batch), batch, atol=1e-12)


def test_augment_applies_the_named_transforms_in_turn():
    batch = images()
    chained = apply("contrast", apply("shift", batch))
    assert np.array_equal(augment(tf.constant(batch), ("shift", "contrast"), SEED), chained)
    assert np.array_equal(augment(tf.constant(batch), (), SEED), batch)


@pytest.mark.parametrize(("name", "bound"), [("contrast", 0.5), ("shift", 0.5), ("cutout", 0.5)])
def test_strength_scales_how_far_a_transform_goes(name, bound):
    ramp = np.broadcast_to(np.arange(32.0)[:, None, None], (200, 32, 32, 1))
    whole, half = (np.abs(TRANSFORMS[name](tf.constant(ramp), SEED, s).numpy() - ramp) for s in (1.0, bound))
    none = TRANSFORMS[name](tf.constant(ramp), SEED, 0.0).numpy()
    np.testing.assert_allclose(none, ramp, atol=1e-9)
    if name == "cutout":  # half the side: a quarter of the area
        assert (half > 0).mean() == pytest.approx((whole > 0).mean() / 4, rel=0.3)  # holes at the border are cut
    else:
        assert half.max() == pytest.approx(whole.max() / 2, rel=0.05)


def test_tone_curve_keeps_black_white_order_and_what_lies_beyond():
    greys = np.linspace(-1.5, 1.5, 61).reshape(1, 61, 1, 1).repeat(50, 0)
    out = bend(tf.constant(greys), SEED).numpy()
    outside = np.abs(greys) >= 1.0
    np.testing.assert_allclose(out[outside], greys[outside], atol=1e-12)
    assert (np.diff(out, axis=1) > 0).all()
    halves = out[:, 30, 0, 0]  # of grey 0, half way between black and white
    assert len(np.unique(halves)) == 50
    assert halves.min() == pytest.approx(2 * 0.5 ** np.exp(0.35) - 1, abs=0.02)
    assert halves.max() == pytest.approx(2 * 0.5 ** np.exp(-0.35) - 1, abs=0.02)


def test_each_transform_reaches_its_share_of_the_rows():
    batch = images(2000, 4, 4, 1).astype(np.float32)
    moved = augment(tf.constant(batch), ("contrast",), SEED, probability=tf.constant(0.3)).numpy()
    assert np.mean((moved != batch).any((1, 2, 3))) == pytest.approx(0.3, abs=0.03)


def test_at_the_ends_of_the_scale_no_row_is_moved_or_every_one():
    batch, names = tf.constant(images().astype(np.float32)), tuple(TRANSFORMS)
    assert np.array_equal(augment(batch, names, SEED, probability=tf.constant(0.0)), batch)
    assert np.array_equal(augment(batch, names, SEED, probability=tf.constant(1.0)), augment(batch, names, SEED))
