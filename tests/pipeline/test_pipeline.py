import pickle

import numpy as np
import pandas as pd
import pytest
from fakes import FakeAugmenter, Recorder, tiny
from imblearn.combine import SMOTEENN
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.pipeline import make_pipeline as make_imblearn_pipeline
from imblearn.under_sampling import RandomUnderSampler
from joblib import Parallel, delayed
from scipy import sparse
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import DBSCAN, KMeans
from sklearn.datasets import make_classification
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import Pipeline as StockPipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_medgan import AugmentedClassifier, GANAugmenter, Pipeline, make_pipeline


class WeightedScaler(TransformerMixin, BaseEstimator):
    """Keeps the weights and unlabelled rows it was handed."""

    def fit(self, X, y=None, sample_weight=None):
        self.sample_weight_ = sample_weight
        self.n_features_in_ = np.shape(X)[1]
        return self

    def transform(self, X):
        return np.asarray(X) * 2


@pytest.fixture
def table():
    return make_classification(60, weights=[0.8], random_state=0)


@pytest.fixture(autouse=True)
def _forget():
    FakeAugmenter.forget()


def augmented(final=None, **params):
    final = LogisticRegression() if final is None else final
    return Pipeline([("scale", StandardScaler()), ("aug", FakeAugmenter(**params)), ("clf", final)])


# Where the rows go


def test_classifier_sees_real_rows_first_then_synthetic_ones_all_transformed(table):
    X, y = table
    pipe = augmented(Recorder(), ratio=2.0).fit(X, y)
    fitted, n_largest = pipe[-1], np.bincount(y).max()
    np.testing.assert_array_equal(fitted.X_[:60], pipe[:-1].transform(X))
    np.testing.assert_array_equal(fitted.y_[:60], y)
    assert np.bincount(fitted.y_).tolist() == [2 * n_largest, 2 * n_largest]
    Z = StandardScaler().fit_transform(X)
    means = np.stack([Z[y == label].mean(axis=0) for label in (0, 1)])
    np.testing.assert_allclose(fitted.X_[60:, :-1], means[fitted.y_[60:]], rtol=1e-4, atol=1e-6)


def test_augmenter_is_fitted_once_and_nothing_grows_at_predict(table):
    X, y = table
    pipe = augmented(Recorder()).fit(X, y)
    drawn = len(FakeAugmenter.drawn)
    assert pipe.predict(X[:7]).shape == (7,)
    pipe.score(X, y)
    assert pipe[-1].scored_.shape == (60, 21)
    assert (len(FakeAugmenter.seen), len(FakeAugmenter.drawn)) == (1, drawn)


def test_without_a_resampler_it_is_the_stock_pipeline(table):
    X, y = table
    scale, pca, kmeans = ("scale", StandardScaler()), ("pca", PCA(3)), ("km", KMeans(2, n_init=1, random_state=0))
    for steps, method in (
        ([scale, pca, ("clf", LogisticRegression())], lambda pipe: pipe.fit(X, y).predict_proba(X)),
        ([scale, pca], lambda pipe: pipe.fit_transform(X, y)),
        ([scale, kmeans], lambda pipe: pipe.fit_predict(X)),
    ):
        np.testing.assert_array_equal(method(Pipeline(steps)), method(StockPipeline(steps)))


@pytest.mark.parametrize("step", [None, "passthrough"])
def test_steps_that_pass_through_are_left_out(step, table):
    pipe = Pipeline([("none", step), ("aug", FakeAugmenter()), ("clf", Recorder())]).fit(*table)
    assert len(pipe[-1].y_) > 60
    assert Pipeline([("aug", FakeAugmenter()), ("pca", PCA(2)), ("end", step)]).fit(*table).transform(
        table[0]
    ).shape == (60, 2)


def test_two_augmenters_grow_the_rows_twice(table):
    X, y = table
    pipe = make_pipeline(FakeAugmenter(), FakeAugmenter(ratio=2.0), Recorder()).fit(X, y)
    assert len(pipe[-1].y_) == 4 * np.bincount(y).max()
    assert pipe.predict(X).shape == (60,)


def test_image_stacks_grow_too(table):
    X = table[0][:, :16].reshape(60, 4, 4)
    pipe = make_pipeline(FakeAugmenter(), LogisticRegression()).fit(X, table[1])
    assert pipe.predict(X).shape == (60,)
    assert pipe.n_features_in_ == 16


