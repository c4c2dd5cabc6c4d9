"""Make the dictionary of patches of GANAugmenter(pretrained="medical"), from medical images that anybody may use.

    python examples/pretraining/dictionary.py DATA_FOLDER --out sklearn_medgan/weights/medical.npz
    python examples/pretraining/dictionary.py DATA_FOLDER --leave-out pneumonia --out without_pneumonia.npz

Small patches of all images, evened out and whitened, are clustered; the centres are the typical ones (Coates, Ng and
Lee 2011, "An analysis of single-layer networks in unsupervised feature learning", section 3.2). Every class of every
source gives equally many. A claim on a set is made with a dictionary that has not seen its source: `--leave-out`, then
`GANAugmenter(pretrained="FILE")`.
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn.cluster import MiniBatchKMeans

from sklearn_medgan.augmentation._patch_learning import SIZE, draw_patches, learn_whitening
from sklearn_medgan.augmentation._patches import even_contrast, standardised

N_LOOKED_AT, N_TYPICAL = 60_000, 200
SIDES = (2, 3)  # into how many parts an image is cut each way: one block of columns each
CROPS, CROP_SIDES = 24, (80, 257)  # of each large slice


def by_class(images: np.ndarray, labels: np.ndarray) -> list[np.ndarray]:
    """The images of each class."""
    return [images[labels == label] for label in np.unique(labels)]


def mednist(folder: Path, rng) -> list[np.ndarray]:
    """Six parts of the body, CT, MR and X-ray."""
    archive = np.load(folder / "mednist_64.npz")
    return by_class(standardised(archive["X"].astype(np.float32)), archive["y"])


def pneumonia(folder: Path, rng) -> list[np.ndarray]:
    """Children's chest X-rays, training and validation part."""
    archive = np.load(folder / "pneumoniamnist.npz")
    images, labels = (
        np.concatenate([archive[f"{part}_{what}"] for part in ("train", "val")]) for what in ("images", "labels")
    )
    return by_class(standardised(images.astype(np.float32)), labels.ravel())


def bccd(folder: Path, rng) -> list[np.ndarray]:
    """Blood cells; each channel of a colour image is an image."""
    archive = np.load(folder / "bccd_cells_32.npz")
    channels = archive["X"].transpose(0, 3, 1, 2).astype(np.float32)
    images = standardised(channels.reshape(-1, *channels.shape[2:]))
    return by_class(images, np.repeat(archive["y"], channels.shape[1]))


def mr_brain(folder: Path, rng) -> list[np.ndarray]:
    """Square pieces of all sizes of brain MR slices."""
    pieces = []
    for image in np.load(folder / "mr_brain_256_enhance.npz")["X"].astype(np.float32):
        for side in rng.randint(*CROP_SIDES, CROPS):
            top, left = rng.randint(0, image.shape[0] - side + 1, 2)
            pieces.append(standardised(image[None, top : top + side, left : left + side]))
    return [np.concatenate(pieces)]


SOURCES = {"mednist": mednist, "pneumonia": pneumonia, "bccd": bccd, "mr_brain": mr_brain}


def learn(classes: list[np.ndarray], rng) -> dict[str, np.ndarray]:
    """The arrays of a `PatchDictionary`, in half precision."""
    n = N_LOOKED_AT // len(classes)
    drawn = np.concatenate([draw_patches(images, SIZE, n, rng)[0] for images in classes])
    patches = even_contrast(drawn.astype(np.float64))
    mean, whitening = learn_whitening(patches)
    white = ((patches - mean) @ whitening).astype(np.float32)
    centres = MiniBatchKMeans(N_TYPICAL, batch_size=4096, max_iter=30, n_init=1, random_state=rng).fit(white)
    found = {"mean": mean, "whitening": whitening, "patches": centres.cluster_centers_}
    return {"sides": np.array(SIDES), **{name: array.astype(np.float16) for name, array in found.items()}}


def main():
    """Read the sources, learn, write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with the .npz files")
    parser.add_argument("--leave-out", nargs="+", choices=SOURCES, default=[])
    parser.add_argument("--out", type=Path, default=Path("dictionary.npz"))
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    rng = np.random.RandomState(a.seed)
    used = [name for name in SOURCES if name not in a.leave_out]
    classes = [images for name in used for images in SOURCES[name](a.folder, rng)]
    print(f"{sum(map(len, classes))} images, {len(classes)} classes of {', '.join(used)}")
    np.savez_compressed(a.out, **learn(classes, rng))


if __name__ == "__main__":
    main()
