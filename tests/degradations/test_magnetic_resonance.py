"""Artefacts of magnetic resonance against the Fourier transform's theorems."""

import numpy as np
import pytest
from pictures import uniform

from sklearn_medgan import degradations as dg


@pytest.mark.parametrize("sides", [(32, 32), (31, 48), (3, 7)])
@pytest.mark.parametrize("nonuniformity", [0.0, 0.4, 1.2])
def test_a_bias_field_has_its_range_and_a_mean_gain_of_one(sides, nonuniformity):
    images = uniform((5, *sides, 2), low=0.1)
    field = dg.bias_field(images, 0, nonuniformity=nonuniformity) / images
    np.testing.assert_allclose(field[..., 0], field[..., 1])
    np.testing.assert_allclose(np.log(field).mean(axis=(1, 2)), 0, atol=1e-12)
    ratio = (1 + nonuniformity / 2) / (1 - nonuniformity / 2)  # BrainWeb: 0.8 to 1.2 at 40 %
    np.testing.assert_allclose(field.max(axis=(1, 2)) / field.min(axis=(1, 2)), ratio)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_the_logarithm_of_a_bias_field_is_a_polynomial_of_its_order(order):
    log_field = np.log(dg.bias_field(np.ones((3, 20, 26, 1)), 0, order=order))[..., 0]
    for axis in (1, 2):
        np.testing.assert_allclose(np.diff(log_field, order + 1, axis=axis), 0, atol=1e-9)
        assert np.abs(np.diff(log_field, order, axis=axis)).max() > 1e-6


@pytest.mark.parametrize(("axis", "n_lines"), [(0, 24), (1, 36)])
@pytest.mark.parametrize("period", [2, 3, 4, 6])
def test_ghosts_lie_where_the_period_puts_them(axis, n_lines, period):
    point = np.zeros((1, 24, 36, 1))
    point[0, 10, 17] = 0.8
    ghostly = dg.ghosting(point, 0, intensity=0.1, period=period, axis=axis)[0, :, :, 0]
    place = [10, 17]
    for step in (-n_lines // period, n_lines // period):
        there = list(place)
        there[axis] = (there[axis] + step) % n_lines
        # Both ghosts of the shortest period meet, with phases that may cancel.
        assert ghostly[tuple(there)] <= 0.16 + 1e-12 if period == 2 else np.isclose(ghostly[tuple(there)], 0.08)
        ghostly[tuple(there)] = 0
    assert period == 2 or ghostly[10, 17] == pytest.approx(0.8)
    ghostly[10, 17] = 0
    np.testing.assert_allclose(ghostly, 0, atol=1e-12)


def test_without_swing_nothing_changes_and_each_image_has_its_axis():
    images = uniform((2, 15, 22, 3))
    np.testing.assert_allclose(dg.ghosting(images, 0, intensity=0), images, atol=1e-12)
    point = np.zeros((200, 12, 12, 1))
    point[:, 6, 6] = 1
    down = dg.ghosting(point, 0, intensity=0.2, period=4)[:, 3, 6, 0] > 0.1
    assert 70 < down.sum() < 130


@pytest.mark.parametrize("acceleration", [1, 2, 4, 8])
@pytest.mark.parametrize("axis", [0, 1])
def test_the_share_of_lines_kept_is_the_peak_of_the_point_spread_and_its_energy(acceleration, axis):
    point = np.zeros((6, 64, 64, 1))
    point[:, 20, 33] = 1
    spread = dg.k_space_undersampling(point, 0, acceleration=acceleration, axis=axis)[..., 0]
    np.testing.assert_allclose(spread[:, 20, 33], 1 / acceleration)
    # Parseval: a point has the same energy in every line.
    np.testing.assert_allclose((spread**2).sum(axis=(1, 2)), 1 / acceleration)
    np.testing.assert_allclose(spread.sum(axis=1 + (1 - axis))[:, (20, 33)[axis]], 1 / acceleration)  # on one line


def test_central_lines_alone_are_a_low_pass():
    wave = np.cos(2 * np.pi * np.arange(40) / 40 * np.array([[0], [2], [3], [9]]))
    images = np.broadcast_to(1 + 0.5 * wave[:, :, None, None], (4, 40, 7, 1))
    # Five lines: 0 and two on either side.
    low = dg.k_space_undersampling(images, 0, acceleration=40, centre_fraction=5 / 40, axis=0)
    np.testing.assert_allclose(low[:2], images[:2], atol=1e-12)
    np.testing.assert_allclose(low[2:], 1, atol=1e-12)


@pytest.mark.parametrize("sides", [(21, 34), (8, 5)])
def test_undersampling_never_adds_energy_and_no_acceleration_changes_nothing(sides):
    images = uniform((20, *sides, 2))
    poor = dg.k_space_undersampling(images, 0)
    assert ((poor**2).sum(axis=(1, 2)) <= (images**2).sum(axis=(1, 2)) + 1e-9).all()
    np.testing.assert_allclose(dg.k_space_undersampling(images, 0, acceleration=1), images, atol=1e-12)
