"""Are GANAugmenter's images better than those of two other GANs that had the same time?

    python examples/benchmarks/image_quality.py DATA_FOLDER --reference TORCH_PYTHON --minutes 10

Brain MRI, lung CT (both 32x32), chest X-rays (28x28) and blood cells (32x32, colour), fold 0 by group of the protocol's
seed. Each GAN trains in a process
of its own for `--minutes` of wall time with `--threads` threads, then makes as many rows of each class as there are
real training rows; making them costs no time of its budget. GANAugmenter: see `OURS`. Peers: `gan_references.py`, run
by a Python that has PyTorch and the package `lightweight-gan`.

*lightweight-gan* knows no classes. One for each class would leave it a third or a quarter of the time, so it trains on
all rows, each class drawn equally often, and the conv net below, trained on the real rows, labels what it makes: a pool
of four times the rows wanted, so that there are enough of each class. It so gains from a judge that the others do not
have, and from the time that making and judging the pool takes.

Figures, on real rows of the other folds' groups: balanced accuracy of a random forest and of `SVC(C=10)` on pixels
that were trained on synthetic rows, by that of the same classifier trained on the real rows, and of a logistic
regression on the columns of the pretrained network ("trunk": `TrunkColumns`, standardised); kernel distance
(Binkowski et al. 2018, arXiv 1801.01401, cubic kernel) in the features of one small conv net trained on the real
training rows (`FeatureNet`; standardised), to held-out rows, for all rows and as the mean over classes, and in the
trunk's columns; recall and coverage (Naeem et al. 2020, arXiv 2002.09797) in the former; and how near samples are to
training rows (`memorisation_ratio`). The row "real" is the training rows themselves: what a perfect GAN would get.
`--many`: GANAugmenter can be asked for any number of rows of each class, so classifiers are trained a second time on
ten times as many samples (`TIMES`), of each class equally many; beside them stand real rows with each class repeated up
to the largest. A result, its samples and a sheet of them are kept beside `--out`; a second call goes on from there.
"""

import argparse
import json
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from columns import limit_threads, load
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

CLASS_NAMES = {
    "pneumonia": ("normal", "pneumonia"),
    "covid": ("other", "covid"),
    "brain": ("no tumour", "glioma", "meningioma", "pituitary"),
    "bccd": ("red cell", "white cell", "platelet"),
}
# No columns are wanted, so nothing trains or computes what only they need; time ends training, not a number of steps.
# Samples of a GAN whose rows were moved are moved as those, and a classifier of pixels learns less from them; without
# it the gradient penalties are what keeps the discriminator from knowing its rows (docs/research_log.md).
OURS = {
    "class_steps": 0,
    "n_patches": 0,
    "representation": "pixels",
    "augment": None,
    "penalty_weight": 0.1,
    "max_iter": 10**9,
}
PEERS = {
    "dcgan": ["dcgan", "--batch", "64", "--width", "64"],
    "lightweight": ["lightweight", "--batch", "10", "--fmap-max", "128"],
}
ARMS = ("ours", *PEERS)
LABELS = {
    "real": "real training rows",
    "ours": "GANAugmenter",
    "dcgan": "DCGAN, DiffAugment",
    "lightweight": "lightweight-gan",
}
MOST_TRUNK_ROWS = 1000  # of a set, evenly spread, that go through the pretrained network
TIMES = 10  # samples in "many" for each training row
CLASSIFIERS = {
    "forest": RandomForestClassifier(200, random_state=0, n_jobs=1),
    "svc": make_pipeline(StandardScaler(), SVC(C=10)),
}


def split(y, groups, seed: int, development: bool):
    """Training and test rows of fold 0. For development: both from the training rows of that fold, again by group."""
    train, test = next(StratifiedGroupKFold(4, shuffle=True, random_state=seed).split(y, y, groups))
    if development:
        folds = StratifiedGroupKFold(4, shuffle=True, random_state=seed + 1).split(y[train], y[train], groups[train])
        inner, outer = next(folds)
        return train[inner], train[outer]
    return train, test


