"""What "auto" stands for: parameters of GANAugmenter to the configuration and the numbers of a training run."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np

from .._sklearn_compat import Interval, StrOptions
from ._canvas import Canvas
from ._trunk_columns import TrunkColumns

if TYPE_CHECKING:
    from ..gan.training import Configuration, Hyper

LOSSES = {"relativistic", "minimax", "non-saturating", "hinge", "least-squares", "wasserstein"}
AUGMENTATIONS = ("shift", "flip", "contrast", "cutout")
WAYS = {"auto", "classical", "mixed", "near", "sample"}  # of making rows
FAMILIES = {"image": {"auto": "conv", "conv": "conv", "dcgan": "dcgan"}, "table": {"auto": "dense", "dense": "dense"}}
# What "auto" stands for. The classic DCGAN trains as its article did: no penalty, no augmentation, beta_1 of 0.5.
AUTO: dict[str, dict[str, Any]] = {
    "conv": {
        "learning_rate": 1e-3,
        "penalty_weight": 0.02,
        "augment": ("shift", "contrast"),
        "beta_1": 0.0,
        "class_steps": 4,
    },
    "dense": {"learning_rate": 1e-3, "penalty_weight": 0.1, "augment": (), "beta_1": 0.0, "class_steps": 0},
    "dcgan": {"learning_rate": 2e-4, "penalty_weight": 0.0, "augment": (), "beta_1": 0.5, "class_steps": 0},
}
# Objectives that want other values than AUTO's: (factor on the learning rate, factor on the penalty weight). Minimax
# and least-squares collapse at the full rate; the Wasserstein loss has no other bound than its penalty.
OBJECTIVE_FACTORS = {"minimax": (0.5, 1.0), "least-squares": (0.3, 5.0), "wasserstein": (1.0, 50.0)}
REFERENCE_VALUES = 32 * 32  # penalty_weight is stated for images of this many values
SHIPPED_PENALTY = 0.1  # "auto" for the relativistic loss, where training starts from the GAN that ships
EMA_DECAY = 0.99
#: What each parameter of GANAugmenter may be, for scikit-learn's validation.
CONSTRAINTS: dict[str, Any] = {
    "image_shape": [tuple, list, None],
    "representation": [StrOptions({"auto", "both", "features", "pixels"})],
    "backbone": "no_validation",  # `resolve_backbone` checks it
    "gan_size": [Interval(Integral, 8, None, closed="left"), StrOptions({"auto"})],
    "cache_size_mb": [Interval(Real, 0, None, closed="neither"), None],
    "n_patches": [Interval(Integral, 0, None, closed="left")],
    "score_weight": [Interval(Real, 0, None, closed="left")],
    "pretrained": [str, None],
    "sampling_strategy": [str, Interval(Real, 0, 1, closed="right"), Mapping, callable],
    "ratio": [Interval(Real, 0, None, closed="neither")],
    "resampling": [StrOptions(WAYS)],
    "architecture": [StrOptions({"auto", "conv", "dense", "dcgan"})],
    "loss": [StrOptions(LOSSES)],
    "latent_dim": [Interval(Integral, 1, None, closed="left")],
    "width": [Interval(Integral, 1, None, closed="left")],
    "augment": [StrOptions({"auto"}), list, tuple, None],
    "batch_size": [Interval(Integral, 1, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "max_time": [Interval(Real, 0, None, closed="neither"), None],
    "learning_rate": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
    "penalty_weight": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"}), tuple, list],
    "adversarial_weight": [Interval(Real, 0, None, closed="left")],
    "class_head_weight": [Interval(Real, 0, None, closed="left")],
    "class_steps": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
    "warm_start": ["boolean"],
    "checkpoint_dir": [str, os.PathLike, None],
    "callbacks": [list, tuple, None],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}


def configure(
    augmenter: Any, is_table: bool, network_shape: tuple[int, ...], n_label_columns: int, labelled: bool
) -> tuple[Configuration, Hyper]:
    """Return the compile-cache key and the numbers of a fit of this augmenter."""
    from ..gan.training import Configuration, Hyper

    architecture = resolve_architecture(augmenter.architecture, is_table)
    resolve_resampling(augmenter.resampling, is_table)
    auto = AUTO[architecture]
    factors = OBJECTIVE_FACTORS.get(augmenter.loss, (1.0, 1.0)) if architecture != "dcgan" else (1.0, 1.0)
    shipped = starts_from_others(augmenter, architecture, network_shape)
    auto_rate, auto_penalty = auto["learning_rate"] * factors[0], auto["penalty_weight"] * factors[1]
    if shipped and augmenter.loss == "relativistic":
        auto_penalty = SHIPPED_PENALTY
    r1, r2 = resolve_penalty(auto_penalty if augmenter.penalty_weight == "auto" else augmenter.penalty_weight)
    scale = 1.0 if is_table else math.prod(network_shape) / REFERENCE_VALUES
    classified = labelled and augmenter.class_head_weight > 0
    class_steps = auto["class_steps"] if augmenter.class_steps == "auto" else int(augmenter.class_steps)
    config = Configuration(
        architecture=architecture,
        shape=network_shape,
        n_classes=n_label_columns,
        loss=augmenter.loss,
        latent_dim=int(augmenter.latent_dim),
        width=int(augmenter.width),
        augment=resolve_augment(augmenter.augment, is_table, auto["augment"]),
        batch_size=int(augmenter.batch_size),
        adversarial=augmenter.adversarial_weight > 0,
        penalised=r1 > 0 or r2 > 0,
        classified=classified,
        class_steps=class_steps if classified else 0,
        beta_1=auto["beta_1"],
    )
    rate = auto_rate if augmenter.learning_rate == "auto" else augmenter.learning_rate
    weights = augmenter.adversarial_weight, augmenter.class_head_weight
    # Networks that have seen other images need no moved rows, and samples are then moved as those are.
    augmented = 0.0 if augmenter.augment == "auto" and shipped else 1.0
    return config, Hyper(rate, r1 * scale, r2 * scale, *weights, EMA_DECAY, augmented)


def starts_from_others(augmenter: Any, architecture: str, shape: tuple[int, ...]) -> bool:
    """Tell whether training starts from the GAN that ships."""
    from ..gan.pretrained import gan_file

    wanted = augmenter.pretrained in ("auto", "medical")
    return wanted and gan_file(architecture, shape, augmenter.width, augmenter.latent_dim) is not None


def trunk_of(augmenter: Any, canvas: Canvas, rows: np.ndarray) -> str | None:
    """Return the fingerprint of the pretrained network whose maps are columns, None where none are wanted.

    It is shown a row, so that one that cannot be used is refused before the training.
    """
    backbone, is_table = augmenter.backbone, augmenter._form.kind == "table"
    if is_table and backbone is not None and not (isinstance(backbone, str) and backbone == "auto"):
        raise ValueError(
            f"backbone={backbone!r} looks at images; got a table. Set backbone='auto', or pass image_shape for flat "
            "images."
        )
    if is_table or backbone is None or augmenter.representation == "pixels":
        return None
    columns = TrunkColumns(backbone, augmenter.cache_size_mb)
    network = columns.network()
    columns.transform(canvas.views(rows[:1]).whole, network)
    return network.backbone.fingerprint


def resolve_architecture(name: str, is_table: bool) -> str:
    """Return the architecture that a name stands for, or refuse it for these rows."""
    family = "table" if is_table else "image"
    if name not in FAMILIES[family]:
        raise ValueError(
            f"architecture={name!r} does not fit a{' table' if is_table else 'n image'}; use one of "
            f"{sorted(FAMILIES[family])}. Flat images need image_shape."
        )
    return FAMILIES[family][name]


def resolve_resampling(name: str, is_table: bool) -> str:
    """Return the way of making rows that a name stands for, or refuse it for these rows."""
    if name not in WAYS:  # set after `fit`, which checks parameters
        raise ValueError(f"resampling must be one of {', '.join(map(repr, sorted(WAYS)))}; got {name!r}.")
    if is_table and name == "classical":
        raise ValueError(
            "resampling='classical' moves images; got a table. Set resampling='auto', or pass image_shape for flat "
            "images."
        )
    return ("sample" if is_table else "classical") if name == "auto" else name


def resolve_augment(augment: str | Sequence[str] | None, is_table: bool, auto: tuple[str, ...]) -> tuple[str, ...]:
    if augment == "auto":
        return auto
    names = tuple(augment or ())
    unknown = [name for name in names if name not in AUGMENTATIONS]
    if unknown:
        raise ValueError(f"augment holds unknown transforms {unknown}. Known: {list(AUGMENTATIONS)}.")
    if names and is_table:
        raise ValueError(
            f"augment={list(names)} transforms images; got a table. Set augment='auto' or pass image_shape."
        )
    return names


def resolve_penalty(weight: Any) -> tuple[float, float]:
    """Return the weights of R1 and R2."""
    pair = tuple(weight) if isinstance(weight, tuple | list) else (weight, weight)
    if len(pair) != 2 or not all(isinstance(w, Real) and 0 <= float(w) < np.inf for w in pair):
        raise ValueError(f"penalty_weight must be 'auto', a number of at least 0 or a pair (R1, R2); got {weight!r}.")
    return float(pair[0]), float(pair[1])
