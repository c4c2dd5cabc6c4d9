"""Arms made of estimators: the user's own, and those of a GAN."""

import numpy as np
import pandas as pd
import pytest
from fakes import FakeAugmenter
from protocol import GROUPS, NB, QUICK, Recorder, RecordingClassifier, X, Y, row_of, run, without_time
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_medgan import AugmentedClassifier
from sklearn_medgan.benchmark import Fold, diagnostic_benchmark, gan_arms

WAYS = ("auto", "mixed", "near")


@pytest.fixture(autouse=True)
def _forget():
    for log in (Recorder.fits, RecordingClassifier.calls):
        log.clear()
    FakeAugmenter.forget()


def test_a_user_extends_the_table_with_estimators():
    from imblearn.over_sampling import RandomOverSampler

    meta = AugmentedClassifier(make_pipeline(StandardScaler(), SVC()), FakeAugmenter(), dose=0.5)
    mine = {"columns": PCA(2), "rows": RandomOverSampler(), "wrapped": meta}
    result = run(mine, {"nb": GaussianNB(), "svc": SVC()})
    assert not result.failures
    assert {(r["arm"], r["kind"], r["reference"]) for r in result.table} == {
        ("none", "rows", "none"),
        ("pixels", "columns", "pixels"),
        ("columns", "columns", "pixels"),
        ("rows", "rows", "none"),
        ("wrapped", "rows", "none"),
    }


def test_images_reach_estimators_in_the_form_they_take():
    images = np.random.RandomState(0).randint(0, 255, (48, 16, 16)).astype(np.uint8)
    y = np.arange(48) % 2
    arms = {"PCA": PCA(2), "fake": FakeAugmenter(), **gan_arms(FakeAugmenter(), name="g", doses=(0, 1))}
    stack = diagnostic_benchmark(images, y, arms=arms, classifiers=NB, **QUICK)
    flat = diagnostic_benchmark(images.reshape(48, -1), y, image_shape=(16, 16), arms=arms, classifiers=NB, **QUICK)
    assert not stack.failures
    pd.testing.assert_frame_equal(without_time(stack), without_time(flat))


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        (SVC(), "neither transform nor fit_resample"),
        (PCA, "an instance, not a class"),
        ("PCA", "estimator that can be fitted"),
    ],
)
def test_what_is_no_arm_is_refused(arm, message):
    with pytest.raises(TypeError, match=message):
        run({"mine": arm})


def test_the_chosen_dose_is_the_one_that_helps():
    class Liar(FakeAugmenter):
        """Its rows are of the other class."""

        def sample(self, n_samples=1, *, y=None, random_state=None):
            rows, labels = super().sample(n_samples, y=y, random_state=random_state)
            return rows, self.classes_[1 - np.searchsorted(self.classes_, labels)]

    rows, y = X[:, 2:] * 3, Y
    liar = gan_arms(Liar(noise=0.3, ratio=3), doses=(0, 2))
    result = run(liar, {"knn": KNeighborsClassifier(3)}, (rows, y, GROUPS))
    assert {cell["notes"]["dose"] for cell in result.cells if "chosen" in cell["arm"]} == {0.0}
    assert any("dose 0 (6 of 6 fits)" in note for note in result.notes)
    assert row_of(result, "GAN rows", "knn")["verdict"] == "loss"
    assert row_of(result, "GAN rows, chosen dose", "knn")["difference"] == 0


def test_the_chosen_dose_is_the_one_that_a_user_of_the_classifier_gets():
    class Rows(FakeAugmenter):
        """Draws nothing at random, and leaves the columns."""

        def transform(self, X):
            return np.asarray(X)

    groups = np.arange(180) // 3
    y = (groups % 5 == 0).astype(int)  # rows of a rare class move what the classifier expects to see
    rows = 0.7 * y[:, None] + np.random.default_rng(0).normal(0, 0.8, (180, 2))
    lda = LinearDiscriminantAnalysis()  # columns may have any scale
    arms = {**gan_arms(Rows()), "own": AugmentedClassifier(lda, Rows(), dose="cv")}
    result = run(arms, {"lda": lda}, data=(rows, y, groups), regimes=["all", 20])
    assert not result.failures
    of_arms = {
        arm: [cell["notes"]["dose"] for cell in result.cells if cell["arm"] == arm]
        for arm in ("GAN rows, chosen dose", "own")
    }
    assert of_arms["own"] == of_arms["GAN rows, chosen dose"]
    assert {0.0, 0.5} <= set(of_arms["own"])
    assert any(note.startswith("own + lda, all: dose 0.5 (") for note in result.notes)


@pytest.mark.parametrize(
    ("shape", "given", "used"), [((8, 8), "auto", "mixed"), ((8, 8), "near", "near"), ((6,), "auto", "auto")]
)
def test_rows_on_trial_are_those_of_the_gan(shape, given, used):
    class Telling(FakeAugmenter):
        """Its rows are full of the way in which they were asked for."""

        def __init__(self, resampling="auto"):
            super().__init__()
            self.resampling = resampling

        def fit(self, X, y):
            return self

        def resample(self, X, y, *, labels, random_state):
            return np.full((len(labels), *shape), float(WAYS.index(self.resampling))), labels

    images, y = np.random.RandomState(0).normal(size=(5, *shape)), np.array([0, 0, 0, 1, 1])
    fold = Fold(images, y, np.arange(5), images[:1], ("all", 0, 0))
    arms = gan_arms(Telling(given))
    shared = arms["GAN rows"].fit_shared(fold)
    columns = arms["GAN rows"].prepare(fold, shared, None)
    assert np.array_equal(columns.X[5:], fold.scaled(np.full((len(columns.X) - 5, *shape), float(WAYS.index(used)))))
    assert shared.gan.resampling == given


@pytest.mark.slow
def test_real_gan_through_rows_and_columns():
    from sklearn_medgan import GANAugmenter
    from sklearn_medgan.datasets import make_nodules

    images, y = make_nodules(40, image_size=16, random_state=0, return_X_y=True)
    arms = gan_arms(GANAugmenter(backbone=None, max_iter=2, width=4, batch_size=8))
    result = diagnostic_benchmark(images, y, arms=arms, classifiers=NB, seeds=0, n_splits=2)
    assert not result.failures
    assert all(np.isfinite(row["balanced_accuracy"]) for row in result.table)
