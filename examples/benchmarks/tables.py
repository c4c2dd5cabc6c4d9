"""Do GANAugmenter's rows help on tables where a class is rare, and do they stand in for real rows?

    python examples/benchmarks/tables.py --reference TORCH_PYTHON --out tables.jsonl

Tables that come with scikit-learn: breast cancer (569 x 30, rare class malignant), diabetes made a classification (442
x 10, rare class: progression in the highest quarter of the set), wine (178 x 13, rare class the third; so easy that no
arm can gain), digits as a table (1797 x 64, rare class the eight). Stratified folds (four of each seed), columns
standardised on the training rows that the classifier gets.

*Rare*: 20 training rows of the rare class and at most 300 of each other one; test rows as they are. Every arm that adds
rows lifts each class to the count of the largest. *Only synthetic*: the GAN learns from all training rows, the
classifier from as many synthetic rows of each class and from no real one; the row "none" is the real rows. SMOTE
(imbalanced-learn) and CTGAN (package `ctgan`, in the Python given; see `ctgan_rows.py`) with their defaults, as is
GANAugmenter, whose rows of a table are those of a mixture of Gaussians; with architecture="dense" they are the GAN's.
SMOTE's rows in *only synthetic* are the interpolations without the rows between which they lie.

Balanced accuracy, mean over the cells; in parentheses the paired difference to "none" with its standard error over the
cells (cells share rows, so it is a little small). "distance": that of synthetic rows to the nearest training row, by
that to the nearest test row (`metrics.memorisation_ratio`; 1: as far, 0: copies). Every cell is appended to `--out`; a
second call goes on from there.
"""

import argparse
import json
import subprocess
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
from sklearn import datasets
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, recall_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

RARE_CLASS = {"breast cancer": 0, "diabetes": 1, "wine": 2, "digits": 8}
RARE_ROWS, OTHER_ROWS = 20, 300
OURS = "GANAugmenter"
DENSE = f"{OURS}, architecture='dense'"
ARMS = {
    "rare": ("none", "class weights", "SMOTE", "CTGAN", OURS, DENSE),
    "only synthetic": ("none", "SMOTE", "CTGAN", OURS, DENSE),
}
CLASSIFIERS = {
    "SVC": SVC(C=10),
    "forest": RandomForestClassifier(200, random_state=0),
    "logistic": LogisticRegression(max_iter=2000),
}


def load(name: str):
    """Rows and codes of classes."""
    loaders = {
        "breast cancer": datasets.load_breast_cancer,
        "diabetes": datasets.load_diabetes,
        "wine": datasets.load_wine,
        "digits": datasets.load_digits,
    }
    X, y = loaders[name](return_X_y=True)
    return X, (y > np.percentile(y, 75)).astype(int) if name == "diabetes" else y


class Cell:
    """The rows of one set, regime, seed and fold."""

    def __init__(self, name: str, regime: str, seed: int, fold: int):
        self.key = {"set": name, "regime": regime, "seed": seed, "fold": fold}
        X, y = load(name)
        train, test = list(StratifiedKFold(4, shuffle=True, random_state=seed).split(X, y))[fold]
        if regime == "rare":
            train = self._cut(train, y, RARE_CLASS[name], np.random.RandomState(100 * seed + fold))
        self.X, self.y, self.X_test, self.y_test = X[train], y[train], X[test], y[test]
        self.counts = np.bincount(self.y)
        self.stem = f"{name.replace(' ', '_')}_{regime.replace(' ', '_')}_{seed}_{fold}"

    @staticmethod
    def _cut(train, y, rare: int, rng):
        most = {label: RARE_ROWS if label == rare else OTHER_ROWS for label in np.unique(y)}
        return np.concatenate([rng.permutation(train[y[train] == label])[:n] for label, n in most.items()])

    @property
    def wanted(self) -> np.ndarray:
        """Synthetic rows of each class."""
        return self.counts.max() - self.counts if self.key["regime"] == "rare" else self.counts

    def write(self, work: Path) -> None:
        """What `ctgan_rows.py` reads."""
        levels = [len(np.unique(column)) <= 2 for column in self.X.T]
        path = work / f"{self.stem}_train.npz"
        if not path.exists():
            np.savez(path, X=self.X, y=self.y, counts=self.wanted, levels=levels)


