import builtins
import contextlib
import signal

import numpy as np
import pytest
from PIL import Image
from sklearn.base import BaseEstimator, TransformerMixin

from sklearn_medgan.cli import _demo
from sklearn_medgan.cli._demo import ALONE, GROWN, STOCK, Difference, Interrupt, Outcome, Task


class Echo(TransformerMixin, BaseEstimator):
    """Stands in for GANAugmenter: passes pixels on, repeats rows as synthetic ones, and logs what it was fitted on."""

    seen = ()
    interrupted_by = None  # the fit, counted from one, during which Ctrl-C is pressed

    def __init__(self, max_iter=600, random_state=None):
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self, X, y=None):
        type(self).seen = (*self.seen, (X, y))
        if len(self.seen) == self.interrupted_by:
            with contextlib.suppress(KeyboardInterrupt):  # as training does, which goes on with what was learned
                signal.raise_signal(signal.SIGINT)
        self.fitted_ = True
        return self

    def transform(self, X):
        return X.reshape(len(X), -1)

    def fit_resample(self, X, y):
        self.fit(X, y)
        return np.concatenate([X, X]), np.concatenate([y, y])


@pytest.fixture
def echo(monkeypatch):
    monkeypatch.setattr(_demo, "GANAugmenter", Echo)
    monkeypatch.setattr(_demo, "draw", lambda outcome, folder: [])
    monkeypatch.setattr(Echo, "seen", ())
    monkeypatch.setattr(Echo, "interrupted_by", None)
    return Echo


def two_levels(n=18, n_groups=6, side=8):
    """Bright and dark images with a mark of their own; a row's group is its position modulo n_groups."""
    y = np.arange(n) // (n // 2)
    X = np.where(y == 1, 200, 20)[:, None, None] * np.ones((n, side, side))
    X[:, 0, 0] = np.arange(n)
    return X, y, np.arange(n) % n_groups


def task_of(X, y, groups=None, **more):
    return Task("Test", "test", X, y, groups, ["dark", "bright"], more.pop("max_iter", 2), **more)


def run(task, tmp_path):
    lines = []
    code = _demo.run([task], tmp_path, write=lines.append)
    return code, "\n".join(lines)


def outcome_of(y, predictions, groups=None, folds=3):
    """An outcome with the predictions of two pipelines, dealt to folds row by row."""
    y = np.asarray(y)
    outcome = Outcome(task_of(np.zeros((len(y), 8, 8)), y, groups))
    outcome.held_out = [np.arange(len(y))[k::folds] for k in range(folds)]
    for arm, predicted in predictions.items():
        outcome.predictions[arm] = [np.asarray(predicted)[rows] for rows in outcome.held_out]
        outcome.scores[arm] = [
            np.mean([(np.asarray(predicted)[rows] == y[rows])[y[rows] == k].mean() for k in np.unique(y)])
            for rows in outcome.held_out
        ]
    return outcome


def test_equal_predictions_differ_by_nothing():
    y = np.tile([0, 1], 30)
    same = np.random.RandomState(0).permutation(y)
    assert _demo.difference(outcome_of(y, {ALONE: same, STOCK: same}), STOCK, ALONE) == Difference(0, 0, 0, 0)


def test_all_right_against_all_wrong_differ_by_one():
    y = np.tile([0, 0, 0, 1, 1, 1], 10)
    gain = _demo.difference(outcome_of(y, {ALONE: 1 - y, STOCK: y}), STOCK, ALONE)
    assert gain == pytest.approx((1, 0, 1, 1))


def test_interval_is_as_wide_as_theory_says():
    # One class right always; in the other 40 % of n = 400 rows are gained: sd = sqrt(p (1 - p) / n) / 2 classes.
    y = np.repeat([0, 1], 400)
    before = y.copy()
    before[400:560] = 0
    shuffled = np.random.RandomState(0).permutation(800)
    gain = _demo.difference(outcome_of(y[shuffled], {ALONE: before[shuffled], STOCK: y[shuffled]}), STOCK, ALONE)
    deviation = np.sqrt(0.4 * 0.6 / 400) / 2
    assert gain.mean == pytest.approx(0.2, abs=0.01)
    assert gain.high - gain.low == pytest.approx(2 * 1.96 * deviation, rel=0.1)


