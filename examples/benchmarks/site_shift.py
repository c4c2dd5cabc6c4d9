"""Does a classifier keep its accuracy on images of another site, once an enhancer has learned from both, unpaired?

    python examples/benchmarks/site_shift.py simulated DATA_FOLDER --seeds 0 1 --out site_shift.jsonl
    python examples/benchmarks/site_shift.py real DATA_FOLDER --cells CELLS_FOLDER --out site_shift.jsonl

`simulated`: the test rows are fold 0 of `StratifiedGroupKFold(4, shuffle=True, random_state=100)`, at most 300. The
others are cut by group: two thirds, at most 600 and clean, are site A, on which classifiers are trained and which is
the `reference`; one third, at most 300 and shifted, are the unlabelled images of site B that the enhancer is fitted on.
Test rows are shifted by other draws. `real`: PneumoniaMNIST, whose test part is of another distribution; and, given a
copy of the GitHub repository zxaoyou/segmentation_WBC (Zheng et al. 2018), white blood cells of two microscopes and
stains, in colour, from each to the other. Half of a site's images are fitted on, the other half diagnosed, and the
other way round. What becomes of lesions is asked by `false_lesions.py`.

Whatever is diagnosed is stored in 8 bit first. Balanced accuracy, with intervals from resampling groups of test rows.
Every finished treatment is appended to `--out`; a second call goes on from there.
"""

import argparse
import copy
import json
import time
import warnings
from pathlib import Path

import numpy as np
from scipy.ndimage import convolve, gaussian_filter
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

SETS = {"brain": "brain_tumor_mri_64.npz", "covid": "covid_ct_64.npz"}
OURS = "GANEnhancer, unpaired"
TREATMENTS = ("nothing", "histogram, image", "histogram, site", "GANEnhancer, blind", "intensity mapping", OURS)
N_RESAMPLES = 2000
LEVELS = np.linspace(0.0, 100.0, 257)


# ------------------------------------------------------------------------------------------------------- the shifts


def shading(height, width, coefficients):
    """A smooth field around 1 of first and second order."""
    v, u = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    return np.exp(np.tensordot(coefficients, [u, v, u * v, u * u - 1 / 3, v * v - 1 / 3], 1))


def other_scanner(image, rng):
    """MR: a power, shading, blur and Rician noise; each differs a little from image to image."""
    field = shading(*image.shape, np.array([-0.2, 0.25, -0.1, 0.1, -0.15]) * rng.uniform(0.7, 1.3))
    x = gaussian_filter(field * image ** (1.3 * np.exp(rng.normal(0, 0.05))), 0.7 * rng.uniform(0.85, 1.15))
    noise = 0.04 * rng.uniform(0.8, 1.25) * rng.standard_normal((2, *image.shape))
    return np.hypot(x + noise[0], noise[1])


def low_dose(image, rng):
    """CT: another kernel, another window, and noise that is part white and part streaks of one direction."""
    x = gaussian_filter(image, 0.7 * rng.uniform(0.85, 1.15))
    x = 0.15 + 0.75 * np.exp(rng.normal(0, 0.03)) * x**0.85
    angle, streak = rng.uniform(0, np.pi), np.zeros((9, 9))
    for t in np.linspace(-4, 4, 40):
        streak[round(4 + t * np.sin(angle)), round(4 + t * np.cos(angle))] = 1
    white, source = rng.standard_normal((2, *image.shape))
    streaks = convolve(source, streak / np.sqrt(streak.sum()), mode="wrap")
    return x + 0.04 * rng.uniform(0.7, 1.4) * (0.6 + 0.8 * x) * np.sqrt(0.5) * (white + streaks)


SHIFTS = {"brain": other_scanner, "covid": low_dose}


def shifted(images, shift, seed):
    """Images of 8 bit from the other site."""
    rng = np.random.RandomState(seed)
    return stored([255.0 * shift(image / 255.0, rng) for image in images])


