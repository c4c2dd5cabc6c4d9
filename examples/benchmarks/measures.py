"""What `run_all.py` measures: each function returns the figures of one line of its tables, for a process of its own.

    python examples/benchmarks/measures.py step '{"settings": {"class_steps": 0}, "side": 64}'

Images are noise: cost does not depend on what they show. Memory is what the process itself holds (Linux: RssAnon) above
the idle one after a first small call, so pages of a mapped file do not count.
"""

import contextlib
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

PACKAGES = ("keras", "tensorflow", "jax", "torch", "numpy", "scikit-learn", "scikit-image")
BARE = {"n_patches": 0, "backbone": None, "representation": "pixels"}  # fits whose cost is their steps


def installed(package: str) -> bool:
    """Tell whether a distribution is installed."""
    with contextlib.suppress(metadata.PackageNotFoundError):
        return bool(metadata.version(package))
    return False


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def seconds(function: Callable[[], Any]) -> float:
    """Return the wall time of a call."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def typical(function: Callable[[], Any], repeats: int = 5) -> float:
    """Return the median wall time of `repeats` calls after a first one."""
    function()
    return statistics.median(seconds(function) for _ in range(repeats))


def noise(n: int, *shape: int, out: np.ndarray | None = None) -> np.ndarray:
    """Return uint8 images (n, *shape), written into `out` where given."""
    rng = np.random.default_rng(0)
    out = np.empty((n, *shape), np.uint8) if out is None else out
    for start in range(0, n, 100):
        out[start : start + 100] = rng.integers(0, 256, out[start : start + 100].shape, np.uint8)
    return out


class Memory(threading.Thread):
    """Watches how much memory the process holds above what it held at first: `peak`, in MB."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.idle = self.now()
        self.peak = 0.0 * self.idle
        self.start()

    @staticmethod
    def now() -> float:
        """Return the anonymous memory of the process in MB, NaN where the system does not say it."""
        status = Path("/proc/self/status")
        found = re.search(r"RssAnon:\s*(\d+)", status.read_text()) if status.exists() else None
        return int(found[1]) / 1024 if found else float("nan")

    def run(self) -> None:
        """Look 20 times a second."""
        while True:
            self.peak = max(self.peak, self.now() - self.idle)
            time.sleep(0.05)


def step(settings: dict, side: int = 32, n: int = 512, channels: int = 1, classes: int = 2, steps: int = 20) -> dict:
    """Training steps of 64 rows: differences of fits over their number of steps, and what fits cost beyond it."""
    from sklearn_medgan import GANAugmenter

    X, y = noise(n, side, side, channels), np.arange(n) % classes
    augmenter = GANAugmenter(random_state=0, width=32, batch_size=64, gan_size=side, **BARE, **settings)

    def fit(n_steps: int) -> float:
        return seconds(lambda: augmenter.set_params(max_iter=n_steps).fit(X, y))

    first = fit(1)
    pairs = [(fit(1), fit(1 + steps)) for _ in range(5)]
    one = statistics.median((long - short) / steps for short, long in pairs)
    later = statistics.median(short for short, _ in pairs)
    return {"ms a step": 1e3 * one, "first fit beyond its steps, s": first - one, "later ones, s": later - one}


