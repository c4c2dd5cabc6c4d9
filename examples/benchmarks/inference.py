"""How often does each test claim a gain that is not there, and how often does it find one that is?

    python examples/benchmarks/inference.py --runs 1000

Simulated cross-validations by group, without networks, of two arms whose expected accuracies are equal (size: how often
p is below 0.05) or not (power). Rows of a group have difficulty and taste for an arm in common. Two kinds:

- *latent*: a row is right where ability, difficulty, taste, the luck of the fit and noise add up to more than 0. Every
  arm, seed and fold draws its luck anew; of standard deviation 0.3 it moves all rows of a fold by about 8 points.
- *learner*: nearest class means on 10 random mixtures, other ones in every fit, of 30 columns of the arm's own. Fits of
  one data set have their training rows in common, so chance in these is common too. "thinned" uses 25 rows a class of
  the training rows. Equal arms have columns of the same distribution.

Four tests of the same differences in balanced accuracy: a t-test with clusters by group and by fit (Cameron, Gelbach
and Miller 2011), which the benchmark uses; the corrected resampled t-test over fits (Nadeau and Bengio 2003); a
bootstrap over groups with the luck of fits estimated from what seeds differ by, which the benchmark used before; and
the plain paired t-test over fits. The table is printed in Markdown.
"""

import argparse
from dataclasses import dataclass, replace

import numpy as np
from joblib import Parallel, delayed
from scipy.special import stdtr

from sklearn_medgan.benchmark._statistics import balanced_parts, paired_difference

FOLDS = 4
LEVEL = 0.05
N_RESAMPLES = 200
ABILITY = 0.9  # 78 % of the rows are right
STEPS = {5: 0.21, 10: 0.47}  # of ability, for so many points
N_COLUMNS, N_MIXED = 30, 10
SIGNAL = 0.28
METHODS = ("two-way", "Nadeau-Bengio", "bootstrap", "plain t")


@dataclass(frozen=True)
class Scenario:
    """What is simulated; `n_rare` groups of two classes are of the first, None: as many of each."""

    kind: str
    n_groups: int
    n_rows: int
    gain: int
    seeds: int = 1
    luck: float = 0.0
    n_classes: int = 2
    n_rare: int | None = None
    per_class: int | None = None

    def describe(self) -> list[str]:
        """Return the cells of the table that say what is simulated."""
        classes = f"{self.n_classes} classes" if self.n_rare is None else f"{self.n_rare} groups in the rare class"
        thinned = "" if self.per_class is None else ", thinned"
        data = f"{self.n_groups} groups of {self.n_rows}, {classes}{thinned}"
        return [self.kind, data, str(self.seeds), f"{self.luck:g}" if self.kind == "latent" else "by the learner"]


def scenarios() -> list[Scenario]:
    """Return the rows of the table."""
    sizes = [
        Scenario("latent", 12, 10, 10),
        Scenario("latent", 60, 1, 10),
        Scenario("latent", 60, 5, 5, n_rare=12),
        Scenario("latent", 80, 5, 5, n_classes=4),
        Scenario("latent", 400, 1, 5),
    ]
    latent = [replace(size, seeds=s, luck=luck) for size in sizes for s in (1, 3) for luck in (0.0, 0.3)]
    learners = [Scenario("learner", 40, 5, 10), Scenario("learner", 300, 1, 10)]
    learners += [replace(learners[1], per_class=25)]
    return latent + [replace(learner, seeds=s) for learner in learners for s in (1, 3)]


