"""Images before and after restoration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_consistent_length

from .._parameters import check_whole
from .._sklearn_compat import _safe_indexing
from .._validation import check_rows, n_rows
from ..metrics._images import decibels
from ._axes import grid_of_axes
from ._fitted import channels_of_images, check_channel, check_names, find_enhancer
from ._pictures import shown_channels

if TYPE_CHECKING:
    pass


class EnhancementDisplay:
    """Poor images beside their enhancement, the truth where known, the error made and the error expected.

    Make one with `from_estimator`; the constructor takes what it stores.

    Parameters
    ----------
    poor : ndarray of shape (n, height, width, channels)
        Images as they came, any real dtype and range.
    enhanced : ndarray of shape (n, scale * height, scale * width, channels)
        The same images after `transform`.
    target : ndarray of the shape of `enhanced`, default=None
        The good version of each image.
    uncertainty : ndarray of the shape of `enhanced`, default=None
        Standard deviation of the error, for every pixel.
    data_range : float, default=None
        Peak of the signal-to-noise ratio. None: the range of `target`.
    display_labels : sequence of str, default=None
        Name of each row.
    titles : sequence of str, default=None
        Title of each column drawn. None: "poor", "enhanced", "truth", "absolute error", "uncertainty".
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
    beyond is shown black or white. All maps share one colour scale, from zero to their largest value: an error that is
    brighter than the uncertainty was not foreseen. In colour, maps are means over the channels. A row's label gives the
    peak signal-to-noise ratio over all channels. Of enlarged images, `poor` is shown with its pixels repeated.

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
        poor: np.ndarray,
        enhanced: np.ndarray,
        *,
        target: np.ndarray | None = None,
        uncertainty: np.ndarray | None = None,
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
        uncertainty: bool = True,
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
            Poor images, in the form that the enhancer takes (in a pipeline: after the steps ahead of it).
        target : array-like, default=None
            The good version of each image, `scale` times as high and wide.
        uncertainty : bool, default=True
            Whether to show the error that the enhancer expects of itself.
        display_labels : sequence of str, default=None
            Name of each image shown.
        titles : sequence of str, default=None
            Title of each column drawn. None: "poor", "enhanced", "truth", "absolute error", "uncertainty".
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
        some = _first(X, n_images)
        rows, form = check_rows(enhancer, some, image_shape=enhancer.image_shape, reset=False, any_size=True)
        sides: Any = form.image_shape
        height, width, _ = sides
        enlarged = len(rows), height * enhancer.scale, width * enhancer.scale, n_channels
        shown = {"enhanced": np.asarray(enhancer.transform(some)).reshape(enlarged)}
        if target is not None:
            check_consistent_length(X, target)
            shown["target"] = _target_images(_first(target, n_images), enlarged)
        if uncertainty:
            shown["uncertainty"] = np.asarray(enhancer.uncertainty(some, n_samples=None)).reshape(enlarged)
        display = cls(
            rows.reshape(-1, *sides),
            **shown,
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
        height, width = np.shape(self.enhanced)[1:3]
        self.axes_ = grid_of_axes(ax, len(labels), len(titles), width / height)
        self.figure_ = self.axes_[0, 0].figure
        for j, images in enumerate(pictures.values()):
            self._draw_pictures(self.axes_[:, j], images)
        limit = max((image.max() for images in maps.values() for image in images), default=0.0)
        for axes, images in zip(self.axes_.T[len(pictures) :], maps.values(), strict=True):
            for axis, image in zip(axes, images, strict=True):
                drawn = axis.imshow(image, cmap="magma", vmin=0.0, vmax=limit or 1.0, interpolation="nearest")
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

    def _pictures(self) -> dict[str, np.ndarray]:
        """Columns of images in the units of the data, all of the size of `enhanced`."""
        factor = np.shape(self.enhanced)[1] // np.shape(self.poor)[1]
        poor = np.repeat(np.repeat(self.poor, factor, axis=1), factor, axis=2)
        columns = {"poor": poor, "enhanced": self.enhanced, "truth": self.target}
        return {name: np.asarray(v, np.float64) for name, v in columns.items() if v is not None}

    def _maps(self) -> dict[str, np.ndarray]:
        """Columns of maps (n, height, width): what went wrong, and what was expected to."""
        maps = {}
        if self.target is not None:
            maps["absolute error"] = np.abs(np.subtract(self.enhanced, self.target, dtype=np.float64))
        if self.uncertainty is not None:
            maps["uncertainty"] = np.asarray(self.uncertainty, np.float64)
        return {name: shown_channels(v, self.channel).mean(axis=-1) for name, v in maps.items()}

    def _row_labels(self) -> list[str]:
        """Names of the rows, and the signal-to-noise ratio where the truth is known."""
        n = len(self.poor)
        names = [""] * n if self.display_labels is None else list(map(str, self.display_labels))
        check_names("display_labels", names, "rows", n)
        if self.target is None:
            return names
        parts = {"enhanced": self.enhanced}
        if np.shape(self.poor) == np.shape(self.enhanced):
            parts = {"poor": self.poor, **parts}
        peak = np.ptp(np.asarray(self.target, np.float64)) if self.data_range is None else self.data_range
        figures = {
            part: [decibels(true, image, peak) for image, true in zip(v, self.target, strict=True)]
            for part, v in parts.items()
        }
        lines = [[f"{part} {values[i]:.1f} dB" for part, values in figures.items()] for i in range(n)]
        return ["\n".join([name, *line] if name else line) for name, line in zip(names, lines, strict=True)]

    def _draw_pictures(self, axes: np.ndarray, images: np.ndarray) -> None:
        references = self.enhanced if self.target is None else self.target
        for axis, image, reference in zip(axes, images, references, strict=True):
            shown = shown_channels(np.asarray(reference, np.float64), self.channel)
            low, high = shown.min(), shown.max()
            image = shown_channels(image, self.channel)
            if image.shape[-1] == 3:
                axis.imshow(np.clip((image - low) / ((high - low) or 1.0), 0.0, 1.0), interpolation="nearest")
            else:
                axis.imshow(image[..., 0], cmap="gray", vmin=low, vmax=high, interpolation="nearest")


def _first(X: ArrayLike, n: int) -> Any:
    """The first rows, in their container."""
    return _safe_indexing(X, np.arange(min(n, n_rows(X))))


def _target_images(target: ArrayLike, shape: tuple[int, ...]) -> np.ndarray:
    images = np.asarray(target)
    if images.size != np.prod(shape) or images.ndim > 4:
        raise ValueError(
            f"target must hold the good version of each image, of shape {shape[1:]} once enlarged; got an array whose "
            f"rows are of shape {images.shape[1:]}. Pass the same images in the same order."
        )
    return images.reshape(shape)
