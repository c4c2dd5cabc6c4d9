"""How long `load_images` takes beside a loop of Pillow's, over many PNG files.

python examples/benchmarks/many_files.py --files 50000 --side 28
python examples/benchmarks/many_files.py --files 1000 --side 512
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from joblib.externals.loky import get_reusable_executor
from PIL import Image
from psutil import Process

from sklearn_medgan.datasets import load_images


def cpu(process: Process) -> float:
    """Return the seconds of a core that a process has taken."""
    times = process.cpu_times()
    return times.user + times.system


def tell(name: str, read: Callable[[], np.ndarray]) -> np.ndarray:
    """Return what is read, having printed seconds on the clock, of this process's core, and of each other one's."""
    processes = [Process(), *Process().children(recursive=True)]
    before, started = [cpu(process) for process in processes], time.perf_counter()
    images = read()
    taken = [cpu(process) - seconds for process, seconds in zip(processes, before, strict=True)]
    others = ", ".join(f"{seconds:.1f}" for seconds in taken[1:] if seconds > 0.1) or "none"
    print(f"{name}: {time.perf_counter() - started:.1f} s; of this core {taken[0]:.1f}, of others {others}")
    return images


def main() -> None:
    """Write the files, and read them in each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=50_000)
    parser.add_argument("--side", type=int, default=28)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as place:
        paths = [Path(place, f"{k:06}.png") for k in range(options.files)]
        for path in paths:
            steps = rng.normal(scale=3, size=(options.side, options.side)).cumsum(1)
            Image.fromarray(np.clip(128 + steps, 0, 255).astype(np.uint8)).save(path)
        true = tell("Pillow in a loop", lambda: np.stack([np.asarray(Image.open(path)) for path in paths]))
        for name, n_jobs in {
            "load_images": None,
            "the first time in processes": options.jobs,
            "again": options.jobs,
        }.items():
            found = tell(name, lambda n_jobs=n_jobs: load_images(place, n_jobs=n_jobs).data)
            assert np.array_equal(found, true)
    get_reusable_executor().shutdown()


if __name__ == "__main__":
    main()