def stored(images):
    """In 8 bit."""
    return np.clip(np.round(np.asarray(images, float)), 0, 255).astype(np.uint8)


# --------------------------------------------------------------------------------------------------- the comparison


def simulated(folder, name, seed):
    """Images and labels of site A, images of site B to fit on, and test images: clean, shifted, labels, groups."""
    with np.load(folder / SETS[name], allow_pickle=False) as archive:
        X, y, groups = archive["X"], archive["y"], archive["group"]
    rest, test = next(StratifiedGroupKFold(4, shuffle=True, random_state=100).split(X, y, groups))
    first, others = next(StratifiedGroupKFold(3, shuffle=True, random_state=seed).split(X[rest], y[rest], groups[rest]))
    rng = np.random.RandomState(seed)
    test = np.random.RandomState(0).permutation(test)[:300]
    first, others = rest[rng.permutation(first)[:600]], rest[rng.permutation(others)[:300]]
    B = [shifted(X[rows], SHIFTS[name], 2 * seed + i) for i, rows in enumerate((others, test))]
    return X[first], y[first], B[0], X[test], B[1], y[test], groups[test]


def real(folder, half):
    """PneumoniaMNIST in the same form; there is no clean version."""
    with np.load(folder / "pneumoniamnist.npz", allow_pickle=False) as archive:
        parts = [(archive[f"{p}_images"], archive[f"{p}_labels"].ravel()) for p in ("train", "val", "test")]
    X, y = (np.concatenate([parts[0][i], parts[1][i]]) for i in (0, 1))
    test, labels = parts[2]
    fitted, judged = list(StratifiedKFold(2, shuffle=True, random_state=0).split(test, labels))[half]
    rows = np.random.RandomState(0).permutation(len(X))[:2000]
    return X[rows], y[rows], test[fitted], None, test[judged], labels[judged], judged


def cells(folder, source, half):
    """White blood cells of 64x64 in the same form, classifiers trained on the images of Dataset `source`, 1 or 2."""
    from PIL import Image

    def dataset(k):
        rows = np.loadtxt(folder / f"Class Labels of Dataset {k}.csv", int, delimiter=",", skiprows=1)
        rows = rows[rows[:, 1] < 5]  # four basophils in all
        paths = [folder / f"Dataset {k}" / f"{number:03d}.bmp" for number in rows[:, 0]]
        images = [Image.open(path).convert("RGB").resize((64, 64), Image.Resampling.LANCZOS) for path in paths]
        return np.stack([np.asarray(image) for image in images]), rows[:, 1]

    (A, y_A), (B, y_B) = dataset(source), dataset(3 - source)
    fitted, judged = list(StratifiedKFold(2, shuffle=True, random_state=0).split(B, y_B))[half]
    return A, y_A, B[fitted], None, B[judged], y_B[judged], judged


def real_sites(folder, cells_folder):
    """Set and half -> images and labels."""
    sites = {("pneumonia", half): real(folder, half) for half in (0, 1)}
    for source in (1, 2) if cells_folder else ():
        sites |= {(f"cells of {source}", half): cells(cells_folder, source, half) for half in (0, 1)}
    return sites


def match(images, source, wanted):
    """Images through the curve that gives `source` the histogram of `wanted`, channel by channel."""
    if np.ndim(wanted) == 4:
        return np.stack([match(images[..., i], source[..., i], wanted[..., i]) for i in range(wanted.shape[3])], -1)
    jitter = np.random.RandomState(0).uniform(-0.5, 0.5, np.shape(source))  # grey levels are whole numbers
    return np.interp(images, np.percentile(source + jitter, LEVELS), np.percentile(wanted, LEVELS))


