"""Put a GAN in front of a classifier: a pipeline whose steps may add rows, and the same as one classifier."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from numbers import Real
from typing import ClassVar, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, _fit_context, clone
from sklearn.pipeline import Pipeline as _StockPipeline
from sklearn.pipeline import make_pipeline as _make_stock_pipeline
from sklearn.utils import _safe_indexing, assert_all_finite, check_random_state, get_tags, indexable
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils._user_interface import _print_elapsed_time
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    _routing_enabled,
    get_routing_for_object,
    process_routing,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_method_params,
    _check_sample_weight,
    _num_samples,
    check_consistent_length,
    check_is_fitted,
    check_memory,
    column_or_1d,
    has_fit_parameter,
)

from ._allocation import dose_counts, synthetic_weights
from ._dose import DOSES, choose_dose, describe_choice, inner_splits, judge_doses
from ._encoding import join_rows

__all__ = ["AugmentedClassifier", "Pipeline", "make_pipeline"]


class Pipeline(_StockPipeline):
    """scikit-learn's Pipeline, in which an intermediate step may also add training rows.

    At ``fit``, a step with ``fit_resample`` (a `GANAugmenter`, or a sampler of imbalanced-learn) first adds its
    rows; then, if it has ``transform``, the grown rows are transformed. At ``predict``, ``transform`` and
    ``score`` no row is added: such a step only transforms, or, having no ``transform``, lets rows pass.
    Everything else is scikit-learn's own.

    ``fit_transform`` and ``fit_predict`` return one row for each row of ``X``: they are ``fit`` on the grown
    rows, then ``transform`` or ``predict`` of the given ones. The same holds for a pipeline nested in another
    one. A step that is last in the pipeline is fitted, never resampled.

    Parameters
    ----------
    steps : list of (str, estimator) tuples
        As in scikit-learn; an intermediate step may also have ``fit_resample`` in place of, or beside,
        ``transform``.
    transform_input : list of str, default=None
        Names of metadata that the steps ahead of their consumer transform, too. Needs metadata routing.
    memory : str or object with the joblib.Memory interface, default=None
        Caches the fitted intermediate steps together with the rows they made.
    verbose : bool, default=False
        Print the time each step takes.

    Attributes
    ----------
    named_steps : Bunch
        The steps by name.
    classes_ : ndarray of shape (n_classes,)
        Labels of the final classifier.
    n_features_in_ : int
        Features seen by the first step.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if the first step saw any.

    See Also
    --------
    AugmentedClassifier : The same in one classifier, with the dose of synthetic rows as a parameter.

    Notes
    -----
    *Weights.* Given ``sample_weight`` for a step after the rows grew, a synthetic row weighs the mean of its
    class. Other metadata with one value a row (``groups``, say) cannot be extended and raises.

    *Unlabelled images.* ``pipe.fit(X, y, aug__X_unlabeled=XU)`` hands ``XU`` to the augmenter. Three traps:

    - With metadata routing enabled it is ``pipe.fit(X, y, X_unlabeled=XU)`` and needs
      ``GANAugmenter().set_fit_request(X_unlabeled=True)``.
    - ``cross_validate`` and ``GridSearchCV`` take an ``X_unlabeled`` as long as ``X`` for one value a row, and
      slice it. Make it longer or shorter by a row.
    - Steps ahead of the augmenter do not see it. ``transform_input=["X_unlabeled"]`` passes it through them.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.svm import SVC
    >>> from sklearn_medgan import GANAugmenter, Pipeline
    >>> X, y = make_classification(60, weights=[0.8], random_state=0)
    >>> pipe = Pipeline([("aug", GANAugmenter(max_iter=2, random_state=0)), ("clf", SVC())])
    >>> pipe.fit(X, y).predict(X).shape
    (60,)
    """

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, **params):
        """Fit all steps, adding rows where a step does.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Training rows, as the first step takes them.
        y : array-like of shape (n_samples,), default=None
            Class labels; needed if a step adds rows.
        **params : dict of str -> object
            As in scikit-learn: ``step__name=value``, or by name with metadata routing enabled. What is meant
            for the ``fit`` of a step that adds rows goes to its ``fit_resample``.

        Returns
        -------
        self : Pipeline

        Raises
        ------
        ValueError
            If a step adds rows and ``y`` is None, or metadata other than ``sample_weight`` has one value a row
            for a step after the rows grew.
        """
        if not self._adds_rows():
            return super().fit(X, y, **params)
        self._check_growing_fit(y)
        context = _callback_context(self)
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        routed = self._check_method_params(method="fit", props=params)
        X, y, growths = self._fit_intermediate(X, y, routed, params, context)
        self._fit_final(X, y, growths, routed, params, context)
        context.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self

    @available_if(lambda self: self._can_fit_transform() and self._keeps_rows_with("transform"))
    def fit_transform(self, X, y=None, **params):
        """Fit, then transform the given rows: equal to ``fit(X, y).transform(X)``, one row for each row of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Training rows.
        y : array-like of shape (n_samples,), default=None
            Class labels; needed if a step adds rows.
        **params : dict of str -> object
            As in `fit`; with metadata routing, what ``transform`` requests, too.

        Returns
        -------
        ndarray, sparse matrix or DataFrame of shape (n_samples, n_transformed_features)
        """
        if not self._adds_rows():
            return super().fit_transform(X, y, **params)
        fit_params, transform_params = self._split_params(params, "transform")
        return self.fit(X, y, **fit_params).transform(X, **transform_params)

    @available_if(lambda self: hasattr(self._final_estimator, "fit_predict") and self._keeps_rows_with("predict"))
    def fit_predict(self, X, y=None, **params):
        """Fit, then predict the given rows: equal to ``fit(X, y).predict(X)`` where a step adds rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Training rows.
        y : array-like of shape (n_samples,), default=None
            Class labels; needed if a step adds rows.
        **params : dict of str -> object
            As in `fit`; with metadata routing, what ``predict`` requests, too.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        if not self._adds_rows():
            return super().fit_predict(X, y, **params)
        fit_params, predict_params = self._split_params(params, "predict")
        return self.fit(X, y, **fit_params).predict(X, **predict_params)

    def get_metadata_routing(self):
        """Metadata routing of the pipeline; a step that adds rows requests by its ``fit``.

        Returns
        -------
        routing : MetadataRouter
        """
        router = super().get_metadata_routing()
        for name, step in self.steps[:-1]:
            if _is_sampler(step):
                mapping = MethodMapping().add(caller="fit", callee="fit")
                # imbalanced-learn, once imported, makes fit_resample a method that can request metadata.
                if hasattr(get_routing_for_object(step), "fit_resample"):
                    mapping.add(caller="fit", callee="fit_resample")
                router.add(method_mapping=mapping, **{name: step})
        return router

    def _adds_rows(self):
        try:
            return any(_is_resampler(step) for _, step in self.steps[:-1])
        except (TypeError, ValueError):  # malformed steps: scikit-learn's validation reports them at fit
            return False

    def _keeps_rows_with(self, method):
        """Whether the rows given can be had back after a fit that adds some."""
        return not self._adds_rows() or hasattr(self, method)

    def _iter(self, with_final=True, filter_passthrough=True):
        # What has no `transform` passes rows at predict, as "passthrough" does.
        for index, name, step in super()._iter(with_final, filter_passthrough):
            if not (filter_passthrough and _is_sampler(step)):
                yield index, name, step

    def _validate_steps(self):
        for name, step in self.steps[:-1]:
            if _is_sampler(step) and isinstance(step, _StockPipeline):
                raise TypeError(
                    f"Step {name!r} is a pipeline that ends in a sampler: its transformers would be left out "
                    "at predict. Put its steps into this pipeline, one by one."
                )
        stand_ins = [(name, "passthrough" if _is_sampler(step) else step) for name, step in self.steps[:-1]]
        _StockPipeline([*stand_ins, *self.steps[-1:]])._validate_steps()

    def _check_growing_fit(self, y):
        if y is None:
            name = next(name for name, step in self.steps[:-1] if _is_resampler(step))
            raise ValueError(
                f"Step {name!r} adds labelled rows and needs y; got y=None. "
                "Pass the class labels, or use sklearn.pipeline.Pipeline, which adds no row."
            )
        if self.transform_input is not None and not _routing_enabled():
            raise ValueError(
                "The `transform_input` parameter can only be set if metadata routing is enabled. You can enable "
                "metadata routing using `sklearn.set_config(enable_metadata_routing=True)`."
            )

    def _fit_intermediate(self, X, y, routed, params, context):
        """Fit all steps but the last; return the rows they made of X and y, and how the rows grew."""
        self.steps = list(self.steps)
        self._validate_steps()
        memory = check_memory(self.memory)
        fit_step = memory.cache(_fit_step, ignore=["context"])
        caches = getattr(memory, "location", "unknown") is not None
        growths = []
        for index, name, step in self._iter(with_final=False, filter_passthrough=False):
            subcontext = context.subcontext(task_name=f"fit-transform-{name}")
            subcontext.call_on_fit_task_begin(estimator=self, X=X, y=y)
            with _print_elapsed_time("Pipeline", self._log_message(index)):
                if step is not None and step != "passthrough":
                    step = clone(step) if caches else step
                    step_params = self._grown_params(index, name, growths, routed, params)
                    X_before, y_before = X, y
                    X, y, step = fit_step(step, X, y, step_params, context=subcontext)
                    self.steps[index] = (name, step)
                    if _is_resampler(step):
                        growths.append(_Growth(name, y_before, y, _origins(step, X_before, X)))
            subcontext.call_on_fit_task_end(estimator=self, X=X, y=y)
        return X, y, growths

    def _fit_final(self, X, y, growths, routed, params, context):
        index, (name, step) = len(self.steps) - 1, self.steps[-1]
        subcontext = context.subcontext(task_name="fit-final-estimator")
        subcontext.call_on_fit_task_begin(estimator=self, X=X, y=y)
        with _print_elapsed_time("Pipeline", self._log_message(index)):
            if step is not None and step != "passthrough":
                step_params = self._grown_params(index, name, growths, routed, params)
                with subcontext.propagate_callback_context(step):
                    step.fit(X, y, **step_params.get("fit", {}))
        subcontext.call_on_fit_task_end(estimator=self, X=X, y=y)

    def _grown_params(self, index, name, growths, routed, params):
        """Metadata of a step, its values of one a row extended to the rows that were added before it."""
        by_method = self._get_metadata_for_step(step_idx=index, step_params=routed[name], all_params=params)
        if not growths:
            return by_method
        unrelated_to_rows = {"X_unlabeled", *(self.transform_input or ())}
        return {
            method: {
                key: value if key in unrelated_to_rows else _grow(value, key, name, growths)
                for key, value in values.items()
            }
            for method, values in by_method.items()
        }

    def _split_params(self, params, method):
        """Part the parameters of a fit-and-apply call into those of ``fit`` and those of ``method``."""
        if not _routing_enabled():
            return params, {}
        routing = get_routing_for_object(self)
        of_fit = routing.consumes(method="fit", params=params)
        of_method = routing.consumes(method=method, params=params)
        return (
            {key: value for key, value in params.items() if key in of_fit or key not in of_method},
            {key: value for key, value in params.items() if key in of_method},
        )


