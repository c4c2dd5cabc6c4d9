"""The demonstration is the benchmark with a few arms: what these are, what is shown, and what remains after Ctrl-C."""

import base64
import contextlib
import io
import json
import re
import signal
from argparse import Namespace
from types import SimpleNamespace

import numpy as np
import pytest
from fakes import FakeAugmenter
from PIL import Image
from sklearn.pipeline import Pipeline as StockPipeline
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from sklearn_medgan import Pipeline
from sklearn_medgan.benchmark import ARMS, Arm, Columns, _plan, diagnostic_benchmark
from sklearn_medgan.benchmark._cells import unpack
from sklearn_medgan.cli import _demo
from sklearn_medgan.cli._data import Data
from sklearn_medgan.cli._demo import ALONE, GROWN, STOCK, TRANSFER
from sklearn_medgan.cli._parser import parse


class Stand(FakeAugmenter):
    """Stands in for GANAugmenter, with its parameter."""

    interrupted_by = None  # the fit, counted from one, during which Ctrl-C is pressed

    def __init__(self, max_iter=300, gan_size="auto", random_state=None):
        super().__init__(ratio=2.0, random_state=random_state)
        self.max_iter, self.gan_size = max_iter, gan_size

    def fit(self, X, y=None, *, X_unlabeled=None):
        super().fit(X, y)
        if len(self.seen) == self.interrupted_by:
            with contextlib.suppress(KeyboardInterrupt):  # as training does, which goes on with what was learned
                signal.raise_signal(signal.SIGINT)
        return self


def half(fold, shared, classifier):
    """Stands in for a pretrained network."""
    return Columns(fold.pixels.X[:, ::2], fold.y, fold.pixels.X_test[:, ::2])


@pytest.fixture
def stand(monkeypatch):
    monkeypatch.setattr(_demo, "GANAugmenter", Stand)
    monkeypatch.setattr(_demo, "ARMS", {"pixels": ARMS["pixels"], TRANSFER: Arm("columns", half)})
    monkeypatch.setattr(Stand, "interrupted_by", None)
    Stand.forget()
    return Stand


def two_levels(n=36, n_groups=12, side=8, noise=0.0):
    """Bright and dark images with a mark of their own; a row's group is its position modulo n_groups."""
    y = np.arange(n) // (n // 2)
    X = np.where(y == 1, 200, 20)[:, None, None] + noise * np.random.RandomState(0).standard_normal((n, side, side))
    X[:, 0, 0] = np.arange(n)
    return X, y, np.arange(n) % n_groups


def data_of(X, y, groups=None):
    return Data("Test", X, y, groups, ["dark", "bright"], diseased=["bright"])


def demonstrate(data, tmp_path, max_iter=2, seed=0):
    lines = []
    session = SimpleNamespace(show=lines.append, verbose=0, found={})
    job = _demo.job_of(data, max_iter, seed)
    job.check()
    try:
        _demo.demonstrate(job, tmp_path / "test.html", "medgan demo", session)
    except KeyboardInterrupt:
        lines.append("KeyboardInterrupt")
    return "\n".join(lines)


def test_the_arms_predict_as_the_pipelines_do(stand):
    X, y, groups = two_levels(noise=400.0)
    job = _demo.job_of(data_of(X, y, groups), 2, 0)
    result = job.measure(None)
    flat = X.reshape(len(X), -1)
    literal = {
        ALONE: make_pipeline(StandardScaler(), SVC(C=10)),
        TRANSFER: make_pipeline(FunctionTransformer(lambda rows: rows[:, ::2]), StandardScaler(), SVC(C=10)),
        STOCK: StockPipeline([("aug", Stand()), ("clf", SVC(C=10))]),
        GROWN: Pipeline([("aug", Stand()), ("clf", SVC(C=10))]),
    }
    rows = _plan.labelled_rows(X, y, groups, None, None)
    folds = _plan.check_folds(rows, 2, [0, 1])
    assert len(result.cells) == 4 * 4
    for cell in result.cells:
        train, test = folds[cell["seed"]][cell["fold"]]
        expected = literal[cell["arm"]].fit(flat[train], y[train]).predict(flat[test])
        assert np.array_equal(unpack(cell["predicted"]), expected)


