"""Pictures of fitted models and of comparisons, as Display classes. They need matplotlib (the extra ``plot``)."""

from __future__ import annotations

import math
from numbers import Integral

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from ._augmenter import GANAugmenter
from ._enhancer import GANEnhancer
from ._validation import check_rows, n_rows
from .metrics._images import decibels

__all__ = ["EnhancementDisplay", "IntervalDisplay", "SampleGridDisplay", "TrainingHistoryDisplay"]

HOLDERS = ("augmenter_", "estimator_")  # attributes in which other estimators keep a fitted one
GAP = 1  # white pixels between two images
BLOCK_GAP = 6  # between the real and the synthetic images
# How a difference is marked, by what its interval says: told apart by shape and filling too, and by colours that stay
# apart for the colour-blind.
MARKS = {
    "gain": {"color": "#0072B2", "marker": ">"},
    "loss": {"color": "#D55E00", "marker": "<"},
    "no evidence": {"color": "0.45", "marker": "o", "markerfacecolor": "white"},
}
COMPARED = ("arm", "classifier", "regime")  # columns that name a comparison
FIGURES = ("difference", "low", "high", "p_holm")  # and those that hold its result


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
        poor,
        enhanced,
        *,
        target=None,
        uncertainty=None,
        data_range=None,
        display_labels=None,
        titles=None,
        channel=None,
    ):
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
        estimator,
        X,
        *,
        target=None,
        uncertainty=True,
        display_labels=None,
        titles=None,
        channel=None,
        n_images=4,
        ax=None,
    ):
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
        n_channels = _channels_of_images(enhancer, "Enhanced images can be shown; this enhancer")
        _check_count("n_images", n_images)
        _check_channel(channel, n_channels)
        some = _first(X, n_images)
        rows, form = check_rows(enhancer, some, image_shape=enhancer.image_shape, reset=False, any_size=True)
        height, width, _ = form.image_shape
        enlarged = len(rows), height * enhancer.scale, width * enhancer.scale, n_channels
        shown = {"enhanced": np.asarray(enhancer.transform(some)).reshape(enlarged)}
        if target is not None:
            check_consistent_length(X, target)
            shown["target"] = _target_images(_first(target, n_images), enlarged)
        if uncertainty:
            shown["uncertainty"] = np.asarray(enhancer.uncertainty(some, n_samples=None)).reshape(enlarged)
        display = cls(
            rows.reshape(-1, *form.image_shape),
            **shown,
            data_range=enhancer._medium.codec.span,
            display_labels=display_labels,
            titles=titles,
            channel=channel,
        )
        return display.plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw the images.

        Parameters
        ----------
        ax : matplotlib Axes or array of Axes of shape (n_images, n_columns), default=None
            Where to draw; one Axes is divided. None: a new figure.

        Returns
        -------
        self : EnhancementDisplay
        """
        pictures, maps = self._pictures(), self._maps()
        labels = self._row_labels()
        titles = [*pictures, *maps] if self.titles is None else self.titles
        _check_names("titles", titles, "columns", len(pictures) + len(maps))
        height, width = np.shape(self.enhanced)[1:3]
        self.axes_ = _grid_of_axes(ax, len(labels), len(titles), width / height)
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

    def _pictures(self) -> dict:
        """Columns of images in the units of the data, all of the size of `enhanced`."""
        factor = np.shape(self.enhanced)[1] // np.shape(self.poor)[1]
        poor = np.repeat(np.repeat(self.poor, factor, axis=1), factor, axis=2)
        columns = {"poor": poor, "enhanced": self.enhanced, "truth": self.target}
        return {name: np.asarray(v, np.float64) for name, v in columns.items() if v is not None}

    def _maps(self) -> dict:
        """Columns of maps (n, height, width): what went wrong, and what was expected to."""
        maps = {}
        if self.target is not None:
            maps["absolute error"] = np.abs(np.subtract(self.enhanced, self.target, dtype=np.float64))
        if self.uncertainty is not None:
            maps["uncertainty"] = np.asarray(self.uncertainty, np.float64)
        return {name: _shown_channels(v, self.channel).mean(axis=-1) for name, v in maps.items()}

    def _row_labels(self) -> list[str]:
        """Names of the rows, and the signal-to-noise ratio where the truth is known."""
        n = len(self.poor)
        names = [""] * n if self.display_labels is None else list(map(str, self.display_labels))
        _check_names("display_labels", names, "rows", n)
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

    def _draw_pictures(self, axes, images) -> None:
        references = self.enhanced if self.target is None else self.target
        for axis, image, reference in zip(axes, images, references, strict=True):
            shown = _shown_channels(np.asarray(reference, np.float64), self.channel)
            low, high = shown.min(), shown.max()
            image = _shown_channels(image, self.channel)
            if image.shape[-1] == 3:
                axis.imshow(np.clip((image - low) / ((high - low) or 1.0), 0.0, 1.0), interpolation="nearest")
            else:
                axis.imshow(image[..., 0], cmap="gray", vmin=low, vmax=high, interpolation="nearest")


class IntervalDisplay:
    """Paired differences with their intervals, a row a comparison: what gains, what loses, what shows neither.

    Make one with `from_result`, or with the numbers themselves and `plot`.

    Parameters
    ----------
    labels : sequence of str
        Name of each comparison, from the top.
    differences : array-like of shape (n,)
        Estimates, in `unit`; above zero is a gain.
    low, high : array-like of shape (n,)
        Ends of the intervals, in `unit`.
    reference : str, default=None
        What each comparison is with, for the axis.
    unit : str, default="points"
        Unit of the numbers, for the axis; "" for none. Numbers are drawn as they are.
    p_values : array-like of shape (n,), default=None
        p-values, adjusted where many comparisons are made. None: intervals alone decide.
    level : float, default=0.05
        A difference whose p-value is not below this is no evidence, whatever its interval.

    Attributes
    ----------
    verdicts_ : list of {"gain", "loss", "no evidence"}
        What each comparison shows.
    ax_ : matplotlib Axes
        Where the intervals are drawn.
    figure_ : matplotlib Figure
        The figure that holds it.

    Notes
    -----
    A *gain* has its whole interval above zero and, where there are p-values, one below `level`; a *loss* likewise below
    zero. All else is *no evidence*, which is not the same as no difference: look how wide the interval is.

    Examples
    --------
    >>> from sklearn_medgan.plotting import IntervalDisplay
    >>> display = IntervalDisplay(["GAN rows", "SMOTE"], [2.1, -0.4], [0.7, -1.9], [3.5, 1.1], reference="no rows")
    >>> display.plot().verdicts_
    ['gain', 'no evidence']
    """

    def __init__(self, labels, differences, low, high, *, reference=None, unit="points", p_values=None, level=0.05):
        self.labels = labels
        self.differences = differences
        self.low = low
        self.high = high
        self.reference = reference
        self.unit = unit
        self.p_values = p_values
        self.level = level

    @classmethod
    def from_result(cls, result, *, reference=None, unit="points", level=0.05, ax=None):
        """Draw the comparisons of a benchmark.

        Parameters
        ----------
        result : object with a method to_frame, or DataFrame
            With the columns `arm`, `classifier`, `regime`, `difference`, `low`, `high` and `p_holm`. Rows without a
            difference, as that of the reference itself, are left out.
        reference : str, default=None
            What the arms are compared with, for the axis.
        unit : str, default="points"
            Unit of the differences, for the axis; "" for none.
        level : float, default=0.05
            A difference whose `p_holm` is not below this is no evidence, whatever its interval.
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure.

        Returns
        -------
        display : IntervalDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        TypeError, ValueError
            For a result that is no frame, lacks a column, or holds no difference.
        """
        frame = _comparisons(result)
        differing = [name for name in COMPARED if frame[name].nunique() > 1] or ["arm"]
        labels = [", ".join(map(str, row)) for row in frame[differing].itertuples(index=False)]
        columns = [frame[name].to_numpy(dtype=float) for name in FIGURES]
        display = cls(labels, *columns[:3], reference=reference, unit=unit, p_values=columns[3], level=level)
        return display.plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw the intervals.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: a new figure, as high as the rows need.

        Returns
        -------
        self : IntervalDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        ValueError
            If the numbers are not of one length, not finite, or an interval ends before it begins.
        """
        labels, numbers = list(map(str, self.labels)), self._checked()
        self.verdicts_ = self._verdicts(*numbers[1:])
        largest = np.abs(numbers).max() or 1.0
        digits = max(1, 1 - math.floor(math.log10(largest)))  # two that count, of the largest number
        self.ax_ = _rows_axes(ax, labels)
        self.figure_ = self.ax_.figure
        for row, (verdict, *row_numbers) in enumerate(zip(self.verdicts_, *numbers, strict=True)):
            self._draw_row(row, verdict, digits, *row_numbers)
        self.ax_.axvline(0.0, color="0.2", linewidth=1.0, zorder=1)
        self.ax_.set_yticks(range(len(labels)), labels)
        self.ax_.set_ylim(len(labels) - 0.5, -0.5)
        self.ax_.set_xlabel(self._axis_label())
        self.ax_.grid(axis="x", color="0.88", linewidth=0.8)
        self.ax_.set_axisbelow(True)
        self.ax_.tick_params(axis="y", length=0)
        self.ax_.spines[["top", "right", "left"]].set_visible(False)
        self._draw_legend()
        return self

    def _checked(self) -> list[np.ndarray]:
        """Differences and both ends as float64, checked."""
        names = ["differences", "low", "high"] + ["p_values"] * (self.p_values is not None)
        numbers = [np.asarray(getattr(self, name), dtype=np.float64) for name in names]
        n = len(self.labels)
        for name, values in zip(names, numbers, strict=True):
            if values.shape != (n,) or not n:
                raise ValueError(f"{name} must hold a number for each of {n} labels (1 or more); got {values.shape}.")
            if name != "p_values" and not np.isfinite(values).all():
                raise ValueError(f"{name} must be finite; got {values.tolist()}. Leave out what was not compared.")
        if (numbers[1] > numbers[2]).any():
            row = int(np.argmax(numbers[1] > numbers[2]))
            ends = f"{numbers[1][row]:g} and {numbers[2][row]:g} for {self.labels[row]!r}"
            raise ValueError(f"low must not be above high; got {ends}. Swap them.")
        return numbers[:3]

    def _verdicts(self, low, high) -> list[str]:
        significant = np.ones(len(low), bool) if self.p_values is None else np.less(self.p_values, self.level)
        verdicts = np.where(low > 0, "gain", np.where(high < 0, "loss", "no evidence"))
        return np.where(significant, verdicts, "no evidence").tolist()

    def _draw_row(self, row, verdict, digits, difference, low, high) -> None:
        mark, evident = MARKS[verdict], verdict != "no evidence"
        if row % 2:
            self.ax_.axhspan(row - 0.5, row + 0.5, color="0.965", zorder=0, linewidth=0)
        self.ax_.plot([low, high], [row, row], color=mark["color"], linewidth=2.0 if evident else 1.2, zorder=2)
        self.ax_.plot(difference, row, **mark, markersize=7, zorder=3)
        text = f"{difference:+.{digits}f}  [{low:+.{digits}f}, {high:+.{digits}f}]".replace("-", "\N{MINUS SIGN}")
        place = self.ax_.get_yaxis_transform()
        weight = "bold" if evident else "normal"
        self.ax_.text(1.02, row, text, transform=place, va="center", fontsize="small", weight=weight)

    def _axis_label(self) -> str:
        what = "difference" if self.reference is None else f"difference to {self.reference}"
        return f"{what} ({self.unit})" if self.unit else what

    def _draw_legend(self) -> None:
        """Above the rows, the marks in use, in a fixed order."""
        from matplotlib.lines import Line2D

        handles = [Line2D([], [], label=name, **mark) for name, mark in MARKS.items() if name in self.verdicts_]
        self.ax_.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=len(handles), frameon=False)


