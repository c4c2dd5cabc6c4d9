"""The command `medgan augment`: add synthetic images to a labelled set, and say which they are."""

from __future__ import annotations

import csv
import json
import re
import shutil
from argparse import Namespace
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .._version import __version__
from ..augmentation._augmenter import GANAugmenter
from ..datasets._folders import MANIFEST
from ..datasets._images import IMAGE_SUFFIXES, check_holds, write_stack
from ..persistence import changed_parameters, load
from ._inputs import (
    MARK,
    as_data,
    check_checkpoint,
    check_folder_name,
    check_model_name,
    how_to_read,
    model_summary,
    network_parameters,
    refuse_fit_options,
    write_npz,
)
from ._labelled import TRAINING, Real, load_training, rows_to_draw
from ._privacy import few_of, told_of_privacy
from ._session import Session, reading
from ._staging import Staging

# Parameters that are told apart, or do not count in a sample.
UNTOLD = ("verbose", "random_state", "ratio", "backbone", "checkpoint_dir")
DISCLAIMER = (
    "Synthetic images may resemble those they were learned from: share them only where you could share those, and keep "
    "them out of test sets. Research use; not a medical device."
)


def run(options: Namespace, session: Session) -> int:
    """Check everything, fit or load the model, draw, and put all files in place at the end, or none."""
    session.write("Loading scikit-learn and the images ...")
    known = None
    if options.backbone is not None and options.save is None and options.model is None:
        raise ValueError("--backbone is for the columns of a saved model, not for what is drawn: add --save FILE.")
    check_model_name(options.save)
    check_checkpoint(options.checkpoint_dir)
    if options.model is not None:
        refuse_fit_options(options, ["max_iter", "max_time", "gan_size", "backbone", "save", "checkpoint_dir"])
        known = model_summary(Path(options.model), "GANAugmenter")
    real = load_training(Path(options.source), options.image_size, **how_to_read(options))
    session.write(real.describe())
    wanted = rows_to_draw(real, options.ratio)
    if known is not None:
        check_model(options.model, known, real)
    output = plan(options, real, wanted)
    check_outputs(options, output, session.staging)
    drawn = Drawn(real.X[:0], wanted[:0], {})
    if len(wanted):
        session.write(f"To draw: {real.counted(wanted)}.")
        drawn = make(options, real, wanted, session)
    else:
        session.show(nothing_to_add(options, real))
    output.write(drawn, session.staging)
    told = f", {len(output.kept.X)} original and {len(drawn.X)} synthetic images in {options.out}"
    drawn_of = Counter(map(real.name_of, drawn.codes))
    session.found.update(out=options.out, original=len(output.kept.X), synthetic=drawn_of)
    session.finish(told, DISCLAIMER, f"medgan benchmark {as_data(options.source, options)} --arms rows")
    return 0


def nothing_to_add(options: Namespace, real: Real) -> str:
    """Return why there is nothing to draw, and what that means for the files asked for."""
    saved = f" No model was fitted, so {options.save} is not written." if options.save else ""
    return (
        f"Nothing was added: each class has the {options.ratio:g} x {max(real.counts().values())} images that --ratio "
        f"asks for.{saved}"
    )


# ------------------------------------------------------------------------------------------------------------ output


@dataclass(frozen=True)
class Drawn:
    """Synthetic images in the form of the real ones, class by class, and where they are from."""

    X: np.ndarray
    codes: np.ndarray
    origin: dict


