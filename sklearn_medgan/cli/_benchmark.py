"""The command `medgan benchmark`: arms compared on the user's images, or in minutes on data that need no download."""

from __future__ import annotations

import argparse
import importlib.util
import json
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib

from .. import benchmark
from ..augmentation._augmenter import GANAugmenter
from ..backbones._resolve import resolve_backbone
from ..benchmark import BenchmarkResult
from ..benchmark._arms import KINDS, Arm
from ..benchmark._estimator_arms import default_arms
from ..benchmark._plan import Plan, check_diseased, check_folds, check_regimes, check_sizes, labelled_rows
from ..benchmark._transfer_arms import FINE_TUNED
from ..enhancement._enhancer import GANEnhancer
from ..report._headline import is_compared, without_bounds
from ._data import Data, embedded, load_own
from ._inputs import check_suffix, how_to_read, network_parameters
from ._parser import did_you_mean
from ._session import Session, about
from ._staging import Staging
from ._streams import import_backend

RESULTS = "medgan_benchmark.jsonl"
REPORTS = (".md", ".html", ".json")
PICTURES = (".png", ".svg", ".pdf")
IMAGE_STEPS = 80  # updates a fit on embedded images, fewer than the default, to take minutes
N_OTHER = 300  # most training rows of a class where another one is rare
WIDTH, PANEL, ROW = 10.0, 1.2, 0.27  # inches of a picture: its width, a panel without rows, a row
DISCLAIMER = "Research use; not a medical device."


@dataclass(frozen=True)
class Extent:
    """How much is measured where options do not say."""

    folds: int
    seeds: tuple[int, ...]
    arms: tuple[str, ...]
    classifiers: tuple[str, ...]


PROTOCOL = Extent(4, (0, 1, 2), tuple(benchmark.ARMS), tuple(benchmark.CLASSIFIERS))
REDUCED = Extent(  # three sets in minutes on two cores
    2,
    (0,),
    ("none", "SMOTE", "classical augmentation", "GAN rows", "pixels", "PCA", "HOG", "GAN columns"),
    ("SVC", "forest"),
)


def run(options: argparse.Namespace, session: Session) -> int:
    """Check everything, measure set by set, show each table with its verdict, and write what was asked for.

    After Ctrl-C, finished cells stay in the results file.
    """
    if options.list_arms:
        return list_arms(session)
    session.write("Loading scikit-learn and the data ...")
    check_options(options)
    jobs = jobs_of(options)
    for job in jobs:
        job.check()
    if any(job.trains_networks for job in jobs):
        session.load_backend()
        resolve_backbone(network_parameters(options, "backbone").get("backbone"))  # an error before hours of work
    tables = []
    for job in jobs:
        session.show(f"\n{job.describe()}\n")
        result = measure(job, options.jobs, session)
        session.show(f"{result.to_text()}\n\n{result.summary()}")
        session.found.setdefault("sets", []).append(told_as_json(job, result))
        deliver(job, result, options.command, session.write)
        tables.append(result.table)
    if len(jobs) > 1:
        session.show(f"\n{in_all(tables)}")
    session.show(f"\n{DISCLAIMER}")
    report = options.report or "the same with --resume --report FILE.html, which measures nothing anew"
    session.end("medgan benchmark --data IMAGES" if options.data is None else report)
    return 0


def list_arms(session: Session) -> int:
    """Write what can be compared, by kind."""
    arms = arms_named([*KINDS, FINE_TUNED], None)
    arms = {name: arms[name] for name in sorted(arms, key=lambda name: list(KINDS).index(arms[name].kind))}
    width = max(map(len, arms))
    session.found["arms"] = {name: {"kind": arm.kind, "about": arm.about} for name, arm in arms.items()}
    for name, arm in arms.items():
        session.show(f"{arm.kind:<11}  {name:<{width}}  {arm.about}".rstrip())
    session.end("medgan benchmark --arms NAME")
    return 0


def told_as_json(job: Job, result: BenchmarkResult) -> dict[str, Any]:
    """Return what ``--json`` prints of a set."""
    files = {name: path for name in ("out", "report", "picture") if (path := getattr(job, name)) is not None}
    return {"name": job.data.name, "summary": result.summary(), "files": files, **json.loads(result.to_json())}


