"""The command `medgan augment` against files read back by other means; the network matters in the last test only."""

import contextlib
import csv
import json
import os
import signal
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import tifffile
from commands import contents, folders, images, png, read, refused
from sklearn.exceptions import ConvergenceWarning

from sklearn_medgan import __version__, cli, persistence
from sklearn_medgan.cli import _augment as _augment_command
from sklearn_medgan.cli import _inputs, _session
from sklearn_medgan.datasets import load_images


class Painter:
    """Keeps the interface of GANAugmenter; a synthetic image is the first of its class, its first pixel counts up."""

    last = None
    interrupted = False

    def __init__(
        self,
        *,
        ratio=2.0,
        max_iter=300,
        max_time=None,
        gan_size="auto",
        backbone="auto",
        checkpoint_dir=None,
        random_state=None,
        verbose=0,
    ):
        self.ratio, self.max_iter, self.max_time = ratio, max_iter, max_time
        self.gan_size, self.backbone, self.checkpoint_dir = gan_size, backbone, checkpoint_dir
        self.random_state, self.verbose = random_state, verbose
        Painter.last = self

    def get_params(self, deep=True):
        names = ("ratio", "max_iter", "max_time", "gan_size", "backbone", "checkpoint_dir", "random_state", "verbose")
        return {name: getattr(self, name) for name in names}

    def fit(self, X, y):
        if self.interrupted:
            with contextlib.suppress(KeyboardInterrupt):  # as training does
                signal.raise_signal(signal.SIGINT)
        warnings.warn("one note", ConvergenceWarning, stacklevel=2)
        self.seen, self.seen_y = X, y
        self.image_shape_, self.n_iter_ = (*X.shape[1:], 1)[:3], self.max_iter
        self.classes_, first = np.unique(y, return_index=True)
        self.first_of = dict(zip(self.classes_.tolist(), X[first], strict=True))
        return self

    def sample(self, n_samples, *, y, random_state, X, min_distance):
        self.state = random_state.get_state()[1][:4].tolist()
        X = np.stack([self.first_of[label] for label in np.asarray(y).tolist()])
        X[:, 0, 0] = np.arange(len(X)).reshape(-1, *[1] * (X.ndim - 3))
        return X, np.asarray(y)


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setattr(_augment_command, "GANAugmenter", Painter)
    monkeypatch.setattr(persistence, "save", lambda estimator, path: path.write_text("model"))
    monkeypatch.setattr(_session, "import_backend", lambda: None)
    monkeypatch.setattr(Painter, "interrupted", False)
    monkeypatch.setattr(Painter, "last", None)
    return Painter


def augment(*arguments):
    return cli.main(["augment", *map(str, arguments)])


def folder(path, counts, seed=0):
    """PNG files, a subfolder a class; returns {relative name: bytes}."""
    for k, (name, n) in enumerate(counts.items()):
        for i, pixels in enumerate(images(n, seed=seed + k)):
            png(path / name / f"scan{i}.png", pixels)
    return contents(path)


def archive(path, **arrays):
    np.savez(path, **arrays)
    return path


