"""The scripts under examples/ run, with few updates."""

import runpy
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import pytest

from sklearn_medgan import GANAugmenter

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("plot_*.py"))

matplotlib.use("Agg")


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs_and_draws(path, monkeypatch, capsys):
    fit = GANAugmenter.fit
    monkeypatch.setattr(
        GANAugmenter, "fit", lambda self, *rows, **more: fit(self.set_params(max_iter=2), *rows, **more)
    )
    monkeypatch.setattr(plt, "show", lambda: None)
    plt.close("all")
    names = runpy.run_path(str(path))
    assert len(plt.get_fignums()) == 2
    plt.close("all")
    assert capsys.readouterr().out.count("balanced accuracy") == 2
    # By region: no patch of the test set has a neighbour in the training set.
    groups = names["patches"].groups
    assert not set(groups[names["train"]]) & set(groups[names["test"]])
