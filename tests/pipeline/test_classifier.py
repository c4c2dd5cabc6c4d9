from collections import Counter

import numpy as np
import pandas as pd
import polars as pl
import pytest
from fakes import FakeAugmenter, Recorder, tiny
from sklearn import config_context
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline as StockPipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_medgan import AugmentedClassifier


@pytest.fixture
def table():
    return make_classification(60, weights=[0.8], random_state=0)


@pytest.fixture(autouse=True)
def _forget():
    FakeAugmenter.forget()


def test_classifier_sees_real_rows_first_then_a_dose_that_evens_out_the_classes(table):
    X, y = table
    model = AugmentedClassifier(Recorder(), FakeAugmenter(), dose=0.5).fit(X, y)
    fitted = model.estimator_
    np.testing.assert_array_equal(fitted.X_[:60], model.augmenter_.transform(X))
    np.testing.assert_array_equal(fitted.y_[:60], y)
    assert len(fitted.y_) == 90
    assert np.bincount(fitted.y_).tolist() == [int((y == 0).sum()), 90 - int((y == 0).sum())]
    means = np.stack([X[y == label].mean(axis=0) for label in (0, 1)])
    np.testing.assert_allclose(fitted.X_[60:, :-1], means[fitted.y_[60:]], rtol=1e-6)


def test_dose_zero_leaves_the_transform_alone(table):
    X, y = table
    model = AugmentedClassifier(Recorder(), FakeAugmenter(), dose=0).fit(X, y)
    np.testing.assert_array_equal(model.estimator_.X_, model.augmenter_.transform(X))
    assert FakeAugmenter.drawn == []


def test_augmenter_is_fitted_once(table):
    AugmentedClassifier(SVC(), FakeAugmenter()).fit(*table)
    assert len(FakeAugmenter.seen) == 1


def test_parts_given_are_left_unfitted(table):
    estimator, augmenter = SVC(), FakeAugmenter()
    AugmentedClassifier(estimator, augmenter).fit(*table)
    assert not hasattr(estimator, "classes_")
    assert not hasattr(augmenter, "classes_")


def test_augmenter_without_transform_adds_rows_only(table):
    class Sampler(BaseEstimator):
        def fit(self, X, y):
            self.classes_ = np.unique(y)
            return self

        def sample(self, n_samples=1, *, y=None, random_state=None):
            return np.zeros((len(y), 20)), y

    X, y = table
    model = AugmentedClassifier(Recorder(), Sampler()).fit(X, y)
    np.testing.assert_array_equal(model.estimator_.X_, np.r_[X, np.zeros((60, 20))])


def test_augmenter_that_can_start_from_real_rows_is_given_them(table):
    class Resampler(FakeAugmenter):
        def transform(self, X):
            return np.asarray(X)

        def resample(self, X, y, *, labels, random_state=None):
            np.testing.assert_array_equal(X, table[0])
            np.testing.assert_array_equal(y, table[1])
            return np.full((len(labels), 20), 7.0), labels

    model = AugmentedClassifier(Recorder(), Resampler()).fit(*table)
    np.testing.assert_array_equal(model.estimator_.X_[60:], np.full((60, 20), 7.0))
    assert np.bincount(model.estimator_.y_).tolist() == [60, 60]


@pytest.mark.parametrize("form", [pd.DataFrame, pl.DataFrame, np.ndarray.tolist, np.asarray])
def test_any_container_gives_the_same_model(form, table):
    X, y = table
    expected = AugmentedClassifier(LogisticRegression(), FakeAugmenter()).fit(X, y).predict_proba(X)
    X_form = form(X, columns=list("abcdefghijklmnopqrst")) if form is pd.DataFrame else form(X)
    actual = AugmentedClassifier(LogisticRegression(), FakeAugmenter()).fit(X_form, y.tolist())
    np.testing.assert_allclose(actual.predict_proba(X_form), expected, rtol=1e-5)


