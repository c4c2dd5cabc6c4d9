"""Enhancement arms: the same poor images for every treatment, one enhancer a degradation, training rows only."""

import base64
import io
import re
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression

from sklearn_medgan.benchmark import diagnostic_benchmark, enhancement_arms
from sklearn_medgan.benchmark._arms import Fold
from sklearn_medgan.benchmark._enhancement_arms import DEGRADED, Poor, SharedEnhancement
from sklearn_medgan.enhancement import _guard
from sklearn_medgan.plotting import IntervalDisplay

LOGISTIC = {"logistic": LogisticRegression()}
QUICK = {"seeds": 0, "n_splits": 2}


class Averager(TransformerMixin, BaseEstimator):
    """Stands in for an enhancer: every image becomes the mean image of training; logs what it is fitted on."""

    fits: ClassVar[list] = []

    def __init__(self, degradation=None):
        self.degradation = degradation

    def fit(self, X, y=None):
        self.fits.append(np.asarray(X))
        self.mean_ = np.mean(X, axis=0)
        return self

    def transform(self, X):
        return np.repeat(self.mean_[None], len(X), axis=0)

    def uncertainty(self, X, n_samples):
        assert n_samples is None  # exact
        return np.asarray(X) / 2


@pytest.fixture(autouse=True)
def _forget():
    Averager.fits.clear()


def images(n=24, size=16, seed=0):
    """uint8 images whose left or right half is bright, the class."""
    y = np.arange(n) % 2
    rng = np.random.RandomState(seed)
    X = rng.randint(60, 90, (n, size, size)).astype(np.uint8)
    X[y == 0, :, : size // 2] += 90
    X[y == 1, :, size // 2 :] += 90
    return X, y


def fold_of(X, y):
    return Fold(X[:16], y[:16], np.arange(16), X[16:], ("all", 0, 0))


def shared(degradation, enhancer=None):
    X, y = images()
    return SharedEnhancement(fold_of(X, y), "poor", Poor(degradation), enhancer or Averager())


@pytest.mark.parametrize("name", DEGRADED)
def test_degradations_of_the_protocol_keep_the_size(name):
    found = shared(DEGRADED[name])
    for part in ("train", "test"):
        assert found.poor[part].shape == found.good[part].shape
        assert not np.array_equal(found.poor[part], found.good[part])


def test_noise_is_as_strong_as_named():
    found = shared(("noise", {"sigma": 0.2}))
    assert (found.poor["test"] - found.good["test"]).std() == pytest.approx(0.2, rel=0.05)


def test_filters_restore_poor_images_with_a_strength_tuned_on_training_rows():
    found = shared(("noise", {"sigma": 0.2}))
    good, poor = found.good["test"], found.poor["test"]
    for treatment in ("NLM", "TV"):
        assert _guard.psnr(found.images(treatment, "test"), good) > _guard.psnr(poor, good) + 3


@pytest.mark.slow
def test_bm3d_restores_where_it_is_installed():
    pytest.importorskip("bm3d")
    found = shared(("noise", {"sigma": 0.2}))
    found.poor["test"] = found.poor["test"][:2]
    good = found.good["test"][:2]
    assert _guard.psnr(found.images("BM3D", "test"), good) > _guard.psnr(found.poor["test"], good) + 3


def test_classifier_is_trained_on_clean_or_on_matched_rows():
    X, y = images()
    arms = enhancement_arms({"poor": ("noise", {"sigma": 0.3})}, treatments=["GANEnhancer"], enhancer=Averager())
    clean, matched = (arms[f"poor, {kind}-trained: GANEnhancer"] for kind in ("clean", "matched"))
    fold = fold_of(X, y)
    fitted = clean.fit_shared(fold)
    of_clean, of_matched = clean.prepare(fold, fitted, None), matched.prepare(fold, fitted, None)
    assert np.allclose(of_clean.X, fold.scaled(fold.X), atol=1e-4)
    assert np.abs(of_matched.X).max() < 1e-3  # all training images became the same one
    assert len(Averager.fits) == 1
    assert np.array_equal(Averager.fits[0], fold.X)


def test_table_of_enhancement():
    X, y = images()
    degraded = {"dark": ("low_contrast", {"gain": 0.3}), "noisy": ("noise", {"sigma": 0.5})}
    arms = enhancement_arms(degraded, treatments=["clean", "TV", "GANEnhancer"], enhancer=Averager())
    result = diagnostic_benchmark(X, y, arms=arms, classifiers=LOGISTIC, **QUICK)
    assert not result.failures
    assert len(Averager.fits) == 2 * 2  # degradations, folds
    frame = result.to_frame().set_index("arm")
    assert list(frame.index[:4]) == [f"dark, clean-trained: {t}" for t in ("degraded", "clean", "TV", "GANEnhancer")]
    assert frame.loc["dark, matched-trained: TV", "reference"] == "dark, matched-trained: degraded"
    assert "dark, matched-trained: clean" not in frame.index
    assert not frame.best_other.str.endswith(": clean").any()
    assert frame.loc["noisy, clean-trained: clean", "balanced_accuracy"] == 1
    assert frame.loc["noisy, clean-trained: GANEnhancer", "balanced_accuracy"] <= 0.5  # all images the same


def test_colour_images_and_tables():
    X, y = images()
    colour = np.repeat(X[..., None], 3, axis=-1)
    arms = enhancement_arms({"poor": "noise"}, treatments=["TV"], trained=["clean"], enhancer=Averager())
    assert not diagnostic_benchmark(colour, y, arms=arms, classifiers=LOGISTIC, **QUICK).failures
    with pytest.raises(ValueError, match="it needs images, and the rows are a table"):
        diagnostic_benchmark(X.reshape(24, -1), y, arms=arms, classifiers=LOGISTIC, **QUICK)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"degraded": {"x": "nose"}}, "Unknown degradation 'nose'"),
        ({"treatments": ["median"]}, r"treatments holds unknown names \['median'\]"),
        ({"trained": ["poor"]}, r"trained holds unknown names \['poor'\]"),
    ],
)
def test_unknown_names(change, message):
    with pytest.raises(ValueError, match=message):
        enhancement_arms(**change)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_real_enhancer():
    from sklearn_medgan import GANEnhancer

    enhancer = GANEnhancer(max_iter=2, width=4, depth=2, patch_size=16, batch_size=4, guard=False)
    arms = enhancement_arms({"poor": "noise"}, treatments=["GANEnhancer"], enhancer=enhancer)
    assert not diagnostic_benchmark(*images(), arms=arms, classifiers=LOGISTIC, **QUICK).failures