def make_pipeline(*steps, memory=None, transform_input=None, verbose=False):
    """Build a `Pipeline` whose steps are named by their lowercase class names.

    Parameters
    ----------
    *steps : estimators
        The steps in order.
    memory : str or object with the joblib.Memory interface, default=None
        Caches the fitted intermediate steps.
    transform_input : list of str, default=None
        Names of metadata that the steps ahead of their consumer transform, too.
    verbose : bool, default=False
        Print the time each step takes.

    Returns
    -------
    Pipeline

    Examples
    --------
    >>> from sklearn.svm import SVC
    >>> from sklearn_medgan import GANAugmenter, make_pipeline
    >>> make_pipeline(GANAugmenter(), SVC())
    Pipeline(steps=[('ganaugmenter', GANAugmenter()), ('svc', SVC())])
    """
    named = _make_stock_pipeline(*steps).steps
    return Pipeline(named, memory=memory, transform_input=transform_input, verbose=verbose)


class _Growth(NamedTuple):
    """Rows that one step added."""

    step: str
    y_before: object
    y_after: object
    origins: np.ndarray | None  # row that each row is a copy of, -1 for a synthetic one; None: unknown


class _NoCallbacks:
    """Stands in for the callback context that scikit-learn has from 1.9."""

    def subcontext(self, **_):
        return self

    def propagate_callback_context(self, _):
        return nullcontext()

    def call_on_fit_task_begin(self, **_):
        return self

    call_on_fit_task_end = call_on_fit_task_begin


