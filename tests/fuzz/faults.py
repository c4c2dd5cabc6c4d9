"""Faults of data and of training, put into small fits of every kind: each is to end in a warning or an error.

    python tests/fuzz/faults.py

Prints a line a fit, and exits with 1 where one was silent. About two minutes on one core.
"""

import sys
import warnings

import numpy as np
from sklearn.linear_model import LogisticRegression

from sklearn_medgan import AugmentedClassifier, GANAugmenter, GANEnhancer, GANOverSampler

RATE = 1000 * 2e-4
TINY = {"max_iter": 20, "width": 8, "random_state": 0}
GAN = {**TINY, "backbone": None, "latent_dim": 8, "n_patches": 8, "batch_size": 16}
KINDS = {
    "GAN of a table": (GANAugmenter, {**GAN, "architecture": "dense"}),
    "mixture of a table": (GANAugmenter, GAN),
    "GAN of images": (GANAugmenter, GAN),
    "DCGAN of images": (GANAugmenter, {**GAN, "architecture": "dcgan", "loss": "minimax"}),
    "oversampler of images": (GANOverSampler, {**TINY, "batch_size": 16}),
    "restorer of images": (GANEnhancer, {**TINY, "degradation": "noise"}),
    "restorer of a table": (GANEnhancer, {**TINY, "degradation": "noise"}),
    "classifier behind images": (AugmentedClassifier, GAN),
}


def sound(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Return 40 rows, a fourth of them of the rarer class."""
    shape = (40, 16, 16) if "images" in kind else (40, 6)
    return np.random.RandomState(0).normal(100, 20, shape), (np.arange(40) % 4 == 0).astype(int)


def not_a_number(X: np.ndarray, y: np.ndarray) -> None:
    """One value of one row."""
    X[3].flat[2] = np.nan


def infinite(X: np.ndarray, y: np.ndarray) -> None:
    """One value of one row."""
    X[3].flat[2] = np.inf


def enormous(X: np.ndarray, y: np.ndarray) -> None:
    """One value of one row, beyond float32."""
    X[3].flat[2] = 1e39


def identical(X: np.ndarray, y: np.ndarray) -> None:
    """All rows are the first."""
    X[:] = X[0]


def constant(X: np.ndarray, y: np.ndarray) -> None:
    """All values are one."""
    X[:] = 7


def class_of_two(X: np.ndarray, y: np.ndarray) -> None:
    """The rarer class has two rows."""
    y[:] = 0
    y[:2] = 1


def class_of_one(X: np.ndarray, y: np.ndarray) -> None:
    """The rarer class has one row."""
    y[:] = 0
    y[0] = 1


def rate(X: np.ndarray, y: np.ndarray) -> None:
    """A learning rate 1000 times as high: set on the estimator."""


FAULTS = (not_a_number, infinite, enormous, identical, constant, class_of_two, class_of_one, rate)
NO_LABELS = {"restorer of images", "restorer of a table"}
# Of the first no network draws rows; of the second the guard finds that it restores all the same.
NO_RATE = {"mixture of a table", "restorer of a table"}


def told(kind: str, fault) -> str:
    """Return what a fit said of a fault: the first line of an error or warning; nothing where it was silent."""
    make, settings = KINDS[kind]
    X, y = sound(kind)
    fault(X, y)
    settings = settings | ({"learning_rate": RATE} if fault is rate else {})
    estimator = make(**settings) if make is not AugmentedClassifier else make(
        LogisticRegression(max_iter=500), GANAugmenter(**settings)
    )  # fmt: skip
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            if make is GANOverSampler:
                estimator.fit_resample(X, y)
            else:
                estimator.fit(X) if kind in NO_LABELS else estimator.fit(X, y)
        except (ValueError, TypeError) as error:
            return f"{type(error).__name__}: {error}"
    own = [w for w in caught if issubclass(w.category, UserWarning)]
    return f"{own[0].category.__name__}: {own[0].message}" if own else ""


def main() -> int:
    """Try each fault in each kind of fit that it can be in."""
    n_silent = n = 0
    for kind in KINDS:
        for fault in FAULTS:
            if (kind in NO_LABELS and "class" in fault.__name__) or (kind in NO_RATE and fault is rate):
                continue
            text = told(kind, fault)
            n, n_silent = n + 1, n_silent + (not text)
            print(f"{kind:25} {fault.__name__:13} {' '.join(text.split())[:110] or 'SILENT'}", flush=True)
    print(f"{n} fits with faults, {n_silent} silent")
    return int(n_silent > 0)


if __name__ == "__main__":
    sys.exit(main())
