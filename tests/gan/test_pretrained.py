"""The weights that ship with the package fit their networks, in grey and in colour, and know noise and images."""

import numpy as np
import pytest

from sklearn_medgan import GANEnhancer
from sklearn_medgan.datasets import make_nodules
from sklearn_medgan.gan.pretrained import for_channels, gan_file, gan_state, restorer_weights
from sklearn_medgan.gan.restoration import RestorerConfiguration, compiled_restorer
from sklearn_medgan.gan.training import Configuration, compiled_program


def program_of(n_channels, width=32, depth=8):
    return compiled_restorer(RestorerConfiguration((16, 16, n_channels), width, depth, 2))


def noisy_nodules(n, sigma):
    good = make_nodules(n, image_size=32, random_state=3, return_X_y=True)[0].astype(np.float32)
    span = float(good.max() - good.min())
    return good, good + sigma * span * np.random.RandomState(0).standard_normal(good.shape).astype(np.float32), span


def psnr(images, good, span):
    return -10.0 * np.log10(np.mean(((images - good) / span) ** 2))


def test_weights_fit_the_default_network():
    program = program_of(1)
    weights = restorer_weights(program.config, program.generator.shapes)
    assert weights.dtype == np.float32
    assert weights.shape == (program.generator.n_weights,)
    assert np.isfinite(weights).all()


@pytest.mark.parametrize(("width", "depth"), [(16, 8), (32, 4)])
def test_no_weights_for_other_sizes(width, depth):
    program = program_of(1, width, depth)
    assert restorer_weights(program.config, program.generator.shapes) is None


@pytest.mark.parametrize("n_channels", [2, 3, 4])
def test_grey_images_with_equal_channels_are_restored_as_grey_ones(n_channels):
    grey, colour = program_of(1), program_of(n_channels)
    rows = np.random.RandomState(0).rand(2, 16, 16, 1).astype(np.float32)
    outputs = grey.restore_with_spread(restorer_weights(grey.config, grey.generator.shapes), rows)
    repeated = np.repeat(rows, n_channels, 3)
    found = colour.restore_with_spread(restorer_weights(colour.config, colour.generator.shapes), repeated)
    for expected, got in zip(outputs, found, strict=True):
        np.testing.assert_allclose(got, np.repeat(expected, n_channels, 3), atol=1e-5)


def test_for_channels_averages_inputs_and_repeats_outputs():
    kernel = np.arange(4 * 2, dtype=np.float32).reshape(1, 1, 4, 2)
    wide = for_channels(kernel, (1, 1, 8, 2))
    np.testing.assert_array_equal(wide.sum(2), kernel.sum(2))
    bias = np.arange(4, dtype=np.float32)
    np.testing.assert_array_equal(for_channels(bias, (8,)), [0, 0, 1, 1, 2, 2, 3, 3])


@pytest.mark.slow
def test_one_step_from_shipped_weights_already_removes_noise():
    good, poor, span = noisy_nodules(12, 0.1)
    settings = {"degradation": "noise", "max_iter": 1, "guard": False, "random_state": 0}
    gains = {
        pretrained: psnr(GANEnhancer(pretrained=pretrained, **settings).fit(good).transform(poor), good, span)
        - psnr(poor, good, span)
        for pretrained in ("auto", False)
    }
    assert gains["auto"] > 3.0
    assert gains[False] < 1.0


def test_pretrained_true_names_what_it_needs():
    good = noisy_nodules(6, 0.1)[0]
    with pytest.raises(ValueError, match="width=32 and depth=8"):
        GANEnhancer(pretrained=True, width=16, max_iter=1).fit(good)
    table = np.random.RandomState(0).rand(20, 3)
    with pytest.raises(ValueError, match="only for images"):
        GANEnhancer(pretrained=True, max_iter=1).fit(table)


def gan_program(shape, n_classes=4, **changed):
    return compiled_program(Configuration("conv", shape, n_classes, **changed))


def started_gan(program):
    return gan_state(program, program.initial_state(np.random.RandomState(0)))


def drawn_from(program, state, n, label):
    noise = np.random.RandomState(1).standard_normal((n, program.config.latent_dim))
    labels = np.eye(program.config.n_classes)[np.full(n, label)]
    inputs = np.concatenate([noise, labels], 1).astype(np.float32)
    return program.generate(state.generator.ema, state.generator.buffers, inputs)


@pytest.mark.parametrize("shape", [(32, 32, 1), (28, 25, 3), (64, 49, 4)])
def test_gan_weights_fit_the_default_networks(shape):
    program = gan_program(shape)
    state = started_gan(program)
    program.check(state)
    assert all(np.isfinite(player.weights).all() for player in state[:2])


@pytest.mark.parametrize(
    ("shape", "changed"),
    [((16, 16, 1), {}), ((32, 40, 1), {}), ((32, 32, 1), {"width": 16}), ((32, 32, 1), {"latent_dim": 8})],
)
def test_no_gan_weights_for_other_networks(shape, changed):
    assert started_gan(gan_program(shape, **changed)) is None


def test_no_gan_weights_for_other_architectures():
    for architecture, shape in (("dcgan", (32, 32, 1)), ("dense", (32,))):
        assert started_gan(compiled_program(Configuration(architecture, shape, 2))) is None


def test_gan_in_colour_begins_as_the_grey_one_does():
    grey, colour = gan_program((32, 32, 1)), gan_program((32, 32, 3))
    states = started_gan(grey), started_gan(colour)
    rows = drawn_from(grey, states[0], 4, 0)
    np.testing.assert_allclose(drawn_from(colour, states[1], 4, 0), np.repeat(rows, 3, 3), atol=1e-5)
    seen = grey.represent(states[0].discriminator.ema, states[0].discriminator.buffers, rows)
    repeated = np.repeat(rows, 3, 3)
    np.testing.assert_allclose(
        colour.represent(states[1].discriminator.ema, states[1].discriminator.buffers, repeated), seen, atol=1e-4
    )


def test_gan_that_begins_makes_varied_images_whatever_the_label():
    program = gan_program((32, 32, 1))
    state, drawn = started_gan(program), program.initial_state(np.random.RandomState(0))
    rows = drawn_from(program, state, 48, 0)
    np.testing.assert_array_equal(rows, drawn_from(program, state, 48, 3))
    assert rows.std(0).mean() > 0.3  # MedNIST's own is 0.5
    smooth = [np.abs(np.diff(r, axis=2)).mean() / r.std() for r in (rows, drawn_from(program, drawn, 48, 0))]
    assert smooth[0] < 0.5 * smooth[1]  # images, where random weights make noise


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((32, 32, 1), "gan_32.npz"),
        ((25, 28, 3), "gan_32.npz"),
        ((64, 49, 1), "gan_64.npz"),
        ((24, 24, 1), None),
        ((36, 36, 1), None),
        ((65, 64, 1), None),
    ],
    ids=str,
)
def test_the_gan_that_ships_is_for_sides_of_25_to_32_and_49_to_64(shape, expected):
    assert gan_file("conv", shape, 32, 64) == expected
    for other in (("conv", shape, 16, 64), ("conv", shape, 32, 32), ("dcgan", shape, 32, 64)):
        assert gan_file(*other) is None
