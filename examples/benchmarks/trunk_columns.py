"""Which maps of the pretrained network, at which size and weight, are the best columns? A study on development rows.

    python examples/benchmarks/trunk_columns.py extract DATA_FOLDER --cache CACHE
    python examples/benchmarks/trunk_columns.py judge DATA_FOLDER --cache CACHE --out trunk_columns.jsonl

Protocol: of each set only the training rows of fold 0 of `StratifiedGroupKFold(4, shuffle=True, random_state=100)`, at
most 800 of them, split again by group (a third to judge) once for each of five seeds; 25 or 100 rows a class to train
`SVC(C=10)`. `extract` runs every image through the network once for each size and keeps means of its maps; `judge` is
cheap, appends each result to `--out`, goes on from there and prints the table of docs/research_log.md. Settings that
were tried and rejected stand there, too, without their code.
"""

import argparse
import json
from pathlib import Path

import numpy as np

SETS = {
    "brain_224": "brain_tumor_mri_224.npz",
    "covid_224": "covid_ct_224.npz",
    "brain_64": "brain_tumor_mri_64.npz",
    "covid_64": "covid_ct_64.npz",
    "pneumonia": "pneumoniamnist.npz",
    "bccd": "bccd_cells_32.npz",
}
N_ROWS = 800  # of a set, at most
SEEDS, PER_CLASS = range(5), (25, 100)
N_PATCHES = 200
LEVELS = ("stage_3", "stage_4", "stage_5", "stage_6", "head")
VIEWS = {"160": (160, 1), "160_flipped": (160, -1), "224": (224, 1)}  # side of the images, and their direction
# What a setting has: maps of the network, the views of an image whose columns are averaged, other kinds of columns with
# the factor of each, and how many times as small a constant column makes the gamma="scale" of an SVC. Every block is
# standardised on the training rows, and each kind as a whole has the same weight but for its factor.
MIDDLE = ("stage_4", "stage_5", "stage_6")
SETTINGS = {
    "pixels": ((), (), {"pixels": 1.0}, 1),
    "stages 3, 5 and head, 160": (("stage_3", "stage_5", "head"), ("160",), {}, 1),
    "stages 4 to 6, 160": (MIDDLE, ("160",), {}, 1),
    "stages 4 to 6, 160, flips averaged": (MIDDLE, ("160", "160_flipped"), {}, 1),
    "trunk": (MIDDLE, ("224",), {}, 1),  # stages 4 to 6 at 224
    "trunk, pixels 1": (MIDDLE, ("224",), {"canvas": 1.0}, 1),
    "trunk, patches 1, pixels 1": (MIDDLE, ("224",), {"patches": 1.0, "canvas": 1.0}, 1),
    "trunk, patches 0.7, pixels 0.3": (MIDDLE, ("224",), {"patches": 0.7, "canvas": 0.3}, 1),
    "trunk, patches 0.7, pixels 0.3, wider 4": (MIDDLE, ("224",), {"patches": 0.7, "canvas": 0.3}, 4),
}


