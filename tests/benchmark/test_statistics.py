"""Scores as scikit-learn has them, intervals as theory has them, and claims as often as chance allows."""

from dataclasses import astuple

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, brier_score_loss, roc_auc_score

from sklearn_medgan.benchmark import _statistics as statistics

RNG = np.random.RandomState(0)


def simulated(abilities, *, n=400, seeds=3, folds=4, luck=0.0, rng):
    """Predictions of arms on rows that differ in difficulty (standard deviation 1), with noise and luck of a fit.

    A row is right where ability + difficulty + luck of the fold's fit + noise (0.5) is positive.
    """
    codes, difficulty = np.arange(n) % 2, rng.standard_normal(n)
    fold_of = rng.randint(folds, size=(seeds, n))
    predictions = {}
    for name, ability in abilities.items():
        fit = np.take_along_axis(luck * rng.standard_normal((seeds, folds)), fold_of, 1)
        right = ability + difficulty + fit + 0.5 * rng.standard_normal((seeds, n)) > 0
        predictions[name] = np.where(right, codes, 1 - codes)
    return codes, np.arange(n), fold_of, predictions


def claims(codes, groups, folds, predictions):
    """Verdicts of every arm against the first."""
    reference, *others = predictions.values()
    found = [statistics.paired_difference(codes, groups, folds, other, reference) for other in others]
    adjusted = statistics.holm([d.p for d in found])
    return [statistics.verdict(d.mean, p) for d, p in zip(found, adjusted, strict=True)]


def differing(codes, groups, folds, predictions):
    """What arm "b" has more than "a"."""
    return statistics.paired_difference(codes, groups, folds, predictions["b"], predictions["a"])


# -- scores -------------------------------------------------------------------


def test_auc_is_that_of_scikit_learn():
    codes = RNG.randint(3, size=90)
    scores = RNG.dirichlet(np.ones(3), 90) + 0.3 * np.eye(3)[codes]
    scores /= scores.sum(1, keepdims=True)
    assert statistics.macro_auc(codes, scores) == pytest.approx(roc_auc_score(codes, scores, multi_class="ovr"))
    tied = np.round(scores[:, 1], 1)
    two = np.column_stack([-tied, tied])
    assert statistics.macro_auc((codes == 1).astype(int), two) == pytest.approx(roc_auc_score(codes == 1, tied))


def test_auc_leaves_out_a_class_that_is_not_there():
    codes = np.array([0, 0, 2, 2])
    scores = np.array([[0.8, 0.1, 0.1], [0.5, 0.1, 0.4], [0.2, 0.1, 0.7], [0.6, 0.1, 0.3]])
    expected = np.mean([roc_auc_score(codes == k, scores[:, k]) for k in (0, 2)])
    assert statistics.macro_auc(codes, scores) == pytest.approx(expected)
    assert np.isnan(statistics.macro_auc(np.zeros(4, int), scores))


def test_brier_score_of_two_classes_is_the_usual_one():
    codes, p = RNG.randint(2, size=50), RNG.rand(50)
    assert statistics.brier(codes, np.column_stack([1 - p, p])) == pytest.approx(brier_score_loss(codes, p))
    three = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    assert statistics.brier(np.array([0, 2]), three) == pytest.approx(0.5)


def test_suspicion_of_several_illnesses_agrees_with_the_call():
    scores = RNG.standard_normal((200, 4))
    called_ill = np.isin(scores.argmax(1), (0, 2))
    assert np.array_equal(statistics.suspicion(scores, (0, 2), False) > 0, called_ill)
    shares = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    assert statistics.suspicion(shares, (0, 2, 3), True) == pytest.approx(1 - shares[:, 1])
    assert np.array_equal(statistics.suspicion(scores, (3,), False), scores[:, 3])


def test_threshold_is_the_lowest_that_keeps_the_specificity():
    scores, is_ill = RNG.standard_normal(500), RNG.rand(500) < 0.3
    found = statistics.threshold(scores, is_ill)
    others = scores[~is_ill]
    assert (others <= found).mean() >= 0.9
    assert (others <= others[others < found].max()).mean() < 0.9


@pytest.mark.parametrize("n", [1, 2, 9, 10, 11, 20, 70, 100])
def test_threshold_of_few_rows_is_the_lowest_that_keeps_the_specificity(n):
    scores = RNG.permutation(n).astype(float)
    keeping = [s for s in scores if 10 * (scores > s).sum() <= n]
    assert statistics.threshold(scores, np.zeros(n, bool)) == min(keeping)


