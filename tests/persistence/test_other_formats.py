"""What other packages store of an estimator, where they are installed: skops, safetensors, ONNX."""

import numpy as np
import pytest
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

from sklearn_medgan import GANAugmenter, GANEnhancer

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # of the packages
TINY = {"max_iter": 2, "batch_size": 8, "width": 4, "random_state": 0}
IMAGES = np.random.RandomState(0).randint(0, 255, (12, 16, 16)).astype(np.uint8)
LABELS = np.arange(12) % 2


@pytest.fixture(scope="module")
def pipe():
    augmenter = GANAugmenter(**TINY, backbone=None, n_patches=8, latent_dim=4)
    return Pipeline([("aug", augmenter), ("clf", SVC())]).fit(IMAGES, LABELS)


@pytest.fixture(scope="module")
def enhancer():
    return GANEnhancer(**TINY, depth=2, patch_size=16, guard=False).fit(IMAGES)


@pytest.mark.parametrize("name", ["pipe", "enhancer"])
def test_skops_stores_a_pipeline_and_an_enhancer(name, request):
    io = pytest.importorskip("skops.io")
    model = request.getfixturevalue(name)
    data = io.dumps(model)
    unknown = io.get_untrusted_types(data=data)
    assert all(each.startswith("sklearn_medgan.") for each in unknown)
    again, answer = io.loads(data, trusted=unknown), "predict" if name == "pipe" else "transform"
    np.testing.assert_array_equal(getattr(again, answer)(IMAGES), getattr(model, answer)(IMAGES))


def test_safetensors_hold_the_weights(pipe, tmp_path):
    numpy = pytest.importorskip("safetensors.numpy")
    weights = {weight.path: np.asarray(weight) for weight in pipe["aug"].generator_.weights}
    numpy.save_file(weights, tmp_path / "generator.safetensors")
    read = numpy.load_file(tmp_path / "generator.safetensors")
    assert read.keys() == weights.keys()
    assert all(np.array_equal(read[name], weights[name]) for name in weights)


@pytest.mark.parametrize("name", ["generator", "discriminator", "restorer"])
def test_onnx_holds_a_network(name, pipe, enhancer, tmp_path):
    pytest.importorskip("tf2onnx")
    runtime = pytest.importorskip("onnxruntime")
    network = enhancer.generator_ if name == "restorer" else getattr(pipe["aug"], f"{name}_")
    rng, sides = np.random.default_rng(0), ([side or 16 for side in each.shape[1:]] for each in network.inputs)
    inputs = [rng.normal(size=(3, *shape)).astype(np.float32) for shape in sides]
    expected = network(inputs if len(inputs) > 1 else inputs[0])  # Keras exports what was called once
    network.export(tmp_path / "net.onnx", format="onnx", verbose=False)
    session = runtime.InferenceSession(tmp_path / "net.onnx")
    found = session.run(None, {each.name: value for each, value in zip(session.get_inputs(), inputs, strict=True)})
    expected = expected if isinstance(expected, list | tuple) else [expected]
    for ours, theirs in zip(expected, found, strict=True):
        np.testing.assert_allclose(theirs, np.asarray(ours), atol=1e-5)
