"""A pipeline whose steps may add training rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.pipeline import Pipeline as _StockPipeline
from sklearn.pipeline import make_pipeline as _make_stock_pipeline
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, get_routing_for_object
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_memory

from .._containers import as_rows
from .._sklearn_compat import (
    _fit_context,
    _LinkToDocs,
    _num_samples,
    _print_elapsed_time,
    _routing_enabled,
    _safe_indexing,
)
from ._growth import Growth, grow, is_resampler, is_sampler, origins_of, starts_with


class Pipeline(_LinkToDocs, _StockPipeline):
    """scikit-learn's Pipeline, in which an intermediate step may also add training rows.

    At ``fit``, a step with ``fit_resample`` (a `GANAugmenter`, or a sampler of imbalanced-learn) first adds its
    rows; then, if it has ``transform``, the grown rows are transformed, a `GANAugmenter`'s by `training_columns`. At
    ``predict``, ``transform`` and ``score`` no row is added: such a step only transforms, or, having no ``transform``,
    lets rows pass. Everything else is scikit-learn's own.

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
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if the first step saw any.

    See Also
    --------
    AugmentedClassifier : The same in one classifier, with the dose of added rows as a parameter.

    Notes
    -----
    *Weights.* Given ``sample_weight`` for a step after the rows grew, an added row weighs the mean of its
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

    steps: list[tuple[str, Any]]

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None, **params: Any) -> Pipeline:
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
        X = as_rows(X)
        context = _callback_context(self)
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        routed = self._check_method_params(method="fit", props=params)
        X, y, growths = self._fit_intermediate(X, y, routed, params, context)
        self._fit_final(X, y, growths, routed, params, context)
        context.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self

    @available_if(lambda self: self._can_fit_transform() and self._keeps_rows_with("transform"))
    def fit_transform(self, X: ArrayLike, y: ArrayLike | None = None, **params: Any) -> Any:
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

        Raises
        ------
        ValueError
            As `fit`.
        """
        if not self._adds_rows():
            return super().fit_transform(X, y, **params)
        fit_params, transform_params = self._split_params(params, "transform")
        return self.fit(X, y, **fit_params).transform(X, **transform_params)

    @available_if(lambda self: hasattr(self._final_estimator, "fit_predict") and self._keeps_rows_with("predict"))
    def fit_predict(self, X: ArrayLike, y: ArrayLike | None = None, **params: Any) -> np.ndarray:
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

        Raises
        ------
        ValueError
            As `fit`.
        """
        if not self._adds_rows():
            return super().fit_predict(X, y, **params)
        fit_params, predict_params = self._split_params(params, "predict")
        return self.fit(X, y, **fit_params).predict(X, **predict_params)

    def get_metadata_routing(self) -> MetadataRouter:
        """Return the metadata routing of the pipeline; a step that adds rows requests by its ``fit``.

        Returns
        -------
        routing : MetadataRouter
        """
        router = super().get_metadata_routing()
        for name, step in self.steps[:-1]:
            if is_sampler(step):
                mapping = MethodMapping().add(caller="fit", callee="fit")
                # imbalanced-learn, once imported, makes fit_resample a method that can request metadata.
                if hasattr(get_routing_for_object(step), "fit_resample"):
                    mapping.add(caller="fit", callee="fit_resample")
                router.add(method_mapping=mapping, **{name: step})
        return router

    def _adds_rows(self) -> bool:
        try:
            return any(is_resampler(step) for _, step in self.steps[:-1])
        except (TypeError, ValueError):  # malformed steps: scikit-learn's validation reports them at fit
            return False

    def _keeps_rows_with(self, method: str) -> bool:
        """Whether the rows given can be had back after a fit that adds some."""
        return not self._adds_rows() or hasattr(self, method)

    def _iter(self, with_final: bool = True, filter_passthrough: bool = True) -> Iterator[tuple[int, str, Any]]:
        # What has no `transform` passes rows at predict, as "passthrough" does.
        for index, name, step in super()._iter(with_final, filter_passthrough):
            if not (filter_passthrough and is_sampler(step)):
                yield index, name, step

    def _validate_steps(self) -> None:
        for name, step in self.steps[:-1]:
            if is_sampler(step) and isinstance(step, _StockPipeline):
                raise TypeError(
                    f"Step {name!r} is a pipeline that ends in a sampler: its transformers would be left out "
                    "at predict. Put its steps into this pipeline, one by one."
                )
        stand_ins = [(name, "passthrough" if is_sampler(step) else step) for name, step in self.steps[:-1]]
        _StockPipeline([*stand_ins, *self.steps[-1:]])._validate_steps()

    def _check_growing_fit(self, y: ArrayLike | None) -> None:
        if y is None:
            name = next(name for name, step in self.steps[:-1] if is_resampler(step))
            raise ValueError(
                f"Step {name!r} adds labelled rows and needs y; got y=None. "
                "Pass the class labels, or use sklearn.pipeline.Pipeline, which adds no row."
            )
        if self.transform_input is not None and not _routing_enabled():
            raise ValueError(
                "The `transform_input` parameter can only be set if metadata routing is enabled. You can enable "
                "metadata routing using `sklearn.set_config(enable_metadata_routing=True)`."
            )

    def _fit_intermediate(
        self, X: Any, y: Any, routed: Mapping[str, Any], params: Mapping[str, Any], context: Any
    ) -> tuple[Any, Any, list[Growth]]:
        """Fit all steps but the last; return the rows they made of X and y, and how the rows grew."""
        self.steps = list(self.steps)
        self._validate_steps()
        memory = check_memory(self.memory)
        fit_step = memory.cache(_fit_step, ignore=["context"])
        caches = getattr(memory, "location", "unknown") is not None
        growths: list[Growth] = []
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
                    if is_resampler(step):
                        growths.append(Growth(name, y_before, y, origins_of(step, X_before, X)))
            subcontext.call_on_fit_task_end(estimator=self, X=X, y=y)
        return X, y, growths

    def _fit_final(
        self,
        X: Any,
        y: Any,
        growths: list[Growth],
        routed: Mapping[str, Any],
        params: Mapping[str, Any],
        context: Any,
    ) -> None:
        index, (name, step) = len(self.steps) - 1, self.steps[-1]
        subcontext = context.subcontext(task_name="fit-final-estimator")
        subcontext.call_on_fit_task_begin(estimator=self, X=X, y=y)
        with _print_elapsed_time("Pipeline", self._log_message(index)):
            if step is not None and step != "passthrough":
                step_params = self._grown_params(index, name, growths, routed, params)
                with subcontext.propagate_callback_context(step):
                    step.fit(X, y, **step_params.get("fit", {}))
        subcontext.call_on_fit_task_end(estimator=self, X=X, y=y)

    def _grown_params(
        self, index: int, name: str, growths: list[Growth], routed: Mapping[str, Any], params: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Metadata of a step, its values of one a row extended to the rows that were added before it."""
        by_method = self._get_metadata_for_step(step_idx=index, step_params=routed[name], all_params=params)
        if not growths:
            return by_method
        unrelated_to_rows = {"X_unlabeled", *(self.transform_input or ())}
        return {
            method: {
                key: value if key in unrelated_to_rows else grow(value, key, name, growths)
                for key, value in values.items()
            }
            for method, values in by_method.items()
        }

    def _split_params(self, params: dict[str, Any], method: str) -> tuple[dict[str, Any], dict[str, Any]]:
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


def make_pipeline(
    *steps: Any, memory: Any = None, transform_input: list[str] | None = None, verbose: bool = False
) -> Pipeline:
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


class _NoCallbacks:
    """Stands in for the callback context that scikit-learn has from 1.9."""

    def subcontext(self, **_: Any) -> _NoCallbacks:
        return self

    def propagate_callback_context(self, _: object) -> AbstractContextManager[None]:
        return nullcontext()

    def call_on_fit_task_begin(self, **_: Any) -> _NoCallbacks:
        return self

    call_on_fit_task_end = call_on_fit_task_begin


def _callback_context(pipeline: Pipeline) -> Any:
    init = getattr(pipeline, "_init_callback_context", None)
    return _NoCallbacks() if init is None else init(max_subtasks=len(pipeline.steps))


def _fit_step(step: Any, X: Any, y: Any, params: Mapping[str, Any], *, context: Any) -> tuple[Any, Any, Any]:
    of_fit, of_transform = params.get("fit", {}), params.get("transform", {})
    # scikit-learn hands what `fit` and `transform` request to `fit_transform`, where a step has it.
    of_both = params.get("fit_transform", {}) if hasattr(step, "fit_transform") else of_fit
    with context.propagate_callback_context(step):
        if is_sampler(step):
            X, y = step.fit_resample(X, y, **{**of_both, **params.get("fit_resample", {})})
        elif is_resampler(step):
            y_given = y
            X, y = step.fit_resample(X, y, **of_both)
            X = _columns_of_grown(step, X, y, y_given, of_transform)
        elif hasattr(step, "fit_transform"):
            X = step.fit_transform(X, y, **of_both)
        else:
            X = step.fit(X, y, **of_fit).transform(X, **of_transform)
    return X, y, step


def _columns_of_grown(step: Any, X: Any, y: Any, y_given: Any, of_transform: Mapping[str, Any]) -> Any:
    """Columns of rows, by the step's own `training_columns` where it has added some behind those given."""
    n_given = _num_samples(y_given)
    if not hasattr(step, "training_columns") or _num_samples(y) == n_given or not starts_with(y, y_given):
        return step.transform(X, **of_transform)
    halves = slice(n_given), slice(n_given, None)
    return step.training_columns(*(_safe_indexing(rows, half) for half in halves for rows in (X, y)))