def test_feature_names_are_those_of_the_frame(table):
    X, y = table
    frame = pd.DataFrame(X).add_prefix("f")
    model = AugmentedClassifier(SVC(), FakeAugmenter()).fit(frame, y)
    assert model.feature_names_in_.tolist() == frame.columns.tolist()
    assert model.n_features_in_ == 20
    assert not hasattr(model.fit(X, y), "feature_names_in_")


@pytest.mark.parametrize("form", [pd.Series, pl.Series, list, lambda y: pd.Series(y, dtype="category")])
def test_labels_may_come_in_any_container(form, table):
    X, y = table
    labels = form(np.array(["benign", "malignant"])[y])
    model = AugmentedClassifier(Recorder(), FakeAugmenter()).fit(X, labels)
    assert Counter(model.estimator_.y_) == {"benign": 60, "malignant": 60}
    assert model.classes_.tolist() == ["benign", "malignant"]


def test_image_stacks_pass_through(table):
    X = table[0][:, :16].reshape(60, 4, 4)
    model = AugmentedClassifier(LogisticRegression(), FakeAugmenter()).fit(X, table[1])
    assert model.predict(X).shape == (60,)
    assert model.n_features_in_ == 16
    assert model.__sklearn_tags__().input_tags.three_d_array


def test_string_labels_keep_their_dtype(table):
    X, y = table
    labels = np.array(["benign", "malignant"])[y]
    model = AugmentedClassifier(Recorder(), FakeAugmenter()).fit(X, labels)
    assert model.estimator_.y_.dtype == labels.dtype
    assert model.classes_.tolist() == ["benign", "malignant"]


def test_methods_are_those_of_the_classifier(table):
    svc = AugmentedClassifier(SVC(), FakeAugmenter())
    assert hasattr(svc, "decision_function")
    assert not hasattr(svc, "predict_proba")
    bayes = AugmentedClassifier(GaussianNB(), FakeAugmenter(noise=1.0)).fit(*table)
    np.testing.assert_allclose(np.exp(bayes.predict_log_proba(table[0])), bayes.predict_proba(table[0]))
    assert not hasattr(bayes, "decision_function")


def test_unfitted_predict_says_so(table):
    with pytest.raises(NotFittedError, match="AugmentedClassifier instance is not fitted"):
        AugmentedClassifier(SVC(), FakeAugmenter()).predict(table[0])


# Weights


def test_synthetic_rows_weigh_their_class_mean_times_the_factor(table):
    X, y = table
    weight = np.arange(60.0)
    model = AugmentedClassifier(Recorder(), FakeAugmenter(), synthetic_weight=0.5)
    fitted = model.fit(X, y, sample_weight=weight).estimator_
    means = np.array([weight[y == label].mean() for label in (0, 1)])
    np.testing.assert_array_equal(fitted.sample_weight_[:60], weight)
    np.testing.assert_allclose(fitted.sample_weight_[60:], 0.5 * means[fitted.y_[60:]])


def test_weights_are_passed_only_where_they_matter(table):
    plain = AugmentedClassifier(Recorder(), FakeAugmenter()).fit(*table)
    assert plain.estimator_.sample_weight_ is None
    lighter = AugmentedClassifier(Recorder(), FakeAugmenter(), synthetic_weight=0.5).fit(*table)
    np.testing.assert_array_equal(lighter.estimator_.sample_weight_, np.r_[np.ones(60), np.full(60, 0.5)])


def test_weightless_synthetic_rows_are_as_good_as_none(table):
    X, y = table
    without = AugmentedClassifier(LogisticRegression(tol=1e-10), FakeAugmenter(), dose=0).fit(X, y)
    weightless = AugmentedClassifier(LogisticRegression(tol=1e-10), FakeAugmenter(), synthetic_weight=0)
    np.testing.assert_allclose(
        weightless.fit(X, y).decision_function(X), without.decision_function(X), rtol=1e-4, atol=1e-4
    )


