"""The phantom against its stated truth."""

import numpy as np
import pytest

from sklearn_medgan.datasets import make_nodules


@pytest.mark.parametrize(("prevalence", "n_ill"), [(0, 0), (0.1, 7), (0.5, 36), (1, 73)])
def test_prevalence_is_exact_and_masks_mark_the_ill(prevalence, n_ill):
    nodules = make_nodules(73, image_size=24, prevalence=prevalence, random_state=1)
    assert nodules.target.sum() == n_ill
    np.testing.assert_array_equal(nodules.masks.any(axis=(1, 2)), nodules.target == 1)
    np.testing.assert_array_equal(np.isfinite(nodules.truth["row"]), nodules.target == 1)


@pytest.mark.parametrize(("image_size", "shape"), [(16, (16, 16)), ((20, 33), (20, 33))])
def test_images_are_int16_hounsfield_units_of_the_size_asked_for(image_size, shape):
    nodules = make_nodules(30, image_size=image_size, n_vessels=0, random_state=0)
    assert nodules.data.shape == nodules.masks.shape == (30, *shape)
    assert nodules.data.dtype == np.int16
    assert -900 < np.median(nodules.data) < -780


def test_equal_random_state_gives_equal_bytes_and_another_does_not():
    one, same, other = (make_nodules(70, image_size=16, random_state=seed) for seed in (3, 3, 4))
    assert one.data.tobytes() == same.data.tobytes()
    assert one.target.tobytes() == same.target.tobytes()
    assert one.data.tobytes() != other.data.tobytes()


def test_the_global_random_state_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    make_nodules(5, image_size=16, random_state=0)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize("contrast", [300.0, -120.0])
def test_contrast_is_the_difference_a_nodule_makes_and_nothing_else_changes(contrast):
    kwargs = {"image_size": 40, "spacing_mm": 0.7, "diameter_mm": (8, 12), "random_state": 2}
    with_nodule, without = (
        make_nodules(60, contrast=contrast, **kwargs),
        make_nodules(60, contrast=0, **kwargs),
    )
    difference = with_nodule.data.astype(float) - without.data
    assert not difference[with_nodule.target == 0].any()
    rows, columns = np.mgrid[:40, :40]
    for k in np.flatnonzero(with_nodule.target):
        truth = {name: column[k] for name, column in with_nodule.truth.items()}
        middle = np.hypot(rows - truth["row"], columns - truth["column"]) * 0.7 < 2.0
        np.testing.assert_allclose(difference[k][middle], contrast, atol=1)
        inside, outside = abs(difference[k][with_nodule.masks[k]]), abs(difference[k][~with_nodule.masks[k]])
        assert inside.min() >= abs(contrast) / 2 - 1
        assert outside.max() <= abs(contrast) / 2 + 1
        assert truth["contrast"] == contrast


def test_nodules_stand_out_of_their_images_by_the_contrast():
    nodules = make_nodules(300, image_size=32, prevalence=1, contrast=400, n_vessels=0, random_state=0)
    pairs = zip(nodules.data, nodules.masks, strict=True)
    gaps = [image[mask].mean() - image[~mask].mean() for image, mask in pairs]
    # The soft edge takes some of the contrast inside the mask and puts it outside.
    assert 0.8 * 400 < np.mean(gaps) < 400


def test_noise_is_white_with_the_standard_deviation_asked_for():
    quiet = make_nodules(200, image_size=32, noise=0, random_state=5).data.astype(float)
    noise = make_nodules(200, image_size=32, noise=50, random_state=5).data - quiet
    # 204,800 draws: the standard error of the standard deviation is 0.08, of a correlation 0.0022.
    assert noise.std() == pytest.approx(50, abs=0.4)
    assert noise.mean() == pytest.approx(0, abs=0.5)
    for a, b in ((noise[:, 1:], noise[:, :-1]), (noise[:, :, 1:], noise[:, :, :-1]), (noise[1:], noise[:-1])):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.01


def test_texture_has_the_standard_deviation_asked_for_and_is_smooth():
    kwargs = {"image_size": 32, "prevalence": 0, "noise": 0, "n_vessels": 0, "random_state": 6}
    flat = make_nodules(2000, texture=0, **kwargs).data.astype(float)
    texture = make_nodules(2000, texture=60, **kwargs).data - flat
    assert not np.ptp(flat, axis=(1, 2)).any()
    np.testing.assert_allclose(texture.std(axis=0), 60, rtol=0.1)
    assert np.corrcoef(texture[:, 1:].ravel(), texture[:, :-1].ravel())[0, 1] > 0.95


