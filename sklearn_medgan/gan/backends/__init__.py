"""What the engine needs of TensorFlow, JAX or PyTorch beside `keras.ops`: one module each, of the same functions.

Keras chooses the library, by the environment variable KERAS_BACKEND or its file keras.json; `backend` is the module of
that library. TensorFlow has routes of its own where these are faster on a CPU.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, cast

import keras

from ._workers import ALONE, Workers

__all__ = ["ALONE", "Backend", "Pull", "Tensor", "Workers", "backend", "value_and_gradients"]

Tensor = Any  # of the library in use, or what it takes as one
Pull = Callable[[Sequence[Tensor | None]], list[Tensor]]


class Backend(Protocol):
    """What a module of a library offers. A key is whatever `fold_in` takes and returns: two whole numbers at first."""

    TRACES: bool  # whether `compiled` calls a function to record it, or every time
    ANY_LENGTH: bool  # whether it takes arrays of another length without recording it again

    def check(self) -> None:
        """Raise RuntimeError where networks cannot run in this process, naming the setting at fault."""

    def untold_variables(self) -> AbstractContextManager:
        """Create variables of which the library keeps nothing once they are gone."""

    def release(self, variables: Sequence[Any]) -> None:
        """Give back the memory of such variables, whose values nobody reads any more."""

    def workers(self) -> Workers:
        """Return those that training is spread over by the settings of the library; one where it is not."""

    def spec(self, shape: tuple[int | None, ...], dtype: str) -> Any:
        """Return the type of an argument of a compiled function."""

    def compiled(self, function: Callable, signature: tuple) -> Callable:
        """Return the function in its fastest form, for arrays of these types; it gives tensors."""

    def each(self, function: Callable, signature: tuple) -> Callable:
        """Return a compiled function that applies `function` to one item after the other of its last argument.

        `signature` holds the types of the other arguments, which every item shares, and of one item. The results,
        arrays of float32, are stacked.
        """

    def loop(self, n: Tensor, body: Callable, carry: Any) -> Any:
        """Return `carry` after ``carry = body(i, carry)`` for i from 0 to `n` - 1."""

    def pullback(self, function: Callable, *inputs: Tensor) -> tuple[tuple, Any, Pull]:
        """Evaluate ``function(*inputs) -> (outputs, others)``, two tuples, to be differentiated.

        The third result, `pull`, takes a cotangent for each of `outputs`, None for one that does not count, and
        returns the gradients at the inputs. It may be called several times. What is differentiated may call this, too.
        """

    def split(self, flat: Tensor, sizes: list[int]) -> Sequence[Tensor]:
        """Cut a vector into pieces of these sizes."""

    def fold_in(self, key: Tensor, number: Tensor) -> Tensor:
        """Return the key that belongs to a key and a whole number."""

    def split_key(self, key: Tensor, n: int) -> Sequence[Tensor]:
        """Return `n` keys that belong to a key."""

    def uniform(self, key: Tensor, shape: tuple, low: float, high: float, dtype: Any) -> Tensor:
        """Draw numbers between `low` and `high`, the same from the same key."""

    def normal(self, key: Tensor, shape: tuple, dtype: Any) -> Tensor:
        """Draw standard normal numbers, the same from the same key."""

    def searchsorted(self, sorted_sequence: Tensor, values: Tensor) -> Tensor:
        """Return for each value the place of the first number, of a vector of any length, that is no smaller."""

    def conv(self, fine: Tensor, filters: Tensor) -> Tensor:
        """Halve the sides by a 4x4 convolution of stride 2: (n, 2h, 2w, fine) -> (n, h, w, coarse)."""

    def transpose(self, coarse: Tensor, filters: Tensor, size: tuple[int, int]) -> Tensor:
        """Double the sides to `size`: (n, h, w, coarse) -> (n, *size, fine). The derivative of `conv` by `fine`."""

    def filter_gradient(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """Return the derivative of sum(conv(fine, filters) * coarse) with respect to the filters."""

    def space_to_depth(self, x: Tensor) -> Tensor:
        """(n, 2h, 2w, c) -> (n, h, w, 4c): each 2x2 block of pixels becomes one."""

    def depth_to_space(self, x: Tensor) -> Tensor:
        """(n, h, w, 4c) -> (n, 2h, 2w, c): the inverse of `space_to_depth`."""


backend = cast(Backend, importlib.import_module(f"._{keras.backend.backend()}", __name__))


def value_and_gradients(function: Callable, *inputs: Tensor) -> tuple[Tensor, Any, list[Tensor]]:
    """Return the scalar of ``function(*inputs) -> (scalar, others)``, the others, and the gradients at the inputs."""

    def as_outputs(*inputs: Tensor) -> tuple[tuple[Tensor], Any]:
        value, others = function(*inputs)
        return (value,), others

    (value,), others, pull = backend.pullback(as_outputs, *inputs)
    return value, others, pull([keras.ops.ones_like(value)])
