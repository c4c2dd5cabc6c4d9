"""Where marks lie."""

import numpy as np
import pytest

from sklearn_medgan.report._drawing import CURVE, MARGIN, SIDE, WIDTH, Axis, curve_path, roc_path


@pytest.mark.parametrize("values", [[0.031, -0.012], [-0.4], [0.0], [float("nan"), 0.9, -1.0], [1e-9]])
def test_an_axis_holds_zero_and_all_that_is_finite(values):
    axis = Axis.of(values)
    assert 0 in axis.ticks
    assert 2 <= len(axis.ticks) <= 8
    finite = [value for value in values if np.isfinite(value)]
    assert all(MARGIN <= axis(value) <= WIDTH - MARGIN for value in finite)
    assert axis(axis.high) - axis(axis.low) == pytest.approx(WIDTH - 2 * MARGIN)


def test_a_perfect_curve_goes_up_at_once():
    path = roc_path([1.0, 1.0, 1.0])
    assert path == f"M0 {SIDE} L0 0 {SIDE // 2} 0 {SIDE} 0"


def test_a_value_that_is_not_finite_breaks_a_curve():
    width, height = CURVE
    path = curve_path([0, 5, 10], [0.0, float("nan"), 2.0], 0.0, 2.0)
    assert path == f"M0 {height}M{width} 0"
