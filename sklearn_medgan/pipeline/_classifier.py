"""A classifier that adds labelled rows before it learns."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.utils import Tags, assert_all_finite, check_random_state, get_tags, indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d, has_fit_parameter

from .._allocation import dose_counts
from .._containers import as_rows
from .._sklearn_compat import (
    HasMethods,
    Interval,
    StrOptions,
    _check_sample_weight,
    _estimator_has,
    _fit_context,
    _LinkToDocs,
    _routing_enabled,
)
from ._dose import DOSES, choose_dose, describe_choice, inner_splits, judge_doses
from ._parts import Parts, transform
from ._rows import is_one_a_row


class AugmentedClassifier(_LinkToDocs, ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """A classifier that trains on real rows and on further ones that an augmenter makes of them.

    ``fit`` fits the augmenter, lets it make rows of each class, transforms given and added rows with the
    augmenter (if it has ``transform``) and fits the classifier on both. Prediction transforms, and adds nothing.
    Only the rows given to ``fit`` are ever seen, so cross-validation around it does not leak.

    Parameters
    ----------
    estimator : classifier
        Fitted on the augmented rows.
    augmenter : estimator with ``fit`` and ``sample``
        Such as `GANAugmenter`. Its own ``sampling_strategy`` and ``ratio`` are not used: ``dose`` rules. Where it has
        ``resample(X, y, labels=...)``, rows come from that, which may start from the real ones.
    dose : float or "cv", default=1.0
        Added rows per given one, in total; allotted so that the classes end as even as possible, the
        smallest filled up first. 0 adds none and leaves the augmenter's ``transform``. "cv" chooses among 0, 0.5, 1
        and 2 on held-out real rows: 0, unless another does better by more than chance explains (see Notes).
    synthetic_weight : float, default=1.0
        An added row weighs the mean ``sample_weight`` of its class times this. Other than 1 it needs a
        classifier whose ``fit`` takes ``sample_weight``.
    cv : int, splitter, iterable or None, default=None
        Inner folds of ``dose="cv"``; each costs a fit of the augmenter. None: 3 stratified folds, or 2 where a class
        has rows (groups) for no more; an int: so many. Where `fit` is given `groups`, both are by group. A splitter
        or an iterable of (train, test) as in scikit-learn. A numeric dose does not use it.
    random_state : int, RandomState instance or None, default=None
        None leaves every ``random_state`` of ``estimator`` and ``augmenter`` as it is. Otherwise all of them
        are set from this one, as in scikit-learn's ensembles.

    Attributes
    ----------
    estimator_ : classifier
        The fitted clone of ``estimator``.
    augmenter_ : estimator
        The fitted clone of ``augmenter``.
    dose_ : float
        The dose that was used, given or chosen.
    dose_scores_ : dict of str to ndarray of shape (4,), float64
        Only with ``dose="cv"``: how each ``dose`` did on the rows held out. ``balanced_accuracy`` in [0, 1] and its
        ``standard_error``; ``difference`` to dose 0 and ``behind_best``, what the dose lacks to the best one, with
        the standard errors of these paired differences, ``difference_error`` and ``behind_best_error``.
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    n_features_in_ : int
        Features seen at ``fit``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if ``X`` has names that are all strings.

    See Also
    --------
    Pipeline : The same as steps of a pipeline.

    Notes
    -----
    *Choosing the dose.* With ``dose="cv"`` the augmenter is fitted on the training part of each inner fold; for every
    dose the classifier is fitted on that part with so many added rows, and predicts the held-out part, which is real
    rows alone. The dose is the smallest whose balanced accuracy lies within one standard error of the best (the
    one-standard-error rule of Breiman et al.), that of the paired difference between the two doses over rows, or over
    groups. Then the augmenter is fitted on all rows, whatever the dose: its ``transform`` makes the columns. 0 is a
    result, not a fault: nothing warns of it. One standard error is weak evidence: of doses that are as good as 0,
    chance takes one in about a third of fits.

    With an integer `random_state` the fitted parts are those of the same estimator with ``dose=dose_``.

    *Weights.* Estimators that look for ``sample_weight`` in the signature of ``fit``, such as
    `CalibratedClassifierCV`, pass weights on only with metadata routing enabled: a GAN does not weigh rows, so a row
    of weight 2 is not the same as two rows here, as that signature would promise. Held-out rows count alike.

    References
    ----------
    Breiman, Friedman, Olshen and Stone 1984, "Classification and Regression Trees", section 3.4.3. Hastie, Tibshirani
    and Friedman 2009, "The Elements of Statistical Learning", 2nd edition, section 7.10.1.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.svm import SVC
    >>> from sklearn_medgan import AugmentedClassifier, GANAugmenter
    >>> X, y = make_classification(60, weights=[0.8], random_state=0)
    >>> classifier = AugmentedClassifier(SVC(), GANAugmenter(max_iter=2), dose=0.5, random_state=0)
    >>> classifier.fit(X, y).predict(X).shape
    (60,)

    The dose chosen on held-out rows:

    >>> classifier.set_params(dose="cv", cv=2).fit(X, y).dose_ in (0, 0.5, 1, 2)
    True
    >>> classifier.dose_scores_["dose"]
    array([0. , 0.5, 1. , 2. ])
    """

    # As a splitter by group does, `fit` asks for groups wherever metadata is routed.
    __metadata_request__fit: ClassVar[dict] = {"groups": True}

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit", "predict"])],
        "augmenter": [HasMethods(["fit", "sample"])],
        "dose": [Interval(Real, 0, None, closed="left"), StrOptions({"cv"})],
        "synthetic_weight": [Interval(Real, 0, None, closed="left")],
        "cv": ["cv_object"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any,
        augmenter: Any,
        *,
        dose: float | str = 1.0,
        synthetic_weight: float = 1.0,
        cv: Any = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.estimator = estimator
        self.augmenter = augmenter
        self.dose = dose
        self.synthetic_weight = synthetic_weight
        self.cv = cv
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self, X: ArrayLike, y: ArrayLike, *, groups: ArrayLike | None = None, **fit_params: Any
    ) -> AugmentedClassifier:
        """Fit the augmenter on the rows, then the classifier on given and added rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Training rows in any form that the augmenter takes: a table or a stack of images.
        y : array-like of shape (n_samples,)
            Class labels.
        groups : array-like of shape (n_samples,), default=None
            Patient, or whatever else rows have in common: with ``dose="cv"`` no group is on both sides of an inner
            split. With a numeric dose they go to a part whose ``fit`` takes them, if any. With metadata routing
            enabled they are requested without ``set_fit_request(groups=True)``.
        **fit_params : dict of str -> object
            ``X_unlabeled`` goes to the augmenter's ``fit``; the rest, such as ``sample_weight`` of shape
            (n_samples,), to the classifier's. With metadata routing enabled, each as requested. Inner folds get
            their rows' values, and all of ``X_unlabeled``.

        Returns
        -------
        self : AugmentedClassifier

        Raises
        ------
        ValueError
            If ``y`` holds no class labels or another number of rows than ``X``, ``synthetic_weight`` is not 1
            and the classifier takes no weights, or metadata other than ``sample_weight`` has one value a row.
            With ``dose="cv"`` also if ``cv`` cannot split the rows, leaves a class out of a training part, has a row
            (group) on both sides, or holds out fewer than two rows (groups) of a class.
        """
        X = as_rows(X)
        y = _check_labels(X, y)
        routed = self._route_fit_params(groups, fit_params)
        self._check_metadata(X, y, routed["estimator"]["fit"])
        rng = None if self.random_state is None else check_random_state(self.random_state)
        parts = self._clone_parts(rng)
        self.__dict__.pop("dose_scores_", None)
        if self.dose == "cv":
            self.dose_scores_ = self._judge_doses(X, y, groups, routed, rng)
        self.dose_ = choose_dose(self.dose_scores_) if self.dose == "cv" else float(self.dose)
        self.augmenter_ = parts.augmenter.fit(X, y, **routed["augmenter"]["fit"])
        self.estimator_ = parts.fit_classifier(X, y, self.dose_, routed["estimator"]["fit"])
        self.classes_ = np.unique(y)
        _take_over_features(self, self.augmenter_)
        return self

    @available_if(_estimator_has("predict"))
    def predict(self, X: ArrayLike) -> np.ndarray:
        """Predict class labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Rows in the form of those given to `fit`.

        Returns
        -------
        ndarray of shape (n_samples,)

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If ``X`` is not in the form of the rows given to `fit`.
        """
        return self._apply("predict", X)

    @available_if(_estimator_has("predict_proba"))
    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Predict class probabilities, where the classifier has them.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Rows in the form of those given to `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If ``X`` is not in the form of the rows given to `fit`.
        """
        return self._apply("predict_proba", X)

    @available_if(_estimator_has("predict_log_proba"))
    def predict_log_proba(self, X: ArrayLike) -> np.ndarray:
        """Predict the logarithm of class probabilities, where the classifier has it.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Rows in the form of those given to `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If ``X`` is not in the form of the rows given to `fit`.
        """
        return self._apply("predict_log_proba", X)

    @available_if(_estimator_has("decision_function"))
    def decision_function(self, X: ArrayLike) -> np.ndarray:
        """Score the classes, where the classifier does.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Rows in the form of those given to `fit`.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If ``X`` is not in the form of the rows given to `fit`.
        """
        return self._apply("decision_function", X)

    def get_metadata_routing(self) -> MetadataRouter:
        """Return the metadata routing: ``fit`` to both parts, each by its own request.

        ``score`` takes ``sample_weight``.

        Returns
        -------
        routing : MetadataRouter
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(estimator=self.estimator, method_mapping=mapping)
            .add(augmenter=self.augmenter, method_mapping=mapping)
        )

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        of_augmenter, of_classifier = get_tags(self.augmenter), get_tags(self.estimator)
        for name in ("two_d_array", "three_d_array", "positive_only"):
            setattr(tags.input_tags, name, getattr(of_augmenter.input_tags, name))
        if of_classifier.classifier_tags is not None:
            tags.classifier_tags.multi_class = of_classifier.classifier_tags.multi_class
            tags.classifier_tags.poor_score = of_classifier.classifier_tags.poor_score
        tags.non_deterministic = of_augmenter.non_deterministic or of_classifier.non_deterministic
        return tags

    def _route_fit_params(self, groups: ArrayLike | None, fit_params: dict[str, Any]) -> Mapping[str, Any]:
        if _routing_enabled():
            given = {} if groups is None else {"groups": groups}
            return process_routing(self, "fit", **given, **fit_params)
        parts = (self.augmenter, self.estimator)
        if groups is not None and self.dose != "cv" and any(has_fit_parameter(part, "groups") for part in parts):
            fit_params = {**fit_params, "groups": groups}
        of_augmenter = {
            key: value
            for key, value in fit_params.items()
            if has_fit_parameter(self.augmenter, key) and not has_fit_parameter(self.estimator, key)
        }
        of_estimator = {key: value for key, value in fit_params.items() if key not in of_augmenter}
        return {"augmenter": {"fit": of_augmenter}, "estimator": {"fit": of_estimator}}

    def _check_metadata(self, X: ArrayLike, y: np.ndarray, params: Mapping[str, Any]) -> None:
        """Refuse, before a GAN is trained, what the classifier could not be fitted with afterwards."""
        if self.synthetic_weight != 1 and not has_fit_parameter(self.estimator, "sample_weight"):
            raise ValueError(
                f"synthetic_weight={self.synthetic_weight!r} needs a classifier whose fit takes sample_weight; "
                f"got {self.estimator!r}. Leave synthetic_weight at 1.0 and lower dose, or change the classifier."
            )
        if params.get("sample_weight") is not None:
            _check_sample_weight(params["sample_weight"], X)
        if self.dose != "cv" and not any(dose_counts(y, float(self.dose)).values()):
            return
        for key, value in params.items():
            if key != "sample_weight" and is_one_a_row(value, len(y)):
                raise ValueError(
                    f"{key!r} has one value for each of the {len(y)} rows given, but the classifier is fitted on "
                    "added rows, too, to which only sample_weight can be extended. Leave it out, or set dose=0."
                )

    def _clone_parts(self, rng: np.random.RandomState | None, fold: int | None = None) -> Parts:
        return Parts.of(self.augmenter, self.estimator, self.synthetic_weight, rng, fold)

    def _judge_doses(
        self,
        X: ArrayLike,
        y: np.ndarray,
        groups: ArrayLike | None,
        routed: Mapping[str, Any],
        rng: np.random.RandomState | None,
    ) -> dict[str, np.ndarray]:
        """Scores of the doses on inner folds; a verbose augmenter also tells which one they lead to."""
        X, groups = indexable(X, groups)
        groups = None if groups is None else column_or_1d(groups)
        splits = inner_splits(X, y, cv=self.cv, groups=groups)
        parts = (self._clone_parts(rng, fold) for fold in range(len(splits)))
        predicted = (part.predict_doses(X, y, s, DOSES, routed) for part, s in zip(parts, splits, strict=True))
        scores = judge_doses(DOSES, y, groups, zip((test for _, test in splits), predicted, strict=True))
        if getattr(self.augmenter, "verbose", 0):
            print(f"AugmentedClassifier: {describe_choice(scores)}.")
        return scores

    def _apply(self, method: str, X: ArrayLike) -> np.ndarray:
        check_is_fitted(self)
        return getattr(self.estimator_, method)(transform(self.augmenter_, X))


def _check_labels(X: ArrayLike, y: ArrayLike | None) -> np.ndarray:
    if y is None:
        raise ValueError(
            "This AugmentedClassifier estimator requires y to be passed, but the target y is None. "
            "Pass one class label for each row of X."
        )
    check_consistent_length(X, y)
    labels = column_or_1d(y, warn=True)
    assert_all_finite(labels, input_name="y")
    check_classification_targets(labels)
    return labels


def _take_over_features(estimator: Any, fitted: Any) -> None:
    """Number and names of the features, where the fitted part has them; those of an earlier fit go."""
    for name in ("n_features_in_", "feature_names_in_"):
        estimator.__dict__.pop(name, None)
        if hasattr(fitted, name):
            setattr(estimator, name, getattr(fitted, name))
