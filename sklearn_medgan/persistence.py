"""Estimators in one file, without pickle.

The file is a zip: ``header.json`` holds class, versions, parameters and fitted attributes as tagged JSON, and each
array is a member ``arrays/N.npy``, read with ``allow_pickle=False``. Classes are found in the fixed tables below, so
nothing in a file is ever executed.
"""

from __future__ import annotations

import importlib
import inspect
import io
import json
import os
import uuid
import zipfile
from pathlib import Path

import numpy as np

from ._version import __version__

FORMAT = "sklearn_medgan"
FORMAT_VERSION = 3  # 2: other errors of a GANEnhancer; 3: again, and other columns of a GANAugmenter
OLDEST = {"GANAugmenter": 3}  # format that a file must have for this version to make what its estimator made
HEADER = "header.json"
ESTIMATORS = {"GANAugmenter": ".augmentation._augmenter", "GANEnhancer": ".enhancement._enhancer"}
# What the fitted attributes are made of, beside plain values and arrays.
RECORDS = {
    "Configuration": ".gan.training",
    "Player": ".gan.training",
    "State": ".gan.training",
    "Form": "._containers",
    "RestorerConfiguration": ".gan.restoration",
    "ImageCodec": "._codecs",
    "ImageScale": "._codecs",
    "ImageMedium": ".enhancement._images",
    "TableMedium": ".enhancement._tables",
    "Anchor": ".enhancement._tone",
    "ClassScores": ".augmentation._class_scores",
    "Errors": ".enhancement._error_model",
    "Scaling": ".enhancement._calibration",
    "TableCodec": "._codecs",
}
TAG = "$"
DAMAGE = (zipfile.BadZipFile, KeyError, TypeError, ValueError, EOFError)  # what reading a broken file raises


def save(estimator, path) -> None:
    """Write a fitted estimator to one file that holds no pickle.

    An interrupted call leaves an earlier file at `path` as it was.

    Parameters
    ----------
    estimator : GANAugmenter
        A fitted one. Anything that holds another library's estimator needs ``joblib.dump`` instead.
    path : str or path-like
        Where to write; an existing file is replaced.

    Raises
    ------
    TypeError
        For another estimator, or a parameter that is code (`callbacks`, a callable `sampling_strategy`).
    NotFittedError
        If there is nothing to keep yet.

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

    name = type(estimator).__name__
    if name not in ESTIMATORS or type(estimator) is not _find(name, ESTIMATORS):
        raise TypeError(
            f"save stores {' or '.join(ESTIMATORS)}; got {estimator!r}. Use joblib.dump, or save the augmenter in it."
        )
    check_is_fitted(estimator, msg="%(name)s is not fitted: there is nothing to save yet. Call fit first.")
    arrays: list[np.ndarray] = []
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "package_version": __version__,
        "estimator": name,
        "changed": sorted(changed_parameters(estimator)),
        **_contents(estimator, arrays),
    }
    _write(Path(path), json.dumps(header, allow_nan=False), arrays)


def load(path):
    """Read an estimator that `save` wrote.

    It transforms and samples as the one that was saved, and can go on training (``warm_start=True``).

    Parameters
    ----------
    path : str or path-like
        A file written by `save`.

    Returns
    -------
    estimator : GANAugmenter
        Fitted.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is of another kind, damaged, written by a newer version, or by an earlier one that kept other
        things of a fit.
    """
    header = read_header(path)
    if header["format_version"] < OLDEST.get(header["estimator"], 1):
        raise _outdated(path, header, _OutdatedError(f"{header['estimator']} made other columns"))
    try:
        with zipfile.ZipFile(path) as archive:
            return _restore(header, _Decoder(archive))
    except _OutdatedError as error:
        raise _outdated(path, header, error) from error
    except DAMAGE as error:
        raise _damaged(path, error) from error


def read_header(path) -> dict:
    """What a saved file says of itself, without loading the networks (nor TensorFlow).

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
    try:
        with zipfile.ZipFile(path) as archive:
            header = json.loads(archive.read(HEADER))
        known = header["format"] == FORMAT
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is not a file that sklearn_medgan.save wrote, or it was cut short ({error}). Save the estimator "
            "again."
        ) from error
    if not known:
        raise ValueError(f"{path} is of format {header['format']!r}; expected {FORMAT!r}. Load it with what wrote it.")
    if header["format_version"] > FORMAT_VERSION:
        raise ValueError(
            f"{path} was written by sklearn_medgan {header['package_version']} in format {header['format_version']}; "
            f"this version, {__version__}, reads formats up to {FORMAT_VERSION}. Update sklearn_medgan."
        )
    return header


