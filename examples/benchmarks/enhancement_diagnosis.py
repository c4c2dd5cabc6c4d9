"""Does a classifier trained on good images keep its accuracy on poor ones, once they are enhanced?

    python examples/benchmarks/enhancement_diagnosis.py DATA_FOLDER --seeds 0 1 2 --max-time 60 --out diagnosis.jsonl

For brain_tumor_mri_64 and covid_ct_64: a fold by group is the test set (at most `--test-rows` of it), the others train.
SVC(C=10), random forest (200 trees) and logistic regression, on pixels and on HOG, are trained on clean rows and meet
the test rows clean, degraded, and restored by classical methods (strength tuned on training rows, told the true noise)
and by GANEnhancer (one fit a degradation, of `--max-time` seconds, `guard` on, `y` given). Balanced accuracy. Every
finished cell is appended to `--out`; a second call goes on from there.
"""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
from enhancement import DENOISERS, by_name, noisy, poor_of, quality
from skimage.feature import hog
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

SETS = {"brain": "brain_tumor_mri_64.npz", "covid": "covid_ct_64.npz"}
STRENGTHS = (0.5, 0.75, 1.0, 1.4)


def blur_and_noise(image, rng):
    """Blur of 1.5 pixels, then noise of 25 grey levels."""
    return noisy(25)(by_name("blur", sigma=1.5)(image, rng), rng)


def smaller(image, rng):
    """Half as many pixels a side, enlarged again by bicubic interpolation."""
    from sklearn_medgan.degradations import downscale, upscale

    return 255.0 * upscale(downscale(image[None, ..., None] / 255.0, factor=2), factor=2)[0, ..., 0]


# degradation -> (f(image, rng), noise level told to the classical methods, GANEnhancer's degradation)
POOR = {
    "clean": (noisy(0), 1.0, {"noise": (0, 55)}),
    "noise 25": (noisy(25), 25.0, {"noise": (0, 55)}),
    "noise 50": (noisy(50), 50.0, {"noise": (0, 55)}),
    "blur and noise": (blur_and_noise, 25.0, {"blur": (0.5, 2.0), "noise": (0, 40)}),
    "x2 down": (smaller, 2.0, "downscale"),
    "low dose": (by_name("low_dose_ct", photons=1e4), 15.0, {"low_dose_ct": (3e3, 3e4)}),
}


def classifiers(seed: int) -> dict:
    """The three of the protocol."""
    return {
        "SVC": make_pipeline(StandardScaler(), SVC(C=10)),
        "forest": RandomForestClassifier(200, random_state=seed, n_jobs=2),
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=500, C=0.01)),
    }


def columns(images) -> dict:
    """Pixels, and histograms of oriented gradients, of images 0 to 255."""
    clipped = np.clip(np.asarray(images, float), 0, 255)
    oriented = [hog(image, 9, (8, 8), (2, 2)) for image in clipped]
    return {"pixels": clipped.reshape(len(clipped), -1), "HOG": np.stack(oriented)}


def tuned(method, degrade, sigma, train) -> float:
    """The strength with the highest PSNR on training images."""
    good = [image.astype(float) for image in train[:20]]
    poor = poor_of(good, degrade, 1)
    scores = [quality([method(p, sigma, s) for p in poor], good)["psnr"] for s in STRENGTHS]
    return STRENGTHS[int(np.argmax(scores))]


def treatments(poor, degrade, sigma, enhancer, train):
    """(name, restored images) of every treatment."""
    yield "nothing", poor
    for name, method in DENOISERS.items():
        strength = tuned(method, degrade, sigma, train)
        yield name, [method(image, sigma, strength) for image in poor]
    yield "GANEnhancer", enhancer.transform(np.asarray(poor, np.float32))


