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
    assert set(gan.history_) == {"step", *METRICS, "learning_rate"}
    assert all(len(values) == 3 and np.isfinite(values).all() for values in gan.history_.values())


def test_training_that_diverges_goes_back_and_on_in_smaller_steps():
    with pytest.warns(ConvergenceWarning, match=r"diverged after step 0.*tenth.*Lower learning_rate") as caught:
        gan = fit(learning_rate=1.0)
    assert file_of(caught, ConvergenceWarning) == small_fits.__file__  # where fit is called
    assert gan.history_["step"] == [10, 20, 30]  # the ten that diverged are dropped
    np.testing.assert_allclose(gan.history_["learning_rate"], 0.1, rtol=1e-6)
    assert max(gan.history_["sample_spread"]) < 10
    assert np.isfinite(gan.transform(X)).all()


@pytest.mark.parametrize(("rate", "max_iter"), [(100.0, 2), (1e30, 50), (3e38, 50), (1e39, 1)])
def test_training_that_diverges_again_is_an_error(rate, max_iter):
    """At 1e39 a single step: losses are taken before the update, so they are finite, and the weights overflow."""
    with np.errstate(over="ignore"), pytest.raises(ValueError, match=r"diverged after step 0.*Lower learning_rate"):
        fit(learning_rate=rate, max_iter=max_iter)


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
