"""The dose is chosen by a rule whose figures can be worked out by hand, on folds that keep groups and classes whole."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold, KFold, PredefinedSplit, StratifiedKFold

from sklearn_medgan.pipeline._dose import choose_dose, describe_choice, inner_splits, judge_doses

# Four rows of class 0, eight of class 1; each dose is right on all of class 1.
Y = np.repeat([0, 1], [4, 8])
RIGHT = {0: [1, 1, 0, 0], 1: [1, 1, 1, 0], 2: [1, 1, 1, 1]}


def predictions(right_of_class_0, y=Y):
    right = np.r_[np.array(right_of_class_0, bool), np.ones(len(y) - 4, bool)]
    return np.where(right, y, 1 - y)


def judged(*doses, y=Y):
    return judge_doses(doses, y, None, [(np.arange(len(y)), np.stack([predictions(RIGHT[dose]) for dose in doses]))])


# -- the rule -----------------------------------------------------------------


def test_one_standard_error_rule_worked_out_by_hand():
    scores = judged(0, 1, 2)
    # Recalls of class 0: 2/4, 3/4, 4/4; of class 1: 1. A standard error is half that of the mean of four values:
    # two in four ones have a sample variance of 1/3, one in four of 1/4.
    of_two, of_one = np.sqrt(1 / 3 / 4) / 2, np.sqrt(1 / 4 / 4) / 2
    expected = {
        "dose": [0, 1, 2],
        "balanced_accuracy": [0.75, 0.875, 1.0],
        "standard_error": [of_two, of_one, 0],
        "difference": [0, 0.125, 0.25],
        "difference_error": [0, of_one, of_two],
        "behind_best": [0.25, 0.125, 0],
        "behind_best_error": [of_two, of_one, 0],
    }
    assert list(scores) == list(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(scores[name], values, atol=1e-15, err_msg=name)
    # 0 lies 0.25 behind, more than its 0.144; 1 lies 0.125 behind, just its standard error.
    assert choose_dose(scores) == 1.0


def test_a_single_row_never_decides():
    for n in (2, 3, 7, 100):
        y = np.repeat([0, 1], [n, 5])
        worse = np.where(np.arange(n + 5) == 0, 1, y)
        scores = judge_doses((0, 1), y, None, [(np.arange(n + 5), [worse, y])])
        np.testing.assert_allclose(scores["difference"][1], 1 / n / 2)
        np.testing.assert_allclose(scores["difference_error"][1], 1 / n / 2)
        assert choose_dose(scores) == 0.0


def test_rows_that_are_hard_for_every_dose_do_not_hide_a_gain():
    """Unpaired, the standard error of a recall of one half of 40 rows would be 8 points: more than the gain."""
    y = np.repeat([0, 1], 40)
    none = np.where(np.arange(80) % 2, y, 1 - y)
    some = np.where(np.isin(np.arange(80), (0, 2, 40, 42)), y, none)
    scores = judge_doses((0, 1), y, None, [(np.arange(80), [none, some])])
    np.testing.assert_allclose(scores["difference"][1], 0.05)
    assert scores["difference_error"][1] < 0.03 < 0.05 < scores["standard_error"][0]
    assert choose_dose(scores) == 1.0


def test_equal_doses_leave_none():
    scores = judge_doses((0, 0.5, 1), Y, None, [(np.arange(12), [predictions(RIGHT[1])] * 3)])
    assert choose_dose(scores) == 0.0
    assert not scores["difference_error"].any()


def test_a_dose_that_does_harm_is_never_chosen():
    assert choose_dose(judge_doses((0, 1), Y, None, [(np.arange(12), [Y, 1 - Y])])) == 0.0


def test_balanced_accuracy_is_that_of_scikit_learn_over_folds_together():
    rng = np.random.default_rng(0)
    y = rng.choice(["a", "b", "c"], 90, p=[0.6, 0.3, 0.1])
    predicted = rng.choice(["a", "b", "c"], (2, 90))
    parts = np.split(rng.permutation(90), [20, 50])
    scores = judge_doses((0, 1), y, None, ((part, predicted[:, part]) for part in parts))
    expected = [balanced_accuracy_score(y, row) for row in predicted]
    np.testing.assert_allclose(scores["balanced_accuracy"], expected)


# -- the standard error -------------------------------------------------------


def random_predictions(seed, n_groups=150, n_classes=2):
    """Groups of one to five rows, of one class or of several; two doses whose faults groups have in common."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_groups), rng.integers(1, 6, n_groups))
    y = np.where(rng.random(len(groups)) < 0.8, groups % n_classes, rng.integers(0, n_classes, len(groups)))
    fault = rng.random((2, n_groups)) < 0.3
    right = np.where(fault[:, groups], rng.random((2, len(groups))) < 0.2, rng.random((2, len(groups))) < 0.9)
    return y, groups, np.where(right, y, (y + 1) % n_classes)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_standard_error_is_that_of_a_bootstrap_over_groups(n_classes):
    y, groups, predicted = random_predictions(0, n_classes=n_classes)
    scores = judge_doses((0, 1), y, groups, [(np.arange(len(y)), predicted)])
    rng, n_groups = np.random.default_rng(1), groups.max() + 1
    cells = groups * n_classes + y
    total = np.bincount(cells, minlength=n_groups * n_classes).reshape(n_groups, n_classes)
    right = [np.bincount(cells, row == y, total.size).reshape(total.shape) for row in predicted]
    draws = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), 4000)
    first, second = (((draws @ counts) / (draws @ total)).mean(1) for counts in right)
    assert scores["difference_error"][1] == pytest.approx((second - first).std(), rel=0.08)
    assert scores["standard_error"][0] == pytest.approx(first.std(), rel=0.08)


