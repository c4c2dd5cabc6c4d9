"""Megapixels a second of GANEnhancer.transform, and its memory on one large image.

    python examples/benchmarks/enhancement_speed.py

The networks' weights do not change their speed, so they are trained for a few steps only, on noise. Sizes: 40 images of
256x256 (median of five runs) and one of 4096x4096, uint8. Memory: the largest resident size during the large image
beyond that of the idle process after a warm-up on a small one.
"""

import resource
import statistics
import time
import warnings

import numpy as np


def seconds(function) -> float:
    """Wall time of a call."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def resident() -> float:
    """Current resident size, MiB (Linux)."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def main():
    """Print both."""
    from sklearn_medgan import GANEnhancer

    warnings.simplefilter("ignore")
    rng = np.random.RandomState(0)
    images = rng.randint(0, 256, (40, 256, 256), dtype=np.uint8)
    enhancer = GANEnhancer(degradation="noise", max_iter=5, guard=False, random_state=0).fit(images)
    enhancer.transform(images[:2])
    taken = statistics.median(seconds(lambda: enhancer.transform(images)) for _ in range(5))
    print(f"256x256: {1e3 * taken / 40:.1f} ms an image, {40 * 256**2 / taken / 1e6:.2f} megapixels a second")
    large = rng.randint(0, 256, (1, 4096, 4096), dtype=np.uint8)
    idle, peak_before = resident(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    taken = seconds(lambda: enhancer.transform(large))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"4096x4096: {taken:.1f} s, {4096**2 / taken / 1e6:.2f} megapixels a second")
    print(
        f"memory: {max(peak, idle) - idle:.0f} MiB above the idle {idle:.0f} MiB (earlier peak {peak_before:.0f} MiB)"
    )


if __name__ == "__main__":
    main()
