"""Does a classifier trained on good images keep its accuracy on poor ones, once they are enhanced?

    python examples/benchmarks/enhancement_diagnosis.py DATA_FOLDER --seeds 0 1 2 --max-iter 2000 --out diagnosis.jsonl

For brain_tumor_mri_64 and covid_ct_64: a fold by group is the test set (at most `--test-rows` of it), the others train.
SVC(C=10), random forest (200 trees) and logistic regression, on pixels and on HOG, are trained on clean rows and meet
the test rows clean, degraded, and restored by classical methods (strength tuned on training rows, told the true noise)
and by GANEnhancer (one fit a degradation, of `--max-iter` steps, `guard` on, `y` given). Whatever is diagnosed is
stored in 8 bit first, as the clean rows are. Balanced accuracy, with intervals from resampling the groups of the test
rows. Every finished treatment is appended to `--out`; a second call goes on from there. `--only` splits the work. BM3D
takes most of the time: it sees the first `--bm3d-rows` test rows of poor images, and is compared on these.
"""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
from enhancement import DENOISERS, by_name, noisy, poor_of, quality
from skimage.feature import hog
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

SETS = {"brain": "brain_tumor_mri_64.npz", "covid": "covid_ct_64.npz"}
STRENGTHS = (0.5, 0.75, 1.0, 1.4)
TUNED_ON = 4  # training images
OURS = "GANEnhancer"
N_RESAMPLES = 2000


def blur_and_noise(image, rng):
    """Blur of 1.5 pixels, then noise of 25 grey levels."""
    return noisy(25)(by_name("blur", sigma=1.5)(image, rng), rng)


def smaller(image, rng):
    """Half as many pixels a side, enlarged again by bicubic interpolation."""
    from sklearn_medgan.degradations import downscale, upscale

    return 255.0 * upscale(downscale(image[None, ..., None] / 255.0, factor=2), factor=2)[0, ..., 0]


# degradation -> (f(image, rng), noise level told to the classical methods, GANEnhancer's degradation)
POOR = {
    "clean": (noisy(0), 1.0, {"noise": (0, 55)}),
    "noise 25": (noisy(25), 25.0, {"noise": (0, 55)}),
    "noise 50": (noisy(50), 50.0, {"noise": (0, 55)}),
    "blur and noise": (blur_and_noise, 25.0, {"blur": (0.5, 2.0), "noise": (0, 40)}),
    "x2 down": (smaller, 2.0, "downscale"),
    "low dose": (by_name("low_dose_ct", photons=1e4), 15.0, {"low_dose_ct": (3e3, 3e4)}),
}


def classifiers(seed: int) -> dict:
    """The three of the protocol."""
    return {
        "SVC": make_pipeline(StandardScaler(), SVC(C=10)),
        "forest": RandomForestClassifier(200, random_state=seed, n_jobs=2),
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=500, C=0.01)),
    }


def columns(images) -> dict:
    """Pixels, and histograms of oriented gradients, of images 0 to 255 as they are stored: in whole numbers."""
    stored = np.clip(np.round(np.asarray(images, float)), 0, 255)
    oriented = [hog(image, 9, (8, 8), (2, 2)) for image in stored]
    return {"pixels": stored.reshape(len(stored), -1), "HOG": np.stack(oriented)}


def tuned(method, degrade, sigma, train) -> float:
    """The strength with the highest PSNR on training images."""
    good = [image.astype(float) for image in train[:TUNED_ON]]
    poor = poor_of(good, degrade, 1)
    scores = [quality([method(p, sigma, s) for p in poor], good)["psnr"] for s in STRENGTHS]
    return STRENGTHS[int(np.argmax(scores))]


