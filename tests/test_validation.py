import pickle

import pytest

from sklearn_medgan._validation import ParameterError


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
