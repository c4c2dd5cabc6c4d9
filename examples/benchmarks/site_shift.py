"""Does a classifier keep its accuracy on images of another site, once an enhancer has learned from both, unpaired?

    python examples/benchmarks/site_shift.py simulated DATA_FOLDER --seeds 0 1 --out site_shift.jsonl
    python examples/benchmarks/site_shift.py real DATA_FOLDER --out site_shift.jsonl
    python examples/benchmarks/site_shift.py nodules

`simulated`: the test rows are fold 0 of `StratifiedGroupKFold(4, shuffle=True, random_state=100)`, at most 300. The
others are cut by group: two thirds, at most 600 and clean, are site A, on which classifiers are trained and which is
the `reference`; one third, at most 300 and shifted, are the unlabelled images of site B that the enhancer is fitted on.
Test rows are shifted by other draws. `real`: PneumoniaMNIST, whose test part is of another distribution; half of it is
fitted on, the other half diagnosed, and the other way round. `nodules`: what becomes of lesions that are known.

Whatever is diagnosed is stored in 8 bit first. Balanced accuracy, with intervals from resampling groups of test rows.
Every finished treatment is appended to `--out`; a second call goes on from there.
"""

import argparse
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


def match(images, source, wanted):
    """Images through the curve that gives `source` the histogram of `wanted`."""
    jitter = np.random.RandomState(0).uniform(-0.5, 0.5, np.shape(source))  # grey levels are whole numbers
    return np.interp(images, np.percentile(source + jitter, LEVELS), np.percentile(wanted, LEVELS))


def treat(treatment, A, B, test, seed, enhancers):
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
        enhancer = GANEnhancer(random_state=seed)
        started = time.process_time()
        enhancers[blind] = enhancer.fit(A) if blind else enhancer.fit(B, reference=A)
        print("fit:", round(time.process_time() - started), "s of processor time", flush=True)
    enhancer = enhancers[blind]
    if treatment == "intensity mapping":
        shift = enhancer._restoration.shift
        return np.stack([255.0 * shift.untoned(image[..., None] / 255.0)[..., 0] for image in test]), None
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
    return images[..., None].astype(np.float32) / 127.5 - 1.0


def measure(name, seed, sites, done, write, treatments=TREATMENTS):
    """All treatments of a set and seed."""
    A, y_A, B, clean, test, y, _ = sites
    missing = [t for t in (*treatments, *(("clean",) if clean is not None else ())) if (name, seed, t) not in done]
    if not missing:
        return
    diagnosis, enhancers = Diagnosis(A, y_A, seed), {}
    for treatment in missing:
        images, chosen = (clean, None) if treatment == "clean" else treat(treatment, A, B, test, seed, enhancers)
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


# ------------------------------------------------------------------------------------------------------ the lesions


def observer(images, profiles):
    """The matched filter at the known place, against the mean of its surroundings, for each image and lesion."""
    scores = []
    for image, profile in zip(images, profiles, strict=True):
        ring = (gaussian_filter(profile, 2.0) > 0.05) & (profile < 0.05)
        scores.append((image * profile).sum() / profile.sum() - image[ring].mean())
    return np.array(scores)


def nodules(seed=0, contrast=150.0, n=400):
    """Print the observer's area under the curve before and after, and false lesions in healthy images."""
    from sklearn.metrics import roc_auc_score

    from sklearn_medgan import GANEnhancer
    from sklearn_medgan.datasets import make_nodules

    def make(n, state, contrast):
        return make_nodules(n, contrast=contrast, random_state=state)

    def other_site(images, state):
        rng = np.random.RandomState(state)
        return np.stack([2000 * low_dose(np.clip((x + 1300) / 2000, 0, 1), rng) - 1300 for x in images])

    reference, poor = make(n, 1, contrast).data, other_site(make(n, 2, contrast).data, 3)
    test, healthy = make(n, 4, contrast), make(n, 4, 0.0)
    ill = test.target == 1
    profiles = (test.data - healthy.data)[ill] / contrast
    enhancer = GANEnhancer(random_state=seed).fit(poor.astype(np.float32), reference=reference.astype(np.float32))
    inputs = [other_site(images, 5).astype(np.float32) for images in (test.data[ill], healthy.data[ill])]
    restored = [enhancer.transform(images) for images in inputs]
    labels = np.repeat([1, 0], ill.sum())
    print("chosen", enhancer.guard_report_["chosen"], enhancer.guard_report_["psnr"])
    for name, pair in (("clean", [test.data[ill], healthy.data[ill]]), ("input", inputs), ("restored", restored)):
        scores = np.concatenate([observer(images, profiles) for images in pair])
        print(f"{name}: area under the curve {roc_auc_score(labels, scores):.3f}")
    untouched = other_site(healthy.data, 6).astype(np.float32)
    scale = enhancer._restoration
    toned = [scale._toned(scale.codec.encode(image[..., None])) for image in untouched]
    toned = scale.codec.decode(np.stack(toned))[..., 0]
    for name, images in (("toned", toned), ("restored", enhancer.transform(untouched))):
        apart = [false_lesion(after - before) for after, before in zip(images, healthy.data, strict=True)]
        print(f"{name}: {sum(a > contrast / 2 for a in apart)} of {len(apart)} healthy images with a false lesion")


def false_lesion(difference, radius=3.75):
    """The largest contrast of a disc of a nodule's usual size against its surroundings."""
    v, u = np.mgrid[-9:10, -9:10]
    distance = np.hypot(u, v)
    disc, ring = distance <= radius, (distance > radius + 1) & (distance <= radius + 4)
    return convolve(difference, disc / disc.sum() - ring / ring.sum(), mode="nearest").max()


def main():
    """Measure what is missing, then print the table."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("command", choices=("simulated", "real", "nodules"))
    p.add_argument("folder", type=Path, nargs="?")
    p.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    p.add_argument("--out", type=Path, default=Path("site_shift.jsonl"))
    a = p.parse_args()
    warnings.simplefilter("ignore")
    if a.command == "nodules":
        nodules()
        return
    rows = [json.loads(line) for line in a.out.read_text().splitlines()] if a.out.exists() else []

    def write(row):
        rows.append(row)
        with a.out.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(row["set"], row["seed"], row["treatment"], row["chosen"], flush=True)

    if a.command == "simulated":
        sites = {(name, seed): simulated(a.folder, name, seed) for seed in a.seeds for name in a.sets}
    else:
        sites = {("pneumonia", half): real(a.folder, half) for half in (0, 1)}
    for (name, seed), site in sites.items():
        measure(name, seed, site, {(r["set"], r["seed"], r["treatment"]) for r in rows}, write)
    print(table(rows, sites))


if __name__ == "__main__":
    main()
