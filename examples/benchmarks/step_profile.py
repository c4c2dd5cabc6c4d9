"""Where a default training step spends its time, by the kinds of TensorFlow's operations.

    python examples/benchmarks/step_profile.py --size 32
    python examples/benchmarks/step_profile.py --size 32 --checkpoints 300

The operations' own time in ten steps, as TensorFlow's profiler sees it, on one thread, so that none waits for another.
With `--checkpoints` instead the share of time that a fit of so many steps spends on keeping its state.
"""

from __future__ import annotations

import argparse
import collections
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

AROUND = {"Run", "Process", "While", "PartitionedCall"}  # what operations run in


def take_steps(size: int, folder: str) -> None:
    """Fit images of `size` x `size` for twenty steps, of which the profiler sees the last ten."""
    import keras
    import tensorflow as tf

    from sklearn_medgan import GANAugmenter

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)

    class Profiler(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
            if epoch == 1:  # an entry of the history, of ten steps
                tf.profiler.experimental.start(folder)

        def on_train_end(self, logs: dict | None = None) -> None:
            tf.profiler.experimental.stop()

    images = np.random.RandomState(0).standard_normal((512, size, size)).astype(np.float32)
    gan = GANAugmenter(max_iter=20, representation="pixels", callbacks=[Profiler()], random_state=0)
    gan.fit(images, np.arange(512) % 2)


def milliseconds(folder: str) -> collections.Counter:
    """Return the time of each kind of operation in the profiler's file."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    (file,) = Path(folder).rglob("*.xplane.pb")
    total: collections.Counter = collections.Counter()
    for plane in xplane_pb2.XSpace.FromString(file.read_bytes()).planes:
        for event in (event for line in plane.lines for event in line.events):
            name, _, kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
            if name and kind[0] != " " and kind not in AROUND:
                total[kind] += event.duration_ps / 1e9
    return total


def share_of_checkpoints(size: int, n_steps: int) -> float:
    """Return the share of a fit's time that its `checkpoint_dir` costs, after a fit that compiles."""
    from sklearn_medgan import GANAugmenter
    from sklearn_medgan.gan.checkpoint import Checkpoint

    spent = []

    def timed(function: Callable) -> Callable:
        def call(*args: object) -> object:
            started = time.perf_counter()
            try:
                return function(*args)
            finally:
                spent.append(time.perf_counter() - started)

        return call

    images, labels = np.random.RandomState(0).standard_normal((512, size, size)).astype(np.float32), np.arange(512) % 2
    gan = GANAugmenter(max_iter=20, representation="pixels", random_state=0).fit(images, labels)
    Checkpoint.of, Checkpoint.offer = timed(Checkpoint.of), timed(Checkpoint.offer)  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        gan.set_params(max_iter=n_steps, checkpoint_dir=folder)
        started = time.perf_counter()
        gan.fit(images, labels)
        return sum(spent) / (time.perf_counter() - started)


def main() -> None:
    """Print a table, the longest first."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--size", type=int, default=32)
    p.add_argument("--checkpoints", type=int, default=0, help="steps of a fit that keeps its state")
    options = p.parse_args()
    if options.checkpoints:
        print(f"{share_of_checkpoints(options.size, options.checkpoints):.2%} of a fit's time")
        return
    with tempfile.TemporaryDirectory() as folder:
        take_steps(options.size, folder)
        total = milliseconds(folder)
    print("| operation | ms a step | share |", "|---|---|---|", sep="\n")
    for kind, value in total.most_common(14):
        print(f"| {kind} | {value / 10:.1f} | {value / total.total():.0%} |")


if __name__ == "__main__":
    main()
