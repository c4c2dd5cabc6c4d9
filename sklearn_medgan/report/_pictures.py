"""Images as PNG in text."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

LONGEST = 160  # pixels a side


def png(image: ArrayLike, low: float, high: float) -> str:
    """Return an image (height, width[, channels]) as PNG in base64, reduced to at most 160 pixels a side.

    Values up to `low` are black, from `high` on white. Three channels are colours; of another number the first is
    shown.
    """
    values = np.asarray(image, dtype=np.float64)
    if values.ndim == 3 and values.shape[2] != 3:
        values = values[..., 0]
    levels = np.nan_to_num((values - low) / ((high - low) or 1.0)).clip(0, 1) * 255
    picture, file = Image.fromarray(levels.round().astype(np.uint8)), io.BytesIO()
    picture.thumbnail((LONGEST, LONGEST))
    picture.save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode("ascii")
