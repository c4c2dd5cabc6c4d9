"""The devices or processes that share a training: what they do together, and what one alone does instead of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

Tensor = Any


class Workers:
    """One worker, which shares with nobody. A library's subclass is of several, each with a copy of all data.

    Those that compare equal compute alike: compiled functions are kept by them. `n` workers, devices that each take a
    share of the rows of a batch, belong to `n_processes`, each of which runs the same program.
    """

    n = 1
    n_processes = 1

    def placed(self, arrays: Any) -> Any:
        """Return arrays, which are the same in all processes, as tensors that all workers hold."""
        return arrays

    def local(self, arrays: Any) -> Any:
        """Return what a function that is spread has returned, as tensors of this process alone."""
        return arrays

    def spread(self, function: Callable) -> Callable:
        """Return the function for all workers: each calls it with the same arguments, and has to return the same."""
        return function

    def share(self, rows: Tensor) -> Tensor:
        """Return one worker's rows: every `n`-th, so that shares of several stacks can be joined as the stacks can.

        Only within a function that is spread; this and `mean`.
        """
        if self.n == 1:
            return rows
        return ops.take(ops.reshape(rows, (rows.shape[0] // self.n, self.n, *rows.shape[1:])), self.place(), 1)

    def place(self) -> Tensor | int:
        """Return the worker's own number, from 0."""
        return 0

    def mean(self, tensors: Any) -> Any:
        """Return the mean over the workers of each tensor, the same for all."""
        return tensors

    def lost(self, error: Exception) -> bool:
        """Tell whether this is raised where another process has gone."""
        return False

    def gather(self, numbers: list[float]) -> np.ndarray:
        """Return the numbers of all processes, shape (at least `n_processes`, len(numbers)), float32 of several."""
        return np.array([numbers])


ALONE = Workers()
