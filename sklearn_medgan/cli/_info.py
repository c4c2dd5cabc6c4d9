"""The command `medgan info`: what a data file, a folder of images or a saved model holds.

Nothing is unpickled and no network is built, so that a file from a stranger can be looked at. Of a model only its
header is read, which needs neither scikit-learn nor TensorFlow.
"""

from __future__ import annotations

import shlex
import warnings
import zipfile
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .._version import __version__
from ..persistence import HEADER, read_summary
from ._session import Session, reading
from ._streams import printable

if TYPE_CHECKING:
    from ..datasets._folders import Entry

MOST_READ = 200  # files of a folder; of more, an evenly spaced choice is read
MOST_NAMED = 12  # classes, parameters and the like on a line
NARROW = 11  # columns of the names of lines


def run(options: Namespace, session: Session) -> int:
    """Write what is at a path; an OSError or ValueError where that is neither data nor a model."""
    path = Path(options.file)
    with reading(path):
        describe = describer(path)
        title, found = describe(path)
    session.show(f"{printable(str(path))}: {title}")
    for name, value in found.items():
        text = FORMS.get(name, str)(value)
        if text:
            session.show(f"  {name:<{NARROW}} {printable(text)}")
    session.found.update(path=str(path), title=title, **{name: value for name, value in found.items() if value})
    name = shlex.quote(str(path))
    compared = name if (found.get("synthetic") or "0 ").startswith("0 ") else "ORIGINALS"  # no drawn images
    use = f"medgan benchmark --data {compared}"
    if describe is describe_model:
        use = f"medgan {'enhance' if 'GANEnhancer' in title else 'augment'} IN OUT --model {name}"
    session.end(use if not found.get("steps") else f"sklearn_medgan.load({str(path)!r}), in Python")
    return 0


def describer(path: Path) -> Callable[[Path], tuple[str, dict[str, Any]]]:
    """Return the function that describes what is at the path, by content where names say nothing."""
    if not path.exists():
        raise ValueError(f"There is no file or folder {path}. Check the path.")
    if path.is_dir():
        return describe_folder
    if _holds_a_model(path):
        return describe_model
    if path.suffix.lower() == ".npz":
        return describe_archive
    from ..datasets._formats import kind_of
    from ..datasets._loaders import is_manifest

    if is_manifest(path):
        return describe_folder
    if kind_of(path) is not None:
        return describe_image
    raise ValueError(
        f"{path} is neither a data file (.npz, .png, .jpg, .tif, .dcm, .nii, a folder or a .csv of these) nor a model "
        "that sklearn_medgan.save wrote. Pickle and joblib files are not opened, because that can run code; load what "
        "you trust in Python."
    )


def _holds_a_model(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return HEADER in archive.namelist()
    except zipfile.BadZipFile:
        return False


def listed(items: Iterable[object]) -> str:
    """Return the first items, and how many more there are."""
    texts = list(map(str, items))
    more = [f"and {len(texts) - MOST_NAMED} more"] if len(texts) > MOST_NAMED else []
    return ", ".join([*texts[:MOST_NAMED], *more])


def counted(counts: dict[str, int]) -> str:
    return listed(f"{name} {n}" for name, n in counts.items())


def _kinds(counts: dict[str, int]) -> str:
    return listed(kind if len(counts) == 1 else f"{n} of {kind}" for kind, n in counts.items())


def _named(classes: dict[str, int] | list | str) -> str:
    text = counted(classes) if isinstance(classes, dict) else listed(classes) if isinstance(classes, list) else classes
    return text or "none"


def _sizes(sizes: list[int]) -> str:
    return f"{len(sizes)}, of {min(sizes)} to {max(sizes)} images" if sizes else ""


def _set(parameters: dict[str, Any]) -> str:
    text = ", ".join(f"{name}={value!r}" for name, value in sorted(parameters.items()))
    return f"{text}; others at their defaults" if text else "all at their defaults"


# How a value of a line is written, where not by `str`.
FORMS: dict[str, Callable[[Any], str]] = {
    "pixels": _kinds,
    "values": lambda limits: f"{limits[0]:.6g} to {limits[1]:.6g}" if limits else "none",
    "not finite": lambda n: f"{n} value(s)" if n else "",
    "classes": _named,
    "groups": _sizes,
    "patients": _sizes,
    "split": counted,
    "spacing": lambda sides: " x ".join(map(str, sides)),
    "parameters": _set,
    "others": listed,
    "steps": listed,
}


def size(path: Path) -> str:
    n_bytes = float(path.stat().st_size)
    for unit in ("bytes", "kB", "MB"):
        if n_bytes < 999.5:  # what is left has three digits
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.3g} GB"


