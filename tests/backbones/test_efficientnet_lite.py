"""EfficientNet-Lite0: against a plain NumPy network, the PyTorch edition and photographs."""

from __future__ import annotations

import numpy as np
import pytest

from sklearn_medgan.backbones._efficientnet_lite import STRIDES, build_efficientnet_lite
from sklearn_medgan.backbones._resolve import lite0_weights

CHANNELS = (4, 3, 5, 4, 6, 6, 7)
# Mean size of the values, and the last one of the first channel, of the map of `pattern`; efficientnet_lite_pytorch
# 0.1.0 on PyTorch 2.13 in double precision.
REFERENCE = {
    "stage_1": (7.756448, -4.259642),
    "stage_2": (11.491013, -1.500980),
    "stage_3": (8.414439, 10.334140),
    "stage_4": (8.387853, -6.298221),
    "stage_5": (6.466255, 5.378770),
    "stage_6": (7.779435, -6.129141),
    "stage_7": (3.322403, 4.009415),
    "head": (1.084979, 5.947295),
}


@pytest.fixture(scope="module")
def lite0():
    return build_efficientnet_lite(lite0_weights())


def random_arrays(rng):
    """Weights of a network of one block a stage with few channels, the last stage's with two."""
    arrays = {}

    def convolution(conv, norm, shape):
        arrays[f"{conv}.weight"] = rng.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32)
        for part, low, high in (("weight", 0.5, 2), ("bias", -1, 1), ("running_mean", -1, 1), ("running_var", 0.01, 2)):
            arrays[f"{norm}.{part}"] = rng.uniform(low, high, shape[0]).astype(np.float32)

    convolution("_conv_stem", "_bn0", (4, 3, 3, 3))
    entry = 4
    for block, (width, size) in enumerate(zip((*CHANNELS, CHANNELS[-1]), (3, 3, 5, 3, 5, 5, 3, 3), strict=True)):
        part, inner = f"_blocks.{block}.", entry
        if block:
            inner = 2 * entry
            convolution(f"{part}_expand_conv", f"{part}_bn0", (inner, entry, 1, 1))
        convolution(f"{part}_depthwise_conv", f"{part}_bn1", (inner, 1, size, size))
        convolution(f"{part}_project_conv", f"{part}_bn2", (width, inner, 1, 1))
        entry = width
    convolution("_conv_head", "_bn1", (9, entry, 1, 1))
    arrays["_fc.weight"] = rng.normal(size=(1000, 9)).astype(np.float32)
    arrays["_fc.bias"] = rng.normal(size=1000).astype(np.float32)
    return arrays


