"""Whether a finished training run can be used."""

from __future__ import annotations

import numpy as np

JUDGED_FROM = 100  # steps: before that, being at chance says nothing
SPREAD_FROM = 10  # steps: before that, samples vary as the networks began
CHANCE_MARGIN = 0.02
SATURATED = 0.01  # of the discriminator's loss at chance: below, the minimax generator's gradient is next to nothing
SMALLEST_SPREAD, LARGEST_SPREAD = 0.1, 10.0  # of the data's: below, samples have collapsed; above, they run away


def advice_on(history: dict[str, list], n_iter: int, loss: str) -> str | None:
    """Return what is wrong with a GAN's training by this loss and what to do, or None."""
    from ..gan.losses import OBJECTIVES

    if not history["step"]:
        return None
    chance = OBJECTIVES[loss].chance
    margin = CHANCE_MARGIN * max(chance, 1.0)
    excess = np.subtract(history["discriminator_loss"], chance)
    told_apart = (excess[len(excess) // 4 :] < -margin).any()  # an equilibrium is at chance too, but was below it
    spread = np.mean(history["sample_spread"][-10:])
    if n_iter >= SPREAD_FROM and spread > LARGEST_SPREAD:
        return (
            "has run away: samples vary more than ten times as much as the data. Lower penalty_weight or learning_rate"
        )
    if n_iter >= JUDGED_FROM and np.abs(excess[-10:]).max() < margin and not told_apart:
        return (
            f"is at chance: the discriminator's loss stays at {chance:.3f}, so neither network learns. Lower "
            "penalty_weight, or raise learning_rate or max_iter"
        )
    if n_iter >= SPREAD_FROM and loss == "minimax" and history["discriminator_loss"][-1] < SATURATED * chance:
        return (
            "is saturated: the discriminator is sure of every sample, so the generator learns no more. Lower "
            "learning_rate, or try another loss"
        )
    if n_iter >= SPREAD_FROM and spread < SMALLEST_SPREAD:
        return (
            "has collapsed: samples vary less than a tenth as much as the data. Raise penalty_weight, lower "
            "learning_rate, or try another loss"
        )
    return None
