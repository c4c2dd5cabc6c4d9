"""Figures of a benchmark and what may be claimed from them: scores, paired bootstrap over groups, Holm, a verdict.

Predictions are positions of classes, (n_seeds, n): each row is tested once a seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEVEL = 0.05
INTERVAL = (2.5, 97.5)  # percentiles
SPECIFICITY = 0.9  # of the second operating point
CHUNK = 250  # resamples at a time: bounds memory


# ----------------------------------------------------------------------------------------------------------- scores


def recalls(correct: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Correct over all by class, NaN for a class without rows."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return correct / total


def balanced(correct: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Mean recall of the classes that have rows; class is the last axis."""
    present = total > 0
    shares = np.where(present, correct / np.where(present, total, 1.0), 0.0)
    return shares.sum(-1) / np.maximum(present.sum(-1), 1)


def macro_auc(codes: np.ndarray, scores: np.ndarray) -> float:
    """Mean one-against-the-rest area under the ROC curve over the classes that are there; NaN where there are none."""
    from scipy.stats import rankdata

    areas = []
    for k in range(scores.shape[1]):
        positive = codes == k
        n_positive, n_negative = positive.sum(), (~positive).sum()
        if n_positive and n_negative:
            surplus = rankdata(scores[:, k])[positive].sum() - n_positive * (n_positive + 1) / 2
            areas.append(surplus / (n_positive * n_negative))
    return float(np.mean(areas)) if areas else float("nan")


def brier(codes: np.ndarray, probabilities: np.ndarray) -> float:
    """Half the squared distance of probabilities to the truth: 0 to 1, for two classes the usual score."""
    truth = np.eye(probabilities.shape[1])[codes]
    return float(np.mean(np.square(probabilities - truth).sum(1)) / 2)


def sensitivity_specificity(is_ill: np.ndarray, called_ill: np.ndarray) -> tuple[float, float]:
    """Shares of ill rows called ill, and of other rows not called ill."""
    return float(called_ill[is_ill].mean()), float(1.0 - called_ill[~is_ill].mean())


def suspicion(scores: np.ndarray, ill: tuple[int, ...], are_probabilities: bool) -> np.ndarray:
    """One score a row for being ill at all, from those of the classes (n, n_classes).

    Of several ill classes: the sum of their probabilities, or the best of their decision values less the best of the
    others, which is above 0 where the classifier calls one of them.
    """
    is_ill = np.isin(np.arange(scores.shape[1]), ill)
    if are_probabilities or len(ill) == 1:
        return scores[:, is_ill].sum(1)
    return scores[:, is_ill].max(1) - scores[:, ~is_ill].max(1)


def threshold(scores: np.ndarray, is_ill: np.ndarray, specificity: float = SPECIFICITY) -> float:
    """The lowest score above which at most ``1 - specificity`` of the other rows lie."""
    return float(np.quantile(scores[~is_ill], specificity, method="inverted_cdf"))


def at_specificity(scores: np.ndarray, is_ill: np.ndarray, fold_of: np.ndarray) -> np.ndarray:
    """Rows called ill at a specificity of 90 %, each fold by a threshold from the rows of the other folds."""
    called = np.zeros(len(scores), bool)
    for fold in np.unique(fold_of):
        here = fold_of == fold
        called[here] = scores[here] > threshold(scores[~here], is_ill[~here])
    return called


# ------------------------------------------------------------------------------------------------------ differences


@dataclass(frozen=True)
class Difference:
    """A difference in balanced accuracy: mean over seeds, 95 % interval, two-sided p."""

    mean: float
    low: float
    high: float
    p: float


class LuckOfFits:
    """Variance that a mean over seeds owes to its fits, each of which moves all rows of one fold of one seed alike.

    `cell_of` numbers those fits from 0, (n_seeds, n_groups); `weights` are the groups' shares of a seed's figure. What
    a group has in all seeds is taken off, so hard rows do not count as bad luck, and what single rows change by chance
    is subtracted (moments of a random-effects model, in the manner of Henderson 1953, Biometrics 9).
    """

    def __init__(self, cell_of: np.ndarray, weights: np.ndarray):
        n_seeds, self.n_cells = len(cell_of), int(cell_of.max()) + 1
        self._cell_of = cell_of
        member = np.zeros((self.n_cells, len(weights)))
        for row in cell_of:
            member[row, np.arange(len(weights))] = 1.0
        overlap = (member * weights) @ member.T
        reach = overlap * (np.eye(self.n_cells) - 1.0 / n_seeds)  # of one cell's luck in the sums of all cells
        seen = np.square(reach).sum() - (n_seeds - 1) * np.square(weights).sum()
        owed = np.square(np.diag(overlap)).sum() / n_seeds**2
        self._scale = owed / seen if seen > 1e-12 else 0.0  # one seed, or folds of one group: luck is not seen apart

    def __call__(self, parts: np.ndarray) -> tuple[float, float]:
        """Variance of the mean from cells with the noise of rows in them, and that noise; `parts` (n_seeds, n_groups)
        add up to the figure of each seed."""
        apart = parts - parts.mean(0)
        of_cells = np.bincount(self._cell_of.ravel(), apart.ravel(), self.n_cells)
        return float(self._scale * np.square(of_cells).sum()), float(self._scale * np.square(apart).sum())


