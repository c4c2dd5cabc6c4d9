"""Builders of the GAN's generator and discriminator, as Keras functional models.

A discriminator takes `[rows, labels]` and returns `[logit (n, 1), class_logits (n, n_classes), feature blocks ...]`; a
generator takes `[noise, labels]` and returns rows. Labels are one-hot; a row of zeros stands for "no label". The
discriminator is conditioned by projection (Miyato and Koyama 2018, arXiv 1802.05637, eq. 3). Any image size works:
strided convolutions round up, and the generator's output is cropped at the centre.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import layers

from .initializers import FanIn
from .strided import DoublingConv2DTranspose, HalvingConv2D

TRUNK = 128
MOST_HALVINGS = 6
COARSEST = 4  # sides of the smallest map are close to this


def n_halvings(height: int, width: int) -> int:
    """How often an image is halved on the way to a map of about 4x4."""
    return max(1, min(MOST_HALVINGS, round(math.log2(min(height, width) / COARSEST))))


def stage_widths(width: int, n_stages: int) -> list[int]:
    """Channels from the finest map to the coarsest: the three coarsest hold 1, 2 and 4 times `width`.

    Finer maps are halved again, because the channels at full resolution make up most of the cost.
    """
    return [max(8, int(width * 2.0 ** (i - max(n_stages - 3, 0)))) for i in range(n_stages)]


LEAK = 0.2
Tensor = Any  # of Keras, symbolic


class Discriminator(NamedTuple):
    """A discriminator and its parts: the layers of the trunk, where that is a chain of stages, and the heads."""

    model: keras.Model
    trunk: tuple[layers.Layer, ...]
    logit: layers.Layer
    projection: layers.Layer
    class_head: layers.Layer


def leaky(x: Tensor) -> Tensor:
    return layers.LeakyReLU(negative_slope=LEAK)(x)


def dense(units: int, **more: Any) -> layers.Layer:
    """Return a dense layer with initial weights of unit gain."""
    return layers.Dense(units, kernel_initializer=FanIn(), **more)


def _halving(channels: int, **more: Any) -> layers.Layer:
    return HalvingConv2D(channels, kernel_initializer=FanIn(), **more)


def _doubling(channels: int) -> layers.Layer:
    return DoublingConv2DTranspose(channels, kernel_initializer=FanIn(channels_axis=-1, stride=2))


def _flatten(x: Tensor) -> Tensor:
    return layers.Flatten()(x)


def _with_heads(
    rows: Tensor, labels: Tensor, trunk: tuple[layers.Layer, ...], features: Tensor, blocks: list[Tensor]
) -> Discriminator:
    """Put the logit with projection of the label, and the class head, on top of the trunk's features."""
    logit = dense(1, name="logit")
    projection = dense(features.shape[-1], use_bias=False, name="label_projection")
    class_head = dense(labels.shape[-1], name="class_head")
    logits = layers.Add()([logit(features), layers.Dot(axes=1)([features, projection(labels)])])
    outputs = [layers.Flatten()(logits), class_head(features), *blocks]
    model = keras.Model([rows, labels], outputs, name="discriminator")
    return Discriminator(model, trunk, logit, projection, class_head)


