"""Noisy images alone."""

import warnings

import numpy as np
import pytest
from enhancers import FLOATS, discs, enhancer, network, noisy, untrained
from scipy.ndimage import gaussian_filter
from sklearn.exceptions import ConvergenceWarning

from sklearn_medgan import load, save
from sklearn_medgan._codecs import ImageScale
from sklearn_medgan.enhancement._configuration import Degrading
from sklearn_medgan.enhancement._held_out import HeldOutRows
from sklearn_medgan.enhancement._self_supervised import (
    NoiseCurve,
    NoisyRestoration,
    RecorruptedPairs,
    correlation,
    left_out_loss,
    noise_of,
)

NOISE = np.random.RandomState(3)
RAMP = np.tile(np.linspace(0.2, 0.8, 96), (96, 1))[..., None]


def white(*shape):
    return NOISE.standard_normal(shape).astype(np.float32)


def learner(**changed):
    return enhancer(supervision="self", **changed)


def test_level_of_noise_is_found_beside_edges():
    image = discs(1, size=96)[0][..., None]
    assert noise_of(image) < 1e-6
    assert noise_of(image + 0.05 * white(96, 96, 1)) == pytest.approx(0.05, rel=0.05)


def test_noise_that_grows_with_intensity_is_found():
    truth = 0.02 + 0.1 * RAMP
    curve = NoiseCurve.learn([RAMP + truth * white(96, 96, 1) for _ in range(8)])
    assert np.abs(curve.of(RAMP) / truth - 1)[2:-2, 2:-2].max() < 0.15


def test_white_noise_is_told_from_correlated_noise():
    fields = [white(96, 96, 1) for _ in range(4)]
    assert correlation([0.3 + 0.1 * field for field in fields]) == pytest.approx(1.0, abs=0.05)
    assert correlation([0.3 + 0.1 * gaussian_filter(field, (0.6, 0.6, 0)) for field in fields]) > 2.0


@pytest.mark.parametrize("times", [1.0, 3.0], ids=["alike", "an image of more noise"])
def test_recorrupted_pairs_err_independently_about_the_same_image(times):
    """Pang et al. 2021: both are the clean image and noise, of variances 1 + a^2 and 1 + 1 / a^2, uncorrelated."""
    sigma, flat = 0.1, np.full((64, 64, 1), 0.5)
    curve = NoiseCurve.learn([flat + sigma * white(64, 64, 1) for _ in range(8)])
    images = [flat + times * sigma * white(64, 64, 1) for _ in range(4)]
    poor, good = RecorruptedPairs(images, np.asarray, curve, 64, np.random.RandomState(0)).draw(400)
    errors = (poor - 0.5) / (times * sigma), (good - 0.5) / (times * sigma)
    assert [np.var(e) for e in errors] == pytest.approx([1.25, 5.0], rel=0.06)
    assert np.mean(errors[0] * errors[1]) == pytest.approx(0.0, abs=0.06)
    assert poor[0] + poor[1] == pytest.approx(good[0] + good[1], abs=1e-5)  # opposite noise on one patch


def test_left_out_loss_of_a_perfect_method_is_the_noise_and_of_none_more():
    image = RAMP + 0.1 * white(96, 96, 1)
    assert left_out_loss(image, lambda image, channel_axis: RAMP) == pytest.approx(0.01, rel=0.1)
    # Doing nothing returns what stands in place of a pixel left out: the mean of its four neighbours.
    assert left_out_loss(image, lambda image, channel_axis: image) == pytest.approx(0.0125, rel=0.1)


def assessed(images, restore, labels=None):
    held, kept = np.array_split(np.arange(len(images)), 2)
    rows = HeldOutRows(images, None, labels, held, kept, Degrading(None, 0), np.random.RandomState(0))
    restoration = NoisyRestoration(ImageScale(0.0, 1.0), 1, 64, 24, 8)
    return restoration.assess(rows, network(restore), guard=True).report


