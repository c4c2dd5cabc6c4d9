"""Figures of a benchmark and what may be claimed from them: scores, a t-test with clusters, Holm, a verdict.

Predictions are positions of classes, (n_seeds, n): each row is tested once a seed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr, stdtrit
from sklearn.metrics import auc, roc_auc_score, roc_curve

LEVEL = 0.05
INTERVAL = 0.95
GRID = np.linspace(0.0, 1.0, 101)  # false positive rates at which curves are averaged
SPECIFICITY = 0.9  # of the second operating point
SMALLEST = 1e-12  # below it a difference is rounding


# ----------------------------------------------------------------------------------------------------------- scores


def macro_auc(codes: np.ndarray, scores: np.ndarray) -> float:
    """Return the mean one-against-the-rest area under the ROC curve over the classes that are there, else NaN."""
    there = [k for k in range(scores.shape[1]) if 0 < (codes == k).sum() < len(codes)]
    return float(np.mean([roc_auc_score(codes == k, scores[:, k]) for k in there])) if there else float("nan")


def brier(codes: np.ndarray, probabilities: np.ndarray) -> float:
    """Return half the squared distance of probabilities to the truth: 0 to 1, for two classes the usual score.

    By hand: scikit-learn's `brier_score_loss` takes several classes from 1.7 on only.
    """
    truth = np.eye(probabilities.shape[1])[codes]
    return float(np.mean(np.square(probabilities - truth).sum(1)) / 2)


def sensitivity_specificity(is_ill: np.ndarray, called_ill: np.ndarray) -> tuple[float, float]:
    """Return shares of ill rows called ill, and of other rows not called ill."""
    return float(called_ill[is_ill].mean()), float(1.0 - called_ill[~is_ill].mean())


def suspicion(scores: np.ndarray, ill: tuple[int, ...], are_probabilities: bool) -> np.ndarray:
    """Return one score a row for being ill at all, from those of the classes (n, n_classes).

    Of several ill classes: the sum of their probabilities, or the best of their decision values less the best of the
    others, which is above 0 where the classifier calls one of them.
    """
    is_ill = np.isin(np.arange(scores.shape[1]), ill)
    if are_probabilities or len(ill) == 1:
        return scores[:, is_ill].sum(1)
    return scores[:, is_ill].max(1) - scores[:, ~is_ill].max(1)


def roc(truths: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, float] | None:
    """Return the true positive rates at `GRID` and the area, means over classes; None where no class can be told.

    `truths` (n, n_classes) says which rows are of each class; one without a row, or without another one, is left out.
    Vertical averages: Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 27, 2006, section 8.2.
    """
    there = [k for k in range(truths.shape[1]) if 0 < truths[:, k].sum() < len(truths)]
    curves = [roc_curve(truths[:, k], scores[:, k])[:2] for k in there]
    if not curves:
        return None
    rates = np.mean([np.interp(GRID, *curve) for curve in curves], axis=0)
    return rates, float(np.mean([auc(*curve) for curve in curves]))


def threshold(scores: np.ndarray, is_ill: np.ndarray, specificity: float = SPECIFICITY) -> float:
    """Return the lowest score above which at most ``1 - specificity`` of the other rows lie."""
    return float(np.quantile(scores[~is_ill], specificity, method="inverted_cdf"))


def at_specificity(scores: np.ndarray, is_ill: np.ndarray, fold_of: np.ndarray) -> np.ndarray:
    """Return rows called ill at a specificity of 90 %, each fold by a threshold from the rows of the other folds."""
    called = np.zeros(len(scores), bool)
    for fold in np.unique(fold_of):
        here = fold_of == fold
        called[here] = scores[here] > threshold(scores[~here], is_ill[~here])
    return called


# ------------------------------------------------------------------------------------------------------ differences


@dataclass(frozen=True)
class PairedDifference:
    """A difference in balanced accuracy: mean over seeds, 95 % interval, two-sided p.

    `error` is the standard error, `freedom` the degrees of freedom of its t distribution.
    """

    mean: float
    low: float
    high: float
    p: float
    error: float = 0.0
    freedom: float = 1.0

    @classmethod
    def of(cls, mean: float, error: float, freedom: float) -> PairedDifference:
        """Return that of a mean with this standard error."""
        half = float(stdtrit(freedom, 0.5 + INTERVAL / 2) * error)
        p = float(2.0 * stdtr(freedom, -abs(mean) / error)) if error >= SMALLEST else float(abs(mean) < SMALLEST)
        return cls(mean, mean - half, mean + half, p, float(error), float(freedom))


def balanced_parts(codes: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return what each row adds to balanced accuracy, (n_seeds, n): their sum is the mean recall of the classes.

    `right` (n_seeds, n) is whether a row was called what it is; or the difference of two such.
    """
    counts = np.bincount(codes)
    return right / (counts[codes] * len(counts))


