"""Training of a network that restores rows, with the adversary of the GAN engine beside the fidelity loss.

The generator is a restorer (`networks.image_restorer`, `networks.table_restorer`) that maps poor rows to better ones
and to the spread of its own errors. Its state, optimiser, loop and discriminator are those of `training`.
"""

from __future__ import annotations

import functools
import random
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from .networks import conv_discriminator, image_restorer, table_restorer
from .one_pass import Weighting, anatomy, discriminator_gradients
from .training import CACHE_SIZE, Network, Player, State, adam, loop

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


class RestorerProgram:
    """The compiled functions of one configuration: `advance`, `restore`, `restore_with_spread`."""

    metrics = METRICS
    loss_shown = "fidelity_loss"
    subject = "of the enhancer"
    advice_on_divergence = "Lower learning_rate."

    def __init__(self, config: RestorerConfiguration):
        self.config = config
        generator, discriminator = self._build()
        self.generator = Network(generator)
        self.discriminator = None if discriminator is None else Network(discriminator)
        self.body = None if discriminator is None else anatomy(discriminator)
        partial = functools.partial  # TensorFlow counts tracings by code: see training.Program
        self.advance = tf.function(partial(self._advance), input_signature=self._signature(), jit_compile=False)
        rows = tf.TensorSpec((None, *self._any_size()), tf.float32)
        weights = tf.TensorSpec((sum(self.generator.sizes),), tf.float32)
        self.restore = tf.function(partial(self._restore, 1), input_signature=(weights, rows))
        self.restore_with_spread = tf.function(partial(self._restore, 2), input_signature=(weights, rows))

    @property
    def active_metrics(self) -> tuple[str, ...]:
        """`metrics` without those of an adversary that there is not, which stay 0."""
        return METRICS if self.config.adversarial else METRICS[: -len(ADVERSARIAL_METRICS)]

    @property
    def is_image(self) -> bool:
        return len(self.config.shape) == 3

    def _any_size(self) -> tuple:
        return (None, None, self.config.shape[2]) if self.is_image else self.config.shape

    def _build(self):
        """Keras models (restorer, discriminator or None); their initial weights are not used."""
        config, before = self.config, random.getstate()
        try:
            if not self.is_image:
                return table_restorer(config.shape[0], config.width), None
            restorer = image_restorer(config.shape[2], config.width, config.depth)
            return restorer, conv_discriminator(config.shape, 1, config.width) if config.adversarial else None
        finally:
            random.setstate(before)

    def _signature(self) -> tuple:
        def tensor(*shape, dtype="float32"):
            return tf.TensorSpec(shape, dtype)

        def player(network):
            weights = tensor(0 if network is None else sum(network.sizes))
            return Player(weights, weights, weights, weights, tensor(dtype="int32"), tensor(0))

        state = State(player(self.generator), player(self.discriminator), tensor(dtype="int32"))
        rows = tensor(None, self.config.batch_size, *self.config.shape)
        return state, rows, rows, RestorerHyper(*(tensor() for _ in RestorerHyper._fields))

    def initial_state(self, rng: np.random.RandomState, pretrained: np.ndarray | None = None) -> State:
        """Weights drawn at random, or for the restorer those given."""
        nothing = np.zeros(0, np.float32)
        absent = Player(nothing, nothing, nothing, nothing, np.zeros((), np.int32), nothing)
        discriminator = absent if self.discriminator is None else self.discriminator.initial(rng)
        generator = self.generator.initial(rng)
        if pretrained is not None:
            generator = generator._replace(weights=pretrained, ema=pretrained)
        return State(generator, discriminator, np.zeros((), np.int32))

    def export_models(self, state: State):
        """New Keras models (restorer, discriminator or None) that hold the averaged weights."""
        pairs = zip((self.generator, self.discriminator), self._build(), state[:2], strict=True)
        return tuple(None if n is None else n.export(model, p.ema, p.buffers) for n, model, p in pairs)

    def _restore(self, n_outputs: int, weights, rows):
        outputs, _ = self.generator(weights, tf.zeros((0,)), rows, False)
        return outputs[0] if n_outputs == 1 else (outputs[0], spread_of(outputs[1]))

    def _advance(self, state: State, poor, good, hyper: RestorerHyper):
        """A step for each batch of `poor` and `good`; returns the new state and the metrics' means."""
        n_steps = tf.shape(poor)[0]

        def body(i, state, sums):
            state, values = self._step(state, poor[i], good[i], hyper)
            return i + 1, state, tuple(s + values[name] for name, s in zip(METRICS, sums, strict=True))

        zero = tuple(tf.zeros(()) for _ in METRICS)
        _, state, sums = tf.while_loop(lambda i, *_: i < n_steps, body, (0, state, zero), parallel_iterations=1)
        return state, tf.stack(sums) / tf.cast(n_steps, tf.float32)

    def _step(self, state: State, poor, good, hyper: RestorerHyper):
        g, d = state.generator, state.discriminator
        values = dict.fromkeys(METRICS, tf.zeros(()))
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(g.weights)
            (restored, raw_spread), _ = self.generator(g.weights, tf.zeros((0,)), poor, True)
            error = mean_squares(restored - good)
            fidelity = tf.reduce_mean(tf.math.log(error + FLOOR))
            spread_loss = laplace_loss(tf.stop_gradient(restored - good), raw_spread)
        targets, pulls = [fidelity], [tf.ones(())]
        if self.config.adversarial:
            weighting = Weighting(1.0, 0.0, hyper.penalty_weight, hyper.penalty_weight, True, False)
            labels = tf.zeros((self.config.batch_size, 1))
            weights = self.discriminator.unflatten(d.weights)
            rows = tf.concat([good, restored], 0)
            gradients, pull, found = discriminator_gradients(self.body, weights, rows, labels, LOSS, weighting)
            values.update({name: found[name] for name in ADVERSARIAL_METRICS})
            d = adam(d, tf.concat([tf.reshape(v, [-1]) for v in gradients], 0), hyper, 0.0, True)
            targets, pulls = [fidelity, restored], [tf.ones(()), hyper.adversarial_weight * pull]
        # The head of the spread has weights of its own: neither loss shall cut the other's gradient.
        gradients = tape.gradient(targets, g.weights, pulls), tape.gradient(spread_loss, g.weights)
        gradient = sum(tf.clip_by_norm(part, LARGEST_GRADIENT) for part in gradients)
        before = mean_squares(poor - good)
        psnr, psnr_before = (-10.0 * tf.reduce_mean(tf.math.log(m + 1e-10)) / np.log(10.0) for m in (error, before))
        values.update(fidelity_loss=fidelity, spread_loss=spread_loss, psnr=psnr, gain=psnr - psnr_before)
        return State(adam(g, gradient, hyper, BETA_1, True), d, state.step + 1), values


