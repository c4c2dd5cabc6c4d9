"""Read the arrays of a PyTorch weights file without PyTorch, and without running what the file says.

A `.pth` file is a pickle, which may name any function to call. The unpickler here knows three kinds of name: ordered
dictionaries, storages of numbers and the function that makes a tensor of one; everything else is an error. Both forms
are read: the archive (PyTorch 1.6 and later) and the older row of pickles. See `torch/serialization.py` in PyTorch.
"""

from __future__ import annotations

import collections
import hashlib
import io
import math
import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C  # first object of the older form
PROTOCOL = 1001  # second object of the older form
STORAGES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


class _Storage(NamedTuple):
    """Numbers side by side, named by a key; the file holds them elsewhere."""

    key: str
    dtype: str
    size: int


class _Tensor(NamedTuple):
    """A view of a storage; offset and strides in numbers, not bytes."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self, storages: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return a copy of the numbers, of shape `shape`."""
        numbers = storages[self.storage.key]
        n = math.prod(self.shape)
        last = self.offset + sum((side - 1) * stride for side, stride in zip(self.shape, self.strides, strict=True))
        if n > len(numbers) or (n and last >= len(numbers)):
            raise ValueError(f"a tensor of shape {self.shape} reaches beyond the {len(numbers)} numbers of its storage")
        strides = [stride * numbers.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(numbers[self.offset :], self.shape, strides).copy()


class _TensorUnpickler(pickle.Unpickler):
    """Unpickle dictionaries of tensors, and refuse every other name."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what a name stands for: nothing that a file could call to any effect."""
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor_maker()
        if module == "torch" and name in STORAGES:
            return name
        raise ValueError(f"it names {module}.{name}, which is no tensor")

    def persistent_load(self, pid: Any) -> _Storage:
        """Return the storage that ("storage", type, key, device, size[, None]) describes."""
        if not (isinstance(pid, tuple) and len(pid) in (5, 6) and pid[0] == "storage" and pid[5:] in ((), (None,))):
            raise ValueError("it describes a storage in an unknown way")
        _, kind, key, _, size = pid[:5]
        if kind not in STORAGES or not isinstance(key, str) or not _are_counts((size,)):
            raise ValueError("it describes a storage in an unknown way")
        return _Storage(key, STORAGES[kind], size)


def _tensor_maker() -> Callable[..., _Tensor]:
    """Return a function of its own for each file: a pickle can write to the attributes of what it is given."""

    def make(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _Tensor:
        described = isinstance(storage, _Storage) and isinstance(shape, tuple) and isinstance(strides, tuple)
        if not described or len(shape) != len(strides) or not _are_counts((offset, *shape, *strides)):
            raise ValueError("it describes a tensor in an unknown way")
        return _Tensor(storage, offset, shape, strides)

    return make


def _are_counts(values: tuple[Any, ...]) -> bool:
    """Return whether all are whole numbers from 0 up."""
    return all(type(value) is int and value >= 0 for value in values)


def read_tensors(path: str | Path, sha256: str | None = None) -> dict[str, np.ndarray]:
    """Return the arrays of a file that `torch.save` wrote of a dictionary of tensors, by name.

    A ValueError where it cannot be read, has another checksum (`sha256`, 64 hexadecimal digits), is cut short or holds
    anything but tensors.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"The weights file {path} cannot be read: {error}. Install its package again.") from error
    found = hashlib.sha256(content).hexdigest()
    if sha256 not in (None, found):
        raise ValueError(
            f"The weights file {path} is damaged or another one: expected the SHA-256 checksum {sha256}, got {found}. "
            "Install its package again."
        )
    read = _read_archive if content.startswith(b"PK") else _read_pickles
    try:
        return read(io.BytesIO(content))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError, OverflowError, MemoryError,
            UnicodeDecodeError, pickle.UnpicklingError, zipfile.BadZipFile, NotImplementedError) as error:  # fmt: skip
        raise ValueError(
            f"{path} is no PyTorch weights file of tensors alone ({error or type(error).__name__}). "
            "Save a network's state_dict() with torch.save."
        ) from error


def _read_pickles(file: BinaryIO) -> dict[str, np.ndarray]:
    """Return the arrays of the older form: five pickles, then each storage behind its size."""
    magic, protocol, system = (_TensorUnpickler(file).load() for _ in range(3))
    if magic != MAGIC or protocol != PROTOCOL or system.get("little_endian") is not True:
        raise ValueError("it does not begin as one")
    tensors = _tensors(_TensorUnpickler(file).load())
    declared = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    storages = {}
    for key in _TensorUnpickler(file).load():
        storage = declared[key]
        size = int.from_bytes(file.read(8), "little")
        if size != storage.size:
            raise ValueError(f"a storage of {storage.size} numbers has {size}")
        storages[key] = _numbers(storage, file.read(size * np.dtype(storage.dtype).itemsize))
    return {name: tensor.array(storages) for name, tensor in tensors.items()}


def _read_archive(file: BinaryIO) -> dict[str, np.ndarray]:
    """Return the arrays of the newer form: one pickle and a file for each storage, not compressed."""
    with zipfile.ZipFile(file) as archive:
        members = {info.filename.partition("/")[2]: info for info in archive.infolist()}
        if any(info.compress_type != zipfile.ZIP_STORED for info in members.values()):
            raise ValueError("it is compressed")
        if "byteorder" in members and archive.read(members["byteorder"]) != b"little":
            raise ValueError("its byte order is not little-endian")
        tensors = _tensors(_TensorUnpickler(io.BytesIO(archive.read(members["data.pkl"]))).load())
        declared = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
        storages = {k: _numbers(storage, archive.read(members[f"data/{k}"])) for k, storage in declared.items()}
    return {name: tensor.array(storages) for name, tensor in tensors.items()}


def _tensors(content: Any) -> dict[str, _Tensor]:
    """Return what was unpickled, if it is a dictionary of tensors."""
    if not isinstance(content, dict) or not all(
        isinstance(name, str) and isinstance(value, _Tensor) for name, value in content.items()
    ):
        raise ValueError("it is no dictionary of tensors")
    return dict(content)


def _numbers(storage: _Storage, content: bytes) -> np.ndarray:
    """Return a storage's numbers."""
    if len(content) != storage.size * np.dtype(storage.dtype).itemsize:
        raise ValueError(f"a storage of {storage.size} numbers has {len(content)} bytes")
    return np.frombuffer(content, storage.dtype)
