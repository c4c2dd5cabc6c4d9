"""What was computed of images, kept in the process up to a number of bytes: folds of a cross-validation share rows."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable

import numpy as np

OVERHEAD = 400  # bytes of a key, an array's head and a place in the dictionary


class ColumnCache:
    """Vectors by key; the least recently used ones are dropped. Threads may share it.

    It is never saved: a copy and a pickle of whoever looks into it know nothing of it.
    """

    def __init__(self) -> None:
        self._vectors: OrderedDict[Hashable, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()
        self.n_bytes = 0

    def __len__(self) -> int:
        return len(self._vectors)

    def get(self, key: Hashable) -> np.ndarray | None:
        with self._lock:
            if key in self._vectors:
                self._vectors.move_to_end(key)
            return self._vectors.get(key)

    def put(self, key: Hashable, vector: np.ndarray, most_bytes: float) -> None:
        """Keep a copy of a vector, and drop old ones until all of them take `most_bytes` at most."""
        with self._lock:
            self._drop(key)
            self._vectors[key] = vector.copy()
            self.n_bytes += vector.nbytes + OVERHEAD
            while self.n_bytes > most_bytes:
                self._drop(next(iter(self._vectors)))

    def clear(self) -> None:
        with self._lock:
            self._vectors.clear()
            self.n_bytes = 0

    def _drop(self, key: Hashable) -> None:
        dropped = self._vectors.pop(key, None)
        self.n_bytes -= 0 if dropped is None else dropped.nbytes + OVERHEAD
