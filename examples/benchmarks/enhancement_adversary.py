"""Does the adversarial term of GANEnhancer help? Weights 0 to 0.1, several seeds, equal training time.

    python examples/benchmarks/enhancement_adversary.py DATA_FOLDER --weights 0 0.003 0.01 0.03 0.1 --seeds 0 1 2

On brain_tumor_mri_64, a fold by group (the seed's) as test set, restored from noise of 25 and 50 grey levels. PSNR;
error of the power spectrum (mean absolute difference of radial averages, dB); distance of the distributions of
gradients (Wasserstein-1, grey levels a pixel); balanced accuracy of SVC(C=10) and logistic regression on pixels and
HOG, trained on clean rows. Every finished model is appended to `--out`; a second call goes on from there.
"""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
from enhancement import noisy, poor_of, quality
from enhancement_diagnosis import Split, columns
from scipy.stats import wasserstein_distance

SIGMAS = (25, 50)
FIGURES = ("psnr", "spectrum", "gradients", "accuracy")


def radial_power(images) -> np.ndarray:
    """Mean power at each whole spatial frequency above 0, in dB."""
    images = np.asarray(images, float)
    power = (np.abs(np.fft.fft2(images)) ** 2).mean(0)
    side = images.shape[1]
    frequency = np.hypot(*np.meshgrid(*2 * [np.fft.fftfreq(side) * side])).round().astype(int)
    mean = np.bincount(frequency.ravel(), power.ravel()) / np.bincount(frequency.ravel())
    return 10 * np.log10(mean[1 : side // 2])


def gradients(images) -> np.ndarray:
    """Differences of neighbouring pixels."""
    images = np.asarray(images, float)
    return np.concatenate([np.diff(images, axis=axis).ravel() for axis in (1, 2)])


def judged(split: Split, restored) -> dict:
    """The figures of restored test images."""
    clipped = np.clip(np.asarray(restored, float), 0, 255)
    recall = []
    for (kind, c), model in split.models().items():
        if c == "forest":
            continue
        right = model.predict(columns(clipped)[kind]) == split.y
        recall.append(np.mean([right[split.y == label].mean() for label in np.unique(split.y)]))
    return {
        "psnr": quality(list(clipped), split.good)["psnr"],
        "spectrum": float(np.abs(radial_power(clipped) - radial_power(split.good)).mean()),
        "gradients": wasserstein_distance(gradients(clipped), gradients(split.good)),
        "accuracy": float(np.mean(recall)),
    }


def measure(split: Split, weight: float, a) -> dict:
    """Train one model and judge it."""
    from sklearn_medgan import GANEnhancer

    settings = {"degradation": {"noise": (0, 55)}, "max_iter": 10**6, "max_time": a.max_time, "guard": False}
    enhancer = GANEnhancer(adversarial_weight=weight, random_state=split.seed, **settings).fit(split.X_train)
    row = {"weight": weight, "seed": split.seed, "steps": enhancer.n_iter_}
    for sigma in SIGMAS:
        poor = poor_of(split.good, noisy(sigma), split.seed)
        row[str(sigma)] = judged(split, enhancer.transform(np.asarray(poor, np.float32)))
    return row


def table(rows) -> str:
    """Markdown: mean over seeds (lowest to highest)."""
    lines = [
        "| weight | steps | sigma | PSNR, dB | spectrum, dB | gradients | balanced accuracy |",
        "|---|---|---|---|---|---|---|",
    ]
    for weight in sorted({row["weight"] for row in rows}):
        same = [row for row in rows if row["weight"] == weight]
        for sigma in SIGMAS:
            values = [[row[str(sigma)][figure] for row in same] for figure in FIGURES]
            cells = [f"{np.mean(v):.3f} ({min(v):.3f} to {max(v):.3f})" for v in values]
            lines.append(
                f"| {weight} | {np.mean([r['steps'] for r in same]):.0f} | {sigma} | " + " | ".join(cells) + " |"
            )
    return "\n".join(lines)


def main():
    """Measure what is missing, then print the table."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=Path)
    p.add_argument("--weights", type=float, nargs="+", default=[0.0, 0.003, 0.01, 0.03, 0.1])
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    p.add_argument("--max-time", type=float, default=60.0, help="seconds of training a model")
    p.add_argument("--train-rows", type=int, default=1200)
    p.add_argument("--test-rows", type=int, default=400)
    p.add_argument("--out", type=Path, default=Path("adversary.jsonl"))
    a = p.parse_args()
    warnings.simplefilter("ignore")
    rows = [json.loads(line) for line in a.out.read_text().splitlines()] if a.out.exists() else []
    for seed in a.seeds:
        split = Split(a.folder, "brain", seed, a)
        for weight in a.weights:
            if not any((row["weight"], row["seed"]) == (weight, seed) for row in rows):
                rows.append(measure(split, weight, a))
                with a.out.open("a") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
                print(rows[-1], flush=True)
    print(table(rows))


if __name__ == "__main__":
    main()