def loop(python: str, script: str, side: int, steps: int, threads: int) -> dict:
    """Steps of the PyTorch loop, as it prints them."""
    command = [python, script, "--size", str(side), "--steps", str(steps), "--threads", str(threads)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {"ms a step": float(re.search(r"([\d.]+) ms per step", text)[1])}


def matrices() -> dict:
    """The rate of NumPy's matrix product in float32, (2048, 512) by (512, 512)."""
    a, b = (np.random.default_rng(0).random(shape, np.float32) for shape in ((2048, 512), (512, 512)))
    taken = typical(lambda: a @ b, 31)
    return {"GFLOP a second": 2e-9 * a.size * b.shape[1] / taken, "ms": 1e3 * taken}


def operation(name: str, side: int, fine: int, coarse: int, n: int = 128) -> dict:
    """The rate of a 4x4 convolution of stride 2, its transpose or its filter gradient."""
    from keras import ops

    from sklearn_medgan.gan.backends import backend
    from sklearn_medgan.gan.environment import Compiled

    size = (side, side)
    shapes = {"fine": (n, *size, fine), "coarse": (n, side // 2, side // 2, coarse), "filters": (4, 4, fine, coarse)}
    function, names = {
        "conv": (backend.conv, ("fine", "filters")),
        "transpose": (lambda coarse, filters: backend.transpose(coarse, filters, size), ("coarse", "filters")),
        "filter_gradient": (backend.filter_gradient, ("fine", "coarse")),
    }[name]
    rng = np.random.default_rng(0)
    inputs = [ops.convert_to_tensor(rng.standard_normal(shapes[name], np.float32)) for name in names]
    compiled = Compiled(function, tuple(backend.spec(shapes[name], "float32") for name in names))
    taken = typical(lambda: ops.convert_to_numpy(compiled(*inputs)[0, 0, 0, 0]), 31)  # which waits for all of it
    return {"GFLOP a second": 2e-9 * n * (side // 2) ** 2 * 16 * fine * coarse / taken, "ms": 1e3 * taken}


def default_fit(n: int, side: int, mapped: bool = False) -> dict:
    """A default fit, new images through `transform`, and samples."""
    from sklearn_medgan import GANAugmenter

    small = noise(8, 16, 16)
    GANAugmenter(max_iter=1).fit(small, np.arange(8) % 2).transform(small)
    with tempfile.TemporaryDirectory() if mapped else contextlib.nullcontext() as folder:
        file = np.memmap(Path(folder) / "images", np.uint8, "w+", shape=(n, side, side)) if mapped else None
        X, augmenter, memory = noise(n, side, side, out=file), GANAugmenter(random_state=0), Memory()
        fit = seconds(lambda: augmenter.fit(X, np.arange(n) % 2))
    held, new = memory.peak, noise(60, side, side)[::-1] ^ 1  # images whose columns are not known from the fit
    return {
        "fit, s": fit,
        "memory of fit, MB": held,
        "transform, images a second": 60 / seconds(lambda: augmenter.transform(new)),
        "sample, images a second": 60 / seconds(lambda: augmenter.sample(60)),
    }


def answers(settings: dict) -> dict:
    """How long one image of 32x32 takes through `transform`, warm, and how many samples a second there are."""
    from sklearn_medgan import GANAugmenter

    X = noise(200, 32, 32)
    augmenter = GANAugmenter(max_iter=1, cache_size_mb=None, **settings).fit(X, np.arange(200) % 2)
    augmenter.transform(X[:1])
    taken = [1e3 * seconds(lambda i=i: augmenter.transform(X[i % 200][None])) for i in range(300)]
    return {
        "transform of one, ms (median)": statistics.median(taken),
        "99th percentile": float(np.percentile(taken, 99)),
        "samples a second": 20_000 / typical(lambda: augmenter.sample(20_000), 1),
    }


def enhancer(n: int, side: int) -> dict:
    """`GANEnhancer.transform`: the weights do not change its speed, so it learns for a few steps, from noise."""
    from sklearn_medgan import GANEnhancer

    images, small = noise(n, side, side), noise(40, 256, 256)
    model = GANEnhancer(degradation="noise", max_iter=5, guard=False, random_state=0).fit(small)
    model.transform(small[:2])
    memory = Memory()
    first = seconds(lambda: model.transform(images))
    taken = first if side > 1000 else typical(lambda: model.transform(images))
    return {"megapixels a second": n * side**2 / taken / 1e6, "memory, MB": memory.peak}


def denoiser(name: str) -> dict:
    """A classical method on one image of 256x256."""
    image = noise(1, 256, 256)[0] / 255.0
    if name == "bm3d":
        import bm3d

        return {"megapixels a second": 256**2 / typical(lambda: bm3d.bm3d(image, 0.1), 1) / 1e6}
    from skimage.restoration import denoise_nl_means

    return {"megapixels a second": 256**2 / typical(lambda: denoise_nl_means(image, 5, 6, 0.08, sigma=0.1)) / 1e6}


def table_rows(name: str) -> dict:
    """317 rows for a rare class of the breast-cancer table (357 rows and 40, 30 columns), training included."""
    from sklearn.datasets import load_breast_cancer

    X, y = load_breast_cancer(return_X_y=True)
    X, y = np.concatenate([X[y == 1], X[y == 0][:40]]), np.repeat([1, 0], [357, 40])
    if name == "ctgan":
        from ctgan import CTGAN

        model = CTGAN()  # with a label it would take longer
        return {"s": typical(lambda: (model.fit(X), model.sample(317)), 1)}
    if name == "smote":
        from imblearn.over_sampling import SMOTE as Sampler
    else:
        from sklearn_medgan import GANOverSampler as Sampler
    return {"s": typical(lambda: Sampler(random_state=0).fit_resample(X, y), 3)}


def features(name: str) -> dict:
    """Features of 64 new colour images of 224x224."""
    X = noise(64, 224, 224, 3)
    if name == "timm":
        import timm
        import torch

        network, images = timm.create_model("efficientnet_lite0", num_classes=0).eval(), X.transpose(0, 3, 1, 2)
        batches = [torch.from_numpy(images[i : i + 16].astype(np.float32)) for i in range(0, 64, 16)]
        with torch.inference_mode():
            return {"images a second": 64 / typical(lambda: [network(batch) for batch in batches])}
    if name == "network":
        from sklearn_medgan.augmentation._trunk_columns import network_of

        images, network = X.astype(np.float32), network_of("auto")
        return {"images a second": 64 / typical(lambda: network.columns(images))}
    from sklearn_medgan import GANAugmenter

    augmenter = GANAugmenter(max_iter=1, representation="features", cache_size_mb=None, random_state=0)
    augmenter.fit(X[:32], np.arange(32) % 2)
    return {"images a second": 64 / typical(lambda: augmenter.transform(X))}


def classifier(name: str, settings: dict | None = None) -> dict:
    """A first fit on 400 images of 32x32, compiling included, and a later one; what 400 take to be classified."""
    X, y = noise(400, 32, 32), np.arange(400) % 2
    if name == "scikeras":
        import keras
        from scikeras.wrappers import KerasClassifier

        def network() -> keras.Model:
            maps = [keras.layers.Conv2D(width, 4, 2, "same", activation="relu") for width in (32, 64, 128)]
            ends = [keras.layers.Flatten(), keras.layers.Dense(1, "sigmoid")]
            model = keras.Sequential([keras.Input((32, 32, 1)), *maps, *ends])
            model.compile("adam", "binary_crossentropy")
            return model

        X = X[..., None] / np.float32(255)
        model = KerasClassifier(network, epochs=20, batch_size=64, verbose=0)
    else:
        from sklearn.pipeline import make_pipeline
        from sklearn.svm import SVC

        from sklearn_medgan import GANAugmenter

        model = make_pipeline(GANAugmenter(random_state=0, cache_size_mb=None, **settings or {}), SVC())
    first = seconds(lambda: model.fit(X, y))
    later = seconds(lambda: model.fit(X, y))
    return {"later fit, s": later, "first fit, s": first, "images a second": 400 / typical(lambda: model.predict(X), 3)}


def workers(n_jobs: int, steps: int = 30) -> dict:
    """A cross-validation of four fits, in this many processes of joblib."""
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import SVC

    from sklearn_medgan import GANAugmenter

    X, y = noise(200, 32, 32), np.arange(200) % 2
    model = make_pipeline(GANAugmenter(max_iter=steps, random_state=0, **BARE), SVC())
    first, *later = (seconds(lambda: cross_val_score(model, X, y, cv=4, n_jobs=n_jobs)) for _ in range(4))
    return {"s": statistics.median(later), "the first, s": first}


def start(command: list) -> dict:
    """A whole process."""
    return {"s": typical(lambda: subprocess.run([sys.executable, *command], capture_output=True, check=True))}


def machine() -> dict:
    """What figures depend on; the card is that of Keras's backend."""
    import keras

    from sklearn_medgan import __version__

    name = keras.backend.backend()
    if name == "tensorflow":
        import tensorflow as tf

        details = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
        cards = [one.get("device_name", "a GPU") for one in details]
    elif name == "jax":
        import jax

        cards = [device.device_kind for device in jax.devices() if device.platform != "cpu"]
    else:
        import torch

        cards = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    cpus = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.*)", cpus.read_text()) if cpus.exists() else None
    threads = {key: value for key, value in os.environ.items() if key.endswith("_THREADS")}
    return {
        "processor": found[1] if found else platform.processor(),
        "cores used": cores(),
        "card": ", ".join(cards) or "none",
        "sklearn_medgan": __version__,
        "KERAS_BACKEND": name,
        "python": platform.python_version(),
        **{package: metadata.version(package) for package in PACKAGES if installed(package)},
        **threads,
    }


MEASURES = (step, loop, matrices, operation, default_fit, answers, enhancer, denoiser, table_rows, features)
MEASURES += (classifier, workers, start, machine)


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # of few steps and of large images, which are wanted here
    name, arguments = sys.argv[1:]
    print(json.dumps({measure.__name__: measure for measure in MEASURES}[name](**json.loads(arguments))))
