"""The training step as a pure function, and the loop around it.

All that training changes is one `State` of flat vectors; all that it needs besides is data, hyper-parameters as
numbers, a seed and the step's index. So a compiled program serves every fit of the same configuration and shape
(cross-validation, grid search) without tracing again, a chunk that ended in NaN or Ctrl-C is simply dropped, and the
draws of a step do not depend on how steps were grouped into calls.
"""

from __future__ import annotations

import functools
import math
import random
import time
import warnings
from dataclasses import dataclass, field
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from sklearn.exceptions import ConvergenceWarning

from .augment import augment
from .losses import OBJECTIVES, class_loss
from .networks import ARCHITECTURES
from .one_pass import Weighting, anatomy, discriminator_gradients

CACHE_SIZE = 32  # compiled programs kept in the process; the least recently used one is dropped
INTERVAL = 10  # steps between two entries of the history
# Rows are padded to this, so that a row's result never depends on its neighbours. A multiple of 48, because the matrix
# kernels take 12, 24 or 48 rows at once and sum those left over in another order: of 64 rows the last differed.
INFERENCE_BATCH = 48
METRICS = (
    "generator_loss",
    "discriminator_loss",
    "penalty",
    "class_loss",
    "logit_gap",
    "sample_spread",
)


@dataclass(frozen=True)
class Configuration:
    """What a compiled program depends on: the key of the compile cache.

    `shape` is (height, width, channels) or (n_columns,); `n_classes` counts label columns (at least one).
    """

    architecture: str
    shape: tuple[int, ...]
    n_classes: int
    loss: str = "relativistic"
    latent_dim: int = 64
    width: int = 32
    augment: tuple[str, ...] = ()
    batch_size: int = 64
    adversarial: bool = True
    penalised: bool = True
    classified: bool = True
    class_steps: int = 0  # updates of the class head alone after each step of both players
    beta_1: float = 0.0

    @property
    def two_phase(self) -> bool:
        """Batch normalisation in the discriminator mixes rows, which rules the one-pass step out."""
        return self.architecture == "dcgan"


class Hyper(NamedTuple):
    """Numbers that may change without tracing again."""

    learning_rate: float
    r1_weight: float
    r2_weight: float
    adversarial_weight: float
    class_head_weight: float
    ema_decay: float


class Player(NamedTuple):
    """One network: flat weights, their moving average, Adam's two moments and count, BatchNorm's statistics."""

    weights: np.ndarray
    ema: np.ndarray
    first: np.ndarray
    second: np.ndarray
    updates: np.ndarray
    buffers: np.ndarray


class State(NamedTuple):
    """All that training changes."""

    generator: Player
    discriminator: Player
    step: np.ndarray


class Data(NamedTuple):
    """Encoded rows, one-hot labels (zeros: none), and the cumulative probability with which rows are drawn."""

    rows: np.ndarray
    labels: np.ndarray
    cumulative: np.ndarray


