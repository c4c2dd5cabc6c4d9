"""Are enhanced images closer to the truth than those of classical methods, and how fast?

    python examples/benchmarks/enhancement.py DATA_FOLDER --tasks noise mr ct --max-time 300 --out enhancement.jsonl

Each task trains GANEnhancer on the training images of a set for `--max-time` seconds and restores its test images, next
to classical methods whose strength is tuned on training images by PSNR; those that take a noise level are given the
true one. PSNR (peak 255) and SSIM of scikit-image, means over test images. BM3D needs the package bm3d, wavelets need
PyWavelets. Every row is appended to `--out` as it is measured, and a second call goes on from there.

set5 and set14 follow the convention of the super-resolution literature: luma of ITU-R BT.601 (16 to 235), sides cut to
even ones, anti-aliased bicubic reduction rounded to 8 bit, and a border of 2 pixels left out of the figures.
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

JUDGED, DRAWS = 40, 40  # test images whose uncertainty is judged (all, where errors are of whole images), and draws
TUNED_ON = 6  # training images, their central 128 pixels
STRENGTHS = (0.4, 0.6, 0.8, 1.0, 1.25, 1.6)


def noisy(sigma):
    """Gaussian noise in grey levels, not rounded nor clipped, as in the denoising literature."""
    return lambda image, rng: image + sigma * rng.standard_normal(image.shape)


def by_name(name, **levels):
    """A degradation of the package on grey levels 0 to 255."""

    def degrade(image, rng):
        from sklearn_medgan import degradations

        poor = degradations.DEGRADATIONS[name].function(image[None, ..., None] / 255.0, rng, **levels)
        return 255.0 * poor[0, ..., 0]

    return degrade


def blurred(image, rng):
    """Gaussian blur of 1.5 pixels and noise of 2 grey levels."""
    return noisy(2.0)(by_name("blur", sigma=1.5)(image, rng), rng)


def low_contrast(image, rng):
    """Gain 0.2 to 0.7, gamma 0.7 to 1.5, an offset, and noise of 2 grey levels."""
    return noisy(2.0)(by_name("low_contrast")(image, rng), rng)


def half(image, rng):
    """Half as many pixels a side, in 8 bit."""
    return np.clip(np.round(by_name("downscale", factor=2)(image, rng)), 0, 255)


def luma(image) -> np.ndarray:
    """Grey levels 16 to 235 of a colour image (ITU-R BT.601), sides even, rounded."""
    height, width = (side // 2 * 2 for side in image.shape[:2])
    return np.round(16 + image[:height, :width] @ np.array([65.481, 128.553, 24.966]) / 255).astype(np.uint8)


# Classical methods: f(image, sigma, strength) on grey levels.
def bm3d(image, sigma, strength):
    """Dabov et al. 2007, by the authors' package."""
    import bm3d as package

    return package.bm3d(image, strength * sigma)


def nlm(image, sigma, strength):
    """Non-local means."""
    from skimage.restoration import denoise_nl_means

    return denoise_nl_means(image, h=strength * sigma, sigma=sigma, patch_size=5, patch_distance=6)


def tv(image, sigma, strength):
    """Total variation, to convergence."""
    from skimage.restoration import denoise_tv_chambolle

    return denoise_tv_chambolle(image, weight=strength * sigma, eps=1e-5, max_num_iter=200)


def wavelet(image, sigma, strength):
    """BayesShrink wavelets, shift-averaged."""
    from skimage.restoration import cycle_spin, denoise_wavelet

    settings = {"sigma": strength * sigma, "rescale_sigma": False, "method": "BayesShrink"}
    return cycle_spin(image, denoise_wavelet, 3, func_kw=settings, workers=1)


def median(image, sigma, strength):
    """Median of 3x3 or 5x5 pixels."""
    from scipy.ndimage import median_filter

    return median_filter(image, 3 if strength < 1 else 5)


def richardson_lucy(image, sigma, strength):
    """With the true kernel; padded by reflection; iterations tuned."""
    from scipy.ndimage import gaussian_filter
    from skimage.restoration import richardson_lucy as deconvolve

    kernel = np.zeros((13, 13))
    kernel[6, 6] = 1.0
    kernel = gaussian_filter(kernel, 1.5, mode="constant")
    padded = np.pad(np.clip(image, 0, 255) / 255.0, 16, mode="reflect")
    return 255.0 * deconvolve(padded, kernel / kernel.sum(), num_iter=int(15 * strength))[16:-16, 16:-16]


