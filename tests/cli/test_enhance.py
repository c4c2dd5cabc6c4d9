"""The command `medgan enhance` against files read back by other means; the network matters in the last tests only."""

import contextlib
import importlib.util
import signal
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from commands import contents, folders, images, png, read, refused
from PIL import Image
from sklearn.exceptions import ConvergenceWarning

from sklearn_medgan import GANAugmenter, GANEnhancer, cli, persistence, save
from sklearn_medgan.cli import _enhance, _inputs, _session
from sklearn_medgan.cli._inputs import write_npz
from sklearn_medgan.plotting import EnhancementDisplay


class Inverter:
    """Keeps the interface of GANEnhancer; turns images into 100 minus themselves, enlarged by repeating pixels."""

    last = None
    interrupted = False

    def __init__(self, *, supervision, degradation, scale, max_time, max_iter, checkpoint_dir, random_state, verbose):
        self.parameters = dict(
            degradation=degradation, max_time=max_time, max_iter=max_iter, random_state=random_state, verbose=verbose
        )
        self.supervision, self.checkpoint_dir = supervision, checkpoint_dir
        self.scale, self.n_calls, self.n_iter_ = scale, 0, 7
        psnr = {"network": 27.25, "nothing": 20.0, "median": 31.5}
        self.guard_report_ = {"chosen": "network", "psnr": psnr, "n_held_out": 5}
        Inverter.last = self

    def fit(self, X, reference=None):
        self.reference = reference
        if len(X) < 2:
            raise ValueError("too few")
        if self.interrupted:
            with contextlib.suppress(KeyboardInterrupt):  # as training does
                signal.raise_signal(signal.SIGINT)
        self.good, self.image_shape_ = X, (*X.shape[1:], 1)[:3]
        warnings.warn("one note", ConvergenceWarning, stacklevel=2)
        return self

    def transform(self, X):
        self.n_calls += 1
        n_channels = (*X.shape, 1)[3]
        if n_channels != self.image_shape_[2]:
            raise ValueError(f"GANEnhancer was fitted on images of 1 channel(s); got {n_channels}.")
        return (100 - X.repeat(self.scale, 1).repeat(self.scale, 2)).astype(X.dtype)

    def uncertainty(self, X, n_samples):
        assert n_samples is None  # exact
        return np.full(self.transform(X).shape, 0.5, np.float32)


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setattr(_enhance, "GANEnhancer", Inverter)
    monkeypatch.setattr(persistence, "save", lambda estimator, path: path.write_text("model"))
    monkeypatch.setattr(_session, "import_backend", lambda: None)
    monkeypatch.setattr(Inverter, "interrupted", False)
    return Inverter


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "good.npz"
    np.savez(path, X=np.zeros((4, 16, 16), np.uint8), y=[0, 0, 1, 1])
    return path


def enhance(*arguments):
    return cli.main(["enhance", *map(str, arguments)])


def image(seed=0, shape=(16, 16), dtype=np.uint8):
    return images(1, shape, dtype, seed)[0]


def tree(folder):
    return set(contents(folder))


# ------------------------------------------------------------------------------------------------------ what is written


def test_a_file_is_restored_and_the_command_says_what_it_did(fake, good, tmp_path, capsys):
    source = png(tmp_path / "a.png", image())
    assert enhance(source, tmp_path / "new" / "b.png", "--good", good) == 0
    assert np.array_equal(read(tmp_path / "new" / "b.png"), 100 - image())
    out, error = capsys.readouterr()
    for part in (
        "a.png: 1 image(s) in 1 file(s), 16x16 uint8.",
        "good.npz: 4 good images of 16x16 uint8.",
        "The network reaches 27.2 dB, doing nothing 20.0 dB, on 5 good ones held out, made poor by the degradation. "
        "Images are restored by the network.",
        "note: one note\n",
        "1 file(s) written to",
    ):
        assert part in (out if "dB" in part or "written" in part else error)
    assert out.endswith("Research use; not a medical device.\n")
    assert "1/1 [" in error  # the bar of images
    assert error.endswith("Next: the same with --save FILE, then medgan enhance MORE MORE_OUT --model FILE\n")


