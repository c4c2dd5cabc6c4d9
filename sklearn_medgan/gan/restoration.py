"""Training of a network that restores rows, with the adversary of the GAN engine beside the fidelity loss.

The generator is a restorer of `restorers`. State, optimiser, loop and discriminator are those of the GAN.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import keras
import numpy as np
from keras import ops

from .backends import ALONE, Tensor, Workers, backend
from .environment import Compiled, check_environment, own_settings
from .loop import Advance, Outcome, Run, loop
from .networks import conv_discriminator
from .one_pass import Weighting, discriminator_gradients
from .program import CACHE_SIZE, Program, initial_player, spec
from .restorers import image_restorer, table_restorer
from .sharing import check_alike, check_shares
from .state import BETA_2, State, adam

ADVERSARIAL_METRICS = ("generator_loss", "discriminator_loss", "penalty")
METRICS = ("fidelity_loss", "spread_loss", "psnr", "gain", *ADVERSARIAL_METRICS)
BETA_1 = 0.9  # of the restorer; the discriminator takes 0, as in the GAN
FLOOR = 1e-4  # mean squared error, in fractions of the scale, below which less is to be gained: 40 dB
LARGEST_GRADIENT = 1.0  # norm at which the restorer's gradient is cut
SMALLEST_SPREAD = 1e-4
USUAL_SPREAD = -4.0  # softplus of it, 0.018 of the scale, is where training begins
LOSS = "relativistic"
WARM_UP = 100  # steps in which the learning rate rises
EMA_DECAY = 0.99  # a longer memory lags behind: 0.998 cost 1 to 2 dB after 1,200 steps
PENALTY_WEIGHT = 0.02  # R1 and R2, for patches
ADVERSARIAL_FROM = 0.6  # share of the budget after which the restorer hears the discriminator


@dataclass(frozen=True)
class RestorerConfiguration:
    """What a compiled program depends on. `shape` is (patch, patch, channels) or (n_columns,)."""

    shape: tuple[int, ...]
    width: int = 32
    depth: int = 8
    batch_size: int = 8
    adversarial: bool = False


class RestorerHyper(NamedTuple):
    """Numbers that may change without tracing again."""

    learning_rate: float
    adversarial_weight: float
    penalty_weight: float
    ema_decay: float


class RestorerProgram(Program):
    """The compiled functions of one configuration: `advance`, `restore`, `restore_with_spread`."""

    metrics: ClassVar[tuple[str, ...]] = METRICS
    loss_shown: ClassVar[str] = "fidelity_loss"
    betas: ClassVar[tuple[float, float]] = (BETA_1, BETA_2)

    def __init__(self, config: RestorerConfiguration, workers: Workers = ALONE) -> None:
        self.config = config
        with own_settings(), backend.untold_variables():
            if not self.is_image:
                super().__init__(table_restorer(config.shape[0], config.width), None, workers)
            else:
                adversary = conv_discriminator(config.shape, 1, config.width) if config.adversarial else None
                super().__init__(image_restorer(config.shape[2], config.width, config.depth), adversary, workers)
        state, batches = self.state_signature(), spec(None, config.batch_size, *config.shape)
        hyper = RestorerHyper(*(spec() for _ in RestorerHyper._fields))
        self.advance = Compiled(self._advance, (state, spec(len(METRICS)), batches, batches, hyper), workers=workers)
        any_size = (None, None, config.shape[2]) if self.is_image else config.shape
        signature = state.generator.ema, spec(None, *any_size)
        self.restore = Compiled(self._restore, signature)
        self.restore_with_spread = Compiled(self._restore_with_spread, signature)

    @property
    def active_metrics(self) -> tuple[str, ...]:
        return METRICS if self.config.adversarial else METRICS[: -len(ADVERSARIAL_METRICS)]

    def has_exploded(self, values: dict[str, float]) -> bool:
        """Tell whether errors are a thousand times the scale of the data, or the adversary's losses are such."""
        return values["psnr"] < -60.0 or any(abs(values[name]) > 1e3 for name in ADVERSARIAL_METRICS[:2])

    @property
    def is_image(self) -> bool:
        return len(self.config.shape) == 3

    def joined(self, generator: keras.Model, discriminator: keras.Model | None) -> tuple[Any, Any]:
        """Return inputs and outputs of a model: poor rows to [restored, raw spread], or to what the adversary says."""
        poor = keras.Input(self.config.shape)
        if discriminator is None:
            return poor, generator(poor)
        labels = keras.Input((1,))
        return [poor, labels], discriminator([generator(poor)[0], labels])

    def initial_state(self, rng: np.random.RandomState, pretrained: np.ndarray | None = None) -> State:
        """Return weights drawn at random, or for the restorer those given."""
        discriminator, generator = (initial_player(network, rng) for network in reversed(self.networks))
        if pretrained is not None:
            generator = generator._replace(weights=pretrained, ema=pretrained)
        return State(generator, discriminator, np.zeros((), np.int32))

    def _restore(self, weights: Tensor, rows: Tensor) -> Tensor:
        return self.generator(weights, ops.zeros((0,), "float32"), rows, False)[0][0]

    def _restore_with_spread(self, weights: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        restored, raw_spread = self.generator(weights, ops.zeros((0,), "float32"), rows, False)[0]
        return restored, spread_of(raw_spread)

    def _advance(
        self, state: State, sums: Tensor, poor: Tensor, good: Tensor, hyper: RestorerHyper
    ) -> tuple[State, Tensor]:
        """Take a step for each batch of `poor` and `good`, adding their metrics to `sums`."""
        return self.repeat(lambda i, state: self._step(state, poor[i], good[i], hyper), ops.shape(poor)[0], state, sums)

    def _step(self, state: State, poor: Tensor, good: Tensor, hyper: RestorerHyper) -> tuple[State, dict[str, Tensor]]:
        """Update both networks; a worker by its share of the rows."""
        g, d = state.generator, state.discriminator
        poor, good = map(self.workers.share, (poor, good))
        values = dict.fromkeys(METRICS, ops.zeros((), "float32"))
        one = ops.ones((), "float32")

        def losses(weights: Tensor) -> tuple[tuple[Tensor, Tensor, Tensor], tuple[Tensor]]:
            (restored, raw_spread), _ = self.generator(weights, ops.zeros((0,), "float32"), poor, True)
            error = mean_squares(restored - good)
            fidelity = ops.mean(ops.log(error + FLOOR))
            return (fidelity, restored, laplace_loss(ops.stop_gradient(restored - good), raw_spread)), (error,)

        (fidelity, restored, spread_loss), (error,), pull_back = backend.pullback(losses, g.weights)
        of_adversary = None
        if self.config.adversarial:
            assert self.discriminator is not None
            assert self.body is not None
            weighting = Weighting(1.0, 0.0, hyper.penalty_weight, hyper.penalty_weight, True, False)
            labels = ops.zeros((good.shape[0], 1), "float32")
            weights = self.discriminator.unflatten(d.weights)
            rows = ops.concatenate([good, restored])
            gradients, pull, found = discriminator_gradients(self.body, weights, rows, labels, LOSS, weighting)
            values.update({name: found[name] for name in ADVERSARIAL_METRICS})
            gradient = self.workers.mean(ops.concatenate([ops.reshape(v, [-1]) for v in gradients]))
            d = adam(d, gradient, hyper, 0.0, True)
            of_adversary = hyper.adversarial_weight * pull
        # The head of the spread has weights of its own: neither loss shall cut the other's gradient.
        both = *pull_back([one, of_adversary, None]), *pull_back([None, None, one])
        both = self.workers.mean(both)
        gradient = sum(part / ops.maximum(ops.sqrt(ops.sum(part * part)) / LARGEST_GRADIENT, 1.0) for part in both)
        before = mean_squares(poor - good)
        psnr, psnr_before = (-10.0 * ops.mean(ops.log(m + 1e-10)) / np.log(10.0) for m in (error, before))
        values.update(fidelity_loss=fidelity, spread_loss=spread_loss, psnr=psnr, gain=psnr - psnr_before)
        return State(adam(g, gradient, hyper, BETA_1, True), d, state.step + 1), self.workers.mean(values)


def mean_squares(difference: Tensor) -> Tensor:
    """Return the mean square of each row, shape (n,)."""
    return ops.mean(ops.square(difference), list(range(1, len(difference.shape))))


def spread_of(raw_spread: Tensor) -> Tensor:
    """Return the Laplace scale of the error at each value, from what the network says of it; it cannot overflow."""
    return ops.softplus(raw_spread + USUAL_SPREAD) + SMALLEST_SPREAD


def laplace_loss(error: Tensor, raw_spread: Tensor) -> Tensor:
    """Return the negative log likelihood of a Laplace density, less a constant.

    Kendall and Gal 2017, arXiv 1703.04977, eq. 5.
    """
    spread = spread_of(raw_spread)
    return ops.mean(ops.abs(error) / spread + ops.log(spread))


Draw = Callable[[int], tuple[np.ndarray, np.ndarray]]  # so many new poor rows, and their good versions


def train_restorer(
    program: RestorerProgram, state: State, draw: Draw, learning_rate: float, adversarial_weight: float, run: Run
) -> Outcome:
    """Advance `state` by the steps of `run` on pairs drawn anew; see `loop`."""
    config, first = program.config, int(state.step)
    check_shares(program.workers, config.batch_size)
    check_alike(program.workers, (state, learning_rate, adversarial_weight, run.max_iter))

    def plan(step: int, n_steps: int, progress: float) -> tuple[float, Advance]:
        drawn = draw(n_steps * config.batch_size)
        poor, good = (rows.reshape(n_steps, config.batch_size, *config.shape) for rows in drawn)
        rate = learning_rate * min(1.0, (step - first + n_steps) / min(WARM_UP, run.max_iter))
        rate *= 0.5 + 0.5 * np.cos(np.pi * progress)
        weight = adversarial_weight if progress >= ADVERSARIAL_FROM else 0.0

        def advance(state: State, sums: Tensor, start: int, stop: int, rate: float) -> tuple[State, Tensor]:
            hyper = RestorerHyper(rate, weight, PENALTY_WEIGHT, EMA_DECAY)
            constants = RestorerHyper(*(ops.convert_to_tensor(value, "float32") for value in hyper))
            size = stop - start if backend.ANY_LENGTH else 1
            for first in range(start, stop, size):
                rows = (ops.convert_to_tensor(part[first : first + size], "float32") for part in (poor, good))
                state, sums = program.advance(state, sums, *rows, constants)
            return state, sums

        return float(rate), advance

    return loop(program, state, plan, learning_rate, run)


@functools.lru_cache(maxsize=CACHE_SIZE)
def _program_of(config: RestorerConfiguration, workers: Workers) -> RestorerProgram:
    return RestorerProgram(config, workers)


def compiled_restorer(config: RestorerConfiguration) -> RestorerProgram:
    """Return the program of a configuration, traced at most once while it is among the last `CACHE_SIZE` used."""
    check_environment()
    return _program_of(config, backend.workers())
