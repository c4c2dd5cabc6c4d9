"""Make the data files of the benchmarks from the repositories that hold their images, and check each by its SHA-256.

    git -C SOURCES clone https://github.com/GKasperek/data_c19_cropped     # and the others that `SETS` names
    python examples/benchmarks/make_data.py SOURCES DATA --sets covid_ct_64 bccd_cells_32

`pneumoniamnist.npz` is MedMNIST's own file. Some sources state no licence: use them for experiments, pass none on.
"""

import argparse
import gzip
import hashlib
import re
import xml.etree.ElementTree as ElementTree
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from PIL.Image import Resampling

SMALLEST_BOX = 12  # pixels a side of a cell
ALIKE = 0.97  # correlation from which two images are of one group
DNCNN = "DnCNN/testsets"
MRI, MRI_FOLDERS = "Brain-Tumor-Classification-DataSet", {"train": "Training", "test": "Testing"}
MRI_CLASSES = ["no_tumor", "glioma_tumor", "meningioma_tumor", "pituitary_tumor"]
PER_CLASS = 300  # images of MRI at 224 pixels
PER_KIND = 1500  # images of MedNIST
CT_TEST = {"3", "7", "13", "20", "47", "78", "354", "576", "890", "957"}  # cases, as they were once drawn


def in_order(folder: Path, suffix: str = "*") -> list[Path]:
    """Return the files of a folder, numbers in names by their value."""
    files = list(folder.glob(f"*.{suffix}"))
    if not files:
        raise FileNotFoundError(f"Expected images in {folder}; there are none. Clone the repository into SOURCES.")
    return sorted(files, key=lambda path: [int(t) if t.isdigit() else t for t in re.split(r"(\d+)", path.name)])


def grey(path: Path) -> Image.Image:
    """Return a picture in grey."""
    return Image.open(path).convert("L")


def resized(image: Image.Image, side: int, by: Resampling = Resampling.LANCZOS) -> np.ndarray:
    """Return an image of side x side pixels."""
    return np.asarray(image.resize((side, side), by))


def covid(sources: Path, side: int, enlarging: Resampling) -> dict[str, np.ndarray]:
    """Return CT figures of COVID-CT; a group is a paper (covid) or a case."""
    X, y, groups, names = [], [], [], []
    for label, folder in enumerate(("CT_NonCOVID", "CT_COVID")):
        for path in in_order(sources / "data_c19_cropped" / folder):
            image = grey(path)
            X.append(resized(image, side, by=enlarging if min(image.size) < side else Resampling.LANCZOS))
            y.append(label)
            groups.append(f"cov_{re.split(r'%|-p[0-9]', path.stem)[0]}" if label else f"non_{path.stem.split('%')[0]}")
            names.append(path.name)
    known = {"source_file": np.array(names)} if side == 64 else {}
    X, y = np.stack(X), np.array(y, np.uint8)
    return {"X": X, "y": y, "group": np.array(groups), "class_names": np.array(["non_covid", "covid"]), **known}


def bccd(sources: Path) -> dict[str, np.ndarray]:
    """Return blood cells, each a square around an annotated box; a group is a picture."""
    folder, classes = sources / "BCCD_Dataset/BCCD", ["RBC", "WBC", "Platelets"]
    splits = {
        name: split
        for split in ("train", "val", "test")
        for name in (folder / f"ImageSets/Main/{split}.txt").read_text().split()
    }
    X, y, groups = [], [], []
    for path in in_order(folder / "Annotations", "xml"):
        picture = Image.open(folder / f"JPEGImages/{path.stem}.jpg").convert("RGB")
        for cell in ElementTree.parse(path).getroot().iter("object"):
            box = [int(cell.findtext(f"bndbox/{side}", "")) for side in ("xmin", "ymin", "xmax", "ymax")]
            if min(box[2] - box[0], box[3] - box[1]) >= SMALLEST_BOX:
                X.append(resized(picture.crop(squared(box, picture.size)), 32))
                y.append(classes.index(cell.findtext("name", "")))
                groups.append(path.stem)
    split = np.array([splits[group] for group in groups])
    X, y = np.stack(X), np.array(y, np.uint8)
    return {"X": X, "y": y, "group": np.array(groups), "split": split, "class_names": np.array(classes)}


def squared(box: list[int], size: tuple[int, int]) -> tuple[int, ...]:
    """Return the square around a box (left, top, right, bottom), the box itself where that leaves the picture."""
    left, top, right, bottom = box
    half = max(right - left, bottom - top) / 2
    x, y = (left + right) / 2, (top + bottom) / 2
    square = (x - half, y - half, x + half, y + half)
    inside = min(square) >= 0 and square[2] <= size[0] and square[3] <= size[1]
    return tuple(map(int, square if inside else box))


