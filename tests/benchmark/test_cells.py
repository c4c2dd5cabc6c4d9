"""Units of work: nothing leaks, and one bad arm spoils no other."""

import numpy as np
import pandas as pd
import pytest
from fakes import FakeAugmenter
from protocol import (
    CLUES,
    GROUPS,
    QUICK,
    TREE,
    FailsOn,
    N,
    Recorder,
    RecordingClassifier,
    X,
    Y,
    row_of,
    run,
    without_time,
)
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.naive_bayes import GaussianNB

from sklearn_medgan.benchmark import Arm, Columns, gan_arms


@pytest.fixture(autouse=True)
def _forget():
    for log in (Recorder.fits, RecordingClassifier.calls):
        log.clear()
    FakeAugmenter.forget()


def test_no_row_or_group_is_on_both_sides():
    raw = Arm("columns", lambda f, s, c: Columns(f.X, f.y, f.X_test))
    run({"raw": raw, "recorded": Recorder()}, {"recorder": RecordingClassifier()})
    calls = [call for call in RecordingClassifier.calls if call[0].max() > 5]  # not those on standardised columns
    assert len(calls) == 2 * 6
    for fitted, _, tested in calls:
        assert not set(GROUPS[fitted]) & set(GROUPS[tested])
        assert len(fitted) + len(tested) == N
    splits = {frozenset(fitted) for fitted, _, _ in calls}
    assert {frozenset(fitted) for fitted in Recorder.fits} == splits


def test_synthetic_rows_and_their_dose_see_training_rows_only():
    run(gan_arms(FakeAugmenter(), doses=(0, 1)), {"nb": GaussianNB(), **TREE})
    folds = [StratifiedGroupKFold(3, shuffle=True, random_state=s).split(X, Y, GROUPS) for s in QUICK["seeds"]]
    trained = [set(train) for split in folds for train, _ in split]
    seen = [set(rows[:, 0].astype(int)) for rows in FakeAugmenter.seen]
    assert len(seen) == 4 * 6  # one GAN and three of inner folds a fold, for all arms and classifiers
    assert sum(rows in trained for rows in seen) == 6
    for whole, *inner in zip(*(seen[i::4] for i in range(4)), strict=True):
        assert whole in trained
        held_out = [whole - rows for rows in inner]
        assert sorted(row for rows in held_out for row in rows) == sorted(whole)
        for rows, others in zip(inner, held_out, strict=True):
            assert not set(GROUPS[list(rows)]) & set(GROUPS[list(others)])


def test_an_arm_that_fails_in_one_fold_is_named_and_the_rest_survives():
    whole, broken = run(), run({"clues": CLUES, "fragile": FailsOn(0)})
    row = row_of(broken, "fragile")
    assert row["verdict"] == "failed"
    assert np.isnan(row["balanced_accuracy"])
    assert "failed in 2 of 6 fits" in row["error"]
    assert "RuntimeError: no row 0" in row["error"]
    assert broken.failures[0] in broken.summary()
    rest = without_time(broken).query("arm != 'fragile'").reset_index(drop=True)
    pd.testing.assert_frame_equal(rest, without_time(whole))


def test_notes_that_are_no_numbers_fail_their_arm_only(tmp_path):
    def noting(value):
        return Arm("columns", lambda f, s, c: Columns(f.X[:, 2:], f.y, f.X_test[:, 2:], notes={"k": value}))

    result = run({"named": noting("rbf"), "counted": noting(np.int64(3))}, results=tmp_path / "cells.jsonl")
    assert "names with numbers; got {'k': 'rbf'}" in row_of(result, "named")["error"]
    assert "counted + nb, all: k 3 (6 of 6 fits)" in result.notes


def test_a_failed_shared_fit_fails_its_arms_only():
    class Broken(FakeAugmenter):
        def fit(self, X, y=None, *, X_unlabeled=None):
            raise MemoryError("too large")

    result = run({"clues": CLUES, **gan_arms(Broken(), name="broken")})
    failed = {r["arm"] for r in result.table if r["error"]}
    assert failed == {"broken rows", "broken rows, chosen dose", "broken columns"}
    assert all("MemoryError: too large" in line for line in result.failures)