@pytest.mark.parametrize("sampler", [SMOTE(random_state=0), RandomUnderSampler(random_state=0)])
def test_samplers_of_imbalanced_learn_act_at_fit_only(sampler, table):
    X, y = table
    pipe = make_pipeline(StandardScaler(), sampler, Recorder()).fit(X, y)
    expected = clone(sampler).fit_resample(StandardScaler().fit_transform(X), y)
    np.testing.assert_array_equal(pipe[-1].X_, expected[0])
    np.testing.assert_array_equal(pipe[-1].y_, expected[1])
    assert pipe.predict(X).shape == (60,)
    assert pipe.n_features_in_ == 20


def test_with_samplers_it_agrees_with_the_pipeline_of_imbalanced_learn(table):
    steps = StandardScaler(), SMOTE(random_state=0), PCA(3), LogisticRegression()
    ours, theirs = make_pipeline(*steps).fit(*table), make_imblearn_pipeline(*map(clone, steps)).fit(*table)
    np.testing.assert_array_equal(ours.predict_proba(table[0]), theirs.predict_proba(table[0]))


# Rows preserved


def test_fit_transform_is_fit_then_transform(table):
    def pipe():
        return make_pipeline(FakeAugmenter(random_state=0, noise=1.0), PCA(2, random_state=0))

    np.testing.assert_array_equal(pipe().fit_transform(*table), pipe().fit(*table).transform(table[0]))
    assert pipe().fit_transform(*table).shape == (60, 2)


def test_nested_in_another_pipeline_it_preserves_rows(table):
    inner = make_pipeline(FakeAugmenter(), PCA(2))
    for outer in Pipeline, StockPipeline:
        pipe = outer([("inner", clone(inner)), ("clf", Recorder())]).fit(*table)
        assert pipe[-1].X_.shape == (60, 2)
        np.testing.assert_array_equal(pipe[-1].X_, pipe[0].transform(table[0]))


def test_nested_as_the_last_step_it_adds_rows(table):
    pipe = StockPipeline([("scale", StandardScaler()), ("inner", make_pipeline(FakeAugmenter(), Recorder()))])
    assert len(pipe.fit(*table)[-1][-1].y_) > 60


def test_fit_predict_answers_for_the_rows_given(table):
    pipe = make_pipeline(FakeAugmenter(), KMeans(2, n_init=1, random_state=0))
    labels = clone(pipe).fit_predict(*table)
    np.testing.assert_array_equal(labels, pipe.fit(*table).predict(table[0]))


def test_methods_that_could_not_answer_for_the_rows_given_are_absent():
    assert not hasattr(make_pipeline(FakeAugmenter(), DBSCAN()), "fit_predict")
    assert not hasattr(make_pipeline(FakeAugmenter(), TSNE()), "fit_transform")
    assert not hasattr(augmented(), "fit_transform")
    assert hasattr(make_pipeline(StandardScaler(), DBSCAN()), "fit_predict")


def test_a_last_augmenter_is_fitted_and_transforms(table):
    pipe = make_pipeline(StandardScaler(), FakeAugmenter())
    assert pipe.fit(*table).transform(table[0]).shape == (60, 21)
    assert FakeAugmenter.drawn == []


# Metadata


def test_synthetic_rows_weigh_the_mean_of_their_class(table):
    X, y = table
    weight = np.arange(60.0)
    fitted = augmented(Recorder()).fit(X, y, clf__sample_weight=weight)[-1]
    means = np.array([weight[y == label].mean() for label in (0, 1)])
    np.testing.assert_array_equal(fitted.sample_weight_[:60], weight)
    np.testing.assert_allclose(fitted.sample_weight_[60:], means[fitted.y_[60:]])


