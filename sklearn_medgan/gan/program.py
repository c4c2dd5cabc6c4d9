"""What the compiled programs of the GAN and of the restorer have in common."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import keras
import numpy as np

from .backends import ALONE, Tensor, Workers, backend
from .environment import Compiled
from .flat import FlatNetwork
from .networks import MOST_HALVINGS, Discriminator
from .one_pass import anatomy
from .state import Player, State
from .stock import stock_model

ROWS_AT_ONCE = 960  # that go through a network in one call: Ctrl-C waits for it
CACHE_SIZE = 32  # compiled programs of each kind kept in the process; the least recently used one is dropped


class Program:
    """Two networks as functions of flat vectors, and their training steps in a compiled loop.

    A subclass says in `advance` what a step is. `discriminator` is None where training has no adversary; `workers`
    share each batch.
    """

    metrics: ClassVar[tuple[str, ...]]
    loss_shown: ClassVar[str]  # the metric that Keras callbacks see as "loss"

    def __init__(self, generator: keras.Model, discriminator: Discriminator | None, workers: Workers = ALONE) -> None:
        self.workers = workers
        self.generator = FlatNetwork(generator)
        self.discriminator = None if discriminator is None else FlatNetwork(discriminator.model)
        self.body = anatomy(discriminator) if discriminator is not None and discriminator.trunk else None

    @property
    def active_metrics(self) -> tuple[str, ...]:
        """`metrics` without those of losses that are switched off, which stay 0."""
        raise NotImplementedError

    def has_exploded(self, values: dict[str, float]) -> bool:
        """Tell whether these metrics are of a size that no sound training reaches."""
        raise NotImplementedError

    @property
    def betas(self) -> tuple[float, float]:
        """Return the decay rates of Adam's two moments, those of the generator."""
        raise NotImplementedError

    def initial_state(self, rng: np.random.RandomState) -> State:
        """Return networks with weights drawn at random."""
        generator, discriminator = (initial_player(network, rng) for network in self.networks)
        return State(generator, discriminator, np.zeros((), np.int32))

    def export_models(self, state: State | None = None) -> tuple[keras.Model, keras.Model | None]:
        """Return models (generator, discriminator or None) of stock layers, with the averaged weights of `state`."""
        generator = stock_model(self.generator.model)
        discriminator = None if self.discriminator is None else stock_model(self.discriminator.model)
        if state is not None:
            self.generator.write(generator, state.generator.ema, state.generator.buffers)
        if state is not None and self.discriminator is not None:
            self.discriminator.write(discriminator, state.discriminator.ema, state.discriminator.buffers)
        return generator, discriminator

    @property
    def networks(self) -> tuple[FlatNetwork, FlatNetwork | None]:
        return self.generator, self.discriminator

    def joined(self, generator: keras.Model, discriminator: keras.Model | None) -> tuple[Any, Any]:
        """Return inputs and outputs of one model that holds both networks."""
        raise NotImplementedError

    def state_signature(self) -> State:
        """Return the types of a state."""

        def player(network: FlatNetwork | None) -> Player:
            n_weights, n_buffers = (0, 0) if network is None else (network.n_weights, network.n_buffers)
            weights = spec(n_weights)
            return Player(weights, weights, weights, weights, spec(dtype="int32"), spec(n_buffers))

        return State(player(self.generator), player(self.discriminator), spec(dtype="int32"))

    def check(self, state: State) -> None:
        """Raise ValueError where a state is not one of these networks."""
        for network, player in zip(self.networks, state[:2], strict=True):
            n_weights, n_buffers = (0, 0) if network is None else (network.n_weights, network.n_buffers)
            expected = [((n_weights,), "float32")] * 4 + [((), "int32"), ((n_buffers,), "float32")]
            found = [(vector.shape, str(vector.dtype)) for vector in player]
            if found != expected:
                raise ValueError(f"networks of this configuration have vectors of {expected}; got {found}")

    def repeat(self, step: Callable, n_steps: Tensor, state: State, sums: Tensor) -> tuple[State, Tensor]:
        """Take `n_steps` steps ``step(i, state) -> (state, values of metrics)``, adding their values to `sums`.

        Sums go from call to call, so that how steps are grouped into calls does not change their order.
        """

        def body(i: Tensor, carry: tuple[State, Tensor]) -> tuple[State, Tensor]:
            state, sums = carry
            state, values = step(i, state)
            return state, sums + keras.ops.stack([values[name] for name in self.metrics])

        return backend.loop(n_steps, body, (state, sums))


def initial_player(network: FlatNetwork | None, rng: np.random.RandomState) -> Player:
    """Return a network with weights drawn at random; vectors without elements where there is none."""
    nothing = np.zeros(0, np.float32)
    return Player.starting_from(nothing, nothing) if network is None else network.initial(rng)


def check_size(config: Any, n_weights: int) -> None:
    """Raise ValueError where networks of a configuration surely have more weights, before memory is taken for them."""
    sides, latent_dim, n_classes = config.shape, getattr(config, "latent_dim", 1), getattr(config, "n_classes", 1)
    seed = sides[0] if len(sides) == 1 else math.prod(sides) >> 2 * MOST_HALVINGS
    deep = getattr(config, "depth", 1) if len(sides) == 3 else 1
    least = max(config.width * max(config.width * deep // 4, latent_dim, n_classes, seed), n_classes * latent_dim)
    if min(*sides, config.width, latent_dim, n_classes, deep) < 1 or least > n_weights:
        raise ValueError(f"{n_weights} weights are not those of {config}")


def spec(*shape: int | None, dtype: str = "float32") -> Any:
    return backend.spec(shape, dtype)


class ByRows(Compiled):
    """A function of rows and of what they share, for any number of rows: a row's result depends on that row alone.

    The network always sees `n` rows, the last ones padded: its kernels may sum a row of more, or of fewer, in another
    order.
    """

    def __init__(self, function: Callable, shared: tuple, shape: tuple[int, ...], n: int) -> None:
        super().__init__(function, (*shared, spec(n, *shape)), each=True)
        self.n = n

    def __call__(self, *args: Any) -> np.ndarray:
        """Return the results as an array (n_rows, ...), float32; the last of `args` are the rows (n_rows, ...)."""
        *shared, rows = args
        padding = [(0, -len(rows) % self.n or self.n * (not len(rows)))] + [(0, 0)] * (rows.ndim - 1)
        stacks = np.pad(rows, padding).reshape(-1, self.n, *rows.shape[1:])
        step = max(1, ROWS_AT_ONCE // self.n)
        parts = [super(ByRows, self).__call__(*shared, stacks[i : i + step]) for i in range(0, len(stacks), step)]
        results = np.concatenate([keras.ops.convert_to_numpy(part) for part in parts])
        return results.reshape(-1, *results.shape[2:])[: len(rows)]
