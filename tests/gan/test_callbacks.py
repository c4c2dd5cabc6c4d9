"""Keras callbacks: what they are told, what they may change, what is left of a fit in them."""

import keras
import numpy as np
import pytest
from small_fits import Stop, X, fit

from sklearn_medgan.gan.training import METRICS


def test_callbacks_are_told_of_every_entry_and_see_the_averaged_networks():
    callback = Stop()
    gan = fit(callbacks=[callback])
    assert callback.calls == ["begin", "end"]
    assert [epoch for epoch, _ in callback.told] == [0, 1, 2]
    for name in METRICS:
        assert [logs[name] for _, logs in callback.told] == gan.history_[name]
    for ours, theirs in zip(callback.weights, gan.generator_.get_weights(), strict=True):
        assert np.array_equal(ours, theirs)


def test_callbacks_do_not_change_what_is_learned():
    assert np.array_equal(fit(callbacks=[Stop()]).transform(X), fit().transform(X))


def test_callback_stops_training():
    assert fit(callbacks=[Stop(2)]).n_iter_ == 20


def test_keras_early_stopping_works():
    never_better = keras.callbacks.EarlyStopping("loss", min_delta=1e9, patience=1)
    gan = fit(callbacks=[never_better], max_iter=100)
    assert 0 < gan.n_iter_ < 100


def test_error_in_a_callback_comes_out():
    with pytest.raises(RuntimeError, match="mine"):
        fit(callbacks=[Stop(1, RuntimeError("mine"))])
