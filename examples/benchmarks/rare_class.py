"""Do a GAN's rows help where one class is rare, and more than other ways to make up for it?

    python examples/benchmarks/rare_class.py DATA_FOLDER --jobs 2 --out rare_class.jsonl

Protocol: images at 32x32 (pneumonia 28x28), four folds by group, three seeds. Of the training rows one class is cut to
20 and each other one to 300 at most: glioma (brain), covid (covid_ct), Platelets (bccd), and on pneumonia each class in
turn. All arms see the same columns, pixels standardised by the real training rows, and differ in rows or weights only.
`SVC(C=10)`, a random forest of 200 trees and logistic regression; the three share one fit of the GAN. Flips, where
anatomy allows them (`FLIPS`), are for classical augmentation only. The GAN's rows are those of
`GANAugmenter(ratio=1.0, resampling="mixed").fit_resample`, which lift the rare class to the size of the largest, as
`GANOverSampler` does; "moved rows" are those of `resampling="classical"`, and "default rows" what
`sklearn_medgan.Pipeline` hands on: half of these, half drawn among the columns.

Arms on the augmenter's columns (`--groups both`) answer another question, what its rows and columns do together: their
classifier sees other columns, so what they gain over the arms on pixels is no merit of rows.

Every finished cell is appended to `--out` (JSON lines) with its predictions, and a second call goes on from there. The
table is printed in Markdown. Intervals are from resampling the groups of the test rows; a set counts once, whatever the
number of its rare classes, and so does a classifier.

`--development` never looks at a row of a test fold of the protocol's kind: it takes the training rows of fold 0 of a
split of seed 100, and splits these by group again, a third to judge (at most 1,000 rows), once for each of `--seeds`.
"""

import argparse
import json
import warnings
from functools import partial
from pathlib import Path

import numpy as np
from columns import FILES, limit_threads, load
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

RARE = {"brain": ["glioma_tumor"], "covid": ["covid"], "pneumonia": ["normal", "pneumonia"], "bccd": ["Platelets"]}
FLIPS = {"brain", "bccd"}  # tumours are on either side; cells have none
N_RARE, N_OTHER, N_JUDGED = 20, 300, 1000
OURS = "GAN rows"
MOVED = "moved rows"
DEFAULT = "default rows"
COLUMNS = "on GAN columns"
OTHERS = (
    "none",
    "class weights",
    "random oversampling",
    "SMOTE",
    "classical augmentation",  # every class to twice the largest, as `classical_arm` has it
    "classical augmentation, even",  # to the largest, as SMOTE and ours
)
GROUPS = ("others", "GAN", "both")
N_RESAMPLES = 2000


def parts(y, groups, seed: int, fold: int, development: bool):
    """Rows to train on, before a class is made rare, and rows to judge by."""
    if not development:
        return list(StratifiedGroupKFold(4, shuffle=True, random_state=seed).split(y, y, groups))[fold]
    rows, _ = next(StratifiedGroupKFold(4, shuffle=True, random_state=100).split(y, y, groups))
    splitter = StratifiedGroupKFold(3, shuffle=True, random_state=seed)
    train, judged = next(splitter.split(y[rows], y[rows], groups[rows]))
    return rows[train], np.sort(np.random.RandomState(seed).permutation(rows[judged])[:N_JUDGED])


def names_of(folder: Path, name: str) -> list[str]:
    """Names of the classes of a set."""
    with np.load(folder / FILES[name], allow_pickle=False) as archive:
        return archive["class_names"].tolist()


def fold_of(folder: Path, name: str, rare: str, seed: int, fold: int, development: bool, n_rare: int = N_RARE):
    """What an arm sees (see `sklearn_medgan.benchmark.Fold`), and labels and groups of the rows judged."""
    from sklearn_medgan.benchmark import Fold

    X, y, groups = load(folder, name)
    groups = np.unique(groups, return_inverse=True)[1]
    train, test = parts(y, groups, seed, fold, development)
    rng, code = np.random.RandomState(100 * seed + fold), names_of(folder, name).index(rare)
    kept = [rng.permutation(train[y[train] == k])[: n_rare if k == code else N_OTHER] for k in np.unique(y)]
    train = np.sort(np.concatenate(kept))
    return Fold(X[train], y[train], groups[train], X[test], (name, rare, seed, fold)), y[test], groups[test]