def mean_squares(difference):
    """Mean square of each row, shape (n,)."""
    return tf.reduce_mean(tf.square(difference), list(range(1, difference.shape.rank)))


def spread_of(raw_spread):
    """Laplace scale of the error at each value, from what the network says of it; it cannot overflow."""
    return tf.nn.softplus(raw_spread + USUAL_SPREAD) + SMALLEST_SPREAD


def laplace_loss(error, raw_spread):
    """Negative log likelihood of a Laplace density, less a constant (Kendall and Gal 2017, arXiv 1703.04977, eq. 5)."""
    spread = spread_of(raw_spread)
    return tf.reduce_mean(tf.abs(error) / spread + tf.math.log(spread))


def run_restorer(program: RestorerProgram, state: State, pairs, learning_rate: float, adversarial_weight: float, run):
    """Advance `state` by the steps of `run` on pairs drawn anew; see `training.loop`."""
    config, first = program.config, int(state.step)

    def advance(state, n_steps, progress):
        drawn = pairs.draw(n_steps * config.batch_size)
        poor, good = (tf.constant(rows.reshape(n_steps, config.batch_size, *config.shape)) for rows in drawn)
        rate = learning_rate * min(1.0, (int(state.step) - first + n_steps) / min(WARM_UP, run.max_iter))
        rate *= 0.5 + 0.5 * np.cos(np.pi * progress)
        weight = adversarial_weight if progress >= ADVERSARIAL_FROM else 0.0
        hyper = RestorerHyper(rate, weight, PENALTY_WEIGHT, EMA_DECAY)
        return program.advance(state, poor, good, RestorerHyper(*(tf.constant(v, tf.float32) for v in hyper)))

    return loop(program, state, advance, run)


@functools.lru_cache(maxsize=CACHE_SIZE)
def compiled_restorer(config: RestorerConfiguration) -> RestorerProgram:
    """The program of a configuration, traced at most once while it is among the last `CACHE_SIZE` used."""
    return RestorerProgram(config)
