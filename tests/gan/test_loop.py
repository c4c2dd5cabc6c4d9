"""The loop around the step: history, budgets, divergence, interruption."""

import numpy as np
import pytest
import small_fits
from sklearn.exceptions import ConvergenceWarning
from small_fits import Stop, X, fit

from sklearn_medgan.gan.training import METRICS

pytestmark = pytest.mark.backend


def file_of(caught, kind):
    """Of the first warning of a kind: with JAX and PyTorch NumPy 2 has others, of Keras."""
    return next(warning.filename for warning in caught if warning.category is kind)


def test_history_has_an_entry_every_ten_steps_and_at_the_end():
    gan = fit(max_iter=25)
    assert gan.history_["step"] == [10, 20, 25]
    assert set(gan.history_) == {"step", *METRICS}
    assert all(len(values) == 3 and np.isfinite(values).all() for values in gan.history_.values())


@pytest.mark.parametrize("rate", [1e30, 3e38])
def test_divergence_warns_and_keeps_the_last_finite_weights(rate):
    with pytest.warns(ConvergenceWarning, match=r"diverged after step \d+.*Lower learning_rate"):
        gan = fit(learning_rate=rate, loss="wasserstein", max_iter=50)
    assert gan.n_iter_ < 50
    assert np.isfinite(gan.transform(X)).all()
    assert np.isfinite(gan.sample(5)[0]).all()


def test_divergence_in_the_last_step_is_noticed():
    """One step: losses are taken before the update, so they are finite, and the weights overflow."""
    expected = pytest.warns(ConvergenceWarning, match="diverged after step 0")
    with np.errstate(over="ignore"), expected as caught:  # JAX rounds the rate by NumPy
        gan = fit(learning_rate=1e39, max_iter=1)
    assert file_of(caught, ConvergenceWarning) == small_fits.__file__  # where fit is called
    assert np.isfinite(gan.transform(X)).all()


def test_interruption_leaves_a_fitted_estimator():
    callback = Stop(2, KeyboardInterrupt())
    with pytest.warns(ConvergenceWarning, match="interrupted at step 20") as caught:
        gan = fit(callbacks=[callback])
    assert file_of(caught, ConvergenceWarning) == small_fits.__file__  # where fit is called
    assert gan.n_iter_ == 20
    assert callback.calls == ["begin", "end"]
    assert np.array_equal(gan.transform(X), fit(max_iter=20).transform(X))
    assert len(gan.sample(3)[0]) == 3


def test_time_limit_ends_training_after_the_first_step():
    gan = fit(max_time=1e-9, max_iter=10**6)
    assert gan.n_iter_ == 1
    assert gan.history_["step"] == [1]
