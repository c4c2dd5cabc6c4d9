"""Labelled rows of the commands that compare: embedded, and the user's own."""

import numpy as np
import pytest
from commands import png

from sklearn_medgan._parameters import ParameterError
from sklearn_medgan.benchmark import _plan
from sklearn_medgan.cli import _data


@pytest.mark.parametrize(
    ("shape", "reduced"),
    [
        ((64, 64), (32, 32)),
        ((100, 50), (32, 16)),
        ((20, 30, 3), (20, 30, 3)),
        ((160, 16), (80, 8)),
        ((8, 400), (8, 400)),
    ],
)
def test_large_images_are_reduced_in_proportion(shape, reduced):
    assert _data.reduce_images(np.zeros((2, *shape), np.uint8), 32).shape == (2, *reduced)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, bool])
def test_reducing_keeps_dtype_and_brightness(dtype):
    X = np.zeros((1, 64, 64), dtype)
    X[:, :, 32:] = 1 if dtype is bool else 100
    small = _data.reduce_images(X, 32)
    assert small.dtype == dtype
    assert small.mean() == pytest.approx(X.mean(), rel=0.02)


@pytest.mark.parametrize("data", _data.embedded().values(), ids=_data.embedded())
def test_embedded_sets_say_which_classes_are_diseased(data):
    rows = _plan.labelled_rows(data.X, data.y, data.groups, None, data.class_names)
    diseased, _ = _plan.check_diseased(data.diseased, rows, _plan.check_regimes("all", rows))
    assert sorted(rows.names[k] for k in diseased["all"]) == sorted(data.diseased)


def test_images_of_several_sizes_are_resized_where_a_size_is_given(tmp_path):
    for k, side in enumerate((16, 20, 33, 40)):
        png(tmp_path / "ab"[k % 2] / f"{k}.png", np.full((side, 24), 10 * k, np.uint8))
    with pytest.raises(ParameterError, match="one shape"):
        _data.load_own(tmp_path, None)
    data = _data.load_own(tmp_path, 16)
    assert np.array_equal(data.X[:, 0, 0], [0, 20, 10, 30])
    assert data.X.shape == (4, 16, 16)
    assert "Images of several sizes are resized to 16x16." in data.notes
