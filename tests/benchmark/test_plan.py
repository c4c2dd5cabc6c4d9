"""What is measured on which rows: checked input, regimes, folds, and which classes are diseased."""

import numpy as np
import pytest
from fakes import FakeAugmenter
from protocol import GROUPS, N, Recorder, RecordingClassifier, X, Y, row_of, run, table

from sklearn_medgan.benchmark import Arm, Columns


@pytest.fixture(autouse=True)
def _forget():
    for log in (Recorder.fits, RecordingClassifier.calls):
        log.clear()
    FakeAugmenter.forget()


RULE = "Which classes are diseased was not said"


def test_diseased_holds_in_every_regime():
    regimes = ["all", {"rare": "well", "n_rare": 4, "n_other": 20}]
    result = run(regimes=regimes, diseased="ill", target_names=["ill", "well"])
    assert any("class 'ill' (all; rare well (4 to 20))" in note for note in result.notes)
    assert not any(RULE in note for note in result.notes)
    swapped, found = row_of(run(diseased=1), "clues"), row_of(result, "clues")
    assert (found["sensitivity"], found["specificity"]) == (swapped["specificity"], swapped["sensitivity"])


@pytest.mark.parametrize("names", [["well", "ill"], ["ill", "normal"], ["no_tumor", "tumor"]])
def test_names_of_classes_are_not_read(names):
    """The second of two classes it is, whatever their names, and the notes say so."""
    result = run(target_names=names)
    told, unnamed = row_of(run(diseased=1), "clues"), row_of(result, "clues")
    assert unnamed["sensitivity"] == told["sensitivity"] != unnamed["specificity"]
    assert f"Sensitivity and specificity are those of class {names[1]!r} (all)." in result.notes
    assert any(RULE in note for note in result.notes)


def test_without_a_word_a_rare_class_counts_and_of_several_none():
    result = run(data=table(n_classes=3), regimes=["all", {"rare": 1, "n_rare": 4, "n_other": 8}], seeds=0)
    assert "There is no sensitivity or specificity (all)." in result.notes
    assert "Sensitivity and specificity are those of class '1' (rare 1 (4 to 8))." in result.notes
    figures = ["sensitivity", "specificity", "sensitivity_at_90", "specificity_at_90"]
    for regime, there in (("all", False), ("rare 1 (4 to 8)", True)):
        assert np.isfinite([row_of(result, "clues", regime=regime)[name] for name in figures]).all() == there
    assert row_of(result, "clues")["auc"] > 0.6


def test_regimes_thin_training_rows_only():
    regimes = [10, {"rare": 1, "n_rare": 4, "n_other": 15}]
    raw = Arm("columns", lambda f, s, c: Columns(f.X, f.y, f.X_test))
    run({"raw": raw}, {"recorder": RecordingClassifier()}, regimes=regimes, reference="raw")
    assert [np.bincount(y).tolist() for _, y, _ in RecordingClassifier.calls] == [[10, 10]] * 6 + [[15, 4]] * 6
    tested = np.concatenate([tested for _, _, tested in RecordingClassifier.calls])
    assert (np.bincount(tested) == 4).all()  # two regimes, two seeds


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": (X, np.zeros(N), GROUPS)}, "y holds 1 class"),
        ({"data": (X, Y, np.arange(N) % 2)}, "n_splits must be at most the number of groups, 2; got 3. Lower n_splits"),
        ({"data": (X, np.where(GROUPS == 5, 9, Y), GROUPS)}, "Class '9' is in one group only"),
        ({"data": (X[:, :0], Y, GROUPS)}, "0 feature"),
        ({"data": (np.full_like(X, np.nan), Y, GROUPS)}, "NaN"),
        ({"data": (X, Y[1:], GROUPS)}, "inconsistent numbers of samples"),
        ({"data": (X, Y, GROUPS[1:])}, "inconsistent numbers of samples"),
        ({"data": (X, Y + 0.5, GROUPS)}, "class labels, whole numbers or text"),
        ({"regimes": [1000]}, "regimes must be smaller than the data, whose largest class has .*; got '1000 a class'"),
        (
            {"regimes": [{"rare": 1, "n_rare": 60}]},
            "n_rare must be at most .* of class '1' in a fold; got 60. Lower n_rare",
        ),
        ({"regimes": [{"rare": 7}]}, r"rare must name classes of y, which are \[0, 1\]; got 7"),
        ({"regimes": ["some"]}, "regimes must hold 'all', a whole number"),
        ({"regimes": ["all", "all"]}, "different regimes"),
        ({"regimes": []}, "one or more"),
        ({"diseased": "nobody"}, "diseased must name classes of y.*; got 'nobody'"),
        ({"diseased": [0, 1]}, "leave one that is not;"),
        ({"diseased": []}, "must name one or more"),
        ({"target_names": ["one"]}, "target_names must name each of the 2 classes"),
        ({"data": (X, Y, np.array([None, *GROUPS[1:]]))}, r"groups must hold values of one kind.*'NoneType', 'int"),
        ({"data": (X, np.array(["a", np.nan, *"ab" * 35], object), GROUPS)}, "y must hold values of one kind.*float"),
        ({"reference": {"column": "pixels"}}, r"reference must be .* for some of the kinds.*got \['column'\]"),
        ({"regimes": 2.5}, "regimes must hold 'all', a whole number"),
        ({"regimes": None}, "regimes must hold 'all', a whole number"),
        ({"seeds": None}, "seeds must be one or more different"),
        ({"n_splits": 1}, "n_splits must be a whole number from 2 up"),
        ({"seeds": [1, 1]}, "seeds must be one or more different"),
        ({"image_shape": (5, 5)}, "at least 8 pixels"),
        ({"image_shape": (8, 8)}, "needs 64 columns"),
        ({"arms": ["none", "SMOKE"]}, r"arms holds unknown names \['SMOKE'\]"),
        ({"arms": {}}, "arms must hold one or more by name"),
        ({"arms": ["HOG"]}, "images, and the rows are a table"),
        ({"classifiers": ["SVM"]}, "classifiers holds unknown names"),
    ],
)
def test_bad_input(change, message):
    with pytest.raises(ValueError, match=message):
        run(**change)


@pytest.mark.parametrize("labels", [Y.astype(object), np.array(["ill", "well"], object)[Y]], ids=["numbers", "text"])
def test_labels_may_be_objects(labels):
    groups = np.array([f"p{group:02d}" for group in GROUPS], object)
    result = run(data=(X, labels, groups))
    assert not result.failures
    assert row_of(result, "clues")["balanced_accuracy"] == row_of(run(), "clues")["balanced_accuracy"]


def test_a_group_in_two_classes_is_allowed_and_said():
    groups = np.where(np.arange(N) < 6, 0, GROUPS)
    assert "1 group holds rows of more than one class: kept whole." in run(data=(X, Y, groups)).notes
    assert any(note.startswith("There are no groups") for note in run(data=(X, Y, None)).notes)


def test_a_class_smaller_than_a_regime_is_said():
    y = np.where(GROUPS < 4, 2, Y)
    notes = run(data=(X, y, GROUPS), regimes=[20]).notes
    assert any("'20 a class': class '2' has only" in note for note in notes)
