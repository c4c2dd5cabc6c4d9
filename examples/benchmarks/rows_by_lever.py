"""Which rows for a rare class teach most on GANAugmenter's columns? One fit a cell, many ways to make rows from it.

    python examples/benchmarks/rows_by_lever.py DATA_FOLDER --cache CACHE_FOLDER --seeds 0 1

Development splits of `rare_class.py` (`--development`: no test row of the protocol is looked at), at 32x32. A cell is a
set, its rare class and a split. Its default `GANAugmenter`, the pretrained network's columns included, is fitted once;
rows of every kind are drawn once, to even, and their columns kept in the cache, from which a second call goes on.
Judged by `SVC(C=10)` and logistic regression, from the Gram matrix of the columns, and a forest of 60 trees.

"classical": as `classical_arm(ratio=1.0)` moves real rows, mirrored where `rare_class.FLIPS` has the set. "moved": real
rows moved as those of `fit_resample` are, with a tone curve, without the GAN. "near": a real row plus half of the
difference of two samples, "samples": of the GAN, both moved likewise; "GAN rows" are half of each. "projected": noise
of real rows is found by gradient descent on the generator; "around" are samples near it, "between" real rows plus what
the generator makes of going half way to another one. "+ diff": half of the difference of two real rows of a common
class is added in columns. "table": columns, turned to 100 axes, as a table, whose rows a mixture of Gaussians or a
dense GAN draws. "soft": a row has the probabilities of a logistic regression of the classical rows as its label.
"""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
from rare_class import FLIPS, N_RARE, RARE, area, fold_of, names_of
from scipy.stats import t as student
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from sklearn.svm import SVC

BASE = "classical"
N_STEPS, STEP = 150, 0.05  # of the descent that finds a row's noise
N_PROJECTED = 20  # rows of a class
SHARE = 0.5  # of a difference of common rows
N_AXES = 100


# ------------------------------------------------------------------------------------------------------- rows, columns


def columns_of(path: Path, folder: Path, cell: tuple, n_rare: int) -> dict:
    """Columns of real rows, rows judged and rows of every kind, from the cache or made."""
    if not path.exists():
        made = make_columns(folder, cell, n_rare)
        np.savez(path.with_suffix(".part.npz"), **made)
        path.with_suffix(".part.npz").rename(path)
    with np.load(path) as archive:
        return dict(archive)


def make_columns(folder: Path, cell: tuple, n_rare: int) -> dict:
    """Fit the GAN, draw rows of every kind, and return the columns of all."""
    from sklearn_medgan import GANAugmenter
    from sklearn_medgan._allocation import synthetic_counts

    fold, y_test, _ = fold_of(folder, *cell, 0, True, n_rare)
    gan = GANAugmenter(ratio=1.0, resampling="mixed", random_state=fold.seed("GAN") % 2**31).fit(fold.X, fold.y)
    counts = synthetic_counts(fold.y, "auto", 1.0)
    labels = np.repeat(list(counts), list(counts.values()))
    found = {"y": fold.y, "y_test": y_test, "labels": labels}
    kinds = {"real": fold.X, "test": fold.X_test, **images_of(gan, fold, labels, cell[0] in FLIPS)}
    return found | {kind: gan.transform(images) for kind, images in kinds.items()}