class FeatureNet:
    """A small conv net trained to tell the classes of real rows: three 3x3 convolutions of stride 2, mean, 128 values.

    32, 64 and 128 channels, rectifiers, Adam 1e-3, batches of 64 with each class equally often, shifted by up to two
    pixels, 1,500 steps; every random number from fixed seeds.
    """

    steps, batch, channels = 1500, 64, (32, 64, 128)

    def fit(self, X, y):
        """Train on images (n, height, width, channels) uint8 and codes from 0."""
        import keras

        def seeded(i):
            return keras.initializers.HeNormal(seed=i)

        stack = [keras.Input(X.shape[1:])]
        for i, n in enumerate(self.channels):
            stack.append(keras.layers.Conv2D(n, 3, 2, padding="same", activation="relu", kernel_initializer=seeded(i)))
        body = keras.Sequential([*stack, keras.layers.GlobalAveragePooling2D()])
        head = keras.layers.Dense(int(y.max()) + 1, activation="softmax", kernel_initializer=seeded(9))
        self.model = keras.Sequential([body, head])
        self.model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
        rng = np.random.RandomState(0)
        weight = 1.0 / np.bincount(y)[y]
        for _ in range(self.steps):
            picks = rng.choice(len(y), self.batch, p=weight / weight.sum())
            self.model.train_on_batch(self._shifted(X[picks], rng), y[picks])
        self.body = body
        self.scaler = StandardScaler().fit(body.predict(self._encoded(X), verbose=0))
        return self

    @staticmethod
    def _encoded(X):
        return X.astype(np.float32) / 127.5 - 1.0

    def _shifted(self, X, rng):
        padded = np.pad(self._encoded(X), ((0, 0), (2, 2), (2, 2), (0, 0)), mode="edge")
        height, width = X.shape[1:3]
        corners = rng.randint(0, 5, (len(X), 2))
        return np.stack([x[i : i + height, j : j + width] for x, (i, j) in zip(padded, corners, strict=True)])

    def transform(self, X):
        """Standardised features (n, 128)."""
        return self.scaler.transform(self.body.predict(self._encoded(X), verbose=0))

    def predict_proba(self, X):
        """Probability of each class, (n, n_classes)."""
        return self.model.predict(self._encoded(X), verbose=0)