def _callback_context(pipeline):
    init = getattr(pipeline, "_init_callback_context", None)
    return _NoCallbacks() if init is None else init(max_subtasks=len(pipeline.steps))


def _is_resampler(step):
    return hasattr(step, "fit_resample")


def _is_sampler(step):
    """Whether a step only resamples, as those of imbalanced-learn."""
    return _is_resampler(step) and not hasattr(step, "transform")


def _fit_step(step, X, y, params, *, context):
    of_fit, of_transform = params.get("fit", {}), params.get("transform", {})
    # scikit-learn hands what `fit` and `transform` request to `fit_transform`, where a step has it.
    of_both = params.get("fit_transform", {}) if hasattr(step, "fit_transform") else of_fit
    with context.propagate_callback_context(step):
        if _is_sampler(step):
            X, y = step.fit_resample(X, y, **{**of_both, **params.get("fit_resample", {})})
        elif _is_resampler(step):
            X, y = step.fit_resample(X, y, **of_both)
            X = step.transform(X, **of_transform)
        elif hasattr(step, "fit_transform"):
            X = step.fit_transform(X, y, **of_both)
        else:
            X = step.fit(X, y, **of_fit).transform(X, **of_transform)
    return X, y, step


def _origins(step, X, X_grown):
    """Row of ``X`` that each grown row is a copy of, -1 for a synthetic one; None where it cannot be told."""
    n_before, n_after = _num_samples(X), _num_samples(X_grown)
    if hasattr(step, "sample_indices_"):
        return np.asarray(step.sample_indices_)
    if _is_sampler(step) and not _starts_with(X_grown, X):
        return None
    return np.where(np.arange(n_after) < n_before, np.arange(n_after), -1)


