"""How fast is it on this machine, beside what one would use otherwise? One JSON file a machine.

    python examples/benchmarks/run_all.py --out machine.json --reference TORCH_PYTHON torch_reference.py
    python examples/benchmarks/run_all.py --out machine.json --sections denoisers table_rows
    python examples/benchmarks/run_all.py --tables machine.json other.json --picture growth.png

Sections that are in the file already are kept unless named, so a run that was broken off goes on where it stopped.
Every line of a section is measured in a process of its own. Where lines are compared they take turns, `--rounds` times:
figures are medians over rounds, and "to the first" is the median of the rounds' ratios of the first figure to the first
line's. Growth and fits by image size are measured once.

Beside us stand a plain PyTorch loop of the same networks (`--reference`: a Python that has PyTorch, and a script that
prints "... NUMBER ms per step ..."), a Keras classifier in scikeras, CTGAN, SMOTE (imbalanced-learn), BM3D, non-local
means (scikit-image) and a network of timm with random weights; what is not installed is left out, with a word.
"""

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from measures import cores, installed

MEASURES = Path(__file__).with_name("measures.py")


class Line(NamedTuple):
    """A line of a table: its name, the measure and its arguments, and the distribution it needs of others."""

    name: str | int
    measure: str
    arguments: dict
    needs: str = "numpy"


class Section(NamedTuple):
    """What the lines are, the lines, and whether they are measured once or `--rounds` times in turn."""

    head: str
    lines: list[Line]
    once: bool = False


def sections(a: argparse.Namespace) -> dict[str, Section]:
    """Return what there is to measure, by name."""
    return {
        **{f"step_{side}": steps(a, side) for side in (32, 64)},
        "operations": Section("operation", operations()),
        "answers": Section("GANAugmenter", [Line(name, "answers", {"settings": s}) for name, s in NETWORKS.items()]),
        "denoisers": Section("denoiser", DENOISERS),
        "table_rows": Section("rows by", TABLE_ROWS),
        "features": Section("features of", FEATURES),
        "classifiers": Section("classifier", classifiers()),
        "start": Section("process", STARTS),
        "sizes": Section("images", SIZES, once=True),
        **{f"growth_{what}": growth(a, what) for what in GROWTH},
        "growth_workers": Section("workers", [Line(n, "workers", {"n_jobs": n}) for n in n_workers()], once=True),
    }


ALIKE = {"class_head_weight": 0.0, "augment": None, "class_steps": 0}  # the PyTorch loop has neither
NETWORKS: dict[str, dict] = {"default": {}, "backbone=None": {"backbone": None}}
DENOISERS = [
    Line("GANEnhancer, 40 of 256x256", "enhancer", {"n": 40, "side": 256}),
    Line("GANEnhancer, one of 4096x4096", "enhancer", {"n": 1, "side": 4096}),
    Line("non-local means, 256x256", "denoiser", {"name": "nlm"}),
    Line("BM3D, 256x256", "denoiser", {"name": "bm3d"}, "bm3d"),
]
TABLE_ROWS = [
    Line("GANOverSampler", "table_rows", {"name": "gan"}, "imbalanced-learn"),
    Line("SMOTE", "table_rows", {"name": "smote"}, "imbalanced-learn"),
    Line("CTGAN, 300 epochs", "table_rows", {"name": "ctgan"}, "ctgan"),
]
FEATURES = [
    Line("GANAugmenter: network, patches, maps", "features", {"name": "gan"}),
    Line("its network alone, EfficientNet-Lite0", "features", {"name": "network"}),
    Line("timm, EfficientNet-Lite0", "features", {"name": "timm"}, "timm"),
]
STARTS = [
    Line("import sklearn_medgan", "start", {"command": ["-c", "import sklearn_medgan"]}),
    Line("medgan --help", "start", {"command": ["-m", "sklearn_medgan.cli", "--help"]}),
]
SIZES = [
    *(Line(f"{n} of {s}x{s}", "default_fit", {"n": n, "side": s}) for n, s in ((400, 64), (400, 224), (200, 512))),
    Line("20,000 of 224x224, a memory map", "default_fit", {"n": 20_000, "side": 224, "mapped": True}),
]
GROWTH = {  # name of a curve: the argument of `step` and its values
    "rows": ("n", [1_000, 10_000, 100_000]),
    "side": ("side", [16, 32, 64, 128]),
    "channels": ("channels", [1, 2, 3, 4]),
    "classes": ("classes", [2, 8, 32]),
}


