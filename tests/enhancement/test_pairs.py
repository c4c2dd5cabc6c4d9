"""Pairs for training: a patch and what its degradation makes of it, together whatever is cut, turned or drawn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import gaussian_filter

from sklearn_medgan.degradations import resolve
from sklearn_medgan.enhancement._pairs import (
    DegradedPairs,
    GivenPairs,
    GivenRows,
    TableNoise,
    cut,
    degrade,
    turn,
)
from sklearn_medgan.enhancement._tiling import enlarge

PATCH = 16
IMAGES = np.random.RandomState(0).uniform(size=(5, 40, 29, 1)).astype(np.float32)
# A pixel tells where it comes from, by a value that no other has; neighbours differ at random.
VALUES = np.random.RandomState(1).permutation(3 * 40 * 29)
PLACES = (VALUES.reshape(3, 40, 29, 1) / 4096).astype(np.float32)


def source(images=IMAGES, degradation="noise", scale=1, tone=None, patch=PATCH, seed=0, encode=np.float32):
    function, reach = (None, 0) if degradation is None else resolve(degradation)
    return DegradedPairs(images, encode, function, reach, scale, tone, patch, np.random.RandomState(seed))


def symmetries(image):
    return [turned[:, ::step] for turned in (np.rot90(image, k) for k in range(4)) for step in (1, -1)]


def places_of(patch):
    """Flat indices into PLACES of the pixels of a patch of it."""
    return np.argsort(VALUES)[np.rint(patch[..., 0].astype(np.float64) * 4096).astype(int)]


def same_place(patch, whole):
    """The pixels of `whole` (same shape as PLACES) at the places that a patch of PLACES tells."""
    return whole.reshape(-1, 1)[places_of(patch)]


def pillow_bicubic(image, size):
    return np.asarray(Image.fromarray(image[..., 0], mode="F").resize(size[::-1], Image.Resampling.BICUBIC))[..., None]


# -- degraded by ourselves ----------------------------------------------------


@pytest.mark.parametrize(
    "degradation", ["noise", "blur", "jpeg", "auto", ["blur", "noise"], "downscale", ("low_contrast", {"gain": 0.5})]
)
def test_pairs_have_the_shape_of_patches_and_good_ones_are_cut_from_the_images(degradation):
    poor, good = source(PLACES, degradation).draw(7)
    for rows in (poor, good):
        assert (rows.shape, rows.dtype) == ((7, PATCH, PATCH, 1), np.float32)
        assert np.isfinite(rows).all()
    for patch in good:
        places = places_of(patch)
        steps = [abs(np.diff(places, axis=axis)) for axis in (0, 1)]
        assert sorted((steps[0].min(), steps[1].min())) == [1, 29]  # neighbours in the patch are so in the image
        assert all((step == step.flat[0]).all() for step in steps)
    assert not np.array_equal(poor, good)


@pytest.mark.parametrize("name", ["noise", "blur", "rician"])
def test_nothing_is_changed_at_level_zero(name):
    poor, good = source(degradation=(name, {"sigma": 0.0})).draw(6)
    np.testing.assert_allclose(poor, good, atol=1e-7)


def test_noise_has_its_standard_deviation():
    poor, good = source(degradation=("noise", {"sigma": 0.1})).draw(64)
    assert (poor - good).std() == pytest.approx(0.1, rel=0.03)
    assert abs((poor - good).mean()) < 0.003
    assert len(np.unique(poor - good)) > 0.9 * poor.size  # no two patches share their noise


def test_blurred_patch_is_the_patch_of_the_blurred_image():
    """Cut with their margin before they are blurred: at an image's edge, too, where scipy reflects as the crop does."""
    poor, good = source(PLACES, ("blur", {"sigma": 1.5})).draw(40)
    whole = np.stack([gaussian_filter(image, (1.5, 1.5, 0), mode="reflect", truncate=4.0) for image in PLACES])
    for p, g in zip(poor, good, strict=True):
        np.testing.assert_allclose(p, same_place(g, whole), atol=1e-5)
        assert np.abs(p - g).max() > 1e-3


