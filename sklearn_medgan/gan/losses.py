"""Adversarial objectives as functions of the discriminator's logits.

Each objective is a pair of functions `f(real, fake) -> loss per sample`, one for either player, and the
value that the discriminator's loss takes when it cannot tell real from fake (the loss of the best constant
logit). `real[i]` and `fake[i]` share a label. Logits have shape (batch,); nothing here looks at images.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from keras import ops

from .backends import Tensor

softplus, relu, square = ops.softplus, ops.relu, ops.square


@dataclass(frozen=True)
class Objective:
    """What each player minimises, and the discriminator's loss at chance."""

    discriminator: Callable
    generator: Callable
    chance: float


OBJECTIVES = {
    # Jolicoeur-Martineau 2018, arXiv 1807.00734; Huang et al. 2024, arXiv 2501.05441, eq. 2.
    "relativistic": Objective(
        lambda real, fake: softplus(fake - real),
        lambda real, fake: softplus(real - fake),
        math.log(2.0),
    ),
    # Goodfellow et al. 2014, arXiv 1406.2661, eq. 1: the generator minimises log(1 - D(G(z))).
    "minimax": Objective(
        lambda real, fake: softplus(-real) + softplus(fake),
        lambda real, fake: -softplus(fake),
        2.0 * math.log(2.0),
    ),
    # Goodfellow et al. 2014, section 3: the generator maximises log D(G(z)).
    "non-saturating": Objective(
        lambda real, fake: softplus(-real) + softplus(fake),
        lambda real, fake: softplus(-fake),
        2.0 * math.log(2.0),
    ),
    # Lim and Ye 2017, arXiv 1705.02894, eq. 10 and 13.
    "hinge": Objective(
        lambda real, fake: relu(1.0 - real) + relu(1.0 + fake),
        lambda real, fake: -fake,
        2.0,
    ),
    # Mao et al. 2017, arXiv 1611.04076, eq. 9 (a = 0, b = c = 1), without the factor one half.
    "least-squares": Objective(
        lambda real, fake: square(real - 1.0) + square(fake),
        lambda real, fake: square(fake - 1.0),
        0.5,
    ),
    # Arjovsky et al. 2017, arXiv 1701.07875, eq. 2; the penalties take the place of weight clipping.
    "wasserstein": Objective(
        lambda real, fake: fake - real,
        lambda real, fake: -fake,
        0.0,
    ),
}


def class_loss(class_logits: Tensor, labels: Tensor, smoothing: float = 0.1) -> Tensor:
    """Return the cross-entropy of the class head per row; a row without a label (all zeros) costs nothing."""
    known = ops.sum(labels, 1, keepdims=True)
    soft = (1.0 - smoothing) * labels + smoothing * known / labels.shape[1]
    return -ops.sum(soft * ops.log_softmax(class_logits), 1)