def steps(a: argparse.Namespace, side: int) -> Section:
    """A training step beside the PyTorch loop's."""
    python, script = a.reference or ("", "")
    theirs = {"python": python, "script": script, "side": side, "steps": a.steps, "threads": cores()}
    ours = {"default": {}, "class_steps=0": {"class_steps": 0}, "what the loop does": ALIKE}
    lines = [Line(name, "step", {"settings": s, "side": side, "steps": a.steps}) for name, s in ours.items()]
    return Section("arm", [Line("PyTorch loop", "loop", theirs, "numpy" if a.reference else "--reference"), *lines])


def operations() -> list[Line]:
    """The operations of a step at 32x32 by the sides of the finer map and its channels and the coarser's."""
    shapes = [(32, 1, 32), (16, 32, 64), (8, 64, 128)]
    lines = [
        Line(f"{name} {s}x{s}, {f} and {c} channels", "operation", {"name": name, "side": s, "fine": f, "coarse": c})
        for s, f, c in shapes
        for name in ("conv", "transpose", "filter_gradient")
    ]
    return [Line("matrix product (NumPy)", "matrices", {}), *lines]


def classifiers() -> list[Line]:
    """Whole classifiers."""
    ours = [
        Line(f"SVC on GANAugmenter, {n}", "classifier", {"name": "gan", "settings": s}) for n, s in NETWORKS.items()
    ]
    return [*ours, Line("three convolutions, 20 epochs (scikeras)", "classifier", {"name": "scikeras"}, "scikeras")]


def n_workers() -> list[int]:
    """Return numbers of processes up to that of the cores."""
    return [n for n in (1, 2, 4, 8, 16) if n <= cores()]


def growth(a: argparse.Namespace, what: str) -> Section:
    """A step as the data grow in one direction."""
    name, values = GROWTH[what]
    return Section(what, [Line(v, "step", {"settings": {}, "steps": a.steps, name: v}) for v in values], once=True)