def images_of(gan, fold, labels, flip: bool) -> dict:
    """Images of every kind, one of each label."""
    from sklearn_medgan.augmentation._sampling import every_second, moved, real_origins
    from sklearn_medgan.benchmark._arms import moved_rows

    def finished(encoded, augment=gan._config.augment):
        return gan._form.restore(gan._canvas.codec.decode(moved(encoded, augment, rng)))

    rng = np.random.RandomState(fold.seed("rows"))
    twice = np.repeat(labels, 2)
    mixed, _ = gan.resample(fold.X, fold.y, labels=twice, random_state=rng.randint(2**31 - 1))
    near = every_second(twice)
    classical = {BASE: moved_rows(fold, ratio=1.0, flip=flip)}
    classical["classical, not mirrored"] = moved_rows(fold, ratio=1.0, flip=False) if flip else classical[BASE]
    kinds = {kind: np.rint(X).astype(fold.X.dtype) for kind, (X, _) in classical.items()}
    origins = real_origins(fold.y, labels, gan.classes_, rng)
    real = gan._canvas.codec.encode(fold.X[origins])
    kinds["moved"] = finished(real)
    kinds["moved, mirrored"] = finished(real, (*gan._config.augment, "flip")) if flip else kinds["moved"]
    around, between = projected(gan, fold, labels, rng)
    kinds |= {"near": mixed[near], "samples": mixed[~near]}
    return kinds | {"projected, around": finished(around), "projected, between": finished(between)}


def projected(gan, fold, labels, rng) -> tuple:
    """Samples around the noise of real rows, and real rows plus a step of the generator towards another one."""
    around, between = [], []
    for label in np.unique(labels):
        real = gan._canvas.codec.encode(fold.X[rng.permutation(np.flatnonzero(fold.y == label))[:N_PROJECTED]])
        one_hot = gan._one_hot(np.flatnonzero(gan.classes_ == label))
        noise = noise_of(gan, real, one_hot, rng)
        n = int(np.sum(labels == label))
        first, second = rng.randint(len(real), size=(2, n))
        near = noise[first] + 0.5 * rng.standard_normal((n, noise.shape[1])).astype(np.float32)
        around.append(gan._generate(near, np.repeat(one_hot, n, 0)))
        half = 0.5 * rng.uniform(size=(n, 1)).astype(np.float32)
        steps = ((1 - half) * noise[first] + half * noise[second], noise[first])
        towards, here = (gan._generate(z, np.repeat(one_hot, n, 0)) for z in steps)
        between.append(real[first] + towards - here)
    return np.concatenate(around), np.concatenate(between)


def noise_of(gan, real, one_hot, rng) -> np.ndarray:
    """Noise from which the generator comes nearest to these rows, by Adam."""
    import tensorflow as tf

    noise = tf.Variable(rng.standard_normal((len(real), gan.latent_dim)).astype(np.float32))
    labels, adam = tf.constant(np.repeat(one_hot, len(real), 0)), tf.keras.optimizers.Adam(STEP)
    generator = gan.generator_

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            made = generator([noise, labels], training=False)
            error = tf.reduce_sum((made - real) ** 2) / real[0].size + 1e-3 * tf.reduce_sum(noise**2)
        adam.apply_gradients([(tape.gradient(error, noise), noise)])
        return error

    adam.build([noise])
    for _ in range(N_STEPS):
        step()
    return noise.numpy()


# ---------------------------------------------------------------------------------------------------------------- arms


def arms_of(c: dict, rng) -> dict:
    """Columns of the added rows by arm; the label of each is `labels`."""
    from sklearn_medgan.augmentation._sampling import every_second

    half = every_second(c["labels"])[:, None]

    def halves(first, second):
        return np.where(half, c[first], c[second])

    arms = {kind: c[kind] for kind in (BASE, "classical, not mirrored", "moved", "moved, mirrored")}
    arms["GAN rows"] = halves("near", "samples")
    arms |= {kind: c[kind] for kind in ("near", "samples", "projected, around", "projected, between")}
    arms["half moved, half GAN rows"] = halves("moved", "samples")
    others = np.flatnonzero(~half)
    fourth = others[every_second(c["labels"][others])]
    arms["half moved, half GAN rows"][fourth] = c["near"][fourth]
    arms["half classical, half samples"] = halves(BASE, "samples")
    for kind in (BASE, "moved", "GAN rows"):
        arms[f"{kind} + diff"] = arms[kind] + SHARE * borrowed(c, rng)
    arms |= table_rows(c, int(rng.randint(2**31 - 1)))
    for first in (BASE, "moved"):
        arms[f"half {first}, half table, mixture"] = np.where(half, arms[first], arms["table, mixture of Gaussians"])
    arms["half classical, half table, dense GAN"] = np.where(half, arms[BASE], arms["table, dense GAN"])
    return arms


