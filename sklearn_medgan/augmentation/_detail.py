"""The detail that an image of twice the size has beyond a smaller one: learned in closed form, drawn at random.

Pixels of the larger image are drawn in turns, on ever finer lattices (the order of Reed et al. 2017, "Parallel
multiscale autoregressive density estimation"). Of each turn, the mean is linear in the smaller image around a pixel and
in the detail drawn near it; its weights are of the pixel's class, by direction, strength and coherence of the
gradient (Romano, Isidoro and Milanfar 2016, "RAISR", arXiv 1606.01299). What remains is drawn with a spread that
depends on the class, on gradient and brightness, and on how strong the detail nearby is (a mixture of scales: Theis,
Hosseini and Bethge 2012, "Mixtures of conditional Gaussian scale mixtures applied to multiscale image
representations"), from the quantiles of what remained in training.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

Arrays = dict[str, np.ndarray]
Images = Sequence[np.ndarray]

FEWEST_IMAGES = 5  # behind each learned number
N_ANGLES, N_STRENGTHS, N_PLAIN = 8, 8, 3  # below the strongest of the strengths, directions are not told apart
N_KINDS = N_PLAIN + (N_STRENGTHS - N_PLAIN) * 2 * N_ANGLES
N_STRONG, CALM = 3, 0.6  # on the strongest straight edges, less is drawn: real ones are rarely ragged
N_ACTIVITIES, N_BRIGHTNESSES, N_SIZES = 16, 6, 8
FLAT = -13.0  # logarithm of the squared gradient below which there is none, with values in [-1, 1] of 8 bits
EXTREMES = (0.05, 0.98)  # between these quantiles, classes by strength are evenly apart
REACH = 2  # of the neighbourhood in the smaller image: 5x5
AROUND = [(a, b) for a in range(-REACH, REACH + 1) for b in range(-REACH, REACH + 1) if (a, b) != (0, 0)]
N_FIXED = 2 + len(AROUND)
SHRINKAGE = 500  # pixels of the average class that count in each class's regression
SPREAD_SHRINKAGE = 20
NOISE_VARIANCE = 1e-4  # added to a neighbourhood's, by which each pixel is weighed: or strong edges would rule a class
RIDGE = 1e-6  # of a regressor's mean square
SMALLEST_SPREAD = 1e-5  # of values in [-1, 1]
LEVELS = np.concatenate([np.arange(0.0, 0.9, 0.05), [0.9, 0.93, 0.96, 0.98, 0.99]])  # of the quantiles
SPARSE = 7  # every such pixel serves for the quantiles that tell classes apart
PIXELS_AT_ONCE = 8 * 224**2  # of images whose regressors are held at once


class Turn(NamedTuple):
    """Pixels `[row::step, column::step]`, and the offsets from each of pixels that were drawn before."""

    step: int
    row: int
    column: int
    made: tuple[tuple[int, int], ...]


def _turns() -> list[Turn]:
    turns = [Turn(8, 0, 0, ())]
    drawn = {(row, column) for row in range(0, 8, 8) for column in range(0, 8, 8)}
    for step in (8, 4, 2):
        for row, column in ((step // 2, step // 2), (0, step // 2), (step // 2, 0)):
            reach = 2 if (step, row) == (2, 1) and not column else 3 * step // 2
            near = [
                (a, b)
                for a in range(-reach, reach + 1)
                for b in range(-reach, reach + 1)
                if a * a + b * b <= 2.6 * step**2
            ]
            made = tuple((a, b) for a, b in near if ((row + a) % 8, (column + b) % 8) in drawn)
            turns.append(Turn(step, row, column, made))
            drawn |= {(r, c) for r in range(row, 8, step) for c in range(column, 8, step)}
    return turns


TURNS = _turns()
PAD = max(abs(a) for turn in TURNS for offset in turn.made for a in offset)


def repeated(values: np.ndarray, ratio: int) -> np.ndarray:
    """Return an array (height, width, ...) with each row and each column `ratio` times."""
    return np.repeat(np.repeat(values, ratio, 0), ratio, 1)


def planes_of(image: np.ndarray, others: Images, detail: Any = 0.0) -> np.ndarray:
    """Return what can be seen of a channel, each with a margin of `PAD` pixels.

    The image (height, width) that lacks detail, extended at its margin; its detail, where it is known; and that of the
    channels before this one.
    """
    planes = np.zeros((2 + len(others), *(n + 2 * PAD for n in image.shape)), np.float32)
    planes[0] = np.pad(image, PAD, mode="edge")
    for plane, values in zip(planes[1:, PAD:-PAD, PAD:-PAD], [detail, *others], strict=True):
        plane[:] = values
    return planes


def seen(plane: np.ndarray, turn: Turn, down: int = 0, right: int = 0) -> np.ndarray:
    """Return what lies so far from each pixel of a turn: a view, to write into, too."""
    height, width = plane.shape
    rows = slice(PAD + turn.row + down, height - PAD + down, turn.step)
    return plane[rows, PAD + turn.column + right : width - PAD + right : turn.step]


def at(values: np.ndarray, turn: Turn, ratio: int) -> np.ndarray:
    """Return the pixels of a turn of an array that is `ratio` times as small."""
    step = turn.step // ratio
    return values[turn.row // ratio :: step, turn.column // ratio :: step]


def regressors(planes: np.ndarray, turn: Turn, ratio: int) -> Iterator[np.ndarray]:
    """Yield one, the image at and around each pixel of a turn, and the detail drawn near it.

    Pixels of the image are `ratio` apart, where it is a smaller one that was repeated.
    """
    image, detail, *others = planes
    centre = seen(image, turn)
    yield np.ones_like(centre)
    yield centre
    for down, right in AROUND:
        yield seen(image, turn, ratio * down, ratio * right) - centre
    for offset in turn.made:
        yield seen(detail, turn, *offset)
    for other in others:
        for down, right in np.ndindex(3, 3):
            yield seen(other, turn, down - 1, right - 1)


def structure(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return direction in [0, 1), coherence in [0, 1] and logarithm of the strength of an image's gradient.

    By the structure tensor over 3x3 pixels; opposite directions are one.
    """
    from scipy import ndimage

    down, right = (ndimage.correlate1d(image, [-0.5, 0.0, 0.5], axis, mode="nearest") for axis in (0, 1))
    yy, xx, xy = (_smoothed(product) for product in (down * down, right * right, down * right))
    difference, total = xx - yy, xx + yy
    direction = np.arctan2(2 * xy, difference) / (2 * np.pi) % 1.0
    return direction, np.sqrt(difference**2 + 4 * xy**2) / (total + 1e-8), np.log(total + 1e-7)


