"""The order in which detail is drawn, and the gradient by which pixels are told apart."""

import numpy as np
import pytest

from sklearn_medgan.augmentation._detail import PAD, TURNS, planes_of, regressors, repeated, structure


def test_turns_draw_every_pixel_once_and_look_only_at_drawn_ones():
    side = 8 + 2 * PAD
    drawn = np.zeros((side, side), int)
    for turn in TURNS:
        rows, columns = np.arange(turn.row, side, turn.step), np.arange(turn.column, side, turn.step)
        for row, column in [(r, c) for r in rows for c in columns]:
            for down, right in turn.made:
                r, c = row + down, column + right
                assert not (0 <= r < side and 0 <= c < side) or drawn[r, c]
        drawn[turn.row :: turn.step, turn.column :: turn.step] += 1
    assert (drawn == 1).all()


def test_each_turn_but_the_first_sees_drawn_pixels_at_half_a_step():
    assert not TURNS[0].made
    for turn in TURNS[1:]:
        assert min(np.abs(turn.made).max(1)) <= turn.step // 2


@pytest.mark.parametrize("degrees", [0, 30, 90, 135, 179])
def test_a_ramp_has_its_direction_and_strength(degrees):
    y, x = np.mgrid[:16, :16] * 0.01
    image = (np.cos(np.radians(degrees)) * x + np.sin(np.radians(degrees)) * y).astype(np.float32)
    direction, coherence, strength = (values[4:-4, 4:-4] for values in structure(image))
    np.testing.assert_allclose(np.exp(2j * np.pi * direction), np.exp(2j * np.radians(degrees)), atol=0.02)
    np.testing.assert_allclose(coherence, 1.0, atol=1e-3)
    np.testing.assert_allclose(np.exp(strength), 1e-4, rtol=0.01)


@pytest.mark.parametrize("ratio", [1, 2])
def test_regressors_are_what_lies_around_a_pixel(ratio):
    """Looked up pixel by pixel: the mean of all is that of the smaller image, extended at its margin."""
    image = np.random.RandomState(0).standard_normal((6, 5)).astype(np.float32)
    planes, turn = planes_of(repeated(image, ratio), []), TURNS[4]
    one, centre, *around = list(regressors(planes, turn, ratio))[:26]
    padded = np.pad(image, 2, mode="edge")
    for i in range(centre.shape[0]):
        for j in range(centre.shape[1]):
            row, column = (turn.row + i * turn.step) // ratio, (turn.column + j * turn.step) // ratio
            assert centre[i, j] == image[row, column]
            expected = padded[row : row + 5, column : column + 5].mean() - image[row, column]
            assert sum(values[i, j] for values in around) / 25 == pytest.approx(expected, abs=1e-5)
    assert (one == 1).all()
