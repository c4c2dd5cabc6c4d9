"""What an arm of the benchmark is, and the classical ones: rows and columns a classifier is trained on."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import has_fit_parameter

from .._allocation import class_counts, synthetic_counts
from ..augmentation._patch_learning import learn_patches
from ..augmentation._patches import PatchDictionary
from ._journal import parameters_of
from ._plan import derive_seed

KINDS = ("rows", "columns", "enhancement")
REFERENCES = {"rows": "none", "columns": "pixels"}
LIGHT = "classical"  # share of arms that take moments
SHIFT = 2  # pixels, at most
CONTRAST = (0.8, 1.25)
COMPONENTS = 50
CELL_SIDE = 8  # pixels of a cell of HOG
N_PATCHES = 200  # as GANAugmenter's default


@dataclass(frozen=True)
class Fold:
    """What an arm sees of one fold: training rows with labels and groups, and test rows without labels.

    Parameters
    ----------
    X : ndarray of shape (n_train, ...)
        Training rows: images (n, height, width[, channels]), or a table.
    y : ndarray of shape (n_train,)
        Their labels.
    groups : ndarray of shape (n_train,), int
        Their groups.
    X_test : ndarray of shape (n_test, ...)
        Rows to predict.
    key : tuple
        Regime, seed and number of the fold: what `seed` derives seeds from.
    """

    X: np.ndarray
    y: np.ndarray
    groups: np.ndarray
    X_test: np.ndarray
    key: tuple

    def seed(self, name: str) -> int:
        """Return a seed for what `name` draws on this fold; the order of work does not matter."""
        return derive_seed(*self.key, name)

    def inner(self, train: np.ndarray, test: np.ndarray) -> Fold:
        """Return training rows split once more."""
        return Fold(self.X[train], self.y[train], self.groups[train], self.X[test], (*self.key, int(test[0])))

    @cached_property
    def scaler(self) -> StandardScaler:
        """Return the scaler that is fitted on the training rows, flat."""
        return StandardScaler().fit(flat(self.X))

    def scaled(self, X: Any) -> np.ndarray:
        """Return flat rows, standardised by the training rows."""
        return self.scaler.transform(flat(X))

    @cached_property
    def pixels(self) -> Columns:
        """Return training and test rows, flat and standardised."""
        return Columns(self.scaled(self.X), self.y, self.scaled(self.X_test))


@dataclass(frozen=True)
class Columns:
    """What an arm makes of a fold for a classifier.

    Parameters
    ----------
    X : array-like of shape (n_rows, n_features)
        What the classifier is fitted on; `n_rows` may differ from the training rows.
    y : array-like of shape (n_rows,)
        Labels.
    X_test : array-like of shape (n_test, n_features)
        One row a test row.
    fit_params : dict, default={}
        For the classifier's `fit`, such as `sample_weight`.
    classifier : estimator, default=None
        Fitted in place of the classifier that was handed in.
    notes : dict, default={}
        Numbers to keep with the result, such as a dose that was chosen.
    """

    X: Any
    y: Any
    X_test: Any
    fit_params: Mapping = field(default_factory=dict)
    classifier: Any = None
    notes: Mapping = field(default_factory=dict)


@dataclass(frozen=True)
class Arm:
    """A way to prepare rows for a classifier.

    Parameters
    ----------
    kind : {"rows", "columns", "enhancement"}
        Which part of the table it belongs to.
    prepare : callable
        ``prepare(fold, shared, classifier) -> Columns``. Everything fitted in it sees the training rows of the `Fold`
        only; `classifier` is an unfitted copy with its seed set.
    reference : str, default=None
        Name of the arm that this one is compared with. None: "none" for rows, "pixels" for columns.
    share : str, default=None
        Arms with the same key run together and share one call of `fit_shared`. None: on its own.
    fit_shared : callable, default=None
        ``fit_shared(fold) -> object``: the long fit, handed to `prepare` as `shared`.
    per_classifier : bool, default=False
        Whether `prepare` looks at the classifier; otherwise it is called once for all of them.
    images_only : bool, default=False
        Left out, with a note, where the rows are a table.
    needs : tuple of str, default=()
        Modules without which the arm is left out, with a note.
    competes : bool, default=True
        False for a bound that no method can be held against, such as clean images: never the "best other arm".
    about : str, default=""
        What it is, a few words for a report.
    show : callable, default=None
        ``show(fold, shared, n_images) -> dict``: the training curves and pictures that a report has of `fit_shared`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_medgan.benchmark import Arm, Columns
    >>> def histograms(fold, shared, classifier):
    ...     bins = np.histogram_bin_edges(fold.X, 16)
    ...     count = lambda X: np.stack([np.histogram(image, bins)[0] for image in X])
    ...     return Columns(count(fold.X), fold.y, count(fold.X_test))
    >>> Arm("columns", histograms, images_only=True).kind
    'columns'
    """

    kind: str
    prepare: Callable
    reference: str | None = None
    share: str | None = None
    fit_shared: Callable | None = None
    per_classifier: bool = False
    images_only: bool = False
    needs: tuple[str, ...] = ()
    competes: bool = True
    about: str = ""
    show: Callable | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"The kind of an arm is one of {', '.join(KINDS)}; got {self.kind!r}.")
        if not callable(self.prepare):
            raise TypeError(f"prepare must be a callable (fold, shared, classifier) -> Columns; got {self.prepare!r}.")
        if self.fit_shared is not None and self.share is None:
            raise ValueError("An arm with fit_shared needs share, the key of the arms that use the same fit.")

    def describe(self) -> str:
        """Return the kind and the parameters bound to both functions, but not which functions these are."""
        given = (parameters_of(function) for function in (self.fit_shared, self.prepare))
        return f"{self.kind}({', '.join(filter(None, given))})"

    def missing(self, is_images: bool) -> str | None:
        """Return why the arm cannot run here, or None."""
        absent = [name for name in self.needs if importlib.util.find_spec(name) is None]
        if absent:
            return f"{' and '.join(absent)} is not installed"
        return "it needs images, and the rows are a table" if self.images_only and not is_images else None


def flat(X: Any) -> np.ndarray:
    X = np.asarray(X)
    return X.reshape(len(X), -1).astype(np.float64)


# ------------------------------------------------------------------------------------------------------------- rows


def grown(fold: Fold, X_new: Any, y_new: Any, **more: Any) -> Columns:
    """Return training rows and further ones on the columns of the arm "none": standardised by the real rows."""
    plain = fold.pixels
    if not len(X_new):
        return Columns(plain.X, plain.y, plain.X_test, **more)
    X = np.concatenate([plain.X, fold.scaled(X_new)])
    return Columns(X, np.concatenate([plain.y, np.asarray(y_new, plain.y.dtype)]), plain.X_test, **more)


def _plain(fold: Fold, shared: Any, classifier: Any) -> Columns:
    return fold.pixels


def _weighted(fold: Fold, shared: Any, classifier: Any) -> Columns:
    plain = fold.pixels
    if "class_weight" in classifier.get_params():
        balanced = classifier.set_params(class_weight="balanced")
        return Columns(plain.X, plain.y, plain.X_test, classifier=balanced)
    if not has_fit_parameter(classifier, "sample_weight"):
        raise TypeError(f"{classifier!r} takes neither class_weight nor sample_weight. Leave this arm out.")
    _, codes, counts = np.unique(plain.y, return_inverse=True, return_counts=True)
    weights = (len(codes) / (len(counts) * counts))[codes]
    return Columns(plain.X, plain.y, plain.X_test, {"sample_weight": weights})


def _origins(y: Any, ratio: float, rng: np.random.RandomState) -> np.ndarray:
    """Return rows to copy, so that each class reaches `ratio` times the largest one."""
    counts = synthetic_counts(y, "auto", ratio)
    return np.concatenate([rng.choice(np.flatnonzero(y == label), n) for label, n in counts.items()])


def _oversampled(fold: Fold, shared: Any, classifier: Any) -> Columns:
    origins = _origins(fold.y, 1.0, np.random.RandomState(fold.seed("random oversampling")))
    return grown(fold, fold.X[origins], fold.y[origins])


def _smote(fold: Fold, shared: Any, classifier: Any) -> Columns:
    from imblearn.over_sampling import SMOTE

    fewest = min(class_counts(fold.y).values())
    sampler = SMOTE(k_neighbors=min(5, fewest - 1), random_state=fold.seed("SMOTE"))
    X, y = sampler.fit_resample(flat(fold.X), fold.y)
    return grown(fold, X[len(fold.X) :], y[len(fold.X) :])


def moved(images: np.ndarray, rng: np.random.RandomState, *, flip: bool = False) -> np.ndarray:
    """Return images shifted by up to `SHIFT` pixels (edges repeat), with another contrast; half of them mirrored."""
    result = np.empty(images.shape, np.float64)
    sides = images.shape[1:3]
    padding = [(SHIFT, SHIFT)] * 2 + [(0, 0)] * (images.ndim - 3)
    for i, image in enumerate(images.astype(np.float64)):
        top, left = rng.randint(0, 2 * SHIFT + 1, 2)
        window = np.pad(image, padding, mode="edge")[top : top + sides[0], left : left + sides[1]]
        window = window[:, ::-1] if flip and rng.rand() < 0.5 else window
        result[i] = window.mean() + rng.uniform(*CONTRAST) * (window - window.mean())
    return np.clip(result, images.min(), images.max())


def moved_rows(fold: Fold, *, ratio: float, flip: bool) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.RandomState(fold.seed("classical augmentation"))
    origins = _origins(fold.y, ratio, rng)
    return moved(fold.X[origins], rng, flip=flip) if len(origins) else fold.X[:0], fold.y[origins]


def _moved_rows(fold: Fold, shared: Any, classifier: Any, *, ratio: float, flip: bool) -> Columns:
    return grown(fold, *moved_rows(fold, ratio=ratio, flip=flip))


def classical_arm(*, ratio: float = 2.0, flip: bool = False) -> Arm:
    """Return rows of classical augmentation: real rows shifted by up to 2 pixels and with another contrast.

    Parameters
    ----------
    ratio : float, default=2.0
        Each class is lifted to this many times the count of the largest one, as by `GANAugmenter`.
    flip : bool, default=False
        Whether to mirror half of them left to right: only where anatomy allows it.

    Returns
    -------
    Arm

    Examples
    --------
    >>> from sklearn_medgan.benchmark import ARMS, classical_arm
    >>> arms = {**ARMS, "classical augmentation, flips": classical_arm(flip=True)}
    """
    prepare = partial(_moved_rows, ratio=float(ratio), flip=bool(flip))
    about = "training images shifted, and with another contrast"
    return Arm("rows", prepare, share=LIGHT, images_only=True, about=about)


# ---------------------------------------------------------------------------------------------------------- columns


def _components(fold: Fold, shared: Any, classifier: Any) -> Columns:
    """Return principal components of standardised pixels, not whitened: the last of few rows are noise."""
    from sklearn.decomposition import PCA

    plain = fold.pixels
    most = min(COMPONENTS, len(plain.X) - 1, plain.X.shape[1])
    pca = PCA(most, random_state=fold.seed("PCA")).fit(plain.X)
    return Columns(pca.transform(plain.X), plain.y, pca.transform(plain.X_test))


def _gradients(fold: Fold, shared: Any, classifier: Any) -> Columns:
    return standardised(hog_columns(fold.X), fold.y, hog_columns(fold.X_test))


def hog_columns(images: np.ndarray) -> np.ndarray:
    """Return histograms of oriented gradients; cells are smaller where images are too small for two a side."""
    from skimage.feature import hog

    side = min(CELL_SIDE, min(images.shape[1:3]) // 2)
    settings = {"orientations": 9, "pixels_per_cell": (side, side), "cells_per_block": (2, 2)}
    axis = -1 if images.ndim == 4 else None
    return np.stack([hog(image.astype(np.float64), channel_axis=axis, **settings) for image in images])


def _patches(fold: Fold, shared: Any, classifier: Any) -> Columns:
    """Return pixels and typical patches of the training rows at equal weight: GANAugmenter's without GAN or network."""
    blocks = zip(*patch_blocks(fold.X, fold.X_test, fold.seed("patches")), strict=True)
    return equal_weight([fold.pixels], [standardised(X, fold.y, X_test) for X, X_test in blocks])