@dataclass
class FolderOutput:
    """One subfolder per class: original files as they are, synthetic ones, and the manifest.

    `n_digits` of a class that is a number: names then sort as numbers do.
    """

    out: Path
    kept: Real
    wanted: np.ndarray
    suffix: str
    n_digits: int

    def originals(self) -> list[Path]:
        """Return where each original file goes; pages of one file go together."""
        if self.kept.files is None:
            return [self._place(code, f"original_{i:05d}") for i, code in enumerate(self.kept.codes.tolist())]
        paths = {self._original(file, rows[0]): len(rows) for file, rows in self.kept.pages().items()}
        if not self.kept.resized:
            return list(paths)
        return [path.with_suffix(self.suffix if n_pages == 1 else ".tif") for path, n_pages in paths.items()]

    def _original(self, file: str, row: int) -> Path:
        """Where a file goes: below the folder of its class, by its path in the source."""
        top = self.kept.source if self.kept.source.is_dir() else self.kept.source.parent
        path, label = Path(file).relative_to(top), self.kept.name_of(self.kept.codes[row])
        if self.kept.source.is_dir() and path.parts[0] in self.kept.splits:
            path = path.relative_to(path.parts[0])
        return self.out / (path if path.parts[0] == label else Path(label) / path)

    def synthetic(self, drawn: np.ndarray | None = None) -> list[Path]:
        """Return where each synthetic image goes, of the classes drawn or else of all that are wanted."""
        places = [self._place(code, f"{MARK}_{i:05d}") for i, code in enumerate(self.wanted.tolist())]
        if drawn is None or len(drawn) == len(places):
            return places
        firsts = [np.flatnonzero(self.wanted == code)[: np.sum(drawn == code)] for code in np.unique(drawn)]
        return [places[i] for i in np.concatenate([*firsts, np.zeros(0, int)])]

    def _place(self, code: int, stem: str) -> Path:
        return self.out / self.kept.name_of(code).zfill(self.n_digits) / f"{stem}{self.suffix}"

    def outputs(self) -> list[Path]:
        files = [*self.originals(), *self.synthetic()]
        return [*files, self.out / MANIFEST] if files else []

    def write(self, drawn: Drawn, staging: Staging) -> None:
        if not self.outputs():
            return
        pages = self.kept.pages() or {str(row): [row] for row in range(len(self.kept.X))}
        for path, (file, rows) in zip(self.originals(), pages.items(), strict=True):
            if self.kept.files is None or self.kept.resized:
                write_stack(staging.path(path), self.kept.X[rows])
            else:
                shutil.copyfile(file, staging.path(path))
        for path, image in zip(self.synthetic(drawn.codes), drawn.X, strict=True):
            write_stack(staging.path(path), image[None])
        self._write_manifest(drawn, staging.path(self.out / MANIFEST))

    def _write_manifest(self, drawn: Drawn, path: Path) -> None:
        groups = {} if self.kept.groups is None else {"group": self.kept.groups.tolist()}
        told = {key: json.dumps(value) if isinstance(value, dict) else value for key, value in drawn.origin.items()}
        with open(path, "w", newline="", encoding="utf-8", errors="surrogateescape") as file:  # names of any bytes
            table = csv.DictWriter(file, ["file", "class", *groups, MARK, *told], restval="")
            table.writeheader()
            for i, name in enumerate(self.originals()):
                row = {key: values[i] for key, values in groups.items()}
                table.writerow({**self._identity(name), **row, MARK: "false"})
            for name in self.synthetic(drawn.codes):
                table.writerow({**self._identity(name), MARK: "true", **told})

    def _identity(self, path: Path) -> dict[str, str]:
        return {"file": path.relative_to(self.out).as_posix(), "class": path.relative_to(self.out).parts[0]}


@dataclass
class ArchiveOutput:
    """An .npz file: X, y, synthetic, and what else is known of the rows."""

    out: Path
    kept: Real
    wanted: np.ndarray

    def outputs(self) -> list[Path]:
        return [self.out] if len(self.kept.X) + len(self.wanted) else []

    def write(self, drawn: Drawn, staging: Staging) -> None:
        if not self.outputs():
            return
        n_kept, n_drawn = len(self.kept.X), len(drawn.X)
        arrays = {
            "X": np.concatenate([self.kept.X, drawn.X]),
            "y": np.concatenate([self.kept.codes, drawn.codes]),
            MARK: np.repeat([False, True], [n_kept, n_drawn]),
            "group": None if self.kept.groups is None else groups_with_new(self.kept.groups, n_drawn),
            "split": np.full(n_kept + n_drawn, TRAINING),
            "class_names": None if self.kept.names is None else np.array(self.kept.names),
            "spacing": None if self.kept.spacing is None else np.array(self.kept.spacing),
            "provenance": np.array(json.dumps(drawn.origin)),
        }
        write_npz(staging.path(self.out), {key: array for key, array in arrays.items() if array is not None})


