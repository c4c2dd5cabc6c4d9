"""Degradations chained, mixed and named."""

import pickle
from functools import partial

import numpy as np
import pytest
from pictures import assert_moments, constant, uniform
from scipy import stats

from sklearn_medgan import degradations as dg

FUNCTIONS = {name: entry.function for name, entry in dg.DEGRADATIONS.items()}


def negative(images, rng):
    return 1 - images


def halved(images, rng):
    return images / 2


def test_compose_applies_in_turn():
    images = uniform()
    np.testing.assert_allclose(dg.compose(negative, halved)(images, 0), (1 - images) / 2)
    np.testing.assert_allclose(dg.compose(halved, negative)(images, 0), 1 - images / 2)
    np.testing.assert_array_equal(dg.compose()(images, 0), images)


def test_steps_of_a_composition_draw_apart():
    # Drawn alike, the noise of both steps would be one and the same, with twice the standard deviation.
    step = ("noise", {"sigma": 0.1})
    assert_moments(dg.compose(step, step)(constant(0), 0), 0, 2 * 0.1**2)


def test_mix_sends_each_image_through_one_choice_with_equal_chances():
    mixed = dg.mix(negative, halved, dg.compose())(np.full((900, 2, 2, 1), 0.2), 0)
    values, counts = np.unique(mixed.reshape(900, -1).round(6), axis=0, return_counts=True)
    np.testing.assert_allclose(values, [[0.1] * 4, [0.2] * 4, [0.8] * 4])
    assert stats.chisquare(counts).pvalue > 0.001


def test_mix_keeps_each_image_in_its_place():
    images = uniform((30, 4, 4, 1))
    mixed = dg.mix(negative, halved)(images, 0)
    is_negative = np.isclose(mixed, 1 - images).all(axis=(1, 2, 3))
    assert 0 < is_negative.sum() < 30
    np.testing.assert_allclose(mixed[~is_negative], images[~is_negative] / 2)


def test_mix_takes_no_images_and_refuses_two_sizes():
    assert dg.mix("downscale", "downscale")(np.zeros((0, 8, 8, 1)), 0).shape == (0, 4, 4, 1)
    with pytest.raises(ValueError, match=r"images of one size; got .*same factor"):
        dg.mix("downscale", "noise")(uniform((20, 8, 8, 1)), 0)
    with pytest.raises(ValueError, match="at least one choice"):
        dg.mix()


def test_auto_blurs_a_third_and_makes_all_noisy():
    step = np.zeros((600, 16, 16, 1), np.float32)
    step[:, :, 8:] = 1
    function, reach = dg.resolve("auto")
    degraded = function(step, 0)
    assert reach == 6  # of a sigma of 1.5
    assert degraded.dtype == np.float32
    noise = (degraded - step)[:, :, :2].std(axis=(1, 2, 3))  # dark: silent where photons are counted
    assert stats.binomtest(int((noise > 0).sum()), 600, 0.5).pvalue > 0.001
    # Beside a blurred edge some photons are counted where there were none.
    counted = noise == 0
    blurred = degraded[counted][:, :, 7].sum(axis=(1, 2)) > 0
    # A sigma below 0.25 (a sixth of the range) puts nothing measurable across the edge.
    assert stats.binomtest(int(blurred.sum()), int(counted.sum()), 5 / 6 / 3).pvalue > 0.001


def test_resolve_reads_all_forms():
    assert dg.resolve(negative) == (negative, None)
    images = uniform()
    for form in ("blur", ["blur"], ("blur",), ("blur", {}), [("blur", {})]):
        function, reach = dg.resolve(form)
        assert reach == 8
        np.testing.assert_array_equal(function(images, 3), dg.gaussian_blur(images, 3))
    assert dg.resolve(["blur", "motion_blur", "noise"])[1] == 12
    assert dg.resolve(["blur", "jpeg"])[1] is None
    assert dg.resolve(["blur", negative])[1] is None
    assert dg.resolve(("blur", {"sigma": (0, 0.5)}))[1] == 2


def test_parameters_given_with_a_name_are_used():
    function, _ = dg.resolve(("noise", {"sigma": 0.3}))
    assert_moments(function(constant(0.5), 0), 0.5, 0.3**2)


@pytest.mark.parametrize(
    ("degradation", "error", "message"),
    [
        ("nosie", ValueError, "Unknown degradation 'nosie'; did you mean 'noise'.*'low_dose_ct'"),
        (["noise", "Blur"], ValueError, "Unknown degradation 'Blur'; did you mean 'blur'"),
        ("xyz", ValueError, r"Unknown degradation 'xyz'\. Known are 'auto', 'bias_field'"),
        ([], ValueError, "at least one; got \\[\\]"),
        (3, TypeError, "a name, a pair .* got 3"),
        (None, TypeError, "got None"),
        ([None], TypeError, "got None"),
        (("noise", {"photons": 3}), TypeError, r"'noise' takes the parameters \['sigma'\]; got \['photons'\]"),
        (("auto", {"sigma": 1}), TypeError, r"'auto' takes the parameters \[\]"),
    ],
)
def test_what_is_no_degradation_is_explained(degradation, error, message):
    with pytest.raises(error, match=message):
        dg.resolve(degradation)


def test_a_bad_level_is_found_when_the_reach_is_asked_for():
    with pytest.raises(ValueError, match="sigma must be a number or a pair"):
        dg.resolve(("blur", {"sigma": "wide"}))


@pytest.mark.parametrize(
    "degradation",
    ["auto", *sorted(FUNCTIONS), ["blur", "noise"], ("noise", {"sigma": 0.1}), [negative, "jpeg"], partial(halved)],
)
def test_degradations_pickle(degradation):
    function, reach = dg.resolve(degradation)
    again = pickle.loads(pickle.dumps(function))
    images = uniform((2, 16, 16, 3))
    np.testing.assert_array_equal(again(images, 0), function(images, 0))
    assert getattr(again, "reach", None) == reach