def _starts_with(X_grown, X):
    n_before = _num_samples(X)
    if _num_samples(X_grown) < n_before:
        return False
    head = _safe_indexing(X_grown, slice(n_before))
    if sparse.issparse(X):
        return (head != X).nnz == 0
    return np.array_equal(np.asarray(head), np.asarray(X))


def _grow(value, key, step, growths):
    """Extend metadata of one value a row to the rows that were added since."""
    for growth in growths:
        n_before = _num_samples(growth.y_before)
        weighs = key == "sample_weight" and np.ndim(value) > 0
        if not weighs and not _is_one_a_row(value, n_before):
            continue
        if growth.origins is None:
            reason = "mixes real rows with new ones and does not tell which is which"
        elif not weighs and np.any(growth.origins < 0):
            reason = "adds synthetic rows, to which only sample_weight can be extended"
        else:
            value = _grow_weights(value, growth) if weighs else _safe_indexing(value, growth.origins)
            continue
        raise ValueError(
            f"{key!r} of step {step!r} has one value for each of the {n_before} rows given, but step "
            f"{growth.step!r} {reason}. Leave out {key!r}, or step {growth.step!r}."
        )
    return value


def _is_one_a_row(value, n_samples):
    if isinstance(value, (str, bytes, Mapping)):
        return False
    try:
        return _num_samples(value) == n_samples
    except TypeError:
        return False