def test_the_state_of_learning_is_kept_where_asked_for(fake, good, tmp_path, capsys):
    source = png(tmp_path / "a.png", image())
    line = (source, tmp_path / "b.png", "--checkpoint-dir")
    assert enhance(*line, tmp_path / "state", "--good", good) == 0
    assert fake.last.checkpoint_dir == str(tmp_path / "state")
    capsys.readouterr()
    assert "--checkpoint-dir was expected to be a folder" in refused(capsys, "enhance", *line, source, "--good", good)
    assert "--checkpoint-dir is for fitting" in refused(capsys, "enhance", *line, "state", "--model", "m")


def test_the_suffix_of_the_output_is_its_format_and_the_dtype_stays(fake, good, tmp_path):
    pixels = image(shape=(9, 12), dtype=np.uint16)
    source = png(tmp_path / "a.png", pixels)
    assert enhance(source, tmp_path / "b.tif", "--good", good) == 0
    restored = tifffile.imread(tmp_path / "b.tif")
    assert restored.dtype == np.uint16
    assert np.array_equal(restored, 100 - pixels)


def test_pages_stay_together(fake, good, tmp_path):
    pages = image(shape=(3, 16, 16), dtype=np.int16)
    tifffile.imwrite(tmp_path / "a.tif", pages, photometric="minisblack")
    assert enhance(tmp_path / "a.tif", tmp_path / "b.tif", "--good", good, "--uncertainty") == 0
    assert np.array_equal(tifffile.imread(tmp_path / "b.tif"), 100 - pages)
    assert tifffile.imread(tmp_path / "b_uncertainty.tif").shape == (3, 16, 16)


@pytest.mark.parametrize("at_once", [1, 2**23])
def test_a_folder_keeps_its_classes_names_and_sizes(fake, good, tmp_path, monkeypatch, at_once):
    monkeypatch.setattr(_enhance, "MOST_VALUES", at_once)
    files = {
        "ill/1.png": image(1),
        "ill/2.png": image(2, (20, 12)),
        "well/1.png": image(3),
        "well/2.png": image(4, dtype=np.uint16),
    }
    for name, pixels in files.items():
        png(tmp_path / "in" / name, pixels)
    (tmp_path / "in" / "notes.txt").write_text("not an image")
    assert enhance(tmp_path / "in", tmp_path / "out", "--good", good, "--uncertainty") == 0
    assert tree(tmp_path / "out") == set(files)
    for name, pixels in files.items():
        assert np.array_equal(read(tmp_path / "out" / name), 100 - pixels)
    maps = tmp_path / "out_uncertainty"
    assert tree(maps) == {name.replace(".png", "_uncertainty.tif") for name in files}
    assert tifffile.imread(maps / "ill" / "2_uncertainty.tif").dtype == np.float32
    assert tifffile.imread(maps / "ill" / "2_uncertainty.tif").shape == (20, 12)
    assert fake.last.n_calls == 2 * (4 if at_once == 1 else 3)  # images of one shape and dtype go together


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_an_archive_comes_back_with_its_other_arrays(fake, good, tmp_path, dtype):
    arrays = {
        "X": image(shape=(5, 16, 16), dtype=dtype),
        "y": np.array([0, 1, 1, 0, 1]),
        "group": np.array(["a", "b", "b", "c", "d"]),
        "spacing": np.array((0.5, 0.7)),
        "file": np.float32(3),  # the name that numpy.savez keeps for itself
    }
    np.savez_compressed(tmp_path / "in.npz", **{k: v for k, v in arrays.items() if k != "file"})
    with np.load(tmp_path / "in.npz") as archive:
        write_npz(tmp_path / "in2.npz", {**archive, "file": arrays["file"]}, 8)
    assert enhance(tmp_path / "in2.npz", tmp_path / "out.npz", "--good", good, "--uncertainty") == 0
    with np.load(tmp_path / "out.npz") as archive:
        assert list(archive) == list(arrays)
        for key, array in arrays.items():
            assert archive[key].dtype == np.asarray(array).dtype
            assert np.array_equal(archive[key], 100 - array if key == "X" else array)
    with np.load(tmp_path / "out_uncertainty.npz") as archive:
        assert list(archive) == ["X"]
        assert archive["X"].dtype == np.float32


