"""The fitted model is found in what holds it, or the error says what was expected."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline as StockPipeline
from sklearn.svm import SVC
from tiny import flat_classes, gan

from sklearn_medgan import AugmentedClassifier, GANEnhancer, Pipeline, make_pipeline
from sklearn_medgan.plotting import EnhancementDisplay, SampleGridDisplay, TrainingHistoryDisplay


@pytest.mark.parametrize(
    "wrap",
    [
        lambda: StockPipeline([("aug", gan()), ("clf", SVC())]),
        lambda: Pipeline([("aug", gan()), ("clf", SVC())]),
        lambda: make_pipeline(AugmentedClassifier(SVC(), gan())),
    ],
)
def test_the_augmenter_is_found_inside_what_holds_it(wrap):
    X, y = flat_classes()
    estimator = wrap().fit(X, y)
    assert SampleGridDisplay.from_estimator(estimator, n_per_class=1).synthetic.shape == (2, 1, 8, 8, 1)
    assert TrainingHistoryDisplay.from_estimator(estimator).history["step"] == [2]


def test_over_sampler_holds_one_too():
    pytest.importorskip("imblearn")
    from sklearn_medgan import GANOverSampler

    X, y = flat_classes()
    sampler = GANOverSampler(max_iter=2, width=4, latent_dim=4, batch_size=8, random_state=0)
    sampler.fit_resample(X[:-2], y[:-2])
    assert TrainingHistoryDisplay.from_estimator(sampler).history["step"] == [2]


@pytest.mark.parametrize("display", [TrainingHistoryDisplay, SampleGridDisplay])
def test_what_holds_no_fitted_augmenter_is_refused(display):
    with pytest.raises(TypeError, match=r"Expected a GANAugmenter.*SVC"):
        display.from_estimator(SVC())
    with pytest.raises(TypeError, match="holds one"):
        display.from_estimator(make_pipeline(SVC()))
    with pytest.raises(NotFittedError):
        display.from_estimator(gan())


def test_the_enhancer_is_found_in_a_pipeline(restored):
    enhancer, poor, _ = restored
    pipe = StockPipeline([("enhance", enhancer), ("again", "passthrough")])
    assert np.array_equal(
        EnhancementDisplay.from_estimator(pipe, poor).enhanced,
        EnhancementDisplay.from_estimator(enhancer, poor).enhanced,
    )


def test_what_holds_no_fitted_enhancer_of_images_is_refused(fitted):
    X = np.zeros((2, 16, 16))
    with pytest.raises(TypeError, match=r"Expected a GANEnhancer.*SVC"):
        EnhancementDisplay.from_estimator(SVC(), X)
    with pytest.raises(TypeError, match="Expected a GANEnhancer"):
        EnhancementDisplay.from_estimator(fitted[0], X)
    with pytest.raises(NotFittedError):
        EnhancementDisplay.from_estimator(GANEnhancer(), X)
    rows = np.random.default_rng(0).normal(size=(20, 3))
    table = GANEnhancer(max_iter=2, guard=False, random_state=0).fit(rows)
    with pytest.raises(ValueError, match=r"fitted on a table\. Fit image stacks"):
        EnhancementDisplay.from_estimator(table, rows)