@pytest.mark.parametrize("sides", [(16, 16), (17, 16), (15, 19)])
def test_poor_images_keep_their_size_and_place(sides):
    rows, columns = np.indices(sides)
    ramp = (0.2 + 0.02 * rows + 0.01 * columns)[None, ..., None].astype(np.float32)
    poor = Poor(DEGRADED["downscale x2"])(ramp, 0)
    assert poor.shape == ramp.shape
    inside = (slice(None), slice(4, -4), slice(4, -4))  # a cubic keeps straight lines away from edges
    assert np.allclose(poor[inside], ramp[inside], atol=1e-3)  # half a pixel is 5e-3 or more


@pytest.mark.parametrize("n_channels", [None, 3])
def test_a_report_shows_images_before_and_after_beside_the_truth_and_the_error_to_expect(n_channels):
    X, y = images()
    X[:, 0, :2] = 0, 255  # the range of a tile
    X = X if n_channels is None else np.stack([X, X // 2, X // 4], axis=-1)
    arms = enhancement_arms(
        {"dark": lambda batch, rng: batch / 2},
        treatments=["clean", "GANEnhancer"],
        trained=["clean"],
        enhancer=Averager(),
    )
    result = diagnostic_benchmark(X, y, arms=arms, classifiers=LOGISTIC, n_images=2, **QUICK)
    assert {
        row["arm"].partition(": ")[2]: row["verdict"]
        for row in result.table
        if row["verdict"] in ("bound", "reference")
    } == {
        "clean": "bound",
        "degraded": "reference",
    }
    assert [text.get_text() for text in IntervalDisplay.from_result(result).ax_.get_yticklabels()] == [
        "dark, clean-trained: GANEnhancer"
    ]
    tiles = re.findall(r'<img src="data:image/png;base64,(\S+)" alt="([^"]*)"><figcaption>([^<]*)<', result.to_html())
    assert [alt for _, alt, caption in tiles if alt == caption] == ["poor", "enhanced", "truth", "expected error"] * 2
    pixels = [np.asarray(Image.open(io.BytesIO(base64.b64decode(png))), int) for png, *_ in tiles]
    for poor, enhanced, truth, error in (pixels[:4], pixels[4:]):
        assert any(np.array_equal(truth, image) for image in X)
        assert not any(np.array_equal(truth, image) for image in Averager.fits[0])
        np.testing.assert_allclose(poor, truth / 2, atol=1)
        np.testing.assert_allclose(enhanced, Averager.fits[0].mean(0), atol=1)
        np.testing.assert_allclose(error, 255 * poor / poor.max(), atol=2)  # white at its own highest
