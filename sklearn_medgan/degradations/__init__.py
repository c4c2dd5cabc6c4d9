"""How good images become poor ones: noise, blur, lost resolution and contrast, compression, artefacts of scanners.

Every degradation is a pure function ``f(images, rng, *, levels) -> images`` on float arrays of shape
(n, height, width, channels) in fractions of the intensity scale: 0 is its lower end, 1 its upper end.
``GANEnhancer`` maps the user's scale, such as Hounsfield units, to this one and back. Values may lie outside
[0, 1] and are clipped only where a docstring says so; float32 stays float32 and float64 stays float64.

A level is one number for all images, or a pair (low, high) from which each image draws its own, evenly: a blind range.
"""

from ._blur import defocus_blur, gaussian_blur, motion_blur
from ._chain import compose, mix, resolve
from ._custom import apply
from ._intensity import jpeg, low_contrast
from ._magnetic_resonance import bias_field, ghosting, k_space_undersampling
from ._noise import gaussian_noise, poisson_noise, rician_noise, speckle
from ._registry import DEGRADATIONS, Degradation
from ._resolution import downscale, upscale
from ._stain import stain_variation
from ._tomography import ct_rings, ct_streaks, low_dose_ct

__all__ = [
    "DEGRADATIONS",
    "Degradation",
    "apply",
    "bias_field",
    "compose",
    "ct_rings",
    "ct_streaks",
    "defocus_blur",
    "downscale",
    "gaussian_blur",
    "gaussian_noise",
    "ghosting",
    "jpeg",
    "k_space_undersampling",
    "low_contrast",
    "low_dose_ct",
    "mix",
    "motion_blur",
    "poisson_noise",
    "resolve",
    "rician_noise",
    "speckle",
    "stain_variation",
    "upscale",
]
