"""The command `medgan enhance`: restore image files with a saved model, or with one learned from images first."""

from __future__ import annotations

import importlib.util
import shlex
import warnings
import zipfile
from abc import ABC, abstractmethod
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .._progress import ProgressBar, progress_bar
from ..datasets._archives import read_image_arrays
from ..datasets._folders import list_folder
from ..datasets._formats import SUFFIXES, Conversion
from ..datasets._formats import kind_of as kind_of_file
from ..datasets._formats import read_images as read_file
from ..datasets._images import image_kind
from ..datasets._writing import IDENTITY, check_restorable, is_written_as_source, write_restored
from ..degradations import resolve
from ..enhancement._advice import EVIDENCE
from ..enhancement._enhancer import GANEnhancer
from ..persistence import load
from ._inputs import (
    check_checkpoint,
    check_folder_name,
    check_images,
    check_model_name,
    check_suffix,
    how_to_read,
    kind_of,
    model_summary,
    read_images,
    refuse_fit_options,
    write_npz,
)
from ._session import Session, about, reading
from ._staging import Staging
from ._streams import printable

# What learning takes besides images, where the option is not given; --model takes none of them.
FIT_DEFAULTS = {
    "degradation": "auto",
    "scale": 1,
    "max_time": 300.0,
    "max_iter": "auto",
    "seed": 0,
    "image_size": None,
    "save": None,
    "checkpoint_dir": None,
}
LEARNED = ("degradation", "scale")  # what --reference and --self take none of
NO_ERRORS = "--uncertainty needs good images to know errors by; {} learned without any. Leave it out."
MOST_VALUES = 2**23  # pixels times channels that are restored at a time
PICTURED = 4  # images
DISCLAIMER = "Restored images look more certain than they are. Research use; not a medical device."


def run(options: Namespace, session: Session) -> int:
    """Check everything, fit or load the model, restore, and put all files in place at the end, or none."""
    session.write("Loading scikit-learn and the images ...")
    settings, job = check_options(options), plan(Path(options.source), Path(options.out), how_to_read(options))
    check_outputs(options, job, session.staging)
    job.read()
    session.write(f"{options.source}: {job.describe()}.")
    if options.model is not None:
        fitted = model_summary(Path(options.model), "GANEnhancer")["fitted"]
        if options.uncertainty and supervision_of(fitted.get("guard_report_", {})) == "self":
            raise ValueError(NO_ERRORS.format(f"--model {options.model}"))
        job.check_channels(fitted["image_shape_"][2], f"--model {options.model}")
        session.load_backend()
        with reading(options.model):
            enhancer = load(options.model)
    else:
        name, rows, reference = load_rows(options, job, session)
        session.load_backend()
        enhancer = fit(settings, rows, reference, name, session)
    session.show(verdict(enhancer.guard_report_))
    with progress_bar(job.n_images, "image", disable=not session.verbose) as bar:
        job.restore(Restorer(enhancer, options.uncertainty, bar), session.staging)
    if options.picture is not None:
        draw(enhancer, *job.examples(), session.staging.path(Path(options.picture)))
    if options.save is not None:
        session.keep(enhancer, Path(options.save))
    session.found.update(out=options.out, images=job.n_images, restored_by=enhancer.guard_report_["chosen"])
    model = options.save or options.model
    session.finish(
        f" to {options.out}",
        DISCLAIMER,
        f"medgan enhance MORE MORE_OUT --model {shlex.quote(model)}"
        if model
        else "the same with --save FILE, then medgan enhance MORE MORE_OUT --model FILE",
    )
    return 0


def check_options(options: Namespace) -> dict[str, Any]:
    """Return the settings of the fit; an error where options do not go together or name nothing."""
    if options.model is not None:
        refuse_fit_options(options, FIT_DEFAULTS)
    way = "--self" if options.alone else "--reference" if options.reference is not None else None
    pointless = [name for name in LEARNED if getattr(options, name) is not None]
    if way and pointless:
        raise ValueError(
            f"--{pointless[0]} is for --good; {way} learns from IN how images are poor, and keeps their size."
        )
    if options.alone and options.uncertainty:
        raise ValueError(NO_ERRORS.format("--self"))
    check_suffix("--picture", options.picture, [".png"])
    check_model_name(options.save)
    check_checkpoint(options.checkpoint_dir)
    if options.picture is not None and importlib.util.find_spec("matplotlib") is None:
        raise ValueError('--picture needs matplotlib. Install it with: pip install "sklearn-medgan[plot]"')
    given = {name: getattr(options, name) for name in FIT_DEFAULTS if getattr(options, name) is not None}
    settings: dict[str, Any] = {**FIT_DEFAULTS, **given}
    names = [name.strip() for name in settings["degradation"].split(",")]
    settings["degradation"] = names[0] if len(names) == 1 else names
    settings["supervision"] = "self" if options.alone else "auto"
    with about("--degradation"):
        resolve(settings["degradation"])
    return settings


