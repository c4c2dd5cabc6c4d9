"""The main job, `medgan demo`: does a GAN in front of an SVC help? Three pipelines, cross-validated on real data."""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import Pipeline as StockPipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from .._containers import cast
from .._interrupt import Interrupt
from .._validation import SMALLEST_SIDE, check_sides
from ..augmentation._augmenter import GANAugmenter
from ..datasets import load_images, load_tissue_patches
from ..pipeline._pipeline import Pipeline

FOLDS = 3
SPLIT_ATTEMPTS = 20  # shuffles tried until every fold holds every class
C = 10.0
IMAGE_STEPS = 80  # updates a fit, fewer than the default: six GANs in about two minutes on two cores
MAX_PER_CLASS = 200
MAX_ROWS = 1200
BOOTSTRAPS = 2000

ALONE, STOCK, GROWN = "StandardScaler + SVC", "sklearn Pipeline(aug, clf)", "sklearn_medgan Pipeline(aug, clf)"


@dataclass(frozen=True)
class Task:
    """Labelled rows to compare pipelines on."""

    name: str
    slug: str
    X: np.ndarray
    y: np.ndarray
    groups: np.ndarray | None
    class_names: list[str]
    max_iter: int
    notes: tuple[str, ...] = ()

    @property
    def is_images(self) -> bool:
        return self.X.ndim > 2


@dataclass
class Outcome:
    """What cross-validation found so far; a list holds one entry a finished fold."""

    task: Task
    scores: dict[str, list[float]] = field(default_factory=lambda: {arm: [] for arm in (ALONE, STOCK, GROWN)})
    seconds: dict[str, list[float]] = field(default_factory=lambda: {arm: [] for arm in (ALONE, STOCK, GROWN)})
    predictions: dict[str, list[np.ndarray]] = field(default_factory=lambda: {a: [] for a in (ALONE, STOCK, GROWN)})
    held_out: list[np.ndarray] = field(default_factory=list)
    augmenter: GANAugmenter | None = None


class Difference(NamedTuple):
    """A gain in balanced accuracy: mean and spread over folds, and a 95 % bootstrap interval."""

    mean: float
    spread: float
    low: float
    high: float


def embedded_tasks(max_iter: int | None = None) -> list[Task]:
    """The real data that needs no download: tissue patches and scikit-learn's breast-cancer table."""
    tissue, cancer = load_tissue_patches(), load_breast_cancer()
    return [
        Task(
            "Tissue patches (microscopy and retina)",
            "tissue",
            tissue.data,
            tissue.target,
            tissue.groups,
            tissue.target_names,
            max_iter or IMAGE_STEPS,
        ),
        Task(
            "Breast cancer, a table of 30 measurements",
            "table",
            cancer.data,
            cancer.target,
            None,
            cancer.target_names.tolist(),
            max_iter or GANAugmenter().max_iter,
        ),
    ]


def own_task(path, *, max_iter: int | None = None, image_size: int = 32, seed: int = 0) -> Task:
    """The user's file or folder as a task, thinned and reduced to what a demonstration can afford; its notes say so.

    Raises
    ------
    FileNotFoundError, OSError, ValueError
        For a file that cannot be read, or rows on which pipelines cannot be compared.
    """
    images = load_images(path)
    X, y, groups = images.data, images.target, images.groups
    _check_usable(X, y, groups, path)
    notes = [] if groups is not None else ["There is no group: rows of one patient may be on both sides of a split."]
    kept = _thinned(y, np.random.RandomState(seed))
    if len(kept) < len(y):
        notes.append(f"{len(kept)} of {len(y)} images are used, at most {_quota(y)} a class, drawn at random.")
    X, y, groups = X[kept], y[kept], None if groups is None else groups[kept]
    reduced = reduce_images(X, image_size)
    if reduced.shape != X.shape:
        notes.append(f"Images of {_sides(X)} are reduced to {_sides(reduced)} pixels, to save time: see --image-size.")
    classes = np.unique(y)
    names = [str(c) if images.target_names is None else str(images.target_names[c]) for c in classes]
    return Task(Path(path).absolute().name, "own", reduced, y, groups, names, max_iter or IMAGE_STEPS, tuple(notes))


def _check_usable(X, y, groups, path) -> None:
    if y is None:
        raise ValueError(
            f"{path} holds no labels, and classifiers are compared by them. Save it with y (or train_labels), or sort "
            "image files into one subfolder per class."
        )
    check_sides((*X.shape[1:], 1)[:3])
    if not np.isfinite(X).all():
        raise ValueError(f"{path} holds NaN or infinity. Replace them, and save it again.")
    classes, counts = np.unique(y, return_counts=True)
    if len(classes) < 2:
        raise ValueError(
            f"{path} holds {len(classes)} class; comparing classifiers takes two. Add rows of another class."
        )
    if counts.min() < FOLDS:
        raise ValueError(
            f"{path} has {counts.min()} rows of class {classes[counts.argmin()]}; {FOLDS} folds need {FOLDS} a class. "
            "Add rows, or leave the class out."
        )
    for label in classes if groups is not None else ():
        n_groups = len(np.unique(groups[y == label]))
        if n_groups < FOLDS:
            raise ValueError(
                f"Class {label} of {path} comes from {n_groups} group(s); {FOLDS} folds by group need {FOLDS}. "
                "Add patients, or leave group out if its rows are independent."
            )


