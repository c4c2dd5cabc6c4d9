"""The progress bar."""

from __future__ import annotations

import math

import keras


class ProgressBar:
    """The steps taken, those to come, the time left, and the losses that there are."""

    def __init__(self, names: tuple[str, ...], max_iter: int) -> None:
        self.names, self.max_iter = names, max_iter
        self.bar = keras.utils.Progbar(max_iter, stateful_metrics=list(names))

    def update(self, done: int, spent: float, values: dict[str, float], *, is_last: bool) -> None:
        """Show `done` steps, which took the share `spent` of the time that there is.

        Where time will end training before `max_iter` steps, the total is what it will suffice for at the speed so far;
        Keras reckons with that speed too, so the time left that it shows is what is left of the budget.
        """
        if spent > 0.0:
            self.bar.target = min(self.max_iter, max(done, math.ceil(done / spent)))
        self.bar.update(done, [(name, values[name]) for name in self.names], finalize=is_last)
