"""What images of one file or folder must be, and images of another size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .._containers import cast
from .._parameters import ParameterError, is_number
from .._validation import MOST_CHANNELS
from ._units import Window

# What the images of a folder share, and how to tell it.
_SHARED: dict[str, Callable[[np.ndarray], object]] = {
    "number of channels": lambda stack: (*stack.shape, 1)[3],
    "dtype": lambda stack: str(stack.dtype),
    "shape": lambda stack: stack.shape[1:3],
}
_ADVICE = {
    "number of channels": "Convert the files to one kind, or pass channels=1 (grey) or channels=3 (RGB).",
    "dtype": "Convert the files to one dtype.",
    "shape": "Pass image_shape=(height, width) to resize them.",
}
_PARAMETER = {"number of channels": "channels", "shape": "image_shape"}
LUMA = (0.299, 0.587, 0.114)  # of red, green and blue: ITU-R BT.601, as pillow


def check_stack(data: np.ndarray, path: object) -> None:
    """Raise a ValueError unless the file holds images of 1 to 4 channels, last, and of numbers."""
    if data.ndim not in (3, 4) or (data.ndim == 4 and not 1 <= data.shape[3] <= MOST_CHANNELS):
        first = data.ndim == 4 and 1 <= data.shape[1] <= MOST_CHANNELS
        remedy = (
            "The channels seem to come first: move them to the last axis (numpy.moveaxis(X, 1, -1))"
            if first
            else "Reshape the array, or take slices of a volume,"
        )
        raise ValueError(
            "Expected images of shape (n, height, width) or (n, height, width, channels) with 1 to "
            f"{MOST_CHANNELS} channels; got {data.shape} in {path}. {remedy} and save it again."
        )
    if data.dtype.kind not in "buif":
        raise ValueError(f"Expected images of numbers; got dtype {data.dtype} in {path}. Save integers or floats.")


def check_alike(stacks: Mapping[str, np.ndarray], path: Path) -> None:
    """Raise a ValueError that names two files where images cannot be one array."""
    for what, value_of in _SHARED.items():
        first_with: dict[object, str] = {}
        for name, stack in stacks.items():
            first_with.setdefault(value_of(stack), name)
        if len(first_with) > 1:
            examples = " and ".join(f"{value} ({name})" for value, name in list(first_with.items())[:2])
            expected, got = f"were expected to have one {what}", f"{len(first_with)}, for example {examples}"
            subject = f"The images in {path}"
            if what in _PARAMETER:
                raise ParameterError(_PARAMETER[what], expected, got, _ADVICE[what], subject)
            raise ValueError(f"{subject} {expected}; got {got}. {_ADVICE[what]}")


def check_image_size(image_shape: Any) -> None:
    """Raise a ParameterError unless it is None or (height, width)."""
    sides = () if image_shape is None else tuple(image_shape)
    whole = all(isinstance(side, (int, np.integer)) and not isinstance(side, bool) and side > 0 for side in sides)
    if image_shape is not None and not (len(sides) == 2 and whole):
        raise ParameterError(
            "image_shape",
            "was expected to be (height, width), two whole numbers above 0",
            repr(image_shape),
            "Pass for example image_shape=(64, 64).",
        )


def check_channels(channels: int | None) -> int | None:
    if channels not in (None, 1, 3) or isinstance(channels, bool):
        raise ParameterError("channels", "was expected to be 1 (grey), 3 (RGB) or None", repr(channels))
    return channels


def check_window(window: Any) -> Window:
    """Return it, or raise a ParameterError unless it is (center, width), "file" or None."""
    if window is None or window == "file":
        return window
    good = len(window) == 2 and all(is_number(value) and np.isfinite(value) for value in window) and window[1] >= 1
    if not good:
        raise ParameterError(
            "window",
            'was expected to be (center, width) with a width from 1 up, or "file"',
            repr(window),
            "Pass for example window=(40, 400), which shows soft tissue in CT.",
        )
    return float(window[0]), float(window[1])


def with_channels(stack: np.ndarray, channels: int | None) -> np.ndarray:
    """Return images of 1 or 3 channels: colour as its luma, grey three times, alpha left out; None: as they are."""
    n_channels = (*stack.shape, 1)[3]
    if channels is None or (stack.ndim == (3 if channels == 1 else 4) and n_channels == channels):
        return stack
    if n_channels >= 3:
        colours = stack[..., :3]
        return colours if channels == 3 else cast(colours @ np.array(LUMA), stack.dtype)
    grey = stack if stack.ndim == 3 else stack[..., 0]
    return grey if channels == 1 else np.repeat(grey[..., np.newaxis], 3, axis=-1)


def resized(stack: np.ndarray, image_shape: Sequence[int]) -> np.ndarray:
    """Return the images at another height and width; those of that size already are left alone."""
    if stack.shape[1:3] == tuple(image_shape):
        return stack
    from skimage.transform import resize

    shape = (*image_shape, *stack.shape[3:])
    images = [resize(image.astype(np.float64), shape, anti_aliasing=True, preserve_range=True) for image in stack]
    return cast(np.stack(images), stack.dtype) if images else np.empty((0, *shape), stack.dtype)
