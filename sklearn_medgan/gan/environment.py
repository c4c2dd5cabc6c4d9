"""Settings that other code in the process may have changed: what of them networks are kept from, and what they need.

Networks are built and traced under settings of our own, and then run as graphs: so their results are the same whatever
the global settings are, and no cached program depends on those under which it was first asked for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from .._fork import check_not_forked

_LOCK = threading.RLock()  # floatx and the data format are those of the process, not of a thread


def check_environment() -> None:
    """Raise where networks cannot run, naming the setting at fault."""
    check_not_forked()
    if not tf.executing_eagerly():
        raise RuntimeError(
            "sklearn_medgan needs TensorFlow's eager execution, which is switched off here, by "
            "tf.compat.v1.disable_eager_execution(), tf.compat.v1.disable_v2_behavior() or a surrounding "
            "tf.Graph().as_default(). Call it without them, if need be in a process of its own."
        )
    if hasattr(tf.Tensor, "astype"):  # NumPy's methods come with its rules of promotion, to float64
        raise RuntimeError(
            "sklearn_medgan needs TensorFlow's own rules for dtypes, which "
            "tf.experimental.numpy.experimental_enable_numpy_behavior() has replaced in this process for good. Call it "
            "in a process without that."
        )


@contextmanager
def own_settings() -> Iterator[None]:
    """Build Keras layers and trace functions in float32 and channels-last, then put the user's settings back."""
    with _LOCK:
        before = keras.config.dtype_policy(), keras.config.floatx(), keras.config.image_data_format()
        _set("float32", "float32", "channels_last")
        try:
            yield
        finally:
            _set(*before)


def _set(policy: Any, floatx: str, data_format: str) -> None:
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)
    keras.config.set_image_data_format(data_format)


class Compiled:
    """A function that is traced when it is first called, and from then on run as a graph."""

    def __init__(self, function: Callable, signature: tuple) -> None:
        self.function = tf.function(function, input_signature=signature, jit_compile=False, autograph=False)
        self.graph: Callable | None = None

    def __call__(self, *args: Any) -> Any:
        """Return the outputs for arguments of the signature, as tensors."""
        check_environment()
        if self.graph is None:
            with own_settings():
                self.graph = self.function.get_concrete_function()
        return self.graph(*args)