def groups_with_new(groups: np.ndarray, n_new: int) -> np.ndarray:
    """Return groups followed by one that none of the rows has: of many patients, a synthetic image is nobody's."""
    if groups.dtype.kind in "biuf":
        numbers = groups if groups.dtype.kind == "f" else groups.astype(np.int64)
        return np.concatenate([numbers, np.full(n_new, min(-1, numbers.min(initial=0) - 1), numbers.dtype)])
    nobody, known = MARK, groups.astype(str)
    while nobody in known:
        nobody += "_"
    return np.concatenate([known, np.full(n_new, nobody)])


def plan(options: Namespace, real: Real, wanted: np.ndarray) -> FolderOutput | ArchiveOutput:
    """Return what is to be written, and where."""
    out, kept = Path(options.out), real.without_rows() if options.only_synthetic else real
    suffix = out.suffix.lower()
    if suffix == ".npz":
        return ArchiveOutput(out, kept, wanted)
    check_folder_name("OUT", out, " or to end in .npz")
    if real.source.is_dir() and out.resolve().is_relative_to(real.source.resolve()):
        raise ValueError(f"OUT was expected to lie outside of IN, {real.source}; got {out}. Name another folder.")
    names = [real.name_of(code) for code in real.counts()]
    for name in names:
        _check_folder_name(name)
        if names.count(name) > 1:
            raise ValueError(f"{names.count(name)} classes are named {name!r}. Rename one, or let OUT end in .npz.")
    n_digits = 0 if real.names is not None else len(str(real.codes.max()))
    return FolderOutput(out, kept, wanted, image_suffix(real.X), n_digits)


def _check_folder_name(name: str) -> None:
    if not name.strip() or name.startswith(".") or re.search(r'[\\/:*?"<>|\x00-\x1f]', name):
        raise ValueError(f"The class name {name!r} cannot name a folder. Rename the class, or let OUT end in .npz.")


def image_suffix(X: np.ndarray) -> str:
    """Return PNG's where that holds such images, else TIFF's."""
    try:
        check_holds("image.png", X[:1])
    except ValueError:
        check_holds("image.tif", X[:1])
        return ".tif"
    return ".png"


def check_outputs(options: Namespace, output: FolderOutput | ArchiveOutput, staging: Staging) -> None:
    """Raise an error unless every output can be written, replaces nothing unasked, and finds no other image there."""
    outputs = output.outputs()
    if isinstance(output, FolderOutput) and output.out.is_dir():
        _check_folder(output.out, set(outputs), force=options.force)
    extra = [Path(options.save)] if options.save and len(output.wanted) else []
    inputs = [Path(path) for path in (options.source, options.model, *(output.kept.files or [])) if path]
    staging.reserve_all([*outputs, *extra], inputs, force=options.force)


def _check_folder(folder: Path, outputs: set[Path], *, force: bool) -> None:
    present = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith(".")]
    if present and not force:
        raise ValueError(f"{folder} exists and holds {len(present)} file(s). Name another folder, or pass --force.")
    strays = [path for path in present if path.suffix.lower() in IMAGE_SUFFIXES and path not in outputs]
    if strays:
        raise ValueError(
            f"{folder} holds {len(strays)} image(s) that would pass for part of the new set, as {strays[0]}. Remove "
            "them, or name another folder."
        )


