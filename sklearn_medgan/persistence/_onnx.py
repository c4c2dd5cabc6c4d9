"""Fitted estimators as ONNX graphs: the writer of a graph, Keras's layers in it, and `to_onnx`.

Images within a graph are (n, channels, height, width), as ONNX has them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._version import __version__
from ._file import replacing
from ._steps import needed
from ._values import find, key_of

if TYPE_CHECKING:
    import keras

OPSET, IR = 17, 8  # of 2022: what runs them need not be new
WRITERS = {"GANAugmenter": ".augmentation._onnx:columns", "GANEnhancer": ".enhancement._onnx:restored"}
TO_LAST, TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)  # where channels are moved


def to_onnx(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write the whole `transform` of a fitted estimator as an ONNX file, which runs without this package and Python.

    Parameters
    ----------
    estimator : GANAugmenter or GANEnhancer
        A fitted one. Its pretrained network, scale, corrections and all else of `transform` is in the file.
    path : str or path-like
        Where to write; an existing file is replaced.

    Raises
    ------
    TypeError, NotFittedError
        For another estimator, or one that is not fitted.
    ValueError
        For what has no form here, with the reason: ``architecture="dcgan"``, a `backbone` of other layers or of
        `keras.applications`; a `GANEnhancer` whose guard chose a filter, that enlarges, changes tone, or learned from
        unpaired images.
    ImportError
        If onnx is not installed (``pip install "sklearn-medgan[share]"``).

    Notes
    -----
    The input `X` is float32 in the units of `fit`, shaped like its rows; a `GANEnhancer` of image stacks takes images
    of any size. The output `Y` is float32; whole numbers are not rounded. Nothing is checked: neither ranges nor NaN.
    docs/sharing.md has an example.
    """
    from sklearn.utils.validation import check_is_fitted

    key = key_of(type(estimator))
    if key not in WRITERS:
        raise TypeError(f"to_onnx writes {' or '.join(WRITERS)}; got {estimator!r}. Pass that step of a pipeline.")
    check_is_fitted(estimator)
    graph = Graph()
    content = graph.model(estimator, find(key, WRITERS)(graph, estimator, "X"))
    with replacing(Path(path).resolve()) as file:
        file.write(content)


class Graph:
    """Nodes and constants of a graph that is being written; values go by names."""

    def __init__(self) -> None:
        self.onnx = needed("onnx", "to_onnx")
        self.nodes: list[Any] = []
        self.constants: dict[tuple, Any] = {}  # the same values once

    def __call__(self, kind: str, *inputs: Any, **attributes: Any) -> str:
        """Add a node and return its output; inputs are names, or arrays and numbers that become constants."""
        names = [value if isinstance(value, str) else self.constant(np.asarray(value)) for value in inputs]
        self.nodes.append(self.onnx.helper.make_node(kind, names, [f"v{len(self.nodes)}"], **attributes))
        return self.nodes[-1].output[0]

    def constant(self, array: np.ndarray) -> str:
        """Return the name of a constant."""
        array = np.ascontiguousarray(array).reshape(array.shape)
        key = array.dtype.str, array.shape, array.tobytes()
        if key not in self.constants:
            self.constants[key] = self.onnx.numpy_helper.from_array(array, f"c{len(self.constants)}")
        return self.constants[key].name

    def cast(self, value: str, dtype: type) -> str:
        """Return a value in another type."""
        return self("Cast", value, to=self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def affine(self, value: str, minus: Any, over: Any, plus: Any = 0.0) -> str:
        """Return ``(value - minus) / over + plus`` in float64, as float32."""
        parts = [np.asarray(part, np.float64) for part in (minus, over, plus)]
        less = self("Sub", self.cast(value, np.float64), parts[0])
        return self.cast(self("Add", self("Div", less, parts[1]), parts[2]), np.float32)

    def table(self, rows: str, codec: Any) -> str:
        """Return rows of a table as a `TableCodec` encodes them."""
        padding = np.array([0, 0, 0, codec.network_shape[0] - len(codec.mean)])
        return self("Pad", self.affine(rows, codec.mean, codec.scale), padding)

    def stack(self, rows: str, image_shape: tuple[int, ...], row_shape: tuple[int, ...]) -> str:
        """Return rows as images: flat ones of `image_shape`, a stack of any size."""
        if len(row_shape) == 1:
            rows = self("Reshape", rows, np.array([-1, *image_shape]))
        elif len(row_shape) == 2:
            return self("Unsqueeze", rows, np.array([1]))
        return self("Transpose", rows, perm=TO_FIRST)

    def flat(self, images: str) -> str:
        """Return images as rows, channels last."""
        return self("Flatten", self("Transpose", images, perm=TO_LAST), axis=1)

    def model(self, estimator: Any, output: str) -> bytes:
        """Return the file of the graph from X to an output."""
        helper, float32, form = self.onnx.helper, self.onnx.TensorProto.FLOAT, estimator._form
        n_channels = form.row_shape[2:]
        any_size = len(form.row_shape) > 1 and key_of(type(estimator)) == "GANEnhancer"
        shape = ["n", "height", "width", *n_channels] if any_size else ["n", *form.row_shape]
        result = shape if key_of(type(estimator)) == "GANEnhancer" else ["n", len(estimator.get_feature_names_out())]
        self.nodes.append(helper.make_node("Identity", [output], ["Y"]))
        ends = [[helper.make_tensor_value_info(name, float32, sides)] for name, sides in (("X", shape), ("Y", result))]
        graph = helper.make_graph(self.nodes, type(estimator).__name__, *ends, list(self.constants.values()))
        by = {"producer_name": "sklearn_medgan", "producer_version": __version__}
        note = "Research use only; not a medical device."
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=IR, doc_string=note, **by)
        self.onnx.checker.check_model(model, full_check=True)
        return model.SerializeToString()

    # ---- networks

    def network(self, model: keras.Model, image: str) -> list[str]:
        """Return the outputs of a Keras model of one input, for a value as that input."""
        known = {id(model.inputs[0]): image}
        for layer in model.operations:
            if id(layer.output) not in known:
                given = layer.input if isinstance(layer.input, list | tuple) else [layer.input]
                known[id(layer.output)] = self._layer(layer, [known[id(tensor)] for tensor in given])
        return [known[id(output)] for output in model.outputs]

    def _layer(self, layer: Any, inputs: list[str]) -> str:
        write = LAYERS.get(type(layer).__name__)
        activation = getattr(getattr(layer, "activation", None), "__name__", "linear")
        first = getattr(layer, "data_format", "channels_last") == "channels_first"
        output = write(self, layer, *inputs) if write and activation in ACTIVATIONS and not first else None
        if output is None:
            raise ValueError(
                f"to_onnx writes usual forms of {', '.join(LAYERS)}, with {' or '.join(ACTIVATIONS)}; the network has "
                f"{type(layer).__name__} {layer.name!r} ({activation}). Fit with another backbone or architecture."
            )
        kind, *limits = ACTIVATIONS[activation]
        return self(kind, output, *map(np.float32, limits))