# ------------------------------------------------------------------------------------------------ input and output


class Job(ABC):
    """What is to be restored, and where it goes."""

    stacks: dict[tuple, list]  # size and dtype of images -> what holds such, and how many

    @abstractmethod
    def outputs(self, uncertainty: bool) -> list[Path]:
        """Return every path that will be written."""

    @abstractmethod
    def inputs(self) -> list[Path]:
        """Return every path that is read."""

    @abstractmethod
    def read(self) -> None:
        """Read everything once, so that what is bad is known before the training."""

    @abstractmethod
    def examples(self) -> tuple[np.ndarray, list[str]]:
        """Return the first images of one kind, and their names."""

    @abstractmethod
    def restore(self, restorer: Restorer, staging: Staging) -> None:
        """Write every restored image to the staging."""

    @property
    def n_images(self) -> int:
        return sum(n for members in self.stacks.values() for _, n in members)

    def describe(self) -> str:
        kinds = [f"{'x'.join(map(str, shape))} {dtype}" for shape, dtype in self.stacks]
        more = f" and {len(kinds) - 3} other kinds" if len(kinds) > 3 else ""
        return f"{self.n_images} image(s) in {len(self.inputs())} file(s), {', '.join(kinds[:3])}{more}"

    def check_channels(self, n_channels: int, model: str) -> None:
        """Raise ValueError unless all images have as many channels as those of the model, or to learn from."""
        for (shape, _), members in self.stacks.items():
            if (*shape, 1)[2] != n_channels:
                name = getattr(members[0][0], "source", members[0][0])
                raise ValueError(
                    f"{name} has images of {(*shape, 1)[2]} channel(s), those of {model} have {n_channels}. Convert "
                    "one of the two."
                )


@dataclass(frozen=True)
class File:
    """An image file, where it goes once restored, and where its map of uncertainty goes."""

    source: Path
    out: Path
    uncertainty: Path


@dataclass
class ImageFiles(Job):
    """One image file, or those of a folder; `axis` and `skip_unreadable` as in `load_images`."""

    files: list[File]
    axis: str = "axial"
    skip_unreadable: bool = False
    stacks: dict[tuple, list] = field(default_factory=dict)

    def _stack(self, file: File) -> np.ndarray:
        return read_file(file.source, Conversion(axis=self.axis))

    def outputs(self, uncertainty: bool) -> list[Path]:
        return [file.out for file in self.files] + [file.uncertainty for file in self.files if uncertainty]

    def inputs(self) -> list[Path]:
        return [file.source for file in self.files]

    def read(self) -> None:
        kept = []
        for file in self.files:
            try:
                with reading(file.source):
                    stack = self._stack(file)
            except (OSError, ValueError) as error:
                if not self.skip_unreadable:
                    raise
                warnings.warn(f"Left out, since it cannot be read: {error}", UserWarning, stacklevel=2)
                continue
            check_images(stack, file.source)
            check_restorable(file.out, stack, file.source)
            self.stacks.setdefault((stack.shape[1:], stack.dtype.name), []).append((file, len(stack)))
            kept.append(file)
        if not kept:
            raise ValueError(f"No file of {len(self.files)} can be read. Leave --skip-unreadable out to see why.")
        self.files = kept

    def examples(self) -> tuple[np.ndarray, list[str]]:
        members = next(iter(self.stacks.values()))[:PICTURED]
        names = [file.source.name for file, pages in members for _ in range(pages)]
        return np.concatenate([self._stack(file) for file, _ in members])[:PICTURED], names[:PICTURED]

    def restore(self, restorer: Restorer, staging: Staging) -> None:
        for files in self._batches():
            stacks = [self._stack(file) for file in files]
            ends = np.cumsum([len(stack) for stack in stacks])[:-1]
            others = f" and {len(files) - 1} more like it" if len(files) > 1 else ""
            for part, restored in restorer(np.concatenate(stacks), f"{files[0].source}{others}").items():
                for file, stack in zip(files, np.split(restored, ends), strict=True):
                    place = getattr(file, part)
                    write_restored(staging.path(place), stack, place, file.source, self.axis)
        if any(
            kind_of_file(file.source) == "DICOM" and is_written_as_source(file.out, file.source) for file in self.files
        ):
            warnings.warn(IDENTITY, UserWarning, stacklevel=2)

    def _batches(self) -> Iterator[list[File]]:
        """Files of equal shape and dtype, as many as fit into memory with ease."""
        for (shape, _), members in self.stacks.items():
            batch: list[File] = []
            n = 0
            for file, pages in members:
                if batch and (n + pages) * np.prod(shape) > MOST_VALUES:
                    yield batch
                    batch, n = [], 0
                batch.append(file)
                n += pages
            yield batch


