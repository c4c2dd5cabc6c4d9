"""Rows for a classifier that are drawn among the columns it sees, where a rare class borrows what the others vary by.

Features rather than images are what Hariharan and Girshick 2017 (arXiv 1606.02819) and Xian et al. 2018 (arXiv
1712.00981) make for classes of few rows; here a mixture of Gaussians with one covariance for all classes draws them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from .._containers import Form, as_rows, join_rows
from .._sklearn_compat import _safe_indexing
from ._labels import check_labels, codes_of
from ._mixture import Mixture
from ._sampling import Sampler, check_classes, every_second

N_AXES = 100  # principal axes of the columns that rows are drawn on


class ColumnSampler(Sampler):
    """What a fitted `GANAugmenter` does besides `transform`: it draws rows, and columns of rows."""

    representation: str
    transform: Any

    def training_columns(self, X: ArrayLike, y: ArrayLike, X_new: ArrayLike, y_new: ArrayLike) -> Any:
        """Return the columns that a classifier trains on: those of real rows, then those of rows that were added.

        With ``resampling="auto"``, every second added image of a class gives way to a row that is drawn among the
        columns, by a mixture of Gaussians of one covariance for all classes (see Notes of the class).

        Parameters
        ----------
        X, X_new : array-like
            Real rows, as in `fit`, and those that `fit_resample` or `resample` added.
        y, y_new : array-like of shape (n,) and (n_new,)
            Their labels, those of X_new among those of X.

        Returns
        -------
        columns : as `transform` returns them, n + n_new rows

        Raises
        ------
        ValueError, TypeError
            As `transform`, and for labels not seen at `fit`.

        Examples
        --------
        >>> from sklearn_medgan import GANAugmenter
        >>> from sklearn_medgan.datasets import make_nodules
        >>> X, y = make_nodules(60, image_size=16, random_state=0, return_X_y=True)
        >>> gan = GANAugmenter(max_iter=2, backbone=None, random_state=0).fit(X, y)
        >>> X_new, y_new = gan.resample(X, y, labels=[1, 1, 1, 0])
        >>> len(gan.training_columns(X, y, X_new, y_new))
        64
        """
        check_is_fitted(self)
        check_consistent_length(X, y)
        check_consistent_length(X_new, y_new)
        rng = np.random.RandomState(self._resampling_seed)
        y_new = np.ravel(y_new)
        codes = self._sample_codes(len(y_new), y_new, rng, "y_new") if len(y_new) else np.zeros(0, int)
        kept = every_second(codes) if self._draws_columns() else np.ones(len(codes), bool)
        real = self.transform(X)
        moved = self.transform(_safe_indexing(as_rows(X_new), np.flatnonzero(kept))) if len(codes) else real[:0]
        if kept.all():
            return join_rows(real, moved)
        known = codes_of(check_labels(X, y, type(self).__name__), len(real), self.classes_, "y")
        check_classes(known, codes, self.classes_, "y_new")
        columns = np.asarray(real)
        values = np.empty((len(codes), columns.shape[1]), np.float32)
        values[kept] = np.asarray(moved)
        values[~kept] = draw_among(columns, known, codes[~kept], rng)
        return join_rows(real, Form.of(real, columns, "table").restore(values))

    def _draws_columns(self) -> bool:
        return self.resampling == "auto" and self._form.kind != "table" and self.representation != "pixels"


def draw_among(columns: np.ndarray, known: np.ndarray, codes: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Return a row of each of `codes`, float32 (n_new, n_columns), like columns (n, n_columns) of classes `known`."""
    from sklearn.decomposition import PCA

    if not np.ptp(columns, axis=0).any():  # a single row, or the same one again and again
        return np.repeat(columns[:1], len(codes), axis=0).astype(np.float32)
    classes, known = np.unique(known, return_inverse=True)
    pca = PCA(min(N_AXES, len(columns) - 1, columns.shape[1]), random_state=rng.randint(2**31 - 1))
    scores = pca.set_output(transform="default").fit_transform(columns)
    spread = scores.std(0) + 1e-9
    drawn = Mixture.learn(scores / spread, known, rng).draw(np.searchsorted(classes, codes), rng)
    return pca.inverse_transform(drawn * spread).astype(np.float32)