def test_a_weight_that_the_classifier_cannot_take_is_refused(table):
    model = AugmentedClassifier(KNeighborsClassifier(), FakeAugmenter(), synthetic_weight=0.5)
    with pytest.raises(ValueError, match=r"synthetic_weight=0.5 needs .*KNeighborsClassifier.*lower dose"):
        model.fit(*table)


def test_weights_of_a_wrong_length_are_refused(table):
    with pytest.raises(ValueError, match="sample_weight"):
        AugmentedClassifier(SVC(), FakeAugmenter()).fit(*table, sample_weight=np.ones(5))


def test_other_metadata_of_one_value_a_row_is_refused(table):
    model = AugmentedClassifier(Recorder(), FakeAugmenter())
    with pytest.raises(ValueError, match=r"'groups' has one value for each of the 60 rows.*dose=0"):
        model.fit(*table, groups=np.arange(60))
    fitted = clone(model).set_params(dose=0).fit(*table, groups=np.arange(60))
    np.testing.assert_array_equal(fitted.estimator_.groups_, np.arange(60))


# Metadata


def test_unlabeled_rows_go_to_the_augmenter(table):
    X, y = table
    AugmentedClassifier(SVC(), FakeAugmenter()).fit(X, y, X_unlabeled=X[:7])
    np.testing.assert_array_equal(FakeAugmenter.seen_unlabeled[0], X[:7])


@config_context(enable_metadata_routing=True)
def test_metadata_routing_reaches_both_parts(table):
    X, y = table
    model = AugmentedClassifier(
        Recorder().set_fit_request(sample_weight=True, groups=False),
        FakeAugmenter().set_fit_request(X_unlabeled=True),
    )
    fitted = model.fit(X, y, sample_weight=np.full(60, 2.0), X_unlabeled=X[:7])
    np.testing.assert_array_equal(fitted.estimator_.sample_weight_, np.full(120, 2.0))
    np.testing.assert_array_equal(FakeAugmenter.seen_unlabeled[0], X[:7])


@config_context(enable_metadata_routing=True)
def test_metadata_that_nobody_asked_for_is_refused(table):
    with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
        AugmentedClassifier(SVC(), FakeAugmenter()).fit(*table, sample_weight=np.ones(60))


@config_context(enable_metadata_routing=True)
def test_cross_validation_routes_weights(table):
    model = AugmentedClassifier(
        LogisticRegression().set_fit_request(sample_weight=True), FakeAugmenter()
    ).set_score_request(sample_weight=True)
    scores = cross_validate(model, *table, cv=3, params={"sample_weight": np.ones(60)})
    assert np.all(scores["test_score"] > 0.5)


@config_context(enable_metadata_routing=True)
def test_metadata_reaches_both_parts_through_other_estimators(table):
    X, y = table
    model = AugmentedClassifier(
        Recorder().set_fit_request(sample_weight=True, groups=False),
        FakeAugmenter().set_fit_request(X_unlabeled=True),
    )
    weight = np.where(y == 1, 5.0, 3.0)
    scale = StandardScaler().set_fit_request(sample_weight=False)
    pipe = StockPipeline([("scale", scale), ("clf", model)]).fit(X, y, sample_weight=weight, X_unlabeled=X[:7])
    fitted = pipe[-1].estimator_
    np.testing.assert_array_equal(fitted.sample_weight_, np.where(fitted.y_ == 1, 5.0, 3.0))
    np.testing.assert_array_equal(FakeAugmenter.seen_unlabeled[-1], X[:7])

    model = clone(model).set_params(estimator=LogisticRegression().set_fit_request(sample_weight=True))
    weighted = CalibratedClassifierCV(model, cv=3).fit(X, y, sample_weight=weight)
    unweighted = CalibratedClassifierCV(model, cv=3).fit(X, y)
    inner = [calibrated.calibrated_classifiers_[0].estimator.estimator_ for calibrated in (weighted, unweighted)]
    assert not np.allclose(inner[0].coef_, inner[1].coef_)


