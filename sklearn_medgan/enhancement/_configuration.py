"""What the parameters of `GANEnhancer` stand for: the network, how long it learns, and how rows become poor."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .._codecs import TableCodec
from .._parameters import check_range
from .._sklearn_compat import Interval, Options, StrOptions
from ..degradations import DEGRADATIONS, resolve

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

    from .._containers import Form
    from ..gan.restoration import RestorerConfiguration, RestorerProgram

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
TABLE_NOISE = (0.0, 1.0)  # of each column's spread


@dataclass(frozen=True)
class Settings:
    """The parameters of a `GANEnhancer` that decide what is built and how it learns, as they were given."""

    degradation: Any
    scale: int
    adversarial_weight: float
    width: int
    depth: int
    patch_size: int
    batch_size: int
    max_iter: Any
    learning_rate: Any
    tile_size: int
    n_views: int
    pretrained: Any

    @classmethod
    def of(cls, enhancer: BaseEstimator) -> Settings:
        """Return those of an estimator."""
        return cls(**{field.name: getattr(enhancer, field.name) for field in fields(cls)})

    def training(self, budget: Budget, started: bool) -> tuple[int, float]:
        """Return the number of steps and the learning rate; "auto" is the budget's, of a network `started` or not."""
        rate = budget.learning_rate_when_started if started else budget.learning_rate
        return (
            budget.max_iter if self.max_iter == "auto" else int(self.max_iter),
            rate if self.learning_rate == "auto" else float(self.learning_rate),
        )

    def initial_weights(self, config: RestorerConfiguration, program: RestorerProgram) -> np.ndarray | None:
        """Return the restorer's weights that ship with the package, or None; ValueError where they are a must."""
        from ..gan.pretrained import restorer_weights

        if self.pretrained is False:
            return None
        weights = restorer_weights(config, program.generator.shapes)
        if weights is None and self.pretrained is True:
            raise ValueError(
                f"pretrained=True, but weights ship only for images with width=32 and depth=8; got {config}. Set "
                "these, or pretrained='auto' to begin at random where there are none."
            )
        return weights


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


def network_of_images(settings: Settings, form: Form) -> RestorerConfiguration:
    from ..gan.restoration import RestorerConfiguration
    from ..gan.restorers import STRIDE

    patch, scale = int(settings.patch_size), settings.scale
    if patch % STRIDE or patch % scale:
        raise ValueError(f"patch_size must be a multiple of {STRIDE} and of scale={scale}; got {patch}.")
    shape = patch, patch, (form.image_shape or (0, 0, 1))[2]
    sizes = int(settings.width), int(settings.depth), int(settings.batch_size)
    return RestorerConfiguration(shape, *sizes, settings.adversarial_weight > 0)


def network_of_table(settings: Settings, form: Form) -> RestorerConfiguration:
    from ..gan.restoration import RestorerConfiguration

    _check_no_image_is_meant(settings)
    shape = TableCodec.padded_shape(form.row_shape[0])
    return RestorerConfiguration(shape, int(settings.width), 2, int(settings.batch_size), False)


def _check_no_image_is_meant(settings: Settings) -> None:
    absent = {"scale": 1, "adversarial_weight": 0, "n_views": 1}
    spatial = [name for name, value in absent.items() if getattr(settings, name) != value]
    degradation = settings.degradation
    noise = degradation in ("auto", "noise", ["noise"], ("noise",)) or (
        isinstance(degradation, Mapping) and set(degradation) == {"noise"}
    )
    if spatial or not noise:
        what = f"{spatial[0]}={getattr(settings, spatial[0])!r}" if spatial else f"degradation={degradation!r}"
        raise ValueError(
            f"{what} is for images; got a table, from which GANEnhancer removes noise (degradation='auto' or 'noise'). "
            "Pass image stacks, or flat images with image_shape=(height, width)."
        )


def degrading_of_images(settings: Settings, span: float) -> Degrading:
    """Return what `degradation` stands for on images that range over `span`."""
    degradation = settings.degradation
    if isinstance(degradation, str) and degradation == "auto" and settings.scale > 1:
        return Degrading(None, 0)
    if isinstance(degradation, Mapping):
        degradation = with_levels(degradation, span)
    return Degrading(*resolve(list(degradation) if isinstance(degradation, list | tuple) else degradation))


def degrading_of_table(settings: Settings) -> Degrading:
    """Return the levels of noise, in spreads of a column."""
    degradation = settings.degradation
    level = degradation["noise"] if isinstance(degradation, Mapping) else TABLE_NOISE
    return Degrading(check_range("The level of 'noise'", level), None)


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
