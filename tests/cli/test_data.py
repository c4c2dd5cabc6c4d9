"""Labelled rows of the commands that compare: embedded, and the user's own."""

import inspect

import numpy as np
import pytest
from commands import png

from sklearn_medgan._parameters import ParameterError
from sklearn_medgan.benchmark import _plan
from sklearn_medgan.cli import _data
from sklearn_medgan.cli._inputs import READING, how_to_read
from sklearn_medgan.cli._parser import parse
from sklearn_medgan.datasets import load_images


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


def test_images_that_were_drawn_are_not_compared_on(tmp_path):
    """As medgan augment writes them; the same images without its mark are taken."""
    X, y, file = np.arange(4 * 64, dtype=np.uint8).reshape(4, 8, 8), np.arange(4) % 2, tmp_path / "rows.npz"
    for drawn in ({}, {"synthetic": np.zeros(4, bool)}):
        np.savez(file, X=X, y=y, **drawn)
        assert np.array_equal(_data.load_own(file, None).X, X)
    np.savez(file, X=X, y=y, synthetic=np.arange(4) == 3)
    for k in range(4):
        png(tmp_path / "set" / "ab"[k % 2] / ("synthetic_00000.png" if k == 3 else f"{k}.png"), X[k])
    for path in (file, tmp_path / "set"):
        with pytest.raises(ValueError, match=r"holds images that medgan augment has drawn\. .*originals alone"):
            _data.load_own(path, None)


def test_patients_of_a_manifest_reach_the_folds(tmp_path):
    """As --data table.csv of the commands: images of one patient are never parted."""
    rows = ["file;befund;patient"]
    for k in range(16):
        png(tmp_path / f"{k}.png", np.full((16, 16), k, np.uint8))
        rows.append(f"{k}.png;{'ab'[k % 2]};P{k // 4}")
    (tmp_path / "table.csv").write_text("\n".join(rows))
    data = _data.load_own(tmp_path / "table.csv", None, label_column="befund")
    assert np.array_equal(data.groups, np.arange(16) // 4)
    rows = _plan.labelled_rows(data.X, data.y, data.groups, None, data.class_names)
    for train, test in _plan.check_folds(rows, 2, [0])[0]:
        assert not set(data.groups[train]) & set(data.groups[test])
    assert data.class_names == ["a", "b"]


def test_options_of_reading_are_those_of_load_images():
    options = parse(
        ["demo", "--data", "x", "--channels", "1", "--window", "40,400", "--groups", "subfolder", "--skip-unreadable"]
    )
    assert how_to_read(options) == {
        "channels": 1,
        "window": (40.0, 400.0),
        "groups": "subfolder",
        "skip_unreadable": True,
    }
    names = inspect.signature(load_images).parameters
    assert set(READING) <= set(names)