def read_summary(path, attributes=()) -> dict:
    """What a saved file says of itself, decoded, without loading the networks (nor TensorFlow, nor scikit-learn).

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
        their defaults; None in files of versions that did not tell), and `fitted`: those of `attributes` that the
        file has.

    Raises
    ------
    FileNotFoundError, ValueError
        As `load`.
    """
    header = read_header(path)
    try:
        with zipfile.ZipFile(path) as archive:
            decode = _Decoder(archive)
            return {
                "estimator": header["estimator"],
                "package_version": header["package_version"],
                "parameters": {name: decode(value) for name, value in header["parameters"].items()},
                "changed": header.get("changed"),
                "fitted": {name: decode(header["fitted"][name]) for name in attributes if name in header["fitted"]},
            }
    except _OutdatedError as error:
        raise _outdated(path, header, error) from error
    except DAMAGE as error:
        raise _damaged(path, error) from error


def changed_parameters(estimator) -> dict:
    """Parameters of an estimator that are not at the defaults of its class, name to value."""
    defaults = inspect.signature(type(estimator)).parameters
    values = estimator.get_params(deep=False)
    return {name: value for name, value in values.items() if repr(value) != repr(defaults[name].default)}


def _damaged(path, error) -> ValueError:
    return ValueError(f"{path} is damaged and cannot be loaded ({error}). Save the estimator again.")


class _OutdatedError(Exception):
    """A record of a file has other fields than its class has now."""


def _outdated(path, header: dict, error: _OutdatedError) -> ValueError:
    return ValueError(
        f"{path} was written by sklearn_medgan {header['package_version']}, which kept other things of a fit than this "
        f"version, {__version__}: {error}. Fit and save the estimator again, or load it with the version that wrote it."
    )


def _record(name: str, fields: dict):
    """An instance of one of `RECORDS`."""
    kind = _find(name, RECORDS)
    known = inspect.signature(kind).parameters
    needed = {field for field, parameter in known.items() if parameter.default is parameter.empty}
    parts = {"lacks": needed - set(fields), "has unknown": set(fields) - set(known)}
    problems = [f"{problem} {', '.join(sorted(names))}" for problem, names in parts.items() if names]
    if problems:
        raise _OutdatedError(f"{name} {' and '.join(problems)}")
    return kind(**fields)


def _contents(estimator, arrays: list) -> dict:
    """Parameters, fitted attributes and metadata requests as tagged JSON; arrays are put aside."""
    parameters = estimator.get_params(deep=False)
    state = estimator.__getstate__()
    fitted = {name: state[name] for name in state if name not in (*parameters, "_sklearn_version", "_metadata_request")}
    return {
        "parameters": {k: _encode_named(v, f"parameter {k}", arrays) for k, v in parameters.items()},
        "fitted": {k: _encode_named(v, f"attribute {k}", arrays) for k, v in fitted.items()},
        "fit_request": dict(estimator.get_metadata_routing().fit.requests),
    }


def _restore(header: dict, decode: _Decoder):
    from sklearn import config_context

    estimator = _find(header["estimator"], ESTIMATORS)(**{k: decode(v) for k, v in header["parameters"].items()})
    estimator.__dict__.update({k: decode(v) for k, v in header["fitted"].items()})
    request = {k: v for k, v in header["fit_request"].items() if v is not None}
    if request:
        with config_context(enable_metadata_routing=True):
            estimator.set_fit_request(**request)
    return estimator


