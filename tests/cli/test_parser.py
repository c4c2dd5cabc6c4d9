import os
import re
import subprocess
import sys

import numpy as np
import pytest
from commands import modules_after

from sklearn_medgan import __version__, cli
from sklearn_medgan.cli import _demo


def medgan(*arguments, **options):
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "sklearn_medgan", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def refused(capsys, *arguments):
    """Exit code and the error line of a call that must fail before training."""
    try:
        code = cli.main([str(argument) for argument in arguments])
    except SystemExit as stop:
        code = stop.code
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("medgan")
    return code, error


@pytest.fixture(autouse=True)
def _no_training(monkeypatch):
    """What should have been refused must not run for minutes."""
    monkeypatch.setattr(_demo, "demonstrate", lambda *_: pytest.fail("the input was accepted"))


def save(tmp_path, **arrays):
    path = tmp_path / "scans.npz"
    np.savez(path, **arrays)
    return path


IMAGES, LABELS = np.zeros((12, 8, 8), np.uint8), np.repeat([0, 1], 6)
BAD_FILES = {
    "no labels": ({"X": IMAGES}, "holds no labels"),
    "one class": ({"X": IMAGES, "y": 0 * LABELS}, "holds 1 class"),
    "few rows": ({"X": IMAGES, "y": [0] * 11 + [1]}, "Class '1' is in one group only"),
    "few groups": (
        {"X": IMAGES, "y": LABELS, "group": np.zeros(12, int)},
        "holds 1 group(s) of rows",
    ),
    "small": ({"X": IMAGES[:, :7], "y": LABELS}, "at least 8 pixels high and wide; got 7x8"),
    "NaN": ({"X": np.full((12, 8, 8), np.nan), "y": LABELS}, "NaN or infinity"),
    "infinity": ({"X": np.full((12, 8, 8), np.inf), "y": LABELS}, "NaN or infinity"),
    "five channels": ({"X": np.zeros((12, 8, 8, 5)), "y": LABELS}, "1 to 4 channels"),
    "a table": ({"X": np.zeros((12, 8)), "y": LABELS}, "Expected images of shape"),
    "text for pixels": ({"X": np.full((12, 8, 8), "a"), "y": LABELS}, "images of numbers"),
    "complex": ({"X": np.zeros((12, 8, 8), complex), "y": LABELS}, "images of numbers"),
    "objects": ({"X": np.array([None, [1]], object), "y": [0, 1]}, "never unpickles"),
    "lengths": ({"X": IMAGES, "y": LABELS[1:]}, "equal lengths"),
    "fractions": ({"X": IMAGES, "y": LABELS / 2}, "whole numbers or text"),
    "empty": ({"X": IMAGES[:0], "y": LABELS[:0]}, "It holds no image"),
    "other keys": ({"scans": IMAGES}, "its keys are"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_file_is_one_line_and_code_2(case, tmp_path, capsys):
    arrays, message = BAD_FILES[case]
    code, error = refused(capsys, "demo", "--data", save(tmp_path, **arrays), "--out", tmp_path / "out")
    assert code == 2
    assert message in error


def test_missing_file(tmp_path, capsys):
    code, error = refused(capsys, "demo", "--data", tmp_path / "none.npz", "--out", tmp_path)
    assert code == 2
    assert "there is none" in error


@pytest.mark.parametrize(("name", "message"), [("scan.npz", "not one"), ("scan.txt", "suffix '.txt'")])
def test_file_of_another_kind(name, message, tmp_path, capsys):
    path = tmp_path / name
    path.write_text("no archive")
    code, error = refused(capsys, "demo", "--data", path, "--out", tmp_path)
    assert code == 2
    assert message in error


@pytest.mark.parametrize("below", ["", "deeper"])
def test_folder_that_cannot_be_written(below, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    code, error = refused(capsys, "demo", "--out", tmp_path / "file" / below)
    assert code == 2
    assert ("cannot be written to" if below else "was expected to be a folder") in error
    assert "--out" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--max-iter", "-1"], "--max-iter: expected a whole number of 1 to 2147483647; got '-1'"),
        (["--max-iter", "0"], "--max-iter"),
        (["--max-iter", "1.5"], "--max-iter"),
        (["--seed", "-3"], "--seed"),
        (["--seed", "4294967296"], "--seed: expected a whole number of 0 to 2147483647"),
        (["--image-size", "7"], "--image-size: expected a whole number of 8 to 4096"),
        (["--image-size", "big"], "--image-size"),
        (["--dta", "x.npz"], "there is no option --dta. Did you mean '--data'?"),
        (["--zzz=1"], "there is no option --zzz. (see medgan demo --help)"),
        (["--axis", "axal"], "Did you mean 'axial'?"),
        (["--dat", "none.npz"], "there is none"),
    ],
)
def test_bad_option_is_one_line_and_code_2(arguments, message, capsys):
    code, error = refused(capsys, "demo", *arguments)
    assert code == 2
    assert message in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: COMMAND"),
        (["enhnce", "a", "b"], "Did you mean 'enhance'?"),
        (["--verison"], "Did you mean '--version'?"),
        (["enhance", "a", "b", "--modl", "c"], "Did you mean '--model'?"),
    ],
)
def test_command_must_be_known(arguments, message, capsys):
    code, error = refused(capsys, *arguments)
    assert code == 2
    assert message in error