def train_ours(train: Path, samples: Path, settings: dict, threads: int) -> None:
    """What `gan_references.py` does, with GANAugmenter."""
    from sklearn_medgan import GANAugmenter

    limit_threads(threads)
    with np.load(train) as file:
        X, y, counts = (file[name] for name in ("X", "y", "counts"))
    gan = GANAugmenter(**{**OURS, **settings})
    started = time.monotonic()
    gan.fit(X, y)
    seconds = time.monotonic() - started
    even = np.full(len(counts), TIMES * len(y) // len(counts))
    codes, seed = np.arange(len(counts)), settings["random_state"]
    rows, labels = gan.sample(y=np.repeat(codes, counts), random_state=seed)
    many, labels_many = gan.sample(y=np.repeat(codes, even), random_state=seed + 1)
    made = {"X": rows, "y": labels, "X_many": many, "y_many": labels_many}
    np.savez(samples, **made, steps=gan.n_iter_, seconds=seconds)
    samples.with_suffix(".history.json").write_text(json.dumps(gan.history_))


def command(arm: str, train: Path, samples: Path, a) -> list[str]:
    """The process that trains an arm and writes its samples."""
    if arm == "ours":
        settings = {"max_time": 60.0 * a.minutes, "random_state": a.seed, **json.loads(a.settings)}
        return [
            sys.executable,
            __file__,
            str(train),
            "--train-ours",
            str(samples),
            json.dumps(settings),
            str(a.threads),
        ]
    script = Path(__file__).with_name("gan_references.py")
    shared = ["--seconds", str(60.0 * a.minutes), "--threads", str(a.threads), "--seed", str(a.seed)]
    return [a.reference, str(script), PEERS[arm][0], str(train), str(samples), *PEERS[arm][1:], *shared]


def labelled(X, probabilities, counts):
    """From a pool without labels the wanted number of each class, rarest class first.

    Any rows that the net takes for the class; where they do not suffice, those that come closest.
    """
    judged_as, rng = probabilities.argmax(1), np.random.RandomState(0)
    free, picks = np.ones(len(X), bool), {}
    for label in np.argsort(counts):
        rank = np.where(judged_as == label, 2.0 + rng.random_sample(len(X)), probabilities[:, label])
        picks[label] = np.argsort(-np.where(free, rank, -1.0), kind="stable")[: counts[label]]
        free[picks[label]] = False
    order = np.concatenate([picks[label] for label in range(len(counts))])
    return X[order], np.repeat(np.arange(len(counts)), counts)


def class_kernel_distances(net: FeatureNet, test, X, y) -> list[float]:
    """Kernel distance within each class."""
    from sklearn_medgan.metrics import kernel_distance

    X_test, y_test = test
    return [
        kernel_distance(X_test[y_test == label], X[y == label], features=net) for label in range(int(y_test.max()) + 1)
    ]


class Trunk:
    """The columns of the pretrained network, standardised by those of the training rows."""

    def __init__(self, X):
        self.scaler = StandardScaler().fit(self._columns(X))

    @staticmethod
    def _columns(X):
        from sklearn_medgan.augmentation._trunk_columns import TrunkColumns

        return np.concatenate(TrunkColumns("auto").transform(X.astype(np.float32) / 127.5 - 1.0), 1)

    def transform(self, X):
        """Standardised columns (n, 384)."""
        return self.scaler.transform(self._columns(X))


def judged(net: FeatureNet, trunk: Trunk, train, test, X, y) -> dict:
    """Figures of synthetic rows (or of the real training rows)."""
    from sklearn_medgan.metrics import (
        kernel_distance,
        memorisation_ratio,
        precision_recall_density_coverage,
        train_on_synthetic_score,
    )

    distance, deviation = kernel_distance(test[0], X, features=net, return_std=True)
    figures = {"kernel_distance": distance, "kernel_distance_std": deviation}
    figures["class_kernel_distances"] = class_kernel_distances(net, test, X, y)
    among = precision_recall_density_coverage(test[0], X, features=net)
    some, of_test = evenly(len(X)), evenly(len(test[0]))
    columns, columns_test = trunk.transform(X[some]), trunk.transform(test[0][of_test])
    figures |= {"recall": among.recall, "coverage": among.coverage}
    figures["memorisation"] = memorisation_ratio(train[0], X, test[0]).ratio
    figures["trunk_distance"] = kernel_distance(columns_test, columns)
    logistic = LogisticRegression(C=0.01, max_iter=1000, class_weight="balanced")
    score = train_on_synthetic_score(logistic, columns, y[some], columns_test, test[1][of_test])
    return {**figures, "trunk": score.synthetic, **taught(X, y, test)}


def evenly(n: int):
    """Places of at most `MOST_TRUNK_ROWS` rows, evenly spread."""
    return np.unique(np.linspace(0, n - 1, min(n, MOST_TRUNK_ROWS)).astype(int))


def taught(X, y, test, suffix: str = "") -> dict:
    """What the classifiers learn from rows."""
    from sklearn_medgan.metrics import train_on_synthetic_score

    return {f"{k}{suffix}": train_on_synthetic_score(c, X, y, *test).synthetic for k, c in CLASSIFIERS.items()}


class Cell:
    """One set and seed: its rows, its feature net, and the files that go between processes."""

    def __init__(self, name: str, a):
        X, y, groups = load(a.folder, name)
        X = X if X.ndim == 4 else X[..., None]
        train, test = split(y, groups, a.seed, a.development)
        self.name, self.train, self.test = name, (X[train], y[train]), (X[test], y[test])
        self.counts = np.bincount(y[train])
        self.work = a.out.with_suffix("")
        self.work.mkdir(parents=True, exist_ok=True)
        self.stem = f"{name}_{a.seed}_{a.minutes:g}"
        self._net = self._trunk = None

    @property
    def net(self) -> FeatureNet:
        """Trained when first asked for."""
        if self._net is None:
            self._net = FeatureNet().fit(*self.train)
        return self._net

    @property
    def trunk(self) -> Trunk:
        """Standardised when first asked for."""
        if self._trunk is None:
            self._trunk = Trunk(self.train[0][evenly(len(self.train[0]))])
        return self._trunk

    def samples(self, arm: str) -> Path:
        """Where an arm's rows are."""
        return self.work / f"{self.stem}_{arm}.npz"

    def make(self, arm: str, a) -> tuple[int, float]:
        """Train an arm, write its samples with labels; steps and seconds."""
        train = self.work / f"{self.stem}_train.npz"
        np.savez(train, X=self.train[0], y=self.train[1], counts=self.counts)
        subprocess.run(command(arm, train, self.samples(arm), a), check=True)
        with np.load(self.samples(arm)) as file:
            X, y, steps, seconds = (file[name] for name in ("X", "y", "steps", "seconds"))
        if (y < 0).all():
            X, y = labelled(X, self.net.predict_proba(X), self.counts)
            np.savez(self.samples(arm), X=X, y=y, steps=steps, seconds=seconds)
        return int(steps), float(seconds)

    def rows(self, arm: str):
        """An arm's images and labels, with the training rows' class counts."""
        return self.train if arm == "real" else self._kept(arm, "X", "y")

    def many(self, arm: str):
        """Images and labels with all classes alike, or None for an arm that was not asked for them."""
        if arm == "real":
            X, y = self.train
            picks = np.concatenate([np.resize(np.flatnonzero(y == k), self.counts.max()) for k in np.unique(y)])
            return X[picks], y[picks]
        return self._kept(arm, "X_many", "y_many")

    def _kept(self, arm: str, images: str, labels: str):
        with np.load(self.samples(arm)) as file:
            if images not in file:
                return None
            return file[images].reshape(-1, *self.train[0].shape[1:]), file[labels]


def draw_grid(cell: Cell, arms, path: Path) -> None:
    """Draw 64 images of each arm (a panel), class after class."""
    from matplotlib.figure import Figure

    figure = Figure((3.0 * len(arms), 3.3), dpi=150, layout="constrained")
    for axis, arm in zip(np.ravel(figure.subplots(1, len(arms))), arms, strict=True):
        X, y = cell.rows(arm)
        places = np.random.RandomState(0).permutation(len(X))
        of_each = np.array_split(np.arange(64), len(cell.counts))
        picks = [np.resize(places[y[places] == c], len(part)) for c, part in enumerate(of_each)]
        lines = X[np.concatenate(picks)].reshape(8, 8, *X.shape[1:])
        axis.imshow(np.squeeze(np.concatenate(np.concatenate(lines, 1), 1)), cmap="gray", vmin=0, vmax=255)
        axis.set_title(LABELS[arm], fontsize=7)
        axis.set_axis_off()
    figure.supxlabel(", then ".join(CLASS_NAMES[cell.name]), fontsize=6)
    figure.savefig(path)


def table(rows: list[dict]) -> str:
    """Markdown: a line for each set, seed and GAN."""
    teachers = {"forest": "forest", "svc": "SVC", "trunk": "trunk"}
    teachers |= {"forest_many": "forest, many", "svc_many": "SVC, many"}
    distances = {"kernel_distance": "kernel distance", "trunk_distance": "in trunk", "recall": "recall"}
    distances |= {"coverage": "coverage", "memorisation": "memorisation"}
    teachers = {name: told for name, told in teachers.items() if any(name in r for r in rows)}
    shares = [f"{told}, % of real" for told in teachers.values()]
    head = ["set", "seed", "GAN", "steps", *shares, *distances.values(), "distance, mean of classes"]
    lines = [f"| {' | '.join(head)} |", "|---|---|---" + "|---:" * (len(head) - 3) + "|"]
    real = {(r["set"], r["seed"]): r for r in rows if r["arm"] == "real"}
    for r in rows:
        base = real.get((r["set"], r["seed"]), {})
        shares = [share(r.get(c), base.get(c)) for c in teachers]
        of_classes = np.mean(r["class_kernel_distances"])
        measured = [f"{r[name]:.3g}" for name in distances]
        figures = [r["set"], r["seed"], LABELS[r["arm"]], r["steps"] or "", *shares, *measured]
        lines.append(f"| {' | '.join(map(str, figures))} | {of_classes:.3g} |")
    return "\n".join(lines)


def share(score: float | None, of_real: float | None) -> str:
    """A score and its share of that of real rows."""
    if score is None:
        return ""
    return f"{score:.3f}" + (f" ({100 * score / of_real:.0f} %)" if of_real else "")


def arguments():
    """The command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=Path)
    p.add_argument("--reference", metavar="TORCH_PYTHON", help="without it only GANAugmenter is measured")
    p.add_argument("--sets", nargs="+", choices=CLASS_NAMES, default=list(CLASS_NAMES))
    p.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    p.add_argument("--minutes", type=float, default=10.0)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--development", action="store_true", help="judge on rows held out of the fold's training rows")
    p.add_argument("--many", action="store_true", help="classifiers learn from ten times as many samples, too")
    p.add_argument("--settings", default="{}", help="further parameters of GANAugmenter, JSON")
    p.add_argument("--out", type=Path, default=Path("image_quality.jsonl"))
    p.add_argument("--train-ours", nargs=3, help=argparse.SUPPRESS)
    return p.parse_args()


def main():
    """Run what is missing, then write grids and print the table."""
    a = arguments()
    if a.train_ours:
        samples, settings, threads = a.train_ours
        return train_ours(a.folder, Path(samples), json.loads(settings), int(threads))
    limit_threads(a.threads)
    key = {"seed": a.seed, "minutes": a.minutes, "threads": a.threads, "development": a.development}
    done = [json.loads(line) for line in a.out.read_text().splitlines()] if a.out.exists() else []
    done = [r for r in done if key.items() <= r.items()]
    arms = ["real", *(arm for arm in a.arms if arm == "ours" or a.reference)]
    for name in a.sets:
        cell = Cell(name, a)
        for arm in arms:
            if any((r["set"], r["arm"]) == (name, arm) for r in done):
                continue
            steps, seconds = (0, 0.0) if arm == "real" else cell.make(arm, a)
            figures = judged(cell.net, cell.trunk, cell.train, cell.test, *cell.rows(arm))
            many = cell.many(arm) if a.many else None
            figures.update(taught(*many, cell.test, "_many") if many is not None else {})
            done.append({"set": name, "arm": arm, **key, "steps": steps, "seconds": round(seconds, 1), **figures})
            with a.out.open("a") as file:
                file.write(json.dumps(done[-1]) + "\n")
            print(done[-1], flush=True)
        draw_grid(cell, arms, cell.work / f"{cell.stem}.png")
    print(table([r for r in done if r["set"] in a.sets]))


if __name__ == "__main__":
    warnings.simplefilter("ignore", FutureWarning)
    main()
