"""Axes, mosaics and checks that the displays share."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ..augmentation._augmenter import GANAugmenter
from ..enhancement._enhancer import GANEnhancer

HOLDERS = ("augmenter_", "estimator_")  # attributes in which other estimators keep a fitted one
GAP = 1  # white pixels between two images
BLOCK_GAP = 6  # between the real and the synthetic images


def find_augmenter(estimator):
    """The fitted GANAugmenter that `estimator` is or holds."""
    return _find_fitted(estimator, GANAugmenter, "pipeline, AugmentedClassifier or GANOverSampler")


def find_enhancer(estimator):
    """The fitted GANEnhancer that `estimator` is or holds."""
    return _find_fitted(estimator, GANEnhancer, "pipeline")


def _find_fitted(estimator, kind, holders: str):
    found = _search(estimator, kind)
    if found is None:
        raise TypeError(f"Expected a {kind.__name__}, or a fitted {holders} that holds one; got {estimator!r}.")
    check_is_fitted(found)
    return found


def _search(estimator, kind):
    """Depth first; None where there is none of this kind."""
    if isinstance(estimator, kind):
        return estimator
    parts = [step for _, step in estimator.steps] if isinstance(estimator, Pipeline) else []
    parts += [part for name in HOLDERS if (part := getattr(estimator, name, None)) is not None]
    return next((found for part in parts if (found := _search(part, kind)) is not None), None)


def _channels_of_images(estimator, what: str) -> int:
    if estimator.image_shape_ is None:
        raise ValueError(
            f"{what} was fitted on a table. Fit image stacks, or flat images with image_shape=(height, width)."
        )
    return estimator.image_shape_[2]


def _check_count(name: str, value) -> None:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1; got {value!r}.")


def _check_channel(channel, n_channels: int) -> None:
    if channel is not None and (not isinstance(channel, Integral) or not 0 <= channel < n_channels):
        raise ValueError(f"channel must be None or an integer from 0 to {n_channels - 1}; got {channel!r}.")


def _check_names(parameter: str, names, of: str, n: int) -> None:
    if len(names) != n:
        raise ValueError(f"{parameter} must name {n} {of}; got {len(names)}: {names!r}.")


def _shown_channels(images, channel):
    """Images (..., height, width, channels) reduced to the three or the one channel to show."""
    if channel is None and images.shape[-1] == 3:
        return images
    picked = 0 if channel is None else channel
    return images[..., picked : picked + 1]


def _colours(images, channel):
    """Images (..., height, width, channels) as red, green and blue."""
    shown = _shown_channels(np.asarray(images, dtype=np.float64), channel)
    return shown if shown.shape[-1] == 3 else np.repeat(shown, 3, axis=-1)


def _mosaic(tiles):
    """Images (rows, columns, height, width, 3) in [0, 1] as one picture, a white gap between them."""
    tiles = np.where(np.isnan(tiles), 1.0, tiles)
    padded = np.pad(tiles, [(0, 0), (0, 0), (0, GAP), (0, GAP), (0, 0)], constant_values=1.0)
    n_rows, n_columns, height, width, _ = padded.shape
    return padded.swapaxes(1, 2).reshape(n_rows * height, n_columns * width, 3)[:-GAP, :-GAP]


def _pyplot():
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError('Pictures need matplotlib. Install it with: pip install "sklearn-medgan[plot]"') from error
    return plt


def _one_axes(ax, aspect):
    """`ax`, or the axes of a new figure for a picture that is `aspect` times as wide as high."""
    if ax is not None:
        return ax
    plt = _pyplot()
    width = float(np.clip(3.0 * aspect, 3.0, 10.0))
    return plt.subplots(figsize=(width + 1.2, width / aspect + 0.6), layout="constrained")[1]


def _rows_axes(ax, labels):
    """`ax`, or the axes of a new figure for a row of text and marks for each label."""
    if ax is not None:
        return ax
    names = 0.075 * max(map(len, labels), default=0)  # inches, about
    size = (min(5.8 + names, 12.0), 0.27 * len(labels) + 1.1)
    return _pyplot().subplots(figsize=size, layout="constrained")[1]


def _three_axes(ax):
    """Three axes: the ones given, parts of the one given, or those of a new figure."""
    if ax is None:
        return _pyplot().subplots(1, 3, figsize=(11, 3), layout="constrained")[1]
    axes = np.asarray(ax if np.iterable(ax) else _divided(ax, 1, 3, wspace=0.3), dtype=object).ravel()
    if len(axes) != 3:
        raise ValueError(f"ax must be one Axes or three: losses, logit gap, sample spread; got {len(axes)}.")
    return axes


def _grid_of_axes(ax, n_rows: int, n_columns: int, aspect: float):
    """An array of axes for pictures that are `aspect` times as wide as high: as in `_three_axes`."""
    if ax is None:
        figure = _pyplot().figure(figsize=grid_size(n_rows, n_columns, aspect), layout="constrained")
        return figure.subplots(n_rows, n_columns, squeeze=False)
    axes = np.asarray(ax if np.iterable(ax) else _divided(ax, n_rows, n_columns, wspace=0.05), dtype=object)
    if axes.size != n_rows * n_columns:
        raise ValueError(f"ax must be one Axes or {n_rows} x {n_columns}, a row an image; got {axes.size}.")
    return axes.reshape(n_rows, n_columns)


def grid_size(n_rows: int, n_columns: int, aspect: float) -> tuple[float, float]:
    """Inches of a figure for pictures that are `aspect` times as wide as high."""
    height = 2.2 / max(1.0, aspect)
    return n_columns * (height * aspect + 0.1) + 0.8, n_rows * (height + 0.1) + 0.8


def _divided(ax, n_rows: int, n_columns: int, **spacing):
    """New axes in place of the one given."""
    place = ax.get_subplotspec()
    if place is None:
        raise ValueError("ax must be made by subplots, to be divided; got one placed freely. Pass an array of Axes.")
    ax.set_axis_off()
    parts = place.subgridspec(n_rows, n_columns, **spacing)
    return [ax.figure.add_subplot(part) for part in parts]
