"""What estimators that hold trained networks have in common."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sklearn
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import ConvergenceWarning

from ._backend import check_backend
from ._sklearn_compat import _LinkToDocs

if TYPE_CHECKING:
    from .gan.loop import Outcome

NOT_THE_CALLER = tuple(str(Path(file).parent) for file in (__file__, sklearn.__file__))


class NetworkEstimator(_LinkToDocs, TransformerMixin, BaseEstimator):
    """An estimator whose networks are flat weights in `_state`, of which Keras models are made when asked for.

    Subclasses say which program compiled them (`_program`) and when they are fitted.
    """

    _state: Any
    _config: Any
    history_: dict[str, list]
    n_iter_: int

    def _program(self) -> Any:
        """Return the compiled functions of `_config`."""
        raise NotImplementedError

    def _keras_model(self, name: str, place: int) -> Any:
        if not self.__sklearn_is_fitted__():
            raise AttributeError(f"{name} exists after fit.")
        if "_models" not in self.__dict__:
            self._models = self._program().export_models(self._state)
        return self._models[place]

    @property
    def generator_(self) -> Any:
        """Keras model with averaged weights; the class says what it maps."""
        return self._keras_model("generator_", 0)

    @property
    def discriminator_(self) -> Any:
        """Keras model with averaged weights, or None where there is none."""
        return self._keras_model("discriminator_", 1)

    def _keep(self, outcome: Outcome, subject: str, advice: str) -> None:
        """Keep what training came to, and warn where it did not go as planned: `advice` is against divergence."""
        self._state, self.history_ = outcome.state, outcome.history
        self.n_iter_ = int(outcome.state.step)
        self.__dict__.pop("_models", None)
        told = (
            f"Training {subject} diverged after step {outcome.went_back_at}: losses or weights are not finite, or huge."
        )
        if outcome.ended_by == "divergence":
            raise ValueError(f"{told} So it did after step {self.n_iter_} at a tenth of the learning rate. {advice}")
        if outcome.went_back_at is not None:
            warn_caller(f"{told} Went on from the averaged weights at a tenth of the learning rate. {advice}")
        if outcome.ended_by == "interrupt":
            warn_caller(f"Training was interrupted at step {self.n_iter_}; going on with what was learned so far.")
        elif outcome.ended_by == "lost":
            warn_caller(
                f"Training {subject} lost another process that shared it, at step {self.n_iter_}; going on alone with "
                f"what was learned so far. Save it, and begin all processes again. The library said: {outcome.error}"
            )

    def _check_fitted(self) -> None:
        """Raise ValueError where what was learned cannot be that of one fit: it came from a file."""
        from .gan.program import check_size

        check_size(self._config, sum(player.weights.size for player in self._state[:2]))
        self._program().check(self._state)
        self._check_parts()

    def _check_parts(self) -> None:
        """Raise ValueError where what was learned beside the networks does not suit them."""

    @contextlib.contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """Keep an earlier fit intact where the next one fails, or is stopped by Ctrl-C outside the training loop."""
        check_backend()
        before = dict(self.__dict__)
        try:
            yield
        except BaseException:
            self.__dict__ = before
            raise

    def __sklearn_is_fitted__(self) -> bool:
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_models"}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def caller_depth() -> int:
    """Return the stacklevel, for whoever calls this, of the line that called this package or scikit-learn around it."""
    frame, depth = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(NOT_THE_CALLER):
        frame, depth = frame.f_back, depth + 1
    return depth


def warn_caller(message: str, category: type[Warning] = ConvergenceWarning) -> None:
    """Warn at the line that called this package, however deep that was."""
    warnings.warn(message, category, stacklevel=caller_depth())