def test_weights_grow_through_two_augmenters_and_reach_steps_between(table):
    X, y = table
    pipe = Pipeline(
        [
            ("before", WeightedScaler()),
            ("one", FakeAugmenter()),
            ("between", WeightedScaler()),
            ("two", FakeAugmenter(ratio=2.0)),
            ("clf", Recorder()),
        ]
    )
    weight = np.where(y == 1, 5.0, 3.0)
    pipe.fit(X, y, **{f"{name}__sample_weight": weight for name in ("before", "between", "clf")})
    np.testing.assert_array_equal(pipe["before"].sample_weight_, weight)
    n_balanced = 2 * np.bincount(y).max()
    assert len(pipe["between"].sample_weight_) == n_balanced
    np.testing.assert_array_equal(pipe[-1].sample_weight_, np.where(pipe[-1].y_ == 1, 5.0, 3.0))
    assert len(pipe[-1].sample_weight_) == 2 * n_balanced


@config_context(enable_metadata_routing=True)
def test_weights_and_unlabeled_rows_by_metadata_routing(table):
    X, y = table
    pipe = make_pipeline(
        WeightedScaler().set_fit_request(sample_weight=False),
        FakeAugmenter().set_fit_request(X_unlabeled=True),
        Recorder().set_fit_request(sample_weight=True, groups=False),
    )
    pipe.fit(X, y, sample_weight=np.full(60, 2.0), X_unlabeled=X[:7])
    np.testing.assert_array_equal(pipe[-1].sample_weight_, np.full(len(pipe[-1].y_), 2.0))
    np.testing.assert_array_equal(FakeAugmenter.seen_unlabeled[0], X[:7])
    accuracy = get_scorer("accuracy").set_score_request(sample_weight=True)
    cross_validate(pipe, X, y, cv=3, scoring=accuracy, params={"sample_weight": np.ones(60), "X_unlabeled": X[:7]})
    np.testing.assert_array_equal(FakeAugmenter.seen_unlabeled[-1], X[:7])


@config_context(enable_metadata_routing=True)
def test_without_metadata_routing_has_nothing_to_do(table):
    for step in FakeAugmenter(), SMOTE(random_state=0):
        assert make_pipeline(StandardScaler(), step, Recorder()).fit(*table).predict(table[0]).shape == (60,)


@config_context(enable_metadata_routing=True)
def test_unlabeled_rows_that_nobody_asked_for_are_refused(table):
    with pytest.raises(UnsetMetadataPassedError, match="X_unlabeled"):
        augmented().fit(*table, X_unlabeled=table[0])


@config_context(enable_metadata_routing=True)
def test_unlabeled_rows_pass_the_steps_ahead_where_transform_input_says_so(table):
    X, y = table
    for transform_input, factor in ((None, 1), (["X_unlabeled"], 2)):
        steps = [("twice", WeightedScaler()), ("aug", FakeAugmenter().set_fit_request(X_unlabeled=True))]
        pipe = Pipeline([*steps, ("clf", Recorder())], transform_input=transform_input)
        pipe.fit(X, y, X_unlabeled=X)
        np.testing.assert_array_equal(FakeAugmenter.seen_unlabeled[-1], factor * X)


@config_context(enable_metadata_routing=True)
def test_fit_transform_hands_metadata_to_fit(table):
    X, y = table
    pipe = make_pipeline(FakeAugmenter().set_fit_request(X_unlabeled=True), PCA(2))
    outer = make_pipeline(pipe, LogisticRegression())
    for model in (pipe.fit_transform, outer.fit):
        model(X, y, X_unlabeled=X[:4])
        np.testing.assert_array_equal(FakeAugmenter.seen_unlabeled[-1], X[:4])


def test_unlabeled_rows_without_metadata_routing(table):
    X, y = table
    augmented().fit(X, y, aug__X_unlabeled=X[:7])
    np.testing.assert_array_equal(FakeAugmenter.seen_unlabeled[0], X[:7])


def test_cross_validate_slices_unlabeled_rows_as_long_as_the_labelled_ones(table):
    X, y = table
    cross_validate(augmented(), X, y, cv=3, params={"aug__X_unlabeled": X})
    cross_validate(augmented(), X, y, cv=3, params={"aug__X_unlabeled": X[:59]})
    assert [len(rows) for rows in FakeAugmenter.seen_unlabeled] == [40, 40, 40, 59, 59, 59]


def test_other_metadata_of_one_value_a_row_is_refused_behind_the_augmenter(table):
    with pytest.raises(ValueError, match=r"'groups' of step 'clf'.*60 rows.*'aug' adds synthetic rows.*Leave out"):
        augmented(Recorder()).fit(*table, clf__groups=np.arange(60))
    fitted = augmented(Recorder()).fit(*table, clf__groups="one name for all the rows")[-1]
    assert fitted.groups_ == "one name for all the rows"


