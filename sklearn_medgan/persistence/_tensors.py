"""Arrays in the form of safetensors: a length, then JSON of names, types, shapes and places, then the values.

By hand, because that is all of the form (https://huggingface.co/docs/safetensors), and one dependency less.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

import numpy as np

MOST_HEADER = 1 << 25  # bytes of JSON; as Python objects they may take ten times as many
LENGTH = 8  # bytes of the number that comes first
TYPES = {
    "BOOL": "|b1",
    **{f"{kind}8": f"|{kind.lower()}1" for kind in "IU"},
    **{f"{kind}{8 * size}": f"<{kind.lower()}{size}" for kind in "IU" for size in (2, 4, 8)},
    **{f"F{8 * size}": f"<f{size}" for size in (2, 4, 8)},
}
NAMES = {np.dtype(kind).str: name for name, kind in TYPES.items()}


def packed(arrays: dict[str, np.ndarray]) -> Iterator[bytes]:
    """Yield the parts of the file; each array's dtype is a key of `NAMES`."""
    header, end = {}, 0
    for name, array in arrays.items():
        start, end = end, end + array.nbytes
        header[name] = {"dtype": NAMES[array.dtype.str], "shape": array.shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % LENGTH)
    yield len(text).to_bytes(LENGTH, "little") + text
    for array in arrays.values():
        yield array.tobytes()


def unpacked(content: bytes) -> dict[str, np.ndarray]:
    """Return the arrays, views of the content, which they have to fill one after the other."""
    length = int.from_bytes(content[:LENGTH], "little")
    if length > MOST_HEADER:
        raise ValueError(f"names of arrays take {length} bytes")
    arrays, end = {}, 0
    for name, told in json.loads(content[LENGTH : LENGTH + length]).items():
        dtype, shape, (start, stop) = np.dtype(TYPES[told["dtype"]]), told["shape"], told["data_offsets"]
        if start != end or min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != stop - start:
            raise ValueError(f"an array of {dtype} has shape {shape}, and bytes {start} to {stop}")
        arrays[name] = np.ndarray(tuple(shape), dtype, content, LENGTH + length + start)
        end = stop
    if LENGTH + length + end != len(content):
        raise ValueError("arrays do not fill their part of the file")
    return arrays
