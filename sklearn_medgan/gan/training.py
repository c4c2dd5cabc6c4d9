"""The training step of the GAN as a pure function, compiled once for each configuration.

All that training changes is one `State` of flat vectors; all that it needs besides is data, hyper-parameters as
numbers, a seed and the step's index. So a compiled program serves every fit of the same configuration and shape
(cross-validation, grid search) without tracing again, a chunk that ended in NaN or Ctrl-C is simply dropped, and the
draws of a step do not depend on how steps were grouped into calls.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import keras
import numpy as np
from keras import ops

from .augment import augment
from .backends import ALONE, Tensor, Workers, backend, value_and_gradients
from .environment import Compiled, check_environment, own_settings
from .flat import FlatNetwork
from .loop import Advance, Outcome, Run, loop
from .losses import OBJECTIVES, class_loss
from .networks import ARCHITECTURES
from .one_pass import Weighting, discriminator_gradients
from .program import CACHE_SIZE, ByRows, Program, spec
from .sharing import check_alike, check_shares
from .state import BETA_2, Player, State, Vector, adam
from .strided import even_phases

# Rows that networks take at once, whatever their number. A multiple of 48, because the matrix kernels take 12, 24 or 48
# rows and sum those left over in another order: of 64 rows the last differed. To a convolution each pixel is a row, so
# images go through the discriminator one by one: no kernel sees two, and one image does not wait for a group.
INFERENCE_BATCH, IMAGES_TO_COLUMNS = 48, 1
LARGEST_LOSS = 1e3  # sound ones stay below 100, those at 1000 times the learning rate begin above it
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
    def n_class_updates(self) -> int:
        """Return how many updates of the class head alone a step makes.

        Without an adversary there is one more, so that an ablation makes as many.
        """
        return self.class_steps + (not self.adversarial)

    @property
    def class_batch_size(self) -> int:
        """Return the rows of such an update: half teach as much as all of them (docs/benchmarks.md)."""
        return max(1, self.batch_size // 2)

    @property
    def two_phase(self) -> bool:
        """Tell whether batch normalisation in the discriminator mixes rows, which rules the one-pass step out."""
        return self.architecture == "dcgan"


class Hyper(NamedTuple):
    """Numbers that may change without tracing again.

    `augmented` is the probability with which each transform is applied to a row that both players learn from; rows of
    which the class head alone learns are always moved.
    """

    learning_rate: float
    r1_weight: float
    r2_weight: float
    adversarial_weight: float
    class_head_weight: float
    ema_decay: float
    augmented: float = 1.0


class Data(NamedTuple):
    """Encoded rows, one-hot labels (zeros: none), and the cumulative probability with which rows are drawn.

    Rows are an array, or anything that gives those of an array of places.
    """

    rows: Any
    labels: np.ndarray
    cumulative: np.ndarray


def spread(fake: Tensor, real: Tensor) -> Tensor:
    """Return the deviation of samples relative to data, near 0 on collapse: over the batch, mean over pixels."""
    deviation = ops.mean(ops.std(fake, 0))
    return deviation / (ops.mean(ops.std(real, 0)) + 1e-6)


class GANProgram(Program):
    """The compiled functions of one configuration: `advance`, `generate`, `represent`.

    `generate` takes weights, buffers and rows of noise with one-hot labels beside it. `represent` takes weights,
    buffers and rows; it returns the discriminator's blocks side by side, of `widths` columns.
    """

    metrics: ClassVar[tuple[str, ...]] = METRICS
    loss_shown: ClassVar[str] = "discriminator_loss"
    discriminator: FlatNetwork  # always there

    def __init__(self, config: Configuration, workers: Workers = ALONE) -> None:
        self.config = config
        build_generator, build_discriminator = ARCHITECTURES[config.architecture]
        sizes = config.shape, config.n_classes, config.width
        with own_settings(), backend.untold_variables():
            super().__init__(build_generator(*sizes, config.latent_dim), build_discriminator(*sizes), workers)
        state, labels = self.state_signature(), spec(None, config.n_classes)
        # Any number of rows, so that other folds of a set do not trace again.
        data, hyper = Data(spec(None, *config.shape), labels, spec(None)), Hyper(*(spec() for _ in Hyper._fields))
        numbers = spec(2, dtype="int32"), spec(dtype="int32")
        types = state, spec(len(METRICS)), data, hyper, *numbers
        self.advance = Compiled(self._advance, types, workers=workers)
        self.uniforms = Compiled(self._uniforms, numbers)
        g, d, n_inputs = state.generator, state.discriminator, config.latent_dim + config.n_classes
        self.generate = ByRows(self._generate, (g.ema, g.buffers), (n_inputs,), INFERENCE_BATCH)
        n = IMAGES_TO_COLUMNS if len(config.shape) == 3 else INFERENCE_BATCH
        self.represent = ByRows(self._represent, (d.ema, d.buffers), config.shape, n)
        self.widths = [block.shape[1] for block in self.discriminator.model.outputs[2:]]

    @property
    def betas(self) -> tuple[float, float]:
        """Return the decay rates of Adam's two moments."""
        return self.config.beta_1, BETA_2

    @property
    def active_metrics(self) -> tuple[str, ...]:
        """Return `metrics` without those of losses that are switched off, which stay 0."""
        config = self.config
        heard = METRICS if config.adversarial else ("class_loss",)
        silent = {"class_loss": not config.classified, "penalty": not config.penalised}
        return tuple(name for name in heard if not silent.get(name, False))

    def has_exploded(self, values: dict[str, float]) -> bool:
        """Tell whether a loss or the logit gap is beyond `LARGEST_LOSS`."""
        return any(abs(values[name]) > LARGEST_LOSS for name in METRICS if name not in ("penalty", "sample_spread"))

    def joined(self, generator: keras.Model, discriminator: keras.Model | None) -> tuple[Any, Any]:
        """Return inputs [noise, labels] and what the discriminator makes of the rows generated from them."""
        assert discriminator is not None
        inputs = [keras.Input((self.config.latent_dim,)), keras.Input((self.config.n_classes,))]
        return inputs, discriminator([generator(inputs), inputs[1]])

    def _generate(self, weights: Tensor, buffers: Tensor, inputs: Tensor) -> Tensor:
        n = self.config.latent_dim
        return self.generator(weights, buffers, [inputs[:, :n], inputs[:, n:]], False)[0]

    def _represent(self, weights: Tensor, buffers: Tensor, rows: Tensor) -> Tensor:
        labels = ops.zeros((rows.shape[0], self.config.n_classes), rows.dtype)
        return ops.concatenate(self.discriminator(weights, buffers, [rows, labels], False)[0][2:], 1)

    def _advance(
        self, state: State, sums: Tensor, data: Data, hyper: Hyper, seed: Tensor, n_steps: Tensor
    ) -> tuple[State, Tensor]:
        """Take `n_steps` steps, adding their metrics to `sums`."""

        def step(_: Tensor, state: State) -> tuple[State, dict[str, Tensor]]:
            return self._step(state, data, hyper, backend.fold_in(seed, state.step))

        return self.repeat(step, n_steps, state, sums)

    def _draw(self, data: Data, seed: Tensor, n: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Draw `n` real rows and their labels, noise, and a key for what follows; a worker takes its share of them."""
        dtype, share = data.rows.dtype, self.workers.share
        uniform, of_noise, key = self._keyed_uniform(seed, n, data.cumulative.dtype)
        picks = backend.searchsorted(data.cumulative, share(uniform))
        noise = share(backend.normal(of_noise, (n, self.config.latent_dim), dtype))
        return ops.take(data.rows, picks, 0), ops.take(data.labels, picks, 0), noise, key

    def _keyed_uniform(self, seed: Tensor, n: int, dtype: Any = "float32") -> tuple[Tensor, Tensor, Tensor]:
        """Return numbers of [0, 1) that `n` rows are drawn by, and two more keys."""
        keys = backend.split_key(seed, 3)
        return backend.uniform(keys[0], (n,), 0.0, 1.0, dtype), keys[1], keys[2]

    def _uniforms(self, seed: Tensor, step: Tensor) -> Tensor:
        """Return all numbers that a step draws rows by."""
        config, seed = self.config, backend.fold_in(seed, step)
        parts = [self._keyed_uniform(seed, config.batch_size)[0]] if config.adversarial else []
        for i in range(config.n_class_updates):
            parts.append(self._keyed_uniform(backend.fold_in(seed, i + 1), config.class_batch_size)[0])
        return ops.concatenate(parts)

    def _step(self, state: State, data: Data, hyper: Hyper, seed: Tensor) -> tuple[State, dict[str, Tensor]]:
        """Update both players, then `class_steps` of the class head alone."""
        config = self.config
        metrics: dict[str, Tensor] = {}
        if config.adversarial:
            update = self._two_phase_step if config.two_phase else self._one_pass_step
            state, metrics = update(state, hyper, *self._draw(data, seed, config.batch_size))
        d, value = self._class_updates(state.discriminator, data, hyper, seed)
        state = State(state.generator, d, state.step + 1)
        if not config.adversarial:
            metrics = {**dict.fromkeys(METRICS, ops.zeros_like(value)), "class_loss": value}
        return state, metrics

    def _one_pass_step(
        self, state: State, hyper: Hyper, real: Tensor, labels: Tensor, noise: Tensor, key: Tensor
    ) -> tuple[State, dict[str, Tensor]]:
        assert self.body is not None
        g, d = state.generator, state.discriminator

        def show(weights: Tensor) -> tuple[tuple[Tensor], tuple[Tensor]]:
            fake, _ = self.generator(weights, g.buffers, [noise, labels], True)
            rows = self._moved(ops.concatenate([real, fake]), key, hyper)
            return (rows,), (fake,)

        (rows,), (fake,), pull_back = backend.pullback(show, g.weights)
        gradients, pull, metrics = discriminator_gradients(
            self.body, self.discriminator.unflatten(d.weights), rows, labels, self.config.loss, self._weighting(hyper)
        )
        (gradient_g,) = pull_back([ops.concatenate([ops.zeros_like(pull), pull])])
        gradient_d = ops.concatenate([ops.reshape(v, [-1]) for v in gradients])
        metrics["sample_spread"] = spread(fake, real)
        gradient_g, gradient_d, metrics = self.workers.mean((gradient_g, gradient_d, metrics))
        return State(
            adam(g, gradient_g, hyper, self.config.beta_1, True, constraint=self._even_end),
            adam(d, gradient_d, hyper, self.config.beta_1, True),
            state.step,
        ), metrics

    def _even_end(self, weights: Vector) -> Vector:
        """Return a generator's weights with `even_phases` in its last layer, where that makes an image."""
        if self.config.architecture != "conv":
            return weights
        kernel, bias = self.generator.shapes[-2:]
        sizes = [self.generator.n_weights - math.prod(kernel) - math.prod(bias), math.prod(kernel), math.prod(bias)]
        first, last, biases = backend.split(weights, sizes)
        return ops.concatenate([first, ops.reshape(even_phases(ops.reshape(last, kernel)), [-1]), biases])

    def _moved(self, rows: Tensor, key: Tensor, hyper: Hyper) -> Tensor:
        return augment(rows, self.config.augment, key, workers=self.workers, probability=hyper.augmented)

    def _weighting(self, hyper: Hyper) -> Weighting:
        return Weighting(
            hyper.adversarial_weight,
            hyper.class_head_weight,
            hyper.r1_weight,
            hyper.r2_weight,
            self.config.penalised,
            self.config.classified,
        )

    def _class_updates(self, d: Player, data: Data, hyper: Hyper, seed: Tensor) -> tuple[Player, Tensor]:
        """Update the discriminator by its class head alone, on batches of their own."""
        n, n_updates = self.config.class_batch_size, self.config.n_class_updates
        value = ops.zeros((), d.weights.dtype)
        if n_updates == 0:
            return d, value

        def body(i: Tensor, carry: tuple[Player, Tensor]) -> tuple[Player, Tensor]:
            real, labels, _, key = self._draw(data, backend.fold_in(seed, i + 1), n)
            return self._class_update(carry[0], hyper, real, labels, key)

        return backend.loop(n_updates, body, (d, value))

    def _class_update(
        self, d: Player, hyper: Hyper, real: Tensor, labels: Tensor, key: Tensor
    ) -> tuple[Player, Tensor]:
        rows = augment(real, self.config.augment, key, workers=self.workers)

        def loss(weights: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
            (_, class_logits, *_), buffers = self.discriminator(weights, d.buffers, [rows, labels], True)
            value = ops.mean(class_loss(class_logits, labels))
            return hyper.class_head_weight * value, (value, buffers)

        _, (value, buffers), (gradient,) = value_and_gradients(loss, d.weights)
        value, gradient = self.workers.mean((value, gradient))
        return adam(d, gradient, hyper, self.config.beta_1, not self.config.two_phase, buffers), value

    def _two_phase_step(
        self, state: State, hyper: Hyper, real: Tensor, labels: Tensor, noise: Tensor, key: Tensor
    ) -> tuple[State, dict[str, Tensor]]:
        """Update discriminator, then generator, each with forward passes of its own: the classic alternation."""
        g, d = state.generator, state.discriminator
        objective = OBJECTIVES[self.config.loss]

        def discriminate(weights: Tensor, buffers: Tensor, rows: Tensor, salt: int) -> tuple[Tensor, Tensor, Tensor]:
            rows = self._moved(rows, backend.fold_in(key, salt), hyper)
            (logits, class_logits, *_), buffers = self.discriminator(weights, buffers, [rows, labels], True)
            return logits, class_logits, buffers

        fake, buffers_g = self.generator(g.weights, g.buffers, [noise, labels], True)

        def loss_of_discriminator(weights: Tensor) -> tuple[Tensor, tuple]:
            def logits(real: Tensor, fake: Tensor) -> tuple[Tensor, tuple]:
                real_logits, class_logits, buffers = discriminate(weights, d.buffers, real, 0)
                fake_logits, _, buffers = discriminate(weights, buffers, fake, 1)
                return ops.sum(real_logits) + ops.sum(fake_logits), (real_logits, fake_logits, class_logits, buffers)

            _, (real_logits, fake_logits, class_logits, buffers), slopes = value_and_gradients(logits, real, fake)
            r1, r2 = (ops.mean(ops.sum(ops.square(s), [1, 2, 3])) for s in slopes)
            penalty = hyper.r1_weight * r1 + hyper.r2_weight * r2
            penalty = penalty if self.config.penalised else ops.stop_gradient(penalty)
            adversarial = ops.mean(objective.discriminator(real_logits, fake_logits))
            heads = ops.mean(class_loss(class_logits, labels))
            loss = hyper.adversarial_weight * (adversarial + penalty) + hyper.class_head_weight * heads
            gap = ops.mean(real_logits) - ops.mean(fake_logits)
            return loss, (adversarial, penalty, heads, gap, buffers)

        _, (*values, buffers_d), (gradient,) = value_and_gradients(loss_of_discriminator, d.weights)
        d = adam(d, gradient, hyper, self.config.beta_1, False, buffers_d)

        def loss_of_generator(weights: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
            fake, buffers = self.generator(weights, buffers_g, [noise, labels], True)
            real_logits, *_ = discriminate(d.weights, buffers_d, real, 2)
            fake_logits, *_ = discriminate(d.weights, buffers_d, fake, 3)
            return ops.mean(objective.generator(real_logits, fake_logits)), (fake, buffers)

        loss_g, (fake, buffers), (gradient,) = value_and_gradients(loss_of_generator, g.weights)
        g = adam(g, gradient, hyper, self.config.beta_1, False, buffers)
        metrics = (loss_g, *values, spread(fake, real))
        return State(g, d, state.step), dict(zip(METRICS, metrics, strict=True))


@functools.lru_cache(maxsize=CACHE_SIZE)
def _program_of(config: Configuration, workers: Workers) -> GANProgram:
    return GANProgram(config, workers)


def compiled_program(config: Configuration) -> GANProgram:
    """Return the program of a configuration, traced at most once while it is among the last `CACHE_SIZE` used."""
    check_environment()
    return _program_of(config, backend.workers())


def padded(data: Data) -> Data:
    """Return data with more rows, which are never drawn, so that those of most folds of a set are of one length."""
    n = len(data.rows)
    extra = -n % (1 << max(5, n.bit_length() - 3))
    rows, labels = (ops.pad(part, [(0, extra)] + [(0, 0)] * (len(part.shape) - 1)) for part in data[:2])
    return Data(rows, labels, ops.pad(data.cumulative, [(0, extra)], constant_values=2.0))


def as_tensors(data: Data, workers: Workers) -> Data:
    """Return data as a step takes it."""
    return workers.placed(Data(*map(ops.convert_to_tensor, data if backend.ANY_LENGTH else padded(data))))


def drawn(program: GANProgram, data: Data, key: np.ndarray, step: int, n_steps: int) -> Data:
    """Return the rows that the next steps draw, as data from which they draw the same.

    Each number that a step will draw becomes the end of a row's interval, so that it finds the row which it would have
    found among all.
    """
    numbers = [program.uniforms(key, np.int32(step + i)) for i in range(n_steps)]
    uniforms = np.unique(np.concatenate([ops.convert_to_numpy(part) for part in numbers]))
    places = np.searchsorted(data.cumulative, uniforms)
    return as_tensors(Data(data.rows[places], data.labels[places], uniforms), program.workers)


def train(program: GANProgram, state: State, data: Data, hyper: Hyper, seed: int, run: Run) -> Outcome:
    """Advance a GAN's `state` by the steps of `run`; see `loop`.

    Rows that are no array are asked for before each interval: those that it draws.
    """
    config, workers = program.config, program.workers
    if workers.n > 1 and config.two_phase:
        raise ValueError(
            f"architecture={config.architecture!r} normalises over a batch, which {workers.n} workers would share. "
            "Train it on one device, or choose architecture='conv' or 'dense'."
        )
    check_shares(workers, config.batch_size, halved=config.class_steps > 0 or not config.adversarial)
    if workers.n_processes > 1:
        check_alike(workers, (state, data.rows[:: 1 + len(data.rows) // 1000], *data[1:], hyper, seed, run.max_iter))
    kept = as_tensors(data, workers) if hasattr(data.rows, "dtype") else None
    constants = Hyper(*(ops.convert_to_tensor(value, "float32") for value in hyper))
    key = np.array([seed, 0], np.int32)

    def plan(step: int, n_steps: int, progress: float) -> tuple[float, Advance]:
        at_hand = kept or drawn(program, data, key, step, n_steps)

        def advance(state: State, sums: Tensor, start: int, stop: int, rate: float) -> tuple[State, Tensor]:
            now = constants._replace(learning_rate=ops.convert_to_tensor(rate, "float32"))
            return program.advance(state, sums, at_hand, now, key, np.int32(stop - start))

        return hyper.learning_rate, advance

    return loop(program, state, plan, hyper.learning_rate, run)