def manifest(path):
    with open(path / "manifest.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


LABELS = np.array([1, 0, 0, 1, 0, 0, 0])  # 5 and 2: three to draw
UNMEASURED = "Privacy beyond near-copies was not measured"

# ------------------------------------------------------------------------------------------------------ what is written


def test_a_folder_comes_back_byte_by_byte_with_marked_images_beside(fake, tmp_path, capsys):
    before = folder(tmp_path / "in", {"ill": 2, "well": 5})
    (tmp_path / "in" / "notes.txt").write_text("not an image")
    assert augment(tmp_path / "in", tmp_path / "out", "--max-iter", 7, "--seed", 3) == 0
    after = contents(tmp_path / "out")
    new = {f"ill/synthetic_0000{i}.png" for i in range(3)}
    assert set(after) == {*before, *new, "manifest.csv"}
    assert {name: after[name] for name in before} == before
    expected = images(1)[0]
    for i in range(3):
        expected[0, 0] = i
        assert np.array_equal(read(tmp_path / "out" / f"ill/synthetic_0000{i}.png"), expected)
    rows = manifest(tmp_path / "out")
    assert {row["file"] for row in rows if row["synthetic"] == "true"} == new
    assert {row["file"] for row in rows if row["synthetic"] == "false"} == set(before)
    last = rows[-1]
    assert (last["class"], last["seed"], last["package_version"]) == ("ill", "3", __version__)
    assert (last["ratio"], last["n_iter"], json.loads(last["parameters"])) == ("1.0", "7", {"max_iter": 7})
    out, error = capsys.readouterr()
    for part in (
        "in: 7 images of 9x12 uint8, 2 of ill, 5 of well.",
        "To draw: 3 of ill.",
        "note: one note\n",
        "note: Ignored 1 file(s)",
        "11 file(s) written, 7 original and 3 synthetic images in",
        "may resemble those they were learned from",
    ):
        assert part in (out if "file(s) written" in part or "resemble" in part else error)
    assert out.endswith("Research use; not a medical device.\n")
    assert error.endswith(f"Next: medgan benchmark --data {tmp_path / 'in'} --arms rows\n")


def test_the_result_as_json_is_all_that_is_printed(fake, tmp_path, capsys):
    folder(tmp_path / "in", {"ill": 2, "well": 5})
    assert augment(tmp_path / "in", tmp_path / "out", "--json", "-q") == 0
    out, error = capsys.readouterr()
    assert error == "note: one note\n"
    expected = {"out": str(tmp_path / "out"), "original": 7, "synthetic": {"ill": 3}, "files": 11}
    found = json.loads(out)
    assert [line.split(":")[0] for line in found.pop("privacy")] == ["Near-copies", "Few originals", UNMEASURED]
    assert found == {"command": "augment", **expected, "notes": ["one note"]}
    assert fake.last.verbose == 0


def test_the_result_is_loaded_as_a_balanced_set_without_a_warning(fake, tmp_path):
    folder(tmp_path / "in", {"ill": 2, "well": 5})
    augment(tmp_path / "in", tmp_path / "out")
    loaded = load_images(tmp_path / "out")  # warnings are errors
    assert np.bincount(loaded.target).tolist() == [5, 5]


def test_what_stays_near_originals_is_left_out_by_its_class(fake, tmp_path, capsys, monkeypatch):
    plain, asked = fake.sample, {}

    def sample(self, n_samples, **more):
        asked.update(more)
        X, y = plain(self, n_samples, **more)
        return X[[0, 2, 3, 5]], y[[0, 2, 3, 5]]  # two of ill, two of odd

    monkeypatch.setattr(fake, "sample", sample)
    folder(tmp_path / "in", {"ill": 2, "odd": 2, "well": 5})
    assert augment(tmp_path / "in", tmp_path / "out", "--min-distance", 0.25) == 0
    assert asked["min_distance"] == 0.25
    assert asked["X"].shape == (9, 9, 12)
    new = [row for row in manifest(tmp_path / "out") if row["synthetic"] == "true"]
    assert [row["file"] for row in new] == [
        f"{label}/synthetic_0000{i}.png" for label, i in (("ill", 0), ("ill", 1), ("odd", 3), ("odd", 4))
    ]
    assert {row["file"] for row in new} <= set(contents(tmp_path / "out"))
    assert (new[0]["min_distance"], json.loads(new[0]["classes_of_few_originals"])) == (
        "0.25",
        {"ill": 2, "odd": 2, "well": 5},
    )
    out = capsys.readouterr().out
    assert "Near-copies: 2 left out, none among the 4 written" in out
    assert "9 original and 4 synthetic images" in out
    assert augment(tmp_path / "in", tmp_path / "out.npz") == 0
    with np.load(tmp_path / "out.npz") as found:
        assert found["y"].tolist() == [0, 0, 1, 1, 2, 2, 2, 2, 2, 0, 0, 1, 1]
        assert len(found["X"]) == len(found["synthetic"]) == 13


def test_privacy_is_told_against_a_split_that_was_not_learned_from(fake, tmp_path, capsys):
    """The painter copies: its images are the first of their class but for a pixel."""
    X = np.random.RandomState(0).randint(0, 255, (60, 9, 12)).astype(np.uint8)
    y = np.r_[np.zeros(25, int), np.ones(5, int), np.arange(30) % 2]
    split = np.repeat(["train", "test"], 30)
    assert augment(archive(tmp_path / "in.npz", X=X, y=y, split=split), tmp_path / "out.npz") == 0
    out = capsys.readouterr().out
    assert "Privacy, against 30 images not learned from: The samples give training rows away: 100 %" in out
    assert "Few originals: 5 of 1. What is drawn of fewer than 20 resembles them" in out


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_an_archive_keeps_its_rows_first_and_marks_the_others(fake, tmp_path, dtype, channels):
    X = images(7, (8, 10, *channels), dtype)
    path = archive(tmp_path / "in.npz", X=X, y=LABELS, group=list("aabbccd"), class_names=["w", "i"], spacing=0.5)
    assert augment(path, tmp_path / "out.npz") == 0
    with np.load(tmp_path / "out.npz") as out:
        assert out["X"].dtype == dtype
        assert np.array_equal(out["X"][:7], X)
        assert out["synthetic"].tolist() == [False] * 7 + [True] * 3
        assert out["y"].tolist() == [*LABELS, 1, 1, 1]
        assert out["group"].tolist() == [*"aabbccd"] + ["synthetic"] * 3
        assert out["class_names"].tolist() == ["w", "i"]
        told = json.loads(str(out["provenance"]))
    assert (told["seed"], told["package_version"], told["parameters"]) == (0, __version__, {})
    loaded = load_images(tmp_path / "out.npz")
    assert loaded.spacing == (0.5, 0.5)
    assert set(loaded.split) == {"train"}


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (np.arange(7, dtype=np.uint8), -1),
        (np.arange(7) - 3, -4),
        (np.arange(7) / 2, -1.0),
        (np.arange(7) % 2 == 0, -1),
        (np.array([b"a"] * 7), "synthetic"),
        (np.array(["synthetic", *"abcdef"]), "synthetic_"),
    ],
)
def test_synthetic_images_are_of_no_patient(fake, tmp_path, groups, expected):
    path = archive(tmp_path / "in.npz", X=images(7), y=LABELS, group=groups)
    augment(path, tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as out:
        assert out["group"][7:].tolist() == [expected] * 3
        assert expected not in out["group"][:7].tolist()


@pytest.mark.parametrize(
    ("shape", "dtype", "suffix"),
    [((9, 12), np.uint16, ".png"), ((9, 12), np.float32, ".tif"), ((9, 12, 2), np.int16, ".tif")],
)
def test_files_are_of_a_format_that_holds_the_images(fake, tmp_path, shape, dtype, suffix):
    X = images(7, shape, dtype)
    path = archive(tmp_path / "in.npz", X=X, y=LABELS + 9, group=np.arange(7) // 2)
    assert augment(path, tmp_path / "out") == 0
    originals = list((tmp_path / "out").glob(f"*/original_*{suffix}"))
    assert sorted(file.stem for file in originals) == [f"original_0000{i}" for i in range(7)]
    assert {file.parent.name for file in originals} == {"09", "10"}  # sorted as numbers are
    for file in originals:
        found = read(file) if suffix == ".png" else tifffile.imread(file)
        assert found.dtype == dtype
        assert np.array_equal(found, X[int(file.stem[-1])])
    rows = manifest(tmp_path / "out")
    assert [row["group"] for row in rows] == ["0", "0", "1", "1", "2", "2", "3", "", "", ""]
    assert [row["file"] for row in rows[7:]] == [f"10/synthetic_0000{i}{suffix}" for i in range(3)]


def test_folders_of_splits_and_patients_and_a_manifest_are_read_by_class(fake, tmp_path):
    """Originals lie below the folder of their class, whatever lies above it in the source."""
    source = tmp_path / "in"
    kept = ["ill/p1/a.png", "ill/p2/a.png", "well/p3/a.png", "well/p3/b.png", "well/p5/c.png"]
    for k, name in enumerate([*(f"train/{name}" for name in kept), "test/ill/p4/a.png"]):
        png(source / name, images(1, seed=k)[0])
    assert augment(source, tmp_path / "out") == 0
    rows = manifest(tmp_path / "out")
    assert [row["file"] for row in rows if row["synthetic"] == "false"] == kept
    assert [row["class"] for row in rows] == ["ill", "ill", "well", "well", "well", "ill"]
    assert [row["group"] for row in rows] == ["0", "1", "2", "2", "3", ""]
    lines = ["path,label,patient", *(f"train/{name},{name.split('/')[0]},x{name[-5]}" for name in kept)]
    (source / "table.csv").write_text("\n".join(lines))
    assert augment(source / "table.csv", tmp_path / "again") == 0
    rows = manifest(tmp_path / "again")
    assert [row["file"] for row in rows][:2] == ["ill/train/ill/p1/a.png", "ill/train/ill/p2/a.png"]
    assert [row["class"] for row in rows][:5] == ["ill", "ill", "well", "well", "well"]


@pytest.mark.parametrize("form", ["plain", "medmnist"])
def test_of_a_file_with_splits_only_training_rows_are_used(fake, tmp_path, capsys, form):
    X, y = images(7), LABELS
    if form == "plain":
        path = archive(tmp_path / "in.npz", X=X, y=y, split=["train"] * 5 + ["test"] * 2, group=np.arange(7))
    else:
        parts = {"train_images": X[:5], "train_labels": y[:5, None], "test_images": X[5:], "test_labels": y[5:, None]}
        path = archive(tmp_path / "in.npz", **parts)
    assert augment(path, tmp_path / "out.npz") == 0
    assert np.array_equal(fake.last.seen, X[:5])
    with np.load(tmp_path / "out.npz") as out:
        assert np.array_equal(out["X"][:5], X[:5])
        assert out["y"].tolist() == [1, 0, 0, 1, 0, 1]
        assert out["split"].tolist() == ["train"] * 6
    assert "Only its 'train' rows are used, 'test' left out." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "gan_size", "backbone"),
    [
        ([], "auto", None),  # its columns would cost time, and nobody would see them
        (["--gan-size", 16], 16, None),
        (["--save", "m"], "auto", "auto"),
        (["--save", "m", "--backbone", "VGG16"], "auto", "VGG16"),
        (["--save", "m", "--backbone", "none"], "auto", None),
    ],
)
def test_size_and_backbone_reach_the_augmenter(fake, tmp_path, monkeypatch, options, gan_size, backbone):
    monkeypatch.chdir(tmp_path)
    path = archive(tmp_path / "in.npz", X=images(7), y=LABELS)
    assert augment(path, tmp_path / "out.npz", *options) == 0
    assert (fake.last.gan_size, fake.last.backbone) == (gan_size, backbone)
    with np.load(tmp_path / "out.npz") as out:
        told = json.loads(str(out["provenance"]))["parameters"]
    assert told == ({} if gan_size == "auto" else {"gan_size": gan_size})


