"""Data parallel training with TensorFlow: over the processes of a cluster that MultiWorkerMirroredStrategy has joined.

`Strategy.run` refuses to reduce within a loop, so its collective operations are called as they are. They need no scope
of a strategy, in which variables would be the cluster's.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from ._workers import ALONE, Workers

TIMEOUT = 300.0  # seconds that a worker may hang; one that has ended is noticed at once
GROUP = 1 << 20  # beyond the keys that strategies give to groups of their own
LOSSES = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)
_instances = itertools.count(1)  # of operations: the same in all processes, because all trace the same programs


def workers() -> Workers:
    """Return the processes of the cluster that TF_CONFIG describes, once a strategy has made this one of them.

    That is one process alone in whatever inherits the variable, such as a worker of joblib.
    """
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    jobs, here = resolver.cluster_spec().as_dict(), (resolver.task_type, resolver.task_id)
    processes = [(job, task) for job in ("chief", "worker") for task in range(len(jobs.get(job, ())))]
    if len(processes) < 2 or here not in processes:
        return ALONE
    joined = "/job:{}/replica:0/task:{}/".format(*here) in tf.config.list_logical_devices()[0].name
    return ProcessWorkers(len(processes), processes.index(here)) if joined else ALONE


@dataclass(frozen=True)
class ProcessWorkers(Workers):
    """The processes of a cluster, one worker each."""

    n: int = 1
    number: int = 0

    @property
    def n_processes(self) -> int:  # type: ignore[override]
        """Return the number of processes."""
        return self.n

    def place(self) -> int:
        """Return the number of the process."""
        return self.number

    def mean(self, tensors: Any) -> Any:
        """Reduce them all at once, as one vector."""
        parts = tf.nest.flatten(tensors)
        total = self._sum(tf.concat([tf.reshape(part, [-1]) for part in parts], 0)) / self.n
        pieces = tf.split(total, [part.shape.num_elements() for part in parts])
        shaped = [tf.reshape(piece, part.shape) for piece, part in zip(pieces, parts, strict=True)]
        return tf.nest.pack_sequence_as(tensors, shaped)

    def _sum(self, vector: tf.Tensor) -> tf.Tensor:
        return tf.raw_ops.CollectiveReduceV2(
            input=vector,
            group_size=self.n,
            group_key=GROUP,
            instance_key=next(_instances),
            ordering_token=[],
            merge_op="Add",
            final_op="Id",
            timeout_seconds=TIMEOUT,
        )

    def lost(self, error: Exception) -> bool:
        """Tell by the kinds of error that collective operations end with."""
        return isinstance(error, LOSSES)

    @functools.cached_property
    def _table_sum(self) -> Any:
        return tf.function(self._sum, autograph=False)

    def gather(self, numbers: list[float]) -> np.ndarray:
        """Send the numbers as a row of a table that is zero elsewhere, and add the tables up."""
        table = np.zeros((self.n, len(numbers)), np.float32)
        table[self.number] = numbers
        return self._table_sum(tf.constant(table)).numpy()
