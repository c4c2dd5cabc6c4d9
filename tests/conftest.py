"""What every test runs under: few, repeatable examples of hypothesis, and a share of the cores for each process.

``HYPOTHESIS_PROFILE=thorough`` looks further.
"""

import gc
import importlib.util
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

relaxed = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("default", max_examples=20, **relaxed)
settings.register_profile("ci", max_examples=20, derandomize=True, **relaxed)
settings.register_profile("thorough", max_examples=200, **relaxed)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default"))

# Before any library starts its threads: processes of pytest-xdist that all use all cores wait for each other.
if n_processes := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 0)):
    share = str(max(1, (os.cpu_count() or 1) // n_processes))
    for library in ("OMP", "OPENBLAS", "MKL", "TF_NUM_INTRAOP", "TF_NUM_INTEROP"):
        os.environ.setdefault(f"{library}_NUM_THREADS" if "NUM" not in library else f"{library}_THREADS", share)


@pytest.fixture(scope="session")
def benchmark_script():
    """Return what makes a module of a script of examples/benchmarks, by its name."""

    def load(name):
        path = Path(__file__).parents[1] / "examples" / "benchmarks" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


def pytest_collection_modifyitems(items):
    """Mark examples of docstrings that train networks as slow: each compiles a program of its own."""
    for item in items:
        if isinstance(item, pytest.DoctestItem) and any("max_iter=" in part.source for part in item.dtest.examples):
            item.add_marker("slow")


def pytest_collection_finish():
    """Leave what is there by now, thousands of tests, out of every later search for garbage."""
    gc.collect()
    gc.freeze()
