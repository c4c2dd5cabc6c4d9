"""Does the literal line raise balanced accuracy over the same SVC on other columns? With an ablation of its parts.

    python examples/benchmarks/columns.py DATA_FOLDER --sets brain covid --out docs/benchmarks_columns.json

Protocol: brain_tumor_mri_64 and covid_ct_64 reduced to 32x32 (`--side 64`: as they are), 100 training rows a class
(`--per-class`; more than there are: all), four folds by group, three seeds, `SVC(C=10)`; default parameters of
GANAugmenter in scikit-learn's own Pipeline. `--pretrained` compares with typical patches of other images: on pneumonia
and bccd, which those that ship come from, by a file of `examples/pretraining/dictionary.py --leave-out`.
Every finished cell is appended to a JSON-lines file beside `--out`, and a second call goes on from there. The table is
printed.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from sklearn.decomposition import PCA
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

FILES = {
    "brain": "brain_tumor_mri_64.npz",
    "covid": "covid_ct_64.npz",
    "pneumonia": "pneumoniamnist.npz",
    "bccd": "bccd_cells_32.npz",
}
DEFAULT = "both (default)"
# An arm is a setting of GANAugmenter in front of the SVC; None: scikit-learn's columns (`light`).
ARMS = {
    "pixels": None,
    "PCA": None,
    "HOG": None,
    # Twice the steps: about the same time.
    "conv net": {"adversarial_weight": 0.0, "n_patches": 0, "pretrained": None, "max_iter": 600},
    "untrained": {"max_iter": 1, "learning_rate": 1e-12},
    "class head only": {"adversarial_weight": 0.0},
    "adversarial only": {"class_head_weight": 0.0},
    "no patches": {"n_patches": 0, "pretrained": None},
    DEFAULT: {},
}
KEY = ("set", "arm", "seed", "fold", "per_class", "side")  # of a row of the results


def load(folder: Path, name: str, side: int = 32):
    """Images of this side or smaller (32 or 64), labels, groups."""
    from sklearn_medgan.datasets import load_images

    bunch = load_images(folder / FILES[name], subset="train" if name == "pneumonia" else "all")
    images = bunch.data
    if images.shape[1] == 2 * side:
        blocks = images.reshape(len(images), side, 2, side, 2, *images.shape[3:])
        images = np.rint(blocks.mean((2, 4), dtype=np.float64)).astype(np.uint8)
    groups = np.arange(len(images)) if bunch.groups is None else bunch.groups
    return images, np.asarray(bunch.target), np.asarray(groups)


def split(y, groups, seed: int, fold: int, per_class: int):
    """Training rows (at most `per_class` a class) and test rows of one cell."""
    folds = StratifiedGroupKFold(4, shuffle=True, random_state=seed).split(y, y, groups)
    train, test = list(folds)[fold]
    rng = np.random.RandomState(100 * seed + fold)
    chosen = [rng.permutation(train[y[train] == label])[:per_class] for label in np.unique(y)]
    return np.concatenate(chosen), test


def light(arm: str, seed: int) -> list:
    """Steps from images to the protocol's columns that need no network."""
    from sklearn_medgan.benchmark._arms import hog_columns

    flat = FunctionTransformer(lambda images: images.reshape(len(images), -1).astype(np.float64))
    return {
        "pixels": [flat, StandardScaler()],
        "PCA": [flat, StandardScaler(), PCA(50, random_state=seed)],
        "HOG": [FunctionTransformer(hog_columns), StandardScaler()],
    }[arm]


def patch_settings(pretrained: str) -> dict:
    """GANAugmenter's parameters for "own" patches, "none", or those of a name or file."""
    return {"own": {}, "none": {"n_patches": 0}}.get(pretrained, {"pretrained": pretrained})


def pipeline(arm: str, seed: int, pretrained: str):
    """Scikit-learn's own Pipeline for an arm."""
    from sklearn_medgan import GANAugmenter

    if ARMS[arm] is None:
        return make_pipeline(*light(arm, seed), SVC(C=10))
    settings = {**patch_settings(pretrained), "random_state": seed, **ARMS[arm]}
    return Pipeline([("aug", GANAugmenter(**settings)), ("clf", SVC(C=10))])


def limit_threads(n: int) -> None:
    """Hold TensorFlow to `n` threads in this process; it must not have begun to compute with another number."""
    import tensorflow as tf

    if tf.config.threading.get_intra_op_parallelism_threads() != n:
        tf.config.threading.set_intra_op_parallelism_threads(n)
        tf.config.threading.set_inter_op_parallelism_threads(n)


