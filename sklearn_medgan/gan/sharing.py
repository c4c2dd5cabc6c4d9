"""What a training asks of the workers that share it before it begins."""

from __future__ import annotations

import zlib
from typing import Any

import keras
import numpy as np

from .backends import Workers

FEWEST_ROWS = 2  # of a worker: of one row there is no spread


def check_shares(workers: Workers, batch_size: int, *, halved: bool = False) -> None:
    """Raise ValueError where workers cannot share batches evenly; with `halved` also those of half the size."""
    step = workers.n * (2 if halved else 1)
    if workers.n > 1 and (batch_size % step or batch_size < FEWEST_ROWS * step):
        raise ValueError(
            f"{workers.n} workers share each batch evenly, {FEWEST_ROWS} rows or more each; batch_size={batch_size} is "
            f"not theirs to share. Set batch_size to a multiple of {step}, at least {FEWEST_ROWS * step}."
        )


def check_alike(workers: Workers, arrays: Any) -> None:
    """Raise ValueError in all processes where one began with other arrays than the rest."""
    if workers.n_processes == 1:
        return
    sums = [zlib.crc32(part.tobytes()) for part in map(_array, keras.tree.flatten(arrays))]
    table = workers.gather([half for total in sums for half in divmod(total, 1 << 16)])
    if (table != table[0]).any():
        raise ValueError(
            "The processes that share this training began with different data, parameters or random_state. Give each "
            "the same rows (all of them: each takes its share of a batch) and the same whole number as random_state."
        )


def _array(part: Any) -> np.ndarray:
    return keras.ops.convert_to_numpy(part) if keras.ops.is_tensor(part) else np.asarray(part)