def _crop(x: Tensor, height: int, width: int) -> Tensor:
    """Cut the surplus of a map that was rounded up, evenly at both sides."""
    dh, dw = x.shape[1] - height, x.shape[2] - width
    if not dh and not dw:
        return x
    return layers.Cropping2D(((dh // 2, dh - dh // 2), (dw // 2, dw - dw // 2)))(x)


def conv_discriminator(shape: tuple[int, ...], n_classes: int, width: int) -> Discriminator:
    """Strided 4x4 convolutions, a dense trunk of 128, logit and class head.

    Every map is a feature block, the finer ones averaged down to the size of the coarsest. The dense layer above them
    is none: the class head shapes it most, and on small noisy sets it separates the training rows only.
    """
    rows, labels = keras.Input(shape), keras.Input((n_classes,))
    widths = stage_widths(width, n_halvings(*shape[:2]))
    trunk = [
        *(_halving(channels, name=f"trunk_{i}") for i, channels in enumerate(widths)),
        dense(TRUNK, name="trunk_dense"),
    ]
    x, maps = rows, []
    for i, stage in enumerate(trunk[:-1]):
        x = leaky(stage(x))
        factor = 2 ** (len(widths) - 1 - i)  # down to the size of the coarsest map
        maps.append(_flatten(layers.AveragePooling2D(factor, padding="same")(x) if factor > 1 else x))
    return _with_heads(rows, labels, tuple(trunk), leaky(trunk[-1](maps[-1])), maps)


def conv_generator(shape: tuple[int, ...], n_classes: int, width: int, latent_dim: int) -> keras.Model:
    """The mirror image: a dense seed map, strided 4x4 transposed convolutions, tanh."""
    noise, labels = keras.Input((latent_dim,)), keras.Input((n_classes,))
    widths = stage_widths(width, n_halvings(*shape[:2]))[::-1]
    seed = [math.ceil(side / 2 ** len(widths)) for side in shape[:2]]
    embedded = dense(latent_dim, use_bias=False, name="label_embedding")(labels)
    x = dense(seed[0] * seed[1] * widths[0], name="seed")(layers.Concatenate()([noise, embedded]))
    x = layers.Reshape((*seed, widths[0]))(x)
    for channels in [*widths[1:], shape[2]]:
        x = _doubling(channels)(leaky(x))
    return keras.Model([noise, labels], layers.Activation("tanh")(_crop(x, *shape[:2])), name="generator")


def dense_discriminator(shape: tuple[int, ...], n_classes: int, width: int) -> Discriminator:
    """Two dense layers of 4 x `width` for the rows of a table."""
    rows, labels = keras.Input(shape), keras.Input((n_classes,))
    trunk = dense(4 * width, name="trunk_0"), dense(4 * width, name="trunk_1")
    first = leaky(trunk[0](rows))
    features = leaky(trunk[1](first))
    return _with_heads(rows, labels, trunk, features, [first, features])


def dense_generator(shape: tuple[int, ...], n_classes: int, width: int, latent_dim: int) -> keras.Model:
    """Two dense layers of 4 x `width`; the output is linear, in standardised units."""
    noise, labels = keras.Input((latent_dim,)), keras.Input((n_classes,))
    embedded = dense(latent_dim, use_bias=False, name="label_embedding")(labels)
    x = layers.Concatenate()([noise, embedded])
    for _ in range(2):
        x = leaky(dense(4 * width)(x))
    return keras.Model([noise, labels], dense(shape[0])(x), name="generator")


def _norm(x: Tensor) -> Tensor:
    return layers.BatchNormalization(momentum=0.8)(x)


def dcgan_discriminator(shape: tuple[int, ...], n_classes: int, width: int) -> Discriminator:
    """The seed article's: 4x4 convolutions 64, 128, 256 at the default width of 32, then Dense(1).

    Convolution blocks are BatchNorm then LeakyReLU, the first without BatchNorm. The label enters by projection
    (the article's discriminator never sees it) and there is a class head (ours too).
    """
    rows, labels = keras.Input(shape), keras.Input((n_classes,))
    x = rows
    for i, factor in enumerate((2, 4, 8)):
        x = _halving(factor * width)(x)
        x = leaky(_norm(x) if i else x)
    flat = _flatten(x)
    pooled = layers.GlobalAveragePooling2D()(x)
    return _with_heads(rows, labels, (), flat, [pooled, flat])


def dcgan_generator(shape: tuple[int, ...], n_classes: int, width: int, latent_dim: int) -> keras.Model:
    """The seed article's: Dense 128, 128, 100, the smallest map, four transposed convolutions, tanh.

    Dense blocks are LeakyReLU then BatchNorm; transposed convolutions have 256, 128, 64 and the image's channels at the
    default width of 32, with BatchNorm then LeakyReLU between them.
    """
    noise, labels = keras.Input((latent_dim,)), keras.Input((n_classes,))
    x = layers.Concatenate()([noise, labels])
    for units in (128, 128, 100):
        x = _norm(leaky(dense(units)(x)))
    seed = [math.ceil(side / 16) for side in shape[:2]]
    x = layers.Reshape((*seed, 8 * width))(dense(seed[0] * seed[1] * 8 * width)(x))
    for factor in (8, 4, 2):
        x = leaky(_norm(_doubling(factor * width)(x)))
    x = _doubling(shape[2])(x)
    return keras.Model([noise, labels], layers.Activation("tanh")(_crop(x, *shape[:2])), name="generator")


# architecture -> (generator builder, discriminator builder)
ARCHITECTURES: dict[str, tuple[Callable[..., keras.Model], Callable[..., Discriminator]]] = {
    "conv": (conv_generator, conv_discriminator),
    "dense": (dense_generator, dense_discriminator),
    "dcgan": (dcgan_generator, dcgan_discriminator),
}