def _smoothed(values: np.ndarray) -> np.ndarray:
    from scipy import ndimage

    for axis in (0, 1):
        values = ndimage.correlate1d(values, [0.25, 0.5, 0.25], axis, mode="nearest")
    return values


def _cuts(images: Images) -> Arrays:
    """Return the limits of gradient and brightness between classes."""
    parts = [structure(image) for image in images]
    coherence, strength = (np.concatenate([part[i].ravel()[::SPARSE] for part in parts]) for i in (1, 2))
    brightness = np.concatenate([image.ravel()[::SPARSE] for image in images])
    strength = strength[strength > FLAT] if (strength > FLAT).any() else strength

    def even(n: int) -> np.ndarray:
        least, greatest = np.quantile(strength, EXTREMES)
        return np.linspace(least, greatest, n - 1, dtype=np.float32)

    return {
        "coherence": np.quantile(coherence, [0.5]).astype(np.float32),
        "strength": even(N_STRENGTHS),
        "activity": even(N_ACTIVITIES),
        "brightness": np.quantile(brightness, np.arange(1, N_BRIGHTNESSES) / N_BRIGHTNESSES).astype(np.float32),
    }


def classes(image: np.ndarray, arrays: Arrays) -> tuple[np.ndarray, np.ndarray]:
    """Return each pixel's class by direction, and by strength and brightness."""
    direction, coherence, strength = structure(image)
    angle = np.round(direction * N_ANGLES).astype(np.intp) % N_ANGLES
    straight = coherence > arrays["coherence"][0]
    level = np.searchsorted(arrays["strength"], strength)
    kind = np.where(level < N_PLAIN, level, N_PLAIN + ((level - N_PLAIN) * 2 + straight) * N_ANGLES + angle)
    tone = np.searchsorted(arrays["brightness"], image)
    return kind, np.searchsorted(arrays["activity"], strength) * N_BRIGHTNESSES + tone