def treat(treatment, A, B, test, settings, enhancers):
    """Test images after a treatment, and what the guard chose."""
    from sklearn_medgan import GANEnhancer

    if treatment == "nothing":
        return test, None
    if treatment == "histogram, image":
        return [match(image, image, A) for image in test], None
    if treatment == "histogram, site":
        return match(test, B, A), None
    blind = treatment.endswith("blind")
    if blind not in enhancers:
        enhancer = GANEnhancer(**settings)
        started = time.process_time()
        enhancers[blind] = enhancer.fit(A) if blind else enhancer.fit(B, reference=A)
        print("fit:", round(time.process_time() - started), "s of processor time", flush=True)
    enhancer = enhancers[blind]
    if treatment == "intensity mapping":
        enhancer = copy.copy(enhancer)  # a shallow one; what the guard chose is all that differs
        enhancer.guard_report_ = {**enhancer.guard_report_, "chosen": treatment}
        return enhancer.transform(test), None
    return enhancer.transform(test), enhancer.guard_report_["chosen"]


class Diagnosis:
    """Classifiers of the clean images of site A: on pixels, and on columns of the pretrained network."""

    def __init__(self, A, y, seed):
        from sklearn_medgan.augmentation._trunk_columns import TrunkColumns

        self.trunk = TrunkColumns("auto")
        blocks = self.trunk.transform(encoded(A))
        self.scales = [(b.mean(0), np.maximum(b.std(0), 1e-4 * b.std(0).max()) * np.sqrt(b.shape[1])) for b in blocks]
        pixels = A.reshape(len(A), -1).astype(float)
        self.models = {
            "SVC": make_pipeline(StandardScaler(), SVC(C=10)).fit(pixels, y),
            "forest": RandomForestClassifier(200, random_state=seed).fit(pixels, y),
            "trunk": SVC(C=10).fit(self.columns(A), y),
        }

    def columns(self, images):
        """Columns of the pretrained network; its maps count alike."""
        blocks = self.trunk.transform(encoded(images))
        return np.concatenate([(b - mean) / size for b, (mean, size) in zip(blocks, self.scales, strict=True)], 1)

    def correct(self, images, y):
        """Classifier -> string of 0 and 1."""
        images = stored(images)
        pixels = images.reshape(len(images), -1).astype(float)
        rows = {name: self.columns(images) if name == "trunk" else pixels for name in self.models}
        right = {name: model.predict(rows[name]) == y for name, model in self.models.items()}
        return {name: "".join(str(int(r)) for r in found) for name, found in right.items()}


def encoded(images):
    """In [-1, 1], as the pretrained network's columns take them."""
    return (images if images.ndim == 4 else images[..., None]).astype(np.float32) / 127.5 - 1.0


def measure(name, seed, sites, treatments, settings, write):
    """These treatments of a set and seed."""
    A, y_A, B, clean, test, y, _ = sites
    diagnosis, enhancers = Diagnosis(A, y_A, seed), {}
    for treatment in treatments:
        given = A, B, test, {"random_state": seed, **settings}, enhancers
        images, chosen = (clean, None) if treatment == "clean" else treat(treatment, *given)
        write({"set": name, "seed": seed, "treatment": treatment, "chosen": chosen, **diagnosis.correct(images, y)})


def accuracies(row, y, weights):
    """Balanced accuracy under weights of the test rows, (n weights, 3)."""
    right = np.array([[digit == "1" for digit in row[name]] for name in ("SVC", "forest", "trunk")], float)
    recalls = [weights[:, y == k] @ right[:, y == k].T / weights[:, y == k].sum(1, keepdims=True) for k in np.unique(y)]
    return np.mean(recalls, 0)


