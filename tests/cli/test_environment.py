"""Machines without a home, a language, room or a right to write: what a command says and leaves there."""

import os
import subprocess
import sys

import numpy as np
import pytest
from commands import contents, images, model_file, png, refused
from tiny import gan

from sklearn_medgan import save

resource = pytest.importorskip("resource", reason="needs POSIX")
PIXELS = np.concatenate([images(6), images(6, seed=1)])
LABELS = np.repeat(["krank", "gesund"], 6)
MOST_BYTES = 100


@pytest.fixture
def scans(tmp_path):
    folder = tmp_path / "Aufnahmen für 肺"
    for number, (pixels, label) in enumerate(zip(PIXELS[:9], LABELS[:9], strict=True)):
        png(folder / label / f"{number} ä.png", pixels)
    return folder


@pytest.fixture
def model(tmp_path):
    save(gan().fit(PIXELS, LABELS), tmp_path / "größe.medgan")
    return tmp_path / "größe.medgan"


def augment(scans, model, out, environment=(), **options):
    line = [sys.executable, "-m", "sklearn_medgan.cli", "augment", scans, out, "--model", model, "-q"]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **dict(environment)}
    return subprocess.run(line, capture_output=True, env=environment, check=False, **options)


@pytest.mark.slow
def test_without_home_language_and_standard_input_it_works(scans, model, tmp_path):
    bare = {"HOME": "/dev/null", "LANG": "C", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    out = tmp_path / "mit ü"
    done = augment(scans, model, out, bare, preexec_fn=lambda: os.close(0))
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr
    assert len([name for name in contents(out) if name.endswith(".png")]) == 12  # three more of the rarer class
    assert not os.path.exists("/dev/null/.keras")


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_nothing_is_left(scans, model, tmp_path):
    """No file may be longer than a limit, which fails as a full disk does: in the middle of writing."""
    before = contents(tmp_path)
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_BYTES, MOST_BYTES))  # noqa: E731
    done = augment(scans, model, tmp_path / "out", {"PYTHONDONTWRITEBYTECODE": "1"}, preexec_fn=limit)
    assert done.returncode in (1, 2)
    last = done.stderr.splitlines()[-1]
    assert last.startswith(b"medgan augment: error: ")
    assert b"Traceback" not in done.stderr
    assert contents(tmp_path) == before
    assert {path.name for path in tmp_path.iterdir()} == {scans.name, model.name}


@pytest.mark.parametrize("parent", ["/proc", "/dev/null"])
def test_where_nothing_can_be_written_it_says_so_ahead(scans, capsys, tmp_path, parent):
    shape = {"image_shape_": {"$": "tuple", "items": [9, 12, 1]}, "n_iter_": 1}
    file = model_file(tmp_path / "m.medgan", fitted=shape, classes=("gesund", "krank"))
    error = refused(capsys, "augment", scans, f"{parent}/out", "--model", file)
    assert parent in error