def arms_of(name: str, group: str, max_iter: int = 300) -> dict:
    """Arms by name; those of the group "GAN" share a fit. Ablations of `OURS` begin with its name."""
    from sklearn_medgan import GANAugmenter
    from sklearn_medgan.benchmark import ARMS, Arm, classical_arm, gan_arms

    flip = name in FLIPS
    if group == "both":
        return column_arms(flip, max_iter)
    if group == "others":
        classical = {OTHERS[-2]: classical_arm(flip=flip), OTHERS[-1]: classical_arm(ratio=1.0, flip=flip)}
        return {arm: classical.get(arm) or ARMS[arm] for arm in OTHERS}
    ours = gan_arms(GANAugmenter(representation="pixels", n_patches=0, ratio=1.0, max_iter=max_iter))["GAN rows"]
    settings = {"kind": "rows", "share": ours.share, "fit_shared": ours.fit_shared}

    def of(resampling):
        def prepare(fold, shared, classifier):
            shared.gan.set_params(resampling=resampling)
            return ours.prepare(fold, shared, classifier)

        return Arm(prepare=prepare, **settings)

    ways = {"samples only": "sample", "near real ones only": "near", "without the GAN": "classical"}
    return {OURS: of("mixed"), **{f"{OURS}, {what}": of(way) for what, way in ways.items()}}


def column_arms(flip: bool, max_iter: int) -> dict:
    """The same rows for a classifier of the augmenter's columns, from one fit; the last arm is its rows and columns."""
    from sklearn_medgan import GANAugmenter
    from sklearn_medgan.benchmark import Arm, Columns, gan_arms

    ours = gan_arms(GANAugmenter(ratio=1.0, max_iter=max_iter), name="both")["both rows"]

    def of(rows, way="classical"):
        def prepare(fold, shared, classifier):
            X, y = rows(fold, shared.gan)
            columns = shared.gan.set_params(resampling=way).training_columns(fold.X, fold.y, X, y)
            return Columns(columns, np.concatenate([fold.y, y]), shared.gan.transform(fold.X_test))

        return Arm(kind="rows", prepare=prepare, share=ours.share, fit_shared=ours.fit_shared)

    made = {
        "none": no_rows,
        OTHERS[-1]: partial(classical_rows, flip=flip),
        OURS: partial(rows_of_gan, resampling="mixed"),
        MOVED: partial(rows_of_gan, resampling="classical"),
    }
    arms = {arm: of(rows) for arm, rows in made.items()} | {DEFAULT: of(made[MOVED], "auto")}
    return {f"{arm}, {COLUMNS}": arm_of for arm, arm_of in arms.items()}


def no_rows(fold, gan):
    """None beside the real ones."""
    return fold.X[:0], fold.y[:0]


def classical_rows(fold, gan, *, flip: bool):
    """Images and labels of classical augmentation to even, as its arm on pixels draws them."""
    from sklearn_medgan.benchmark._arms import moved_rows

    X, y = moved_rows(fold, ratio=1.0, flip=flip)
    return np.rint(X).astype(fold.X.dtype), y


def rows_of_gan(fold, gan, *, resampling: str):
    """What `fit_resample` adds."""
    from sklearn_medgan._allocation import synthetic_counts
    from sklearn_medgan.benchmark._estimator_arms import _draw

    return _draw(gan.set_params(resampling=resampling), fold, synthetic_counts(fold.y, "auto", 1.0), "rows")


def cells(folder, name: str, rare: str, seed: int, fold: int, group: str, development: bool, max_iter: int, threads):
    """Fit and score the arms of a group on one fold: a row of the results for each arm and classifier."""
    from sklearn_medgan.benchmark import CLASSIFIERS

    warnings.simplefilter("ignore")
    if group != "others":
        limit_threads(threads)
    of_fold, y, _ = fold_of(folder, name, rare, seed, fold, development)
    arms, rows, key = arms_of(name, group, max_iter), [], {"set": name, "rare": rare, "seed": seed, "fold": fold}
    shared = {arm.fit_shared: None for arm in arms.values()}
    shared = {fit: fit and fit(of_fold) for fit in shared}
    for arm, maker in arms.items():
        for classifier, model in CLASSIFIERS.items():
            model = clone(model)
            if "random_state" in model.get_params():
                model.set_params(random_state=of_fold.seed(classifier))
            made = maker.prepare(of_fold, shared[maker.fit_shared], clone(model))
            model = (model if made.classifier is None else made.classifier).fit(made.X, made.y, **made.fit_params)
            predicted = "".join(map(str, model.predict(made.X_test)))
            row = {**key, "arm": arm, "classifier": classifier, "predicted": predicted}
            rows.append({**row, "auc": round(area(model, made.X_test, y), 4), "n_rows": len(made.y)})
    return rows


