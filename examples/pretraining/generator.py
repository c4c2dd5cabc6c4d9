"""Make the networks that GANAugmenter's training starts from, with images that anybody may use.

    python examples/pretraining/generator.py DATA_FOLDER --side 32 --steps 5000 --out gan_32.npz
    python examples/pretraining/generator.py DATA_FOLDER --side 64 --steps 1800 --start gan_32.npz --out gan_64.npz

Trains the GAN of GANAugmenter's defaults on MedNIST (six parts of the body: CT, MR, X-ray) and, as a seventh class, on
pieces of photographs that scikit-image installs; `sklearn_medgan/weights/README.md` lists sources and licences. With
`--start` the coarse layers are those of networks for smaller images (Karras et al. 2018, arXiv 1710.10196). No image is
moved for the discriminator, or samples would be moved as those are; the gradient penalties keep it from knowing its
rows. No set on which the package's accuracy is measured is among the images.

Every 100 steps, and when it is interrupted, the whole state goes to OUT.state.npz, from which the same command goes
on. What is drawn for a step depends on the seed and the step alone.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np

PHOTOGRAPHS = ("astronaut", "brick", "camera", "chelsea", "coffee", "coins", "grass", "gravel", "hubble_deep_field")
N_PIECES, LEAST_PIECE = 3_000, 64  # pieces of photographs, and the side of which theirs are multiples
LEAST_DEVIATION = 0.15  # of a piece, in 0 to 1: flat ones teach nothing
EMA_DECAY = 0.999  # of both networks' averages: the last 1,000 steps
STEPS_BETWEEN_FILES = 100  # after which the learning rate is another, too


def medical(folder: Path, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, side, side) in -1 to 1 of MedNIST, and their classes from 0."""
    with np.load(folder / "mednist_64.npz", allow_pickle=False) as archive:
        images, labels = archive["X"].astype(np.float32) / 127.5 - 1, archive["y"]
    return reduced(images, side), labels


def reduced(images: np.ndarray, side: int) -> np.ndarray:
    """Square images averaged down to a side that divides theirs."""
    factor = images.shape[1] // side
    return images.reshape(-1, side, factor, side, factor).mean((2, 4))


