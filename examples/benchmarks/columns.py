"""Does the literal line raise balanced accuracy over what a user would do instead? With an ablation of its parts.

    python examples/benchmarks/columns.py DATA_FOLDER --sets brain_224 covid_224 pneumonia bccd --per-class 25 100 \
        --out columns.jsonl

Protocol: 100 training rows a class (`--per-class`; more than there are: all), four folds by group, three seeds,
`SVC(C=10)`; default parameters of GANAugmenter, whose columns are those of scikit-learn's own Pipeline. The sets brain
and covid are reduced to 32x32 (`--side 64`: as they are), all others are as they are: brain_224 and covid_224 have
224x224 pixels.

What a user would do instead: pixels, PCA, HOG, a small conv net trained on the same rows for the same time, means of
the last map of a network pretrained on ImageNet (EfficientNet-Lite0), of those of its maps that serve best (with SVC
and logistic regression, C chosen inside the training rows, also beside the pixels), and the same network fine-tuned.
An ablation leaves out a kind of column of the default fit, or changes how the GAN is trained. `--pretrained` compares
with typical patches of other images: on pneumonia and bccd, which those that ship come from, by a file of
`examples/pretraining/dictionary.py --leave-out`.

Finished cells are appended to the JSON-lines file `--out`, and a second call goes on from there. Two tables are
printed for each number of rows a class, and for all of them together: balanced accuracy, and what the default has more
than each other arm, on each set and on the mean over sets, with the 95 % interval of docs/inference.md.
"""

import argparse
import functools
import json
import re
import time
from collections import defaultdict
from itertools import product
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.svm import SVC

FILES = {
    "brain_224": "brain_tumor_mri_224.npz",
    "covid_224": "covid_ct_224.npz",
    "brain": "brain_tumor_mri_64.npz",
    "covid": "covid_ct_64.npz",
    "pneumonia": "pneumoniamnist.npz",
    "bccd": "bccd_cells_32.npz",
}
N_FOLDS = 4
DEFAULT = "GANAugmenter (default)"
# What a user would do instead: an arm of the benchmark, and a classifier of its.
OTHERS = {
    "pixels": ("pixels", "SVC"),
    "PCA": ("PCA", "SVC"),
    "HOG": ("HOG", "SVC"),
    "last map, SVC": ("last map", "SVC"),
    "last map, logistic regression": ("last map", "logistic"),
    "pretrained features, SVC": ("pretrained features", "SVC"),
    "pretrained features, logistic regression": ("pretrained features", "logistic"),
    "pretrained features and pixels, SVC": ("pretrained features and pixels", "SVC"),
    "pretrained features and pixels, logistic regression": ("pretrained features and pixels", "logistic"),
    "fine-tuned network": ("fine-tuned network", "SVC"),
}
# Settings of GANAugmenter in front of the SVC, and the kinds of columns that are left out; equal settings share a fit.
CONV_NET = {"adversarial_weight": 0.0, "n_patches": 0, "pretrained": None, "backbone": None, "max_iter": 600}
BOTH = {"representation": "both"}
OF_GAN = {
    "conv net": (CONV_NET, ()),  # twice the steps: about the same time
    DEFAULT: (BOTH, ("pixel",)),  # the columns of "auto"
    "with pixels": (BOTH, ()),
    "no maps": (BOTH, ("pixel", "layer")),
    "no patches": (BOTH, ("pixel", "patches")),
    "no trunk": (BOTH, ("pixel", "trunk")),
    "no constant": (BOTH, ("pixel", "constant")),
    "no pretrained network": ({"backbone": None}, ()),
    "untrained": ({"max_iter": 1, "learning_rate": 1e-12}, ()),
    "class head only": ({"adversarial_weight": 0.0}, ()),
    "adversarial only": ({"class_head_weight": 0.0}, ()),
}
ARMS = [*OTHERS, *OF_GAN]
RIVALS = [*OTHERS, "conv net"]  # of which one is the best other arm
KEY = ("set", "arm", "seed", "fold", "per_class", "side")  # of a row of the results


@functools.cache
def load(folder: Path, name: str, side: int = 32):
    """Images (of 64 pixels: of this side, 32 or 64), labels as numbers from 0, groups as numbers from 0."""
    from sklearn_medgan.datasets import load_images

    bunch = load_images(folder / FILES[name], subset="train" if name == "pneumonia" else "all")
    images = bunch.data
    if images.shape[1] == 2 * side:
        blocks = images.reshape(len(images), side, 2, side, 2, *images.shape[3:])
        images = np.rint(blocks.mean((2, 4), dtype=np.float64)).astype(np.uint8)
    groups = np.arange(len(images)) if bunch.groups is None else np.unique(bunch.groups, return_inverse=True)[1]
    return images, np.unique(bunch.target, return_inverse=True)[1], groups


