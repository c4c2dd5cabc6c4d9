"""What a report shows besides the table: each figure against scikit-learn or by hand."""

import json
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from protocol import CLUES, GROUPS, QUICK, FailsOn, X, Y, run, table
from sklearn.metrics import confusion_matrix, recall_score, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC

from sklearn_medgan.benchmark import Arm, Columns, gan_arms
from sklearn_medgan.benchmark import _statistics as statistics
from sklearn_medgan.benchmark._cells import unpack

THREE = table(216, n_classes=3)  # so many that each fold has all classes in every scikit-learn


def of(result, arm, classifier="nb"):
    names = [(row["arm"], row["classifier"]) for row in result.table]
    return result.evidence["lines"][names.index((arm, classifier))]


def by_hand(classifier, data):
    """Predictions of each seed, and areas of each fold."""
    rows, y, groups = data
    predicted = np.empty((2, len(y)), int)
    areas = []
    for seed in QUICK["seeds"]:
        for train, test in StratifiedGroupKFold(3, shuffle=True, random_state=seed).split(rows, y, groups):
            model = classifier.fit(rows[train, 2:], y[train])
            predicted[seed, test] = model.predict(rows[test, 2:])
            areas.append(roc_auc_score(y[test] > 0, model.predict_proba(rows[test, 2:])[:, 1:].sum(1)))
    return predicted, areas


def test_confusions_recalls_and_area_are_those_of_scikit_learn():
    found = of(run(data=THREE, diseased=[1, 2]), "clues")
    predicted, areas = by_hand(GaussianNB(), THREE)
    y, groups = THREE[1:]
    assert found["confusion"] == pytest.approx(np.mean([confusion_matrix(y, row) for row in predicted], axis=0))
    recalls = np.mean([recall_score(y, row, average=None) for row in predicted], axis=0)
    assert [recall for recall, _, _ in found["recalls"]] == pytest.approx(recalls)
    assert found["curve"]["area"] == pytest.approx(np.mean(areas), abs=1e-6)
    wrong = np.array([(predicted != y)[:, groups == g].mean() for g in np.unique(groups)])
    assert found["groups"]["n_mostly_wrong"] == (wrong > 0.5).sum()
    assert [each["wrong"] for each in found["groups"]["hardest"]] == pytest.approx(np.sort(wrong)[::-1][:10])
    for each in found["groups"]["hardest"]:
        assert each["wrong"] == pytest.approx(wrong[each["group"]])
        assert each["n"] == 3


def test_a_curve_has_the_area_of_the_table():
    result = run(classifiers={"nb": GaussianNB(), "svc": SVC()}, data=THREE)
    for row, line in zip(result.table, result.evidence["lines"], strict=True):
        assert line["curve"]["area"] == pytest.approx(row["auc"], abs=1e-12)
        rates = np.array(line["curve"]["rates"])
        assert (np.diff(rates) >= 0).all()
        assert np.mean(rates[1:] + rates[:-1]) / 2 == pytest.approx(row["auc"], abs=0.03)


def test_a_perfect_and_a_blind_score():
    truths = np.array([[0], [0], [1], [1]], bool)
    rates, area = statistics.roc(truths, np.array([[1.0], [2.0], [3.0], [4.0]]))
    assert area == 1
    assert (rates == 1).all()
    rates, area = statistics.roc(truths, np.zeros((4, 1)))
    assert area == 0.5
    assert rates == pytest.approx(np.linspace(0, 1, 101))
    assert statistics.roc(truths[:2], np.zeros((2, 1))) is None


def test_evidence_is_fit_for_json_and_says_what_failed():
    result = run({"clues": CLUES, "fragile": FailsOn(0)}, {"nb": GaussianNB()})
    assert json.loads(json.dumps(result.evidence, allow_nan=False))["counts"] == np.bincount(Y).tolist()
    assert [line is None for line in result.evidence["lines"]] == [bool(row["error"]) for row in result.table]
    assert result.evidence["arms"]["fragile"] == "FailsOn"
    assert result.evidence["n_groups"] == len(np.unique(GROUPS))
    assert result.evidence["shown"] == []


