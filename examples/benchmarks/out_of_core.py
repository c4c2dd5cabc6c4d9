"""How much memory does a fit on images in a file take, and how long a step, by the number of images?

    python examples/benchmarks/out_of_core.py                      # 1,000 to 200,000 images of 64x64, uint8
    python examples/benchmarks/out_of_core.py --sparse --images 1000 1000000

The file is a temporary one: HDF5 where h5py is installed, else a memory map. With --sparse it is a memory map
of which the first 5,000 images are written; all others are zeros that take no place on the disk. Each line is measured
in a process of its own, after a first fit of tiny images: what is stated comes on top of the idle process. Memory is
what the process itself holds (Linux: RssAnon), so pages of a file that was mapped do not count. A step's time is the
median over entries of the history, 10 steps each; reading and encoding the rows of these steps is part of it. Images
are noise, in two classes: cost does not depend on what they show.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from measures import Memory

SIZES = [1_000, 20_000, 200_000]
AT_ONCE = 5_000  # images that are written at a time


def write(path: Path, n: int, side: int, sparse: bool) -> None:
    """Write n images, some at a time; of a sparse file only the first ones."""
    rng = np.random.RandomState(0)
    if path.suffix == ".h5":
        import h5py

        file = h5py.File(path, "w")
        out = file.create_dataset("images", (n, side, side), "uint8")
    else:
        out = np.memmap(path, np.uint8, "w+", shape=(n, side, side))
    for start in range(0, min(n, AT_ONCE) if sparse else n, AT_ONCE):
        stop = min(n, start + AT_ONCE)
        out[start:stop] = rng.randint(0, 256, (stop - start, side, side), dtype=np.uint8)
    out.flush()


def measure(path: Path, n: int, side: int, max_iter: int, backbone: str | None) -> dict:
    """Fit in this process."""
    import keras

    from sklearn_medgan import GANAugmenter

    class Clock(keras.callbacks.Callback):
        times: list[float] = []  # noqa: RUF012

        def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
            self.times.append(time.perf_counter())

    rng = np.random.RandomState(0)
    GANAugmenter(max_iter=1).fit(rng.randint(0, 256, (8, 16, 16), dtype=np.uint8), np.arange(8) % 2)
    if path.suffix == ".h5":
        import h5py

        X = h5py.File(path)["images"]
    else:
        X = np.memmap(path, np.uint8, "r", shape=(n, side, side))
    clock, memory = Clock(), Memory()
    started = time.perf_counter()
    GANAugmenter(random_state=0, max_iter=max_iter, backbone=backbone, callbacks=[clock]).fit(X, np.arange(n) % 2)
    seconds = time.perf_counter() - started
    return {
        "images": n,
        "file": path.suffix[1:],
        "GB": round(n * side**2 / 1e9, 3),
        "memory of fit above idle, MB": round(memory.peak),
        "a step, ms": round(100 * float(np.median(np.diff(clock.times)[1:]))),
        "fit, s": round(seconds, 1),
    }


def main() -> None:
    """Run each line in its own process and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", nargs="+", type=int, default=SIZES)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--max-iter", type=int, default=100)
    parser.add_argument("--no-backbone", action="store_true", help="without columns of a pretrained network")
    parser.add_argument("--sparse", action="store_true", help="a memory map of which most is not written")
    parser.add_argument(
        "--folder", help="where the files are made, and removed again; default: the system's for temporary files"
    )
    parser.add_argument("--line", help=argparse.SUPPRESS)
    options = parser.parse_args()
    backbone = None if options.no_backbone else "auto"
    if options.line:
        (n,) = options.images
        print(json.dumps(measure(Path(options.line), n, options.side, options.max_iter, backbone)))
        return
    suffix = ".npy" if options.sparse or importlib.util.find_spec("h5py") is None else ".h5"
    for i, n in enumerate(options.images):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            path = Path(folder) / f"images{suffix}"
            write(path, n, options.side, options.sparse)
            command = [sys.executable, __file__, *sys.argv[1:], "--line", str(path), "--images", str(n)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr)
        line = json.loads(done.stdout.strip().splitlines()[-1])
        if i == 0:
            print("| " + " | ".join(line) + " |\n|" + "---|" * len(line))
        print("| " + " | ".join(str(value) for value in line.values()) + " |", flush=True)


if __name__ == "__main__":
    main()
