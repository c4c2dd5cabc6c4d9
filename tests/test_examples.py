"""The scripts under examples/ run, with few updates."""

import ast
import importlib
import runpy
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import pytest

from sklearn_medgan import GANAugmenter, GANEnhancer

FOLDER = Path(__file__).parents[1] / "examples"
EXAMPLES = sorted(FOLDER.glob("plot_*.py"))
BENCHMARKS = sorted((FOLDER / "benchmarks").glob("*.py"))

# Figures drawn, and lines that give a balanced accuracy.
SHOWN = {"plot_literal_pipeline": (2, 2), "plot_enhancement": (1, 3)}

# The pretrained network, which takes longest, runs in the example of the README.
SMALL = {GANAugmenter: {"max_iter": 2, "n_patches": 16, "backbone": None}, GANEnhancer: {"max_iter": 2}}

matplotlib.use("Agg")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:GANEnhancer would do harm")  # after two steps
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs_and_draws(path, monkeypatch, capsys):
    for estimator, small in SMALL.items():
        monkeypatch.setattr(
            estimator,
            "fit",
            lambda self, *rows, fit=estimator.fit, small=small, **more: fit(self.set_params(**small), *rows, **more),
        )
    monkeypatch.setattr(plt, "show", lambda: None)
    plt.close("all")
    names = runpy.run_path(str(path))
    drawn, told = len(plt.get_fignums()), capsys.readouterr().out.count("balanced accuracy")
    plt.close("all")
    assert (drawn, told) == SHOWN[path.stem]
    # By region: no patch of the test set has a neighbour in the training set.
    groups = names["patches"].groups
    assert not set(groups[names["train"]]) & set(groups[names["test"]])


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_what_a_benchmark_imports_is_there(path):
    """Also what its functions import, of this package or of another script; other libraries are its user's."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            ours = node.module.startswith("sklearn_medgan")
            other = path.with_name(f"{node.module}.py")
            for alias in node.names if ours else ():
                assert hasattr(importlib.import_module(node.module), alias.name), alias.name
            if other.exists():
                tree = ast.parse(other.read_text(encoding="utf-8"))
                defined = {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
                defined |= {t.id for n in tree.body for t in ast.walk(n) if isinstance(t, ast.Name)}
                assert {alias.name for alias in node.names} <= defined