def test_interval_widens_when_errors_come_by_group():
    rng = np.random.RandomState(0)
    groups = np.repeat(np.arange(40), 20)
    y = np.tile([0, 1], 400)
    right = rng.rand(40)[groups] < 0.5  # a whole group is right or wrong
    predictions = {ALONE: 1 - y, STOCK: np.where(right, y, 1 - y)}
    by_row = _demo.difference(outcome_of(y, predictions), STOCK, ALONE)
    by_group = _demo.difference(outcome_of(y, predictions, groups), STOCK, ALONE)
    # Twenty rows of a group count as one draw.
    assert (by_group.high - by_group.low) / (by_row.high - by_row.low) == pytest.approx(np.sqrt(20), rel=0.15)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.01, 0.1, "evidence of a gain"), (-0.1, 0.1, "no evidence of a gain"), (-0.1, -0.01, "evidence of a loss")],
)
def test_verdict_follows_the_interval(low, high, words):
    assert _demo.verdict(Difference(0.05, 0.01, low, high)) == words


def test_folds_part_groups_and_hold_every_class():
    X, y, groups = two_levels()
    parts = _demo.folds(task_of(X, y, groups), seed=0)
    assert sorted(np.concatenate([test for _, test in parts])) == list(range(len(y)))
    for train, test in parts:
        assert not set(groups[train]) & set(groups[test])
        assert set(y[train]) == set(y[test]) == {0, 1}


def test_folds_that_cannot_hold_every_class_are_refused():
    X, y, _ = two_levels()
    groups = np.where(y == 1, np.arange(len(y)), 0)  # all of class 0 in one group
    with pytest.raises(ValueError, match="no split into 3 folds by group"):
        _demo.folds(task_of(X, y, groups), seed=0)


def test_the_augmenter_sees_training_rows_only(echo, tmp_path):
    X, y, groups = two_levels()
    task = task_of(X, y, groups)
    run(task, tmp_path)
    expected = [set(train) for train, _ in _demo.folds(task, seed=0) for _ in (STOCK, GROWN)]
    assert [set(rows[:, 0, 0].astype(int)) for rows, _ in echo.seen] == expected


def test_separable_images_score_one_in_every_pipeline(echo, tmp_path):
    X, y, groups = two_levels()
    code, text = run(task_of(X, y, groups), tmp_path)
    assert code == 0
    rows = [line for line in text.splitlines() if "1.000 ± 0.000" in line]
    assert [row[:35].strip() for row in rows] == [ALONE, STOCK, GROWN]
    assert text.count("no evidence of a gain") == 3
    assert "SVC(C=10)" in text
    assert "2 updates, fewer than the default of 600" in text
    assert "not a medical device" in text


def test_as_many_updates_as_the_default_are_not_called_few(echo, tmp_path):
    X, y, groups = two_levels()
    assert "fewer" not in run(task_of(X, y, groups, max_iter=600), tmp_path)[1]


def test_interrupt_in_training_ends_with_the_finished_folds(echo, tmp_path):
    echo.interrupted_by = 3  # the first GAN of the second fold
    before = signal.getsignal(signal.SIGINT)
    X, y, groups = two_levels()
    code, text = run(task_of(X, y, groups), tmp_path)
    assert code == 130
    assert len(echo.seen) == 3
    assert "Interrupted after 1 of 3 folds." in text
    assert "1.000" in text
    assert signal.getsignal(signal.SIGINT) is before


def test_interrupt_before_the_first_fold_prints_no_table(echo, tmp_path):
    echo.interrupted_by = 1
    X, y, groups = two_levels()
    code, text = run(task_of(X, y, groups), tmp_path)
    assert code == 130
    assert "Interrupted after 0 of 3 folds." in text
    assert "balanced accuracy" not in text


def test_interrupt_hides_no_other_error():
    with pytest.raises(ZeroDivisionError), Interrupt():
        _ = 1 / 0


def test_without_matplotlib_it_says_so_and_goes_on(echo, tmp_path, monkeypatch):
    imported = builtins.__import__

    def without(name, *more, **options):
        if name.split(".")[0] == "matplotlib":
            raise ImportError("No module named 'matplotlib'", name="matplotlib")
        return imported(name, *more, **options)

    monkeypatch.undo()
    monkeypatch.setattr(_demo, "GANAugmenter", Echo)
    monkeypatch.setattr(builtins, "__import__", without)
    X, y, groups = two_levels()
    code, text = run(task_of(X, y, groups), tmp_path)
    assert code == 0
    assert 'pip install "sklearn-medgan[plot]"' in text
    assert not list(tmp_path.iterdir())