def test_diameter_and_place_in_truth_are_those_of_the_mask():
    nodules = make_nodules(
        80,
        image_size=(64, 48),
        prevalence=1,
        diameter_mm=(8, 14),
        spacing_mm=0.5,
        max_offset_mm=None,
        random_state=7,
    )
    measured = 2 * np.sqrt(nodules.masks.sum(axis=(1, 2)) * 0.5**2 / np.pi)
    np.testing.assert_allclose(measured, nodules.truth["diameter_mm"], rtol=0.04)
    assert nodules.truth["diameter_mm"].min() >= 8
    assert nodules.truth["diameter_mm"].max() <= 14
    for mask, row, column in zip(nodules.masks, nodules.truth["row"], nodules.truth["column"], strict=True):
        np.testing.assert_allclose(np.argwhere(mask).mean(axis=0), (row, column), atol=0.3)
    assert nodules.spacing == (0.5, 0.5)


def test_the_nodule_stays_within_the_offset_and_fully_inside():
    near = make_nodules(200, image_size=64, prevalence=1, max_offset_mm=3, random_state=8)
    for name in ("row", "column"):
        assert abs(near.truth[name] - 31.5).max() <= 3
    anywhere = make_nodules(400, image_size=16, prevalence=1, max_offset_mm=None, random_state=8)
    border = np.ones((16, 16), dtype=bool)
    border[1:-1, 1:-1] = False
    # An ellipse cut off by the border would lose area against its stated diameter.
    touching = (anywhere.masks & border).any(axis=(1, 2))
    area = np.pi / 4 * anywhere.truth["diameter_mm"][touching] ** 2
    assert touching.any()
    np.testing.assert_allclose(anywhere.masks[touching].sum(axis=(1, 2)) / area, 1, atol=0.2)


def test_vessels_are_bright_and_in_both_classes():
    kwargs = {"image_size": 32, "contrast": 0, "noise": 0, "texture": 0, "random_state": 9}
    nodules, bare = make_nodules(100, n_vessels=2, **kwargs), make_nodules(100, n_vessels=0, **kwargs)
    assert not np.ptp(bare.data, axis=(1, 2)).any()
    bright = np.ptp(nodules.data, axis=(1, 2)) > 200
    assert bright[nodules.target == 0].mean() > 0.95
    assert bright[nodules.target == 1].mean() > 0.95


def test_without_contrast_an_ill_image_is_the_healthy_one():
    kwargs = {"image_size": 24, "contrast": 0, "random_state": 10}
    healthy, ill = (make_nodules(70, prevalence=prevalence, **kwargs).data for prevalence in (0, 1))
    np.testing.assert_array_equal(healthy, ill)


def test_without_contrast_a_classifier_is_at_chance_and_with_it_above(balanced_accuracy):
    """600 images: the standard error of a balanced accuracy at chance is 0.02."""
    for contrast, low, high in ((0, 0.43, 0.57), (500, 0.75, 0.95)):
        X, y = make_nodules(600, image_size=24, contrast=contrast, random_state=0, return_X_y=True)
        assert low < balanced_accuracy(X, y) < high


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"n_samples": 0}, "'n_samples' parameter of make_nodules must be an int"),
        ({"prevalence": 1.2}, "'prevalence' parameter of make_nodules"),
        ({"image_size": 4}, "'image_size' parameter of make_nodules"),
        ({"image_size": (4, 40)}, r"each at least 8; got \(4, 40\)"),
        ({"image_size": (40,)}, r"a pair \(height, width\), each at least 8; got \(40,\)"),
        ({"diameter_mm": 60}, r"at most 26.8 to fit the shorter side of the image, 32 mm; got 60"),
        ({"diameter_mm": (9, 5)}, r"rising pair \(smallest, largest\), both above 0; got \(9, 5\)"),
        ({"diameter_mm": "5"}, "'diameter_mm' parameter of make_nodules"),
        ({"contrast": np.nan}, "'contrast' parameter of make_nodules"),
        ({"contrast": 9000}, "'contrast' parameter of make_nodules"),
        ({"noise": -1}, "'noise' parameter of make_nodules"),
        ({"max_offset_mm": -1}, "'max_offset_mm' parameter of make_nodules"),
        ({"random_state": "0"}, "'random_state' parameter of make_nodules"),
    ],
)
def test_make_nodules_says_what_it_expected(kwargs, message):
    with pytest.raises(ValueError, match=message):
        make_nodules(**{"n_samples": 5, "image_size": 32} | kwargs)