def split(of_group: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the fold of each group, stratified by class."""
    folds = np.empty(len(of_group), int)
    for k in np.unique(of_group):
        members = np.flatnonzero(of_group == k)
        folds[members] = rng.permutation(np.arange(len(members)) + rng.integers(FOLDS)) % FOLDS
    return folds


def simulate(scenario: Scenario, has_gain: bool, rng: np.random.Generator) -> tuple:
    """Return labels (n,), groups (n,), test folds (seeds, n) and whether each arm is right (2, seeds, n)."""
    numbers = np.arange(scenario.n_groups)
    of_group = numbers % scenario.n_classes if scenario.n_rare is None else (numbers >= scenario.n_rare).astype(int)
    groups = np.repeat(numbers, scenario.n_rows)
    codes, folds = of_group[groups], np.stack([split(of_group, rng)[groups] for _ in range(scenario.seeds)])
    gains = (0, scenario.gain if has_gain else 0)
    make = learned if scenario.kind == "learner" else latent
    return codes, groups, folds, make(scenario, gains, codes, groups, folds, rng)


def latent(scenario: Scenario, gains, codes, groups, folds, rng) -> np.ndarray:
    """Return which rows are right by the sum of their parts, (2, seeds, n)."""
    of_group = rng.standard_normal((3, scenario.n_groups))[:, groups]
    of_row = rng.standard_normal((3, len(codes)))
    hard = 0.7 * of_group[0] + 0.7 * of_row[0]
    right = []
    for arm, gain in enumerate(gains, start=1):
        taste = 0.4 * of_group[arm] + 0.3 * of_row[arm]
        fits = np.take_along_axis(scenario.luck * rng.standard_normal((len(folds), FOLDS)), folds, 1)
        noise = 0.4 * rng.standard_normal(folds.shape)
        right.append(ABILITY + STEPS.get(gain, 0.0) + hard + taste + fits + noise > 0)
    return np.stack(right)


def learned(scenario: Scenario, gains, codes, groups, folds, rng) -> np.ndarray:
    """Return which rows nearest means of random mixtures get right, (2, seeds, n)."""
    right = np.empty((2, *folds.shape), bool)
    for arm, gain in enumerate(gains):
        of_group = rng.standard_normal((scenario.n_groups, N_COLUMNS))[groups]
        X = 0.5 * of_group + rng.standard_normal((len(codes), N_COLUMNS))
        X += SIGNAL * (1.25 if gain else 1.0) * (2 * codes - 1)[:, None]
        for seed, of_seed in enumerate(folds):
            for fold in range(FOLDS):
                train, test = thinned(np.flatnonzero(of_seed != fold), codes, scenario, rng), of_seed == fold
                mixed = X @ rng.standard_normal((N_COLUMNS, N_MIXED))
                means = np.stack([mixed[train[codes[train] == k]].mean(0) for k in range(2)])
                predicted = np.square(mixed[test][:, None] - means).sum(-1).argmin(1)
                right[arm, seed, test] = predicted == codes[test]
    return right


def thinned(train: np.ndarray, codes: np.ndarray, scenario: Scenario, rng: np.random.Generator) -> np.ndarray:
    """Return at most so many training rows a class."""
    if scenario.per_class is None:
        return train
    return np.concatenate([rng.permutation(train[codes[train] == k])[: scenario.per_class] for k in range(2)])


# ------------------------------------------------------------------------------------------------------------ tests


def p_values(codes, groups, folds, right) -> list[float]:
    """Return p of each of `METHODS`."""
    two_way = paired_difference(codes, groups, folds, *(np.where(right[arm], codes, -1) for arm in (1, 0))).p
    gains = FOLDS * balanced_parts(codes, right[1] - 1.0 * right[0])
    of_fits = np.stack([np.bincount(*seed, FOLDS) for seed in zip(folds, gains, strict=True)])
    return [two_way, t_test(of_fits, 1 / (FOLDS - 1)), bootstrap(codes, groups, folds, right), t_test(of_fits, 0.0)]


def t_test(differences: np.ndarray, test_to_train: float) -> float:
    """Return p of a t-test of the differences of fits, corrected by n_test / n_train (0: plain)."""
    n, mean = differences.size, differences.mean()
    error = np.sqrt((1.0 / n + test_to_train) * differences.var(ddof=1))
    return float(2.0 * stdtr(n - 1, -abs(mean) / error)) if error > 1e-12 else float(abs(mean) < 1e-12)


def bootstrap(codes, groups, folds, right) -> float:
    """Return p of a bootstrap over groups, all seeds alike, with the variance that cells owe to the luck of fits."""
    n_groups, n_seeds = groups.max() + 1, len(folds)
    gained = right[1].astype(float) - right[0]
    total = np.zeros((n_groups, codes.max() + 1))
    np.add.at(total, (groups, codes), 1.0)
    gains = np.zeros((n_seeds, *total.shape))
    for seed in range(n_seeds):
        np.add.at(gains[seed], (groups, codes), gained[seed])
    mean = (gains.sum(1) / total.sum(0)).mean()
    if abs(mean) < 1e-12:
        return 1.0
    draws = np.random.default_rng(0).multinomial(n_groups, np.full(n_groups, 1 / n_groups), N_RESAMPLES).astype(float)
    drawn = draws @ total
    there = drawn > 0
    shares = np.where(there, (draws @ gains.mean(0)) / np.where(there, drawn, 1.0), 0.0)
    of_groups = float((shares.sum(1) / there.sum(1)).var())
    fold_of = np.zeros((n_seeds, n_groups), int)
    fold_of[:, groups] = folds
    of_cells, of_noise = luck_of_fits(fold_of, (total / total.sum(0)).mean(1), (gains / total.sum(0)).mean(2))
    variance = of_groups + max(of_cells - of_noise, 0.0)
    if variance < 1e-24:
        return 2.0 ** (1 - n_groups)
    freedoms = np.array([(total > 0).sum(0).min() - 1, n_seeds * FOLDS - 1]).clip(1)
    freedom = max(variance**2 / (np.square([of_groups, of_cells]) / freedoms).sum(), 1.0)
    return float(2.0 * stdtr(freedom, -abs(mean) / np.sqrt(variance)))


def luck_of_fits(fold_of: np.ndarray, weights: np.ndarray, parts: np.ndarray) -> tuple[float, float]:
    """Return the variance of the mean from fits with the noise of rows in it, and that noise (Henderson's moments)."""
    n_seeds = len(fold_of)
    cell_of = fold_of + FOLDS * np.arange(n_seeds)[:, None]
    member = np.zeros((n_seeds * FOLDS, len(weights)))
    for row in cell_of:
        member[row, np.arange(len(weights))] = 1.0
    overlap = (member * weights) @ member.T
    seen = np.square(overlap * (np.eye(len(member)) - 1.0 / n_seeds)).sum() - (n_seeds - 1) * np.square(weights).sum()
    if seen < 1e-12:
        return 0.0, 0.0  # one seed: luck is not seen apart from rows
    scale = np.square(np.diag(overlap)).sum() / n_seeds**2 / seen
    apart = parts - parts.mean(0)
    of_cells = np.bincount(cell_of.ravel(), apart.ravel(), len(member))
    return float(scale * np.square(of_cells).sum()), float(scale * np.square(apart).sum())


# ------------------------------------------------------------------------------------------------------------ table


def rates(scenario: Scenario, n_runs: int) -> np.ndarray:
    """Return how often p is below the level, and the mean gain in points: (without, with a gain)."""
    found = []
    for has_gain in (False, True):
        rng = np.random.default_rng(int(has_gain))
        runs = [simulate(scenario, has_gain, rng) for _ in range(n_runs)]
        below = np.mean([np.less(p_values(*run), LEVEL) for run in runs], axis=0)
        points = np.mean([100 * (right[1].mean() - right[0].mean()) for *_, right in runs])
        found.append([*below, points])
    return np.array(found)


def table(rows: list[tuple[Scenario, np.ndarray]]) -> str:
    """Return the rates in Markdown."""
    head = [
        "kind",
        "data",
        "seeds",
        "luck",
        *(f"size, {m}" for m in METHODS),
        "gain",
        *(f"power, {m}" for m in METHODS),
    ]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for scenario, (size, power) in rows:
        cells = [*scenario.describe(), *(f"{x:.3f}" for x in size[:-1]), f"{power[-1]:.1f}"]
        lines.append(f"| {' | '.join([*cells, *(f'{x:.2f}' for x in power[:-1])])} |")
    sizes = np.array([size[:-1] for _, (size, _) in rows])
    powers = np.array([power[:-1] for _, (_, power) in rows])
    for method, most, mean in zip(METHODS, sizes.max(0), powers.mean(0), strict=True):
        lines.append(f"- {method}: size at most {most:.3f}, power {mean:.2f} on average.")
    return "\n".join(lines)


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000, help="of each kind")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    wanted = scenarios()
    found = Parallel(options.jobs)(delayed(rates)(scenario, options.runs) for scenario in wanted)
    print(table(list(zip(wanted, found, strict=True))))


if __name__ == "__main__":
    main()