def _comparisons(result):
    """The rows of a benchmark's frame that hold a difference."""
    frame = result.to_frame() if hasattr(result, "to_frame") and not hasattr(result, "columns") else result
    if not hasattr(frame, "columns"):
        raise TypeError(f"Expected a DataFrame, or a result whose to_frame gives one; got {type(result).__name__}.")
    missing = [name for name in (*COMPARED, *FIGURES) if name not in frame.columns]
    if missing:
        raise ValueError(f"The result lacks the columns {missing}; it has {list(frame.columns)}. Rename or add them.")
    frame = frame[frame["difference"].notna()]
    if not len(frame):
        raise ValueError("The result holds no difference: every row's is missing. Compare two arms or more.")
    return frame


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


def _check_grid_request(augmenter, X, y, n_per_class, display_labels, channel):
    n_channels = _channels_of_images(augmenter, "A sample grid shows images; this augmenter")
    _check_count("n_per_class", n_per_class)
    _check_channel(channel, n_channels)
    if display_labels is not None:
        _check_names("display_labels", display_labels, "rows", len(getattr(augmenter, "classes_", [None])))
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


def _first(X, n: int):
    """The first rows, in their container."""
    return _safe_indexing(X, np.arange(min(n, n_rows(X))))


def _target_images(target, shape) -> np.ndarray:
    images = np.asarray(target)
    if images.size != np.prod(shape) or images.ndim > 4:
        raise ValueError(
            f"target must hold the good version of each image, of shape {shape[1:]} once enlarged; got an array whose "
            f"rows are of shape {images.shape[1:]}. Pass the same images in the same order."
        )
    return images.reshape(shape)


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
