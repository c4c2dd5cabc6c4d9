"""Gradients of both players from one pass through the discriminator.

The trunk is a chain of stages `h -> leaky(op(h, kernel) + bias)`: piecewise linear in its input. So once a forward pass
has fixed on which side of zero each unit is, three chains give everything:

1. backward: `delta`, the derivative of each row's own logit, down to `slope` at the rows;
2. forward again, linear: `u = c h + t`, where `c` is dL/dlogit and `t` is the tangent of `h` along the penalty's pull
   `2 w slope` (the derivative of `w |slope|^2` with respect to the weights is that of `t`'s logit, held slope);
3. the kernel gradients `op'(u, delta)`, one a stage: the loss and its penalty share them.

The generator's gradient at `fake[i]` is dL_G/dlogit[i] times `slope[i]`, already at hand. The class head, which does
not pass through the logit, adds one backward chain over the real half. Plain automatic differentiation of the same
losses needs about twice the convolutions; a test holds the two equal. Valid where a row's logit depends on that row
alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf
from keras import layers

from . import strided
from .losses import OBJECTIVES, class_loss
from .networks import LEAK, Discriminator


class Operation(NamedTuple):
    """A bilinear map: `apply(h, kernel)`, `pull(delta, kernel, like=h)`, `kernel_gradient(h, delta)`."""

    apply: Callable
    pull: Callable
    kernel_gradient: Callable


def _flat(h: tf.Tensor) -> tf.Tensor:
    return tf.reshape(h, (tf.shape(h)[0], -1)) if h.shape.rank > 2 else h


OPERATIONS = {
    strided.HalvingConv2D: Operation(
        strided.conv,
        lambda delta, kernel, like: strided.transpose(delta, kernel, tuple(like.shape[1:3])),
        strided.filter_gradient,
    ),
    layers.Dense: Operation(
        lambda h, kernel: tf.matmul(_flat(h), kernel),
        lambda delta, kernel, like: tf.reshape(tf.matmul(delta, kernel, transpose_b=True), tf.shape(like)),
        lambda h, delta: tf.matmul(_flat(h), delta, transpose_a=True),
    ),
}


class Stage(NamedTuple):
    """A trunk stage and where its kernel and bias stand among the model's weights."""

    operation: Operation
    kernel: int
    bias: int


class Anatomy(NamedTuple):
    """The trunk's stages, and the positions of the heads' weights: logit, projection and class head."""

    stages: tuple[Stage, ...]
    logit: tuple[int, ...]
    projection: int
    class_head: tuple[int, ...]


def anatomy(discriminator: Discriminator) -> Anatomy:
    """Return where the weights of a discriminator's parts stand."""
    position = {id(v): i for i, v in enumerate(discriminator.model.trainable_variables)}

    def place(layer: layers.Layer) -> tuple[int, ...]:
        return tuple(position[id(v)] for v in layer.trainable_variables)

    return Anatomy(
        tuple(Stage(OPERATIONS[type(layer)], *place(layer)) for layer in discriminator.trunk),
        place(discriminator.logit),
        place(discriminator.projection)[0],
        place(discriminator.class_head),
    )


class Forward(NamedTuple):
    """What a forward pass leaves behind: each stage's input, each unit's side (1 or LEAK), and the outputs."""

    inputs: list
    sides: list
    features: tf.Tensor
    direction: tf.Tensor
    logits: tf.Tensor


def forward(body: Anatomy, weights: list, rows: tf.Tensor, labels: tf.Tensor) -> Forward:
    """Run the discriminator on (n, ...) rows with one-hot labels (n, n_classes): logits (n,)."""
    inputs, sides, h = [], [], rows
    for stage in body.stages:
        inputs.append(h)
        z = stage.operation.apply(h, weights[stage.kernel]) + weights[stage.bias]
        sides.append(tf.where(z > 0, tf.ones((), z.dtype), tf.constant(LEAK, z.dtype)))
        h = z * sides[-1]
    kernel, bias = (weights[i] for i in body.logit)
    direction = kernel[:, 0] + tf.matmul(labels, weights[body.projection])
    return Forward(inputs, sides, h, direction, tf.reduce_sum(h * direction, 1) + bias)


