"""Arms of the benchmark that are made of estimators: a GAN's, the user's own, and the table of the protocol."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from .._allocation import dose_counts, synthetic_counts
from ..augmentation._augmenter import GANAugmenter
from ..pipeline._dose import DOSES, choose_dose, inner_splits, judge_doses
from ..pipeline._parts import training_columns
from ..pipeline._rows import draw_rows, seed_parts
from ._arms import KINDS, Arm, Columns, Fold, flat, grown, light_arms
from ._shown import show_gan
from ._transfer_arms import FINE_TUNED, transfer_arms

# -------------------------------------------------------------------------------------------------------------- GAN


class SharedGAN:
    """One GAN of the training rows for all arms and classifiers, and those of inner folds where a dose is chosen."""

    def __init__(self, fold: Fold, augmenter: Any, name: str) -> None:
        self._fold, self._augmenter, self._name = fold, augmenter, name
        self.gan = self._fit(fold)

    def _fit(self, fold: Fold) -> Any:
        augmenter = clone(self._augmenter)
        seed_parts(fold.seed(self._name), augmenter)
        return augmenter.fit(rows_for(augmenter, fold.X), fold.y)

    @cached_property
    def inner(self) -> list[tuple]:
        """Return (rows held out, fold of the others, its GAN) of the inner folds of `AugmentedClassifier`."""
        splits = inner_splits(self._fold.X, self._fold.y, groups=self._fold.groups)
        folds = [(test, self._fold.inner(train, test)) for train, test in splits]
        return [(test, fold, self._fit(fold)) for test, fold in folds]


def _draw(gan: Any, fold: Fold, counts: dict, name: str) -> tuple:
    """Return synthetic rows of these counts by class."""
    labels = np.repeat(np.unique(fold.y), list(counts.values()))
    if not len(labels):
        return fold.X[:0], fold.y[:0]
    return draw_rows(gan, rows_for(gan, fold.X), fold.y, labels, fold.seed(name))


def _draw_by_gan(gan: Any, fold: Fold, counts: dict, name: str) -> tuple:
    """Return the same, of the GAN also where the default would move real images: it is the GAN that is on trial."""
    given = getattr(gan, "resampling", None)
    if given != "auto" or fold.X.ndim == 2:
        return _draw(gan, fold, counts, name)
    try:
        return _draw(gan.set_params(resampling="mixed"), fold, counts, name)
    finally:
        gan.set_params(resampling=given)


def _gan_rows(fold: Fold, shared: Any, classifier: Any, *, name: str) -> Columns:
    gan = shared.gan
    counts = synthetic_counts(fold.y, getattr(gan, "sampling_strategy", "auto"), getattr(gan, "ratio", 2.0))
    return grown(fold, *_draw_by_gan(gan, fold, counts, name))


def _dosed(fold: Fold, gan: Any, dose: float, name: str) -> Columns:
    drawn = _draw_by_gan(gan, fold, dose_counts(fold.y, dose), f"{name}, {dose}")
    return grown(fold, *drawn, notes={"dose": dose})


def _chosen_dose(fold: Fold, shared: Any, classifier: Any, *, name: str, doses: Sequence[float]) -> Columns:
    """Return the dose that `AugmentedClassifier` would choose: fewest rows within one standard error of the best."""
    held_out = (
        (test, np.stack([_predicted(classifier, _dosed(inner, gan, dose, name)) for dose in doses]))
        for test, inner, gan in shared.inner
    )
    return _dosed(fold, shared.gan, choose_dose(judge_doses(doses, fold.y, fold.groups, held_out)), name)


def _predicted(classifier: Any, columns: Columns) -> np.ndarray:
    return clone(classifier).fit(columns.X, columns.y).predict(columns.X_test)


def gan_rows_and_columns(fold: Fold, shared: Any, classifier: Any, *, name: str) -> Columns:
    """Return what `sklearn_medgan.Pipeline` hands to its classifier: real and synthetic rows, on the GAN's columns."""
    gan = shared.gan
    counts = synthetic_counts(fold.y, getattr(gan, "sampling_strategy", "auto"), getattr(gan, "ratio", 2.0))
    X_new, y_new = _draw(gan, fold, counts, name)
    X = training_columns(gan, rows_for(gan, fold.X), fold.y, rows_for(gan, X_new), y_new)
    return Columns(X, np.concatenate([fold.y, y_new]), gan.transform(rows_for(gan, fold.X_test)))


def _gan_columns(fold: Fold, shared: Any, classifier: Any) -> Columns:
    gan = shared.gan
    return Columns(gan.transform(rows_for(gan, fold.X)), fold.y, gan.transform(rows_for(gan, fold.X_test)))


def gan_arms(augmenter: Any = None, *, name: str = "GAN", doses: Sequence[float] = DOSES) -> dict[str, Arm]:
    """Return the arms of a GAN, which share one fit a fold: rows, rows in a chosen dose, columns.

    Parameters
    ----------
    augmenter : estimator with `fit`, `sample` and `transform`, default=None
        None is ``GANAugmenter()``. Its `ratio` and `sampling_strategy` give the rows of the first arm, and its
        `resampling` how they are made; "auto" is "mixed" for images here, where the GAN is on trial.
    name : str, default="GAN"
        First word of the arms' names.
    doses : tuple of float, default=(0, 0.5, 1, 2)
        Synthetic rows per real row, of which the second arm chooses as ``AugmentedClassifier(dose="cv")`` does, on
        three inner folds of the training rows by group, for each classifier; it needs three further fits, shared
        between doses and classifiers.

    Returns
    -------
    dict of str to Arm

    Examples
    --------
    >>> from sklearn_medgan import GANAugmenter
    >>> from sklearn_medgan.benchmark import gan_arms
    >>> list(gan_arms(GANAugmenter(loss="hinge"), name="hinge GAN"))
    ['hinge GAN rows', 'hinge GAN rows, chosen dose', 'hinge GAN columns']
    """
    augmenter = GANAugmenter() if augmenter is None else augmenter
    fit = partial(SharedGAN, augmenter=augmenter, name=name)
    shared: dict[str, Any] = {"share": name, "fit_shared": fit, "show": show_gan}
    chosen = partial(_chosen_dose, name=name, doses=tuple(sorted(map(float, doses))))
    return {
        f"{name} rows": Arm("rows", partial(_gan_rows, name=name), about="synthetic rows drawn by a GAN", **shared),
        f"{name} rows, chosen dose": Arm(
            "rows", chosen, per_classifier=True, about="as many synthetic rows as inner folds favour", **shared
        ),
        f"{name} columns": Arm("columns", _gan_columns, about="features that a GAN has learned", **shared),
    }