def test_threshold_of_a_fold_comes_from_the_other_folds():
    is_ill, fold_of = RNG.rand(400) < 0.4, np.arange(400) % 4
    scores = RNG.standard_normal(400) + is_ill
    called = statistics.at_specificity(scores, is_ill, fold_of)
    relabelled = np.where(fold_of == 2, ~is_ill, is_ill)
    assert np.array_equal(statistics.at_specificity(scores, relabelled, fold_of)[fold_of == 2], called[fold_of == 2])
    sensitivity, specificity = statistics.sensitivity_specificity(is_ill, called)
    assert specificity == pytest.approx(0.9, abs=0.03)
    assert 0.2 < sensitivity < 0.6  # 0.39 in theory


# -- differences --------------------------------------------------------------


def test_differences_are_those_of_balanced_accuracy():
    codes, groups, _, predictions = simulated({"a": 0.5, "b": 1.0}, n=90, rng=np.random.RandomState(1))
    codes = np.where(np.arange(90) < 20, 2, codes)
    folds = np.stack([(groups // 3 + seed) % 4 for seed in range(3)])
    means = {k: np.mean([balanced_accuracy_score(codes, row) for row in p]) for k, p in predictions.items()}
    assert differing(codes, groups // 3, folds, predictions).mean == pytest.approx(means["b"] - means["a"])
    parts = statistics.balanced_parts(codes, predictions["a"] == codes)
    assert parts.sum(1).mean() == pytest.approx(means["a"])


def test_variance_without_clusters_is_that_of_a_mean():
    """Rows that are their own group and, of one seed, their own fit."""
    values = RNG.standard_normal(50) / 50
    residuals = (values - values.mean())[None]
    found = statistics.two_way_variance(residuals, np.arange(50), np.arange(50)[None])
    assert found == pytest.approx(50 * np.var(values, ddof=1))


def test_variance_of_whole_clusters_is_that_of_their_sums():
    """All rows of a group, or of a fit, alike: one draw each."""
    sums = RNG.standard_normal(12)
    sums -= sums.mean()
    groups, folds = np.repeat(np.arange(12), 5), np.repeat(np.arange(12) % 3, 5)[None]
    at_least = 12 * np.var(sums, ddof=1) * (1 - 1e-12)  # rounding: often it is just this
    assert statistics.two_way_variance(np.repeat(sums / 5, 5)[None], groups, folds) >= at_least
    by_fit = np.array([2.0, -1.0, -1.0])
    residuals = (by_fit[folds[0]] / 20)[None]  # 20 rows a fit
    assert statistics.two_way_variance(residuals, groups, folds) == pytest.approx(3 * np.var(by_fit, ddof=1))


def test_copies_of_a_row_in_its_group_are_no_evidence():
    run = simulated({"a": 0.5, "b": 0.7}, n=200, luck=0.1, rng=np.random.RandomState(3))
    *per_row, predictions = run
    copies = [np.repeat(a, 5, axis=-1) for a in per_row], {k: np.repeat(p, 5, axis=1) for k, p in predictions.items()}
    assert astuple(differing(*copies[0], copies[1])) == pytest.approx(astuple(differing(*run)))


def test_spread_between_fits_widens_the_interval():
    codes, folds = np.arange(400) % 2, np.stack([np.arange(400) // 20 % 4, np.arange(400) // 7 % 4])
    wrong = np.stack([np.where(np.arange(400) % 10 < 2, 1 - codes, codes)] * 2)
    cells = folds + np.array([[0], [4]])
    found = {}
    for name, bad in (("steady", ()), ("wavering", (0, 1, 5, 7))):
        arms = {"a": wrong, "b": np.where(np.isin(cells, bad), wrong, codes)}
        found[name] = differing(codes, np.arange(400), folds, arms)
    steady, wavering = found["steady"], found["wavering"]
    assert steady.p < 1e-4
    assert wavering.p > 0.01  # four fits gain 20 points and four none: t is about 10 over 10.7 / sqrt(8)
    assert wavering.high - wavering.low > 1.5 * (steady.high - steady.low)


def test_equal_arms_do_not_differ():
    *rows, predictions = simulated({"a": 0.5}, n=60, rng=np.random.RandomState(4))
    found = differing(*rows, {"a": predictions["a"], "b": predictions["a"]})
    assert found == statistics.PairedDifference(0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize("luck", [0.0, 0.3], ids=["equal fits", "fits vary by 8 points"])
def test_interval_is_as_wide_as_differences_of_other_rows_and_fits_vary(luck):
    rng = np.random.RandomState(8)
    gains = [differing(*simulated({"a": 0.75, "b": 0.75}, luck=luck, rng=rng)) for _ in range(80)]
    spread = np.std([gain.mean for gain in gains])
    width = np.mean([gain.high - gain.low for gain in gains]) / (2 * 2.2)  # t of 11 degrees of freedom
    assert 0.85 * spread < width < 1.3 * spread
    assert np.mean([gain.low < 0 < gain.high for gain in gains]) >= 0.9


@pytest.mark.parametrize(
    ("groups", "seeds", "freedom"), [(np.arange(60), 3, 11), (np.arange(60), 1, 3), (np.arange(60) // 10, 3, 2)]
)
def test_freedom_is_that_of_the_fewest_clusters(groups, seeds, freedom):
    """Fits, or groups of a class: of 6 groups in two classes, 3."""
    codes = groups % 2
    rng = np.random.RandomState(3)
    folds = (
        np.stack([np.arange(60) // 10 % 4] * seeds)
        if len(set(groups)) < 60
        else np.arange(60 * seeds).reshape(seeds, 60) % 4
    )
    arms = {name: np.where(rng.rand(seeds, 60) < right, codes, 1 - codes) for name, right in (("a", 0.6), ("b", 0.8))}
    found = differing(codes, groups, folds, arms)
    error = (found.high - found.mean) / stats.t.ppf(0.975, freedom)
    assert found.p == pytest.approx(2 * stats.t.sf(abs(found.mean) / error, freedom))
    assert found.mean - found.low == pytest.approx(found.high - found.mean)


def test_few_groups_cannot_prove_much():
    codes, groups = np.tile([0, 1], 20), np.repeat(np.arange(4), 10)
    perfect = {"b": codes[None], "a": 1 - codes[None]}
    assert differing(codes, groups, groups[None] % 2, perfect).p == 2.0**-3


def test_holm_by_hand():
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert statistics.holm([0.6, 0.7]) == pytest.approx([1.0, 1.0])
    assert len(statistics.holm([])) == 0


@pytest.mark.parametrize(
    ("difference", "p", "expected"),
    [(0.1, 0.01, "gain"), (-0.1, 0.01, "loss"), (0.1, 0.06, "no evidence of a gain"), (-0.1, 0.9, None)],
)
def test_verdict(difference, p, expected):
    assert statistics.verdict(difference, p) == (expected or "no evidence of a gain")


# -- how often it claims ------------------------------------------------------


@pytest.mark.parametrize("luck", [0.0, 0.1, 0.3], ids=["equal fits", "fits vary by 3 points", "by 8 points"])
def test_copies_of_one_arm_are_rarely_called_a_gain(luck):
    rng, n_runs = np.random.RandomState(5), 200
    arms = {"reference": 0.75, "copy": 0.75, "another": 0.75}
    runs = [claims(*simulated(arms, luck=luck, rng=rng)) for _ in range(n_runs)]
    assert sum("gain" in run for run in runs) <= 0.05 * n_runs


def test_shuffled_labels_are_rarely_called_a_gain():
    rng, n_runs, claimed = np.random.RandomState(6), 200, 0
    for _ in range(n_runs):
        codes, *rest = simulated({"a": 0.5, "b": 1.0, "c": 2.0}, luck=0.1, rng=rng)
        claimed += "gain" in claims(rng.permutation(codes), *rest)
    assert claimed <= 0.05 * n_runs


@pytest.mark.parametrize("luck", [0.0, 0.05], ids=["equal fits", "fits vary by 1.4 points"])
def test_a_gain_of_five_points_at_400_rows_is_found(luck):
    rng, n_runs = np.random.RandomState(7), 60
    better = {"reference": 0.754, "better": 0.941}  # 75 % and 80 % right: normal quantiles times root 1.25
    runs = [simulated(better, luck=luck, rng=rng) for _ in range(n_runs)]
    gains = [np.mean(p["better"] == codes) - np.mean(p["reference"] == codes) for codes, *_, p in runs]
    assert np.mean(gains) == pytest.approx(0.05, abs=0.005)
    assert sum(claims(*run) == ["gain"] for run in runs) >= 0.8 * n_runs
