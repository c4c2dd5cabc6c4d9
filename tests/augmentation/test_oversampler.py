import importlib
import inspect
import sys
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import Pipeline as ImblearnPipeline
from imblearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_param_validation,
    estimator_checks_generator,
)
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.preprocessing import StandardScaler

from sklearn_medgan import GANAugmenter, GANOverSampler, Pipeline


def tiny(**params):
    return GANOverSampler(**{"max_iter": 2, "width": 4, "latent_dim": 4, "batch_size": 8, "random_state": 0, **params})


@pytest.fixture
def table():
    return make_classification(60, weights=[0.8], random_state=0)


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    return rng.integers(0, 255, (30, 8, 8), dtype=np.uint8), np.repeat([0, 1], [20, 10])


# parametrize_with_checks hands pytest this generator as it is, which pytest 9 deprecates.
@pytest.mark.parametrize(
    ("sampler", "check"), list(estimator_checks_generator(tiny())), ids=lambda value: getattr(value, "func", value)
)
def test_checks_of_imbalanced_learn(sampler, check):
    check(sampler)


# Those that imbalanced-learn runs on its own samplers beside its generated ones.
@pytest.mark.parametrize("check", [check_param_validation, check_dataframe_column_names_consistency])
def test_further_checks_of_imbalanced_learn(check):
    check("GANOverSampler", tiny())


def test_parameters_and_defaults_are_those_of_the_augmenter():
    ours = inspect.signature(GANOverSampler).parameters
    theirs = inspect.signature(GANAugmenter).parameters
    columns = {"representation", "backbone", "cache_size_mb", "n_patches", "score_weight", "pretrained"}
    assert set(theirs) - set(ours) <= columns | {"warm_start", "checkpoint_dir"}
    assert set(ours) <= set(theirs)
    differing = {name for name in ours if ours[name].default != theirs[name].default}
    assert differing == {"ratio"}
    assert ours["ratio"].default == 1.0
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in ours.values())


def test_real_rows_come_first_untouched_then_the_small_class_rises(table):
    X, y = table
    sampler = tiny()
    X_res, y_res = sampler.fit_resample(X, y)
    np.testing.assert_array_equal(X_res[:60], X)
    np.testing.assert_array_equal(y_res[:60], y)
    n_large, n_small = np.bincount(y)
    assert Counter(y_res.tolist()) == {0: n_large, 1: n_large}
    assert sampler.sampling_strategy_ == {1: n_large - n_small}
    assert isinstance(sampler.augmenter_, GANAugmenter)


def test_images_are_those_of_the_gan_unless_asked_otherwise(images):
    X, y = images
    X_res, _ = tiny(augment=None).fit_resample(X, y)
    expected, _ = tiny(augment=None, resampling="mixed").fit_resample(X.reshape(30, 8, 8), y)
    np.testing.assert_array_equal(X_res, expected)
    flat = tiny(augment=None, image_shape=(8, 8)).fit_resample(X.reshape(30, 64), y)[0]
    np.testing.assert_array_equal(flat, expected.reshape(len(flat), 64))
    other, _ = tiny(augment=None, resampling="classical").fit_resample(X, y)
    assert not np.array_equal(other[30:], expected[30:])


def test_adds_as_many_rows_as_any_sampler_of_imbalanced_learn(table):
    for strategy in ("minority", "all", {1: 40}, 0.9, lambda y: {0: 70}):
        ours, theirs = tiny(sampling_strategy=strategy), RandomOverSampler(sampling_strategy=strategy)
        assert Counter(ours.fit_resample(*table)[1]) == Counter(theirs.fit_resample(*table)[1])
        assert ours.sampling_strategy_ == theirs.sampling_strategy_


def test_ratio_lifts_the_largest_class_too(table):
    sampler = tiny(ratio=2.0)
    n_large, n_small = np.bincount(table[1])
    assert Counter(sampler.fit_resample(*table)[1].tolist()) == {0: 2 * n_large, 1: 2 * n_large}
    assert sampler.sampling_strategy_ == {0: n_large, 1: 2 * n_large - n_small}


@pytest.mark.parametrize(
    "form", [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array, sparse.csc_array], ids=lambda form: form.__name__
)
def test_sparse_rows_come_back_in_their_format(form, table):
    X, y = table
    X_res, y_res = tiny().fit_resample(form(X), y)
    assert type(X_res) is form
    dense, y_dense = tiny().fit_resample(X, y)
    np.testing.assert_array_equal(y_res, y_dense)
    np.testing.assert_allclose(X_res.toarray(), dense, rtol=1e-5, atol=1e-6)


