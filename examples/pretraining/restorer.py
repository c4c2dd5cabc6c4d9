"""Make the initial weights that GANEnhancer ships with, from images that anybody may use.

    python examples/pretraining/restorer.py --images FOLDER --steps 100000 --out restorer.npz
    KERAS_BACKEND=jax python examples/pretraining/restorer.py --images FOLDER --steps 200000 --batch-size 32 --workers 8

Trains the network of GANEnhancer's defaults to remove noise and blur from photographs that scikit-image and
scikit-learn install, from dead leaves, from random fields, and from a folder's photographs (JPEG, PNG) and volumes
(NIfTI); `sklearn_medgan/weights/README.md` lists the sources. Dead leaves are opaque discs of all sizes that cover each
other: edges, corners and flat regions as in natural images, in any number (Achddou et al. 2021, arXiv 2104.01942).
No set on which the package's accuracy is measured is among them, nor are the microscopy and retina images of
scikit-image, on which its examples run.

Every few minutes, and when it is interrupted, the whole state goes to OUT.state.npz, from which the same command goes
on. What is drawn for a step depends on the seed and the step alone.
"""

import argparse
import os
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

PHOTOGRAPHS = (
    "astronaut",
    "brick",
    "camera",
    "chelsea",
    "coffee",
    "coins",
    "grass",
    "gravel",
    "hubble_deep_field",
)
SIZES = (1.0, 0.7, 0.5)  # smaller copies are sharper, and free of what JPEG left
LONGEST = 1_300  # pixels a side of the folder's photographs, which are averaged down to it
N_MADE, MADE_SIDE = 60, 256  # images of dead leaves; a third as many random fields
SHARES = {"photograph": 0.5, "leaves": 0.2, "field": 0.1, "volume": 0.2}
MOST_NOISE, MOST_BLUR = 55 / 255, 2.0
BLURRED, DEPENDENT = 0.2, 0.15  # shares that are blurred, with less noise; and whose noise grows with the signal
WIDTH, DEPTH, PATCH = 32, 8, 48
REACH = 8  # pixels around a patch that its blur looks at
STEPS_A_CALL = 20
RATE, WARM_UP = 4e-3, 500
MINUTES_BETWEEN_FILES = 5


def photographs(folder: Path | None) -> list[np.ndarray]:
    """Colour or grey images in 0 to 1, (height, width, channels), each in several sizes."""
    from skimage import data, io
    from skimage.transform import rescale
    from sklearn.datasets import load_sample_images

    images = [*(getattr(data, name)() for name in PHOTOGRAPHS), *load_sample_images().images]
    for file in sorted(folder.rglob("*")) if folder else ():
        if file.suffix.lower() in (".jpg", ".jpeg", ".png"):
            image = np.atleast_3d(io.imread(file))[..., :3]
            size = LONGEST / max(image.shape)
            image = image if size >= 1 else 255 * rescale(image, size, anti_aliasing=True, channel_axis=2)
            images.append(image.astype(np.uint8))
    images = [np.atleast_3d(image)[..., :3].astype(np.float32) / 255 for image in images]
    copies = (rescale(i, s, anti_aliasing=True, channel_axis=2) if s < 1 else i for i in images for s in SIZES)
    return [np.clip(copy, 0, 1).astype(np.float32) for copy in copies]


def volumes(folder: Path | None) -> list[np.ndarray]:
    """Slices (height, width, 1) of the folder's volumes along each axis, every third, in 0 to 1."""
    slices = []
    for file in sorted(folder.rglob("*.nii*")) if folder else ():
        import nibabel

        volume = np.asarray(nibabel.load(file).dataobj, np.float32)
        low, high = np.percentile(volume, [0, 99.9])
        volume = np.clip((volume - low) / (high - low), 0, 1)
        for axis in range(3):
            found = np.moveaxis(volume, axis, 0)[::3]
            slices.extend(plane[..., None] for plane in found if plane.std() > 0.1)
    return slices