def load(folder: Path, name: str):
    """Development images in [-1, 1] (n, height, width, channels), labels and groups of a set."""
    from sklearn.model_selection import StratifiedGroupKFold

    from sklearn_medgan.datasets import load_images

    bunch = load_images(folder / SETS[name], subset="train" if name == "pneumonia" else "all")
    y = np.asarray(bunch.target)
    groups = np.arange(len(y)) if bunch.groups is None else np.unique(bunch.groups, return_inverse=True)[1]
    rows, _ = next(StratifiedGroupKFold(4, shuffle=True, random_state=100).split(y, y, groups))
    rng = np.random.RandomState(0)
    labels = np.unique(y)
    rows = np.sort(np.concatenate([rng.permutation(rows[y[rows] == k])[: N_ROWS // len(labels)] for k in labels]))
    images = bunch.data[rows].reshape(len(rows), *(*bunch.data.shape[1:], 1)[:3])
    return images.astype(np.float32) / 127.5 - 1, y[rows], groups[rows]


def extract(folder: Path, cache: Path, name: str, view: str) -> None:
    """Write the means of the maps of one set's images, unless they are there."""
    import keras

    from sklearn_medgan.augmentation._trunk_columns import TrunkColumns
    from sklearn_medgan.backbones._efficientnet_lite import build_efficientnet_lite
    from sklearn_medgan.backbones._resolve import lite0_weights

    target, (side, direction) = cache / f"{name}_{view}.npz", VIEWS[view]
    if target.exists():
        return
    image = keras.Input((side, side, 3))
    maps = build_efficientnet_lite(lite0_weights())(image)
    columns = TrunkColumns(keras.Model(image, [maps[level] for level in LEVELS]), cache_size_mb=None)
    blocks = columns.transform(load(folder, name)[0][:, :, ::direction])
    np.savez(target, **dict(zip(LEVELS, blocks, strict=True)))
    print(target.name, flush=True)


def trunk_blocks(cache: Path, name: str, levels: tuple, views: tuple) -> list:
    """The network's blocks of all development rows of a set; views of an image are averaged."""
    found = {view: np.load(cache / f"{name}_{view}.npz") for view in views}
    return [np.mean([found[view][level] for view in views], axis=0) for level in levels]


def other_blocks(x: np.ndarray, kind: str, train: np.ndarray, seed: int) -> list:
    """Pixels at 32 by 32 or on the canvas, or typical patches."""
    from sklearn_medgan.augmentation._canvas import canvas_shape
    from sklearn_medgan.augmentation._patch_learning import learn_patches
    from sklearn_medgan.augmentation._patches import PatchDictionary
    from sklearn_medgan.augmentation._resampling import resized

    x = resized(x, (32, 32) if kind == "pixels" else canvas_shape(x.shape[1:], 64))
    if kind != "patches":
        return [x.reshape(len(x), -1)]
    return PatchDictionary(learn_patches(x[train], N_PATCHES, np.random.RandomState(seed))).blocks(x)


def scaled(block: np.ndarray, train: np.ndarray) -> np.ndarray:
    """A block with columns standardised on the training rows; the mean square of a training row is 1."""
    block = block - block[train].mean(0)
    spread = block[train].std(0)
    block = block / np.where(spread > 1e-4 * max(spread.max(), 1e-6), spread, np.inf)
    return block / np.sqrt(np.square(block[train]).sum(1).mean())


def splits(y: np.ndarray, groups: np.ndarray, seed: int, per_class: int):
    """Training rows and rows to judge of one split."""
    from sklearn.model_selection import StratifiedGroupKFold

    train, judged = next(StratifiedGroupKFold(3, shuffle=True, random_state=seed).split(y, y, groups))
    rng = np.random.RandomState(seed)
    return np.concatenate([rng.permutation(train[y[train] == k])[:per_class] for k in np.unique(y)]), judged


def judge(folder: Path, cache: Path, name: str, seeds, done: set):
    """Yield a row of results for each setting and split of a set that is not done."""
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.svm import SVC

    x, y, groups = load(folder, name)
    for seed in seeds:
        for per_class in PER_CLASS:
            train, judged = splits(y, groups, seed, per_class)
            for label, (levels, views, beside, wider) in SETTINGS.items():
                if (name, label, seed, per_class) in done:
                    continue
                kinds = [(trunk_blocks(cache, name, levels, views), 1.0)] if levels else []
                kinds += [(other_blocks(x, kind, train, seed), factor) for kind, factor in beside.items()]
                Z = [scaled(b, train) * factor / np.sqrt(len(blocks)) for blocks, factor in kinds for b in blocks]
                Z = np.concatenate(Z, axis=1)
                constant = np.sqrt((wider - 1) * np.square(Z[train]).sum(1).mean())
                Z = np.concatenate([Z, np.full((len(Z), 1), constant, np.float32)], axis=1)
                predicted = SVC(C=10).fit(Z[train], y[train]).predict(Z[judged])
                yield [name, label, seed, per_class, round(float(balanced_accuracy_score(y[judged], predicted)), 5)]


def table(rows: list) -> str:
    """Markdown: mean balanced accuracy in per cent by setting, set and regime, and the mean over sets."""
    heads = [(name, n) for name in SETS for n in PER_CLASS]
    lines = ["| columns | " + " | ".join(f"{a}, {n}" for a, n in heads) + " | mean |", "|---" * (len(heads) + 2) + "|"]
    for label in SETTINGS:
        cells = [[100 * row[4] for row in rows if row[1] == label and (row[0], row[3]) == head] for head in heads]
        means = [np.mean(cell) if cell else np.nan for cell in cells]
        if any(cells):
            lines.append(f"| {label} | {' | '.join(f'{m:.1f}' for m in (*means, np.nanmean(means)))} |")
    return "\n".join(lines)


def main():
    """Run one of the two commands."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("command", choices=("extract", "judge"))
    p.add_argument("folder", type=Path)
    p.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    p.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    p.add_argument("--cache", type=Path, default=Path("trunk_cache"))
    p.add_argument("--out", type=Path, default=Path("trunk_columns.jsonl"))
    a = p.parse_args()
    if a.command == "extract":
        a.cache.mkdir(exist_ok=True)
        for view in VIEWS:
            for name in a.sets:
                extract(a.folder, a.cache, name, view)
        return
    rows = [json.loads(line) for line in a.out.read_text().splitlines()] if a.out.exists() else []
    for name in a.sets:
        for row in judge(a.folder, a.cache, name, a.seeds, {tuple(row[:4]) for row in rows}):
            rows.append(row)
            with a.out.open("a") as file:
                file.write(json.dumps(row) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()
