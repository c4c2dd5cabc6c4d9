"""Classical filters, and the noise that they start from."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

GAIN = 6.0  # of the mask of `mixed_difference`: the root of the sum of its squares
STRENGTHS = (0.25, 0.5, 0.75, 1.0, 1.5)  # times the estimated noise
GOOD_LOOKED_AT = 32  # training images of which the usual noise is learned
USUAL_QUANTILE = 0.95


def estimate_noise(image: np.ndarray) -> float:
    """Return the standard deviation of white noise.

    Immerkaer 1996, Computer Vision and Image Understanding 64, eq. 5.
    """
    return float(np.sqrt(np.pi / 2.0) * np.abs(mixed_difference(image)).mean() / GAIN)


def mixed_difference(image: np.ndarray) -> np.ndarray:
    """Return the second difference down and across of an image, without its border: little of it but noise.

    White noise of deviation 1 has deviation `GAIN` there.
    """
    from scipy.ndimage import convolve

    mask = np.array([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]])[..., None]
    return convolve(image, mask)[1:-1, 1:-1]


def usual_noise(good: list[np.ndarray]) -> float:
    """Return the noise that few good images exceed: there is some in them, and fine structure looks like it."""
    return float(np.quantile([estimate_noise(image) for image in good], USUAL_QUANTILE))


def _nothing(image: np.ndarray, strength: float, noise: float) -> np.ndarray:
    return image


def _median(image: np.ndarray, strength: float, noise: float) -> np.ndarray:
    from scipy.ndimage import median_filter

    return median_filter(image, (3, 3, 1)) if strength >= 1.0 else image


def _by_skimage(name: str, image: np.ndarray, **settings: Any) -> np.ndarray:
    """A function of skimage.restoration; grey images without a channel axis, which some of them take for depth."""
    from skimage import restoration

    function, grey = getattr(restoration, name), image.shape[2] == 1
    result = function(image[..., 0] if grey else image, channel_axis=None if grey else -1, **settings)
    return result[..., None] if grey else result


def _total_variation(image: np.ndarray, strength: float, noise: float) -> np.ndarray:
    return _by_skimage("denoise_tv_chambolle", image, weight=max(2.0 * strength * noise, 1e-8))


def _non_local_means(image: np.ndarray, strength: float, noise: float) -> np.ndarray:
    size = {"patch_size": 5, "patch_distance": 6, "fast_mode": True}
    return _by_skimage("denoise_nl_means", image, h=max(strength * noise, 1e-8), sigma=noise, **size)


def _wavelet(image: np.ndarray, strength: float, noise: float) -> np.ndarray:
    return _by_skimage("denoise_wavelet", image, sigma=max(strength * noise, 1e-8), rescale_sigma=False)


Filter = Callable[[np.ndarray, float, float], np.ndarray]  # image, strength, noise
FILTERS: dict[str, Filter] = {
    "nothing": _nothing,
    "median": _median,
    "total variation": _total_variation,
    "non-local means": _non_local_means,
    "wavelet": _wavelet,
}


def available_filters() -> dict[str, Filter]:
    """Return those that can run: wavelets need PyWavelets, which scikit-image leaves optional."""
    missing = {"wavelet"} if importlib.util.find_spec("pywt") is None else set()
    return {name: f for name, f in FILTERS.items() if name not in missing}


def strength_of(report: dict[str, Any]) -> float:
    """Return that of the method which a `guard_report_` has chosen; ValueError for a filter of which there is none."""
    chosen, strengths = report["chosen"], report["strength"]
    if chosen in FILTERS and chosen != "nothing" and chosen not in strengths:
        known = ", ".join(map(repr, ("network", *(strengths or ("nothing",)))))
        raise ValueError(
            f"guard_report_['chosen'] is {chosen!r}, whose strength this fit did not learn. Set it to one of {known}, "
            "or fit with guard=True."
        )
    return strengths.get(chosen, 0.0)


def run_filter(name: str, strength: float, image: np.ndarray, usual: float = 0.0) -> np.ndarray:
    """Return a filter's result, float32; where it makes no finite number (a constant image), the image as it was.

    `usual` is the noise of good images. Variances of noise add up, so what there is beyond it is removed, and the
    filter fades out as an image gets as clean as a good one.
    """
    if name not in FILTERS:
        raise ValueError(
            "guard_report_['chosen'] must be 'network' or a key of guard_report_['strength'], such as "
            f"{', '.join(map(repr, FILTERS))}; got {name!r}. Set it to one of them."
        )
    noise = float(np.sqrt(max(estimate_noise(image) ** 2 - usual**2, 0.0))) if name != "nothing" else 0.0
    if noise == 0.0:
        return np.asarray(image, dtype=np.float32)
    with np.errstate(all="ignore"):
        result = np.asarray(FILTERS[name](image, strength, noise), dtype=np.float32)
    return result if np.isfinite(result).all() else image
