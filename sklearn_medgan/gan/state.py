"""What training changes, as named tuples of flat vectors, and Adam's update of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from keras import ops

Vector = Any  # a NumPy array between trainings, a tensor of the backend within one
LARGEST_WEIGHT = 1e3  # sound ones stay below 10
BETA_2 = 0.99  # of Adam's second moment


class Player(NamedTuple):
    """One network: flat weights, their moving average, Adam's two moments and count, BatchNorm's statistics."""

    weights: Vector
    ema: Vector
    first: Vector
    second: Vector
    updates: Vector
    buffers: Vector

    @classmethod
    def starting_from(cls, weights: np.ndarray, buffers: np.ndarray) -> Player:
        """Return the player before its first update, in float32."""
        weights, zeros = weights.astype(np.float32), np.zeros(len(weights), np.float32)
        return cls(weights, weights, zeros, zeros, np.zeros((), np.int32), buffers.astype(np.float32))


class State(NamedTuple):
    """All that training changes. A network that is absent has vectors without elements."""

    generator: Player
    discriminator: Player
    step: Vector


def is_finite(state: State) -> bool:
    """Tell whether both networks can be used: the last step may overflow without a trace in its losses.

    Weights beyond `LARGEST_WEIGHT` are as good as infinite.
    """
    within = [ops.abs(player.weights) < LARGEST_WEIGHT for player in state[:2]]
    finite = [ops.isfinite(player.buffers) for player in state[:2]]
    return all(bool(ops.all(part)) for part in (*within, *finite))


def restarted(state: State) -> State:
    """Return the averaged networks, with no memory of earlier gradients."""
    g, d = (Player.starting_from(*(np.asarray(ops.convert_to_numpy(v)) for v in (p.ema, p.buffers))) for p in state[:2])
    return State(g, d, state.step)


def adam(
    player: Player,
    gradient: Any,
    hyper: Any,
    beta_1: float,
    averaged: bool,
    buffers: Vector = None,
    constraint: Callable[[Vector], Vector] | None = None,
) -> Player:
    """Return the player after one update by Adam and of the moving average.

    `hyper` has `learning_rate` and `ema_decay`; `constraint` maps new weights to allowed ones. By hand, because the
    weights are one flat vector and the step is a pure function of the state (Kingma and Ba 2015, arXiv 1412.6980,
    algorithm 1).
    """
    first = beta_1 * player.first + (1.0 - beta_1) * gradient
    second = BETA_2 * player.second + (1.0 - BETA_2) * ops.square(gradient)
    updates = player.updates + 1
    t = ops.cast(updates, gradient.dtype)
    scale = ops.sqrt(1.0 - BETA_2**t) / (1.0 - beta_1**t)
    weights = player.weights - hyper.learning_rate * scale * first / (ops.sqrt(second) + 1e-8)
    weights = weights if constraint is None else constraint(weights)
    decay = ops.minimum(hyper.ema_decay, t / (t + 10.0)) if averaged else ops.zeros_like(t)
    ema = decay * player.ema + (1.0 - decay) * weights
    return Player(weights, ema, first, second, updates, player.buffers if buffers is None else buffers)
