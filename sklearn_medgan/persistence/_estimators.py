"""Estimators in one file, without pickle: what of them is kept, and how they are made again."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .._version import __version__
from ._file import FORMAT, FORMAT_VERSION, damage_told, opened, write
from ._steps import KEPT, dumped, loaded
from ._tensors import packed
from ._values import (
    ESTIMATORS,
    PIPELINES,
    RECORDS,
    TENSORS,
    Arrays,
    Decoder,
    NotStorableError,
    encode,
    find,
    key_of,
    tag_of,
)

# What `fit` leaves in an estimator, by tag or type; `OPTIONAL` may be absent.
OF_BOTH = {
    "n_features_in_": "int",
    "feature_names_in_": "objects",
    "image_shape_": "tuple|NoneType",
    "n_iter_": "int",
    "history_": "dict",
    "_form": "form",
    "_state": "state",
    "_sampling_rng": "RandomState",
    "_sklearn_output_config": "dict",
}
FITTED = {
    "GANAugmenter": {
        **OF_BOTH,
        "_config": "configuration",
        "_canvas": "canvas",
        "_trunk": "str|NoneType",
        "_dictionary": "dict|tuple|NoneType",
        "_detail": "dict",
        "classes_": "array|objects",
        "_priors": "array",
        "_resampling_seed": "int",
        "_moments": "list",
        "_class_scores": "class scores|NoneType",
        "_mixture": "mixture|NoneType",
    },
    "GANEnhancer": {
        **OF_BOTH,
        "_config": "restorer configuration",
        "_restoration": "|".join(key for key in RECORDS if key.startswith("restoration ")),
        "_error_model": "error model|NoneType",
        "guard_report_": "dict",
    },
}
OPTIONAL = {"feature_names_in_", "classes_", "_priors", "_sklearn_output_config", "_mixture"}
LOCAL = {"checkpoint_dir", "memory"}  # parameters that are of this machine, and not of the model
STEP = "skops/{}.skops"
PASSTHROUGH = {"estimator": "passthrough"}


def save(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator, or a pipeline with such steps, to one file that holds no pickle.

    An interrupted call leaves an earlier file at `path` as it was. A file that is replaced keeps its permissions, and a
    symbolic link goes on pointing to it. Weights are in it as safetensors (``unzip FILE arrays.safetensors``).

    Parameters
    ----------
    estimator : GANAugmenter, GANEnhancer or Pipeline
        A fitted one. Of a pipeline, of scikit-learn or of this package, the other steps are kept by skops (``pip
        install "sklearn-medgan[share]"``), and `memory` is not; support vectors, neighbours and the like are training
        rows. Anything else that holds another library's estimator needs ``joblib.dump`` instead.
    path : str or path-like
        Where to write; an existing file is replaced.

    Raises
    ------
    TypeError
        For another estimator or step, or a parameter that is code (`callbacks`, a callable `sampling_strategy` or
        `degradation`).
    ImportError
        For a pipeline, where skops is not installed.
    NotFittedError
        If there is nothing to keep yet.
    OSError
        If the file cannot be written, or `path` is there and no ordinary file.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import numpy as np
    >>> from sklearn_medgan import GANAugmenter, load, save
    >>> X = np.random.RandomState(0).normal(size=(20, 3))
    >>> gan = GANAugmenter(max_iter=2, random_state=0).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "gan.medgan"
    ...     save(gan, path)
    ...     restored = load(path)
    >>> bool((restored.transform(X) == gan.transform(X)).all())
    True
    """
    if key_of(type(estimator)) not in {**ESTIMATORS, **PIPELINES}:
        raise TypeError(
            f"save stores {', '.join(ESTIMATORS)} or a Pipeline of such; got {estimator!r}. Use joblib.dump, or save "
            f"the {' or '.join(ESTIMATORS)} in it."
        )
    arrays: Arrays = {}
    steps: list[bytes] = []
    about = {"format": FORMAT, "format_version": FORMAT_VERSION, "package_version": __version__}
    header = json.dumps({**about, **_contents(estimator, arrays, steps)}, allow_nan=False)
    foreign = [(STEP.format(i), [content]) for i, content in enumerate(steps)]
    write(Path(path).resolve(), header, [(TENSORS, packed(arrays)), *foreign])


def load(path: str | os.PathLike[str], *, trusted: Sequence[str] = ()) -> Any:
    """Read an estimator or a pipeline that `save` wrote.

    It does what the one that was saved does, and can go on training (``warm_start=True``).

    Parameters
    ----------
    path : str or path-like
        A file written by `save`.
    trusted : sequence of str, default=()
        Of a pipeline, types that skops does not know to be safe, by full names: your own transformers, or
        ``"sklearn.tree._tree.Tree"``, of which a forged one crashes Python. The error lists those of a file.

    Returns
    -------
    estimator : GANAugmenter, GANEnhancer or Pipeline
        Fitted.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is of another kind, damaged, written by a newer version, or has types that are not trusted.
    ImportError
        For a pipeline, where skops is not installed.
    """
    with opened(path) as (archive, header), damage_told(path):
        return _restore(header, Decoder(archive, trusted))


