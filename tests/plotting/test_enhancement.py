"""Images before and after restoration, pixel by pixel."""

import math
import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from skimage.metrics import peak_signal_noise_ratio
from tiny import enhancer_of, random_images

from sklearn_medgan import GANEnhancer
from sklearn_medgan.plotting import EnhancementDisplay


def drawn(display, row, column):
    (image,) = display.axes_[row, column].images
    return np.asarray(image.get_array())


def test_every_column_shows_its_array(restored):
    enhancer, poor, good = restored
    display = EnhancementDisplay.from_estimator(enhancer, poor, target=good, n_images=3)
    enhanced, expected_error = enhancer.transform(poor[:3]), enhancer.uncertainty(poor[:3], None)
    assert display.axes_.shape == (3, 5)
    for i in range(3):
        assert np.array_equal(drawn(display, i, 0), poor[i])
        assert np.array_equal(drawn(display, i, 1), enhanced[i])
        assert np.array_equal(drawn(display, i, 2), good[i])
        assert np.array_equal(drawn(display, i, 3), np.abs(enhanced[i].astype(int) - good[i].astype(int)))
        assert np.allclose(drawn(display, i, 4), expected_error[i])
    assert display.figure_ is display.axes_[0, 0].figure


def test_rows_tell_the_signal_to_noise_ratio_on_the_scale_learned_at_fit(restored):
    enhancer, poor, good = restored
    display = EnhancementDisplay.from_estimator(enhancer, poor, target=good, n_images=2, display_labels=["a", "b"])
    for i, name in enumerate("ab"):
        before, after = (
            peak_signal_noise_ratio(good[i], image, data_range=199) for image in (poor[i], enhancer.transform(poor)[i])
        )
        assert display.axes_[i, 0].get_ylabel() == f"{name}\npoor {before:.1f} dB\nenhanced {after:.1f} dB"


def test_images_of_a_row_share_a_scale_and_maps_of_all_rows_another(restored):
    enhancer, poor, good = restored
    display = EnhancementDisplay.from_estimator(enhancer, poor, target=good, n_images=2)
    for i in range(2):
        assert {ax.images[0].get_clim() for ax in display.axes_[i, :3]} == {(good[i].min(), good[i].max())}
    limits = {ax.images[0].get_clim() for ax in display.axes_[:, 3:].ravel()}
    assert limits == {(0.0, max(drawn(display, i, j).max() for i in range(2) for j in (3, 4)))}
    bars = [[len(ax.child_axes) for ax in row] for row in display.axes_]
    assert bars == [[0, 0, 0, 0, 0], [0, 0, 0, 1, 1]]  # a colour bar below each column of maps
    assert display.axes_[1, 3].child_axes[0].get_xlim() == limits.pop()


def test_without_a_truth_or_uncertainty_their_columns_are_absent(restored):
    enhancer, poor, _ = restored
    display = EnhancementDisplay.from_estimator(enhancer, poor, uncertainty=False, n_images=1)
    assert [ax.get_title() for ax in display.axes_[0]] == ["poor", "enhanced", "change"]
    assert display.axes_[0, 0].get_ylabel() == ""
    whole = EnhancementDisplay.from_estimator(enhancer, poor, n_images=1)
    assert [ax.get_title() for ax in whole.axes_[0]] == ["poor", "enhanced", "change", "uncertainty"]
    renamed = EnhancementDisplay.from_estimator(enhancer, poor, n_images=1, titles=list("wxyz"))
    assert [ax.get_title() for ax in renamed.axes_[0]] == list("wxyz")


