"""The columns of `GANAugmenter.transform` as an ONNX graph: each kind of column as its own module computes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..persistence._onnx import Graph
from ._patches import FLAT_VARIANCE, SIDE, SMALLEST_SPREAD, PatchDictionary
from ._representation import DiscriminatorMaps, Pixels, Representation, TrunkMaps, TypicalPatches, has_pixels
from ._resampling import footprints


def columns(graph: Graph, augmenter: Any, X: str) -> str:
    """Write the columns of `augmenter` for rows `X`, and return their name."""
    if augmenter.representation == "pixels":
        return graph("Flatten", X, axis=1)
    learned, with_pixels = Representation.of(augmenter), has_pixels(augmenter)
    whole, canvas = _views(graph, augmenter, X)
    parts: list[str] = []
    first = 0 if with_pixels or learned.scores is not None else 1
    for kind, moments in zip(learned.kinds[first:], learned.moments[first:], strict=True):
        blocks = KINDS[type(kind)](graph, kind, whole, canvas, augmenter)
        parts += [graph("Mul", graph("Sub", block, m), w) for block, (m, w) in zip(blocks, moments, strict=True)]
    if learned.scores is not None:
        scores = graph("Gemm", graph("Concat", *parts, axis=1), learned.scores.weights, learned.scores.offset)
        parts = [*parts[not with_pixels :], scores]
    if learned.constant:
        value = graph.onnx.numpy_helper.from_array(np.array([learned.constant], np.float32))
        shape = graph("Concat", graph("Shape", X, end=1), np.array([1]), axis=0)
        parts.append(graph("ConstantOfShape", shape, value=value))
    return graph("Concat", *parts, axis=1)


def _views(graph: Graph, augmenter: Any, X: str) -> tuple[str, str]:
    """Return the names of encoded rows and of those on the canvas."""
    canvas = augmenter._canvas
    codec, shape = canvas.codec, canvas.codec.network_shape
    if augmenter._form.kind == "table":
        rows = graph.table(X, codec)
        return rows, rows
    middle, half = codec._middle_and_half
    images = graph.affine(graph.stack(X, shape, augmenter._form.row_shape), middle, half or 1.0)
    return images, _resized(graph, images, shape, canvas.shape)


def _resized(graph: Graph, images: str, shape: tuple[int, ...], size: tuple[int, ...]) -> str:
    if tuple(shape[:2]) == tuple(size[:2]):
        return images
    rows, across = (footprints(a, b) for a, b in zip(shape[:2], size[:2], strict=True))
    return graph("MatMul", graph("MatMul", rows, images), across.T)


def _pixels(graph: Graph, kind: Pixels, whole: str, canvas: str, augmenter: Any) -> list[str]:
    if augmenter._form.kind == "table":
        return [graph("Slice", canvas, np.array([0]), np.array([kind.n_features]), np.array([1]))]
    return [graph.flat(canvas)]


def _maps(graph: Graph, kind: DiscriminatorMaps, whole: str, canvas: str, augmenter: Any) -> list[str]:
    import keras

    model = augmenter.discriminator_
    blocks = graph.network(keras.Model(model.inputs[0], model.outputs[2:]), canvas)
    if not kind.rooted:
        return blocks
    return [graph("Mul", graph("Sign", block), graph("Sqrt", graph("Abs", block))) for block in blocks]


def _trunk(graph: Graph, kind: TrunkMaps, whole: str, canvas: str, augmenter: Any) -> list[str]:
    backbone, shape = kind.columns.network().backbone, augmenter._canvas.codec.network_shape
    if backbone.preprocess is not None:
        raise ValueError(
            f"to_onnx cannot write how images are prepared for backbone={backbone.name!r} of keras.applications. Fit "
            "with backbone='auto', None or a model of your own that scales images itself."
        )
    images = _resized(graph, whole, shape, backbone.size)
    images = graph("Mul", graph("Add", images, np.float32(1.0)), np.float32(127.5))
    if shape[2] == 2:
        images = graph("Concat", images, graph("ReduceMean", images, axes=[1]), axis=1)
    images = graph("Gather", images, np.arange(3) * (shape[2] > 1), axis=1)  # one channel thrice, of four the first
    return [graph("ReduceMean", one, axes=[2, 3], keepdims=0) for one in graph.network(backbone.model, images)]


def _patches(graph: Graph, kind: TypicalPatches, whole: str, canvas: str, augmenter: Any) -> list[str]:
    height, width, n_channels = augmenter._canvas.shape
    dictionary = kind._dictionary
    lines = graph("Reshape", canvas, np.array([-1, height, width]))  # a channel by itself
    small = graph("MatMul", graph("MatMul", footprints(height, SIDE), lines), footprints(width, SIDE).T)
    small = _standardised(graph, small)
    mirrored = graph("Gather", small, np.arange(SIDE)[::-1], axis=2)
    blocks = []
    for side, *pair in zip(
        dictionary.sides, *(_averages(graph, dictionary, each) for each in (small, mirrored)), strict=True
    ):
        width = n_channels * side**2 * len(dictionary.patches)
        blocks.append(graph("Reshape", graph("Mean", *pair), np.array([-1, width])))
    return blocks


def _standardised(graph: Graph, images: str) -> str:
    """Images at zero mean and unit variance, in float64 on the way; constant ones are zero."""
    flat = graph.cast(graph("Reshape", images, np.array([-1, SIDE**2])), np.float64)
    flat = graph("Sub", flat, graph("ReduceMean", flat, axes=[1]))
    spread = graph("Sqrt", graph("ReduceMean", graph("Mul", flat, flat), axes=[1]))
    over = graph("Where", graph("Less", spread, SMALLEST_SPREAD), np.inf, spread)
    return graph("Reshape", graph.cast(graph("Div", flat, over), np.float32), np.array([-1, SIDE, SIDE]))


def _averages(graph: Graph, dictionary: PatchDictionary, images: str) -> list[str]:
    """How much nearer than the average typical patches are, (n, side, side x n_patches) for each number of parts."""
    size, n_patches = dictionary.size, len(dictionary.patches)
    windows = np.eye(size**2, dtype=np.float32).reshape(-1, 1, size, size)
    patches = graph("Conv", graph("Unsqueeze", images, np.array([1])), windows)
    patches = graph("Transpose", patches, perm=(0, 2, 3, 1))
    patches = graph("Sub", patches, graph("ReduceMean", patches, axes=[-1]))
    variance = graph("ReduceMean", graph("Mul", patches, patches), axes=[-1])
    patches = graph("Div", patches, graph("Sqrt", graph("Add", variance, np.float32(FLAT_VARIANCE))))
    white = graph("MatMul", graph("Sub", patches, dictionary.mean), dictionary.whitening)
    squares = graph("Add", graph("ReduceSumSquare", white, axes=[-1]), dictionary._squares)
    distance = graph("Sqrt", graph("Relu", graph("Sub", squares, graph("MatMul", white, dictionary._doubled))))
    nearer = graph("Relu", graph("Sub", graph("ReduceMean", distance, axes=[-1]), distance))
    places = SIDE - size + 1
    averages = []
    for side in dictionary.sides:
        part = footprints(places, side)
        rows = graph("MatMul", part, graph("Reshape", nearer, np.array([-1, places, places * n_patches])))
        averages.append(graph("MatMul", part, graph("Reshape", rows, np.array([-1, places, n_patches]))))
    return averages


KINDS: dict[type, Callable[..., list[str]]] = {
    Pixels: _pixels,
    DiscriminatorMaps: _maps,
    TypicalPatches: _patches,
    TrunkMaps: _trunk,
}
