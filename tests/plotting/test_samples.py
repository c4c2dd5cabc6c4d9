"""Real and synthetic images side by side, pixel by pixel."""

import numpy as np
import pytest
from tiny import flat_classes, gan

from sklearn_medgan.plotting import SampleGridDisplay, TrainingHistoryDisplay


def tile(display, row, column, side=8):
    """Colours of one image in the drawn picture; columns count from the left, real ones first."""
    picture, pitch = display.im_.get_array(), side + 1
    n = display.synthetic.shape[1]
    left = column * pitch if column < n else n * pitch - 1 + 6 + (column - n) * pitch
    return picture[row * pitch : row * pitch + side, left : left + side]


def test_grid_shows_each_class_in_its_row_and_real_before_synthetic(fitted):
    augmenter, X, y = fitted
    display = SampleGridDisplay.from_estimator(augmenter, X, y, n_per_class=2)
    dark, bright = tile(display, 0, 0), tile(display, 1, 0)
    assert np.ptp(dark) == 0
    assert np.ptp(bright) == 0
    assert bright.mean() - dark.mean() == pytest.approx(1.0)  # the darkest and the brightest value shown
    assert [label.get_text() for label in display.ax_.get_xticklabels()] == ["real", "synthetic"]
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["0", "1"]


def test_grid_of_samples_alone_shows_what_sample_draws(fitted):
    augmenter, *_ = fitted
    display = SampleGridDisplay.from_estimator(augmenter, n_per_class=3, random_state=5)
    rng = np.random.RandomState(5)
    first, _ = augmenter.sample(3, y=0, random_state=rng)
    second, _ = augmenter.sample(3, y=1, random_state=rng)
    assert np.array_equal(display.synthetic[..., 0], [first, second])
    shown = tile(display, 1, 2)[..., 0]
    lowest, highest = min(first.min(), second.min()), max(first.max(), second.max())
    assert np.allclose(shown * (int(highest) - int(lowest)) + lowest, second[2])
    assert [label.get_text() for label in display.ax_.get_xticklabels()] == ["synthetic"]


def test_grid_leaves_the_stream_of_samples_alone():
    X, y = flat_classes()
    drawn, undisturbed = gan().fit(X, y), gan().fit(X, y)
    SampleGridDisplay.from_estimator(drawn, X, y, n_per_class=2)
    assert np.array_equal(drawn.sample(4)[0], undisturbed.sample(4)[0])


def test_places_without_a_real_image_stay_white():
    X, y = flat_classes(n=3)
    display = SampleGridDisplay.from_estimator(gan().fit(X, y), X, y, n_per_class=5)
    assert (tile(display, 0, 4) == 1.0).all()
    assert (tile(display, 0, 2) < 1.0).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "bool"])
def test_grid_takes_any_dtype_and_range(dtype):
    levels = {"uint16": (0, 60000), "int16": (-1000, 3000), "bool": (0, 1)}.get(dtype, (0, 7))
    X, y = flat_classes(dtype=dtype, levels=levels)
    display = SampleGridDisplay.from_estimator(gan().fit(X, y), X, y, n_per_class=1)
    assert (tile(display, 0, 0) == 0.0).all()
    assert (tile(display, 1, 0) == 1.0).all()


def test_three_channels_are_colours_and_one_can_be_picked():
    X, y = flat_classes(levels=(0, 200), channels=(3,))
    X[y == 1] = (200, 100, 0)
    augmenter = gan().fit(X, y)
    colour = SampleGridDisplay.from_estimator(augmenter, X, y, n_per_class=1)
    assert np.allclose(tile(colour, 1, 0), (1.0, 0.5, 0.0))
    grey = SampleGridDisplay.from_estimator(augmenter, X, y, n_per_class=1, channel=1)
    assert len(np.unique(tile(grey, 1, 0))) == 1


def test_flat_images_are_drawn_like_stacks():
    X, y = flat_classes()
    flat = gan(image_shape=(8, 8)).fit(X.reshape(len(X), -1), y)
    display = SampleGridDisplay.from_estimator(flat, X.reshape(len(X), -1), y, n_per_class=2)
    assert display.synthetic.shape == display.real.shape == (2, 2, 8, 8, 1)


def test_a_table_has_no_sample_grid(table):
    with pytest.raises(ValueError, match="fitted on a table"):
        SampleGridDisplay.from_estimator(table)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_per_class": 0}, "n_per_class must be a whole number from 1 up"),
        ({"n_per_class": True}, "n_per_class"),
        ({"n_per_class": 1.5}, "n_per_class"),
        ({"channel": 1}, "channel must be None or an integer from 0 to 0"),
        ({"display_labels": ["one"]}, "display_labels must name 2 rows; got 1"),
        ({"y": [0, 1]}, "y without X"),
        ({"X": np.zeros((2, 8, 8))}, "X without y"),
        ({"X": np.zeros((2, 8, 8)), "y": [0]}, "inconsistent numbers of samples"),
        ({"X": np.zeros((2, 9, 9)), "y": [0, 1]}, "was fitted on images of shape"),
    ],
)
def test_grid_requests_that_do_not_fit_are_refused(fitted, arguments, message):
    with pytest.raises(ValueError, match=message):
        SampleGridDisplay.from_estimator(fitted[0], **arguments)


def test_unlabelled_fits_have_no_class_curve_and_one_row(unlabelled):
    augmenter, X = unlabelled
    labels = [line.get_label() for line in TrainingHistoryDisplay.from_estimator(augmenter).axes_[0].lines]
    assert "class head" not in labels
    assert "discriminator" in labels
    display = SampleGridDisplay.from_estimator(augmenter, X, n_per_class=3)
    assert display.synthetic.shape == (1, 3, 8, 8, 1)
    assert np.allclose(tile(display, 0, 0), tile(display, 0, 2))  # every real image is the same grey