def test_change_is_signed_on_a_symmetric_scale_in_the_units_of_the_images():
    poor = np.full((2, 4, 4, 1), 100, np.uint8)
    enhanced = poor.copy()
    enhanced[0, 0, 0], enhanced[1, 1, 2] = 93, 103  # uint8 would wrap
    display = EnhancementDisplay(poor, enhanced, uncertainty=np.full(poor.shape, 2.0)).plot()
    first, second = drawn(display, 0, 2), drawn(display, 1, 2)
    assert (first[0, 0], np.count_nonzero(first)) == (-7.0, 1)
    assert (second[1, 2], np.count_nonzero(second)) == (3.0, 1)
    picture = display.axes_[0, 2].images[0]
    assert picture.get_clim() == (-7.0, 7.0) == display.axes_[1, 2].child_axes[0].get_xlim()
    assert display.axes_[0, 3].images[0].get_clim() == (0.0, 2.0)  # a scale of its own
    (less, none, more) = picture.to_rgba([-7.0, 0.0, 7.0], norm=True)[:, :3]
    assert none.min() > 0.95
    assert less.argmax() == 2
    assert more.argmax() == 0


def test_nothing_changed_is_an_empty_map():
    images = np.zeros((1, 4, 4, 1))
    display = EnhancementDisplay(images, images).plot()
    assert not drawn(display, 0, 2).any()
    assert display.axes_[0, 2].images[0].get_clim() == (-1.0, 1.0)


def test_change_in_colour_is_that_of_the_channel_that_changed_most():
    poor = np.full((1, 4, 4, 3), 100.0)
    enhanced = poor + [10.0, -12.0, 2.0]  # a mean over channels would be zero
    assert (drawn(EnhancementDisplay(poor, enhanced).plot(), 0, 2) == -12.0).all()
    assert (drawn(EnhancementDisplay(poor, enhanced, channel=0).plot(), 0, 2) == 10.0).all()


def test_models_without_pairs_show_what_they_changed(restored):
    _, poor, good = restored
    tiny = {"max_iter": 2, "width": 4, "depth": 2, "patch_size": 16, "guard": False, "random_state": 0}
    unpaired = GANEnhancer(**tiny).fit(poor, reference=good[::-1])
    display = EnhancementDisplay.from_estimator(unpaired, poor, n_images=2)
    assert [ax.get_title() for ax in display.axes_[0]] == ["poor", "enhanced", "change", "uncertainty"]
    assert np.array_equal(drawn(display, 1, 2), unpaired.transform(poor)[1].astype(float) - poor[1])
    alone = GANEnhancer(**tiny, supervision="self").fit(poor)
    display = EnhancementDisplay.from_estimator(alone, poor, n_images=1)
    assert [ax.get_title() for ax in display.axes_[0]] == ["poor", "enhanced", "change"]
    with pytest.raises(ValueError, match="need errors against good images"):
        EnhancementDisplay.from_estimator(alone, poor, uncertainty=True)


def test_images_that_differ_in_size_come_as_a_list(restored):
    enhancer, poor, good = restored
    images, targets = [poor[0], poor[1, :, :16], poor[2, 2:]], [good[0], good[1, :, :16], good[2, 2:]]
    display = EnhancementDisplay.from_estimator(enhancer, images, n_images=2)
    assert display.axes_.shape == (2, 4)
    for i, image in enumerate(images[:2]):
        enhanced = enhancer.transform(image[None])[0]
        assert np.array_equal(drawn(display, i, 0), image)
        assert np.array_equal(drawn(display, i, 1), enhanced)
        assert np.array_equal(drawn(display, i, 2), enhanced.astype(float) - image)
    judged = EnhancementDisplay.from_estimator(enhancer, images, target=targets)
    assert np.array_equal(drawn(judged, 2, 2), good[2, 2:])
    ratio = peak_signal_noise_ratio(good[2, 2:], enhancer.transform(poor[2:3, 2:])[0], data_range=199)
    assert judged.axes_[2, 0].get_ylabel().endswith(f"enhanced {ratio:.1f} dB")
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        EnhancementDisplay.from_estimator(enhancer, images, target=targets[:2])


def test_a_perfect_enhancement_has_no_finite_ratio_and_an_empty_map():
    truth = np.arange(64.0).reshape(1, 8, 8, 1)
    display = EnhancementDisplay(truth + 1, truth, target=truth).plot()
    assert display.axes_[0, 0].get_ylabel() == f"poor {20 * math.log10(63):.1f} dB\nenhanced inf dB"
    assert not drawn(display, 0, 3).any()