class Split:
    """Training and test rows of a set and seed, and the classifiers fitted on the clean training rows."""

    def __init__(self, folder: Path, name: str, seed: int, a):
        with np.load(folder / SETS[name], allow_pickle=False) as archive:
            X, y, groups = archive["X"], archive["y"], archive["group"]
        train, test = next(StratifiedGroupKFold(4, shuffle=True, random_state=seed).split(X, y, groups))
        rng = np.random.RandomState(seed)
        train, test = rng.permutation(train)[: a.train_rows], rng.permutation(test)[: a.test_rows]
        self.X_train, self.y_train, self.y, self.groups = X[train], y[train], y[test], groups[test]
        self.good = [image.astype(float) for image in X[test]]
        self.seed, self.max_iter, self._enhancers, self._models = seed, a.max_iter, {}, {}

    def models(self) -> dict:
        """(columns, classifier) -> fitted."""
        if not self._models:
            for kind, values in columns(self.X_train).items():
                for c, model in classifiers(self.seed).items():
                    self._models[kind, c] = model.fit(values, self.y_train)
        return self._models

    def treat(self, treatment: str, poor, degrade, sigma, degradation):
        """Restored images, and what the guard chose."""
        if treatment == "nothing":
            return poor, None
        if treatment == OURS:
            enhancer = self._enhancer(degradation)
            return enhancer.transform(np.asarray(poor, np.float32)), enhancer.guard_report_["chosen"]
        method = DENOISERS[treatment]
        strength = tuned(method, degrade, sigma, self.X_train)
        return [method(image, sigma, strength) for image in poor], None

    def _enhancer(self, degradation):
        from sklearn_medgan import GANEnhancer

        key = str(degradation)
        if key not in self._enhancers:
            enhancer = GANEnhancer(degradation=degradation, max_iter=self.max_iter, random_state=self.seed)
            self._enhancers[key] = enhancer.fit(self.X_train, self.y_train)
        return self._enhancers[key]


def measure(split: Split, name: str, treatments, a, done: set, write) -> None:
    """All cells of a set and seed."""
    for poorness, (degrade, sigma, degradation) in POOR.items():
        poor = poor_of(split.good, degrade, split.seed)
        for treatment in treatments:
            slow = treatment == "bm3d"
            if (name, split.seed, poorness, treatment) in done or (slow and poorness == "clean"):
                continue
            rows = slice(a.bm3d_rows if slow else None)
            restored, chosen = split.treat(treatment, poor[rows], degrade, sigma, degradation)
            correct = {
                f"{kind}, {c}": "".join(str(int(r)) for r in split.models()[kind, c].predict(values) == split.y[rows])
                for kind, values in columns(restored).items()
                for c in classifiers(split.seed)
            }
            same = poorness == "clean" and treatment == "nothing"
            psnr = None if same else quality(list(restored), split.good[rows])["psnr"]
            row = {"set": name, "seed": split.seed, "poor": poorness, "treatment": treatment, "chosen": chosen}
            write({**row, "psnr": psnr, "correct": correct})


def scores(row: dict, split: Split, weights: np.ndarray, n: int | None = None) -> np.ndarray:
    """Balanced accuracy (n weights, n classifiers) of a row's first `n` cells under weights (n weights, n rows)."""
    correct = np.array([[digit == "1" for digit in digits[:n]] for digits in row["correct"].values()], float)
    y, weights, recalls = split.y[: correct.shape[1]], weights[:, : correct.shape[1]], []
    for label in np.unique(y):
        of_class = weights[:, y == label]
        recalls.append(of_class @ correct[:, y == label].T / np.maximum(of_class.sum(1, keepdims=True), 1e-9))
    return np.mean(recalls, 0)


def resampled(split: Split, rng) -> np.ndarray:
    """Weights of the test rows: as they are, then by groups drawn with replacement."""
    _, group = np.unique(split.groups, return_inverse=True)
    n = group.max() + 1
    counts = rng.multinomial(n, np.full(n, 1 / n), N_RESAMPLES)
    return np.concatenate([np.ones((1, len(group))), counts[:, group]])


