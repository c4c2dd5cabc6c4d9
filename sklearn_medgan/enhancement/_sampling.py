"""What an enhancer says of its own errors: their size, draws of plausible truths, and their spread."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from .._containers import Form, cast
from .._parameters import check_whole
from ._error_model import ErrorModel
from ._guard import mean_psnr
from ._restoration import Method, Restoration
from ._supervision import check_target


class ErrorSampler:
    """`score`, `sample` and `uncertainty` of an estimator that has learned a restoration and how it errs."""

    _restoration: Restoration
    _error_model: ErrorModel | None
    _sampling_rng: RandomState

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_error_model")

    def _checked(self, X: ArrayLike) -> tuple[np.ndarray, Form]:
        """Raw rows, and the form in which they came."""
        raise NotImplementedError

    def _method(self) -> Method:
        """What restores."""
        raise NotImplementedError

    def score(self, X: ArrayLike, y: Any = None, *, target: ArrayLike | None = None) -> float:
        """Return the mean peak signal-to-noise ratio of `transform`, in dB; the peak is the scale learned at `fit`.

        Parameters
        ----------
        X : array-like
            Poor rows; without `target`, good rows, which are degraded as at `fit` (always alike) and restored. After
            ``supervision="self"`` there has to be a target.
        y : None
            Ignored.
        target : array-like, default=None
            The good version of each row.

        Returns
        -------
        decibels : float
            Higher is better.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError, TypeError
            For rows that `transform` refuses, and targets that are not theirs.
        """
        rows, form = self._checked(X)
        restoration = self._restoration
        given, degrading = check_target(self, target, rows, form), restoration.degrading(self)
        poor, good = restoration.examples(rows, given, degrading, np.random.RandomState(0))
        restored = restoration.apply_encoded(poor, self._method())
        return mean_psnr(restoration.visible(restored), restoration.visible(good))

    def sample(self, X: ArrayLike, n_samples: int = 1, *, random_state: int | RandomState | None = None) -> np.ndarray:
        """Draw different plausible enhancements of the same rows.

        Draws differ as much from `transform` as held-out good images did: by the spread that the network predicts for
        each pixel, corrected for how errors grew with it and with what was changed around the pixel, with the
        distribution and the correlation between neighbours that errors had there. So the central 90 % of many draws
        hold the true value for about 90 % of the pixels, of images and degradations such as `fit` saw, and over many
        images: in one image most may lie outside, where all of it is too dark.

        Parameters
        ----------
        X : array-like
            As in `transform`.
        n_samples : int, default=1
            Number of draws.
        random_state : int, RandomState instance or None, default=None
            With None, a repeated call draws anew (reproducibly, if `fit` had a `random_state`).

        Returns
        -------
        X_new : ndarray of shape (n_samples, ...)
            Draws, each as `transform` returns it: shape, dtype and units.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError, TypeError
            For rows that `transform` refuses, `n_samples` below 1 and a `random_state` that is none; and after
            ``supervision="self"``, which saw no good image to know its errors by.
        """
        check_is_fitted(self)
        check_whole("n_samples", n_samples)
        rng = self._sampling_rng if random_state is None else check_random_state(random_state)
        form, draws = self._draws(X, n_samples, rng)
        dtype = np.dtype(form.dtypes[0]) if form.container not in ("pandas", "polars") else np.dtype(np.float64)
        return np.stack([cast(draw, dtype) for draw in draws])

    def _draws(self, X: ArrayLike, n: int, rng: RandomState) -> tuple[Form, Iterator[np.ndarray]]:
        """The form of `X`, and `n` draws one by one, float64 in its units."""
        restoration, model = self._restoration, self._calibrated()
        form, restored, spread = self._enhanced_and_spread(X)
        errors = (model.draw(spread.shape, rng) * spread for _ in range(n))
        return form, (restoration.in_shape(restoration.decode_draw(restored + error), form) for error in errors)

    def _enhanced_and_spread(self, X: ArrayLike) -> tuple[Form, np.ndarray, np.ndarray]:
        """Form, restored rows in network units as transform has them, and the scaled spread of their error."""
        rows, form = self._checked(X)
        restored, spread, correction = self._restoration.apply_with_spread(rows, self._method())
        return form, restored, self._calibrated().scaled(spread, correction)

    def _calibrated(self) -> ErrorModel:
        """How it errs; ValueError where that is not known."""
        if self._error_model is None:
            raise ValueError(
                "sample and uncertainty need errors against good images; this GANEnhancer learned from noisy images "
                "alone. Learn from good images, or from pairs."
            )
        return self._error_model

    def uncertainty(self, X: ArrayLike, n_samples: int | None = 16) -> np.ndarray:
        """Return the standard deviation of the error of `transform`, for every pixel.

        Errors have heavier tails than a Gaussian distribution, and half of them may lie well within 0.67 deviations:
        for an interval, take quantiles of many draws of `sample`, not multiples of this.

        Parameters
        ----------
        X : array-like
            As in `transform`.
        n_samples : int or None, default=16
            Errors, at least 2, of which the deviation is taken at each pixel. They are drawn from the distribution of
            `sample`, evenly spread over it, the same for every row: 16 come within a tenth, more come nearer. None:
            the deviation of that distribution itself, without chance and in less time.

        Returns
        -------
        deviation : ndarray of the shape of transform's output, float32
            In the units of `X`. Calibrated on held-out training images; it does not know of degradations or anatomy
            that were not among them.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError, TypeError
            For rows that `transform` refuses, for `n_samples` below 2, and after ``supervision="self"``.
        """
        if n_samples is not None:
            check_whole("n_samples", n_samples, fewest=2)
        form, _, spread = self._enhanced_and_spread(X)
        relative: Any = self._calibrated().deviation
        if n_samples is not None:
            rng = np.random.RandomState(0)
            relative = self._calibrated().deviation_of_draws(spread.shape[1:], n_samples, rng)
        restoration = self._restoration
        return restoration.in_shape(restoration.in_units(spread * relative).astype(np.float32), form)
