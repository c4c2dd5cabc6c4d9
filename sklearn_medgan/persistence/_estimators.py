"""Estimators in one file, without pickle: what of them is kept, and how they are made again."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .._version import __version__
from ._file import FORMAT, FORMAT_VERSION, damage_told, opened, write
from ._values import ESTIMATORS, RECORDS, Decoder, NotStorableError, encode, find, key_of, tag_of

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
LOCAL = {"checkpoint_dir"}  # parameters that are of this machine, and not of the model


def save(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator to one file that holds no pickle.

    An interrupted call leaves an earlier file at `path` as it was. A file that is replaced keeps its permissions, and a
    symbolic link goes on pointing to it.

    Parameters
    ----------
    estimator : GANAugmenter or GANEnhancer
        A fitted one. Anything that holds another library's estimator needs ``joblib.dump`` instead.
    path : str or path-like
        Where to write; an existing file is replaced.

    Raises
    ------
    TypeError
        For another estimator, or a parameter that is code (`callbacks`, a callable `sampling_strategy` or
        `degradation`).
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
    from sklearn.utils.validation import check_is_fitted

    name = key_of(type(estimator))
    if name not in ESTIMATORS:
        raise TypeError(
            f"save stores {' or '.join(ESTIMATORS)}; got {estimator!r}. Use joblib.dump, or save the "
            f"{' or '.join(ESTIMATORS)} in it."
        )
    check_is_fitted(estimator, msg="%(name)s is not fitted: there is nothing to save yet. Call fit first.")
    arrays: list[np.ndarray] = []
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "package_version": __version__,
        "estimator": name,
        "changed": sorted(changed_parameters(estimator).keys() - LOCAL),
        **_contents(estimator, arrays),
    }
    write(Path(path).resolve(), json.dumps(header, allow_nan=False), arrays)


def load(path: str | os.PathLike[str]) -> Any:
    """Read an estimator that `save` wrote.

    It does what the one that was saved does, and can go on training (``warm_start=True``).

    Parameters
    ----------
    path : str or path-like
        A file written by `save`.

    Returns
    -------
    estimator : GANAugmenter or GANEnhancer
        Fitted.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is of another kind, damaged, or written by a newer version.
    """
    with opened(path) as (archive, header), damage_told(path):
        return _restore(header, Decoder(archive))


def read_header(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what a saved file says of itself, without loading the networks (nor TensorFlow).

    Parameters
    ----------
    path : str or path-like
        A file written by `save`.

    Returns
    -------
    header : dict
        `estimator`, `package_version`, `format_version`, and tagged JSON in `parameters` and `fitted`.

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
        their defaults), and `fitted`: those of `attributes` that the file has.

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
        }


def changed_parameters(estimator: Any) -> dict[str, Any]:
    """Return the parameters of an estimator that are not at the defaults of its class, name to value."""
    defaults = inspect.signature(type(estimator)).parameters
    values = estimator.get_params(deep=False)
    return {name: value for name, value in values.items() if repr(value) != repr(defaults[name].default)}


def _contents(estimator: Any, arrays: list[np.ndarray]) -> dict[str, Any]:
    """Parameters, fitted attributes and metadata requests as tagged JSON; arrays are put aside."""
    parameters = estimator.get_params(deep=False)
    state = estimator.__getstate__()
    fitted = {name: state[name] for name in state if name not in (*parameters, "_sklearn_version", "_metadata_request")}
    return {
        "parameters": {k: _encode_named(v, f"parameter {k}", arrays) for k, v in parameters.items() if k not in LOCAL},
        "fitted": {k: _encode_named(v, f"attribute {k}", arrays) for k, v in fitted.items()},
        "fit_request": dict(estimator.get_metadata_routing().fit.requests),
    }


def _restore(header: dict[str, Any], decode: Decoder) -> Any:
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


def _encode_named(value: object, what: str, arrays: list[np.ndarray]) -> Any:
    try:
        return encode(value, arrays)
    except NotStorableError as error:
        raise TypeError(
            f"save cannot store {what}: {error.value!r} is no plain value or array. Set it to one (or to None), or use "
            "joblib.dump."
        ) from error
