"""Other people's settings: left alone, and without a say in what is computed."""

import functools
import random
from contextlib import contextmanager

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_fits import Stop, X, fit, fit_enhancer
from tiny import gan as tiny_gan
from tiny import random_images

from sklearn_medgan.gan import restoration, training

IMAGES = random_images(12, 8, 8)


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


@contextmanager
def as_others_set_keras():
    """Half precision, double precision by name, and channels first, as in somebody's notebook or keras.json."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("mixed_float16")
    keras.config.set_image_data_format("channels_first")
    try:
        yield
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")
        keras.config.set_image_data_format("channels_last")


@contextmanager
def with_functions_run_eagerly():
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


BEGINS = {
    "table": lambda: fit(max_iter=3).transform(X),
    "images": lambda: tiny_gan(max_iter=1).fit(IMAGES, np.arange(12) % 2).transform(IMAGES),
    "restorer": lambda: fit_enhancer(max_iter=3).transform(X),
}


@pytest.mark.slow
@pytest.mark.parametrize("begin", BEGINS)
def test_settings_of_others_change_no_result_and_stay(begin, monkeypatch):
    """Programs are recorded anew under each."""

    def anew():
        for module in (training, restoration):
            function = getattr(module._program_of, "__wrapped__", module._program_of)
            monkeypatch.setattr(module, "_program_of", functools.lru_cache(1)(function))
        return BEGINS[begin]()

    expected = anew()
    for others in (as_others_set_keras, with_functions_run_eagerly):
        with others():
            before = settings()
            found = anew()
            assert settings() == before
        assert np.array_equal(found, expected)


def test_without_eager_execution_it_says_so():
    gan = fit()
    with tf.Graph().as_default(), pytest.raises(RuntimeError, match=r"needs TensorFlow's eager execution.*disable_v2"):
        gan.transform(X)
