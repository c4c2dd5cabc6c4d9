"""What is the same with JAX and PyTorch."""

from __future__ import annotations

from keras import ops
from keras.ops import searchsorted

from . import Tensor

__all__ = ["depth_to_space", "searchsorted", "space_to_depth"]


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
