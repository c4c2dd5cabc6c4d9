"""Training of the restorer: its gradients against autodiff of the whole networks, and that it learns."""

import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.exceptions import ConvergenceWarning

from sklearn_medgan import GANEnhancer
from sklearn_medgan.gan import training
from sklearn_medgan.gan.losses import OBJECTIVES
from sklearn_medgan.gan.networks import STRIDE, image_restorer, receptive_radius, table_restorer
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
    run_restorer,
    spread_of,
)
from sklearn_medgan.gan.training import Run

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
    after, means = program.advance(before, poor[None], good[None], hyper)
    return before, after, dict(zip(METRICS, means.numpy().tolist(), strict=True))


def content(state):
    return [np.asarray(part).tobytes() for part in tf.nest.flatten(state)]


def models(config, state):
    """Keras models that hold the weights of a state that was not trained yet (their average is they)."""
    return compiled_restorer(config).export_models(state)


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
    assert "small_spread" in touched
    assert "small_correction" not in touched
    if name == "images":
        assert touched == {"small_spread"}


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
    run = Run(60)
    run_restorer(program, state, Pairs(config), 0.01, 0.001, run)
    losses, gains = run.history["fidelity_loss"], run.history["gain"]
    assert losses[-1] < losses[0] - 1.0
    assert gains[-1] > max(gains[0], 3.0)
    assert run.history["step"] == [10, 20, 30, 40, 50, 60]


@pytest.mark.parametrize("name", CONFIGS)
def test_same_seed_same_bytes(name):
    config = CONFIGS[name]
    program, state = initial(config)
    ends = [content(run_restorer(program, state, Pairs(config, seed), 0.01, 0.1, Run(12))) for seed in (0, 0, 1)]
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
            states[weight, steps] = run_restorer(program, state, Pairs(ADVERSARIAL), 0.01, weight, run)
    assert np.array_equal(states[0.0, 50].generator.weights, states[0.5, 50].generator.weights)
    assert not np.array_equal(states[0.0, 100].generator.weights, states[0.5, 100].generator.weights)
    assert not np.array_equal(states[0.0, 50].discriminator.weights, state.discriminator.weights)


class StopAt(keras.callbacks.Callback):
    """Stops training after so many steps."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) * training.INTERVAL >= self.steps:
            self.model.stop_training = True


def test_time_limit_ends_training():
    program, state = initial(IMAGES)
    started = time.monotonic()
    end = run_restorer(program, state, Pairs(IMAGES), 0.01, 0.0, Run(10**6, max_time=0.2))
    assert time.monotonic() - started < 20
    assert training.INTERVAL <= int(end.step) < 10**6
    assert int(run_restorer(program, state, Pairs(IMAGES), 0.01, 0.0, Run(10**6, 1e-9)).step) == training.INTERVAL


def test_learning_rate_falls_to_nothing():
    """The last steps of a long run move the weights far less than those of its middle."""
    program, state = initial(IMAGES)
    rates = []

    class Watched:
        metrics = program.metrics
        loss_shown, subject, advice_on_divergence = "fidelity_loss", "", ""

        @staticmethod
        def advance(state, poor, good, hyper):
            rates.append(float(hyper.learning_rate))
            return program.advance(state, poor, good, hyper)

    Watched.config = program.config
    run_restorer(Watched, state, Pairs(IMAGES), 0.01, 0.0, Run(300))
    assert rates[0] < 0.5 * max(rates)  # warm-up
    assert max(rates) <= 0.01
    assert rates[-1] < 0.05 * max(rates)


def test_divergence_warns_and_keeps_finite_weights():
    X = np.random.RandomState(0).uniform(size=(6, 16, 16)).astype(np.float32)
    model = GANEnhancer(
        max_iter=40, width=4, depth=2, patch_size=16, batch_size=4, guard=False, random_state=0, learning_rate=1e30
    )
    with pytest.warns(ConvergenceWarning, match=r"of the enhancer diverged after step \d+.*Lower learning_rate") as w:
        model.fit(X)
    assert w[0].filename == __file__
    assert model.n_iter_ < 40
    assert np.isfinite(model.transform(X)).all()


# -- the networks -------------------------------------------------------------


@pytest.mark.parametrize("shape", [(2, STRIDE, STRIDE, 1), (1, 3 * STRIDE, 5 * STRIDE, 3)])
def test_any_multiple_of_the_stride_comes_back_in_its_size(shape):
    restored, raw_spread = image_restorer(shape[3], 4, 4)(np.random.RandomState(0).uniform(size=shape))
    assert tuple(restored.shape) == tuple(raw_spread.shape) == shape


@pytest.mark.parametrize("depth", [2, 5, 8, 12])
def test_receptive_radius_is_the_reach_of_an_impulse(depth):
    """Positive weights, no biases, and a black image with one bright pixel: what can be reached is not black."""
    radius = receptive_radius(depth)
    start = (radius // STRIDE + 1) * STRIDE
    model, rng = image_restorer(1, 2, depth), np.random.RandomState(0)
    for variable in model.trainable_variables:
        variable.assign(0 * variable if len(variable.shape) == 1 else rng.uniform(0.1, 1, variable.shape))
    reached = [0, 0]
    for offset in range(STRIDE):
        impulse = np.zeros((1, 2 * start + STRIDE, 2 * start + STRIDE, 1), np.float32)
        place = start + offset
        impulse[0, place, place] = 1.0
        for i, output in enumerate(model(impulse)):
            touched = np.nonzero(output.numpy()[0].any((1, 2)))[0] // STRIDE * STRIDE  # blocks
            before, after = touched - place, place - (touched + STRIDE - 1)
            reached[i] = max(reached[i], before.max(), after.max())
    assert reached == [radius, radius]


def test_image_restorer_has_no_biases_but_the_spread():
    """What it makes of noise grows with the noise: an image twice as bright gives a result twice as bright."""
    model = image_restorer(1, 4, 4)
    image = np.random.RandomState(0).uniform(size=(1, 16, 16, 1)).astype(np.float32)
    np.testing.assert_allclose(model(2 * image)[0], 2 * model(image)[0], rtol=1e-4, atol=1e-5)


def test_table_restorer_keeps_the_columns():
    restored, raw_spread = table_restorer(16, 4)(np.zeros((3, 16), np.float32))
    assert tuple(restored.shape) == tuple(raw_spread.shape) == (3, 16)


def test_other_lengths_and_rates_do_not_trace_again():
    program, state = initial(IMAGES)
    for n, rate in ((3, 0.01), (12, 0.001)):
        run_restorer(program, state, Pairs(IMAGES), rate, 0.0, Run(n))
    for size in (16, 24, 40):
        program.restore(state.generator.weights, np.zeros((1, size, 16, 1), np.float32))
    assert program.advance.experimental_get_tracing_count() == 1
    assert program.restore.experimental_get_tracing_count() == 1