def test_of_enlarged_images_the_poor_pixels_are_repeated():
    good = random_images(8, 16, 24)
    enhancer, poor = enhancer_of(good, scale=2, degradation="auto"), good[:2, ::2, ::2]
    display = EnhancementDisplay.from_estimator(enhancer, poor, target=good[:2])
    assert drawn(display, 0, 0).shape == drawn(display, 0, 1).shape == (16, 24)
    assert np.array_equal(drawn(display, 1, 0), np.kron(poor[1], np.ones((2, 2))))
    assert re.fullmatch(r"enhanced \d+\.\d dB", display.axes_[1, 0].get_ylabel())


def test_colours_share_the_scale_of_the_truth_and_maps_are_means():
    good = random_images(6, 16, 16, 3)
    enhancer = enhancer_of(good)
    display = EnhancementDisplay.from_estimator(enhancer, good, target=good, n_images=1)
    assert np.allclose(drawn(display, 0, 2), good[0] / 199)
    error = np.abs(enhancer.transform(good[:1]).astype(float) - good[:1])[0]
    assert np.allclose(drawn(display, 0, 3), error.mean(axis=2))
    second = EnhancementDisplay.from_estimator(enhancer, good, target=good, n_images=1, channel=1)
    assert np.array_equal(drawn(second, 0, 0), good[0, ..., 1])
    assert np.allclose(drawn(second, 0, 3), error[..., 1])


def test_flat_images_are_drawn_with_their_shape():
    good = random_images(6, 16, 16)
    flat = pd.DataFrame(good.reshape(6, -1))
    enhancer = enhancer_of(flat, image_shape=(16, 16))
    display = EnhancementDisplay.from_estimator(enhancer, flat, target=flat, n_images=2)
    assert np.array_equal(drawn(display, 1, 0), good[1])
    assert np.array_equal(drawn(display, 1, 2), good[1])


def test_it_is_drawn_where_asked(restored):
    enhancer, poor, _ = restored
    figure = Figure()
    one = EnhancementDisplay.from_estimator(enhancer, poor, n_images=2, ax=figure.subplots())
    assert one.figure_ is figure
    assert one.axes_.shape == (2, 4)
    given = Figure().subplots(2, 4)
    assert EnhancementDisplay.from_estimator(enhancer, poor, n_images=2, ax=given).axes_[1, 2] is given[1, 2]
    with pytest.raises(ValueError, match=r"one Axes or 2 x 4.*got 4"):
        EnhancementDisplay.from_estimator(enhancer, poor, n_images=2, ax=Figure().subplots(2, 2))
    with pytest.raises(ValueError, match="made by subplots"):
        EnhancementDisplay.from_estimator(enhancer, poor, ax=Figure().add_axes((0, 0, 1, 1)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_images": 0}, "n_images must be a whole number from 1 up; got 0"),
        ({"n_images": True}, "n_images"),
        ({"channel": 1}, "channel must be None or an integer from 0 to 0"),
        ({"display_labels": ["one"]}, "display_labels must name 4 rows; got 1"),
        ({"titles": ["one"]}, "titles must name 4 columns; got 1"),
        ({"target": np.zeros((3, 16, 24))}, "inconsistent numbers of samples"),
        ({"target": np.zeros((12, 16, 16))}, r"of shape \(16, 24, 1\) once enlarged.*\(16, 16\)"),
        ({"X": np.full((2, 16, 24), np.nan)}, "NaN"),
        ({"X": np.zeros((2, 16, 24, 3))}, r"1 channel\(s\); got 3"),
    ],
)
def test_enhancement_requests_that_do_not_fit_are_refused(restored, arguments, message):
    enhancer, poor, _ = restored
    with pytest.raises(ValueError, match=message):
        EnhancementDisplay.from_estimator(enhancer, **{"X": poor, **arguments})