class Found:
    """Rows of the results file, as balanced accuracies."""

    def __init__(self, rows, splits: dict):
        rng = np.random.RandomState(0)
        self.rows = {(r["set"], r["seed"], r["poor"], r["treatment"]): r for r in rows}
        self._splits, self._weights = splits, {key: resampled(split, rng) for key, split in splits.items()}

    def scores(self, key: tuple, n: int | None = None) -> np.ndarray:
        """Of a cell (set, seed, degradation, treatment), on its first `n` rows: (n weights, n classifiers)."""
        return scores(self.rows[key], self._splits[key[:2]], self._weights[key[:2]], n)

    def gain(self, cell: tuple, other: str) -> np.ndarray:
        """What GANEnhancer has more than another treatment, on the rows that both saw."""
        n = min(len(self.rows[(*cell, name)]["correct"]["pixels, SVC"]) for name in (OURS, other))
        return self.scores((*cell, OURS), n) - self.scores((*cell, other), n)


def table(found: Found) -> str:
    """Markdown: mean balanced accuracy of each treatment by set and degradation, and pooled differences."""
    names = [name for name in ["nothing", *DENOISERS, OURS] if any(key[3] == name for key in found.rows)]
    lines = ["| set | poor | " + " | ".join(names) + " |", "|---|---" + "|---" * len(names) + "|"]
    for name, poor in dict.fromkeys((key[0], key[2]) for key in found.rows):
        means = []
        for treatment in names:
            of = [found.scores(key)[0].mean() for key in found.rows if (key[0], *key[2:]) == (name, poor, treatment)]
            means.append(f"{np.mean(of):.3f}" if of else "")
        lines.append(f"| {name} | {poor} | " + " | ".join(means) + " |")
    return "\n".join([*lines, "", *comparisons(found, names)])


def comparisons(found: Found, names: list) -> list[str]:
    """A sentence on each pooled paired difference, and on the worst single figure against doing nothing."""
    lines, cells = [], sorted({key[:3] for key in found.rows if key[3] == OURS})
    for other in names:
        pairs = [cell for cell in cells if cell[2] != "clean" and (*cell, other) in found.rows]
        if other == OURS or not pairs:
            continue
        gains = np.mean([found.gain(cell, other).mean(1) for cell in pairs], 0)
        low, high = np.percentile(gains[1:], [2.5, 97.5])
        lines.append(
            f"- {OURS} against {other} on poor images: {100 * gains[0]:+.1f} points "
            f"({100 * low:+.1f} to {100 * high:+.1f}), {len(pairs)} cells of set, seed and degradation."
        )
    harm = {cell: found.gain(cell, "nothing")[0] for cell in cells if (*cell, "nothing") in found.rows}
    if harm:
        worst = min(harm, key=lambda cell: harm[cell].min())
        lines.append(f"- Worst single figure against doing nothing: {100 * harm[worst].min():+.1f} points, {worst}.")
        below = sum(int((gain < -0.005).sum()) for gain in harm.values())
        lines.append(f"- {below} of {sum(map(len, harm.values()))} single figures lie more than 0.5 points below it.")
    return lines


def main():
    """Measure what is missing, then print the table."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=Path)
    p.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    p.add_argument("--max-iter", type=int, default=2000, help="training steps of an enhancer")
    p.add_argument("--train-rows", type=int, default=1200)
    p.add_argument("--test-rows", type=int, default=400)
    p.add_argument("--bm3d-rows", type=int, default=100)
    p.add_argument("--only", choices=("classical", "ours"), help="leave the other treatments to a later call")
    p.add_argument("--out", type=Path, default=Path("diagnosis.jsonl"))
    a = p.parse_args()
    warnings.simplefilter("ignore")
    rows = [json.loads(line) for line in a.out.read_text().splitlines()] if a.out.exists() else []

    def write(row):
        rows.append(row)
        with a.out.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(row["set"], row["seed"], row["poor"], row["treatment"], row["chosen"], row["psnr"], flush=True)

    splits = {}
    for seed in a.seeds:
        for name in a.sets:
            done = {(r["set"], r["seed"], r["poor"], r["treatment"]) for r in rows}
            splits[name, seed] = Split(a.folder, name, seed, a)
            names = {"classical": ["nothing", *DENOISERS], "ours": [OURS]}.get(a.only, ["nothing", *DENOISERS, OURS])
            measure(splits[name, seed], name, names, a, done, write)
    print(table(Found([r for r in rows if (r["set"], r["seed"]) in splits], splits)))


if __name__ == "__main__":
    main()
