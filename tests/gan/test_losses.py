"""Objectives against closed forms in numpy, and against what they must be at chance."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.optimize import minimize_scalar

from sklearn_medgan.augmentation import _configuration
from sklearn_medgan.gan.losses import OBJECTIVES, class_loss

REAL = np.array([-3.0, -0.5, 0.0, 0.7, 4.0])
FAKE = np.array([1.5, -2.0, 0.3, 0.7, -1.0])


def log1p_exp(x):
    return np.log1p(np.exp(x))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# Written as in the papers: probabilities where they have probabilities.
CLOSED_FORMS = {
    "relativistic": (-np.log(sigmoid(REAL - FAKE)), -np.log(sigmoid(FAKE - REAL))),
    "minimax": (-np.log(sigmoid(REAL)) - np.log(1 - sigmoid(FAKE)), np.log(1 - sigmoid(FAKE))),
    "non-saturating": (-np.log(sigmoid(REAL)) - np.log(1 - sigmoid(FAKE)), -np.log(sigmoid(FAKE))),
    "hinge": (np.maximum(0, 1 - REAL) + np.maximum(0, 1 + FAKE), -FAKE),
    "least-squares": ((REAL - 1) ** 2 + FAKE**2, (FAKE - 1) ** 2),
    "wasserstein": (FAKE - REAL, -FAKE),
}


def test_every_objective_is_offered_and_has_a_closed_form_here():
    assert set(OBJECTIVES) == set(CLOSED_FORMS) == _configuration.LOSSES


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_losses_equal_their_closed_forms(name):
    for ours, theirs in zip(
        (OBJECTIVES[name].discriminator(REAL, FAKE), OBJECTIVES[name].generator(REAL, FAKE)),
        CLOSED_FORMS[name],
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_chance_is_the_least_loss_of_a_constant_logit(name):
    def constant(logit):
        logits = np.full(1, logit)
        return float(OBJECTIVES[name].discriminator(logits, logits)[0])

    best = minimize_scalar(constant, bounds=(-5, 5), method="bounded")
    assert OBJECTIVES[name].chance == pytest.approx(best.fun, abs=1e-8)


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_losses_reward_what_they_should(name):
    """The discriminator's falls when real rises above fake; the generator's falls when fake rises."""
    objective, low, high = OBJECTIVES[name], np.zeros(1), np.full(1, 0.5)
    assert objective.discriminator(high, low)[0] < objective.discriminator(low, high)[0]
    assert objective.generator(low, high)[0] < objective.generator(low, low)[0]


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_losses_and_gradients_are_finite_at_extreme_logits(name):
    real, fake = tf.constant([-1e4, 1e4], tf.float32), tf.constant([1e4, -1e4], tf.float32)
    for loss in (OBJECTIVES[name].discriminator, OBJECTIVES[name].generator):
        with tf.GradientTape() as tape:
            tape.watch([real, fake])
            value = loss(real, fake)
        gradients = tape.gradient(value, [real, fake], unconnected_gradients="zero")
        assert np.isfinite(np.stack([value, *gradients])).all()


def test_class_loss_is_the_cross_entropy_of_smoothed_labels():
    rng = np.random.default_rng(0)
    logits, labels, smoothing = rng.normal(size=(6, 4)), np.eye(4)[[0, 1, 2, 3, 0, 0]], 0.1
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    own = np.log(probabilities[labels == 1])
    expected = -(1 - smoothing) * own - smoothing * np.log(probabilities).mean(1)
    np.testing.assert_allclose(class_loss(tf.constant(logits), tf.constant(labels)), expected, rtol=1e-12)


def test_class_loss_without_a_label_costs_nothing():
    logits = tf.constant([[5.0, -5.0], [1.0, 2.0]])
    labels = tf.zeros((2, 2))
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = class_loss(logits, labels)
    assert not np.any(value)
    assert not np.any(tape.gradient(value, logits))
