"""The training step and its loop: determinism, budgets, divergence, interruption, callbacks, the compile cache."""

import dataclasses
import math
import random

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.exceptions import ConvergenceWarning

from sklearn_medgan import GANAugmenter
from sklearn_medgan.datasets import make_nodules
from sklearn_medgan.gan import training
from sklearn_medgan.gan.augment import augment
from sklearn_medgan.gan.losses import OBJECTIVES
from sklearn_medgan.gan.networks import ARCHITECTURES
from sklearn_medgan.gan.training import (
    CACHE_SIZE,
    METRICS,
    Configuration,
    Data,
    Hyper,
    Run,
    _ProgressBar,
    compiled_program,
    train,
)

TINY = {"batch_size": 8, "width": 4, "latent_dim": 4, "random_state": 0}
TABLE = Configuration("dense", (16,), 2, latent_dim=4, width=4, batch_size=8)
IMAGES = Configuration("conv", (8, 9, 1), 2, latent_dim=4, width=4, batch_size=8, augment=("shift", "contrast"))
CLASSIC = Configuration("dcgan", (8, 9, 1), 2, "minimax", latent_dim=4, width=2, batch_size=8, penalised=False)
HYPER = Hyper(1e-3, 0.1, 0.2, 0.8, 1.0, 0.99)
X = np.random.RandomState(0).normal(size=(40, 3))
y = np.arange(40) % 2


def data(config, n=24):
    rng = np.random.RandomState(1)
    labels = np.eye(config.n_classes, dtype=np.float32)[np.arange(n) % config.n_classes]
    rows = rng.normal(size=(n, *config.shape)).astype(np.float32)
    return Data(rows, labels, np.cumsum(np.full(n, 1 / n)).astype(np.float32))


def state_after(config, *runs, seed=3, hyper=HYPER):
    program = compiled_program(config)
    state = program.initial_state(np.random.RandomState(2))
    for max_iter in runs:
        state = train(program, state, data(config), hyper, seed, Run(max_iter))
    return state


def content(state):
    return [np.asarray(part).tobytes() for part in tf.nest.flatten(state)]


@pytest.mark.parametrize("config", [TABLE, IMAGES, CLASSIC], ids=lambda c: c.architecture)
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
        expected = np.concatenate([v.numpy().ravel() for v in model.non_trainable_variables])
        assert np.array_equal(player.buffers, expected)


def test_averaged_weights_follow_the_weights():
    after = state_after(TABLE, 1)
    before = state_after(TABLE)
    decay = 1 / 11  # min(0.99, t / (t + 10)) at t = 1
    expected = decay * before.generator.ema + (1 - decay) * after.generator.weights
    np.testing.assert_allclose(after.generator.ema, expected, rtol=1e-5, atol=1e-8)


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


def test_without_labels_or_class_head_no_class_steps_are_taken():
    for gan in (fit(class_steps=2, class_head_weight=0.0), GANAugmenter(**TINY, max_iter=3, class_steps=2).fit(X)):
        assert int(gan._state.discriminator.updates) == gan.n_iter_


def fit(**changed):
    return GANAugmenter(**{**TINY, "max_iter": 30, **changed}).fit(X, y)


def test_history_has_an_entry_every_ten_steps_and_at_the_end():
    gan = fit(max_iter=25)
    assert gan.history_["step"] == [10, 20, 25]
    assert set(gan.history_) == {"step", *METRICS}
    assert all(len(values) == 3 and np.isfinite(values).all() for values in gan.history_.values())


@pytest.mark.parametrize("rate", [1e30, 3e38])
def test_divergence_warns_and_keeps_the_last_finite_weights(rate):
    with pytest.warns(ConvergenceWarning, match=r"diverged after step \d+.*Lower learning_rate"):
        gan = fit(learning_rate=rate, loss="wasserstein", max_iter=50)
    assert gan.n_iter_ < 50
    assert np.isfinite(gan.transform(X)).all()
    assert np.isfinite(gan.sample(5)[0]).all()


