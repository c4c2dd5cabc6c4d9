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

from keras import layers, ops

from .backends import Tensor, backend, value_and_gradients
from .losses import OBJECTIVES, class_loss
from .networks import LEAK, Discriminator
from .strided import HalvingConv2D


class Operation(NamedTuple):
    """A bilinear map: `apply(h, kernel)`, `pull(delta, kernel, like=h)`, `kernel_gradient(h, delta)`."""

    apply: Callable
    pull: Callable
    kernel_gradient: Callable


def _flat(h: Tensor) -> Tensor:
    return ops.reshape(h, (h.shape[0], -1)) if len(h.shape) > 2 else h


OPERATIONS = {
    HalvingConv2D: Operation(
        backend.conv,
        lambda delta, kernel, like: backend.transpose(delta, kernel, tuple(like.shape[1:3])),
        backend.filter_gradient,
    ),
    layers.Dense: Operation(
        lambda h, kernel: ops.matmul(_flat(h), kernel),
        lambda delta, kernel, like: ops.reshape(ops.matmul(delta, ops.transpose(kernel)), like.shape),
        lambda h, delta: ops.matmul(ops.transpose(_flat(h)), delta),
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
    features: Tensor
    direction: Tensor
    logits: Tensor


def forward(body: Anatomy, weights: list, rows: Tensor, labels: Tensor) -> Forward:
    """Run the discriminator on (n, ...) rows with one-hot labels (n, n_classes): logits (n,)."""
    inputs, sides, h = [], [], rows
    for stage in body.stages:
        inputs.append(h)
        z = stage.operation.apply(h, weights[stage.kernel]) + weights[stage.bias]
        sides.append(ops.where(z > 0, ops.ones((), z.dtype), ops.full((), LEAK, z.dtype)))
        h = z * sides[-1]
    kernel, bias = (weights[i] for i in body.logit)
    direction = kernel[:, 0] + ops.matmul(labels, weights[body.projection])
    return Forward(inputs, sides, h, direction, ops.sum(h * direction, 1) + bias)


def backward(
    body: Anatomy, weights: list, pas: Forward, delta: Tensor, n: int | None = None, to_rows: bool = True
) -> tuple[list[Tensor], Tensor]:
    """Pull `delta` at the features back through the stages (of the first `n` rows): deltas before each rectifier."""
    deltas: list[Tensor] = []
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

    adversarial: Tensor | float
    class_head: Tensor | float
    r1: Tensor | float
    r2: Tensor | float
    penalised: bool = True
    classified: bool = True


def _columns(coefficients: Tensor, like: Tensor) -> Tensor:
    return ops.reshape(coefficients, (-1,) + (1,) * (len(like.shape) - 1))


def discriminator_gradients(
    body: Anatomy, weights: list, rows: Tensor, labels: Tensor, loss: str, weighting: Weighting
) -> tuple[list[Tensor], Tensor, dict[str, Tensor]]:
    """Return gradients at the discriminator's weights, and the generator's pull at the fake rows.

    `rows` holds n real rows, then n fake ones; `labels` (n, n_classes) serve both halves. The discriminator minimises
    `adversarial * (mean L_D + r1 mean |slope_real|^2 + r2 mean |slope_fake|^2) + class_head * mean cross-entropy`.
    The triple is (gradients in the order of `weights`, dL_G/dfake (n, ...), metrics).
    """
    n = labels.shape[0]
    both = ops.concatenate([labels, labels])
    pas = forward(body, weights, rows, both)
    deltas, slope = backward(body, weights, pas, pas.direction)
    losses, pull_d, pull_g = _pulls(loss, pas.logits[:n], pas.logits[n:])
    pull_d = weighting.adversarial * pull_d
    class_gradient, class_deltas, class_value = _class_head(body, weights, pas, labels, weighting)

    norms = ops.sum(ops.square(_flat(slope)), 1)
    rate = ops.concatenate([ops.full((n,), weighting.r1, slope.dtype), ops.full((n,), weighting.r2, slope.dtype)]) / n
    u = _columns(pull_d, rows) * rows
    if weighting.penalised:
        u += _columns(2.0 * weighting.adversarial * rate, slope) * slope
    gradients: list[Any] = [None] * len(weights)
    for stage, h, side, delta, of_class in zip(body.stages, pas.inputs, pas.sides, deltas, class_deltas, strict=True):
        scaled = _columns(pull_d, delta)
        seen, pulled, biased = [u], [delta], [scaled * delta]
        if of_class is not None:
            seen, pulled, biased = [u, h[:n]], [delta, of_class], [scaled * delta, of_class]
        gradients[stage.kernel] = stage.operation.kernel_gradient(ops.concatenate(seen), ops.concatenate(pulled))
        gradients[stage.bias] = ops.sum(ops.concatenate(biased), list(range(len(delta.shape) - 1)))
        u = side * (stage.operation.apply(u, weights[stage.kernel]) + scaled * weights[stage.bias])
    gradients[body.logit[0]] = ops.sum(u, 0)[:, None]
    gradients[body.logit[1]] = ops.sum(pull_d)[None]
    gradients[body.projection] = ops.matmul(ops.transpose(both), u)
    for position, gradient in zip(body.class_head, class_gradient, strict=True):
        gradients[position] = gradient

    gap = ops.mean(pas.logits[:n] - pas.logits[n:])
    metrics = {**losses, "penalty": ops.sum(rate * norms), "class_loss": class_value, "logit_gap": gap}
    return gradients, _columns(pull_g, slope) * slope[n:], metrics


def _pulls(loss: str, real: Tensor, fake: Tensor) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """Return mean losses and their derivatives: the discriminator's at all logits, the generator's at the fake ones."""
    objective = OBJECTIVES[loss]

    def losses(real: Tensor, fake: Tensor) -> tuple[tuple[Tensor, Tensor], tuple]:
        return (ops.mean(objective.discriminator(real, fake)), ops.mean(objective.generator(real, fake))), ()

    (loss_d, loss_g), _, pull = backend.pullback(losses, real, fake)
    one = ops.ones_like(loss_d)
    pull_d, pull_g = ops.concatenate(pull([one, None])), pull([None, one])[1]
    return {"generator_loss": loss_g, "discriminator_loss": loss_d}, pull_d, pull_g


def _class_head(
    body: Anatomy, weights: list, pas: Forward, labels: Tensor, weighting: Weighting
) -> tuple[list[Tensor], Sequence[Tensor | None], Tensor]:
    """Return the class head's own gradients, its deltas in the trunk for the real half, and its loss."""
    n = labels.shape[0]
    features = pas.features[:n]
    head = [weights[i] for i in body.class_head]
    if not weighting.classified:
        return [ops.zeros_like(w) for w in head], [None] * len(body.stages), ops.zeros((), features.dtype)

    def scaled(features: Tensor, kernel: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        value = ops.mean(class_loss(ops.matmul(features, kernel) + bias, labels))
        return weighting.class_head * value, value

    _, value, (delta, *gradients) = value_and_gradients(scaled, features, *head)
    return gradients, backward(body, weights, pas, delta, n, to_rows=False)[0], value
