from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.utils import check_sampling_strategy

from sklearn_medgan._allocation import (
    STRATEGIES,
    class_counts,
    dose_counts,
    synthetic_counts,
    synthetic_weights,
    target_counts,
)

label_lists = st.lists(st.sampled_from("abcd"), min_size=1, max_size=40)
two_class_lists = st.lists(st.sampled_from([0, 1]), min_size=2, max_size=40).filter(lambda y: len(set(y)) > 1)
doses = st.floats(0, 5, allow_nan=False)


def ending(y, added):
    return {label: n + added[label] for label, n in Counter(y).items()}


@given(label_lists, doses)
@settings(deadline=None)
def test_dose_allots_exactly_its_total(y, dose):
    added = dose_counts(y, dose)
    assert sum(added.values()) == round(dose * len(y))
    assert min(added.values()) >= 0
    assert set(added) == set(y)


@given(label_lists, doses)
@settings(deadline=None)
def test_no_row_moved_to_another_class_makes_the_classes_more_even(y, dose):
    added = dose_counts(y, dose)
    ends = ending(y, added)
    for giver, taker in product(ends, ends):
        if added[giver] and giver != taker:
            assert ends[giver] - 1 <= ends[taker]


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=8), st.floats(0, 1.5))
@settings(max_examples=50, deadline=None)
def test_dose_is_as_even_as_the_best_of_all_allotments(y, dose):
    counts, total = Counter(y), round(dose * len(y))
    added = dose_counts(y, dose)
    allotments = (a for a in product(range(total + 1), repeat=len(counts)) if sum(a) == total)
    spread = min(sum((n + extra) ** 2 for n, extra in zip(counts.values(), a, strict=True)) for a in allotments)
    assert sum(n**2 for n in ending(y, added).values()) == spread