def test_only_synthetic_leaves_the_originals_out(fake, tmp_path):
    path = archive(tmp_path / "in.npz", X=images(7), y=LABELS, group=np.arange(7))
    assert augment(path, tmp_path / "out.npz", "--only-synthetic") == 0
    with np.load(tmp_path / "out.npz") as out:
        assert (out["X"].shape, out["y"].tolist(), out["synthetic"].tolist()) == ((3, 9, 12), [1] * 3, [True] * 3)
    assert augment(path, tmp_path / "out", "--only-synthetic") == 0
    assert set(contents(tmp_path / "out")) == {"manifest.csv", *(f"1/synthetic_0000{i}.png" for i in range(3))}


@pytest.mark.parametrize("n_pages", [1, 2])
def test_images_of_several_sizes_are_resized_and_written_beside_what_is_drawn(fake, tmp_path, n_pages, capsys):
    for k, side in enumerate((8, 20, 33)):
        png(tmp_path / "in" / "ill" / f"{k}.png", np.full((side, 16), 10 * k + 10, np.uint8))
    pages = np.full((n_pages, 12, 14), 50, np.uint8)
    (tmp_path / "in" / "well").mkdir()
    tifffile.imwrite(tmp_path / "in" / "well" / "a.tif", pages, photometric="minisblack")
    png(tmp_path / "in" / "well" / "b.png", pages[0])
    assert augment(tmp_path / "in", tmp_path / "out", "--image-size", 16) == 0
    assert f"Next: medgan benchmark --data {tmp_path / 'in'} --image-size 16 --arms rows\n" in capsys.readouterr().err
    for k in range(3):
        assert np.array_equal(read(tmp_path / "out" / "ill" / f"{k}.png"), np.full((16, 16), 10 * k + 10))
    name = "a.png" if n_pages == 1 else "a.tif"
    found = read(tmp_path / "out" / "well" / name) if n_pages == 1 else tifffile.imread(tmp_path / "out/well" / name)
    assert np.array_equal(found, np.full((16, 16) if n_pages == 1 else (2, 16, 16), 50))
    assert len(list((tmp_path / "out" / "well").glob("synthetic_*.png"))) == (1 if n_pages == 1 else 0)
    assert fake.last is None or fake.last.seen.shape == (5, 16, 16)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are text")
