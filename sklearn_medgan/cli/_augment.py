"""The command `medgan augment`: add synthetic images to a labelled set, and say which they are."""

from __future__ import annotations

import csv
import json
import re
import shutil
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .._allocation import synthetic_counts
from .._interrupt import Interrupt
from .._validation import check_sides
from .._version import __version__
from ..augmentation._augmenter import GANAugmenter
from ..datasets import load_images
from ..datasets._archives import split_names
from ..datasets._folders import MANIFEST, SYNTHETIC
from ..datasets._images import IMAGE_SUFFIXES, check_holds, write_image
from ..persistence import changed_parameters, load, read_header, save
from ._staging import Staging, reserve_outputs, write_npz

FIT_OPTIONS = ("max_iter", "max_time", "save")  # which --model takes none of
TRAINING = "train"  # the split whose rows are learned from
FEWEST = 2  # images of a class: from one, a GAN could only learn to repeat it
MARK = "synthetic"  # beginning of file names, key of the array, column of the manifest
UNMEASURED = "How close synthetic images come to real ones was not measured."
DISCLAIMER = (
    "Synthetic images may resemble those they were learned from: share them only where you could share those, and keep "
    "them out of test sets. Research use; not a medical device."
)


def run(options, *, import_tensorflow: Callable, write: Callable = print) -> int:
    """Check everything, fit or load the model, draw, and put all files in place at the end.

    Parameters
    ----------
    options : argparse.Namespace
        As the parser of `cli` makes it.
    import_tensorflow : callable
        Called without arguments once the input is known to be good.
    write : callable, default=print
        Takes lines of progress.

    Returns
    -------
    int
        0.

    Raises
    ------
    OSError, ValueError
        For bad input. Nothing is left behind then.
    KeyboardInterrupt
        After Ctrl-C, also where training has caught it. Nothing is left behind then.
    """
    started = time.monotonic()
    with Staging() as staging, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_options(options)
        real = load_training(Path(options.source))
        write(real.describe())
        wanted = rows_to_draw(real, options.ratio)
        output = plan(options, real, wanted)
        check_outputs(options, output, staging)
        with Interrupt() as interrupt:
            if len(wanted):
                write(f"To draw: {real.counted(wanted)}.")
                drawn = make(options, real, wanted, staging, import_tensorflow, interrupt, write)
            else:
                write(nothing_to_add(options, real))
                drawn = Drawn(real.X[:0], {})
            output.write(drawn, staging)
            n_written = staging.commit()
        if interrupt.seen:
            raise KeyboardInterrupt
    for message in dict.fromkeys(str(w.message) for w in caught if issubclass(w.category, UserWarning)):
        write(f"note: {message}")
    write(
        f"{n_written} file(s) written, {len(output.kept.X)} original and {len(wanted)} synthetic images in "
        f"{options.out}, {time.monotonic() - started:.0f} s in all. {DISCLAIMER}"
    )
    return 0


def check_options(options) -> None:
    """An error where options do not go together or name nothing."""
    if options.model is None:
        return
    given = [name for name in FIT_OPTIONS if getattr(options, name) is not None]
    if given:
        raise ValueError(f"--{given[0].replace('_', '-')} is for fitting; got --model, which is fitted.")
    if not Path(options.model).is_file():
        raise ValueError(f"--model was expected to name a file; there is none at {options.model}. Check the path.")
    kind = read_header(options.model)["estimator"]
    if kind != "GANAugmenter":
        raise ValueError(
            f"--model was expected to hold a GANAugmenter; {options.model} holds a {kind}. Name another file."
        )


def nothing_to_add(options, real: Real) -> str:
    """Why there is nothing to draw, and what that means for the files asked for."""
    saved = f" No model was fitted, so {options.save} is not written." if options.save else ""
    return (
        f"Nothing was added: each class has the {options.ratio:g} x {max(real.counts().values())} images that --ratio "
        f"asks for.{saved}"
    )