def test_every_split_of_medmnist_is_restored(fake, tmp_path):
    arrays = {f"{s}_images": image(i, (i + 2, 16, 16, 3)) for i, s in enumerate(("train", "test"))}
    arrays |= {f"{s}_labels": np.zeros((i + 2, 1), np.uint8) for i, s in enumerate(("train", "test"))}
    np.savez(tmp_path / "in.npz", **arrays)
    assert enhance(tmp_path / "in.npz", tmp_path / "out.npz", "--good", tmp_path / "in.npz") == 0
    with np.load(tmp_path / "out.npz") as archive:
        for key, array in arrays.items():
            assert np.array_equal(archive[key], 100 - array if key.endswith("images") else array)


def test_options_reach_the_estimator(fake, good, tmp_path, capsys):
    source = png(tmp_path / "a.png", image())
    options = ["--degradation", "blur, noise", "--scale", 2, "--max-time", 1.5, "--max-iter", 9, "--seed", 3]
    assert enhance(source, tmp_path / "b.png", "--good", good, *options, "--save", tmp_path / "m.medgan") == 0
    assert read(tmp_path / "b.png").shape == (32, 32)
    assert (tmp_path / "m.medgan").read_text() == "model"
    found = fake.last.parameters
    assert found == dict(degradation=["blur", "noise"], max_time=1.5, max_iter=9, random_state=3, verbose=1)
    assert np.array_equal(fake.last.good, np.zeros((4, 16, 16)))
    assert "2 file(s) written" in capsys.readouterr().out


def test_without_options_the_fit_is_blind_and_bounded(fake, good, tmp_path):
    assert enhance(png(tmp_path / "a.png", image()), tmp_path / "b.png", "--good", good) == 0
    assert fake.last.scale == 1
    assert fake.last.parameters == dict(degradation="auto", max_time=300.0, max_iter="auto", random_state=0, verbose=1)


@pytest.mark.parametrize(
    ("chosen", "psnr", "words"),
    [
        ("median", {"network": 19.0, "nothing": 20.0, "median": 31.5}, "restored by 'median' instead (31.5 dB)."),
        ("network", {}, "guard=False"),
        ("nothing", {}, "No noise was found"),
    ],
)
def test_the_verdict_names_what_is_used(chosen, psnr, words):
    assert words in _enhance.verdict({"chosen": chosen, "psnr": psnr, "n_held_out": 5})


def test_the_verdict_names_what_methods_were_compared_on():
    report = {"chosen": "network", "psnr": {"network": 25.0, "nothing": 22.0}, "n_held_out": 5, "supervision": "self"}
    assert "doing nothing 22.0 dB, on 5 noisy ones held out, by pixels" in _enhance.verdict(report)


def test_noisy_images_are_learned_from_alone(fake, good, tmp_path, capsys):
    assert enhance(good, tmp_path / "b.npz", "--self") == 0
    assert (fake.last.supervision, fake.last.reference) == ("self", None)
    assert np.array_equal(fake.last.good, np.zeros((4, 16, 16)))
    assert "4 noisy images of 16x16 uint8" in capsys.readouterr().err


def test_poor_images_are_learned_from_beside_good_ones_of_others(fake, good, tmp_path):
    stack = images(3, (20, 24), np.uint8, 1)
    for k in range(3):
        png(tmp_path / "poor" / f"{k}.png", stack[k])
    assert enhance(tmp_path / "poor", tmp_path / "out", "--reference", good) == 0
    assert fake.last.supervision == "auto"
    assert np.array_equal(fake.last.good, stack)
    assert np.array_equal(fake.last.reference, np.zeros((4, 16, 16)))


