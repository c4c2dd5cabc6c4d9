"""What estimators that hold trained networks have in common."""

from __future__ import annotations

import contextlib

from sklearn.base import BaseEstimator, TransformerMixin


class NetworkEstimator(TransformerMixin, BaseEstimator):
    """An estimator whose networks are flat weights in `_state`, of which Keras models are made when asked for.

    Subclasses say which program compiled them (`_program`) and when they are fitted.
    """

    def _program(self):
        """The compiled functions of `_config`."""
        raise NotImplementedError

    def _keras_model(self, name: str, place: int):
        if not self.__sklearn_is_fitted__():
            raise AttributeError(f"{name} exists after fit.")
        if "_models" not in self.__dict__:
            self._models = self._program().export_models(self._state)
        return self._models[place]

    @contextlib.contextmanager
    def _all_or_nothing(self):
        """An earlier fit stays intact where the next one fails, or is stopped by Ctrl-C outside the training loop."""
        before = dict(self.__dict__)
        try:
            yield
        except BaseException:
            self.__dict__ = before
            raise

    def __getstate__(self):
        state = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_models"}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags
