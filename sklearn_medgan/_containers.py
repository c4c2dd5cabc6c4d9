"""Containers of rows: what came, so that results can come back in the same form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


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

    @classmethod
    def of(cls, X, array: np.ndarray, kind: str, image_shape=None) -> Form:
        """The form of `X`, whose checked values are `array`."""
        row_shape = tuple(array.shape[1:])
        library = type(X).__module__.split(".")[0]
        if library in ("pandas", "polars") and hasattr(X, "columns"):
            dtypes = tuple(str(d) for d in X.dtypes)
            return cls(kind, library, row_shape, dtypes, image_shape, tuple(X.columns))
        container = "list" if isinstance(X, list | tuple) else "numpy"
        return cls(kind, container, row_shape, (str(array.dtype),), image_shape)

    def restore(self, values: np.ndarray):
        """Float values (n, ...) as rows in this form; integers are rounded and clipped to their dtype."""
        values = values.reshape(len(values), *self.row_shape)
        if self.container in ("pandas", "polars"):
            return self._frame(values)
        rows = cast(values, np.dtype(self.dtypes[0]))
        return rows.tolist() if self.container == "list" else rows

    def _frame(self, values: np.ndarray):
        if self.container == "pandas":
            import pandas as pd

            kinds = [pd.api.types.pandas_dtype(name) for name in self.dtypes]
            plain = [getattr(kind, "numpy_dtype", kind) for kind in kinds]
            data = [pd.Series(cast(v, k)).astype(d) for v, k, d in zip(values.T, plain, kinds, strict=True)]
            frame = pd.concat(data, axis=1) if len(values) else pd.DataFrame({i: d for i, d in enumerate(data)})
            frame.columns = pd.Index(self.columns)
            return frame
        import polars as pl

        data = {}
        for name, dtype, column in zip(self.columns, self.dtypes, values.T, strict=True):
            target = getattr(pl, dtype)
            plain = np.dtype("bool" if target == pl.Boolean else dtype.lower())
            data[name] = pl.Series(name, cast(column, plain), dtype=target)
        return pl.DataFrame(data)


def join_rows(X, new):
    """`X` followed by `new`, rows in the same container; X's own untouched."""
    library = type(X).__module__.split(".")[0]
    if library == "pandas":
        import pandas as pd

        return pd.concat([X, new], ignore_index=True)
    if library == "polars":
        import polars as pl

        return pl.concat([X, new])
    if isinstance(X, list | tuple):
        return [*X, *new]
    return np.concatenate([np.asarray(X), np.asarray(new)])


def cast(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Values in `dtype`: booleans from one half up, integers rounded and clipped."""
    if dtype.kind == "b":
        return values > 0.5
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        rounded = np.clip(np.rint(values), limits.min, limits.max)
        top = rounded >= float(limits.max)  # 2**63 - 1 has no float: casting its neighbour would overflow
        return np.where(top, limits.max, np.where(top, 0, rounded).astype(dtype)).astype(dtype)
    return values.astype(dtype)
