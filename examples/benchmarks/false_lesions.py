"""What unpaired restoration makes of lesions that are known: does a faint one stay, and does none appear?

    python examples/benchmarks/false_lesions.py --seeds 0 1 2 --out false_lesions.jsonl

Lung patches of `make_nodules`, in Hounsfield units. Site A is as they come; site B has the other kernel and window and
the noise and streaks of `site_shift.low_dose`. The enhancer is fitted on 400 images of B with 400 others of A as
reference; in half of each (`--prevalence`) there is a nodule of 500 HU. Judged on new images of B:

- Detection of a nodule of 60 HU by a Hotelling observer, who knows its place, its shape and the covariance of the
  background: the ideal one where all is Gaussian, which without vessels it nearly is. How a nodule comes through on
  average, a filter of 7x7 pixels, is learned from one draw of the noise, and nodules are found in another. By the
  observer's signal-to-noise ratio d the area under the curve is the mean of Phi(d / sqrt 2): printed in brackets.
- False lesions: healthy images whose difference from the noise-free truth somewhere has, within a disc of a nodule's
  usual size and against its surroundings, half the contrast of a nodule. The interval is Clopper and Pearson's.
- Contrast that nodules of 500 HU keep, of that in the truth.
"""

import argparse
import copy
import itertools
import json
import time
import warnings
from pathlib import Path

import numpy as np
from scipy.ndimage import convolve
from scipy.stats import binomtest, norm, rankdata
from site_shift import low_dose

from sklearn_medgan.datasets import make_nodules

CONTRAST, FAINT = 500.0, 60.0  # HU
N_FITTED, N_JUDGED, N_RESAMPLES = 400, 1000, 1000
REACH = 3  # pixels to each side, of the filter through which a nodule comes
HALF = 9  # pixels around the middle of a nodule that the observer looks at
PLACES = [(row, column) for row in (15, 31, 47) for column in (15, 31, 47)]  # where the background is learned


def other_site(images, seed):
    """Images in HU from the other site."""
    rng = np.random.RandomState(seed)
    return np.stack([2000 * low_dose(np.clip((x + 1300) / 2000, 0, 1), rng) - 1300 for x in images]).astype(np.float32)


def phantoms(n, seed, contrast, **settings):
    """Images in HU, float32, with a nodule in each unless `prevalence` says otherwise."""
    made = make_nodules(n, random_state=seed, contrast=contrast, **{"prevalence": 1.0, **settings})
    return made.data.astype(np.float32), made.truth


def nodules_alone(seed, **settings):
    """What `phantoms` adds for a nodule, per unit of contrast."""
    with_, without = (phantoms(N_JUDGED, seed, c, noise=0.0, **settings)[0] for c in (1000.0, 0.0))
    return (with_ - without) / 1000.0


# ------------------------------------------------------------------------------------------------------ detection


def around(images, places):
    """What is around a place of each image, flat."""
    sides = [[slice(int(p) - HALF, int(p) + HALF + 1) for p in place] for place in places]
    return np.stack([image[tuple(side)].ravel() for image, side in zip(images, sides, strict=True)]).astype(float)


def observed(background, profiles, learned, found, places):
    """Scores with and without the nodule, (2, n), and its signal-to-noise ratio, (n,).

    `learned` and `found` are pairs of images with and without a nodule, of two draws of noise. The score is the
    logarithm of the likelihood ratio.
    """
    rows = np.concatenate([around(background, [place] * len(background)) for place in PLACES])
    shifts = itertools.product(range(-REACH, REACH + 1), repeat=2)
    moved = np.stack([around(np.roll(profiles, shift, (1, 2)), places) for shift in shifts], -1)
    difference = around(learned[0], places) - around(learned[1], places)
    signal = moved @ np.linalg.lstsq(moved.reshape(-1, moved.shape[-1]), difference.ravel(), rcond=None)[0]
    template = np.linalg.solve(np.cov(rows.T), signal.T).T
    power = (template * signal).sum(1)
    scores = [((around(images, places) - rows.mean(0)) * template).sum(1) - power / 2 for images in found]
    return np.stack(scores), np.sqrt(power)


def area(scores):
    """Area under the curve of scores (2, n): with, without."""
    n = scores.shape[1]
    return (rankdata(scores)[:n].sum() - n * (n + 1) / 2) / n**2


def detection(treatments, seed, n_vessels):
    """Treatment -> scores and signal-to-noise ratios."""
    faint, healthy = (phantoms(N_JUDGED, seed, c, n_vessels=n_vessels) for c in (FAINT, 0.0))
    places = np.stack([faint[1]["row"], faint[1]["column"]], 1).round()
    background = phantoms(N_JUDGED, seed + 1, 0.0, n_vessels=n_vessels)[0]
    profiles = nodules_alone(seed, n_vessels=n_vessels)
    sets = [background, faint[0], healthy[0], faint[0], healthy[0]]
    poor = [other_site(images, seed + i) for images, i in zip(sets, (2, 3, 3, 4, 4), strict=True)]
    found = {}
    for name, treatment in treatments.items():
        background, *others = sets if treatment is None else map(treatment, poor)
        found[name] = observed(background, profiles, others[:2], others[2:], places)
    return found


# -------------------------------------------------------------------------------------- false lesions, and true ones


