"""What `fit` is given, checked: how it learns from that, and what restores such rows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.multiclass import type_of_target

from .._base import warn_caller
from .._containers import Form
from .._validation import as_array_if_list, check_rows, check_same_length, n_dimensions
from ._held_out import alike_mix
from ._images import ImageRestoration
from ._restoration import Restoration
from ._self_supervised import NoisyRestoration
from ._tables import TableRestoration
from ._unpaired import UnpairedRestoration

IMAGES: dict[str, type[Restoration]] = {
    "degradation": ImageRestoration,
    "paired": ImageRestoration,
    "unpaired": UnpairedRestoration,
    "self": NoisyRestoration,
}
TABLES: dict[str, type[Restoration]] = {"degradation": TableRestoration, "paired": TableRestoration}
NEEDS = {
    "degradation": "learns from good images alone, X, which it degrades itself",
    "paired": "needs target=, the good version of each row of X",
    "unpaired": "needs reference=, good images of others than X shows",
    "self": "learns from noisy images alone, X",
}
FEWEST_UNPAIRED = 8  # images on a side
LISTED = 5  # classes in a message
CENTRAL = (0.5, 99.5)  # percentiles between which a range is compared with another
LOOKED_AT = 64  # images of each side, evenly spread
MOST_TIMES_AS_WIDE = 4.0
LARGEST_NEGATIVE = 1 / 3  # of a range, where the other has no negative value: noise around 0 goes less far


def supervision_of(asked: str, target: Any, reference: Any) -> str:
    """Return how to learn; ValueError where what was given contradicts that, or itself."""
    if target is not None and reference is not None:
        raise ValueError(
            "fit expected target= (the good versions of the same rows) or reference= (good images of others); got "
            "both. Leave one out."
        )
    given = "paired" if target is not None else "degradation" if reference is None else "unpaired"
    if asked in ("auto", given):
        return given
    if asked == "self" and given == "degradation":
        return asked
    what = {"paired": "target=", "unpaired": "reference=", "degradation": "neither target= nor reference="}[given]
    raise ValueError(
        f"supervision={asked!r} {NEEDS[asked]}; got {what}. Pass what it learns from, or supervision='auto'."
    )


def restoration_of(supervision: str, form: Form, enhancer: Any) -> type[Restoration]:
    """Return what restores rows of such a form; ValueError where they cannot be learned from in this way."""
    kinds = _kinds(form)
    if supervision not in kinds:
        raise ValueError(
            f"supervision={supervision!r} is for images; got a table, for which GANEnhancer takes good rows, or pairs "
            "(target=). Pass image stacks, or flat images with image_shape=(height, width)."
        )
    if supervision not in TABLES and (enhancer.scale != 1 or enhancer.degradation != "auto"):
        raise ValueError(
            f"supervision={supervision!r} learns from the images how they are poor, and keeps their size: expected "
            f"degradation='auto' and scale=1; got {enhancer.degradation!r} and {enhancer.scale}. Leave both out."
        )
    return kinds[supervision]


def _kinds(form: Form) -> dict[str, type[Restoration]]:
    return TABLES if form.kind == "table" else IMAGES


def check_labels(X: ArrayLike, y: Any, names: tuple[str, str] = ("X", "y")) -> np.ndarray | None:
    """Return class labels that the guard may use, (n,), or None where `y` is none or holds other values."""
    if y is None:
        return None
    with _told(names[1]):
        check_same_length(X, y, names)
        labels = np.asarray(y)
        if labels.ndim == 2 and labels.shape[1] == 1:  # one column, as labels of MedMNIST
            labels = labels[:, 0]
        if labels.dtype.kind == "f" and not np.isfinite(labels).all():
            raise ValueError("Expected a class or a number for each row; got NaN or infinity. Leave such rows out.")
        classes = labels.ndim == 1 and type_of_target(labels) in ("binary", "multiclass")
    return labels if classes else None


def check_reference_labels(reference: Any, reference_y: Any, labels: np.ndarray | None) -> np.ndarray | None:
    """Return class labels of the reference, or None; ValueError where those of X, `labels`, tell of no common mix."""
    if reference_y is None:
        return None
    if reference is None or labels is None:
        raise ValueError(
            "reference_y evens out the mix of classes of X and reference: it needs reference= and class labels y; got "
            f"no {'reference' if reference is None else 'y that holds classes'}. Pass it, or leave reference_y out."
        )
    others = check_labels(reference, reference_y, ("reference", "reference_y"))
    if others is None:
        raise ValueError(
            f"reference_y must be class labels, as y; got values that are {type_of_target(reference_y)}. Leave it out "
            "where there are no classes."
        )
    if not set(labels.tolist()) & set(others.tolist()):
        raise ValueError(
            "y and reference_y must have a class in common; got only "
            f"{_listed(labels)} and only {_listed(others)}. Name classes alike in both (1 is not '1'), or leave "
            "reference_y out."
        )
    kept = [sum(mix.values()) for mix in alike_mix(labels, others)]
    if min(kept) < FEWEST_UNPAIRED:
        raise ValueError(
            f"With classes in equal shares, at least {FEWEST_UNPAIRED} images of X and of reference must be left; by "
            f"y and reference_y these are {kept[0]} and {kept[1]}. Pass more images of the classes that both have."
        )
    return others


def _listed(labels: np.ndarray) -> str:
    """The first classes, as Python writes them."""
    classes = np.unique(labels).tolist()
    return ", ".join([*map(repr, classes[:LISTED]), *(["..."] if len(classes) > LISTED else [])])


def check_target(enhancer: Any, target: ArrayLike | None, rows: np.ndarray, form: Form) -> np.ndarray | None:
    if target is None:
        return None
    expected, image_shape = _kinds(form)["paired"].target_of(rows.shape, form, enhancer)
    good = _check_more(enhancer, "target", target, image_shape)
    if good.shape != expected:
        raise ValueError(
            f"target must hold the good version of each row of X, enlarged by scale={enhancer.scale}: expected an "
            f"array of shape {expected}; got {good.shape}. Pass the same rows in the same order."
        )
    return good


def _check_more(estimator: BaseEstimator, name: str, rows: Any, image_shape: Any) -> np.ndarray:
    """Raw rows beside X, checked in their own name."""
    with _told(name):
        probe = type(estimator)(image_shape=image_shape)
        checked, form = check_rows(probe, rows, image_shape=image_shape, reset=True, fewest=1)
    return _kinds(form)["paired"].shaped(checked, form)


@contextlib.contextmanager
def _told(name: str) -> Iterator[None]:
    """Errors of the block begin with the name."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise type(error)(f"{name}: {error}") from error


