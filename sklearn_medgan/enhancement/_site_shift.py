"""What makes images of one site look like those of another, learned from images of different patients.

The model is that of an acquisition and has few parameters, so it can invent no anatomy: a tone curve for each channel,
a smooth shading, a blur, and noise whose size depends on the brightness. They follow from statistics of the two sets in
closed form, or nearly so. Training then goes by pairs (Bulat et al. 2018, arXiv 1807.11458, learn the degradation by an
adversary; here it is known but for some numbers).

- Tone and shading: in each part of the field of view, quantiles of the poor images are quantiles of the good ones
  through a common curve, times a gain of the place. A curve by all pixels would tear a background that is the same at
  one site over two of the other; then it goes by the quantiles that images have on average. Means of blocks are looked
  at, in which noise averages out, and of good images blurred as the poor ones are: a curve would take the contrast that
  blur costs fine structure for its own.
- Blur and noise: the power spectrum of the poor images is that of the good ones times a Gaussian, plus that of the
  noise, white and, where it must be, correlated. Bands count by how much their power varies from image to image.
- How noise depends on brightness: from differences of neighbouring pixels that are of equal brightness.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from .._codecs import ends_of_images
from ._tiling import block_means
from ._tone import ToneCurve

LEVELS = np.concatenate([[0, 0.002, 0.005, 0.01], np.linspace(0.02, 0.98, 49), [0.99, 0.995, 0.998, 1]])
COMPARED = LEVELS[1:-1]  # quantiles: noise widens the range
OF_PARTS = np.linspace(0.02, 0.98, 25)  # quantiles compared in each part of the field of view
PARTS, ORDER = 6, 2  # parts a side, order of the shading's cosines
ROUNDS, AGAIN = 6, 2  # between curve and shading; between these and the blur
USUAL_SHADING, SPREAD_OF_PARTS = 0.2, 0.5  # logarithms: of a coefficient, and of a part's mean from image to image
FINEST, BLOCKS = 4, 14  # pixels a block's side at most, and blocks a side at least
ALIKE = 1e-3  # of the scale: levels this near count as one, such as those of a black background
TORN = 0.1  # of the scale, that average quantiles of images may lie off a curve by all pixels
BANDS, FROM, TO = 20, 0.04, 0.71  # of the power spectrum, in cycles a pixel
LEAST_ERROR, USUAL_CONTRAST = 0.01, 0.05  # logarithms of power: of a band; between sites after tone and shading
OF_CORRELATED = 4.0  # standard errors that correlated noise has to explain
MARGIN = 12  # pixels that an image is continued by before it is blurred
BRIGHTNESSES = 8
BLUR_VARIES, NOISE_VARIES = 0.3, 0.2  # from image to image: share of the variance, logarithm of the deviation
LIMITS = np.array([[-0.3, 6.0], [-25.0, 0.0], [-25.0, 0.0], [np.log(0.3), np.log(8.0)], [-1.5, 1.5]])  # of the fit


class Noise(NamedTuple):
    """A power spectrum, in fractions of the scale: white, plus correlated exp(-`extent` (2 pi f)^2)."""

    white: float
    correlated: float
    extent: float

    def power(self, squares: np.ndarray) -> np.ndarray:
        return self.white + self.correlated * np.exp(-self.extent * squares)


@dataclass(frozen=True)
class SiteShift:
    """A degradation: what turns good images into such as came from another scanner or site.

    Levels `good` of good images become `poor` ones, both (57, channels), then multiplied by the exponential of a sum of
    cosines with coefficients `shading` (5, channels). `blur` is the variance of a Gaussian in square pixels, negative
    where poor images are sharper. `noise` (white, correlated, extent) is its spectrum at a relative deviation of 1;
    `deviation` (8,) is that at `brightness`. `limits` are the ends of the range of poor images.
    """

    good: np.ndarray
    poor: np.ndarray
    shading: np.ndarray
    limits: tuple[float, float]
    blur: float
    noise: tuple[float, ...]
    brightness: np.ndarray
    deviation: np.ndarray

    @property
    def reach(self) -> int | None:
        """None: what becomes of a pixel depends on its place in the whole image."""
        return None

    @classmethod
    def learn(cls, poor: np.ndarray, good: np.ndarray, toned: bool = True) -> SiteShift:
        """Return the shift from good to poor images, each (n, height, width, channels) in fractions of the scale.

        Without `toned`, of blur and noise alone.
        """
        side = int(np.clip(min(*poor.shape[1:3], *good.shape[1:3]) // BLOCKS, 1, FINEST))
        points = np.quantile(good, LEVELS, (0, 1, 2))
        for channel, ends in enumerate(points.T):  # the outermost are those of several images
            low, high = ends_of_images([good[..., channel : channel + 1]])
            ends[[0, -1]] = min(low, ends[1]), max(high, ends[-2])
        limits = ends_of_images([poor])
        shift = cls(points, points, np.zeros((5, 1)), limits, 0.0, Noise(0.0, 0.0, 1.0), np.zeros(1), np.ones(1))
        blur, blocks = 0.0, block_means(poor, side, np.float64)
        for _ in range(AGAIN):
            of_good = block_means(_filtered(good, np.full(len(good), blur)), side, np.float64)
            if toned:
                channels = [
                    tone_and_shading(blocks[..., i], of_good[..., i], points[:, i]) for i in range(poor.shape[3])
                ]
                levels, field = (np.stack(parts, -1) for parts in zip(*channels, strict=True))
                shift = replace(shift, poor=levels, shading=field)
            expected = np.stack([shift.toned(image) for image in good])
            blur, noise = blur_and_noise(poor, expected)
        blurred = _filtered(expected, np.full(len(good), blur))
        brightness, deviation = _noise_by_brightness(poor, blurred)
        # What is drawn shall have the power that was found, on average over images and their brightness.
        drawn = np.interp(blurred, brightness, deviation) ** 2 * _window(*good.shape[1:3]) ** 2
        drawn = drawn.mean() * np.exp(2 * NOISE_VARIES**2)
        deviation = deviation / np.sqrt(max(drawn, 1e-12))
        return replace(shift, blur=blur, noise=tuple(noise), brightness=brightness, deviation=deviation)

    def toned(self, image: np.ndarray) -> np.ndarray:
        """Return a good image (height, width, channels) with tone and shading of poor ones, float32."""
        return self._through(image, self.good, self.poor) * self._gain(image)

    def untoned(self, image: np.ndarray) -> np.ndarray:
        """Return a poor image (height, width, channels) with tone and shading of good ones, float32."""
        return self._through(image / self._gain(image), self.poor, self.good)

    def __call__(self, images: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
        """Return good images (n, height, width, channels) as they might look at the other site, each by chance."""
        n = len(images)
        toned = np.stack([self.toned(image) for image in images])
        blurred = _filtered(toned, self.blur * rng.uniform(1.0 - BLUR_VARIES, 1.0 + BLUR_VARIES, n))
        noise = _filtered(rng.standard_normal(images.shape), np.zeros(n), Noise(*self.noise))
        level = np.exp(NOISE_VARIES * rng.standard_normal((n, 1, 1, 1)))
        noisy = blurred + level * np.interp(blurred, self.brightness, self.deviation) * noise
        return np.clip(noisy, *self.limits).astype(images.dtype)

    def _gain(self, image: np.ndarray) -> np.ndarray:
        return np.exp(_cosines(*image.shape[:2]) @ self.shading).astype(np.float32)

    @staticmethod
    def _through(image: np.ndarray, points: np.ndarray, mapped: np.ndarray) -> np.ndarray:
        channels = (_curve(*ends).apply(image[..., i]) for i, ends in enumerate(zip(points.T, mapped.T, strict=True)))
        return np.stack(list(channels), -1)


def _curve(points: np.ndarray, mapped: np.ndarray) -> ToneCurve:
    """The curve through these knots; of knots that are `ALIKE` the mean."""
    _, group = np.unique((points - points[0]) // ALIKE, return_inverse=True)
    size = np.bincount(group)
    ends = [np.bincount(group, values) / size for values in (points, mapped)]
    if len(size) == 1:  # nothing but one value
        return ToneCurve(np.array([points[0], points[0] + 1.0]), ends[1][0] + np.array([0.0, 1.0]))
    return ToneCurve(*ends)


def _cosines(height: int, width: int) -> np.ndarray:
    """Smooth patterns, (height, width, 5): products of cosines of order 1 and 2 in all."""
    down, across = (np.cos(np.pi * np.arange(ORDER + 1)[:, None] * (np.arange(n) + 0.5) / n) for n in (height, width))
    orders = [(i, j) for i in range(ORDER + 1) for j in range(ORDER + 1) if 0 < i + j <= ORDER]
    return np.stack([np.outer(down[i], across[j]) for i, j in orders], -1)


# ------------------------------------------------------------------------------------------------- tone and shading


def tone_and_shading(poor: np.ndarray, good: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what levels `points` of good images are in poor ones, and coefficients of the shading.

    From means of blocks, (n, height, width).
    """
    of_poor, of_good = _quantiles_of_parts(poor), _quantiles_of_parts(good)
    patterns = _cosines(PARTS, PARTS).reshape(PARTS * PARTS, -1)
    features = np.column_stack([np.ones(len(patterns)), patterns])
    # A normal prior on the coefficients; the fewer the images, the less is known of a part.
    penalty = SPREAD_OF_PARTS**2 / min(len(poor), len(good)) / USUAL_SHADING**2 * np.eye(features.shape[1])
    penalty[0, 0] = 0.0
    shading = np.zeros(patterns.shape[1])
    mapped = _matched(good, poor).apply(points)
    for _ in range(ROUNDS):
        toned = _curve(points, mapped).apply(of_good)
        weight = np.maximum(np.square(toned).sum(1), 1e-12)
        gain = np.log(np.maximum((of_poor * toned).sum(1) / weight, 1e-3))
        weighted = features * (weight / weight.mean())[:, None]
        shading = np.linalg.solve(features.T @ weighted + penalty, weighted.T @ gain)[1:]
        even = poor / np.exp(_cosines(*poor.shape[1:]) @ shading)
        mapped = _matched(good, even).apply(points)
    return mapped, shading