@pytest.mark.parametrize(("line", "completions"), [("medgan enh", {"enhance"}), ("medgan info --qu", {"--quiet"})])
def test_the_shell_completes_words(line, completions, tmp_path):
    pytest.importorskip("argcomplete")
    asked = {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE_IFS": "|"}
    out = tmp_path / "words"
    medgan(env={**os.environ, **asked, "_ARGCOMPLETE_STDOUT_FILENAME": str(out)})
    assert set(out.read_text().replace(" ", "").split("|")) == completions


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--help"], "demo"),
        (["--version"], f"medgan {__version__}"),
        *(([name, "--help"], name) for name in ("demo", "benchmark", "augment", "enhance", "info")),
    ],
)
@pytest.mark.slow
def test_help_and_version_answer_without_heavy_imports(words, text):
    loaded, output = modules_after(*words)
    assert text in output
    assert not loaded & {"numpy", "sklearn", "tensorflow"}


def test_interrupt_is_code_130(monkeypatch, capsys, tmp_path):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(_demo, "embedded", interrupted)
    assert cli.main(["demo", "--out", str(tmp_path)]) == 130
    assert capsys.readouterr().err.endswith("\nmedgan: interrupted\n")


def test_the_codes_of_the_demo_are_the_codes_of_the_command(monkeypatch, tmp_path):
    monkeypatch.setattr(_demo, "run", lambda *_, **__: 130)
    path = save(tmp_path, X=IMAGES, y=LABELS)
    assert cli.main(["demo", "--data", str(path), "--out", str(tmp_path)]) == 130


def test_options_reach_the_demo(monkeypatch, tmp_path, capsys):
    received = {}

    def demonstrate(job, report, command, session, n_jobs):
        received.setdefault("job", job)
        received.setdefault("report", report)
        received["command"] = command
        received["jobs"] = n_jobs
        return f"{report}: it helps."

    monkeypatch.setattr(_demo, "demonstrate", demonstrate)
    path = save(tmp_path, X=np.zeros((12, 40, 40), np.uint8), y=LABELS)
    options = {"--data": path, "--out": tmp_path / "new" / "out", "--max-iter": 7, "--seed": 3, "--image-size": 20}
    options["--jobs"] = 2
    cli.main(["demo", *(str(part) for pair in options.items() for part in pair)])
    assert received["job"].max_iter == 7
    assert received["job"].data.X.shape == (12, 20, 20)
    assert received["job"].seeds == [3, 4]
    assert received["report"] == tmp_path / "new" / "out" / "own.html"
    assert received["report"].parent.is_dir()
    assert received["jobs"] == 2
    assert received["command"].startswith("medgan demo --data ")
    end = [f"{received['report']}: it helps."] * 2  # images as they are, and enhanced
    assert capsys.readouterr().out.splitlines()[-4:-2] == [end[0], end[1].replace("own", "own_enhanced")]


@pytest.mark.slow
def test_demo_on_an_own_file_from_end_to_end(tmp_path):
    rng = np.random.RandomState(0)
    y = np.tile([0, 1], 18)
    X = (rng.rand(36, 8, 8, 3) * 40 + 150 * y[:, None, None, None]).astype(np.uint8)
    path = save(tmp_path, X=X, y=y, group=np.arange(36) // 4, class_names=["dark", "bright"])
    done = medgan(
        "demo", "--data", path, "--out", tmp_path / "out", "--max-iter", 2, cwd=tmp_path, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()  # TensorFlow's start-up log is silenced
    told = r"Loading| *\d+%.*/(12|6)|\d+ s in all. Next: medgan benchmark --data"
    assert all(re.match(told, line) for line in lines)
    assert "36 images of 8x8x3 (18 of dark, 18 of bright), 9 groups.\n2 folds, seeds 0, 1." in done.stdout
    assert re.search(r"StandardScaler \+ SVC +1\.000 ", done.stdout)
    assert re.search(r"pretrained features +1\.000 .*reference", done.stdout)
    assert "3 comparisons with a reference" in done.stdout
    pages = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "out").iterdir()}
    assert set(pages) == {"own.html", "own_enhanced.html"}
    assert all(f"wrote {tmp_path / 'out' / name}" in done.stdout for name in pages)
    assert pages["own.html"].count('alt="real, dark"') == pages["own.html"].count('alt="synthetic, dark"') == 6
    assert "generator loss" in pages["own.html"]
    assert re.search(r"clean-trained: clean +1\.000 ", done.stdout)
    assert pages["own_enhanced.html"].count('alt="enhanced') == 6
