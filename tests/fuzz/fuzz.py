"""Malformed input by the thousand: what of it ends in other than an error of the package's own, hangs, or takes memory.

    python tests/fuzz/fuzz.py                               # readers, load, validation and commands, 10,000 inputs each
    python tests/fuzz/fuzz.py load --n 500 --seed 3
    python tests/fuzz/fuzz.py load --atheris                # readers or load, guided by coverage; `pip install atheris`

Hypothesis draws sound files and what is damaged in them: bytes, members of archives whose checksums are then made to
fit, values in headers; and values of every type. The exit code is 1 if something was found.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import hashlib
import importlib.util
import io
import os
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

SAVED = Path(__file__).parents[1] / "persistence" / "saved"
LONGEST_S, MOST_MEMORY = 20, 2 << 30
ODD = [b"0", b"-1", b"1e400", b"4294967296", b"9" * 400, b"null", b"true", b'""', b"[]", b"{}", b"NaN", b"../../x"]


class Hang(BaseException):
    """A call took longer than `LONGEST_S`."""


def most_memory() -> int:
    """Return the most bytes that this process has held (Linux)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


class Wrong(Exception):
    """A call ended as none should."""


class Watch:
    """Calls what is tried, and counts how it ended: `wrong` maps the place of an error to its text."""

    def __init__(self) -> None:
        self.ends: Counter = Counter()
        self.wrong: dict[str, str] = {}
        self.most_memory = most_memory() + MOST_MEMORY  # beyond what the process has held before

    def __call__(self, target, *args) -> None:
        def late(*_):
            raise Hang

        before = signal.signal(signal.SIGALRM, late)
        signal.alarm(LONGEST_S)
        try:
            self.ends[target(*args)] += 1
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            self.note(error)
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)
        if most_memory() > self.most_memory:
            raise SystemExit(f"more than {MOST_MEMORY >> 30} GB, last with {str(args)[:300]}")

    def note(self, error: BaseException) -> None:
        """Keep an error, once for each place that it comes from."""
        *_, last = [None, *traceback.extract_tb(error.__traceback__)]
        place = f"{type(error).__name__} at {last.filename}:{last.lineno}" if last else repr(error)
        self.wrong.setdefault(place, "".join(traceback.format_exception(error))[-3000:])


def told(call, *args, about: str = "", errors=(ValueError, OSError)) -> str:
    """Return how a call ended; only an error of these kinds, which names the file, is an end."""
    try:
        call(*args)
    except errors as error:
        if about not in str(error):
            raise Wrong(f"an error that does not name {about}: {error!r}") from error
        return type(error).__name__
    return "accepted"


# ---- files --------------------------------------------------------------------------------------------------------


