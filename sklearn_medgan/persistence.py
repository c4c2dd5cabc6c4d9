"""Estimators in one file, without pickle.

The file is a zip: ``header.json`` holds estimator, versions, parameters and fitted attributes as tagged JSON, and each
array is a member ``arrays/N.npy``, read with ``allow_pickle=False``. What a file names by a key is made of the class
that the fixed tables below have for it, so nothing in a file is ever executed, and a class may be moved or renamed.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import json
import os
import shutil
import uuid
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ._version import __version__

FORMAT = "sklearn_medgan"
FORMAT_VERSION = 1
HEADER = "header.json"
# Key in files -> module and class. Keys are for ever; what they stand for may move.
ESTIMATORS = {
    "GANAugmenter": ".augmentation._augmenter:GANAugmenter",
    "GANEnhancer": ".enhancement._enhancer:GANEnhancer",
}
# What the fitted attributes are made of, beside plain values and arrays.
RECORDS = {
    "configuration": ".gan.training:Configuration",
    "player": ".gan.state:Player",
    "state": ".gan.state:State",
    "restorer configuration": ".gan.restoration:RestorerConfiguration",
    "form": "._containers:Form",
    "image codec": "._codecs:ImageCodec",
    "image scale": "._codecs:ImageScale",
    "canvas": ".augmentation._canvas:Canvas",
    "table codec": "._codecs:TableCodec",
    "class scores": ".augmentation._class_scores:ClassScores",
    "restoration of images": ".enhancement._images:ImageRestoration",
    "restoration of tables": ".enhancement._tables:TableRestoration",
    "restoration of unpaired images": ".enhancement._unpaired:UnpairedRestoration",
    "restoration of noisy images": ".enhancement._self_supervised:NoisyRestoration",
    "noise curve": ".enhancement._self_supervised:NoiseCurve",
    "site shift": ".enhancement._site_shift:SiteShift",
    "tone mapping": ".enhancement._tone:ToneMapping",
    "tone curve": ".enhancement._tone:ToneCurve",
    "error model": ".enhancement._error_model:ErrorModel",
    "error scaling": ".enhancement._calibration:Scaling",
}
KEYS = {home: key for table in (ESTIMATORS, RECORDS) for key, home in table.items()}
TAG = "$"


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

    name = _key(type(estimator))
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
        "changed": sorted(changed_parameters(estimator)),
        **_contents(estimator, arrays),
    }
    _write(Path(path).resolve(), json.dumps(header, allow_nan=False), arrays)


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
    with _opened(path) as (archive, header), _damage_told(path):
        return _restore(header, _Decoder(archive))


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
    with _opened(path) as (_, header):
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
    with _opened(path) as (archive, header), _damage_told(path):
        decode = _Decoder(archive)
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


def _key(kind: type) -> str | None:
    return KEYS.get(f"{kind.__module__.removeprefix(__package__)}:{kind.__qualname__}")


def _find(key: str, table: dict[str, str]) -> Callable[..., Any]:
    module, name = table[key].split(":")
    return getattr(importlib.import_module(module, __package__), name)


@contextlib.contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[tuple[zipfile.ZipFile, dict[str, Any]]]:
    """The archive and its header."""
    with contextlib.ExitStack() as stack:
        with _damage_told(path, "is not a file that sklearn_medgan.save wrote, or it was cut short"):
            archive = stack.enter_context(zipfile.ZipFile(path))
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise ValueError("it is compressed")  # what is only stored cannot grow when it is read
            header = json.loads(archive.read(HEADER))
            kind, version = header["format"], header["format_version"]
            if kind == FORMAT and not (type(version) is int and header["estimator"] in ESTIMATORS):
                raise ValueError(f"format version {version!r}, estimator {header['estimator']!r}")
        if kind != FORMAT:
            raise ValueError(f"{path} is of format {kind!r}; expected {FORMAT!r}. Load it with what wrote it.")
        if version > FORMAT_VERSION:
            raise ValueError(
                f"{path} was written by sklearn_medgan {header.get('package_version')} in format {version}; this "
                f"version, {__version__}, reads formats up to {FORMAT_VERSION}. Update sklearn_medgan."
            )
        yield archive, header


@contextlib.contextmanager
def _damage_told(path: str | os.PathLike[str], what: str = "is damaged and cannot be loaded") -> Iterator[None]:
    """Whatever a broken file makes Python raise is one ValueError; a missing file or library is no damage."""
    try:
        yield
    except (OSError, ImportError):
        raise
    except Exception as error:
        raise ValueError(f"{path} {what} ({type(error).__name__}: {error}). Save the estimator again.") from error


def _contents(estimator: Any, arrays: list[np.ndarray]) -> dict[str, Any]:
    """Parameters, fitted attributes and metadata requests as tagged JSON; arrays are put aside."""
    parameters = estimator.get_params(deep=False)
    state = estimator.__getstate__()
    fitted = {name: state[name] for name in state if name not in (*parameters, "_sklearn_version", "_metadata_request")}
    return {
        "parameters": {k: _encode_named(v, f"parameter {k}", arrays) for k, v in parameters.items()},
        "fitted": {k: _encode_named(v, f"attribute {k}", arrays) for k, v in fitted.items()},
        "fit_request": dict(estimator.get_metadata_routing().fit.requests),
    }


def _restore(header: dict[str, Any], decode: _Decoder) -> Any:
    from sklearn import config_context

    estimator = _find(header["estimator"], ESTIMATORS)(**{k: decode(v) for k, v in header["parameters"].items()})
    estimator.__dict__.update({k: decode(v) for k, v in header["fitted"].items()})
    request = {k: v for k, v in header["fit_request"].items() if v is not None}
    if request:
        with config_context(enable_metadata_routing=True):
            estimator.set_fit_request(**request)
    return estimator


def _write(path: Path, header: str, arrays: list[np.ndarray]) -> None:
    """All or nothing: a temporary file beside `path` takes its place when complete."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with open(temporary, "xb") as file:
            if path.exists():
                if not path.is_file():
                    raise FileExistsError(f"{path} is there and no ordinary file. Pass another path.")
                shutil.copymode(path, temporary)
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


