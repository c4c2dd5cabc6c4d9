"""CTGAN (Xu et al. 2019, arXiv 1907.00503) for `tables.py`. Run by a Python that has the package `ctgan`.

    python ctgan_rows.py FOLDER --threads 1

For every ``NAME_train.npz`` in FOLDER without a ``NAME_ctgan.npz``: `X` (n, columns), `y` (n,) codes from 0, `counts`
(n_classes,) rows wanted of each class, `levels` (columns,) True where a column is discrete. Default settings (but see
`--epochs`); the label is one more discrete column, and samples are drawn with the condition that it has the class
wanted. That makes the class likelier, not certain: other rows are thrown away and drawn again. Where none come, the
network's rows of that condition are taken as they are.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from ctgan import CTGAN

TRIES = 20


def rows_of_class(model, label: int, n: int, columns: list[str]) -> np.ndarray:
    """`n` rows of one class."""
    found, other = [], []
    for _ in range(TRIES):
        drawn = model.sample(max(100, n), condition_column="label", condition_value=label)
        right = drawn["label"].to_numpy() == label
        found.append(drawn.loc[right, columns].to_numpy(float))
        other.append(drawn.loc[~right, columns].to_numpy(float))
        if sum(map(len, found)) >= n:
            break
    return np.concatenate([*found, *other])[:n]


def make(train: Path, samples: Path, epochs: int) -> None:
    """Fit and sample one training set."""
    with np.load(train) as file:
        X, y, counts, levels = (file[name] for name in ("X", "y", "counts", "levels"))
    columns = [f"x{i}" for i in range(X.shape[1])]
    frame = pd.DataFrame(X, columns=columns).assign(label=y)
    torch.manual_seed(0)
    model, started = CTGAN(enable_gpu=False, epochs=epochs), time.monotonic()
    model.set_random_state(0)
    model.fit(frame, [*(c for c, level in zip(columns, levels, strict=True) if level), "label"])
    seconds = time.monotonic() - started
    rows = [rows_of_class(model, label, int(n), columns) for label, n in enumerate(counts) if n]
    labels = np.repeat(np.arange(len(counts)), counts)
    np.savez(samples, X=np.concatenate(rows), y=labels, seconds=seconds)


def main():
    """Make what is missing."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=Path)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--epochs", type=int, default=300, help="one update each for tables of up to 500 rows")
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    warnings.simplefilter("ignore")
    for train in sorted(a.folder.glob("*_train.npz")):
        samples = train.with_name(train.name.replace("_train", "_ctgan"))
        if not samples.exists():
            make(train, samples, a.epochs)
            print(samples.stem, flush=True)


if __name__ == "__main__":
    main()
