"""Read the arrays of a PyTorch weights file without PyTorch, and without running what the file says.

A `.pth` file is a pickle, which may name any function to call. So nothing is unpickled of a file whose checksum is
another, and the unpickler here knows three kinds of name alone: ordered dictionaries, storages of numbers and the
function that makes a tensor of one. The form is that of PyTorch before 1.6, a row of pickles with the numbers behind
them: see `torch/serialization.py` there.
"""

from __future__ import annotations

import collections
import hashlib
import io
import pickle
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

STORAGES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}
HEAD = 3  # pickles ahead of the tensors: a mark, the version of the form, and the machine


class _Tensor(NamedTuple):
    """A view of a storage, which the file holds elsewhere, under a key; offset and strides in numbers, not bytes."""

    storage: tuple[str, np.dtype]
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self, storages: dict[str, np.ndarray]) -> np.ndarray:
        """Return a copy of the numbers."""
        numbers = storages[self.storage[0]][self.offset :]
        strides = [stride * numbers.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(numbers, self.shape, strides).copy()


class _TensorUnpickler(pickle.Unpickler):
    """Unpickle dictionaries of tensors, and refuse every other name."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what a name stands for: nothing that a file could call to any effect."""
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: _Tensor(storage, offset, shape, strides)
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        raise ValueError(f"The weights file names {module}.{name}, which is no tensor.")

    def persistent_load(self, pid: Any) -> tuple[str, np.dtype]:
        """Return key and dtype of the storage that ("storage", dtype, key, device, size, view) describes."""
        return pid[2], pid[1]


def read_tensors(path: str | Path, sha256: str) -> dict[str, np.ndarray]:
    """Return the arrays of a file that `torch.save` wrote of a dictionary of tensors, by name."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"The weights file {path} cannot be read: {error}. Install its package again.") from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ValueError(
            f"The weights file {path} is damaged or another one: expected the SHA-256 checksum {sha256}, got {found}. "
            "Install its package again."
        )
    file = io.BytesIO(content)
    *_, tensors, keys = (_TensorUnpickler(file).load() for _ in range(HEAD + 2))
    dtypes = dict(tensor.storage for tensor in tensors.values())
    storages = {}
    for key in keys:
        size = int.from_bytes(file.read(8), "little")
        storages[key] = np.frombuffer(file.read(size * dtypes[key].itemsize), dtypes[key])
    return {name: tensor.array(storages) for name, tensor in tensors.items()}
