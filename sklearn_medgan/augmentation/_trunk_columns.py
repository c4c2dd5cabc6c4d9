"""Columns from a frozen pretrained network: means over its maps of several depths."""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backbones._resolve import Backbone, fingerprint, resolve_backbone
from ._column_cache import ColumnCache
from ._resampling import resized

MOST_NETWORKS = 4  # kept in the process, ready to run; the least recently used one is dropped
AT_ONCE = 16  # images a call of the network: bounds the memory, and how long Ctrl-C waits

_networks: OrderedDict[Any, Network] = OrderedDict()
_numbers = itertools.count()
_building = threading.RLock()
CACHE = ColumnCache()


@dataclass(frozen=True)
class Network:
    """A pretrained network, traced: built once in a process, whatever copies of an estimator ask for it.

    `backbone` is what `source` was resolved to. `columns` maps images (n, height, width, 3), float32, as the network
    takes them, to the means of its maps side by side, (n, n_columns), float32. Images go through it one by one: in a
    batch the last bit of a product depends on the place in it (TensorFlow 2.21 on a CPU, 1x1 convolutions), and a row's
    columns may not depend on the rows beside it. `number` is unlike that of every other network of the process.
    """

    backbone: Backbone
    source: Any
    columns: Callable[[np.ndarray], np.ndarray]
    number: int

    @classmethod
    def of(cls, source: Any) -> Network:
        """Build and trace what `backbone=source` asks for."""
        from keras import ops

        from ..gan.backends import Tensor, backend
        from ..gan.environment import Compiled, check_environment, own_settings

        check_environment()
        with own_settings():
            backbone = resolve_backbone(source)
        if backbone is None:
            raise ValueError("These columns come from a pretrained network; got backbone=None. Set it to that of fit.")

        def means(image: Tensor) -> Tensor:
            maps = backbone.maps(image[None])
            return ops.concatenate([ops.mean(ops.cast(one, "float32"), (0, 1, 2)) for one in maps])

        columns = Compiled(means, (backend.spec((*backbone.size, 3), "float32"),), each=True)
        return cls(backbone, source, lambda images: ops.convert_to_numpy(columns(images)), next(_numbers))


def network_of(source: Any) -> Network:
    """Return the network that `backbone=source` asks for; models of the same configuration and weights share one."""
    with _building:
        key = fingerprint(source)
        network = _networks.get(key)
        trained_since = network is not None and network.source is not source and fingerprint(network.source) != key
        if network is None or trained_since:
            network = Network.of(source)
            _networks[key] = network
        _networks.move_to_end(key)
        while len(_networks) > MOST_NETWORKS:
            _networks.popitem(last=False)
        return network


@dataclass(frozen=True)
class TrunkColumns:
    """Means over the maps of a pretrained network, a block of columns for each map.

    Images are brought to the size that the network takes: larger ones reduced by averages, smaller ones enlarged by
    linear interpolation (one of 8x8 becomes 224x224, which shows the network more pixels and no more detail). One
    channel is shown as grey, three as red, green and blue; of two the third is their mean, of four the first three are
    looked at.

    What was computed of an image is kept in the process for all instances, under a digest of the image and of nothing
    else (no image is kept), and is never saved or pickled. A result is the same bit by bit with and without.
    `cache_size_mb` is how much may be kept, in MB of 10^6 bytes (about 2 kB an image); where instances differ, that of
    the last one to keep something holds; None neither keeps nor looks up. `expected` is the fingerprint of the network
    of `fit`, another one than which is an error; None: any.
    """

    backbone: Any
    cache_size_mb: float | None = 64
    expected: str | None = None

    def network(self) -> Network:
        """Return the network, which is known by a digest of its weights; an error where it is not the one of fit."""
        network = network_of(self.backbone)
        if self.expected not in (None, network.backbone.fingerprint):
            raise ValueError(
                f"The weights of backbone={network.backbone.name!r} have changed since fit: expected "
                f"{str(self.expected)[:12]}, got {network.backbone.fingerprint[:12]}. Fit again, or set backbone to "
                "the network of that fit."
            )
        return network

    def transform(self, encoded: np.ndarray, network: Network | None = None) -> list[np.ndarray]:
        """Return the blocks of images (n, height, width, channels) in [-1, 1], from fine to coarse maps, float32."""
        network = network or self.network()
        ends = np.cumsum(network.backbone.n_channels)
        columns = np.empty((len(encoded), ends[-1]), np.float32)
        for start in range(0, len(encoded), AT_ONCE):
            columns[start : start + AT_ONCE] = self._columns(network, encoded[start : start + AT_ONCE])
        return np.split(columns, ends[:-1], axis=1)

    def _columns(self, network: Network, images: np.ndarray) -> list[np.ndarray]:
        """Return a vector for each image: looked up, or computed and kept."""
        if self.cache_size_mb is None:
            return list(computed(network, images))
        keys = [(network.number, image.shape, digest(image)) for image in images]
        found = {i: vector for i, key in enumerate(keys) if (vector := CACHE.get(key)) is not None}
        missing = [i for i in range(len(images)) if i not in found]
        if missing:
            for i, vector in zip(missing, computed(network, images[missing]), strict=True):
                found[i] = vector
                CACHE.put(keys[i], vector, 1e6 * self.cache_size_mb)
        return [found[i] for i in range(len(images))]


def computed(network: Network, images: np.ndarray) -> np.ndarray:
    """Return the means of the network's maps for encoded images, (n, n_columns)."""
    backbone = network.backbone
    shown = pictures(images, backbone.size)
    columns = network.columns(shown if backbone.preprocess is None else backbone.preprocess(shown))
    if not np.isfinite(columns).all():
        raise ValueError(
            f"backbone={backbone.name!r} gives values that are not finite for these images. It is shown RGB images of "
            "0 to 255: scale them inside the model if it expects others."
        )
    return columns


def pictures(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return encoded images as RGB of 0 to 255, of the size that a network takes."""
    return as_colour((resized(images, size) + 1.0) * np.float32(127.5))


def digest(image: np.ndarray) -> bytes:
    """Return 128 bits that tell this image's values from others'."""
    return hashlib.sha256(np.ascontiguousarray(image, np.float32).data).digest()[:16]


def as_colour(images: np.ndarray) -> np.ndarray:
    """Return images of one to four channels with three."""
    n_channels = images.shape[3]
    if n_channels == 1:
        return np.repeat(images, 3, axis=3)
    if n_channels == 2:
        return np.concatenate([images, images.mean(3, keepdims=True)], axis=3)
    return images[..., :3]