def brain(sources: Path) -> dict[str, np.ndarray]:
    """Return brain MRI, padded to squares; of equal images one stays, that of the test part if there is one."""
    found = []
    for split in MRI_FOLDERS:
        for label, name in enumerate(MRI_CLASSES):
            for path in in_order(sources / MRI / MRI_FOLDERS[split] / name):
                found.append((padded(grey(path), 64), label, split, path.name))
    last = {image.tobytes(): split for image, _, split, _ in found}
    kept, seen = [], set()
    for row in found:
        content = row[0].tobytes()
        if row[2] == last[content] and content not in seen:
            seen.add(content)
            kept.append(row)
    X, y, split, names = (np.array(column) for column in zip(*kept, strict=True))
    columns = {"X": X, "y": y.astype(np.uint8), "split": split, "group": near_duplicates(X)}
    return {**columns, "class_names": np.array(MRI_CLASSES), "source_file": names}


def brain_large(sources: Path) -> dict[str, np.ndarray]:
    """Return 300 images a class of these at 224 pixels, whole groups drawn at random."""
    small, rng, kept = brain(sources), np.random.RandomState(0), []
    for label in range(len(MRI_CLASSES)):
        chosen: list[int] = []
        of_class = small["y"] == label
        for group in rng.permutation(np.unique(small["group"][of_class])):
            rows = np.flatnonzero(of_class & (small["group"] == group)).tolist()
            chosen += rows if len(chosen) + len(rows) <= PER_CLASS else []
        kept += chosen
    kept.sort()
    names = zip(small["split"][kept], small["y"][kept], small["source_file"][kept], strict=True)
    files = [sources / MRI / MRI_FOLDERS[split] / MRI_CLASSES[label] / name for split, label, name in names]
    columns = {name: small[name][kept] for name in ("y", "group")}
    X = np.stack([np.asarray(ImageOps.pad(grey(path), (224, 224), Resampling.LANCZOS)) for path in files])
    return {"X": X, **columns, "class_names": small["class_names"], "row_in_64": np.array(kept)}


def mednist(sources: Path) -> dict[str, np.ndarray]:
    """Return 1,500 images of each of six kinds, drawn at random."""
    folder, rng = sources / "Medical-MNIST-Classification/resized", np.random.RandomState(0)
    classes = ["AbdomenCT", "BreastMRI", "CXR", "ChestCT", "Hand", "HeadCT"]
    of_class = [in_order(folder / name) for name in classes]
    files = [files[i] for files in of_class for i in rng.permutation(len(files))[:PER_KIND]]
    y = np.repeat(np.arange(len(classes), dtype=np.uint8), PER_KIND)
    X, names = np.stack([np.asarray(grey(path)) for path in files]), np.array([path.name for path in files])
    return {"X": X, "y": y, "class_names": np.array(classes), "source_file": names}


def chests(sources: Path) -> dict[str, np.ndarray]:
    """Return a chest X-ray without a finding of each of 160 patients, drawn at random."""
    of_patient: dict[str, Path] = {}
    for path in in_order(sources / "COVID-19/X-Ray Image DataSet/No_findings"):
        of_patient.setdefault(path.name.partition("_")[0], path)
    patients = np.random.RandomState(1).permutation(sorted(of_patient))[:160]
    split = np.repeat(["train", "test"], [120, 40])
    return {"X": np.stack([resized(grey(of_patient[p]), 256) for p in patients]), "group": patients, "split": split}


def heads(sources: Path) -> dict[str, np.ndarray]:
    """Return slices of brain MRI of two patients, from 0 to the 99.8th percentile of each."""
    volumes = {name: nrrd(sources / f"pyradiomics/data/{name}_image.nrrd") for name in ("brain1", "brain2")}
    scaled = [np.clip(volume / np.percentile(volume, 99.8), 0, 1) for volume in volumes.values()]
    groups = np.repeat(list(volumes), [len(volume) for volume in volumes.values()])
    return {"X": np.round(255 * np.concatenate(scaled)).astype(np.uint8), "group": groups}


def nrrd(path: Path) -> np.ndarray:
    """Return a volume of 16-bit numbers, slices first."""
    header, _, data = path.read_bytes().partition(b"\n\n")
    sizes = re.search(r"sizes: (.*)", header.decode())[1].split()
    return np.frombuffer(gzip.decompress(data), "<i2").reshape([*map(int, reversed(sizes))])


def covid_large(sources: Path) -> dict[str, np.ndarray]:
    """Return the CT figures without COVID whose shorter side has 300 pixels or more."""
    paths = in_order(sources / "data_c19_cropped/CT_NonCOVID")
    paths = [path for path in paths if min(grey(path).size) >= 300]
    groups = [path.stem.split("%")[0] for path in paths]
    split = np.array(["test" if group in CT_TEST else "train" for group in groups])
    X = np.stack([resized(grey(path), 256) for path in paths])
    return {"X": X, "group": np.array([f"non_{group}" for group in groups]), "split": split}


