"""What a fit of the benchmark has to show in a report: training curves, and pictures of a few images."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..augmentation._canvas import reduced
from ..metrics._privacy_report import report_on_samples
from ..report import png
from ._arms import Fold

MOST_POINTS = 200  # of a curve
MOST_MEASURED = 1_000  # rows of each kind, by which privacy is measured


def show_gan(fold: Fold, shared: Any, n: int) -> dict:
    """Return the curves of a GAN's training, `n` real images of each class beside synthetic ones, and their privacy."""
    gan, rng = shared.gan, np.random.RandomState(fold.seed("shown"))
    shown: dict[str, Any] = {"history": thinned(getattr(gan, "history_", {})), "pictures": []}
    scale = (0.0, 255.0) if fold.X.dtype == np.uint8 else (float(fold.X.min()), float(fold.X.max()))
    for label in np.unique(fold.y).tolist() if n and fold.X.ndim > 2 else ():
        real = fold.X[rng.permutation(np.flatnonzero(fold.y == label))[:n]]
        drawn = gan.sample(n, y=np.repeat(label, n), random_state=rng.randint(2**31 - 1))[0]
        sets = {"real": real, "synthetic": np.reshape(drawn, (n, *fold.X.shape[1:]))}
        shown["pictures"].append({"label": label, "tiles": _tiles(sets, *scale)})
    shown["privacy"] = _privacy(gan, fold, rng.randint(2**31 - 1)) if n else []
    return shown


def _privacy(gan: Any, fold: Fold, seed: int) -> list[str]:
    """Return what samples give away of the training rows, held against those of the test fold, line by line."""
    train, test = (rows[:: 1 + len(rows) // MOST_MEASURED] for rows in (fold.X, fold.X_test))
    if len(train) < 8 or len(test) < 4:
        return []
    rng, is_table = np.random.RandomState(seed), train.ndim == 2
    samples = np.reshape(gan.sample(len(train), random_state=rng.randint(2**31 - 1))[0], train.shape)
    report = report_on_samples(samples, train, test, None if is_table else reduced, is_table, rng)
    return str(report).split("\n")


def show_enhancer(fold: Fold, shared: Any, n: int) -> dict:
    """Return the curves of an enhancer's training, and `n` test images before and after, with the expected error."""
    shown: dict[str, Any] = {"history": thinned(getattr(shared.enhancer, "history_", {})), "pictures": []}
    kinds = {"poor": "degraded", "enhanced": "GANEnhancer", "truth": "clean"}
    for place in range(min(n, len(fold.X_test))):
        one = slice(place, place + 1)
        tiles = _tiles({what: shared.images(kind, "test")[one] for what, kind in kinds.items()}, 0.0, 1.0)
        error = shared.expected_error(one)
        tiles += _tiles({"expected error": error}, 0.0, float(np.max(error)))
        shown["pictures"].append({"label": None, "tiles": tiles})
    return shown


def _tiles(sets: dict[str, Any], low: float, high: float) -> list[dict]:
    return [{"what": what, "png": png(image, low, high)} for what, images in sets.items() for image in images]


def thinned(history: dict[str, list]) -> dict[str, list]:
    """Return the curves by at most `MOST_POINTS` points, the last one among them."""
    length = len(history.get("step", ()))
    kept = np.unique(np.linspace(0, length - 1, min(length, MOST_POINTS)).round().astype(int))
    return {name: [float(values[k]) for k in kept] for name, values in history.items() if len(values) == length}
