"""The training step: determinism, gradients, Adam, class steps, the compile cache."""

import ctypes
import dataclasses
import gc
import math
import os
from typing import ClassVar

import numpy as np
import pytest
import tensorflow as tf
from small_fits import TINY, X, fit, y

from sklearn_medgan import GANAugmenter
from sklearn_medgan.datasets import make_nodules
from sklearn_medgan.gan.augment import augment
from sklearn_medgan.gan.loop import Run
from sklearn_medgan.gan.losses import OBJECTIVES
from sklearn_medgan.gan.networks import ARCHITECTURES
from sklearn_medgan.gan.program import CACHE_SIZE
from sklearn_medgan.gan.training import Configuration, Data, GANProgram, Hyper, _program_of, compiled_program, train


class MallocInfo(ctypes.Structure):
    """The ten numbers of `mallinfo2`; `number_7` counts bytes in use."""

    _fields_: ClassVar = [(f"number_{i}", ctypes.c_size_t) for i in range(10)]


C_LIBRARY = ctypes.CDLL(None) if os.name == "posix" else None
TABLE = Configuration("dense", (16,), 2, latent_dim=4, width=4, batch_size=8)
IMAGES = Configuration("conv", (8, 9, 1), 2, latent_dim=4, width=4, batch_size=8, augment=("shift", "contrast"))
CLASSIC = Configuration("dcgan", (8, 9, 1), 2, "minimax", latent_dim=4, width=2, batch_size=8, penalised=False)
HYPER = Hyper(1e-3, 0.1, 0.2, 0.8, 1.0, 0.99)
by_architecture = pytest.mark.parametrize(
    "config", [TABLE, IMAGES, pytest.param(CLASSIC, marks=pytest.mark.slow)], ids=lambda config: config.architecture
)


def data(config, n=24):
    rng = np.random.RandomState(1)
    labels = np.eye(config.n_classes, dtype=np.float32)[np.arange(n) % config.n_classes]
    rows = rng.normal(size=(n, *config.shape)).astype(np.float32)
    return Data(rows, labels, np.cumsum(np.full(n, 1 / n)).astype(np.float32))


def state_after(config, *runs, seed=3, hyper=HYPER):
    program = compiled_program(config)
    state = program.initial_state(np.random.RandomState(2))
    for max_iter in runs:
        state = train(program, state, data(config), hyper, seed, Run(max_iter)).state
    return state


def content(state):
    return [np.asarray(part).tobytes() for part in tf.nest.flatten(state)]


@by_architecture
def test_same_seed_same_bytes_however_steps_are_grouped(config):
    at_once = state_after(config, 20)
    assert content(state_after(config, 20)) == content(at_once)
    assert content(state_after(config, 10, 10)) == content(at_once)
    assert content(state_after(config, 13, 7)) == content(at_once)
    assert content(state_after(config, 20, seed=4)) != content(at_once)
    assert int(at_once.step) == 20


