"""Which library computes, and what is said where it cannot."""

import json
import multiprocessing
import os
import subprocess
import sys

import keras
import pytest

from sklearn_medgan import _backend
from sklearn_medgan._backend import backend_name, check_backend, choose_backend


def test_the_backend_is_that_of_keras_once_it_is_imported(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "something else")
    assert backend_name() == keras.backend.backend()
    check_backend()


@pytest.mark.parametrize(
    ("variable", "file", "expected"),
    [("jax", None, "jax"), ("", {"backend": "torch"}, "torch"), ("", {}, "tensorflow"), ("", None, "tensorflow")],
)
def test_before_that_it_is_that_of_the_variable_then_of_the_file(monkeypatch, tmp_path, variable, file, expected):
    monkeypatch.delitem(sys.modules, "keras.src.backend.config")
    monkeypatch.setenv("KERAS_BACKEND", variable)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    if file is not None:
        (tmp_path / "keras.json").write_text(json.dumps(file))
    assert backend_name() == expected


@pytest.mark.parametrize(
    ("installed", "variable", "expected"),
    [
        ("tensorflow jax", "", None),
        ("jax torch", "", "jax"),
        ("torch", "", "torch"),
        ("jax", "torch", "torch"),
        ("", "", None),
    ],
)
def test_where_tensorflow_is_missing_and_nothing_is_set_another_is_chosen(
    monkeypatch, tmp_path, installed, variable, expected
):
    monkeypatch.delitem(sys.modules, "keras.src.backend.config")
    (tmp_path / "keras.json").write_text('{"backend": "tensorflow"}')  # Keras's own doing
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name in installed.split() or None)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_BACKEND", variable)
    choose_backend()
    assert (os.environ["KERAS_BACKEND"] or None) == expected


def test_an_unknown_backend_is_refused_in_one_line_that_says_what_to_do(monkeypatch):
    monkeypatch.setattr(_backend, "backend_name", lambda: "numpy")
    with pytest.raises(
        RuntimeError, match=r"with TensorFlow, JAX or PyTorch; Keras is set to 'numpy'\. Set .*'jax'"
    ) as e:
        check_backend()
    assert "\n" not in str(e.value)


def test_a_missing_backend_is_named_with_those_that_are_there(monkeypatch):
    monkeypatch.setattr(_backend, "backend_name", lambda: "torch")
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name == "jax" or None)
    with pytest.raises(ImportError, match=r"'torch', and that package is not installed\. Install it, or .* to 'jax' "):
        check_backend()


def test_a_fit_under_an_unknown_backend_says_so_before_keras_does():
    code = (
        "import os, numpy as np; os.environ['KERAS_BACKEND'] = 'thaeno'\n"
        "from sklearn_medgan import GANAugmenter\nGANAugmenter().fit(np.eye(30)[:, :3])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1].startswith("RuntimeError: sklearn_medgan computes with TensorFlow, JAX or PyT")


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
def test_what_ran_before_a_fork_is_refused_after_it(monkeypatch):
    monkeypatch.setattr(_backend, "_forked_while_running", backend_name())
    with pytest.raises(RuntimeError, match=r"ran before this process was forked.*'spawn'"):
        check_backend()
