"""Initial weights: which distribution each layer draws from, said where the layer is built."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np


@keras.saving.register_keras_serializable("sklearn_medgan")
class FanIn(keras.initializers.Initializer):
    """Normal numbers of variance ``gain**2 / fan_in`` (LeCun et al. 1998; He et al. 2015, arXiv 1502.01852, eq. 7).

    They are drawn by `draw` from the random state of a fit, in place of those that Keras would take from Python's
    global generator: a layer that is built is all zeros. `fan_in` counts the inputs of one output: `channels_axis` is
    the kernel's axis of input channels, and of a transposed convolution only every `stride`-th tap of each axis meets
    one output.
    """

    def __init__(self, gain: float = 1.0, channels_axis: int = -2, stride: int = 1) -> None:
        self.gain, self.channels_axis, self.stride = gain, channels_axis, stride

    def __call__(self, shape: tuple[int, ...], dtype: Any = None, **_: Any) -> Any:
        """Return zeros, to be overwritten."""
        return keras.ops.zeros(shape, dtype)

    def draw(self, shape: tuple[int, ...], rng: np.random.RandomState) -> np.ndarray:
        fan_in = np.prod(shape[:-2]) * shape[self.channels_axis] / self.stride**2
        return rng.standard_normal(shape) * self.gain * np.sqrt(1.0 / fan_in)

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain, "channels_axis": self.channels_axis, "stride": self.stride}
