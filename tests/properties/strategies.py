"""What the property tests draw: rows of every dtype, shape and range that the estimators accept."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

INTEGERS = [np.uint8, np.int8, np.uint16, np.int16, np.int32]
FLOATS = [np.float32, np.float64]

seeds = st.integers(0, 2**31 - 1)
orders = st.permutations(range(12))
image_shapes = st.tuples(st.integers(8, 13), st.integers(8, 13), st.integers(1, 4))
stack_shapes = st.builds(
    lambda n, shape, bare: (n, *shape[:2]) if bare else (n, *shape), st.integers(2, 4), image_shapes, st.booleans()
)
table_shapes = st.tuples(st.integers(2, 12), st.integers(1, 20))


def finite(dtype):
    """Elements of any size that a sum of squares in float64 survives."""
    width = np.dtype(dtype).itemsize * 8
    limit = float(np.float32(1e30)) if width == 32 else 1e100
    return st.floats(-limit, limit, allow_nan=False, width=width, allow_subnormal=False).map(dtype)


@st.composite
def spread_rows(draw, shapes, dtypes=tuple(INTEGERS + FLOATS)):
    """Rows of one dtype between two bounds, drawn by numpy: hypothesis picks dtype, shape, bounds and seed."""
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    shape, rng = draw(shapes), np.random.RandomState(draw(seeds))
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        low, high = sorted(draw(st.lists(st.integers(limits.min, limits.max), min_size=2, max_size=2)))
        return rng.randint(low, high + 1, shape, dtype=np.int64).astype(dtype)
    low, high = sorted(draw(st.lists(finite(dtype.type), min_size=2, max_size=2)))
    return np.clip(rng.uniform(size=shape) * (float(high) - float(low)) + low, low, high).astype(dtype)


def small_arrays(shapes, dtypes=tuple(INTEGERS + FLOATS)):
    """Arrays whose every element hypothesis picks: repeated values, extremes, constants."""
    return st.sampled_from(dtypes).flatmap(
        lambda dtype: hnp.arrays(
            dtype, shapes, elements=finite(dtype) if np.dtype(dtype).kind == "f" else None, fill=st.just(dtype(0))
        )
    )


stacks = spread_rows(stack_shapes)
tables = st.one_of(spread_rows(table_shapes), small_arrays(table_shapes))
boolean_stacks = hnp.arrays(bool, stack_shapes)
