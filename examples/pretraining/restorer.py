"""Make the initial weights that GANEnhancer ships with, from images that anybody may use.

    python examples/pretraining/restorer.py --minutes 60 --out restorer.npz

Trains the network of GANEnhancer's defaults to remove noise and blur from photographs that scikit-image and
scikit-learn install (those whose sources are listed in `sklearn_medgan/weights/README.md`), from dead leaves and from
random fields. Dead leaves are opaque discs of all sizes that cover each other: edges, corners and flat regions as in
natural images, in any number (Achddou et al. 2021, arXiv 2104.01942). No medical image is among them, so that no claim
on a medical set is made with weights that have seen its source; nor are the microscopy and retina images of
scikit-image, on which the package's own examples run.
"""

import argparse
import time
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
N_MADE, MADE_SIDE = 60, 256  # images of dead leaves, and of random fields
SHARES = {"photograph": 0.55, "leaves": 0.3, "field": 0.15}
MOST_NOISE, MOST_BLUR = 55 / 255, 2.0
BLURRED = 0.2  # share of the batches that are blurred too, with less noise
WIDTH, DEPTH, PATCH, BATCH = 32, 8, 48, 8
STEPS_A_CALL = 20
RATE, WARM_UP = 4e-3, 500


def photographs() -> list[np.ndarray]:
    """Colour or grey images in 0 to 1, (height, width, channels), each in several sizes."""
    from skimage import data
    from skimage.transform import rescale
    from sklearn.datasets import load_sample_images

    images = [*(getattr(data, name)() for name in PHOTOGRAPHS), *load_sample_images().images]
    images = [np.atleast_3d(image)[..., :3].astype(np.float32) / 255.0 for image in images]
    return [
        np.clip(rescale(image, size, anti_aliasing=True, channel_axis=2), 0, 1).astype(np.float32)
        if size < 1
        else image
        for image in images
        for size in SIZES
    ]


def leaves(rng) -> np.ndarray:
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


def field(rng) -> np.ndarray:
    """A Gaussian random field (height, width, 1) with a power spectrum of f^-2 to f^-4, stretched to 0 to 1."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(MADE_SIDE), np.fft.fftfreq(MADE_SIDE)))
    frequency[0, 0] = 1.0
    spectrum = np.fft.fft2(rng.standard_normal((MADE_SIDE, MADE_SIDE))) * frequency ** -rng.uniform(1.0, 2.0)
    image = np.fft.ifft2(spectrum).real
    low, high = image.min(), image.max()
    return ((image - low) / (high - low)).astype(np.float32)[..., None]


class Patches:
    """Pairs (poor, good) of patches without end."""

    def __init__(self, rng):
        self.rng = rng
        self.images = {
            "photograph": photographs(),
            "leaves": [leaves(rng) for _ in range(N_MADE)],
            "field": [field(rng) for _ in range(N_MADE // 3)],
        }

    def _crop(self, side: int) -> np.ndarray:
        rng = self.rng
        images = self.images[rng.choice(list(SHARES), p=list(SHARES.values()))]
        image = images[rng.randint(len(images))]
        top, left = (rng.randint(s - side + 1) for s in image.shape[:2])
        patch = image[top : top + side, left : left + side]
        patch = patch @ rng.dirichlet(np.ones(patch.shape[2])).astype(np.float32)
        patch = np.rot90(patch, rng.randint(4))
        patch = patch[:, ::-1] if rng.rand() < 0.5 else patch
        return rng.uniform(0.5, 1.0) * (1.0 - patch if rng.rand() < 0.5 else patch)

    def draw(self, n: int):
        """Float32 (n, patch, patch, 1) each."""
        from scipy.ndimage import gaussian_filter

        rng, reach = self.rng, 8
        good = np.stack([self._crop(PATCH + 2 * reach) for _ in range(n)])
        noise = rng.uniform(0, MOST_NOISE, n)
        poor = good.copy()
        for i in np.flatnonzero(rng.rand(n) < BLURRED):
            poor[i] = gaussian_filter(good[i], rng.uniform(0, MOST_BLUR))
            noise[i] *= rng.rand() ** 2
        poor = poor + noise[:, None, None] * rng.standard_normal(poor.shape)
        inside = slice(reach, reach + PATCH)
        return tuple(a[:, inside, inside, None].astype(np.float32) for a in (poor, good))


def write(path: Path, weights: list) -> None:
    """The averaged weights in half precision, in the order of the Keras model, with width and depth."""
    arrays = {f"weight_{i}": weight.astype(np.float16) for i, weight in enumerate(weights)}
    np.savez_compressed(path, width_depth=np.array([WIDTH, DEPTH]), **arrays)


def main():
    """Train, with a file written every few minutes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--out", type=Path, default=Path("restorer.npz"))
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()

    import tensorflow as tf

    from sklearn_medgan.gan.restoration import EMA_DECAY, RestorerConfiguration, RestorerHyper, compiled_restorer

    rng = np.random.RandomState(a.seed)
    patches = Patches(rng)
    program = compiled_restorer(RestorerConfiguration((PATCH, PATCH, 1), WIDTH, DEPTH, BATCH))
    state = program.initial_state(rng)
    shape = (STEPS_A_CALL, BATCH, PATCH, PATCH, 1)
    started = written = shown = time.perf_counter()
    progress, psnr = 0.0, []
    while progress < 1.0:
        batch = [tf.constant(rows.reshape(shape)) for rows in patches.draw(STEPS_A_CALL * BATCH)]
        rate = RATE * min(1.0, (int(state.step) + 1) / WARM_UP) * (0.5 + 0.5 * np.cos(np.pi * progress))
        hyper = RestorerHyper(rate, 0.0, 0.0, EMA_DECAY)
        hyper = RestorerHyper(*(tf.constant(v, tf.float32) for v in hyper))
        state, sums = program.advance(state, tf.zeros(len(program.metrics)), *batch, hyper)
        psnr.append(float(sums[program.metrics.index("psnr")]) / STEPS_A_CALL)
        now = time.perf_counter()
        progress = (now - started) / (60.0 * a.minutes)
        if now - shown > 60.0:
            print(f"{progress:.0%}, step {int(state.step)}, {np.mean(psnr):.2f} dB", flush=True)
            shown, psnr = now, []
        if now - written > 300.0 or progress >= 1.0:
            write(a.out, program.generator.unflatten(np.asarray(state.generator.ema)))
            written = now


if __name__ == "__main__":
    main()