def rows_of_smote(cell: Cell, work: Path):
    """Interpolations between neighbours of a class, and the seconds."""
    from imblearn.over_sampling import SMOTE

    started = time.monotonic()
    targets = dict(enumerate((cell.counts + cell.wanted).tolist()))
    X, y = SMOTE(sampling_strategy=targets, random_state=cell.key["seed"]).fit_resample(cell.X, cell.y)
    return X[len(cell.X) :], y[len(cell.y) :], time.monotonic() - started


def rows_of_ctgan(cell: Cell, work: Path):
    """What `ctgan_rows.py` wrote."""
    with np.load(work / f"{cell.stem}_ctgan.npz") as file:
        return file["X"], file["y"], float(file["seconds"])


def rows_of_ours(cell: Cell, work: Path, architecture: str = "auto"):
    """Samples of a default GANAugmenter, or of its GAN."""
    from sklearn_medgan import GANAugmenter

    started = time.monotonic()
    gan = GANAugmenter(architecture=architecture, random_state=cell.key["seed"]).fit(cell.X, cell.y)
    seconds = time.monotonic() - started
    X, y = gan.sample(y=np.repeat(gan.classes_, cell.wanted), random_state=cell.key["seed"])
    return X, y, seconds


MAKERS = {
    "SMOTE": rows_of_smote,
    "CTGAN": rows_of_ctgan,
    OURS: rows_of_ours,
    DENSE: partial(rows_of_ours, architecture="dense"),
}


def distance(cell: Cell, X) -> float:
    """Median distance of synthetic rows to the nearest training row, by that to the nearest of as many test rows."""
    from sklearn_medgan.metrics import memorisation_ratio

    scaler = StandardScaler().fit(cell.X)
    return memorisation_ratio(*map(scaler.transform, (cell.X, X, cell.X_test))).ratio


def measure(cell: Cell, arm: str, work: Path) -> dict:
    """Scores of every classifier trained on an arm's rows."""
    X, y, seconds = cell.X, cell.y, 0.0
    if arm in MAKERS:
        X_new, y_new, seconds = MAKERS[arm](cell, work)
        added = cell.key["regime"] == "rare"
        X, y = (np.concatenate([X, X_new]), np.concatenate([y, y_new])) if added else (X_new, y_new)
    row = {**cell.key, "arm": arm, "seconds": round(seconds, 2)}
    if arm in MAKERS:
        row["distance"] = round(distance(cell, X_new), 3)
    rare = RARE_CLASS[cell.key["set"]]
    for name, classifier in CLASSIFIERS.items():
        weight = "balanced" if arm == "class weights" else None
        model = make_pipeline(StandardScaler(), classifier.set_params(class_weight=weight)).fit(X, y)
        told = model.predict(cell.X_test)
        row[name] = round(balanced_accuracy_score(cell.y_test, told), 5)
        row[f"{name} sensitivity"] = round(recall_score(cell.y_test == rare, told == rare), 5)
    return row


def table(rows: list[dict]) -> str:
    """Markdown: a line for each set, regime and arm; then what GANAugmenter has more than its peers."""
    columns = ["set", "regime", "arm", "cells", *CLASSIFIERS, "mean", "sensitivity", "fit, s", "distance"]
    lines, told = [f"| {' | '.join(columns)} |", "|---" * 3 + "|---:" * (len(columns) - 3) + "|"], []
    for name, regime in dict.fromkeys((r["set"], r["regime"]) for r in rows):
        here = [r for r in rows if (r["set"], r["regime"]) == (name, regime)]
        by_arm = {arm: {(r["seed"], r["fold"]): r for r in here if r["arm"] == arm} for arm in ARMS[regime]}
        lines += [line(name, regime, arm, by_arm) for arm in ARMS[regime] if by_arm[arm]]
        told += [less(name, regime, arm, by_arm) for arm in ("SMOTE", "CTGAN") if by_arm[arm] and by_arm[OURS]]
    return "\n".join([*lines, "", *told])


