"""Held-out images: restored once each, whole where they were compared whole, and spared where hardly changed."""

import numpy as np
import pytest

from sklearn_medgan.enhancement._held_out import MOST_HELD_OUT, SPARED_MARGIN, RestoredImages, hold_out
from sklearn_medgan.enhancement._shrinkage import hardly_changed


def test_what_is_hardly_changed_goes_by_the_root_mean_square_of_each_image():
    before = np.zeros((4, 6, 5, 1), np.float32)
    after = before + np.float32([0.0, 0.1, 0.3, 0.2])[:, None, None, None]
    after[1, :3] = 0.3  # half of it by 0.3, half by 0.1: 0.22
    kept = before.copy(), after.copy()
    assert hardly_changed(before, after, 0.21).tolist() == [True, False, False, True]
    assert hardly_changed(list(before), list(after), 0.23).tolist() == [True, True, False, True]
    np.testing.assert_array_equal((before, after), kept)
    assert hardly_changed([], [], 1.0).shape == (0,)


def images(n, value=0.0):
    return [np.full((8, 9, 1), value + i, np.float32) for i in range(n)]


class Brighter:
    """A restorer that adds as many hundredths as an image is high, and keeps what it saw."""

    def __init__(self):
        self.seen = []

    def __call__(self, image, with_spread):
        self.seen.append((float(image.flat[0]), image.shape[0], with_spread))
        restored = image + np.float32(image.shape[0] / 100)
        return [restored, np.ones_like(image), restored - image] if with_spread else [restored]


@pytest.mark.parametrize(("side", "n_restored"), [(None, 5), (4, 7)])
def test_what_was_compared_whole_is_not_restored_again(side, n_restored):
    restore = Brighter()
    found = RestoredImages({"poor": images(5)}, lambda rows: [image[:side] for image in rows[:2]], restore)
    for _ in range(2):
        for before, after in zip(found.compared["poor"], found.by_network("poor"), strict=True):
            np.testing.assert_allclose(after, before + (side or 8) / 100, atol=1e-6)
    assert len(restore.seen) == 2
    for before, after in zip(images(5), found.whole_by_network("poor"), strict=True):
        np.testing.assert_allclose(after, before + 0.08, atol=1e-6)
    assert len(restore.seen) == len(set(restore.seen)) == n_restored
    assert [len(output) for output in found.outputs["poor"]] == [3, 3]


def test_clean_images_have_no_spread_and_poor_ones_do():
    restore = Brighter()
    RestoredImages({"poor": images(2, 10.0), "clean": images(2)}, list, restore)
    assert restore.seen == [(10.0, 8, True), (11.0, 8, True), (0.0, 8, False), (1.0, 8, False)]


@pytest.mark.parametrize(("of_poor", "spared"), [(0.3, True), (0.19, False)])
def test_images_changed_like_good_ones_are_spared(of_poor, spared):
    """Good images are changed by 0.08; poor ones must be changed at least 2.5 times as much."""
    brighter = Brighter()

    def restore(image, with_spread):
        return [image + np.float32(of_poor), image, image] if with_spread else brighter(image, False)

    found = RestoredImages({"poor": images(3, 10.0), "clean": images(3)}, list, restore)
    assert found.spared == pytest.approx(SPARED_MARGIN * 0.08 if spared else 0.0)
    for before, after in zip(images(3), found.by_network("clean"), strict=True):
        assert np.array_equal(before, after) == spared
    for before, after in zip(images(3, 10.0), found.by_network("poor"), strict=True):
        np.testing.assert_allclose(after, before + of_poor, atol=1e-5)


def test_without_good_images_among_the_input_nothing_is_spared():
    assert RestoredImages({"poor": images(3)}, list, Brighter()).spared == 0.0


def test_small_corrections_of_all_images_are_shrunk():
    """Half of each image needs 1.0; everywhere the network adds 0.1 too much."""

    def restore(image, with_spread):
        restored = image + np.float32(0.1) + np.where(image > 4.5, np.float32(1.0), np.float32(0.0))
        return [restored, image, restored - image] if with_spread else [restored]

    poor = [np.repeat(np.float32([[5.0], [4.0]]), 10, 0)[:, None] * np.ones((1, 20, 1), np.float32) for _ in range(4)]
    good = [image + (image > 4.5) for image in poor]
    found = RestoredImages({"poor": poor, "clean": poor}, lambda rows: rows[:2], restore, good[:2])
    assert found.shrinkage > 0.05
    for results in (found.by_network("poor"), found.whole_by_network("poor"), found.whole_by_network("clean")):
        for result in results:
            assert np.abs(result - poor[0])[14:].max() < 0.08
    restored, _, correction = found.outputs["poor"][0]
    np.testing.assert_allclose(restored - correction, poor[0], atol=1e-6)


@pytest.mark.parametrize("n", [2, 3, 9, 50, 500])
def test_held_out_rows_are_not_trained_on(n):
    held, kept = hold_out(n, None, np.random.RandomState(0))
    assert sorted([*held, *kept]) == list(range(n))
    assert 1 <= len(held) <= MOST_HELD_OUT
    assert len(kept) >= len(held)


def test_held_out_rows_hold_a_quarter_of_each_class():
    labels = np.array(["a"] * 80 + ["b"] * 20)
    held, kept = hold_out(100, labels, np.random.RandomState(0))
    assert sorted([*held, *kept]) == list(range(100))
    assert np.unique(labels[held], return_counts=True)[1].tolist() == [20, 5]


@pytest.mark.parametrize("labels", [["a", "b"], ["a", "a", "b"], list("abcde")])
def test_few_labelled_rows_leave_one_to_hold_out(labels):
    held, kept = hold_out(len(labels), np.array(labels), np.random.RandomState(0))
    assert (len(held), len(kept)) == (1, len(labels) - 1)