def test_divergence_in_the_last_step_is_noticed():
    """One step: losses are taken before the update, so they are finite, and the weights overflow."""
    with pytest.warns(ConvergenceWarning, match="diverged after step 0") as caught:
        gan = fit(learning_rate=1e39, max_iter=1)
    assert caught[0].filename == __file__  # points at the line that called fit
    assert np.isfinite(gan.transform(X)).all()


class Stop(keras.callbacks.Callback):
    """Acts after `patience` entries of the history, and keeps what it was told."""

    def __init__(self, patience=None, error=None):
        super().__init__()
        self.patience, self.error, self.told, self.calls = patience, error, [], []

    def on_train_begin(self, logs=None):
        self.calls.append("begin")

    def on_train_end(self, logs=None):
        self.calls.append("end")

    def on_epoch_end(self, epoch, logs=None):
        self.told.append((epoch, dict(logs)))
        self.weights = self.model.generator.get_weights()
        if self.patience is not None and epoch + 1 >= self.patience:
            if self.error:
                raise self.error
            self.model.stop_training = True


def test_callbacks_are_told_of_every_entry_and_see_the_averaged_networks():
    callback = Stop()
    gan = fit(callbacks=[callback])
    assert callback.calls == ["begin", "end"]
    assert [epoch for epoch, _ in callback.told] == [0, 1, 2]
    for name in METRICS:
        assert [logs[name] for _, logs in callback.told] == gan.history_[name]
    for ours, theirs in zip(callback.weights, gan.generator_.get_weights(), strict=True):
        assert np.array_equal(ours, theirs)


def test_callbacks_do_not_change_what_is_learned():
    assert np.array_equal(fit(callbacks=[Stop()]).transform(X), fit().transform(X))


def test_callback_stops_training():
    assert fit(callbacks=[Stop(2)]).n_iter_ == 20


def test_keras_early_stopping_works():
    never_better = keras.callbacks.EarlyStopping("loss", min_delta=1e9, patience=1)
    gan = fit(callbacks=[never_better], max_iter=100)
    assert 0 < gan.n_iter_ < 100


def test_interruption_leaves_a_fitted_estimator():
    callback = Stop(2, KeyboardInterrupt())
    with pytest.warns(ConvergenceWarning, match="interrupted at step 20") as caught:
        gan = fit(callbacks=[callback])
    assert caught[0].filename == __file__
    assert gan.n_iter_ == 20
    assert callback.calls == ["begin", "end"]
    assert np.array_equal(gan.transform(X), fit(max_iter=20).transform(X))
    assert len(gan.sample(3)[0]) == 3


def test_error_in_a_callback_comes_out():
    with pytest.raises(RuntimeError, match="mine"):
        fit(callbacks=[Stop(1, RuntimeError("mine"))])


def test_time_limit_ends_training_after_the_first_steps():
    gan = fit(max_time=1e-9, max_iter=10**6)
    assert gan.n_iter_ == training.INTERVAL


def test_verbose_shows_progress(capsys):
    fit(verbose=1)
    shown = capsys.readouterr().out
    assert "30/30" in shown
    assert all(name in shown for name in METRICS)
    fit()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("changed", "labels", "absent"),
    [
        ({"adversarial_weight": 0.0}, y, set(METRICS) - {"class_loss"}),
        ({"class_head_weight": 0.0}, y, {"class_loss"}),
        ({}, None, {"class_loss"}),
        ({"penalty_weight": 0.0}, y, {"penalty"}),
    ],
    ids=["no adversary", "no class head", "no labels", "no penalty"],
)
def test_progress_leaves_out_losses_that_are_switched_off(capsys, changed, labels, absent):
    gan = GANAugmenter(**TINY, max_iter=12, verbose=1, **changed).fit(X, labels)
    shown = capsys.readouterr().out
    assert {name for name in METRICS if name not in shown} == absent
    assert set(gan.history_) == {"step", *METRICS}


