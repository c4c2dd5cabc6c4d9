"""Keras callbacks around a training: what they see, what they may change, and what they are left with."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from io import IOBase
from typing import Any

import keras
import numpy as np

from .environment import own_settings
from .flat import FlatNetwork
from .program import Program
from .state import Player, State, is_finite


class TrainedNetworks(keras.Model):
    """What callbacks see as ``self.model``: `generator` and `discriminator` in one model, with the averaged weights.

    It is compiled with an Adam whose `learning_rate` is the one in use. `discriminator` is None where there is none.
    """

    def __getattr__(self, name: str) -> Any:  # no property: Keras would save the networks once more under its name
        if name not in ("generator", "discriminator"):
            inherited = getattr(super(), "__getattr__", None)  # with PyTorch a model is one of its modules
            if inherited is not None:
                return inherited(name)
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return next((layer for layer in self.layers if layer.name == name), None)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save a model of stock layers, which loads without this package."""
        keras.Model(self.inputs, self.outputs, name=self.name).save(*args, **kwargs)


class Listeners:
    """The callbacks of a training: an entry of the history is their epoch, and has one batch.

    What they write into weights or learning rate counts from then on. After the training they hold nothing of it but
    plain numbers, and arrays that classes of the user's own keep.
    """

    def __init__(self, program: Program, callbacks: list | tuple | None, n_epochs: int) -> None:
        self.program, self.n_epochs, self.epoch, self.rate_factor = program, n_epochs, 0, 1.0
        self.logs: dict[str, float] = {}
        self.told: Any = None  # a CallbackList while training lasts
        self.callbacks = list(callbacks or ())
        _check(self.callbacks, ("loss", *program.active_metrics))
        self.before = [dict(vars(callback)) for callback in self.callbacks]

    def __enter__(self) -> Listeners:
        return self

    def __exit__(self, *_: object) -> None:
        for callback, before in zip(self.callbacks, self.before, strict=True):
            _put_back(callback, before)

    @property
    def stopped(self) -> bool:
        """Whether a callback has asked for the end."""
        return bool(self.callbacks) and bool(self.model.stop_training)

    def begin(self, state: State, rate: float) -> tuple[State, int]:
        """Return the state to begin with, and the epochs of an earlier training of which a callback has restored it."""
        if not self.callbacks:
            return state, 0
        self._build_model(rate)
        self._show(state, rate)
        params = {"epochs": self.n_epochs, "steps": 1, "verbose": 1}
        self.told = keras.callbacks.CallbackList(self.callbacks, model=self.model, **params)
        state = self._tell(state, self.told.on_train_begin)
        self.epoch = getattr(self.model, "_initial_epoch", None) or 0  # BackupAndRestore leaves it there
        return state, self.epoch

    def before_entry(self, state: State, rate: float) -> tuple[State, float]:
        """Begin an epoch, for which training plans the learning rate `rate`; the state and rate to go on with."""
        if not self.callbacks:
            return state, rate
        self._show(state, rate * self.rate_factor)
        state = self._tell(state, self.told.on_epoch_begin, self.epoch)
        state = self._tell(state, self.told.on_train_batch_begin, 0)
        return state, self.rate

    def after_entry(self, state: State, values: dict[str, float]) -> State:
        """End the epoch, of which `values` are the metrics' means."""
        if not self.callbacks:
            return state
        self._show(state, self.rate)
        self.logs = {**values, "loss": values[self.program.loss_shown]}
        state = self._tell(state, self.told.on_train_batch_end, 0, dict(self.logs))
        state = self._tell(state, self.told.on_epoch_end, self.epoch, dict(self.logs))
        self.epoch += 1
        return state

    def end(self, state: State) -> State:
        """End the training, maybe before it began."""
        return self._tell(state, self.told.on_train_end, self.logs) if self.told else state

    def _build_model(self, rate: float) -> None:
        with own_settings():
            inputs, outputs = self.program.joined(*self.program.export_models())
            self.model = TrainedNetworks(inputs, outputs)
            beta_1, beta_2 = self.program.betas
            self.model.compile(keras.optimizers.Adam(rate, beta_1, beta_2))
            self.model.optimizer.build(self.model.trainable_variables)  # a backup is loaded into a built one only

    def _pairs(self, state: State) -> list[tuple[FlatNetwork, keras.Model, Player]]:
        models = self.model.generator, self.model.discriminator
        pairs = zip(self.program.networks, models, state[:2], strict=True)
        return [(network, model, player) for network, model, player in pairs if network is not None]

    def _show(self, state: State, rate: float) -> None:
        """Let callbacks see this state and learning rate."""
        self.model.optimizer.iterations.assign(int(state.step))
        self.model.optimizer.learning_rate = rate
        self.rate = self._read_rate()
        for network, model, player in self._pairs(state):
            network.write(model, *map(keras.ops.convert_to_numpy, (player.ema, player.buffers)))

    def _tell(self, state: State, hook: Callable, *args: Any) -> State:
        """Call a hook, and take over what callbacks wrote into the model, which shows `state`."""
        hook(*args)
        written = self._read_rate()
        if written != self.rate and self.rate > 0.0:
            self.rate_factor *= written / self.rate  # a rate that was planned to fall goes on to
        self.rate = written
        changed = [_taken_over(player, *network.read(model)) for network, model, player in self._pairs(state)]
        state = state._replace(**dict(zip(("generator", "discriminator"), changed, strict=False)))
        if not is_finite(state):
            raise ValueError(f"A callback wrote weights that are not finite, after step {int(state.step)}.")
        return state

    def _read_rate(self) -> float:
        return float(self.model.optimizer.learning_rate)