def test_names_of_any_bytes_are_kept(fake, tmp_path):
    name = os.fsdecode(b"caf\xe9")
    folder(tmp_path / name, {f"{name} ill": 2, "well": 5})
    assert augment(tmp_path / name, tmp_path / "out") == 0
    assert len(list((tmp_path / "out" / f"{name} ill").iterdir())) == 5
    assert b"caf\xe9 ill/scan0.png" in (tmp_path / "out" / "manifest.csv").read_bytes()


@pytest.mark.parametrize(("ratio", "drawn"), [(1.0, [0, 3]), (2.0, [5, 8]), (0.8, [0, 2]), (0.3, [0, 0])])
def test_ratio_lifts_each_class_to_that_many_times_the_largest(fake, tmp_path, ratio, drawn):
    path = archive(tmp_path / "in.npz", X=images(7), y=LABELS)
    assert augment(path, tmp_path / "out.npz", "--ratio", ratio) == 0
    with np.load(tmp_path / "out.npz") as out:
        assert np.bincount(out["y"][7:], minlength=2).tolist() == drawn


def test_a_balanced_set_is_copied_and_nothing_is_learned(fake, tmp_path, capsys):
    before = folder(tmp_path / "in", {"ill": 3, "well": 3})
    assert augment(tmp_path / "in", tmp_path / "out", "--save", tmp_path / "m") == 0
    assert set(contents(tmp_path / "out")) == {*before, "manifest.csv"}
    assert {row["synthetic"] for row in manifest(tmp_path / "out")} == {"false"}
    out = capsys.readouterr().out
    assert "Nothing was added: each class has the 1 x 3 images that --ratio asks for. No model was fitted, so" in out
    assert fake.last is None
    assert augment(tmp_path / "in", tmp_path / "none", "--only-synthetic") == 0
    assert not (tmp_path / "none").exists()
    assert "0 file(s) written" in capsys.readouterr().out


