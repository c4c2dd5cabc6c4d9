"""Containers of rows and labels: what came, and how results come back in the same form.

`as_rows` is the one place that decides what is taken for an array.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import issparse

from ._lazy import LazyImages, is_lazy

FRAMES = ("pandas", "polars")
POLARS_NUMBERS = (
    "Boolean",
    "Float32",
    "Float64",
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt64",
)


def library_of(X: object) -> str:
    """Return the name of the library that the type of `X` comes from."""
    return type(X).__module__.split(".")[0]


def as_rows(X: Any) -> Any:
    """Return `X` where rows can be taken out of it in any order, else its values as an array.

    Arrays, lists, frames and sparse matrices stay. Images that are not in memory (HDF5 data sets, zarr arrays) become
    `LazyImages`. What else only knows how to become an array (tensors, proxies of files) becomes one, so that whatever
    `fit` takes can be indexed later. A ValueError for masked values, which are no measurements, and for named fields.
    """
    masked = np.ma.is_masked(X) or (isinstance(X, list | tuple) and any(map(np.ma.is_masked, X)))
    if masked:
        raise ValueError(
            "Input X contains masked values. Expected a number everywhere; fill them (X.filled(value)), or leave these "
            "rows out."
        )
    if issparse(X) or isinstance(X, list | tuple) or library_of(X) in FRAMES:
        return X
    fields = getattr(getattr(X, "dtype", None), "names", None)
    if fields is not None:
        raise ValueError(
            f"Expected an array of numbers; got a structured array of fields {list(fields)}. Convert it: "
            "numpy.lib.recfunctions.structured_to_unstructured(X)."
        )
    if is_lazy(X):
        return X if isinstance(X, LazyImages) else LazyImages(X)
    has_values = isinstance(X, np.ma.MaskedArray) or (not isinstance(X, np.ndarray) and hasattr(X, "__array__"))
    return np.asarray(X) if has_values else X


@dataclass(frozen=True)
class Form:
    """Container, shape and dtypes of the rows that came.

    `kind` is "stack", "flat" or "table"; `container` is "numpy", "list", "pandas" or "polars"; `dtypes` holds one name
    for an array and one per column for a frame.
    """

    kind: str
    container: str
    row_shape: tuple[int, ...]
    dtypes: tuple[str, ...]
    image_shape: tuple[int, int, int] | None = None
    columns: tuple | None = None
    categories: tuple | None = None

    @classmethod
    def of(cls, X: Any, array: np.ndarray, kind: str, image_shape: tuple[int, int, int] | None = None) -> Form:
        """Return the form of `X`, whose checked values are `array`."""
        row_shape = tuple(array.shape[1:])
        library = library_of(X)
        if library in FRAMES and hasattr(X, "columns"):
            dtypes = tuple(str(d) for d in X.dtypes)
            categories = None
            if library == "pandas" and "category" in dtypes:
                categories = tuple(
                    (tuple(d.categories.tolist()), bool(d.ordered)) if name == "category" else None
                    for name, d in zip(dtypes, X.dtypes, strict=True)
                )
            elif library == "polars":  # decimals come back as floats
                dtypes = tuple(name if name in POLARS_NUMBERS else "Float64" for name in dtypes)
            return cls(kind, library, row_shape, dtypes, image_shape, tuple(X.columns), categories)
        container = "list" if isinstance(X, list | tuple) else "numpy"
        return cls(kind, container, row_shape, (str(array.dtype),), image_shape)

    def restore(self, values: np.ndarray) -> Any:
        """Return float values (n, ...) as rows in this form; integers are rounded and clipped to their dtype."""
        values = values.reshape(len(values), *self.row_shape)
        if self.container in ("pandas", "polars"):
            return self._frame(values)
        rows = cast(values, np.dtype(self.dtypes[0]))
        return rows.tolist() if self.container == "list" else rows

    def _frame(self, values: np.ndarray) -> Any:
        if self.container == "pandas":
            import pandas as pd

            series = [self._pandas_column(j, column) for j, column in enumerate(values.T)]
            frame = pd.concat(series, axis=1) if len(values) else pd.DataFrame(dict(enumerate(series)))
            frame.columns = pd.Index(self.columns)
            return frame
        import polars as pl

        assert self.columns is not None
        data = {}
        for name, dtype, column in zip(self.columns, self.dtypes, values.T, strict=True):
            target = getattr(pl, dtype)
            plain = np.dtype("bool" if target == pl.Boolean else dtype.lower())
            data[name] = pl.Series(name, cast(column, plain), dtype=target)
        return pl.DataFrame(data)

    def _pandas_column(self, j: int, values: np.ndarray) -> Any:
        import pandas as pd

        if self.categories is not None and self.categories[j] is not None:
            levels, ordered = self.categories[j]
            nearest = np.abs(values[:, None] - np.asarray(levels, np.float64)).argmin(1)
            return pd.Series(pd.Categorical.from_codes(nearest, categories=list(levels), ordered=ordered))
        kind = pd.api.types.pandas_dtype(self.dtypes[j])
        plain = getattr(kind, "numpy_dtype", getattr(kind, "subtype", kind))  # of nullable and sparse columns
        return pd.Series(cast(values, np.dtype(plain))).astype(kind)


def not_numbers(X: Any) -> Iterator[tuple[Any, str, str]]:
    """Yield name, content and remedy of each column of a frame that holds no numbers."""
    if library_of(X) not in FRAMES or not hasattr(X, "columns"):
        return
    for j, name in enumerate(X.columns):
        column = X.iloc[:, j] if library_of(X) == "pandas" else X[:, j]
        dtype = str(column.dtype).lower()
        if dtype.startswith(("datetime", "date", "period", "time")) and not dtype.startswith("timedelta"):
            yield name, f"dates or times (dtype {column.dtype})", "Convert them to numbers, such as days since one date"
        elif dtype.startswith(("timedelta", "duration")):
            yield name, f"durations (dtype {column.dtype})", "Convert them to numbers, such as days"
        elif dtype.startswith("complex"):
            yield name, f"complex numbers (dtype {column.dtype})", "Take their magnitude"
        elif dtype.startswith(("object", "category", "str", "enum", "categorical", "interval", "list", "struct")):
            yield from _not_numbers_among_objects(name, column, is_category=dtype.startswith(("category", "enum")))


def _not_numbers_among_objects(name: Any, column: Any, is_category: bool) -> Iterator[tuple[Any, str, str]]:
    """Yield what a column of objects or categories holds beside numbers; digits that are a category are text."""
    values = column.to_list()
    if any(isinstance(value, datetime.date | datetime.time | datetime.timedelta) for value in values):
        yield name, f"dates, times or durations (dtype {column.dtype})", "Convert them to numbers, such as days"
        return
    example = next((value for value in values if isinstance(value, str)), None)
    try:
        np.asarray(column).astype(np.float64)
        text = is_category and example is not None
    except (TypeError, ValueError):
        text = True
    if text:
        such = "" if example is None else f", such as {example!r}"
        yield name, f"text or objects (dtype {column.dtype}{such})", "Encode it as numbers, one-hot for example"


def join_rows(X: Any, *new: Any) -> Any:
    """Return `X` followed by `new`, rows in the same container; X's own untouched."""
    if library_of(X) == "pandas":
        import pandas as pd

        return pd.concat([X, *new], ignore_index=True)
    if library_of(X) == "polars":
        import polars as pl

        return pl.concat([X, *new])
    if isinstance(X, list | tuple):
        return [*X, *itertools.chain(*new)]
    if isinstance(X, LazyImages):
        joined, start = np.empty((len(X) + sum(map(len, new)), *X.shape[1:]), X.dtype), 0
        for block in itertools.chain(X.blocks(), new):
            joined[start : start + len(block)] = block
            start += len(block)
        return joined
    return np.concatenate([np.asarray(rows) for rows in (X, *new)]) if new else np.asarray(X)