def _quota(y) -> int:
    return max(FOLDS, min(MAX_PER_CLASS, MAX_ROWS // len(np.unique(y))))


def _thinned(y, rng) -> np.ndarray:
    """Rows to keep, in their order, at most `_quota` a class."""
    quota = _quota(y)
    return np.sort(np.concatenate([rng.permutation(np.flatnonzero(y == label))[:quota] for label in np.unique(y)]))


def reduce_images(X: np.ndarray, size: int) -> np.ndarray:
    """Images whose longer side is at most `size`, and the shorter one still large enough for the networks."""
    from skimage.transform import resize

    height, width = X.shape[1:3]
    factor = max(size / max(height, width), SMALLEST_SIDE / min(height, width))
    if factor >= 1:
        return X
    shape = (max(SMALLEST_SIDE, round(height * factor)), max(SMALLEST_SIDE, round(width * factor)), *X.shape[3:])
    small = [resize(image.astype(np.float64), shape, anti_aliasing=True, preserve_range=True) for image in X]
    return cast(np.stack(small), X.dtype)


def _sides(X) -> str:
    return f"{X.shape[1]}x{X.shape[2]}"


def pipelines(task: Task, seed: int) -> dict[str, StockPipeline]:
    """The three to compare: the same SVC on pixels, on the GAN's columns, and with the GAN's rows as well."""
    steps = [("aug", GANAugmenter(max_iter=task.max_iter, random_state=seed)), ("clf", SVC(C=C))]
    flat = FunctionTransformer(_flatten)
    return {
        ALONE: StockPipeline([("flat", flat), ("scale", StandardScaler()), ("clf", SVC(C=C))]),
        STOCK: StockPipeline(steps),
        GROWN: Pipeline([(name, clone(step)) for name, step in steps]),
    }


def _flatten(X):
    return X.reshape(len(X), -1)


def folds(task: Task, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Training and held-out rows of each fold, by group where there are groups; every fold holds every class."""
    splitter = StratifiedKFold if task.groups is None else StratifiedGroupKFold
    classes = np.unique(task.y)
    for attempt in range(SPLIT_ATTEMPTS):
        split = splitter(FOLDS, shuffle=True, random_state=seed + attempt).split(task.X, task.y, task.groups)
        parts = list(split)
        if all(np.array_equal(np.unique(task.y[rows]), classes) for pair in parts for rows in pair):
            return parts
    raise ValueError(
        f"{task.name}: no split into {FOLDS} folds by group holds every class in each. Classes sit in too few groups; "
        "add patients, or leave the rarest class out."
    )


def cross_validate(outcome: Outcome, seed: int, interrupt: Interrupt, write: Callable) -> None:
    """Fit and score every pipeline on every fold; `outcome` grows fold by fold."""
    task = outcome.task
    candidates, begun = pipelines(task, seed), time.perf_counter()
    for number, (train, test) in enumerate(folds(task, seed), start=1):
        results = {}
        for arm, candidate in candidates.items():
            started = time.perf_counter()
            fitted = clone(candidate).fit(task.X[train], task.y[train])
            interrupt.check()
            predicted = fitted.predict(task.X[test])
            seconds = time.perf_counter() - started
            score = balanced_accuracy_score(task.y[test], predicted)
            results[arm] = score, seconds, predicted
            write(f"  fold {number} of {FOLDS}  {arm:<35}{score:.3f}  {seconds:5.1f} s")
            outcome.augmenter = fitted.named_steps.get("aug", outcome.augmenter)
        for arm, (score, seconds, predicted) in results.items():
            outcome.scores[arm].append(score)
            outcome.seconds[arm].append(seconds)
            outcome.predictions[arm].append(predicted)
        outcome.held_out.append(test)
        if number < FOLDS:
            write(f"  about {(time.perf_counter() - begun) / number * (FOLDS - number):.0f} s left for these data")


def difference(outcome: Outcome, arm: str, to: str, seed: int = 0) -> Difference:
    """Gain of one pipeline over another on the same held-out rows; groups (or rows) are drawn anew 2000 times."""
    paired = np.subtract(outcome.scores[arm], outcome.scores[to])
    rows = np.concatenate(outcome.held_out)
    y = outcome.task.y[rows]
    units = rows if outcome.task.groups is None else outcome.task.groups[rows]
    unit = np.unique(units, return_inverse=True)[1]
    code = np.unique(y, return_inverse=True)[1]
    draws = np.random.RandomState(seed).multinomial(
        unit.max() + 1, np.full(unit.max() + 1, 1 / (unit.max() + 1)), BOOTSTRAPS
    )

    def per_unit(values):
        table = np.zeros((unit.max() + 1, code.max() + 1))
        np.add.at(table, (unit, code), values)
        return draws @ table

    hits = {name: np.concatenate(outcome.predictions[name]) == y for name in (arm, to)}
    drawn = np.maximum(per_unit(np.ones(len(y))), 1)
    gains = (per_unit(hits[arm].astype(float) - hits[to]) / drawn).mean(1)
    low, high = np.percentile(gains, [2.5, 97.5])
    spread = paired.std(ddof=1) if len(paired) > 1 else np.nan
    return Difference(paired.mean(), spread, low, high)


def verdict(gain: Difference) -> str:
    """In words, what the interval allows to say."""
    if gain.low > 0:
        return "evidence of a gain"
    return "evidence of a loss" if gain.high < 0 else "no evidence of a gain"


def describe(task: Task) -> str:
    """What is compared, and how."""
    what = f"{len(task.X)} rows of {task.X.shape[1]} columns"
    if task.is_images:
        what = f"{len(task.X)} images of {'x'.join(map(str, task.X.shape[1:]))}"
    units = "" if task.groups is None else f" by group ({len(np.unique(task.groups))} groups)"
    lines = [f"{task.name}: {what}, {len(task.class_names)} classes, {FOLDS} folds{units}."]
    default = GANAugmenter().max_iter
    if task.max_iter < default:
        lines.append(
            f"Each GAN takes {task.max_iter} updates, fewer than the default of {default}: its rows are poor yet."
        )
    return "\n".join([*lines, *task.notes])


def tabulate(outcome: Outcome) -> str:
    """Balanced accuracy and time of each pipeline, and the verdicts."""
    n = len(outcome.held_out)
    lines = [f"{'pipeline':<35}balanced accuracy  seconds a fold"]
    for arm, scores in outcome.scores.items():
        spread = f" ± {np.std(scores, ddof=1):.3f}" if n > 1 else ""
        lines.append(f"{arm:<35}{f'{np.mean(scores):.3f}{spread}':<19}{np.mean(outcome.seconds[arm]):.1f}")
    lines += ["", f"mean ± standard deviation over {n} folds; SVC(C={C:g}) in each row. Differences, in points:"]
    for arm, to in ((STOCK, ALONE), (GROWN, ALONE), (GROWN, STOCK)):
        gain = Difference(*(100 * value for value in difference(outcome, arm, to)))
        lines.append(f"  {arm} less {to}:")
        lines.append(
            f"    {gain.mean:+.1f} ± {gain.spread:.1f} over folds, 95 % interval {gain.low:+.1f} to {gain.high:+.1f}: "
            f"{verdict(gain)}"
        )
    return "\n".join(lines)


def draw(outcome: Outcome, folder: Path) -> list[Path]:
    """Write the sample grid (images) and the training curves of the last GAN; return their paths."""
    from matplotlib.figure import Figure

    from ..plotting._history import TrainingHistoryDisplay
    from ..plotting._samples import SampleGridDisplay

    task, augmenter = outcome.task, outcome.augmenter
    figures = {"history": Figure(figsize=(11, 3), layout="constrained")}
    TrainingHistoryDisplay.from_estimator(augmenter, ax=figures["history"].subplots(1, 3))
    if task.is_images:
        figures["samples"] = Figure(figsize=(11, 1 + 0.7 * len(task.class_names)))
        SampleGridDisplay.from_estimator(
            augmenter, task.X, task.y, display_labels=task.class_names, ax=figures["samples"].subplots()
        )
    paths = []
    for name, figure in sorted(figures.items()):
        paths.append(folder / f"{task.slug}_{name}.png")
        figure.savefig(paths[-1], dpi=120, bbox_inches="tight")
    return paths


def prepare_folder(out) -> Path:
    """The folder for pictures, made where missing and proven writable.

    Raises
    ------
    OSError
        If it cannot be made or written to.
    """
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = error.strerror or error
        raise OSError(f"The folder {folder} cannot be written to ({reason}). Name another one with --out.") from error
    return folder


def run(tasks: list[Task], folder: Path, *, seed: int = 0, write: Callable = print) -> int:
    """Compare on every task, print and draw; returns the exit code, 130 after Ctrl-C."""
    for task in tasks:
        write(f"\n{describe(task)}\n")
        outcome = Outcome(task)
        with Interrupt() as interrupt, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            cross_validate(outcome, seed, interrupt, write)
        for message in dict.fromkeys(str(warning.message) for warning in caught):
            write(f"  note: {message}")
        if interrupt.seen:
            write(f"\nInterrupted after {len(outcome.held_out)} of {FOLDS} folds.")
        if outcome.held_out:
            write(f"\n{tabulate(outcome)}\n")
        if outcome.augmenter is not None:
            _write_pictures(outcome, folder, write)
        if interrupt.seen:
            return 130
    write("\nOne split and one seed show whether it works, not how well. Research use; not a medical device.")
    return 0


def _write_pictures(outcome: Outcome, folder: Path, write: Callable) -> None:
    try:
        for path in draw(outcome, folder):
            write(f"wrote {path}")
    except ImportError as error:
        if error.name is None or not error.name.startswith("matplotlib"):
            raise
        write('No pictures: they need matplotlib. Install it with: pip install "sklearn-medgan[plot]"')
