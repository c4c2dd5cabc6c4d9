"""What the parameters of `GANEnhancer` stand for: the network, how long it learns, and how rows become poor."""

from __future__ import annotations

import os
from collections.abc import Mapping
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .._parameters import check_range
from .._sklearn_compat import Interval, Options, StrOptions
from ..degradations import DEGRADATIONS

if TYPE_CHECKING:
    from ..gan.restoration import RestorerProgram

CONSTRAINTS: dict[str, list] = {
    "image_shape": [tuple, list, None],
    "supervision": [StrOptions({"auto", "degradation", "paired", "unpaired", "self"})],
    "degradation": [str, list, tuple, Mapping, callable],
    "scale": [Interval(Integral, 1, 4, closed="both")],
    "adversarial_weight": [Interval(Real, 0, None, closed="left")],
    "width": [Interval(Integral, 1, None, closed="left")],
    "depth": [Interval(Integral, 2, None, closed="left")],
    "patch_size": [Interval(Integral, 16, None, closed="left")],
    "batch_size": [Interval(Integral, 1, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
    "max_time": [Interval(Real, 0, None, closed="neither"), None],
    "learning_rate": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
    "guard": ["boolean"],
    "tile_size": [Interval(Integral, 64, None, closed="left")],
    "n_views": [Options(Integral, {1, 2, 4, 8})],
    "pretrained": [StrOptions({"auto"}), "boolean"],
    "warm_start": ["boolean"],
    "checkpoint_dir": [str, os.PathLike, None],
    "callbacks": [list, None],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}


class Budget(NamedTuple):
    """What "auto" stands for: steps, and the learning rate of a network with random weights or with trained ones."""

    max_iter: int
    learning_rate: float
    learning_rate_when_started: float


class Degrading(NamedTuple):
    """What makes good rows poor, and how many pixels around a pixel it looks at (None: the whole image).

    For images, `f(images, rng)`, or None for no more than the reduction of `scale`; for tables the lowest and highest
    level of noise.
    """

    function: Any
    reach: int | None


def training_of(enhancer: Any, budget: Budget, started: bool) -> tuple[int, float]:
    """Return the number of steps and the learning rate; "auto" is the budget's, of a network `started` or not."""
    rate = budget.learning_rate_when_started if started else budget.learning_rate
    return (
        budget.max_iter if enhancer.max_iter == "auto" else int(enhancer.max_iter),
        rate if enhancer.learning_rate == "auto" else float(enhancer.learning_rate),
    )


def initial_weights(enhancer: Any, program: RestorerProgram) -> np.ndarray | None:
    """Return the restorer's weights that ship with the package, or None; ValueError where they are a must."""
    from ..gan.pretrained import restorer_weights

    if enhancer.pretrained is False:
        return None
    weights = restorer_weights(program.config, program.generator.shapes)
    if weights is None and enhancer.pretrained is True:
        raise ValueError(
            f"pretrained=True, but weights ship only for images with width=32 and depth=8; got {program.config}. Set "
            "these, or pretrained='auto' to begin at random where there are none."
        )
    return weights


def with_levels(levels: Mapping[str, Any], span: float) -> list[tuple[str, dict[str, Any]]]:
    """Return steps for `degradations.resolve` from {name: level}; noise is in units of images of range `span`."""
    unknown = sorted(set(levels) - set(DEGRADATIONS))
    if unknown or not levels:
        raise ValueError(f"degradation gives levels for {unknown or 'nothing'}. Known: {sorted(DEGRADATIONS)}.")
    steps = []
    for name, level in levels.items():
        low, high = check_range(f"The level of {name!r}", level)
        if name in ("noise", "rician"):
            level = low / span, high / span
        steps.append((name, {DEGRADATIONS[name].level: level}))
    return steps