@pytest.mark.parametrize("n", [59, 96])
def test_weights_of_a_wrong_length_are_refused(n, table):
    with pytest.raises(ValueError, match=rf"one weight per row, shape \(60,\); got shape \({n},\)"):
        augmented(Recorder()).fit(*table, clf__sample_weight=np.ones(n))


def test_no_weights_and_one_weight_for_all_pass(table):
    for weight in None, 2.0:
        assert augmented(Recorder()).fit(*table, clf__sample_weight=weight)[-1].sample_weight_ == weight


def test_rows_that_a_sampler_copied_keep_their_weights_and_groups(table):
    X, y = table
    rows = np.arange(60.0)
    for sampler in RandomOverSampler(random_state=0), RandomUnderSampler(random_state=0):
        pipe = Pipeline([("sample", sampler), ("clf", Recorder())])
        fitted = pipe.fit(X, y, clf__sample_weight=rows, clf__groups=rows)[-1]
        np.testing.assert_array_equal(X[fitted.groups_.astype(int)], fitted.X_)
        np.testing.assert_array_equal(fitted.sample_weight_, fitted.groups_)


@pytest.mark.parametrize("form", [np.asarray, pd.DataFrame, sparse.csr_array])
def test_rows_that_smote_made_weigh_the_mean_of_their_class(form, table):
    X, y = table
    pipe = Pipeline([("smote", SMOTE(random_state=0)), ("clf", Recorder())])
    fitted = pipe.fit(form(X), y, clf__sample_weight=np.where(y == 1, 5.0, 3.0))[-1]
    np.testing.assert_array_equal(fitted.sample_weight_, np.where(fitted.y_ == 1, 5.0, 3.0))


def test_weights_behind_a_sampler_that_moves_rows_are_refused(table):
    pipe = Pipeline([("mix", SMOTEENN(random_state=0)), ("clf", Recorder())])
    with pytest.raises(ValueError, match=r"'sample_weight' of step 'clf'.*step 'mix' mixes real rows"):
        pipe.fit(*table, clf__sample_weight=np.ones(60))


# Within scikit-learn


def test_clones_and_is_a_classifier(table):
    pipe = clone(augmented(SVC(C=3), ratio=2.0))
    assert type(pipe) is Pipeline
    assert is_classifier(pipe)
    assert (pipe.get_params()["aug__ratio"], pipe.get_params()["clf__C"]) == (2.0, 3)
    assert pipe.fit(*table).classes_.tolist() == [0, 1]


def test_grid_search_over_both_steps(table):
    grid = {"aug__ratio": [1.0, 2.0], "clf__C": [0.1, 1.0]}
    search = GridSearchCV(augmented(), grid, cv=2).fit(*table)
    assert set(search.best_params_) == set(grid)
    assert search.predict(table[0]).shape == (60,)


def test_cross_validate_scores_real_rows(table):
    scores = cross_validate(augmented(Recorder()), *table, cv=3, return_train_score=True, return_estimator=True)
    assert np.all(scores["train_score"] > 0.5)
    assert [len(pipe[-1].scored_) for pipe in scores["estimator"]] == [40, 40, 40]  # the train score is last


@pytest.mark.parametrize("ensemble", [True, False])
def test_calibration(ensemble, table):
    calibrated = CalibratedClassifierCV(augmented(SVC()), cv=3, ensemble=ensemble).fit(*table)
    np.testing.assert_allclose(calibrated.predict_proba(table[0]).sum(axis=1), 1)


def test_memory_saves_the_second_fit_and_changes_nothing(table, tmp_path):
    X, y = table
    weight = np.arange(60.0)
    plain = augmented(Recorder(), noise=1.0, random_state=0).fit(X, y, clf__sample_weight=weight)
    cached = clone(plain).set_params(memory=str(tmp_path))
    for n_fits in (2, 2):  # one of the plain pipeline, one of the first cached
        fitted = clone(cached).fit(X, y, clf__sample_weight=weight)
        assert len(FakeAugmenter.seen) == n_fits
        np.testing.assert_array_equal(fitted[-1].X_, plain[-1].X_)
        np.testing.assert_array_equal(fitted[-1].y_, plain[-1].y_)
        np.testing.assert_array_equal(fitted[-1].sample_weight_, plain[-1].sample_weight_)
        np.testing.assert_array_equal(fitted[:-1].transform(X), plain[:-1].transform(X))
    clone(cached).set_params(aug__noise=2.0).fit(X, y)
    assert len(FakeAugmenter.seen) == 3