def test_without_groups_nothing_is_said_of_groups():
    result = run(data=(X, Y, None))
    assert result.evidence["n_groups"] is None
    assert of(result, "clues")["groups"] is None


# ------------------------------------------------------------------------------------------------------ share_interval


def test_independent_rows_have_the_interval_of_wilson():
    """Wilson's own, by scipy, of rows that are their own groups, where fits do not differ and are many."""
    from scipy.stats import binomtest

    right = np.tile([True, True, True, False], 100)[None]
    folds = np.repeat(np.arange(100), 4)[None]
    found = statistics.share_interval(right, np.ones(400, bool), np.arange(400), folds)
    known = binomtest(300, 400).proportion_ci(method="wilson")
    assert found == pytest.approx((0.75, known.low, known.high), abs=2e-3)


def test_copies_of_a_row_make_no_interval_narrower():
    rng = np.random.RandomState(0)
    right, folds = rng.rand(1, 40) < 0.7, np.tile(np.arange(10), 4)[None]
    alone = statistics.share_interval(right, np.ones(40, bool), np.arange(40), folds)
    copied = [np.repeat(values, 25, axis=-1) for values in (right, np.ones(40, bool), np.arange(40), folds)]
    assert statistics.share_interval(*copied) == pytest.approx(alone, abs=1e-12)


def test_all_right_is_not_certain():
    ones = np.ones(60, bool)
    share, low, high = statistics.share_interval(ones[None], ones, np.arange(60) // 3, np.arange(60)[None] % 20)
    assert (share, high) == (1.0, 1.0)
    assert 0.8 < low < 0.85  # as of 20 patients, not 60 rows: the rule of Wilson gives 0.82 by t


# --------------------------------------------------------------------------------------------------------------- shown


def images(n=24, side=8):
    y = np.arange(n) % 2
    return (y[:, None, None] * 100 + np.arange(n)[:, None, None] * np.ones((1, side, side))).astype(np.uint8), y


class Augmenter:
    """Draws black images."""

    history_: ClassVar = {"step": list(range(0, 5000, 10)), "generator_loss": [float(k) for k in range(500)]}

    def sample(self, n, y=None, random_state=None):
        return np.zeros((n, 64)), y


def flat_rows(fold, shared, classifier):
    return Columns(fold.X.reshape(len(fold.X), -1), fold.y, fold.X_test.reshape(len(fold.X_test), -1))


def shown_by(**settings):
    rows, y = images()
    show = gan_arms(name="fake")["fake columns"].show
    fit = {"share": "s", "fit_shared": lambda fold: SimpleNamespace(gan=Augmenter()), "show": show}
    arms, classifiers = {"fake": Arm("columns", flat_rows, **fit)}, {"nb": GaussianNB(), "svc": SVC()}
    return run(arms, classifiers, (rows, y, None), target_names=["a", "b"], **settings)


def test_a_fit_shows_curves_and_as_many_images_as_asked_for_once():
    (shown,) = shown_by(n_images=2).evidence["shown"]
    assert shown["fit"] == "s"
    assert len(shown["history"]["step"]) == 200
    assert shown["history"]["step"][-1] == 4990
    assert [picture["label"] for picture in shown["pictures"]] == ["a", "b"]
    assert any("membership inference" in line for line in shown["privacy"])
    assert "This is no guarantee" in shown["privacy"][-1]
    for picture in shown["pictures"]:
        assert [tile["what"] for tile in picture["tiles"]] == ["real", "real", "synthetic", "synthetic"]


def test_no_image_is_kept_unasked():
    result = shown_by()
    assert result.evidence["shown"][0]["pictures"] == []
    assert "png" not in json.dumps(result.cells)


def test_what_cannot_be_shown_fails_no_figure():
    broken = Arm("columns", CLUES.prepare, share="s", fit_shared=lambda f: None, show=lambda f, s, n: 1 / 0)
    result = run({"broken": broken})
    assert result.evidence["shown"] == [{"regime": "all", "fit": "s", "error": "ZeroDivisionError: division by zero"}]
    assert not result.failures
    assert unpack(result.cells[0]["predicted"]).size
