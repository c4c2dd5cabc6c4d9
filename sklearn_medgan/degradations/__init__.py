"""How good images become poor ones: noise, blur, lost resolution and contrast, compression, low dose.

Every degradation is a pure function ``f(images, rng, *, levels) -> images`` on float arrays of shape
(n, height, width, channels) in fractions of the intensity scale: 0 is its lower end, 1 its upper end.
``GANEnhancer`` maps the user's scale, such as Hounsfield units, to this one and back. Values may lie outside
[0, 1] and are clipped only where a docstring says so; float32 stays float32 and float64 stays float64.

A level is one number for all images, or a pair (low, high) from which each image draws its own, evenly: a blind range.
"""

from ._blur import gaussian_blur, motion_blur
from ._chain import compose, mix, resolve
from ._custom import apply
from ._intensity import jpeg, low_contrast
from ._noise import gaussian_noise, poisson_noise, rician_noise
from ._registry import DEGRADATIONS, Degradation
from ._resolution import downscale, upscale
from ._tomography import low_dose_ct

__all__ = [
    "DEGRADATIONS",
    "Degradation",
    "apply",
    "compose",
    "downscale",
    "gaussian_blur",
    "gaussian_noise",
    "jpeg",
    "low_contrast",
    "low_dose_ct",
    "mix",
    "motion_blur",
    "poisson_noise",
    "resolve",
    "rician_noise",
    "upscale",
]