def _conv_net_arm(augmenter: GANAugmenter) -> Arm:
    """Return the discriminator's trunk with its class head alone; twice the GAN's steps take about as long as those."""
    alone = {"adversarial_weight": 0.0, "n_patches": 0, "backbone": None, "max_iter": 2 * augmenter.max_iter}
    net = clone(augmenter).set_params(**alone)
    fit = partial(SharedGAN, augmenter=net, name="conv net")
    about = "features of a network trained on the labels alone"
    return Arm("columns", _gan_columns, share="conv net", fit_shared=fit, images_only=True, about=about)


def default_arms(max_iter: int | None = None, **parameters: Any) -> dict[str, Arm]:
    """Return rows and columns of the protocol, by name.

    `max_iter` updates of each GAN, None for its default; `parameters` are further ones of `GANAugmenter`. Transfer
    learning is by the same `backbone`, by the embedded one where that is None.
    """
    augmenter = GANAugmenter(**parameters)
    if max_iter is not None:
        augmenter.set_params(max_iter=max_iter)
    conv_net = {"conv net (class head only)": _conv_net_arm(augmenter)}
    transfer = transfer_arms("auto" if augmenter.backbone is None else augmenter.backbone)
    frozen = {name: arm for name, arm in transfer.items() if name != FINE_TUNED}
    arms = {**light_arms(), **conv_net, **frozen, **gan_arms(augmenter)}
    return dict(sorted(arms.items(), key=lambda item: KINDS.index(item[1].kind)))


# ---------------------------------------------------------------------------------------------- the user's estimators


def as_arm(name: str, value: Any) -> Arm:
    """Return an `Arm`, or what an estimator makes one."""
    if isinstance(value, Arm):
        return value
    if isinstance(value, type) or not hasattr(value, "fit"):
        raise TypeError(
            f"Arm {name!r} must be an Arm or an estimator that can be fitted (an instance, not a class); got {value!r}."
        )
    about = type(value).__name__
    if hasattr(value, "transform"):
        return Arm("columns", partial(_transformed, name=name, transformer=value), about=about)
    if hasattr(value, "fit_resample"):
        return Arm("rows", partial(_resampled, name=name, sampler=value), about=about)
    if hasattr(value, "predict") and "estimator" in value.get_params(deep=False):
        return Arm("rows", partial(_wrapped, name=name, wrapper=value), per_classifier=True, about=about)
    raise TypeError(
        f"Arm {name!r}: {value!r} has neither transform nor fit_resample, nor a classifier of its own in a parameter "
        "'estimator'. Pass a classifier in classifiers=, or write an Arm."
    )


def takes_stacks(estimator: Any) -> bool:
    """Return whether images go in as they are; otherwise as flat rows."""
    if isinstance(estimator, Pipeline):
        estimator = estimator.steps[0][1]
    if not isinstance(estimator, BaseEstimator):
        return True
    return get_tags(estimator).input_tags.three_d_array or "image_shape" in estimator.get_params(deep=False)


def rows_for(estimator: Any, X: Any) -> np.ndarray:
    return X if X.ndim == 2 or takes_stacks(estimator) else X.reshape(len(X), -1)


def _seeded(estimator: Any, fold: Fold, name: str) -> Any:
    copy = clone(estimator)
    seed_parts(fold.seed(name), copy)
    return copy


def _transformed(fold: Fold, shared: Any, classifier: Any, *, name: str, transformer: Any) -> Columns:
    transformer = _seeded(transformer, fold, name)
    transformer.fit(rows_for(transformer, fold.X), fold.y)
    X, X_test = (flat(transformer.transform(rows_for(transformer, rows))) for rows in (fold.X, fold.X_test))
    return Columns(X, fold.y, X_test)


def _resampled(fold: Fold, shared: Any, classifier: Any, *, name: str, sampler: Any) -> Columns:
    sampler = _seeded(sampler, fold, name)
    X, y = sampler.fit_resample(rows_for(sampler, fold.X), fold.y)
    return Columns(fold.scaled(X), np.asarray(y), fold.pixels.X_test)


def _wrapped(fold: Fold, shared: Any, classifier: Any, *, name: str, wrapper: Any) -> Columns:
    """Return the user's meta-estimator around the classifier; a pipeline in it keeps all but its last step."""
    wrapper = _seeded(wrapper, fold, name)
    inner = wrapper.get_params(deep=False)["estimator"]
    place = f"estimator__{inner.steps[-1][0]}" if isinstance(inner, Pipeline) else "estimator"
    wrapper.set_params(**{place: classifier})
    takes = getattr(wrapper, "augmenter", wrapper)
    by_group = {"groups": fold.groups} if getattr(wrapper, "dose", None) == "cv" else {}
    return Columns(rows_for(takes, fold.X), fold.y, rows_for(takes, fold.X_test), by_group, classifier=wrapper)
