"""Pictures of a fitted augmenter, as scikit-learn Display classes. They need matplotlib (the extra ``plot``)."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from ._augmenter import GANAugmenter
from ._validation import check_rows

__all__ = ["SampleGridDisplay", "TrainingHistoryDisplay"]

HOLDERS = ("augmenter_", "estimator_")  # attributes in which other estimators keep a fitted one
GAP = 1  # white pixels between two images
BLOCK_GAP = 6  # between the real and the synthetic images


class TrainingHistoryDisplay:
    """Curves of a GAN's training: losses, how far apart real and synthetic rows score, and how varied samples are.

    Make one with `from_estimator`; the constructor takes what it stores.

    Parameters
    ----------
    history : dict of list
        `history_` of a fitted `GANAugmenter`.
    chance : float, default=None
        The discriminator's loss where it cannot tell real from synthetic rows.

    Attributes
    ----------
    axes_ : ndarray of shape (3,) of matplotlib Axes
        Losses, logit gap, sample spread.
    figure_ : matplotlib Figure
        The figure that holds them.

    See Also
    --------
    SampleGridDisplay : The samples themselves.

    Notes
    -----
    *Losses.* A discriminator whose loss stays on the dotted line, chance, teaches the generator nothing.
    *Logit gap.* Mean logit of real less synthetic rows: wide swings are oscillation.
    *Sample spread.* Standard deviation of samples relative to the data's: one is as varied as the data, near zero is
    collapse.

    Examples
    --------
    >>> from sklearn_medgan import GANAugmenter
    >>> from sklearn_medgan.datasets import make_nodules
    >>> from sklearn_medgan.plotting import TrainingHistoryDisplay
    >>> X, y = make_nodules(40, image_size=16, random_state=0, return_X_y=True)
    >>> gan = GANAugmenter(max_iter=20, random_state=0).fit(X, y)
    >>> display = TrainingHistoryDisplay.from_estimator(gan)
    >>> [ax.get_title() for ax in display.axes_]
    ['Losses', 'Logit gap', 'Sample spread']
    """

    def __init__(self, history, *, chance=None):
        self.history = history
        self.chance = chance

    @classmethod
    def from_estimator(cls, estimator, *, ax=None):
        """Draw the training curves of a fitted augmenter.

        Parameters
        ----------
        estimator : GANAugmenter, or a fitted pipeline, AugmentedClassifier or GANOverSampler that holds one
            The model whose training is shown.
        ax : matplotlib Axes or sequence of three Axes, default=None
            Where to draw; one Axes is divided into three. None: a new figure.

        Returns
        -------
        display : TrainingHistoryDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        NotFittedError, TypeError, ValueError
            For an estimator that is not fitted, holds no augmenter, or an `ax` that is neither.
        """
        from .gan.losses import OBJECTIVES

        augmenter = find_augmenter(estimator)
        config = augmenter._config  # what was fitted; parameters may have been set since
        chance = OBJECTIVES[config.loss].chance if config.adversarial else None
        return cls(augmenter.history_, chance=chance).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes or sequence of three Axes, default=None
            Where to draw; one Axes is divided into three. None: a new figure.

        Returns
        -------
        self : TrainingHistoryDisplay
        """
        self.axes_ = _three_axes(ax)
        self.figure_ = self.axes_[0].figure
        losses, gap, spread = self.axes_
        self._draw(losses, "discriminator_loss", label="discriminator")
        self._draw(losses, "generator_loss", label="generator")
        if any(self.history["class_loss"]):
            self._draw(losses, "class_loss", label="class head")
        if self.chance is not None:
            losses.axhline(self.chance, color="0.4", linestyle=":", label="chance")
        losses.legend(frameon=False)
        self._draw(gap, "logit_gap", color="C3")
        gap.axhline(0.0, color="0.4", linestyle=":")
        self._draw(spread, "sample_spread", color="C4")
        spread.axhline(1.0, color="0.4", linestyle=":")
        spread.set_ylim(bottom=0.0)
        for axis, title in zip(self.axes_, ("Losses", "Logit gap", "Sample spread"), strict=True):
            axis.set(title=title, xlabel="step")
            axis.spines[["top", "right"]].set_visible(False)
        return self

    def _draw(self, ax, name, **style):
        ax.plot(self.history["step"], self.history[name], **style)


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
    >>> gan = GANAugmenter(max_iter=20, random_state=0).fit(X, y)
    >>> display = SampleGridDisplay.from_estimator(gan, X, y, n_per_class=4, display_labels=["healthy", "nodule"])
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['healthy', 'nodule']
    """

    def __init__(self, synthetic, *, real=None, display_labels=None, channel=None):
        self.synthetic = synthetic
        self.real = real
        self.display_labels = display_labels
        self.channel = channel

    @classmethod
    def from_estimator(
        cls, estimator, X=None, y=None, *, n_per_class=8, display_labels=None, channel=None, random_state=0, ax=None
    ):
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

    def plot(self, *, ax=None):
        """Draw the grid.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.

        Returns
        -------
        self : SampleGridDisplay
        """
        blocks = (
            {"synthetic": self.synthetic} if self.real is None else {"real": self.real, "synthetic": self.synthetic}
        )
        tiles = [_colours(block, self.channel) for block in blocks.values()]
        low, high = min(map(np.nanmin, tiles)), max(map(np.nanmax, tiles))
        mosaics = [_mosaic((tile - low) / ((high - low) or 1.0)) for tile in tiles]
        height, width = mosaics[0].shape[:2]
        gap = np.ones((height, BLOCK_GAP, 3))
        picture = np.concatenate([part for mosaic in mosaics for part in (gap, mosaic)][1:], axis=1)
        self.ax_ = _one_axes(ax, picture.shape[1] / height)
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


def find_augmenter(estimator):
    """The fitted GANAugmenter that `estimator` is or holds."""
    found = _search(estimator)
    if found is None:
        raise TypeError(
            "Expected a GANAugmenter, or a fitted pipeline, AugmentedClassifier or GANOverSampler that holds one; got "
            f"{estimator!r}."
        )
    check_is_fitted(found)
    return found


def _search(estimator):
    """Depth first; None where there is no augmenter."""
    if isinstance(estimator, GANAugmenter):
        return estimator
    parts = [step for _, step in estimator.steps] if isinstance(estimator, Pipeline) else []
    parts += [part for name in HOLDERS if (part := getattr(estimator, name, None)) is not None]
    return next((found for part in parts if (found := _search(part)) is not None), None)


def _check_grid_request(augmenter, X, y, n_per_class, display_labels, channel):
    if augmenter.image_shape_ is None:
        raise ValueError(
            "A sample grid shows images; this augmenter was fitted on a table. Draw rows with sample(), or fit flat "
            "images with image_shape=(height, width)."
        )
    if isinstance(n_per_class, bool) or not isinstance(n_per_class, Integral) or n_per_class < 1:
        raise ValueError(f"n_per_class must be an integer of at least 1; got {n_per_class!r}.")
    n_channels = augmenter.image_shape_[2]
    if channel is not None and (not isinstance(channel, Integral) or not 0 <= channel < n_channels):
        raise ValueError(f"channel must be None or an integer from 0 to {n_channels - 1}; got {channel!r}.")
    n_classes = len(getattr(augmenter, "classes_", [None]))
    if display_labels is not None and len(display_labels) != n_classes:
        raise ValueError(f"display_labels must name {n_classes} rows; got {len(display_labels)}: {display_labels!r}.")
    if X is None and y is not None:
        raise ValueError("y labels the real images; got y without X. Pass both, or neither.")
    if X is not None and y is None and hasattr(augmenter, "classes_"):
        raise ValueError("The augmenter knows classes, so real images need their labels; got X without y. Pass y.")


def _draw_synthetic(augmenter, label, n, rng):
    rows, _ = augmenter.sample(n, y=label, random_state=rng)
    return np.asarray(rows, dtype=np.float64).reshape(n, *augmenter.image_shape_)


def _choose_real(augmenter, X, y, classes, n, rng):
    """Up to `n` real images of each class; what is missing is NaN."""
    rows, _ = check_rows(augmenter, X, image_shape=augmenter.image_shape, reset=False)
    labels = np.zeros(len(rows)) if classes[0] is None else np.asarray(y)
    check_consistent_length(rows, labels)
    chosen = np.full((len(classes), n, *augmenter.image_shape_), np.nan)
    for images, label in zip(chosen, classes, strict=True):
        members = np.flatnonzero(labels == (0 if label is None else label))
        picks = rng.permutation(members)[:n]
        images[: len(picks)] = rows[picks].reshape(-1, *augmenter.image_shape_)
    return chosen


def _colours(images, channel):
    """Images (..., height, width, channels) as red, green and blue."""
    images = np.asarray(images, dtype=np.float64)
    if channel is None and images.shape[-1] == 3:
        return images
    picked = 0 if channel is None else channel
    return np.repeat(images[..., picked : picked + 1], 3, axis=-1)


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


def _three_axes(ax):
    """Three axes: the ones given, parts of the one given, or those of a new figure."""
    if ax is None:
        return _pyplot().subplots(1, 3, figsize=(11, 3), layout="constrained")[1]
    if not np.iterable(ax):
        ax.set_axis_off()
        grid = ax.get_subplotspec().subgridspec(1, 3, wspace=0.3)
        return np.array([ax.figure.add_subplot(part) for part in grid], dtype=object)
    axes = np.asarray(ax, dtype=object).ravel()
    if len(axes) != 3:
        raise ValueError(f"ax must be one Axes or three: losses, logit gap, sample spread; got {len(axes)}.")
    return axes
