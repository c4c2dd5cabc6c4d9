"""Keras models as functions of one flat vector of weights."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from .backends import backend
from .initializers import FanIn
from .state import Player, Vector


class FlatNetwork:
    """A Keras model as a function of its weights and of BatchNorm's statistics, each one flat vector.

    The model's own values are read once, and their memory is given back where it can be.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        self.shapes = [tuple(v.shape) for v in model.trainable_variables]
        self.buffer_shapes = [tuple(v.shape) for v in model.non_trainable_variables]
        drawn = {
            id(layer.kernel): layer.kernel_initializer
            for layer in model.layers
            if isinstance(getattr(layer, "kernel_initializer", None), FanIn)
        }
        self.beginnings = [drawn.get(id(v)) or v.numpy() for v in model.trainable_variables]
        self.first_buffers = [v.numpy() for v in model.non_trainable_variables]
        backend.release(model.variables)
        self.n_weights, self.n_buffers = (_n_values(shapes) for shapes in (self.shapes, self.buffer_shapes))

    def unflatten(self, weights: Vector) -> list:
        return _unflatten(weights, self.shapes)

    def __call__(self, weights: Vector, buffers: Vector, inputs: Any, training: bool) -> tuple[Any, Vector]:
        outputs, updated = self.model.stateless_call(
            _unflatten(weights, self.shapes), _unflatten(buffers, self.buffer_shapes), inputs, training=training
        )
        return outputs, ops.concatenate([ops.reshape(b, [-1]) for b in updated]) if updated else buffers

    def initial(self, rng: np.random.RandomState) -> Player:
        """Return a player whose kernels are drawn by their layers' initialisers; all else is as Keras began it."""
        values = [
            start.draw(shape, rng) if isinstance(start, FanIn) else start
            for start, shape in zip(self.beginnings, self.shapes, strict=True)
        ]
        return Player.starting_from(_flatten(values), _flatten(self.first_buffers))

    def write(self, model: keras.Model, weights: np.ndarray, buffers: np.ndarray) -> keras.Model:
        """Write flat vectors into a Keras model of this architecture and return it."""
        variables = [*model.trainable_variables, *_statistics(model)]
        values = [*_unflatten(weights, self.shapes), *_unflatten(buffers, self.buffer_shapes)]
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        return model

    def read(self, model: keras.Model) -> tuple[np.ndarray, np.ndarray]:
        """Return what `write` wrote."""
        parts = model.trainable_variables, _statistics(model)
        weights, buffers = (_flatten([variable.numpy() for variable in part]) for part in parts)
        return weights, buffers


def _statistics(model: keras.Model) -> list:
    """Return BatchNorm's statistics: a stock model also has fixed kernels, in layers that are not trained at all."""
    return [variable for layer in model.layers if layer.trainable for variable in layer.non_trainable_variables]


def _n_values(shapes: list[tuple[int, ...]]) -> int:
    return sum(int(np.prod(shape)) for shape in shapes)


def _flatten(values: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.ravel(value) for value in values]) if values else np.zeros(0, np.float32)


def _unflatten(flat: Vector, shapes: list[tuple[int, ...]]) -> list:
    if not shapes:
        return []
    sizes = [int(np.prod(shape)) for shape in shapes]
    in_numpy = isinstance(flat, np.ndarray)
    parts = np.split(flat, np.cumsum(sizes)[:-1]) if in_numpy else backend.split(flat, sizes)
    reshape = np.reshape if in_numpy else ops.reshape
    return [reshape(part, shape) for part, shape in zip(parts, shapes, strict=True)]