def _grow_weights(sample_weight, growth):
    weights = np.asarray(sample_weight, dtype=np.float64)
    synthetic = growth.origins < 0
    added = synthetic_weights(growth.y_before, weights, np.asarray(growth.y_after)[synthetic])
    grown = weights[growth.origins]
    grown[synthetic] = added
    return grown


def _classifier_has(method):
    """Whether the classifier, the fitted one if there is one, has the method."""
    return available_if(lambda self: hasattr(getattr(self, "estimator_", self.estimator), method))


class AugmentedClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """A classifier that trains on real rows and on rows that a GAN learned to draw from them.

    ``fit`` fits the augmenter, draws synthetic rows of each class, transforms real and synthetic rows with the
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
        Synthetic rows per real row, in total; allotted so that the classes end as even as possible, the
        smallest filled up first. 0 adds none and leaves the augmenter's ``transform``. "cv" chooses among 0, 0.5, 1
        and 2 on held-out real rows: 0, unless another does better by more than chance explains (see Notes).
    synthetic_weight : float, default=1.0
        A synthetic row weighs the mean ``sample_weight`` of its class times this. Other than 1 it needs a
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
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if ``X`` has names that are all strings.

    See Also
    --------
    Pipeline : The same as steps of a pipeline.

    Notes
    -----
    *Choosing the dose.* With ``dose="cv"`` the rows are split once more. On each inner fold the augmenter is fitted
    once, on the training part; for every dose the classifier is fitted on that part with so many synthetic rows, on
    the columns of that augmenter, and predicts the held-out part, which is real rows alone. The dose is the smallest
    whose balanced accuracy lies within one standard error of the best (the one-standard-error rule of Breiman et al.).
    The standard error is of the paired difference between the two doses over rows, or over groups: folds are too few
    for one over folds. Then the augmenter is fitted on all rows, whatever the dose: its ``transform`` makes the
    columns, and ``augmenter_`` can be sampled. 0 is a result, not a fault: nothing warns of it, and ``verbose=1`` of
    the augmenter prints a line. One standard error is weak evidence: of doses that are as good as 0, chance takes one
    in about a third of fits.

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

    def __init__(self, estimator, augmenter, *, dose=1.0, synthetic_weight=1.0, cv=None, random_state=None):
        self.estimator = estimator
        self.augmenter = augmenter
        self.dose = dose
        self.synthetic_weight = synthetic_weight
        self.cv = cv
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, *, groups=None, **fit_params):
        """Fit the augmenter on the rows, then the classifier on real and synthetic rows.

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
        y = self._check_labels(X, y)
        routed = self._route_fit_params(groups, fit_params)
        self._check_metadata(X, y, routed["estimator"]["fit"])
        rng = None if self.random_state is None else check_random_state(self.random_state)
        parts = self._clone_parts(rng)
        self.__dict__.pop("dose_scores_", None)
        if self.dose == "cv":
            self.dose_scores_ = self._judge_doses(X, y, groups, routed, rng)
        self.dose_ = choose_dose(self.dose_scores_) if self.dose == "cv" else float(self.dose)
        self.augmenter_ = parts.augmenter.fit(X, y, **routed["augmenter"]["fit"])
        self.estimator_ = self._fit_classifier(parts, X, y, self.dose_, routed["estimator"]["fit"])
        self.classes_ = np.unique(y)
        self._take_over_features()
        return self

    @_classifier_has("predict")
    def predict(self, X):
        """Predict class labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Rows in the form of those given to `fit`.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        return self._apply("predict", X)

    @_classifier_has("predict_proba")
    def predict_proba(self, X):
        """Predict class probabilities, where the classifier has them.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Rows in the form of those given to `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        return self._apply("predict_proba", X)

    @_classifier_has("predict_log_proba")
    def predict_log_proba(self, X):
        """Predict the logarithm of class probabilities, where the classifier has it.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Rows in the form of those given to `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        return self._apply("predict_log_proba", X)

    @_classifier_has("decision_function")
    def decision_function(self, X):
        """Score the classes, where the classifier does.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Rows in the form of those given to `fit`.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
        """
        return self._apply("decision_function", X)

    def get_metadata_routing(self):
        """Metadata routing: ``fit`` to both parts, each by its own request; ``score`` takes ``sample_weight``.

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

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        of_augmenter, of_classifier = get_tags(self.augmenter), get_tags(self.estimator)
        for name in ("two_d_array", "three_d_array", "positive_only"):
            setattr(tags.input_tags, name, getattr(of_augmenter.input_tags, name))
        if of_classifier.classifier_tags is not None:
            tags.classifier_tags.multi_class = of_classifier.classifier_tags.multi_class
            tags.classifier_tags.poor_score = of_classifier.classifier_tags.poor_score
        tags.non_deterministic = of_augmenter.non_deterministic or of_classifier.non_deterministic
        return tags

    def _check_labels(self, X, y):
        if y is None:
            raise ValueError(
                "This AugmentedClassifier estimator requires y to be passed, but the target y is None. "
                "Pass one class label for each row of X."
            )
        check_consistent_length(X, y)
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        return y

    def _route_fit_params(self, groups, fit_params):
        if _routing_enabled():
            given = {} if groups is None else {"groups": groups}
            return process_routing(self, "fit", **given, **fit_params)
        parts = (self.augmenter, self.estimator)
        if groups is not None and self.dose != "cv" and any(has_fit_parameter(part, "groups") for part in parts):
            fit_params = {**fit_params, "groups": groups}
        of_augmenter = {
            key
            for key in fit_params
            if has_fit_parameter(self.augmenter, key) and not has_fit_parameter(self.estimator, key)
        }
        return {
            "augmenter": {"fit": {key: fit_params[key] for key in of_augmenter}},
            "estimator": {"fit": {k: value for k, value in fit_params.items() if k not in of_augmenter}},
        }

    def _check_metadata(self, X, y, params):
        """Refuse, before a GAN is trained, what the classifier could not be fitted with afterwards."""
        if self.synthetic_weight != 1 and not has_fit_parameter(self.estimator, "sample_weight"):
            raise ValueError(
                f"synthetic_weight={self.synthetic_weight!r} needs a classifier whose fit takes sample_weight; "
                f"got {self.estimator!r}. Leave synthetic_weight at 1.0 and lower dose, or change the classifier."
            )
        if params.get("sample_weight") is not None:
            _check_sample_weight(params["sample_weight"], X)
        if self.dose != "cv" and not any(dose_counts(y, self.dose).values()):
            return
        for key, value in params.items():
            if key != "sample_weight" and _is_one_a_row(value, len(y)):
                raise ValueError(
                    f"{key!r} has one value for each of the {len(y)} rows given, but the classifier is fitted on "
                    "synthetic rows, too, to which only sample_weight can be extended. Leave it out, or set dose=0."
                )

    def _clone_parts(self, rng):
        augmenter, estimator = clone(self.augmenter), clone(self.estimator)
        return _Parts(augmenter, estimator, _seed_parts(rng, augmenter, estimator))

    def _judge_doses(self, X, y, groups, routed, rng):
        """Scores of the doses on inner folds; a verbose augmenter also tells which one they lead to."""
        X, groups = indexable(X, groups)
        groups = None if groups is None else column_or_1d(groups)
        splits = inner_splits(X, y, cv=self.cv, groups=groups)
        held_out = ((test, self._predict_doses(X, y, train, test, routed, rng)) for train, test in splits)
        scores = judge_doses(DOSES, y, groups, held_out)
        if getattr(self.augmenter, "verbose", 0):
            print(f"AugmentedClassifier: {describe_choice(scores)}.")
        return scores

    def _predict_doses(self, X, y, train, test, routed, rng):
        """Labels of held-out rows, (n_doses, n_test): one augmenter, and a classifier for each dose."""
        X_train, y_train, parts = _safe_indexing(X, train), y[train], self._clone_parts(rng)
        parts.augmenter.fit(X_train, y_train, **_of_rows(X, train, routed["augmenter"]["fit"]))
        params = _of_rows(X, train, routed["estimator"]["fit"])
        columns = _transform(parts.augmenter, _safe_indexing(X, test))
        return np.stack([self._fit_classifier(parts, X_train, y_train, d, params).predict(columns) for d in DOSES])

    def _fit_classifier(self, parts, X, y, dose, params):
        """The classifier on real rows and a dose of synthetic ones, as columns of the fitted augmenter."""
        X_all, y_all = _add_rows(parts, X, y, dose)
        params = self._weigh_rows(X, y, y_all, params)
        return clone(parts.estimator).fit(_transform(parts.augmenter, X_all), y_all, **params)

    def _weigh_rows(self, X, y, y_all, params):
        """The classifier's fit parameters, its sample_weight extended to the synthetic rows."""
        n_real = len(y)
        if params.get("sample_weight") is None and (self.synthetic_weight == 1 or len(y_all) == n_real):
            return params
        weights = _check_sample_weight(params.get("sample_weight"), X)
        added = synthetic_weights(y, weights, y_all[n_real:], self.synthetic_weight)
        return {**params, "sample_weight": np.concatenate([weights, added])}

    def _take_over_features(self):
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self, name):
                delattr(self, name)
            if hasattr(self.augmenter_, name):
                setattr(self, name, getattr(self.augmenter_, name))

    def _apply(self, method, X):
        check_is_fitted(self)
        return getattr(self.estimator_, method)(_transform(self.augmenter_, X))