def test_inside_of_a_blurred_patch_needs_nothing_but_the_patch():
    poor, good = source(IMAGES, ("blur", {"sigma": 1.0})).draw(10)
    inside = slice(4, -4)  # scipy's kernel, too, ends at 4 sigma
    for p, g in zip(poor, good, strict=True):
        expected = gaussian_filter(g.astype(np.float64), (1.0, 1.0, 0.0))
        np.testing.assert_allclose(p[inside, inside], expected[inside, inside], atol=1e-5)


def test_steps_apply_in_turn():
    """Contrast after blur: both are linear here, so the order shows in the offset only once."""
    steps = [("blur", {"sigma": 1.0}), ("low_contrast", {"gain": 0.5, "gamma": 1.0, "offset": 0.0})]
    poor, good = source(IMAGES, steps).draw(6)
    inside = slice(4, -4)
    for p, g in zip(poor, good, strict=True):
        expected = 0.5 * gaussian_filter(g.astype(np.float64), (1.0, 1.0, 0.0))
        np.testing.assert_allclose(p[inside, inside], expected[inside, inside], atol=1e-5)


@pytest.mark.parametrize("size", [(9, 12), (16, 16), (8, 40)])
def test_images_smaller_than_a_patch_are_reflected(size):
    images = IMAGES[:, : size[0], : size[1]] if size[1] <= 29 else IMAGES.transpose(0, 2, 1, 3)[:, : size[0]]
    poor, good = source(images, ("blur", {"sigma": 0.0})).draw(4)
    assert good.shape == (4, PATCH, PATCH, 1)
    np.testing.assert_allclose(poor, good, atol=1e-7)
    assert np.isin(good, images).all()
    if size == (9, 12):
        whole = np.pad(images, [(0, 0), (0, 7), (0, 4), (0, 0)], mode="symmetric")
        assert all(any(np.array_equal(g, s) for w in whole for s in symmetries(w)) for g in good)


def test_images_are_encoded():
    raw = (IMAGES * 200).astype(np.uint8)
    _, good = source(raw, encode=lambda rows: (rows / np.float32(200)).astype(np.float32)).draw(3)
    assert good.max() <= 1.0
    assert good.max() > 0.9


# -- degradations of the whole image ------------------------------------------


class Inverted:
    """A degradation that does not say how far it reaches; keeps the shapes that it is given."""

    def __init__(self):
        self.shapes = []

    def __call__(self, images, rng):
        self.shapes.append(images.shape)
        return 1 - images


def test_whole_images_are_degraded_where_the_reach_is_unknown():
    inverted = Inverted()
    pairs = source(degradation=inverted)
    for _ in range(4):
        poor, good = pairs.draw(6)
        np.testing.assert_allclose(poor, 1 - good, atol=1e-6)
    assert set(inverted.shapes) == {(1, 40, 29, 1)}
    assert len(inverted.shapes) == 4  # one image anew for each draw, not one for each patch
    assert len(pairs.pool) <= 4


def test_pool_comes_to_hold_all_images():
    pairs = source(degradation=Inverted())
    drawn = [pairs.draw(4)[1] for _ in range(40)]
    assert sorted(pairs.pool) == [0, 1, 2, 3, 4]
    assert all(np.isin(patch, np.concatenate(drawn)).mean() > 0.3 for patch in IMAGES)


def test_tone_changes_the_poor_image_alone():
    toneed = source(degradation=("noise", {"sigma": 0.0}), tone=lambda image: image + 3)
    poor, good = toneed.draw(5)
    np.testing.assert_allclose(poor, good + 3, atol=1e-6)
    assert good.max() <= 1


def test_tone_sees_the_whole_image():
    seen = []
    source(degradation=("noise", {"sigma": 0.0}), tone=lambda image: seen.append(image.shape) or image).draw(5)
    assert seen == [(40, 29, 1)]


# -- lower resolution ---------------------------------------------------------