def test_good_images_of_several_sizes_are_resized(fake, tmp_path):
    for k, side in enumerate((16, 20, 33)):
        png(tmp_path / "good" / f"{k}.png", np.full((side, 24), 10 * k, np.uint8))
    source = png(tmp_path / "a.png", image(shape=(20, 30)))
    assert enhance(source, tmp_path / "b.png", "--good", tmp_path / "good", "--image-size", 16) == 0
    assert np.array_equal(fake.last.good, np.stack([np.full((16, 16), 10 * k) for k in range(3)]))
    assert read(tmp_path / "b.png").shape == (20, 30)


def test_existing_files_are_replaced_only_when_asked(fake, good, tmp_path, capsys):
    source, out = png(tmp_path / "in" / "a.png", image()), png(tmp_path / "out" / "a.png", image(9))
    (tmp_path / "out" / "other.txt").write_text("mine")
    assert enhance(source.parent, out.parent, "--good", good) == 2
    assert "a.png exists (1 file(s) in all). Name another, or pass --force." in capsys.readouterr().err
    assert np.array_equal(read(out), image(9))
    assert enhance(source.parent, out.parent, "--good", good, "--force") == 0
    assert np.array_equal(read(out), 100 - image())
    assert tree(tmp_path / "out") == {"a.png", "other.txt"}


# ------------------------------------------------------------------------------------------------------------ bad input


def model_file(path):
    rows = np.random.default_rng(0).normal(size=(8, 2))
    save(GANAugmenter(backbone=None, max_iter=1, width=4, latent_dim=4, batch_size=4, random_state=0).fit(rows), path)


def _prepare(tmp_path):
    """A folder with something wrong in every file but a.png."""
    png(tmp_path / "a.png", image())
    png(tmp_path / "small.png", image(shape=(7, 16)))
    png(tmp_path / "colour.png", image(shape=(16, 16, 3)))
    png(tmp_path / "there.png", image())
    png(tmp_path / "twins" / "a.png", image())
    Image.fromarray(image()).save(tmp_path / "twins" / "a.jpg")
    png(tmp_path / "sizes" / "a.png", image())
    png(tmp_path / "sizes" / "b.png", image(shape=(20, 20)))
    png(tmp_path / "long" / f"{'x' * 247}.png", image())
    (tmp_path / "empty").mkdir()
    (tmp_path / "cut.png").write_bytes((tmp_path / "a.png").read_bytes()[:40])
    (tmp_path / "words.txt").write_text("no image")
    tifffile.imwrite(tmp_path / "nan.tif", np.full((16, 16), np.nan, np.float32))
    tifffile.imwrite(tmp_path / "float.tif", np.zeros((16, 16), np.float32))
    tifffile.imwrite(tmp_path / "pages.tif", np.zeros((2, 16, 16), np.uint8), photometric="minisblack")
    np.savez(tmp_path / "table.npz", X=np.zeros((5, 16)))
    np.savez(tmp_path / "keys.npz", scans=np.zeros((5, 16, 16)))
    np.savez(tmp_path / "none.npz", X=np.zeros((0, 16, 16)))
    np.savez(tmp_path / "objects.npz", X=np.zeros((5, 16, 16)), names=np.array([None, "b"], object))
    np.savez(tmp_path / "single.npz", X=np.zeros((1, 16, 16)))
    (tmp_path / "empty.medgan").write_text("no model")