class Comparisons:
    """Paired differences between arms that were tested on the same rows.

    `folds` holds the number of the fold that tests each row, (n_seeds, n); the rows of a group are in one fold. A
    resample draws the groups anew, with all their rows in all seeds, and adds a draw of what other fits would change
    for all rows of a fold alike, which the groups cannot show. p is that of Student's t of the difference over the
    standard deviation of both, since a share of 2,000 resamples is too coarse for Holm's correction.
    """

    def __init__(self, codes, groups, folds, predictions: dict, *, n_resamples: int = 2000, seed: int = 0):
        self.names = list(predictions)
        self._n_groups, n_classes = int(groups.max()) + 1, int(codes.max()) + 1
        shape, cell_of = (self._n_groups, n_classes), groups * n_classes + codes
        size = self._n_groups * n_classes
        self._total = np.bincount(cell_of, minlength=size).reshape(shape)
        self._luck = self._luck_of_fits(groups, np.asarray(folds))
        # correct rows of each arm by seed, group and class
        self._correct = [
            np.stack([np.bincount(cell_of, row == codes, minlength=size).reshape(shape) for row in predicted])
            for predicted in predictions.values()
        ]
        rng = np.random.default_rng(seed)
        self._draws = self._resample(n_resamples, rng) if self.names else np.zeros((n_resamples, 0))
        self._of_fits = rng.standard_normal(n_resamples)

    def _luck_of_fits(self, groups, folds) -> LuckOfFits:
        fold_of = np.zeros((len(folds), self._n_groups), int)
        fold_of[:, groups] = folds
        cells = fold_of + (folds.max() + 1) * np.arange(len(folds))[:, None]
        weights = (self._total / self._total.sum(0)).mean(1)
        return LuckOfFits(np.unique(cells, return_inverse=True)[1].reshape(cells.shape), weights)

    def _resample(self, n_resamples: int, rng) -> np.ndarray:
        """Balanced accuracy (resample, arm) on groups drawn with replacement, mean over seeds."""
        correct = np.stack([counts.mean(0) for counts in self._correct], axis=1)  # (group, arm, class)
        flat, parts = correct.reshape(self._n_groups, -1), []
        for start in range(0, n_resamples, CHUNK):
            n = min(CHUNK, n_resamples - start)
            drawn = rng.integers(0, self._n_groups, (n, self._n_groups)) + self._n_groups * np.arange(n)[:, None]
            times = np.bincount(drawn.ravel(), minlength=n * self._n_groups).reshape(n, -1).astype(np.float64)
            counts = (times @ flat).reshape(n, *correct.shape[1:])
            parts.append(balanced(counts, (times @ self._total)[:, None, :]))
        return np.concatenate(parts)

    def accuracy(self, name) -> float:
        """Balanced accuracy, mean over seeds."""
        return float(self._by_seed(self.names.index(name)).mean())

    def difference(self, first, second) -> Difference:
        """What `first` has more than `second`."""
        i, j = self.names.index(first), self.names.index(second)
        mean = float((self._by_seed(i) - self._by_seed(j)).mean())
        draws = self._draws[:, i] - self._draws[:, j]
        of_cells, of_noise = self._luck(((self._correct[i] - self._correct[j]) / self._total.sum(0)).mean(2))
        of_fits = max(of_cells - of_noise, 0.0)
        low, high = np.percentile(draws + np.sqrt(of_fits) * self._of_fits, INTERVAL)
        return Difference(mean, float(low), float(high), self._p(mean, float(draws.var()), of_fits, of_cells))

    def _by_seed(self, i: int) -> np.ndarray:
        return balanced(self._correct[i].sum(1), self._total.sum(0))

    def _p(self, mean: float, of_groups: float, of_fits: float, of_cells: float) -> float:
        """Two-sided p; degrees of freedom after Satterthwaite, groups counted in the class that has fewest.

        How uncertain the part of fits is follows from what cells differ by before the noise of rows is taken off: what
        is left may be 0 by chance, and would then seem to be known.
        """
        from scipy.special import stdtr

        if abs(mean) < 1e-12:
            return 1.0
        least = 2.0 ** (1 - self._n_groups)  # as many signs can a difference of groups have
        variance = of_groups + of_fits
        if variance < 1e-24:
            return least
        freedoms = np.array([(self._total > 0).sum(0).min() - 1, self._luck.n_cells - 1]).clip(1)
        freedom = max(variance**2 / (np.square([of_groups, of_cells]) / freedoms).sum(), 1.0)
        return float(max(2.0 * stdtr(freedom, -abs(mean) / np.sqrt(variance)), least))


def holm(p_values) -> np.ndarray:
    """p values corrected for their number (Holm 1979, Scandinavian Journal of Statistics 6)."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    factors = len(p) - np.arange(len(p))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * p[order]), 1.0)
    return adjusted


def verdict(difference: float, p_holm: float) -> str:
    """What may be said: "gain", "loss" or "no evidence of a gain"."""
    if p_holm > LEVEL or np.isnan(p_holm):
        return "no evidence of a gain"
    return "gain" if difference > 0 else "loss"
