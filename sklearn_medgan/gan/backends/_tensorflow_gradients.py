"""Functions with gradients of their own, which leave nothing behind in TensorFlow.

`tf.custom_gradient` notes the gradient of every call in a graph under a new name, for `tf.gradients`, in a register of
the process that is never emptied: with each gradient the whole graph stays in memory, also of a program that nobody
uses any more. A tape, by which this package differentiates, keeps the gradient itself and asks no register.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import ops

# A private name: where it has gone, memory is not freed, and nothing else changes.
_REGISTER: dict = getattr(getattr(ops, "gradient_registry", None), "_registry", {})


def custom_gradient(function: Callable) -> Callable:
    """Return ``function(*tensors) -> (results, gradient)`` as one that gives the results; tapes differentiate them."""
    recorded = tf.custom_gradient(function)

    @functools.wraps(function)
    def call(*tensors: tf.Tensor) -> Any:
        results = recorded(*tensors)
        if not tf.executing_eagerly():
            _REGISTER.pop(tf.nest.flatten(results)[0].op.get_attr("_gradient_op_type").decode(), None)
        return results

    return call
