"""Kill fits and commands at random moments (SIGKILL) and begin them again: each ends with the bits of one let through.

    python tests/fuzz/kills.py --kills 25

After the kill what was there before is whole, or the new output is. Prints a line a job, and exits with 1 where one
failed. Processes are forked from one that has imported all and computed nothing (Linux). Some ten minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sklearn_medgan import GANAugmenter
from sklearn_medgan.cli import main as medgan
from sklearn_medgan.datasets import make_nodules
from sklearn_medgan.gan import restoration, training  # noqa: F401, no child has to import TensorFlow

OLD = b"what was there before"
TINY = ["--max-iter", "60", "--checkpoint-dir", "c", "-q"]


def fit() -> None:
    """Fit a GAN of images with a checkpoint, and keep its columns."""
    X, y = (np.load("data.npz")[name] for name in ("X", "y"))
    settings = {"max_iter": 60, "width": 8, "n_patches": 8, "backbone": None, "random_state": 0}
    columns = GANAugmenter(**settings, checkpoint_dir="c").fit(X, y).transform(X)
    np.save("part.npy", columns)
    os.replace("part.npy", "out")


def augment() -> None:
    """Write a folder of images, a new one."""
    run("augment", "data.npz", "out", "--force", *TINY)


def enhance() -> None:
    """Write one file, which is there already."""
    run("enhance", "data.npz", "out.npz", "--good", "data.npz", "--force", *TINY)


def benchmark() -> None:
    """Write the lines of a small benchmark, without the seconds that it took."""
    options = [
        "--arms",
        "class weights,classical augmentation",
        "--classifiers",
        "logistic,SVC",
        "--folds",
        "2",
        "--seeds",
        "2",
        "-q",
        "--resume",
    ]
    run("benchmark", "--data", "data.npz", "--out", "lines.jsonl", *options)
    lines = [json.loads(line) for line in Path("lines.jsonl").read_text().splitlines()]
    Path("part").write_text(json.dumps(sorted(json.dumps(without_seconds(line), sort_keys=True) for line in lines)))
    os.replace("part", "out")


JOBS = {"fit": fit, "augment": augment, "enhance": enhance, "benchmark": benchmark}


def run(*command: str) -> None:
    """Run the command medgan; SystemExit where it fails."""
    if code := medgan([*command]):
        raise SystemExit(code)


def without_seconds(value: object) -> object:
    """Return what was measured, but for times."""
    if isinstance(value, dict):
        return {name: without_seconds(each) for name, each in value.items() if "second" not in name}
    return [without_seconds(each) for each in value] if isinstance(value, list) else value


def begin(job: Callable[[], None], folder: Path) -> int:
    """Return the number of a process that does a job in a folder."""
    child = os.fork()
    if child:
        return child
    try:
        os.chdir(folder)
        for stream in (1, 2):
            os.dup2(os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
        warnings.simplefilter("ignore")
        job()
        os._exit(0)
    except BaseException as error:
        os.write(2, f"{error!r}\n".encode())
        os._exit(1)


def output(folder: Path) -> dict[str, bytes]:
    """Return the content of the files of the output."""
    paths = [path for top in folder.glob("out*") for path in (top.rglob("*") if top.is_dir() else [top])]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths if path.is_file()}


def prepare(folder: Path, name: str) -> dict[str, bytes]:
    """Put images into a new folder, and an output of before where the job replaces one; return the latter."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    X, y = make_nodules(40, image_size=16, random_state=0, return_X_y=True)
    np.savez(folder / "data.npz", X=X[5:], y=y[5:])
    if name == "enhance":
        (folder / "out.npz").write_bytes(OLD)
    return output(folder)


def killed(name: str, n_kills: int, folder: Path, rng: np.random.RandomState) -> tuple[int, int, list[str]]:
    """Kill a job so many times; return how often it was under way, how often all was well, and what was not."""
    before, started = prepare(folder, name), time.monotonic()
    if os.waitpid(begin(JOBS[name], folder), 0)[1]:
        raise SystemExit(f"{name} fails: {(folder / 'log').read_text()[-2000:]}")
    seconds, whole, under_way, faults = time.monotonic() - started, output(folder), 0, []
    for k in range(n_kills):
        prepare(folder, name)
        child, moment = begin(JOBS[name], folder), rng.uniform(0, seconds)
        time.sleep(moment)
        os.kill(child, signal.SIGKILL)
        under_way += os.WIFSIGNALED(os.waitpid(child, 0)[1])
        left = output(folder)
        status = os.waitpid(begin(JOBS[name], folder), 0)[1]
        if left not in (before, whole):
            faults.append(f"{name} {k}: half an output after {moment:.2f} s: {sorted(left)[:5]}")
        elif status or output(folder) != whole:
            faults.append(f"{name} {k}: another end after {moment:.2f} s: {(folder / 'log').read_text()[-300:]}")
    return under_way, n_kills - len(faults), faults


def main() -> int:
    """Kill each job."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=25, help="of each job")
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=[*JOBS])
    parser.add_argument("--seed", type=int, default=0, help="decides the moments")
    options = parser.parse_args()
    rng, n_faults = np.random.RandomState(options.seed), 0
    with tempfile.TemporaryDirectory() as folder:
        for name in options.jobs:
            under_way, n_well, faults = killed(name, options.kills, Path(folder) / name, rng)
            print(f"{name:10} killed {options.kills} times, {under_way} under way: {n_well} ended as one let through")
            print(*faults, sep="\n", end="\n" if faults else "", flush=True)
            n_faults += len(faults)
    return int(n_faults > 0)


if __name__ == "__main__":
    sys.exit(main())