def borrowed(c: dict, rng) -> np.ndarray:
    """Differences of two real rows of one of the classes that get no rows."""
    common = np.setdiff1d(c["y"], c["labels"])
    pairs = []
    for label in rng.choice(common, len(c["labels"])):
        first, second = rng.choice(np.flatnonzero(c["y"] == label), 2, replace=False)
        pairs.append(c["real"][first] - c["real"][second])
    return np.array(pairs)


def table_rows(c: dict, seed: int) -> dict:
    """Rows drawn in the space of columns: by the default of tables, and by a dense GAN."""
    from sklearn_medgan import GANAugmenter

    turned = PCA(min(N_AXES, len(c["y"]) - 1), random_state=0).fit(c["real"])
    arms = {}
    for name, architecture in (("table, mixture of Gaussians", "auto"), ("table, dense GAN", "dense")):
        gan = GANAugmenter(architecture=architecture, representation="pixels", random_state=seed)
        rows, _ = gan.fit(turned.transform(c["real"]), c["y"]).sample(y=c["labels"], random_state=seed)
        arms[name] = turned.inverse_transform(rows).astype(np.float32)
    return arms


# -------------------------------------------------------------------------------------------------------------- scores


def judged(c: dict, rare: int, seed: int, known: list[dict]) -> list[dict]:
    """Balanced accuracy, sensitivity and specificity of the rare class, and AUC, by arm and classifier."""
    arms = {"none": c["real"][:0], **arms_of(c, np.random.RandomState(seed))}
    rows, done = list(known), {row["arm"] for row in known}
    for arm, added in arms.items():
        same = {"classical, not mirrored": BASE, "moved, mirrored": "moved"}.get(arm)
        if arm in done:
            continue
        if same and np.array_equal(added, arms[same]):
            rows += [{**row, "arm": arm} for row in rows if row["arm"] == same]
            continue
        y = np.concatenate([c["y"], c["labels"][: len(added)]])
        rows += scores(arm, np.concatenate([c["real"], added]), y, None, c, rare, seed)
    if "GAN rows, soft" not in done:
        rows += scores("GAN rows, soft", *softened(arms["GAN rows"], arms[BASE], c), c, rare, seed)
    return rows


def softened(added, taught, c: dict) -> tuple:
    """Real rows, and each added one once for each class, weighed by what a logistic regression makes of it."""
    X, y = np.concatenate([c["real"], taught]), np.concatenate([c["y"], c["labels"]])
    turned, of_added = turned_by(X, added)
    guesses = LogisticRegression(max_iter=300).fit(turned, y).predict_proba(of_added)
    classes = np.unique(y)
    rows = np.concatenate([c["real"], *[added] * len(classes)])
    return (
        rows,
        np.concatenate([c["y"], np.repeat(classes, len(added))]),
        np.r_[np.ones(len(c["y"])), guesses.T.ravel()],
    )


def turned_by(X, *others):
    """X and others on the axes of X, which leave inner products as they are: n columns instead of thousands."""
    values, vectors = np.linalg.eigh(X.astype(np.float64) @ X.T)
    kept = values > 1e-9 * values[-1]
    axes = vectors[:, kept] / np.sqrt(values[kept])
    return [(each @ X.T.astype(np.float64)) @ axes for each in (X, *others)]


