"""The fitted model that is to be drawn, found in what holds it, and what may be asked to be shown of it."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, TypeVar

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ..augmentation._augmenter import GANAugmenter
from ..enhancement._enhancer import GANEnhancer

HOLDERS = ("augmenter_", "estimator_")  # attributes in which other estimators keep a fitted one
Kind = TypeVar("Kind")


def find_augmenter(estimator: object) -> GANAugmenter:
    """Return the fitted GANAugmenter that `estimator` is or holds."""
    return _find_fitted(estimator, GANAugmenter, "pipeline, AugmentedClassifier or GANOverSampler")


def find_enhancer(estimator: object) -> GANEnhancer:
    """Return the fitted GANEnhancer that `estimator` is or holds."""
    return _find_fitted(estimator, GANEnhancer, "pipeline")


def _find_fitted(estimator: object, kind: type[Kind], holders: str) -> Kind:
    found = _search(estimator, kind)
    if found is None:
        raise TypeError(f"Expected a {kind.__name__}, or a fitted {holders} that holds one; got {estimator!r}.")
    check_is_fitted(found)
    return found


def _search(estimator: object, kind: type[Kind]) -> Kind | None:
    """Depth first; None where there is none of this kind."""
    if isinstance(estimator, kind):
        return estimator
    parts = [step for _, step in estimator.steps] if isinstance(estimator, Pipeline) else []
    parts += [part for name in HOLDERS if (part := getattr(estimator, name, None)) is not None]
    return next((found for part in parts if (found := _search(part, kind)) is not None), None)


def channels_of_images(estimator: GANAugmenter | GANEnhancer, what: str) -> int:
    """Return the number of channels of the images that a model was fitted on; a ValueError after a table."""
    if estimator.image_shape_ is None:
        raise ValueError(
            f"{what} was fitted on a table. Fit image stacks, or flat images with image_shape=(height, width)."
        )
    return estimator.image_shape_[2]


def check_channel(channel: Any, n_channels: int) -> None:
    """Raise a ValueError where there is no such channel to show."""
    if channel is not None and (not isinstance(channel, Integral) or not 0 <= int(channel) < n_channels):
        raise ValueError(f"channel must be None or an integer from 0 to {n_channels - 1}; got {channel!r}.")


def check_names(parameter: str, names: Sequence[str], of: str, n: int) -> None:
    """Raise a ValueError where there is not one name for each row or column."""
    if len(names) != n:
        raise ValueError(f"{parameter} must name {n} {of}; got {len(names)}: {names!r}.")
