"""Training of the restorer: its gradients against autodiff of the whole networks, and that it learns."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from sklearn_medgan import GANEnhancer
from sklearn_medgan.gan.loop import INTERVAL, Run
from sklearn_medgan.gan.losses import OBJECTIVES
from sklearn_medgan.gan.restoration import (
    BETA_1,
    FLOOR,
    LARGEST_GRADIENT,
    LOSS,
    METRICS,
    RestorerConfiguration,
    RestorerHyper,
    compiled_restorer,
    laplace_loss,
    spread_of,
    train_restorer,
)

IMAGES = RestorerConfiguration((16, 16, 1), width=4, depth=2, batch_size=4)
ADVERSARIAL = RestorerConfiguration((16, 16, 1), width=4, depth=2, batch_size=4, adversarial=True)
TABLE = RestorerConfiguration((16,), width=4, depth=2, batch_size=4)
HYPER = RestorerHyper(1e-3, 0.0, 0.02, 0.99)
CONFIGS = {"images": IMAGES, "adversarial": ADVERSARIAL, "table": TABLE}


class Pairs:
    """A trivial task: what is poor is half as bright as what is good."""

    def __init__(self, config, seed=0):
        self.config, self.rng = config, np.random.RandomState(seed)

    def draw(self, n):
        good = self.rng.uniform(0.2, 1.0, (n, *self.config.shape)).astype(np.float32)
        return good / 2, good


def batch(config, seed=0):
    rng = np.random.RandomState(seed)
    good = rng.uniform(size=(config.batch_size, *config.shape)).astype(np.float32)
    return good + 0.2 * rng.standard_normal(good.shape).astype(np.float32), good


def initial(config, seed=2):
    program = compiled_restorer(config)
    return program, program.initial_state(np.random.RandomState(seed))


def one_step(config, hyper):
    program, before = initial(config)
    poor, good = batch(config)
    hyper = RestorerHyper(*(tf.constant(v, tf.float32) for v in hyper))
    after, means = program.advance(before, tf.zeros(len(METRICS)), poor[None], good[None], hyper)
    return before, after, dict(zip(METRICS, means.numpy().tolist(), strict=True))


def content(state):
    return [np.asarray(part).tobytes() for part in tf.nest.flatten(state)]


def models(config, state):
    """The program's own Keras models, with the weights of this state."""
    networks = compiled_restorer(config).networks
    return [n and n.write(n.model, p.weights, p.buffers) for n, p in zip(networks, state[:2], strict=True)]


# -- the gradients ------------------------------------------------------------


def documented_losses(restored, raw_spread, good):
    """Mean log of each row's squared error, and the Laplace likelihood of errors held fixed."""
    axes = list(range(1, good.ndim))
    fidelity = tf.reduce_mean(tf.math.log(tf.reduce_mean((restored - good) ** 2, axes) + FLOOR))
    spread = tf.math.log(1.0 + tf.exp(raw_spread - 4.0)) + 1e-4
    error = tf.abs(tf.stop_gradient(restored) - good)
    return fidelity, tf.reduce_mean(error / spread + tf.math.log(spread))


def gradients_of(tape, loss, variables):
    """Zeros where nothing leads from a variable to the loss."""
    gradients = tape.gradient(loss, variables)
    return [np.zeros(v.shape) if g is None else g.numpy() for v, g in zip(variables, gradients, strict=True)]


def flat(gradients):
    return np.concatenate([np.ravel(gradient) for gradient in gradients])