def less(name: str, regime: str, arm: str, by_arm: dict) -> str:
    """What GANAugmenter has more than a peer on the mean of the classifiers, over the cells that both have."""
    cells = [key for key in by_arm[OURS] if key in by_arm[arm]]
    mean, error = paired(by_arm[OURS], by_arm[arm], cells)
    return f"- {name}, {regime}: {OURS} less {arm} {mean[-1]:+.1f} ± {error[-1]:.1f}."


def paired(ours: dict, others: dict, cells: list) -> tuple[np.ndarray, np.ndarray]:
    """Mean difference in points and its standard error, for every classifier and their mean."""
    gain = 100 * (matrix(ours, cells) - matrix(others, cells))
    none = np.full(gain.shape[1], np.nan)
    return gain.mean(0), gain.std(0, ddof=1) / np.sqrt(len(cells)) if len(cells) > 1 else none


def line(name: str, regime: str, arm: str, by_arm: dict) -> str:
    """An arm's means, with differences to "none" over the cells that both have."""
    cells = [key for key in by_arm[arm] if key in by_arm["none"]]
    shown = []
    for score, gain, error in zip(
        matrix(by_arm[arm], cells).mean(0), *paired(by_arm[arm], by_arm["none"], cells), strict=True
    ):
        shown.append(f"{score:.3f}" + ("" if arm == "none" else f" ({gain:+.1f} ± {error:.1f})"))
    rare = np.mean([by_arm[arm][key][f"{c} sensitivity"] for key in cells for c in CLASSIFIERS])
    seconds = np.median([by_arm[arm][key]["seconds"] for key in cells])
    near = np.mean([by_arm[arm][key].get("distance", np.nan) for key in cells])
    figures = [*shown, f"{rare:.3f}", f"{seconds:.1f}", "" if np.isnan(near) else f"{near:.2f}"]
    return f"| {name} | {regime} | {arm} | {len(cells)} | {' | '.join(figures)} |"


def matrix(cells: dict, keys: list) -> np.ndarray:
    """(cells, classifiers and their mean)."""
    scores = np.array([[cells[key][c] for c in CLASSIFIERS] for key in keys])
    return np.column_stack([scores, scores.mean(1)])


def arguments():
    """The command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--reference", metavar="TORCH_PYTHON", help="without it CTGAN is left out")
    p.add_argument("--sets", nargs="+", choices=RARE_CLASS, default=list(RARE_CLASS))
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    p.add_argument("--folds", type=int, default=4)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--ctgan-epochs", type=int, default=300, help="with another number use another --out")
    p.add_argument("--out", type=Path, default=Path("tables.jsonl"))
    return p.parse_args()


def main():
    """Run what is missing, then print the table."""
    a = arguments()
    work = a.out.with_suffix("")
    work.mkdir(parents=True, exist_ok=True)
    keys = [(name, r, s, f) for s in a.seeds for f in range(a.folds) for name in a.sets for r in ARMS]
    cells = [Cell(*key) for key in keys]
    if a.reference:
        for cell in cells:
            cell.write(work)
        script = Path(__file__).with_name("ctgan_rows.py")
        options = ["--threads", str(a.threads), "--epochs", str(a.ctgan_epochs)]
        subprocess.run([a.reference, str(script), str(work), *options], check=True)
    done = [json.loads(text) for text in a.out.read_text().splitlines()] if a.out.exists() else []
    for cell in cells:
        for arm in ARMS[cell.key["regime"]]:
            wanted = {**cell.key, "arm": arm}
            if (arm == "CTGAN" and not a.reference) or any(wanted.items() <= r.items() for r in done):
                continue
            done.append(measure(cell, arm, work))
            with a.out.open("a") as file:
                file.write(json.dumps(done[-1]) + "\n")
            print(done[-1], flush=True)
    asked = {tuple(cell.key.values()) for cell in cells}
    print(table([r for r in done if (r["set"], r["regime"], r["seed"], r["fold"]) in asked]))


if __name__ == "__main__":
    warnings.simplefilter("ignore", FutureWarning)
    main()