def test_table_and_verdict_are_those_of_the_benchmark(stand, tmp_path):
    X, y, groups = two_levels(noise=300.0)
    job = _demo.job_of(data_of(X, y, groups), 2, 0)
    result = diagnostic_benchmark(
        X,
        y,
        groups=groups,
        arms=job.arms,
        classifiers={"SVC(C=10)": SVC(C=10)},
        reference=TRANSFER,
        n_splits=2,
        seeds=(0, 1),
        target_names=["dark", "bright"],
        diseased="bright",
    )
    text = demonstrate(data_of(X, y, groups), tmp_path)
    assert result.summary() in text
    assert [row["verdict"] for row in result.table if row["arm"] == TRANSFER] == ["reference"]
    for row in result.table:
        assert re.search(rf"^{re.escape(row['arm'])} +{row['balanced_accuracy']:.3f} .*{row['verdict']}", text, re.M)
    assert "Each GAN takes 2 updates instead of 300: its rows are poor yet." in text
    assert "The protocol has 4 folds and 3 seeds" in text
    assert text.endswith(f"wrote {tmp_path / 'test.html'}")
    page = (tmp_path / "test.html").read_text(encoding="utf-8")
    tiles = re.findall(r'base64,(\S+)" alt="(real|synthetic), (dark|bright)"', page)
    assert len(tiles) == 2 * 2 * 6
    decoded = [(np.asarray(Image.open(io.BytesIO(base64.b64decode(png)))), what, name) for png, what, name in tiles]
    dark, bright = ([image.mean() for image, *rest in decoded if rest == ["real", name]] for name in ("dark", "bright"))
    assert np.mean(dark) < np.mean(bright)
    assert "<code>medgan demo</code>" in page


def test_arms_with_a_gan_share_its_fits_on_training_rows(stand, tmp_path):
    X, y, groups = two_levels()
    demonstrate(data_of(X, y, groups), tmp_path)
    assert len(stand.seen) == 2 * 2
    for rows in stand.seen:
        inside = rows[:, 0].astype(int)
        assert len(inside) == 18
        assert not set(groups[inside]) & set(groups[np.setdiff1d(np.arange(36), inside)])


def test_ctrl_c_in_training_shows_what_is_finished(stand, tmp_path):
    stand.interrupted_by = 3
    before = signal.getsignal(signal.SIGINT)
    X, y, groups = two_levels()
    text = demonstrate(data_of(X, y, groups), tmp_path)
    assert len(stand.seen) == 3
    assert "Interrupted. Finished, and too few to compare:" in text
    assert f"{GROWN}: balanced accuracy 1.000 in 2 fits" in text
    assert not list(tmp_path.iterdir())
    assert text.endswith("KeyboardInterrupt")
    assert "verdict" not in text
    assert signal.getsignal(signal.SIGINT) is before


def test_what_is_finished_is_averaged_by_arm(tmp_path):
    cells = [{"arm": arm, "balanced_accuracy": score} for arm, score in [("a", 0.5), ("b", 0.9), ("a", 0.7)]]
    path = tmp_path / "cells.jsonl"
    path.write_text("\n".join(map(json.dumps, [{"format": "x"}, *cells])))
    assert _demo.finished(path).splitlines()[1:] == [
        "a: balanced accuracy 0.600 in 2 fits",
        "b: balanced accuracy 0.900 in 1 fits",
    ]
    assert _demo.finished(tmp_path / "none.jsonl") == "Interrupted."


def all_of_own(tmp_path, seed=0, image_size=32, **arrays):
    path = tmp_path / "scans.npz"
    np.savez(path, **arrays)
    return dict(_demo.jobs(Namespace(data=path, image_size=image_size, seed=seed, max_iter=None)))


def own(tmp_path, **arrays):
    found = all_of_own(tmp_path, **arrays)
    assert list(found) == ["own", "own_enhanced"]
    return found["own"]


def test_own_file_keeps_images_labels_and_groups(tmp_path):
    X, y, groups = two_levels()
    job = own(tmp_path, X=X.astype(np.uint8), y=y, group=groups, class_names=["dark", "bright"], seed=2**31 - 1)
    assert np.array_equal(job.data.X, X)
    assert np.array_equal(job.data.y, y)
    assert np.array_equal(job.data.groups, groups)
    assert job.data.class_names == ["dark", "bright"]
    assert job.data.notes == ()
    assert job.seeds == [2**31 - 1, 0]
    assert job.max_iter == 80
    job.check()


