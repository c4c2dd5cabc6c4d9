"""Labelled training images, and how many synthetic ones their classes lack."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .._allocation import synthetic_counts
from ..datasets._archives import split_names
from ..datasets._loaders import is_manifest, list_entries
from ..datasets._manifests import Columns
from ._inputs import check_images, check_real, kind_of, read_images
from ._session import reading

TRAINING = "train"  # the split whose rows are learned from
FEWEST = 2  # images of a class: from one, a GAN could only learn to repeat it
MOST_DRAWN, MOST_VALUES = 10**6, 2**32  # images, and numbers in them, that are drawn at a time


@dataclass(frozen=True)
class Real:
    """The images to learn from, (n, height, width[, channels]), and what is known of each.

    `codes` are int64, positions in `names` where the classes have names. `resized`: not as they are in their files.
    """

    source: Path
    X: np.ndarray
    codes: np.ndarray
    names: list[str] | None
    groups: np.ndarray | None
    files: list[str] | None
    spacing: tuple | None
    splits: list[str]
    resized: bool

    def without_rows(self) -> Real:
        """Return the same classes, without an image."""
        groups = None if self.groups is None else self.groups[:0]
        files: list[str] | None = None if self.files is None else []
        return replace(self, X=self.X[:0], codes=self.codes[:0], groups=groups, files=files)

    def name_of(self, code: int) -> str:
        """Return the name of a class, else its number."""
        return str(code) if self.names is None else self.names[code]

    def labels(self, codes: np.ndarray, known: np.ndarray | None = None) -> np.ndarray:
        """Return what a model that knows some classes calls these: names where they tell classes apart, else numbers.

        Without a model, what one is to be fitted on, so that its file has the names.
        """
        numbered = known is not None and known.dtype.kind in "biuf"
        distinct = self.names is not None and len(set(self.names)) == len(self.names)
        return np.array(self.names)[codes] if distinct and not numbered else codes

    def counts(self) -> dict[int, int]:
        return dict(sorted(Counter(self.codes.tolist()).items()))

    def counted(self, codes: np.ndarray) -> str:
        counts = sorted(Counter(codes.tolist()).items())
        return ", ".join(f"{n} of {self.name_of(code)}" for code, n in counts)

    def pages(self) -> dict[str, list[int]]:
        """Return the rows of each file."""
        rows: dict[str, list[int]] = {}
        for row, file in enumerate(self.files or ()):
            rows.setdefault(file, []).append(row)
        return rows

    def describe(self) -> str:
        """Return what was found, and which rows are left out."""
        others = [name for name in self.splits if not is_training(name)]
        left_out = f" Only its {TRAINING!r} rows are used, {', '.join(map(repr, others))} left out." if others else ""
        return f"{self.source}: {len(self.X)} images of {kind_of(self.X)}, {self.counted(self.codes)}.{left_out}"


def load_training(source: Path, size: int | None, **how: Any) -> Real:
    """Return the labelled images of a folder or file, of splits those for training; `how` as for `load_images`."""
    if not source.exists():
        raise ValueError(f"There is no file or folder {source} to augment. Check the path.")
    if not source.is_dir() and not is_manifest(source) and source.suffix.lower() != ".npz":
        raise ValueError(
            f"IN was expected to be a folder with one subfolder per class, or to end in .npz or .csv; got {source}. "
            "Sort the images into subfolders, or save them with numpy.savez."
        )
    with reading(source):
        splits = split_names(source) if source.suffix.lower() == ".npz" else _splits_of(source, how)
    training = next((name for name in splits if is_training(name)), None)
    if splits and training is None:
        raise ValueError(
            f"{source} was expected to name its training rows {TRAINING!r}; its splits are {splits}. Rename one, or "
            "leave the split out."
        )
    images = read_images(source, size=size, subset=training or "all", **how)
    if images.target is None:
        raise ValueError(
            f"{source} holds no labels; classes are what is balanced. Use one subfolder per class, or save y."
        )
    fields = images.target, images.target_names, images.groups, images.filenames, images.spacing
    changed = size is not None or bool({"channels", "window"} & how.keys())
    real = Real(source, images.data, *fields, splits, changed)
    check_training(real)
    return real


def is_training(split: str) -> bool:
    """Tell whether a split is the one to learn from, by its name."""
    return split.casefold() in (TRAINING, "training")


def _splits_of(source: Path, how: dict[str, Any]) -> list[str]:
    """Names of the splits of a folder or manifest."""
    named = Columns(how.get("path_column"), how.get("label_column"), how.get("groups"))
    entries, _ = list_entries(source, named)
    return list(dict.fromkeys(entry.split for entry in entries if entry.split))


def check_training(real: Real) -> None:
    """Raise ValueError unless the networks take the images, none is synthetic, and there are classes to balance."""
    check_real(real.source, real.files, "Augment the originals, or remove the others.")
    counts = real.counts()
    if len(counts) < 2:
        raise ValueError(f"{real.source} has images of {len(counts)} class(es); to balance needs 2 or more. Add some.")
    rarest = min(counts, key=lambda code: counts[code])
    if counts[rarest] < FEWEST:
        raise ValueError(
            f"{real.source} has {counts[rarest]} image of class {real.name_of(rarest)}; a class needs {FEWEST} or more "
            "to learn from. Add images, or leave the class out."
        )
    check_images(real.X, real.source)


def rows_to_draw(real: Real, ratio: float) -> np.ndarray:
    """Return the class code of each image to draw, class by class."""
    most = min(MOST_DRAWN, MOST_VALUES // real.X[0].size)
    counts = real.counts()
    asked = sum(max(0.0, ratio * max(counts.values()) - n) for n in counts.values())
    if asked > most:
        raise ValueError(
            f"--ratio {ratio:g} asks for {asked:.3g} synthetic images; of {kind_of(real.X)}, {most} are drawn at most. "
            "Lower it."
        )
    wanted = synthetic_counts(real.codes, ratio=ratio)
    return np.repeat(np.array(list(wanted), dtype=np.int64), list(wanted.values()))