@config_context(enable_metadata_routing=True)
def test_without_metadata_routing_has_nothing_to_do(table):
    fitted = AugmentedClassifier(Recorder(), FakeAugmenter(), synthetic_weight=0.5).fit(*table).estimator_
    np.testing.assert_array_equal(fitted.sample_weight_, np.r_[np.ones(60), np.full(60, 0.5)])


# Randomness


def test_random_state_decides_everything(table):
    def fit(seed):
        model = AugmentedClassifier(RandomForestClassifier(3), FakeAugmenter(noise=1.0), random_state=seed)
        return model.fit(*table).predict_proba(table[0])

    np.testing.assert_array_equal(fit(0), fit(0))
    assert not np.array_equal(fit(0), fit(1))


def test_without_random_state_the_parts_keep_theirs(table):
    model = AugmentedClassifier(RandomForestClassifier(3, random_state=3), FakeAugmenter(random_state=4))
    fitted = model.fit(*table)
    assert (fitted.estimator_.random_state, fitted.augmenter_.random_state) == (3, 4)
    seeded = clone(model).set_params(random_state=0).fit(*table)
    assert seeded.estimator_.random_state != 3
    assert seeded.augmenter_.random_state != 4


# Within scikit-learn


def test_is_a_classifier_that_clones():
    model = AugmentedClassifier(SVC(C=3), FakeAugmenter(ratio=2.0), dose=0.3)
    assert is_classifier(model)
    params = clone(model).get_params()
    assert (params["estimator__C"], params["augmenter__ratio"], params["dose"]) == (3, 2.0, 0.3)


def test_grid_search_reaches_both_parts_and_the_dose(table):
    grid = {"estimator__C": [0.1, 1], "augmenter__noise": [0.0, 0.1], "dose": [0, 1.0]}
    model = AugmentedClassifier(SVC(), FakeAugmenter(), random_state=0)
    search = GridSearchCV(model, grid, cv=2).fit(*table)
    assert set(search.best_params_) == set(grid)
    assert search.predict(table[0]).shape == (60,)


def test_last_step_of_a_stock_pipeline(table):
    X, y = table
    model = AugmentedClassifier(LogisticRegression(), FakeAugmenter())
    pipe = StockPipeline([("scale", StandardScaler()), ("clf", model)])
    scores = cross_validate(pipe, X, y, cv=3, return_train_score=True)
    assert np.all(scores["train_score"] > 0.7)
    pipe.fit(X, y, clf__X_unlabeled=X[:5], clf__sample_weight=np.ones(60))
    assert pipe.predict(X).shape == (60,)


def test_set_output_of_a_stock_pipeline_reaches_the_frame(table):
    frame = pd.DataFrame(table[0]).add_prefix("f")
    model = AugmentedClassifier(LogisticRegression(), FakeAugmenter())
    pipe = StockPipeline([("scale", StandardScaler()), ("clf", model)]).set_output(transform="pandas")
    assert pipe.fit(frame, table[1])[-1].feature_names_in_.tolist() == frame.columns.tolist()


@pytest.mark.parametrize("ensemble", [True, False])
def test_calibration(ensemble, table):
    model = AugmentedClassifier(SVC(), FakeAugmenter())
    calibrated = CalibratedClassifierCV(model, cv=3, ensemble=ensemble).fit(*table)
    np.testing.assert_allclose(calibrated.predict_proba(table[0]).sum(axis=1), 1)


def test_html_display_names_both_parts():
    html = AugmentedClassifier(SVC(), FakeAugmenter())._repr_html_()
    assert "SVC" in html
    assert "FakeAugmenter" in html


# Leaks


