"""The table of a benchmark: its figures by hand, and what it says of seconds, warnings and failures."""

import numpy as np
import pytest
from protocol import CLUES, QUICK, TREE, FailsOn, N, clues, row_of, run, table
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC

from sklearn_medgan.benchmark import ARMS, Arm, Columns, _cells


def test_figures_are_those_of_a_cross_validation_by_hand():
    data = table(216, n_classes=3)  # so many that each fold has all classes in every scikit-learn
    result = run({"clues": CLUES}, {"nb": GaussianNB()}, data)
    rows, y, groups = data
    accuracies, areas = [], []
    for seed in QUICK["seeds"]:
        predicted = np.empty(len(y), int)
        for train, test in StratifiedGroupKFold(3, shuffle=True, random_state=seed).split(rows, y, groups):
            model = GaussianNB().fit(rows[train, 2:], y[train])
            predicted[test] = model.predict(rows[test, 2:])
            areas.append(roc_auc_score(y[test], model.predict_proba(rows[test, 2:]), multi_class="ovr"))
        accuracies.append(balanced_accuracy_score(y, predicted))
    found = row_of(result, "clues")
    assert found["n"] == len(y)
    assert found["balanced_accuracy"] == pytest.approx(np.mean(accuracies))
    assert found["auc"] == pytest.approx(np.mean(areas), abs=1e-6)


def test_frame_names_reference_best_and_verdict():
    result = run({"clues": CLUES, "noise": Arm("columns", lambda f, s, c: Columns(f.X[:, :1], f.y, f.X_test[:, :1]))})
    frame = result.to_frame().set_index("arm")
    assert frame.loc["pixels", "verdict"] == "reference"
    assert frame.loc["noise", "best_other"] in ("clues", "pixels")
    assert frame.loc["clues", "best_other"] == "pixels"
    assert (frame.reference == "pixels").all()
    assert set(frame.verdict) <= {"reference", "gain", "loss", "no evidence of a gain"}
    gain = frame.loc["clues"].balanced_accuracy - frame.loc["pixels"].balanced_accuracy
    assert frame.loc["clues"].difference == pytest.approx(gain)
    assert frame.loc["clues"].low <= gain <= frame.loc["clues"].high


def test_brier_score_only_where_there_are_probabilities():
    result = run(classifiers={"svc": SVC(), "nb": GaussianNB()})
    assert np.isnan(row_of(result, "clues", "svc")["brier"])
    assert 0 < row_of(result, "clues", "nb")["brier"] < 0.5
    assert row_of(result, "clues", "svc")["auc"] > 0.6


BRAIN = ["glioma", "no_tumor", "pituitary"]


@pytest.mark.parametrize("classifier", [GaussianNB(), SVC()], ids=["probabilities", "decision values"])
def test_sensitivity_is_to_call_the_ill_ill_at_all(classifier):
    data = table(n_classes=3)
    result = run({"clues": CLUES}, {"c": classifier}, data, seeds=0, target_names=BRAIN, diseased=["glioma", 2])
    rows, y, groups = data
    predicted = np.empty(N, int)
    for train, test in StratifiedGroupKFold(3, shuffle=True, random_state=0).split(rows, y, groups):
        model = clone(classifier).fit(rows[train, 2:], y[train])
        predicted[test] = model.predict(rows[test, 2:])
    found = row_of(result, "clues", "c")
    assert found["sensitivity"] == pytest.approx((predicted[y != 1] != 1).mean())
    assert found["specificity"] == pytest.approx((predicted[y == 1] == 1).mean())
    assert found["sensitivity"] > balanced_accuracy_score(y, predicted)  # illnesses are taken for one another
    assert 0.6 < found["specificity_at_90"] <= 1
    assert any("'glioma' and 'pituitary' together, against 'no_tumor'" in note for note in result.notes)


def test_several_classes_can_be_named_as_ill():
    data = table(n_classes=3)
    settings = {"data": data, "target_names": ["a", "b", "c"], "seeds": 0}
    notes = run(diseased=["a", 2], **settings).notes
    assert any("'a' and 'c' together, against 'b'" in note for note in notes)
    one, other = (row_of(run(diseased=d, **settings), "clues") for d in (["a", "c"], "b"))
    assert (one["sensitivity"], one["specificity"]) == pytest.approx((other["specificity"], other["sensitivity"]))


def test_arms_do_not_depend_on_the_arms_beside_them():
    light = {"clues": CLUES, "copies": ARMS["random oversampling"]}
    alone, among = run({"clues": CLUES}, TREE), run({"mine": PCA(2), **light}, TREE)
    for name in ("balanced_accuracy", "difference", "auc", "low", "high", "p"):
        assert row_of(alone, "clues", "tree")[name] == row_of(among, "clues", "tree")[name]


def test_an_error_of_several_lines_is_one_statement():
    def failing(fold, shared, classifier):
        raise ValueError("Input X contains NaN.\nImpute it:\n  see the guide.")

    (line,) = [line for line in run({"bad": Arm("columns", failing)}).summary().splitlines() if "bad" in line]
    assert line.endswith("ValueError: Input X contains NaN. Impute it: see the guide.")


def test_a_failed_reference_leaves_accuracies():
    result = run({"fragile": FailsOn(0), "clues": CLUES}, reference="fragile")
    assert row_of(result, "clues")["verdict"] == "no comparison: the reference failed"
    assert row_of(result, "clues")["balanced_accuracy"] > 0.5


def test_warnings_of_fits_are_kept_and_said():
    def warning(fold, shared, classifier):
        import warnings

        warnings.warn("close to the edge", UserWarning, stacklevel=1)
        return clues(fold)

    def wordless(fold, shared, classifier):
        import warnings

        warnings.warn("", UserWarning, stacklevel=1)
        return clues(fold)

    result = run({"clues": CLUES, "loud": Arm("columns", warning), "wordless": Arm("columns", wordless)})
    assert "Warning in 6 fits (wordless): UserWarning" in result.notes
    assert "Warning in 6 fits (loud): UserWarning: close to the edge" in result.notes


def test_seconds_of_an_arm_are_in_the_time_of_every_classifier(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(_cells.time, "perf_counter", lambda: clock[0])

    def taking(seconds, result):
        clock[0] += seconds
        return result

    def slow(fold, shared, classifier):
        return taking(5.0, clues(fold))

    arms = {
        "own": Arm("columns", slow),
        "each": Arm("columns", slow, per_classifier=True),
        "shared": Arm("columns", slow, share="fit", fit_shared=lambda fold: taking(10.0, None)),
    }
    result = run(arms, {"nb": GaussianNB(), "again": GaussianNB()}, seeds=0)
    for arm, seconds in {"own": 5.0, "each": 5.0, "shared": 15.0}.items():
        for classifier in ("nb", "again"):
            assert row_of(result, arm, classifier)["seconds"] == seconds
