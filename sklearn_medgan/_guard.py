"""Would doing nothing, or a simple classical filter, have been better? The comparison behind `GANEnhancer(guard=True)`.

All images here are float32 (height, width, channels) in fractions of the learned scale.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import numpy as np

STRENGTHS = (0.25, 0.5, 0.75, 1.0, 1.5)  # times the estimated noise
TUNED_ON = 4  # images
SIDE = 128  # of the crops on which filters are tuned and compared
CLASSIFIER_SIDE = 32  # images are averaged down to about this for the linear classifier
FEWEST_ROWS = 20  # held-out rows below which a classifier would decide by chance


def estimate_noise(image: np.ndarray) -> float:
    """Standard deviation of white noise (Immerkaer 1996, Computer Vision and Image Understanding 64, eq. 5)."""
    from scipy.ndimage import convolve

    mask = np.array([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]])[..., None]
    response = np.abs(convolve(image, mask)[1:-1, 1:-1])
    return float(np.sqrt(np.pi / 2.0) * response.mean() / 6.0)


def _nothing(image, strength):
    return image


def _median(image, strength):
    from scipy.ndimage import median_filter

    return median_filter(image, (3, 3, 1)) if strength >= 1.0 else image


def _by_skimage(name: str, image, **settings):
    """A function of skimage.restoration; grey images without a channel axis, which some of them take for depth."""
    from skimage import restoration

    function, grey = getattr(restoration, name), image.shape[2] == 1
    result = function(image[..., 0] if grey else image, channel_axis=None if grey else -1, **settings)
    return result[..., None] if grey else result


def _total_variation(image, strength):
    weight = max(2.0 * strength * estimate_noise(image), 1e-8)
    return _by_skimage("denoise_tv_chambolle", image, weight=weight)


def _non_local_means(image, strength):
    noise = estimate_noise(image)
    size = {"patch_size": 5, "patch_distance": 6, "fast_mode": True}
    return _by_skimage("denoise_nl_means", image, h=max(strength * noise, 1e-8), sigma=noise, **size)


def _wavelet(image, strength):
    sigma = max(strength * estimate_noise(image), 1e-8)
    return _by_skimage("denoise_wavelet", image, sigma=sigma, rescale_sigma=False)


FILTERS: dict[str, Callable] = {
    "nothing": _nothing,
    "median": _median,
    "total variation": _total_variation,
    "non-local means": _non_local_means,
    "wavelet": _wavelet,
}


def available_filters() -> dict[str, Callable]:
    """Those that can run: wavelets need PyWavelets, which scikit-image leaves optional."""
    missing = {"wavelet"} if importlib.util.find_spec("pywt") is None else set()
    return {name: f for name, f in FILTERS.items() if name not in missing}


def run_filter(name: str, strength: float, image: np.ndarray) -> np.ndarray:
    """A filter's result, float32; where it makes no finite number (a constant image), the image as it was."""
    with np.errstate(all="ignore"):
        result = np.asarray(FILTERS[name](image, strength), dtype=np.float32)
    return result if np.isfinite(result).all() else image


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of images in fractions of the scale (peak 1)."""
    return float(-10.0 * np.log10(np.mean(np.square(first - second, dtype=np.float64)) + 1e-10))


def tune(poor: list, good: list) -> dict[str, float]:
    """The strength of each filter with the highest mean PSNR on these training images."""
    strengths = {"nothing": 0.0}
    for name in available_filters():
        if name != "nothing":
            scores = [
                np.mean([psnr(run_filter(name, s, p), g) for p, g in zip(poor, good, strict=True)]) for s in STRENGTHS
            ]
            strengths[name] = STRENGTHS[int(np.argmax(scores))]
    return strengths


def middle(image: np.ndarray, side: int = SIDE) -> np.ndarray:
    """The central square of at most `side` pixels."""
    top, left = (max(s - side, 0) // 2 for s in image.shape[:2])
    return image[top : top + side, left : left + side]


def classifier(images: list, labels):
    """A linear classifier of good training images."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000)).fit(_columns(images), labels)


def accuracy(model, images: list, labels) -> float:
    """Balanced accuracy of `classifier` on images."""
    from sklearn.metrics import balanced_accuracy_score

    return float(balanced_accuracy_score(labels, model.predict(_columns(images))))


def _columns(images: list) -> np.ndarray:
    """Flat rows of images averaged down to about `CLASSIFIER_SIDE` pixels a side."""
    from skimage.measure import block_reduce

    factor = max(1, min(images[0].shape[:2]) // CLASSIFIER_SIDE)
    return np.stack([block_reduce(image, (factor, factor, 1), np.mean).ravel() for image in images])


def verdict(scores: dict[str, float], accuracies: dict[str, float] | None, n_held_out: int) -> str:
    """The treatment to use: "network", unless another is better.

    By accuracy, where it was measured, the network must not fall below doing nothing by more than a standard error;
    else, and among filters, by PSNR.
    """
    if accuracies is not None:
        p = accuracies["nothing"]
        margin = np.sqrt(max(p * (1.0 - p), 0.05) / n_held_out)
        if accuracies["network"] < p - margin:
            return max(accuracies, key=lambda name: (accuracies[name], scores[name]))
    best = max(scores, key=scores.get)
    return "network" if scores["network"] >= scores[best] else best