class Network:
    """A Keras model used as a function of one flat weight vector."""

    def __init__(self, model):
        self.model = model
        self.shapes = [tuple(v.shape) for v in model.trainable_variables]
        self.sizes = [int(np.prod(s)) for s in self.shapes]
        self.buffer_shapes = [tuple(v.shape) for v in model.non_trainable_variables]
        self.buffer_sizes = [int(np.prod(s)) for s in self.buffer_shapes]

    def unflatten(self, weights):
        """The flat vector as the list of the model's trainable weights."""
        return self._unflatten(weights, self.sizes, self.shapes)

    @staticmethod
    def _unflatten(flat, sizes, shapes):
        if not sizes:
            return []
        parts = tf.split(flat, sizes) if tf.is_tensor(flat) else np.split(flat, np.cumsum(sizes)[:-1])
        reshape = tf.reshape if tf.is_tensor(flat) else np.reshape
        return [reshape(part, shape) for part, shape in zip(parts, shapes, strict=True)]

    def __call__(self, weights, buffers, inputs, training):
        """Outputs and updated buffers."""
        outputs, updated = self.model.stateless_call(
            self._unflatten(weights, self.sizes, self.shapes),
            self._unflatten(buffers, self.buffer_sizes, self.buffer_shapes),
            inputs,
            training=training,
        )
        return outputs, tf.concat([tf.reshape(b, [-1]) for b in updated], 0) if updated else buffers

    def initial(self, rng: np.random.RandomState) -> Player:
        """He-normal kernels (He et al. 2015, arXiv 1502.01852, eq. 10), zero biases, unit norms; no global seed.

        A layer whose name begins with "small" starts at a tenth: the end of a residual branch.
        """
        values = []
        for variable, shape in zip(self.model.trainable_variables, self.shapes, strict=True):
            if variable.name == "kernel":
                transposed = "transpose" in variable.path
                fan_in = np.prod(shape[:-2]) * shape[-1 if transposed else -2] / (4 if transposed else 1)
                gain = 0.1 if "small" in variable.path else 1.0
                values.append(rng.standard_normal(shape) * gain * np.sqrt(1.0 / fan_in))
            else:
                values.append(np.full(shape, float(variable.name == "gamma")))
        weights = np.concatenate([v.ravel() for v in values]).astype(np.float32)
        buffers = [np.full(v.shape, float("variance" in v.name)) for v in self.model.non_trainable_variables]
        flat = np.concatenate([b.ravel() for b in buffers]) if buffers else np.zeros(0)
        zeros = np.zeros_like(weights)
        return Player(weights, weights, zeros, zeros, np.zeros((), np.int32), flat.astype(np.float32))

    def export(self, model, weights: np.ndarray, buffers: np.ndarray):
        """Write flat vectors into a Keras model of this architecture and return it."""
        for variable, value in zip(
            [*model.trainable_variables, *model.non_trainable_variables],
            [
                *self._unflatten(weights, self.sizes, self.shapes),
                *self._unflatten(buffers, self.buffer_sizes, self.buffer_shapes),
            ],
            strict=True,
        ):
            variable.assign(value)
        return model


def spread(fake: tf.Tensor, real: tf.Tensor) -> tf.Tensor:
    """Standard deviation over the batch, mean over pixels, of samples relative to data: near 0 on collapse."""
    deviation = tf.reduce_mean(tf.math.reduce_std(fake, 0))
    return deviation / (tf.reduce_mean(tf.math.reduce_std(real, 0)) + 1e-6)


def adam(player: Player, gradient, hyper, beta_1: float, averaged: bool, buffers=None) -> Player:
    """One update (Kingma and Ba 2015, arXiv 1412.6980, algorithm 1; beta_2 = 0.99), then the moving average."""
    beta_2 = 0.99
    first = beta_1 * player.first + (1.0 - beta_1) * gradient
    second = beta_2 * player.second + (1.0 - beta_2) * tf.square(gradient)
    updates = player.updates + 1
    t = tf.cast(updates, gradient.dtype)
    scale = tf.sqrt(1.0 - beta_2**t) / (1.0 - beta_1**t)
    weights = player.weights - hyper.learning_rate * scale * first / (tf.sqrt(second) + 1e-8)
    decay = tf.minimum(hyper.ema_decay, t / (t + 10.0)) if averaged else tf.zeros_like(t)
    ema = decay * player.ema + (1.0 - decay) * weights
    return Player(weights, ema, first, second, updates, player.buffers if buffers is None else buffers)


