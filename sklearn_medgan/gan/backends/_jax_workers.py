"""Data parallel training with JAX: over the devices of Keras's distribution, in one process or several."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import keras
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import NamedSharding, PartitionSpec

from ._workers import ALONE, Workers


def workers() -> Workers:
    """Return the devices of the `keras.distribution.DataParallel` that is set; one where none is."""
    distribution = keras.distribution.distribution()
    if distribution is None:
        return ALONE
    if not isinstance(distribution, keras.distribution.DataParallel):
        raise ValueError(
            f"keras.distribution is set to {type(distribution).__name__}; sklearn_medgan trains with DataParallel, "
            "or on one device. Call keras.distribution.set_distribution with one of these, or with None."
        )
    mesh = distribution.device_mesh.backend_mesh
    return JaxWorkers(mesh, distribution.batch_dim_name) if mesh.size > 1 else ALONE


@dataclass(frozen=True)
class JaxWorkers(Workers):
    """The devices along an axis of a mesh."""

    mesh: jax.sharding.Mesh
    axis: str

    @property
    def n(self) -> int:  # type: ignore[override]
        """Return the number of devices."""
        return self.mesh.size

    @property
    def n_processes(self) -> int:  # type: ignore[override]
        """Return the number of processes that have these devices."""
        return len({device.process_index for device in self.mesh.devices.flat})

    def placed(self, arrays: Any) -> Any:
        """Copy to each device of this process what is not there."""
        everywhere = NamedSharding(self.mesh, PartitionSpec())

        def place(array: Any) -> jax.Array:
            if isinstance(array, jax.Array) and array.sharding == everywhere:
                return array
            copies = [jax.device_put(array, device) for device in self.mesh.local_devices]
            return jax.make_array_from_single_device_arrays(np.shape(array), everywhere, copies)

        return jax.tree.map(place, arrays)

    def local(self, arrays: Any) -> Any:
        """Return the first device's copies: what one process computes from them alone holds up no other."""
        return jax.tree.map(lambda array: array.addressable_data(0), arrays)

    def spread(self, function: Callable) -> Callable:
        """Return a function of whole arrays that each device computes."""
        return jax.shard_map(
            function, mesh=self.mesh, in_specs=PartitionSpec(), out_specs=PartitionSpec(), check_vma=False
        )

    def place(self) -> jax.Array:
        """Return the device's number."""
        return jax.lax.axis_index(self.axis)

    def mean(self, tensors: Any) -> Any:
        """Reduce them all at once."""
        return jax.lax.pmean(tensors, self.axis)

    def lost(self, error: Exception) -> bool:
        """Tell: it is an error of XLA, or by another way that of Gloo, which is a ValueError."""
        of_jax = isinstance(error, jax.errors.JaxRuntimeError) or "Gloo" in str(error)
        return of_jax and self.n_processes > 1

    def gather(self, numbers: list[float]) -> np.ndarray:
        """Send the numbers by way of the devices."""
        if self.n_processes == 1:
            return np.array([numbers])
        return multihost_utils.process_allgather(np.asarray(numbers, np.float32))
