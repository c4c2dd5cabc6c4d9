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
import zipfile

import numpy as np
import pytest

from sklearn_medgan.backbones._torch_file import MAGIC, PROTOCOL, read_tensors

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


def pickled(content, view=(None,)) -> bytes:
    """`content` pickled with storages named from outside, as PyTorch does."""

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            if isinstance(value, _Storage):
                kind = getattr(sys.modules["torch"], value.kind)
                return ("storage", kind, value.key, "cpu", value.size, *view)

    file = io.BytesIO()
    Pickler(file, protocol=2).dump(content)
    return file.getvalue()


def state(size=24, shape=(2, 3, 4), strides=(12, 4, 1), offset=0):
    """A dictionary of two tensors, `WEIGHT` and `STEPS`."""
    weight = _Tensor(_Storage("FloatStorage", "0", size), offset, shape, strides)
    return collections.OrderedDict(weight=weight, steps=_Tensor(_Storage("LongStorage", "1", 1), 0, (), ()))


def older(content, sizes=(24, 1), little_endian=True) -> bytes:
    """A file in the older form."""
    parts = [pickle.dumps(x, 2) for x in (MAGIC, PROTOCOL, {"little_endian": little_endian})]
    parts += [content if isinstance(content, bytes) else pickled(content), pickle.dumps(["0", "1"], 2)]
    for n, array in zip(sizes, (WEIGHT, STEPS), strict=True):
        parts.append(struct.pack("<q", n) + array.tobytes())
    return b"".join(parts)


def archive(content, compression=zipfile.ZIP_STORED, **others) -> bytes:
    """A file in the newer form."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as out:
        out.writestr("name/data.pkl", content if isinstance(content, bytes) else pickled(content, ()))
        out.writestr("name/data/0", WEIGHT.tobytes())
        out.writestr("name/data/1", STEPS.tobytes())
        for name, value in others.items():
            out.writestr(f"name/{name}", value)
    return file.getvalue()


@pytest.fixture
def written(tmp_path):
    """Write a file's content and return its path."""

    def write(content: bytes):
        path = tmp_path / "weights.pth"
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("form", [older, archive])
def test_both_forms_give_the_arrays(written, form):
    arrays = read_tensors(written(form(state())))
    assert list(arrays) == ["weight", "steps"]
    np.testing.assert_array_equal(arrays["weight"], WEIGHT, strict=True)
    np.testing.assert_array_equal(arrays["steps"], STEPS, strict=True)


@pytest.mark.parametrize("form", [older, archive])
def test_offset_and_strides_are_those_of_the_file(written, form):
    arrays = read_tensors(written(form(state(shape=(4, 3), strides=(1, 4), offset=12))))
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


@pytest.mark.parametrize("form", [older, archive])
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_file_that_would_call_something_is_refused_before_it_does(written, form, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = written(form(collections.OrderedDict(weight=HOSTILE[kind])))
    with pytest.raises(ValueError, match="no PyTorch weights file of tensors alone"):
        read_tensors(path)
    assert [p.name for p in tmp_path.iterdir()] == ["weights.pth"]


@pytest.mark.parametrize("name", [b"_utils.os.system", b"_rebuild_tensor_v2.__globals__", b"_rebuild_parameter"])
def test_names_reached_through_others_are_refused(written, name):
    dotted = b"\x80\x04" + b"".join(b"\x8c" + bytes([len(x)]) + x for x in (b"torch._utils", name)) + b"\x93."
    with pytest.raises(ValueError, match=r"it names torch\._utils\.\S+, which is no tensor"):
        read_tensors(written(older(dotted)))


def test_a_file_cannot_change_what_reads_the_next_one(written):
    poison = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nN}X\x08\x00\x00\x00poisonedX\x01\x00\x00\x00as\x86b."
    with pytest.raises(ValueError, match="no dictionary of tensors"):
        read_tensors(written(older(poison)))
    np.testing.assert_array_equal(read_tensors(written(older(state())))["weight"], WEIGHT)


@pytest.mark.parametrize(
    "settings",
    [
        {"shape": (2, 3, 5)},
        {"offset": 1},
        {"strides": (12, 4, 2)},
        {"shape": (10**12,), "strides": (0,)},
        {"shape": (2, 3, -4)},
        {"strides": (-12, 4, 1)},
        {"shape": (2, 3), "strides": (12, 4, 1)},
        {"shape": (2.0, 3.0, 4.0)},
        {"shape": (True, 3, 4)},
        {"size": 23},
        {"size": 2**62},
        {"size": -1},
    ],
    ids=str,
)
@pytest.mark.parametrize("form", [older, archive])
def test_sizes_that_are_not_so_are_refused(written, form, settings):
    with pytest.raises(ValueError, match="no PyTorch weights file of tensors alone"):
        read_tensors(written(form(state(**settings))))


def test_a_storage_of_another_size_than_was_said_is_refused(written):
    with pytest.raises(ValueError, match="a storage of 24 numbers has 23"):
        read_tensors(written(older(state(), sizes=(23, 1))))


@pytest.mark.parametrize("form", [older, archive])
def test_every_cut_is_noticed(written, form):
    content = form(state())
    for length in range(0, len(content), 7):
        with pytest.raises(ValueError, match="no PyTorch weights file of tensors alone"):
            read_tensors(written(content[:length]))


@pytest.mark.parametrize(
    "content",
    [
        older({"nested": {"weight": 1}}),
        older([1, 2]),
        older({1: 2}),
        b"hello, this is no weights file",
        pickle.dumps({"weight": 1}),
        older(b"\x80\x02r\xff\xff\xff\x7f."),
        archive(b"\x80\x02]."),
    ],
)
def test_anything_but_tensors_is_refused(written, content):
    with pytest.raises(ValueError, match="no PyTorch weights file of tensors alone"):
        read_tensors(written(content))


@pytest.mark.parametrize(
    ("form", "settings", "message"),
    [
        (older, {"little_endian": False}, "does not begin as one"),
        (archive, {"byteorder": b"big"}, "byte order"),
        (archive, {"compression": zipfile.ZIP_DEFLATED}, "compressed"),
    ],
)
def test_forms_that_are_not_read_are_named(written, form, settings, message):
    with pytest.raises(ValueError, match=message):
        read_tensors(written(form(state(), **settings)))


def test_kinds_of_number_that_are_not_read_are_named(written):
    tensor = _Tensor(_Storage("QInt8Storage", "0", 24), 0, (24,), (1,))
    with pytest.raises(ValueError, match="QInt8Storage"):
        read_tensors(written(older(collections.OrderedDict(weight=tensor))))


def test_the_checksum_is_looked_at_before_the_content(written):
    content = older(state())
    path, right = written(content), hashlib.sha256(content).hexdigest()
    assert set(read_tensors(path, right)) == {"weight", "steps"}
    written(older(HOSTILE["os.system"]))
    with pytest.raises(ValueError, match=f"damaged or another one: expected the SHA-256 checksum {right}, got"):
        read_tensors(path, right)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"nothing\.pth cannot be read"):
        read_tensors(tmp_path / "nothing.pth")