def autocontrast_wavelet(image, sigma, strength):
    """Quantiles stretched to those usual in training, then wavelets."""
    return wavelet(_stretched(image), sigma, strength)


def clahe(image, sigma, strength):
    """Contrast-limited adaptive histogram equalisation after stretching."""
    from skimage.exposure import equalize_adapthist

    return 255.0 * equalize_adapthist(_stretched(image).clip(0, 255) / 255.0, clip_limit=0.005 * strength)


USUAL = [0.0, 255.0]  # mean 1st and 99th percentile of the training images of the set at hand


def _stretched(image):
    low, high = np.percentile(image, [1, 99])
    return (image - low) / max(high - low, 1e-6) * (USUAL[1] - USUAL[0]) + USUAL[0]


def nothing(image, sigma, strength):
    """The poor image itself."""
    return image


def _enlarge(order_name):
    def enlarge(image, sigma, strength):
        from PIL import Image

        size = (2 * image.shape[1], 2 * image.shape[0])
        if order_name == "bicubic":
            return np.asarray(Image.fromarray(image.astype(np.float32)).resize(size, Image.BICUBIC), np.float64)
        return _lanczos5(image)

    return enlarge


def _lanczos5(image):
    """Twice as large by a windowed sinc of five lobes, borders reflected."""
    for axis in (0, 1):
        lines = np.pad(np.moveaxis(image, axis, 0), [(5, 5), (0, 0)], mode="symmetric")
        n = lines.shape[0] - 10
        places = (np.arange(2 * n) + 0.5) / 2 - 0.5
        first = np.floor(places).astype(int)
        taps = first[:, None] + np.arange(-4, 6)
        x = places[:, None] - taps
        weights = np.sinc(x) * np.sinc(x / 5)
        weights /= weights.sum(1, keepdims=True)
        image = np.moveaxis(np.einsum("it,itw->iw", weights, lines[taps + 5]), 0, axis)
    return image


ENLARGERS = {"bicubic": _enlarge("bicubic"), "lanczos5": _enlarge("lanczos5")}
DENOISERS = {"bm3d": bm3d, "nlm": nlm, "tv": tv, "wavelet": wavelet, "median": median}
# task -> training file, test file (None: its own test part), GANEnhancer settings, {test: (degrade, sigma)}, methods
TASKS = {
    "noise": (
        "cxr_256_enhance.npz",
        None,
        {"degradation": {"noise": (0, 55)}},
        {"clean": (noisy(0), 1.0), **{f"sigma {s}": (noisy(s), float(s)) for s in (15, 25, 50)}},
        DENOISERS,
    ),
    # Noise of one level, removed by what was learned from noisy images alone, or from good ones as many steps.
    "alone": ("cxr_256_enhance.npz", None, {"supervision": "self"}, {"sigma 25": (noisy(25), 25.0)}, {}),
    "known noise": ("cxr_256_enhance.npz", None, {"degradation": {"noise": 25}}, {"sigma 25": (noisy(25), 25.0)}, {}),
    "mr": (
        "mr_brain_256_enhance.npz",
        None,
        {"degradation": {"noise": (0, 55)}},
        {"sigma 25": (noisy(25), 25.0)},
        DENOISERS,
    ),
    "mr rician": (
        "mr_brain_256_enhance.npz",
        None,
        {"degradation": {"rician": (0, 55)}},
        {"rician 25": (by_name("rician", sigma=25 / 255), 25.0)},
        DENOISERS,
    ),
    "ct": ("ct_256_enhance.npz", None, {"degradation": {"noise": (0, 55)}}, {"sigma 25": (noisy(25), 25.0)}, DENOISERS),
    "ct low dose": (
        "ct_256_enhance.npz",
        None,
        {"degradation": {"low_dose_ct": (1e4, 1e5)}},
        {"photons 30000": (by_name("low_dose_ct", photons=3e4), 15.0)},
        DENOISERS,
    ),
    "x2": (
        "cxr_256_enhance.npz",
        None,
        {"scale": 2},
        {"x2": (by_name("downscale", factor=2), 1.0)},
        ENLARGERS,
    ),
    "set5": ("train400_gray.npz", "set5_rgb.npz", {"scale": 2}, {"x2": (half, 1.0)}, ENLARGERS),
    "set14": ("train400_gray.npz", "set14_rgb.npz", {"scale": 2}, {"x2": (half, 1.0)}, ENLARGERS),
    "deblur": (
        "cxr_256_enhance.npz",
        None,
        {"degradation": {"blur": 1.5, "noise": 2}},
        {"blur 1.5, noise 2": (blurred, 2.0)},
        {"richardson-lucy": richardson_lucy},
    ),
    "contrast": (
        "cxr_256_enhance.npz",
        None,
        {"degradation": {"low_contrast": (0.2, 0.7), "noise": 2}},
        {"low contrast": (low_contrast, 2.0)},
        {"autocontrast + wavelet": autocontrast_wavelet, "clahe": clahe},
    ),
    "set12": (
        "train400_gray.npz",
        "set12_gray.npz",
        {"degradation": {"noise": (0, 55)}},
        {"sigma 25": (noisy(25), 25.0)},
        {},
    ),
    "bsd68": (
        "train400_gray.npz",
        "bsd68_gray.npz",
        {"degradation": {"noise": (0, 55)}},
        {"sigma 25": (noisy(25), 25.0)},
        {},
    ),
}
OWN_DATA = [task for task, (_, test_file, *_) in TASKS.items() if test_file is None]
BORDERS = {"set5": 2, "set14": 2}  # pixels that do not count


