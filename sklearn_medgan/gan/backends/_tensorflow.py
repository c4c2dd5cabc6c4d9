"""What the engine needs of TensorFlow; see `Backend`."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import tensorflow as tf

from ._tensorflow_gradients import custom_gradient
from ._tensorflow_strided import conv, filter_gradient, transpose
from ._tensorflow_workers import workers

__all__ = ["conv", "filter_gradient", "transpose", "workers"]

TRACES = True
ANY_LENGTH = True
PARALLEL = 4  # items that `each` may work at, each by itself, where threads are free

spec = tf.TensorSpec
fold_in = tf.random.experimental.stateless_fold_in


def check() -> None:
    """Raise where networks cannot run, naming the setting at fault."""
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


def untold_variables() -> AbstractContextManager:
    """Give all variables one name and no fixed shape: TensorFlow keeps 40 kB of each name and shape for ever."""

    def create(creator: Callable, **options: Any) -> tf.Variable:
        return creator(**{**options, "name": "weights/", "shape": tf.TensorShape(None)})

    return tf.variable_creator_scope(create)


def release(variables: Sequence[Any]) -> None:
    """Make them empty."""
    for variable in variables:
        if variable.value.shape.rank is None:
            variable.value.assign(tf.zeros(0, variable.dtype))


def compiled(function: Callable, signature: tuple) -> Callable:
    """Return a graph that is traced at the first call."""
    traced = tf.function(function, input_signature=signature, jit_compile=False, autograph=False)
    graph = functools.cache(traced.get_concrete_function)
    return lambda *args: graph()(*args)


def each(function: Callable, signature: tuple) -> Callable:
    """Return a graph that maps `function`."""
    *shared, item = signature

    def map_items(*args: tf.Tensor) -> tf.Tensor:
        one = functools.partial(function, *args[:-1])
        return tf.map_fn(one, args[-1], parallel_iterations=PARALLEL, fn_output_signature=tf.float32)

    return compiled(map_items, (*shared, tf.TensorSpec((None, *item.shape), item.dtype)))


def loop(n: tf.Tensor, body: Callable, carry: Any) -> Any:
    """Loop within the graph."""
    return tf.while_loop(
        lambda i, _: i < n, lambda i, carry: (i + 1, body(i, carry)), (0, carry), parallel_iterations=1
    )[1]


def pullback(function: Callable, *inputs: tf.Tensor) -> tuple[tuple, Any, Callable]:
    """Record on a tape."""
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(inputs)
        outputs, others = function(*inputs)

    def pull(cotangents: Sequence[tf.Tensor | None]) -> list[tf.Tensor]:
        heard = [pair for pair in zip(outputs, cotangents, strict=True) if pair[1] is not None]
        targets, pulls = zip(*heard, strict=True)
        return tape.gradient(list(targets), list(inputs), list(pulls))

    return outputs, others, pull


def split(flat: tf.Tensor, sizes: list[int]) -> Sequence[tf.Tensor]:
    """Cut by slices, which share the vector's memory: `tf.split` copies all pieces, also those that nothing reads."""
    ends = list(itertools.accumulate(sizes))

    @custom_gradient
    def cut(flat: tf.Tensor) -> tuple[list[tf.Tensor], Callable]:
        pieces = [flat[end - size : end] for end, size in zip(ends, sizes, strict=True)]
        return pieces, lambda *gradients: tf.concat(gradients, 0)

    return cut(flat)


def split_key(key: tf.Tensor, n: int) -> Sequence[tf.Tensor]:
    """Return `n` keys."""
    return tf.unstack(tf.random.experimental.stateless_split(key, n))


def uniform(key: tf.Tensor, shape: tuple, low: float, high: float, dtype: Any) -> tf.Tensor:
    """Draw numbers between `low` and `high`."""
    return tf.random.stateless_uniform(shape, key, low, high, dtype)


def normal(key: tf.Tensor, shape: tuple, dtype: Any) -> tf.Tensor:
    """Draw standard normal numbers."""
    return tf.random.stateless_normal(shape, key, dtype=dtype)


def searchsorted(sorted_sequence: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Return places; that of Keras 3.6 to 3.10 cannot be recorded for a vector of any length."""
    return tf.searchsorted(sorted_sequence, values, out_type=tf.int64)


def space_to_depth(x: tf.Tensor) -> tf.Tensor:
    """Rearrange; nothing is lost."""
    return tf.nn.space_to_depth(x, 2)


def depth_to_space(x: tf.Tensor) -> tf.Tensor:
    """Rearrange; nothing is lost."""
    return tf.nn.depth_to_space(x, 2)
