"""scikit-learn's own checks, all of them, and those that `parametrize_with_checks` leaves out."""

import pytest
from fakes import FakeAugmenter
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_medgan import AugmentedClassifier, GANAugmenter, GANEnhancer, Pipeline

TINY = {"max_iter": 2, "batch_size": 8, "width": 4, "random_state": 0}
AUGMENTERS = [
    GANAugmenter(**TINY, latent_dim=4, representation=representation)
    for representation in ("auto", "features", "pixels")
]
CLASSIFIERS = [
    AugmentedClassifier(LogisticRegression(), FakeAugmenter(noise=0.1)),
    AugmentedClassifier(RidgeClassifier(), FakeAugmenter(noise=0.1), dose="cv"),  # many fits: in closed form
    AugmentedClassifier(KNeighborsClassifier(3), FakeAugmenter(noise=0.1), dose=0.5, random_state=0),
    AugmentedClassifier(LogisticRegression(), FakeAugmenter(), dose=0.5, synthetic_weight=0.1),
    AugmentedClassifier(LogisticRegression(), AUGMENTERS[0], dose=0.5, random_state=0),
    AugmentedClassifier(LogisticRegression(), AUGMENTERS[2], synthetic_weight=0.1),
]
PIPELINES = [
    Pipeline([("scale", StandardScaler()), ("aug", augmenter), ("clf", LogisticRegression())])
    for augmenter in (FakeAugmenter(), AUGMENTERS[0])
]
# Two steps teach nothing: the guard says so, and falls back.
untrained = pytest.mark.filterwarnings("ignore:GANEnhancer (would do harm|is no better)")

# Checks that `parametrize_with_checks` does not yield; each takes (name, estimator).
LEFT_OUT = [
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_global_output_transform_pandas",
    "check_global_set_output_transform_polars",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
    "check_param_validation",
    "check_dataframe_column_names_consistency",
]


def failures_of_every_pipeline(estimator):
    """Those that scikit-learn expects of its own Pipeline, by its words."""
    if not isinstance(estimator, Pipeline):
        return {}
    reason = "Pipeline fits the estimators in `steps` themselves, as scikit-learn's does"
    return dict.fromkeys(["check_dont_overwrite_parameters", "check_estimators_overwrite_params"], reason)


@untrained
@parametrize_with_checks(
    [*AUGMENTERS, GANEnhancer(**TINY), GANEnhancer(**TINY, guard=False), *CLASSIFIERS, *PIPELINES],
    expected_failed_checks=failures_of_every_pipeline,
)
def test_scikit_learn_check(estimator, check):
    check(estimator)


# The checks of set_output cross frames with arrays between fit and transform, and scikit-learn itself warns of that.
@untrained
@pytest.mark.filterwarnings("ignore:X .*feature names, but GAN(Augmenter|Enhancer) was fitted with")
@pytest.mark.parametrize("name", LEFT_OUT)
@pytest.mark.parametrize("estimator", [AUGMENTERS[0], GANEnhancer(**TINY), GANEnhancer(**TINY, guard=False)], ids=str)
def test_check_left_out_by_scikit_learn(name, estimator):
    getattr(estimator_checks, name)(type(estimator).__name__, estimator)


@pytest.mark.parametrize("name", ["check_param_validation", "check_dataframe_column_names_consistency"])
def test_check_of_a_classifier_left_out_by_scikit_learn(name):
    getattr(estimator_checks, name)("AugmentedClassifier", CLASSIFIERS[3])