def measured(line: Line) -> dict | str:
    """Return the figures of a line, measured in a process of its own, or a word on why there are none."""
    if line.needs.startswith("--"):
        return f"left out: {line.needs} not given"
    if not installed(line.needs):
        return f"left out: {line.needs} not installed"
    command = [sys.executable, MEASURES, line.measure, json.dumps(line.arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return f"failed: {(done.stderr.strip() or 'without a word').splitlines()[-1]}"
    return json.loads(done.stdout.strip().splitlines()[-1])


def compared(section: Section, rounds: int, measure: Callable[[Line], dict | str] = measured) -> list[dict]:
    """Measure the lines of a section in turn; return the median figures of each."""
    found = [[measure(line) for line in section.lines] for _ in range(1 if section.once else rounds)]
    table = []
    for line, *ours in zip(section.lines, *found, strict=True):
        row: dict[str, Any] = {section.head: line.name}
        words = [one for one in ours if isinstance(one, str)]
        if words:
            table.append(row | {"": words[0]})
            continue
        row |= {name: statistics.median(one[name] for one in ours) for name in ours[0]}
        firsts = [turn[0] for turn in found]
        if not any(isinstance(first, str) for first in firsts):
            name = next(iter(ours[0]))
            ratios = [one[name] / first[name] for one, first in zip(ours, firsts, strict=True)]
            row["to the first"] = statistics.median(ratios)
        table.append(row)
    return table


# ---------------------------------------------------------------------------------------------------- drawing


def as_text(value: Any) -> str:
    """Return a figure with three digits, or all of those before the point; words as they are."""
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def tables(found: dict) -> str:
    """Return Markdown: the machine, then a table a section."""
    parts = [", ".join(f"{name} {value}" for name, value in found["machine"].items())]
    for name, section in found["sections"].items():
        heads = list(dict.fromkeys(key for row in section["lines"] for key in row))
        lines = [[as_text(row.get(head, "")) for head in heads] for row in section["lines"]]
        rows = ["| " + " | ".join(cells) + " |" for cells in (heads, ["---"] * len(heads), *lines)]
        parts.append("\n".join([f"**{name}** ({section['measured']})\n", *rows]))
    return "\n\n".join(parts)


def draw(files: list[Path], picture: Path) -> None:
    """Draw the curves of growth, a line a machine."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    curves = [*(f"growth_{what}" for what in GROWTH), "growth_workers"]
    figure, axes = plt.subplots(1, len(curves), figsize=(2.6 * len(curves), 2.6), layout="constrained")
    for file in files:
        found = json.loads(file.read_text(encoding="utf-8"))["sections"]
        for axis, curve in zip(axes, curves, strict=True):
            rows = [list(row.values()) for row in found.get(curve, {"lines": []})["lines"] if "" not in row]
            axis.plot([row[0] for row in rows], [row[1] for row in rows], "o-", label=file.stem, clip_on=False)
            if rows:
                axis.set_xscale("log")
                axis.set_xticks([row[0] for row in rows], [f"{row[0]:,}" for row in rows])
                axis.set_xticks([], minor=True)
    for axis, curve in zip(axes, curves, strict=True):
        axis.set(ylim=(0, None), xlabel=curve.removeprefix("growth_"))
    axes[0].set_ylabel("ms a training step")
    axes[-1].set_ylabel("s a cross-validation")
    axes[0].legend(frameon=False)
    figure.savefig(picture, dpi=120)
    plt.close(figure)


def main() -> None:
    """Measure what the file lacks, and print its tables."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", type=Path, default=Path("machine.json"))
    p.add_argument("--sections", nargs="+", metavar="NAME", help="to measure (again); default: those not in the file")
    p.add_argument("--reference", nargs=2, metavar=("PYTHON", "SCRIPT"))
    p.add_argument("--threads", type=int, help="cores to use (Linux); default: all")
    p.add_argument("--steps", type=int, default=20)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--tables", nargs="+", type=Path, metavar="JSON", help="print what was measured")
    p.add_argument("--picture", type=Path)
    a = p.parse_args()
    if a.threads:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: a.threads])  # which processes started here inherit
    if not a.tables:
        measure_all(a)
    files = a.tables or [a.out]
    print("\n\n".join(tables(json.loads(file.read_text(encoding="utf-8"))) for file in files))
    if a.picture:
        draw(files, a.picture)


def measure_all(a: argparse.Namespace) -> None:
    """Measure section by section into the file."""
    known = sections(a)
    if unknown := set(a.sections or ()) - set(known):
        sys.exit(f"--sections must be among {', '.join(known)}; got {', '.join(sorted(unknown))}.")
    found = json.loads(a.out.read_text(encoding="utf-8")) if a.out.exists() else {"sections": {}}
    for name in a.sections or [name for name in known if name not in found["sections"]]:
        print(f"measuring {name}", file=sys.stderr, flush=True)
        rounds = 1 if known[name].once else a.rounds
        when = f"{datetime.date.today()}, rounds: {rounds}, load before: {os.getloadavg()[0]:.1f}"
        found["machine"] = measured(Line("", "machine", {}))
        found["sections"][name] = {"measured": when, "lines": compared(known[name], rounds)}
        found["sections"] = {name: found["sections"][name] for name in known if name in found["sections"]}
        a.out.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
