"""Initial weights that ship with the package, of the restorer and of the GAN, for images of any number of channels.

`examples/pretraining/restorer.py` and `generator.py` make them; `sklearn_medgan/weights/README.md` lists the images and
their licences.
"""

from __future__ import annotations

import math
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

from .networks import COARSEST, n_halvings
from .state import Player, State

if TYPE_CHECKING:
    from .restoration import RestorerConfiguration
    from .training import GANProgram

FILE = "restorer.npz"
GAN_FILES = {3: "gan_32.npz", 4: "gan_64.npz"}  # by how often networks halve an image
GAN_SIZES = 32, 64  # their `width` and `latent_dim`
BLOCK = 4  # pixels of one channel that the network sees as channels: a 2x2 block


def restorer_weights(config: RestorerConfiguration, shapes: list[tuple[int, ...]]) -> np.ndarray | None:
    """Return flat float32 weights for a network of these shapes, or None where the file has none so wide and deep."""
    if len(config.shape) != 3:
        return None
    with (resources.files("sklearn_medgan") / "weights" / FILE).open("rb") as file:
        archive = np.load(file, allow_pickle=False)
        if (config.width, config.depth) != tuple(archive["width_depth"]):
            return None
        stored = [archive[f"weight_{i}"].astype(np.float32) for i in range(len(shapes))]
    return np.concatenate([for_channels(s, shape).ravel() for s, shape in zip(stored, shapes, strict=True)])


def for_channels(weight: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return a weight learned on grey images in the shape for several channels.

    The first convolution then sees their mean, and the last ones give all channels the same: at the start images in
    colour are corrected as their mean is.
    """
    for axis, (side, wanted) in enumerate(zip(weight.shape, shape, strict=True)):
        if side != wanted:
            n_channels = wanted // BLOCK
            weight = np.repeat(weight, n_channels, axis) / (n_channels if axis == weight.ndim - 2 else 1)
    return weight


def gan_file(architecture: str, shape: tuple[int, ...], width: int, latent_dim: int) -> str | None:
    """Return the name of the file whose GAN's weights fit these networks, but for the classes; None without one."""
    if architecture != "conv" or (width, latent_dim) != GAN_SIZES:
        return None
    n = n_halvings(*shape[:2])
    coarsest = {math.ceil(side / 2**n) for side in shape[:2]}
    return GAN_FILES.get(n) if coarsest == {COARSEST} else None


def gan_state(program: GANProgram, drawn: State) -> State | None:
    """Return a state with the GAN's weights that ship, or None where there are none for these networks.

    What depends on the classes begins anew: labels are without effect, as the networks that ship saw every second
    image, and the class head is as `drawn`.
    """
    config = program.config
    file = gan_file(config.architecture, config.shape, config.width, config.latent_dim)
    if file is None:
        return None
    with (resources.files("sklearn_medgan") / "weights" / file).open("rb") as opened:
        archive = np.load(opened, allow_pickle=False)
        stored = {name: archive[name].astype(np.float32) for name in archive.files}
    players = []
    for name, network, player, adapt in (
        ("generator", program.generator, drawn.generator, _adapt_generator),
        ("discriminator", program.discriminator, drawn.discriminator, _adapt_discriminator),
    ):
        own = network.unflatten(player.weights)
        weights = adapt([stored[f"{name}_{i}"] for i in range(len(own))], own, config.shape[2])
        players.append(Player.starting_from(np.concatenate([np.ravel(weight) for weight in weights]), player.buffers))
    return State(players[0], players[1], drawn.step)


def _adapt_generator(stored: list[np.ndarray], own: list[np.ndarray], n_channels: int) -> list[np.ndarray]:
    """Return weights in which all channels are the same, and labels without effect."""
    _, *inner, kernel, bias = stored
    return [np.zeros_like(own[0]), *inner, np.repeat(kernel, n_channels, 2), np.repeat(bias, n_channels)]


def _adapt_discriminator(stored: list[np.ndarray], own: list[np.ndarray], n_channels: int) -> list[np.ndarray]:
    """Return weights by which the mean of the channels is seen, and labels are without effect."""
    kernel, *inner = stored[:-5]
    kernel = np.repeat(kernel, n_channels, 2) / n_channels
    return [kernel, *inner, np.zeros_like(own[-5]), *stored[-4:-2], *own[-2:]]