def test_options_reach_the_estimator_and_classes_keep_their_names(fake, tmp_path):
    path = archive(tmp_path / "in.npz", X=images(7), y=LABELS, class_names=["well", "ill"])
    options = ["--max-iter", 9, "--max-time", 1.5, "--seed", 4, "--ratio", 1.5, "--save", tmp_path / "m.medgan"]
    assert augment(path, tmp_path / "out.npz", *options) == 0
    expected = {"ratio": 1.5, "max_iter": 9, "max_time": 1.5, "random_state": 4, "verbose": 1}
    assert fake.last.get_params() == {**expected, "gan_size": "auto", "backbone": "auto", "checkpoint_dir": None}
    assert fake.last.seen_y.tolist() == [["well", "ill"][code] for code in LABELS]
    assert (tmp_path / "m.medgan").read_text() == "model"


def test_the_seed_decides_what_is_drawn(fake, tmp_path):
    path = archive(tmp_path / "in.npz", X=images(7), y=LABELS)
    streams = []
    for seed in (0, 0, 1):
        augment(path, tmp_path / "out.npz", "--seed", seed, "--force")
        streams.append(fake.last.state)
    assert streams[0] == streams[1] != streams[2]


def test_existing_files_are_replaced_only_when_asked(fake, tmp_path, capsys):
    folder(tmp_path / "in", {"ill": 2, "well": 5})
    out = tmp_path / "out"
    png(out / "ill" / "scan0.png", images(1, seed=9)[0])
    before = contents(out)
    assert augment(tmp_path / "in", out) == 2
    assert "exists and holds 1 file(s). Name another folder, or pass --force." in capsys.readouterr().err
    assert contents(out) == before
    assert augment(tmp_path / "in", out, "--force") == 0
    assert len(contents(out)) == 11


def test_images_of_an_earlier_run_do_not_slip_into_the_new_set(fake, tmp_path, capsys):
    folder(tmp_path / "in", {"ill": 2, "well": 5})
    assert augment(tmp_path / "in", tmp_path / "out", "--ratio", 2) == 0
    before = contents(tmp_path / "out")
    assert augment(tmp_path / "in", tmp_path / "out", "--force") == 2
    assert "image(s) that would pass for part of the new set" in capsys.readouterr().err
    assert contents(tmp_path / "out") == before


# ------------------------------------------------------------------------------------------------------------ bad input


