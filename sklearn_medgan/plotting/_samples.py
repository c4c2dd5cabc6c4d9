"""Real and synthetic images side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_consistent_length

from .._parameters import check_whole
from .._validation import check_rows
from ._axes import one_axes
from ._fitted import channels_of_images, check_channel, check_names, find_augmenter
from ._pictures import BLOCK_GAP, GAP, as_colours, mosaic_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..augmentation._augmenter import GANAugmenter


class SampleGridDisplay:
    """Synthetic images in a grid, one row a class, beside real ones where given.

    Make one with `from_estimator`; the constructor takes what it stores.

    Parameters
    ----------
    synthetic : ndarray of shape (n_classes, n_per_class, height, width, channels)
        Images, any numeric dtype and range.
    real : ndarray of the same shape, default=None
        Real images; rows of NaN leave a place empty.
    display_labels : list of str, default=None
        Name of each row.
    channel : int, default=None
        Channel to show in grey. None: three channels in colour, else the first.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the grid is drawn.
    figure_ : matplotlib Figure
        The figure that holds it.
    im_ : matplotlib AxesImage
        The grid as one picture.

    See Also
    --------
    TrainingHistoryDisplay : How the training went.

    Notes
    -----
    All images share one intensity scale, from the smallest to the largest value shown.

    Examples
    --------
    >>> from sklearn_medgan import GANAugmenter
    >>> from sklearn_medgan.datasets import make_nodules
    >>> from sklearn_medgan.plotting import SampleGridDisplay
    >>> X, y = make_nodules(40, image_size=16, random_state=0, return_X_y=True)
    >>> gan = GANAugmenter(max_iter=5, width=4, random_state=0).fit(X, y)
    >>> display = SampleGridDisplay.from_estimator(gan, X, y, n_per_class=4, display_labels=["healthy", "nodule"])
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['healthy', 'nodule']
    """

    def __init__(
        self,
        synthetic: np.ndarray,
        *,
        real: np.ndarray | None = None,
        display_labels: Sequence[str] | None = None,
        channel: int | None = None,
    ) -> None:
        self.synthetic = synthetic
        self.real = real
        self.display_labels = display_labels
        self.channel = channel

    @classmethod
    def from_estimator(
        cls,
        estimator: object,
        X: ArrayLike | None = None,
        y: Any = None,
        *,
        n_per_class: int = 8,
        display_labels: Sequence[str] | None = None,
        channel: int | None = None,
        random_state: int | np.random.RandomState | None = 0,
        ax: Axes | None = None,
    ) -> SampleGridDisplay:
        """Draw samples of a fitted augmenter, beside real images where `X` is given.

        Parameters
        ----------
        estimator : GANAugmenter, or a fitted pipeline, AugmentedClassifier or GANOverSampler that holds one
            The model to sample from. Its own stream of samples is left as it was.
        X : array-like in the form seen at `fit`, default=None
            Real images to choose from.
        y : array-like of shape (n,), default=None
            Their labels; needed with `X` if the augmenter was fitted with labels.
        n_per_class : int, default=8
            Images in a row, of either kind.
        display_labels : sequence of str, default=None
            Name of each class, in the order of `classes_`. None: the labels.
        channel : int, default=None
            Channel to show in grey. None: three channels in colour, else the first.
        random_state : int, RandomState instance or None, default=0
            Chooses noise and real images.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.

        Returns
        -------
        display : SampleGridDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        NotFittedError, TypeError, ValueError
            For an estimator that is not fitted, holds no augmenter or was fitted on a table, and for `X`, `y` or other
            arguments that do not fit it.
        """
        augmenter = find_augmenter(estimator)
        _check_grid_request(augmenter, X, y, n_per_class, display_labels, channel)
        rng = check_random_state(random_state)
        classes = getattr(augmenter, "classes_", [None])
        synthetic = [_draw_synthetic(augmenter, label, n_per_class, rng) for label in classes]
        real = None if X is None else _choose_real(augmenter, X, y, classes, n_per_class, rng)
        if display_labels is None and classes[0] is not None:
            display_labels = [str(label) for label in classes]
        return cls(np.stack(synthetic), real=real, display_labels=display_labels, channel=channel).plot(ax=ax)

    def plot(self, *, ax: Axes | None = None) -> SampleGridDisplay:
        """Draw the grid.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.

        Returns
        -------
        self : SampleGridDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        """
        blocks = (
            {"synthetic": self.synthetic} if self.real is None else {"real": self.real, "synthetic": self.synthetic}
        )
        tiles = [as_colours(block, self.channel) for block in blocks.values()]
        low, high = min(map(np.nanmin, tiles)), max(map(np.nanmax, tiles))
        mosaics = [mosaic_of((tile - low) / ((high - low) or 1.0)) for tile in tiles]
        height, width = mosaics[0].shape[:2]
        gap = np.ones((height, BLOCK_GAP, 3))
        picture = np.concatenate([part for mosaic in mosaics for part in (gap, mosaic)][1:], axis=1)
        self.ax_ = one_axes(ax, picture.shape[1] / height)
        self.figure_ = self.ax_.figure
        self.im_ = self.ax_.imshow(picture, interpolation="nearest")
        self.ax_.set_xticks([i * (width + BLOCK_GAP) + (width - 1) / 2 for i in range(len(blocks))], list(blocks))
        n_rows = len(self.synthetic)
        pitch = (height + GAP) / n_rows
        names = self.display_labels if self.display_labels is not None else [""] * n_rows
        self.ax_.set_yticks([(i + 0.5) * pitch - 1 for i in range(n_rows)], list(names))
        self.ax_.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
        self.ax_.spines[:].set_visible(False)
        return self


def _check_grid_request(
    augmenter: GANAugmenter,
    X: object,
    y: object,
    n_per_class: int,
    display_labels: Sequence[str] | None,
    channel: int | None,
) -> None:
    n_channels = channels_of_images(augmenter, "A sample grid shows images; this augmenter")
    check_whole("n_per_class", n_per_class)
    check_channel(channel, n_channels)
    if display_labels is not None:
        check_names("display_labels", display_labels, "rows", len(getattr(augmenter, "classes_", [None])))
    if X is None and y is not None:
        raise ValueError("y labels the real images; got y without X. Pass both, or neither.")
    if X is not None and y is None and hasattr(augmenter, "classes_"):
        raise ValueError("The augmenter knows classes, so real images need their labels; got X without y. Pass y.")


def _draw_synthetic(augmenter: GANAugmenter, label: Any, n: int, rng: np.random.RandomState) -> np.ndarray:
    rows, _ = augmenter.sample(n, y=label, random_state=rng)
    return np.asarray(rows, dtype=np.float64).reshape(n, *_image_shape(augmenter))


def _image_shape(augmenter: GANAugmenter) -> tuple[int, int, int]:
    assert augmenter.image_shape_ is not None  # a display of images has checked that
    return augmenter.image_shape_


def _choose_real(
    augmenter: GANAugmenter, X: ArrayLike, y: Any, classes: Sequence, n: int, rng: np.random.RandomState
) -> np.ndarray:
    """Up to `n` real images of each class; what is missing is NaN."""
    rows, _ = check_rows(augmenter, X, image_shape=augmenter.image_shape, reset=False)
    labels = np.zeros(len(rows)) if classes[0] is None else np.asarray(y)
    check_consistent_length(rows, labels)
    chosen = np.full((len(classes), n, *_image_shape(augmenter)), np.nan)
    for images, label in zip(chosen, classes, strict=True):
        members = np.flatnonzero(labels == (0 if label is None else label))
        picks = rng.permutation(members)[:n]
        images[: len(picks)] = rows[picks].reshape(-1, *_image_shape(augmenter))
    return chosen
