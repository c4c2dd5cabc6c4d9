"""Where the training of an augmenter's GAN starts."""

import numpy as np
import pytest

from sklearn_medgan import GANAugmenter
from sklearn_medgan.augmentation._training import starting_state
from sklearn_medgan.gan.training import Configuration, compiled_program


@pytest.mark.parametrize("pretrained", ["auto", "medical", None, "dictionary.npz"])
def test_networks_that_ship_are_the_start_where_they_are_asked_for_and_fit(pretrained):
    asked_for = pretrained in ("auto", "medical")
    for shape, fits in (((32, 32, 1), True), ((16, 16, 1), False), ((32, 32, 3), True)):
        program = compiled_program(Configuration("conv", shape, 2, class_steps=0))
        found = starting_state(GANAugmenter(pretrained=pretrained), program, np.random.RandomState(0))
        drawn = program.initial_state(np.random.RandomState(0))
        for player, other in zip(found[:2], drawn[:2], strict=True):
            assert np.array_equal(player.weights, other.weights) == (not (asked_for and fits))
            assert player.updates == 0