@pytest.mark.parametrize(("name", "weight"), [("images", 0.0), ("table", 0.0), ("adversarial", 0.3)])
def test_first_step_follows_the_gradient_of_the_documented_loss(name, weight):
    config = CONFIGS[name]
    before, after, values = one_step(config, HYPER._replace(adversarial_weight=weight))
    generator, discriminator = models(config, before)
    poor, good = batch(config)
    with tf.GradientTape(persistent=True) as tape:
        restored, raw_spread = generator(poor)
        fidelity, spread = documented_losses(restored, raw_spread, good)
        loss = fidelity
        if weight:
            label = tf.zeros((config.batch_size, 1))
            real, fake = (discriminator([tf.convert_to_tensor(r), label])[0][:, 0] for r in (good, restored))
            adversarial = tf.reduce_mean(OBJECTIVES[LOSS].generator(real, fake))
            loss += weight * adversarial
            assert values["generator_loss"] == pytest.approx(float(adversarial), rel=1e-4)
    parts = [flat(gradients_of(tape, part, generator.trainable_variables)) for part in (loss, spread)]
    expected = sum(part * min(1.0, LARGEST_GRADIENT / np.linalg.norm(part)) for part in parts)
    found = after.generator.first / (1 - BETA_1)
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(found, expected, atol=2e-5 * np.abs(expected).max())
    assert values["fidelity_loss"] == pytest.approx(float(fidelity), rel=1e-4)
    assert values["spread_loss"] == pytest.approx(float(spread), rel=1e-4)


def test_discriminator_follows_the_gradient_of_its_loss():
    before, after, values = one_step(ADVERSARIAL, HYPER)
    generator, discriminator = models(ADVERSARIAL, before)
    poor, good = batch(ADVERSARIAL)
    label = tf.zeros((ADVERSARIAL.batch_size, 1))
    with tf.GradientTape() as tape:
        rows = tf.stop_gradient(generator(poor)[0]), tf.constant(good)
        with tf.GradientTape(persistent=True) as slopes:
            slopes.watch(rows)
            fake, real = (discriminator([r, label])[0][:, 0] for r in rows)
            sums = tf.reduce_sum(fake), tf.reduce_sum(real)
        norms = [tf.reduce_sum(slopes.gradient(s, r) ** 2, [1, 2, 3]) for s, r in zip(sums, rows, strict=True)]
        penalty = HYPER.penalty_weight * sum(tf.reduce_mean(norm) for norm in norms)
        loss = tf.reduce_mean(OBJECTIVES[LOSS].discriminator(real, fake))
        total = loss + penalty
    expected = flat(gradients_of(tape, total, discriminator.trainable_variables))
    np.testing.assert_allclose(after.discriminator.first, expected, atol=2e-5 * np.abs(expected).max())
    assert values["discriminator_loss"] == pytest.approx(float(loss), rel=1e-4)
    assert values["penalty"] == pytest.approx(float(penalty), rel=1e-3)


@pytest.mark.parametrize("name", ["images", "table"])
def test_spread_head_leaves_the_restored_image_alone(name):
    """Its loss moves its own layer and nothing that the restored image depends on.

    In an image's network the trunk gets no gradient from it; a table's may share its trunk.
    """
    config = CONFIGS[name]
    generator, _ = models(config, initial(config)[1])
    poor, good = batch(config)
    with tf.GradientTape() as tape:
        restored, raw_spread = generator(poor)
        _, loss = documented_losses(restored, raw_spread, good)
    gradients = gradients_of(tape, loss, generator.trainable_variables)
    touched = {v.path.split("/")[0] for v, g in zip(generator.trainable_variables, gradients, strict=True) if np.any(g)}
    assert "spread" in touched
    assert "correction" not in touched
    if name == "images":
        assert touched == {"spread"}


def test_metrics_are_decibels():
    poor, good = batch(IMAGES)
    before, _, values = one_step(IMAGES, HYPER)
    restored = models(IMAGES, before)[0](poor)[0].numpy()
    psnr, psnr_before = (
        np.mean([-10 * np.log10(np.mean((row - g) ** 2)) for row, g in zip(rows, good, strict=True)])
        for rows in (restored, poor)
    )
    assert values["psnr"] == pytest.approx(psnr, abs=1e-3)
    assert values["gain"] == pytest.approx(psnr - psnr_before, abs=1e-3)
    assert values["generator_loss"] == values["discriminator_loss"] == values["penalty"] == 0.0