# --------------------------------------------------------------------------------------- images of others, unpaired


def check_reference(
    estimator: BaseEstimator, reference: ArrayLike | None, rows: np.ndarray, form: Form
) -> np.ndarray | None:
    """Return checked good images of others, of as many channels and in the units of raw `rows`, or None."""
    if reference is None:
        return None
    with _told("reference"):
        reference = as_array_if_list(reference)
    flat = n_dimensions(reference) == 2
    if flat and form.kind == "stack":
        raise ValueError(
            f"reference must be an image stack as X is; got an array of shape {np.shape(reference)}. Reshape it to "
            "(n, height, width[, channels])."
        )
    good = _check_more(estimator, "reference", reference, form.image_shape if flat else None)
    if good.shape[-1] != rows.shape[-1]:
        raise ValueError(
            f"reference must have as many channels as X: expected {rows.shape[-1]}; got {good.shape[-1]} (images of "
            f"shape {good.shape[1:]}). Convert one of the two; sizes may differ."
        )
    if min(len(rows), len(good)) < FEWEST_UNPAIRED:
        raise ValueError(
            f"Learning without pairs needs at least {FEWEST_UNPAIRED} poor images and as many good ones of reference; "
            f"got {len(rows)} and {len(good)}. Pass more images."
        )
    shared = _n_among(good, rows) if good.shape[1:] == rows.shape[1:] else 0
    if shared == len(good):
        raise ValueError(
            "reference must hold other images than the poor ones; got only such as are among these. Pass good images "
            "of others, or learn from good images alone."
        )
    if shared:
        warn_caller(
            f"{shared} of {len(good)} images of reference are also among X, so they count as poor and as good, and "
            "the sets look more alike than they are. Leave them out of one.",
            UserWarning,
        )
    check_same_units(rows, good)
    return good


def _n_among(some: np.ndarray, rows: np.ndarray) -> int:
    """How many images are among `rows`, in whatever order."""
    known = {hash(np.asarray(image, np.float64).tobytes()) for image in rows}
    return sum(hash(np.asarray(image, np.float64).tobytes()) in known for image in some)


def check_same_units(rows: np.ndarray, good: np.ndarray) -> None:
    """Raise ValueError where two sets of images can hardly be in the same units.

    By the central 99 % of the values of each: where the two ranges do not overlap, where one is more than four times as
    wide as the other, or where one goes below 0 by more than a third of its width and the other not at all.
    """
    ranges = [np.percentile(_some(images), CENTRAL) for images in (rows, good)]
    (low, high), (other_low, other_high) = ranges
    widths = [float(high - low), float(other_high - other_low)]
    signed = [bool(-r[0] > LARGEST_NEGATIVE * w) for r, w in zip(ranges, widths, strict=True)]
    below = [bool(r[0] < 0) for r in ranges]
    for name, found in zip(("the poor images", "reference"), ranges, strict=True):
        if found[0] == found[1]:
            raise ValueError(
                f"Learning without pairs needs images of several intensities; got {found[0]:g} for nearly all of the "
                f"values of {name}. Leave images out that show nothing."
            )
    apart = low > other_high or other_low > high
    if apart or max(widths) > MOST_TIMES_AS_WIDE * min(widths) or signed[0] > below[1] or signed[1] > below[0]:
        raise ValueError(
            "Poor images and reference must be in the same units; the central 99 % of the values range from "
            f"{low:g} to {high:g} and from {other_low:g} to {other_high:g}. They must overlap, neither be more than "
            f"{MOST_TIMES_AS_WIDE:g} times as wide as the other, and both or neither go far below 0. Convert one of "
            "the two: nothing is rescaled by itself."
        )


def _some(images: np.ndarray) -> np.ndarray:
    """Values of images evenly spread over a stack, on a grid of at most some 100 pixels a side."""
    places = np.unique(np.linspace(0, len(images) - 1, LOOKED_AT).astype(int))
    step = max(1, max(images.shape[1:3]) // 100)
    return np.stack([np.asarray(images[i])[::step, ::step] for i in places]).astype(np.float64)