@given(label_lists, doses, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_dose_does_not_depend_on_the_order_of_the_rows(y, dose, random):
    shuffled = random.sample(y, len(y))
    assert dose_counts(shuffled, dose) == dose_counts(y, dose)


def test_left_over_rows_go_to_the_smallest_class_then_to_the_first_label():
    assert dose_counts([0, 0, 0, 1, 2, 2], 1.0) == {0: 1, 1: 3, 2: 2}
    assert dose_counts(["x", "y", "z"], 2 / 3) == {"x": 1, "y": 1, "z": 0}


def test_dose_zero_adds_nothing():
    assert dose_counts([0, 0, 1], 0) == {0: 0, 1: 0}


def all_targets(y, strategy):
    return {**class_counts(y), **target_counts(y, strategy)}


def imblearn_targets(y, strategy):
    added = check_sampling_strategy(strategy, np.asarray(y), "over-sampling")
    return {label: n + int(added.get(label, 0)) for label, n in class_counts(y).items()}


@given(label_lists.filter(lambda y: len(set(y)) > 1), st.sampled_from(STRATEGIES))
@settings(deadline=None)
def test_named_strategies_agree_with_imbalanced_learn(y, strategy):
    assert all_targets(y, strategy) == imblearn_targets(y, strategy)


@given(label_lists.filter(lambda y: len(set(y)) > 1), st.lists(st.integers(0, 9), min_size=4, max_size=4))
@settings(deadline=None)
def test_mappings_and_callables_agree_with_imbalanced_learn(y, extra):
    wanted = {label: Counter(y)[label] + n for label, n in zip("abcd", extra, strict=True) if label in y and n}
    assert all_targets(y, wanted) == imblearn_targets(y, wanted)
    assert all_targets(y, lambda labels: wanted) == imblearn_targets(y, wanted)


@given(two_class_lists, st.floats(0.01, 1))
@settings(deadline=None)
def test_a_ratio_agrees_with_imbalanced_learn(y, ratio):
    smallest, largest = sorted(Counter(y).values())
    if int(ratio * largest) < smallest:
        with pytest.raises(ValueError, match="Increase the ratio"):
            target_counts(y, ratio)
    elif int(ratio * largest) == smallest:  # imbalanced-learn has nothing to add here, and raises
        assert all_targets(y, ratio) == class_counts(y)
    else:
        assert all_targets(y, ratio) == imblearn_targets(y, ratio)


@given(label_lists, st.sampled_from(["auto", "all"]), st.floats(0, 4))
@settings(deadline=None)
def test_ratio_lifts_every_class_to_its_share_and_removes_none(y, strategy, ratio):
    counts = Counter(y)
    for label, n in ending(y, synthetic_counts(y, strategy, ratio)).items():
        assert n == max(counts[label], round(ratio * max(counts.values())))


@pytest.mark.parametrize(
    ("strategy", "added"),
    [
        ("auto", [6, 8, 10]),
        ("all", [6, 8, 10]),
        ("minority", [0, 0, 10]),
        ("not minority", [6, 8, 0]),
        ("not majority", [0, 8, 10]),
        ({"b": 5}, [0, 6, 0]),
        (lambda y: {"c": 4}, [0, 0, 6]),
    ],
)
def test_ratio_lifts_no_class_that_the_strategy_does_not_name(strategy, added):
    assert list(synthetic_counts([*"aaaaaabbbbcc"], strategy, 2.0).values()) == added


def test_ratio_lifts_the_smaller_class_alone_where_the_strategy_is_a_number():
    assert synthetic_counts([0] * 6 + [1] * 2, 0.5, 2.0) == {0: 0, 1: 4}


def test_ratio_two_doubles_the_balanced_classes_the_largest_included():
    assert synthetic_counts([0] * 6 + [1] * 2, "auto", 2.0) == {0: 6, 1: 10}


def test_one_class_can_grow_by_ratio():
    assert synthetic_counts(["a"] * 3, "auto", 2.0) == {"a": 3}


@pytest.mark.parametrize("container", ["list", "array", "object", "pandas", "polars"])
def test_labels_may_come_in_any_container(container):
    import pandas as pd
    import polars as pl

    y = {
        "list": list,
        "array": np.array,
        "object": lambda v: np.array(v, dtype=object),
        "pandas": pd.Series,
        "polars": pl.Series,
    }[container](["b", "a", "b"])
    assert target_counts(y) == {"a": 2, "b": 2}
    np.testing.assert_array_equal(synthetic_weights(y, [1, 2, 5], y), [3, 2, 3])


@pytest.mark.parametrize(
    ("strategy", "error", "words"),
    [
        ("majority", ValueError, "one of 'auto', 'minority'.*got 'majority'"),
        ({"c": 5}, ValueError, r"among \['a', 'b'\]; got \['c'\]"),
        ({"a": 1}, ValueError, "Got 1 for class 'a', which has 3"),
        ({"a": -1}, ValueError, "Got -1 for class 'a'"),
        ({"a": 4.5}, TypeError, "whole numbers"),
        (1.5, ValueError, r"in \(0, 1\]"),
        (0.0, ValueError, r"in \(0, 1\]"),
        (0.1, ValueError, "Increase the ratio"),
        (lambda y: 3, TypeError, "must return a mapping"),
        (None, TypeError, "sampling_strategy must be a string"),
        (True, TypeError, "sampling_strategy must be a string"),
    ],
)
def test_a_strategy_that_cannot_be_met_says_why(strategy, error, words):
    with pytest.raises(error, match=words):
        target_counts(["a", "a", "a", "b"], strategy)


def test_a_float_with_three_classes_says_why():
    with pytest.raises(ValueError, match=r"exactly two classes; got 3: \[0, 1, 2\]"):
        target_counts([0, 1, 2], 0.5)


@pytest.mark.parametrize("y", [[], [[0, 1], [1, 0]]])
def test_labels_of_a_wrong_shape_are_refused(y):
    with pytest.raises(ValueError, match="one-dimensional array of class labels"):
        target_counts(y)


@pytest.mark.parametrize(
    ("value", "error"),
    [(-0.5, ValueError), (np.nan, ValueError), (np.inf, ValueError), ("1", TypeError), (None, TypeError)],
)
def test_a_dose_or_ratio_that_is_no_amount_is_refused(value, error):
    with pytest.raises(error, match="dose must be"):
        dose_counts([0, 1], value)
    with pytest.raises(error, match="ratio must be"):
        synthetic_counts([0, 1], "auto", value)


@given(two_class_lists, st.data())
@settings(deadline=None)
def test_a_synthetic_row_weighs_the_mean_of_its_class(y, data):
    weight = data.draw(st.lists(st.floats(0, 10), min_size=len(y), max_size=len(y)))
    factor = data.draw(st.floats(0, 3))
    y_new = data.draw(st.lists(st.sampled_from(sorted(set(y))), max_size=10))
    expected = [factor * np.mean([w for w, label in zip(weight, y, strict=True) if label == new]) for new in y_new]
    np.testing.assert_allclose(synthetic_weights(y, weight, y_new, factor), expected, rtol=1e-12, atol=1e-12)


def test_without_weights_a_synthetic_row_weighs_the_factor():
    np.testing.assert_array_equal(synthetic_weights([0, 1, 1], None, [1, 0], 0.25), [0.25, 0.25])


def test_weights_of_a_wrong_length_or_label_are_refused():
    with pytest.raises(ValueError, match=r"shape \(3,\); got shape \(2,\)"):
        synthetic_weights([0, 1, 1], [1, 2], [1])
    with pytest.raises(ValueError, match=r"among \[0, 1\]; got \[2\]"):
        synthetic_weights([0, 1, 1], None, [2, 0])
    with pytest.raises(ValueError, match=r"among \['a'\]; got \['b'\]"):
        synthetic_weights(["a"], None, ["b"])
