"""What is the same with JAX and PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext as untold_variables
from typing import Any

from keras import ops
from keras.ops import searchsorted

from . import Tensor

__all__ = ["depth_to_space", "release", "searchsorted", "space_to_depth", "untold_variables"]


def release(variables: Sequence[Any]) -> None:
    """Leave them as they are: their shape is fixed."""


def space_to_depth(x: Tensor) -> Tensor:
    """Rearrange; nothing is lost."""
    n, height, width, channels = x.shape
    blocks = ops.reshape(x, (n, height // 2, 2, width // 2, 2, channels))
    return ops.reshape(ops.transpose(blocks, (0, 1, 3, 2, 4, 5)), (n, height // 2, width // 2, 4 * channels))


def depth_to_space(x: Tensor) -> Tensor:
    """Rearrange; nothing is lost."""
    n, height, width, channels = x.shape
    blocks = ops.reshape(x, (n, height, width, 2, 2, channels // 4))
    return ops.reshape(ops.transpose(blocks, (0, 1, 3, 2, 4, 5)), (n, 2 * height, 2 * width, channels // 4))
