"""Arrays as safetensors: what the package of that name reads and writes, and nothing that lies."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sklearn_medgan.persistence._tensors import TYPES, packed, unpacked

dtypes = st.sampled_from([np.dtype(kind) for kind in TYPES.values()])
arrays = st.dictionaries(
    st.text(min_size=1, max_size=5).filter(lambda name: name.isascii()),
    hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)),
    max_size=4,
)


def assert_equal(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        assert found[name].tobytes() == array.tobytes()


@settings(max_examples=50, deadline=None)
@given(arrays)
def test_arrays_come_back_and_safetensors_reads_the_same(given_arrays):
    content = b"".join(packed(given_arrays))
    assert_equal(unpacked(content), given_arrays)
    numpy = pytest.importorskip("safetensors.numpy")
    assert_equal(numpy.load(content), given_arrays)


def told(start=0, stop=8, shape=(2,), dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


LIES = {
    "longer than it is": {"a": told(0, 16, [4])},
    "shorter than its part": {"a": told(0, 4, [1])},
    "two over each other": {"a": told(), "b": told()},
    "a hole": {"a": told(0, 4, [1]), "b": told(8, 12, [1])},
    "backwards": {"a": told(0, 8), "b": told(8, 0, [-2])},
    "before the beginning": {"a": told(-8, 0)},
    "negative sides": {"a": told(shape=[-1, -2])},
    "sides that are no whole numbers": {"a": told(shape=[2.0])},
    "nothing, without end": {"a": told(0, 0, [0, 10**30]), "b": told()},
    "objects": {"a": told(dtype="O")},
    "a list": [told()],
    "one word": {"a": "told"},
}


@pytest.mark.parametrize("header", LIES.values(), ids=LIES)
def test_lies_are_refused(header):
    text = json.dumps(header).encode()
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):  # `damage_told` makes one of them
        unpacked(len(text).to_bytes(8, "little") + text + bytes(8))


@pytest.mark.parametrize("content", [b"", b"\0", (1 << 63).to_bytes(8, "little"), bytes(8), bytes(8) + b"{}"])
def test_beginnings_are_no_files(content):
    with pytest.raises(ValueError, match=r"names of arrays|Expecting value"):
        unpacked(content)
