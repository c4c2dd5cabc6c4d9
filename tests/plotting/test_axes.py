"""Axes given, divided or made."""

import pytest
from matplotlib.figure import Figure

from sklearn_medgan.plotting import EnhancementDisplay, IntervalDisplay, SampleGridDisplay, TrainingHistoryDisplay


def test_one_axes_is_divided_into_three(fitted):
    figure = Figure()
    display = TrainingHistoryDisplay.from_estimator(fitted[0], ax=figure.subplots())
    assert display.figure_ is figure
    assert len(display.axes_) == 3
    left = [axis.get_position().x0 for axis in display.axes_]
    assert left == sorted(left)


def test_other_numbers_of_axes_are_refused(fitted):
    with pytest.raises(ValueError, match=r"one Axes or three.*got 2"):
        TrainingHistoryDisplay.from_estimator(fitted[0], ax=Figure().subplots(1, 2))


@pytest.mark.parametrize("display", [TrainingHistoryDisplay, SampleGridDisplay])
def test_without_matplotlib_the_error_names_the_extra(fitted, display, without_matplotlib):
    with pytest.raises(ImportError, match=r'pip install "sklearn-medgan\[plot\]"'):
        display.from_estimator(fitted[0])


def test_without_matplotlib_the_enhancement_names_the_extra(restored, without_matplotlib):
    with pytest.raises(ImportError, match=r'pip install "sklearn-medgan\[plot\]"'):
        EnhancementDisplay.from_estimator(restored[0], restored[1], n_images=1)


def test_without_matplotlib_the_intervals_name_the_extra(without_matplotlib):
    with pytest.raises(ImportError, match=r'pip install "sklearn-medgan\[plot\]"'):
        IntervalDisplay(["a"], [1.0], [0.0], [2.0]).plot()