def _encode_named(value: object, what: str, arrays: list[np.ndarray]) -> Any:
    try:
        return _encode(value, arrays)
    except _NotStorableError as error:
        raise TypeError(
            f"save cannot store {what}: {error.value!r} is no plain value or array. Set it to one (or to None), or use "
            "joblib.dump."
        ) from error


class _NotStorableError(Exception):
    def __init__(self, value: object) -> None:
        super().__init__(type(value).__name__)
        self.value = value


def _encode(value: Any, arrays: list[np.ndarray]) -> Any:
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
    key = _key(type(value))
    if key in RECORDS:
        fields = dict(zip(value._fields, value, strict=True)) if hasattr(value, "_fields") else vars(value)
        return {TAG: key, "fields": {k: _encode(v, arrays) for k, v in fields.items()}}
    raise _NotStorableError(value)


def _encode_array(value: Any, arrays: list[np.ndarray]) -> dict[str, Any]:
    array = np.asarray(value)
    if array.dtype.kind == "O":
        items = [_encode(item, arrays) for item in array.ravel().tolist()]
        return {TAG: "objects", "shape": list(array.shape), "items": items}
    arrays.append(array)
    return {TAG: "array" if isinstance(value, np.ndarray) else "scalar", "index": len(arrays) - 1}


class _Decoder:
    """Values from tagged JSON, arrays from the members of an archive."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        self.unread = set(archive.namelist())

    def __call__(self, coded: Any) -> Any:
        if isinstance(coded, list):
            return [self(item) for item in coded]
        if not isinstance(coded, dict):
            return coded
        tag = coded[TAG]
        if tag in RECORDS:
            return _find(tag, RECORDS)(**{k: self(v) for k, v in coded["fields"].items()})
        return self.READERS[tag](self, coded)

    def _array(self, coded: dict[str, Any]) -> np.ndarray:
        name = f"arrays/{coded['index']}.npy"
        self.unread.remove(name)  # each once: a small file cannot ask for the same array again and again
        member = io.BytesIO(self.archive.read(name))  # read to its end, where zip's checksum is looked at
        return np.lib.format.read_array(member, allow_pickle=False)

    def _objects(self, coded: dict[str, Any]) -> np.ndarray:
        array = np.empty(len(coded["items"]), dtype=object)
        array[:] = self(coded["items"])
        return array.reshape(coded["shape"])

    def _random_state(self, coded: dict[str, Any]) -> np.random.RandomState:
        state = self(coded["state"])
        if not 0 <= state["state"]["pos"] <= 624:  # NumPy would read beyond the end of its 624 numbers
            raise ValueError(f"a Mersenne Twister has 624 numbers; got position {state['state']['pos']}")
        rng = np.random.RandomState()
        rng.set_state(state)
        return rng

    READERS: ClassVar[dict[str, Callable[[_Decoder, dict[str, Any]], Any]]] = {
        "float": lambda self, coded: float(coded["value"]),
        "tuple": lambda self, coded: tuple(self(coded["items"])),
        "dict": lambda self, coded: {self(k): self(v) for k, v in coded["items"]},
        "array": _array,
        "scalar": lambda self, coded: self._array(coded)[()],
        "objects": _objects,
        "RandomState": _random_state,
    }
