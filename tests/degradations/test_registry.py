"""The table: names, and how far each one reaches."""

import numpy as np
import pytest
from pictures import uniform

from sklearn_medgan import degradations as dg

FUNCTIONS = {name: entry.function for name, entry in dg.DEGRADATIONS.items()}


def test_names_and_the_levels_that_a_dict_sets_are_those_of_the_docs():
    levels = "noise:sigma poisson:photons rician:sigma blur:sigma motion_blur:length downscale:factor low_contrast:gain"
    levels += " jpeg:quality low_dose_ct:photons speckle:looks defocus:radius rings:gain_error streaks:n_views"
    levels += " bias_field:nonuniformity ghosting:intensity undersampling:acceleration stain:sigma"
    expected = dict(pair.split(":") for pair in levels.split())
    assert {name: entry.level for name, entry in dg.DEGRADATIONS.items()} == expected


@pytest.mark.parametrize("name", sorted(name for name, entry in dg.DEGRADATIONS.items() if entry.reach == 0))
def test_a_pixelwise_degradation_changes_one_pixel_for_one(name):
    images = uniform((2, 12, 12, 3))
    changed = images.copy()
    changed[-1, -1, -1, -1] += 0.5  # the last one drawn: a Poisson count takes as many draws as it needs
    before, after = (FUNCTIONS[name](batch, 0) for batch in (images * 0.5, changed * 0.5))
    differs = np.argwhere(before != after)
    assert {tuple(place) for place in differs} <= {(1, 11, 11, channel) for channel in range(3)}


CROPPED = {
    "blur at its widest": ("blur", {"sigma": 2.0}),
    "small blur": ("blur", {"sigma": 0.7}),
    "no blur": ("blur", {"sigma": 0}),
    "defocus": ("defocus", {"radius": 3.0}),
    "slight defocus": ("defocus", {"radius": 1.6}),
    "motion": ("motion_blur", {"length": 9.0, "angle": 0}),
    "slanting motion": ("motion_blur", {"length": 6.4, "angle": 30}),
    "downscale": "downscale",
    "downscale by 3": ("downscale", {"factor": 3}),
    "two blurs": (("blur", {"sigma": 1.0}), ("motion_blur", {"length": 3, "angle": 60})),
    "blur, downscale": (("blur", {"sigma": 0.5}), "downscale"),
    "downscale, blur": ("downscale", ("blur", {"sigma": 0.5})),
}


def crop_error(degradation, reach):
    """How far a crop with this margin, once degraded, is from the crop of the whole."""
    images, scale = uniform((1, 60, 72, 1)), degradation.scale
    margin = -(-reach // scale) * scale
    start, stop = 24, 36
    crop = images[:, start - margin : stop + margin, start - margin : stop + margin]
    whole = degradation(images, 0)[:, start // scale : stop // scale, start // scale : stop // scale]
    inner = slice(margin // scale, margin // scale + (stop - start) // scale)
    return np.abs(degradation(crop, 0)[:, inner, inner] - whole).max()


@pytest.mark.parametrize("case", CROPPED)
def test_a_crop_with_the_reach_as_margin_is_degraded_like_the_whole(case):
    step = CROPPED[case]
    degradation = dg.compose(*step) if isinstance(step[0], tuple) or isinstance(step[1], tuple) else dg.compose(step)
    assert crop_error(degradation, degradation.reach) < 1e-12


@pytest.mark.parametrize("case", ["blur at its widest", "small blur", "defocus", "slight defocus", "motion"])
def test_a_narrower_margin_would_not_do(case):
    degradation = dg.compose(CROPPED[case])
    assert crop_error(degradation, degradation.reach - 1) > 1e-6


@pytest.mark.parametrize("name", ["blur", "defocus", "motion_blur"])
def test_the_tabled_reach_covers_the_default_levels(name):
    point = np.zeros((300, 41, 41, 1))
    point[:, 20, 20] = 1
    touched = np.argwhere(FUNCTIONS[name](point, 0).any(axis=(0, 3)))
    assert np.abs(touched - 20).max() == dg.DEGRADATIONS[name].reach
