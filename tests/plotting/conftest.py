"""Fitted models that are drawn, and a world without matplotlib."""

import builtins

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from tiny import enhancer_of, flat_classes, gan, random_images

matplotlib.use("Agg")


@pytest.fixture(scope="package")
def fitted():
    X, y = flat_classes()
    return gan(max_iter=30).fit(X, y), X, y


@pytest.fixture(scope="package")
def table():
    rng = np.random.RandomState(0)
    return gan(loss="hinge").fit(rng.normal(size=(20, 3)), np.repeat([0, 1], 10))


@pytest.fixture(scope="package")
def unlabelled():
    X, _ = flat_classes(levels=(50, 50))
    X[0, 0, 0] = 60
    return gan().fit(X), X


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture
def without_matplotlib(monkeypatch):
    imported = builtins.__import__

    def without(name, *more, **options):
        if name.split(".")[0] == "matplotlib":
            raise ImportError("No module named 'matplotlib'", name="matplotlib")
        return imported(name, *more, **options)

    monkeypatch.setattr(builtins, "__import__", without)


@pytest.fixture(scope="package")
def restored():
    good = random_images(12, 16, 24)
    noise = np.random.default_rng(1).normal(0, 20, good.shape)
    poor = np.clip(np.rint(good + noise), 0, 255).astype(np.uint8)
    return enhancer_of(good), poor, good
