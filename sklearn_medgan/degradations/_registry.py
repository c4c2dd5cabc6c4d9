"""The table of degradations: what a name stands for, and how far its effect reaches."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np

from .._parameters import check_range, check_whole
from ._blur import defocus_blur, defocus_reach, gaussian_blur, gaussian_radius, motion_blur
from ._intensity import jpeg, low_contrast
from ._magnetic_resonance import bias_field, ghosting, k_space_undersampling
from ._noise import gaussian_noise, poisson_noise, rician_noise, speckle
from ._resolution import downscale
from ._stain import stain_variation
from ._tomography import ct_rings, ct_streaks, low_dose_ct


@dataclass(frozen=True)
class Degradation:
    """What a name in `DEGRADATIONS` stands for.

    Parameters
    ----------
    function : callable
        ``f(images, rng, *, levels) -> images``.
    reach : int or None
        How many pixels away another pixel may lie and still change a pixel's result, at the default levels: 0 for
        pixelwise ones, None for the whole image. A crop with such a margin is degraded like the whole.
    reach_at : callable or None, default=None
        The reach at other levels, from the parameters of `function`; None where it is the same at any level.

    Examples
    --------
    >>> DEGRADATIONS["blur"].reach, DEGRADATIONS["noise"].reach, DEGRADATIONS["low_dose_ct"].reach
    (8, 0, None)
    """

    function: Callable[..., np.ndarray]
    reach: int | None
    reach_at: Callable[..., int] | None = None

    @property
    def level(self) -> str:
        """The parameter that a dict of levels sets: the first after `rng`."""
        return list(inspect.signature(self.function).parameters)[2]


def _spatial(function: Callable[..., np.ndarray], level: str, pixels: Callable[[float], int]) -> Degradation:
    """A degradation that reaches so many `pixels` at the highest value of a level."""

    def reach_at(**levels: Any) -> int:
        default = inspect.signature(function).parameters[level].default
        return pixels(check_range(level, levels.get(level, default))[1])

    return Degradation(function, reach_at(), reach_at)


#: Name in ``GANEnhancer(degradation=...)`` -> function and reach.
DEGRADATIONS = {
    "noise": Degradation(gaussian_noise, reach=0),
    "poisson": Degradation(poisson_noise, reach=0),
    "rician": Degradation(rician_noise, reach=0),
    "speckle": Degradation(speckle, reach=0),  # drawn apart from the image
    "blur": _spatial(gaussian_blur, "sigma", lambda sigma: int(gaussian_radius(sigma))),
    "defocus": _spatial(defocus_blur, "radius", defocus_reach),
    "motion_blur": _spatial(motion_blur, "length", lambda length: ceil((length - 1) / 2)),
    # In pixels of the large image, for crops that begin at a multiple of the factor.
    "downscale": Degradation(downscale, reach=4, reach_at=lambda factor=2: 2 * check_whole("factor", factor)),
    "low_contrast": Degradation(low_contrast, reach=0),
    # Blocks of 8x8 count from the corner of the image, so a crop has other blocks.
    "jpeg": Degradation(jpeg, reach=None),
    "low_dose_ct": Degradation(low_dose_ct, reach=None),
    "rings": Degradation(ct_rings, reach=None),
    "streaks": Degradation(ct_streaks, reach=None),
    "bias_field": Degradation(bias_field, reach=None),
    "ghosting": Degradation(ghosting, reach=None),
    "undersampling": Degradation(k_space_undersampling, reach=None),
    "stain": Degradation(stain_variation, reach=0),
}
