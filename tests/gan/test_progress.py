"""The progress bar."""

import pytest
from small_fits import TINY, X, fit, y

from sklearn_medgan import GANAugmenter
from sklearn_medgan.gan.progress import ProgressBar
from sklearn_medgan.gan.training import METRICS

pytestmark = pytest.mark.backend


def test_verbose_shows_progress(capsys):
    fit(verbose=1)
    shown = capsys.readouterr().out
    assert "30/30" in shown
    assert all(name in shown for name in METRICS)
    fit()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("changed", "labels", "absent"),
    [
        ({"adversarial_weight": 0.0}, y, set(METRICS) - {"class_loss"}),
        ({"class_head_weight": 0.0}, y, {"class_loss"}),
        ({}, None, {"class_loss"}),
        ({"penalty_weight": 0.0}, y, {"penalty"}),
    ],
    ids=["no adversary", "no class head", "no labels", "no penalty"],
)
def test_progress_leaves_out_losses_that_are_switched_off(capsys, changed, labels, absent):
    gan = GANAugmenter(**TINY, max_iter=12, verbose=1, **changed).fit(X, labels)
    shown = capsys.readouterr().out
    assert {name for name in METRICS if name not in shown} == absent
    assert set(gan.history_) == {"step", *METRICS}


def test_total_and_time_left_are_those_of_the_budget_that_ends_first(capsys, monkeypatch):
    """Of 128 s a quarter went into 8 steps: there will be 32. Later steps are faster."""
    clock = [1000.0]
    monkeypatch.setattr("time.time", lambda: clock[0])
    bar = ProgressBar(METRICS, 10**6)
    values = dict.fromkeys(METRICS, 0.5)
    for seconds, done, total, left in ((32, 8, 32, "1:36"), (64, 32, 64, "1:04"), (96, 96, 128, "32s")):
        clock[0] = 1000.0 + seconds
        bar.update(done, seconds / 128, values, is_last=False)
        shown = capsys.readouterr().out
        assert f"{done}/{total}" in shown
        assert f"{left}\x1b[0m" in shown
    clock[0] = 1129.0
    bar.update(130, 129 / 128, values, is_last=True)
    assert "130/130" in (shown := capsys.readouterr().out)
    assert shown.endswith("\n")


@pytest.mark.parametrize(("spent", "total"), [(0.0, 50), (0.1, 50), (0.2, 50), (0.25, 40)])
def test_total_is_never_more_than_the_steps_asked_for(spent, total):
    bar = ProgressBar(METRICS, 50)
    bar.update(10, spent, dict.fromkeys(METRICS, 0.5), is_last=False)
    assert bar.bar.target == total


def test_progress_of_a_time_limit_ends_at_the_steps_taken(capsys):
    gan = fit(verbose=1, max_time=1e-9, max_iter=10**6)
    shown = capsys.readouterr().out
    assert f"{gan.n_iter_}/{gan.n_iter_}" in shown
    assert "1000000" not in shown
    assert shown.endswith("\n")