def _matched(good: np.ndarray, poor: np.ndarray) -> ToneCurve:
    """The curve by which quantiles of good images become those of poor ones, each (n, height, width): of all values.

    Where these take what is alike in all images of one site apart, those of each image, on average (Nyul and Udupa
    1999): they lie beyond `TORN` of where the curve, or its inverse, puts them.
    """
    of_all = [np.quantile(images, COMPARED) for images in (good, poor)]
    of_each = [np.quantile(images.reshape(len(images), -1), COMPARED, axis=1).mean(1) for images in (good, poor)]
    moved = [_curve(*of_all[::step]).apply(of_each[i]) - of_each[1 - i] for i, step in ((0, 1), (1, -1))]
    return _curve(*(of_each if np.max(np.abs(moved)) > TORN else of_all))


def _quantiles_of_parts(images: np.ndarray) -> np.ndarray:
    """Quantiles in each of `PARTS` x `PARTS` parts of the field of view, (36, 25)."""
    cuts = [np.linspace(0, side, PARTS + 1).astype(int) for side in images.shape[1:]]
    places = [(slice(a, b), slice(c, d)) for a, b in _pairs(cuts[0]) for c, d in _pairs(cuts[1])]
    return np.stack([np.quantile(images[:, rows, columns], OF_PARTS) for rows, columns in places])