def _write(path: Path, header: str, arrays: list) -> None:
    """All or nothing: a temporary file beside `path` takes its place when complete."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with open(temporary, "xb") as file:
            with zipfile.ZipFile(file, "w") as archive:
                archive.writestr(zipfile.ZipInfo(HEADER), header)  # ZipInfo has a fixed date: equal models, equal bytes
                for i, array in enumerate(arrays):
                    buffer = io.BytesIO()
                    np.lib.format.write_array(buffer, array, allow_pickle=False)
                    archive.writestr(zipfile.ZipInfo(f"arrays/{i}.npy"), buffer.getvalue())
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _find(name: str, table: dict[str, str]):
    return getattr(importlib.import_module(table[name], __package__), name)


def _encode_named(value, what: str, arrays: list):
    try:
        return _encode(value, arrays)
    except _NotStorableError as error:
        raise TypeError(
            f"save cannot store {what}: {error.value!r} is no plain value or array. Set it to one (or to None), or use "
            "joblib.dump."
        ) from error


class _NotStorableError(Exception):
    def __init__(self, value):
        super().__init__(type(value).__name__)
        self.value = value


def _encode(value, arrays: list):
    """Tagged JSON of a value; its arrays are appended to `arrays`."""
    if value is None or isinstance(value, bool | str) or type(value) is int:
        return value
    if type(value) is float:
        return value if np.isfinite(value) else {TAG: "float", "value": repr(value)}
    if type(value) is list:
        return [_encode(item, arrays) for item in value]
    if type(value) is tuple:
        return {TAG: "tuple", "items": [_encode(item, arrays) for item in value]}
    if isinstance(value, dict):
        return {TAG: "dict", "items": [[_encode(k, arrays), _encode(v, arrays)] for k, v in value.items()]}
    if type(value) is np.random.RandomState:
        return {TAG: "RandomState", "state": _encode(value.get_state(legacy=False), arrays)}
    if isinstance(value, np.ndarray | np.generic):
        return _encode_array(value, arrays)
    if type(value).__name__ in RECORDS and type(value) is _find(type(value).__name__, RECORDS):
        fields = value._asdict() if isinstance(value, tuple) else vars(value)
        return {TAG: type(value).__name__, "fields": {k: _encode(v, arrays) for k, v in fields.items()}}
    raise _NotStorableError(value)


def _encode_array(value, arrays: list) -> dict:
    array = np.asarray(value)
    if array.dtype.kind == "O":
        items = [_encode(item, arrays) for item in array.ravel().tolist()]
        return {TAG: "objects", "shape": list(array.shape), "items": items}
    arrays.append(array)
    return {TAG: "array" if isinstance(value, np.ndarray) else "scalar", "index": len(arrays) - 1}


class _Decoder:
    """Values from tagged JSON, arrays from the members of an archive."""

    def __init__(self, archive: zipfile.ZipFile):
        self.archive = archive

    def __call__(self, coded):
        if isinstance(coded, list):
            return [self(item) for item in coded]
        if not isinstance(coded, dict):
            return coded
        tag = coded[TAG]
        if tag in RECORDS:
            return _record(tag, {k: self(v) for k, v in coded["fields"].items()})
        return self.READERS[tag](self, coded)

    def _array(self, coded):
        with self.archive.open(f"arrays/{coded['index']}.npy") as member:
            return np.lib.format.read_array(member, allow_pickle=False)

    def _objects(self, coded):
        array = np.empty(len(coded["items"]), dtype=object)
        array[:] = self(coded["items"])
        return array.reshape(coded["shape"])

    def _random_state(self, coded):
        rng = np.random.RandomState()
        rng.set_state(self(coded["state"]))
        return rng

    READERS = {  # noqa: RUF012
        "float": lambda self, coded: float(coded["value"]),
        "tuple": lambda self, coded: tuple(self(coded["items"])),
        "dict": lambda self, coded: {self(k): self(v) for k, v in coded["items"]},
        "array": _array,
        "scalar": lambda self, coded: self._array(coded)[()],
        "objects": _objects,
        "RandomState": _random_state,
    }