# --------------------------------------------------------------------------------------------------------- the model


def make(options: Namespace, real: Real, wanted: np.ndarray, session: Session) -> Drawn:
    """Fit or load, keep the model where asked, and draw."""
    session.load_backend()
    if options.model is None:
        augmenter = fit(options, real, session)
    else:
        with reading(options.model):
            augmenter = load(options.model)
    drawn = draw(augmenter, real, wanted, options)
    session.found["privacy"] = told_of_privacy(real, drawn.X, len(wanted), options)
    session.show("\n".join(session.found["privacy"]))
    if options.save is not None:
        session.keep(augmenter, Path(options.save))
    return drawn


def fit(options: Namespace, real: Real, session: Session) -> GANAugmenter:
    given = network_parameters(options, "max_iter", "max_time", "gan_size", "backbone")
    if options.save is None:
        given["backbone"] = None  # columns that nobody will see
    if options.checkpoint_dir is not None:
        given["checkpoint_dir"] = options.checkpoint_dir
    augmenter = GANAugmenter(ratio=options.ratio, random_state=options.seed, verbose=session.verbose, **given)
    session.announce("Learning to draw ...")
    session.learn(augmenter, real.source, real.X, real.labels(real.codes))
    return augmenter


def check_model(path: str, summary: dict[str, Any], real: Real) -> None:
    """Raise ValueError unless a saved model draws such images, of these classes."""
    shape, drawn = (*real.X.shape[1:], 1)[:3], tuple(summary["fitted"]["image_shape_"])
    if drawn != shape:
        raise ValueError(
            f"--model {path} draws images of shape {drawn}; those of {real.source} have {shape}. Resize them "
            "(--image-size), or fit on them."
        )
    if summary["parameters"].get("adversarial_weight") == 0:
        raise ValueError(f"--model {path} has learned features only, and draws nothing. Let --save keep one that does.")
    known = np.asarray(summary["fitted"].get("classes_", []))
    unknown = sorted(set(real.labels(real.codes, known).tolist()) - set(known.tolist()))
    if unknown:
        raise ValueError(
            f"--model {path} knows the classes {known.tolist()}; {real.source} has {unknown} too. Rename them, or fit "
            "on them."
        )


def draw(augmenter: Any, real: Real, wanted: np.ndarray, options: Namespace) -> Drawn:
    """Return synthetic images of the classes wanted, in the form of the real ones, without near-copies of these."""
    stream = np.random.RandomState([options.seed, 1])  # apart from that of the training
    labels = real.labels(wanted, augmenter.classes_)
    code_of = dict(zip(labels.tolist(), wanted.tolist(), strict=True))
    apart = {"X": real.X, "min_distance": options.min_distance}
    X, y = augmenter.sample(len(wanted), y=labels, random_state=stream, **apart)
    X, codes = np.asarray(X), np.array([code_of[label] for label in np.asarray(y).tolist()], wanted.dtype)
    if X.dtype != real.X.dtype:
        raise ValueError(
            f"--model {options.model} draws {X.dtype}; the images of {real.source} are {real.X.dtype}. Convert them, "
            "or fit on them."
        )
    return Drawn(X.reshape(len(X), *real.X.shape[1:]), codes, origin_of(augmenter, real, options))


def origin_of(augmenter: Any, real: Real, options: Namespace) -> dict[str, Any]:
    """Return what the manifest says of synthetic images; parameters are those that are not at their defaults."""
    changed = {k: v for k, v in changed_parameters(augmenter).items() if k not in UNTOLD}
    return {
        "generator": "GANAugmenter",
        "package_version": __version__,
        "seed": options.seed,
        "ratio": options.ratio,
        "n_iter": augmenter.n_iter_,
        "min_distance": options.min_distance,
        "classes_of_few_originals": few_of(real),
        "model": "" if options.model is None else Path(options.model).name,
        "parameters": json.loads(json.dumps(changed, default=repr)),
    }