def check_options(options: argparse.Namespace) -> None:
    """Raise an error where options do not go together, or a file cannot be written."""
    for name in ("rare", "diseased", "image_size") if options.data is None else ():
        if getattr(options, name) is not None:
            raise ValueError(f"--{name.replace('_', '-')} is for your own images: name them with --data.")
    for option, suffixes in {"out": [".jsonl"], "report": REPORTS, "picture": PICTURES}.items():
        check_suffix(f"--{option}", getattr(options, option), suffixes)
    if options.resume and options.data is None and options.out is None:
        raise ValueError("--resume goes on with a results file: name it with --out.")
    absent = [name for name in ("matplotlib", "pandas") if importlib.util.find_spec(name) is None]
    if options.picture is not None and absent:
        raise ValueError(f"--picture needs {' and '.join(absent)}: pip install {' '.join(absent)}")


# ------------------------------------------------------------------------------------------------------------- plan


@dataclass(frozen=True)
class Job:
    """One call of the benchmark, and the files it makes."""

    data: Data
    arms: dict[str, Arm]
    classifiers: Any
    regimes: list
    diseased: list | None
    folds: int
    seeds: list[int]
    max_iter: int | None
    out: Path | None = None
    report: Path | None = None
    picture: Path | None = None
    n_images: int = 0
    resume: bool = False
    reference: str | None = None
    left_out: tuple[str, ...] = ()

    @property
    def trains_networks(self) -> bool:
        """Return whether some arm needs TensorFlow."""
        return any(arm.fit_shared is not None for arm in self.arms.values())

    def check(self) -> None:
        """Raise an error where rows cannot be split as asked for, or a file is there already."""
        for option in ("out", "report", "picture"):
            if getattr(self, option) is not None:
                _check_output(option, getattr(self, option), self.resume)
        with about(self.data.name):
            rows = labelled_rows(self.data.X, self.data.y, self.data.groups, None, self.data.class_names)
            regimes, folds = check_regimes(self.regimes, rows), check_folds(rows, self.folds, self.seeds)
            plan = Plan(rows, regimes, folds, self.arms, self.classifiers)
            check_sizes(plan)
            check_diseased(self.diseased, rows, regimes)

    def describe(self) -> str:
        """Return what is compared on which data, and where that is less than the protocol."""
        seeds = f"{'seed' if len(self.seeds) == 1 else 'seeds'} {', '.join(map(str, self.seeds))}"
        lines = [self.data.describe(), f"{self.folds} folds, {seeds}."]
        default = GANAugmenter().max_iter
        if self.trains_networks and self.max_iter is not None and self.max_iter < default:
            lines.append(f"Each GAN takes {self.max_iter} updates instead of {default}: its rows are poor yet.")
        if self.folds < PROTOCOL.folds or len(self.seeds) < len(PROTOCOL.seeds):
            most = f"{PROTOCOL.folds} folds and {len(PROTOCOL.seeds)} seeds"
            lines.append(f"The protocol has {most}: fewer of them show that it works, not how well.")
        if self.left_out:
            lines.append(f"--backbone none leaves out {', '.join(self.left_out)}.")
        return "\n".join([*lines, *self.data.notes])

    def measure(self, n_jobs: int | None, verbose: int = 1) -> benchmark.BenchmarkResult:
        """Return the result of the benchmark."""
        quietly = {"initializer": import_backend} if self.trains_networks else {}
        with joblib.parallel_config("loky", **quietly), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "A worker stopped")  # it grew, and joblib has started another
            return benchmark.diagnostic_benchmark(
                self.data.X,
                self.data.y,
                groups=self.data.groups,
                arms=self.arms,
                classifiers=self.classifiers,
                regimes=self.regimes,
                diseased=self.diseased,
                target_names=self.data.class_names,
                n_splits=self.folds,
                seeds=self.seeds,
                reference=self.reference,
                results=self.out,
                n_images=self.n_images,
                n_jobs=n_jobs,
                verbose=verbose,
            )


def jobs_of(options: argparse.Namespace) -> list[Job]:
    """Return what to measure: the user's images by the protocol, or the embedded sets by less."""
    if options.data is not None:
        data = load_own(Path(options.data), options.image_size, **how_to_read(options))
        return [_job(options, data, PROTOCOL, options.max_iter, {"out": options.out or RESULTS})]
    jobs = []
    for word, data in embedded().items():
        max_iter = options.max_iter or (IMAGE_STEPS if data.X.ndim > 2 else None)
        files = {name: _with_word(getattr(options, name), word) for name in ("out", "report", "picture")}
        jobs.append(_job(options, data, REDUCED, max_iter, files))
    return jobs