def leaves(rng: np.random.RandomState) -> np.ndarray:
    """Dead leaves (height, width, 1): discs with radii of density r^-3, each with a slope of grey, large ones below."""
    side = 2 * MADE_SIDE  # drawn twice as large, then averaged: soft edges
    image = np.zeros((side, side), np.float32)
    smallest, largest = 3.0, side / 2
    u = rng.rand(900)
    radii = (smallest**-2 - u * (smallest**-2 - largest**-2)) ** -0.5
    for radius in radii[np.argsort(-radii + rng.rand(len(radii)) * 40)]:
        y, x = rng.uniform(-radius / 2, side + radius / 2, 2)
        top, bottom = max(int(y - radius), 0), min(int(y + radius) + 1, side)
        left, right = max(int(x - radius), 0), min(int(x + radius) + 1, side)
        if top >= bottom or left >= right:
            continue
        rows, columns = np.mgrid[top:bottom, left:right]
        inside = (rows - y) ** 2 + (columns - x) ** 2 < radius**2
        slope = rng.normal(0, 0.15, 2) / radius
        grey = rng.rand() + slope[0] * (rows - y) + slope[1] * (columns - x)
        image[top:bottom, left:right][inside] = grey[inside]
    halved = image.reshape(MADE_SIDE, 2, MADE_SIDE, 2).mean((1, 3))
    return np.clip(halved, 0, 1)[..., None]


def field(rng: np.random.RandomState) -> np.ndarray:
    """A Gaussian random field (height, width, 1) with a power spectrum of f^-2 to f^-4, stretched to 0 to 1."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(MADE_SIDE), np.fft.fftfreq(MADE_SIDE)))
    frequency[0, 0] = 1.0
    spectrum = np.fft.fft2(rng.standard_normal((MADE_SIDE, MADE_SIDE))) * frequency ** -rng.uniform(1.0, 2.0)
    image = np.fft.ifft2(spectrum).real
    low, high = image.min(), image.max()
    return ((image - low) / (high - low)).astype(np.float32)[..., None]


class Patches:
    """Pairs (poor, good) of patches without end."""

    def __init__(self, folder: Path | None) -> None:
        rng = np.random.RandomState(0)
        images = {
            "photograph": photographs(folder),
            "leaves": [leaves(rng) for _ in range(N_MADE)],
            "field": [field(rng) for _ in range(N_MADE // 3)],
            "volume": volumes(folder),
        }
        self.images = {kind: some for kind, some in images.items() if some}
        shares = np.array([SHARES[kind] for kind in self.images])
        self.shares = shares / shares.sum()

    def _crop(self, rng: np.random.RandomState, side: int) -> np.ndarray:
        images = self.images[rng.choice(list(self.images), p=self.shares)]
        image = images[rng.randint(len(images))]
        top, left = (rng.randint(s - side + 1) for s in image.shape[:2])
        patch = image[top : top + side, left : left + side]
        patch = patch @ rng.dirichlet(np.ones(patch.shape[2])).astype(np.float32)
        patch = np.rot90(patch, rng.randint(4))
        patch = patch[:, ::-1] if rng.rand() < 0.5 else patch
        return rng.uniform(0.5, 1.0) * (1.0 - patch if rng.rand() < 0.5 else patch)

    def draw(self, n: int, seed: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Float32 (n, patch, patch, 1) each."""
        from scipy.ndimage import gaussian_filter

        rng = np.random.RandomState(seed)
        good = np.stack([self._crop(rng, PATCH + 2 * REACH) for _ in range(n)])
        noise = rng.uniform(0, MOST_NOISE, (n, 1, 1)) * np.ones_like(good)
        poor = good.copy()
        for i in np.flatnonzero(rng.rand(n) < BLURRED):
            poor[i] = gaussian_filter(good[i], rng.uniform(0, MOST_BLUR))
            noise[i] *= rng.rand() ** 2
        dependent = rng.rand(n) < DEPENDENT
        noise[dependent] *= np.sqrt(np.clip(poor[dependent], 0.02, 1))
        poor = poor + noise * rng.standard_normal(poor.shape)
        inside = slice(REACH, REACH + PATCH)
        return tuple(a[:, inside, inside, None].astype(np.float32) for a in (poor, good))


PATCHES: Patches | None = None  # of a worker


def begin(folder: Path | None) -> None:
    """Read the images once a process."""
    global PATCHES
    PATCHES = Patches(folder)


