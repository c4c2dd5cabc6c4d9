"""Which library computes, what is said where it cannot, and what workers of joblib load and take."""

import ast
import json
import multiprocessing
import os
import subprocess
import sys
import textwrap

import keras
import pytest

from sklearn_medgan import _backend
from sklearn_medgan._backend import backend_name, check_backend, choose_backend, share_cores

WORKERS = textwrap.dedent(
    """
    import os, sys
    from joblib import Parallel, delayed, parallel_config

    def look():
        from sklearn_medgan._backend import share_cores
        share_cores()
        return [os.environ.get(name) for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")]

    with parallel_config("loky", inner_max_num_threads=3):
        print(Parallel(2)(delayed(look)() for _ in range(2)))
    """
)
PIXELS = textwrap.dedent(
    """
    import os, sys
    import numpy as np
    from sklearn.svm import SVC
    from sklearn_medgan.benchmark import diagnostic_benchmark
    from sklearn_medgan.benchmark._arms import light_arms

    class Spy(SVC):
        def predict(self, X):
            with open({log!r}, "a") as file:
                print([os.getpid(), "tensorflow" in sys.modules, "keras" in sys.modules], file=file)
            return super().predict(X)

    X, y = np.random.RandomState(0).randint(0, 200, (40, 8, 8)).astype(np.uint8), np.arange(40) % 2
    arms = {{"pixels": light_arms()["pixels"]}}
    diagnostic_benchmark(X, y, arms=arms, classifiers={{"svc": Spy()}}, n_splits=2, seeds=(0, 1), n_jobs=2)
    print(os.getpid())
    """
)


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


@pytest.mark.slow
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


def run_python(code, **environment):
    """Return what a process of its own prints, in which no number of threads is set but those of `environment`."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_THREADS")}
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**kept, **environment})
    return done.stdout.strip()


@pytest.mark.slow
def test_tensorflow_takes_the_share_of_a_worker():
    assert ast.literal_eval(run_python(WORKERS, KERAS_BACKEND="tensorflow")) == 2 * [["3", "3"]]


@pytest.mark.parametrize(
    ("name", "is_worker", "expected"),
    [
        ("tensorflow", True, {"TF_NUM_INTRAOP_THREADS": "5", "TF_NUM_INTEROP_THREADS": "3"}),
        ("jax", True, {"TF_NUM_INTRAOP_THREADS": "5", "NPROC": "3"}),
        ("torch", True, {"TF_NUM_INTRAOP_THREADS": "5"}),
        ("tensorflow", False, {"TF_NUM_INTRAOP_THREADS": "5"}),
    ],
)
def test_what_the_user_set_stays_and_other_processes_are_not_touched(monkeypatch, name, is_worker, expected):
    environment = {"OMP_NUM_THREADS": "3", "TF_NUM_INTRAOP_THREADS": "5"}
    monkeypatch.setattr(os, "environ", environment)
    monkeypatch.setattr(_backend, "backend_name", lambda: name)
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: object() if is_worker else None)
    share_cores()
    assert environment == {"OMP_NUM_THREADS": "3", **expected}


@pytest.mark.slow
def test_workers_that_need_no_network_load_none(tmp_path):
    main = int(run_python(PIXELS.format(log=str(tmp_path / "log"))))
    lines = [ast.literal_eval(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert len(lines) >= 4
    assert main not in {process for process, *_ in lines}
    assert not any(tensorflow or keras for _, tensorflow, keras in lines)