@pytest.fixture(scope="module")
def bad(tmp_path_factory):
    """Made once: what is refused leaves all as it was."""
    tmp_path, X = tmp_path_factory.mktemp("bad"), images(7)
    folder(tmp_path / "in", {"ill": 2, "well": 5})
    folder(tmp_path / "one", {"ill": 3})
    folder(tmp_path / "lone", {"ill": 1, "well": 3})
    folder(tmp_path / "sizes", {"ill": 2, "well": 2})
    png(tmp_path / "sizes" / "ill" / "z.png", images(1, (20, 20))[0])
    folder(tmp_path / "again", {"ill": 2, "well": 3})
    png(tmp_path / "again" / "ill" / "synthetic_00000.png", X[0])
    png(tmp_path / "flat" / "a.png", X[0])
    png(tmp_path / "a.png", X[0])
    (tmp_path / "words.txt").write_text("no image")
    (tmp_path / "words").write_text("no image")
    archive(tmp_path / "in.npz", X=X, y=LABELS)
    archive(tmp_path / "there.npz", X=X, y=LABELS)
    archive(tmp_path / "bare.npz", X=X)
    archive(tmp_path / "single.npz", X=X, y=0 * LABELS)
    archive(tmp_path / "small.npz", X=images(7, (7, 9)), y=LABELS)
    archive(tmp_path / "nan.npz", X=np.full((7, 9, 9), np.nan), y=LABELS)
    archive(tmp_path / "split.npz", X=X, y=LABELS, split=["a"] * 7)
    archive(tmp_path / "slash.npz", X=X, y=LABELS, class_names=["a/b", "c"])
    archive(tmp_path / "twins.npz", X=X, y=LABELS, class_names=["mass", "mass"])
    archive(tmp_path / "again.npz", X=X, y=LABELS, synthetic=LABELS == 1)
    archive(tmp_path / "objects.npz", X=X, y=np.array([None] * 7, object))
    archive(tmp_path / "bools.npz", X=np.ones((7, 9, 9, 3), bool), y=LABELS)
    (tmp_path / "empty.medgan").write_text("no model")
    (tmp_path / "dir.npz").mkdir()
    return tmp_path