def cell(folder: Path, key: tuple, pretrained: str, threads: int) -> dict:
    """Fit and score one arm on one fold; `key` is (set, arm, seed, fold, rows a class, side)."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning

    warnings.simplefilter("ignore", ConvergenceWarning)  # the untrained arm is at chance by design
    limit_threads(threads)
    name, arm, seed, fold, per_class, side = key
    X, y, groups = load(folder, name, side)
    train, test = split(y, groups, seed, fold, per_class)
    started = time.perf_counter()
    model = pipeline(arm, seed, pretrained).fit(X[train], y[train])
    seconds = time.perf_counter() - started
    score = balanced_accuracy_score(y[test], model.predict(X[test]))
    return {
        **dict(zip(KEY, key, strict=True)),
        "pretrained": pretrained,
        "balanced_accuracy": round(score, 5),
        "fit_seconds": round(seconds, 1),
    }


def interval(differences: np.ndarray, rng: np.random.RandomState) -> tuple[float, float]:
    """95 % bootstrap interval of the mean over cells."""
    draws = rng.choice(differences, (10_000, len(differences))).mean(1)
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(low), float(high)


def table(rows: list[dict]) -> str:
    """Markdown: mean balanced accuracy, paired differences with their intervals, seconds to fit (median, longest)."""
    lines = [
        "| set | arm | cells | balanced accuracy | against pixels (95 %) | default against it (95 %) | fit, s |",
        "|---|" + "---|" * 6,
    ]
    for name in dict.fromkeys(r["set"] for r in rows):
        by_arm = {}
        for r in (r for r in rows if r["set"] == name):
            by_arm.setdefault(r["arm"], {})[r["seed"], r["fold"]] = r
        for arm in (a for a in ARMS if a in by_arm):
            cells = by_arm[arm].values()
            score = np.mean([c["balanced_accuracy"] for c in cells])
            fit = [c["fit_seconds"] for c in cells]
            pairs = (arm, "pixels"), (DEFAULT, arm)
            versus = [difference(*(by_arm.get(one, {}) for one in pair)) if len({*pair}) == 2 else "" for pair in pairs]
            figures = [name, arm, len(cells), f"{score:.3f}", *versus, f"{np.median(fit):.0f}, {max(fit):.0f}"]
            lines.append(f"| {' | '.join(map(str, figures))} |")
    return "\n".join(lines)


def difference(ours: dict, theirs: dict) -> str:
    """Points that one arm has more than another on the cells of both, with an interval."""
    gain = np.array([ours[k]["balanced_accuracy"] - theirs[k]["balanced_accuracy"] for k in ours if k in theirs])
    if not len(gain):
        return ""
    low, high = interval(gain, np.random.RandomState(0))
    return f"{100 * gain.mean():+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def key_of(row: dict) -> tuple:
    """What tells a result from others."""
    return tuple(row[part] for part in KEY)


def main():
    """Run what is missing, then print the table."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=Path)
    p.add_argument("--sets", nargs="+", choices=FILES, default=["brain", "covid"])
    p.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    p.add_argument("--per-class", type=int, default=100, help="rows a class, at most")
    p.add_argument("--side", type=int, choices=(32, 64), default=32, help="pixels; larger images are reduced")
    p.add_argument("--pretrained", default="own", help="'own', 'none', or as GANAugmenter's")
    p.add_argument("--jobs", type=int, default=2, help="processes, one thread each where more than one")
    p.add_argument("--out", type=Path, default=Path("columns.jsonl"))
    a = p.parse_args()
    done = [json.loads(line) for line in a.out.read_text().splitlines()] if a.out.exists() else []
    done = [{"side": 32, **r} for r in done if r.get("pretrained") == a.pretrained]
    keys = {key_of(r) for r in done}
    wanted = [
        (s, arm, seed, f, a.per_class, a.side) for seed in a.seeds for s in a.sets for arm in a.arms for f in range(4)
    ]
    missing = [key for key in wanted if key not in keys]
    threads = 2 if a.jobs == 1 else 1
    jobs = (delayed(cell)(a.folder, key, a.pretrained, threads) for key in missing)
    for row in Parallel(a.jobs, return_as="generator_unordered")(jobs):
        done.append(row)
        with a.out.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(f"{len(done)}/{len(wanted)}", row, flush=True)
    print(table([r for r in done if key_of(r) in set(wanted)]))


if __name__ == "__main__":
    main()
