"""What an estimator accepts as rows: image stacks, flat images and tables, and what it says otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import check_array, validate_data

from ._base import warn_caller
from ._containers import Form, as_rows, not_numbers
from ._lazy import LazyImages
from ._sklearn_compat import _num_samples

SMALLEST_SIDE = 8
MOST_CHANNELS = 4
MOST_SPREADS = 1e9  # a value of a column from its median: of Cauchy numbers, one of 10^9 lies farther
ADVICE = (
    "Expected an image stack (n, height, width[, channels]), or one row a sample (n, n_features) with image_shape= for "
    "flat images."
)


def check_image_shape(image_shape: Any) -> tuple[int, int, int] | None:
    """Return `(height, width, channels)` of a valid `image_shape` parameter, or None."""
    if image_shape is None:
        return None
    sides = tuple(image_shape)
    if len(sides) not in (2, 3) or not all(isinstance(s, Integral) for s in sides):
        raise ValueError(f"image_shape must be (height, width) or (height, width, channels); got {image_shape!r}.")
    return check_sides((*sides, 1)[:3] if len(sides) == 2 else sides)


def check_sides(shape: Sequence[int]) -> tuple[int, int, int]:
    """Return `(height, width, channels)` if it is an image that the networks take."""
    height, width, channels = (int(s) for s in shape)
    if min(height, width) < SMALLEST_SIDE:
        raise ValueError(
            f"Images must be at least {SMALLEST_SIDE} pixels high and wide; got {height}x{width}. "
            "Enlarge them, or pass the rows as a table (n, n_features)."
        )
    if not 1 <= channels <= MOST_CHANNELS:
        raise ValueError(
            f"Images must have 1 to {MOST_CHANNELS} channels, last; got shape {(height, width, channels)}. "
            "Move the channels to the last axis, or pick some."
        )
    return height, width, channels


def as_array_if_list(X: Any) -> Any:
    """Return lists as arrays, so that their depth is known; a ragged one is an error."""
    if not isinstance(X, list | tuple):
        return X
    try:
        return np.asarray(X)
    except ValueError as error:
        raise ValueError(
            f"The rows are ragged: they differ in length, or some are no sequences. {ADVICE} Make all rows equally "
            "large, for example by resizing the images."
        ) from error


def n_dimensions(X: Any) -> int:
    """Return the number of dimensions of an array, frame, sparse matrix or anything with `__array__`."""
    shape = getattr(X, "shape", None)
    return np.asarray(X).ndim if shape is None else len(shape)


def check_rows(
    estimator: Any,
    X: Any,
    *,
    image_shape: Sequence[int] | None = None,
    reset: bool,
    any_size: bool = False,
    fewest: int | None = None,
) -> tuple[Any, Form]:
    """Return checked rows as an array (not a copy where avoidable), and the form in which rows go back.

    Images that are not in memory come as `LazyImages`, which an array's users may slice and take places of.

    With `reset`, the estimator's `n_features_in_` (and `feature_names_in_`) are learned, and at least two rows are
    needed (or `fewest`); otherwise they are compared: stacks of `any_size` by their channels only.
    """
    fewest = fewest or (2 if reset else 1)
    container = as_rows(X)
    X = as_array_if_list(container)
    side_shape = check_image_shape(image_shape)
    if not issparse(X) and n_dimensions(X) > 2:
        array = _check_stack(estimator, X, side_shape, reset, any_size, fewest)
        form = Form.of(container, array, "stack", _channels_last(array.shape))
        if reset:
            estimator.n_features_in_ = int(np.prod(array.shape[1:]))
            if hasattr(estimator, "feature_names_in_"):
                del estimator.feature_names_in_
        return array, form
    if not reset:
        _check_not_flat(estimator, X)
    array = _check_table(estimator, X, reset, fewest)
    if image_shape is not None and side_shape is not None and array.shape[1] != np.prod(side_shape):
        raise ValueError(
            f"image_shape={tuple(image_shape)!r} needs {np.prod(side_shape)} columns (height x width x channels); "
            f"got X of shape {array.shape}. Pass the image_shape that the rows were flattened from."
        )
    return array, Form.of(container, array, "table" if side_shape is None else "flat", side_shape)


def warn_of_rows(rows: np.ndarray, name: str, kind: str) -> None:
    """Warn where all rows are the same, as where something went wrong when they were read; of a table, of outliers."""
    first = np.asarray(rows[:1])
    if all((np.asarray(rows[i : i + 256]) == first).all() for i in range(0, len(rows), 256)):
        warn_caller(
            f"{name}: all {len(rows)} training rows are the same, so nothing can be learned. Check how they are read.",
            UserWarning,
        )
    if kind == "table":
        _warn_of_outliers(rows, name)


def _warn_of_outliers(rows: np.ndarray, name: str) -> None:
    """Warn where a column of a table has a value so far away that all others become one beside it."""
    with np.errstate(over="ignore", invalid="ignore"):  # of the largest numbers
        low, middle, high = np.quantile(np.asarray(rows, np.float64), (0.25, 0.5, 0.75), axis=0)
        far = np.maximum(rows.max(0) - middle, middle - rows.min(0)) / MOST_SPREADS > high - low
    columns = np.flatnonzero(far & (high > low))
    if len(columns):
        warn_caller(
            f"{name}: column(s) {', '.join(map(str, columns[:5]))} have values more than {MOST_SPREADS:g} "
            "interquartile ranges from the median, beside which all others look the same. Correct or clip them.",
            UserWarning,
        )


def check_more_rows(estimator: Any, X: Any, name: str) -> Any:
    """Return further rows of the shape that a fit has learned from `X`, checked in their own name."""
    try:
        rows, form = check_rows(estimator, X, image_shape=estimator.image_shape, reset=False)
    except (ValueError, TypeError) as error:
        raise type(error)(f"{name}: {error}") from error
    if form.row_shape != estimator._form.row_shape:
        raise ValueError(
            f"{name} has rows of shape {form.row_shape}; X has {estimator._form.row_shape}. Pass them alike."
        )
    return rows


def _channels_last(shape: tuple[int, ...]) -> tuple[int, int, int]:
    return check_sides(shape[1:] if len(shape) == 4 else (*shape[1:], 1))


def _name(estimator: object) -> str:
    return type(estimator).__name__


def _check_not_flat(estimator: Any, X: Any) -> None:
    """An estimator fitted on stacks takes stacks."""
    form = getattr(estimator, "_form", None)
    if form is not None and form.kind == "stack" and n_dimensions(X) == 2:
        height, width, channels = form.image_shape
        sides = f"{height}, {width}" + (f", {channels}" if channels > 1 else "")
        raise ValueError(
            f"{_name(estimator)} was fitted on an image stack of images {form.row_shape}; got an array of shape "
            f"{np.shape(X)}. Reshape it to (n, {sides})."
        )


def _check_table(estimator: Any, X: Any, reset: bool, fewest: int) -> np.ndarray:
    for column, content, remedy in not_numbers(X):
        raise TypeError(
            f"{_name(estimator)} expected columns of numbers; column {column!r} holds {content}. {remedy}, or leave it "
            "out."
        )
    try:
        array = validate_data(estimator, X, reset=reset, dtype="numeric", ensure_min_samples=fewest)
    except ValueError as error:
        if "setting an array element" not in str(error):
            raise
        raise ValueError(
            f"X holds sequences in place of numbers. Stack images first: numpy.stack(X). {ADVICE}"
        ) from error
    except OverflowError as error:
        raise ValueError(f"X holds a number too large for float64 ({error}). Rescale that column.") from error
    if array.dtype.kind not in "biuf":
        remedy = "Convert dates and durations to days, say." if array.dtype.kind in "Mm" else "Encode them as numbers."
        raise TypeError(f"{_name(estimator)} expected columns of numbers; got dtype {array.dtype}. {remedy}")
    return array


def _check_stack(
    estimator: Any, X: Any, image_shape: tuple[int, ...] | None, reset: bool, any_size: bool, fewest: int
) -> Any:
    name = _name(estimator)
    array = X if isinstance(X, LazyImages) else np.asarray(X)
    if array.dtype.kind not in "biufc":
        raise ValueError(f"{name} expected images of numbers; got dtype {array.dtype}. Convert them, e.g. to float32.")
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported by {name}; got {array.dtype}. Pass its magnitude (numpy.abs).")
    if array.ndim > 4:
        raise ValueError(f"{name} got an array of shape {array.shape}. {ADVICE}")
    if len(array) < fewest:
        raise ValueError(
            f"Found array with {len(array)} sample(s) (shape={array.shape}) while a minimum of {fewest} is "
            f"required by {name}. Pass more images."
        )
    if array.ndim == 4 and array.shape[1] <= MOST_CHANNELS and min(array.shape[2:]) >= SMALLEST_SIDE:
        raise ValueError(
            f"{name} expected channels on the last axis, (n, height, width, channels); got a stack of shape "
            f"{array.shape}, whose channels come first. Move them: numpy.moveaxis(X, 1, -1)."
        )
    shape = _channels_last(array.shape)
    if not isinstance(array, LazyImages):
        check_array(array, allow_nd=True, dtype=None, estimator=name, input_name="X")
    elif array.dtype.kind == "f" and not np.isfinite(array.limits).all():
        for block in array.blocks():
            assert_all_finite(block, estimator_name=name, input_name="X")
    expected: Any = image_shape if reset else getattr(estimator, "image_shape_", None)
    if not reset and expected is None:
        raise ValueError(
            f"{name} was fitted on a table of {estimator.n_features_in_} columns; got an image stack of shape "
            f"{array.shape}. Fit on stacks, or pass (n, {estimator.n_features_in_})."
        )
    if any_size and not reset:
        _check_channels(name, shape, expected)
    elif expected is not None and shape != tuple(expected):
        where = "has image_shape" if reset else "was fitted on images of shape"
        raise ValueError(
            f"{name} {where} {tuple(expected)}; got {shape} (a stack of shape {array.shape}). Resize the images or fit "
            "again."
        )
    return array


def _check_channels(name: str, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if shape[2] != expected[2]:
        raise ValueError(
            f"{name} was fitted on images of {expected[2]} channel(s); got {shape[2]} (images of shape {shape}). "
            "Convert the images or fit again."
        )


def check_same_length(X: Any, y: Any, names: tuple[str, str] = ("X", "y")) -> None:
    """Raise a ValueError unless there are as many labels as rows."""
    if _num_samples(X) != _num_samples(y):
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: {names[0]} has {_num_samples(X)}, "
            f"{names[1]} has {_num_samples(y)}. Pass one label a row."
        )