def folds(y, groups, seed: int):
    """Training and test rows of each fold."""
    return list(StratifiedGroupKFold(N_FOLDS, shuffle=True, random_state=seed).split(y, y, groups))


def split(y, groups, seed: int, fold: int, per_class: int):
    """Training rows (at most `per_class` a class) and test rows of one cell."""
    train, test = folds(y, groups, seed)[fold]
    rng = np.random.RandomState(100 * seed + fold)
    chosen = [rng.permutation(train[y[train] == label])[:per_class] for label in np.unique(y)]
    return np.concatenate(chosen), test


# -------------------------------------------------------------------------------------------------------------- arms


@functools.cache
def benchmark_arms() -> dict:
    """The benchmark's arms, with one for what few lines of `keras.applications` give: the averaged last map."""
    import keras

    from sklearn_medgan.backbones._efficientnet_lite import build_efficientnet_lite
    from sklearn_medgan.backbones._resolve import lite0_weights
    from sklearn_medgan.benchmark import ARMS, transfer_arms

    whole = build_efficientnet_lite(lite0_weights())
    last = transfer_arms(keras.Model(whole.input, whole.output["head"]))["pretrained features"]
    return {**ARMS, **transfer_arms(), "last map": last}


def share_of(arm: str) -> str:
    """What arms have in common that are run together: a fit, or features."""
    if arm in OF_GAN:
        return f"GANAugmenter {OF_GAN[arm][0]}"
    name = OTHERS[arm][0]
    return "pretrained" if name.startswith("pretrained") else name


def of_benchmark(fold, arms: list[str], seed: int):
    """Yield arm, predicted test labels and seconds for arms of the benchmark with one share."""
    from sklearn_medgan.benchmark import CLASSIFIERS

    started, shared, known = time.perf_counter(), None, benchmark_arms()
    fit_shared = known[OTHERS[arms[0]][0]].fit_shared
    if fit_shared is not None:
        shared = fit_shared(fold)
    in_common = time.perf_counter() - started
    for arm in arms:
        started = time.perf_counter()
        name, classifier = OTHERS[arm]
        classifier = clone(CLASSIFIERS[classifier])
        columns = known[name].prepare(fold, shared, classifier)
        model = (columns.classifier or classifier).fit(columns.X, columns.y)
        yield arm, model.predict(columns.X_test), in_common + time.perf_counter() - started


def of_augmenter(fold, arms: list[str], seed: int, pretrained: str):
    """Yield the same for settings of GANAugmenter that are equal: `Pipeline([augmenter, SVC])` by hand, fitted once."""
    from sklearn_medgan import GANAugmenter

    started = time.perf_counter()
    settings = {**patch_settings(pretrained), "random_state": seed, **OF_GAN[arms[0]][0]}
    augmenter = GANAugmenter(**settings).fit(fold.X, fold.y)
    X, X_test = augmenter.transform(fold.X), augmenter.transform(fold.X_test)
    found = (re.match(r"ganaugmenter_([a-z]+)", name) for name in augmenter.get_feature_names_out())
    kinds = np.array([match.group(1) if match else "pixel" for match in found])  # others have the input's names
    in_common = time.perf_counter() - started
    for arm in arms:
        started = time.perf_counter()
        kept = ~np.isin(kinds, OF_GAN[arm][1])
        model = SVC(C=10).fit(X[:, kept], fold.y)
        yield arm, model.predict(X_test[:, kept]), in_common + time.perf_counter() - started


def patch_settings(pretrained: str) -> dict:
    """GANAugmenter's parameters for "own" patches, "none", or those of a name or file."""
    return {"own": {}, "none": {"n_patches": 0}}.get(pretrained, {"pretrained": pretrained})


def limit_threads(n: int) -> None:
    """Hold TensorFlow to `n` threads in this process; it must not have begun to compute with another number."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return  # a matter of OMP_NUM_THREADS
    import tensorflow as tf

    if tf.config.threading.get_intra_op_parallelism_threads() != n:
        tf.config.threading.set_intra_op_parallelism_threads(n)
        tf.config.threading.set_inter_op_parallelism_threads(n)


def cells(folder: Path, place: tuple, arms: list[str], pretrained: str, threads: int) -> list[dict]:
    """Fit and score arms of one share on one fold; `place` is (set, seed, fold, rows a class, side)."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning

    from sklearn_medgan.benchmark import Fold

    warnings.simplefilter("ignore", ConvergenceWarning)  # the untrained arm is at chance by design
    limit_threads(threads)
    name, seed, number, per_class, side = place
    X, y, groups = load(folder, name, side)
    train, test = split(y, groups, seed, number, per_class)
    fold = Fold(X[train], y[train], groups[train], X[test], (name, per_class, seed, number))
    run = functools.partial(of_augmenter, pretrained=pretrained) if arms[0] in OF_GAN else of_benchmark
    return [
        {
            **dict(zip(KEY, (name, arm, seed, number, per_class, side), strict=True)),
            "pretrained": pretrained,
            "balanced_accuracy": round(balanced_accuracy_score(y[test], predicted), 5),
            "seconds": round(seconds, 1),
            "predicted": "".join(map(str, predicted)),
        }
        for arm, predicted, seconds in run(fold, arms, seed)
    ]


