"""What the engine needs of PyTorch; see `Backend`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import torch
from keras import ops
from torch.nn import functional

from ._plain import depth_to_space, release, searchsorted, space_to_depth, untold_variables
from ._torch_workers import workers

__all__ = ["depth_to_space", "release", "searchsorted", "space_to_depth", "untold_variables", "workers"]

TRACES = False
ANY_LENGTH = True


def check() -> None:
    """Find nothing that networks could not run under."""


def spec(shape: tuple[int | None, ...], dtype: str) -> None:
    """Return nothing: PyTorch looks at the arguments."""


def compiled(function: Callable, signature: tuple) -> Callable:
    """Return the function as it is, for arrays and without the gradients of what surrounds it."""

    def run(*args: Any) -> Any:
        with torch.no_grad():
            return function(*keras.tree.map_structure(_on_device, args))

    return run


def _on_device(value: Any) -> Any:
    """Return a tensor; whole numbers (counts, keys) stay what they are: to read one from a device waits for it."""
    whole = isinstance(value, np.ndarray | np.generic) and np.issubdtype(value.dtype, np.integer)
    return value if whole else ops.convert_to_tensor(value)


def each(function: Callable, signature: tuple) -> Callable:
    """Return a loop."""
    item = compiled(function, signature)

    def map_items(*args: Any) -> torch.Tensor:
        *shared, stack = map(_on_device, args)
        return torch.stack([item(*shared, one) for one in stack])

    return map_items


def loop(n: torch.Tensor | int, body: Callable, carry: Any) -> Any:
    """Loop in Python."""
    for i in range(int(n)):
        carry = body(i, carry)
    return carry


def pullback(function: Callable, *inputs: torch.Tensor) -> tuple[tuple, Any, Callable]:
    """Record for `torch.autograd`; within another such call the gradients are recorded, too."""
    within = torch.is_grad_enabled()
    with torch.enable_grad():
        leaves = [one if one.requires_grad else one.detach().requires_grad_() for one in inputs]
        outputs, others = function(*leaves)

    def pull(cotangents: Sequence[torch.Tensor | None]) -> list[torch.Tensor]:
        heard = [pair for pair in zip(outputs, cotangents, strict=True) if pair[1] is not None]
        targets, pulls = zip(*heard, strict=True)
        gradients = torch.autograd.grad(
            targets, leaves, pulls, retain_graph=True, create_graph=within, allow_unused=True
        )
        pairs = zip(leaves, gradients, strict=True)
        return [torch.zeros_like(leaf) if gradient is None else gradient for leaf, gradient in pairs]

    if within:
        return outputs, others, pull
    return *keras.tree.map_structure(_detached, (outputs, others)), pull


def _detached(value: Any) -> Any:
    return value.detach() if torch.is_tensor(value) else value


def split(flat: torch.Tensor, sizes: list[int]) -> Sequence[torch.Tensor]:
    """Cut a vector into pieces of these sizes."""
    return torch.split(flat, sizes)


def _generated(key: Any, number: Any, use: int, n: int) -> np.ndarray:
    """Return `n` whole numbers that belong to a key and a number (O'Neill's seed sequence, as NumPy has it).

    `use` tells functions apart; it is not 0, because the sequence takes no notice of zeros at the end.
    """
    return np.random.SeedSequence([*map(int, key), int(number), use]).generate_state(n)


def fold_in(key: Any, number: Any) -> np.ndarray:
    """Return the key that belongs to a key and a whole number."""
    return _generated(key, number, 1, 2)


def split_key(key: Any, n: int) -> Sequence[np.ndarray]:
    """Return `n` keys."""
    return list(_generated(key, n, 2, 2 * n).reshape(n, 2))


def _generator(key: Any) -> torch.Generator:
    device = ops.zeros(()).device
    return torch.Generator(device).manual_seed(int(key[0]) << 32 | int(key[1]))


def uniform(key: Any, shape: tuple, low: float, high: float, dtype: Any) -> torch.Tensor:
    """Draw numbers between `low` and `high`."""
    generator = _generator(key)
    drawn = torch.rand(shape, generator=generator, dtype=torch.float32, device=generator.device)
    return ops.cast(low + (high - low) * drawn, dtype)


def normal(key: Any, shape: tuple, dtype: Any) -> torch.Tensor:
    """Draw standard normal numbers."""
    generator = _generator(key)
    drawn = torch.randn(shape, generator=generator, dtype=torch.float32, device=generator.device)
    return ops.cast(drawn, dtype)


def _channels_first(x: torch.Tensor) -> torch.Tensor:
    return x.permute(0, 3, 1, 2)


def _channels_last(x: torch.Tensor) -> torch.Tensor:
    return x.permute(0, 2, 3, 1)


def _padded(fine: torch.Tensor) -> torch.Tensor:
    """Pad as "same" does: one row before, one or two after."""
    height, width = fine.shape[1:3]
    return functional.pad(_channels_first(fine), (1, 1 + width % 2, 1, 1 + height % 2))


def conv(fine: torch.Tensor, filters: torch.Tensor) -> torch.Tensor:
    """Halve the sides."""
    return _channels_last(functional.conv2d(_padded(fine), filters.permute(3, 2, 0, 1), stride=2))


def transpose(coarse: torch.Tensor, filters: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Double the sides to `size`."""
    kernel = filters.permute(3, 2, 0, 1)
    fine = functional.conv_transpose2d(_channels_first(coarse), kernel, stride=2, padding=1)
    return _channels_last(fine[:, :, : size[0], : size[1]])


def filter_gradient(fine: torch.Tensor, coarse: torch.Tensor) -> torch.Tensor:
    """Return the derivative by the filters."""
    shape = (coarse.shape[3], fine.shape[3], 4, 4)
    gradient = torch.nn.grad.conv2d_weight(_padded(fine), shape, _channels_first(coarse), stride=2)
    return gradient.permute(2, 3, 1, 0)
