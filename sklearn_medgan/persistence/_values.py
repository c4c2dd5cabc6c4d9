"""Values as tagged JSON and named arrays beside it, and back.

What a file names by a key is made of the class that the fixed tables below have for it, so nothing in a file is ever
executed, and a class may be moved or renamed.
"""

from __future__ import annotations

import functools
import importlib
import io
import math
import types
import typing
import zipfile
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from ._tensors import NAMES, unpacked

PACKAGE = "sklearn_medgan"
# Key in files -> module and class. Keys are for ever; what they stand for may move.
ESTIMATORS = {
    "GANAugmenter": ".augmentation._augmenter:GANAugmenter",
    "GANEnhancer": ".enhancement._enhancer:GANEnhancer",
}
PIPELINES = {
    "Pipeline": ".pipeline._pipeline:Pipeline",
    "Pipeline of scikit-learn": "sklearn.pipeline:Pipeline",
}
# What the fitted attributes are made of, beside plain values and arrays.
RECORDS = {
    "configuration": ".gan.training:Configuration",
    "player": ".gan.state:Player",
    "state": ".gan.state:State",
    "restorer configuration": ".gan.restoration:RestorerConfiguration",
    "form": "._containers:Form",
    "image codec": "._codecs:ImageCodec",
    "image scale": "._codecs:ImageScale",
    "canvas": ".augmentation._canvas:Canvas",
    "table codec": "._codecs:TableCodec",
    "normal scores": ".augmentation._mixture:NormalScores",
    "mixture": ".augmentation._mixture:Mixture",
    "class scores": ".augmentation._class_scores:ClassScores",
    "restoration of images": ".enhancement._images:ImageRestoration",
    "restoration of tables": ".enhancement._tables:TableRestoration",
    "restoration of unpaired images": ".enhancement._unpaired:UnpairedRestoration",
    "restoration of noisy images": ".enhancement._self_supervised:NoisyRestoration",
    "noise curve": ".enhancement._self_supervised:NoiseCurve",
    "site shift": ".enhancement._site_shift:SiteShift",
    "tone mapping": ".enhancement._tone:ToneMapping",
    "tone curve": ".enhancement._tone:ToneCurve",
    "error model": ".enhancement._error_model:ErrorModel",
    "error scaling": ".enhancement._calibration:Scaling",
}
KEYS = {home: key for table in (ESTIMATORS, PIPELINES, RECORDS) for key, home in table.items()}
TAG = "$"
TENSORS = "arrays.safetensors"
KINDS = "biufUSMm"  # of arrays in a file: numbers, text and times

Arrays = dict[str, np.ndarray]


def key_of(kind: type) -> str | None:
    return KEYS.get(f"{kind.__module__.removeprefix(PACKAGE)}:{kind.__qualname__}")


def find(key: str, table: dict[str, str]) -> Callable[..., Any]:
    module, name = table[key].split(":")
    return getattr(importlib.import_module(module, PACKAGE), name)


def tag_of(coded: Any) -> str:
    return coded[TAG] if isinstance(coded, dict) else type(coded).__name__


def _is_of(value: Any, hint: Any) -> bool:
    """Tell whether a value is of an annotated type: a class, a union, or a tuple."""
    kind, of = typing.get_origin(hint), typing.get_args(hint)
    if kind in (typing.Union, types.UnionType):
        return any(_is_of(value, each) for each in of)
    if kind is tuple and isinstance(value, tuple):
        of = of[:1] * len(value) if of[-1] is Ellipsis else of
        return len(of) == len(value) and all(map(_is_of, value, of))
    kind = (int, float) if hint is float else kind or hint
    return hint is Any or (isinstance(value, kind) and (hint is bool or not isinstance(value, bool)))


class NotStorableError(Exception):
    def __init__(self, value: object) -> None:
        super().__init__(type(value).__name__)
        self.value = value


def encode(value: Any, arrays: Arrays, name: str) -> Any:
    """Return tagged JSON of a value; its arrays are put into `arrays`, under names that begin with `name`."""
    if value is None or isinstance(value, bool | str) or type(value) is int:
        return value
    if type(value) is float:
        return value if np.isfinite(value) else {TAG: "float", "value": repr(value)}
    if type(value) is list:
        return [encode(item, arrays, f"{name}.{i}") for i, item in enumerate(value)]
    if type(value) is tuple:
        return {TAG: "tuple", "items": encode(list(value), arrays, name)}
    if isinstance(value, dict):
        items = [[encode(k, arrays, f"{name}.key"), encode(v, arrays, f"{name}.{k}")] for k, v in value.items()]
        return {TAG: "dict", "items": items}
    if type(value) is np.random.RandomState:
        return {TAG: "RandomState", "state": encode(value.get_state(legacy=False), arrays, name)}
    if isinstance(value, np.ndarray | np.generic):
        return _encode_array(value, arrays, name)
    key = key_of(type(value))
    if key in RECORDS:
        fields = dict(zip(value._fields, value, strict=True)) if hasattr(value, "_fields") else vars(value)
        return {TAG: key, "fields": {k: encode(v, arrays, f"{name}.{k}") for k, v in fields.items()}}
    raise NotStorableError(value)