def _weights(*weights: Any) -> list[np.ndarray]:
    from keras import ops

    return [ops.convert_to_numpy(weight).astype(np.float32) for weight in weights if weight is not None]


def _convolution(graph: Graph, layer: Any, x: str) -> str:
    kernel, *bias = _weights(layer.kernel, layer.bias)
    groups = getattr(layer, "groups", None)
    if groups is None:  # of a depthwise convolution
        groups, kernel = kernel.shape[2], kernel.reshape(*kernel.shape[:2], 1, -1)  # filters of depth 1
    sides = {"strides": layer.strides, "dilations": layer.dilation_rate, "auto_pad": _padding(layer)}
    return graph("Conv", x, kernel.transpose(3, 2, 0, 1), *bias, group=groups, **sides)


def _padding(layer: Any) -> str:
    return "SAME_UPPER" if layer.padding == "same" else "VALID"


def _transposed(graph: Graph, layer: Any, x: str) -> str | None:
    kernel, *bias = _weights(layer.kernel, layer.bias)
    if layer.padding != "valid" or tuple(layer.strides) != kernel.shape[:2]:
        return None
    return graph("ConvTranspose", x, kernel.transpose(3, 2, 0, 1), *bias, strides=layer.strides)


def _dense(graph: Graph, layer: Any, x: str) -> str | None:
    return graph("Gemm", x, *_weights(layer.kernel, layer.bias)) if len(layer.input.shape) == 2 else None


def _average(graph: Graph, layer: Any, x: str) -> str:
    return graph("AveragePool", x, kernel_shape=layer.pool_size, strides=layer.strides, auto_pad=_padding(layer))


def _relu(graph: Graph, layer: Any, x: str) -> str | None:
    most = np.float32(np.inf if layer.max_value is None else layer.max_value)
    return None if layer.negative_slope or layer.threshold else graph("Clip", x, np.float32(0), most)


def _rescaled(graph: Graph, layer: Any, x: str) -> str:
    scale, offset = (np.reshape(np.float32(part), (-1, 1, 1)) for part in (layer.scale, layer.offset))
    return graph("Add", graph("Mul", x, scale), offset)


LAYERS: dict[str, Callable[..., str | None]] = {
    "Conv2D": _convolution,
    "DepthwiseConv2D": _convolution,
    "Conv2DTranspose": _transposed,
    "Dense": _dense,
    "AveragePooling2D": _average,
    "LeakyReLU": lambda graph, layer, x: graph("LeakyRelu", x, alpha=float(layer.negative_slope)),
    "ReLU": _relu,
    "Flatten": lambda graph, layer, x: graph.flat(x) if len(layer.input.shape) == 4 else x,
    "Add": lambda graph, layer, *inputs: graph("Sum", *inputs),
    "Identity": lambda graph, layer, x: x,
    "Rescaling": _rescaled,
}
ACTIVATIONS: dict[str, tuple] = {"linear": ("Identity",), "relu": ("Relu",), "relu6": ("Clip", 0, 6)}