class Program:
    """The compiled functions of one configuration: `advance`, `generate`, `represent`."""

    metrics = METRICS
    loss_shown = "discriminator_loss"  # what Keras callbacks see as "loss"
    advice_on_divergence = "Lower learning_rate or raise penalty_weight."

    def __init__(self, config: Configuration):
        self.config = config
        self.subject = f"with loss={config.loss!r}"
        build_generator, build_discriminator = ARCHITECTURES[config.architecture]
        self.generator = Network(self._build(build_generator, config.latent_dim))
        self.discriminator = Network(self._build(build_discriminator))
        self.body = None if config.two_phase else anatomy(self.discriminator.model)
        # As partials: TensorFlow counts tracings by code, and would take a grid of configurations for needless ones.
        partial = functools.partial
        self.advance = tf.function(partial(self._advance), input_signature=self._signature(), jit_compile=False)
        self.generate = tf.function(partial(self._generate))
        self.represent = tf.function(partial(self._represent))

    @property
    def active_metrics(self) -> tuple[str, ...]:
        """`metrics` without those of losses that are switched off, which stay 0."""
        config = self.config
        heard = METRICS if config.adversarial else ("class_loss",)
        silent = {"class_loss": not config.classified, "penalty": not config.penalised}
        return tuple(name for name in heard if not silent.get(name, False))

    def _build(self, builder, *more):
        """A Keras model. Its initial weights, which nobody uses, come from Python's global generator: put that back."""
        before = random.getstate()
        try:
            return builder(self.config.shape, self.config.n_classes, self.config.width, *more)
        finally:
            random.setstate(before)

    def _signature(self) -> tuple:
        """Types of the arguments of `_advance`: any number of rows, so that other folds of a set do not trace again."""

        def tensor(*shape, dtype="float32"):
            return tf.TensorSpec(shape, dtype)

        def player(network):
            weights = tensor(sum(network.sizes))
            return Player(weights, weights, weights, weights, tensor(dtype="int32"), tensor(sum(network.buffer_sizes)))

        state = State(player(self.generator), player(self.discriminator), tensor(dtype="int32"))
        data = Data(tensor(None, *self.config.shape), tensor(None, self.config.n_classes), tensor(None))
        hyper = Hyper(*(tensor() for _ in Hyper._fields))
        return state, data, hyper, tensor(2, dtype="int32"), tensor(dtype="int32")

    def initial_state(self, rng: np.random.RandomState) -> State:
        return State(self.generator.initial(rng), self.discriminator.initial(rng), np.zeros((), np.int32))

    def export_models(self, state: State):
        """New Keras models (generator, discriminator) that hold the averaged weights."""
        build_generator, build_discriminator = ARCHITECTURES[self.config.architecture]
        g, d = state.generator, state.discriminator
        generator = self.generator.export(self._build(build_generator, self.config.latent_dim), g.ema, g.buffers)
        return generator, self.discriminator.export(self._build(build_discriminator), d.ema, d.buffers)

    def _generate(self, weights, buffers, noise, labels):
        return self.generator(weights, buffers, [noise, labels], False)[0]

    def _represent(self, weights, buffers, rows):
        labels = tf.zeros((tf.shape(rows)[0], self.config.n_classes), rows.dtype)
        _, class_logits, *blocks = self.discriminator(weights, buffers, [rows, labels], False)[0]
        return class_logits, blocks

    def _advance(self, state: State, data: Data, hyper: Hyper, seed, n_steps):
        """`n_steps` steps; returns the new state and the metrics' means."""
        zero = tuple(tf.zeros((), state.generator.weights.dtype) for _ in METRICS)

        def body(i, state, sums):
            state, metrics = self._step(state, data, hyper, tf.random.experimental.stateless_fold_in(seed, state.step))
            return i + 1, state, tuple(s + metrics[name] for name, s in zip(METRICS, sums, strict=True))

        _, state, sums = tf.while_loop(lambda i, *_: i < n_steps, body, (0, state, zero), parallel_iterations=1)
        return state, tf.stack(sums) / tf.cast(n_steps, zero[0].dtype)

    def _draw(self, data: Data, seed, n: int):
        """`n` real rows and their labels, noise, and a key for what follows."""
        dtype = data.rows.dtype
        keys = tf.unstack(tf.random.experimental.stateless_split(seed, 3))
        picks = tf.searchsorted(
            data.cumulative, tf.random.stateless_uniform((n,), keys[0], dtype=data.cumulative.dtype)
        )
        noise = tf.random.stateless_normal((n, self.config.latent_dim), keys[1], dtype=dtype)
        return tf.gather(data.rows, picks), tf.gather(data.labels, picks), noise, keys[2]

    def _step(self, state: State, data: Data, hyper: Hyper, seed):
        """One update of both players, then `class_steps` of the class head alone."""
        config, metrics = self.config, {}
        if config.adversarial:
            update = self._two_phase_step if config.two_phase else self._one_pass_step
            state, metrics = update(state, hyper, *self._draw(data, seed, config.batch_size))
        d, value = self._class_updates(state.discriminator, data, hyper, seed)
        state = State(state.generator, d, state.step + 1)
        if not config.adversarial:
            metrics = {**dict.fromkeys(METRICS, tf.zeros_like(value)), "class_loss": value}
        return state, metrics

    def _one_pass_step(self, state: State, hyper: Hyper, real, labels, noise, key):
        g, d = state.generator, state.discriminator
        with tf.GradientTape() as tape:
            tape.watch(g.weights)
            fake, _ = self.generator(g.weights, g.buffers, [noise, labels], True)
            rows = augment(tf.concat([real, fake], 0), self.config.augment, key)
        gradients, pull, metrics = discriminator_gradients(
            self.body, self.discriminator.unflatten(d.weights), rows, labels, self.config.loss, self._weighting(hyper)
        )
        pull = tf.concat([tf.zeros_like(pull), pull], 0)
        gradient_g = tape.gradient(rows, g.weights, output_gradients=pull)
        gradient_d = tf.concat([tf.reshape(v, [-1]) for v in gradients], 0)
        metrics["sample_spread"] = spread(fake, real)
        return State(
            adam(g, gradient_g, hyper, self.config.beta_1, True),
            adam(d, gradient_d, hyper, self.config.beta_1, True),
            state.step,
        ), metrics

    def _weighting(self, hyper: Hyper) -> Weighting:
        return Weighting(
            hyper.adversarial_weight,
            hyper.class_head_weight,
            hyper.r1_weight,
            hyper.r2_weight,
            self.config.penalised,
            self.config.classified,
        )

    def _class_updates(self, d: Player, data: Data, hyper: Hyper, seed):
        """Updates of the discriminator by its class head alone, on batches of their own, half as large.

        Half the rows teach as much an update as all of them (docs/benchmarks.md). Without an adversary there is one
        more update, so that an ablation makes as many.
        """
        n = max(1, self.config.batch_size // 2)
        n_updates = self.config.class_steps + (not self.config.adversarial)
        value = tf.zeros((), d.weights.dtype)
        if n_updates == 0:
            return d, value

        def body(i, d, _):
            real, labels, _, key = self._draw(data, tf.random.experimental.stateless_fold_in(seed, i + 1), n)
            return i + 1, *self._class_update(d, hyper, real, labels, key)

        return tf.while_loop(lambda i, *_: i < n_updates, body, (0, d, value), parallel_iterations=1)[1:]

    def _class_update(self, d: Player, hyper: Hyper, real, labels, key):
        with tf.GradientTape() as tape:
            tape.watch(d.weights)
            rows = augment(real, self.config.augment, key)
            (_, class_logits, *_), buffers = self.discriminator(d.weights, d.buffers, [rows, labels], True)
            value = tf.reduce_mean(class_loss(class_logits, labels))
            loss = hyper.class_head_weight * value
        gradient = tape.gradient(loss, d.weights)
        return adam(d, gradient, hyper, self.config.beta_1, not self.config.two_phase, buffers), value

    def _two_phase_step(self, state: State, hyper: Hyper, real, labels, noise, key):
        """The classic alternation, each phase with forward passes of its own: discriminator, then generator."""
        g, d = state.generator, state.discriminator
        objective = OBJECTIVES[self.config.loss]

        def discriminate(weights, buffers, rows, salt):
            rows = augment(rows, self.config.augment, tf.random.experimental.stateless_fold_in(key, salt))
            (logits, class_logits, *_), buffers = self.discriminator(weights, buffers, [rows, labels], True)
            return logits, class_logits, buffers

        fake, buffers_g = self.generator(g.weights, g.buffers, [noise, labels], True)
        with tf.GradientTape() as tape:
            tape.watch(d.weights)
            with tf.GradientTape() as slope_tape:
                slope_tape.watch([real, fake])
                real_logits, class_logits, buffers_d = discriminate(d.weights, d.buffers, real, 0)
                fake_logits, _, buffers_d = discriminate(d.weights, buffers_d, fake, 1)
                total = tf.reduce_sum(real_logits) + tf.reduce_sum(fake_logits)
            slopes = slope_tape.gradient(total, [real, fake])
            r1, r2 = (tf.reduce_mean(tf.reduce_sum(tf.square(s), [1, 2, 3])) for s in slopes)
            penalty = hyper.r1_weight * r1 + hyper.r2_weight * r2
            penalty = penalty if self.config.penalised else tf.stop_gradient(penalty)
            adversarial = tf.reduce_mean(objective.discriminator(real_logits, fake_logits))
            heads = tf.reduce_mean(class_loss(class_logits, labels))
            loss_d = hyper.adversarial_weight * (adversarial + penalty) + hyper.class_head_weight * heads
        d = adam(d, tape.gradient(loss_d, d.weights), hyper, self.config.beta_1, False, buffers_d)

        with tf.GradientTape() as tape:
            tape.watch(g.weights)
            fake, buffers_g = self.generator(g.weights, buffers_g, [noise, labels], True)
            trained_real_logits, *_ = discriminate(d.weights, buffers_d, real, 2)
            trained_fake_logits, *_ = discriminate(d.weights, buffers_d, fake, 3)
            loss_g = tf.reduce_mean(objective.generator(trained_real_logits, trained_fake_logits))
        g = adam(g, tape.gradient(loss_g, g.weights), hyper, self.config.beta_1, False, buffers_g)
        gap = tf.reduce_mean(real_logits) - tf.reduce_mean(fake_logits)
        metrics = (loss_g, adversarial, penalty, heads, gap, spread(fake, real))
        return State(g, d, state.step), dict(zip(METRICS, metrics, strict=True))


@functools.lru_cache(maxsize=CACHE_SIZE)
def compiled_program(config: Configuration) -> Program:
    """The program of a configuration, traced at most once while it is among the last `CACHE_SIZE` used."""
    return Program(config)


@dataclass
class Run:
    """How long to train and whom to tell; `max_iter` more steps, or `max_time` seconds, whichever ends first."""

    max_iter: int
    max_time: float | None = None
    verbose: int = 0
    callbacks: list | None = None
    history: dict[str, list] = field(default_factory=dict)


def train(program: Program, state: State, data: Data, hyper: Hyper, seed: int, run: Run) -> State:
    """Advance a GAN's `state` by the steps of `run`; see `loop`."""
    data = Data(*(tf.constant(part) for part in data))
    hyper = Hyper(*(tf.constant(value, data.rows.dtype) for value in hyper))
    key = tf.constant([seed, 0], tf.int32)
    return loop(program, state, lambda state, n, _: program.advance(state, data, hyper, key, tf.constant(n)), run)


def loop(program, state: State, advance, run: Run) -> State:
    """Advance `state` by the steps of `run`, adding to its history; stops early on a budget, callback, NaN or Ctrl-C.

    `advance(state, n_steps, progress)` returns the state after `n_steps` and the means of `program.metrics`; `progress`
    is the share of the budget used before, from 0 to 1. The state returned is always finite: a chunk of steps that
    ended in NaN or was interrupted is dropped.
    """
    started, done, spent, goes_on = time.monotonic(), 0, 0.0, run.max_iter > 0
    for name in ("step", *program.metrics):
        run.history.setdefault(name, [])
    bar = _ProgressBar(program, run.max_iter) if run.verbose else None
    listeners = _Listeners(program, run.callbacks)
    try:
        while goes_on:
            n_steps = min(INTERVAL, run.max_iter - done)
            advanced, means = advance(state, n_steps, max(done / run.max_iter, spent))
            values = dict(zip(program.metrics, means.numpy().tolist(), strict=True))
            if not np.isfinite(list(values.values())).all() or not is_finite(advanced):
                _warn_of_divergence(int(state.step), program)
                break
            state, done = advanced, done + n_steps
            _record(run.history, int(state.step), values)
            listeners.tell(state, values)
            spent = 0.0 if run.max_time is None else (time.monotonic() - started) / run.max_time
            goes_on = done < run.max_iter and spent < 1.0 and not listeners.stopped
            if bar:
                bar.update(done, spent, values, is_last=not goes_on)
    except KeyboardInterrupt:
        warnings.warn(
            f"Training was interrupted at step {int(state.step)}; going on with what was learned so far.",
            ConvergenceWarning,
            stacklevel=7,
        )
    listeners.end()
    return tf.nest.map_structure(np.asarray, state)


def is_finite(state: State) -> bool:
    """Whether both networks can be used: the last step of a chunk may overflow without a trace in its losses."""
    parts = [part for player in state[:2] for part in (player.weights, player.buffers)]
    return all(bool(tf.reduce_all(tf.math.is_finite(part))) for part in parts)


def _record(history: dict[str, list], step: int, values: dict[str, float]) -> None:
    for name, value in {"step": step, **values}.items():
        history[name].append(value)


def _warn_of_divergence(step: int, program) -> None:
    warnings.warn(
        f"Training {program.subject} diverged after step {step}: a loss is not finite. Going on with the last finite "
        f"weights. {program.advice_on_divergence}",
        ConvergenceWarning,
        stacklevel=8,
    )


class _ProgressBar:
    """The steps taken, those to come, the time left, and the losses that there are."""

    def __init__(self, program: Program, max_iter: int):
        self.names, self.max_iter = program.active_metrics, max_iter
        self.bar = keras.utils.Progbar(max_iter, stateful_metrics=list(self.names))

    def update(self, done: int, spent: float, values: dict[str, float], *, is_last: bool) -> None:
        """Show `done` steps, which took the share `spent` of the time that there is.

        Where time will end training before `max_iter` steps, the total is what it will suffice for at the speed so far;
        Keras reckons with that speed too, so the time left that it shows is what is left of the budget.
        """
        if spent > 0.0:
            self.bar.target = min(self.max_iter, max(done, math.ceil(done / spent)))
        self.bar.update(done, [(name, values[name]) for name in self.names], finalize=is_last)


class _Listeners:
    """Keras callbacks around the loop: an entry of the history is their epoch, the pair of networks their model."""

    def __init__(self, program: Program, callbacks: list | None):
        self.callbacks = None
        if callbacks:
            self.program = program
            self.model = _Pair(*program.export_models(program.initial_state(np.random.RandomState(0))))
            self.callbacks = keras.callbacks.CallbackList(list(callbacks), model=self.model)
            self.callbacks.on_train_begin()
            self.epoch = 0

    @property
    def stopped(self) -> bool:
        return self.callbacks is not None and bool(self.model.stop_training)

    def tell(self, state: State, values: dict[str, float]) -> None:
        if self.callbacks is None:
            return
        state = tf.nest.map_structure(np.asarray, state)
        for network, model, player in (
            (self.program.generator, self.model.generator, state.generator),
            (self.program.discriminator, self.model.discriminator, state.discriminator),
        ):
            if network is not None:
                network.export(model, player.ema, player.buffers)
        self.callbacks.on_epoch_begin(self.epoch)
        self.callbacks.on_epoch_end(self.epoch, {**values, "loss": values[self.program.loss_shown]})
        self.epoch += 1

    def end(self) -> None:
        if self.callbacks is not None:
            self.callbacks.on_train_end()


class _Pair(keras.Model):
    """What callbacks see as `self.model`: its `generator` and `discriminator` hold the current averaged weights.

    `discriminator` is None where training has none.
    """

    def __init__(self, generator, discriminator):
        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        self.stop_training = False

    def call(self, inputs):
        """Generate rows from [noise, labels]."""
        return self.generator(inputs)