def test_frames_keep_their_columns(table):
    frame = pd.DataFrame(table[0], columns=[f"f{i}" for i in range(20)])
    sampler = tiny()
    X_res, y_res = sampler.fit_resample(frame, pd.Series(table[1], name="diagnosis"))
    assert X_res.columns.tolist() == frame.columns.tolist() == sampler.feature_names_in_.tolist()
    assert y_res.name == "diagnosis"


@pytest.mark.parametrize("channels", [None, 1, 3])
def test_image_stacks_stay_stacks(channels, images):
    X, y = images
    X = X if channels is None else np.repeat(X[..., None], channels, axis=-1)
    sampler = tiny()
    X_res, y_res = sampler.fit_resample(X, y)
    assert X_res.shape == (40, *X.shape[1:])
    assert X_res.dtype == np.uint8
    np.testing.assert_array_equal(X_res[:30], X)
    assert Counter(y_res.tolist()) == {0: 20, 1: 20}
    assert sampler.n_features_in_ == 64 * (channels or 1)


def test_flat_images_and_lists_of_images(images):
    X, y = images
    X_res, _ = tiny(image_shape=(8, 8)).fit_resample(X.reshape(30, 64), y)
    assert X_res.shape == (40, 64)
    X_list, y_list = tiny().fit_resample(X.tolist(), y.tolist())
    assert isinstance(X_list, list)
    assert np.shape(X_list) == (40, 8, 8)
    assert len(y_list) == 40


def test_names_of_an_earlier_frame_are_forgotten(images, table):
    sampler = tiny()
    sampler.fit(pd.DataFrame(table[0]).add_prefix("f"), table[1])
    sampler.fit_resample(*images)
    assert not hasattr(sampler, "feature_names_in_")


def test_random_state_decides_the_rows(table):
    np.testing.assert_array_equal(tiny().fit_resample(*table)[0], tiny().fit_resample(*table)[0])
    other = tiny(random_state=1).fit_resample(*table)[0]
    assert not np.array_equal(other, tiny().fit_resample(*table)[0])


def test_in_pipelines_it_acts_at_fit_only(table):
    X, y = table
    for pipeline in ImblearnPipeline, Pipeline:
        pipe = pipeline([("scale", StandardScaler()), ("aug", tiny()), ("clf", LogisticRegression())])
        assert pipe.fit(X, y).predict(X).shape == (60,)
        assert pipe[-1].n_features_in_ == 20
    assert not hasattr(tiny(), "transform")


def test_cross_validation_and_grid_search(table):
    pipe = ImblearnPipeline([("aug", tiny()), ("clf", LogisticRegression())])
    scores = cross_validate(clone(pipe), *table, cv=2, return_train_score=True)
    assert np.all(scores["train_score"] > 0.5)
    search = GridSearchCV(pipe, {"aug__ratio": [1.0, 2.0], "clf__C": [1.0]}, cv=2).fit(*table)
    assert search.best_params_["aug__ratio"] in (1.0, 2.0)


def test_without_imbalanced_learn_the_error_names_the_extra(monkeypatch):
    for name in ("imblearn", "imblearn.over_sampling", "imblearn.over_sampling.base"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "sklearn_medgan.augmentation._oversampler")
    with pytest.raises(ImportError, match=r'pip install "sklearn-medgan\[imblearn\]"'):
        importlib.import_module("sklearn_medgan.augmentation._oversampler")


# Bad input


def test_labels_and_rows_must_match(images):
    X, y = images
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        tiny().fit_resample(X, y[:-1])


def test_ragged_rows_are_refused():
    with pytest.raises(ValueError, match="ragged"):
        tiny().fit_resample([[1.0, 2.0], [3.0], [4.0, 5.0]], [0, 0, 1])


@pytest.mark.parametrize("params", [{"ratio": -1.0}, {"sampling_strategy": "majority"}, {"max_iter": 0}])
def test_bad_parameters_are_named(params, table):
    with pytest.raises(ValueError, match=f"The '{next(iter(params))}' parameter of GANOverSampler"):
        tiny(**params).fit_resample(*table)


def test_a_count_below_what_is_there_is_refused(table):
    with pytest.raises(ValueError, match="over-sampling methods"):
        tiny(sampling_strategy={1: 2}).fit_resample(*table)