BAD = {
    "no input": ("gone", "out", [], "There is no file or folder gone"),
    "a file": ("a.png", "out", [], "IN was expected to be a folder with one subfolder per class"),
    "no classes": ("flat", "out", [], "holds no labels"),
    "no labels": ("bare.npz", "out", [], "holds no labels"),
    "one class in a folder": ("one", "out", [], "has images of 1 class(es)"),
    "one class in a file": ("single.npz", "out", [], "has images of 1 class(es)"),
    "one image": ("lone", "out", [], "lone has 1 image of class ill; a class needs 2 or more"),
    "sizes": ("sizes", "out", [], "Pass --image-size N to resize them to N x N pixels."),
    "too many": ("in", "out", ["--ratio", "1e12"], "--ratio 1e+12 asks for 1e+13 synthetic images"),
    "infinitely many": ("in", "out", ["--ratio", "1e308"], "--ratio 1e+308 asks for inf synthetic images"),
    "name too long": ("in", "x" * 300, [], "File name too long"),
    "small": ("small.npz", "out", [], "at least 8 pixels high and wide; got 7x9"),
    "NaN": ("nan.npz", "out", [], "NaN or infinity"),
    "split": ("split.npz", "out", [], "name its training rows 'train'; its splits are ['a']"),
    "objects": ("objects.npz", "out", [], "never unpickles"),
    "augmented folder": ("again", "out", [], "holds images that medgan augment has drawn"),
    "augmented file": ("again.npz", "out", [], "holds images that medgan augment has drawn"),
    "class name": ("slash.npz", "out", [], "'a/b' cannot name a folder"),
    "classes of one name": ("twins.npz", "out", [], "2 classes are named 'mass'"),
    "dtype": ("bools.npz", "out", [], "TIFF cannot hold bool of 3 channels"),
    "output is an image": ("in", "b.png", [], "OUT was expected to be a folder or to end in .npz"),
    "output is a file": ("in", "words.txt", [], "OUT was expected to be a folder or to end in .npz"),
    "output is a folder": ("in", "dir.npz", [], "is a folder, and a file was to be written there"),
    "output below a file": ("in", "words.txt/out", [], "cannot be written"),
    "output inside": ("in", "in/out", [], "OUT was expected to lie outside of IN"),
    "output exists": ("in", "there.npz", [], "there.npz exists"),
    "onto itself": ("in.npz", "in.npz", ["--force"], "would be written, and is read from"),
    "model exists": ("in", "out", ["--save", "words"], "words exists"),
    "model as data": (
        "in",
        "out.npz",
        ["--save", "out.npz"],
        "--save writes a model of this package alone; got out.npz",
    ),
    "called a file": ("in", "new.zip", [], "OUT was expected to be a folder or to end in .npz; got new.zip"),
    "called a model": ("in", "new.medgan", [], "OUT was expected to be a folder or to end in .npz; got new.medgan"),
    "GAN size": ("in", "out", ["--gan-size", "7"], "--gan-size: expected a whole number of 8 to 4096; got '7'"),
    "GAN size with a model": ("in", "out", ["--model", "m", "--gan-size", "32"], "--gan-size is for fitting"),
    "backbone with a model": ("in", "out", ["--model", "m", "--backbone", "VGG16"], "--backbone is for fitting"),
    "backbone of no model": ("in", "out", ["--backbone", "VGG16"], "not for what is drawn: add --save FILE."),
    "fit option with a model": ("in", "out", ["--model", "m", "--max-iter", "3"], "--max-iter is for fitting"),
    "checkpoint with a model": (
        "in",
        "out",
        ["--model", "m", "--checkpoint-dir", "c"],
        "--checkpoint-dir is for fitting",
    ),
    "checkpoint in a file": (
        "in",
        "out",
        ["--checkpoint-dir", "words"],
        "--checkpoint-dir was expected to be a folder",
    ),
    "save with a model": ("in", "out", ["--model", "m", "--save", "n"], "--save is for fitting"),
    "no model": ("in", "out", ["--model", "m"], "--model was expected to name a file; there is none"),
    "broken model": ("in", "out", ["--model", "empty.medgan"], "is not a file that sklearn_medgan.save wrote"),
    "ratio": ("in", "out", ["--ratio", "0"], "--ratio: expected a number above 0; got '0'"),
    "time": ("in", "out", ["--max-time", "nan"], "--max-time: expected a number of seconds above 0"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_code_2_and_leaves_nothing(case, fake, bad, capsys, monkeypatch):
    source, out, options, message = BAD[case]
    monkeypatch.chdir(bad)
    before, made = contents(bad), folders(bad)
    assert message in refused(capsys, "augment", source, out, *options)
    assert contents(bad) == before
    assert folders(bad) == made


def fake_model(monkeypatch, tmp_path, X, y, estimator="GANAugmenter", **attributes):
    model = Painter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    vars(model).update(attributes)
    fitted = {"image_shape_": model.image_shape_, "classes_": model.classes_}
    summary = {"estimator": estimator, "fitted": fitted, "parameters": {}}
    monkeypatch.setattr(_inputs, "read_summary", lambda path, attributes: summary)
    monkeypatch.setattr(_augment_command, "load", lambda path: model)
    (tmp_path / "m.medgan").write_text("model")
    return tmp_path / "m.medgan"


@pytest.mark.parametrize("labels", [LABELS, np.array(["well", "ill"])[LABELS]])
def test_a_saved_model_is_drawn_from_by_number_or_name(fake, tmp_path, monkeypatch, labels):
    other = images(7, seed=5)
    model = fake_model(monkeypatch, tmp_path, other, labels)
    path = archive(tmp_path / "in.npz", X=images(7), y=LABELS, class_names=["well", "ill"])
    assert augment(path, tmp_path / "out.npz", "--model", model) == 0
    with np.load(tmp_path / "out.npz") as out:
        assert np.array_equal(out["X"][7:, 1:], np.stack([other[0, 1:]] * 3))
        assert json.loads(str(out["provenance"]))["model"] == "m.medgan"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_shape_": None}, "was fitted on a table"),
        ({"image_shape_": (8, 8, 1)}, "draws images of shape (8, 8, 1); those of"),
        ({"classes_": np.array([0, 7])}, "knows the classes [0, 7];"),
        ({"classes_": np.array(["a", "b"])}, "knows the classes ['a', 'b'];"),
        ({"first_of": {1: np.zeros((9, 12), np.float32)}}, "draws float32; the images of"),
    ],
)
def test_a_model_of_other_images_is_refused(fake, tmp_path, monkeypatch, capsys, arguments, message):
    model = fake_model(monkeypatch, tmp_path, images(7), LABELS, **arguments)
    path = archive(tmp_path / "in.npz", X=images(7), y=LABELS)
    assert augment(path, tmp_path / "out.npz", "--model", model) == 2
    assert message in capsys.readouterr().err
    assert set(contents(tmp_path)) == {"in.npz", "m.medgan"}


