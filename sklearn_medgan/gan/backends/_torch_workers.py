"""Data parallel training with PyTorch: over the processes of `torch.distributed`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import keras
import numpy as np
import torch
from torch import distributed

from ._workers import ALONE, Workers

TIMEOUT = timedelta(seconds=300)  # of a worker that hangs


def workers() -> Workers:
    """Return the processes of the group that `torch.distributed.init_process_group` made; one where there is none."""
    grouped = distributed.is_available() and distributed.is_initialized()
    n, place = (distributed.get_world_size(), distributed.get_rank()) if grouped else (1, 0)
    return TorchWorkers(n, place) if n > 1 else ALONE


@dataclass(frozen=True)
class TorchWorkers(Workers):
    """The processes of the default group, one worker each."""

    n: int = 1
    rank: int = 0

    @property
    def n_processes(self) -> int:  # type: ignore[override]
        """Return the number of processes."""
        return self.n

    def place(self) -> int:
        """Return the rank."""
        return self.rank

    def mean(self, tensors: Any) -> Any:
        """Reduce them all at once, as one vector."""
        parts = keras.tree.flatten(tensors)
        vector = torch.cat([part.reshape(-1) for part in parts])
        distributed.all_reduce(vector, async_op=True).wait(TIMEOUT)
        pieces = torch.split(vector / self.n, [part.numel() for part in parts])
        shaped = [piece.reshape(part.shape) for piece, part in zip(pieces, parts, strict=True)]
        return keras.tree.pack_sequence_as(tensors, shaped)

    def lost(self, error: Exception) -> bool:
        """Tell: Gloo has no error of its own."""
        return isinstance(error, RuntimeError)

    def gather(self, numbers: list[float]) -> np.ndarray:
        """Send the numbers as a row of a table that is zero elsewhere, and add the tables up."""
        table = torch.zeros(self.n, len(numbers), device=keras.ops.zeros(()).device)
        table[self.rank] = torch.tensor(numbers)
        distributed.all_reduce(table, async_op=True).wait(TIMEOUT)
        return table.cpu().numpy()
