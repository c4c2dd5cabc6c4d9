"""The guard: filters as scikit-image has them, honest figures, and a fallback where the network would do harm."""

import dataclasses
import importlib.util

import numpy as np
import pytest
from scipy.ndimage import median_filter
from skimage import restoration
from skimage.metrics import peak_signal_noise_ratio
from sklearn.exceptions import ConvergenceWarning

from sklearn_medgan import GANEnhancer
from sklearn_medgan._codecs import ImageScale, TableCodec
from sklearn_medgan.enhancement import _filters, _guard
from sklearn_medgan.enhancement._configuration import Degrading
from sklearn_medgan.enhancement._held_out import MOST_HELD_OUT, HeldOutRows, hold_out
from sklearn_medgan.enhancement._images import ImageRestoration
from sklearn_medgan.enhancement._restoration import Method
from sklearn_medgan.enhancement._shrinkage import SHRINKAGES, Shrunk
from sklearn_medgan.enhancement._tables import TableRestoration
from sklearn_medgan.enhancement._tone import ToneCurve
from sklearn_medgan.metrics import psnr

TINY = {"max_iter": 1, "width": 4, "depth": 2, "patch_size": 16, "batch_size": 4, "random_state": 0}
KEYS = {
    "chosen",
    "n_held_out",
    "strength",
    "shrinkage",
    "spared",
    "psnr",
    "psnr_clean",
    "balanced_accuracy",
    "balanced_accuracy_clean",
}


def smooth_images(n, size=24, seed=0):
    """Discs on a ramp, float32 in [0, 1]: what classical filters restore well."""
    rng = np.random.RandomState(seed)
    rows, columns = np.mgrid[:size, :size] / size
    centres = rng.uniform(0.3, 0.7, (n, 2, 1, 1))
    discs = np.hypot(rows - centres[:, 0], columns - centres[:, 1]) < 0.25
    return (0.3 + 0.3 * rows + 0.4 * discs).astype(np.float32)


def noisy(images, sigma, seed=0):
    return (images + sigma * np.random.RandomState(seed).standard_normal(images.shape)).astype(np.float32)


IMAGE = noisy(smooth_images(1)[0], 0.1)[..., None]
COLOUR = noisy(np.repeat(smooth_images(1)[0][..., None], 3, -1), 0.1)


# -- the measure of noise -----------------------------------------------------