def paired_difference(
    codes: np.ndarray, groups: np.ndarray, fold_of: np.ndarray, first: np.ndarray, second: np.ndarray
) -> PairedDifference:
    """Return what the first arm has more than the second in balanced accuracy, by a t-test with two-way clusters.

    Rows of a group, in whatever seed, and rows that one fit has tested (`fold_of`, (n_seeds, n)) are not independent.
    The variance is that of Cameron, Gelbach and Miller for these two kinds of clusters ("Robust inference with multiway
    clustering", Journal of Business & Economic Statistics 29, 2011, section 2), and at least that of each kind alone; t
    has one degree of freedom less than the fewest clusters (fits, or groups of a class). docs/inference.md derives it
    and has its simulated size and power.
    """
    gains = balanced_parts(codes, (first == codes) - 1.0 * (second == codes))
    mean, n_groups = float(gains.sum(1).mean()), int(groups.max()) + 1
    of_class = np.bincount(codes, gains.mean(0)) / np.bincount(codes)
    error = np.sqrt(two_way_variance(gains - of_class[codes], groups, fold_of))
    if error < SMALLEST and abs(mean) < SMALLEST:
        return PairedDifference(0.0, 0.0, 0.0, 1.0)
    fewest = min(len(np.unique(groups[codes == code])) for code in np.unique(codes))
    freedom = max(1, min(fewest, len(np.unique(fold_of)) * len(fold_of)) - 1)
    least = 2.0 ** (1 - n_groups)  # as many signs can a difference of groups have
    found = PairedDifference.of(mean, error, freedom)
    return replace(found, p=max(found.p, least))


def share_interval(
    right: np.ndarray, among: np.ndarray, groups: np.ndarray, fold_of: np.ndarray
) -> tuple[float, float, float]:
    """Return a share of rows, mean over seeds, with its 95 % interval: Wilson's, for as many rows as clusters weigh.

    Rows of a group, and rows that one fit has tested, are not independent: by the variance of `two_way_variance` they
    weigh as much as fewer independent ones (Korn and Graubard, "Confidence intervals for proportions with small
    expected number of positive counts estimated from survey data", Survey Methodology 24, 1998). Where all or none are
    right there is no variance, and they weigh as their groups. The quantile is that of t, with one degree of freedom
    less than the fewest clusters.

    `right` (n_seeds, n) is what is counted, `among` (n,) the rows whose share it is.
    """
    share, n_groups = float(right[:, among].mean()), len(np.unique(groups[among]))
    variance = two_way_variance(np.where(among, right - share, 0.0) / among.sum(), groups, fold_of)
    weight = n_groups if variance < SMALLEST else min(float(among.sum()), share * (1 - share) / variance)
    freedom = max(1, min(n_groups, sum(len(np.unique(row[among])) for row in fold_of)) - 1)
    square = float(stdtrit(freedom, 0.5 + INTERVAL / 2)) ** 2 / weight
    middle, half = (share + square / 2) / (1 + square), np.sqrt(square * (share * (1 - share) + square / 4))
    return share, max(0.0, float(middle - half / (1 + square))), min(1.0, float(middle + half / (1 + square)))


def two_way_variance(residuals: np.ndarray, groups: np.ndarray, fold_of: np.ndarray) -> float:
    """Return the variance of a sum over rows, mean over seeds, that is clustered by group and by fit.

    `residuals` (n_seeds, n) are each row's part of the sum, less its expectation; a fold of a seed is a fit.
    """
    n_seeds = len(residuals)
    by_group = np.stack([np.bincount(groups, row) for row in residuals]) / n_seeds  # a group of a seed is in one fit
    by_fit = np.stack([np.bincount(folds, row) for folds, row in zip(fold_of, residuals, strict=True)]) / n_seeds
    scale = by_group.shape[1] / (by_group.shape[1] - 1)
    of_groups = scale * float(np.square(by_group.sum(0)).sum())
    of_fits = by_fit.size / (by_fit.size - 1) * float(np.square(by_fit).sum())
    of_both = scale * float(np.square(by_group).sum())
    return max(of_groups + of_fits - of_both, of_groups, of_fits)


def holm(p_values: ArrayLike) -> np.ndarray:
    """Return p values corrected for their number (Holm 1979, Scandinavian Journal of Statistics 6).

    By hand: SciPy has no Holm, and statsmodels would be a dependency for six lines.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    factors = len(p) - np.arange(len(p))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * p[order]), 1.0)
    return adjusted


def verdict(difference: float, p_holm: float) -> str:
    """Return what may be said: "gain", "loss" or "no evidence of a gain"."""
    if p_holm > LEVEL or np.isnan(p_holm):
        return "no evidence of a gain"
    return "gain" if difference > 0 else "loss"
