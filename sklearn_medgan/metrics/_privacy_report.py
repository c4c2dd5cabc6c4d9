"""One report on what samples of a model give away of its training rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state

from .._parameters import check_whole
from ._neighbours import nearest_places
from ._privacy import area_under_curve, comparable_distances, to_nearest
from ._rows import evenly, feature_rows

if TYPE_CHECKING:
    import pandas

CLOSE = 0.5  # a sample counts as near, where the other set's nearest row is twice as far
N_BOOTSTRAPS = 500
MOST_COLUMNS = 100  # of a table that attribute inference guesses
LEVEL = 0.05
Score = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class PrivacyReport:
    """What samples give away: figures with what is to be expected without a leak, and a verdict in words.

    Attributes
    ----------
    table : list of dict
        Rows of `measure`, `value`, `low`, `high` (95 % bootstrap interval, NaN where there is none), `expected`.
    leaks : tuple of str
        What was found, in words; empty where nothing was.
    """

    table: list[dict[str, Any]] = field(repr=False)
    leaks: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """Return the finding in words, with what it does not tell."""
        if self.leaks:
            found = "The samples give training rows away: " + "; ".join(self.leaks) + ". Do not hand them on."
        else:
            found = (
                "No leak was found by these attacks, on average over rows. Single patients may be exposed all the same."
            )
        return found + " This is no guarantee, such as differential privacy would give."

    def to_frame(self) -> pandas.DataFrame:
        """Return the table as a pandas.DataFrame."""
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError("to_frame needs pandas. Install it with: pip install pandas") from error
        return pd.DataFrame(self.table)

    def __str__(self) -> str:
        lines = [
            f"{row['measure']:<42} {row['value']:6.3f}"
            + (f" ({row['low']:.3f} to {row['high']:.3f})" if np.isfinite(row["low"]) else "")
            + f", expected {row['expected']:.3f}"
            for row in self.table
        ]
        return "\n".join([*lines, self.verdict])


def privacy_report(
    augmenter: Any,
    X_train: ArrayLike,
    X_holdout: ArrayLike,
    *,
    n_samples: int | None = None,
    features: Any = None,
    random_state: int | np.random.RandomState | None = 0,
) -> PrivacyReport:
    """Tell what samples of a fitted model give away of its training rows, held against rows that it never saw.

    Parameters
    ----------
    augmenter : object with `sample`
        A fitted `GANAugmenter`, or anything whose ``sample(n, random_state=...)`` returns rows, or rows and labels.
    X_train : array-like of shape (n, n_features) or (n, height, width[, channels]), any real dtype
        The rows that it was fitted on; eight or more.
    X_holdout : array-like of the same row shape
        Rows of the same population from other patients; four or more, better a hundred.
    n_samples : int, default=None
        Samples that the attacker has; None: as many as training rows. Take as many as would be handed on.
    features : callable or fitted transformer, default=None
        Maps rows to an array (n, d), in which distances are taken. None: the values of images, and those of a table
        standardised by `X_train`.
    random_state : int, RandomState instance or None, default=0
        Seeds samples, splits and intervals.

    Returns
    -------
    report : PrivacyReport
        ``print(report)`` shows it, ``report.to_frame()`` is a table, ``report.leaks`` is empty where nothing was found.

    Raises
    ------
    ValueError
        If rows are too few, not finite, no numbers, or of different sizes.

    See Also
    --------
    memorisation_ratio, membership_inference_auc : Two of the measures by themselves.

    Notes
    -----
    *Near-copies*: samples at most half as far from a training row as from any held-out row, and for expectation those
    the other way round: without memorisation both are equally frequent (sign test).

    *Membership inference*: the area under the curve of an attacker who takes a row for a training row when a sample is
    near. *Split bias*: the same attack without any model, half of the training rows in place of the samples. Where it
    is not 0.5, the two sets differ by more than membership, as by scanner. The leak is the difference of the two.

    *Attribute inference* (tables): the attacker knows all columns of a row but one, and guesses that one from the
    nearest sample; the area says how much smaller errors are on training rows, again less the split bias.

    Intervals count rows as independent: with several rows a patient they are too narrow. Verdicts are at 5 %, each.

    References
    ----------
    Chen et al. 2020, arXiv 1909.03935 (attack by the nearest sample). Stadler, Oprisanu and Troncoso 2022, arXiv
    2011.07018 (attribute inference against what is learned of the population alone).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_medgan.metrics import privacy_report
    >>> class Copier:
    ...     def sample(self, n, random_state=None):
    ...         return train[:n]
    >>> train, holdout = np.random.default_rng(0).normal(size=(2, 100, 3))
    >>> privacy_report(Copier(), train, holdout).leaks[0]
    '100 % of samples are near-copies of training rows, 0 % are so near to held-out ones'
    """
    rng = check_random_state(random_state)
    n_samples = np.shape(X_train)[0] if n_samples is None else check_whole("n_samples", n_samples, 2)
    drawn = augmenter.sample(n_samples, random_state=rng.randint(np.iinfo(np.int32).max))
    samples = drawn[0] if isinstance(drawn, tuple) else drawn
    is_table = features is None and np.ndim(X_train) == 2 and getattr(augmenter, "image_shape_", None) is None
    return report_on_samples(samples, X_train, X_holdout, features, is_table, rng)


def report_on_samples(
    samples: ArrayLike,
    X_train: ArrayLike,
    X_holdout: ArrayLike,
    features: Any,
    is_table: bool,
    rng: np.random.RandomState,
) -> PrivacyReport:
    """Return the report on samples that were drawn already; `is_table` says whether columns are to be standardised."""
    sets = {"X_train": X_train, "X_holdout": X_holdout, "samples": samples}
    train, holdout, drawn = feature_rows(sets, features, 4)
    if is_table:
        scaler = StandardScaler().fit(train)
        train, holdout, drawn = map(scaler.transform, (train, holdout, drawn))
    table, leaks = _near_copies(*comparable_distances(train, drawn, holdout, rng))
    attacks: dict[str, Score] = {"membership inference": lambda rows, known: -to_nearest(rows, known)}
    if is_table and train.shape[1] > 1:
        attacks["attribute inference"] = _guessing
    for name, score in attacks.items():
        rows, found = _attack(name, score, train, holdout, drawn, rng)
        table, leaks = table + rows, leaks + found
    return PrivacyReport(table, tuple(leaks))


def _row(measure: str, value: float, expected: float, interval: tuple[float, float] = (np.nan, np.nan)) -> dict:
    low, high = map(float, interval)
    return {"measure": measure, "value": float(value), "low": low, "high": high, "expected": float(expected)}


def _near_copies(to_train: np.ndarray, to_holdout: np.ndarray) -> tuple[list[dict], list[str]]:
    """Samples that lie much nearer to one set than to the other, on either side."""
    n, copies, others = len(to_train), np.sum(to_train < CLOSE * to_holdout), np.sum(to_holdout < CLOSE * to_train)
    nearer = np.mean((to_train < to_holdout) + 0.5 * (to_train == to_holdout))
    table = [_row("nearer to a training row, share", nearer, 0.5), _row("near-copies, share", copies / n, others / n)]
    if copies + others and binomtest(int(copies), int(copies + others), alternative="greater").pvalue < LEVEL:
        shares = [f"{100 * count / n:.0f} %" for count in (copies, others)]
        return table, [
            f"{shares[0]} of samples are near-copies of training rows, {shares[1]} are so near to held-out ones"
        ]
    return table, []


def _attack(
    name: str, score: Score, train: np.ndarray, holdout: np.ndarray, samples: np.ndarray, rng: np.random.RandomState
) -> tuple[list[dict], list[str]]:
    """Areas under the curve of an attack by samples, of the same by other training rows, and their difference."""
    places = rng.permutation(len(train))
    half, other_half = np.array_split(train[places], 2)
    pairs = [(score(train, samples), score(holdout, samples)), (score(half, other_half), score(holdout, other_half))]
    areas = np.array([area_under_curve(*pair) for pair in pairs])
    draws = np.empty((N_BOOTSTRAPS, 2))
    for draw in draws:
        of_holdout = rng.randint(len(holdout), size=len(holdout))
        draw[:] = [area_under_curve(rng.choice(inside, len(inside)), outside[of_holdout]) for inside, outside in pairs]
    intervals = np.quantile(np.column_stack([draws, draws[:, 0] - draws[:, 1]]), [LEVEL / 2, 1 - LEVEL / 2], axis=0).T
    leak = areas[0] - areas[1]
    table = [
        _row(f"{name}, area under the curve", areas[0], areas[1], intervals[0]),
        _row(f"{name}, split bias", areas[1], 0.5, intervals[1]),
        _row(f"{name}, leak", leak, 0.0, intervals[2]),
    ]
    told = f"{name} reaches an area under the curve of {areas[0]:.2f}, {areas[1]:.2f} without the model"
    return table, [told] if intervals[2][0] > 0 and intervals[0][0] > 0.5 else []


def _guessing(rows: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Minus the mean error of each row's values, each guessed from the row of `known` nearest in the other columns."""
    errors = np.zeros(len(rows))
    columns = evenly(rows.shape[1], MOST_COLUMNS)
    for column in columns:
        others = np.delete(rows, column, 1), np.delete(known, column, 1)
        errors += np.abs(rows[:, column] - known[nearest_places(*others)[:, 0], column])
    return -errors / len(columns)
