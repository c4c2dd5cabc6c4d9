"""Milliseconds per training step, beside a plain PyTorch loop with the same networks, batch and threads.

    python examples/benchmarks/step_time.py --reference TORCH_PYTHON REFERENCE_SCRIPT

The reference script prints "... NUMBER ms per step ..."; it has no class head, so "same networks" leaves ours out too.
The two run in turn, `--rounds` times, and the medians of the ratios are printed. Also: what a second fit of the same
shape costs beyond its steps.
"""

import argparse
import re
import statistics
import subprocess
import sys
import time

import numpy as np

ARMS = {
    "same networks": {"class_head_weight": 0.0, "augment": None, "class_steps": 0},
    "default": {},
    "default, class_steps=0": {"class_steps": 0},
}


def fit_seconds(settings: dict, steps: int, X, y) -> float:
    """Wall seconds of a fit."""
    from sklearn_medgan import GANAugmenter

    started = time.perf_counter()
    GANAugmenter(max_iter=steps, random_state=0, width=32, batch_size=64, **settings).fit(X, y)
    return time.perf_counter() - started


def measure(threads: int, arm: str, steps: int) -> None:
    """Print milliseconds per step (difference of two warm fits), and the seconds of a second fit beyond its steps."""
    import warnings

    import tensorflow as tf

    warnings.simplefilter("ignore")
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    rng = np.random.RandomState(0)
    X, y = rng.standard_normal((512, 32, 32)).astype(np.float32), rng.randint(0, 2, 512)
    fit_seconds(ARMS[arm], 1, X, y)
    short, long = (statistics.median(fit_seconds(ARMS[arm], n, X, y) for _ in range(3)) for n in (1, 1 + steps))
    per_step = (long - short) / steps
    print(f"{1e3 * per_step:.1f} ms per step; a second fit costs {short - per_step:.2f} s beyond its steps")


def reported(command: list[str]) -> tuple[float, str]:
    """The first "NUMBER ms per step" that a command prints, and its last line."""
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return float(re.search(r"([\d.]+) ms per step", text)[1]), text.splitlines()[-1]


def main():
    """Run reference and arms in turn; print medians."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--reference", nargs=2, metavar=("PYTHON", "SCRIPT"))
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--steps", type=int, default=30)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--arm", choices=ARMS, help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.arm:
        return measure(a.threads, a.arm, a.steps)
    sizes = ["--threads", str(a.threads), "--steps", str(a.steps)]
    print(
        "| arm | ms per step | reference, ms | ratio (median of rounds) | beyond the steps |",
        "|---" * 5 + "|",
        sep="\n",
    )
    for arm in ARMS:
        ours, reference, ratios, last = [], [], [], ""
        for _ in range(a.rounds):
            figure, last = reported([sys.executable, __file__, *sizes, "--arm", arm])
            ours.append(figure)
            if a.reference:
                reference.append(reported([*a.reference, *sizes])[0])
                ratios.append(figure / reference[-1])
        shown = [f"{statistics.median(v):.{d}f}" if v else "" for v, d in ((ours, 0), (reference, 0), (ratios, 2))]
        print("|", " | ".join([arm, *shown, last.split(";")[1].strip()]), "|", flush=True)


if __name__ == "__main__":
    main()