def images_of(folder: Path, train_file: str, test_file: str | None):
    """Training stack and list of test images, uint8."""
    with np.load(folder / train_file, allow_pickle=False) as archive:
        X = archive["X"]
        if test_file is None:
            # Where there is no split, the first patient trains and the others test.
            test = archive["split"] == "test" if "split" in archive else archive["group"] != archive["group"][0]
            return X[~test], list(X[test])
    with np.load(folder / test_file, allow_pickle=False) as archive:
        images = list(archive["X"]) if "X" in archive else [archive[k] for k in sorted(archive) if k.startswith("img_")]
    return X, [luma(image) if image.ndim == 3 else image for image in images]


def quality(images, truth, border: int = 0) -> dict:
    """Mean PSNR and SSIM (Gaussian window, as its authors) of images clipped to 0 to 255, within a border."""
    inside = slice(border, -border or None)
    clipped = [np.clip(image, 0, 255)[inside, inside] for image in images]
    truth = [image[inside, inside] for image in truth]
    ssim = {"data_range": 255, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    pairs = list(zip(truth, clipped, strict=True))
    return {
        "psnr": round(float(np.mean([peak_signal_noise_ratio(t, c, data_range=255) for t, c in pairs])), 3),
        "ssim": round(float(np.mean([structural_similarity(t, c, **ssim) for t, c in pairs])), 4),
    }


def poor_of(images, degrade, seed):
    """Degraded test images; low resolution keeps the truth's sides even."""
    rng = np.random.RandomState(seed)
    return [degrade(image, rng) for image in images]


def tuned(method, degrade, sigma, train) -> float:
    """The strength with the highest PSNR on crops of training images."""
    good = [image[64:192, 64:192].astype(float) for image in train[:TUNED_ON]]
    poor = poor_of([image.astype(float) for image in train[:TUNED_ON]], degrade, 1)
    poor = [image[64:192, 64:192] for image in poor]
    scores = [quality([method(p, sigma, s) for p in poor], good)["psnr"] for s in STRENGTHS]
    return STRENGTHS[int(np.argmax(scores))]


def measure(folder: Path, task: str, a, done: set, write) -> None:
    """All rows of a task."""
    train_file, test_file, settings, tests, methods = TASKS[task]
    train, images = images_of(folder, train_file, test_file)
    truth = [image.astype(float) for image in images]
    USUAL[:] = [float(np.mean([np.percentile(image, q) for image in train])) for q in (1, 99)]
    enhancer, border = None, BORDERS.get(task, 0)
    for test, (degrade, sigma) in tests.items():
        poor = poor_of(truth, degrade, 0)
        compared = {"nothing": nothing} if test == "clean" else {"nothing": nothing, **methods}
        compared = {} if a.only == "ours" else compared
        for name, method in compared.items():
            if (task, test, name) in done or (name == "nothing" and poor[0].shape != truth[0].shape):
                continue
            same_size = poor[0].shape == truth[0].shape
            strength = tuned(method, degrade, sigma, train) if same_size and name != "nothing" else 1.0
            started = time.perf_counter()
            restored = [method(image, sigma, strength) for image in poor]
            seconds = (time.perf_counter() - started) / len(poor)
            write(task, test, name, quality(restored, truth, border), seconds, {"strength": strength})
        for n_views in a.n_views if a.only != "classical" else ():
            name = "GANEnhancer" + (f", {n_views} views" if n_views > 1 else "")
            if (task, test, name) in done:
                continue
            alone = settings.get("supervision") == "self"
            seen = np.stack(poor_of(train, degrade, 1)).astype(np.float32) if alone else train
            enhancer = enhancer or fitted(seen, settings, a)
            enhancer.set_params(n_views=n_views).transform(poor[0][None])
            started = time.perf_counter()
            restored = [enhancer.transform(image[None])[0] for image in poor]
            seconds = (time.perf_counter() - started) / len(poor)
            found = {"steps": enhancer.n_iter_, "chosen": enhancer.guard_report_["chosen"]}
            if not alone and n_views == 1:
                found.update(calibration(enhancer, poor[:JUDGED], restored[:JUDGED], truth[:JUDGED]))
            write(task, test, name, quality(restored, truth, border), seconds, found)


def calibration(enhancer, poor, restored, truth) -> dict:
    """Share of true values within central intervals of draws, and rank correlation of uncertainty and error.

    By the definition of quantiles that holds k of n + 1: of so few draws, the usual one holds up to 4 % less.
    """
    from scipy.stats import spearmanr

    inside, ranks = {level: [] for level in (50, 80, 90)}, []
    for p, r, t in zip(poor, restored, truth, strict=True):
        draws = enhancer.sample(p[None].astype(np.float32), DRAWS, random_state=0)[:, 0]
        for level, shares in inside.items():
            low, high = np.percentile(draws, [50 - level / 2, 50 + level / 2], axis=0, method="weibull")
            shares.append(np.mean((low <= t) & (t <= high)))
        doubt = enhancer.uncertainty(p[None], n_samples=None)[0]
        ranks.append(spearmanr(doubt[::4, ::4].ravel(), np.abs(r - t)[::4, ::4].ravel()).statistic)
    coverage = {str(level): round(float(np.mean(shares)), 3) for level, shares in inside.items()}
    return {"coverage": coverage, "rank_correlation": round(float(np.mean(ranks)), 3)}


def fitted(train, settings, a, known={}):  # noqa: B006 - tasks with the same training share it
    """Trained for `--max-time` seconds."""
    from sklearn_medgan import GANEnhancer

    key = f"{settings} {train.shape} {train.sum()}"
    if key not in known:
        settings = {"max_iter": 10**6, "max_time": a.max_time, **settings, **json.loads(a.settings)}
        known[key] = GANEnhancer(random_state=a.seed, **settings).fit(train)
    return known[key]


def table(rows) -> str:
    """Markdown."""
    lines = ["| task | test | method | PSNR, dB | SSIM | ms an image | holds 50, 80, 90 %; rank |", "|---" * 7 + "|"]
    for r in rows:
        figures = f"{r['psnr']:.2f} | {r['ssim']:.3f} | {1e3 * r['seconds']:.0f} | "
        if "coverage" in r:
            figures += (
                ", ".join(f"{100 * share:.0f}" for share in r["coverage"].values()) + f"; {r['rank_correlation']}"
            )
        lines.append(f"| {r['task']} | {r['test']} | {r['method']} | {figures} |")
    return "\n".join(lines)


def main():
    """Measure what is missing, then print the table."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=Path)
    p.add_argument("--tasks", nargs="+", choices=TASKS, default=OWN_DATA)
    p.add_argument("--max-time", type=float, default=300.0, help="seconds of training a task")
    p.add_argument("--settings", default="{}", help="further parameters of GANEnhancer, as JSON")
    p.add_argument("--only", choices=("classical", "ours"), help="leave the other methods to a later call")
    p.add_argument("--n-views", nargs="+", type=int, default=[1], help="restore with each number of turned views")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--out", type=Path, default=Path("enhancement.jsonl"))
    a = p.parse_args()
    warnings.simplefilter("ignore")
    rows = [json.loads(line) for line in a.out.read_text().splitlines()] if a.out.exists() else []

    def write(task, test, method, figures, seconds, more):
        rows.append({"task": task, "test": test, "method": method, **figures, "seconds": round(seconds, 5), **more})
        with a.out.open("a") as file:
            file.write(json.dumps(rows[-1]) + "\n")
        print(rows[-1], flush=True)

    for task in a.tasks:
        measure(a.folder, task, a, {(r["task"], r["test"], r["method"]) for r in rows}, write)
    print(table([r for r in rows if r["task"] in a.tasks]))


if __name__ == "__main__":
    main()