def equal_weight(*kinds: Sequence[Columns]) -> Columns:
    """Return standardised columns of several kinds beside each other, each kind with the same weight in a distance."""
    parts = [(part, np.sqrt(len(blocks) * part.X.shape[1])) for blocks in kinds for part in blocks]
    X, X_test = (np.concatenate([getattr(part, name) / s for part, s in parts], axis=1) for name in ("X", "X_test"))
    return Columns(X, parts[0][0].y, X_test)


def patch_blocks(images: np.ndarray, images_test: np.ndarray, seed: int) -> list[list[np.ndarray]]:
    """Return blocks of the typical patches of `images`, for these and for others; none where they are too few."""
    stacks = [(each if each.ndim == 4 else each[..., None]).astype(np.float32) for each in (images, images_test)]
    arrays = learn_patches(stacks[0], N_PATCHES, np.random.RandomState(seed))
    return [[] if arrays is None else PatchDictionary(arrays).blocks(stack) for stack in stacks]


def standardised(X: Any, y: Any, X_test: Any) -> Columns:
    """Return columns standardised by the training rows."""
    scaler = StandardScaler().fit(X)
    return Columns(scaler.transform(X), y, scaler.transform(X_test))


def light_arms() -> dict[str, Arm]:
    """Return rows and columns of the protocol that take moments, by name."""
    light = partial(Arm, share=LIGHT)
    return {
        "none": light("rows", _plain, about="the real training rows alone"),
        "class weights": light("rows", _weighted, per_classifier=True, about="rare classes count for more in training"),
        "random oversampling": light("rows", _oversampled, about="training rows of the rarer classes repeated"),
        "SMOTE": light("rows", _smote, needs=("imblearn",), about="rows between neighbours of the rarer classes"),
        "classical augmentation": classical_arm(),
        "pixels": light("columns", _plain, about="the pixels, or the columns of the table, as they are"),
        "PCA": light("columns", _components, about=f"{COMPONENTS} principal components of the pixels"),
        "HOG": light("columns", _gradients, images_only=True, about="histograms of edge directions"),
        "patches (no GAN)": light("columns", _patches, images_only=True, about="pixels and typical patches"),
    }
