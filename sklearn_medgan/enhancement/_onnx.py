"""`GANEnhancer.transform` as an ONNX graph: the network, and its corrections as `_shrinkage` leaves them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..persistence._onnx import TO_LAST, Graph
from ._images import ImageRestoration
from ._shrinkage import REACH, VIEWS
from ._tables import TableRestoration
from ._unpaired import UnpairedRestoration

if TYPE_CHECKING:
    import keras

DOWN, ACROSS = 2, 3  # axes of images
LAST, END = np.array([-1]), np.array([np.iinfo(np.int64).min])


def restored(graph: Graph, enhancer: Any, X: str) -> str:
    """Write what `enhancer` makes of rows `X`, and return its name."""
    import keras

    restoration, chosen = enhancer._restoration, enhancer.guard_report_["chosen"]
    if chosen == "nothing" and restoration.scale == 1:
        return X
    reasons = {
        f"guard chose {chosen!r}, which other libraries compute": chosen != "network",
        "it enlarges images": restoration.scale > 1,
        "it undoes the shift between two sites": isinstance(restoration, UnpairedRestoration),
        "it changes the tone by quantiles of the image": getattr(restoration, "tone", None) is not None,
    }
    if reason := next((reason for reason, holds in reasons.items() if holds), None):
        raise ValueError(f"to_onnx cannot write this GANEnhancer: {reason}. Use save and load.")
    network = keras.Model(enhancer.generator_.inputs, enhancer.generator_.outputs[0])
    if isinstance(restoration, TableRestoration):
        codec = restoration.codec
        (found,) = graph.network(network, graph.table(X, codec))
        found = graph("Slice", found, np.array([0]), np.array([len(codec.mean)]), np.array([1]))
        return graph.affine(found, 0.0, 1.0 / codec.scale, codec.mean)
    return _images(graph, enhancer, network, X)


def _images(graph: Graph, enhancer: Any, network: keras.Model, X: str) -> str:
    restoration: ImageRestoration = enhancer._restoration
    codec, form, report = restoration.codec, enhancer._form, enhancer.guard_report_
    before = graph.stack(X, enhancer.image_shape_, form.row_shape)
    images = graph.affine(before, codec.low, codec.span)
    padded = _continued(graph, _continued(graph, images, DOWN, restoration.stride), ACROSS, restoration.stride)
    views = [_one_view(graph, network, padded, *view) for view in VIEWS[: int(enhancer.n_views)]]
    found = _shrunk(graph, padded, graph("Mean", *views), report["shrinkage"] / restoration.span)
    sides = graph("Shape", images, start=2, end=4)
    found = graph("Slice", found, np.array([0, 0]), sides, np.array([DOWN, ACROSS]))
    found = graph.affine(found, 0.0, 1.0 / codec.span, codec.low)
    if report["spared"]:
        change = graph("Sub", found, before)
        size = graph("Sqrt", graph("ReduceMean", graph("Mul", change, change), axes=[1, 2, 3]))
        found = graph("Where", graph("LessOrEqual", size, np.float32(report["spared"])), before, found)
    if restoration.constant:
        constant = np.array([value is not None for value in restoration.constant]).reshape(1, -1, 1, 1)
        found = graph("Where", constant, before, found)
    if len(form.row_shape) == 2:
        return graph("Squeeze", found, np.array([1]))
    return graph.flat(found) if len(form.row_shape) == 1 else graph("Transpose", found, perm=TO_LAST)


def _continued(graph: Graph, images: str, axis: int, stride: int) -> str:
    """Images continued by reflection along an axis, to a multiple of `stride`."""
    n = graph("Squeeze", graph("Shape", images, start=axis, end=axis + 1))
    wanted = graph("Mul", graph("Div", graph("Add", n, stride - 1), stride), stride)
    place = graph("Range", 0, wanted, 1)
    back = graph("Sub", graph("Sub", graph("Mul", n, 2), 1), place)
    return graph("Gather", images, graph("Min", place, back), axis=axis)


def _flipped(graph: Graph, images: str, axis: int) -> str:
    return graph("Slice", images, LAST, END, np.array([axis]), LAST)


def _turned(graph: Graph, images: str, turns: int) -> str:
    """Images after quarter turns, as by `numpy.rot90`."""
    for _ in range(turns % 4):
        images = graph("Transpose", _flipped(graph, images, ACROSS), perm=(0, 1, 3, 2))
    return images


def _one_view(graph: Graph, network: keras.Model, images: str, mirrored: bool, turns: int) -> str:
    view = _turned(graph, _flipped(graph, images, ACROSS) if mirrored else images, turns)
    back = _turned(graph, graph.network(network, view)[0], -turns)
    return _flipped(graph, back, ACROSS) if mirrored else back


def _shrunk(graph: Graph, poor: str, found: str, size: float) -> str:
    """Corrections scaled down where they are small against `size`."""
    if not size:
        return found
    correction = graph("Sub", found, poor)
    energy = graph("ReduceMean", graph("Mul", correction, correction), axes=[1])
    edges = np.array([0, 0, REACH, REACH] * 2)
    window = 2 * REACH + 1
    energy = graph("AveragePool", graph("Pad", energy, edges, mode="edge"), kernel_shape=(window, window))
    return graph("Add", poor, graph("Mul", correction, graph("Div", energy, graph("Add", energy, np.float32(size**2)))))