def _check(callbacks: list, reported: tuple[str, ...]) -> None:
    """Raise an error where a callback cannot work, which Keras would tell late or not at all."""
    plain = True  # so far: others may report more
    for callback in callbacks:
        name = type(callback).__name__
        if not isinstance(callback, keras.callbacks.Callback):
            raise TypeError(f"callbacks must be a list of keras.callbacks.Callback objects; it holds {callback!r}.")
        if isinstance(callback, keras.callbacks.TensorBoard) and importlib.util.find_spec("tensorboard") is None:
            raise ImportError(
                "callbacks holds a TensorBoard, and the package tensorboard is not installed. Install it (pip "
                "install tensorboard), or leave it out of the callbacks of GANAugmenter or GANEnhancer."
            )
        plain = plain and _is_of_keras(callback)
        watched = getattr(callback, "monitor", None)
        chooses = isinstance(callback, keras.callbacks.EarlyStopping | keras.callbacks.ReduceLROnPlateau)
        if plain and watched not in (None, *reported) and (chooses or getattr(callback, "save_best_only", False)):
            raise ValueError(
                f"callbacks holds a {name} of {watched!r}, which the training of GANAugmenter and GANEnhancer does not "
                f"report, so that it would do nothing. Pass monitor, one of {', '.join(reported)}, and mode='min'."
            )


def _is_of_keras(callback: keras.callbacks.Callback) -> bool:
    return type(callback).__module__.partition(".")[0] == "keras"


def _taken_over(player: Player, weights: np.ndarray, buffers: np.ndarray) -> Player:
    """Return the player whose averaged weights callbacks may have changed: what they wrote counts as the weight too."""
    ema, earlier, now = map(keras.ops.convert_to_numpy, (player.ema, player.weights, player.buffers))
    if not np.array_equal(weights, ema):
        player = player._replace(weights=np.where(weights == ema, earlier, weights), ema=weights)
    return player if np.array_equal(buffers, now) else player._replace(buffers=buffers)


def _put_back(callback: keras.callbacks.Callback, before: dict[str, Any]) -> None:
    """Leave a callback as it came, but for results: model, files and functions would follow it into every copy."""
    of_keras = _is_of_keras(callback)
    for name, value in list(vars(callback).items()):
        if value is before.get(name, _put_back) or (
            name not in ("_model", "params") and _is_plain(value, with_arrays=not of_keras)
        ):
            continue
        if isinstance(value, IOBase):
            value.close()
        if name in before:
            setattr(callback, name, before[name])
        else:
            delattr(callback, name)


def _is_plain(value: Any, with_arrays: bool) -> bool:
    """Tell whether a value is text, a number or a container of such, or with `with_arrays` of arrays as well."""
    if isinstance(value, dict):
        return all(_is_plain(part, with_arrays) for part in (*value, *value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return all(_is_plain(part, with_arrays) for part in value)
    if isinstance(value, np.ndarray):
        return with_arrays
    return value is None or isinstance(value, bool | int | float | complex | str | bytes | np.generic)