def test_memory_leaves_the_steps_given_unfitted(table, tmp_path):
    augmenter = FakeAugmenter()
    Pipeline([("aug", augmenter), ("clf", SVC())], memory=str(tmp_path)).fit(*table)
    assert not hasattr(augmenter, "classes_")


def test_set_output_gives_the_classifier_frames(table):
    frame = pd.DataFrame(table[0]).add_prefix("f")
    pipe = augmented(Recorder()).set_output(transform="pandas").fit(frame, pd.Series(table[1]))
    assert pipe[-1].X_.columns.tolist() == [*frame.columns, "sum"]
    assert pipe.feature_names_in_.tolist() == frame.columns.tolist()
    assert pipe[:-1].transform(frame).columns.tolist() == [*frame.columns, "sum"]
    assert pipe[:-1].get_feature_names_out().tolist() == [*frame.columns, "sum"]


def test_set_output_passes_samplers(table):
    frame = pd.DataFrame(table[0]).add_prefix("f")
    pipe = make_pipeline(StandardScaler(), SMOTE(random_state=0), PCA(2)).set_output(transform="pandas")
    assert pipe.fit(frame, table[1]).transform(frame).columns.tolist() == ["pca0", "pca1"]
    assert pipe.get_feature_names_out().tolist() == ["pca0", "pca1"]


def test_slices_are_pipelines_of_the_same_kind(table):
    pipe = augmented().fit(*table)
    assert type(pipe[:-1]) is Pipeline
    assert pipe[:-1].transform(table[0]).shape == (60, 21)
    assert type(pipe["aug"]) is FakeAugmenter


def test_tags_come_from_the_steps():
    tags = augmented().__sklearn_tags__()
    assert tags.estimator_type == "classifier"
    assert not tags.input_tags.sparse
    assert make_pipeline(SMOTE(), SVC()).__sklearn_tags__().input_tags.sparse


def test_html_display_names_the_steps():
    html = augmented()._repr_html_()
    assert "FakeAugmenter" in html
    assert "LogisticRegression" in html
    assert "SMOTE" in make_pipeline(SMOTE(), SVC())._repr_html_()


def test_unfitted_predict_says_so(table):
    with pytest.raises(NotFittedError, match="not fitted"):
        augmented().predict(table[0])


def test_verbose_tells_each_step(table, capsys):
    augmented().set_params(verbose=True).fit(*table)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(")")[0][-11:] for line in lines] == ["step 1 of 3", "step 2 of 3", "step 3 of 3"]


def test_make_pipeline_names_steps_and_passes_options():
    pipe = make_pipeline(FakeAugmenter(), SVC(), memory="here", transform_input=["X_val"], verbose=True)
    assert type(pipe) is Pipeline
    assert [name for name, _ in pipe.steps] == ["fakeaugmenter", "svc"]
    assert (pipe.memory, pipe.transform_input, pipe.verbose) == ("here", ["X_val"], True)


class EventLog:
    """A callback of scikit-learn 1.9 that notes the tasks it sees."""

    def __init__(self):
        self.events = []

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context, **_):
        self.events.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, **_):
        self.events.append(f"end {context.task_name}")


def test_callbacks_see_the_tasks_that_the_stock_pipeline_has(table):
    def events(pipeline):
        log, pipe = EventLog(), pipeline([("aug", FakeAugmenter()), ("clf", SVC())])
        if hasattr(pipe, "set_callbacks"):  # from scikit-learn 1.9
            pipe.set_callbacks(log)
        pipe.fit(*table)
        return log.events

    assert events(Pipeline) == events(StockPipeline)


# Leaks


