"""What are images without a label worth? A tenth of the labels, the other training images as `X_unlabeled`.

    python examples/benchmarks/unlabelled.py DATA_FOLDER --sets brain covid --out docs/benchmarks_unlabelled.jsonl

Protocol: images at 32x32 (pneumonia 28x28; brain_224 and covid_224 at 224x224), four folds by group; of the training
rows a tenth of each class, drawn at random, keeps its label. `Pipeline([("aug", GANAugmenter()), ("clf", SVC(C=10))])`
is fitted on that tenth, on that tenth with the others as `aug__X_unlabeled`, and on all rows with their labels. Beside
it scikit-learn's two methods for unlabelled rows, on standardised pixels, on 50 principal components of all training
rows and on features of the pretrained network: `SelfTrainingClassifier` around a calibrated `SVC(C=10)`, and
`LabelSpreading` over nearest neighbours. Typical patches are those that each fit learns from its own rows;
`--pretrained SET=FILE` takes those of other images instead, for pneumonia and bccd from a file of
`examples/pretraining/dictionary.py --leave-out`.

`--development` splits the training rows of seed 100, fold 0, again, so that ideas are compared without a look at the
protocol's test rows. Every finished cell is appended to the JSON-lines file `--out`, and a second call goes on from
there, from cells of the same patches. The table is printed.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from columns import FILES, limit_threads, patch_settings
from columns import load as load_set
from joblib import Parallel, delayed
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier
from sklearn.svm import SVC

SHARE = 0.1  # of each class's training rows that keep their label
DEVELOPMENT_SEED = 100
FEW, UNLABELLED, ALL = "a tenth", "a tenth + unlabelled", "all labels"
GAN_ARMS = (FEW, UNLABELLED, ALL)
RIVALS = {
    "self-training": lambda seed: SelfTrainingClassifier(CalibratedClassifierCV(SVC(C=10), ensemble=False)),
    "label spreading": lambda seed: LabelSpreading(kernel="knn"),
}
COLUMNS = {"pixels": [], "PCA(50)": [PCA(50, random_state=0)], "pretrained": []}
RIVAL_ARMS = [f"{rival}, {columns}" for rival in RIVALS for columns in COLUMNS]
ARMS = [*RIVAL_ARMS, *GAN_ARMS]


def load(folder: Path, name: str):
    """Images at 32x32 or less, labels, groups; of pneumonia the training and validation part."""
    if name != "pneumonia":
        return load_set(folder, name)
    archive = np.load(folder / FILES[name])
    images, labels = (
        np.concatenate([archive[f"{part}_{what}"] for part in ("train", "val")]) for what in ("images", "labels")
    )
    return images, labels.ravel().astype(int), np.arange(len(images))


def folds(y, groups, seed: int) -> list:
    """Training and test rows of four folds."""
    return list(StratifiedGroupKFold(4, shuffle=True, random_state=seed).split(y, y, groups))


def split(y, groups, seed: int, fold: int, development: bool):
    """Rows with a label, rows whose label is hidden, and test rows of one cell."""
    rows = folds(y, groups, DEVELOPMENT_SEED)[0][0] if development else np.arange(len(y))
    train, test = (rows[part] for part in folds(y[rows], groups[rows], seed + 1000 * development)[fold])
    rng = np.random.RandomState(100 * seed + fold)
    classes = [rng.permutation(train[y[train] == label]) for label in np.unique(y)]
    labelled = np.concatenate([members[: max(2, round(SHARE * len(members)))] for members in classes])
    return labelled, np.setdiff1d(train, labelled), test


def fit_rival(arm: str, X, y, labelled, hidden, seed: int):
    """One of scikit-learn's methods; a hidden label is -1 to them."""
    rival, columns = arm.split(", ")
    model = make_pipeline(StandardScaler(), *COLUMNS[columns], RIVALS[rival](seed))
    labels = np.r_[y[labelled], np.full(len(hidden), -1)]
    return model.fit(columns_of(arm, X[np.r_[labelled, hidden]]), labels)


def columns_of(arm: str, images):
    """Float64 columns of a rival's arm; those of the pretrained network are computed once in a process."""
    from sklearn_medgan.augmentation._trunk_columns import TrunkColumns

    if not arm.endswith("pretrained"):
        return images.reshape(len(images), -1).astype(np.float64)
    images = images if images.ndim == 4 else images[..., None]
    parts = [
        TrunkColumns("auto").transform(part.astype(np.float32) / 127.5 - 1.0) for part in np.array_split(images, 20)
    ]
    return np.concatenate([np.concatenate(blocks, axis=1) for blocks in parts]).astype(np.float64)


def fit_gan(arm: str, X, y, labelled, hidden, settings: dict):
    """The literal line, with what this arm may see."""
    from sklearn_medgan import GANAugmenter

    model = Pipeline([("aug", GANAugmenter(**settings)), ("clf", SVC(C=10))])
    if arm == ALL:
        labelled = np.concatenate([labelled, hidden])
    return model.fit(X[labelled], y[labelled], **({"aug__X_unlabeled": X[hidden]} if arm == UNLABELLED else {}))


