"""How much a process grows by many fits, of one configuration or of more than are kept compiled.

python examples/benchmarks/many_fits.py --fits 200
python examples/benchmarks/many_fits.py --fits 100 --configurations 100
"""

import argparse
import gc
import os
import time
import warnings
from pathlib import Path

import numpy as np

from sklearn_medgan import GANAugmenter


def resident_mb() -> float:
    """Memory of this process now, in MB (Linux)."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    """Fit, and print memory ten times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fits", type=int, default=200)
    parser.add_argument("--configurations", type=int, default=1, help="widths of the networks, taken in turn")
    parser.add_argument("--images", action="store_true", help="of 16x16, in the place of a table")
    options = parser.parse_args()
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(60, 16, 16) if options.images else (60, 5)), np.arange(60) % 2
    started, first = time.time(), None
    for k in range(options.fits):
        width = 8 + k % options.configurations
        GANAugmenter(backbone=None, max_iter=2, width=width, latent_dim=8, random_state=k).fit(X, y).sample(2)
        if (k + 1) % max(1, options.fits // 10) == 0:
            first = resident_mb() if first is None else first
            now, seconds = resident_mb(), time.time() - started
            print(f"{k + 1:5} fits, {seconds:4.0f} s: {now:5.0f} MB, grown by {now - first:4.0f} MB", flush=True)


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
