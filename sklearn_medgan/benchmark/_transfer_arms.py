"""Arms of transfer learning: what a user would do instead of a GAN, columns of a frozen network or its fine-tuning."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import GridSearchCV

from .._codecs import ImageCodec
from ..augmentation._canvas import Canvas
from ..augmentation._trunk_columns import TrunkColumns
from ..backbones._resolve import LITE0
from ..pipeline._dose import inner_splits
from ._arms import Arm, Columns, Fold, equal_weight, standardised
from ._fine_tuning import FineTunedNetwork

# A row of the columns has a squared length of one a kind, on average.
C_VALUES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
AT_ONCE = 64  # images: bounds the memory of float32 copies
FINE_TUNED = "fine-tuned network"


def transfer_arms(backbone: Any = "auto", *, max_iter: int | None = None, max_time: float | None = None) -> dict:
    """Return the arms of transfer learning: columns of a frozen network, also beside the pixels, and its fine-tuning.

    Parameters
    ----------
    backbone : "auto", str or keras.Model, default="auto"
        The network, as of `GANAugmenter`. Means over each of its maps are the columns; the last map is averaged for
        the softmax layer of the network that is fine-tuned.
    max_iter : int, default=None
        Batches of 16 images in the fine-tuning. None: 300, about the time of a default fit of `GANAugmenter`.
    max_time : float, default=None
        Seconds of the fine-tuning, at most.

    Returns
    -------
    dict of str to Arm
        "pretrained features" and "pretrained features and pixels" are in `ARMS`. Where the classifier has a parameter
        `C`, as the SVC and logistic regression, it is chosen inside the training rows, by three folds by group.
        "fine-tuned network" is not, since it takes minutes a fold: its own softmax layer decides, whichever classifier
        stands beside it; the notes of a result say how many batches it took.

    Examples
    --------
    >>> from sklearn_medgan.benchmark import ARMS, transfer_arms
    >>> list(transfer_arms())
    ['pretrained features', 'pretrained features and pixels', 'fine-tuned network']
    >>> arms = {**ARMS, **transfer_arms(max_time=180)}
    """
    needs = (LITE0,) if isinstance(backbone, str) and backbone == "auto" else ()
    of_images: dict[str, Any] = {"images_only": True, "needs": needs}
    frozen: dict[str, Any] = {
        "share": "pretrained features",
        "fit_shared": partial(_kinds, backbone=backbone),
        "per_classifier": True,
    }
    given: dict[str, Any] = {
        name: value for name, value in {"max_iter": max_iter, "max_time": max_time}.items() if value is not None
    }
    tuned = partial(_fine_tuned, network=FineTunedNetwork(backbone=backbone, **given))
    about = "features of a network pretrained on photographs"
    return {
        "pretrained features": Arm("columns", partial(_pretrained, pixels=False), about=about, **frozen, **of_images),
        "pretrained features and pixels": Arm(
            "columns", partial(_pretrained, pixels=True), about=f"{about}, and the pixels", **frozen, **of_images
        ),
        FINE_TUNED: Arm(
            "columns", _as_told, share=FINE_TUNED, fit_shared=tuned, about="such a network, trained on", **of_images
        ),
    }


def _kinds(fold: Fold, *, backbone: Any) -> list[list[Columns]]:
    """Return the network's columns, a block a map, and the pixels as GANAugmenter has them; all standardised."""
    canvas = Canvas.of(ImageCodec.learn([fold.X], (*fold.X.shape[1:], 1)[:3]), "auto", is_table=False)
    trunk, both = TrunkColumns(backbone), []
    network = trunk.network()
    for rows in (fold.X, fold.X_test):
        views = [canvas.views(rows[i : i + AT_ONCE]) for i in range(0, len(rows), AT_ONCE)]
        blocks = [[*trunk.transform(view.whole, network), view.canvas.reshape(len(view.canvas), -1)] for view in views]
        both.append([np.concatenate(block) for block in zip(*blocks, strict=True)])
    *maps, pixels = [standardised(X, fold.y, X_test) for X, X_test in zip(*both, strict=True)]
    return [maps, [pixels]]


def _pretrained(fold: Fold, shared: Any, classifier: Any, *, pixels: bool) -> Columns:
    return replace(equal_weight(*(shared if pixels else shared[:1])), classifier=with_chosen_c(classifier, fold))


def with_chosen_c(classifier: Any, fold: Fold) -> Any:
    """Return a search for the best C on inner folds by group; the classifier itself if it has none, or rows too few."""
    names = [name for name in classifier.get_params() if name == "C" or name.endswith("__C")]
    try:
        splits = inner_splits(fold.X, fold.y, groups=fold.groups)
    except ValueError:  # a class of one group cannot be held out
        return classifier
    grid = {name: C_VALUES for name in names}
    return GridSearchCV(classifier, grid, cv=splits, scoring="balanced_accuracy") if names else classifier


class _AsTold(ClassifierMixin, BaseEstimator):
    """Take the columns for the probabilities of the sorted classes."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> _AsTold:
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return X

    def predict(self, X: np.ndarray) -> np.ndarray:
        return self.classes_[X.argmax(1)]


def _fine_tuned(fold: Fold, *, network: FineTunedNetwork) -> tuple[np.ndarray, int]:
    """Return test rows' probabilities by a network that is fine-tuned on the training rows, and its batches."""
    seeded = FineTunedNetwork(**{**network.get_params(deep=False), "random_state": fold.seed(FINE_TUNED)})
    return seeded.fit(fold.X, fold.y).predict_proba(fold.X_test), seeded.n_iter_


def _as_told(fold: Fold, shared: Any, classifier: Any) -> Columns:
    labels, codes = np.unique(fold.y, return_inverse=True)
    probabilities, n_batches = shared
    columns, notes = np.eye(len(labels))[codes], {"batches": n_batches}
    return Columns(columns, fold.y, probabilities, classifier=_AsTold(), notes=notes)