def pieces(side: int, rng: np.random.RandomState) -> np.ndarray:
    """Square grey pieces (n, side, side) of photographs in -1 to 1, turned, mirrored, every second one inverted."""
    from skimage import color, data

    images = [getattr(data, name)() for name in PHOTOGRAPHS]
    images = [color.rgb2gray(image) if image.ndim == 3 else image / 255 for image in images]
    found: list[np.ndarray] = []
    while len(found) < N_PIECES:
        image = images[rng.randint(len(images))]
        size = LEAST_PIECE * rng.randint(1, min(image.shape) // LEAST_PIECE + 1)
        top, left = (rng.randint(length - size + 1) for length in image.shape)
        piece = reduced(image[None, top : top + size, left : left + size], side)[0]
        if piece.std() > LEAST_DEVIATION:
            piece = np.rot90(piece, rng.randint(4))[:, :: rng.choice([-1, 1])]
            found.append(1 - piece if rng.rand() < 0.5 else piece)
    return 2 * np.stack(found).astype(np.float32) - 1


def training_rows(folder: Path, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Encoded images (n, side, side, 1) and one-hot labels (n, 7): each image with its label, and with none.

    What comes without a label (zeros) is like all images: where training on other classes begins.
    """
    images, labels = medical(folder, side)
    more = pieces(side, np.random.RandomState(0))
    labels = np.concatenate([labels, np.full(len(more), labels.max() + 1)])
    one_hot = np.eye(labels.max() + 1, dtype=np.float32)[labels]
    images = np.concatenate([images, more])[..., None]
    return np.concatenate([images, images]), np.concatenate([one_hot, np.zeros_like(one_hot)])


def replace(path: Path, **arrays: np.ndarray) -> None:
    """Write a file as a whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        np.savez(file, **arrays)
    os.replace(part, path)


def write(program, state, history: dict[str, list], out: Path, kept: Path) -> None:
    """Write the state, and what ships: averaged weights in half precision, in the order of the Keras models."""
    import keras

    parts = [np.asarray(part) for part in keras.tree.flatten(state)]
    numbers = {f"history_{name}": np.asarray(values) for name, values in history.items()}
    replace(kept, **{f"part_{i}": part for i, part in enumerate(parts)}, **numbers)
    arrays = {}
    for name, network, player in zip(("generator", "discriminator"), program.networks, state[:2], strict=True):
        weights = network.unflatten(player.ema)
        arrays.update({f"{name}_{i}": weight.astype(np.float16) for i, weight in enumerate(weights)})
    replace(out, **arrays)


def coarse(network, player, name: str, file):
    """A player whose coarse layers are those of a smaller one: a generator's first, a discriminator's last."""
    from sklearn_medgan.gan.state import Player

    weights = [*network.unflatten(player.weights)]
    stored = [file[f"{name}_{i}"] for i in range(sum(key.startswith(f"{name}_") for key in file))]
    step = 1 if name == "generator" else -1
    for i, weight in enumerate(stored[::step]):
        place = i if step == 1 else -1 - i
        if weights[place].shape != weight.shape:
            break
        weights[place] = weight
    return Player.starting_from(np.concatenate([np.ravel(weight) for weight in weights]), player.buffers)


def train(a: argparse.Namespace) -> None:
    """Train from the state that there is to the last step, with files written every 100."""
    import keras

    from sklearn_medgan.augmentation._labels import drawing_probabilities
    from sklearn_medgan.gan.loop import Run
    from sklearn_medgan.gan.state import State
    from sklearn_medgan.gan.training import Configuration, Data, Hyper, compiled_program
    from sklearn_medgan.gan.training import train as advance

    rows, labels = training_rows(a.folder, a.side)
    print(f"{len(rows)} images of {labels.shape[1]} classes", flush=True)
    config = Configuration("conv", rows.shape[1:], labels.shape[1], batch_size=a.batch_size, class_steps=0)
    program, kept = compiled_program(config), a.out.with_suffix(".state.npz")
    state, history = program.initial_state(np.random.RandomState(a.seed)), {}
    if kept.exists():
        with np.load(kept, allow_pickle=False) as file:
            n_parts = sum(name.startswith("part_") for name in file)
            state = keras.tree.pack_sequence_as(state, [file[f"part_{i}"] for i in range(n_parts)])
            history = {name[8:]: file[name].tolist() for name in file if name.startswith("history_")}
    elif a.start:
        with np.load(a.start, allow_pickle=False) as file:
            names = ("generator", "discriminator")
            players = [coarse(n, p, name, file) for n, p, name in zip(program.networks, state[:2], names, strict=True)]
            state = State(*players, state.step)
    data = Data(rows, labels, drawing_probabilities(labels))
    penalty = a.penalty_weight * a.side**2 / 32**2
    while int(state.step) < a.steps:
        left = a.steps - int(state.step)
        rate = a.learning_rate * min(1.0, 3.0 * left / a.steps)  # falls in the last third
        hyper = Hyper(rate, penalty, penalty, 1.0, 1.0, EMA_DECAY)
        run = Run(min(left, STEPS_BETWEEN_FILES), history=history)
        outcome = advance(program, state, data, hyper, a.seed, run)
        state, history = outcome.state, outcome.history
        write(program, state, history, a.out, kept)
        shown = ", ".join(f"{name} {np.mean(history[name][-20:]):.3f}" for name in list(history)[1:])
        print(f"{time.strftime('%H:%M:%S')} step {int(state.step)} of {a.steps}: {shown}", flush=True)
        if outcome.ended_by in ("interrupt", "divergence"):
            print(f"Stopped by {outcome.ended_by}.", flush=True)
            return


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with mednist_64.npz")
    parser.add_argument("--side", type=int, choices=(32, 64), default=32)
    parser.add_argument("--steps", type=int, default=5_000)
    parser.add_argument("--start", type=Path, help="file of networks for smaller images")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--penalty-weight", type=float, default=0.05, help="R1 and R2, stated for 32x32")
    parser.add_argument("--seed", type=int, default=0)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