class _Parts(NamedTuple):
    """Clones to be fitted together, seeded, and a seed for the rows that are drawn."""

    augmenter: object
    estimator: object
    seed: int | None


def _add_rows(parts, X, y, dose):
    """Real rows with synthetic ones behind them, and their labels."""
    counts = dose_counts(y, dose)
    if not any(counts.values()):
        return X, y
    labels = np.repeat(np.unique(y), list(counts.values()))
    X_new, y_new = draw_rows(parts.augmenter, X, y, labels, parts.seed)
    return join_rows(X, X_new), np.concatenate([y, np.asarray(y_new, dtype=y.dtype)])


def draw_rows(augmenter, X, y, labels, random_state):
    """Synthetic rows of these labels, and the labels: by `resample` where an augmenter has it, else its samples."""
    if hasattr(augmenter, "resample"):
        return augmenter.resample(X, y, labels=labels, random_state=random_state)
    return augmenter.sample(y=labels, random_state=random_state)


def _transform(augmenter, X):
    return augmenter.transform(X) if hasattr(augmenter, "transform") else X


def _of_rows(X, rows, params):
    """Metadata of some rows of X; `X_unlabeled` is not of rows, even where it is as long as X."""
    unrelated = {key: value for key, value in params.items() if key == "X_unlabeled"}
    return {**_check_method_params(X, params, indices=rows), **unrelated}


def _seed_parts(random_state, *estimators):
    """Set every random_state parameter, nested ones too, from one; return a seed for what is drawn besides."""
    if random_state is None:
        return None
    rng = check_random_state(random_state)
    for estimator in estimators:
        names = sorted(n for n in estimator.get_params() if n.split("__")[-1] == "random_state")
        estimator.set_params(**{name: int(rng.randint(2**31 - 1)) for name in names})
    return int(rng.randint(2**31 - 1))
