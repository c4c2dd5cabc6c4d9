"""Does every objective learn? Loss against its chance value, and samples judged by a classifier of real rows.

    python examples/benchmarks/objectives.py DATA_FOLDER --steps 150 --seeds 5

For each objective, on lung-nodule phantoms and on brain MRI (both 32x32, 100 a class): the discriminator's mean loss
over the last tenth beside its chance value; the accuracy with which a random forest trained on real rows recognises the
class of 100 samples a class (balanced); the spread of samples relative to the data; fits with a loss not finite.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
from columns import limit_threads, load, split
from joblib import Parallel, delayed
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import balanced_accuracy_score

SETTINGS = {
    "relativistic": {},
    "minimax": {},
    "non-saturating": {},
    "hinge": {},
    "least-squares": {},
    "wasserstein": {},
    "minimax, dcgan": {"architecture": "dcgan"},
}


def rows_of(name: str, folder: Path, seed: int):
    """100 training rows a class, and other real rows to check the judge on."""
    if name == "nodules":
        from sklearn_medgan.datasets import make_nodules

        X, y = make_nodules(600, image_size=32, contrast=1000.0, random_state=seed, return_X_y=True)
        groups = np.arange(len(y))
    else:
        X, y, groups = load(folder, name)
    train, test = split(y, groups, seed, 0, 100)
    return X[train], y[train], X[test], y[test]


def cell(name: str, setting: str, folder: Path, seed: int, steps: int, threads: int) -> list[float]:
    """Loss at the end and at chance, judge on samples and on real rows, spread, whether a loss was not finite."""
    from sklearn_medgan import GANAugmenter
    from sklearn_medgan.gan.losses import OBJECTIVES

    warnings.simplefilter("ignore")
    limit_threads(threads)
    X, y, X_test, y_test = rows_of(name, folder, seed)
    loss = setting.split(",")[0]
    gan = GANAugmenter(loss=loss, max_iter=steps, class_steps=0, random_state=seed, **SETTINGS[setting]).fit(X, y)
    judge = RandomForestClassifier(200, random_state=0).fit(X.reshape(len(X), -1), y)
    X_new, y_new = gan.sample(y=np.repeat(gan.classes_, 100), random_state=seed)
    told = balanced_accuracy_score(y_new, judge.predict(X_new.reshape(len(X_new), -1)))
    real = balanced_accuracy_score(y_test, judge.predict(X_test.reshape(len(X_test), -1)))
    tail = max(1, len(gan.history_["step"]) // 10)
    ended = np.mean(gan.history_["discriminator_loss"][-tail:])
    spread = np.mean(gan.history_["sample_spread"][-tail:])
    return [ended, OBJECTIVES[loss].chance, told, real, spread, float(gan.n_iter_ < steps)]


def main():
    """Run all cells and print a row per set and objective."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=Path)
    p.add_argument("--steps", type=int, default=150)
    p.add_argument("--seeds", type=int, default=5)
    p.add_argument("--objectives", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    p.add_argument("--jobs", type=int, default=2)
    a = p.parse_args()
    keys = [(name, setting) for name in ("nodules", "brain") for setting in a.objectives]
    jobs = (
        delayed(cell)(*key, a.folder, seed, a.steps, 2 if a.jobs == 1 else 1) for key in keys for seed in range(a.seeds)
    )
    print("| set | objective | loss, chance | samples told apart | real rows told apart | spread | not finite |")
    print("|---" * 7 + "|")
    figures = []
    for i, row in enumerate(Parallel(a.jobs, return_as="generator")(jobs), 1):
        figures.append(row)
        if i % a.seeds == 0:
            name, setting = keys[i // a.seeds - 1]
            ended, chance, told, real, spread, stopped = np.mean(figures[-a.seeds :], 0)
            low = np.min(figures[-a.seeds :], 0)[2]
            print(
                f"| {name} | {setting} | {ended:.2f}, {chance:.2f} | {told:.2f} (lowest {low:.2f}) | {real:.2f} | "
                f"{spread:.2f} | {stopped * a.seeds:.0f} of {a.seeds} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
