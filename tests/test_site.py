"""The documentation site builds without a warning, and describes every public name."""

import posixpath
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import sklearn_medgan

for needed in ("sphinx", "myst_parser", "numpydoc", "pydata_sphinx_theme", "sphinx_gallery"):
    pytest.importorskip(needed, reason="the extra docs is not installed")

ROOT = Path(__file__).parents[1]
SOURCES = ("docs", "examples", "sklearn_medgan/weights", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md")
GENERATED = ("_build", "generated", "auto_examples", "__pycache__")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build from a copy, since the pages of names and examples are written among the sources; no example is run."""
    folder = tmp_path_factory.mktemp("site")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(*GENERATED))
        else:
            shutil.copy(ROOT / name, folder / name)
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-D", "plot_gallery=0", "docs", "built"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "built"


@pytest.mark.slow
def test_every_public_name_has_a_page(site):
    from sphinx.util.inventory import InventoryFile

    with open(site / "objects.inv", "rb") as file:
        described = {
            name: entry
            for of_kind in InventoryFile.load(file, "", posixpath.join).values()
            for name, entry in of_kind.items()
        }
    modules = ["sklearn_medgan", "sklearn_medgan.degradations"]
    modules += [f"sklearn_medgan.{name}" for name in sklearn_medgan.__all__ if f"sklearn_medgan.{name}" in sys.modules]
    public = {f"{module}.{name}" for module in modules for name in import_module(module).__all__}
    assert public - {"sklearn_medgan.__version__"} <= set(described)
    assert (site / "generated/sklearn_medgan.GANAugmenter.html").exists()


@pytest.mark.slow
def test_every_example_is_in_the_gallery(site):
    index = (site / "auto_examples/index.html").read_text(encoding="utf-8")
    examples = sorted(path.stem for path in (ROOT / "examples").glob("plot_*.py"))
    assert len(examples) >= 10
    assert [name for name in examples if f'href="{name}.html"' not in index] == []
