"""AugmentedClassifier(dose="cv"): chosen on held-out real rows, at the price of one GAN a fold, and 0 when in doubt."""

from typing import ClassVar

import numpy as np
import pandas as pd
import polars as pl
import pytest
from fakes import FakeAugmenter
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_classification
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_validate,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline as StockPipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils import check_random_state

from sklearn_medgan import AugmentedClassifier, GANAugmenter

N = 60
GROUPS = np.arange(N) // 2
# Every row carries its own number, and its weight is that number too.
NUMBERED = np.arange(float(N))[:, None] * [1.0, 1000.0] + [1.0, 0.0]
LABELS = np.repeat(np.tile([0, 0, 1, 0, 1], N // 10), 2)


class Truthful(FakeAugmenter):
    """Draws from the distribution of the real rows; its columns are the rows."""

    distance = 0.6

    @classmethod
    def draw(cls, labels, rng):
        return rng.standard_normal((len(labels), 30)) + cls.distance * np.asarray(labels)[:, None]

    def sample(self, n_samples=1, *, y=None, random_state=None):
        return self.draw(y, check_random_state(random_state)), np.asarray(y)

    def transform(self, X):
        return np.asarray(X)


class Liar(Truthful):
    """Its rows are of the other class, drowned in noise."""

    def sample(self, n_samples=1, *, y=None, random_state=None):
        rng = check_random_state(random_state)
        return self.draw(1 - np.asarray(y), rng) + rng.standard_normal((len(y), 30)), np.asarray(y)


class Witness(ClassifierMixin, BaseEstimator):
    """Logs the first column of what it is fitted on and predicts, and its weights; answers the first class."""

    fits: ClassVar[list] = []
    predictions: ClassVar[list] = []

    def fit(self, X, y, sample_weight=None):
        self.fits.append((np.asarray(X)[:, 0], y, sample_weight))
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        self.predictions.append(np.asarray(X)[:, 0])
        return np.full(len(X), self.classes_[0])


@pytest.fixture(autouse=True)
def _forget():
    FakeAugmenter.forget()
    Witness.fits.clear()
    Witness.predictions.clear()


@pytest.fixture
def table():
    return make_classification(60, weights=[0.8], random_state=0)


def few_rows(seed=0, n=24):
    y = np.repeat([0, 1], n)
    return Truthful.draw(y, np.random.RandomState(seed)), y


def by_cv(estimator, augmenter, **params):
    return AugmentedClassifier(estimator, augmenter, dose="cv", **params)


# What is chosen


@pytest.mark.parametrize("seed", range(3))
def test_rows_as_good_as_real_ones_are_taken_where_real_ones_are_few(seed):
    model = by_cv(LinearDiscriminantAnalysis(), Truthful(), random_state=seed).fit(*few_rows(seed))
    assert model.dose_ >= 1
    scores = model.dose_scores_
    chosen = scores["dose"] == model.dose_
    assert scores["difference"][chosen] > 2 * scores["difference_error"][chosen] > 0
    X, y = few_rows(100, n=500)  # further rows, which nothing was fitted on
    without = clone(model).set_params(dose=0).fit(*few_rows(seed))
    assert balanced_accuracy_score(y, model.predict(X)) > balanced_accuracy_score(y, without.predict(X)) + 0.05


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("classifier", [LogisticRegression(), KNeighborsClassifier(3), SVC()])
def test_mislabelled_noise_is_left_out(classifier, seed):
    model = by_cv(classifier, Liar(), random_state=seed).fit(*few_rows(seed))
    assert model.dose_ == 0.0
    plain = AugmentedClassifier(classifier, Liar(), dose=0, random_state=seed).fit(*few_rows(seed))
    X = few_rows(100)[0]
    np.testing.assert_array_equal(model.predict(X), plain.predict(X))


def test_rows_that_change_nothing_are_left_out(table):
    model = by_cv(Witness(), FakeAugmenter()).fit(*table)  # which answers the same whatever it is fitted on
    assert model.dose_ == 0.0
    np.testing.assert_array_equal(model.dose_scores_["balanced_accuracy"], np.full(4, 0.5))


def test_fitted_parts_are_those_of_the_dose_that_was_chosen():
    X, y = few_rows()
    model = by_cv(LinearDiscriminantAnalysis(), Truthful(), random_state=7).fit(X, y)
    assert model.dose_ > 0
    given = clone(model).set_params(dose=model.dose_).fit(X, y)
    np.testing.assert_array_equal(model.decision_function(X), given.decision_function(X))


def test_scores_are_those_of_a_cross_validation_of_the_dose():
    """The same folds from outside; nothing here draws, so that seeds do not matter."""
    X, y = make_classification(90, n_informative=4, flip_y=0.2, weights=[0.7], random_state=1)
    scores = by_cv(GaussianNB(), FakeAugmenter()).fit(X, y).dose_scores_
    assert {name: values.shape for name, values in scores.items()} == dict.fromkeys(scores, (4,))
    folds = list(StratifiedKFold(3).split(X, y))
    for dose, accuracy in zip(scores["dose"], scores["balanced_accuracy"], strict=True):
        predicted = np.empty_like(y)
        for train, test in folds:
            given = AugmentedClassifier(GaussianNB(), FakeAugmenter(), dose=dose).fit(X[train], y[train])
            predicted[test] = given.predict(X[test])
        assert accuracy == pytest.approx(balanced_accuracy_score(y, predicted))


def test_dose_is_there_for_a_number_too_and_scores_are_not(table):
    model = by_cv(GaussianNB(), FakeAugmenter(noise=1.0)).fit(*table)
    assert set(model.dose_scores_["dose"]) == {0, 0.5, 1, 2}
    model.set_params(dose=0.5).fit(*table)
    assert model.dose_ == 0.5
    assert not hasattr(model, "dose_scores_")


# What it costs, and what is seen


@pytest.mark.parametrize(("cv", "n_folds"), [(None, 3), (2, 2), (StratifiedKFold(4), 4)])
def test_augmenter_is_fitted_once_a_fold_and_once_on_all_rows(cv, n_folds, table):
    by_cv(Witness(), FakeAugmenter(), cv=cv).fit(*table)
    assert len(FakeAugmenter.seen) == n_folds + 1
    assert len(FakeAugmenter.drawn) == 3 * n_folds  # none for a dose of 0
    assert len(Witness.fits) == 4 * n_folds + 1


def test_no_held_out_row_is_seen_by_an_inner_fit_and_no_synthetic_one_is_held_out():
    by_cv(Witness(), FakeAugmenter(noise=0.1)).fit(NUMBERED, LABELS)
    real = NUMBERED[:, 0]
    of_folds = [rows[:, 0] for rows in FakeAugmenter.seen]
    assert of_folds.pop().tolist() == real.tolist()
    held_out = Witness.predictions[::4]
    assert np.sort(np.concatenate(held_out)).tolist() == real.tolist()
    for fold, (trained, tested) in enumerate(zip(of_folds, held_out, strict=True)):
        assert np.union1d(trained, tested).tolist() == real.tolist()
        assert len(trained) + len(tested) == N
        for i in range(4 * fold, 4 * fold + 4):  # the doses
            fitted, labels, _ = Witness.fits[i]
            assert fitted[: len(trained)].tolist() == trained.tolist()
            assert not set(fitted) & set(tested)
            assert Witness.predictions[i].tolist() == tested.tolist()
            assert len(labels) == len(trained) + round((0, 0.5, 1, 2)[i % 4] * len(trained))


def test_a_dose_is_judged_on_the_columns_that_the_inner_augmenter_makes(table):
    columns = []

    class Numbering(FakeAugmenter):
        """Its column is the number of rows it was fitted on."""

        def transform(self, X):
            return np.full((len(X), 1), len(self.seen[-1]))

    class Looking(Witness):
        def predict(self, X):
            columns.append(set(X[:, 0]))
            return super().predict(X)

    by_cv(Looking(), Numbering(), cv=3).fit(*table)
    assert columns == [{40}] * 12
    assert set(Witness.fits[-1][0]) == {60}


@pytest.mark.parametrize("cv", [None, 2, StratifiedGroupKFold(3, shuffle=True, random_state=1), GroupKFold(3)])
def test_groups_are_never_on_both_sides(cv):
    by_cv(Witness(), FakeAugmenter(), cv=cv).fit(NUMBERED, LABELS, groups=GROUPS)
    n_folds = len(FakeAugmenter.seen) - 1
    assert n_folds == (2 if cv == 2 else 3)
    for trained, tested in zip(FakeAugmenter.seen[:-1], Witness.predictions[::4], strict=True):
        on_sides = [set(GROUPS[np.asarray(rows - 1, int)]) for rows in (trained[:, 0], tested)]
        assert not on_sides[0] & on_sides[1]
        assert len(on_sides[0] | on_sides[1]) == N // 2


def test_groups_are_what_the_standard_error_is_over():
    X, y = few_rows()
    copies = [np.repeat(rows, 3, axis=0) for rows in (X, y, np.arange(len(y)))]
    model = by_cv(KNeighborsClassifier(1), FakeAugmenter(noise=0.3), random_state=0)
    scores = model.fit(*copies[:2], groups=copies[2]).dose_scores_
    once = model.fit(X, y, groups=np.arange(len(y))).dose_scores_
    np.testing.assert_allclose(scores["standard_error"][0], once["standard_error"][0], rtol=0.1)


@pytest.mark.parametrize("form", [pd.DataFrame, pl.DataFrame, np.ndarray.tolist])
def test_any_container_gives_the_same_scores(form, table):
    X, y = table
    model = by_cv(LogisticRegression(), FakeAugmenter())
    expected = model.fit(X, y, groups=GROUPS).dose_scores_
    frame = form(X, columns=[f"f{i}" for i in range(20)]) if form is pd.DataFrame else form(X)
    found = model.fit(frame, pd.Series(y), groups=pd.Series(GROUPS).map("patient {:02d}".format)).dose_scores_
    np.testing.assert_allclose(found["balanced_accuracy"], expected["balanced_accuracy"])


def test_image_stacks_and_names_of_classes(table):
    X = table[0][:, :16].reshape(60, 4, 4)
    labels = np.array(["benign", "malignant"])[table[1]]
    model = by_cv(LogisticRegression(), FakeAugmenter()).fit(X, labels)
    assert set(model.predict(X)) == {"benign", "malignant"}
    assert model.dose_scores_["balanced_accuracy"][0] > 0.5


# Weights and other metadata


def test_sample_weight_is_sliced_for_the_inner_folds():
    weight = NUMBERED[:, 0]
    by_cv(Witness(), FakeAugmenter(), synthetic_weight=0.5).fit(NUMBERED, LABELS, sample_weight=weight)
    n_real = [len(rows) for rows in FakeAugmenter.seen[:-1] for _ in range(4)] + [N]
    for n, (rows, labels, weights) in zip(n_real, Witness.fits, strict=True):
        np.testing.assert_array_equal(weights[:n], rows[:n])
        means = np.array([weights[:n][labels[:n] == label].mean() for label in (0, 1)])
        np.testing.assert_allclose(weights[n:], 0.5 * means[labels[n:]])


def test_unlabelled_rows_are_whole_in_every_fit_even_where_as_long_as_the_others():
    by_cv(Witness(), FakeAugmenter()).fit(NUMBERED, LABELS, X_unlabeled=NUMBERED[::-1])
    assert len(FakeAugmenter.seen_unlabeled) == 4
    for rows in FakeAugmenter.seen_unlabeled:
        np.testing.assert_array_equal(rows, NUMBERED[::-1])


class Offset(Witness):
    """Takes a value a row besides."""

    def fit(self, X, y, offset=None):
        return super().fit(X, y)


def test_what_cannot_be_fitted_is_refused_before_anything_is(table):
    X, y = table
    with pytest.raises(ValueError, match=r"'offset' has one value for each of the 60 rows.*dose=0"):
        by_cv(Offset(), FakeAugmenter()).fit(X, y, offset=np.ones(60))
    with pytest.raises(ValueError, match=r"synthetic_weight=0.5 needs .*KNeighborsClassifier"):
        by_cv(KNeighborsClassifier(), FakeAugmenter(), synthetic_weight=0.5).fit(X, y)
    with pytest.raises(ValueError, match=r"sample_weight.*60"):
        by_cv(SVC(), FakeAugmenter()).fit(X, y, sample_weight=np.ones(5))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        by_cv(SVC(), FakeAugmenter()).fit(X, y, groups=np.ones(5))
    with pytest.raises(ValueError, match=r"cv=GroupKFold\(.*pass groups to fit"):
        by_cv(SVC(), FakeAugmenter(), cv=GroupKFold(3)).fit(X, y)
    with pytest.raises(ValueError, match="one row of class 1"):
        by_cv(SVC(), FakeAugmenter()).fit(X, np.r_[1, np.zeros(59, int)])
    with pytest.raises(ValueError, match=r"inner fold 0 of cv=\[\.\.\.\] trains on no row of class 0"):
        by_cv(SVC(), FakeAugmenter(), cv=[(np.flatnonzero(y == 1), np.arange(60))]).fit(X, y)
    assert FakeAugmenter.seen == []


def test_groups_and_cv_do_not_matter_to_a_number(table):
    expected = AugmentedClassifier(LogisticRegression(), FakeAugmenter()).fit(*table)
    model = AugmentedClassifier(LogisticRegression(), FakeAugmenter(), cv=GroupKFold(3)).fit(*table, groups=GROUPS)
    np.testing.assert_array_equal(model.estimator_.coef_, expected.estimator_.coef_)
    by_cv(LogisticRegression(), FakeAugmenter()).fit(*table, groups=GROUPS)


@config_context(enable_metadata_routing=True)
def test_metadata_routing_hands_groups_to_the_inner_folds_without_a_request(table):
    X, y = table
    model = by_cv(Witness().set_fit_request(sample_weight=True), FakeAugmenter().set_fit_request(X_unlabeled=True))
    model.set_score_request(sample_weight=False)
    routed = {"groups": GROUPS, "sample_weight": np.ones(N)}
    model.fit(X, y, X_unlabeled=X[:7], **routed)
    assert len(FakeAugmenter.seen_unlabeled[0]) == 7

    FakeAugmenter.forget()
    X_numbered = np.column_stack([np.arange(N), X])
    scores = cross_validate(model, X_numbered, LABELS, cv=GroupKFold(2), params=routed, return_estimator=True)
    assert [fitted.dose_ for fitted in scores["estimator"]] == [0.0, 0.0]
    fitted_on = [GROUPS[rows[:, 0].astype(int)] for rows in FakeAugmenter.seen]  # three inner folds, then all rows
    assert len(fitted_on) == 2 * 4
    for groups in fitted_on:
        assert len(groups) == 2 * len(set(groups))  # both rows of a patient, or none
    for whole, inner in ((fitted_on[3], fitted_on[:3]), (fitted_on[7], fitted_on[4:7])):
        assert all(set(groups) < set(whole) for groups in inner)

    scale = StandardScaler().set_fit_request(sample_weight=False)
    pipe = StockPipeline([("scale", scale), ("clf", model)]).fit(X, y, **routed)
    assert pipe[-1].dose_ == 0.0
    with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
        by_cv(SVC(), FakeAugmenter()).fit(X, y, **routed)


@config_context(enable_metadata_routing=True)
def test_a_request_for_groups_can_be_withdrawn(table):
    model = by_cv(LogisticRegression(), FakeAugmenter()).set_fit_request(groups=False)
    with_groups = cross_validate(model, *table, cv=GroupKFold(2), params={"groups": GROUPS}, return_estimator=True)
    assert {fitted.dose_ for fitted in with_groups["estimator"]} <= {0, 0.5, 1, 2}


# Randomness


def test_random_state_decides_the_scores_and_folds_do_not_share_seeds(table):
    def fit(seed):
        model = by_cv(RandomForestClassifier(3), FakeAugmenter(noise=1.0), random_state=seed).fit(*table)
        return model.dose_scores_["balanced_accuracy"]

    np.testing.assert_array_equal(fit(0), fit(0))
    assert not np.array_equal(fit(0), fit(1))
    np.testing.assert_array_equal(fit(np.random.RandomState(5)), fit(np.random.RandomState(5)))
    parts = by_cv(RandomForestClassifier(3, random_state=3), FakeAugmenter(random_state=4), random_state=0)
    seeds = []

    class Telling(FakeAugmenter):
        def fit(self, X, y=None, *, X_unlabeled=None):
            seeds.append(self.random_state)
            return super().fit(X, y, X_unlabeled=X_unlabeled)

    parts.set_params(augmenter=Telling()).fit(*table)
    assert len(set(seeds)) == 4
    seeds.clear()
    parts.set_params(augmenter=Telling(random_state=4), random_state=None).fit(*table)
    assert seeds == [4] * 4


# Within scikit-learn


def test_grid_search_over_the_way_to_dose_in_a_stock_pipeline(table):
    model = by_cv(LogisticRegression(), FakeAugmenter(), random_state=0)
    pipe = StockPipeline([("scale", StandardScaler()), ("clf", model)])
    grid = {"clf__dose": ["cv", 0, 1.0], "clf__cv": [2, None], "clf__augmenter__noise": [0.1]}
    search = GridSearchCV(pipe, grid, cv=2).fit(*table, clf__groups=GROUPS)
    assert search.predict(table[0]).shape == (60,)
    assert clone(search.best_estimator_).get_params()["clf__cv"] in (2, None)


def test_groups_are_sliced_by_cross_validation_without_routing(table):
    scores = cross_validate(
        by_cv(LogisticRegression(), FakeAugmenter()), *table, groups=GROUPS, cv=GroupKFold(3), params={"groups": GROUPS}
    )
    assert np.isfinite(scores["test_score"]).all()


def test_folds_that_hold_rows_out_twice_or_never(table):
    model = by_cv(LogisticRegression(), FakeAugmenter(), cv=ShuffleSplit(3, test_size=0.4, random_state=0)).fit(*table)
    assert len(FakeAugmenter.seen) == 4
    assert np.isfinite(model.dose_scores_["standard_error"]).all()


def test_one_class_gets_the_answer_of_the_classifier(table):
    knn = by_cv(KNeighborsClassifier(), FakeAugmenter()).fit(table[0], np.zeros(60))
    assert set(knn.predict(table[0])) == {0}
    assert knn.dose_ == 0


# Told, not warned of


def test_a_verbose_augmenter_tells_the_choice_in_a_line(capsys):
    class Talker(Liar):
        def __init__(self, *, verbose=0, **params):
            super().__init__(**params)
            self.verbose = verbose

        @classmethod
        def _get_param_names(cls):
            return [*Liar._get_param_names(), "verbose"]

    X, y = few_rows()
    by_cv(SVC(), Talker(verbose=1), random_state=0).fit(X, y)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("AugmentedClassifier: dose 0 chosen of 0, 0.5, 1, 2: ")
    by_cv(SVC(), Talker(), random_state=0).fit(X, y)
    AugmentedClassifier(SVC(), Talker(verbose=1), dose=0).fit(X, y)
    assert capsys.readouterr().out == ""


# With the real augmenter


def test_the_gan_is_fitted_for_each_fold_and_the_dose_chosen(table, capsys):
    gan = GANAugmenter(max_iter=2, width=8, latent_dim=4, representation="pixels", verbose=1)
    model = by_cv(SVC(), gan, cv=2, random_state=0).fit(*table)
    assert model.dose_ in (0, 0.5, 1, 2)
    assert model.estimator_.shape_fit_ == (round(60 * (1 + model.dose_)), 20)
    out, error = capsys.readouterr()
    assert error.count("2/2") == 3  # progress bars that came to their end: two folds, and all rows
    assert f"AugmentedClassifier: dose {model.dose_:g} chosen of 0, 0.5, 1, 2: " in out