BAD = {
    "neither": ("a.png", "b.png", [], "the arguments --model --good --reference --self is req"),
    "both": ("a.png", "b.png", ["--good", "good.npz", "--model", "m"], "not allowed with"),
    "two ways to learn": ("a.png", "b.png", ["--good", "good.npz", "--self"], "not allowed with"),
    "degradation and --self": (
        "a.png",
        "b.png",
        ["--self", "--degradation", "blur"],
        "--degradation is for --good; --self",
    ),
    "scale and reference": ("a.png", "b.png", ["--reference", "good.npz", "--scale", "2"], "--scale is for --good"),
    "uncertainty and --self": ("a.png", "b.png", ["--self", "--uncertainty"], "--uncertainty needs good images"),
    "no reference": ("a.png", "b.png", ["--reference", "gone"], "--reference: Expected a file or folder"),
    "onto the reference": ("single.npz", "good.npz", ["--reference", "good.npz", "--force"], "is read from"),
    "reference channels": ("colour.png", "b.png", ["--reference", "good.npz"], "those of --reference good.npz have 1"),
    "several sizes alone": ("sizes", "out", ["--self"], "Pass --image-size N to resize them"),
    "fit option with a model": ("a.png", "b.png", ["--model", "m", "--max-iter", "3"], "--max-iter is for fitting"),
    "save with a model": ("a.png", "b.png", ["--model", "m", "--save", "n"], "--save is for fitting"),
    "time": ("a.png", "b.png", ["--good", "good.npz", "--max-time", "inf"], "--max-time: expected a number of"),
    "scale": ("a.png", "b.png", ["--good", "good.npz", "--scale", "5"], "--scale: expected a whole number of 1 to 4"),
    "degradation": ("a.png", "b.png", ["--good", "good.npz", "--degradation", "nose"], "did you mean 'noise'"),
    "picture": ("a.png", "b.png", ["--good", "good.npz", "--picture", "p.txt"], "--picture was expected to end in"),
    "no model": ("a.png", "b.png", ["--model", "m"], "--model was expected to name a file; there is none"),
    "broken model": ("a.png", "b.png", ["--model", "empty.medgan"], "is not a file that sklearn_medgan.save wrote"),
    "no input": ("gone.png", "b.png", None, "There is no file or folder"),
    "other input": ("words.txt", "b.png", None, "IN was expected to be a folder or to end in .npz or .png"),
    "other output": ("a.png", "b.txt", None, "expected to end in .png"),
    "folder to what is called a file": ("twins", "new.png", None, "OUT was expected to be a folder; got new.png"),
    "model as a picture": ("a.png", "b.png", ["--good", "good.npz", "--save", "m.png"], "Let it end in .medgan"),
    "npz to png": ("good.npz", "b.png", None, "OUT was expected to end in .npz"),
    "folder to file": ("twins", "words.txt", None, "OUT was expected to be a folder; got words.txt"),
    "file to folder": ("a.png", "dotted.png", None, "is a folder, and a file was to be written there"),
    "existing": ("a.png", "there.png", None, "there.png exists"),
    "onto itself": ("a.png", "a.png", ["--good", "good.npz", "--force"], "would be written, and is read from"),
    "onto the good": ("single.npz", "good.npz", ["--good", "good.npz", "--force"], "is read from"),
    "inside itself": ("twins", "twins/out", None, "OUT was expected to lie outside of IN"),
    "maps of names too long": ("long", "out", ["--good", "good.npz", "--uncertainty"], "File name too long"),
    "model of a name too long": ("a.png", "b.png", ["--good", "good.npz", "--save", "x" * 300], "cannot be written"),
    "maps of one name": ("twins", "out", ["--good", "good.npz", "--uncertainty"], "would be written twice"),
    "below a file": ("a.png", "words.txt/b.png", None, "cannot be written"),
    "cut short": ("cut.png", "b.png", None, "is not an image that can be read"),
    "small": ("small.png", "b.png", None, "small.png: Images must be at least 8 pixels high and wide; got 7x16"),
    "NaN": ("nan.tif", "b.tif", None, "nan.tif: It holds NaN or infinity"),
    "format too narrow": ("float.tif", "b.png", None, "PNG cannot hold float32"),
    "pages": ("pages.tif", "b.png", None, "PNG cannot hold 2 images"),
    "empty folder": ("empty", "out", None, "it holds nothing"),
    "a table": ("table.npz", "b.npz", None, "Expected images of shape"),
    "other keys": ("keys.npz", "b.npz", None, "its keys are ['scans']"),
    "no rows": ("none.npz", "b.npz", None, "It holds no image"),
    "objects": ("objects.npz", "b.npz", None, "'names' in"),
    "no good": ("a.png", "b.png", ["--good", "gone"], "--good: Expected a file or folder"),
    "good of many sizes": ("a.png", "b.png", ["--good", "sizes"], "Pass --image-size N to resize them"),
    "one good image": ("a.png", "b.png", ["--good", "single.npz"], "single.npz: too few"),
    "channels": ("colour.png", "b.png", None, "colour.png has images of 3 channel(s), those of --good good.npz have 1"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_code_2_and_leaves_nothing(case, fake, good, tmp_path, capsys, monkeypatch):
    source, out, options, message = BAD[case]
    _prepare(tmp_path)
    (tmp_path / "dotted.png").mkdir()
    monkeypatch.chdir(tmp_path)
    before, made = contents(tmp_path), folders(tmp_path)
    assert message in refused(capsys, "enhance", source, out, *(["--good", "good.npz"] if options is None else options))
    assert contents(tmp_path) == before
    assert folders(tmp_path) == made


def fake_model(monkeypatch, tmp_path, image_shape, estimator="GANEnhancer", report=None):
    model = Inverter(
        supervision="auto",
        degradation="auto",
        scale=1,
        max_time=None,
        max_iter=1,
        checkpoint_dir=None,
        random_state=0,
        verbose=0,
    )
    model.image_shape_ = image_shape
    summary = {
        "estimator": estimator,
        "fitted": {"image_shape_": image_shape, "guard_report_": report or {}},
        "parameters": {},
    }
    monkeypatch.setattr(_inputs, "read_summary", lambda path, attributes: summary)
    monkeypatch.setattr(_enhance, "load", lambda path: model)
    (tmp_path / "m.medgan").write_text("model")
    return tmp_path / "m.medgan"


def test_a_model_for_other_channels_is_refused_by_the_name_of_the_file(fake, tmp_path, monkeypatch, capsys):
    for name, shape in {"in/a.png": (16, 16), "in/b.png": (16, 16, 3)}.items():
        png(tmp_path / name, image(shape=shape))
    model = fake_model(monkeypatch, tmp_path, (16, 16, 1))
    assert enhance(tmp_path / "in", tmp_path / "out", "--model", model) == 2
    assert "b.png has images of 3 channel(s), those of --model" in capsys.readouterr().err
    assert tree(tmp_path) == {"in/a.png", "in/b.png", "m.medgan"}
    assert not (tmp_path / "out").exists()


def test_a_model_of_a_table_or_another_estimator_is_refused(fake, tmp_path, monkeypatch, capsys):
    source = png(tmp_path / "a.png", image())
    model = fake_model(monkeypatch, tmp_path, None)
    assert enhance(source, tmp_path / "b.png", "--model", model) == 2
    assert "was fitted on a table" in capsys.readouterr().err
    fake_model(monkeypatch, tmp_path, (16, 16, 1), "GANAugmenter")
    assert enhance(source, tmp_path / "b.png", "--model", model) == 2
    assert "holds a GANAugmenter" in capsys.readouterr().err


def test_uncertainty_of_a_model_of_noisy_images_alone_is_refused_before_it_is_loaded(
    fake, tmp_path, monkeypatch, capsys
):
    model = fake_model(monkeypatch, tmp_path, (16, 16, 1), report={"supervision": "self"})
    monkeypatch.setattr(_enhance, "load", None)
    source = png(tmp_path / "a.png", image())
    assert enhance(source, tmp_path / "b.png", "--model", model, "--uncertainty") == 2
    assert f"--uncertainty needs good images to know errors by; --model {model} learned" in capsys.readouterr().err


def test_a_note_about_images_names_their_file(fake, good, tmp_path, monkeypatch, capsys):
    for name in "ab":
        png(tmp_path / "in" / f"{name}.png", image())
    png(tmp_path / "in" / "c.png", image(shape=(20, 20)))
    monkeypatch.setattr(
        fake, "uncertainty", lambda self, X, n_samples: warnings.warn("far off", stacklevel=2) or 1.0 * X
    )
    assert enhance(tmp_path / "in", tmp_path / "out", "--good", good, "--uncertainty") == 0
    out = capsys.readouterr().err
    assert f"note: {tmp_path / 'in' / 'a.png'} and 1 more like it: far off" in out
    assert f"note: {tmp_path / 'in' / 'c.png'}: far off" in out


def test_a_picture_without_matplotlib_is_refused_before_the_fit(fake, good, tmp_path, monkeypatch, capsys):
    fake.last = None
    source = png(tmp_path / "a.png", image())
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "matplotlib" else found(name))
    assert enhance(source, tmp_path / "b.png", "--good", good, "--picture", tmp_path / "p.png") == 2
    assert 'pip install "sklearn-medgan[plot]"' in capsys.readouterr().err
    assert fake.last is None


def test_an_error_while_writing_leaves_nothing(fake, good, tmp_path, monkeypatch, capsys):
    for name in ("a", "b"):
        png(tmp_path / "in" / f"{name}.png", image())
    calls = []

    def full(path, *of_image):
        calls.append(path.write_bytes(b"half"))
        if len(calls) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(_enhance, "write_restored", full)
    assert enhance(tmp_path / "in", tmp_path / "out", "--good", good) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert tree(tmp_path) == {"in/a.png", "in/b.png", "good.npz"}


def test_interrupt_is_code_130_and_writes_nothing(fake, good, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(fake, "interrupted", True)  # and training swallows it
    source, before = png(tmp_path / "a.png", image()), signal.getsignal(signal.SIGINT)
    assert enhance(source, tmp_path / "b.png", "--good", good, "--save", tmp_path / "m") == 130
    assert capsys.readouterr().err.endswith("\nmedgan: interrupted\n")
    assert tree(tmp_path) == {"a.png", "good.npz"}
    assert signal.getsignal(signal.SIGINT) is before


# --------------------------------------------------------------------------------------------------- the real estimator


def test_a_fit_is_saved_and_used_again_with_the_same_result(tmp_path, monkeypatch, capsys):
    X = image(shape=(12, 16, 16))
    np.savez(tmp_path / "good.npz", X=X)
    for name in "abcde":
        png(tmp_path / "in" / f"{name}.png", image(ord(name)))
    shown = SimpleNamespace(labels=None)
    drawn = EnhancementDisplay.from_estimator

    def remember(estimator, images, *, display_labels, **options):
        shown.labels, shown.images = display_labels, images
        return drawn(estimator, images, display_labels=display_labels, **options)

    monkeypatch.setattr(EnhancementDisplay, "from_estimator", remember)
    options = ["--degradation", "noise", "--max-iter", 2, "--save", tmp_path / "m.medgan", "--uncertainty"]
    fit = ["--good", tmp_path / "good.npz", *options, "--picture", tmp_path / "p.png"]
    assert enhance(tmp_path / "in", tmp_path / "out", *fit) == 0
    assert "2/2" in capsys.readouterr().err  # the progress bar
    assert shown.labels == ["a.png", "b.png", "c.png", "d.png"]
    assert np.array_equal(shown.images[1], image(ord("b")))
    assert read(tmp_path / "p.png").ndim == 3
    enhancer = _enhance.load(tmp_path / "m.medgan")
    assert isinstance(enhancer, GANEnhancer)
    for name in "abcde":
        poor = image(ord(name))[None]
        assert np.array_equal(read(tmp_path / "out" / f"{name}.png"), enhancer.transform(poor)[0])
        spread = tifffile.imread(tmp_path / "out_uncertainty" / f"{name}_uncertainty.tif")
        assert np.array_equal(spread, enhancer.uncertainty(poor, n_samples=None)[0])
    assert enhance(tmp_path / "in", tmp_path / "again", "--model", tmp_path / "m.medgan") == 0
    for name in tree(tmp_path / "out"):
        assert np.array_equal(read(tmp_path / "again" / name), read(tmp_path / "out" / name))


def test_a_saved_augmenter_is_no_model_for_it(tmp_path, capsys):
    model_file(tmp_path / "m.medgan")
    source = png(tmp_path / "a.png", image())
    assert enhance(source, tmp_path / "b.png", "--model", tmp_path / "m.medgan") == 2
    assert "--model was expected to hold a GANEnhancer" in capsys.readouterr().err


def test_dicom_and_nifti_come_back_as_such_and_what_identity_is_left_is_told(fake, tmp_path, capsys):
    pydicom, nibabel = pytest.importorskip("pydicom"), pytest.importorskip("nibabel")
    from pydicom.data import get_testdata_file

    source = tmp_path / "in"
    source.mkdir()
    (source / "scan").write_bytes(Path(get_testdata_file("MR_small.dcm")).read_bytes())  # no suffix, as of hospitals
    volume = nibabel.Nifti1Image(np.arange(16 * 18 * 2, dtype=np.int16).reshape(16, 18, 2), np.diag([2, 2, 2, 1]))
    nibabel.save(volume, source / "brain.nii.gz")
    np.savez(tmp_path / "good.npz", X=np.zeros((4, 16, 16), np.int16))
    assert enhance(source, tmp_path / "out", "--good", tmp_path / "good.npz") == 0
    before, after = (pydicom.dcmread(path / "scan") for path in (source, tmp_path / "out"))
    np.testing.assert_array_equal(after.pixel_array, 100 - before.pixel_array)
    assert after.PatientID == before.PatientID
    np.testing.assert_array_equal(nibabel.load(tmp_path / "out" / "brain.nii.gz").dataobj, 100 - volume.dataobj)
    told = "".join(capsys.readouterr())
    assert "note: DICOM files that were written keep the header" in told
    assert str(before.PatientName) not in told
    assert enhance(source / "scan", tmp_path / "one.tif", "--good", tmp_path / "good.npz") == 0
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "one.tif"), 100 - before.pixel_array)