@dataclass
class ImageArchive(Job):
    """An .npz file; all but its images goes to the output as it is."""

    source: Path
    out: Path
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    stacks: dict[tuple, list] = field(default_factory=dict)

    def outputs(self, uncertainty: bool) -> list[Path]:
        return [self.out, self._maps][: 1 + uncertainty]

    @property
    def _maps(self) -> Path:
        return self.out.with_name(f"{self.out.stem}_uncertainty.npz")

    def inputs(self) -> list[Path]:
        return [self.source]

    def read(self) -> None:
        with reading(self.source):
            self.arrays, self.keys = read_image_arrays(self.source)
        for key in self.keys:
            stack, name = self.arrays[key], f"{key!r} in {self.source}"
            check_images(stack, name)
            self.stacks.setdefault((stack.shape[1:], stack.dtype.name), []).append((name, len(stack)))

    def examples(self) -> tuple[np.ndarray, list[str]]:
        images = self.arrays[self.keys[0]][:PICTURED]
        return images, [f"{self.keys[0]}[{i}]" for i in range(len(images))]

    def restore(self, restorer: Restorer, staging: Staging) -> None:
        parts = {key: restorer(self.arrays[key], f"{key!r} in {self.source}") for key in self.keys}
        with zipfile.ZipFile(self.source) as archive:
            compression = max(member.compress_type for member in archive.infolist())
        contents = {**self.arrays, **{key: part["out"] for key, part in parts.items()}}
        write_npz(staging.path(self.out), contents, compression)
        maps = {key: part["uncertainty"] for key, part in parts.items() if "uncertainty" in part}
        if maps:
            write_npz(staging.path(self._maps), maps, compression)


def plan(source: Path, out: Path, how: dict[str, Any]) -> Job:
    """Return what is to be restored, and where it goes."""
    if not source.exists():
        raise ValueError(f"There is no file or folder {source} to restore. Check the path.")
    if source.is_dir():
        return _plan_folder(source, out, how)
    suffix = source.suffix.lower()
    if suffix == ".npz":
        if out.suffix.lower() != ".npz":
            raise ValueError(f"IN is an npz file, so OUT was expected to end in .npz; got {out}.")
        return ImageArchive(source, out)
    if kind_of_file(source) is None:
        known = " or ".join([".npz", *SUFFIXES])
        raise ValueError(f"IN was expected to be a folder or to end in {known}; got {source}.")
    if not is_written_as_source(out, source):
        image_kind(out)
    return ImageFiles([File(source, out, out.with_name(f"{out.stem}_uncertainty.tif"))], **how)


def _plan_folder(source: Path, out: Path, how: dict[str, Any]) -> ImageFiles:
    check_folder_name("OUT", out)
    if out.resolve().is_relative_to(source.resolve()):
        raise ValueError(f"OUT was expected to lie outside of IN, {source}; got {out}. Name another folder.")
    maps = out.resolve().with_name(f"{out.resolve().name}_uncertainty")
    files = []
    entries, notes = list_folder(source)
    for note in notes:
        warnings.warn(note, UserWarning, stacklevel=2)
    for path in (entry.file for entry in entries):
        relative = path.relative_to(source)
        files.append(File(path, out / relative, maps / relative.with_name(f"{path.stem}_uncertainty.tif")))
    return ImageFiles(files, **how)