def test_neither_gan_nor_classifier_ever_sees_a_test_row():
    X = np.arange(60.0)[:, None] * [1.0, 1000.0]  # every row carries its own number
    y = np.tile([0, 0, 1], 20)
    folds = [(np.setdiff1d(np.arange(60), test), test) for test in np.arange(60).reshape(4, 15)]
    pipe = Pipeline([("aug", FakeAugmenter(ratio=2.0)), ("clf", Recorder())])
    scores = cross_validate(pipe, X, y, cv=folds, return_estimator=True)
    for (train, test), seen, fitted in zip(folds, FakeAugmenter.seen, scores["estimator"], strict=True):
        np.testing.assert_array_equal(seen, X[train])
        classifier = fitted[-1]
        np.testing.assert_array_equal(classifier.X_[: len(train), 0], X[train, 0])
        train_means = [X[train][y[train] == label, 0].mean() for label in (0, 1)]
        assert set(classifier.X_[len(train) :, 0]) <= set(np.float32(train_means))
        np.testing.assert_array_equal(classifier.scored_[:, 0], X[test, 0])


# Bad input


def test_rows_cannot_be_added_without_labels(table):
    with pytest.raises(ValueError, match="Step 'aug' adds labelled rows and needs y; got y=None"):
        augmented().fit(table[0])


def test_transform_input_without_metadata_routing_is_refused(table):
    with pytest.raises(ValueError, match="`transform_input` parameter can only be set"):
        augmented().set_params(transform_input=["X_unlabeled"]).fit(*table)


def test_a_pipeline_that_ends_in_a_sampler_is_no_step(table):
    inner = make_imblearn_pipeline(StandardScaler(), SMOTE())
    with pytest.raises(TypeError, match=r"Step 'inner' is a pipeline that ends in a sampler.*one by one"):
        Pipeline([("inner", inner), ("clf", SVC())]).fit(*table)


def test_steps_that_neither_transform_nor_resample_are_refused(table):
    with pytest.raises(TypeError, match="should be transformers"):
        Pipeline([("aug", FakeAugmenter()), ("svc", SVC()), ("clf", SVC())]).fit(*table)


@pytest.mark.parametrize("steps", [[SVC()], [("a", StandardScaler()), SVC()], []])
def test_malformed_steps_fail_as_in_scikit_learn(steps, table):
    def outcome(pipeline):
        try:
            hasattr(pipeline(steps), "fit_transform")
            pipeline(steps).fit(*table)
        except Exception as error:
            return type(error), str(error)

    assert outcome(Pipeline) == outcome(StockPipeline) is not None


def test_parameters_of_no_step_are_refused(table):
    with pytest.raises(ValueError, match=r"does not accept the sample_weight parameter"):
        augmented().fit(*table, sample_weight=np.ones(60))


# With the real augmenter


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    return rng.integers(0, 255, (30, 8, 8), dtype=np.uint8), np.repeat([0, 1], [20, 10])


@pytest.mark.filterwarnings("ignore:Rows that were added start")
def test_gan_rows_train_the_classifier_of_images(images):
    X, y = images
    pipe = Pipeline([("aug", tiny()), ("clf", Recorder())]).fit(X, y)
    np.testing.assert_array_equal(pipe[-1].X_[:30], pipe[:-1].transform(X))
    assert np.bincount(pipe[-1].y_).tolist() == [40, 40]
    alone = tiny()
    X_res, y_res = alone.fit_resample(X, y)
    np.testing.assert_array_equal(pipe[-1].X_, alone.training_columns(X, y, X_res[30:], y_res[30:]))
    np.testing.assert_array_equal(pipe[-1].y_, y_res)
    is_moved = (alone.transform(X_res) == pipe[-1].X_).all(1)
    assert is_moved[:30].all()
    assert is_moved[30:].mean() == 0.5  # the others are drawn among the columns


@pytest.mark.filterwarnings("ignore:Rows that were added start")
def test_rows_that_an_augmenter_reorders_keep_their_labels(images):
    class Reversing(GANAugmenter):
        def fit_resample(self, X, y):
            X_res, y_res = super().fit_resample(X, y)
            return X_res[::-1], y_res[::-1]

    X, y = images
    pipe = Pipeline([("aug", Reversing(**tiny().get_params())), ("clf", Recorder())]).fit(X, y)
    np.testing.assert_array_equal(pipe[-1].X_[-30:], pipe[:-1].transform(X)[::-1])
    np.testing.assert_array_equal(pipe[-1].y_[-30:], y[::-1])