# ------------------------------------------------------------------------------------------------------------- table


class Measured:
    """Predictions of a set's arms, (regimes and seeds, rows), of those arms whose cells are all there."""

    def __init__(self, y: np.ndarray, groups: np.ndarray, rows: list[dict], regimes: list[int], seeds: list[int]):
        self.y, self.groups = y, groups
        parts = {seed: [test for _, test in folds(y, groups, seed)] for seed in seeds}
        by_place = {(r["arm"], r["per_class"], r["seed"], r["fold"]): r for r in rows}
        runs = [(n, seed) for n in regimes for seed in seeds]
        self.fold_of = np.empty((len(runs), len(y)), int)
        self.predicted, self.seconds = {}, {}
        for i, (_, seed) in enumerate(runs):
            for fold, test in enumerate(parts[seed]):
                self.fold_of[i, test] = fold
        for arm in ARMS:
            found = {(run, fold): by_place.get((arm, *run, fold)) for run in runs for fold in range(N_FOLDS)}
            if all(found.values()):
                self.predicted[arm] = np.empty_like(self.fold_of)
                for (run, fold), row in found.items():
                    self.predicted[arm][runs.index(run), parts[run[1]][fold]] = list(map(int, row["predicted"]))
                self.seconds[arm] = [row["seconds"] for row in found.values()]

    def accuracy(self, arm: str) -> float:
        """Balanced accuracy on the rows of a seed, mean over regimes and seeds."""
        from sklearn_medgan.benchmark._statistics import balanced_parts

        return float(balanced_parts(self.y, self.predicted[arm] == self.y).sum(1).mean())

    def default_against(self, arm: str):
        """What the default has more than an arm."""
        from sklearn_medgan.benchmark._statistics import paired_difference

        return paired_difference(self.y, self.groups, self.fold_of, self.predicted[DEFAULT], self.predicted[arm])


def mean_difference(differences: list):
    """The mean of differences on data sets that have no row in common.

    The variances of the sets are added. Degrees of freedom are those of Welch and Satterthwaite: few where one set has
    most of the variance, the sum of all where they are alike (Satterthwaite, "An approximate distribution of estimates
    of variance components", Biometrics Bulletin 2, 1946, equation 17).
    """
    from sklearn_medgan.benchmark._statistics import PairedDifference

    means, errors, freedoms = np.array([[d.mean, d.error, d.freedom] for d in differences]).T
    variances = np.square(errors)
    spread = float(np.sum(np.square(variances) / freedoms))
    freedom = float(np.sum(variances)) ** 2 / spread if spread > 0 else float(np.sum(freedoms))
    return PairedDifference.of(float(means.mean()), float(np.sqrt(variances.sum())) / len(means), freedom)


def tables(sets: dict[str, Measured]) -> str:
    """Markdown: balanced accuracy and seconds of a cell; the default against each arm, the best other one in bold."""
    arms = [arm for arm in ARMS if all(arm in measured.predicted for measured in sets.values())]
    scores = {arm: [measured.accuracy(arm) for measured in sets.values()] for arm in arms}
    for arm in arms:
        scores[arm].append(float(np.mean(scores[arm])))
    rivals = [arm for arm in arms if arm in RIVALS]
    best = [max(rivals, key=lambda arm: scores[arm][i], default=None) for i in range(len(sets) + 1)]
    lines = [
        f"| balanced accuracy, % | {' | '.join(sets)} | mean | s (median, longest) |",
        "|---" * (len(sets) + 3) + "|",
    ]
    for arm in arms:
        seconds = np.concatenate([measured.seconds[arm] for measured in sets.values()])
        figures = [*(f"{100 * score:.1f}" for score in scores[arm]), f"{np.median(seconds):.0f}, {max(seconds):.0f}"]
        lines.append(f"| {arm} | {' | '.join(figures)} |")
    if DEFAULT not in arms:
        return "\n".join(lines)
    lines += ["", f"| default against | {' | '.join(sets)} | mean over sets |", "|---" * (len(sets) + 2) + "|"]
    for arm in (arm for arm in arms if arm != DEFAULT):
        differences = [measured.default_against(arm) for measured in sets.values()]
        texts = [points(d) for d in (*differences, mean_difference(differences))]
        texts = [f"**{text}**" if arm == of_set else text for text, of_set in zip(texts, best, strict=True)]
        lines.append(f"| {arm} | {' | '.join(texts)} |")
    return "\n".join(lines)