def test_copies_of_rows_in_a_group_are_worth_one_row():
    y, _, predicted = random_predictions(2)
    once = judge_doses((0, 1), y, None, [(np.arange(len(y)), predicted)])
    copies = judge_doses(
        (0, 1), np.repeat(y, 3), np.repeat(np.arange(len(y)), 3), [(np.arange(3 * len(y)), np.repeat(predicted, 3, 1))]
    )
    for name, values in once.items():
        np.testing.assert_allclose(copies[name], values, atol=1e-12, err_msg=name)


def test_rows_held_out_twice_are_worth_one_row_and_those_never_held_out_none():
    y, _, predicted = random_predictions(3)
    half = np.arange(len(y) // 2)
    twice = judge_doses((0, 1), y, None, [(half, predicted[:, half])] * 2)
    alone = judge_doses((0, 1), y[half], None, [(half, predicted[:, half])])
    for name, values in alone.items():
        np.testing.assert_allclose(twice[name], values, atol=1e-12, err_msg=name)


def share_of_positive_doses(effect, n=50, n_runs=200):
    """How often one of three doses is chosen that each change 12 % of the predictions, on balance by `effect`.

    Without them, 80 % of the rows are right; half of what the doses do to a row they do alike.
    """
    rng, y = np.random.default_rng(0), np.repeat([0, 1], n)
    fixed, broken = (0.12 + effect) / 2 / 0.2, (0.12 - effect) / 2 / 0.8
    n_chosen = 0
    for _ in range(n_runs):
        right = rng.random(2 * n) < 0.8
        luck = np.where(rng.random((3, 2 * n)) < 0.5, rng.random(2 * n), rng.random((3, 2 * n)))
        outcomes = np.concatenate([right[None], np.where(right, luck > broken, luck < fixed)])
        scores = judge_doses((0, 0.5, 1, 2), y, None, [(np.arange(2 * n), np.where(outcomes, y, 1 - y))])
        n_chosen += choose_dose(scores) > 0
    return n_chosen / n_runs


def test_how_often_chance_and_truth_decide():
    assert 0.2 < share_of_positive_doses(0.0) < 0.45  # "about a third", as the docs say
    assert share_of_positive_doses(-0.06) < 0.05
    assert share_of_positive_doses(0.08) > 0.9


# -- folds --------------------------------------------------------------------


def held_out(splits):
    return np.sort(np.concatenate([test for _, test in splits])).tolist()


def test_folds_are_three_stratified_ones_in_which_every_row_is_held_out_once():
    splits = inner_splits(Y, Y)
    assert len(splits) == 3
    assert held_out(splits) == list(range(12))
    assert all(np.bincount(Y[test], minlength=2).min() >= 1 for _, test in splits)


def test_folds_are_fewer_where_a_class_has_rows_or_groups_for_no_more():
    y = np.repeat([0, 1], [10, 2])
    assert len(inner_splits(y, y)) == 2
    assert len(inner_splits(Y, Y, groups=np.r_[0, 0, 1, 1, np.arange(2, 10)])) == 2
    assert len(inner_splits(Y, Y, cv=4)) == 4


@pytest.mark.parametrize("seed", range(5))
def test_groups_never_straddle_and_every_class_is_trained_on(seed):
    y, groups, _ = random_predictions(seed, n_groups=12, n_classes=3)
    for cv in (None, 2):
        splits = inner_splits(y, y, cv=cv, groups=groups)
        assert held_out(splits) == list(range(len(y)))
        for train, test in splits:
            assert not set(groups[train]) & set(groups[test])
            assert set(y[train]) == {0, 1, 2}


def test_splitters_and_iterables_are_taken_as_they_are():
    for cv in (StratifiedKFold(2, shuffle=True, random_state=0), PredefinedSplit(np.arange(12) % 2)):
        for found, wanted in zip(inner_splits(Y, Y, cv=cv), cv.split(Y, Y), strict=True):
            assert np.array_equal(found[1], wanted[1])
    odd = np.arange(12) % 2 == 1
    ((train, test),) = inner_splits(Y, Y, cv=[(odd, ~odd)])
    assert (train.tolist(), test.tolist()) == ([1, 3, 5, 7, 9, 11], [0, 2, 4, 6, 8, 10])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y": np.repeat([0, 1], [11, 1])}, r"two rows of each; got n_samples=12 and one row of class 1\. Set dose"),
        ({"groups": np.repeat([0, 1, 2], [4, 4, 4])}, "two groups of each; .*one group of class 0"),
        ({"cv": 9}, r"cv=9 cannot split n_samples=12 rows: .*Or change cv"),
        ({"cv": GroupKFold(2)}, r"cv=GroupKFold\(.*cannot split .*pass groups to fit"),
        ({"cv": KFold(2), "y": np.repeat([0, 1], 6)}, "inner fold 0 of cv=KFold.* trains on no row of class 0"),
        ({"cv": [(np.arange(10), [10, 11])]}, "two rows of each class among .*got 0 of class 0"),
        ({"cv": [(np.arange(12), np.arange(0))]}, r"inner fold 0 of cv=\[...\] holds out no row"),
        ({"cv": []}, "got 0 of class 0"),
        ({"cv": [(np.arange(12), np.arange(12))]}, r"inner fold 0 of cv=\[...\] has a row on both sides"),
        (
            {"cv": [(np.arange(0, 12, 2), np.arange(1, 12, 2))], "groups": np.arange(12) // 2},
            "has rows of a group on both sides.*such as StratifiedGroupKFold",
        ),
    ],
)
def test_folds_that_cannot_judge_are_refused(arguments, message):
    y = arguments.pop("y", Y)
    with pytest.raises(ValueError, match=message):
        inner_splits(y, y, **arguments)


# -- in words -----------------------------------------------------------------


def test_the_choice_in_words():
    assert describe_choice(judged(0, 1, 2)) == (
        "dose 1 chosen of 0, 1, 2: 1 gained 12.5 points of balanced accuracy on held-out real rows, with a standard "
        "error of 12.5"
    )
    assert "dose 0 chosen of 0, 1: 1 gained 12.5 points" in describe_choice(judged(0, 1))
    assert describe_choice(judged(0, 1)).endswith("within its standard error of 12.5")
    worse = judge_doses((0, 1), Y, None, [(np.arange(12), [Y, 1 - Y])])
    assert describe_choice(worse) == "dose 0 chosen of 0, 1: no other was better on held-out real rows"
