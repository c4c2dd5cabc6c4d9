"""Do enlarged canvas images look like real ones of that size? Power spectrum, PSNR and SSIM, and pictures.

    python examples/benchmarks/enlargement.py DATA_FOLDER --picture enlargement.png

The step that enlarges the GAN's samples learns on images of some patients (or near-duplicates, or papers: `group`), and
enlarges real images of others that were averaged down to the canvas. So what is judged is this step, not the GAN.
*Spectrum*: mean power spectrum over that of the real images in eight bands of radial frequency up to the Nyquist
frequency; 1 is right. *Mean*: the learned step without its random part. Seconds are of one CPU core.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from skimage.transform import resize
from sklearn.model_selection import GroupShuffleSplit

from sklearn_medgan.augmentation._canvas import LONGEST, canvas_shape
from sklearn_medgan.augmentation._enlargement import enlarge, learn_detail
from sklearn_medgan.augmentation._resampling import resized

SETS = {
    "cxr": "cxr_256_enhance.npz",
    "mr": "mr_brain_256_enhance.npz",
    "ct": "ct_256_enhance.npz",
    "brain": "brain_tumor_mri_224.npz",
    "covid": "covid_ct_224.npz",
}
MOST_LEARNED, MOST_JUDGED = 400, 40
N_BANDS = 8


def load(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, height, width, 1) in [-1, 1] to learn from, and of other groups to judge on."""
    with np.load(path, allow_pickle=False) as archive:
        images, groups = archive["X"], archive["group"]
        split = archive.get("split")
    images = images.reshape(*images.shape[:3], -1).astype(np.float32) / 127.5 - 1.0
    if split is None:
        learned, judged = next(GroupShuffleSplit(1, test_size=0.3, random_state=0).split(images, groups=groups))
    else:
        learned, judged = np.flatnonzero(split == "train"), np.flatnonzero(split == "test")
    rng = np.random.RandomState(0)
    return images[rng.permutation(learned)[:MOST_LEARNED]], images[rng.permutation(judged)[:MOST_JUDGED]]


def spectrum(images: np.ndarray) -> np.ndarray:
    """Mean power in each band of radial frequency, windowed."""
    height, width = images.shape[1:3]
    window = np.outer(np.hanning(height), np.hanning(width))[..., None]
    centred = (images - images.mean((1, 2), keepdims=True)) * window
    power = np.square(np.abs(np.fft.fft2(centred, axes=(1, 2)))).mean((0, 3))
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    band = np.floor(frequency * 2 * N_BANDS).astype(int)
    return np.array([power[band == i].mean() for i in range(N_BANDS)])


def quality(images: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Mean PSNR (dB) and SSIM."""
    pairs = list(zip(images, truth, strict=True))
    psnr = [peak_signal_noise_ratio(real, image, data_range=2.0) for image, real in pairs]
    ssim = [structural_similarity(real, image, data_range=2.0, channel_axis=-1) for image, real in pairs]
    return float(np.mean(psnr)), float(np.mean(ssim))


def main() -> None:
    """Print the table, and draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, metavar="DATA_FOLDER")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--picture", type=Path, help="PNG: three images a set, real, linear, mean and learned")
    args = parser.parse_args()
    print("| set | images | PSNR, dB | SSIM |", *[f"band {i + 1} |" for i in range(N_BANDS)])
    print("|" + "---|" * (4 + N_BANDS))
    rows, notes = [], []
    for name in args.sets:
        learned, real = load(args.data / SETS[name])
        shape, canvas = real.shape[1:], canvas_shape(real.shape[1:], LONGEST)
        small = resized(real, canvas)
        clock = [time.process_time()]
        detail = learn_detail(learned, canvas, np.random.RandomState(0))
        clock.append(time.process_time())
        drawn = enlarge(small, detail, shape, np.random.RandomState(1))
        clock.append(time.process_time())
        ways = {
            "linear": resized(small, shape),
            "bicubic": np.stack([resize(image, shape, order=3, mode="edge") for image in small]).clip(-1, 1),
            "mean": enlarge(small, detail, shape, np.random.RandomState(1), grain=0.0),
            "learned": drawn,
        }
        for way, images in ways.items():
            psnr, ssim = quality(images.astype(np.float32), real)
            ratios = " | ".join(f"{ratio:.3f}" for ratio in spectrum(images) / spectrum(real))
            print(f"| {name} | {way} | {psnr:.2f} | {ssim:.3f} | {ratios} |", flush=True)
        size = sum(a.nbytes for step in detail["steps"] for arrays in step["channels"] for a in arrays.values()) / 1000
        notes.append(
            f"{name}: {canvas[0]}x{canvas[1]} to {shape[0]}x{shape[1]}, {len(learned)} images to learn from, "
            f"{len(real)} judged; learned in {clock[1] - clock[0]:.1f} s, {len(real) / (clock[2] - clock[1]):.0f} "
            f"enlarged a second, {size:.0f} kB to keep."
        )
        some = [real, ways["linear"], ways["mean"], drawn]
        rows.append(np.concatenate([np.concatenate([images[i, ..., 0] for images in some], axis=1) for i in range(3)]))
    print("\n" + "\n".join(notes))
    if args.picture:
        from PIL import Image

        width = max(row.shape[1] for row in rows)
        sheet = np.concatenate([np.pad(row, [(0, 0), (0, width - row.shape[1])], constant_values=-1.0) for row in rows])
        Image.fromarray(np.uint8(np.round((sheet + 1) * 127.5))).save(args.picture)


if __name__ == "__main__":
    main()