def points(d) -> str:
    """A difference in points with its interval."""
    return f"{100 * d.mean:+.1f} ({100 * d.low:+.1f} to {100 * d.high:+.1f})"


def report(folder: Path, rows: list[dict], a: argparse.Namespace) -> str:
    """The tables of each number of rows a class, and of all of them, which are drawn, too, if asked for."""
    parts, seeds, sets = [], ", ".join(map(str, a.seeds)), {}
    for regimes in [[n] for n in a.per_class] + [a.per_class] * (len(a.per_class) > 1):
        for name in a.sets:
            _, y, groups = load(folder, name, a.side)
            sets[name] = Measured(y, groups, [r for r in rows if r["set"] == name], regimes, a.seeds)
        parts.append(f"{' and '.join(map(str, regimes))} a class, seeds {seeds}\n\n{tables(sets)}")
    if a.picture:
        draw(sets, a.picture)
    return "\n\n".join(parts)


def draw(sets: dict[str, Measured], picture: Path) -> None:
    """Draw what the default has more than each other arm, on each set (grey) and on the mean over sets."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    arms = [arm for arm in RIVALS if all(arm in measured.predicted for measured in sets.values())][::-1]
    figure, axes = plt.subplots(figsize=(7.5, 0.8 + 0.32 * len(arms)), layout="constrained")
    for row, arm in enumerate(arms):
        differences = [measured.default_against(arm) for measured in sets.values()]
        axes.plot([100 * d.mean for d in differences], [row] * len(differences), "o", color="0.75", markersize=4)
        mean = mean_difference(differences)
        axes.plot([100 * mean.low, 100 * mean.high], [row, row], color="tab:blue", linewidth=2)
        axes.plot(100 * mean.mean, row, "o", color="tab:blue", markersize=7)
    axes.axvline(0, color="0.3", linewidth=1)
    axes.set_yticks(range(len(arms)), arms)
    axes.set_xlabel("gain in balanced accuracy, points")
    axes.spines[["top", "right", "left"]].set_visible(False)
    figure.savefig(picture, dpi=130)


def key_of(row: dict) -> tuple:
    """What tells a result from others."""
    return tuple(row[part] for part in KEY)


def main():
    """Run what is missing, then print the tables."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=Path)
    p.add_argument("--sets", nargs="+", choices=FILES, default=["brain", "covid"])
    p.add_argument("--arms", nargs="+", choices=ARMS, default=ARMS)
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    p.add_argument("--per-class", type=int, nargs="+", default=[100], help="rows a class, at most")
    p.add_argument("--side", type=int, choices=(32, 64), default=32, help="pixels of brain and covid")
    p.add_argument("--pretrained", default="own", help="'own', 'none', or as GANAugmenter's")
    p.add_argument("--jobs", type=int, default=2, help="processes, one thread each where more than one")
    p.add_argument("--out", type=Path, default=Path("columns.jsonl"))
    p.add_argument("--picture", type=Path, help="of what the default has more than the other arms")
    a = p.parse_args()
    done = [json.loads(line) for line in a.out.read_text().splitlines()] if a.out.exists() else []
    done = [r for r in done if r.get("pretrained") == a.pretrained and "predicted" in r]
    keys, missing = {key_of(r) for r in done}, defaultdict(list)
    for name, *where in product(a.sets, a.seeds, range(N_FOLDS), a.per_class):  # a process keeps what it knows of a set
        place = (name, *where, a.side)
        for arm in (arm for arm in a.arms if (name, arm, *place[1:]) not in keys):
            missing[place, share_of(arm)].append(arm)
    threads = 2 if a.jobs == 1 else 1
    jobs = (delayed(cells)(a.folder, place, arms, a.pretrained, threads) for (place, _), arms in missing.items())
    for i, rows in enumerate(Parallel(a.jobs, return_as="generator_unordered")(jobs), start=1):
        done += rows
        with a.out.open("a") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
        for row in rows:
            print(f"{i}/{len(missing)}", {**row, "predicted": "..."}, flush=True)
    wanted = [r for r in done if r["side"] == a.side and r["arm"] in a.arms]
    print(report(a.folder, wanted, a))


if __name__ == "__main__":
    import columns  # under this name other processes find the functions, and keep what they know of a set

    columns.main()
