"""What the progress bar of a training says."""

import re
from types import SimpleNamespace

import pytest
from small_fits import TINY, X, fit, y

from sklearn_medgan import GANAugmenter
from sklearn_medgan._progress import progress_bar
from sklearn_medgan.gan.loop import _Training
from sklearn_medgan.gan.training import METRICS

pytestmark = pytest.mark.backend


def test_verbose_shows_progress(capsys):
    fit(verbose=1)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "30/30" in shown.err
    assert all(name in shown.err for name in METRICS)
    fit()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("changed", "labels", "absent"),
    [
        ({"adversarial_weight": 0.0}, y, set(METRICS) - {"class_loss"}),
        pytest.param({"class_head_weight": 0.0}, y, {"class_loss"}, marks=pytest.mark.slow),
        ({}, None, {"class_loss"}),
        pytest.param({"penalty_weight": 0.0}, y, {"penalty"}, marks=pytest.mark.slow),
    ],
    ids=["no adversary", "no class head", "no labels", "no penalty"],
)
def test_progress_leaves_out_losses_that_are_switched_off(capsys, changed, labels, absent):
    gan = GANAugmenter(**TINY, max_iter=12, verbose=1, **changed).fit(X, labels)
    shown = capsys.readouterr().err
    assert {name for name in METRICS if name not in shown} == absent
    assert set(gan.history_) == {"step", *METRICS, "learning_rate"}


def test_total_and_time_left_are_those_of_the_budget_that_ends_first(capsys, monkeypatch):
    """Of 128 s a quarter went into 8 steps: there will be 32. Later steps are faster."""
    clock = [1000.0]
    monkeypatch.setattr("tqdm.std.time", lambda: clock[0])
    training = SimpleNamespace(program=SimpleNamespace(active_metrics=METRICS), max_iter=10**6)
    values = dict.fromkeys(METRICS, 0.5)
    with progress_bar(training.max_iter, "step") as training.bar:
        for seconds, done, total, left in ((32, 8, 32, "01:36"), (64, 32, 64, "01:04"), (96, 96, 128, "00:32")):
            clock[0] = 1000.0 + seconds
            training.done, training.pace = done, SimpleNamespace(spent=seconds / 128)
            _Training._show(training, values)
            assert re.search(rf" {done}/{total} \[.*<{left}, ", capsys.readouterr().err.splitlines()[-1])
        clock[0] = 1129.0
        training.done, training.pace = 130, SimpleNamespace(spent=129 / 128)
        _Training._show(training, values)
    assert "130/130" in capsys.readouterr().err


@pytest.mark.parametrize(("spent", "total"), [(0.0, 50), (0.1, 50), (0.2, 50), (0.25, 40)])
def test_total_is_never_more_than_the_steps_asked_for(spent, total):
    bar = progress_bar(50, "step")
    training = SimpleNamespace(program=SimpleNamespace(active_metrics=METRICS), max_iter=50, bar=bar, done=10)
    training.pace = SimpleNamespace(spent=spent)
    _Training._show(training, dict.fromkeys(METRICS, 0.5))
    assert bar.total == total
    bar.close()


def test_progress_of_a_time_limit_ends_at_the_steps_taken(capsys):
    gan = fit(verbose=1, max_time=1e-9, max_iter=10**6)
    shown = capsys.readouterr().err
    assert f"{gan.n_iter_}/{gan.n_iter_}" in shown
    assert shown.endswith("\n")