def test_neither_gan_nor_classifier_ever_sees_a_test_row():
    X = np.arange(60.0)[:, None] * [1.0, 1000.0]  # every row carries its own number
    y = np.tile([0, 0, 1], 20)
    folds = [(np.setdiff1d(np.arange(60), test), test) for test in np.arange(60).reshape(4, 15)]
    model = AugmentedClassifier(Recorder(), FakeAugmenter())
    scores = cross_validate(model, X, y, cv=folds, return_estimator=True)
    for (train, test), seen, fitted in zip(folds, FakeAugmenter.seen, scores["estimator"], strict=True):
        np.testing.assert_array_equal(seen, X[train])
        synthetic = fitted.estimator_.X_[len(train) :, 0]
        train_means = [X[train][y[train] == label, 0].mean() for label in (0, 1)]
        assert set(synthetic) <= set(np.float32(train_means))
        assert not set(X[test, 0]) & set(fitted.estimator_.X_[: len(train), 0])
    np.testing.assert_allclose(
        scores["test_score"], [np.mean(y[test] == 0) for _, test in folds]
    )  # the recorder answers 0: only the real rows of the fold are scored


# Bad input


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"dose": -1}, "'dose' parameter"),
        ({"dose": "best"}, "'dose' parameter"),
        ({"dose": "cv", "cv": "three"}, "'cv' parameter"),
        ({"dose": "cv", "cv": 1}, "'cv' parameter"),
        ({"synthetic_weight": -0.1}, "'synthetic_weight' parameter"),
        ({"augmenter": StandardScaler()}, "'augmenter' parameter.*'fit' and 'sample'"),
        ({"estimator": StandardScaler()}, "'estimator' parameter.*'fit' and 'predict'"),
    ],
)
def test_bad_parameters_are_named(params, words, table):
    with pytest.raises(ValueError, match=words):
        AugmentedClassifier(SVC(), FakeAugmenter()).set_params(**params).fit(*table)


def test_labels_must_be_classes_one_a_row(table):
    X, y = table
    model = AugmentedClassifier(SVC(), FakeAugmenter())
    with pytest.raises(ValueError, match="requires y to be passed"):
        model.fit(X, None)
    with pytest.raises(ValueError, match="Unknown label type"):
        model.fit(X, X[:, 0])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(X, y[:-1])


def test_one_class_gets_the_answer_of_the_classifier(table):
    X = table[0]
    with pytest.raises(ValueError, match="class"):
        AugmentedClassifier(SVC(), FakeAugmenter()).fit(X, np.zeros(60))
    knn = AugmentedClassifier(KNeighborsClassifier(), FakeAugmenter()).fit(X, np.zeros(60))
    assert set(knn.predict(X)) == {0}


# With the real augmenter


def test_gan_rows_train_a_classifier_of_images():
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 200, (40, 8, 8), dtype=np.uint8), np.repeat([0, 1], [30, 10])
    X[y == 1, 2:5, 2:5] += 50
    model = AugmentedClassifier(SVC(), tiny(), dose=1.0, random_state=0)
    first, again = (clone(model).fit(X, y) for _ in range(2))
    np.testing.assert_array_equal(first.decision_function(X), again.decision_function(X))
    assert first.estimator_.shape_fit_[0] == 80
    assert first.n_features_in_ == 64


@pytest.mark.parametrize("form", [pd.DataFrame, pl.DataFrame, np.ndarray.tolist])
def test_gan_rows_join_any_container(form, table):
    X, y = table
    expected = AugmentedClassifier(LogisticRegression(), tiny()).fit(X, y).decision_function(X)
    frame = form(X, columns=[f"f{i}" for i in range(20)]) if form is pd.DataFrame else form(X)
    model = AugmentedClassifier(LogisticRegression(), tiny()).fit(frame, y)
    np.testing.assert_allclose(model.decision_function(frame), expected, rtol=1e-4, atol=1e-5)


def test_gan_trains_on_training_folds_only():
    """Rows of the test fold are so far off that one of them alone would shift what is sampled."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), np.tile([0, 1], 20)
    test = np.arange(10)
    X[test] += 1e6
    folds = [(np.arange(10, 40), test)]
    fitted = cross_validate(
        AugmentedClassifier(Recorder(), tiny(representation="pixels")), X, y, cv=folds, return_estimator=True
    )["estimator"][0]
    assert len(fitted.estimator_.X_) == 60
    assert np.abs(fitted.estimator_.X_).max() < 100
