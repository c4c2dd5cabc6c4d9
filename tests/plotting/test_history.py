"""Curves of a training run against its history."""

import math

import numpy as np
import pytest
from matplotlib.figure import Figure
from tiny import gan

from sklearn_medgan.plotting import TrainingHistoryDisplay


def test_curves_are_the_history(fitted):
    augmenter, *_ = fitted
    display = TrainingHistoryDisplay.from_estimator(augmenter, ax=Figure().subplots(1, 3))
    losses, gap, spread = display.axes_
    drawn = {line.get_label(): line for line in losses.lines}
    assert drawn["discriminator"].get_xdata().tolist() == [10, 20, 30]
    for label, name in {
        "discriminator": "discriminator_loss",
        "generator": "generator_loss",
        "class head": "class_loss",
    }.items():
        assert drawn[label].get_ydata().tolist() == augmenter.history_[name]
    assert gap.lines[0].get_ydata().tolist() == augmenter.history_["logit_gap"]
    assert spread.lines[0].get_ydata().tolist() == augmenter.history_["sample_spread"]
    assert [axis.get_xlabel() for axis in display.axes_] == ["step"] * 3


def chance_of(display):
    return [line.get_ydata()[0] for line in display.axes_[0].lines if line.get_label() == "chance"]


def test_chance_line_is_the_loss_of_a_discriminator_that_cannot_tell(fitted, table):
    assert chance_of(TrainingHistoryDisplay.from_estimator(fitted[0])) == pytest.approx([math.log(2)])
    assert chance_of(TrainingHistoryDisplay.from_estimator(table.set_params(loss="minimax"))) == pytest.approx([2.0])


def test_without_an_adversary_there_is_no_chance_line():
    X, y = np.random.RandomState(0).normal(size=(20, 3)), np.repeat([0, 1], 10)
    display = TrainingHistoryDisplay.from_estimator(gan(adversarial_weight=0).fit(X, y))
    assert chance_of(display) == []