def convolved(x, kernel, stride, by_channel):
    """Plain loops over an image (height, width, channels), padded as TensorFlow does: the odd pixel at the end."""
    n_out, _, size, _ = kernel.shape
    sides = [-(-side // stride) for side in x.shape[:2]]
    pads = [max((new - 1) * stride + size - old, 0) for new, old in zip(sides, x.shape[:2], strict=True)]
    x = np.pad(x, [(pad // 2, pad - pad // 2) for pad in pads] + [(0, 0)])
    out = np.zeros((*sides, n_out))
    for i in range(sides[0]):
        for j in range(sides[1]):
            window = x[i * stride : i * stride + size, j * stride : j * stride + size]
            equation = "hwc,chw->c" if by_channel else "hwc,ochw->o"
            out[i, j] = np.einsum(equation, window, kernel[:, 0] if by_channel else kernel)
    return out


def plain_network(image, a):
    """All maps of the network of `random_arrays` for one image, in double precision, normalisation apart."""

    def layer(x, conv, norm, stride=1, active=True):
        x = convolved(x, a[f"{conv}.weight"].astype(float), stride, conv.endswith("depthwise_conv"))
        x = (x - a[f"{norm}.running_mean"]) / np.sqrt(a[f"{norm}.running_var"] + 1e-3)
        x = x * a[f"{norm}.weight"] + a[f"{norm}.bias"]
        return np.clip(x, 0, 6) if active else x

    x = layer((image - 127.0) / 128.0, "_conv_stem", "_bn0", 2)
    maps = []
    for block, stride in enumerate((*STRIDES, 1)):
        part, entry = f"_blocks.{block}.", x
        if block:
            x = layer(x, f"{part}_expand_conv", f"{part}_bn0")
        x = layer(x, f"{part}_depthwise_conv", f"{part}_bn1", stride)
        x = layer(x, f"{part}_project_conv", f"{part}_bn2", active=False)
        x = x + entry if block == 7 else x
        maps.append(x)
    head = layer(x, "_conv_head", "_bn1")
    return [*maps[:6], maps[7], head, head.mean((0, 1)) @ a["_fc.weight"].T + a["_fc.bias"]]


@pytest.mark.parametrize("side", [32, 45])
def test_it_is_the_network_of_the_definition(side):
    rng = np.random.RandomState(side)
    arrays, image = random_arrays(rng), rng.uniform(0, 255, (side, side, 3))
    outputs = build_efficientnet_lite(arrays, (1, 1, 1, 1, 1, 1, 2))(image[None].astype(np.float32))
    for (name, found), expected in zip(outputs.items(), plain_network(image, arrays), strict=True):
        np.testing.assert_allclose(np.asarray(found)[0], expected, rtol=1e-4, atol=1e-4, err_msg=name)


def test_the_weights_are_all_used():
    arrays = lite0_weights()
    n_numbers = sum(array.size for name, array in arrays.items() if not name.endswith("num_batches_tracked"))
    n_norms = sum(array.size for name, array in arrays.items() if name.endswith("running_var"))
    model = build_efficientnet_lite(arrays)
    assert model.count_params() == n_numbers - 3 * n_norms == 4_631_000  # 4.652 million with all four of each channel
    assert not model.trainable_weights


def test_shapes_and_dtypes_do_not_follow_global_settings(lite0):
    import keras

    before = keras.config.floatx(), keras.config.image_data_format(), keras.config.dtype_policy()
    try:
        keras.config.set_floatx("float64")
        keras.config.set_image_data_format("channels_first")
        keras.config.set_dtype_policy("mixed_float16")
        outputs = build_efficientnet_lite(lite0_weights())(np.zeros((1, 96, 64, 3), np.float32))
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_image_data_format(before[1])
        keras.config.set_dtype_policy(before[2])
    sides = {"stage_1": 2, "stage_2": 4, "stage_3": 8, "stage_4": 16, "stage_5": 16, "stage_6": 32, "stage_7": 32}
    channels = (16, 24, 40, 80, 112, 192, 320)
    shapes = {k: (1, 96 // s, 64 // s, c) for (k, s), c in zip(sides.items(), channels, strict=True)}
    assert {k: tuple(v.shape) for k, v in outputs.items()} == {**shapes, "head": (1, 3, 2, 1280), "logits": (1, 1000)}
    assert {np.asarray(v).dtype for v in outputs.values()} == {np.dtype(np.float32)}


def test_maps_are_those_of_the_pytorch_edition(lite0):
    i, j, c = np.meshgrid(np.arange(64), np.arange(64), np.arange(3), indexing="ij")
    pattern = ((3 * i + 5 * j + 70 * c + (i * j) // 4) % 256).astype(np.float32)
    outputs = {name: np.asarray(maps)[0] for name, maps in lite0(pattern[None]).items()}
    found = {name: (np.abs(outputs[name]).mean(), outputs[name][-1, -1, 0]) for name in REFERENCE}
    for name, expected in REFERENCE.items():
        np.testing.assert_allclose(found[name], expected, rtol=1e-4, atol=1e-3, err_msg=name)
    assert outputs["logits"].argmax() == 506
    np.testing.assert_allclose(outputs["logits"][0], 1.172718, atol=1e-3)


@pytest.mark.parametrize(
    ("photograph", "classes"),
    [
        ("chelsea", {281, 282, 285}),  # tabby, tiger cat, Egyptian cat
        ("coffee", {967, 968}),  # espresso, cup
        ("rocket", {657, 744, 812}),  # missile, projectile, space shuttle
    ],
)
def test_photographs_get_their_class(lite0, photograph, classes):
    from skimage import data, transform

    image = getattr(data, photograph)()
    side = min(image.shape[:2])
    top, left = ((n - side) // 2 for n in image.shape[:2])
    image = transform.resize(image[top : top + side, left : left + side], (224, 224), anti_aliasing=True)
    logits = np.asarray(lite0(255 * image[None].astype(np.float32))["logits"])[0]
    assert logits.argmax() in classes