def join_labels(y: Any, new: np.ndarray) -> Any:
    """Return `y` followed by `new`, in the container of y: a Series, Index, Categorical, frame, list or array.

    What only knows how to become an array (a tensor, a data set of a file) comes back as one.
    """
    if library_of(y) == "pandas":
        return _join_pandas(y, new)
    if library_of(y) == "polars":
        import polars as pl

        if isinstance(y, pl.DataFrame):
            return pl.DataFrame([join_labels(y.to_series(), new)])
        return pl.concat([y, pl.Series(y.name, new.tolist(), dtype=y.dtype)])
    if isinstance(y, list | tuple):
        return tuple([*y, *new.tolist()]) if isinstance(y, tuple) else [*y, *new.tolist()]
    y = np.asarray(y)
    return np.concatenate([y, new.astype(y.dtype).reshape(-1, *y.shape[1:])])


def _join_pandas(y: Any, new: np.ndarray) -> Any:
    import pandas as pd

    if isinstance(y, pd.DataFrame):
        added = pd.DataFrame(new, columns=y.columns).astype(y.dtypes)
        return pd.concat([y, added], ignore_index=True)
    column = y if isinstance(y, pd.Series) else pd.Series(y)
    joined = pd.concat([column, pd.Series(new, name=column.name).astype(column.dtype)], ignore_index=True)
    if isinstance(y, pd.Series):
        return joined
    return pd.Index(joined, name=y.name) if isinstance(y, pd.Index) else joined.array


def cast(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return values in `dtype`: booleans from one half up, integers rounded and clipped."""
    if dtype.kind == "b":
        return values > 0.5
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        rounded = np.clip(np.rint(values), limits.min, limits.max)
        top = rounded >= float(limits.max)  # 2**63 - 1 has no float: casting its neighbour would overflow
        return np.where(top, limits.max, np.where(top, 0, rounded).astype(dtype)).astype(dtype)
    return values.astype(dtype)