# ------------------------------------------------------------------------------------------------------------- input


@dataclass(frozen=True)
class Real:
    """The images to learn from, (n, height, width[, channels]), and what is known of each.

    `codes` are int64, positions in `names` where the classes have names.
    """

    source: Path
    X: np.ndarray
    codes: np.ndarray
    names: list[str] | None
    groups: np.ndarray | None
    files: list[str] | None
    spacing: tuple | None
    splits: list[str]

    def without_rows(self) -> Real:
        """The same classes, without an image."""
        columns = {name: getattr(self, name) for name in ("X", "codes", "groups", "files")}
        return replace(self, **{name: None if column is None else column[:0] for name, column in columns.items()})

    def name_of(self, code: int) -> str:
        """Name of a class, else its number."""
        return str(code) if self.names is None else self.names[code]

    def labels(self, codes: np.ndarray) -> np.ndarray:
        """What the model calls the classes: names where they tell classes apart, so that a saved model has them."""
        distinct = self.names is not None and len(set(self.names)) == len(self.names)
        return np.array(self.names)[codes] if distinct else codes

    def counts(self) -> dict[int, int]:
        """Images of each class."""
        return dict(sorted(Counter(self.codes.tolist()).items()))

    def counted(self, codes) -> str:
        """Class names with their counts."""
        counts = sorted(Counter(np.asarray(codes).tolist()).items())
        return ", ".join(f"{n} of {self.name_of(code)}" for code, n in counts)

    def describe(self) -> str:
        """What was found, and which rows are left out."""
        kind = f"{'x'.join(map(str, self.X.shape[1:]))} {self.X.dtype}"
        others = [name for name in self.splits if name != TRAINING]
        left_out = f" Only its {TRAINING!r} rows are used, {', '.join(map(repr, others))} left out." if others else ""
        return f"{self.source}: {len(self.X)} images of {kind}, {self.counted(self.codes)}.{left_out}"


def load_training(source: Path) -> Real:
    """The labelled images of a folder or file, of a file with splits the training rows."""
    if not source.exists():
        raise ValueError(f"There is no file or folder {source} to augment. Check the path.")
    if not source.is_dir() and source.suffix.lower() != ".npz":
        raise ValueError(
            f"IN was expected to be a folder with one subfolder per class, or to end in .npz; got {source}. Sort the "
            "images into subfolders, or save them with numpy.savez."
        )
    splits = split_names(source)
    if splits and TRAINING not in splits:
        raise ValueError(
            f"{source} was expected to name its training rows {TRAINING!r}; its splits are {splits}. Rename one, or "
            "leave the split out."
        )
    images = load_images(source, subset=TRAINING if splits else "all")
    if images.target is None:
        raise ValueError(
            f"{source} holds no labels; classes are what is balanced. Use one subfolder per class, or save y."
        )
    fields = images.target, images.target_names, images.groups, images.filenames, images.spacing
    real = Real(source, images.data, *fields, splits)
    check_training(real)
    return real


def check_training(real: Real) -> None:
    """Images that the networks take, none of them synthetic, and classes to balance."""
    if _synthetic_in(real):
        raise ValueError(
            f"{real.source} holds images that medgan augment has drawn. Augment the originals, or remove the others."
        )
    counts = real.counts()
    if len(counts) < 2:
        raise ValueError(f"{real.source} has images of {len(counts)} class(es); to balance needs 2 or more. Add some.")
    rarest = min(counts, key=counts.get)
    if counts[rarest] < FEWEST:
        raise ValueError(
            f"{real.source} has {counts[rarest]} image of class {real.name_of(rarest)}; a class needs {FEWEST} or more "
            "to learn from. Add images, or leave the class out."
        )
    try:
        check_sides((*real.X.shape[1:], 1)[:3])
        if not np.isfinite(real.X).all():
            raise ValueError("It holds NaN or infinity. Replace them, and save it again.")
    except ValueError as error:
        raise ValueError(f"{real.source}: {error}") from error


