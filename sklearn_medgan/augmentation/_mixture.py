"""Rows of a table from a mixture of Gaussians: what a GAN of a few hundred rows does not reach.

Columns are first brought to normal scores by their ranks (a Gaussian copula), where they have no ties. Each class is
cut into clusters of about `PER_CLUSTER` rows. A new row is the centre of one of them and noise of the covariance that
rows have about their centres, the same in all clusters and classes, so a class of few rows borrows its spread from the
others. A row is kept with the probability that a logistic regression gives its class, else drawn again
(rejection sampling with a discriminative model, as Azadi et al. 2019, arXiv 1810.06758, do by the discriminator).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri
from sklearn.exceptions import ConvergenceWarning

PER_CLUSTER = 10
FEWEST = 5  # rows behind each centre, and behind each knot
MOST_KNOTS = 50
MOST_CLUSTERS = 100  # of a class
MOST_AXES = 64
MOST_ROWS = 5_000
ROUNDS = 10  # in which a row is drawn again, at most


@dataclass(frozen=True)
class NormalScores:
    """Columns to normal scores and back, linear between `knots` (n_knots, n_columns) at `scores` (n_knots,), ascending.

    A knot is the mean of as many rows of neighbouring rank. Where ranks are tied the map is that of a Gaussian, linear.
    """

    knots: np.ndarray
    scores: np.ndarray

    @classmethod
    def learn(cls, rows: np.ndarray) -> NormalScores:
        """Learn from rows (n, n_columns), float64."""
        parts = np.array_split(np.arange(len(rows)), max(3, min(MOST_KNOTS, len(rows) // FEWEST)))
        scores = ndtri((np.arange(len(parts)) + 0.5) / len(parts))
        knots = rows.mean(0) + (rows.std(0) + 1e-6) * scores[:, None]
        if len(rows) >= len(parts) * FEWEST:
            ranked = np.sort(rows, axis=0)
            means = np.stack([ranked[part].mean(0) for part in parts])
            knots = np.where((np.diff(means, axis=0) > 1e-6).all(0), means, knots)
        return cls(knots, scores)

    def __post_init__(self) -> None:
        """Raise ValueError where the knots are not ascending, or not of the scores: they may come from a file."""
        ascending = all((np.diff(values, axis=0) > 0).all() for values in (self.knots, self.scores))
        if len(self.knots) != len(self.scores) or len(self.scores) < 2 or not ascending:
            raise ValueError("the knots of the normal scores do not ascend with them")

    def encode(self, rows: np.ndarray) -> np.ndarray:
        columns = zip(rows.T, self.knots.T, strict=True)
        return np.stack([_between(column, knots, self.scores) for column, knots in columns], axis=1)

    def decode(self, scores: np.ndarray) -> np.ndarray:
        columns = zip(scores.T, self.knots.T, strict=True)
        return np.stack([_between(column, self.scores, knots) for column, knots in columns], axis=1)


def _between(values: np.ndarray, known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Interpolate linearly, and go on beyond the ends with the slope of their outermost tenth."""
    reach = max(1, len(known) // 10)
    low, high = ((wanted[a] - wanted[b]) / (known[a] - known[b]) for a, b in ((reach, 0), (-1, -1 - reach)))
    beyond = np.minimum(values - known[0], 0.0) * low + np.maximum(values - known[-1], 0.0) * high
    return np.interp(values, known, wanted) + beyond


@dataclass(frozen=True)
class Mixture:
    """A mixture of Gaussians for each class, of one covariance, and the classes' log odds.

    Of each cluster: `centres` (n_clusters, n_columns) in normal scores, `codes` its class, `shares` of the rows of that
    class. `axes` (n_axes, n_columns) are the principal axes of the noise, as long as its deviation along them beyond
    `floor`, the deviation that all columns have besides. `weights` (n_columns, n_classes) and `offset` (n_classes,) are
    those of the logistic regression; zeros with a single class.
    """

    columns: NormalScores
    centres: np.ndarray
    codes: np.ndarray
    shares: np.ndarray
    axes: np.ndarray
    floor: float
    weights: np.ndarray
    offset: np.ndarray

    def __post_init__(self) -> None:
        """Raise ValueError where the parts do not belong together: they may come from a file."""
        (n, width), n_classes = self.centres.shape, len(self.offset)
        per_column = self.axes.shape[1:] + self.columns.knots.shape[1:] + self.weights.shape
        of_clusters = self.codes.shape + self.shares.shape
        if per_column != (width, width, width, n_classes) or of_clusters != (n, n) or self.codes.min() < 0:
            raise ValueError("the centres, axes and classes of the mixture do not belong together")
        totals = np.bincount(self.codes, self.shares)
        if self.shares.min() < 0 or totals.shape != (n_classes,) or not np.allclose(totals, 1.0):
            raise ValueError("the clusters of a class of the mixture do not add up to it")

    @property
    def size(self) -> tuple[int, int]:
        return self.centres.shape[1], len(self.offset)

    @classmethod
    def learn(cls, rows: np.ndarray, codes: np.ndarray, rng: np.random.RandomState) -> Mixture:
        """Learn from encoded rows (n, n_columns) of classes (n,), each of 0, ..., n_classes - 1 among them."""
        from sklearn.linear_model import LogisticRegression

        if len(rows) > MOST_ROWS:
            some = rng.permutation(len(rows))[:MOST_ROWS]
            some = np.union1d(some, np.unique(codes, return_index=True)[1])
            rows, codes = rows[some], codes[some]
        columns = NormalScores.learn(rows.astype(np.float64))
        rows = columns.encode(rows)
        clusters = _clusters(rows, codes, rng)
        counts = np.bincount(clusters)
        centres = np.stack([rows[clusters == k].mean(0) for k in range(len(counts))])
        of_cluster = codes[np.unique(clusters, return_index=True)[1]]
        axes, floor = _noise(rows - centres[clusters], len(rows) / max(1, len(rows) - len(counts)))
        distinct = np.array([len(np.unique(rows[clusters == k], axis=0)) for k in range(len(counts))])
        few = distinct < FEWEST  # the centre of so few would tell of one of them
        centres[few] += _draw(axes, floor, int(few.sum()), rng)
        n_classes = int(codes.max()) + 1
        weights, offset = np.zeros((rows.shape[1], n_classes)), np.zeros(n_classes)
        if n_classes > 1:
            head = LogisticRegression(class_weight="balanced", tol=1e-3)
            with warnings.catch_warnings():  # not quite converged will do
                warnings.simplefilter("ignore", ConvergenceWarning)
                head.fit(rows, codes)
            weights[:, -len(head.coef_) :], offset[-len(head.coef_) :] = head.coef_.T, head.intercept_
        return cls(columns, centres, of_cluster, counts / np.bincount(codes)[of_cluster], axes, floor, weights, offset)

    def draw(self, codes: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
        """Return a row of each of these classes, float32 (n, n_columns)."""
        rows, pending = np.empty((len(codes), self.centres.shape[1])), np.arange(len(codes))
        for _ in range(ROUNDS):
            wanted = codes[pending]
            clusters = np.empty(len(wanted), int)
            for code in np.unique(wanted):
                own = np.flatnonzero(self.codes == code)
                here = wanted == code
                clusters[here] = rng.choice(own, here.sum(), p=self.shares[own])
            rows[pending] = self.centres[clusters] + _draw(self.axes, self.floor, len(wanted), rng)
            pending = pending[rng.uniform(size=len(wanted)) > self._probability(rows[pending], wanted)]
        return self.columns.decode(rows).astype(np.float32)

    def _probability(self, rows: np.ndarray, codes: np.ndarray) -> np.ndarray:
        logits = rows @ self.weights + self.offset
        odds = np.exp(logits - logits.max(1, keepdims=True))
        return odds[np.arange(len(rows)), codes] / odds.sum(1) if len(self.offset) > 1 else np.ones(len(rows))


def _clusters(rows: np.ndarray, codes: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Return the cluster of each row: k-means within each class; those of too few rows join the nearest."""
    from sklearn.cluster import KMeans

    found, n_before = np.empty(len(rows), int), 0
    for code in np.unique(codes):
        here = np.flatnonzero(codes == code)
        n_clusters = min(MOST_CLUSTERS, max(1, len(here) // PER_CLUSTER))
        means = KMeans(n_clusters, n_init=1, random_state=rng).set_output(transform="default")
        distances = means.fit_transform(rows[here])
        while len(here) >= FEWEST:
            labels = distances.argmin(1)
            counts = np.bincount(labels, minlength=distances.shape[1])
            present = np.flatnonzero(counts)
            smallest = present[counts[present].argmin()]
            if counts[smallest] >= FEWEST:
                break
            distances[:, smallest] = np.inf
        labels = np.unique(distances.argmin(1), return_inverse=True)[1]
        found[here] = n_before + labels
        n_before += labels.max() + 1
    return found


def _noise(residuals: np.ndarray, correction: float) -> tuple[np.ndarray, float]:
    """Return axes and floor of noise with the covariance of the residuals, shrunk (Ledoit and Wolf 2004)."""
    from sklearn.covariance import ledoit_wolf_shrinkage
    from sklearn.decomposition import PCA

    mean_variance = float(np.square(residuals).mean())
    n_axes = min(MOST_AXES, *residuals.shape)
    if mean_variance == 0.0 or len(residuals) < 2:
        return np.zeros((1, residuals.shape[1])), 0.0
    shrinkage = ledoit_wolf_shrinkage(residuals, assume_centered=True)
    pca = PCA(n_axes, random_state=0).fit(residuals)
    rest = (1 - shrinkage) * float(pca.noise_variance_) + shrinkage * mean_variance
    beyond = np.maximum((1 - shrinkage) * pca.explained_variance_ + shrinkage * mean_variance - rest, 0.0)
    return np.sqrt(correction * beyond)[:, None] * pca.components_, float(np.sqrt(correction * rest))


def _draw(axes: np.ndarray, floor: float, n: int, rng: np.random.RandomState) -> np.ndarray:
    noise = rng.standard_normal((n, len(axes))) @ axes
    return noise + floor * rng.standard_normal(noise.shape)