@pytest.mark.parametrize("sigma", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("channels", [1, 3])
def test_noise_is_estimated(sigma, channels):
    ramp = np.add.outer(np.linspace(0, 1, 96), np.linspace(0, 1, 96))[..., None].repeat(channels, -1)
    assert _filters.estimate_noise(noisy(ramp, sigma)) == pytest.approx(sigma, rel=0.05)


def test_straight_slopes_are_no_noise():
    ramp = np.add.outer(np.linspace(0, 1, 40), np.linspace(0, 3, 30))[..., None]
    assert _filters.estimate_noise(ramp) < 1e-12


# -- the filters --------------------------------------------------------------


@pytest.mark.parametrize("strength", [0.5, 1.5])
@pytest.mark.parametrize("image", [IMAGE, COLOUR], ids=["grey", "colour"])
def test_filters_are_those_of_scikit_image(image, strength):
    sigma = _filters.estimate_noise(image)
    grey = image.shape[2] == 1
    rows, axis = (image[..., 0], None) if grey else (image, -1)
    expected = {
        "nothing": rows,
        "median": median_filter(image, (3, 3, 1)).reshape(rows.shape) if strength >= 1 else rows,
        "total variation": restoration.denoise_tv_chambolle(rows, weight=2 * strength * sigma, channel_axis=axis),
        "non-local means": restoration.denoise_nl_means(
            rows, h=strength * sigma, sigma=sigma, patch_size=5, patch_distance=6, fast_mode=True, channel_axis=axis
        ),
    }
    if importlib.util.find_spec("pywt"):
        expected["wavelet"] = restoration.denoise_wavelet(
            rows, sigma=strength * sigma, rescale_sigma=False, channel_axis=axis
        )
    assert expected.keys() == _filters.available_filters().keys()
    for name, result in expected.items():
        filtered = _filters.run_filter(name, strength, image)
        assert (filtered.shape, filtered.dtype) == (image.shape, np.float32)
        np.testing.assert_allclose(filtered.reshape(rows.shape), result, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("name", sorted(_filters.available_filters().keys() - {"nothing"}))
def test_filters_help_against_noise(name):
    good = smooth_images(1, size=48)[0][..., None]
    poor = noisy(good, 0.1)
    best = max(_guard.psnr(_filters.run_filter(name, s, poor), good) for s in _filters.STRENGTHS)
    assert best > _guard.psnr(poor, good) + 3


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", sorted(_filters.available_filters()))
@pytest.mark.parametrize("shape", [(8, 8, 1), (9, 40, 3)])
def test_constant_images_stay_as_they_are(name, shape):
    image = np.full(shape, 0.25, np.float32)
    np.testing.assert_allclose(_filters.run_filter(name, 1.0, image), image, atol=1e-6)


def test_result_that_is_not_finite_is_replaced_by_the_image(monkeypatch):
    monkeypatch.setitem(_filters.FILTERS, "median", lambda image, strength, noise: image * np.nan)
    assert np.array_equal(_filters.run_filter("median", 1.0, IMAGE), IMAGE)


FILTERS = sorted(_filters.available_filters().keys() - {"nothing"})


@pytest.mark.parametrize("name", FILTERS)
def test_images_as_clean_as_good_ones_are_left_alone(name):
    noise = _filters.estimate_noise(IMAGE)
    for usual in (noise, 2 * noise):
        assert np.array_equal(_filters.run_filter(name, 1.5, IMAGE, usual), IMAGE)
    assert not np.array_equal(_filters.run_filter(name, 1.5, IMAGE, 0.9 * noise), IMAGE)


def test_filter_removes_the_noise_beyond_the_usual():
    """Variances add: of noise 0.5, where 0.3 is usual, 0.4 is to be removed."""
    noise = _filters.estimate_noise(IMAGE)
    for image, usual in ((IMAGE, 0.6 * noise), (COLOUR, 0.6 * _filters.estimate_noise(COLOUR))):
        weight = 2 * 0.5 * 0.8 * _filters.estimate_noise(image)
        expected = restoration.denoise_tv_chambolle(image, weight=weight, channel_axis=-1)
        np.testing.assert_allclose(_filters.run_filter("total variation", 0.5, image, usual), expected, atol=1e-5)


@pytest.mark.parametrize("name", sorted(set(FILTERS) - {"median"}))
def test_filter_fades_out(name):
    noise = _filters.estimate_noise(IMAGE)
    changes = [
        np.abs(_filters.run_filter(name, 1.0, IMAGE, share * noise) - IMAGE).mean() for share in (0, 0.99, 0.99999)
    ]
    assert changes[0] > 5 * changes[2]
    assert changes[0] > changes[1] >= changes[2]


def test_usual_noise_is_exceeded_by_few_good_images():
    good = [noisy(smooth_images(1, 64)[0], sigma, seed)[..., None] for seed, sigma in enumerate([0.02] * 19 + [0.5])]
    usual = _filters.usual_noise(good)
    assert sum(_filters.estimate_noise(image) > usual for image in good) == 1
    assert usual < 0.06  # the one poor image among them hardly counts


# -- figures ------------------------------------------------------------------


def test_psnr_is_that_of_scikit_image():
    good = smooth_images(1)[0]
    poor = noisy(good, 0.05)
    expected = peak_signal_noise_ratio(good, poor, data_range=1.0)
    assert _guard.psnr(poor, good) == pytest.approx(expected, abs=1e-4)
    assert _guard.psnr(poor, good) == pytest.approx(psnr(good, poor, data_range=1.0), abs=1e-12)
    assert _guard.psnr(good, good) == _guard.psnr(good, good + np.float32(1e-6)) == 100.0


def test_tuning_finds_the_best_strength():
    good = list(smooth_images(3)[..., None])
    for sigma in (0.02, 0.3):
        poor = [noisy(image, sigma, seed) for seed, image in enumerate(good)]
        tuned = _guard.tune(poor, good)
        assert tuned["nothing"] == 0.0
        assert tuned.keys() == _filters.available_filters().keys()
        for name, strength in tuned.items():
            figures = {
                s: np.mean(
                    [
                        peak_signal_noise_ratio(g, _filters.run_filter(name, s, p), data_range=1.0)
                        for p, g in zip(poor, good, strict=True)
                    ]
                )
                for s in (_filters.STRENGTHS if name != "nothing" else (0.0,))
            }
            assert figures[strength] == pytest.approx(max(figures.values()), abs=1e-6)


@pytest.mark.parametrize(("sides", "expected"), [((5, 9), (5, 6)), ((12, 11), (6, 6)), ((6, 6), (6, 6))])
def test_middle_is_in_the_middle(sides, expected):
    image = np.add.outer(100 * np.arange(sides[0]), np.arange(sides[1]))[..., None]
    part = _guard.middle(image, 6)
    assert part.shape == (*expected, 1)
    spare = [(a - b) // 2 for a, b in zip(sides, expected, strict=True)]
    assert part[0, 0, 0] == 100 * spare[0] + spare[1]


def halves(labels, seed=0):
    """Images whose brighter half is that of their class."""
    rng = np.random.RandomState(seed)
    images = rng.uniform(0.4, 0.6, (len(labels), 16, 16, 1)).astype(np.float32)
    for image, label in zip(images, labels, strict=True):
        image[:, :8] += 0.2 * label
        image[:, 8:] += 0.2 * (1 - label)
    return images


def test_classifier_learns_what_differs_and_is_scored_by_class():
    labels = np.arange(40) % 2
    model = _guard.classifier(list(halves(labels)), labels)
    test = halves(labels, seed=1)
    assert _guard.accuracy(model, list(test), labels) == 1.0
    assert _guard.accuracy(model, list(test[:, :, ::-1]), labels) == 0.0
    # All of one half: right for nine of ten rows, yet chance by class.
    rare = (np.arange(40) < 4).astype(int)
    assert _guard.accuracy(model, list(halves(np.zeros(40, int))), rare) == 0.5


def diagnosis(poor, clean=None, n=100):
    """One that looks its accuracies up, and images that say what they are."""
    tables = {"poor": poor} if clean is None else {"poor": poor, "clean": clean}
    found = _guard.Diagnosis(None, np.zeros(n), None, list(tables))
    found.asked = []

    def accuracy(kind, name):
        found.asked.append((kind, name))
        return tables[kind][name]

    found.accuracy = accuracy
    return found


PSNR = {"network": 30, "nothing": 20, "median": 25}
ALIKE = dict.fromkeys(PSNR, 0.8)
# PSNR, accuracy on poor images, accuracy on clean ones, held-out rows, the choice
CHOICES = {
    "the network is best": (PSNR, None, None, 10, "network"),
    "a tie is the network's": ({"nothing": 30, "network": 30}, None, None, 10, "network"),
    "nothing is best": ({"network": 20, "nothing": 30, "median": 25}, None, None, 10, "nothing"),
    "a filter is best": ({"network": 24, "nothing": 20, "median": 25}, None, None, 10, "median"),
    "as accurate": (PSNR, {**ALIKE, "median": 0.9}, None, 100, "network"),
    "less accurate within chance": (PSNR, {**ALIKE, "network": 0.77}, None, 100, "network"),
    "less accurate": (PSNR, {"network": 0.6, "nothing": 0.8, "median": 0.7}, None, 100, "nothing"),
    "few rows prove less": (PSNR, {"network": 0.7, "nothing": 0.8}, None, 4, "network"),
    "a filter is more accurate": (PSNR, {"network": 0.5, "nothing": 0.8, "median": 0.9}, None, 100, "median"),
    "equally accurate filters go by PSNR": (PSNR, {**ALIKE, "network": 0.5}, None, 100, "median"),
    "accurate but of lower PSNR": (
        {"network": 20, "nothing": 25},
        {"network": 0.9, "nothing": 0.8},
        None,
        100,
        "nothing",
    ),
    "a fall from perfect counts": (PSNR, {"network": 0.9, "nothing": 1.0, "median": 0.9}, None, 100, "nothing"),
    "good PSNR, harmful": (
        {"network": 24, "nothing": 20, "median": 25},
        {**ALIKE, "median": 0.6},
        None,
        100,
        "network",
    ),
    "clean images as well": (PSNR, ALIKE, ALIKE, 100, "network"),
    "clean images within chance": (PSNR, ALIKE, {**ALIKE, "network": 0.77}, 100, "network"),
    "clean images suffer": (PSNR, ALIKE, {**ALIKE, "network": 0.7}, 100, "median"),
    "clean images suffer from all": (PSNR, ALIKE, {"network": 0.7, "nothing": 0.8, "median": 0.7}, 100, "nothing"),
    "clean images suffer from the best filter": (
        {**PSNR, "total variation": 24},
        {"network": 0.5, "nothing": 0.6, "median": 0.9, "total variation": 0.8},
        {"network": 0.8, "nothing": 0.8, "median": 0.7, "total variation": 0.8},
        100,
        "total variation",
    ),
    "the filter of the highest PSNR harms clean images": (
        {"network": 24, "nothing": 20, "median": 25},
        ALIKE,
        {**ALIKE, "median": 0.6},
        100,
        "network",
    ),
}


@pytest.mark.parametrize("case", CHOICES.values(), ids=CHOICES)
def test_choice(case):
    scores, poor, clean, n_held_out, expected = case
    assert _guard.choose(scores, None if poor is None else diagnosis(poor, clean, n_held_out)) == expected


def test_filters_are_not_diagnosed_where_the_network_serves():
    """They are slow."""
    looked_up = diagnosis(ALIKE, ALIKE)
    assert _guard.choose(PSNR, looked_up) == "network"
    assert {name for _, name in looked_up.asked} == {"network", "nothing"}


def test_diagnosis_measures_each_method_once():
    labels = np.arange(40) % 2
    runs = []

    images = list(halves(labels, seed=1))

    def treat(name, kind):
        runs.append((name, kind))
        return images if name == "nothing" else [image[:, ::-1] for image in images]

    found = _guard.Diagnosis(_guard.classifier(list(halves(labels)), labels), labels, treat, ["poor"])
    for _ in range(2):
        assert not found.does_no_harm("network")
        assert found.does_no_harm("nothing")
    assert found.found == {"poor": {"nothing": 1.0, "network": 0.0}}
    assert sorted(runs) == [("network", "poor"), ("nothing", "poor")]


# -- rows held out ------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 9, 50, 500])
def test_held_out_rows_are_not_trained_on(n):
    held, kept = hold_out(n, None, np.random.RandomState(0))
    assert sorted([*held, *kept]) == list(range(n))
    assert 1 <= len(held) <= MOST_HELD_OUT
    assert len(kept) >= len(held)


def test_held_out_rows_hold_a_quarter_of_each_class():
    labels = np.array(["a"] * 80 + ["b"] * 20)
    held, kept = hold_out(100, labels, np.random.RandomState(0))
    assert sorted([*held, *kept]) == list(range(100))
    assert np.unique(labels[held], return_counts=True)[1].tolist() == [20, 5]


@pytest.mark.parametrize("labels", [["a", "b"], ["a", "a", "b"], list("abcde")])
def test_few_labelled_rows_leave_one_to_hold_out(labels):
    held, kept = hold_out(len(labels), np.array(labels), np.random.RandomState(0))
    assert (len(held), len(kept)) == (1, len(labels) - 1)


# -- the comparison, with networks whose worth is known -----------------------


def network(change):
    """A restorer that applies a known change, with an even spread."""

    def restore(rows, with_spread):
        restored = np.asarray(change(np.asarray(rows)), np.float32)
        return [restored, np.full_like(restored, 0.1)] if with_spread else [restored]

    return restore


def brighter(images, rng):
    return images + np.float32(0.3)


def held_out(rows, degradation, labels=None, target=None):
    """Rows, some of them held out."""
    held, kept = hold_out(len(rows), labels, np.random.RandomState(0))
    return HeldOutRows(rows, target, labels, held, kept, Degrading(degradation, None), np.random.RandomState(1))


def compare(images, change, labels=None, degradation=brighter, guard=True, target=None, **changed):
    restoration = dataclasses.replace(ImageRestoration(ImageScale(0.0, 1.0), 1, 64, 8, 8), **changed)
    return restoration.assess(held_out(images, degradation, labels, target), network(change), guard)


def test_good_network_is_chosen_and_its_figures_are_right():
    found = compare(smooth_images(20)[..., None], lambda rows: rows - 0.29)
    report = found.report
    assert report.keys() == KEYS
    assert report["chosen"] == "network"
    assert report["psnr"]["network"] == pytest.approx(40.0, abs=0.01)  # an error of 0.01 everywhere
    assert report["psnr"]["nothing"] == pytest.approx(-20 * np.log10(0.3), abs=0.01)
    assert report["psnr"].keys() - {"network"} == report["strength"].keys() == _filters.available_filters().keys()
    assert report["n_held_out"] == 4
    assert report["balanced_accuracy"] is None
    np.testing.assert_allclose(found.error_model.quantiles, -0.1, rtol=1e-3)  # of the spread
    assert report["psnr_clean"].keys() == report["psnr"].keys()
    assert report["psnr_clean"]["network"] == pytest.approx(-20 * np.log10(0.29), abs=0.01)
    assert report["psnr_clean"]["nothing"] == pytest.approx(100.0)
    assert report["balanced_accuracy_clean"] is None


def darker_if_bright(little, much):
    """A network that changes bright images by `much` and others by `little`."""
    return lambda rows: rows - np.where(rows.mean((1, 2, 3), keepdims=True) > 0.7, much, little).astype(np.float32)


@pytest.mark.parametrize(("little", "expected"), [(0.01, 0.0125), (0.1, 0.125), (0.13, 0.0), (0.3, 0.0)])
def test_images_changed_like_good_ones_are_spared_where_poor_ones_are_changed_far_more(little, expected):
    found = compare(smooth_images(20)[..., None], darker_if_bright(little, 0.3)).report
    assert found["spared"] == pytest.approx(expected, abs=1e-6)
    if expected:
        assert found["psnr_clean"]["network"] == found["psnr_clean"]["nothing"]


def test_small_corrections_of_a_network_that_ripples_are_shrunk():
    """Where nothing is to be done it adds +-0.02; where the image is dark it is right."""

    def ripple(rows):
        board = 0.02 * (-1.0) ** np.add.outer(*map(np.arange, rows.shape[1:3]))[..., None]
        return np.where(rows < 0, rows + 1.0, rows + board)

    def hole(images, rng):
        poor = images.copy()
        poor[:, 8:16, 8:16] -= 1.0
        return poor

    report = compare(smooth_images(20)[..., None], ripple, degradation=hole).report
    assert 0.02 < report["shrinkage"] < 1.0
    trusted = -10 * np.log10(0.02**2 * (1 - 64 / 24**2))  # the mean square error of the ripples in the rest
    assert report["psnr"]["network"] > trusted + 3


class Darkener:
    """A tone mapping that takes the mean of the whole image away."""

    def curve(self, image, encode=np.asarray):
        return ToneCurve(np.array([-10.0, 10.0]), np.array([-10.0, 10.0]) - np.mean(encode(image)))


def test_a_tone_mapping_sees_whole_images_when_methods_are_compared():
    """The middle alone has another mean: what is taken away there would not be what `transform` takes away."""
    images = np.random.RandomState(0).rand(10, 168, 168, 1).astype(np.float32)
    images[:, 20:-20, 20:-20] += 1.0
    found = compare(images, lambda rows: rows, tone=Darkener()).report
    means = [np.mean(image) + 0.3 for image in images]
    expected = -20 * np.log10(abs(0.3 - np.array(means)))
    assert expected.min() - 0.01 <= found["psnr"]["network"] <= expected.max() + 0.01
    assert np.ptp(expected) < 0.5


def test_nothing_is_spared_in_paired_training():
    images = smooth_images(20)[..., None]
    assert compare(images, darker_if_bright(0.01, 0.3), target=images).report["spared"] == 0.0


def test_spared_images_come_back_to_the_bit_and_poor_ones_are_restored():
    images = smooth_images(8)[..., None]
    restoration = ImageRestoration(ImageScale(0.0, 2.0), 1, 64, 8, 8)
    rows = 2.0 * np.concatenate([images, images + np.float32(0.3)])
    method = Method(network(darker_if_bright(0.01, 0.3)), "network", 0.0, 0.02)
    treated = restoration.apply(rows, method)
    np.testing.assert_array_equal(treated[:8], rows[:8])
    np.testing.assert_allclose(treated[8:], rows[:8], atol=1e-5)
    with_spread, *_ = restoration.apply_with_spread(rows, method)
    np.testing.assert_allclose(2.0 * with_spread, treated, atol=1e-6)
    np.testing.assert_array_equal(restoration.apply_encoded(list(images), method), images)


def test_bad_network_is_not_chosen_and_errors_are_those_of_what_is():
    found = compare(smooth_images(20)[..., None], lambda rows: rows + 1.0)
    assert found.report["chosen"] in _filters.available_filters()
    left = 1.0 / (1.0 + max(SHRINKAGES) ** 2)  # what is left of a correction of 1 that should not be made
    assert found.report["psnr"]["network"] == pytest.approx(-20 * np.log10(0.3 + left), abs=0.01)
    assert np.median(found.error_model.quantiles) == pytest.approx(
        -3.0, rel=1e-3
    )  # those of the filter, not of the network


def test_without_guard_nothing_is_compared():
    found = compare(smooth_images(20)[..., None], lambda rows: rows + 1.0, guard=False)
    assert found.report["chosen"] == "network"
    assert found.report["psnr"] == {}
    assert found.report["psnr_clean"] is None
    np.testing.assert_allclose(found.error_model.quantiles, -13.0, rtol=1e-3)


def test_labels_tell_of_harm_that_pixels_do_not_show():
    """Mirrored images are the better ones by PSNR, and each shows the other class."""
    labels = np.arange(100) % 2
    images = halves(labels)
    blind = compare(images, lambda rows: rows[:, :, ::-1] - 0.3)
    assert blind.report["chosen"] == "network"
    report = compare(images, lambda rows: rows[:, :, ::-1] - 0.3, labels).report
    assert report["psnr"]["network"] > report["psnr"]["nothing"]
    assert report["balanced_accuracy"]["network"] == 0.0
    assert report["balanced_accuracy"]["nothing"] == 1.0
    assert report["chosen"] != "network"
    assert report["n_held_out"] == 24


def test_labels_of_a_network_that_keeps_the_class_do_no_harm():
    labels = np.arange(100) % 2
    report = compare(halves(labels), lambda rows: rows - 0.3, labels).report
    assert report["chosen"] == "network"
    assert report["balanced_accuracy"] == {"nothing": 1.0, "network": 1.0}
    assert report["balanced_accuracy_clean"] == {"nothing": 1.0, "network": 1.0}


def upside_down_if_dark(rows):
    """Restores what `brighter` made, and swaps the classes of images that were good already."""
    return np.where(rows.mean((1, 2, 3), keepdims=True) > 0.7, rows - 0.3, rows[:, :, ::-1])


def test_network_that_harms_good_images_is_not_chosen():
    labels = np.arange(100) % 2
    images = halves(labels)
    assert compare(images, upside_down_if_dark).report["chosen"] == "network"  # nobody can tell
    report = compare(images, upside_down_if_dark, labels).report
    assert report["balanced_accuracy"]["network"] == report["balanced_accuracy"]["nothing"] == 1.0
    assert report["balanced_accuracy_clean"]["network"] == 0.0
    assert report["balanced_accuracy_clean"]["nothing"] == 1.0
    assert report["chosen"] != "network"


class Identity:
    """A tone mapping that changes nothing."""

    def __call__(self, image):
        return image

    def curve(self, image, encode):
        return ToneCurve(np.array([0.0, 1.0]), np.array([0.0, 1.0]))


@pytest.mark.parametrize("case", ["tone", "paired", "enlarged"])
def test_good_images_are_not_judged_where_they_are_no_input(case):
    labels = np.arange(100) % 2
    images = halves(labels)
    settings = {
        "tone": {"tone": Identity()},
        "paired": {"target": images},
        "enlarged": {"scale": 2},
    }[case]
    report = compare(images, upside_down_if_dark, labels, **settings).report
    assert report["psnr_clean"] is None
    assert report["balanced_accuracy_clean"] is None


def test_filters_are_compared_as_they_will_be_used():
    """From the usual noise on: at that of the poor images themselves, they do nothing."""

    def rough(images, rng):
        return images + 0.1 * rng.standard_normal(images.shape).astype(np.float32)

    images = smooth_images(20)[..., None]
    free, bound = (compare(images, lambda rows: rows + 9, degradation=rough, usual_noise=u).report for u in (0.0, 0.5))
    assert free["psnr"]["total variation"] > free["psnr"]["nothing"] + 3
    assert len(set(bound["psnr"].values())) == 2  # the network, and untouched
    assert bound["psnr_clean"]["total variation"] == bound["psnr_clean"]["nothing"]


def test_restoration_learns_the_usual_noise_of_good_images():
    images = np.stack([noisy(image, 0.05, seed) for seed, image in enumerate(smooth_images(60))])[..., None]
    restoration = ImageRestoration(ImageScale(0.0, 2.0), 1, 64, 8, 8)
    learned = restoration.learn(held_out(images, lambda i, rng: i), np.random.RandomState(0))
    assert learned.usual_noise == pytest.approx(
        np.quantile([_filters.estimate_noise(i / 2) for i in images], 0.95), rel=0.1
    )
    paired = held_out(images, None, target=images)
    assert restoration.learn(paired, np.random.RandomState(0)).usual_noise == 0.0


def counting(change, log):
    """A network that writes down the means of the images it is shown."""

    def restore(rows):
        log.extend(np.mean(rows, axis=(1, 2, 3)).tolist())
        return change(rows)

    return restore


def brighter_by_chance(images, rng):
    return images + np.float32(0.3) + rng.uniform(0, 0.01, (len(images), 1, 1, 1)).astype(np.float32)


def test_network_sees_each_held_out_image_once():
    """Poor and as it was: what is spared and the comparison are learned from the same result, and so is the spread,
    which two further poor versions of each of 16 images teach too, or one where whole images must be degraded.
    """

    def local(images, rng):
        return brighter_by_chance(images, rng)

    local.reach = 0
    labels = np.arange(100) % 2
    images = halves(labels)
    for given, settings, expected in (
        (labels, {"degradation": local}, 2 * 24 + 2 * 16),
        (None, {"degradation": local}, 2 * 16 + 2 * 16),
        (None, {"degradation": brighter_by_chance}, 2 * 16 + 16),
        (None, {"degradation": local, "guard": False}, 3 * 16),
        (None, {"degradation": local, "target": images}, 16),
    ):
        seen = []
        change = counting(lambda rows: rows - 0.29, seen)
        compare(images, change, given, **settings)
        assert len(seen) == len(set(seen)) == expected


def held_share(errors, good, poor, treated):
    """How many true values the central 80 % hold, of images treated as `transform` does."""
    low, high = errors.interval(0.8)
    scaled = errors.scaled(np.full_like(treated, 0.1), treated - poor)
    return np.mean((good - treated > low * scaled) & (good - treated < high * scaled))


def test_spread_is_that_of_the_shrunk_network():
    """In further versions of images too: the noise that the network adds everywhere is hardly applied."""
    rng = np.random.RandomState(0)
    images = np.where(smooth_images(20) > 0.65, np.float32(0.6), np.float32(0.1))[..., None]

    def discs_brighter(good, rng):
        return good + np.float32(0.3) * (good > 0.5)

    def discs_darker(rows):
        return rows - 0.3 * (rows > 0.75) + rng.normal(0, 0.02, rows.shape)

    found = compare(images, discs_darker, degradation=discs_brighter)
    assert found.report["chosen"] == "network"
    assert found.report["shrinkage"] > 0.01
    poor = discs_brighter(images, rng)
    shares = []
    for size in (found.report["shrinkage"], 0.0):
        (treated,) = Shrunk(network(discs_darker), size)(poor, False)
        shares.append(held_share(found.error_model, images, poor, treated))
    assert shares[0] == pytest.approx(0.8, abs=0.05)
    assert shares[1] < 0.6


def table_of(spread):
    """A restoration of tables of three columns of this spread."""
    return TableRestoration(
        TableCodec(np.zeros(3), np.full(3, spread), *[np.zeros(3)] * 2, np.zeros(3, bool), (None,) * 3)
    )


def last_ten(rows):
    """Rows of a table to which noise of half a spread is added, ten of 40 held out."""
    degrading, rng = Degrading((0.5, 0.5), None), np.random.RandomState(0)
    return HeldOutRows(rows, None, None, np.arange(30, 40), np.arange(30), degrading, rng)


def test_rows_of_a_table_are_restored_once():
    rows = np.random.RandomState(0).normal(size=(40, 3))
    restoration = table_of(1.0)
    calls = []
    change = network(lambda rows: 0.5 * rows)

    def restore(rows, with_spread):
        calls.append(with_spread)
        return change(rows, with_spread)

    restoration.assess(last_ten(rows), restore, True)
    assert calls == [True, False, *[True] * 4]  # poor rows with their spread, clean ones, further poor versions


def test_few_labels_are_not_consulted():
    labels = np.arange(40) % 2  # ten are held out: a classifier would decide by chance
    assert compare(halves(labels), lambda rows: rows - 0.3, labels).report["balanced_accuracy"] is None


@pytest.mark.parametrize(("change", "chosen"), [(lambda r: 0 * r, "network"), (lambda r: r + 9, "nothing")])
def test_table_is_compared_with_doing_nothing(change, chosen):
    """Columns of zeros in network units would be best restored to zero."""
    rows = np.random.RandomState(0).normal(size=(40, 3))
    found = table_of(1e6).assess(last_ten(rows), network(change), True)
    assert found.report.keys() == KEYS
    assert found.report["chosen"] == chosen
    assert found.report["psnr"]["nothing"] == pytest.approx(-20 * np.log10(0.5), abs=1.0)
    assert found.report["psnr_clean"]["nothing"] == pytest.approx(100.0)
    assert found.report["psnr_clean"]["network"] == pytest.approx(
        100.0 if chosen == "network" else -20 * np.log10(9), abs=0.1
    )


# -- in the estimator ---------------------------------------------------------


@pytest.fixture(scope="module")
def fallen_back():
    """One step on strong noise over smooth images: total variation or non-local means must be better."""
    X = 1000.0 * smooth_images(30).astype(np.float64) - 500.0
    with pytest.warns(ConvergenceWarning) as caught:
        model = GANEnhancer(**TINY, degradation={"noise": 150}).fit(X)
    return X, model, caught


def test_fallback_is_announced(fallen_back):
    _, model, caught = fallen_back
    chosen = model.guard_report_["chosen"]
    assert chosen in ("total variation", "non-local means", "wavelet")
    message = str(caught[0].message)
    assert "would do harm: on 6 held-out training rows" in message
    assert f"transform does {chosen!r} instead. Raise max_iter" in message
    assert caught[0].filename == __file__


def test_fallback_is_what_transform_does(fallen_back):
    X, model, _ = fallen_back
    report, poor = model.guard_report_, X[:3] + 100 * np.random.RandomState(0).standard_normal(X[:3].shape)
    low, span = X.min(), np.ptp(X)
    strength = report["strength"][report["chosen"]]
    for image, result in zip(poor, model.transform(poor), strict=True):
        fractions = ((image - low) / span).astype(np.float32)[..., None]
        expected = _filters.run_filter(report["chosen"], strength, fractions, model._restoration.usual_noise)
        expected = expected[..., 0] * span + low
        np.testing.assert_allclose(result, expected, atol=1e-2)
        assert not np.allclose(result, image)
    assert ((model.transform(poor) - X[:3]) ** 2).mean() < 0.5 * ((poor - X[:3]) ** 2).mean()


def test_fallback_leaves_good_images_alone(fallen_back):
    X, model, _ = fallen_back
    assert model.guard_report_["psnr_clean"][model.guard_report_["chosen"]] > 60
    unchanged = [np.allclose(*pair, atol=1e-3) for pair in zip(model.transform(X), X, strict=True)]
    assert np.mean(unchanged) > 0.9


def test_fallback_has_an_uncertainty_of_the_right_size(fallen_back):
    _, model, _ = fallen_back
    good = 1000.0 * smooth_images(20, seed=7) - 500.0
    poor = noisy(good, 150).astype(np.float64)
    error = np.sqrt(np.mean((model.transform(poor) - good) ** 2))
    predicted = np.sqrt(np.mean(model.uncertainty(poor).astype(float) ** 2))
    assert predicted == pytest.approx(error, rel=0.3)


def test_report_of_labelled_images_names_accuracies():
    labels = np.array(["left", "right"])[np.arange(100) % 2]
    X = halves(np.arange(100) % 2)[..., 0]
    with pytest.warns(ConvergenceWarning, match="would do harm"):
        model = GANEnhancer(**TINY, degradation={"noise": 0.05}).fit(X, labels)
    report = model.guard_report_
    assert report.keys() == KEYS
    assert report["n_held_out"] == 24
    assert report["balanced_accuracy"]["nothing"] == 1.0
    assert {"nothing", "network"} <= report["balanced_accuracy"].keys()


def test_without_guard_there_is_no_fallback():
    X = smooth_images(10)
    model = GANEnhancer(**TINY, guard=False, degradation={"noise": 0.3}).fit(X)
    assert model.guard_report_["chosen"] == "network"
    assert model.guard_report_["psnr"] == {}