def test_total_and_time_left_are_those_of_the_budget_that_ends_first(capsys, monkeypatch):
    """Of 128 s a quarter went into 8 steps: there will be 32. Later steps are faster."""
    clock = [1000.0]
    monkeypatch.setattr("time.time", lambda: clock[0])
    bar = _ProgressBar(compiled_program(TABLE), 10**6)
    values = dict.fromkeys(METRICS, 0.5)
    for seconds, done, total, left in ((32, 8, 32, "1:36"), (64, 32, 64, "1:04"), (96, 96, 128, "32s")):
        clock[0] = 1000.0 + seconds
        bar.update(done, seconds / 128, values, is_last=False)
        shown = capsys.readouterr().out
        assert f"{done}/{total}" in shown
        assert f"{left}\x1b[0m" in shown
    clock[0] = 1129.0
    bar.update(130, 129 / 128, values, is_last=True)
    assert "130/130" in (shown := capsys.readouterr().out)
    assert shown.endswith("\n")


@pytest.mark.parametrize(("spent", "total"), [(0.0, 50), (0.1, 50), (0.2, 50), (0.25, 40)])
def test_total_is_never_more_than_the_steps_asked_for(spent, total):
    bar = _ProgressBar(compiled_program(TABLE), 50)
    bar.update(10, spent, dict.fromkeys(METRICS, 0.5), is_last=False)
    assert bar.bar.target == total


def test_progress_of_a_time_limit_ends_at_the_steps_taken(capsys):
    gan = fit(verbose=1, max_time=1e-9, max_iter=10**6)
    shown = capsys.readouterr().out
    assert f"{gan.n_iter_}/{gan.n_iter_}" in shown
    assert "1000000" not in shown
    assert shown.endswith("\n")


def test_second_fit_of_the_same_configuration_does_not_trace_again():
    gan = fit()
    program = compiled_program(gan._config)
    for n in (40, 39, 25):  # folds of a cross-validation differ in length
        other = GANAugmenter(**{**TINY, "random_state": 5, "learning_rate": 0.01}, max_iter=30, penalty_weight=0.3)
        other.fit(X[:n], y[:n]).transform(X[: n // 2])
        other.sample(3)
        assert compiled_program(other._config) is program
    for function in (program.advance, program.represent, program.generate):
        assert function.experimental_get_tracing_count() == 1


def test_compile_cache_is_bounded():
    assert compiled_program.cache_parameters()["maxsize"] == CACHE_SIZE


def settings():
    return {
        "python": random.getstate(),
        "numpy": tuple(map(str, np.random.get_state())),  # noqa: NPY002
        "tensorflow": tf.random.get_global_generator().state.numpy().tolist(),
        "policy": keras.config.dtype_policy().name,
        "floatx": keras.config.floatx(),
        "eager": tf.config.functions_run_eagerly(),
        "threads": (
            tf.config.threading.get_intra_op_parallelism_threads(),
            tf.config.threading.get_inter_op_parallelism_threads(),
        ),
        "jit": tf.config.optimizer.get_jit(),
    }


@pytest.mark.parametrize("changed", [{"width": 3}, {"width": 3, "random_state": None}], ids=str)
def test_no_global_seed_or_setting_is_touched(changed):
    """The width is one that no other test uses, so that networks are built here."""
    before = settings()
    gan = fit(**changed, callbacks=[Stop()])
    gan.transform(X)
    gan.sample(2, random_state=1)
    _ = gan.generator_
    after = settings()
    if "random_state" in changed and changed["random_state"] is None:
        before.pop("numpy"), after.pop("numpy")  # None means numpy's own generator, as everywhere in scikit-learn
    assert after == before


@pytest.mark.slow
def test_default_penalty_leaves_chance_on_images():
    nodules, labels = make_nodules(100, image_size=16, random_state=0, return_X_y=True)
    gan = GANAugmenter(max_iter=60, random_state=0).fit(nodules, labels)
    losses = np.array(gan.history_["discriminator_loss"])
    assert (losses[-5:] < math.log(2) - 0.05).all()
    assert gan.history_["sample_spread"][-1] > 0.1


@pytest.mark.slow
def test_many_configurations_draw_no_complaint_from_tensorflow(caplog):
    """TensorFlow logs a warning where it believes one function to be traced again and again."""
    for latent_dim in range(31, 38):
        fit(max_iter=1, latent_dim=latent_dim).sample()
    assert "retracing" not in caplog.text