def save(tmp_path, **arrays):
    path = tmp_path / "scans.npz"
    np.savez(path, **arrays)
    return path


def test_own_file_keeps_images_labels_and_groups(tmp_path):
    X, y, groups = two_levels()
    path = save(tmp_path, X=X.astype(np.uint8), y=y, group=groups, class_names=["dark", "bright"])
    task = _demo.own_task(path)
    assert np.array_equal(task.X, X)
    assert np.array_equal(task.y, y)
    assert np.array_equal(task.groups, groups)
    assert task.class_names == ["dark", "bright"]
    assert task.notes == ()


def test_a_file_without_groups_is_told_of_the_risk(tmp_path):
    X, y, _ = two_levels()
    assert "no group" in _demo.own_task(save(tmp_path, X=X, y=y)).notes[0]


def test_large_files_are_thinned_class_by_class(tmp_path):
    y = np.repeat([0, 1], [700, 30])
    X = np.arange(730)[:, None, None] * np.ones((1, 8, 8))
    task = _demo.own_task(save(tmp_path, X=X, y=y, group=np.arange(730) % 50))
    assert np.bincount(task.y).tolist() == [200, 30]
    rows = task.X[:, 0, 0].astype(int)
    assert np.array_equal(task.y, y[rows])
    assert np.array_equal(task.groups, rows % 50)
    assert "230 of 730 images" in " ".join(task.notes)


@pytest.mark.parametrize(
    ("shape", "reduced"),
    [
        ((64, 64), (32, 32)),
        ((100, 50), (32, 16)),
        ((20, 30, 3), (20, 30, 3)),
        ((160, 16), (80, 8)),
        ((8, 400), (8, 400)),
    ],
)
def test_large_images_are_reduced_in_proportion(shape, reduced):
    assert _demo.reduce_images(np.zeros((2, *shape), np.uint8), 32).shape == (2, *reduced)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, bool])
def test_reducing_keeps_dtype_and_brightness(dtype):
    X = np.zeros((1, 64, 64), dtype)
    X[:, :, 32:] = 1 if dtype is bool else 100
    small = _demo.reduce_images(X, 32)
    assert small.dtype == dtype
    assert small.mean() == pytest.approx(X.mean(), rel=0.02)


def test_reduced_files_say_so(tmp_path):
    _, y, _ = two_levels()
    path = save(tmp_path, X=np.zeros((18, 64, 64), np.uint8), y=y)
    assert "64x64 are reduced to 16x16" in " ".join(_demo.own_task(path, image_size=16).notes)


def test_embedded_data_are_the_two_sets():
    tissue, cancer = _demo.embedded_tasks()
    assert (tissue.X.shape, tissue.is_images) == ((443, 32, 32), True)
    assert (cancer.X.shape, cancer.is_images) == ((569, 30), False)
    assert tissue.groups is not None


def test_pictures_of_a_real_fit(tmp_path, monkeypatch):
    from matplotlib.image import imread

    for name, value in {"width": 4, "batch_size": 8}.items():  # trains in moments
        monkeypatch.setitem(_demo.GANAugmenter.__init__.__kwdefaults__, name, value)
    X, y, groups = two_levels()
    lines = []
    assert _demo.run([task_of(X, y, groups)], tmp_path, write=lines.append) == 0
    for name in ("test_samples.png", "test_history.png"):
        picture = imread(tmp_path / name)
        assert picture.shape[1] > 500
        assert picture[..., :3].std() > 0.05  # not a blank page
        assert f"wrote {tmp_path / name}" in lines


def test_a_folder_with_one_subfolder_per_class_is_a_task(tmp_path):
    for name in ("fit", "ill"):
        (tmp_path / name).mkdir()
        for k in range(4):
            Image.new("L", (9, 8), 50 * k).save(tmp_path / name / f"{k}.png")
    task = _demo.own_task(tmp_path)
    assert task.X.shape == (8, 8, 9)
    assert task.class_names == ["fit", "ill"]
    assert task.y.tolist() == [0] * 4 + [1] * 4