def backward(
    body: Anatomy, weights: list, pas: Forward, delta: tf.Tensor, n: tf.Tensor | None = None, to_rows: bool = True
) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Pull `delta` at the features back through the stages (of the first `n` rows): deltas before each rectifier."""
    deltas: list[tf.Tensor] = []
    for stage, h, side in reversed(list(zip(body.stages, pas.inputs, pas.sides, strict=True))):
        delta = delta * side[:n]
        deltas.insert(0, delta)
        if to_rows or stage is not body.stages[0]:
            delta = stage.operation.pull(delta, weights[stage.kernel], h[:n])
    return deltas, delta


class Weighting(NamedTuple):
    """The weights of the discriminator's terms.

    `penalised=False` leaves the second-order part out, `classified=False` the class head.
    """

    adversarial: tf.Tensor | float
    class_head: tf.Tensor | float
    r1: tf.Tensor | float
    r2: tf.Tensor | float
    penalised: bool = True
    classified: bool = True


def _columns(coefficients: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    return tf.reshape(coefficients, (-1,) + (1,) * (like.shape.rank - 1))


def discriminator_gradients(
    body: Anatomy, weights: list, rows: tf.Tensor, labels: tf.Tensor, loss: str, weighting: Weighting
) -> tuple[list[tf.Tensor], tf.Tensor, dict[str, tf.Tensor]]:
    """Return gradients at the discriminator's weights, and the generator's pull at the fake rows.

    `rows` holds n real rows, then n fake ones; `labels` (n, n_classes) serve both halves. The discriminator minimises
    `adversarial * (mean L_D + r1 mean |slope_real|^2 + r2 mean |slope_fake|^2) + class_head * mean cross-entropy`.
    The triple is (gradients in the order of `weights`, dL_G/dfake (n, ...), metrics).
    """
    n = tf.shape(labels)[0]
    both = tf.concat([labels, labels], 0)
    pas = forward(body, weights, rows, both)
    deltas, slope = backward(body, weights, pas, pas.direction)
    losses, pull_d, pull_g = _pulls(loss, pas.logits[:n], pas.logits[n:])
    pull_d = weighting.adversarial * pull_d
    class_gradient, class_deltas, class_value = _class_head(body, weights, pas, labels, weighting)

    norms = tf.reduce_sum(tf.square(_flat(slope)), 1)
    rate = tf.concat([tf.fill([n], weighting.r1), tf.fill([n], weighting.r2)], 0) / tf.cast(n, slope.dtype)
    u = _columns(pull_d, rows) * rows
    if weighting.penalised:
        u += _columns(2.0 * weighting.adversarial * rate, slope) * slope
    gradients: list[Any] = [None] * len(weights)
    for stage, h, side, delta, of_class in zip(body.stages, pas.inputs, pas.sides, deltas, class_deltas, strict=True):
        scaled = _columns(pull_d, delta)
        seen, pulled, biased = [u], [delta], [scaled * delta]
        if of_class is not None:
            seen, pulled, biased = [u, h[:n]], [delta, of_class], [scaled * delta, of_class]
        gradients[stage.kernel] = stage.operation.kernel_gradient(tf.concat(seen, 0), tf.concat(pulled, 0))
        gradients[stage.bias] = tf.reduce_sum(tf.concat(biased, 0), list(range(delta.shape.rank - 1)))
        u = side * (stage.operation.apply(u, weights[stage.kernel]) + scaled * weights[stage.bias])
    gradients[body.logit[0]] = tf.reduce_sum(u, 0)[:, None]
    gradients[body.logit[1]] = tf.reduce_sum(pull_d)[None]
    gradients[body.projection] = tf.matmul(both, u, transpose_a=True)
    for position, gradient in zip(body.class_head, class_gradient, strict=True):
        gradients[position] = gradient

    gap = tf.reduce_mean(pas.logits[:n] - pas.logits[n:])
    metrics = {**losses, "penalty": tf.reduce_sum(rate * norms), "class_loss": class_value, "logit_gap": gap}
    return gradients, _columns(pull_g, slope) * slope[n:], metrics


def _pulls(loss: str, real: tf.Tensor, fake: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor, tf.Tensor]:
    """Return mean losses and their derivatives: the discriminator's at all logits, the generator's at the fake ones."""
    objective = OBJECTIVES[loss]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([real, fake])
        loss_d = tf.reduce_mean(objective.discriminator(real, fake))
        loss_g = tf.reduce_mean(objective.generator(real, fake))
    pull_d = tf.concat(tape.gradient(loss_d, [real, fake]), 0)
    return {"generator_loss": loss_g, "discriminator_loss": loss_d}, pull_d, tape.gradient(loss_g, fake)


def _class_head(
    body: Anatomy, weights: list, pas: Forward, labels: tf.Tensor, weighting: Weighting
) -> tuple[list[tf.Tensor], Sequence[tf.Tensor | None], tf.Tensor]:
    """Return the class head's own gradients, its deltas in the trunk for the real half, and its loss."""
    n = tf.shape(labels)[0]
    features = pas.features[:n]
    head = [weights[i] for i in body.class_head]
    if not weighting.classified:
        return [tf.zeros_like(w) for w in head], [None] * len(body.stages), tf.zeros((), features.dtype)
    with tf.GradientTape() as tape:
        tape.watch([features, *head])
        value = tf.reduce_mean(class_loss(tf.matmul(features, head[0]) + head[1], labels))
        scaled = weighting.class_head * value
    delta, *gradients = tape.gradient(scaled, [features, *head])
    return gradients, backward(body, weights, pas, delta, n, to_rows=False)[0], value
