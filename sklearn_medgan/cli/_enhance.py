"""The command `medgan enhance`: restore image files with a saved model, or with one learned from good images first."""

from __future__ import annotations

import time
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .._interrupt import Interrupt
from .._validation import check_sides
from ..datasets import load_images
from ..datasets._archives import read_image_arrays
from ..datasets._folders import list_folder
from ..datasets._images import IMAGE_SUFFIXES, check_holds, image_kind, read_stack, write_stack
from ..degradations._registry import resolve
from ..enhancement._enhancer import GANEnhancer
from ..persistence import load, read_header, save
from ._staging import Staging, reserve_outputs, write_npz

# What --good takes besides images, where the option is not given; --model takes none of them.
FIT_DEFAULTS = {"degradation": "auto", "scale": 1, "max_time": 300.0, "max_iter": "auto", "seed": 0, "save": None}
MOST_VALUES = 2**23  # pixels times channels that are restored at a time
PICTURED = 4  # images
SECONDS_A_LINE = 10.0  # between lines of progress
DISCLAIMER = "Restored images look more certain than they are. Research use; not a medical device."


def run(options, *, import_tensorflow: Callable, write: Callable = print) -> int:
    """Check everything, fit or load the model, restore, and put all files in place at the end.

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
        settings, job = check_options(options), plan(Path(options.source), Path(options.out))
        check_outputs(options, job, staging)
        job.check()
        write(f"{options.source}: {job.describe()}.")
        good = None if options.good is None else load_good(options, job, write)
        write("Loading TensorFlow ...")
        import_tensorflow()
        with Interrupt() as interrupt:
            enhancer = load_model(options.model) if good is None else fit(settings, good, options.good, write)
            interrupt.check()
            write(verdict(enhancer.guard_report_))
            n_written = restore(options, job, enhancer, staging, write)
        if interrupt.seen:
            raise KeyboardInterrupt
    for message in dict.fromkeys(str(w.message) for w in caught if issubclass(w.category, UserWarning)):
        write(f"note: {message}")
    write(f"{n_written} file(s) written to {options.out}, {time.monotonic() - started:.0f} s in all. {DISCLAIMER}")
    return 0


def check_options(options) -> dict:
    """Settings of the fit; an error where options do not go together or name nothing."""
    given = [name for name in FIT_DEFAULTS if getattr(options, name) is not None]
    if options.good is None and given:
        raise ValueError(f"--{given[0].replace('_', '-')} is for fitting on --good; got --model, which is fitted.")
    if options.picture is not None:
        _check_picture(Path(options.picture))
    if options.model is not None:
        _check_model(Path(options.model))
    settings = {name: getattr(options, name) for name in given}
    settings = {**FIT_DEFAULTS, **settings}
    names = [name.strip() for name in settings["degradation"].split(",")]
    settings["degradation"] = names[0] if len(names) == 1 else names
    try:
        resolve(settings["degradation"])
    except ValueError as error:
        raise ValueError(f"--degradation: {error}") from error
    return settings


def _check_picture(path: Path) -> None:
    if path.suffix.lower() != ".png":
        raise ValueError(f"--picture was expected to end in .png; got {path}.")
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise ValueError('--picture needs matplotlib. Install it with: pip install "sklearn-medgan[plot]"') from error


def _check_model(path: Path) -> None:
    if not path.is_file():
        raise ValueError(f"--model was expected to name a file; there is none at {path}. Check the path.")
    kind = read_header(path)["estimator"]
    if kind != "GANEnhancer":
        raise ValueError(f"--model was expected to hold a GANEnhancer; {path} holds a {kind}. Name another file.")


# ------------------------------------------------------------------------------------------------ input and output


@dataclass(frozen=True)
class File:
    """An image file, where it goes once restored, and where its map of uncertainty goes."""

    source: Path
    out: Path
    uncertainty: Path


@dataclass
class ImageFiles:
    """One image file, or those of a folder; `groups` holds files of equal shape and dtype, with their pages."""

    files: list[File]
    groups: dict = field(default_factory=dict)

    def outputs(self, uncertainty: bool) -> list[Path]:
        """Every path that will be written."""
        return [file.out for file in self.files] + [file.uncertainty for file in self.files if uncertainty]

    def inputs(self) -> list[Path]:
        """Every path that is read."""
        return [file.source for file in self.files]

    def check(self) -> None:
        """Read every file once, so that a bad one is known before the training."""
        for file in self.files:
            stack = read_stack(file.source)
            _check_stack(stack, file.source)
            check_holds(file.out, stack)
            self.groups.setdefault((stack.shape[1:], stack.dtype.name), []).append((file, len(stack)))

    def describe(self) -> str:
        """What was found."""
        n = sum(pages for members in self.groups.values() for _, pages in members)
        return f"{n} image(s) in {len(self.files)} file(s), {_described(self.groups)}"

    def examples(self) -> tuple[np.ndarray, list[str]]:
        """The first images of one shape, and their names."""
        (members, *_) = self.groups.values()
        stacks = [read_stack(file.source) for file, _ in members[:PICTURED]]
        names = [file.source.name for file, pages in members[:PICTURED] for _ in range(pages)]
        return np.concatenate(stacks)[:PICTURED], names[:PICTURED]

    def restore(self, treatment: Treatment, staging: Staging) -> None:
        """Write every restored image under a temporary name."""
        for files in self._batches():
            stacks = [read_stack(file.source) for file in files]
            ends = np.cumsum([len(stack) for stack in stacks])[:-1]
            for part, restored in treatment(np.concatenate(stacks), files[0].source).items():
                for file, stack in zip(files, np.split(restored, ends), strict=True):
                    write_stack(staging.path(getattr(file, part)), stack)

    def _batches(self) -> Iterator[list[File]]:
        """Files of equal shape and dtype, as many as fit into memory with ease."""
        for (shape, _), members in self.groups.items():
            batch, n = [], 0
            for file, pages in members:
                if batch and (n + pages) * np.prod(shape) > MOST_VALUES:
                    yield batch
                    batch, n = [], 0
                batch.append(file)
                n += pages
            yield batch


@dataclass
class Archive:
    """An .npz file; all but its images goes to the output as it is."""

    source: Path
    out: Path
    arrays: dict = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)

    @property
    def groups(self) -> dict:
        """As of `ImageFiles`, keys in place of files."""
        return {(self.arrays[k].shape[1:], self.arrays[k].dtype.name): [(k, len(self.arrays[k]))] for k in self.keys}

    def outputs(self, uncertainty: bool) -> list[Path]:
        """Every path that will be written."""
        return [self.out, self._maps][: 1 + uncertainty]

    @property
    def _maps(self) -> Path:
        return self.out.with_name(f"{self.out.stem}_uncertainty.npz")

    def inputs(self) -> list[Path]:
        """Every path that is read."""
        return [self.source]

    def check(self) -> None:
        """Read all arrays."""
        self.arrays, self.keys = read_image_arrays(self.source)
        for key in self.keys:
            _check_stack(self.arrays[key], f"{key!r} in {self.source}")

    def describe(self) -> str:
        """What was found."""
        return f"{sum(len(self.arrays[key]) for key in self.keys)} images, {_described(self.groups)}"

    def examples(self) -> tuple[np.ndarray, list[str]]:
        """The first images and their names."""
        images = self.arrays[self.keys[0]][:PICTURED]
        return images, [f"{self.keys[0]}[{i}]" for i in range(len(images))]

    def restore(self, treatment: Treatment, staging: Staging) -> None:
        """Write the archive, and that of the maps, under temporary names."""
        parts = {key: treatment(self.arrays[key], f"{key!r} in {self.source}") for key in self.keys}
        with zipfile.ZipFile(self.source) as archive:
            compression = max(member.compress_type for member in archive.infolist())
        contents = {**self.arrays, **{key: part["out"] for key, part in parts.items()}}
        write_npz(staging.path(self.out), contents, compression)
        maps = {key: part["uncertainty"] for key, part in parts.items() if "uncertainty" in part}
        if maps:
            write_npz(staging.path(self._maps), maps, compression)


def _described(groups: dict) -> str:
    kinds = [f"{'x'.join(map(str, shape))} {dtype}" for shape, dtype in groups]
    return ", ".join(kinds[:3]) + (f" and {len(kinds) - 3} other kinds" if len(kinds) > 3 else "")


def _check_stack(stack: np.ndarray, name) -> None:
    """Images that the networks take."""
    try:
        if not len(stack):
            raise ValueError("It holds no image.")
        check_sides((*stack.shape[1:], 1)[:3])
        if not np.isfinite(stack).all():
            raise ValueError("It holds NaN or infinity. Replace them, and save it again.")
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def plan(source: Path, out: Path) -> ImageFiles | Archive:
    """What is to be restored, and where it goes."""
    if not source.exists():
        raise ValueError(f"There is no file or folder {source} to restore. Check the path.")
    kind = "folder" if source.is_dir() else source.suffix.lower()
    if kind not in PLANS:
        raise ValueError(f"IN was expected to be a folder or to end in {' or '.join(list(PLANS)[1:])}; got {source}.")
    return PLANS[kind](source, out)


def _plan_folder(source: Path, out: Path) -> ImageFiles:
    if out.is_file():
        raise ValueError(f"IN is a folder, so OUT was expected to be one; {out} is a file. Name another folder.")
    if out.resolve().is_relative_to(source.resolve()):
        raise ValueError(f"OUT was expected to lie outside of IN, {source}; got {out}. Name another folder.")
    maps = out.resolve().with_name(f"{out.resolve().name}_uncertainty")
    files = []
    for paths in list_folder(source).values():
        for path in paths:
            relative = path.relative_to(source)
            files.append(File(path, out / relative, maps / relative.with_name(f"{path.stem}_uncertainty.tif")))
    return ImageFiles(files)


def _plan_image(source: Path, out: Path) -> ImageFiles:
    image_kind(out)
    return ImageFiles([File(source, out, out.with_name(f"{out.stem}_uncertainty.tif"))])


def _plan_archive(source: Path, out: Path) -> Archive:
    if out.suffix.lower() != ".npz":
        raise ValueError(f"IN is an npz file, so OUT was expected to end in .npz; got {out}.")
    return Archive(source, out)


PLANS = {"folder": _plan_folder, ".npz": _plan_archive, **dict.fromkeys(IMAGE_SUFFIXES, _plan_image)}


def check_outputs(options, job, staging: Staging) -> None:
    """Every output can be written, is written once, and replaces nothing unasked."""
    outputs = [*job.outputs(options.uncertainty), *_given(options.picture, options.save)]
    inputs = [*job.inputs(), *_given(options.good, options.model)]
    reserve_outputs(staging, outputs, inputs, force=options.force)


def _given(*paths) -> list[Path]:
    return [Path(path) for path in paths if path]


# --------------------------------------------------------------------------------------------------------- the model


def load_good(options, job, write: Callable) -> np.ndarray:
    """The images to learn from, of as many channels as those to restore."""
    try:
        good = load_images(options.good).data
    except (OSError, ValueError) as error:
        raise ValueError(f"--good: {error} (--good takes images of one shape and dtype.)") from error
    n_channels = (*good.shape, 1)[3]
    for (shape, _), members in job.groups.items():
        if (*shape, 1)[2] != n_channels:
            name = getattr(members[0][0], "source", members[0][0])
            raise ValueError(
                f"{name} has images of {(*shape, 1)[2]} channel(s), those of --good {options.good} have {n_channels}. "
                "Convert one of the two."
            )
    write(f"{options.good}: {len(good)} good images of {'x'.join(map(str, good.shape[1:]))} {good.dtype}.")
    return good


def fit(settings: dict, good: np.ndarray, name, write: Callable) -> GANEnhancer:
    """An enhancer that has learned from good images."""
    started = time.monotonic()
    parameters = {key: settings[key] for key in ("degradation", "scale", "max_time", "max_iter")}
    enhancer = GANEnhancer(**parameters, random_state=settings["seed"], verbose=1)
    write(f"Learning to restore, for up to {settings['max_time']:.0f} s (--max-time) ...")
    try:
        enhancer.fit(good)
    except ValueError as error:
        raise ValueError(f"--good {name}: {error}") from error
    write(f"Learned in {time.monotonic() - started:.0f} s and {enhancer.n_iter_} steps.")
    return enhancer


def load_model(path) -> GANEnhancer:
    """A saved enhancer of images."""
    enhancer = load(path)
    if enhancer.image_shape_ is None:
        raise ValueError(f"--model {path} was fitted on a table; images need one fitted on images.")
    return enhancer


def verdict(report: dict) -> str:
    """What the guard found at `fit`, in one sentence."""
    chosen, psnr = report["chosen"], report["psnr"]
    if not psnr:
        return "The network was fitted with guard=False: it was not compared with doing nothing."
    used = "the network" if chosen == "network" else f"{chosen!r} instead ({psnr[chosen]:.1f} dB)"
    return (
        f"On {report['n_held_out']} good images held out and degraded, the network reaches {psnr['network']:.1f} dB, "
        f"doing nothing {psnr['nothing']:.1f} dB; images are restored by {used}."
    )


@dataclass
class Treatment:
    """Stacks to what is written of them; tells now and then how many were done."""

    enhancer: GANEnhancer
    uncertainty: bool
    write: Callable
    n_done: int = 0
    last_line: float = field(default_factory=time.monotonic)

    def __call__(self, stack: np.ndarray, name) -> dict[str, np.ndarray]:
        try:
            parts = {"out": self.enhancer.transform(stack)}
            if self.uncertainty:
                parts["uncertainty"] = self.enhancer.uncertainty(stack, n_samples=None)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        self.n_done += len(stack)
        if time.monotonic() - self.last_line > SECONDS_A_LINE:
            self.last_line = time.monotonic()
            self.write(f"  {self.n_done} images restored")
        return parts


def restore(options, job, enhancer, staging: Staging, write: Callable) -> int:
    """Restore all images, then put every file in place; returns the number of files."""
    job.restore(Treatment(enhancer, options.uncertainty, write), staging)
    if options.picture is not None:
        draw(enhancer, *job.examples(), staging.path(Path(options.picture)))
    if options.save is not None:
        save(enhancer, staging.path(Path(options.save)))
    return staging.commit()


def draw(enhancer, images: np.ndarray, names: list[str], path: Path) -> None:
    """Write a picture of a few images before and after."""
    from matplotlib.figure import Figure

    from ..plotting._axes import grid_size
    from ..plotting._enhancement import EnhancementDisplay

    n, n_columns = len(images), 3  # poor, enhanced, uncertainty
    figure = Figure(figsize=grid_size(n, n_columns, images.shape[2] / images.shape[1]), layout="constrained")
    axes = figure.subplots(n, n_columns, squeeze=False)
    EnhancementDisplay.from_estimator(enhancer, images, display_labels=names, ax=axes)
    figure.savefig(path, dpi=120, bbox_inches="tight")