def cell(folder: Path, key: tuple, development: bool, pretrained: str, threads: int) -> dict:
    """Fit and score one arm on one fold."""
    name, arm, seed, fold = key
    X, y, groups = load(folder, name)
    labelled, hidden, test = split(y, groups, seed, fold, development)
    started = time.perf_counter()
    if arm in GAN_ARMS:
        limit_threads(threads)
        model = fit_gan(arm, X, y, labelled, hidden, {**patch_settings(pretrained), "random_state": seed})
        images = X[test]
    else:
        model = fit_rival(arm, X, y, labelled, hidden, seed)
        images = columns_of(arm, X[test])
    seconds = time.perf_counter() - started
    score = balanced_accuracy_score(y[test], model.predict(images))
    row = {"set": name, "arm": arm, "seed": seed, "fold": fold, "labelled": len(labelled), "hidden": len(hidden)}
    row |= {"development": development, "pretrained": pretrained}
    return {**row, "balanced_accuracy": round(score, 5), "fit_seconds": round(seconds, 1)}


def closed_share(few: np.ndarray, unlabelled: np.ndarray, full: np.ndarray) -> str:
    """Share of the gap between a tenth and all labels that is closed, with a 95 % bootstrap interval over cells."""
    if len(few) == 0:
        return ""
    drawn = np.random.RandomState(0).randint(len(few), size=(10_000, len(few)))
    gaps = (full - few)[drawn].mean(1)
    shares = (unlabelled - few)[drawn].mean(1) / np.where(gaps > 0, gaps, np.nan)
    low, high = np.nanpercentile(shares, [2.5, 97.5]) if (gaps > 0).any() else (np.nan, np.nan)
    share = (unlabelled - few).mean() / (full - few).mean()
    return f"{100 * share:.0f} % ({100 * low:.0f} to {100 * high:.0f})"


def table(rows: list[dict]) -> str:
    """Markdown: a line for each set and arm, with paired differences of `UNLABELLED` to it."""
    lines = [
        f"| set | arm | cells | balanced accuracy | {UNLABELLED} against it (95 %) | gap closed (95 %) | fit, s |",
        "|---|" + "---|" * 6,
    ]
    for name in dict.fromkeys(r["set"] for r in rows):
        cells = {arm: {(r["seed"], r["fold"]): r for r in rows if r["set"] == name and r["arm"] == arm} for arm in ARMS}
        for arm in (arm for arm in ARMS if cells[arm]):
            lines.append(f"| {name} | {arm} | {' | '.join(figures(cells, arm))} |")
    return "\n".join(lines)


def difference(ours: dict, theirs: dict) -> str:
    """Points that one arm has more than another on the cells of both, with a 95 % bootstrap interval over these."""
    gain = np.array([ours[k]["balanced_accuracy"] - theirs[k]["balanced_accuracy"] for k in ours if k in theirs])
    if not len(gain):
        return ""
    draws = np.random.RandomState(0).choice(gain, (10_000, len(gain))).mean(1)
    low, high = np.percentile(draws, [2.5, 97.5])
    return f"{100 * gain.mean():+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def figures(cells: dict, arm: str) -> list[str]:
    """The figures of one line: see `table`."""

    def scores(arm, keys):
        return np.array([cells[arm][key]["balanced_accuracy"] for key in keys])

    own = cells[arm]
    shared = [key for key in own if key in cells[UNLABELLED]]
    versus = "" if arm == UNLABELLED else difference(cells[UNLABELLED], own)
    complete = [key for key in shared if key in cells[FEW] and key in cells[ALL]] if arm == UNLABELLED else []
    closed = closed_share(*(scores(a, complete) for a in GAN_ARMS))
    seconds = f"{np.median([c['fit_seconds'] for c in own.values()]):.0f}"
    return [str(len(own)), f"{100 * scores(arm, own).mean():.1f}", versus, closed, seconds]


def main():
    """Run what is missing, then print the table."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=Path)
    p.add_argument("--sets", nargs="+", choices=FILES, default=list(FILES))
    p.add_argument("--arms", nargs="+", choices=ARMS, default=ARMS)
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    p.add_argument("--folds", type=int, nargs="+", choices=range(4), default=[0, 1, 2, 3])
    p.add_argument("--development", action="store_true", help="split the training rows of seed 100, fold 0, again")
    p.add_argument("--pretrained", nargs="*", default=[], metavar="SET=FILE", help="other patches than a set's own")
    p.add_argument("--jobs", type=int, default=2, help="processes, one thread each where more than one")
    p.add_argument("--out", type=Path, default=Path("unlabelled.jsonl"))
    a = p.parse_args()
    pretrained = {**dict.fromkeys(FILES, "own"), **dict(pair.split("=", 1) for pair in a.pretrained)}
    done = [json.loads(line) for line in a.out.read_text().splitlines()] if a.out.exists() else []
    done = [r for r in done if (r["development"], r.get("pretrained")) == (a.development, pretrained[r["set"]])]
    done = {(r["set"], r["arm"], r["seed"], r["fold"]): r for r in done}
    wanted = [(s, arm, seed, f) for seed in a.seeds for f in a.folds for s in a.sets for arm in a.arms]
    threads = 2 if a.jobs == 1 else 1
    missing = [key for key in wanted if key not in done]
    jobs = (delayed(cell)(a.folder, key, a.development, pretrained[key[0]], threads) for key in missing)
    for row in Parallel(a.jobs, return_as="generator_unordered")(jobs):
        done[row["set"], row["arm"], row["seed"], row["fold"]] = row
        with a.out.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(f"{len(done)}/{len(wanted)}", row, flush=True)
    print(table([done[key] for key in wanted]))


if __name__ == "__main__":
    import unlabelled  # under this name other processes find the functions

    unlabelled.main()