def scores(arm: str, X, y, weight, c: dict, rare: int, seed: int) -> list[dict]:
    """A row of results for each classifier."""
    turned, turned_test = turned_by(X, c["test"])
    gamma = 1.0 / (X.shape[1] * X.var())
    linear, forest = LogisticRegression(max_iter=300), RandomForestClassifier(60, random_state=seed)
    models = {"SVC": (SVC(C=10, gamma=gamma), turned, turned_test), "logistic": (linear, turned, turned_test)}
    models["forest"] = (forest, X, c["test"])
    rows = []
    for name, (model, columns, columns_test) in models.items():
        model.fit(columns, y, sample_weight=weight)
        predicted, truth = model.predict(columns_test), c["y_test"]
        recalls = recall_score(truth, predicted, average=None)
        row = {"arm": arm, "classifier": name, "balanced": recalls.mean(), "sensitivity": recalls[rare]}
        row["specificity"] = np.mean(predicted[truth != rare] != rare)
        rows.append({**row, "auc": area(model, columns_test, truth)})
    return rows


# --------------------------------------------------------------------------------------------------------------- table


def table(rows: list[dict]) -> str:
    """Markdown: means by set and over sets, and what an arm has more than classical rows with its 95 % interval."""
    regimes = list(dict.fromkeys((r["set"], r["rare"]) for r in rows))
    cells = list(dict.fromkeys((r["set"], r["rare"], r["seed"]) for r in rows))
    classifiers = list(dict.fromkeys(r["classifier"] for r in rows))

    def mean(arm, figure="balanced", **where):
        kept = [r[figure] for r in rows if r["arm"] == arm and all(r[k] == v for k, v in where.items())]
        return 100 * float(np.mean(kept))

    def at(arm, cell):
        return mean(arm, set=cell[0], rare=cell[1], seed=cell[2])

    head = ["rows", *[f"{name}, {rare}" for name, rare in regimes], "mean", *classifiers, "sensitivity", "specificity"]
    head += ["AUC", f"more than {BASE}", "more than moved"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for arm in dict.fromkeys(r["arm"] for r in rows):
        figures = [mean(arm, set=name, rare=rare) for name, rare in regimes] + [mean(arm)]
        figures += [mean(arm, classifier=name) for name in classifiers]
        figures += [mean(arm, figure) for figure in ("sensitivity", "specificity", "auc")]
        gains = [interval([at(arm, cell) - at(other, cell) for cell in cells]) for other in (BASE, "moved")]
        lines.append(f"| {arm} | " + " | ".join([f"{v:.1f}" for v in figures] + gains) + " |")
    return "\n".join(lines)


def interval(gains: list[float]) -> str:
    """Mean and its 95 % interval by Student's t, cells as the units."""
    mean, n = np.mean(gains), len(gains)
    reach = student.ppf(0.975, n - 1) * np.std(gains, ddof=1) / np.sqrt(n) if n > 1 else np.nan
    return f"{mean:+.1f} ({mean - reach:+.1f} to {mean + reach:+.1f})"


def main():
    """Make the columns that are missing, judge by them what is missing, and print the table."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=Path)
    p.add_argument("--sets", nargs="+", choices=RARE, default=list(RARE))
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="development splits")
    p.add_argument("--n-rare", type=int, default=N_RARE, help="rows of the rare class")
    p.add_argument("--cache", type=Path, default=Path("rows_by_lever"))
    p.add_argument("--again", action="store_true", help="judge arms that are new in cells that are done")
    a = p.parse_args()
    warnings.simplefilter("ignore")
    a.cache.mkdir(parents=True, exist_ok=True)
    rows = []
    for cell in [(name, rare, seed) for seed in a.seeds for name in a.sets for rare in RARE[name]]:
        name = "-".join(map(str, (*cell, a.n_rare)))
        results = a.cache / f"{name}.json"
        known = json.loads(results.read_text()) if results.exists() else []
        if a.again or not known:
            columns = columns_of(a.cache / f"{name}.npz", a.folder, cell, a.n_rare)
            found = judged(columns, names_of(a.folder, cell[0]).index(cell[1]), cell[2], known)
            known = [dict(zip(("set", "rare", "seed"), cell, strict=True)) | r for r in found]
            results.write_text(json.dumps(known))
        rows += known
        print(name, flush=True)
    print(table(rows))


if __name__ == "__main__":
    main()
