"""What the engine needs of JAX; see `Backend`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from keras import ops

from ._jax_workers import workers
from ._plain import depth_to_space, release, searchsorted, space_to_depth, untold_variables

__all__ = ["depth_to_space", "release", "searchsorted", "space_to_depth", "untold_variables", "workers"]

TRACES = True
ANY_LENGTH = False


def check() -> None:
    """Find nothing that networks could not run under."""


def spec(shape: tuple[int | None, ...], dtype: str) -> None:
    """Return nothing: JAX looks at the arguments."""


def compiled(function: Callable, signature: tuple) -> Callable:
    """Return a function that is compiled anew for each shape of its arguments."""
    return jax.jit(function)


def each(function: Callable, signature: tuple) -> Callable:
    """Return a loop over a function that is compiled for one item."""
    item = jax.jit(function)

    def map_items(*args: Any) -> jax.Array:
        *shared, stack = map(jnp.asarray, args)
        return jnp.stack([item(*shared, one) for one in stack])

    return map_items


def loop(n: jax.Array | int, body: Callable, carry: Any) -> Any:
    """Loop within the compiled function, but for one round not: within it XLA is slow at gradients of convolutions."""
    if isinstance(n, int) and n == 1:
        return body(0, carry)
    return jax.lax.fori_loop(0, n, body, carry)


def pullback(function: Callable, *inputs: jax.Array) -> tuple[tuple, Any, Callable]:
    """Return what `jax.vjp` does."""
    outputs, pull, others = jax.vjp(function, *inputs, has_aux=True)

    def pull_back(cotangents: Sequence[jax.Array | None]) -> list[jax.Array]:
        pairs = zip(outputs, cotangents, strict=True)
        return list(pull(tuple(jnp.zeros_like(output) if c is None else c for output, c in pairs)))

    return outputs, others, pull_back


def split(flat: jax.Array, sizes: list[int]) -> Sequence[jax.Array]:
    """Cut a vector into pieces of these sizes."""
    return jnp.split(flat, np.cumsum(sizes)[:-1])


def _key(key: Any) -> jax.Array:
    return jnp.asarray(key).astype("uint32")


def fold_in(key: Any, number: Any) -> jax.Array:
    """Return the key that belongs to a key and a whole number."""
    return jax.random.fold_in(_key(key), number)


def split_key(key: Any, n: int) -> Sequence[jax.Array]:
    """Return `n` keys, which are none of those that small numbers are folded into: JAX's own would be."""
    return list(jax.random.split(fold_in(key, 2**31 - 1), n))


def uniform(key: Any, shape: tuple, low: float, high: float, dtype: Any) -> jax.Array:
    """Draw numbers between `low` and `high`."""
    return jax.random.uniform(_key(key), shape, dtype, low, high)


def normal(key: Any, shape: tuple, dtype: Any) -> jax.Array:
    """Draw standard normal numbers."""
    return jax.random.normal(_key(key), shape, dtype)


# The three are one trilinear form, so each is the derivative of the others. XLA's own filter gradient takes forty times
# as long within a loop as outside one (JAX 0.10.2 on a CPU), so products stand for it.


def _conv(fine: jax.Array, filters: jax.Array) -> jax.Array:
    return ops.conv(fine, filters, 2, "same", "channels_last")


@jax.custom_vjp
def conv(fine: jax.Array, filters: jax.Array) -> jax.Array:
    """Halve the sides."""
    return _conv(fine, filters)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def transpose(coarse: jax.Array, filters: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Double the sides to `size`."""
    fine = jax.ShapeDtypeStruct((coarse.shape[0], *size, filters.shape[2]), coarse.dtype)
    return jax.linear_transpose(lambda fine: _conv(fine, filters), fine)(coarse)[0]


@jax.custom_vjp
def filter_gradient(fine: jax.Array, coarse: jax.Array) -> jax.Array:
    """Return the derivative by the filters."""
    height, width = coarse.shape[1:3]
    padded = jnp.pad(fine, [(0, 0), (1, 2), (1, 2), (0, 0)])
    seen = [padded[:, a : a + 2 * height : 2, b : b + 2 * width : 2] for a in range(4) for b in range(4)]
    products = jnp.einsum("knhwc,nhwo->kco", jnp.stack(seen), coarse)
    return products.reshape(4, 4, fine.shape[3], coarse.shape[3])


conv.defvjp(
    lambda fine, filters: (conv(fine, filters), (fine, filters)),
    lambda kept, g: (transpose(g, kept[1], kept[0].shape[1:3]), filter_gradient(kept[0], g)),
)
transpose.defvjp(
    lambda coarse, filters, size: (transpose(coarse, filters, size), (coarse, filters)),
    lambda size, kept, g: (conv(g, kept[1]), filter_gradient(g, kept[0])),
)
filter_gradient.defvjp(
    lambda fine, coarse: (filter_gradient(fine, coarse), (fine, coarse)),
    lambda kept, g: (transpose(kept[1], g, kept[0].shape[1:3]), conv(kept[0], g)),
)
