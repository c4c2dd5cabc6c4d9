"""Which library computes the networks, and whether it can in this process. Nothing heavy is imported to tell."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path

TITLES = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
# By which each is told how many threads to start. PyTorch reads OMP_NUM_THREADS itself.
THREADS = {"tensorflow": ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "jax": ("NPROC",)}
SETTING = "the environment variable KERAS_BACKEND (or 'backend' in keras.json)"

_forked_while_running: str | None = None


def backend_name() -> str:
    """Return the library that Keras computes with, or will: that of KERAS_BACKEND, else of keras.json."""
    config = sys.modules.get("keras.src.backend.config")
    if config is not None:
        return config.backend()
    if os.environ.get("KERAS_BACKEND"):
        return os.environ["KERAS_BACKEND"]
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    try:
        return str(json.loads((home / "keras.json").read_text(encoding="utf-8")).get("backend", "tensorflow"))
    except (OSError, ValueError, AttributeError):
        return "tensorflow"


def choose_backend() -> None:
    """Set KERAS_BACKEND to JAX or PyTorch where Keras would take TensorFlow, unasked, and that is not installed.

    Its file keras.json does not count as asked for: Keras writes "tensorflow" into it by itself.
    """
    asked = os.environ.get("KERAS_BACKEND") or "keras.src.backend.config" in sys.modules
    if not asked and backend_name() == "tensorflow":
        first = next((name for name in TITLES if importlib.util.find_spec(name)), "tensorflow")
        if first != "tensorflow":
            os.environ["KERAS_BACKEND"] = first


def check_backend() -> None:
    """Raise where networks cannot run, because of the library that Keras is set to or of how the process began."""
    name = backend_name()
    if name not in TITLES:
        raise RuntimeError(
            f"sklearn_medgan computes with TensorFlow, JAX or PyTorch; Keras is set to {name!r}. Set {SETTING} to "
            "'tensorflow', 'jax' or 'torch' before Python starts."
        )
    if name not in sys.modules and importlib.util.find_spec(name) is None:
        installed = [repr(other) for other in TITLES if importlib.util.find_spec(other)]
        instead = f", or set {SETTING} to {' or '.join(installed)} before Python starts" if installed else ""
        raise ImportError(f"Keras is set to {name!r}, and that package is not installed. Install it{instead}.")
    if _forked_while_running == name:
        raise RuntimeError(
            f"{TITLES[name]} ran before this process was forked, and cannot run after it: the call would wait for "
            "ever. Start processes with the method 'spawn' (multiprocessing.get_context('spawn')), or use joblib's "
            "default backend 'loky'."
        )


def share_cores() -> None:
    """Leave the library this process's share of the cores, where it is a worker of joblib, Dask or multiprocessing.

    These tell it to the libraries of NumPy by `OMP_NUM_THREADS` (joblib: the number of cores over that of workers, or
    ``inner_max_num_threads``), which TensorFlow and JAX do not read: they would take all cores in every worker. What is
    set already stays, and so does a library that runs.
    """
    import multiprocessing

    share = os.environ.get("OMP_NUM_THREADS", "")
    if multiprocessing.parent_process() is not None and share.isdecimal():
        for name in THREADS.get(backend_name(), ()):
            os.environ.setdefault(name, share)


def _running() -> str | None:
    """Return the library that has started its threads; merely to have imported it does no harm."""
    context = getattr(sys.modules.get("tensorflow.python.eager.context"), "_context", None)
    if getattr(context, "_initialized", False):
        return "tensorflow"
    return "jax" if getattr(sys.modules.get("jax._src.xla_bridge"), "_backends", None) else None


def _note() -> None:
    global _forked_while_running
    _forked_while_running = _forked_while_running or _running()


if hasattr(os, "register_at_fork"):  # no fork, no function
    os.register_at_fork(after_in_child=_note)
