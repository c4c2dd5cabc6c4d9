"""Differentiable augmentation of image batches (Zhao et al. 2020, arXiv 2006.10738).

Every transform is a linear map of the image with random coefficients, written as matrix products, so that its
gradient (and the gradient of that) is exact, deterministic and cheap. Borders repeat the edge pixel: in data
scaled to [-1, 1] zero padding would paint a grey frame that the discriminator learns to look for.

Each is applied to a share of the rows: while that is well below all of them, the discriminator still learns which
images are in their place, and the generator makes such (Karras et al. 2020, arXiv 2006.06676, section 2.2).

A transform is a function `f(images, seed, strength, workers) -> images` of a float batch (n, height, width, channels)
and a stateless seed of shape (2,); `strength` scales how far it goes, and `workers` share the batch. `TRANSFORMS` names
them.
"""

from __future__ import annotations

from keras import ops

from .backends import ALONE, Tensor, Workers, backend

SHIFT = 0.125  # of the side
CONTRAST = (0.7, 1.3)
BRIGHTNESS = 0.2  # in the units of data scaled to [-1, 1]
CUTOUT = 0.4  # side of the hole, of the side of the image
FIRST_SALT = 9  # of the numbers by which rows are chosen; the transforms have those below
TONE = 0.35  # exponents of tone curves lie between exp(-0.35) and exp(0.35), 0.7 to 1.4


def _uniform(images: Tensor, seed: Tensor, salt: int, low: float, high: float, workers: Workers = ALONE) -> Tensor:
    """Draw one number a row, shape (n, 1, 1): of those for the rows of all workers."""
    shape = workers.n * images.shape[0], 1, 1
    return workers.share(backend.uniform(backend.fold_in(seed, salt), shape, low, high, images.dtype))


def _along(images: Tensor, axis: int, source: Tensor) -> Tensor:
    """Resample one axis at fractional positions `source` (n, size, 1) by linear interpolation."""
    size = images.shape[axis]
    grid = ops.arange(size, dtype=images.dtype)
    weights = ops.relu(1.0 - ops.abs(ops.clip(source, 0.0, size - 1.0) - grid))
    return ops.einsum("nij,njwc->niwc" if axis == 1 else "nij,nhjc->nhic", weights, images)


def _positions(images: Tensor, axis: int) -> Tensor:
    return ops.arange(images.shape[axis], dtype=images.dtype)[None, :, None]


def shift(images: Tensor, seed: Tensor, strength: float = 1.0, workers: Workers = ALONE) -> Tensor:
    """Move by whole pixels, up to an eighth of the side, independently along both axes."""
    reach = strength * SHIFT
    for axis in (1, 2):
        offset = ops.round(_uniform(images, seed, axis, -reach, reach, workers) * images.shape[axis])
        images = _along(images, axis, _positions(images, axis) + offset)
    return images


def flip(images: Tensor, seed: Tensor, strength: float = 1.0, workers: Workers = ALONE) -> Tensor:
    """Mirror left and right, half of the rows at any strength: there is no half a flip."""
    mirrored = ops.cast(_uniform(images, seed, 3, 0.0, 1.0, workers) < 0.5, images.dtype)[..., None]
    return mirrored * ops.flip(images, 2) + (1.0 - mirrored) * images


def contrast(images: Tensor, seed: Tensor, strength: float = 1.0, workers: Workers = ALONE) -> Tensor:
    """Stretch each image about its mean and move its mean."""
    low, high = (1.0 + strength * (bound - 1.0) for bound in CONTRAST)
    mean = ops.mean(images, [1, 2, 3], keepdims=True)
    gain = _uniform(images, seed, 4, low, high, workers)[..., None]
    offset = _uniform(images, seed, 5, -strength * BRIGHTNESS, strength * BRIGHTNESS, workers)[..., None]
    return (images - mean) * gain + mean + offset


def cutout(images: Tensor, seed: Tensor, strength: float = 1.0, workers: Workers = ALONE) -> Tensor:
    """Fill a random box with the image's mean (DeVries and Taylor 2017, arXiv 1708.04552)."""
    inside = ops.ones((), images.dtype)
    for axis in (1, 2):
        side = images.shape[axis]
        centre = _uniform(images, seed, 5 + axis, 0.0, 1.0, workers) * side
        near = ops.cast(ops.abs(_positions(images, axis) + 0.5 - centre) < strength * CUTOUT / 2 * side, images.dtype)
        inside = inside * (near[..., None] if axis == 1 else ops.transpose(near, [0, 2, 1])[..., None])
    mean = ops.mean(images, [1, 2, 3], keepdims=True)
    return images + inside * (mean - images)


TRANSFORMS = {"shift": shift, "flip": flip, "contrast": contrast, "cutout": cutout}


def augment(
    images: Tensor,
    names: tuple[str, ...],
    seed: Tensor,
    strength: float = 1.0,
    workers: Workers = ALONE,
    probability: Tensor | None = None,
) -> Tensor:
    """Apply the named transforms in turn, each row by numbers of its own; to all rows, or each with a probability."""
    for i, name in enumerate(names):
        moved = TRANSFORMS[name](images, seed, strength, workers)
        if probability is not None:
            drawn = _uniform(images, seed, FIRST_SALT + i, 0.0, 1.0, workers)[..., None]
            moved = ops.where(drawn < probability, moved, images)
        images = moved
    return images


def bend(images: Tensor, seed: Tensor) -> Tensor:
    """Raise each image, which lies in [-1, 1], to a power of its own between black and white.

    Not linear, so it is none of `TRANSFORMS`: for finished rows, not for training. Values beyond [-1, 1] stay as far
    beyond. As in Isensee et al. 2021, doi 10.1038/s41592-020-01008-z (gamma augmentation).
    """
    inside = ops.clip(images, -1.0, 1.0)
    exponents = ops.exp(_uniform(images, seed, 8, -TONE, TONE))[..., None]
    return 2.0 * ((inside + 1.0) / 2.0) ** exponents - 1.0 + images - inside