def test_volumes_are_cut_along_the_axis_that_is_named(fake, tmp_path, capsys):
    nibabel = pytest.importorskip("nibabel")
    volume = nibabel.Nifti1Image(np.arange(16 * 18 * 9, dtype=np.int16).reshape(16, 18, 9), np.eye(4))
    nibabel.save(volume, tmp_path / "brain.nii")
    np.savez(tmp_path / "good.npz", X=np.zeros((4, 16, 16), np.int16))
    line = (tmp_path / "brain.nii", tmp_path / "out.nii", "--good", tmp_path / "good.npz", "--axis", "coronal")
    assert enhance(*line) == 0
    assert "18 image(s) in 1 file(s), 9x16 int16" in capsys.readouterr().err
    np.testing.assert_array_equal(nibabel.load(tmp_path / "out.nii").dataobj, 100 - volume.dataobj)


def test_what_cannot_be_read_is_left_out_where_asked_for_and_named(fake, good, tmp_path, capsys):
    source = png(tmp_path / "in" / "a.png", image())
    (tmp_path / "in" / "b.png").write_bytes(source.read_bytes()[:40])
    line = (tmp_path / "in", tmp_path / "out", "--good", good)
    assert enhance(*line) == 2
    assert enhance(*line, "--skip-unreadable", "--uncertainty") == 0
    assert f"note: Left out, since it cannot be read: {tmp_path / 'in' / 'b.png'}" in capsys.readouterr().err
    assert tree(tmp_path / "out") == {"a.png"}
    source.unlink()
    assert enhance(*line, "--skip-unreadable", "--force") == 2
    assert "No file of 1 can be read" in capsys.readouterr().err
