"""The gradients of the one-pass step against automatic differentiation of the written-out losses, in float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from sklearn_medgan.gan.losses import OBJECTIVES
from sklearn_medgan.gan.networks import conv_discriminator, dense_discriminator
from sklearn_medgan.gan.one_pass import Weighting, anatomy, discriminator_gradients
from sklearn_medgan.gan.strided import HalvingConv2D

N, N_CLASSES, SMOOTHING = 5, 3, 0.1
WEIGHTS = Weighting(*np.array([0.7, 1.3, 0.4, 0.9]))  # adversarial, class head, R1, R2
SHAPES = {"9x13x3": (9, 13, 3), "28x28x1": (28, 28, 1), "17x11x2": (17, 11, 2), "dense": (16,)}


@pytest.fixture
def float64():
    """Layers are built in float64, and the global setting is put back."""
    policy, floatx = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy(policy)
    keras.config.set_floatx(floatx)


def stock(layer):
    """Keras's own convolution in place of ours, and a leak in float64 (TensorFlow's leaky_relu holds it in float32)."""
    if isinstance(layer, layers.LeakyReLU):
        return layers.Lambda(lambda x: tf.where(x > 0, x, layer.negative_slope * x), name=layer.name)
    if isinstance(layer, HalvingConv2D):
        return layers.Conv2D.from_config(layer.get_config())
    return type(layer).from_config(layer.get_config())


def case(shape, n_unlabeled=0):
    """Anatomy of our discriminator, its stock twin, weights (biases too), real then fake rows, labels of the former."""
    build = dense_discriminator if len(shape) == 1 else conv_discriminator
    discriminator = build(shape, N_CLASSES, 4)
    model = discriminator.model
    twin = keras.models.clone_model(model, clone_function=stock)
    rng = np.random.default_rng(0)
    weights = [tf.constant(rng.normal(size=v.shape) / np.sqrt(v.shape[-1])) for v in model.trainable_variables]
    rows = tf.constant(rng.normal(size=(2 * N, *shape)))
    labels = np.eye(N_CLASSES)[np.arange(N) % N_CLASSES]
    labels[:n_unlabeled] = 0
    return anatomy(discriminator), twin, weights, rows, tf.constant(labels)


def reference(model, weights, rows, labels, loss, weighting):
    """Gradient of the discriminator's loss at its weights, of the generator's loss at the fake rows, and the parts."""
    both = tf.concat([labels, labels], 0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([weights, rows])
        with tf.GradientTape() as slopes:
            slopes.watch(rows)
            (logits, class_logits, *_), _ = model.stateless_call(weights, [], [rows, both])
            total = tf.reduce_sum(logits)
        norms = tf.reduce_sum(tf.square(tf.reshape(slopes.gradient(total, rows), (2 * N, -1))), 1)
        real, fake = tf.reshape(logits, [-1])[:N], tf.reshape(logits, [-1])[N:]
        known = tf.reduce_sum(labels, 1)
        soft = labels * (1 - SMOOTHING) + SMOOTHING / N_CLASSES
        entropy = tf.nn.softmax_cross_entropy_with_logits(soft, class_logits[:N]) * known
        loss_d = tf.reduce_mean(OBJECTIVES[loss].discriminator(real, fake))
        loss_g = tf.reduce_mean(OBJECTIVES[loss].generator(real, fake))
        penalty = weighting.r1 * tf.reduce_mean(norms[:N]) + weighting.r2 * tf.reduce_mean(norms[N:])
        class_loss = tf.reduce_mean(entropy) if weighting.classified else tf.zeros((), rows.dtype)
        counted = penalty if weighting.penalised else 0.0
        objective = weighting.adversarial * (loss_d + counted) + weighting.class_head * class_loss
    parts = {
        "generator_loss": loss_g,
        "discriminator_loss": loss_d,
        "penalty": penalty,
        "class_loss": class_loss,
        "logit_gap": tf.reduce_mean(real) - tf.reduce_mean(fake),
    }
    return tape.gradient(objective, weights, unconnected_gradients="zero"), tape.gradient(loss_g, rows)[N:], parts


def assert_close(ours, theirs, what):
    scale = np.abs(theirs).max()
    assert ours.shape == theirs.shape, what
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10 * max(scale, 1e-3), err_msg=what)


def assert_equals_autodiff(shape, loss, weighting, n_unlabeled=0):
    body, twin, weights, rows, labels = case(shape, n_unlabeled)
    gradients, pull, parts = discriminator_gradients(body, weights, rows, labels, loss, weighting)
    expected, expected_pull, expected_parts = reference(twin, weights, rows, labels, loss, weighting)
    for variable, ours, theirs in zip(twin.trainable_variables, gradients, expected, strict=True):
        unused = not weighting.classified and variable.path.startswith("class_head")
        if variable.path != "logit/bias" and not unused:  # pairing losses see differences of logits alone
            assert np.abs(theirs).max() > 0, f"{variable.path}: the comparison would be empty"
        assert_close(ours.numpy(), theirs.numpy(), variable.path)
    assert_close(pull.numpy(), expected_pull.numpy(), "generator")
    assert set(parts) == set(expected_parts)
    for name, value in expected_parts.items():
        np.testing.assert_allclose(parts[name], value, rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("loss", OBJECTIVES)
@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.usefixtures("float64")
def test_gradients_equal_automatic_differentiation(name, loss):
    assert_equals_autodiff(SHAPES[name], loss, WEIGHTS)


@pytest.mark.parametrize("loss", ["relativistic", "hinge"])
@pytest.mark.parametrize("name", ["9x13x3", "dense"])
@pytest.mark.parametrize(
    "changed", [{"penalised": False}, {"classified": False}, {"r1": np.float64(0)}, {"r2": np.float64(0)}], ids=str
)
@pytest.mark.usefixtures("float64")
def test_gradients_with_part_of_the_terms(name, loss, changed):
    assert_equals_autodiff(SHAPES[name], loss, WEIGHTS._replace(**changed))


@pytest.mark.parametrize("name", ["9x13x3", "dense"])
@pytest.mark.parametrize("n_unlabeled", [1, N - 1])
@pytest.mark.usefixtures("float64")
def test_gradients_with_rows_that_have_no_label(name, n_unlabeled):
    assert_equals_autodiff(SHAPES[name], "relativistic", WEIGHTS, n_unlabeled)


@pytest.mark.usefixtures("float64")
def test_rows_without_any_label_leave_the_class_head_alone():
    body, _, weights, rows, labels = case((16,), n_unlabeled=N)
    gradients, _, parts = discriminator_gradients(body, weights, rows, labels, "relativistic", WEIGHTS)
    untouched = [*body.class_head, body.projection]
    assert all(not np.any(gradients[i]) for i in untouched)
    assert parts["class_loss"] == 0


def test_float64_was_put_back():
    assert keras.config.floatx() == "float32"
    assert keras.config.dtype_policy().name == "float32"