@pytest.mark.slow
def test_gan_searched_validated_and_calibrated(images):
    X, y = images
    pipe = Pipeline([("aug", tiny()), ("clf", SVC())])
    grid = {"aug__ratio": [1.0, 2.0], "aug__representation": ["both", "pixels"], "clf__C": [0.1, 1.0]}
    assert set(GridSearchCV(pipe, grid, cv=2).fit(X, y).best_params_) == set(grid)
    assert "train_score" in cross_validate(pipe, X, y, cv=2, return_train_score=True)
    assert CalibratedClassifierCV(pipe, cv=2).fit(X, y).predict_proba(X).shape == (30, 2)


def test_gan_learns_from_unlabeled_images_too(images):
    X, y = images
    pipe = Pipeline([("aug", tiny()), ("clf", SVC())])
    with_unlabeled = clone(pipe).fit(X, y, aug__X_unlabeled=255 - X[:20])
    without = clone(pipe).fit(X, y)
    assert not np.array_equal(with_unlabeled.decision_function(X), without.decision_function(X))


@config_context(enable_metadata_routing=True)
def test_gan_gets_routed_metadata(images):
    X, y = images
    pipe = make_pipeline(
        tiny().set_fit_request(X_unlabeled=True), Recorder().set_fit_request(sample_weight=True, groups=False)
    )
    pipe.fit(X, y, X_unlabeled=X[:9], sample_weight=np.where(y == 1, 5.0, 3.0))
    np.testing.assert_array_equal(pipe[-1].sample_weight_, np.where(pipe[-1].y_ == 1, 5.0, 3.0))


def test_gan_from_the_cache_equals_the_gan_itself(images, tmp_path):
    X, y = images
    plain = Pipeline([("aug", tiny()), ("clf", SVC())]).fit(X, y)
    cached = clone(plain).set_params(memory=str(tmp_path))
    for _ in range(2):
        fitted = clone(cached).fit(X, y)
        np.testing.assert_array_equal(fitted.decision_function(X), plain.decision_function(X))
    assert fitted["aug"].n_iter_ == 2


def test_fitted_gan_survives_pickling(images):
    X, y = images
    pipe = Pipeline([("aug", tiny()), ("clf", SVC())]).fit(X, y)
    copied = pickle.loads(pickle.dumps(pipe))
    np.testing.assert_array_equal(copied.decision_function(X), pipe.decision_function(X))


def test_gan_columns_have_names_in_frames(table):
    frame = pd.DataFrame(table[0]).add_prefix("f")
    pipe = make_pipeline(tiny(), Recorder()).set_output(transform="pandas").fit(frame, pd.Series(table[1]))
    assert pipe[-1].X_.columns.tolist() == pipe[:-1].get_feature_names_out().tolist()
    assert pipe[-1].X_.columns[:20].tolist() == frame.columns.tolist()


def test_gan_in_a_nested_pipeline_preserves_rows(images):
    X, y = images
    inner = make_pipeline(tiny(), PCA(2, random_state=0))
    np.testing.assert_allclose(clone(inner).fit_transform(X, y), inner.fit(X, y).transform(X), atol=1e-6)
    assert StockPipeline([("inner", inner), ("clf", SVC())]).fit(X, y)[-1].shape_fit_ == (30, 2)


@pytest.mark.slow
def test_two_processes_agree_with_one(table):
    models = [
        Pipeline([("aug", tiny()), ("clf", LogisticRegression())]),
        AugmentedClassifier(LogisticRegression(), tiny(), random_state=0),
    ]
    validate = [delayed(cross_val_score)(model, *table, cv=2) for model in models]
    np.testing.assert_array_equal(Parallel(n_jobs=1)(validate), Parallel(n_jobs=2)(validate))


def test_gan_trains_on_training_folds_only():
    """Rows of the test fold are so far off that one of them alone would shift what is sampled."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), np.tile([0, 1], 20)
    test = np.arange(10)
    X[test] += 1e6
    pipe = Pipeline([("aug", tiny(representation="pixels")), ("clf", Recorder())])
    folds = [(np.arange(10, 40), test)]
    fitted = cross_validate(pipe, X, y, cv=folds, return_estimator=True)["estimator"][0][-1]
    assert len(fitted.X_) == 60
    assert np.abs(fitted.X_).max() < 100