# -------------------------------------------------------------------------------------------------------------- data


@dataclass
class Pixels:
    """Shapes, dtypes and range of stacks of images."""

    kinds: Counter = field(default_factory=Counter)
    low: float = np.inf
    high: float = -np.inf
    n_lost: int = 0

    def add(self, stack: np.ndarray) -> None:
        """Take note of a stack (n, height, width[, channels])."""
        self.kinds[f"{'x'.join(map(str, stack.shape[1:]))} {stack.dtype}"] += len(stack)
        finite = stack[np.isfinite(stack)]
        self.n_lost += stack.size - finite.size
        if finite.size:
            self.low, self.high = min(self.low, float(finite.min())), max(self.high, float(finite.max()))

    def found(self) -> dict[str, Any]:
        limits = [self.low, self.high] if self.low <= self.high else []
        kinds = dict(self.kinds.most_common())
        return {"images": self.kinds.total(), "pixels": kinds, "values": limits, "not finite": self.n_lost}


def describe_image(path: Path) -> tuple[str, dict[str, Any]]:
    from ..datasets._formats import read_images

    pixels = Pixels()
    pixels.add(read_images(path))
    return f"image file, {size(path)}", pixels.found()


def describe_folder(path: Path) -> tuple[str, dict[str, Any]]:
    """Tell of a folder of images, with or without subfolders as classes, or of a manifest."""
    from ..datasets._folders import SYNTHETIC
    from ..datasets._formats import read_images
    from ..datasets._loaders import list_entries

    entries, notes = list_entries(path)
    for note in notes:
        warnings.warn(note, UserWarning, stacklevel=2)
    files = [entry.file for entry in entries]
    step = -(-len(files) // MOST_READ)
    pixels = Pixels()
    for file in files[::step]:
        pixels.add(read_images(file))
    read = {"read": f"1 file in {step}; images, pixels and values are of these"} if step > 1 else {}
    n_synthetic = sum(bool(SYNTHETIC.fullmatch(file.name)) for file in files)
    return f"folder of images, {len(files)} file(s)", {
        **pixels.found(),
        **read,
        "classes": dict(Counter(entry.label for entry in entries if entry.label)),
        **_patients(entries),
        "synthetic": f"{n_synthetic} of the files" if n_synthetic else "",
    }


def _patients(entries: list[Entry]) -> dict[str, list[int]]:
    """Sizes of what headers of DICOM files, folders or a manifest tell apart; never the names."""
    from ..datasets._formats import AS_STORED, read_header

    known = [(entry, read_header(entry.file, AS_STORED)) for entry in entries]
    headers = [(entry, header) for entry, header in known if header is not None]
    sizes: Counter = Counter()
    for entry, header in headers:
        sizes[header.patient or entry.group] += header.n_images or 1
    del sizes[None]
    return {"patients" if any(header.patient for _, header in headers) else "groups": list(sizes.values())}


def describe_archive(path: Path) -> tuple[str, dict[str, Any]]:
    """Tell of an .npz file in one of the two forms that `load_images` reads."""
    from ..datasets._archives import read_image_arrays

    arrays, keys = read_image_arrays(path)
    pixels = Pixels()
    for key in keys:
        pixels.add(arrays[key])
    if not any(arrays[key].size for key in keys):
        raise ValueError(f"{path} holds no image. Save some under {' or '.join(map(repr, keys))}.")
    medmnist = keys != ["X"]
    splits = {key.removesuffix("_images"): len(arrays[key]) for key in keys}
    labels = [f"{split}_labels" for split in splits] if medmnist else ["y"]
    told = {*keys, *labels, "group", "split", "class_names", "spacing", "synthetic", "provenance"}
    return f"data file in {'MedMNIST' if medmnist else 'X and y'} form, {size(path)}", {
        **pixels.found(),
        "classes": _classes([arrays[key] for key in labels if key in arrays], arrays.get("class_names")),
        "groups": _groups(arrays),
        "split": splits if medmnist else _counts(arrays.get("split", [])),
        "spacing": np.atleast_1d(arrays.get("spacing", [])).tolist(),
        "synthetic": _synthetic(arrays),
        "others": [f"{key} {array.shape}" for key, array in arrays.items() if key not in told],
    }


def _counts(values: ArrayLike) -> dict[str, int]:
    return {str(value): int(n) for value, n in zip(*np.unique(values, return_counts=True), strict=True)}


def _classes(labels: list[np.ndarray], names: np.ndarray | None) -> dict[str, int] | str:
    """Classes with their counts; several labels an image are counted column by column."""
    if not labels:
        return {}
    y = np.concatenate([np.atleast_1d(column) for column in labels])
    if y.ndim > 1 and y.shape[1] != 1:
        return f"{y.shape[1]} labels an image, set in {listed(map(str, np.count_nonzero(y, axis=0)))}"
    texts = [] if names is None else np.atleast_1d(names).astype(str).tolist()
    known = {str(i): name for i, name in enumerate(texts)} if y.dtype.kind in "biu" else {}
    return {known.get(value, value): n for value, n in _counts(y).items()}


def _groups(arrays: dict[str, np.ndarray]) -> list[int]:
    """Sizes of the groups; synthetic images are of none."""
    groups, marked = np.atleast_1d(arrays.get("group", [])), arrays.get("synthetic")
    if marked is not None and marked.dtype == bool and marked.shape == groups.shape:
        groups = groups[~marked]
    return list(_counts(groups).values())


def _synthetic(arrays: dict[str, np.ndarray]) -> str:
    """What `medgan augment` says of the images that it added."""
    if "synthetic" not in arrays:
        return ""
    origin = f"; {arrays['provenance']}" if "provenance" in arrays else ""
    return f"{np.count_nonzero(arrays['synthetic'])} of the images{origin}"


# ------------------------------------------------------------------------------------------------------------- model


def describe_model(path: Path) -> tuple[str, dict[str, Any]]:
    """Tell of an estimator that `sklearn_medgan.save` wrote."""
    told = read_summary(path, ["image_shape_", "n_features_in_", "classes_", "n_iter_", "_trunk"])
    fitted, changed, steps = told["fitted"], told["changed"], told["steps"]
    version = told["package_version"]
    parameters = {name: value for name, value in told["parameters"].items() if name in changed}
    title = f"model, a fitted {told['estimator']}, {size(path)}"
    by = f"sklearn_medgan {version}" + ("" if version == __version__ else f" (this is {__version__})")
    if steps:
        return title, {"written by": by, "steps": [f"{name} {kind}" for name, kind in steps], "parameters": parameters}
    return title, {
        "written by": by,
        "fitted on": _fitted_on(fitted),
        "classes": np.atleast_1d(fitted.get("classes_", [])).tolist(),
        "updates": fitted.get("n_iter_", ""),
        "backbone": _backbone(told["parameters"]) if fitted.get("_trunk") else "",
        "parameters": parameters,
    }


def _fitted_on(fitted: dict[str, Any]) -> str:
    shape = fitted.get("image_shape_")
    return f"images of {'x'.join(map(str, shape))}" if shape else f"a table of {fitted.get('n_features_in_')} columns"


def _backbone(parameters: dict[str, Any]) -> str:
    """Name the pretrained network, and tell whether its weights are here."""
    from ..backbones._resolve import state_of_embedded

    name = parameters.get("backbone", "auto")
    if name is None:
        return "a model that is not in the file: set backbone to it after load"
    return state_of_embedded() if name == "auto" else f"{name} of keras.applications, whose weights Keras fetches"
