"""What is taken for rows, and how rows and labels come back in the form of what came."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from sklearn_medgan._containers import Form, as_rows, join_labels, not_numbers

VALUES = np.arange(12.0).reshape(4, 3)
WORDS = np.array(["ill", "well", "well"])


class Proxy:
    """A file's images, as HDF5 or nibabel hand them out: slices, but no rows in any order."""

    shape, dtype, ndim = VALUES.shape, VALUES.dtype, 2

    def __len__(self):
        return len(VALUES)

    def __getitem__(self, key):
        if not isinstance(key, int | slice):
            raise TypeError("Indexing elements must be in increasing order")
        return VALUES[key]

    def __array__(self, dtype=None, copy=None):
        return VALUES.astype(dtype or VALUES.dtype)


def test_what_only_becomes_an_array_is_one():
    rows = as_rows(Proxy())
    assert type(rows) is np.ndarray
    assert np.array_equal(rows[[3, 0]], VALUES[[3, 0]])


@pytest.mark.parametrize(
    "X",
    [VALUES, VALUES.tolist(), pd.DataFrame(VALUES), pl.DataFrame(VALUES), sparse.csr_matrix(VALUES)],
    ids=["array", "list", "pandas", "polars", "sparse"],
)
def test_what_can_be_indexed_stays(X):
    assert as_rows(X) is X


def test_a_mask_that_hides_nothing_is_taken_off():
    rows = as_rows(np.ma.masked_array(VALUES, False))
    assert type(rows) is np.ndarray
    assert np.array_equal(rows, VALUES)


@pytest.mark.parametrize("wrap", [lambda X: X, list], ids=["array", "list of arrays"])
def test_masked_values_are_refused(wrap):
    with pytest.raises(ValueError, match="masked values"):
        as_rows(wrap(np.ma.masked_array(VALUES, VALUES == 5)))


@pytest.mark.parametrize("shape", [(4,), (4, 9, 9)])
def test_records_are_refused_with_their_fields_and_what_helps(shape):
    with pytest.raises(ValueError, match=r"fields \['age', 'size'\]\. Convert it: .*structured_to_unstructured"):
        as_rows(np.zeros(shape, [("age", float), ("size", int)]))


def test_categories_come_back_as_the_nearest_of_theirs():
    stage = pd.Categorical([1, 3, 3, 1], categories=[1, 3], ordered=True)
    frame = pd.DataFrame({"age": [20, 30, 40, 50], "stage": stage})
    form = Form.of(frame, frame.to_numpy(float), "table")
    back = form.restore(np.array([[30.2, 1.4], [41.0, 2.6]]))
    assert back.dtypes.tolist() == frame.dtypes.tolist()
    assert back["stage"].tolist() == [1, 3]


def test_decimals_of_polars_come_back_as_floats():
    frame = pl.DataFrame({"dose": [1, 2]}).cast(pl.Decimal(10, 2))
    back = Form.of(frame, np.array([[1.0], [2.0]]), "table").restore(np.array([[1.5]]))
    assert back.schema == {"dose": pl.Float64}


@pytest.mark.parametrize(
    ("column", "content", "remedy"),
    [
        (pd.Series(["m", "f"]), "'m'", "one-hot"),
        (pd.Series(pd.Categorical(["m", "f"])), "'m'", "one-hot"),
        (pd.Series(pd.to_datetime(["2024-01-01", "2024-02-01"])), "dates", "days"),
        (pd.Series(pd.to_timedelta([1, 2], unit="D")), "durations", "days"),
        (pd.Series([datetime.date(2024, 1, 1)] * 2), "dates", "days"),
        (pd.Series([datetime.timedelta(1)] * 2, dtype=object), "durations", "days"),
        (pd.Series(pd.Categorical(["1", "2"])), "'1'", "one-hot"),
        (pl.Series(["1", "2"], dtype=pl.Enum(["1", "2"])), "'1'", "one-hot"),
        (pl.Series(["m", "f"], dtype=pl.Categorical), "'m'", "one-hot"),
        (pd.Series([1j, 2.0]), "complex", "magnitude"),
        (pl.Series(["m", "f"]), "'m'", "one-hot"),
        (pl.Series([1, 2]).cast(pl.Date), "dates", "days"),
        (pl.Series([1, 2]).cast(pl.Duration), "durations", "days"),
    ],
)
def test_a_column_without_numbers_is_named_with_what_helps(column, content, remedy):
    library = pd if isinstance(column, pd.Series) else pl
    ((name, found, advice),) = not_numbers(library.DataFrame({"age": [1, 2], "odd": column}))
    assert (name, content in found, remedy in advice) == ("odd", True, True)


def test_numbers_in_any_dtype_are_columns_of_numbers():
    frame = pd.DataFrame(
        {
            "a": pd.Categorical([1, 2]),
            "b": pd.array([1, 2], dtype="Int64"),
            "c": np.array([1, 2.5], object),
            "d": [True, False],
        }
    )
    assert not list(not_numbers(frame))


@pytest.mark.parametrize(
    "y",
    [
        pd.Series(WORDS, name="diagnosis"),
        pd.Series(WORDS, dtype="category"),
        pd.Index(WORDS, name="diagnosis"),
        pd.Categorical(WORDS),
        pd.array(WORDS),
        pd.DataFrame({"diagnosis": WORDS}),
        pl.Series("diagnosis", WORDS),
        pl.DataFrame({"diagnosis": WORDS}),
        WORDS.tolist(),
        tuple(WORDS.tolist()),
        WORDS,
        WORDS[:, None],
    ],
    ids=lambda y: type(y).__name__,
)
def test_labels_come_back_in_their_container(y):
    joined = join_labels(y, np.array(["ill", "ill"]))
    assert type(joined) is type(y)
    assert np.asarray(joined).ravel().tolist() == [*WORDS.tolist(), "ill", "ill"]
    assert getattr(joined, "dtype", None) == getattr(y, "dtype", None)
    assert getattr(joined, "name", None) == getattr(y, "name", None)