def sound_files(folder: Path) -> dict[str, bytes]:
    """Small files of every kind that is read, by name."""
    import nibabel
    import tifffile
    from PIL import Image
    from pydicom.data import get_testdata_file

    rng = np.random.RandomState(0)
    grey, colour = rng.randint(0, 256, (9, 11), np.uint8), rng.randint(0, 256, (9, 11, 3), np.uint8)
    for suffix in ("png", "jpg", "tif"):
        Image.fromarray(grey).save(folder / f"grey.{suffix}")
        Image.fromarray(colour).save(folder / f"colour.{suffix}")
    Image.fromarray(colour).convert("P").save(folder / "palette.png")
    Image.fromarray(grey.astype(np.uint16) * 200).save(folder / "deep.png")
    Image.fromarray(grey).save(folder / "lzw.tif", compression="tiff_lzw")
    tifffile.imwrite(folder / "pages.tif", np.stack([grey, grey]).astype(np.float32), photometric="minisblack")
    np.savez(folder / "plain.npz", X=np.stack([grey] * 4), y=np.arange(4) % 2, group=np.arange(4))
    np.savez_compressed(folder / "packed.npz", train_images=np.stack([grey] * 4), train_labels=np.arange(4)[:, None])
    (folder / "table.csv").write_text("path,label,patient\ngrey.png,a,1\ncolour.png,b,2\n", encoding="utf-8")
    nibabel.save(nibabel.Nifti1Image(rng.randint(0, 99, (9, 10, 3)).astype(np.int16), np.eye(4)), folder / "v.nii")
    nibabel.save(nibabel.Nifti1Image(rng.randint(0, 99, (9, 10, 3)).astype(np.int16), np.eye(4)), folder / "z.nii.gz")
    (folder / "slice.dcm").write_bytes(Path(get_testdata_file("MR_small_RLE.dcm")).read_bytes())
    (folder / "plain.dcm").write_bytes(Path(get_testdata_file("CT_small.dcm")).read_bytes())
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def spoiled(content: bytes, rng: np.random.RandomState) -> bytes:
    """Return bytes with a few changed, lost, doubled, or in another's place; or with a value of the text replaced."""
    for _ in range(rng.randint(1, 4)):
        start = int(rng.randint(len(content) + 1) if rng.rand() < 0.5 else rng.randint(min(len(content), 400) + 1))
        stop = min(len(content), start + 1 + int(rng.choice([0, 1, 3, 7, 30])))
        kind, piece = rng.randint(7), content[start:stop]
        if kind == 0:
            piece = bytes(rng.randint(0, 256, len(piece)).astype(np.uint8))
        elif kind == 1:
            piece = bytes([0, 255][rng.randint(2)] for _ in piece)
        elif kind == 2:
            piece = piece * int(rng.choice([0, 2, 50]))
        elif kind == 3 and piece:
            piece = bytes([piece[0] ^ 1 << rng.randint(8)]) + piece[1:]
        elif kind == 4 and rng.rand() < 0.2:
            content, piece = content[:start], b""
        else:
            values = list(re.finditer(rb'-?\d+(?:\.\d+)?|"[^"]*"|true|false|null', content[start : start + 400]))
            if values:
                value = values[rng.randint(len(values))]
                start, stop = start + value.start(), start + value.end()
                piece = ODD[rng.randint(len(ODD))]
        content = content[:start] + piece + content[stop:]
    return content


def damaged(content: bytes, number: int) -> bytes:
    """Return a file spoiled in one of very many ways: of an archive mostly a member, whose checksum then fits."""
    rng = np.random.RandomState(number)
    if not content.startswith(b"PK") or rng.rand() < 0.25:
        return spoiled(content, rng)
    archive = zipfile.ZipFile(io.BytesIO(content))
    chosen, out = archive.namelist()[rng.randint(len(archive.namelist()))], io.BytesIO()
    chosen = "header.json" if "header.json" in archive.namelist() and rng.rand() < 0.6 else chosen
    with zipfile.ZipFile(out, "w") as copy, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that are twice there
        for member in archive.infolist():
            data, name = archive.read(member), member.filename
            if name == chosen:
                data = damaged(data, int(rng.randint(2**31)))  # which may be an archive, too
                name = rng.choice(["../x", "a\\b", "/x", "header.json"]) if rng.rand() < 0.05 else name
            if name != chosen or rng.rand() > 0.03:
                copy.writestr(name, data, member.compress_type)
    return out.getvalue()


class Files:
    """A target that reads one file after the other."""

    def __init__(self, folder: Path, sound: dict[str, bytes]) -> None:
        self.folder, self.sound, self.names = folder, sound, sorted(sound)

    @property
    def inputs(self):
        """The number of a sound file and of a damage."""
        return st.tuples(st.integers(0, len(self.names) - 1), st.integers(0, 2**32 - 1))

    def __call__(self, drawn) -> str:
        place, number = drawn
        return self.read_bytes(self.names[place], damaged(self.sound[self.names[place]], number))

    def read_bytes(self, name: str, content: bytes) -> str:
        """Read a file of this content; the folder is as before afterwards."""
        path = self.folder / name
        path.write_bytes(content)
        try:
            return told(self.read, path, about=name.split(".")[0])
        finally:
            path.write_bytes(self.sound[name])


