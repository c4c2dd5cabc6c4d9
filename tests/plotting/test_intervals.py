"""Paired differences as drawn."""

import itertools
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from sklearn_medgan.plotting import IntervalDisplay

GAIN, LOSS, NEITHER = ("gain", 2.0, 0.5, 3.5), ("loss", -2.0, -3.5, -0.5), ("neither", 1.0, -0.5, 2.5)


def intervals(*rows, **options):
    return IntervalDisplay(*zip(*rows, strict=True), **options).plot(ax=Figure().subplots())


def comparisons(**changed):
    columns = {
        "arm": ["GAN rows", "SMOTE", "none", "GAN rows", "SMOTE"],
        "classifier": ["SVC"] * 5,
        "regime": ["rare", "rare", "rare", "all", "all"],
        "difference": [2.0, -2.0, np.nan, 1.0, 3.0],
        "low": [0.5, -3.5, np.nan, -0.5, 1.0],
        "high": [3.5, -0.5, np.nan, 2.5, 5.0],
        "p_holm": [0.01, 0.02, np.nan, 0.3, 0.06],
    }
    return pd.DataFrame({**columns, **changed})


def points_and_spans(display):
    """Marker, colour, place and interval of each row, as drawn."""
    lines = [line for line in display.ax_.lines if len(line.get_xdata()) <= 2]
    spans = [line for line in lines if len(set(line.get_ydata())) == 1 and len(line.get_xdata()) == 2]
    points = [line for line in lines if len(line.get_xdata()) == 1]
    return [
        (point.get_marker(), point.get_color(), point.get_ydata()[0], point.get_xdata()[0], *span.get_xdata())
        for point, span in zip(points, spans, strict=True)
    ]


def test_each_row_shows_its_difference_and_interval_from_the_top():
    display = intervals(GAIN, LOSS, NEITHER)
    rows = points_and_spans(display)
    assert [row[2:] for row in rows] == [(0, 2.0, 0.5, 3.5), (1, -2.0, -3.5, -0.5), (2, 1.0, -0.5, 2.5)]
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["gain", "loss", "neither"]
    bottom, top = display.ax_.get_ylim()
    assert bottom > top
    left, right = display.ax_.get_xlim()
    assert left < -3.5 < 3.5 < right
    assert any(list(line.get_xdata()) == [0.0, 0.0] for line in display.ax_.lines)
    texts = [text.get_text() for text in display.ax_.texts]
    assert texts[1] == "-2.0  [-3.5, -0.5]".replace("-", "\N{MINUS SIGN}")


def test_verdicts_differ_in_shape_and_colour_and_the_legend_tells_them():
    display = intervals(GAIN, LOSS, NEITHER)
    assert display.verdicts_ == ["gain", "loss", "no evidence"]
    rows = points_and_spans(display)
    assert len({row[0] for row in rows}) == len({row[1] for row in rows}) == 3
    handles = display.ax_.get_legend().legend_handles
    told = [(handle.get_label(), handle.get_marker(), handle.get_color()) for handle in handles]
    assert told == [(verdict, *row[:2]) for verdict, row in zip(display.verdicts_, rows, strict=True)]
    legend = intervals(GAIN).ax_.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["gain"]


@pytest.mark.parametrize(("low", "high"), [(0.0, 2.0), (-2.0, 0.0), (-1.0, 1.0), (0.0, 0.0)])
def test_an_interval_that_reaches_zero_is_no_evidence(low, high):
    assert intervals(("a", (low + high) / 2, low, high)).verdicts_ == ["no evidence"]


def test_an_adjusted_p_value_overrules_the_interval():
    assert intervals(GAIN, LOSS, GAIN, p_values=[0.049, 0.05, np.nan]).verdicts_ == ["gain", *["no evidence"] * 2]
    assert intervals(GAIN, p_values=[0.03], level=0.01).verdicts_ == ["no evidence"]


def test_the_axis_names_reference_and_unit():
    assert intervals(GAIN).ax_.get_xlabel() == "difference (points)"
    assert intervals(GAIN, reference="SMOTE", unit="").ax_.get_xlabel() == "difference to SMOTE"


def test_small_numbers_are_written_with_digits_that_count():
    display = intervals(("a", 0.021, 0.004, 0.038))
    assert display.ax_.texts[0].get_text() == "+0.021  [+0.004, +0.038]"


def test_twenty_rows_do_not_overlap():
    rows = [(f"comparison {i}", i - 10.0, i - 11.5, i - 8.5) for i in range(20)]
    display = IntervalDisplay(*zip(*rows, strict=True)).plot()
    display.figure_.canvas.draw()
    for texts in (display.ax_.get_yticklabels(), display.ax_.texts):
        boxes = [text.get_window_extent() for text in texts]
        assert len(boxes) == 20
        assert all(upper.y0 > lower.y1 for upper, lower in itertools.pairwise(boxes))
        assert all(box.x0 >= 0 and box.x1 <= display.figure_.bbox.x1 for box in boxes)


@pytest.mark.parametrize("wrap", [lambda frame: frame, lambda frame: SimpleNamespace(to_frame=lambda: frame)])
def test_a_result_is_drawn_without_its_reference(wrap):
    display = IntervalDisplay.from_result(wrap(comparisons()), reference="none", ax=Figure().subplots())
    assert display.labels == ["GAN rows, rare", "SMOTE, rare", "GAN rows, all", "SMOTE, all"]  # one classifier: unsaid
    assert display.verdicts_ == ["gain", "loss", "no evidence", "no evidence"]
    assert [row[3] for row in points_and_spans(display)] == [2.0, -2.0, 1.0, 3.0]
    assert display.ax_.get_xlabel() == "difference to none (points)"


def test_a_single_comparison_is_named_by_its_arm():
    assert IntervalDisplay.from_result(comparisons().iloc[:1], ax=Figure().subplots()).labels == ["GAN rows"]


def test_results_that_cannot_be_drawn_are_refused():
    with pytest.raises(TypeError, match=r"Expected a DataFrame.*got list"):
        IntervalDisplay.from_result([1, 2])
    with pytest.raises(ValueError, match=r"lacks the columns \['regime', 'p_holm'\]"):
        IntervalDisplay.from_result(comparisons().drop(columns=["regime", "p_holm"]))
    with pytest.raises(ValueError, match="holds no difference"):
        IntervalDisplay.from_result(comparisons(difference=np.nan))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"differences": [1.0]}, r"differences must hold a number for each of 2 labels.*\(1,\)"),
        ({"labels": [], "differences": [], "low": [], "high": []}, "1 or more"),
        ({"low": [0.0, np.nan]}, "low must be finite"),
        ({"low": [0.0, 9.0]}, "low must not be above high; got 9 and 2 for 'b'"),
        ({"p_values": [0.1]}, "p_values must hold"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(arguments, message):
    numbers = {"labels": ["a", "b"], "differences": [1.0, 1.0], "low": [0.0, 0.0], "high": [2.0, 2.0]}
    with pytest.raises(ValueError, match=message):
        IntervalDisplay(**{**numbers, **arguments}).plot(ax=Figure().subplots())
