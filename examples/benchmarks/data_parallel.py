"""What sharing a training costs: a step of two processes with a batch of 128 beside a step of each alone with 64.

``KERAS_BACKEND=jax python data_parallel.py [--side 32] [--rounds 5] [--steps 20]`` starts both processes on this
machine, a thread each, and prints a line of JSON (docs/scaling.md). Both do the same work a step but for the
all-reduces, and the two ways are taken by turns, so that whatever else the machine does falls on both.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median

BATCH = 64
THREADS = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
PINNED = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


def switch(number: int, port: int) -> Callable[[bool], None]:
    """Become one of two processes, and return what says whether these train together from now on."""
    import keras

    if keras.backend.backend() == "jax":
        keras.distribution.initialize(f"127.0.0.1:{port}", 2, number)
        both = keras.distribution.DataParallel()
        return lambda together: keras.distribution.set_distribution(both if together else None)
    import tensorflow as tf

    cluster = {"worker": [f"127.0.0.1:{port}", f"127.0.0.1:{port + 1}"]}
    config = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": number}})
    os.environ["TF_CONFIG"] = config
    tf.distribute.MultiWorkerMirroredStrategy()
    return lambda together: os.environ.update(TF_CONFIG=config if together else "{}")


def seconds(batch: int, side: int, steps: int) -> float:
    """Train by default but for the size of the batch; seconds a step, compiling left out."""
    import numpy as np

    from sklearn_medgan.gan.loop import Run
    from sklearn_medgan.gan.training import Configuration, Data, Hyper, compiled_program, train

    moves = ("shift", "flip", "contrast", "cutout")
    config = Configuration("conv", (side, side, 1), 2, augment=moves, class_steps=4, batch_size=batch)
    rng = np.random.RandomState(0)
    rows = rng.uniform(-1, 1, (512, *config.shape)).astype(np.float32)
    labels, cumulative = np.eye(2, dtype=np.float32)[np.arange(512) % 2], np.arange(1, 513, dtype=np.float32) / 512
    program = compiled_program(config)
    state, hyper = program.initial_state(rng), Hyper(2e-3, 1.0, 1.0, 1.0, 1.0, 0.99)
    times = []
    for n in (2, steps + 2):
        begun = time.perf_counter()
        train(program, state, Data(rows, labels, cumulative), hyper, 0, Run(n))
        times.append(time.perf_counter() - begun)
    return (times[1] - times[0]) / steps


def work(number: int, port: int, options: argparse.Namespace) -> None:
    """Be one of the two processes; the first prints what it found."""
    train_together = switch(number, port)
    alone, shared = [], []
    for _ in range(options.rounds + 1):  # the first compiles
        for together, times in ((False, alone), (True, shared)):
            train_together(together)
            times.append(seconds(BATCH * (1 + together), options.side, options.steps))
    ratios = [b / a for a, b in zip(alone[1:], shared[1:], strict=True)]
    if number == 0:
        found = {"side": options.side, "alone_ms": 1e3 * median(alone[1:]), "shared_ms": 1e3 * median(shared[1:])}
        print(
            json.dumps({**found, "ratio": median(ratios), "ratios": [round(ratio, 2) for ratio in ratios]}), flush=True
        )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--port", type=int, default=23456)
    parser.add_argument("--number", type=int)
    options = parser.parse_args()
    if options.number is not None:
        work(options.number, options.port, options)
        return
    environment = {**os.environ, **THREADS, "XLA_FLAGS": PINNED}
    commands = [[sys.executable, *sys.argv, "--number", str(number)] for number in (0, 1)]
    for process in [subprocess.Popen(command, env=environment) for command in commands]:
        process.wait()


if __name__ == "__main__":
    main()
