"""The harness: nothing leaks, nothing is lost when it is killed, and one bad arm spoils no other."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import ClassVar

import joblib
import numpy as np
import pandas as pd
import pytest
from fakes import FakeAugmenter
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from sklearn_medgan import AugmentedClassifier, benchmark
from sklearn_medgan.benchmark import ARMS, Arm, Columns, diagnostic_benchmark, gan_arms
from sklearn_medgan.benchmark import _plan as _benchmark_design
from sklearn_medgan.benchmark._plan import Task
from sklearn_medgan.benchmark._run import Progress

N = 72
QUICK = {"seeds": (0, 1), "n_splits": 3}


def table(n=N, n_classes=2, seed=0):
    """Rows whose columns are their number, their group of three, and two that tell the class with some noise."""
    rng = np.random.RandomState(seed)
    groups = np.arange(n) // 3
    y = (groups * 7) % n_classes
    clues = np.eye(n_classes)[y][:, :2] + rng.normal(0, 0.8, (n, 2))
    return np.column_stack([np.arange(n), groups, clues]), y, groups


X, Y, GROUPS = table()
NB = {"nb": GaussianNB()}
TREE = {"tree": DecisionTreeClassifier(splitter="random")}  # its seed matters


def clues(fold, shared=None, classifier=None):
    """An arm of columns: those that tell the class."""
    return Columns(fold.X[:, 2:], fold.y, fold.X_test[:, 2:])


CLUES = Arm("columns", clues)


def run(arms=None, classifiers=NB, data=(X, Y, GROUPS), **settings):
    rows, y, groups = data
    arms = {"clues": CLUES} if arms is None else arms
    return diagnostic_benchmark(rows, y, groups=groups, arms=arms, classifiers=classifiers, **{**QUICK, **settings})


def without_time(result):
    return result.to_frame().drop(columns="seconds")


def row_of(result, arm, classifier="nb", regime="all"):
    return next(r for r in result.table if (r["regime"], r["arm"], r["classifier"]) == (regime, arm, classifier))


class Recorder(TransformerMixin, BaseEstimator):
    """Passes columns on, and logs the rows it is fitted on (first column)."""

    fits: ClassVar[list] = []

    def fit(self, X, y):
        self.fits.append(np.asarray(X)[:, 0].astype(int))
        return self

    def transform(self, X):
        return X


class RecordingClassifier(ClassifierMixin, BaseEstimator):
    """Logs the rows of fit and predict (first column), and calls everything the first class."""

    calls: ClassVar[list] = []

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.fitted_ = (np.asarray(X)[:, 0].round().astype(int), np.asarray(y))
        return self

    def predict(self, X):
        self.calls.append((*self.fitted_, np.asarray(X)[:, 0].round().astype(int)))
        return np.full(len(X), self.classes_[0])


class FailsOn(TransformerMixin, BaseEstimator):
    """Cannot be fitted without a certain row."""

    def __init__(self, row=0):
        self.row = row

    def fit(self, X, y):
        if self.row not in X[:, 0]:
            raise RuntimeError(f"no row {self.row}")
        return self

    def transform(self, X):
        return X[:, 2:]


@pytest.fixture(autouse=True)
def _forget():
    for log in (Recorder.fits, RecordingClassifier.calls):
        log.clear()
    FakeAugmenter.forget()


# -- figures ------------------------------------------------------------------


def test_figures_are_those_of_a_cross_validation_by_hand():
    data = table(n_classes=3)
    result = run({"clues": CLUES}, {"nb": GaussianNB()}, data)
    rows, y, groups = data
    accuracies, areas = [], []
    for seed in QUICK["seeds"]:
        predicted = np.empty(N, int)
        for train, test in StratifiedGroupKFold(3, shuffle=True, random_state=seed).split(rows, y, groups):
            model = GaussianNB().fit(rows[train, 2:], y[train])
            predicted[test] = model.predict(rows[test, 2:])
            areas.append(roc_auc_score(y[test], model.predict_proba(rows[test, 2:]), multi_class="ovr"))
        accuracies.append(balanced_accuracy_score(y, predicted))
    found = row_of(result, "clues")
    assert found["n"] == N
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


def test_another_reference_can_be_named():
    result = run({"clues": CLUES, "mine": PCA(1)}, reference="clues")
    assert [r["arm"] for r in result.table if r["verdict"] == "reference"] == ["clues"]
    with pytest.raises(ValueError, match="reference='nothing' is no arm that can run"):
        run(reference="nothing")


def test_brier_score_only_where_there_are_probabilities():
    result = run(classifiers={"svc": SVC(), "nb": GaussianNB()})
    assert np.isnan(row_of(result, "clues", "svc")["brier"])
    assert 0 < row_of(result, "clues", "nb")["brier"] < 0.5
    assert row_of(result, "clues", "svc")["auc"] > 0.6


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


# -- nothing leaks ------------------------------------------------------------


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


def test_regimes_thin_training_rows_only():
    regimes = [10, {"rare": 1, "n_rare": 4, "n_other": 15}]
    raw = Arm("columns", lambda f, s, c: Columns(f.X, f.y, f.X_test))
    run({"raw": raw}, {"recorder": RecordingClassifier()}, regimes=regimes, reference="raw")
    assert [np.bincount(y).tolist() for _, y, _ in RecordingClassifier.calls] == [[10, 10]] * 6 + [[15, 4]] * 6
    tested = np.concatenate([tested for _, _, tested in RecordingClassifier.calls])
    assert (np.bincount(tested) == 4).all()  # two regimes, two seeds


# -- arms ---------------------------------------------------------------------


def test_a_user_extends_the_table_with_estimators():
    from imblearn.over_sampling import RandomOverSampler

    meta = AugmentedClassifier(make_pipeline(StandardScaler(), SVC()), FakeAugmenter(), dose=0.5)
    mine = {"columns": PCA(2), "rows": RandomOverSampler(), "wrapped": meta}
    result = run(mine, {"nb": GaussianNB(), "svc": SVC()})
    assert not result.failures
    assert {(r["arm"], r["kind"], r["reference"]) for r in result.table} == {
        ("none", "rows", "none"),
        ("pixels", "columns", "pixels"),
        ("columns", "columns", "pixels"),
        ("rows", "rows", "none"),
        ("wrapped", "rows", "none"),
    }


def test_images_reach_estimators_in_the_form_they_take():
    images = np.random.RandomState(0).randint(0, 255, (48, 16, 16)).astype(np.uint8)
    y = np.arange(48) % 2
    arms = {"PCA": PCA(2), "fake": FakeAugmenter(), **gan_arms(FakeAugmenter(), name="g", doses=(0, 1))}
    stack = diagnostic_benchmark(images, y, arms=arms, classifiers=NB, **QUICK)
    flat = diagnostic_benchmark(images.reshape(48, -1), y, image_shape=(16, 16), arms=arms, classifiers=NB, **QUICK)
    assert not stack.failures
    pd.testing.assert_frame_equal(without_time(stack), without_time(flat))


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        (SVC(), "neither transform nor fit_resample"),
        (PCA, "an instance, not a class"),
        ("PCA", "estimator that can be fitted"),
    ],
)
def test_what_is_no_arm_is_refused(arm, message):
    with pytest.raises(TypeError, match=message):
        run({"mine": arm})


def test_row_arms_of_the_protocol():
    rng = np.random.RandomState(0)
    images, y = rng.rand(30, 16, 16), np.repeat([0, 1], [22, 8])
    fold = benchmark.Fold(images, y, np.arange(30), images[:4], ("all", 0, 0))
    plain = ARMS["none"].prepare(fold, None, SVC())
    assert np.allclose(plain.X, StandardScaler().fit_transform(images.reshape(30, -1)))
    for name, counts in (("random oversampling", [22, 22]), ("SMOTE", [22, 22]), ("classical augmentation", [44, 44])):
        columns = ARMS[name].prepare(fold, None, SVC())
        assert np.array_equal(columns.X[:30], plain.X), name
        assert np.bincount(columns.y).tolist() == counts, name
        assert np.array_equal(columns.X_test, plain.X_test), name
    assert ARMS["class weights"].prepare(fold, None, SVC()).classifier.class_weight == "balanced"
    weights = ARMS["class weights"].prepare(fold, None, GaussianNB()).fit_params["sample_weight"]
    assert [weights[y == k].sum() for k in (0, 1)] == pytest.approx([15, 15])
    with pytest.raises(TypeError, match="neither class_weight nor sample_weight"):
        ARMS["class weights"].prepare(fold, None, KNeighborsClassifier())


def test_classical_augmentation_shifts_by_at_most_two_pixels_and_mirrors_only_when_asked():
    image = np.zeros((1, 15, 15))
    image[0, 7, 4] = 1.0
    images = np.repeat(image, 300, axis=0)
    from sklearn_medgan.benchmark._arms import moved

    places = {np.unravel_index(i.argmax(), i.shape) for i in moved(images, np.random.RandomState(0))}
    assert places == {(row, column) for row in range(5, 10) for column in range(2, 7)}
    mirrored = {np.unravel_index(i.argmax(), i.shape)[1] for i in moved(images, np.random.RandomState(0), flip=True)}
    assert mirrored == {*range(2, 7), *range(8, 13)}


def test_column_arms_of_the_protocol():
    from skimage.feature import hog

    images = np.random.RandomState(0).rand(40, 16, 16)
    fold = benchmark.Fold(images, np.arange(40) % 2, np.arange(40), images[:4], ("all", 0, 0))
    gradients = np.stack([hog(i, 9, (8, 8), (2, 2)) for i in images])
    assert np.allclose(ARMS["HOG"].prepare(fold, None, None).X, StandardScaler().fit_transform(gradients))
    patches = ARMS["patches (no GAN)"].prepare(fold, None, None)
    # Pixels and patches, each of variance 1 in all but for constant columns.
    assert np.square(patches.X).sum(1).mean() == pytest.approx(2.0, rel=0.01)
    assert np.array_equal(patches.X[:4], patches.X_test)
    components = ARMS["PCA"].prepare(fold, None, None)
    assert components.X.shape == (40, 39)  # 50, but for so few rows
    variance = components.X.var(axis=0)
    assert (np.diff(variance) <= 1e-9).all()
    assert variance.sum() == pytest.approx(256)


def test_the_chosen_dose_is_the_one_that_helps():
    class Liar(FakeAugmenter):
        """Its rows are of the other class."""

        def sample(self, n_samples=1, *, y=None, random_state=None):
            rows, labels = super().sample(n_samples, y=y, random_state=random_state)
            return rows, self.classes_[1 - np.searchsorted(self.classes_, labels)]

    rows, y = X[:, 2:] * 3, Y
    liar = gan_arms(Liar(noise=0.3, ratio=3), doses=(0, 2))
    result = run(liar, {"knn": KNeighborsClassifier(3)}, (rows, y, GROUPS))
    assert {cell["notes"]["dose"] for cell in result.cells if "chosen" in cell["arm"]} == {0.0}
    assert any("dose 0 (6 of 6 fits)" in note for note in result.notes)
    assert row_of(result, "GAN rows", "knn")["verdict"] == "loss"
    assert row_of(result, "GAN rows, chosen dose", "knn")["difference"] == 0


def test_the_chosen_dose_is_the_one_that_a_user_of_the_classifier_gets():
    class Rows(FakeAugmenter):
        """Draws nothing at random, and leaves the columns."""

        def transform(self, X):
            return np.asarray(X)

    groups = np.arange(180) // 3
    y = (groups % 5 == 0).astype(int)  # rows of a rare class move what the classifier expects to see
    rows = 0.7 * y[:, None] + np.random.default_rng(0).normal(0, 0.8, (180, 2))
    lda = LinearDiscriminantAnalysis()  # columns may have any scale
    arms = {**gan_arms(Rows()), "own": AugmentedClassifier(lda, Rows(), dose="cv")}
    result = run(arms, {"lda": lda}, data=(rows, y, groups), regimes=["all", 20])
    assert not result.failures
    of_arms = {
        arm: [cell["notes"]["dose"] for cell in result.cells if cell["arm"] == arm]
        for arm in ("GAN rows, chosen dose", "own")
    }
    assert of_arms["own"] == of_arms["GAN rows, chosen dose"]
    assert {0.0, 0.5} <= set(of_arms["own"])
    assert any(note.startswith("own + lda, all: dose 0.5 (") for note in result.notes)


def test_an_arm_that_cannot_run_here_is_left_out_and_said(monkeypatch):
    from sklearn_medgan.benchmark import _arms as _benchmark_arms

    monkeypatch.setattr(_benchmark_arms.importlib.util, "find_spec", lambda name: None)
    result = run(["none", "SMOTE", "HOG", "class weights"])
    assert [r["arm"] for r in result.table] == ["none", "class weights"]
    assert "Left out: SMOTE, since imblearn is not installed." in result.notes
    assert "Left out: HOG, since imblearn is not installed." not in result.notes
    assert any(note.startswith("Left out: HOG, since it needs images") for note in result.notes)


def test_the_table_of_arms_has_the_protocol():
    assert list(ARMS) == [
        "none",
        "class weights",
        "random oversampling",
        "SMOTE",
        "classical augmentation",
        "GAN rows",
        "GAN rows, chosen dose",
        "pixels",
        "PCA",
        "HOG",
        "patches (no GAN)",
        "conv net (class head only)",
        "GAN columns",
    ]


@pytest.mark.slow
def test_real_gan_through_rows_and_columns():
    from sklearn_medgan import GANAugmenter
    from sklearn_medgan.datasets import make_nodules

    images, y = make_nodules(40, image_size=16, random_state=0, return_X_y=True)
    arms = gan_arms(GANAugmenter(max_iter=2, width=4, batch_size=8))
    result = diagnostic_benchmark(images, y, arms=arms, classifiers=NB, seeds=0, n_splits=2)
    assert not result.failures
    assert all(np.isfinite(row["balanced_accuracy"]) for row in result.table)


# -- failures -----------------------------------------------------------------


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


def test_an_error_of_several_lines_is_one_statement():
    def failing(fold, shared, classifier):
        raise ValueError("Input X contains NaN.\nImpute it:\n  see the guide.")

    (line,) = [line for line in run({"bad": Arm("columns", failing)}).summary().splitlines() if "bad" in line]
    assert line.endswith("ValueError: Input X contains NaN. Impute it: see the guide.")


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


def test_an_estimator_is_no_table_of_arms():
    with pytest.raises(TypeError, match="arms must be a mapping by name, or names in"):
        run(PCA(2))


def test_classifiers_must_be_instances():
    with pytest.raises(TypeError, match="must be an instance with fit and predict"):
        run(classifiers={"nb": GaussianNB})


def test_a_group_in_two_classes_is_allowed_and_said():
    groups = np.where(np.arange(N) < 6, 0, GROUPS)
    assert "1 group holds rows of more than one class: kept whole." in run(data=(X, Y, groups)).notes
    assert any(note.startswith("There are no groups") for note in run(data=(X, Y, None)).notes)


def test_a_class_smaller_than_a_regime_is_said():
    y = np.where(GROUPS < 4, 2, Y)
    notes = run(data=(X, y, GROUPS), regimes=[20]).notes
    assert any("'20 a class': class '2' has only" in note for note in notes)


# -- the results file ---------------------------------------------------------


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


def test_arms_do_not_share_the_fit_of_another_function():
    arms = {
        f"of {k}": Arm("columns", clues, share="fits", fit_shared=fit)
        for k, fit in enumerate([lambda fold: "first", lambda fold: "second"])
    }
    with pytest.raises(ValueError, match="has share='fits' of another arm, but another fit_shared"):
        run(arms)


# -- killed, interrupted, in parallel -----------------------------------------

KILLED = textwrap.dedent(
    """
    import os, signal, sys, time
    sys.path[:0] = [{tests!r}, os.path.dirname({tests!r})]
    from tests.benchmark import test_benchmark
    for moment in {moments!r}:
        child = os.fork()
        if child == 0:
            test_benchmark.slow_run({path!r})
            os._exit(0)
        time.sleep(moment)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        print(open({path!r}).read().count("\\n") if os.path.exists({path!r}) else 0, flush=True)
    """
)


def slow_clues(fold, shared=None, classifier=None):
    time.sleep(0.02)
    return clues(fold)


def slow_run(path=None):
    """Some 0.5 s of cells, among them a tree, whose seed matters."""
    arms = {
        "clues": Arm("columns", slow_clues, per_classifier=True),
        **gan_arms(FakeAugmenter(noise=0.5), doses=(0, 1)),
    }
    return run(arms, {**NB, **TREE}, results=path)


def killed_and_resumed(path, moments):
    code = KILLED.format(tests=str(Path(__file__).parents[1]), path=str(path), moments=moments)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    pd.testing.assert_frame_equal(without_time(slow_run(path)), without_time(slow_run()))
    return [int(line) for line in done.stdout.split()]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and kill -9")
@pytest.mark.parametrize("n_kills", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_killed_runs_end_with_the_same_table(tmp_path, n_kills):
    moments = np.random.RandomState(n_kills).uniform(0.01, 0.4, n_kills).tolist()
    written = killed_and_resumed(tmp_path / "cells.jsonl", moments)
    assert written == sorted(written)


def interrupted_once(flag):
    """An arm in which Ctrl-C arrives, once, where training swallows it as Keras training here does."""

    def prepare(fold, shared, classifier):
        if fold.key == ("all", 1, 1) and not flag:
            flag.append(True)
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                return Columns(0 * fold.X[:, 2:] + 1, fold.y, 0 * fold.X_test[:, 2:] + 1)
        return clues(fold)

    return prepare


def test_ctrl_c_stops_and_keeps_what_is_written(tmp_path):
    path = tmp_path / "cells.jsonl"
    arms = {"clues": Arm("columns", interrupted_once([]))}
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match=r"finished cells are in .*: the same call goes on from there"):
        run(arms, results=path)
    written = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    assert ("clues", 1, 1) not in {(cell["arm"], cell["seed"], cell["fold"]) for cell in written}
    assert len(written) == 9
    pd.testing.assert_frame_equal(without_time(run(arms, results=path)), without_time(run()))
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("backend", ["threading", pytest.param("loky", marks=pytest.mark.slow)])
def test_parallel_runs_have_the_same_table(tmp_path, backend):
    arms = {"clues": CLUES, **gan_arms(FakeAugmenter(noise=0.5), doses=(0, 1)), "fragile": FailsOn(0)}
    with joblib.parallel_config(backend):
        parallel = run(arms, TREE, n_jobs=2, results=tmp_path / "cells.jsonl")
    pd.testing.assert_frame_equal(without_time(parallel), without_time(run(arms, TREE)))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of a cluster that starts and stops
def test_a_dask_cluster_has_the_same_table(tmp_path):
    distributed = pytest.importorskip("distributed")
    settings = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(**settings) as cluster, distributed.Client(cluster):  # noqa: SIM117
        with joblib.parallel_config("dask"):
            result = run({"clues": CLUES, "fragile": FailsOn(0)}, results=tmp_path / "cells.jsonl")
    pd.testing.assert_frame_equal(without_time(result), without_time(run({"clues": CLUES, "fragile": FailsOn(0)})))


# -- progress and overhead ----------------------------------------------------


def test_progress_says_what_is_done_and_what_is_left(capsys):
    run(verbose=1)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 12
    assert lines[0].startswith("[1/12, about ")
    assert "left] all, seed 0, fold 0, " in lines[0]
    assert lines[-1].startswith("[12/12, ")
    run()
    assert capsys.readouterr().err == ""


def test_seconds_of_an_arm_are_in_the_time_of_every_classifier():
    def sleepy(fold, shared, classifier):
        time.sleep(0.05)
        return clues(fold)

    def asleep(fold):
        time.sleep(0.1)

    arms = {
        "own": Arm("columns", sleepy),
        "each": Arm("columns", sleepy, per_classifier=True),
        "shared": Arm("columns", sleepy, share="bed", fit_shared=asleep),
    }
    result = run(arms, {"nb": GaussianNB(), "again": GaussianNB()}, seeds=0)
    for arm, least in {"own": 0.05, "each": 0.05, "shared": 0.15}.items():
        for classifier in ("nb", "again"):
            assert row_of(result, arm, classifier)["seconds"] >= least


def test_time_that_classifiers_have_in_common_is_spent_once():
    task = Task("all", 0, 0, "bed")

    class Plan:
        def tasks(self):
            return iter([task])

        def share_of(self, arm):
            return "bed"

    times = {"seconds": 1.0, "prepared_seconds": 10.0, "shared_seconds": 100.0}
    pairs = [(arm, classifier) for arm in ("a", "b") for classifier in ("nb", "svc")]
    cells = [{**task._asdict(), "arm": arm, "classifier": c, **times} for arm, c in pairs]
    assert Progress([], cells, 1, Plan(), 0)._spent == {task: 4 * 1 + 2 * 10 + 100}


def test_time_left_is_estimated_by_share():
    tasks = [Task("all", seed, 0, share) for seed in range(4) for share in ("GAN", "light")]

    class Plan:
        def tasks(self):
            return iter(tasks)

        def share_of(self, arm):
            return arm

    work = [(task, [(task.share, "svc")]) for task in tasks]
    progress = Progress(work, [], 2, Plan(), 0)
    for task, seconds in ((tasks[0], 100.0), (tasks[1], 1.0), (tasks[2], 140.0)):
        shared = 0.9 * seconds
        cell = {"arm": task.share, "classifier": "svc", "seconds": seconds - shared, "shared_seconds": shared}
        progress.tell({**task._asdict(), **cell})
    assert progress.seconds_left() == pytest.approx((2 * 120 + 3 * 1) / 2)


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


@pytest.mark.slow
def test_overhead_is_below_five_percent():
    def sleepy(fold, shared, classifier):
        time.sleep(0.3)
        return clues(fold)

    started = time.perf_counter()
    result = run({"clues": Arm("columns", sleepy), "again": Arm("columns", sleepy)}, reference="clues")
    elapsed = time.perf_counter() - started
    fits = sum(cell["seconds"] + cell["prepared_seconds"] + cell["shared_seconds"] for cell in result.cells)
    assert elapsed < 1.05 * fits


# -- claims through the whole harness ------------------------------------------


class Projection(TransformerMixin, BaseEstimator):
    """Random mixtures of the columns, other ones in every fit."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y):
        self.mixture_ = np.random.RandomState(self.random_state).standard_normal((X.shape[1], 3))
        return self

    def transform(self, X):
        return X @ self.mixture_


