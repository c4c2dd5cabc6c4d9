"""Images before and after restoration."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_consistent_length

from .._parameters import check_whole
from .._sklearn_compat import _num_samples, _safe_indexing
from .._validation import check_rows
from ..enhancement._enhancer import GANEnhancer
from ..metrics._images import decibels
from ._axes import grid_of_axes
from ._fitted import channels_of_images, check_channel, check_names, find_enhancer
from ._pictures import shown_channels

Images = np.ndarray | list[np.ndarray]
SIGNED = "change"  # the map that goes below zero


class EnhancementDisplay:
    """Poor images beside their enhancement, with the error made where the truth is known, or else what was changed.

    Make one with `from_estimator`; the constructor takes what it stores.

    Parameters
    ----------
    poor : ndarray of shape (n, height, width, channels), or a list of images that differ in size
        Images as they came, any real dtype and range.
    enhanced : ndarray of shape (n, scale * height, scale * width, channels), or a list
        The same images after `transform`.
    target : ndarray or list, as `enhanced`, default=None
        The good version of each image.
    uncertainty : ndarray or list, as `enhanced`, default=None
        Standard deviation of the error, for every pixel.
    data_range : float, default=None
        Peak of the signal-to-noise ratio. None: the range of `target`.
    display_labels : sequence of str, default=None
        Name of each row.
    titles : sequence of str, default=None
        Title of each column drawn. None: "poor", "enhanced", "truth", "absolute error", "uncertainty"; without a
        target "change" in place of the third and the fourth, unless images are enlarged.
    channel : int, default=None
        Channel to show in grey. None: three channels in colour, else the first.

    Attributes
    ----------
    axes_ : ndarray of shape (n, n_columns) of matplotlib Axes
        One row an image.
    figure_ : matplotlib Figure
        The figure that holds them.

    See Also
    --------
    SampleGridDisplay : Images that a GANAugmenter draws.

    Notes
    -----
    The images of a row share one grey scale, that of the truth, or of the enhanced image where there is none; what lies
    beyond is shown black or white. Error and uncertainty share one colour scale, from zero to their largest value: an
    error that is brighter than the uncertainty was not foreseen. In colour, these maps are means over the channels. The
    change, `enhanced` minus `poor` in their units, is red where it is positive, blue where negative and white where
    there is none, on one scale that is symmetric around zero; in colour, each pixel shows that of the channel which
    changed most. A row's label gives the peak signal-to-noise ratio over all channels. Of enlarged images, `poor` is
    shown with its pixels repeated.

    Examples
    --------
    >>> from sklearn_medgan import GANEnhancer
    >>> from sklearn_medgan.datasets import make_nodules
    >>> from sklearn_medgan.plotting import EnhancementDisplay
    >>> good, _ = make_nodules(20, image_size=16, random_state=0, return_X_y=True)
    >>> enhancer = GANEnhancer(degradation="noise", max_iter=5, width=4, guard=False, random_state=0).fit(good)
    >>> display = EnhancementDisplay.from_estimator(enhancer, good, target=good, n_images=2)
    >>> [ax.get_title() for ax in display.axes_[0]]
    ['poor', 'enhanced', 'truth', 'absolute error', 'uncertainty']
    """

    def __init__(
        self,
        poor: Images,
        enhanced: Images,
        *,
        target: Images | None = None,
        uncertainty: Images | None = None,
        data_range: float | None = None,
        display_labels: Sequence[str] | None = None,
        titles: Sequence[str] | None = None,
        channel: int | None = None,
    ) -> None:
        self.poor = poor
        self.enhanced = enhanced
        self.target = target
        self.uncertainty = uncertainty
        self.data_range = data_range
        self.display_labels = display_labels
        self.titles = titles
        self.channel = channel

    @classmethod
    def from_estimator(
        cls,
        estimator: object,
        X: ArrayLike,
        *,
        target: ArrayLike | None = None,
        uncertainty: bool | str = "auto",
        display_labels: Sequence[str] | None = None,
        titles: Sequence[str] | None = None,
        channel: int | None = None,
        n_images: int = 4,
        ax: Any = None,
    ) -> EnhancementDisplay:
        """Draw what a fitted enhancer makes of images.

        Parameters
        ----------
        estimator : GANEnhancer, or a fitted pipeline that holds one
            The model that enhances.
        X : array-like of shape (n, height, width), (n, height, width, channels) or (n, n_features)
            Poor images, in the form that the enhancer takes (in a pipeline: after the steps ahead of it); or a list of
            images that differ in size.
        target : array-like, default=None
            The good version of each image, `scale` times as high and wide.
        uncertainty : "auto" or bool, default="auto"
            Whether to show the error that the enhancer expects of itself. "auto": where it saw good images to learn
            that from.
        display_labels : sequence of str, default=None
            Name of each image shown.
        titles : sequence of str, default=None
            Title of each column drawn. None: as the class says.
        channel : int, default=None
            Channel to show in grey. None: three channels in colour, else the first.
        n_images : int, default=4
            Number of images to show, from the first on.
        ax : matplotlib Axes or array of Axes of shape (n_images, n_columns), default=None
            Where to draw; one Axes is divided. None: a new figure.

        Returns
        -------
        display : EnhancementDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        NotFittedError, TypeError, ValueError
            For an estimator that is not fitted, holds no enhancer or was fitted on a table, and for `X`, `target` or
            other arguments that do not fit it.
        """
        enhancer = find_enhancer(estimator)
        n_channels = channels_of_images(enhancer, "Enhanced images can be shown; this enhancer")
        check_whole("n_images", n_images)
        check_channel(channel, n_channels)
        if target is not None:
            check_consistent_length(X, target)
        if uncertainty == "auto":
            uncertainty = enhancer._error_model is not None
        parts = [_shown(enhancer, *rows, bool(uncertainty)) for rows in _stacks(X, target, n_images)]
        display = cls(
            **{name: _joined([part[name] for part in parts]) for name in parts[0]},
            data_range=enhancer._restoration.codec.span,
            display_labels=display_labels,
            titles=titles,
            channel=channel,
        )
        return display.plot(ax=ax)

    def plot(self, *, ax: Any = None) -> EnhancementDisplay:
        """Draw the images.

        Parameters
        ----------
        ax : matplotlib Axes or array of Axes of shape (n_images, n_columns), default=None
            Where to draw; one Axes is divided. None: a new figure.

        Returns
        -------
        self : EnhancementDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        ValueError
            If there is not one label a row and one title a column, or `ax` cannot hold the grid.
        """
        pictures, maps = self._pictures(), self._maps()
        labels = self._row_labels()
        titles = [*pictures, *maps] if self.titles is None else self.titles
        check_names("titles", titles, "columns", len(pictures) + len(maps))
        height, width = np.max([image.shape[:2] for image in self.enhanced], axis=0)
        self.axes_ = grid_of_axes(ax, len(labels), len(titles), width / height)
        self.figure_ = self.axes_[0, 0].figure
        for j, images in enumerate(pictures.values()):
            self._draw_pictures(self.axes_[:, j], images)
        for axes, (name, images) in zip(self.axes_.T[len(pictures) :], maps.items(), strict=True):
            alike = [image for other, of_it in maps.items() if (other == SIGNED) == (name == SIGNED) for image in of_it]
            limit = max(np.abs(image).max() for image in alike) or 1.0
            colours = ("RdBu_r", -limit) if name == SIGNED else ("magma", 0.0)
            for axis, image in zip(axes, images, strict=True):
                drawn = axis.imshow(image, cmap=colours[0], vmin=colours[1], vmax=limit, interpolation="nearest")
            bar = axes[-1].inset_axes((0.05, -0.14, 0.9, 0.06))
            self.figure_.colorbar(drawn, cax=bar, orientation="horizontal")
        for axis in self.axes_.ravel():
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        for axis, label in zip(self.axes_[:, 0], labels, strict=True):
            axis.set_ylabel(label)
        for axis, title in zip(self.axes_[0], titles, strict=True):
            axis.set_title(title)
        return self

    def _pictures(self) -> dict[str, list[np.ndarray]]:
        """Columns of images in the units of the data, all of the size of `enhanced`."""
        poor = [
            np.kron(image, np.ones((len(large) // len(image),) * 2 + (1,)))
            for image, large in zip(self.poor, self.enhanced, strict=True)
        ]
        columns = {"poor": poor, "enhanced": self.enhanced, "truth": self.target}
        return {name: [np.asarray(image, np.float64) for image in v] for name, v in columns.items() if v is not None}

    def _maps(self) -> dict[str, list[np.ndarray]]:
        """Columns of maps (height, width): what was changed or went wrong, and what was expected to go wrong."""
        maps: dict[str, Any] = {}
        if self.target is not None:
            maps["absolute error"] = map(np.abs, _differences(self.enhanced, self.target))
        elif self.poor[0].shape == self.enhanced[0].shape:
            maps[SIGNED] = _differences(self.enhanced, self.poor)
        if self.uncertainty is not None:
            maps["uncertainty"] = (np.asarray(image, np.float64) for image in self.uncertainty)
        shown = {name: [shown_channels(image, self.channel) for image in v] for name, v in maps.items()}
        return {
            name: [_largest(image) if name == SIGNED else image.mean(axis=-1) for image in v]
            for name, v in shown.items()
        }

    def _row_labels(self) -> list[str]:
        """Names of the rows, and the signal-to-noise ratio where the truth is known."""
        n = len(self.poor)
        names = [""] * n if self.display_labels is None else list(map(str, self.display_labels))
        check_names("display_labels", names, "rows", n)
        if self.target is None:
            return names
        parts = {"enhanced": self.enhanced}
        if self.poor[0].shape == self.enhanced[0].shape:
            parts = {"poor": self.poor, **parts}
        peak = self.data_range
        if peak is None:
            peak = float(max(map(np.max, self.target))) - float(min(map(np.min, self.target)))
        figures = {
            part: [decibels(true, image, peak) for image, true in zip(v, self.target, strict=True)]
            for part, v in parts.items()
        }
        lines = [[f"{part} {values[i]:.1f} dB" for part, values in figures.items()] for i in range(n)]
        return ["\n".join([name, *line] if name else line) for name, line in zip(names, lines, strict=True)]

    def _draw_pictures(self, axes: np.ndarray, images: list[np.ndarray]) -> None:
        references = self.enhanced if self.target is None else self.target
        for axis, image, reference in zip(axes, images, references, strict=True):
            shown = shown_channels(np.asarray(reference, np.float64), self.channel)
            low, high = shown.min(), shown.max()
            image = shown_channels(image, self.channel)
            if image.shape[-1] == 3:
                axis.imshow(np.clip((image - low) / ((high - low) or 1.0), 0.0, 1.0), interpolation="nearest")
            else:
                axis.imshow(image[..., 0], cmap="gray", vmin=low, vmax=high, interpolation="nearest")


def _stacks(X: Any, target: Any, n: int) -> Iterator[tuple[Any, Any]]:
    """The first rows and targets in their containers; of a list of images that differ in size, one by one."""
    if isinstance(X, list) and len({np.shape(image) for image in X}) > 1:
        targets = itertools.repeat(None) if target is None else ([image] for image in target)
        yield from itertools.islice(zip(([image] for image in X), targets, strict=False), n)
        return
    first = np.arange(min(n, _num_samples(X)))
    yield _safe_indexing(X, first), None if target is None else _safe_indexing(target, first)


def _shown(enhancer: GANEnhancer, X: Any, target: Any, uncertainty: bool) -> dict[str, np.ndarray]:
    """Arrays of the display for images of one size."""
    rows, form = check_rows(enhancer, X, image_shape=enhancer.image_shape, reset=False, any_size=True)
    sides: Any = form.image_shape
    height, width = sides[:2]
    enlarged = len(rows), height * enhancer.scale, width * enhancer.scale, sides[2]
    shown = {"poor": rows.reshape(-1, *sides), "enhanced": np.asarray(enhancer.transform(X)).reshape(enlarged)}
    if target is not None:
        shown["target"] = _target_images(target, enlarged)
    if uncertainty:
        shown["uncertainty"] = np.asarray(enhancer.uncertainty(X, n_samples=None)).reshape(enlarged)
    return shown


def _joined(parts: list[np.ndarray]) -> Images:
    return parts[0] if len(parts) == 1 else [image for part in parts for image in part]


def _differences(images: Images, others: Images) -> list[np.ndarray]:
    return [np.subtract(a, b, dtype=np.float64) for a, b in zip(images, others, strict=True)]


def _largest(change: np.ndarray) -> np.ndarray:
    """Of (height, width, channels), for each pixel the value that is farthest from zero."""
    return np.take_along_axis(change, np.abs(change).argmax(-1)[..., None], -1)[..., 0]


def _target_images(target: ArrayLike, shape: tuple[int, ...]) -> np.ndarray:
    images = np.asarray(target)
    if images.size != np.prod(shape) or images.ndim > 4:
        raise ValueError(
            f"target must hold the good version of each image, of shape {shape[1:]} once enlarged; got an array whose "
            f"rows are of shape {images.shape[1:]}. Pass the same images in the same order."
        )
    return images.reshape(shape)
