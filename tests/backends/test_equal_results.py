"""TensorFlow, JAX and PyTorch compute the same, each in a process of its own; one that is not installed is skipped."""

import functools
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BACKENDS = ("tensorflow", "jax", "torch")
FOLDER = Path(__file__).parent
pairs = pytest.mark.parametrize(
    "other",
    [
        pytest.param(name, marks=pytest.mark.skipif(not importlib.util.find_spec(name), reason=f"{name} is missing"))
        for name in BACKENDS[1:]
    ],
)
pytestmark = [pytest.mark.backend, pytest.mark.slow]


def run(backend, script, *args):
    """Run a script of this folder under a backend; XLA's passes take longer than all else and are left out."""
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    environment = {**os.environ, "KERAS_BACKEND": backend, "XLA_FLAGS": "--xla_backend_optimization_level=0"}
    done = subprocess.run(
        [sys.executable, FOLDER / script, *map(str, args)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def step(tmp_path_factory):
    """The results of one step under a backend."""

    @functools.cache
    def of(backend):
        path = tmp_path_factory.mktemp(backend) / "step.npz"
        run(backend, "one_step.py", path)
        return dict(np.load(path))

    return of


def close(ours, theirs, name):
    """Equal to 1e-5 of the largest; weights only where Adam's step is not the sign of rounding errors."""
    assert np.isfinite(theirs[name]).all(), name
    where = np.ones(np.shape(theirs[name]), bool)
    if name.endswith((".weights", ".ema")):
        slope = np.abs(theirs[name.rpartition(".")[0] + ".first"])
        where = slope > 1e-3 * max(slope.max(initial=0), 1e-12)
    largest = np.abs(theirs[name.replace("/gain", "/psnr")]).max(initial=0)  # the gain is a difference of two of these
    np.testing.assert_allclose(ours[name][where], theirs[name][where], rtol=1e-5, atol=1e-5 * largest, err_msg=name)


@pairs
def test_one_step_is_the_same_from_the_same_draws(step, other):
    ours, theirs = step(other), step("tensorflow")
    assert ours.keys() == theirs.keys()
    assert {name.partition("/")[0] for name in ours} >= {"table", "images", "classic", "rows", "restorer"}
    for name in theirs:
        close(ours, theirs, name)


@pairs
def test_saved_estimators_work_under_another_backend(other, tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir(), theirs.mkdir()
    run("tensorflow", "exchange.py", theirs, ours)
    run(other, "exchange.py", ours, theirs)
    run("tensorflow", "exchange.py", theirs, ours)
    for fitted, used in ((ours, theirs), (theirs, ours)):
        saved = sorted([*fitted.glob("*.pickle"), *fitted.glob("*.medgan")])
        assert len(saved) == 7
        for path in saved:
            expected, found = np.load(fitted / f"{path.stem}.npz"), np.load(used / f"{path.name}.npz")
            for name in expected.files:
                np.testing.assert_allclose(found[name], expected[name], rtol=1e-3, atol=1e-4, err_msg=f"{path} {name}")
