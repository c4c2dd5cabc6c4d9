"""Labelled rows that `medgan demo` and `medgan benchmark` compare on: the user's images, or sets without a download."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.utils import Bunch

from .._parameters import ParameterError
from .._validation import SMALLEST_SIDE
from ..datasets import load_tissue_patches, make_nodules
from ..datasets._archives import MEDMNIST_SPLITS
from ..datasets._stacks import resized
from ._inputs import check_images, check_real, read_images
from ._streams import printable

OFFICIAL = "test"  # split of a MedMNIST file that is left out
NODULES = {"image_size": 24, "prevalence": 0.25, "random_state": 0}


@dataclass(frozen=True)
class Data:
    """Labelled rows, and what a reader has to know of them."""

    name: str
    X: np.ndarray
    y: np.ndarray
    groups: np.ndarray | None
    class_names: list[str]
    notes: tuple[str, ...] = ()
    diseased: list | None = None

    @property
    def labels(self) -> dict:
        """Return label of each class, by its name, and by its number in the file."""
        labels = np.unique(self.y).tolist()
        named = dict(zip(self.class_names, labels, strict=True))
        return {**named, **{str(label): label for label in labels if str(label) not in named}}

    def describe(self) -> str:
        """Return rows, classes with their counts, and groups."""
        size = "x".join(map(str, self.X.shape[1:]))
        what = f"{len(self.X)} images of {size}" if self.X.ndim > 2 else f"{len(self.X)} rows of {size} columns"
        counts = np.unique(self.y, return_counts=True)[1]
        classes = ", ".join(f"{n} of {name}" for name, n in zip(self.class_names, counts, strict=True))
        groups = "no groups" if self.groups is None else f"{len(np.unique(self.groups))} groups"
        return f"{self.name}: {what} ({classes}), {groups}."


def embedded() -> dict[str, Data]:
    """Return sets that need no download, by the word that tells their files apart."""
    nodules, cancer = make_nodules(240, **NODULES), load_breast_cancer()
    retina = load_tissue_patches(source="retina", patch_size=128)
    names = [str(name) for name in nodules.target_names]
    return {
        "nodules": Data("Lung nodules (simulated)", nodules.data, nodules.target, None, names, diseased=["nodule"]),
        "retina": Data(
            "Patches of a retina",
            retina.data,
            retina.target,
            retina.groups,
            retina.target_names,
            diseased=["large vessel"],  # no illness: what is looked for
        ),
        "breast_cancer": Data(
            "Breast cancer, a table of 30 measurements",
            cancer.data,
            cancer.target,
            None,
            cancer.target_names.tolist(),
            diseased=["malignant"],
        ),
    }


def load_own(path: Path, image_size: int | None, **how: Any) -> Data:
    """Return the user's labelled images, reduced where asked for, with notes; `how` as for `load_images`."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        images, notes = _of_one_size(path, image_size, how)
    if images.target is None:
        raise ValueError(
            f"{path} holds no labels, and arms are compared by them. Save it with y (or train_labels), sort image "
            "files into one subfolder per class, or name their labels in a CSV file."
        )
    check_real(path, images.filenames, "They learned from the others, so folds would leak: give the originals alone.")
    kept, left_out = _cross_validated(path, images)
    notes += [*left_out, *(str(warning.message) for warning in caught)]
    X, y, groups = images.data[kept], images.target[kept], images.groups
    check_images(X, path)
    if image_size is not None and (reduced := reduce_images(X, image_size)).shape != X.shape:
        notes.append(f"Images are reduced from {X.shape[1]}x{X.shape[2]} to {reduced.shape[1]}x{reduced.shape[2]}.")
        X = reduced
    names = [printable(str(c if images.target_names is None else images.target_names[c])) for c in np.unique(y)]
    if len(names) < 2:
        raise ValueError(f"{path} holds 1 class ({', '.join(names)}); a diagnosis needs two or more. Add the others.")
    return Data(printable(path.absolute().name), X, y, None if groups is None else groups[kept], names, tuple(notes))


def _of_one_size(path: Path, image_size: int | None, how: dict[str, Any]) -> tuple[Bunch, list[str]]:
    """Return images as they are; those of several sizes are resized where a size is given, with a note."""
    try:
        return read_images(path, **how), []
    except ParameterError as error:
        if error.parameter != "image_shape" or image_size is None:
            raise
    note = f"Images of several sizes are resized to {image_size}x{image_size}."
    return read_images(path, size=image_size, **how), [note]


def _cross_validated(path: Path, images: Bunch) -> tuple[np.ndarray, list[str]]:
    """Return which rows take part, and a note where the file has splits: the official test set of MedMNIST does not."""
    rows = np.ones(len(images.data), bool)
    splits = [] if images.split is None else list(dict.fromkeys(images.split.tolist()))
    if len(splits) < 2:
        return rows, []
    if not (_is_medmnist(path) and OFFICIAL in splits):
        return rows, [f"Rows of all its splits ({', '.join(splits)}) are pooled and split anew."]
    others = [name for name in splits if name != OFFICIAL]
    left_out = f"its official {OFFICIAL!r} rows are left out: they may be of another domain."
    return images.split != OFFICIAL, [
        f"Rows of {' and '.join(map(repr, others))} are pooled and split anew; {left_out}"
    ]


def _is_medmnist(path: Path) -> bool:
    if path.suffix.lower() != ".npz":
        return False
    with np.load(path, allow_pickle=False) as archive:
        return "X" not in archive and any(f"{split}_images" in archive for split in MEDMNIST_SPLITS)


def reduce_images(X: np.ndarray, size: int) -> np.ndarray:
    """Return images whose longer side is at most `size`, and the shorter one still large enough for the networks."""
    height, width = X.shape[1:3]
    factor = max(size / max(height, width), SMALLEST_SIDE / min(height, width))
    if factor >= 1:
        return X
    return resized(X, [max(SMALLEST_SIDE, round(side * factor)) for side in (height, width)])