def _encode_array(value: Any, arrays: Arrays, name: str) -> dict[str, Any]:
    array = np.asarray(value)
    if array.dtype.kind == "O":
        return {TAG: "objects", "shape": list(array.shape), "items": encode(array.ravel().tolist(), arrays, name)}
    while name in arrays:
        name += "_"
    coded: dict[str, Any] = {TAG: "array" if isinstance(value, np.ndarray) else "scalar", "name": name}
    if array.flags.f_contiguous and not array.flags.c_contiguous:  # products of it are the same to the bit only so
        coded, array = {**coded, "transposed": True}, array.T
    if array.dtype.str not in NAMES:  # text, times and foreign orders of bytes
        coded |= {"dtype": array.dtype.str, "shape": list(array.shape)}
        array = np.frombuffer(array.tobytes(), np.uint8)
    arrays[name] = array
    return coded


class Decoder:
    """Values from tagged JSON, arrays and steps of pipelines from the members of an archive, each once.

    So a small file cannot ask for the same array again and again. `trusted` are names of types beside those that skops
    makes unasked.
    """

    def __init__(self, archive: zipfile.ZipFile, trusted: Sequence[str] = ()) -> None:
        self.archive, self.trusted = archive, trusted
        self.unread = set(archive.namelist())

    @functools.cached_property
    def tensors(self) -> Arrays:
        """Return the arrays that are not yet read, by name."""
        return unpacked(self.member(TENSORS))

    def member(self, name: str) -> bytes:
        """Return a member that was not read before, to its end, where zip's checksum is looked at."""
        self.unread.remove(name)
        return self.archive.read(name)

    def __call__(self, coded: Any) -> Any:
        if isinstance(coded, list):
            return [self(item) for item in coded]
        if not isinstance(coded, dict):
            return coded
        tag = coded[TAG]
        if tag in RECORDS:
            return self._record(find(tag, RECORDS), {k: self(v) for k, v in coded["fields"].items()})
        return self.READERS[tag](self, coded)

    def _record(self, kind: Any, fields: dict[str, Any]) -> Any:
        hints = typing.get_type_hints(kind)
        wrong = [name for name, value in fields.items() if not _is_of(value, hints[name])]
        if wrong:
            raise ValueError(f"{kind.__name__} has fields of another type: {wrong}")
        return kind(**fields)

    def _array(self, coded: dict[str, Any]) -> np.ndarray:
        array = self._tensor(coded) if "name" in coded else npy(self.member(f"arrays/{coded['index']}.npy"))
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError("an array holds numbers that are not finite")
        return array.copy(order="K")

    def _tensor(self, coded: dict[str, Any]) -> np.ndarray:
        array = self.tensors.pop(coded["name"])
        if "dtype" in coded:
            dtype, shape = np.dtype(coded["dtype"]), coded["shape"]
            if dtype.kind not in KINDS or not dtype.itemsize or math.prod(shape) * dtype.itemsize != array.nbytes:
                raise ValueError(f"an array of {dtype} has shape {shape}, and {array.nbytes} bytes")
            array = np.ndarray(tuple(shape), dtype, array)
        return array.T if "transposed" in coded else array

    def _objects(self, coded: dict[str, Any]) -> np.ndarray:
        array = np.empty(len(coded["items"]), dtype=object)
        array[:] = self(coded["items"])
        return array.reshape(coded["shape"])

    def _random_state(self, coded: dict[str, Any]) -> np.random.RandomState:
        state = self(coded["state"])
        if not 0 <= state["state"]["pos"] <= 624:  # NumPy would read beyond the end of its 624 numbers
            raise ValueError(f"a Mersenne Twister has 624 numbers; got position {state['state']['pos']}")
        rng = np.random.RandomState()
        rng.set_state(state)
        return rng

    READERS: ClassVar[dict[str, Callable[[Decoder, dict[str, Any]], Any]]] = {
        "float": lambda self, coded: float(coded["value"]),
        "tuple": lambda self, coded: tuple(self(coded["items"])),
        "dict": lambda self, coded: {self(k): self(v) for k, v in coded["items"]},
        "array": _array,
        "scalar": lambda self, coded: self._array(coded)[()],
        "objects": _objects,
        "RandomState": _random_state,
    }


def npy(content: bytes, kinds: str = KINDS) -> np.ndarray:
    """Return the array of an ``.npy`` file, a view of it, which has to be as long as its header says."""
    buffer = io.BytesIO(content)
    if np.lib.format.read_magic(buffer) != (1, 0):
        raise ValueError("an array is in a form that save does not write")
    shape, in_columns, dtype = np.lib.format.read_array_header_1_0(buffer)
    if dtype.kind not in kinds or math.prod(shape) * dtype.itemsize != len(content) - buffer.tell():
        raise ValueError(f"an array of {dtype} has shape {shape}, and {len(content) - buffer.tell()} bytes")
    return np.ndarray(shape, dtype, content, buffer.tell(), order="F" if in_columns else "C")
