"""`to_onnx`: what onnxruntime makes of the file is what `transform` makes, and the rest is refused with the reason."""

import dataclasses

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.svm import SVC

from sklearn_medgan import GANAugmenter, GANEnhancer, to_onnx

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
TINY = {"max_iter": 2, "batch_size": 8, "width": 4, "random_state": 0}
RNG = np.random.RandomState(0)
TABLE = RNG.normal(50, 20, size=(24, 3)).astype(np.float32)
IMAGES = RNG.randint(0, 255, (12, 19, 22)).astype(np.uint8)  # odd sides: padding is not even
IMAGES[3] = 7  # constant
COLOUR = RNG.randint(0, 255, (12, 16, 16, 3)).astype(np.uint8)
COLOUR[..., 2] = 255
FLAT = COLOUR.reshape(12, -1)
LABELS = np.arange(24) % 2


def gan(**parameters):
    return GANAugmenter(**{**TINY, "latent_dim": 4, "backbone": None, "n_patches": 8, **parameters})


def assert_same(model, X, path, atol=1e-5):
    """onnxruntime and `transform` give the same to `atol` of the largest value."""
    X = X.astype(np.float32)
    to_onnx(model, path)
    (found,) = onnxruntime.InferenceSession(path).run(None, {"X": X})
    expected = model.transform(X)
    assert (found.dtype, found.shape) == (np.float32, expected.shape)
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol * np.abs(expected).max())


AUGMENTERS = {
    "table": (lambda: gan().fit(TABLE, LABELS), TABLE),
    "grey": (lambda: gan().fit(IMAGES, LABELS[:12]), IMAGES),
    "smaller canvas, scores, flat": (
        lambda: gan(gan_size=12, image_shape=(16, 16, 3)).fit(FLAT[:8], LABELS[:8], X_unlabeled=FLAT[8:]),
        FLAT,
    ),
}


@pytest.mark.parametrize("name", AUGMENTERS)
def test_columns_are_those_of_transform(name, tmp_path):
    fit, X = AUGMENTERS[name]
    model = fit()
    for representation in ("auto", "features", "pixels"):
        assert_same(model.set_params(representation=representation), X, tmp_path / "columns.onnx")


@pytest.mark.slow
@pytest.mark.parametrize("n_channels", [1, 2, 4])
def test_the_pretrained_network_is_in_the_file(n_channels, tmp_path):
    images = RNG.randint(0, 255, (8, 32, 32, n_channels)).astype(np.uint8)
    model = gan(backbone="auto", n_patches=0).fit(images, LABELS[:8])
    assert_same(model, images, tmp_path / "columns.onnx")


@pytest.fixture(scope="module")
def enhancer():
    return GANEnhancer(**TINY, depth=2, patch_size=16, guard=False).fit(IMAGES)


@pytest.fixture
def changed(enhancer):
    """The enhancer with another verdict of the guard."""

    def with_report(n_views=1, **report):
        model = GANEnhancer().set_params(**{**enhancer.get_params(), "n_views": n_views})
        model.__dict__.update({k: v for k, v in vars(enhancer).items() if k.endswith("_") or k.startswith("_")})
        model.guard_report_ = {**enhancer.guard_report_, **report}
        return model

    return with_report


def test_restored_images_of_any_size_are_those_of_transform(changed, tmp_path):
    model = changed(shrinkage=5.0)
    for images in (IMAGES, RNG.randint(0, 255, (2, 70, 45)), RNG.uniform(0, 255, (1, 8, 9))):
        assert_same(model, images, tmp_path / "restored.onnx")


@pytest.mark.parametrize("n_views", [2, 8])
def test_views_are_averaged(changed, n_views, tmp_path):
    assert_same(changed(n_views, shrinkage=3.0), IMAGES, tmp_path / "restored.onnx")


def test_images_that_are_hardly_changed_stay(changed, tmp_path):
    X = IMAGES.astype(np.float32)
    sizes = np.sqrt(np.square(changed().transform(X) - X).mean((1, 2)))
    model = changed(spared=float(np.sort(sizes)[5:7].mean()))
    assert_same(model, X, tmp_path / "restored.onnx", atol=1e-6)
    assert (model.transform(X) == X).all((1, 2)).sum() == 6


def test_nothing_and_tables_and_constant_channels(changed, tmp_path):
    assert_same(changed(chosen="nothing"), IMAGES, tmp_path / "restored.onnx", atol=0)
    assert_same(GANEnhancer(**TINY, guard=False).fit(TABLE), TABLE, tmp_path / "restored.onnx")
    colour = GANEnhancer(**TINY, depth=2, patch_size=16, guard=False, image_shape=(16, 16, 3)).fit(FLAT)
    assert_same(colour, FLAT, tmp_path / "restored.onnx")


def test_what_has_no_form_is_refused_with_the_reason(changed, tmp_path):
    path = tmp_path / "none.onnx"
    tuned = changed(chosen="median", strength={"median": 1.0})
    with pytest.raises(ValueError, match=r"guard chose 'median', which other libraries compute\. Use save and load"):
        to_onnx(tuned, path)
    for change, reason in [({"scale": 2}, "it enlarges images"), ({"tone": object()}, "it changes the tone")]:
        model = changed()
        model._restoration = dataclasses.replace(model._restoration, **change)
        with pytest.raises(ValueError, match=f"cannot write this GANEnhancer: {reason}"):
            to_onnx(model, path)
    with pytest.raises(TypeError, match=r"to_onnx writes GANAugmenter or GANEnhancer; got SVC\(\)\. Pass that step"):
        to_onnx(SVC(), path)
    with pytest.raises(NotFittedError):
        to_onnx(GANAugmenter(), path)
    assert not path.exists()


@pytest.mark.slow
def test_a_network_with_another_layer_is_refused_by_name(tmp_path):
    import keras

    image = keras.Input((16, 16, 3))
    own = keras.Model(image, keras.layers.SpatialDropout2D(0.1, name="odd")(keras.layers.Conv2D(2, 3)(image)))
    model = gan(backbone=own, n_patches=0).fit(COLOUR, LABELS[:12])
    with pytest.raises(ValueError, match=r"to_onnx writes usual forms of Conv2D, .*SpatialDropout2D 'odd'"):
        to_onnx(model, tmp_path / "none.onnx")


def test_the_file_says_what_it_is_and_the_same_model_makes_the_same(changed, tmp_path):
    paths = [tmp_path / name for name in ("a.onnx", "b.onnx")]
    for path in paths:
        to_onnx(changed(), path)
    model = onnx.load(paths[0])
    onnx.checker.check_model(model, full_check=True)
    assert (model.producer_name, model.opset_import[0].version) == ("sklearn_medgan", 17)
    assert "not a medical device" in model.doc_string
    assert paths[0].read_bytes() == paths[1].read_bytes()
