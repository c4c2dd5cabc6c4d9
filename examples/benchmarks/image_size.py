"""How long does a default fit take, and how much memory, by the size of the images?

    python examples/benchmarks/image_size.py                     # the table
    python examples/benchmarks/image_size.py --memory-map        # 20,000 images of 224x224 in a file, made beside it

Each line is measured in a process of its own, after a first fit of tiny images: what is stated comes on top of the idle
process. Memory is what the process itself holds (Linux: RssAnon), so pages of a file that was mapped do not count.
Images are noise that was smoothed, in two classes: cost does not depend on what they show.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

LINES = [(400, 64), (400, 224), (200, 512), (60, 600)]


def pictures(n: int, side: int, out: np.ndarray | None = None) -> np.ndarray:
    """Return uint8 images (n, side, side), written into `out` where given."""
    rng = np.random.RandomState(0)
    out = np.empty((n, side, side), np.uint8) if out is None else out
    for start in range(0, n, 100):
        coarse = rng.uniform(0, 200, (min(100, n - start), 8, 8))
        fine = np.repeat(np.repeat(coarse, -(-side // 8), 1), -(-side // 8), 2)[:, :side, :side]
        out[start : start + 100] = fine + rng.uniform(0, 55, fine.shape)
    return out


class Memory(threading.Thread):
    """Watches how much memory the process holds: `peak`, in MB."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak, self.idle = 0.0, self.now()

    @staticmethod
    def now() -> float:
        """Return the anonymous memory of the process in MB."""
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.split("RssAnon:")[1].split()[0]) / 1024

    def run(self) -> None:
        """Look 20 times a second."""
        while True:
            self.peak = max(self.peak, self.now() - self.idle)
            time.sleep(0.05)


def measure(n: int, side: int, file: str | None) -> dict:
    """Fit, transform and sample in this process."""
    import warnings

    warnings.simplefilter("ignore")  # of images above 512 pixels, which are wanted here
    from sklearn_medgan import GANAugmenter

    tiny = pictures(8, 16)
    GANAugmenter(max_iter=1).fit(tiny, np.arange(8) % 2).transform(tiny)
    X = pictures(n, side) if file is None else np.memmap(file, np.uint8, "r", shape=(n, side, side))
    y = np.arange(n) % 2
    memory = Memory()
    memory.start()
    started = time.perf_counter()
    augmenter = GANAugmenter(random_state=0).fit(X, y)
    fit, fit_memory = time.perf_counter() - started, memory.peak
    new = pictures(60, side)[::-1] ^ 1  # not those whose columns are known from the fit
    started = time.perf_counter()
    augmenter.transform(new)
    a_second = len(new) / (time.perf_counter() - started)
    started = time.perf_counter()
    augmenter.sample(60)
    return {
        "images": n,
        "side": side,
        "fit, s": round(fit, 1),
        "memory of fit above idle, MB": round(fit_memory),
        "transform, images a second": round(a_second, 1),
        "sample, images a second": round(60 / (time.perf_counter() - started), 1),
    }


def main() -> None:
    """Run each line in its own process and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--memory-map", action="store_true", help="20,000 images of 224x224 in a file")
    parser.add_argument("--line", nargs=2, type=int, help=argparse.SUPPRESS)
    parser.add_argument("--file", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.line:
        print(json.dumps(measure(*options.line, options.file)))
        return
    rows = []
    with tempfile.TemporaryDirectory(dir=".") as folder:
        for n, side in [(20_000, 224)] if options.memory_map else LINES:
            command = [sys.executable, __file__, "--line", str(n), str(side)]
            if options.memory_map:
                file = str(Path(folder) / "images")
                pictures(n, side, np.memmap(file, np.uint8, "w+", shape=(n, side, side))).flush()
                command += ["--file", file]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(done.stderr)
            rows.append(json.loads(done.stdout.strip().splitlines()[-1]))
            if len(rows) == 1:
                print("| " + " | ".join(rows[0]) + " |\n|" + "---|" * len(rows[0]))
            print("| " + " | ".join(str(value) for value in rows[-1].values()) + " |", flush=True)


if __name__ == "__main__":
    main()