def test_large_files_are_thinned_class_by_class(tmp_path):
    y = np.repeat([0, 1], [700, 30])
    X = np.arange(730)[:, None, None] * np.ones((1, 8, 8))
    data = own(tmp_path, X=X, y=y, group=np.arange(730) % 50).data
    assert np.bincount(data.y).tolist() == [200, 30]
    rows = data.X[:, 0, 0].astype(int)
    assert np.array_equal(data.y, y[rows])
    assert np.array_equal(data.groups, rows % 50)
    assert "230 of 730 images" in " ".join(data.notes)


def test_images_of_real_size_stay_as_they_are(tmp_path):
    options = parse(["demo", "--data", str(tmp_path / "scans.npz")])
    np.savez(options.data, X=np.zeros((8, 224, 224), np.uint8), y=[0, 1] * 4)
    (_, job), _ = _demo.jobs(options)
    assert job.data.X.shape == (8, 224, 224)
    assert "gan_size=32," in job.arms[STOCK].describe()
    assert job.describe().endswith("The GAN works on images of at most 32 pixels a side instead of 64.")


def test_reduced_files_say_so(tmp_path):
    _, y, _ = two_levels()
    job = own(tmp_path, image_size=16, X=np.zeros((36, 64, 64), np.uint8), y=y)
    assert "from 64x64 to 16x16" in " ".join(job.data.notes)


def test_a_folder_with_one_subfolder_per_class_is_a_set(tmp_path):
    for name in ("fit", "ill"):
        (tmp_path / name).mkdir()
        for k in range(4):
            Image.new("L", (9, 8), 50 * k).save(tmp_path / name / f"{k}.png")
    (_, job), _ = _demo.jobs(Namespace(data=tmp_path, image_size=32, seed=0, max_iter=None))
    assert job.data.X.shape == (8, 8, 9)
    assert job.data.class_names == ["fit", "ill"]
    assert job.data.y.tolist() == [0] * 4 + [1] * 4


def test_the_smallest_class_is_made_rare_where_there_are_enough(tmp_path):
    X = np.zeros((140, 8, 8), np.uint8)
    many = own(tmp_path, X=X, y=np.repeat([3, 5], [100, 40]))
    assert many.regimes == ["all", {"rare": 5, "n_rare": 10, "n_other": 300}]
    assert own(tmp_path, X=X[:-1], y=np.repeat([3, 5], [100, 39])).regimes == ["all"]


def test_enhancement_is_told_and_measured_on_the_same_rows(tmp_path):
    X, y, groups = two_levels(noise=20.0)
    job = all_of_own(tmp_path, X=X, y=y, group=groups, class_names=["dark", "bright"])["own_enhanced"]
    assert (job.seeds, job.folds, job.regimes) == ([0, 1, 2], 2, ["all"])
    assert [arm.rsplit(": ")[1] for arm in job.arms] == ["degraded", "NLM", "GANEnhancer", "clean"]
    assert "max_iter=150" in job.arms["noise 25, clean-trained: GANEnhancer"].describe()
    assert "Test images get noise" in job.describe()
    assert job.describe().endswith("Each enhancer takes 150 updates instead of 4000.")


def test_without_data_it_runs_on_two_embedded_sets():
    found = dict(_demo.jobs(Namespace(data=None, seed=0, max_iter=None)))
    assert {word: (job.data.X.shape, job.max_iter) for word, job in found.items()} == {
        "retina": ((127, 128, 128), 80),
        "retina_enhanced": ((247, 32, 32), None),
        "breast_cancer": ((569, 30), 300),
    }
    assert list(found["retina"].arms) == [ALONE, TRANSFER, STOCK, GROWN]
    assert list(found["breast_cancer"].arms) == [ALONE, STOCK, GROWN]
    assert [job.reference for job in found.values()] == [TRANSFER, None, ALONE]
    assert [len(job.regimes) for job in found.values()] == [2, 1, 2]
    for job in found.values():
        job.check()
