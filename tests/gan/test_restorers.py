"""The enhancer's networks: sizes, reach, and what they have no biases for."""

import numpy as np
import pytest

from sklearn_medgan.gan.flat import FlatNetwork
from sklearn_medgan.gan.restorers import STRIDE, image_restorer, receptive_radius, table_restorer


def drawn(model):
    """The model with initial weights."""
    network = FlatNetwork(model)
    player = network.initial(np.random.RandomState(0))
    return network.write(model, player.weights, player.buffers)


@pytest.mark.parametrize("shape", [(2, STRIDE, STRIDE, 1), (1, 3 * STRIDE, 5 * STRIDE, 3)])
def test_any_multiple_of_the_stride_comes_back_in_its_size(shape):
    restored, raw_spread = image_restorer(shape[3], 4, 4)(np.random.RandomState(0).uniform(size=shape))
    assert tuple(restored.shape) == tuple(raw_spread.shape) == shape


@pytest.mark.parametrize("depth", [2, 5, 8, 12])
def test_receptive_radius_is_the_reach_of_an_impulse(depth):
    """Positive weights, no biases, and a black image with one bright pixel: what can be reached is not black."""
    radius = receptive_radius(depth)
    start = (radius // STRIDE + 1) * STRIDE
    model, rng = image_restorer(1, 2, depth), np.random.RandomState(0)
    for variable in model.trainable_variables:
        variable.assign(0 * variable if len(variable.shape) == 1 else rng.uniform(0.1, 1, variable.shape))
    reached = [0, 0]
    for offset in range(STRIDE):
        impulse = np.zeros((1, 2 * start + STRIDE, 2 * start + STRIDE, 1), np.float32)
        place = start + offset
        impulse[0, place, place] = 1.0
        for i, output in enumerate(model(impulse)):
            touched = np.nonzero(output.numpy()[0].any((1, 2)))[0] // STRIDE * STRIDE  # blocks
            before, after = touched - place, place - (touched + STRIDE - 1)
            reached[i] = max(reached[i], before.max(), after.max())
    assert reached == [radius, radius]


def test_image_restorer_has_no_biases_but_the_spread():
    """What it makes of noise grows with the noise: an image twice as bright gives a result twice as bright."""
    model = drawn(image_restorer(1, 4, 4))
    image = np.random.RandomState(0).uniform(size=(1, 16, 16, 1)).astype(np.float32)
    np.testing.assert_allclose(model(2 * image)[0], 2 * model(image)[0], rtol=1e-4, atol=1e-5)


def test_table_restorer_keeps_the_columns():
    restored, raw_spread = table_restorer(16, 4)(np.zeros((3, 16), np.float32))
    assert tuple(restored.shape) == tuple(raw_spread.shape) == (3, 16)
