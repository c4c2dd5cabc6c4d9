import importlib
import platform
import subprocess
import sys
from importlib import metadata

import pytest

import sklearn_medgan
from sklearn_medgan._version import versions

PUBLIC = {
    "AugmentedClassifier",
    "GANAugmenter",
    "GANOverSampler",
    "Pipeline",
    "benchmark",
    "datasets",
    "load",
    "load_from_hub",
    "make_pipeline",
    "metrics",
    "plotting",
    "push_to_hub",
    "save",
    "show_versions",
    "to_onnx",
}


def loaded_after(statement):
    """Names of the top-level modules that a fresh interpreter holds after the statement."""
    code = f"import sys; {statement}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize("module", ["sklearn_medgan", "sklearn_medgan.cli"])
def test_import_loads_nothing_heavy(module):
    loaded = loaded_after(f"import {module}")
    assert "sklearn_medgan" in loaded
    assert not loaded & {"tensorflow", "keras", "sklearn", "skimage", "numpy", "scipy", "matplotlib", "imblearn"}


@pytest.mark.slow
def test_estimators_load_tensorflow_and_matplotlib_only_when_used():
    modules = ["augmentation._augmenter", "enhancement._enhancer", "benchmark", "metrics", "plotting", "pipeline"]
    modules += ["cli._augment", "cli._enhance"]
    loaded = loaded_after("import " + ", ".join(f"sklearn_medgan.{module}" for module in modules))
    assert "sklearn" in loaded
    assert not loaded & {"tensorflow", "keras", "matplotlib", "imblearn"}


def test_public_names_are_listed():
    assert set(sklearn_medgan.__all__) >= PUBLIC
    assert set(dir(sklearn_medgan)) >= PUBLIC


@pytest.mark.parametrize("name", sorted(sklearn_medgan.__all__))
def test_every_public_name_resolves(name):
    value = getattr(sklearn_medgan, name)
    assert getattr(sklearn_medgan, name) is value
    if isinstance(value, type):
        assert value.__name__ == name


def test_unknown_name_is_an_attribute_error_like_any_other():
    with pytest.raises(AttributeError, match=r"^module 'sklearn_medgan' has no attribute 'GANAugmentor'"):
        sklearn_medgan.GANAugmentor  # noqa: B018
    with pytest.raises(ImportError, match="nothing_of_the_kind"):
        importlib.import_module("sklearn_medgan.nothing_of_the_kind")


def test_star_import_takes_the_public_names_only():
    names = {}
    exec("from sklearn_medgan import *", names)
    assert set(names) >= PUBLIC
    assert not {name for name in names if name.startswith("_")} - {"__builtins__", "__version__"}


def test_versions_are_told_where_python_does_not_know_what_packages_are_of(monkeypatch):
    monkeypatch.setattr(metadata, "packages_distributions", dict)
    told = versions.__wrapped__()
    assert told["sklearn"] == f"{importlib.import_module('sklearn').__version__} (scikit-learn)"
    assert told["numpy"] == f"{metadata.version('numpy')} (numpy)"


@pytest.mark.slow
def test_versions_are_told_without_importing_what_they_are_of():
    code = (
        "import sys, sklearn_medgan; sklearn_medgan.show_versions(); "
        "assert not {'tensorflow', 'keras', 'sklearn', 'numpy'} & set(sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    told = dict(line.split(maxsplit=1) for line in shown.splitlines())
    assert told["sklearn_medgan"] == sklearn_medgan.__version__
    assert told["Python"] == platform.python_version()
    assert told["sklearn"].split()[0] == importlib.import_module("sklearn").__version__
    assert told["keras"].split()[0] == metadata.version("keras")
    assert {"numpy", "skimage", "tensorflow"} <= set(told)