@pytest.mark.parametrize("scale", [0.01, 0.3, 5.0])
def test_laplace_loss_is_least_where_the_spread_is_the_mean_absolute_error(scale):
    error = tf.constant(scale * np.random.RandomState(0).laplace(size=5000), tf.float32)
    expected = float(tf.reduce_mean(tf.abs(error)))
    raw = np.log(np.expm1(expected * np.linspace(0.5, 2.0, 301))) + 4.0
    losses = [float(laplace_loss(error, tf.fill(error.shape, tf.constant(value, tf.float32)))) for value in raw]
    found = float(spread_of(tf.constant(raw[int(np.argmin(losses))])))
    assert found == pytest.approx(expected, rel=0.03)
    # The negative log likelihood of the density itself has log 2 a value besides.
    density = np.mean(np.log(2 * expected) + np.abs(error) / expected)
    assert min(losses) == pytest.approx(density - np.log(2), abs=1e-3)


# -- learning -----------------------------------------------------------------


@pytest.mark.parametrize("name", CONFIGS)
def test_trivial_task_is_learned(name):
    config = CONFIGS[name]
    program, state = initial(config)
    history = train_restorer(program, state, Pairs(config).draw, 0.01, 0.001, Run(60)).history
    losses, gains = history["fidelity_loss"], history["gain"]
    assert losses[-1] < losses[0] - 1.0
    assert gains[-1] > max(gains[0], 3.0)
    assert history["step"] == [10, 20, 30, 40, 50, 60]


@pytest.mark.parametrize("name", CONFIGS)
def test_same_seed_same_bytes(name):
    config = CONFIGS[name]
    program, state = initial(config)
    ends = [
        content(train_restorer(program, state, Pairs(config, seed).draw, 0.01, 0.1, Run(12)).state)
        for seed in (0, 0, 1)
    ]
    assert ends[0] == ends[1]
    assert ends[0] != ends[2]
    assert content(initial(config)[1]) == content(state)
    assert content(initial(config, seed=3)[1]) != content(state)


@pytest.mark.slow
def test_adversary_is_heard_in_the_last_two_fifths_only():
    """Up to then its weight changes nothing of the restorer, though the discriminator learns all the time."""
    program, state = initial(ADVERSARIAL)
    states = {}
    for weight in (0.0, 0.5):
        for steps, total in ((50, 100), (100, 100)):
            run = Run(total, callbacks=[StopAt(steps)])
            states[weight, steps] = train_restorer(program, state, Pairs(ADVERSARIAL).draw, 0.01, weight, run).state
    assert np.array_equal(states[0.0, 50].generator.weights, states[0.5, 50].generator.weights)
    assert not np.array_equal(states[0.0, 100].generator.weights, states[0.5, 100].generator.weights)
    assert not np.array_equal(states[0.0, 50].discriminator.weights, state.discriminator.weights)


class StopAt(keras.callbacks.Callback):
    """Stops training after so many steps."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) * INTERVAL >= self.steps:
            self.model.stop_training = True


def test_learning_rate_falls_to_nothing():
    """The last steps of a long run move the weights far less than those of its middle."""
    program, state = initial(IMAGES)
    rates = []

    class Rates(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            rates.append(float(self.model.optimizer.learning_rate))

    train_restorer(program, state, Pairs(IMAGES).draw, 0.01, 0.0, Run(300, callbacks=[Rates()]))
    assert rates[0] < 0.5 * max(rates)  # warm-up
    assert max(rates) <= 0.01
    assert rates[-1] < 0.05 * max(rates)


def test_divergence_is_an_error():
    X = np.random.RandomState(0).uniform(size=(6, 16, 16)).astype(np.float32)
    model = GANEnhancer(
        max_iter=40, width=4, depth=2, patch_size=16, batch_size=4, guard=False, random_state=0, learning_rate=1e30
    )
    with pytest.raises(ValueError, match=r"of the enhancer diverged after step \d+.*Lower learning_rate"):
        model.fit(X)


def test_other_lengths_and_rates_do_not_trace_again():
    program, state = initial(IMAGES)
    for n, rate in ((3, 0.01), (12, 0.001)):
        train_restorer(program, state, Pairs(IMAGES).draw, rate, 0.0, Run(n))
    for size in (16, 24, 40):
        program.restore(state.generator.weights, np.zeros((1, size, 16, 1), np.float32))
    assert program.advance.n_traces == 1
    assert program.restore.n_traces == 1
