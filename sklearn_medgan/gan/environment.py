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

from .._backend import check_backend
from .backends import ALONE, Workers, backend

_LOCK = threading.RLock()  # floatx and the data format are those of the process, not of a thread


def check_environment() -> None:
    """Raise where networks cannot run, naming the setting at fault."""
    check_backend()
    backend.check()


@contextmanager
def own_settings() -> Iterator[None]:
    """Build Keras layers and trace functions in float32 and channels-last, then put the user's settings back.

    Their weights are on one device, whatever `keras.distribution` is set to: a program holds none that matter.
    """
    with _LOCK:
        before = keras.config.dtype_policy(), keras.config.floatx(), keras.config.image_data_format()
        distribution = keras.distribution.distribution()
        _set("float32", "float32", "channels_last", None)
        try:
            yield
        finally:
            _set(*before, distribution)


def _set(policy: Any, floatx: str, data_format: str, distribution: Any) -> None:
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)
    keras.config.set_image_data_format(data_format)
    keras.distribution.set_distribution(distribution)


class Compiled:
    """A function in the fastest form that the backend has for it; `n_traces` counts how often it was recorded.

    `signature` holds the types of the arguments. With `each` the last argument is a stack of items of that type, which
    go through the function one by one, and so are the results. With `workers` all of them run it.
    """

    def __init__(self, function: Callable, signature: tuple, *, each: bool = False, workers: Workers = ALONE) -> None:
        self.function, self.workers, self.n_traces = workers.spread(function), workers, 0
        traced = self._trace if backend.TRACES else self.function
        self.run = backend.each(traced, signature) if each else backend.compiled(traced, signature)

    def _trace(self, *args: Any) -> Any:
        self.n_traces += 1
        with own_settings():
            return self.function(*args)

    def __call__(self, *args: Any) -> Any:
        """Return the outputs for arguments of the signature, as tensors."""
        check_environment()
        return self.workers.local(self.run(*self.workers.placed(args)))
