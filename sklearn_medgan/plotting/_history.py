"""Curves of a training run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._axes import three_axes
from ._fitted import find_augmenter

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
    >>> gan = GANAugmenter(max_iter=5, width=4, random_state=0).fit(X, y)
    >>> display = TrainingHistoryDisplay.from_estimator(gan)
    >>> [ax.get_title() for ax in display.axes_]
    ['Losses', 'Logit gap', 'Sample spread']
    """

    def __init__(self, history: dict[str, list], *, chance: float | None = None) -> None:
        self.history = history
        self.chance = chance

    @classmethod
    def from_estimator(cls, estimator: object, *, ax: Any = None) -> TrainingHistoryDisplay:
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
        from ..gan.losses import OBJECTIVES

        augmenter = find_augmenter(estimator)
        config = augmenter._config  # what was fitted; parameters may have been set since
        chance = OBJECTIVES[config.loss].chance if config.adversarial else None
        return cls(augmenter.history_, chance=chance).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> TrainingHistoryDisplay:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes or sequence of three Axes, default=None
            Where to draw; one Axes is divided into three. None: a new figure.

        Returns
        -------
        self : TrainingHistoryDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        ValueError
            If `ax` is neither one Axes nor three.
        """
        self.axes_ = three_axes(ax)
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

    def _draw(self, ax: Axes, name: str, **style: Any) -> None:
        ax.plot(self.history["step"], self.history[name], **style)
