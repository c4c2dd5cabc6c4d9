"""Builders of the enhancer's networks, which map poor rows to better ones and to the spread of their own errors."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import layers

from .initializers import FanIn
from .networks import Tensor, dense, leaky
from .strided import DepthToSpace, Detached, SpaceToDepth

SMALL = FanIn(0.1)  # at the end of a residual branch: training begins near the identity
LEVELS = 3  # of the restorer: half, quarter and eighth of the resolution
STRIDE = 2**LEVELS  # sides of what a restorer takes are multiples of this


def restorer_blocks(depth: int) -> list[int]:
    """Residual blocks (two convolutions each) on the way down and up: half, quarter, eighth, quarter, half."""
    n = max(1, depth // 2)
    order = (2, 1, 4, 0, 3)  # coarse ones first: they see furthest
    return [sum(order[i % 5] == place for i in range(n)) for place in range(5)]


def receptive_radius(depth: int) -> int:
    """Pixels on each side of a block of `STRIDE` x `STRIDE` (whose corner is at multiples of it) that can change it.

    Walks from the block back to the poor image, in pixels of each level: a 3x3 convolution looks 1 further, a residual
    block 2. Whole pixels of the coarser level are looked at, hence rounding up.
    """
    down_half, down_quarter, eighth, up_quarter, up_half = restorer_blocks(depth)
    half = 1 + 2 * up_half  # 1: the last convolution
    quarter = math.ceil(half / 2) + 2 * up_quarter
    quarter = 2 * (math.ceil(quarter / 2) + 2 * eighth) + 2 * down_quarter
    half = 2 * quarter + 2 * down_half + 1  # 1: the first convolution
    return 2 * half


def _smooth(x: Tensor, channels: int, size: int = 3, **more: Any) -> Tensor:
    """Return a convolution without bias: what it makes of noise grows with it (Mohan et al. 2020, arXiv 1906.05478)."""
    options = {"kernel_initializer": FanIn(), **more}
    return layers.Conv2D(channels, size, padding="same", use_bias=False, **options)(x)


def _residual_block(x: Tensor) -> Tensor:
    """Return two 3x3 convolutions beside the identity."""
    inner = layers.ReLU()(_smooth(x, x.shape[-1]))
    return layers.Add()([x, _smooth(inner, x.shape[-1], kernel_initializer=SMALL)])


def image_restorer(channels: int, width: int, depth: int) -> keras.Model:
    """Poor images of any size (sides multiples of `STRIDE`) to [restored, raw spread of their error].

    A residual U-Net on 2x2 blocks of pixels (Zhang et al. 2021, arXiv 2008.13751, fig. 1), without biases. Channels are
    1, 2 and 3 times `width`.
    """
    poor = keras.Input((None, None, channels))
    blocks = restorer_blocks(depth)
    x = _smooth(SpaceToDepth()(poor), width)
    passed = []
    for level in range(LEVELS):
        if level:
            passed.append(x)
            x = _smooth(SpaceToDepth()(x), width * (level + 1), 1)
        for _ in range(blocks[level]):
            x = _residual_block(x)
    for level in reversed(range(LEVELS - 1)):
        x = layers.Add()([passed.pop(), DepthToSpace()(_smooth(x, 4 * width * (level + 1), 1))])
        for _ in range(blocks[2 * LEVELS - 2 - level]):
            x = _residual_block(x)
    correction = DepthToSpace()(_smooth(x, 4 * channels, name="correction", kernel_initializer=SMALL))
    spread = layers.Conv2D(4 * channels, 3, padding="same", name="spread", kernel_initializer=SMALL)(Detached()(x))
    return keras.Model(poor, [layers.Add()([poor, correction]), DepthToSpace()(spread)], name="generator")


def table_restorer(n_columns: int, width: int) -> keras.Model:
    """Poor rows of a standardised table to [restored, raw spread of their error]: two dense layers of 4 x `width`."""
    poor = keras.Input((n_columns,))
    x = poor
    for _ in range(2):
        x = leaky(dense(4 * width)(x))
    correction, spread = (
        layers.Dense(n_columns, name=name, kernel_initializer=SMALL)(x) for name in ("correction", "spread")
    )
    return keras.Model(poor, [layers.Add()([poor, correction]), spread], name="generator")