def padded(image: Image.Image, side: int) -> np.ndarray:
    """Return an image, made square by black on either side."""
    longest = max(image.size)
    square = Image.new("L", (longest, longest))
    square.paste(image, ((longest - image.width) // 2, (longest - image.height) // 2))
    return resized(square, side)


def near_duplicates(X: np.ndarray) -> np.ndarray:
    """Return a number for each image (n, height, width), the same for those that a chain of high correlations joins."""
    from scipy.sparse.csgraph import connected_components

    rows = X.reshape(len(X), -1).astype(np.float32)
    rows -= rows.mean(1, keepdims=True)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    return connected_components(rows @ rows.T > ALIKE, directed=False)[1]


def natural(sources: Path, name: str) -> dict[str, np.ndarray]:
    """Return a test set of natural images, pixels unchanged, an array each."""
    mode = "L" if name == "Set12" else "RGB"
    return {f"img_{p.stem}": np.asarray(Image.open(p).convert(mode)) for p in in_order(sources / DNCNN / name)}


def bsd68(sources: Path) -> dict[str, np.ndarray]:
    """Return BSD68; portraits lie on their side."""
    images = [np.asarray(grey(path)) for path in in_order(sources / DNCNN / "BSD68", "png")]
    turned = np.array([image.shape[0] > image.shape[1] for image in images])
    return {
        "X": np.stack([image.T if t else image for image, t in zip(images, turned, strict=True)]),
        "transposed": turned,
    }


def train400(sources: Path) -> dict[str, np.ndarray]:
    """Return the 400 training crops of DnCNN."""
    folder = sources / "DnCNN/TrainingCodes/DnCNN_TrainingCodes_v1.0/data/Train400"
    return {"X": np.stack([np.asarray(grey(path)) for path in in_order(folder, "png")])}


# What makes each, the repository on GitHub, and the first digits of the SHA-256 of its arrays.
SETS = {
    "covid_ct_64": (
        partial(covid, side=64, enlarging=Resampling.BICUBIC),
        "GKasperek/data_c19_cropped",
        "b5ac998ab295bec8",
    ),
    "covid_ct_224": (
        partial(covid, side=224, enlarging=Resampling.LANCZOS),
        "GKasperek/data_c19_cropped",
        "49be0b2995d42f53",
    ),
    "bccd_cells_32": (bccd, "Shenggan/BCCD_Dataset", "c1a2818ab435dfab"),
    "brain_tumor_mri_64": (brain, "SartajBhuvaji/Brain-Tumor-Classification-DataSet", "2a1daa246ef42135"),
    "brain_tumor_mri_224": (brain_large, "SartajBhuvaji/Brain-Tumor-Classification-DataSet", "b9c040d89c824e86"),
    "mednist_64": (mednist, "apolanco3225/Medical-MNIST-Classification", "9d8eae7cb1996196"),
    "cxr_256_enhance": (chests, "muhammedtalo/COVID-19", "d488ca3d9e2a3b16"),
    "mr_brain_256_enhance": (heads, "AIM-Harvard/pyradiomics", "462bcecb505757fe"),
    "ct_256_enhance": (covid_large, "GKasperek/data_c19_cropped", "c845e36a25070830"),
    "set12_gray": (partial(natural, name="Set12"), "cszn/DnCNN", "39ce976e1c5957f1"),
    "set5_rgb": (partial(natural, name="Set5"), "cszn/DnCNN", "18f75f05bd5d5751"),
    "set14_rgb": (partial(natural, name="Set14"), "cszn/DnCNN", "767ac14a1ed65a9c"),
    "bsd68_gray": (bsd68, "cszn/DnCNN", "fc633a8419c7805a"),
    "train400_gray": (train400, "cszn/DnCNN", "9d1941979e9b0368"),
}


def digest(arrays: dict[str, np.ndarray]) -> str:
    """Return 16 digits that tell arrays apart, by names, shapes and values; text and whole numbers in any width."""
    sha = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        values = "\n".join(array.tolist()).encode() if array.dtype.kind == "U" else array.astype(np.int64).tobytes()
        sha.update(f"{name} {array.shape}".encode() + values)
    return sha.hexdigest()[:16]


def main() -> None:
    """Make the sets that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", type=Path, help="folder of the repositories, each under its own name")
    parser.add_argument("out", type=Path, help="folder for the files")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), metavar="NAME", help=", ".join(SETS))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.sets:
        make, source, expected = SETS[name]
        arrays = make(options.sources)
        found = digest(arrays)
        if found != expected:
            raise SystemExit(f"{name}: expected {expected}, got {found}. Has {source} or pillow's resampling changed?")
        np.savez_compressed(options.out / f"{name}.npz", **arrays)
        print(f"{name}: as measured, {found}")


if __name__ == "__main__":
    main()
