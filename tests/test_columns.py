"""The tables of the benchmark of columns: what a default has more, on the mean over sets."""

from dataclasses import astuple

import numpy as np
import pytest
from scipy import stats

from sklearn_medgan.benchmark import _statistics as statistics


@pytest.fixture(scope="module")
def columns(benchmark_script):
    return benchmark_script("columns")


def test_the_mean_over_sets_is_that_of_welch_for_two_sets_turned_against_each_other(columns):
    """With the second set's sign turned, twice the mean is a difference of two means: Welch's test has its p."""
    rng = np.random.RandomState(0)
    first, second = rng.normal(0.3, 1.0, 12), rng.normal(0.1, 3.0, 30)
    sets = [
        statistics.PairedDifference.of(sign * rows.mean(), stats.sem(rows), len(rows) - 1)
        for sign, rows in ((1, first), (-1, second))
    ]
    found = columns.mean_difference(sets)
    expected = stats.ttest_ind(first, second, equal_var=False)
    assert found.p == pytest.approx(expected.pvalue)
    assert 2 * found.mean == pytest.approx(first.mean() - second.mean())
    assert (2 * found.low, 2 * found.high) == pytest.approx(tuple(expected.confidence_interval()))


def test_the_mean_over_sets_that_do_not_differ_is_none(columns):
    codes, groups, folds = np.arange(8) % 2, np.arange(8), np.arange(8)[None] // 2
    same = statistics.paired_difference(codes, groups, folds, codes[None], codes[None])
    assert astuple(columns.mean_difference([same, same]))[:4] == (0.0, 0.0, 0.0, 1.0)
