"""How fast is it on a GPU? One JSON of the card that is there, by JAX or PyTorch; TensorFlow need not be installed.

    KERAS_BACKEND=jax python examples/benchmarks/gpu.py --out gpu.json --reference torch_reference.py --data DATA_FOLDER

Run from the repository, with the package's dependencies but TensorFlow. Steps: a training step of `GANAugmenter` (batch
64, width 32, class updates included) at four sizes, the difference of two warm fits, as often as `--rounds` (median),
in turn with a plain PyTorch loop on the same card (`--reference`: a script that prints "... NUMBER ms per step").
Restorer: megapixels a second of `GANEnhancer.transform`. Samples: `sample` at 32x32. Accuracy (`--data`, the folder of
columns.py): what a default fit takes on a fold and how right `SVC(C=10)` is, beside what columns.py gave on a CPU.
Precision is the library's: with JAX `JAX_DEFAULT_MATMUL_PRECISION` (bfloat16, tensorfloat32, float32) chooses it.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path
from shutil import which

import numpy as np
from measures import BARE, noise, seconds, typical

# Runs a script of PyTorch on the card as it is: tensors are made there, and the clock waits for it.
ON_CARD = """
import runpy, sys, time, torch
torch.set_default_device("cuda")
clock = time.perf_counter
time.perf_counter = lambda: (torch.cuda.synchronize(), clock())[1]
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def step(side: int, steps: int, rounds: int) -> dict:
    """Milliseconds a training step, and seconds of the first fit of one step, compilation included."""
    from sklearn_medgan import GANAugmenter

    X = noise(512, side, side)

    def fit(n: int) -> float:
        augmenter = GANAugmenter(max_iter=n, width=32, batch_size=64, random_state=0, gan_size=side, **BARE)
        return seconds(lambda: augmenter.fit(X, np.arange(512) % 2))

    first = fit(1)
    fit(20)
    found = [1e3 * (fit(20 + steps) - fit(20)) / steps for _ in range(rounds)]
    return {"side": side, "ms": statistics.median(found), "of": found, "first fit, s": first}


def plain_loop(script: Path, side: int) -> float:
    """Milliseconds a step of the PyTorch loop."""
    command = [sys.executable, "-c", ON_CARD, str(script), "--size", str(side), "--steps", "100"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(re.search(r"([\d.]+) ms per step", done.stdout)[1])


def restorer(rounds: int) -> dict:
    """Megapixels a second of the enhancer, at the defaults; weights do not change its speed."""
    from sklearn_medgan import GANEnhancer

    images, large = noise(64, 256, 256), noise(1, 4096, 4096)
    enhancer = GANEnhancer(degradation="noise", max_iter=5, guard=False, random_state=0).fit(images[:16])
    found = {}
    for name, X in {"64 of 256x256": images, "one of 4096x4096": large}.items():
        found[name] = X.size / 1e6 / typical(lambda X=X: enhancer.transform(X), rounds)
    return found


def samples() -> float:
    """Samples a second at 32x32."""
    from sklearn_medgan import GANAugmenter

    augmenter = GANAugmenter(max_iter=1, n_patches=0, backbone=None, random_state=0).fit(
        noise(64, 32, 32), np.arange(64) % 2
    )
    augmenter.sample(100)
    return 20_000 / seconds(lambda: augmenter.sample(20_000))


def accuracy(folder: Path, name: str) -> dict:
    """What the literal line takes and gives on fold 0 of seed 0, 100 rows a class; the second of two fits is timed."""
    import columns
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.svm import SVC

    from sklearn_medgan import GANAugmenter

    X, y, groups = columns.load(folder, name)
    train, test = columns.split(y, groups, 0, 0, 100)
    found = {"set": name}
    for run in ("first", "second"):
        started = time.perf_counter()
        augmenter = GANAugmenter(random_state=0, cache_size_mb=None).fit(X[train], y[train])
        fitted = time.perf_counter()
        svc = SVC(C=10).fit(augmenter.transform(X[train]), y[train])
        transformed = time.perf_counter()
        right = balanced_accuracy_score(y[test], svc.predict(augmenter.transform(X[test])))
        found |= {
            f"{run} fit, s": fitted - started,
            f"test images a second, {run}": len(test) / (time.perf_counter() - transformed),
        }
        found["balanced accuracy"] = right
    return found


def card() -> dict:
    """Return what the figures depend on."""
    from importlib.metadata import version

    query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    name = (
        subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip() if which(query[0]) else "none"
    )
    library = os.environ["KERAS_BACKEND"]
    precision = os.environ.get("JAX_DEFAULT_MATMUL_PRECISION", "the library's default")
    return {"card": name, "backend": f"{library} {version(library)}", "keras": version("keras"), "precision": precision}


def main() -> None:
    """Measure, writing after each part what there is."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", type=Path, default=Path("gpu.json"))
    p.add_argument("--reference", type=Path, help="script of a plain PyTorch loop")
    p.add_argument("--data", type=Path, help="folder with the image sets of columns.py")
    p.add_argument("--sets", nargs="+", default=["covid_224"])
    p.add_argument("--sizes", type=int, nargs="+", default=[32, 64, 128, 256])
    p.add_argument("--parts", nargs="+", default=["step", "restorer", "samples", "accuracy"])
    p.add_argument("--steps", type=int, default=100)
    p.add_argument("--rounds", type=int, default=5)
    a = p.parse_args()
    os.environ.setdefault("KERAS_BACKEND", "jax")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # the PyTorch loop runs beside it
    warnings.simplefilter("ignore")  # of few steps, which are wanted here
    found = card()

    def note(name: str, value) -> None:
        found[name] = value
        a.out.write_text(json.dumps(found, indent=1))
        print(name, value, flush=True)

    for side in a.sizes if "step" in a.parts else ():
        row = step(side, a.steps, a.rounds)
        if a.reference:
            row["PyTorch loop, ms"] = plain_loop(a.reference, side)
            row["ratio"] = row["ms"] / row["PyTorch loop, ms"]
        note(f"step at {side}", row)
    if "restorer" in a.parts:
        note("restorer, megapixels a second", restorer(a.rounds))
    if "samples" in a.parts:
        note("samples a second", samples())
    for name in a.sets if a.data and "accuracy" in a.parts else ():
        note(f"default fit on {name}", accuracy(a.data, name))


if __name__ == "__main__":
    main()
