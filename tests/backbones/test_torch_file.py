"""Weights files of PyTorch: what is read, and what is refused before it can do anything."""

from __future__ import annotations

import collections
import hashlib
import io
import os
import pickle
import struct
import sys
import types

import numpy as np
import pytest

from sklearn_medgan.backbones._torch_file import read_tensors

WEIGHT = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
STEPS = np.array(7, np.int64)


class _Storage:
    """Stands for a storage in a pickle, as PyTorch writes it."""

    def __init__(self, kind, key, size):
        self.kind, self.key, self.size = kind, key, size


class _Tensor:
    """Pickles as PyTorch's tensors do: a call of `_rebuild_tensor_v2`."""

    def __init__(self, storage, offset, shape, strides):
        self.arguments = (storage, offset, shape, strides, False, collections.OrderedDict())

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.arguments


@pytest.fixture(autouse=True)
def _torch(monkeypatch):
    """Names that a pickle of PyTorch refers to."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2():
        raise AssertionError("this package must not call what a file names")

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    for kind in ("FloatStorage", "LongStorage", "QInt8Storage"):
        setattr(torch, kind, type(kind, (), {"__module__": "torch"}))
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)


def pickled(content) -> bytes:
    """`content` pickled with storages named from outside, as PyTorch does."""

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            if isinstance(value, _Storage):
                kind = getattr(sys.modules["torch"], value.kind)
                return ("storage", kind, value.key, "cpu", value.size, None)

    file = io.BytesIO()
    Pickler(file, protocol=2).dump(content)
    return file.getvalue()


def state(shape=(2, 3, 4), strides=(12, 4, 1), offset=0):
    """A dictionary of two tensors, `WEIGHT` and `STEPS`."""
    weight = _Tensor(_Storage("FloatStorage", "0", 24), offset, shape, strides)
    return collections.OrderedDict(weight=weight, steps=_Tensor(_Storage("LongStorage", "1", 1), 0, (), ()))


def saved(content) -> bytes:
    """A file as `torch.save` wrote it before PyTorch 1.6."""
    parts = [pickle.dumps(x, 2) for x in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    parts += [content if isinstance(content, bytes) else pickled(content), pickle.dumps(["0", "1"], 2)]
    for array in (WEIGHT, STEPS):
        parts.append(struct.pack("<q", array.size) + array.tobytes())
    return b"".join(parts)


@pytest.fixture
def read(tmp_path):
    """Write a file's content, and read it by its checksum."""

    def read(content: bytes):
        path = tmp_path / "weights.pth"
        path.write_bytes(content)
        return read_tensors(path, hashlib.sha256(content).hexdigest())

    return read


def test_a_file_gives_its_arrays(read):
    arrays = read(saved(state()))
    assert list(arrays) == ["weight", "steps"]
    np.testing.assert_array_equal(arrays["weight"], WEIGHT, strict=True)
    np.testing.assert_array_equal(arrays["steps"], STEPS, strict=True)


def test_offset_and_strides_are_those_of_the_file(read):
    arrays = read(saved(state(shape=(4, 3), strides=(1, 4), offset=12)))
    np.testing.assert_array_equal(arrays["weight"], WEIGHT[1].T, strict=True)


class _Call:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


HOSTILE = {
    "os.system": _Call(os.system, "touch REACHED"),
    "builtins.eval": _Call(eval, "open('REACHED', 'w')"),
    "builtins.getattr": _Call(getattr, _Call(getattr, "", "join"), "__class__"),
    "importlib": _Call(__import__, "antigravity"),
    "numpy": _Call(np.load, "REACHED"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_file_that_would_call_something_is_refused_before_it_does(read, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"names \S+, which is no tensor"):
        read(saved(collections.OrderedDict(weight=HOSTILE[kind])))
    assert [p.name for p in tmp_path.iterdir()] == ["weights.pth"]


@pytest.mark.parametrize("name", [b"_utils.os.system", b"_rebuild_tensor_v2.__globals__", b"_rebuild_parameter"])
def test_names_reached_through_others_are_refused(read, name):
    dotted = b"\x80\x04" + b"".join(b"\x8c" + bytes([len(x)]) + x for x in (b"torch._utils", name)) + b"\x93."
    with pytest.raises(ValueError, match=r"names torch\._utils\.\S+, which is no tensor"):
        read(saved(dotted))


def test_kinds_of_number_that_are_not_read_are_named(read):
    tensor = _Tensor(_Storage("QInt8Storage", "0", 24), 0, (24,), (1,))
    with pytest.raises(ValueError, match="QInt8Storage"):
        read(saved(collections.OrderedDict(weight=tensor)))


def test_the_checksum_is_looked_at_before_the_content(tmp_path):
    path, right = tmp_path / "weights.pth", hashlib.sha256(saved(state())).hexdigest()
    path.write_bytes(saved(HOSTILE["os.system"]))
    with pytest.raises(ValueError, match=f"damaged or another one: expected the SHA-256 checksum {right}, got"):
        read_tensors(path, right)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"nothing\.pth cannot be read"):
        read_tensors(tmp_path / "nothing.pth", "0" * 64)
