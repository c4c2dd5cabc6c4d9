"""scikit-learn's own checks, all of them, and those that `parametrize_with_checks` leaves out."""

import pytest
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_medgan import GANAugmenter, GANEnhancer

TINY = {"max_iter": 2, "batch_size": 8, "width": 4, "random_state": 0}
AUGMENTERS = [
    GANAugmenter(**TINY, latent_dim=4, representation=representation)
    for representation in ("both", "features", "pixels")
]
# Two steps teach nothing: the guard says so, and falls back.
untrained = pytest.mark.filterwarnings("ignore:GANEnhancer would do harm")

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


@untrained
@parametrize_with_checks([*AUGMENTERS, GANEnhancer(**TINY), GANEnhancer(**TINY, guard=False)])
def test_scikit_learn_check(estimator, check):
    check(estimator)


# The checks of set_output cross frames with arrays between fit and transform, and scikit-learn itself warns of that.
@untrained
@pytest.mark.filterwarnings("ignore:X .*feature names, but GAN(Augmenter|Enhancer) was fitted with")
@pytest.mark.parametrize("name", LEFT_OUT)
@pytest.mark.parametrize("estimator", [AUGMENTERS[0], GANEnhancer(**TINY), GANEnhancer(**TINY, guard=False)], ids=str)
def test_check_left_out_by_scikit_learn(name, estimator):
    getattr(estimator_checks, name)(type(estimator).__name__, estimator)
