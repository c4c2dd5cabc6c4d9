"""Class scores as columns: what rows without a label add where few rows have one.

A teacher learns the classes from the labelled rows and guesses those of the others; a student, linear in the same
columns, learns these guesses from the rows without a label alone (distillation: Hinton et al. 2015, arXiv 1503.02531,
section 2). The teacher holds training rows and is dropped. The student has not been told the label of any row, so it is
no surer of a labelled row than of a new one, and a classifier behind it does not trust its scores more than they earn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TEACHER_PENALTY = 0.1  # of kernel ridge regression, whose kernel is one at distance zero
STUDENT_PENALTY = 5 / 3  # of ridge regression, on columns scaled to a mean square length of one
SHARPNESS = 8.0  # of the guesses: 1 between the scores of two classes is a certainty of 1 - exp(-8)


@dataclass(frozen=True)
class ClassScores:
    """An affine map from columns (n, n_columns) to class scores (n, n_classes): `weights` and `offset`, float32."""

    weights: np.ndarray
    offset: np.ndarray

    @classmethod
    def learn(cls, columns: np.ndarray, labels: np.ndarray, weight: float) -> ClassScores:
        """Learn scores that have zero mean and, together, a standard deviation of `weight` over the training rows.

        `columns` are float32 blocks of rows with one-hot `labels` (n_labelled, n_classes), followed by those of rows
        without a label.
        """
        labelled, unlabelled = columns[: len(labels)], columns[len(labels) :]
        energy = float(np.einsum("ij,ij->i", columns, columns).mean(dtype=np.float64)) or 1.0
        coefficients = distil(unlabelled, guess(labelled, labels, unlabelled, energy), energy)
        scores = columns @ coefficients
        spread = scores.std(0, dtype=np.float64)
        scale = np.where(spread > 1e-9, weight / (np.maximum(spread, 1e-9) * np.sqrt(len(spread))), 0.0)
        offset = -scores.mean(0, dtype=np.float64) * scale
        return cls((coefficients * scale).astype(np.float32), offset.astype(np.float32))

    def __call__(self, columns: np.ndarray) -> np.ndarray:
        """Return scores (n, n_classes), float32; one row at a time, so that none depends on the rows beside it."""
        return np.matmul(columns[:, None], self.weights)[:, 0] + self.offset


def guess(labelled: np.ndarray, labels: np.ndarray, unlabelled: np.ndarray, energy: float) -> np.ndarray:
    """Return class probabilities of rows without a label, by kernel ridge regression; classes weigh alike."""
    from scipy.special import softmax
    from sklearn.kernel_ridge import KernelRidge

    counts = np.maximum(labels.sum(0), 1.0)
    weights = (labels / counts).sum(1) * len(labels) / np.count_nonzero(labels.sum(0))
    teacher = KernelRidge(kernel="rbf", gamma=1.0 / energy, alpha=TEACHER_PENALTY)
    teacher.fit(labelled, labels - 1.0 / labels.shape[1], sample_weight=weights)
    return softmax(SHARPNESS * teacher.predict(unlabelled), axis=1)


def distil(rows: np.ndarray, guesses: np.ndarray, energy: float) -> np.ndarray:
    """Return coefficients (n_columns, n_classes) of ridge regression from rows to guesses."""
    from sklearn.linear_model import Ridge

    student = Ridge(alpha=STUDENT_PENALTY * energy, solver="cholesky")
    return student.fit(rows, guesses.astype(rows.dtype)).coef_.T
