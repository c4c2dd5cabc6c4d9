"""A made-up result, with names and gaps that a report has to bear."""

import base64

import numpy as np

from sklearn_medgan.benchmark import BenchmarkResult
from sklearn_medgan.benchmark._table import COLUMNS
from sklearn_medgan.report import png

NAN = float("nan")
EVIL = '<script>fetch("https://evil.example/")</script>'
ARABIC = "ورم دبقي"
LONG = "🫁" + "Pneumonoultramicroscopicsilicovolcanoconiosis" * 3
CLASSES = [EVIL, ARABIC, LONG]


def row(arm, *, reference="pixels", classifier="SVC", regime="all", kind="columns", **figures):
    known = {"n": 90, "balanced_accuracy": 0.7, "auc": 0.8, "sensitivity": 0.75, "specificity": 0.65, "seconds": 1.25}
    plain = {"error": "", "best_other": "", "verdict": "reference" if arm == reference else "no evidence of a gain"}
    where = {"arm": arm, "reference": reference, "classifier": classifier, "regime": regime, "kind": kind}
    return dict.fromkeys(COLUMNS, NAN) | known | plain | where | figures


def compared(arm, difference, low, high, p, verdict, **more):
    return row(arm, difference=difference, low=low, high=high, p=p, p_holm=p, verdict=verdict, **more)


def line(*, curve=True, groups=True):
    hardest = [
        {"group": 7, "n": 3, "wrong": 2 / 3, "classes": [EVIL]},
        {"group": 31, "n": 3, "wrong": 1.0, "classes": []},
    ]
    return {
        "confusion": [[20.0, 5.0, 5.0], [0.0, 30.0, 0.0], [0.0, 0.0, 0.0]],
        "recalls": [(2 / 3, 0.5, 0.8), (1.0, 0.9, 1.0), (NAN, NAN, NAN)],
        "curve": {"rates": np.linspace(0, 1, 101).tolist(), "area": 0.5} if curve else None,
        "groups": {"n_mostly_wrong": 4, "hardest": hardest} if groups else None,
    }


def made_up():
    """Three classes of awkward names, one of them without a row; a gain, a loss, an interval of NaN, a failure."""
    table = [
        row("pixels"),
        compared(EVIL, 0.051, 0.011, 0.091, 0.01, "gain"),
        compared(ARABIC, -0.2, -0.4, -0.1, 0.0001, "loss", classifier="forest"),
        compared("flat", 0.0, NAN, NAN, 1.0, "no evidence of a gain", regime=LONG),
        row("broken", error="failed in 2 of 2 fits", verdict="failed", balanced_accuracy=NAN, auc=NAN),
    ]
    picture = {"label": EVIL, "tiles": [{"what": what, "png": png(np.eye(8), 0, 1)} for what in ("real", "synthetic")]}
    history = {"step": [0, 10, 20], "generator_loss": [1.0, NAN, 2.0], "discriminator_loss": [0.5, 0.75, 0.25]}
    evidence = {
        "unit": "images",
        "classes": CLASSES,
        "counts": [30, 30, 0],
        "n_groups": 32,
        "diseased": {"all": [EVIL, LONG], LONG: []},
        "arms": {"pixels": "the pixels", EVIL: EVIL},
        "lines": [line(), line(), line(curve=False), line(groups=False), None],
        "shown": [
            {"regime": "all", "fit": EVIL, "history": history, "pictures": [picture], "privacy": ["near-copies", EVIL]},
            {"regime": LONG, "fit": EVIL, "error": EVIL},
        ],
    }
    settings = {"data": "90 rows", "classes": CLASSES, "seeds": [0], "arms": {EVIL: f"columns({EVIL})"}}
    return BenchmarkResult(table, [], [f"A note on {EVIL}."], settings, evidence)


def bare():
    """A result as those of earlier versions: a table and nothing else."""
    return BenchmarkResult(
        [row("pixels"), compared("flat", 0.01, -0.1, 0.12, 1.0, "no evidence of a gain")], [], [], {}
    )


def is_png(text):
    return base64.b64decode(text).startswith(b"\x89PNG")
