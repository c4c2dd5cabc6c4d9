"""Methods compared on held-out images, with networks whose worth is known."""

import dataclasses

import numpy as np
import pytest
from enhancers import KEYS, discs, halves, network, noisy

from sklearn_medgan._codecs import ImageScale
from sklearn_medgan.enhancement import _filters
from sklearn_medgan.enhancement._configuration import Degrading
from sklearn_medgan.enhancement._held_out import HeldOutRows, hold_out
from sklearn_medgan.enhancement._images import ImageRestoration
from sklearn_medgan.enhancement._restoration import Method
from sklearn_medgan.enhancement._shrinkage import SHRINKAGES, Shrunk
from sklearn_medgan.enhancement._tone import ToneCurve


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
    found = compare(discs(20)[..., None], lambda rows: rows - 0.29)
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
    found = compare(discs(20)[..., None], darker_if_bright(little, 0.3)).report
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

    report = compare(discs(20)[..., None], ripple, degradation=hole).report
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
    images = discs(20)[..., None]
    assert compare(images, darker_if_bright(0.01, 0.3), target=images).report["spared"] == 0.0


def test_spared_images_come_back_to_the_bit_and_poor_ones_are_restored():
    images = discs(8)[..., None]
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
    found = compare(discs(20)[..., None], lambda rows: rows + 1.0)
    assert found.report["chosen"] in _filters.available_filters()
    left = 1.0 / (1.0 + max(SHRINKAGES) ** 2)  # what is left of a correction of 1 that should not be made
    assert found.report["psnr"]["network"] == pytest.approx(-20 * np.log10(0.3 + left), abs=0.01)
    assert np.median(found.error_model.quantiles) == pytest.approx(
        -3.0, rel=1e-3
    )  # those of the filter, not of the network


def test_without_guard_nothing_is_compared():
    found = compare(discs(20)[..., None], lambda rows: rows + 1.0, guard=False)
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

    images = discs(20)[..., None]
    free, bound = (compare(images, lambda rows: rows + 9, degradation=rough, usual_noise=u).report for u in (0.0, 0.5))
    assert free["psnr"]["total variation"] > free["psnr"]["nothing"] + 3
    assert len(set(bound["psnr"].values())) == 2  # the network, and untouched
    assert bound["psnr_clean"]["total variation"] == bound["psnr_clean"]["nothing"]


def test_restoration_learns_the_usual_noise_of_good_images():
    images = np.stack([noisy(image, 0.05, seed) for seed, image in enumerate(discs(60))])[..., None]
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
    images = np.where(discs(20) > 0.65, np.float32(0.6), np.float32(0.1))[..., None]

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


def test_few_labels_are_not_consulted():
    labels = np.arange(40) % 2  # ten are held out: a classifier would decide by chance
    assert compare(halves(labels), lambda rows: rows - 0.3, labels).report["balanced_accuracy"] is None
