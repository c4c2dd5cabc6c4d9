"""Other people's settings: left alone, and without a say in what is computed."""

import random

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_fits import Stop, X, fit


def settings():
    return {
        "python": random.getstate(),
        "numpy": tuple(map(str, np.random.get_state())),  # noqa: NPY002
        "tensorflow": tf.random.get_global_generator().state.numpy().tolist(),
        "policy": keras.config.dtype_policy().name,
        "floatx": keras.config.floatx(),
        "eager": tf.config.functions_run_eagerly(),
        "threads": (
            tf.config.threading.get_intra_op_parallelism_threads(),
            tf.config.threading.get_inter_op_parallelism_threads(),
        ),
        "jit": tf.config.optimizer.get_jit(),
    }


@pytest.mark.parametrize("changed", [{"width": 3}, {"width": 3, "random_state": None}], ids=str)
def test_no_global_seed_or_setting_is_touched(changed):
    """The width is one that no other test uses, so that networks are built here."""
    before = settings()
    gan = fit(**changed, callbacks=[Stop()])
    gan.transform(X)
    gan.sample(2, random_state=1)
    _ = gan.generator_
    after = settings()
    if "random_state" in changed and changed["random_state"] is None:
        before.pop("numpy"), after.pop("numpy")  # None means numpy's own generator, as everywhere in scikit-learn
    assert after == before


def test_numpy_behaviour_is_refused_by_name_and_leaves_an_earlier_fit_alone(monkeypatch):
    gan = fit()
    expected = gan.transform(X)
    with monkeypatch.context() as patched:
        patched.setattr(tf.Tensor, "astype", None, raising=False)  # what enabling it adds, for good, to the class
        with pytest.raises(RuntimeError, match="experimental_enable_numpy_behavior"):
            gan.transform(X)
        with pytest.raises(RuntimeError, match="experimental_enable_numpy_behavior"):
            fit(width=5)
    assert np.array_equal(gan.transform(X), expected)