def _pairs(cuts: np.ndarray) -> list[tuple[int, int]]:
    return [(int(a), max(int(b), int(a) + 1)) for a, b in itertools.pairwise(cuts)]


# ------------------------------------------------------------------------------------------------- blur and noise


def blur_and_noise(poor: np.ndarray, expected: np.ndarray) -> tuple[float, Noise]:
    """Return the variance of the blur and the noise that lie between images as expected and poor ones."""
    from scipy.optimize import least_squares

    n_bands = min(BANDS, min(*poor.shape[1:3], *expected.shape[1:3]) // 3)
    (frequency, power, error), (at, before, other) = (spectrum(images, n_bands) for images in (poor, expected))
    before, other = np.exp(np.interp(frequency, at, np.log(before))), np.interp(frequency, at, other)  # of other sizes
    squares, error = (2.0 * np.pi * frequency) ** 2, np.sqrt(error**2 + other**2 + LEAST_ERROR**2)

    def unpacked(values: np.ndarray) -> tuple[float, Noise]:
        white, correlated, extent = np.exp(values[1:4])
        return float(values[0]), Noise(float(white), float(correlated), float(extent))

    def residuals(values: np.ndarray) -> np.ndarray:
        blur, noise = unpacked(values)
        found = np.exp(values[4] - blur * squares) * before + noise.power(squares)
        correlated = OF_CORRELATED * noise.correlated / (noise.white + noise.correlated)
        return np.concatenate([np.log(found / power) / error, [values[4] / USUAL_CONTRAST, correlated]])

    floor = np.log(power[-3:].mean())
    starts = [[blur, floor - 0.3, floor - 1.0, np.log(extent), 0.0] for blur in (0.1, 1.0) for extent in (0.5, 2.0)]
    fits = [
        least_squares(residuals, np.clip(start, *(LIMITS + [[1e-6, -1e-6]]).T), bounds=LIMITS.T) for start in starts
    ]
    return unpacked(min(fits, key=lambda fit: fit.cost).x)


def spectrum(images: np.ndarray, n_bands: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return frequencies in cycles a pixel, the mean power of images there, and the standard error of its logarithm."""
    height, width = images.shape[1:3]
    window = _window(height, width) / np.sqrt(height * width)
    frequency = np.sqrt(_squares(height, width)) / (2.0 * np.pi)
    band = np.digitize(frequency, np.linspace(FROM, TO, n_bands + 1)) - 1
    inside = (band >= 0) & (band < n_bands)
    count = np.bincount(band[inside], minlength=n_bands)
    some = count > 0

    def of_bands(values: np.ndarray) -> np.ndarray:
        return np.bincount(band[inside], values[inside], n_bands)[some] / count[some]

    transforms = (np.fft.rfft2((image - image.mean((0, 1))) * window, axes=(0, 1)) for image in images)
    power = np.stack([of_bands(np.mean(np.abs(transform) ** 2, -1)) for transform in transforms]) + 1e-12
    mean = power.mean(0)
    return of_bands(frequency), mean, power.std(0) / mean / np.sqrt(len(images))


def _window(height: int, width: int) -> np.ndarray:
    """Weights that fall to 0 at the edges, of mean square 1, (height, width, 1)."""
    window = np.outer(*(np.hanning(side + 2)[1:-1] for side in (height, width)))[..., None]
    return window / np.sqrt(np.mean(window**2))


def _squares(height: int, width: int) -> np.ndarray:
    """Squared angular frequencies of `numpy.fft.rfft2`."""
    return (2.0 * np.pi) ** 2 * (np.fft.fftfreq(height)[:, None] ** 2 + np.fft.rfftfreq(width) ** 2)


def _filtered(images: np.ndarray, variances: np.ndarray, noise: Noise | None = None) -> np.ndarray:
    """Each image blurred by a Gaussian of its own variance; or white noise given a spectrum."""
    if noise is None and not variances.any():
        return images
    padded = np.pad(images, [(0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)], mode="symmetric")
    squares = _squares(*padded.shape[1:3])[..., None]
    inside = slice(MARGIN, -MARGIN)
    filtered = np.empty_like(images)
    for i, image in enumerate(padded):
        gain = np.exp(-squares * variances[i] / 2.0) if noise is None else np.sqrt(noise.power(squares))
        whole = np.fft.irfft2(np.fft.rfft2(image, axes=(0, 1)) * gain, image.shape[:2], axes=(0, 1))
        filtered[i] = whole[inside, inside]
    return filtered


def _noise_by_brightness(poor: np.ndarray, blurred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Brightnesses of poor images, and deviations of noise there, relative to each other.

    From the median size of the diagonal second difference, which edges hardly change; good images, blurred, tell what
    of it is structure.
    """
    (found, at), (structure, there) = (differences(images) for images in (poor, blurred))
    edges = np.quantile(at, np.linspace(0.0, 1.0, BRIGHTNESSES + 1))
    rows = []
    for low, high in itertools.pairwise(edges):
        here, before = (at >= low) & (at <= high), (there >= low) & (there <= high)
        variance = np.median(np.abs(found[here])) ** 2
        own = np.median(np.abs(structure[before])) ** 2 if before.any() else 0.0
        rows.append((np.median(at[here]), max(variance - own, 0.02 * variance, 1e-12)))
    brightness, variance = np.array(rows).T
    return brightness, np.sqrt(variance / variance.mean())


def differences(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return diagonal second differences in blocks of 2x2 pixels, and means of the blocks; flat."""
    a, b, c, d = images[:, :-1, :-1], images[:, 1:, :-1], images[:, :-1, 1:], images[:, 1:, 1:]
    return ((a - b - c + d) / 2.0).ravel(), ((a + b + c + d) / 4.0).ravel()