def _with_word(path: str | None, word: str) -> str | None:
    """Return a file name for each set: results-nodules.jsonl."""
    return None if path is None else str(Path(path).with_stem(f"{Path(path).stem}-{word}"))


def _job(options: argparse.Namespace, data: Data, extent: Extent, max_iter: int | None, files: dict) -> Job:
    given = {name: files.get(name, getattr(options, name)) for name in ("out", "report", "picture")}
    paths: dict[str, Any] = {name: None if path is None else Path(path) for name, path in given.items()}
    classifiers = extent.classifiers if options.classifiers is None else [options.classifiers]
    parameters = network_parameters(options, "gan_size", "backbone")
    arms = arms_named(extent.arms if options.arms is None else options.arms, max_iter, **parameters)
    without = parameters.get("backbone", "auto") is None
    left_out = tuple(name for name in arms if without and name in benchmark.transfer_arms())
    if arms.keys() == set(left_out):
        raise ValueError("--arms names transfer learning alone, which --backbone none leaves out. Name other arms.")
    return Job(
        data=data,
        arms={name: arm for name, arm in arms.items() if name not in left_out},
        left_out=left_out,
        classifiers=named("--classifiers", classifiers, benchmark.CLASSIFIERS),
        regimes=[*(options.per_class or ["all"]), *_rare_regimes(options, data)],
        diseased=_labels_named("--diseased", options.diseased, data) or data.diseased,
        folds=options.folds or extent.folds,
        seeds=list(extent.seeds if options.seeds is None else options.seeds),
        max_iter=max_iter,
        n_images=options.show_images if (paths["report"] or Path()).suffix.lower() == ".html" else 0,
        resume=options.resume,
        **paths,
    )


def arms_named(wanted: Iterable[str], max_iter: int | None, **parameters: Any) -> dict[str, Arm]:
    """Return arms by their names or kinds.

    Networks take `max_iter` updates (None: their default); `parameters` are further ones of the GAN's.
    """
    enhancer = GANEnhancer() if max_iter is None else GANEnhancer(max_iter=max_iter)
    by_kind = {**default_arms(max_iter, **parameters), **benchmark.enhancement_arms(enhancer=enhancer)}
    fine_tuned = benchmark.transfer_arms(parameters.get("backbone") or "auto", max_iter=max_iter)[FINE_TUNED]
    known = {**by_kind, FINE_TUNED: fine_tuned}  # which is long: by its name alone
    arms = {}
    for name in named("--arms", wanted, [*KINDS, *known]):
        arms.update({arm: by_kind[arm] for arm in by_kind if by_kind[arm].kind == name})
        arms.update({name: known[name]} if name in known else {})
    return arms


def _rare_regimes(options: argparse.Namespace, data: Data) -> list[dict]:
    wanted = _labels_named("--rare", options.rare, data) or ()
    return [{"rare": label, "n_rare": options.n_rare, "n_other": N_OTHER} for label in wanted]


def _labels_named(option: str, texts: list[str] | None, data: Data) -> list | None:
    """Return labels of the classes that the texts of a repeated option name; None where it was not given."""
    labels = data.labels
    return texts and list(dict.fromkeys(labels[name] for name in named(option, texts, labels)))