def measure(folder: Path, name: str, seed: int, a, done: set, write) -> None:
    """All cells of a set and seed."""
    from sklearn_medgan import GANEnhancer

    with np.load(folder / SETS[name], allow_pickle=False) as archive:
        X, y, groups = archive["X"], archive["y"], archive["group"]
    train, test = next(StratifiedGroupKFold(4, shuffle=True, random_state=seed).split(X, y, groups))
    rng = np.random.RandomState(seed)
    train, test = rng.permutation(train)[: a.train_rows], rng.permutation(test)[: a.test_rows]
    fitted = {
        (kind, c): model.fit(values, y[train])
        for kind, values in columns(X[train]).items()
        for c, model in classifiers(seed).items()
    }
    enhancers = {}
    for poorness, (degrade, sigma, degradation) in POOR.items():
        if (name, seed, poorness) in done:
            continue
        poor = poor_of([image.astype(float) for image in X[test]], degrade, seed)
        key = str(degradation)
        if key not in enhancers:
            settings = {"degradation": degradation, "max_iter": 10**6, "max_time": a.max_time, "random_state": seed}
            enhancers[key] = GANEnhancer(**settings).fit(X[train], y[train])
        cells = []
        for treatment, restored in treatments(poor, degrade, sigma, enhancers[key], X[train]):
            psnr = quality(list(restored), [image.astype(float) for image in X[test]])["psnr"]
            for kind, values in columns(restored).items():
                for c in classifiers(seed):
                    score = balanced_accuracy_score(y[test], fitted[kind, c].predict(values))
                    cells.append(
                        {
                            "treatment": treatment,
                            "columns": kind,
                            "classifier": c,
                            "score": round(score, 4),
                            "psnr": psnr,
                        }
                    )
        chosen = enhancers[key].guard_report_["chosen"]
        write({"set": name, "seed": seed, "poor": poorness, "chosen": chosen, "cells": cells})


def table(rows) -> str:
    """Markdown: mean balanced accuracy of each treatment by set and degradation, and pooled differences."""
    names = ["nothing", *DENOISERS, "GANEnhancer"]
    lines = ["| set | poor | " + " | ".join(names) + " |", "|---|---" + "|---" * len(names) + "|"]
    for key in dict.fromkeys((r["set"], r["poor"]) for r in rows):
        cells = [c for r in rows if (r["set"], r["poor"]) == key for c in r["cells"]]
        means = [np.mean([c["score"] for c in cells if c["treatment"] == n]) for n in names]
        lines.append(f"| {key[0]} | {key[1]} | " + " | ".join(f"{m:.3f}" for m in means) + " |")
    poor = [r for r in rows if r["poor"] != "clean"]
    ours = np.array([[c["score"] for c in r["cells"] if c["treatment"] == "GANEnhancer"] for r in poor])
    rng = np.random.RandomState(0)
    for n in names[:-1]:
        other = np.array([[c["score"] for c in r["cells"] if c["treatment"] == n] for r in poor])
        gain = (ours - other).mean(1)
        low, high = np.percentile(rng.choice(gain, (10_000, len(gain))).mean(1), [2.5, 97.5])
        lines.append(
            f"\nGANEnhancer against {n}, poor images: {100 * gain.mean():+.1f} points "
            f"({100 * low:+.1f} to {100 * high:+.1f}), "
            f"{len(gain)} cells of set, seed and degradation; worst of {ours.size} single figures "
            f"{100 * (ours - other).min():+.1f}."
        )
    return "\n".join(lines)


def main():
    """Measure what is missing, then print the table."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=Path)
    p.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    p.add_argument("--max-time", type=float, default=60.0, help="seconds of training an enhancer")
    p.add_argument("--train-rows", type=int, default=1200)
    p.add_argument("--test-rows", type=int, default=200)
    p.add_argument("--out", type=Path, default=Path("diagnosis.jsonl"))
    a = p.parse_args()
    warnings.simplefilter("ignore")
    rows = [json.loads(line) for line in a.out.read_text().splitlines()] if a.out.exists() else []

    def write(row):
        rows.append(row)
        with a.out.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(row["set"], row["seed"], row["poor"], row["chosen"], flush=True)

    for seed in a.seeds:
        for name in a.sets:
            measure(a.folder, name, seed, a, {(r["set"], r["seed"], r["poor"]) for r in rows}, write)
    print(table([r for r in rows if r["set"] in a.sets and r["seed"] in a.seeds]))


if __name__ == "__main__":
    main()
