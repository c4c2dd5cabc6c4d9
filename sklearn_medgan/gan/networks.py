"""Builders of the generator and discriminator, as Keras functional models.

A discriminator takes `[rows, labels]` and returns `[logit (n, 1), class_logits (n, n_classes), feature blocks ...]`; a
generator takes `[noise, labels]` and returns rows. Labels are one-hot; a row of zeros stands for "no label". The
discriminator is conditioned by projection (Miyato and Koyama 2018, arXiv 1802.05637, eq. 3). Any image size works:
strided convolutions round up, and the generator's output is cropped at the centre.
"""

from __future__ import annotations

import math

import keras
from keras import layers

from .strided import DepthToSpace, Detached, DoublingConv2DTranspose, HalvingConv2D, SpaceToDepth

TRUNK = 128
COARSEST = 4  # sides of the smallest map are close to this


def n_halvings(height: int, width: int) -> int:
    """How often an image is halved on the way to a map of about 4x4."""
    return max(1, min(6, round(math.log2(min(height, width) / COARSEST))))


def stage_widths(width: int, n_stages: int) -> list[int]:
    """Channels from the finest map to the coarsest: the three coarsest hold 1, 2 and 4 times `width`.

    Finer maps are halved again, because the channels at full resolution make up most of the cost.
    """
    return [max(8, int(width * 2.0 ** (i - max(n_stages - 3, 0)))) for i in range(n_stages)]


LEAK = 0.2


def _leaky(x):
    return layers.LeakyReLU(negative_slope=LEAK)(x)


def _stage(layer, x):
    """A linear layer and its leaky rectifier: what the trunk of a discriminator is a chain of."""
    return _leaky(layer(x))


def _flatten(x):
    return layers.Flatten()(x)


def _heads(features, labels, n_classes):
    """Logit with projection of the label, and the class head, on top of the trunk's features."""
    logit = layers.Dense(1, name="logit")(features)
    projected = layers.Dense(features.shape[-1], use_bias=False, name="label_projection")(labels)
    logit = layers.Add()([logit, layers.Dot(axes=1)([features, projected])])
    return [layers.Flatten()(logit), layers.Dense(n_classes, name="class_head")(features)]