def test_another_estimator_is_no_model_for_it(fake, tmp_path, monkeypatch, capsys):
    model = fake_model(monkeypatch, tmp_path, images(7), LABELS, estimator="GANEnhancer")
    path = archive(tmp_path / "in.npz", X=images(7), y=LABELS)
    assert augment(path, tmp_path / "out.npz", "--model", model) == 2
    assert "holds a GANEnhancer" in capsys.readouterr().err


def test_an_error_while_writing_leaves_nothing(fake, tmp_path, monkeypatch, capsys):
    before = folder(tmp_path / "in", {"ill": 2, "well": 5})

    def full(path, stack):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_augment_command, "write_stack", full)
    assert augment(tmp_path / "in", tmp_path / "out", "--save", tmp_path / "m") == 2
    assert "No space left on device" in capsys.readouterr().err
    assert contents(tmp_path) == {f"in/{name}": pixels for name, pixels in before.items()}


def test_interrupt_is_code_130_and_writes_nothing(fake, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(fake, "interrupted", True)  # and training swallows it
    path, before = archive(tmp_path / "in.npz", X=images(7), y=LABELS), signal.getsignal(signal.SIGINT)
    assert augment(path, tmp_path / "out.npz", "--save", tmp_path / "m") == 130
    assert capsys.readouterr().err.endswith("\nmedgan: interrupted\n")
    assert set(contents(tmp_path)) == {"in.npz"}
    assert signal.getsignal(signal.SIGINT) is before


# --------------------------------------------------------------------------------------------------- the real estimator


@pytest.mark.slow
def test_a_fit_is_saved_and_draws_the_same_again(tmp_path, capsys):
    path = archive(tmp_path / "in.npz", X=images(7, (8, 8)), y=LABELS, class_names=["well", "ill"])
    state = tmp_path / "state"
    options = ("--max-iter", 2, "--save", tmp_path / "m.medgan", "--backbone", "none", "--checkpoint-dir", state)
    assert augment(path, tmp_path / "out.npz", *options) == 0
    assert {name for name in contents(state)} == {"training.npz"}
    written = (state / "training.npz").stat().st_mtime_ns
    assert augment(path, tmp_path / "repeated.npz", *options, "--force") == 0
    assert (state / "training.npz").stat().st_mtime_ns == written  # nothing was left to learn
    assert contents(tmp_path)["repeated.npz"] == contents(tmp_path)["out.npz"]
    told = capsys.readouterr()
    assert "2/2" in told.err  # the progress bar
    assert "Learning to draw ..." in told.out  # a script that reads it may wait for that
    assert augment(path, tmp_path / "again.npz", "--model", tmp_path / "m.medgan") == 0
    assert augment(path, tmp_path / "other.npz", "--model", tmp_path / "m.medgan", "--seed", 1) == 0
    capsys.readouterr()
    with np.load(tmp_path / "out.npz") as out, np.load(tmp_path / "again.npz") as again:
        assert out["X"].dtype == np.uint8
        assert np.array_equal(out["X"], again["X"])
        with np.load(tmp_path / "other.npz") as other:
            assert not np.array_equal(out["X"][7:], other["X"][7:])
    assert cli.main(["info", str(tmp_path / "m.medgan")]) == 0
    told = capsys.readouterr().out
    assert "GANAugmenter" in told
    assert "images of 8x8x1" in told
    assert "ill, well" in told
    assert "max_iter=2" in told
    assert Path(tmp_path / "m.medgan").stat().st_size > 1000


@pytest.mark.slow
def test_an_unknown_backbone_is_refused_in_the_words_of_the_command(tmp_path, capsys):
    path = archive(tmp_path / "in.npz", X=images(7), y=LABELS)
    error = refused(capsys, "augment", path, tmp_path / "out", "--save", tmp_path / "m", "--backbone", "ResNet5O")
    assert "--backbone must name a network of keras.applications; got 'ResNet5O' (did you mean 'ResNet50'?)." in error
    assert "--backbone none" in error
    assert set(contents(tmp_path)) == {"in.npz"}


@pytest.mark.slow
def test_the_cost_of_large_images_is_one_line(tmp_path, capsys):
    path = archive(tmp_path / "in.npz", X=images(7, (600, 600)), y=LABELS)
    assert augment(path, tmp_path / "out.npz", "--max-iter", 1, "--gan-size", 8) == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "600x600 are larger" in line]
    assert line.startswith("note: Images of 600x600 are larger than 512x512, the largest that are tested.")
    with np.load(tmp_path / "out.npz") as out:
        assert out["X"].shape == (10, 600, 600)