def drawn(n: int, seed: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Draw in a process that has begun."""
    assert PATCHES is not None
    return PATCHES.draw(n, seed)


def batches(a: argparse.Namespace, first: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the rows of `STEPS_A_CALL` steps at a time from step `first` on, drawn ahead in other processes."""
    n, starts = STEPS_A_CALL * a.batch_size, range(first, a.steps, STEPS_A_CALL)
    if not a.workers:
        begin(a.images)
        yield from (drawn(n, (a.seed, start)) for start in starts)
        return
    with ProcessPoolExecutor(a.workers, get_context("spawn"), begin, (a.images,)) as pool:
        ahead: list[Future] = []
        for start in starts:
            ahead.append(pool.submit(drawn, n, (a.seed, start)))
            if len(ahead) > 2 * a.workers:
                yield ahead.pop(0).result()
        for one in ahead:
            yield one.result()


def replace(path: Path, **arrays: np.ndarray) -> None:
    """Write a file as a whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        np.savez_compressed(file, **arrays)
    os.replace(part, path)


def train(a: argparse.Namespace) -> None:
    """Train from the state that there is to the last step, with files written every few minutes."""
    import keras

    from sklearn_medgan.gan.backends import backend
    from sklearn_medgan.gan.restoration import EMA_DECAY, RestorerConfiguration, RestorerHyper, compiled_restorer

    program = compiled_restorer(RestorerConfiguration((PATCH, PATCH, 1), WIDTH, DEPTH, a.batch_size))
    state, kept = program.initial_state(np.random.RandomState(a.seed)), a.out.with_suffix(".state.npz")
    if kept.exists():
        with np.load(kept, allow_pickle=False) as file:
            state = keras.tree.pack_sequence_as(state, [file[f"part_{i}"] for i in range(len(file.files))])

    def write() -> None:
        parts = [np.asarray(keras.ops.convert_to_numpy(part)) for part in keras.tree.flatten(state)]
        replace(kept, **{f"part_{i}": part for i, part in enumerate(parts)})
        # What ships: the averaged weights in half precision, in the order of the Keras model, with width and depth.
        weights = program.generator.unflatten(keras.ops.convert_to_numpy(state.generator.ema))
        arrays = {f"weight_{i}": np.asarray(weight, np.float16) for i, weight in enumerate(weights)}
        replace(a.out, width_depth=np.array([WIDTH, DEPTH]), **arrays)

    written = shown = time.monotonic()
    psnr: list[float] = []
    shape = (STEPS_A_CALL, a.batch_size, PATCH, PATCH, 1)
    try:
        for poor, good in batches(a, int(state.step)):
            step = int(state.step)
            rate = RATE * min(1.0, (step + 1) / WARM_UP) * (0.5 + 0.5 * np.cos(np.pi * step / a.steps))
            numbers = RestorerHyper(rate, 0.0, 0.0, EMA_DECAY)
            hyper = RestorerHyper(*(keras.ops.convert_to_tensor(v, "float32") for v in numbers))
            sums, size = keras.ops.zeros(len(program.metrics)), STEPS_A_CALL if backend.ANY_LENGTH else 1
            for i in range(0, STEPS_A_CALL, size):
                rows = (keras.ops.convert_to_tensor(part.reshape(shape)[i : i + size]) for part in (poor, good))
                state, sums = program.advance(state, sums, *rows, hyper)
            psnr.append(float(sums[program.metrics.index("psnr")]) / STEPS_A_CALL)
            now = time.monotonic()
            if now - shown > 60:
                print(
                    f"{time.strftime('%H:%M:%S')} step {int(state.step)} of {a.steps}, {np.mean(psnr):.2f} dB",
                    flush=True,
                )
                shown, psnr = now, []
            if now - written > 60 * MINUTES_BETWEEN_FILES:
                write()
                written = now
    finally:
        write()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, help="folder of more photographs and volumes")
    parser.add_argument("--steps", type=int, default=60_000)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--workers", type=int, default=0, help="processes that draw patches ahead; 0: none")
    parser.add_argument("--out", type=Path, default=Path("restorer.npz"))
    parser.add_argument("--seed", type=int, default=0)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