@pytest.mark.parametrize("config", [TABLE, IMAGES], ids=lambda c: c.architecture)
def test_first_step_follows_the_gradients_of_the_losses(config):
    """With Adam's beta_1 at 0 the first moment is the gradient: held to autodiff of the two networks as wholes."""
    program = compiled_program(config)
    before = program.initial_state(np.random.RandomState(2))
    after = state_after(config, 1)
    key = tf.random.experimental.stateless_fold_in(tf.constant([3, 0]), before.step)
    real, labels, noise, key = program._draw(Data(*map(tf.constant, data(config))), key, config.batch_size)
    g, d = tf.constant(before.generator.weights), tf.constant(before.discriminator.weights)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([g, d])
        fake, _ = program.generator(g, [], [noise, labels], True)
        rows = augment(tf.concat([real, fake], 0), config.augment, key)
        with tf.GradientTape() as slopes:
            slopes.watch(rows)
            both = tf.concat([labels, labels], 0)
            (logits, class_logits, *_), _ = program.discriminator(d, [], [rows, both], True)
            total = tf.reduce_sum(logits)
        norms = tf.reduce_sum(tf.square(tf.reshape(slopes.gradient(total, rows), (16, -1))), 1)
        objective = OBJECTIVES[config.loss]
        loss_g = tf.reduce_mean(objective.generator(logits[:8], logits[8:]))
        soft = 0.9 * labels + 0.1 / 2
        entropy = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(soft, class_logits[:8]))
        penalty = HYPER.r1_weight * tf.reduce_mean(norms[:8]) + HYPER.r2_weight * tf.reduce_mean(norms[8:])
        loss_d = tf.reduce_mean(objective.discriminator(logits[:8], logits[8:])) + penalty
        loss_d = HYPER.adversarial_weight * loss_d + HYPER.class_head_weight * entropy
    for player, weights, loss in ((after.generator, g, loss_g), (after.discriminator, d, loss_d)):
        expected = tape.gradient(loss, weights).numpy()
        assert np.abs(expected).max() > 1e-3
        np.testing.assert_allclose(player.first, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("beta_1", [0.0, 0.5])
def test_updates_are_those_of_adam(beta_1):
    """Kingma and Ba 2015, algorithm 1, from the moments after one and two steps; beta_2 is 0.99."""
    config = dataclasses.replace(TABLE, beta_1=beta_1)
    states = [state_after(config, n) for n in (0, 1, 2)]
    for t in (1, 2):
        for old, new in zip(states[t - 1][:2], states[t][:2], strict=True):
            gradient = (new.first - beta_1 * old.first) / (1 - beta_1)
            np.testing.assert_allclose(new.second, 0.99 * old.second + 0.01 * gradient**2, rtol=1e-3, atol=1e-12)
            first, second = new.first / (1 - beta_1**t), new.second / (1 - 0.99**t)
            moved = np.sqrt(second) > 1e-4  # where Adam's epsilon does not count
            assert moved.any()
            expected = HYPER.learning_rate * first[moved] / np.sqrt(second[moved])
            np.testing.assert_allclose((old.weights - new.weights)[moved], expected, rtol=1e-2, atol=1e-7)


def test_initial_batch_statistics_are_those_of_keras():
    state = state_after(CLASSIC)
    for build, player in zip(ARCHITECTURES["dcgan"], state[:2], strict=True):
        more = [CLASSIC.latent_dim] if player is state.generator else []
        model = build(CLASSIC.shape, CLASSIC.n_classes, CLASSIC.width, *more)
        model = model if more else model.model
        expected = np.concatenate([v.numpy().ravel() for v in model.non_trainable_variables])
        assert np.array_equal(player.buffers, expected)


def test_averaged_weights_follow_the_weights():
    after = state_after(TABLE, 1)
    before = state_after(TABLE)
    decay = 1 / 11  # min(0.99, t / (t + 10)) at t = 1
    expected = decay * before.generator.ema + (1 - decay) * after.generator.weights
    np.testing.assert_allclose(after.generator.ema, expected, rtol=1e-5, atol=1e-8)


def test_samples_of_images_show_no_check_where_their_features_are_flat():
    after = state_after(IMAGES, 3)
    for weights in (after.generator.weights, after.generator.ema):
        kernel = np.asarray(compiled_program(IMAGES).generator.unflatten(weights)[-2])
        flat = tf.nn.conv2d_transpose(tf.ones((1, 6, 6, 4 * 2)), kernel, (1, 12, 12, 1), 2)[0, 2:-2, 2:-2]
        assert np.ptp(flat) < (1e-5 if weights is after.generator.weights else 1e-2)
    before = compiled_program(IMAGES).generator.unflatten(state_after(IMAGES).generator.weights)[-2]
    assert np.ptp(tf.nn.conv2d_transpose(tf.ones((1, 6, 6, 4 * 2)), before, (1, 12, 12, 1), 2)[0, 2:-2, 2:-2]) > 0.1


def test_classic_step_moves_weights_and_batch_statistics_of_both_networks():
    before, after = state_after(CLASSIC), state_after(CLASSIC, 3)
    for old, new in zip(before[:2], after[:2], strict=True):
        assert not np.array_equal(old.weights, new.weights)
        assert not np.array_equal(old.buffers, new.buffers)


@pytest.mark.parametrize("config", [TABLE, IMAGES], ids=lambda c: c.architecture)
def test_class_steps_update_the_discriminator_alone(config):
    plain, more = state_after(config, 1), state_after(dataclasses.replace(config, class_steps=3), 1)
    assert np.array_equal(more.generator.weights, plain.generator.weights)
    assert not np.array_equal(more.discriminator.weights, plain.discriminator.weights)
    assert (int(more.generator.updates), int(more.discriminator.updates), int(more.step)) == (1, 4, 1)


IN_PLACE, WITHOUT = HYPER._replace(augmented=0.0), dataclasses.replace(IMAGES, augment=())


def test_both_players_can_see_rows_in_their_place():
    ours, theirs = state_after(IMAGES, 3, hyper=IN_PLACE), state_after(WITHOUT, 3)
    for one, other in zip(ours[:2], theirs[:2], strict=True):
        np.testing.assert_allclose(one.weights, other.weights, atol=1e-6)


@pytest.mark.slow
def test_updates_of_the_class_head_alone_see_moved_rows_all_the_same():
    configs = (dataclasses.replace(config, class_steps=3) for config in (IMAGES, WITHOUT))
    moved, unmoved = (state_after(config, 1, hyper=IN_PLACE).discriminator for config in configs)
    assert np.abs(moved.first - unmoved.first).max() > 1e-3


def test_without_labels_or_class_head_no_class_steps_are_taken():
    for gan in (fit(class_steps=2, class_head_weight=0.0), GANAugmenter(**TINY, max_iter=3, class_steps=2).fit(X)):
        assert int(gan._state.discriminator.updates) == gan.n_iter_


@pytest.mark.slow
def test_default_penalty_leaves_chance_on_images():
    nodules, labels = make_nodules(100, image_size=16, random_state=0, return_X_y=True)
    gan = GANAugmenter(backbone=None, max_iter=60, random_state=0).fit(nodules, labels)
    losses = np.array(gan.history_["discriminator_loss"])
    assert (losses[-5:] < math.log(2) - 0.05).all()
    assert gan.history_["sample_spread"][-1] > 0.1


@pytest.mark.slow
def test_many_configurations_draw_no_complaint_from_tensorflow(caplog):
    """TensorFlow logs a warning where it believes one function to be traced again and again."""
    for latent_dim in range(32, 38):
        fit(max_iter=1, latent_dim=latent_dim).sample()
    assert "retracing" not in caplog.text


def test_second_fit_of_the_same_configuration_does_not_trace_again():
    gan = fit()
    program = compiled_program(gan._config)
    for n in (40, 39, 25):  # folds of a cross-validation differ in length
        changed = {"architecture": "dense", "random_state": 5, "learning_rate": 0.01, "penalty_weight": 0.3}
        other = GANAugmenter(**{**TINY, **changed}, max_iter=30)
        other.fit(X[:n], y[:n]).transform(X[: n // 2])
        other.sample(3)
        assert compiled_program(other._config) is program
    for function in (program.advance, program.represent, program.generate):
        assert function.n_traces == 1


@by_architecture
def test_any_number_of_rows_goes_through_the_networks_each_by_itself(config, monkeypatch):
    monkeypatch.setattr("sklearn_medgan.gan.program.ROWS_AT_ONCE", 24)  # several calls
    program = compiled_program(config)
    state, n_inputs = program.initial_state(np.random.RandomState(0)), config.latent_dim + config.n_classes
    generator, discriminator = program.export_models(state)
    rng, none = np.random.RandomState(1), np.zeros((50, 2), np.float32)
    rows, inputs = (rng.normal(size=(50, *shape)).astype(np.float32) for shape in (config.shape, (n_inputs,)))
    drawn = generator([inputs[:, : config.latent_dim], inputs[:, config.latent_dim :]])
    columns = np.concatenate([np.asarray(block) for block in discriminator([rows, none])[2:]], axis=1)
    for function, player, arguments, expected in (
        (program.generate, state.generator, inputs, drawn),
        (program.represent, state.discriminator, rows, columns),
    ):
        whole = function(player.ema, player.buffers, arguments)
        np.testing.assert_allclose(whole, expected, rtol=1e-4, atol=1e-6)
        for part in (slice(0), slice(3, 4), slice(1, 13), slice(5, 50)):
            np.testing.assert_array_equal(function(player.ema, player.buffers, arguments[part]), whole[part])


def test_compile_cache_is_bounded():
    assert _program_of.cache_parameters()["maxsize"] == CACHE_SIZE


@pytest.mark.skipif(not hasattr(C_LIBRARY, "mallinfo2"), reason="needs glibc 2.33 or later, which tells of its memory")
@pytest.mark.parametrize("config", [TABLE, IMAGES], ids=lambda c: c.architecture)
def test_networks_of_many_configurations_leave_no_memory(config):
    """Each variable of a new name or shape left 37 kB in TensorFlow, some 700 kB a configuration."""

    def in_use():
        gc.collect()
        C_LIBRARY.mallinfo2.restype = MallocInfo
        return C_LIBRARY.mallinfo2().number_7

    GANProgram(dataclasses.replace(config, width=9))
    before = in_use()
    for width in (10, 11, 12, 13):
        GANProgram(dataclasses.replace(config, width=width))
    assert in_use() - before < 4 * 100_000


def test_a_kept_program_holds_no_weights():
    program = compiled_program(IMAGES)
    assert not any(variable.numpy().size for network in program.networks for variable in network.model.variables)
    assert np.abs(program.initial_state(np.random.RandomState(0)).generator.weights).max() > 0
