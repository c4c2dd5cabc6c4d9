"""The results file: what a second call finds in it, and which files are refused."""

import json
import os

import pandas as pd
import pytest
from fakes import FakeAugmenter
from protocol import CLUES, GROUPS, FailsOn, Recorder, RecordingClassifier, X, Y, clues, run, without_time
from sklearn.decomposition import PCA
from sklearn.naive_bayes import GaussianNB

from sklearn_medgan.benchmark import Arm, gan_arms


@pytest.fixture(autouse=True)
def _forget():
    for log in (Recorder.fits, RecordingClassifier.calls):
        log.clear()
    FakeAugmenter.forget()


def test_a_second_call_measures_nothing_and_has_the_same_table(tmp_path):
    path = tmp_path / "cells.jsonl"
    arms = {"recorded": Recorder(), "fragile": FailsOn(0)}
    first = run(arms, results=path)
    n_fits, n_lines = len(Recorder.fits), len(path.read_text().splitlines())
    assert n_lines == 1 + len(first.cells)
    second = run(arms, results=path)
    assert len(Recorder.fits) == n_fits == 6
    pd.testing.assert_frame_equal(without_time(first), without_time(second))
    assert len(path.read_text().splitlines()) == n_lines + 2  # the two that failed were tried again


def test_a_cell_that_was_tried_again_counts_once(tmp_path):
    failed = []

    def once(fold, shared, classifier):
        import warnings

        warnings.warn("close to the edge", UserWarning, stacklevel=1)
        if not failed:
            failed.append(True)
            raise RuntimeError("no memory")
        return clues(fold)

    arms, path = {"clues": CLUES, "fragile": Arm("columns", once)}, tmp_path / "cells.jsonl"
    assert run(arms, results=path).failures
    mended = run(arms, results=path)
    assert not mended.failures
    assert "Warning in 6 fits (fragile): UserWarning: close to the edge" in mended.notes
    assert len(mended.cells) == 18
    assert not any("error" in cell for cell in mended.cells)
    assert [cell["fold"] for cell in mended.cells if cell["arm"] == "fragile"] == [0, 1, 2] * 2


@pytest.mark.parametrize("cut", [1, 30])
def test_a_torn_last_line_is_dropped(tmp_path, cut):
    path = tmp_path / "cells.jsonl"
    whole = run(results=path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:4]) + lines[4][:-cut])
    again = run(results=path)
    pd.testing.assert_frame_equal(without_time(whole), without_time(again))
    assert len(path.read_text().splitlines()) == len(lines)
    assert all(json.loads(line) for line in path.read_text().splitlines())


def test_a_torn_first_line_is_begun_anew(tmp_path):
    path = tmp_path / "cells.jsonl"
    run(results=path)
    path.write_bytes(path.read_bytes()[:40])
    run(results=path)
    assert json.loads(path.read_text().splitlines()[0])["n_splits"] == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": (0, 1, 2)}, r"seeds was \[0, 1\], is \[0, 1, 2\]"),
        ({"data": (X + 1, Y, GROUPS)}, "data was"),
        ({"arms": {"clues": CLUES, "more": PCA(1)}}, r"arms differ in \['more'\]"),
        ({"classifiers": {"nb": GaussianNB(var_smoothing=0.1)}}, r"var_smoothing=1e-09.* is .*var_smoothing=0.1"),
    ],
)
def test_a_file_of_other_settings_is_refused(tmp_path, change, message):
    path = tmp_path / "cells.jsonl"
    run(results=path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=f"holds results of other settings: .*{message}"):
        run(results=path, **change)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", ["important notes\n", "no newline", '{"format": "other"}\n', "[1]\n"])
def test_another_file_is_left_alone(tmp_path, content):
    path = tmp_path / "notes.txt"
    path.write_text(content)
    with pytest.raises(ValueError, match="is no results file of this benchmark"):
        run(results=path)
    assert path.read_text() == content


def test_a_damaged_line_is_named(tmp_path):
    path = tmp_path / "cells.jsonl"
    run(results=path)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:2], "?\n", *lines[2:]]))
    with pytest.raises(ValueError, match=r"Line 3 of .* is damaged"):
        run(results=path)


def test_an_unwritable_output_is_refused_before_any_fit(tmp_path):
    for path in (tmp_path, tmp_path / "missing" / "cells.jsonl"):
        with pytest.raises(OSError, match="cannot be written"):
            run({"recorded": Recorder()}, results=path)
    assert not Recorder.fits


@pytest.mark.skipif(os.name != "posix", reason="files are locked by flock")
def test_two_runs_do_not_write_to_one_file(tmp_path):
    path = tmp_path / "cells.jsonl"

    def second(fold, shared, classifier):
        with pytest.raises(OSError, match="another run is writing"):
            run(results=path)
        return clues(fold)

    assert not run({"clues": Arm("columns", second)}, results=path).failures


def test_only_missing_cells_of_a_task_are_measured(tmp_path):
    path = tmp_path / "cells.jsonl"
    run(gan_arms(FakeAugmenter(), doses=(0, 1)), results=path)
    lines = path.read_text().splitlines(keepends=True)
    assert json.loads(lines[3])["share"] == "GAN"
    path.write_text("".join(lines[:3] + lines[4:]))
    FakeAugmenter.forget()
    run(gan_arms(FakeAugmenter(), doses=(0, 1)), results=path)
    assert len(FakeAugmenter.seen) in (1, 4)  # the shared fit; those of inner folds where the dose was missing
    assert len(path.read_text().splitlines()) == len(lines)