def _weights(arrays: Arrays) -> list[np.ndarray]:
    """Return each turn's weights (n_regressors, n_kinds)."""
    n_others = len(arrays["weights"]) - sum(N_FIXED + len(turn.made) for turn in TURNS)
    lengths = [N_FIXED + len(turn.made) + n_others // len(TURNS) for turn in TURNS]
    return np.split(arrays["weights"].astype(np.float32), np.cumsum(lengths)[:-1])


def predict(
    planes: np.ndarray, turn: Turn, ratio: int, weights: np.ndarray, kind: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of the detail at a turn's pixels, and the mean size of the detail near them."""
    mean, size = np.zeros(kind.shape, np.float32), np.zeros(kind.shape, np.float32)
    for number, (weight, values) in enumerate(zip(weights, regressors(planes, turn, ratio), strict=True)):
        mean += weight[kind] * values
        if N_FIXED <= number < N_FIXED + len(turn.made):
            size += np.abs(values)
    return mean, size / max(len(turn.made), 1)


def draw(
    before: np.ndarray, ratio: int, others: Images, arrays: Arrays, rng: np.random.RandomState, grain: float
) -> np.ndarray:
    """Draw the detail of a channel, turn by turn, with what is random in it times `grain`; return it.

    `before` (height, width) is the smaller image (`ratio` 2), or one of the wanted size that lacks detail (1); `others`
    are the detail of the channels before this one.
    """
    kinds, tones = classes(before, arrays)
    planes = planes_of(repeated(before, ratio), others)
    for number, (turn, weights) in enumerate(zip(TURNS, _weights(arrays), strict=True)):
        kind, tone = at(kinds, turn, ratio), at(tones, turn, ratio)
        mean, size = predict(planes, turn, ratio, weights, kind)
        spread = arrays["by_tone"][number][tone] * arrays["by_kind"][number][kind]
        spread *= arrays["by_size"][number][np.searchsorted(arrays["sizes"][number], size / spread)]
        level = 2.0 * rng.random_sample(mean.shape) - 1.0
        noise = np.copysign(np.interp(np.abs(level), LEVELS, arrays["quantiles"][number]), level)
        seen(planes[1], turn)[:] = mean + grain * noise * spread
    return planes[1, PAD:-PAD, PAD:-PAD]


def learn(before: Images, ratio: int, others: Sequence[Images], detail: Images) -> Arrays:
    """Return the arrays that `draw` takes, of one channel of training images whose detail is known."""
    cuts = _cuts(before)
    coded = [classes(image, cuts) for image in before]
    known = zip(before, others, detail, strict=True)
    planes = [planes_of(repeated(image, ratio), beside, wanted) for image, beside, wanted in known]
    weights, spreads = [], []
    for turn in TURNS:
        kinds, tones = zip(*[[at(codes, turn, ratio) for codes in pair] for pair in coded], strict=True)
        weights.append(_regress(planes, turn, ratio, kinds))
        spreads.append(_spread(planes, turn, ratio, weights[-1], kinds, tones))
    joined = {name: np.stack([spread[name] for spread in spreads]) for name in spreads[0]}
    return {**cuts, "weights": np.concatenate(weights).astype(np.float16), **joined}


def _regress(planes: Images, turn: Turn, ratio: int, kinds: Images) -> np.ndarray:
    """Return weights (n_regressors, n_kinds) by least squares, each class's drawn a little to those of all."""
    n_columns = N_FIXED + len(turn.made) + 9 * (len(planes[0]) - 2) + 1
    moments = np.zeros((N_KINDS, n_columns, n_columns))
    n_images, n_pixels = np.zeros(N_KINDS), 0
    step = max(1, PIXELS_AT_ONCE // planes[0][1, PAD:-PAD, PAD:-PAD].size)
    for start in range(0, len(planes), step):
        batch = slice(start, start + step)
        rows, codes = [], []
        for image, kind in zip(planes[batch], kinds[batch], strict=True):
            columns = (*regressors(image, turn, ratio), seen(image[1], turn))
            some = np.stack([values.ravel() for values in columns], axis=1)
            rows.append(some / np.sqrt(np.square(some[:, 2:-1]).mean(1, keepdims=True) + NOISE_VARIANCE))
            codes.append(kind.ravel())
            n_images += np.bincount(codes[-1], minlength=N_KINDS) > 0
        code = np.concatenate(codes)
        n_pixels += len(code)
        ordered = np.concatenate(rows)[np.argsort(code, kind="stable")]
        parts = np.split(ordered, np.cumsum(np.bincount(code, minlength=N_KINDS))[:-1])
        moments += np.stack([part.T @ part for part in parts])
    pooled = np.sum(moments, axis=0)
    moments = np.where((n_images >= FEWEST_IMAGES)[:, None, None], moments, 0.0) + SHRINKAGE * pooled / max(n_pixels, 1)
    normal = moments[:, :-1, :-1]
    squares = np.einsum("kii->ki", normal)
    normal = normal + RIDGE * np.eye(squares.shape[1]) * (squares + SMALLEST_SPREAD**2)[:, None]
    return np.linalg.solve(normal, moments[:, :-1, -1:])[..., 0].T.astype(np.float32)


def _spread(planes: Images, turn: Turn, ratio: int, weights: np.ndarray, kinds: Images, tones: Images) -> Arrays:
    """Return factors of the mean size of what remains, and the quantiles of what remains over their product."""
    nothing = np.zeros(1, np.intp)
    parts = [[nothing] * 5]  # one pixel without detail: images may be narrower than a step, a turn without pixels
    for number, (image, kind, tone) in enumerate(zip(planes, kinds, tones, strict=True)):
        mean, size = predict(image, turn, ratio, weights, kind)
        rest = np.abs(seen(image[1], turn) - mean)
        parts.append([values.ravel() for values in (rest, size, kind, tone, np.full(kind.shape, number))])
    rest, size, kind, tone, image = (np.concatenate(part) for part in zip(*parts, strict=True))
    rest = np.maximum(rest, SMALLEST_SPREAD)
    by_kind = np.ones(N_KINDS, np.float32)
    for _ in range(3):
        by_tone = _factor(rest, by_kind[kind], tone, image, N_ACTIVITIES * N_BRIGHTNESSES)
        by_kind = _factor(rest, by_tone[tone], kind, image, N_KINDS)
    spread = by_tone[tone] * by_kind[kind]
    sizes = np.quantile(size / spread, np.arange(1, N_SIZES) / N_SIZES).astype(np.float32)
    code = np.searchsorted(sizes, size / spread)
    by_size = _factor(rest, spread, code, image, N_SIZES)
    quantiles = np.quantile(rest / (spread * by_size[code]), LEVELS).astype(np.float32)
    by_kind[N_PLAIN:].reshape(-1, 2, N_ANGLES)[-N_STRONG:, 1] *= CALM
    return {"by_tone": by_tone, "by_kind": by_kind, "sizes": sizes, "by_size": by_size, "quantiles": quantiles}


def _factor(values: np.ndarray, others: np.ndarray, code: np.ndarray, image: np.ndarray, n: int) -> np.ndarray:
    """Return what each class's values are on average, over the other factors; of few images, that of all."""
    n_images = image.max() + 1
    counts = np.bincount(code * n_images + image, minlength=n * n_images).reshape(n, n_images)
    shared = np.count_nonzero(counts, axis=1) >= FEWEST_IMAGES
    prior = SPREAD_SHRINKAGE * others.mean()
    found = np.where(shared, np.bincount(code, values, n), 0.0) + prior * values.mean() / others.mean()
    return (found / (np.where(shared, np.bincount(code, others, n), 0.0) + prior)).astype(np.float32)