def _crop(x, height, width):
    """Cut the surplus of a map that was rounded up, evenly at both sides."""
    dh, dw = x.shape[1] - height, x.shape[2] - width
    if not dh and not dw:
        return x
    return layers.Cropping2D(((dh // 2, dh - dh // 2), (dw // 2, dw - dw // 2)))(x)


def conv_discriminator(shape, n_classes, width):
    """Strided 4x4 convolutions, a dense trunk of 128, logit and class head.

    Every map is a feature block, the finer ones averaged down to the size of the coarsest. The dense layer above them
    is none: the class head shapes it most, and on small noisy sets it separates the training rows only.
    """
    rows, labels = keras.Input(shape), keras.Input((n_classes,))
    widths = stage_widths(width, n_halvings(*shape[:2]))
    x, maps = rows, []
    for i, channels in enumerate(widths):
        x = _stage(HalvingConv2D(channels, name=f"trunk_{i}"), x)
        factor = 2 ** (len(widths) - 1 - i)  # down to the size of the coarsest map
        maps.append(_flatten(layers.AveragePooling2D(factor, padding="same")(x) if factor > 1 else x))
    trunk = _stage(layers.Dense(TRUNK, name="trunk_dense"), maps[-1])
    return keras.Model([rows, labels], [*_heads(trunk, labels, n_classes), *maps])


def conv_generator(shape, n_classes, width, latent_dim):
    """The mirror image: a dense seed map, strided 4x4 transposed convolutions, tanh."""
    noise, labels = keras.Input((latent_dim,)), keras.Input((n_classes,))
    widths = stage_widths(width, n_halvings(*shape[:2]))[::-1]
    seed = [math.ceil(side / 2 ** len(widths)) for side in shape[:2]]
    embedded = layers.Dense(latent_dim, use_bias=False, name="label_embedding")(labels)
    x = layers.Dense(seed[0] * seed[1] * widths[0], name="seed")(layers.Concatenate()([noise, embedded]))
    x = layers.Reshape((*seed, widths[0]))(x)
    for channels in [*widths[1:], shape[2]]:
        x = DoublingConv2DTranspose(channels)(_leaky(x))
    return keras.Model([noise, labels], layers.Activation("tanh")(_crop(x, *shape[:2])))


def dense_discriminator(shape, n_classes, width):
    """Two dense layers of 4 x `width` for the rows of a table."""
    rows, labels = keras.Input(shape), keras.Input((n_classes,))
    first = _stage(layers.Dense(4 * width, name="trunk_0"), rows)
    trunk = _stage(layers.Dense(4 * width, name="trunk_1"), first)
    return keras.Model([rows, labels], [*_heads(trunk, labels, n_classes), first, trunk])


def dense_generator(shape, n_classes, width, latent_dim):
    """Two dense layers of 4 x `width`; the output is linear, in standardised units."""
    noise, labels = keras.Input((latent_dim,)), keras.Input((n_classes,))
    embedded = layers.Dense(latent_dim, use_bias=False, name="label_embedding")(labels)
    x = layers.Concatenate()([noise, embedded])
    for _ in range(2):
        x = _leaky(layers.Dense(4 * width)(x))
    return keras.Model([noise, labels], layers.Dense(shape[0])(x))


def _norm(x):
    return layers.BatchNormalization(momentum=0.8)(x)


def dcgan_discriminator(shape, n_classes, width):
    """The seed article's: 4x4 convolutions 64, 128, 256 at the default width of 32, then Dense(1).

    Convolution blocks are BatchNorm then LeakyReLU, the first without BatchNorm. The label enters by projection
    (the article's discriminator never sees it) and there is a class head (ours too).
    """
    rows, labels = keras.Input(shape), keras.Input((n_classes,))
    x = rows
    for i, factor in enumerate((2, 4, 8)):
        x = HalvingConv2D(factor * width)(x)
        x = _leaky(_norm(x) if i else x)
    flat = _flatten(x)
    pooled = layers.GlobalAveragePooling2D()(x)
    return keras.Model([rows, labels], [*_heads(flat, labels, n_classes), pooled, flat])


def dcgan_generator(shape, n_classes, width, latent_dim):
    """The seed article's: Dense 128, 128, 100, the smallest map, four transposed convolutions, tanh.

    Dense blocks are LeakyReLU then BatchNorm; transposed convolutions have 256, 128, 64 and the image's channels at the
    default width of 32, with BatchNorm then LeakyReLU between them.
    """
    noise, labels = keras.Input((latent_dim,)), keras.Input((n_classes,))
    x = layers.Concatenate()([noise, labels])
    for units in (128, 128, 100):
        x = _norm(_leaky(layers.Dense(units)(x)))
    seed = [math.ceil(side / 16) for side in shape[:2]]
    x = layers.Reshape((*seed, 8 * width))(layers.Dense(seed[0] * seed[1] * 8 * width)(x))
    for factor in (8, 4, 2):
        x = _leaky(_norm(DoublingConv2DTranspose(factor * width)(x)))
    x = DoublingConv2DTranspose(shape[2])(x)
    return keras.Model([noise, labels], layers.Activation("tanh")(_crop(x, *shape[:2])))


def _smooth(x, channels, size=3, name=None):
    """A convolution without bias: what it makes of noise grows with the noise (Mohan et al. 2020, arXiv 1906.05478)."""
    return layers.Conv2D(channels, size, padding="same", use_bias=False, name=name)(x)


def _residual_block(x, name):
    """Two 3x3 convolutions beside the identity."""
    channels = x.shape[-1]
    inner = layers.ReLU()(_smooth(x, channels))
    return layers.Add()([x, _smooth(inner, channels, name=f"small_{name}")])


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


def image_restorer(channels, width, depth):
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
        for i in range(blocks[level]):
            x = _residual_block(x, f"down_{level}_{i}")
    for level in reversed(range(LEVELS - 1)):
        x = layers.Add()([passed.pop(), DepthToSpace()(_smooth(x, 4 * width * (level + 1), 1))])
        for i in range(blocks[2 * LEVELS - 2 - level]):
            x = _residual_block(x, f"up_{level}_{i}")
    correction = DepthToSpace()(_smooth(x, 4 * channels, name="small_correction"))
    spread = layers.Conv2D(4 * channels, 3, padding="same", name="small_spread")(Detached()(x))
    return keras.Model(poor, [layers.Add()([poor, correction]), DepthToSpace()(spread)])


def table_restorer(n_columns, width):
    """Poor rows of a standardised table to [restored, raw spread of their error]: two dense layers of 4 x `width`."""
    poor = keras.Input((n_columns,))
    x = poor
    for _ in range(2):
        x = _leaky(layers.Dense(4 * width)(x))
    correction = layers.Dense(n_columns, name="small_correction")(x)
    return keras.Model(poor, [layers.Add()([poor, correction]), layers.Dense(n_columns, name="small_spread")(x)])


# architecture -> (generator builder, discriminator builder)
ARCHITECTURES = {
    "conv": (conv_generator, conv_discriminator),
    "dense": (dense_generator, dense_discriminator),
    "dcgan": (dcgan_generator, dcgan_discriminator),
}