def check_outputs(options: Namespace, job: Job, staging: Staging) -> None:
    """Raise an error unless every output can be written, is written once, and replaces nothing unasked."""
    outputs = [*job.outputs(options.uncertainty), *_given(options.picture, options.save)]
    inputs = [*job.inputs(), *_given(options.good, options.reference, options.model)]
    staging.reserve_all(outputs, inputs, force=options.force)


def _given(*paths: str | None) -> list[Path]:
    return [Path(path) for path in paths if path]


# --------------------------------------------------------------------------------------------------------- the model


def load_rows(options: Namespace, job: Job, session: Session) -> tuple[str, np.ndarray, np.ndarray | None]:
    """Return what to learn from, of as many channels as what is to be restored: its name, the rows, the reference."""

    def read(name: str, path: str, what: str) -> np.ndarray:
        with about(name):
            images = read_images(path, size=options.image_size, **how_to_read(options)).data
        job.check_channels((*images.shape, 1)[3], f"{name} {path}")
        session.write(f"{path}: {len(images)} {what} images of {kind_of(images)}.")
        return images

    if options.good is not None:
        return f"--good {options.good}", read("--good", options.good, "good"), None
    rows = read("IN", options.source, "noisy" if options.alone else "poor")
    if options.alone:
        return f"--self {options.source}", rows, None
    return f"--reference {options.reference}", rows, read("--reference", options.reference, "good")


def fit(
    settings: dict[str, Any], rows: np.ndarray, reference: np.ndarray | None, name: str, session: Session
) -> GANEnhancer:
    learned = ("supervision", "degradation", "scale", "max_time", "max_iter", "checkpoint_dir")
    parameters = {key: settings[key] for key in learned}
    enhancer = GANEnhancer(**parameters, random_state=settings["seed"], verbose=session.verbose)
    session.announce(f"Learning to restore, for up to {settings['max_time']:.0f} s (--max-time) ...")
    session.learn(enhancer, name, rows, **({} if reference is None else {"reference": reference}))
    return enhancer


def verdict(report: dict[str, Any]) -> str:
    """Return what the guard found at `fit`, in one sentence."""
    chosen, psnr = report["chosen"], report["psnr"]
    if not psnr and chosen == "nothing":
        return "No noise was found in the images: they stay as they are."
    if not psnr:
        return "The network was fitted with guard=False: it was not compared with doing nothing."
    used = "by the network" if chosen == "network" else f"by {chosen!r} instead ({psnr[chosen]:.1f} dB)"
    held_out = f"{report['n_held_out']} {report.get('evidence', EVIDENCE[supervision_of(report)])}"
    return f"The network reaches {psnr['network']:.1f} dB, doing nothing {psnr['nothing']:.1f} dB, on {held_out}. " + (
        "Images stay as they are." if chosen == "nothing" else f"Images are restored {used}."
    )


def supervision_of(report: dict[str, Any]) -> str:
    """Return what a model learned from; before there were several ways, from good images."""
    return report.get("supervision", "degradation")


class Restorer:
    """Stacks to what is written of them, with a bar of the images that were done."""

    def __init__(self, enhancer: Any, uncertainty: bool, bar: ProgressBar) -> None:
        self._enhancer, self._uncertainty, self._bar = enhancer, uncertainty, bar

    def __call__(self, stack: np.ndarray, name: object) -> dict[str, np.ndarray]:
        with about(name), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            parts = {"out": self._enhancer.transform(stack)}
            if self._uncertainty:
                parts["uncertainty"] = self._enhancer.uncertainty(stack, n_samples=None)
        for warning in caught:
            warnings.warn(f"{name}: {warning.message}", warning.category, stacklevel=2)
        self._bar.update(len(stack))
        return parts


def draw(enhancer: Any, images: np.ndarray, names: list[str], path: Path) -> None:
    from matplotlib.figure import Figure

    from ..plotting._axes import grid_size
    from ..plotting._enhancement import EnhancementDisplay

    labels = [printable(name).replace("$", r"\$") for name in names]  # no formulas
    figure = Figure(layout="constrained")
    drawn = EnhancementDisplay.from_estimator(enhancer, images, display_labels=labels, ax=figure.subplots())
    n_rows, n_columns = drawn.axes_.shape
    figure.set_size_inches(grid_size(n_rows, n_columns, images.shape[2] / images.shape[1]))
    figure.savefig(path, dpi=120, bbox_inches="tight")
