"""The main job, `medgan demo`: do image features, synthetic images and enhancement help an SVC? A small benchmark."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import defaultdict
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from joblib import effective_n_jobs
from sklearn.svm import SVC

from ..augmentation._augmenter import GANAugmenter
from ..augmentation._canvas import LONGEST
from ..benchmark import ARMS, enhancement_arms, gan_arms
from ..benchmark._enhancement_arms import DEGRADED
from ..benchmark._estimator_arms import gan_rows_and_columns
from ..datasets import load_tissue_patches
from ..enhancement._enhancer import GANEnhancer
from ..enhancement._images import ImageRestoration
from ..report import headline
from ._benchmark import DISCLAIMER, IMAGE_STEPS, N_OTHER, Job, told_as_json, write_report
from ._data import Data, embedded, load_own
from ._inputs import as_data, check_folder_name, how_to_read
from ._session import Session

FOLDS, N_SEEDS = 2, 2
ENHANCER_SEEDS, ENHANCER_STEPS = 3, 150  # whose fits take a third of the time
NOISE, TREATMENTS = "noise 25", ("NLM", "GANEnhancer", "clean")
MOST_JOBS = 2  # processes, which take 1 GB each
N_RARE = 10  # training images of a class that is made rare
N_SHOWN = 6  # images of each class in a report
C = 10.0
MOST_PER_CLASS, MOST_ROWS = 200, 1200
GAN_SIZE = 32  # pixels a side of the GAN's images, fewer than the default, to take minutes

ALONE, STOCK, GROWN = "StandardScaler + SVC", "sklearn Pipeline(aug, clf)", "sklearn_medgan Pipeline(aug, clf)"
TRANSFER = "pretrained features"  # the arm of that name: what a user would do instead
CLASSIFIERS = {f"SVC(C={C:g})": SVC(C=C)}
SHOWN = ("arm", "balanced_accuracy", "auc", "difference", "verdict", "seconds")


def run(options: argparse.Namespace, session: Session) -> int:
    """Compare the pipelines on each set, show table, verdict and notes, and write a report.

    After Ctrl-C, what is finished has been shown.
    """
    session.write("Loading scikit-learn and the data ...")
    folder = prepare_folder(options.out)
    demonstrations = jobs(options)
    for _, job in demonstrations:
        job.check()
    session.load_backend()
    n_jobs = options.jobs or min(MOST_JOBS, effective_n_jobs(-1))
    said = [demonstrate(job, folder / f"{word}.html", options.command, session, n_jobs) for word, job in demonstrations]
    session.show("\n".join(["", *said, "", DISCLAIMER]))
    following = "demo --data IMAGES" if options.data is None else f"benchmark {as_data(options.data, options)}"
    session.end(f"medgan {following}")
    return 0


def jobs(options: argparse.Namespace) -> list[tuple[str, Job]]:
    """Return what to compare on each set, with the word that its report is named by."""
    if options.data is None:
        sets = {word: embedded()[word] for word in ("retina", "breast_cancer")}
        poor = {"retina": small_patches()}
    else:
        own = thinned(load_own(Path(options.data), options.image_size, **how_to_read(options)), options.seed)
        sets = poor = {"own": own}
    for data in sets.values():
        n_groups = len(data.y) if data.groups is None else len(np.unique(data.groups))
        if n_groups < FOLDS:
            raise ValueError(f"{data.name} holds {n_groups} group(s) of rows (patients); this takes {FOLDS}.")
    found = []
    for word, data in sets.items():
        found.append((word, job_of(data, options.max_iter, options.seed)))
        if word in poor:
            found.append((f"{word}_enhanced", enhancement_of(poor[word], options.max_iter, options.seed)))
    return found


def job_of(data: Data, max_iter: int | None, seed: int) -> Job:
    """Return the benchmark of the pipelines, of images also of transfer learning; those with a GAN share its fit."""
    is_table = data.X.ndim == 2
    max_iter = max_iter or (GANAugmenter().max_iter if is_table else IMAGE_STEPS)
    columns = gan_arms(GANAugmenter(max_iter=max_iter, gan_size=GAN_SIZE))["GAN columns"]
    added = "synthetic rows" if is_table else "training images shifted, and with other contrast and tone"
    about = f"features that a GAN has learned, and {added}"
    grown = replace(columns, prepare=partial(gan_rows_and_columns, name="GAN"), about=about)
    transfer = {} if is_table else {TRANSFER: ARMS[TRANSFER]}
    if not is_table and max(data.X.shape[1:3]) > GAN_SIZE:
        note = f"The GAN works on images of at most {GAN_SIZE} pixels a side instead of {LONGEST}."
        data = replace(data, notes=(*data.notes, note))
    return Job(
        data=data,
        arms={ALONE: ARMS["pixels"], **transfer, STOCK: columns, GROWN: grown},
        classifiers=CLASSIFIERS,
        regimes=["all", *made_rare(data)],
        diseased=data.diseased,
        folds=FOLDS,
        seeds=seeds_from(seed, N_SEEDS),
        max_iter=max_iter,
        n_images=N_SHOWN,
        reference=ALONE if is_table else TRANSFER,
    )


def small_patches() -> Data:
    """Return twice as many patches of the retina, a sixteenth as large."""
    retina = load_tissue_patches(source="retina")
    name, fields = "Small patches of a retina", (retina.data, retina.target, retina.groups, retina.target_names)
    return Data(name, *fields, diseased=["large vessel"])


def enhancement_of(data: Data, max_iter: int | None, seed: int) -> Job:
    """Return the benchmark of noisy test images, as they are and restored, ahead of a classifier."""
    max_iter = max_iter or ENHANCER_STEPS
    enhancer = GANEnhancer(max_iter=max_iter)
    told = ["Test images get noise, a tenth of the range of values; the classifier is trained on images without."]
    if max_iter < ImageRestoration.budget.max_iter:
        told.append(f"Each enhancer takes {max_iter} updates instead of {ImageRestoration.budget.max_iter}.")
    return Job(
        data=replace(data, notes=(*data.notes, *told)),
        arms=enhancement_arms({NOISE: DEGRADED[NOISE]}, treatments=TREATMENTS, trained=["clean"], enhancer=enhancer),
        classifiers=CLASSIFIERS,
        regimes=["all"],
        diseased=data.diseased,
        folds=FOLDS,
        seeds=seeds_from(seed, ENHANCER_SEEDS),
        max_iter=None,
        n_images=N_SHOWN,
    )


def seeds_from(first: int, n: int) -> list[int]:
    """Return seeds in a row."""
    return [(first + k) % 2**31 for k in range(n)]


def made_rare(data: Data) -> list[dict]:
    """Return the regime in which the smallest class is rare, where a training part holds twice as many of it."""
    classes, counts = np.unique(data.y, return_counts=True)
    rarest = counts.argmin()
    if counts[rarest] * (FOLDS - 1) // FOLDS < 2 * N_RARE:
        return []
    return [{"rare": classes[rarest].item(), "n_rare": N_RARE, "n_other": N_OTHER}]


def thinned(data: Data, seed: int) -> Data:
    """Return what a demonstration can afford: at most `MOST_PER_CLASS` rows a class, drawn at random."""
    classes, counts = np.unique(data.y, return_counts=True)
    most = max(FOLDS, min(MOST_PER_CLASS, MOST_ROWS // max(1, len(classes))))
    if counts.max(initial=0) <= most:
        return data
    rng = np.random.RandomState(seed)
    kept = np.sort(np.concatenate([rng.permutation(np.flatnonzero(data.y == label))[:most] for label in classes]))
    note = f"{len(kept)} of {len(data.y)} images are used, at most {most} a class, drawn at random."
    groups = None if data.groups is None else data.groups[kept]
    return replace(data, X=data.X[kept], y=data.y[kept], groups=groups, notes=(*data.notes, note))


def demonstrate(job: Job, report: Path, command: str, session: Session, n_jobs: int = 1) -> str:
    """Measure, show, write a report; return its path with the verdict. After Ctrl-C show what there is, and raise."""
    session.show(f"\n{job.describe()}\n")
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "cells.jsonl"
        try:
            result = replace(job, out=out).measure(n_jobs, session.verbose)
        except KeyboardInterrupt:
            session.show(f"\n{finished(out)}\n")
            raise
    columns = SHOWN if len(job.regimes) == 1 else ("regime", *SHOWN)
    session.show(f"\n{result.to_text(columns)}\n\n{result.summary()}\n")
    write_report(job, result, command, report)
    session.show(f"wrote {report}")
    session.found.setdefault("sets", []).append(told_as_json(replace(job, report=report), result))
    return f"{report}: {headline(result.table, result.evidence)[0]}"


def finished(path: Path) -> str:
    """Return what an interrupted comparison has measured: means over the fits that are in its file."""
    scores = defaultdict(list)
    lines = path.read_text(encoding="utf-8").splitlines()[1:] if path.exists() else []
    for cell in map(json.loads, lines):
        scores[cell["arm"]].append(cell.get("balanced_accuracy", np.nan))
    means = (f"{arm}: balanced accuracy {np.mean(values):.3f} in {len(values)} fits" for arm, values in scores.items())
    return "\n".join(["Interrupted. Finished, and too few to compare:" if scores else "Interrupted.", *means])


def prepare_folder(out: str) -> Path:
    """Return the folder for reports, made where missing and proven writable; else an OSError."""
    folder = Path(out)
    check_folder_name("--out", folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = error.strerror or error
        raise OSError(f"The folder {folder} cannot be written to ({reason}). Name another one with --out.") from error
    return folder
