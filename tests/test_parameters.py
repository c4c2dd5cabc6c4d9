"""The error that names a parameter; whole numbers and ranges: what is one, and what is said of the rest."""

import pickle

import numpy as np
import pytest

from sklearn_medgan._parameters import ParameterError, check_range, check_whole


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_a_whole_number_is_an_int(value):
    assert type(check_whole("factor", value, 3)) is int


@pytest.mark.parametrize("value", [2, 3.0, "3", None, True, np.nan])
def test_what_is_no_whole_number_is_named_with_the_least_one_and_the_advice(value):
    with pytest.raises(ParameterError) as caught:
        check_whole("factor", value, 3, "Pass 4.")
    assert str(caught.value) == f"factor must be a whole number from 3 up; got {value!r}. Pass 4."
    assert caught.value.parameter == "factor"


@pytest.mark.parametrize(("value", "expected"), [(2, (2, 2)), ((1, 2.5), (1, 2.5)), ([0, 0], (0, 0))])
def test_a_number_and_a_rising_pair_are_ranges(value, expected):
    assert check_range("sigma", value) == expected


@pytest.mark.parametrize("value", [(2, 1), (1,), (1, 2, 3), -1, 6, "1", None, True, (0, np.inf), (np.nan, 1)])
def test_what_is_no_range_is_named_with_the_limits(value):
    with pytest.raises(ParameterError, match=r"sigma must be a number or a pair .* from 0 to 5; got .*Pass one number"):
        check_range("sigma", value, 0, 5)


@pytest.mark.parametrize(
    ("subject", "text", "worded"),
    [
        (None, "n_splits must be 2; got 1. Raise n_splits.", "--folds must be 2; got 1."),
        ("The set", "The set must be 2; got 1. Raise n_splits.", "The set must be 2; got 1."),
    ],
)
def test_a_parameter_error_is_worded_anew_and_survives_a_worker(subject, text, worded):
    error = pickle.loads(pickle.dumps(ParameterError("n_splits", "must be 2", "1", "Raise n_splits.", subject)))
    assert isinstance(error, ValueError)
    assert (str(error), error.worded("--folds", "")) == (text, worded)