def _synthetic_in(real: Real) -> bool:
    """Whether some images are the result of an earlier run."""
    if real.files is not None:
        return any(SYNTHETIC.fullmatch(Path(file).name) for file in real.files)
    with np.load(real.source, allow_pickle=False) as archive:
        return MARK in archive and bool(np.any(archive[MARK]))


def rows_to_draw(real: Real, ratio: float) -> np.ndarray:
    """Class code of each image to draw, class by class."""
    counts = synthetic_counts(real.codes, ratio=ratio)
    return np.repeat(np.array(list(counts), dtype=np.int64), list(counts.values()))


# ------------------------------------------------------------------------------------------------------------ output


@dataclass(frozen=True)
class Drawn:
    """Synthetic images in the form of the real ones, and where they are from."""

    X: np.ndarray
    origin: dict


@dataclass
class Folder:
    """One subfolder per class: original files as they are, synthetic ones, and the manifest.

    `n_digits` of a class that is a number: names then sort as numbers do.
    """

    out: Path
    kept: Real
    wanted: np.ndarray
    suffix: str
    n_digits: int

    def originals(self) -> list[Path]:
        """Where each original file goes; pages of one file go together."""
        if self.kept.files is not None:
            return [self.out / Path(file).relative_to(self.kept.source) for file in dict.fromkeys(self.kept.files)]
        return [self._place(code, f"original_{i:05d}") for i, code in enumerate(self.kept.codes.tolist())]

    def synthetic(self) -> list[Path]:
        """Where each synthetic image goes."""
        return [self._place(code, f"{MARK}_{i:05d}") for i, code in enumerate(self.wanted.tolist())]

    def _place(self, code: int, stem: str) -> Path:
        return self.out / self.kept.name_of(code).zfill(self.n_digits) / f"{stem}{self.suffix}"

    def outputs(self) -> list[Path]:
        """Every path that will be written."""
        files = [*self.originals(), *self.synthetic()]
        return [*files, self.out / MANIFEST] if files else []

    def write(self, drawn: Drawn, staging: Staging) -> None:
        """Write everything under temporary names."""
        if not self.outputs():
            return
        if self.kept.files is None:
            for path, image in zip(self.originals(), self.kept.X, strict=True):
                write_image(staging.path(path), image)
        else:
            for path, file in zip(self.originals(), dict.fromkeys(self.kept.files), strict=True):
                shutil.copyfile(file, staging.path(path))
        for path, image in zip(self.synthetic(), drawn.X, strict=True):
            write_image(staging.path(path), image)
        self._write_manifest(drawn.origin, staging.path(self.out / MANIFEST))

    def _write_manifest(self, origin: dict, path: Path) -> None:
        groups = {} if self.kept.groups is None else {"group": self.kept.groups.tolist()}
        told = {key: json.dumps(value) if isinstance(value, dict) else value for key, value in origin.items()}
        with open(path, "w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, ["file", "class", *groups, MARK, *told], restval="")
            table.writeheader()
            for i, name in enumerate(self.originals()):
                row = {key: values[i] for key, values in groups.items()}
                table.writerow({**self._identity(name), **row, MARK: "false"})
            for name in self.synthetic():
                table.writerow({**self._identity(name), MARK: "true", **told})

    def _identity(self, path: Path) -> dict:
        return {"file": path.relative_to(self.out).as_posix(), "class": path.parent.name}


@dataclass
class Archive:
    """An .npz file: X, y, synthetic, and what else is known of the rows."""

    out: Path
    kept: Real
    wanted: np.ndarray

    def outputs(self) -> list[Path]:
        """Every path that will be written."""
        return [self.out] if len(self.kept.X) + len(self.wanted) else []

    def write(self, drawn: Drawn, staging: Staging) -> None:
        """Write the archive under a temporary name."""
        if not self.outputs():
            return
        n_kept, n_drawn = len(self.kept.X), len(self.wanted)
        arrays = {
            "X": np.concatenate([self.kept.X, drawn.X]),
            "y": np.concatenate([self.kept.codes, self.wanted]),
            MARK: np.repeat([False, True], [n_kept, n_drawn]),
            "group": None if self.kept.groups is None else groups_with_new(self.kept.groups, n_drawn),
            "split": np.full(n_kept + n_drawn, TRAINING),
            "class_names": None if self.kept.names is None else np.array(self.kept.names),
            "spacing": None if self.kept.spacing is None else np.array(self.kept.spacing),
            "provenance": np.array(json.dumps(drawn.origin)),
        }
        write_npz(staging.path(self.out), {key: array for key, array in arrays.items() if array is not None})


def groups_with_new(groups: np.ndarray, n_new: int) -> np.ndarray:
    """Groups followed by one that none of the rows has: of many patients, a synthetic image is nobody's."""
    if groups.dtype.kind in "biuf":
        numbers = groups if groups.dtype.kind == "f" else groups.astype(np.int64)
        return np.concatenate([numbers, np.full(n_new, min(-1, numbers.min(initial=0) - 1), numbers.dtype)])
    nobody, known = MARK, groups.astype(str)
    while nobody in known:
        nobody += "_"
    return np.concatenate([known, np.full(n_new, nobody)])


def plan(options, real: Real, wanted: np.ndarray) -> Folder | Archive:
    """What is to be written, and where."""
    out, kept = Path(options.out), real.without_rows() if options.only_synthetic else real
    suffix = out.suffix.lower()
    if suffix == ".npz":
        return Archive(out, kept, wanted)
    if suffix in IMAGE_SUFFIXES or out.is_file():
        raise ValueError(f"OUT was expected to be a folder or to end in .npz; got {out}. Name one of these.")
    if real.source.is_dir() and out.resolve().is_relative_to(real.source.resolve()):
        raise ValueError(f"OUT was expected to lie outside of IN, {real.source}; got {out}. Name another folder.")
    names = [real.name_of(code) for code in real.counts()]
    for name in names:
        _check_folder_name(name)
        if names.count(name) > 1:
            raise ValueError(f"{names.count(name)} classes are named {name!r}. Rename one, or let OUT end in .npz.")
    n_digits = 0 if real.names is not None else len(str(real.codes.max()))
    return Folder(out, kept, wanted, image_suffix(real.X), n_digits)


def _check_folder_name(name: str) -> None:
    if not name.strip() or name.startswith(".") or re.search(r'[\\/:*?"<>|\x00-\x1f]', name):
        raise ValueError(f"The class name {name!r} cannot name a folder. Rename the class, or let OUT end in .npz.")


def image_suffix(X: np.ndarray) -> str:
    """PNG where it holds such images, else TIFF."""
    try:
        check_holds("image.png", X[:1])
    except ValueError:
        check_holds("image.tif", X[:1])
        return ".tif"
    return ".png"


def check_outputs(options, output: Folder | Archive, staging: Staging) -> None:
    """Every output can be written, replaces nothing unasked, and finds no other image in its folder."""
    outputs = output.outputs()
    if isinstance(output, Folder) and output.out.is_dir():
        _check_folder(output.out, set(outputs), force=options.force)
    extra = [Path(options.save)] if options.save and len(output.wanted) else []
    inputs = [Path(path) for path in (options.source, options.model, *(output.kept.files or [])) if path]
    reserve_outputs(staging, [*outputs, *extra], inputs, force=options.force)


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


def make(options, real: Real, wanted, staging: Staging, import_tensorflow, interrupt, write: Callable) -> Drawn:
    """Fit or load, keep the model where asked, and draw."""
    write("Loading TensorFlow ...")
    import_tensorflow()
    augmenter = fit(options, real, write) if options.model is None else load_model(options.model, real)
    interrupt.check()
    drawn = draw(augmenter, real, wanted, options)
    write(resemblance(real.X, drawn.X))
    if options.save is not None:
        save(augmenter, staging.path(Path(options.save)))
    return drawn


def fit(options, real: Real, write: Callable) -> GANAugmenter:
    """An augmenter that has learned from the real images."""
    started = time.monotonic()
    limits = {name: getattr(options, name) for name in ("max_iter", "max_time") if getattr(options, name) is not None}
    augmenter = GANAugmenter(ratio=options.ratio, random_state=options.seed, verbose=1, **limits)
    write("Learning to draw ...")
    try:
        augmenter.fit(real.X, real.labels(real.codes))
    except ValueError as error:
        raise ValueError(f"{real.source}: {error}") from error
    write(f"Learned in {time.monotonic() - started:.0f} s and {augmenter.n_iter_} steps.")
    return augmenter


def load_model(path, real: Real) -> GANAugmenter:
    """A saved augmenter of such images and classes."""
    augmenter = load(path)
    shape = (*real.X.shape[1:], 1)[:3]
    if augmenter.image_shape_ is None:
        raise ValueError(f"--model {path} was fitted on a table; images need one fitted on images.")
    if tuple(augmenter.image_shape_) != shape:
        raise ValueError(
            f"--model {path} draws images of shape {tuple(augmenter.image_shape_)}; those of {real.source} have "
            f"{shape}. Resize them, or fit on them."
        )
    known = getattr(augmenter, "classes_", np.array([])).tolist()
    unknown = sorted(set(model_labels(augmenter, real, real.codes).tolist()) - set(known))
    if unknown:
        raise ValueError(
            f"--model {path} knows the classes {known}; {real.source} has {unknown} too. Rename them, or fit on them."
        )
    return augmenter


def model_labels(augmenter, real: Real, codes: np.ndarray) -> np.ndarray:
    """Labels as the model has them: names, or numbers where it was fitted on numbers."""
    numbered = getattr(augmenter, "classes_", np.array([])).dtype.kind in "biuf"
    return codes if numbered else real.labels(codes)


def draw(augmenter, real: Real, wanted: np.ndarray, options) -> Drawn:
    """Synthetic images of the classes wanted, in the form of the real ones."""
    stream = np.random.RandomState([options.seed, 1])  # apart from that of the training
    X, _ = augmenter.sample(len(wanted), y=model_labels(augmenter, real, wanted), random_state=stream)
    X = np.asarray(X)
    if X.dtype != real.X.dtype:
        raise ValueError(
            f"--model {options.model} draws {X.dtype}; the images of {real.source} are {real.X.dtype}. Convert them, "
            "or fit on them."
        )
    return Drawn(X.reshape(len(X), *real.X.shape[1:]), origin_of(augmenter, options))


def origin_of(augmenter, options) -> dict:
    """What the manifest says of synthetic images; parameters are those that are not at their defaults."""
    changed = {k: v for k, v in changed_parameters(augmenter).items() if k not in ("verbose", "random_state", "ratio")}
    return {
        "generator": "GANAugmenter",
        "package_version": __version__,
        "seed": options.seed,
        "ratio": options.ratio,
        "n_iter": augmenter.n_iter_,
        "model": "" if options.model is None else Path(options.model).name,
        "parameters": json.loads(json.dumps(changed, default=repr)),
    }


def resemblance(real: np.ndarray, drawn: np.ndarray) -> str:
    """How close synthetic images come to those they were learned from, where the package can tell."""
    try:
        from ..metrics import memorisation_ratio
    except ImportError:
        return UNMEASURED
    if len(drawn) < 2:
        return UNMEASURED
    found = memorisation_ratio(real, drawn)
    return (
        f"Memorisation ratio {found.ratio:.2f}: distance to the nearest real image by that to the second nearest, "
        "median over the synthetic ones. Near 0 they are copies; near 1 this finds none."
    )
