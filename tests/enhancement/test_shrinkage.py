"""Small corrections count less: the formula, its reach, and what is learned, against closed forms and scipy."""

import tracemalloc

import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from sklearn_medgan.enhancement._shrinkage import (
    REACH,
    VALUES_AT_ONCE,
    Shrunk,
    averaged,
    learn_shrinkage,
    local_mean,
    shrink,
    size_of_change,
)

RNG = np.random.RandomState(0)


@pytest.mark.parametrize("shape", [(9, 12, 1), (2, 8, 8, 3), (3, 2, 5, 6, 1)])
def test_local_mean_are_the_mean_of_a_square(shape):
    values = RNG.rand(*shape)
    size = [1] * len(shape)
    size[-3] = size[-2] = 2 * REACH + 1
    np.testing.assert_allclose(local_mean(values), uniform_filter(values, size, mode="nearest"), rtol=1e-12)


@pytest.mark.parametrize("correction", [0.001, 0.02, -0.5])
def test_even_correction_is_scaled_as_by_a_wiener_filter(correction):
    poor, size = np.full((2, 10, 10, 3), 0.25, np.float32), 0.02
    expected = 0.25 + correction * correction**2 / (correction**2 + size**2)
    result = shrink(poor, poor + np.float32(correction), size)
    np.testing.assert_allclose(result, expected, rtol=1e-5)
    assert result.dtype == np.float32


def test_without_shrinkage_or_correction_nothing_changes():
    poor, restored = RNG.rand(2, 1, 9, 9, 1).astype(np.float32)
    np.testing.assert_array_equal(shrink(poor, restored, 0.0), restored)
    np.testing.assert_array_equal(shrink(poor, poor, 0.1), poor)


def test_parts_give_what_the_whole_gives():
    poor, restored = RNG.rand(2, 1, 40, 40, 1).astype(np.float32)
    part = (slice(None), slice(7, 30), slice(3, 21))
    inside = (slice(None), slice(REACH, -REACH), slice(REACH, -REACH))
    whole = shrink(poor, restored, 0.3)[part]
    np.testing.assert_array_equal(shrink(poor[part], restored[part], 0.3)[inside], whole[inside])


def half_empty(n=4, side=40):
    """Poor images whose right half lacks a texture, and good ones; the left half is empty in both."""
    good = np.zeros((n, side, side, 1), np.float32)
    good[:, :, side // 2 :] = RNG.normal(0, 0.3, (n, side, side // 2, 1))
    return np.zeros_like(good), good


def test_size_is_learned_where_the_network_has_errors_of_its_own():
    poor, good = half_empty()
    restored = good + RNG.normal(0, 0.02, good.shape).astype(np.float32)
    size = learn_shrinkage(list(poor), list(restored), list(good))
    result, empty = shrink(poor, restored, size), (slice(None), slice(None), slice(0, 15))
    assert 0.01 < size < 0.1
    assert np.abs(result[empty]).mean() < 0.5 * np.abs(restored[empty]).mean()
    assert np.mean((result - good) ** 2) < np.mean((restored - good) ** 2)


def test_network_without_errors_is_trusted():
    poor, good = half_empty()
    assert learn_shrinkage(list(poor), list(good), list(good)) == 0.0


def test_sizeed_network_keeps_the_spread():
    rows, spread = np.zeros((1, 8, 8, 1), np.float32), np.ones((1, 8, 8, 1), np.float32)
    network = Shrunk(lambda rows, with_spread: [rows + np.float32(0.1), spread][: 1 + with_spread], 0.1)
    assert len(network(rows, False)) == 1
    restored, kept = network(rows, True)
    np.testing.assert_allclose(restored, 0.05, rtol=1e-6)
    assert kept is spread


def test_change_of_a_large_image_is_taken_without_a_float_copy():
    rng = np.random.RandomState(0)
    before, after = (rng.randint(0, 256, (1000, 999, 1), dtype=np.uint8) for _ in range(2))
    tracemalloc.start()
    try:
        found = size_of_change(before, after)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == pytest.approx(np.sqrt(((before / 1.0 - after) ** 2).mean()), rel=1e-6)
    assert peak < 3 * 4 * VALUES_AT_ONCE < 4 * before.size


def test_eight_views_treat_all_symmetries_alike():
    def uneven(rows, with_spread):
        """Moves an image to the right, and is surer of its top."""
        spread = np.broadcast_to(np.linspace(0, 1, rows.shape[1])[:, None, None], rows.shape)
        return [np.roll(rows, 1, axis=2), spread] if with_spread else [np.roll(rows, 1, axis=2)]

    rows = RNG.rand(2, 6, 8, 1)
    restored, spread = averaged(uneven, 8)(rows, True)
    # What moves it right in one view moves it left, up or down in others.
    everywhere = np.mean([np.roll(rows, step, axis) for axis in (1, 2) for step in (1, -1)], axis=0)
    np.testing.assert_allclose(restored, everywhere, rtol=1e-12)
    np.testing.assert_allclose(spread, 0.5, rtol=1e-12)  # a ramp and its mirror image
    np.testing.assert_array_equal(averaged(uneven, 8)(rows, False)[0], restored)
    np.testing.assert_allclose(averaged(uneven, 2)(rows, False)[0], (np.roll(rows, 1, 2) + np.roll(rows, -1, 2)) / 2)
    assert averaged(uneven, 1) is uneven