class Readers(Files):
    """`load_images` of damaged images, volumes, archives and tables."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, sound_files(folder))

    def read(self, path: Path) -> None:
        from sklearn_medgan.datasets import load_images

        load_images(path)


class Load(Files):
    """`load` of damaged models, and what `medgan info` reads of them."""

    def __init__(self, folder: Path) -> None:
        from sklearn_medgan import load, save

        for path in SAVED.glob("*.medgan"):
            if "pipeline" not in path.name or importlib.util.find_spec("skops"):
                (folder / path.name).write_bytes(path.read_bytes())
        save(load(SAVED / "1_table.medgan"), folder / "now.medgan")
        super().__init__(folder, {path.name: path.read_bytes() for path in folder.iterdir()})

    def read(self, path: Path) -> None:
        from sklearn_medgan import load

        if zipfile.is_zipfile(path):  # with a checksum that fits, or no damage would be seen by what is behind it
            with contextlib.suppress(Exception), zipfile.ZipFile(path, "a") as archive:
                archive.comment = bytes(64)
            content = path.read_bytes()[:-64]
            path.write_bytes(content + hashlib.sha256(content).hexdigest().encode())
        load(path)


# ---- values and command lines -------------------------------------------------------------------------------------


def as_frame(columns: dict) -> object:
    """Return columns of any kind as a pandas frame, or as they are where they are of several lengths."""
    import pandas as pd

    try:
        return pd.DataFrame(columns)
    except ValueError:
        return columns


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.complex_numbers() | st.text(max_size=4)
plain |= st.binary(max_size=4) | st.datetimes() | st.timedeltas() | st.fractions() | st.just(object)
shapes = hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=12)
arrays = hnp.arrays(hnp.scalar_dtypes() | hnp.unicode_string_dtypes() | hnp.byte_string_dtypes(), shapes)
arrays |= hnp.arrays(np.dtype(object), shapes, elements=plain)
columns = st.dictionaries(st.text(max_size=3) | st.integers(), st.lists(plain, min_size=3, max_size=3), max_size=4)
anything = plain | arrays | st.recursive(plain, st.lists, max_leaves=12) | columns | columns.map(as_frame)
anything |= st.tuples(plain, plain) | st.tuples(st.integers(-2, 40), st.integers(-2, 40), st.integers(-1, 5))


class Validation:
    """Rows, labels and parameters of every type: what `fit`, `transform` and `sample` check before they compute."""

    inputs = st.tuples(st.integers(0, 3), anything, anything)

    def __init__(self, folder: Path) -> None:
        from sklearn_medgan import GANAugmenter

        X = np.random.RandomState(0).normal(size=(20, 3))
        self.gan = GANAugmenter(max_iter=1, width=4, random_state=0).fit(X, np.arange(20) % 2)
        self.parameters = sorted(self.gan.get_params())

    def __call__(self, drawn) -> str:
        kind, first, second = drawn
        check = (self.rows, self.known, self.draws, self.parameter)[kind]
        return told(check, first, second, errors=(ValueError, TypeError))

    def rows(self, X, image_shape) -> None:
        """Check rows as `fit` does."""
        from sklearn_medgan import GANAugmenter
        from sklearn_medgan._validation import check_rows

        shape = image_shape if isinstance(image_shape, tuple) else None
        check_rows(GANAugmenter(), X, image_shape=shape, reset=True)

    def known(self, X, _) -> None:
        """Transform rows of a table of three columns."""
        self.gan.transform(X)

    def draws(self, n_samples, labels) -> None:
        """Ask for samples, few enough to be drawn."""
        if not (isinstance(n_samples, int) and n_samples > 1000):
            self.gan.sample(n_samples, y=labels, random_state=0)

    def parameter(self, value, _) -> None:
        """Begin a fit with one parameter changed, of rows that are too few."""
        from sklearn_medgan import GANAugmenter

        name = self.parameters[hash(repr(value)) % len(self.parameters)]
        GANAugmenter(**{name: value}).fit(np.zeros((1, 3)))


TEXT = """--json -q --data --out --model --seed --image-size --max-iter --ratio --help --per-class --arms --folds
--jobs --list-arms --channels --window --axis --good --groups --subset --degradation - -- 0 -1 1e9 nan a,b"""
WORDS = [*TEXT.split(), "", "9" * 30, "\udce9", "\n"]


class Commands:
    """Lines of words that options take and do not take, on files that are damaged or not there."""

    def __init__(self, folder: Path) -> None:
        self.readers = Readers(folder)
        paths = [str(folder / name) for name in self.readers.names]
        word = st.sampled_from([*WORDS, *paths, str(folder / "gone")]) | st.text(max_size=6)
        of_files = st.tuples(st.just("info"), st.sampled_from(paths), st.lists(word, max_size=2))
        # Others than `info` get no file that they could work on, or a line would be minutes of training.
        others = st.sampled_from(["demo", "benchmark", "augment", "enhance", "info", "inof", ""])
        missing = st.lists(word.filter(lambda w: w not in paths), max_size=5)
        elsewhere = st.tuples(others, st.just("--data=/dev/null/x"), missing)
        lines = (of_files | elsewhere).map(lambda parts: [*parts[:2], *parts[2]])
        self.inputs = st.tuples(self.readers.inputs, lines)

    def __call__(self, drawn) -> str:
        from sklearn_medgan.cli import main

        (place, number), line = drawn
        path = self.readers.folder / self.readers.names[place]
        path.write_bytes(damaged(self.readers.sound[path.name], number))
        out = io.StringIO()
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
                code = main(line)
        except SystemExit as end:
            code = end.code
        finally:
            path.write_bytes(self.readers.sound[path.name])
        if code not in (0, 1, 2) or "Traceback" in out.getvalue():
            raise Wrong(f"{line}: {code}, {out.getvalue()[-500:]}")
        return f"exit code {code}"


TARGETS = {"readers": Readers, "load": Load, "validation": Validation, "commands": Commands}


def drawn_by_hypothesis(target, watch: Watch, n: int, number: int) -> None:
    """Try `n` inputs."""

    @seed(number)
    @settings(max_examples=n, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=HealthCheck)
    @given(target.inputs)
    def tried(drawn) -> None:
        watch(target, drawn)

    tried()


def drawn_by_atheris(target: Files, watch: Watch, n: int, number: int, end: Callable[[], int]) -> None:
    """Try `n` files, changing further what reached new lines of the package; the first byte names the kind.

    Atheris does not return: the process ends here, with `end()` as its exit code.
    """
    import atheris

    with atheris.instrument_imports(include=["sklearn_medgan"]):
        from sklearn_medgan import load  # noqa: F401
        from sklearn_medgan.datasets import load_images  # noqa: F401

    def tried(data: bytes) -> None:
        if data:
            watch(target.read_bytes, target.names[data[0] % len(target.names)], data[1:])
        if sum(watch.ends.values()) >= n:
            os._exit(end())

    with tempfile.TemporaryDirectory() as corpus:
        for place, name in enumerate(target.names):
            (Path(corpus) / name).write_bytes(bytes([place]) + target.sound[name])
        longest = max(map(len, target.sound.values())) + 1
        atheris.Setup([sys.argv[0], f"-seed={number + 1}", f"-max_len={longest}", "-verbosity=0", corpus], tried)
        atheris.Fuzz()


def report(name: str, watch: Watch, started: float) -> int:
    """Print how inputs ended; return the number of places that something wrong came from."""
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    n = sum(watch.ends.values())
    print(f"{name}: {n} inputs in {time.time() - started:.0f} s, {dict(watch.ends)}, at most {memory} MB", flush=True)
    for place, text in watch.wrong.items():
        print(f"WRONG in {name}: {place}\n{text}", flush=True)
    return len(watch.wrong)


def main(argv: list[str] | None = None) -> int:
    """Try each target in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, []], help="default: all")
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--atheris", action="store_true")
    options = parser.parse_args(argv)
    n_wrong = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in options.targets or TARGETS:
            with tempfile.TemporaryDirectory() as folder:
                target, watch, started = TARGETS[name](Path(folder)), Watch(), time.time()
                if options.atheris:
                    end = functools.partial(report, name, watch, started)
                    drawn_by_atheris(target, watch, options.n, options.seed, end)
                drawn_by_hypothesis(target, watch, options.n, options.seed)
                n_wrong += report(name, watch, started)
    return int(n_wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