def read_header(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what a saved file says of itself, without loading the networks (nor TensorFlow).

    Parameters
    ----------
    path : str or path-like
        A file written by `save`.

    Returns
    -------
    header : dict
        `estimator`, `package_version`, `format_version`, and tagged JSON in `parameters` and `fitted`, or `steps`.

    Raises
    ------
    FileNotFoundError, ValueError
        As `load`.
    """
    with opened(path) as (_, header):
        return header


def read_summary(path: str | os.PathLike[str], attributes: Sequence[str] = ()) -> dict[str, Any]:
    """Return what a saved file says of itself, decoded, without loading TensorFlow or scikit-learn.

    Parameters
    ----------
    path : str or path-like
        A file written by `save`.
    attributes : sequence of str, default=()
        Names of fitted attributes of interest, plain values or arrays.

    Returns
    -------
    summary : dict
        `estimator`, `package_version`, `parameters` (name to value), `changed` (names of parameters that were not at
        their defaults), `fitted`: those of `attributes` that the file has, and `steps`: pairs of name and class.

    Raises
    ------
    FileNotFoundError, ValueError
        As `load`.
    """
    with opened(path) as (archive, header), damage_told(path):
        decode = Decoder(archive)
        return {
            **{name: header[name] for name in ("estimator", "package_version", "changed")},
            "parameters": {name: decode(value) for name, value in header["parameters"].items()},
            "fitted": {name: decode(header["fitted"][name]) for name in attributes if name in header["fitted"]},
            "steps": [(name, step["estimator"]) for name, step in header.get("steps", [])],
        }


def changed_parameters(estimator: Any) -> dict[str, Any]:
    """Return the parameters of an estimator that are not at the defaults of its class, name to value."""
    defaults = inspect.signature(type(estimator)).parameters
    values = estimator.get_params(deep=False)
    return {name: value for name, value in values.items() if repr(value) != repr(defaults[name].default)}


def _contents(estimator: Any, arrays: Arrays, steps: list[bytes], within: str = "") -> dict[str, Any]:
    """Class, parameters and what was fitted as tagged JSON; arrays are put aside, and what skops writes of steps."""
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(estimator, msg="%(name)s is not fitted: there is nothing to save yet. Call fit first.")
    key = key_of(type(estimator))
    all_parameters = estimator.get_params(deep=False)
    parameters = {k: v for k, v in all_parameters.items() if k not in LOCAL and (key in ESTIMATORS or k in KEPT)}

    def encoded(values: dict[str, Any], what: str) -> dict[str, Any]:
        return {k: _encode_named(v, f"{what} {k}", arrays, within + k) for k, v in values.items()}

    contents = {
        "estimator": key,
        "changed": sorted(changed_parameters(estimator).keys() & parameters.keys()),
        "parameters": encoded(parameters, "parameter"),
    }
    if key in PIPELINES:
        named = [[name, _step(name, step, arrays, steps, within)] for name, step in estimator.steps]
        return {**contents, "fitted": {}, "steps": named}
    left_out = (*all_parameters, "_sklearn_version", "_metadata_request")
    state = {name: value for name, value in estimator.__getstate__().items() if name not in left_out}
    request = dict(estimator.get_metadata_routing().fit.requests)
    return {**contents, "fitted": encoded(state, "attribute"), "fit_request": request}


def _step(name: str, step: Any, arrays: Arrays, steps: list[bytes], within: str) -> Any:
    """Return a step as `_contents`, as the number of what skops writes of it, or that there is none."""
    if step in (None, "passthrough"):
        return PASSTHROUGH
    if key_of(type(step)) in {**ESTIMATORS, **PIPELINES}:
        return _contents(step, arrays, steps, f"{within}{name}.")
    steps.append(dumped(name, step))
    return {"estimator": type(step).__name__, "skops": len(steps) - 1}


def _restore(coded: dict[str, Any], decode: Decoder) -> Any:
    if coded["estimator"] in PIPELINES:
        if not coded["parameters"].keys() <= set(KEPT):
            raise ValueError(f"parameters of a pipeline are {coded['parameters']}")
        steps = [(name, _restored_step(step, decode)) for name, step in coded["steps"]]
        return find(coded["estimator"], PIPELINES)(steps, **{k: decode(v) for k, v in coded["parameters"].items()})
    return _restored_estimator(coded, decode)


def _restored_step(coded: Any, decode: Decoder) -> Any:
    if coded == PASSTHROUGH:
        return "passthrough"
    if "skops" in coded:
        return loaded(decode.member(STEP.format(coded["skops"])), decode.trusted)
    return _restore(coded, decode)


def _restored_estimator(header: dict[str, Any], decode: Decoder) -> Any:
    from sklearn import config_context

    fitted, kinds = header["fitted"], FITTED[header["estimator"]]
    unknown, missing = fitted.keys() - kinds.keys(), kinds.keys() - fitted.keys() - OPTIONAL
    wrong = [name for name in kinds.keys() & fitted.keys() if tag_of(fitted[name]) not in kinds[name].split("|")]
    if unknown or missing or wrong:
        raise ValueError(f"attributes unknown: {unknown}, missing: {missing}, of another type: {wrong}")
    estimator = find(header["estimator"], ESTIMATORS)(**{k: decode(v) for k, v in header["parameters"].items()})
    estimator.__dict__.update({k: decode(v) for k, v in fitted.items()})
    estimator._check_fitted()
    request = {k: v for k, v in header["fit_request"].items() if v is not None}
    if request:
        with config_context(enable_metadata_routing=True):
            estimator.set_fit_request(**request)
    return estimator


def _encode_named(value: object, what: str, arrays: Arrays, name: str) -> Any:
    try:
        return encode(value, arrays, name)
    except NotStorableError as error:
        raise TypeError(
            f"save cannot store {what}: {error.value!r} is no plain value or array. Set it to one (or to None), or use "
            "joblib.dump."
        ) from error