class NearestMean(ClassifierMixin, BaseEstimator):
    """The class whose mean is nearest: a classifier of no cost."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.means_ = np.stack([X[y == k].mean(axis=0) for k in self.classes_])
        return self

    def predict(self, X):
        return self.classes_[np.square(X[:, None] - self.means_).sum(-1).argmin(1)]


NEAREST = {"nearest": NearestMean()}


@pytest.fixture
def _split_once(monkeypatch):
    """Runs with the same labels have the same splits, which take most of the time of a run that trains nothing."""
    kept = {}

    def split(codes, groups, *rest):
        key = (codes.tobytes(), groups.tobytes(), *rest)
        if key not in kept:
            kept[key] = make(codes, groups, *rest)
        return kept[key]

    make = _benchmark_design.split
    monkeypatch.setattr(_benchmark_design, "split", split)


@pytest.mark.slow
@pytest.mark.usefixtures("_split_once")
@pytest.mark.parametrize("shuffled", [True, False], ids=["labels shuffled", "two copies of an arm"])
def test_null_runs_rarely_claim_a_gain(shuffled):
    rng, n_runs, claimed = np.random.RandomState(0), 200, 0
    for _ in range(n_runs):
        y = np.arange(120) % 2
        rows = rng.standard_normal((120, 6)) + 0.4 * y[:, None]
        rows = rng.permutation(rows) if shuffled else rows  # as good as labels, and splits stay the same
        arms = {"first": Projection(), "second": Projection()}
        result = diagnostic_benchmark(rows, y, arms=arms, classifiers=NEAREST, reference="first", n_splits=3)
        claimed += any(row["verdict"] == "gain" for row in result.table)
    assert claimed <= 0.05 * n_runs


@pytest.mark.slow
@pytest.mark.usefixtures("_split_once")
def test_a_planted_gain_of_five_points_is_found():
    rng, n_runs, found, gains = np.random.RandomState(0), 40, 0, []
    for _ in range(n_runs):
        y = np.arange(400) % 2
        clue = 2 * y - 1 + 1.19 * rng.standard_normal(400)  # right in 80 % of the rows
        worse = clue + 0.9 * rng.standard_normal(400)  # 75 %
        take = {n: Arm("columns", _one_column(i)) for i, n in enumerate(("worse", "better"))}
        rows = np.column_stack([worse, clue])
        result = diagnostic_benchmark(rows, y, arms=take, classifiers=NEAREST, reference="worse")
        gains.append(row_of(result, "better", "nearest")["difference"])
        found += row_of(result, "better", "nearest")["verdict"] == "gain"
    assert np.mean(gains) == pytest.approx(0.05, abs=0.01)
    assert found >= 0.8 * n_runs


def _one_column(i):
    return lambda fold, shared, classifier: Columns(fold.X[:, [i]], fold.y, fold.X_test[:, [i]])


# -- what comes out -----------------------------------------------------------


def test_json_markdown_text_and_page(tmp_path):
    result = run({"clues <b>|</b>": CLUES, "fragile": FailsOn(0)}, {"svc": SVC()})
    loaded = json.loads(result.to_json(tmp_path / "table.json"))
    assert json.loads((tmp_path / "table.json").read_text()) == loaded
    assert loaded["table"][0]["brier"] is None
    assert loaded["table"][1]["sentence"] == result.verdict_["all", "clues <b>|</b>", "svc"]
    assert loaded["settings"]["n_splits"] == 3
    markdown = result.to_markdown().splitlines()
    assert len(markdown) == 2 + 3
    assert len({line.count("|") for line in markdown}) == 1
    assert len(result.to_text().splitlines()) == 1 + 3
    page = result.to_html(tmp_path / "table.html")
    assert (tmp_path / "table.html").read_text() == page
    assert "clues &lt;b&gt;|&lt;/b&gt;" in page
    assert "<b>" not in page


def test_summary_says_what_may_be_claimed():
    clear = np.column_stack([X[:, :2], 10 * Y + X[:, 2], X[:, 3]])
    blind = Arm("columns", lambda f, s, c: Columns(f.X[:, :1], f.y, f.X_test[:, :1]))
    summary = run({"blind": blind, "clues": CLUES}, data=(clear, Y, GROUPS), reference="blind").summary()
    assert summary.startswith("1 comparisons with a reference: gains 1, losses 0, no evidence 0.")
    assert "clues + nb, all: gain; +" in summary
    assert "points against blind (95 % interval +" in summary
    nothing = run({"again": ARMS["pixels"]}).summary()
    assert nothing.splitlines()[1] == "No evidence of a gain."


def test_frame_needs_pandas(monkeypatch):
    result = run()
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        result.to_frame()


def test_logistic_regression_runs_by_name():
    assert row_of(run(classifiers=["logistic"]), "clues", "logistic")["balanced_accuracy"] > 0.5
    assert row_of(run(classifiers=LogisticRegression()), "clues", "LogisticRegression")["auc"] > 0.5