def area(model, X, y) -> float:
    """Area under the ROC curve, macro mean over the classes."""
    scores = model.predict_proba(X) if hasattr(model, "predict_proba") else model.decision_function(X)
    if scores.ndim == 1:
        return float(roc_auc_score(y, scores))
    return float(np.mean([roc_auc_score(y == k, scores[:, k]) for k in range(scores.shape[1])]))


# ------------------------------------------------------------------------------------------------------------ table


class Found:
    """Rows of the results file, scored on the rows judged and on resamples of their groups."""

    def __init__(self, rows: list[dict], folder: Path, development: bool):
        self._folder, self._development = folder, development
        self.rows = {tuple(r[k] for k in ("set", "rare", "seed", "fold", "arm", "classifier")): r for r in rows}
        self.cells = sorted({key[:4] for key in self.rows})
        self.arms = [arm for arm in (*OTHERS, OURS) if any(key[4] == arm for key in self.rows)]
        self.arms += sorted({key[4] for key in self.rows} - set(self.arms))
        self.classifiers = list(dict.fromkeys(key[5] for key in self.rows))
        self._truth, self._scores = {}, {}

    def scores(self, name: str, arm: str, classifier: str) -> np.ndarray:
        """(1 + N_RESAMPLES, 3): balanced accuracy, sensitivity and specificity of the rare class; means over cells."""
        if (name, arm, classifier) not in self._scores:
            of_cells = [self._cell(cell, arm, classifier) for cell in self.cells if cell[0] == name]
            self._scores[name, arm, classifier] = np.mean(of_cells, 0)
        return self._scores[name, arm, classifier]

    def mean(self, arm: str, classifiers=None, sets=None) -> np.ndarray:
        """The same, each set and classifier counting once."""
        pairs = [(s, c) for s in sets or self.sets for c in classifiers or self.classifiers]
        return np.mean([self.scores(name, arm, c) for name, c in pairs], 0)

    @property
    def sets(self) -> list[str]:
        """Sets that have results, in the order of the protocol."""
        return [name for name in RARE if any(cell[0] == name for cell in self.cells)]

    def auc(self, arm: str, classifiers=None) -> float:
        """Macro area under the ROC curve."""
        of = [
            [r["auc"] for k, r in self.rows.items() if (k[0], k[4], k[5]) == (name, arm, c)]
            for name in self.sets
            for c in classifiers or self.classifiers
        ]
        return float(np.mean([np.mean(values) for values in of]))

    def _cell(self, cell: tuple, arm: str, classifier: str) -> np.ndarray:
        y, weights, code = self._rows_of(cell)
        correct = np.array(list(self.rows[(*cell, arm, classifier)]["predicted"]), int)
        recalls = [weights[:, y == k] @ (correct[y == k] == k) / of_class(weights, y == k) for k in np.unique(y)]
        false = weights[:, y != code] @ (correct[y != code] == code) / of_class(weights, y != code)
        return np.stack([np.mean(recalls, 0), recalls[code], 1.0 - false], axis=1)

    def _rows_of(self, cell: tuple):
        """Labels of the rows judged, their weights in each resample of groups, and the rare class."""
        if cell not in self._truth:
            _, y, groups = fold_of(self._folder, *cell, self._development)
            self._truth[cell] = y, self._weights(cell[0])[:, groups], names_of(self._folder, cell[0]).index(cell[1])
        return self._truth[cell]

    def _weights(self, name: str) -> np.ndarray:
        """How often each group of a set is drawn: once as it is, then with replacement, alike in all cells."""
        n = int(np.unique(load(self._folder, name)[2], return_inverse=True)[1].max()) + 1
        draws = np.random.RandomState(len(name)).multinomial(n, np.full(n, 1 / n), N_RESAMPLES)
        return np.concatenate([np.ones((1, n)), draws]).astype(np.float32)