def named(option: str, texts: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return the known names in texts; each is a name, or several separated by commas, in any case of letters."""
    known = list(known)
    return list(dict.fromkeys(name for text in texts for name in _names_in(option, text, known)))


def _names_in(option: str, text: str, known: list[str]) -> list[str]:
    if text in known:
        return [text]
    by_words = {_words(name): name for name in reversed(known)}  # names may hold commas too
    words, found = _words(text), []
    while words:
        lengths = (n for n in range(len(words), 0, -1) if words[:n] in by_words)
        n = next(lengths, 0)
        if n == 0:
            if hint := did_you_mean(words[0], known):
                raise ValueError(f"{option} names {words[0]!r}, which is none.{hint}")
            raise ValueError(f"{option} was expected to name some of {_listed(known)}; got {words[0]!r}.")
        found.append(by_words[words[:n]])
        words = words[n:]
    return found


def _words(text: str) -> tuple[str, ...]:
    return tuple(part.strip().casefold() for part in text.split(","))


def _listed(names: list[str], most: int = 24) -> str:
    """Return names, which may hold commas, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return "; ".join(names[:most]) + more


def _check_output(option: str, path: Path, resume: bool) -> None:
    """Raise an error for a file that cannot be written, or that would replace one unasked."""
    if not path.parent.is_dir():
        raise ValueError(f"--{option} {path}: there is no folder {path.parent}. Make it, or name another.")
    if path.is_dir():
        raise ValueError(f"--{option} was expected to name a file; {path} is a folder.")
    if path.exists() and not resume:
        raise ValueError(f"{path} exists. Go on with it: --resume; or name another file with --{option}.")
    with Staging() as staging:
        staging.reserve(path)


# ---------------------------------------------------------------------------------------------------------- results


def measure(job: Job, n_jobs: int | None, session: Session) -> benchmark.BenchmarkResult:
    """Return the result of a job; after Ctrl-C, a line on what is kept."""
    session.write(f"Measuring on {job.data.name} ...")
    try:
        return job.measure(n_jobs, session.verbose)
    except KeyboardInterrupt:
        session.write(kept(job.out))
        raise


def kept(out: Path | None) -> str:
    """Return what remains of a run that was stopped, and how to go on."""
    if out is None:
        return "Stopped. Nothing is kept: name a file with --out, and what is finished stays in it."
    n_cells = max(0, len(out.read_bytes().splitlines()) - 1) if out.exists() else 0
    return f"Stopped. {n_cells} finished cells are kept in {out}: go on with the same command and --resume."


def deliver(job: Job, result: BenchmarkResult, command: str, write: Callable) -> None:
    """Write the report and the picture; the results are in their file already."""
    with Staging() as staging:
        if job.report is not None:
            write_report(job, result, command, staging.path(job.report))
        if job.picture is not None and result.n_comparisons:
            draw(result, staging.path(job.picture))
        staging.commit()
    for path in (job.out, job.report, job.picture if result.n_comparisons else None):
        if path is not None:
            write(f"wrote {path}")
    if job.picture is not None and not result.n_comparisons:
        write(f"There is no difference to draw, so {job.picture} was not written.")


def write_report(job: Job, result: BenchmarkResult, command: str, path: Path) -> None:
    """Write what was found; the suffix gives the form."""
    suffix = path.suffix.lower()
    if suffix == ".html":
        result.to_html(path, title=job.data.name, command=command, about=job.describe().splitlines())
    elif suffix == ".json":
        result.to_json(path)
    else:
        path.write_text(in_markdown(job, result, command), encoding="utf-8")


def in_markdown(job: Job, result: BenchmarkResult, command: str) -> str:
    """Return a page: the command, the data, the table, what may be claimed."""
    claims = "\n".join(f"- {line}" for line in result.summary().splitlines())
    about = "\n".join(f"- {line}" for line in job.describe().splitlines())
    parts = ["# Diagnostic benchmark", f"```\n{command}\n```", about, result.to_markdown(), claims, DISCLAIMER]
    return "\n\n".join(parts) + "\n"


def draw(result: BenchmarkResult, path: Path) -> None:
    """Draw differences with intervals in points of balanced accuracy, a panel for rows, columns and enhancement."""
    from matplotlib.figure import Figure

    from ..plotting._intervals import IntervalDisplay, comparisons

    frame = comparisons(result)
    frame[["difference", "low", "high"]] *= 100  # from fractions
    panels = [frame[frame["kind"] == kind] for kind in KINDS if (frame["kind"] == kind).any()]
    heights = [PANEL + ROW * len(panel) for panel in panels]  # inches
    figure = Figure(figsize=(WIDTH, sum(heights)), layout="constrained")
    axes = figure.subplots(len(panels), 1, height_ratios=heights, squeeze=False)[:, 0]
    for panel, ax in zip(panels, axes, strict=True):
        references = panel["reference"].unique()
        reference = references[0] if len(references) == 1 else None
        IntervalDisplay.from_result(panel, reference=reference, unit="points", ax=ax)
    figure.savefig(path, dpi=120)


def in_all(tables: Sequence[list[dict]]) -> str:
    """Return gains and losses over all sets."""
    verdicts = [row["verdict"] for table in map(without_bounds, tables) for row in table if is_compared(row)]
    gains, losses = verdicts.count("gain"), verdicts.count("loss")
    return (
        f"On all {len(tables)} sets: gains {gains}, losses {losses}, no evidence {len(verdicts) - gains - losses}, "
        f"in {len(verdicts)} comparisons; p is corrected within each set."
    )
