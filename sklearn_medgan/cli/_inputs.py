"""What commands read: images of a file or folder, checked, and models that `save` wrote."""

from __future__ import annotations

import shlex
import zipfile
from argparse import Namespace
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from .._validation import check_sides
from ..datasets import load_images
from ..datasets._folders import SYNTHETIC
from ..datasets._formats import SUFFIXES
from ..persistence import read_summary
from ._session import about, reading

# Suffixes that neither a folder nor a model has.
OF_FILES = {*SUFFIXES, ".npz", ".npy", ".zip", ".tar", ".gz", ".7z", ".csv", ".tsv", ".xlsx", ".json", ".jsonl", ".txt"}
OF_FILES |= {".md", ".html", ".pdf", ".svg", ".pkl", ".pickle", ".joblib", ".h5", ".keras", ".pt", ".pth", ".onnx"}
MARK = "synthetic"  # key of the array that tells of images drawn earlier
READING = ("channels", "groups", "window", "axis", "path_column", "label_column", "skip_unreadable")  # of load_images


def read_images(path: str | Path, *, size: int | None = None, subset: str = "all", **how: Any) -> Bunch:
    """Load images as `load_images` does, resized to `size` x `size` pixels where given."""
    with reading(path):
        return load_images(path, subset=subset, image_shape=None if size is None else (size, size), **how)


def how_to_read(options: Namespace) -> dict[str, Any]:
    """Return those parameters of `load_images` that the line sets."""
    given = {name: getattr(options, name, None) for name in READING}
    return {name: value for name, value in given.items() if value not in (None, False)}


def as_data(path: str | Path, options: Namespace) -> str:
    """Return the option --data and those by which the images were read, for a command that follows."""
    words = ["--data", str(path)]
    for name, value in {"image_size": getattr(options, "image_size", None), **how_to_read(options)}.items():
        if value is not None:
            words.append(f"--{name.replace('_', '-')}")
            words += [] if value is True else [",".join(map(str, value)) if isinstance(value, tuple) else str(value)]
    return shlex.join(words)


def check_real(path: Path, files: list[str] | None, advice: str) -> None:
    """Raise ValueError where some images are the result of an earlier `medgan augment`."""
    if files is not None:
        drawn = any(SYNTHETIC.fullmatch(Path(file).name) for file in files)
    else:
        with reading(path), np.load(path, allow_pickle=False) as archive:
            drawn = MARK in archive and bool(np.any(archive[MARK]))
    if drawn:
        raise ValueError(f"{path} holds images that medgan augment has drawn. {advice}")


def check_images(X: np.ndarray, name: object) -> None:
    """Raise ValueError unless there are images that the networks take."""
    with about(name, advice="Enlarge them."):
        if not len(X):
            raise ValueError("It holds no image.")
        check_sides((*X.shape[1:], 1)[:3])
        if not np.isfinite(X).all():
            raise ValueError("It holds NaN or infinity. Replace them, and save it again.")


def kind_of(X: np.ndarray) -> str:
    """Return size and dtype of the images of a stack, as 28x28 uint8."""
    return f"{'x'.join(map(str, X.shape[1:]))} {X.dtype}"


def check_suffix(option: str, path: str | None, suffixes: Iterable[str]) -> None:
    """Raise ValueError where a file that is asked for has another suffix."""
    if path is not None and Path(path).suffix.lower() not in suffixes:
        raise ValueError(f"{option} was expected to end in {', '.join(suffixes)}; got {path}.")


def check_folder_name(option: str, path: Path, alternative: str = "") -> None:
    """Raise ValueError where a folder that is asked for is a file, or is called like one."""
    if path.is_file() or (path.suffix.lower() in {*OF_FILES, ".medgan"} and not path.is_dir()):
        raise ValueError(f"{option} was expected to be a folder{alternative}; got {path}. Choose another name.")


def check_checkpoint(path: str | None) -> None:
    """Raise ValueError where the folder for the state of a training is a file, or is called like one."""
    if path is not None:
        check_folder_name("--checkpoint-dir", Path(path))


def check_model_name(path: str | None) -> None:
    """Raise ValueError where the file of a model is called like one of another kind."""
    if path is not None and Path(path).suffix.lower() in OF_FILES:
        raise ValueError(f"--save writes a model of this package alone; got {path}. Let it end in .medgan.")


def refuse_fit_options(options: Namespace, names: Iterable[str]) -> None:
    """Raise ValueError where an option of the fit comes with a model, which is fitted."""
    for name in names:
        if getattr(options, name) is not None:
            raise ValueError(f"--{name.replace('_', '-')} is for fitting; got --model, which is fitted.")


def network_parameters(options: Namespace, *names: str) -> dict[str, Any]:
    """Return those parameters of GANAugmenter that the line sets, by name; "none" is None."""
    given = {name: getattr(options, name) for name in names}
    return {name: None if value == "none" else value for name, value in given.items() if value is not None}


def model_summary(path: Path, kind: str) -> dict:
    """Return what a saved model of images says of itself; neither it nor TensorFlow is loaded."""
    if not path.is_file():
        raise ValueError(f"--model was expected to name a file; there is none at {path}. Check the path.")
    with reading(path):
        summary = read_summary(path, ["image_shape_", "classes_", "guard_report_"])
    if summary["estimator"] != kind:
        raise ValueError(
            f"--model was expected to hold a {kind}; {path} holds a {summary['estimator']}. Name another file."
        )
    if summary["fitted"].get("image_shape_") is None:
        raise ValueError(f"--model {path} was fitted on a table; images need one fitted on images.")
    return summary


def write_npz(path: Path, arrays: Mapping[str, np.ndarray], compression: int = zipfile.ZIP_DEFLATED) -> None:
    """Write arrays as numpy.savez does, which reserves the name "file"."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for key, array in arrays.items():
            with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
