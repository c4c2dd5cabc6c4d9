"""The scripts under examples/ run, with few updates."""

import runpy
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import pytest

from sklearn_medgan import GANAugmenter, GANEnhancer

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("plot_*.py"))

# Figures drawn, and lines that give a balanced accuracy.
SHOWN = {"plot_literal_pipeline": (2, 2), "plot_enhancement": (1, 3)}

matplotlib.use("Agg")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:GANEnhancer would do harm")  # after two steps
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs_and_draws(path, monkeypatch, capsys):
    for estimator in (GANAugmenter, GANEnhancer):
        monkeypatch.setattr(
            estimator,
            "fit",
            lambda self, *rows, fit=estimator.fit, **more: fit(self.set_params(max_iter=2), *rows, **more),
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