def test_guard_takes_a_good_network_and_refuses_one_that_blurs_or_copies():
    clean = np.tile(RAMP, (16, 1, 1, 1)).astype(np.float32)
    clean += 0.2 * (np.arange(96)[:, None, None] // 3 % 2)  # stripes of 3 pixels
    images = clean + 0.1 * white(16, 96, 96, 1)

    def oracle(rows):
        return np.broadcast_to(clean[0, :96, :96], rows.shape) if rows.shape[1:] == (96, 96, 1) else rows

    good = assessed(images, oracle)
    assert good["chosen"] == "network"
    assert good["psnr"]["network"] == pytest.approx(20.0, abs=0.3)
    assert good["psnr"]["nothing"] == pytest.approx(17.0, abs=0.3)
    blurs = assessed(images, lambda rows: np.full_like(rows, rows.mean()))
    assert blurs["chosen"] != "network"
    assert blurs["psnr"]["network"] < blurs["psnr"]["nothing"]


def test_method_after_which_a_classifier_does_worse_is_out():
    """What tells the classes apart, here a corner, does not show in the squared error of an image."""
    labels = np.arange(80) % 2
    stripes = 0.4 + 0.2 * (np.arange(32)[:, None, None] // 3 % 2) * np.ones((1, 32, 1), np.float32)
    images = stripes + 0.05 * white(80, 32, 32, 1)
    images[labels == 1, :4, :4] += 0.2

    def evens(rows):
        return np.broadcast_to(stripes, rows.shape)

    alone = assessed(images, evens)
    assert (alone["chosen"], alone["balanced_accuracy"]) == ("network", None)
    judged = assessed(images, evens, labels)
    accuracy = judged["balanced_accuracy"]
    assert accuracy["network"] == pytest.approx(0.5)
    assert accuracy["nothing"] > 0.9
    assert judged["chosen"] != "network"
    assert accuracy[judged["chosen"]] > 0.85
    assert judged["psnr"] == alone["psnr"]


@pytest.mark.slow
def test_noise_is_removed_though_no_good_image_was_seen(tmp_path):
    clean = discs(16, size=32)
    images = noisy(clean, 0.15)
    model = learner(width=32, depth=8, max_iter=20, patch_size=24, guard=True).fit(images)
    report = model.guard_report_
    assert (report["supervision"], report["chosen"]) == ("self", "network")
    assert report["noise"] == pytest.approx(0.15, rel=0.05)
    before, after = (np.mean((rows - clean) ** 2) for rows in (images, model.transform(images)))
    assert after < before / 8
    assert model.score(images, target=clean) > 25
    save(model, tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert loaded.transform(images).tobytes() == model.transform(images).tobytes()
    assert loaded.guard_report_ == report


@pytest.mark.parametrize("images", [discs(16), np.full((8, 16, 16), 3, np.int16)], ids=["noise-free", "constant"])
@pytest.mark.parametrize("guard", [True, False])
def test_images_without_noise_are_left_alone(images, guard):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "What is learned from noisy")
        with pytest.warns(ConvergenceWarning, match="found no noise .*so transform changes nothing"):
            model = learner(guard=guard).fit(images)
    assert np.array_equal(model.transform(images), images)


def test_correlated_noise_is_told():
    images = 0.5 + gaussian_filter(white(12, 32, 32), (0, 1, 1))
    with pytest.warns(UserWarning, match="it is correlated"):
        learner().fit(images)


@pytest.mark.parametrize("method", ["sample", "uncertainty", "score"])
def test_errors_stay_unknown(method):
    model = learner().fit(FLOATS)
    with pytest.raises(ValueError, match="learned from noisy images alone"):
        getattr(model, method)(FLOATS)


def test_fit_goes_on_and_is_reproducible():
    once, again = (learner(warm_start=True).fit(FLOATS) for _ in range(2))
    once.fit(FLOATS)
    again.fit(FLOATS)
    assert once.n_iter_ == 8
    assert once.transform(FLOATS).tobytes() == again.transform(FLOATS).tobytes()


@untrained
def test_opaque_alpha_stays():
    images = np.concatenate([noisy(discs(10), 0.1)[..., None], np.ones((10, 24, 24, 1), np.float32)], axis=-1)
    assert (learner(guard=True).fit(images).transform(images)[..., 1] == 1.0).all()
