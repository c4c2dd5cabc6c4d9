"""Samples of the canvas at full size: textures of a known spectrum, edges, and what must not change."""

import numpy as np
import pytest

from sklearn_medgan.augmentation._enlargement import enlarge, learn_detail
from sklearn_medgan.augmentation._resampling import footprints, resized

CANVAS = (16, 16)


def arrays_of(detail):
    """All arrays of what was learned, by name, and the strengths."""
    if isinstance(detail, dict):
        return {f"{key} {name}": a for key, value in detail.items() for name, a in arrays_of(value).items()}
    if isinstance(detail, list):
        return arrays_of(dict(enumerate(detail)))
    return {"": np.asarray(detail)}


def rng(seed=0):
    return np.random.RandomState(seed)


def response(side):
    """Amplitude of a texture at each frequency: it falls with the square of the frequency."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side))
    return 1.0 / (0.02 + frequency**2)


def texture(n, side=64, seed=0):
    """Gaussian images (n, side, side, 1) whose power spectrum is the square of `response`, up to a factor."""
    white = np.fft.fft2(rng(seed).standard_normal((n, side, side)))
    images = np.fft.ifft2(white * response(side)).real
    return (0.2 * images / images.std()).astype(np.float32)[..., None]


def half_planes(n, side=64, seed=0):
    """Images (n, side, side, 1) of a straight edge between two grey values, one pixel wide."""
    draw = rng(seed)
    y, x = np.mgrid[:side, :side] - side / 2
    angle, shift = draw.uniform(0, 2 * np.pi, (n, 1, 1)), draw.uniform(-side / 6, side / 6, (n, 1, 1))
    step = np.clip(np.cos(angle) * x + np.sin(angle) * y - shift, -0.5, 0.5)
    return (draw.uniform(0.4, 1.0, (n, 1, 1)) * step).astype(np.float32)[..., None]


def by_band(power, n_bands=8):
    """Mean of a power spectrum in rings up to the Nyquist frequency."""
    side = len(power)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side))
    band = np.ceil(frequency * 2 * n_bands).astype(int)
    return np.array([power[band == i].mean() for i in range(1, n_bands + 1)])


def spectrum(images):
    return by_band(np.square(np.abs(np.fft.fft2(images[..., 0]))).mean(0))


def reduced(images, canvas=CANVAS):
    rows, columns = footprints(images.shape[1], canvas[0]), footprints(images.shape[2], canvas[1])
    return np.einsum("ah,nhwc,bw->nabc", rows, images, columns).astype(np.float32)


@pytest.fixture(scope="module")
def learned():
    return learn_detail(texture(24), CANVAS, rng())


@pytest.fixture(scope="module")
def learned_edges():
    return learn_detail(half_planes(40), CANVAS, rng())


def test_a_texture_has_its_own_spectrum_again(learned):
    canvas = reduced(texture(40, seed=1))
    expected = by_band(np.square(response(64)))
    expected *= spectrum(texture(40))[0] / expected[0]
    of_learned = spectrum(enlarge(canvas, learned, (64, 64, 1), rng(2))) / expected
    of_linear = spectrum(resized(canvas, (64, 64))) / expected
    assert of_learned.max() < 1.5
    assert of_learned.min() > 0.5
    assert of_linear[3:].max() < 0.1  # what is to be made up for


def test_every_place_of_the_grid_has_the_same_variance(learned):
    images = enlarge(reduced(texture(60, seed=1)), learned, (64, 64, 1), rng(2))
    rough = images[:, 1:-1, 1:-1] - (images[:, :-2, 1:-1] + images[:, 2:, 1:-1]) / 2
    variance = [[np.square(rough[:, row::4, column::4]).mean() for column in range(4)] for row in range(4)]
    assert np.max(variance) < 1.3 * np.min(variance)


def test_edges_become_sharp(learned_edges):
    truth = half_planes(20, seed=1)
    canvas = reduced(truth)
    mean = enlarge(canvas, learned_edges, (64, 64, 1), rng(2), grain=0.0)
    linear = resized(canvas, (64, 64))
    assert np.square(mean - truth).mean() < 0.7 * np.square(linear - truth).mean()
    steepest = [np.abs(np.diff(images, axis=1)).max((1, 2, 3)).mean() for images in (truth, mean, linear)]
    assert steepest[1] > 1.2 * steepest[2]


@pytest.mark.parametrize(
    ("shape", "canvas", "n_channels"),
    [
        ((32, 32), (8, 8), 1),
        ((50, 33), (11, 7), 1),
        ((36, 24), (9, 6), 3),
        ((33, 34), (16, 16), 2),
        ((9, 70), (2, 16), 1),
    ],
)
def test_averaged_down_it_is_the_canvas_image(shape, canvas, n_channels):
    images = np.concatenate([texture(6, 80, seed)[:, : shape[0], : shape[1]] for seed in range(n_channels)], axis=-1)
    small = reduced(images, canvas)
    found = enlarge(small, learn_detail(images, canvas, rng()), (*shape, n_channels), rng(1))
    assert found.shape == images.shape
    assert found.dtype == np.float32
    assert np.abs(reduced(found, canvas) - small).mean() < 2e-3  # not 0: values are cut at -1 and 1
    assert np.abs(found).max() <= 1.0


def test_constant_images_stay_constant():
    images = np.linspace(-1, 1, 12, dtype=np.float32)[:, None, None, None] * np.ones((12, 32, 32, 1), np.float32)
    found = enlarge(reduced(images), learn_detail(images, CANVAS, rng()), (32, 32, 1), rng(1))
    np.testing.assert_allclose(found, images, atol=1e-3)


def test_channels_keep_their_correlation():
    grey, other = texture(20, 32), texture(20, 32, seed=5)
    images = np.concatenate([grey, 0.8 * grey + 0.2 * other, np.full_like(grey, 0.25)], axis=-1)
    found = enlarge(reduced(images), learn_detail(images, CANVAS, rng()), (32, 32, 3), rng(1))

    def fine(images):
        return np.diff(images, axis=1).reshape(-1, 3)[:, :2]

    expected = np.corrcoef(fine(images), rowvar=False)[0, 1]
    assert np.corrcoef(fine(found), rowvar=False)[0, 1] == pytest.approx(expected, abs=0.1)
    np.testing.assert_allclose(found[..., 2], 0.25, atol=2e-3)


def test_an_image_does_not_depend_on_those_beside_it(learned):
    canvas = reduced(texture(5, seed=1))
    together = enlarge(canvas, learned, (64, 64, 1), rng(3))
    canvas[1:] = 0.5
    assert np.array_equal(enlarge(canvas, learned, (64, 64, 1), rng(3))[0], together[0])
    assert np.array_equal(enlarge(canvas[:1], learned, (64, 64, 1), rng(3))[0], together[0])
    assert not np.array_equal(enlarge(canvas[:1], learned, (64, 64, 1), rng(4))[0], together[0])


def test_learning_is_repeatable_and_changes_nothing(learned):
    images = texture(24)
    before = images.copy()
    again = learn_detail(images, CANVAS, rng())
    assert np.array_equal(images, before)
    again, before = arrays_of(again), arrays_of(learned)
    assert all(np.array_equal(again[name], before[name]) for name in before)


def test_arrays_are_small_and_as_many_whatever_the_number_of_images(learned):
    few, many = (arrays_of(detail) for detail in (learn_detail(texture(7), CANVAS, rng()), learned))
    assert {name: array.shape for name, array in few.items()} == {name: array.shape for name, array in many.items()}
    assert all(np.isfinite(array).all() for array in few.values())
    assert sum(array.nbytes for array in few.values()) < 200_000


def test_a_single_image_that_differs_is_in_no_class_of_its_own():
    """Only one image has edges: what is learned of them is what all pixels have in common."""
    images = texture(10) / 4
    images[3] += half_planes(1)[0]
    arrays = learn_detail(images, CANVAS, rng())
    weights = arrays["steps"][0]["channels"][0]["weights"]
    strong = weights[:, -16:]  # the strongest gradients, in both coherences and all directions
    alike = (strong == strong[:, :1]).all(0)
    assert alike.sum() >= 8


@pytest.mark.parametrize("n", [0, 1, 4])
def test_of_fewer_than_five_images_nothing_is_learned(n):
    assert learn_detail(texture(n) if n else np.zeros((0, 64, 64, 1), np.float32), CANVAS, rng()) == {}
    canvas = reduced(texture(2))
    assert np.array_equal(enlarge(canvas, {}, (64, 64, 1), rng()), resized(canvas, (64, 64)))


def test_images_of_the_canvas_size_are_left_as_they_are():
    images = texture(8, 16)
    detail = learn_detail(images, CANVAS, rng())
    np.testing.assert_array_equal(enlarge(images, detail, (16, 16, 1), rng()), images)


def test_no_image_gives_no_image(learned):
    assert enlarge(np.zeros((0, 16, 16, 1), np.float32), learned, (64, 64, 1), rng()).shape == (0, 64, 64, 1)