def assert_reduced(poor, good, scale):
    """Poor is good reduced and enlarged as Pillow does it, where its other treatment of the border does not count."""
    inside = slice(4 * scale, -4 * scale)
    for p, g in zip(poor, good, strict=True):
        small = pillow_bicubic(g, [side // scale for side in g.shape[:2]])
        expected = pillow_bicubic(small, g.shape[:2])
        np.testing.assert_allclose(p[inside, inside], expected[inside, inside], atol=1e-5)
        assert np.abs(p - g).max() > 0.1


@pytest.mark.parametrize("scale", [2, 3])
def test_low_resolution_is_that_of_pillow(scale):
    images = np.random.RandomState(1).uniform(size=(3, 48, 48, 1)).astype(np.float32)
    assert_reduced(*source(images, None, scale, patch=48).draw(4), scale)


def test_low_resolution_patches_of_larger_images():
    images = np.random.RandomState(1).uniform(size=(3, 72, 72, 1)).astype(np.float32)
    assert_reduced(*source(images, None, 2, patch=48).draw(12), 2)


def test_degradation_that_shrinks_is_enlarged_again():
    images = np.random.RandomState(1).uniform(size=(3, 48, 48, 1)).astype(np.float32)
    assert_reduced(*source(images, ("downscale", {"factor": 2}), patch=48).draw(4), 2)


def test_degrade_reduces_before_it_degrades():
    poor = degrade(IMAGES[:, :, :28], resolve(("noise", {"sigma": 0.0}))[0], 2, np.random.RandomState(0))
    assert poor.shape == (5, 20, 14, 1)
    noisy = degrade(np.zeros((1, 64, 64, 1), np.float32), resolve(("noise", {"sigma": 0.1}))[0], 2, 0)
    neighbours = np.corrcoef(noisy[0, :, :-1].ravel(), noisy[0, :, 1:].ravel())[0, 1]
    assert abs(neighbours) < 0.1  # the noise of a detector with large pixels, not noise averaged down
    assert noisy.std() == pytest.approx(0.1, rel=0.1)


def test_enlarging_keeps_a_ramp():
    """Bicubic interpolation is exact for straight lines, but at the mirrored border."""
    ramp = np.linspace(0, 1, 48)
    small = ramp.reshape(24, 2).mean(1)
    image = np.broadcast_to(small[None, :, None, None], (1, 24, 24, 1)).astype(np.float32)
    large = enlarge(image, 2)
    assert large.shape == (1, 48, 48, 1)
    np.testing.assert_allclose(large[0, 6:-6, :, 0], np.broadcast_to(ramp[6:-6, None], (36, 48)), atol=1e-6)
    assert enlarge(image, 1) is image


# -- given pairs --------------------------------------------------------------


def test_given_images_stay_with_their_target():
    pairs = GivenPairs(1 - PLACES, PLACES, np.float32, 1, None, PATCH, np.random.RandomState(0))
    seen = set()
    for _ in range(5):
        poor, good = pairs.draw(6)
        assert poor.shape == good.shape == (6, PATCH, PATCH, 1)
        np.testing.assert_allclose(poor, 1 - good, atol=1e-6)
        seen |= {places_of(patch)[0, 0] // (40 * 29) for patch in good}
    assert seen == {0, 1, 2}


def test_given_small_images_are_enlarged_to_their_place():
    ramp = np.linspace(0, 1, 60) + 2 * np.linspace(0, 1, 60)[:, None]
    good = np.stack([ramp, 1 - ramp, ramp.T])[..., None]
    small = good.reshape(3, 30, 2, 30, 2, 1).mean((2, 4))
    pairs = GivenPairs(small, good, np.float32, 2, None, 48, np.random.RandomState(0))
    poor, patches = pairs.draw(12)
    inside = slice(6, -6)
    np.testing.assert_allclose(poor[:, inside, inside], patches[:, inside, inside], atol=1e-5)
    assert np.ptp(patches[:, 0, 0]) > 0.5


def test_tone_changes_given_poor_images():
    pairs = GivenPairs(PLACES, PLACES, np.float32, 1, lambda image: image - 1, PATCH, np.random.RandomState(0))
    poor, good = pairs.draw(5)
    np.testing.assert_allclose(poor, good - 1, atol=1e-6)


def test_given_rows_stay_with_their_target():
    poor = np.random.RandomState(0).normal(size=(20, 4)).astype(np.float32)
    drawn_poor, drawn_good = GivenRows(poor, 2 * poor, np.random.RandomState(0)).draw(100)
    assert np.array_equal(drawn_good, 2 * drawn_poor)
    assert {tuple(row) for row in drawn_poor} == {tuple(row) for row in poor}


def test_noise_of_a_table_leaves_the_padding_alone():
    rows = np.pad(np.random.RandomState(0).normal(size=(30, 5)).astype(np.float32), [(0, 0), (0, 11)])
    poor, good = TableNoise(rows, (0.5, 0.5), 5, np.random.RandomState(0)).draw(4000)
    assert poor.dtype == good.dtype == np.float32
    assert {row.tobytes() for row in good} == {row.tobytes() for row in rows}
    noise = poor - good
    np.testing.assert_allclose(noise[:, :5].std(0), 0.5, rtol=0.05)
    assert (noise[:, 5:] == 0).all()


def test_each_row_of_a_table_draws_its_own_level():
    """Mean square over rows of an even level between 0 and 1 is one third, mean fourth power 3/5."""
    rows = np.zeros((2, 16), np.float32)
    noise, _ = TableNoise(rows, (0.0, 1.0), 16, np.random.RandomState(0)).draw(6000)
    of_rows = noise.std(1)
    assert (noise**2).mean() == pytest.approx(1 / 3, rel=0.05)
    assert (noise**4).mean() == pytest.approx(3 / 5, rel=0.1)
    assert np.quantile(of_rows, 0.1) == pytest.approx(0.1, abs=0.03)
    assert np.quantile(of_rows, 0.9) == pytest.approx(0.9, abs=0.08)


# -- cutting, turning, seeds --------------------------------------------------


@given(st.tuples(st.integers(8, 20), st.integers(8, 20)), st.sampled_from([8, 16]), st.integers(0, 99))
def test_cut_takes_the_same_square_of_both(size, patch, seed):
    good = np.random.RandomState(seed).uniform(size=(*size, 2))
    poor, cut_good = cut([(2 * good, good)] * 3, patch, np.random.RandomState(seed))
    assert np.array_equal(poor, 2 * cut_good)
    assert cut_good.shape == (3, patch, patch, 2)
    height, width = (min(side, patch) for side in size)
    windows = np.lib.stride_tricks.sliding_window_view(good, (height, width), axis=(0, 1))
    windows = windows.reshape(-1, 2, height, width).transpose(0, 2, 3, 1)
    for square in cut_good:
        assert any(np.array_equal(square[:height, :width], window) for window in windows)


def test_cut_reaches_every_place():
    image = np.arange(18 * 17.0).reshape(18, 17, 1)
    _, good = cut([(image, image)] * 200, 16, np.random.RandomState(0))
    assert {square[0, 0, 0] for square in good} == {image[top, left, 0] for top in range(3) for left in range(2)}


def test_turning_is_one_of_the_eight_symmetries_for_both_alike():
    image = np.arange(5 * 5 * 2).reshape(5, 5, 2)
    good = np.stack([image] * 240)
    poor = -good
    turned_poor, turned_good = turn(poor, good, np.random.RandomState(0))
    assert np.array_equal(turned_poor, -turned_good)
    expected = [s.tobytes() for s in symmetries(image)]
    assert len(set(expected)) == 8
    found = [expected.index(np.ascontiguousarray(g).tobytes()) for g in turned_good]
    counts = np.bincount(found, minlength=8)
    assert counts.min() > 10  # 30 are expected of each
    assert np.array_equal(good[0], image)
    assert np.array_equal(poor, -good)


@pytest.mark.parametrize("degradation", ["noise", ["blur", "noise"], "jpeg", Inverted()])
def test_same_seed_same_pairs(degradation):
    streams = [source(degradation=degradation, seed=seed) for seed in (3, 3, 4)]
    for _ in range(2):
        first, same, other = (stream.draw(4) for stream in streams)
        assert all(np.array_equal(a, b) for a, b in zip(first, same, strict=True))
        assert not np.array_equal(first[1], other[1])
    assert not np.array_equal(streams[0].draw(4)[1], streams[0].draw(4)[1])


def test_same_seed_same_given_pairs():
    def stream(seed):
        return GivenPairs(IMAGES, IMAGES, np.float32, 1, None, PATCH, np.random.RandomState(seed)).draw(4)[1]

    assert np.array_equal(stream(1), stream(1))
    assert not np.array_equal(stream(1), stream(2))