def of_class(weights: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Weight of the rows of a class in each resample; a resample without any is left at 0 of it."""
    return np.maximum(weights[:, mask].sum(1), 1e-9)


def table(found: Found) -> str:
    """Markdown: by set and over the sets, then what the GAN's rows have more than each other arm."""
    head = ["arm", *found.sets, "mean", *found.classifiers, "AUC", "sensitivity", "specificity"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for arm in found.arms:
        means = [found.mean(arm, sets=[name])[0, 0] for name in found.sets] + [found.mean(arm)[0, 0]]
        means += [found.mean(arm, [c])[0, 0] for c in found.classifiers]
        figures = [*means, found.auc(arm), *found.mean(arm)[0, 1:]]
        lines.append(f"| {arm} | " + " | ".join(f"{100 * value:.1f}" for value in figures) + " |")
    return "\n".join([*lines, "", *comparisons(found)])


def comparisons(found: Found) -> list[str]:
    """What each arm has more than the best other arm and than none, with intervals."""
    others = [arm for arm in OTHERS if arm in found.arms]
    ours = [arm for arm in found.arms if arm not in OTHERS]
    if not others or not ours:
        return []
    lines = []
    for classifiers in (found.classifiers, *([c] for c in found.classifiers)):
        best = max(others, key=lambda arm, of=classifiers: found.mean(arm, of)[0, 0])
        for arm in ours:
            gain = found.mean(arm, classifiers) - found.mean(best, classifiers)
            to_none = (found.mean(arm, classifiers) - found.mean("none", classifiers)) if "none" in others else gain
            lines.append(
                f"- {arm} against {best} ({', '.join(classifiers)}): {told(gain[:, 0])}; sensitivity of the rare class "
                f"against none {told(to_none[:, 1])}, specificity {told(to_none[:, 2])}."
            )
    return lines


def told(draws: np.ndarray) -> str:
    """A difference in points with its interval; the first draw is the figure itself."""
    low, high = np.percentile(draws[1:], [2.5, 97.5])
    return f"{100 * draws[0]:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def complete(rows: list[dict]) -> list[dict]:
    """Rows of the cells in which all arms are done: differences are paired."""
    arms = {r["arm"] for r in rows}
    of_cell = {}
    for r in rows:
        of_cell.setdefault((r["set"], r["rare"], r["seed"], r["fold"]), []).append(r)
    return [r for several in of_cell.values() if {r["arm"] for r in several} == arms for r in several]


def main():
    """Run what is missing, then print the table."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=Path)
    p.add_argument("--sets", nargs="+", choices=RARE, default=list(RARE))
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    p.add_argument("--folds", type=int, nargs="+", choices=range(4), default=[0, 1, 2, 3])
    p.add_argument("--groups", nargs="+", choices=GROUPS, default=list(GROUPS[:2]), help="arms to run")
    p.add_argument("--development", action="store_true", help="splits to try ideas on; one fold a seed")
    p.add_argument("--max-iter", type=int, default=300, help="updates of the GAN")
    p.add_argument("--jobs", type=int, default=2, help="processes, one thread each where more than one")
    p.add_argument("--out", type=Path, default=Path("rare_class.jsonl"))
    a = p.parse_args()
    done = [json.loads(line) for line in a.out.read_text().splitlines()] if a.out.exists() else []
    keys = {(r["set"], r["rare"], r["seed"], r["fold"], r["arm"]) for r in done}
    folds = [0] if a.development else a.folds
    wanted = [
        (s, rare, seed, fold, g)
        for seed in a.seeds
        for s in a.sets
        for rare in RARE[s]
        for fold in folds
        for g in a.groups
    ]
    missing = [key for key in wanted if not all((*key[:4], arm) in keys for arm in arms_of(key[0], key[4]))]
    jobs = (delayed(cells)(a.folder, *key, a.development, a.max_iter, 2 if a.jobs == 1 else 1) for key in missing)
    for number, rows in enumerate(Parallel(a.jobs, return_as="generator_unordered")(jobs), 1):
        done += rows
        with a.out.open("a") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
        print(f"{number}/{len(missing)}", *list(rows[0].values())[:5], flush=True)
    asked = {key[:4] for key in wanted}
    done = [r for r in done if (r["set"], r["rare"], r["seed"], r["fold"]) in asked]
    print(table(Found(complete(done), a.folder, a.development)))


if __name__ == "__main__":
    main()
