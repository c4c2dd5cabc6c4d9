"""Small images, tables and enhancers of few steps, for the tests of `enhancement`."""

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from sklearn_medgan import GANEnhancer

TINY = {"max_iter": 4, "width": 4, "depth": 2, "patch_size": 16, "batch_size": 4, "guard": False, "random_state": 0}

RNG = np.random.RandomState(0)

FLOATS = RNG.uniform(size=(10, 18, 21))  # sides that 8 does not divide

STACK = (255 * FLOATS).astype(np.uint8)

COLOUR = RNG.uniform(size=(8, 16, 20, 3)).astype(np.float32)

TABLE = RNG.normal(size=(40, 5)) * [1.0, 10.0, 0.1, 5.0, 1.0] + [0.0, 100.0, 0.0, -7.0, 1.0]

untrained = pytest.mark.filterwarnings(
    "ignore:(GANEnhancer (would do harm|is no better|does not use)|What GANEnhancer)"
)


def enhancer(**changed):
    return GANEnhancer(**{**TINY, **changed})


def smooth(n, size=24, seed=0):
    """Discs on a ramp in [0, 1]."""
    rng = np.random.RandomState(seed)
    rows, columns = np.mgrid[:size, :size] / size
    centres = rng.uniform(0.3, 0.7, (n, 2, 1, 1))
    discs = np.hypot(rows - centres[:, 0], columns - centres[:, 1]) < 0.25
    return (0.2 + 0.4 * rows + 0.4 * discs).astype(np.float32)


def noisy(images, sigma=0.1, seed=0):
    return (images + sigma * np.random.RandomState(seed).standard_normal(images.shape)).astype(images.dtype)


def mean_psnr(images, good, peak=None):
    peak = float(np.ptp(good)) if peak is None else peak
    return np.mean([peak_signal_noise_ratio(g, i, data_range=peak) for i, g in zip(images, good, strict=True)])


def ends(images):
    """The range that an enhancer learns: means over the five images that reach farthest."""
    return np.sort(images.min((1, 2)))[:5].mean(), np.sort(images.max((1, 2)))[-5:].mean()


def equal_fits(a, b, rows):
    assert a.transform(rows).tobytes() == b.transform(rows).tobytes()
    assert a.uncertainty(rows).tobytes() == b.uncertainty(rows).tobytes()
    assert a.sample(rows, 2).tobytes() == b.sample(rows, 2).tobytes()
    assert a.get_params() == b.get_params()
    assert (a.n_iter_, a.history_, a.guard_report_) == (b.n_iter_, b.history_, b.guard_report_)


def discs(n, size=24, seed=0):
    """Discs on a ramp, float32 in [0, 1]: what classical filters restore well."""
    rng = np.random.RandomState(seed)
    rows, columns = np.mgrid[:size, :size] / size
    centres = rng.uniform(0.3, 0.7, (n, 2, 1, 1))
    discs = np.hypot(rows - centres[:, 0], columns - centres[:, 1]) < 0.25
    return (0.3 + 0.3 * rows + 0.4 * discs).astype(np.float32)


def halves(labels, seed=0):
    """Images whose brighter half is that of their class."""
    rng = np.random.RandomState(seed)
    images = rng.uniform(0.4, 0.6, (len(labels), 16, 16, 1)).astype(np.float32)
    for image, label in zip(images, labels, strict=True):
        image[:, :8] += 0.2 * label
        image[:, 8:] += 0.2 * (1 - label)
    return images


def network(change):
    """A restorer that applies a known change, with an even spread."""

    def restore(rows, with_spread):
        restored = np.asarray(change(np.asarray(rows)), np.float32)
        return [restored, np.full_like(restored, 0.1)] if with_spread else [restored]

    return restore


KEYS = {
    "chosen",
    "n_held_out",
    "strength",
    "shrinkage",
    "spared",
    "psnr",
    "psnr_clean",
    "balanced_accuracy",
    "balanced_accuracy_clean",
}