def table(rows, sites):
    """Markdown: balanced accuracy by set and classifier, and what is closed of the gap."""
    rng, found, drawn = np.random.RandomState(0), {}, {}
    for (name, seed), (*_, y, groups) in sites.items():
        _, group = np.unique(groups, return_inverse=True)
        n_groups, rows_tested = group.max() + 1, groups.tobytes()
        if rows_tested not in drawn:  # seeds that share their test rows share what is drawn of them
            drawn[rows_tested] = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), N_RESAMPLES)
        counts = drawn[rows_tested]
        weights = np.concatenate([np.ones((1, len(y))), counts[:, group] + 1e-9])
        for row in rows:
            if (row["set"], row["seed"]) == (name, seed):
                found[name, seed, row["treatment"]] = 100 * accuracies(row, y, weights)
    names = [t for t in (*TREATMENTS, "clean") if any(key[2] == t for key in found)]
    sets = list(dict.fromkeys(name for name, _ in sites))
    heads = [f"{name}, {c}" for name in sets for c in ("SVC", "forest", "trunk")]
    lines = [f"| treatment | {' | '.join(heads)} | mean |", "|---" * (len(heads) + 2) + "|"]
    pooled = {}
    for t in names:
        cells = [np.mean([found[key] for key in found if (key[0], key[2]) == (name, t)], 0) for name in sets]
        pooled[t] = np.concatenate(cells, 1)
        lines.append(f"| {t} | {' | '.join(f'{v:.1f}' for v in pooled[t][0])} | {pooled[t][0].mean():.1f} |")
    for t in names:
        if t not in (OURS, "clean"):
            gain = (pooled[OURS] - pooled[t]).mean(1)
            low, high = np.percentile(gain[1:], [2.5, 97.5])
            lines.append(f"- {OURS} against {t}: {gain[0]:+.1f} points ({low:+.1f} to {high:+.1f}).")
    if "clean" in pooled:
        lines += closed(names, pooled)
    cells = [found[n, s, OURS][0] - found[n, s, "nothing"][0] for n, s in sites if (n, s, OURS) in found]
    return "\n".join([*lines, f"- Worst single cell against nothing: {np.min(cells):+.1f} points."])


def closed(names, pooled):
    """Sentences on the share of the gap between clean and shifted images."""
    lines = []
    for t in names:
        if t not in ("nothing", "clean"):
            gap = [(pooled[of] - pooled["nothing"]).mean(1) for of in (t, "clean")]
            low, high = np.percentile(100 * gap[0][1:] / gap[1][1:], [2.5, 97.5])
            lines.append(f"- {t} closes {100 * gap[0][0] / gap[1][0]:.0f} % of the gap ({low:.0f} to {high:.0f}).")
    return lines


def main():
    """Measure what is missing, then print the table."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("command", choices=("simulated", "real"))
    p.add_argument("folder", type=Path)
    p.add_argument("--cells", type=Path, help="folder of zxaoyou/segmentation_WBC")
    p.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    p.add_argument("--settings", type=json.loads, default={}, help="parameters of GANEnhancer, as JSON")
    p.add_argument("--out", type=Path, default=Path("site_shift.jsonl"))
    a = p.parse_args()
    warnings.simplefilter("ignore")
    rows = [json.loads(line) for line in a.out.read_text().splitlines()] if a.out.exists() else []

    def write(row):
        rows.append(row)
        with a.out.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(row["set"], row["seed"], row["treatment"], row["chosen"], flush=True)

    simulates = a.command == "simulated"
    if simulates:
        sites = {(name, seed): simulated(a.folder, name, seed) for seed in a.seeds for name in a.sets}
    else:
        sites = real_sites(a.folder, a.cells)
    compared = (*TREATMENTS, "clean") if simulates else [t for t in TREATMENTS if not t.endswith("blind")]
    for (name, seed), site in sites.items():
        done = [r["treatment"] for r in rows if (r["set"], r["seed"]) == (name, seed)]
        if missing := [t for t in compared if t not in done]:
            measure(name, seed, site, missing, a.settings, write)
    for names in [a.sets] if simulates else dict.fromkeys((name,) for name, _ in sites):  # real sets one by one
        print(table(rows, {key: site for key, site in sites.items() if key[0] in names}), end="\n\n")


if __name__ == "__main__":
    main()