def false_lesion(difference, radius=3.75):
    """The largest contrast of a disc of a nodule's usual size against its surroundings."""
    v, u = np.mgrid[-9:10, -9:10]
    distance = np.hypot(u, v)
    disc, ring = distance <= radius, (distance > radius + 1) & (distance <= radius + 4)
    return convolve(difference, disc / disc.sum() - ring / ring.sum(), mode="nearest").max()


def lesions(treatments, seed):
    """Treatment -> largest false contrast of each healthy image, and share of a nodule's contrast that is kept."""
    (ill, _), (healthy, _) = (phantoms(N_JUDGED, seed + 5, c) for c in (CONTRAST, 0.0))
    truth = phantoms(N_JUDGED, seed + 5, 0.0, noise=0.0)[0]
    profiles = CONTRAST * nodules_alone(seed + 5)
    poor = [other_site(images, seed + 6) for images in (ill, healthy)]
    found = {}
    for name, treatment in treatments.items():
        after, before = (ill, healthy) if treatment is None else map(treatment, poor)
        kept = ((after - before) * profiles).sum((1, 2)) / (profiles**2).sum((1, 2))
        found[name] = [false_lesion(a - b) for a, b in zip(before, truth, strict=True)], kept
    return found


# ------------------------------------------------------------------------------------------------------ the table


def judged(treatments, seed):
    """A row for each treatment, a function of images of B; None: images as they were at site A."""
    seed = 100 * (seed + 1)
    of_lesions, with_vessels = lesions(treatments, seed), detection(treatments, seed + 10, 2)
    without = detection(treatments, seed + 20, 0)
    rows = []
    for name, (false, kept) in of_lesions.items():
        row = {"treatment": name, "false": int(np.sum(np.array(false) >= CONTRAST / 2)), "of": len(false)}
        row |= {"largest": round(float(np.max(false))), "kept": [round(float(v), 3) for v in np.sort(kept)[::50]]}
        for where, found in (("vessels", with_vessels), ("none", without)):
            scores, ratio = found[name]
            row[where] = [round(float(v), 4) for v in (area(scores), norm.cdf(ratio / np.sqrt(2)).mean())]
            row[f"{where}_loss"] = lost(scores, found["input"][0])
        rows.append(row)
    return rows


def lost(scores, of_input):
    """Loss of area against the input, with an interval from resampled images."""
    rng = np.random.RandomState(0)
    draws = [slice(None), *rng.randint(scores.shape[1], size=(N_RESAMPLES, scores.shape[1]))]
    losses = [area(of_input[:, rows]) - area(scores[:, rows]) for rows in draws]
    return [round(float(v), 4) for v in (losses[0], *np.percentile(losses[1:], [2.5, 97.5]))]


def table(rows):
    """Markdown, a line for each treatment and seed."""
    heads = ("treatment, seed", "false lesions", "contrast kept, 5th to 95th percentile")
    heads += ("area, no vessels", "loss against input", "area, vessels", "loss against input")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for r in rows:
        low, high = binomtest(r["false"], r["of"]).proportion_ci()
        cells = [f"{r['treatment']}, {r['seed']}", f"{r['false']} of {r['of']} ({100 * low:.1f} to {100 * high:.1f} %)"]
        cells += [f"{r['kept'][1]:.2f} to {r['kept'][-1]:.2f}"]
        for where in ("none", "vessels"):
            cells += ["{:.3f} ({:.3f})".format(*r[where]), "{:+.3f} ({:+.3f} to {:+.3f})".format(*r[f"{where}_loss"])]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def sites(seed, prevalence):
    """Images of B to fit on, and of A."""
    A, B = (phantoms(N_FITTED, 2 * seed + i, CONTRAST, prevalence=prevalence[i])[0] for i in (0, 1))
    return other_site(B, seed), A


def main():
    """Measure what is missing, then print the table."""
    from sklearn_medgan import GANEnhancer

    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    p.add_argument("--prevalence", type=float, nargs=2, default=[0.5, 0.5], help="in the reference, and in X")
    p.add_argument("--settings", type=json.loads, default={}, help="parameters of GANEnhancer, as JSON")
    p.add_argument("--out", type=Path, default=Path("false_lesions.jsonl"))
    a = p.parse_args()
    warnings.simplefilter("ignore")
    rows = [json.loads(line) for line in a.out.read_text().splitlines()] if a.out.exists() else []
    for seed in a.seeds:
        if (seed, a.prevalence) in [(r["seed"], r["prevalence"]) for r in rows]:
            continue
        B, A = sites(seed, a.prevalence)
        started = time.process_time()
        enhancer = GANEnhancer(random_state=seed, **a.settings).fit(B, reference=A)
        print("fit:", round(time.process_time() - started), "s of processor time", enhancer.guard_report_, flush=True)
        mapping = copy.copy(enhancer)
        mapping.guard_report_ = {**enhancer.guard_report_, "chosen": "intensity mapping"}
        treatments = {"clean": None, "input": np.asarray, "intensity mapping": mapping.transform}
        for row in judged({**treatments, "GANEnhancer, unpaired": enhancer.transform}, seed):
            rows.append({"seed": seed, "prevalence": a.prevalence, **row})
            with a.out.open("a") as file:
                file.write(json.dumps(rows[-1]) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()
