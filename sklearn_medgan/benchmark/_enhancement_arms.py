"""Arms of the benchmark that are enhancement: poor test images, restored or not, in front of a classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from sklearn.base import clone

from .. import degradations
from .._codecs import ImageScale
from ..enhancement import _filters, _guard
from ..enhancement._enhancer import GANEnhancer
from ..enhancement._pairs import degrade
from ..pipeline._rows import seed_parts
from ._arms import Arm, Columns, Fold, flat, standardised
from ._shown import show_enhancer

GREY = 1 / 255  # a level of 8-bit images
DEGRADED: dict[str, Any] = {
    "noise 25": ("noise", {"sigma": 25 * GREY}),
    "noise 50": ("noise", {"sigma": 50 * GREY}),
    "blur and noise": [("blur", {"sigma": 1.5}), ("noise", {"sigma": 25 * GREY})],
    "downscale x2": ("downscale", {"factor": 2}),
    "low contrast": "low_contrast",
    "low dose": ("low_dose_ct", {"photons": 1e4}),
}
# Treatment -> the modules it needs. "clean" is the bound, "degraded" doing nothing.
TREATMENTS = {
    "clean": (),
    "degraded": (),
    "wavelet": ("pywt",),
    "NLM": (),
    "TV": (),
    "BM3D": ("bm3d",),
    "GANEnhancer": (),
}
IN_WORDS = {"clean": "the good images, a bound", "degraded": "the poor images as they are"}
FILTERS = {"wavelet": "wavelet", "NLM": "non-local means", "TV": "total variation"}
TUNED_ON = 8  # training images
TUNED_BM3D = 2  # which takes seconds an image
TRAINED = ("clean", "matched")


@dataclass(frozen=True)
class Poor:
    """A degradation that keeps the size of images: smaller ones are enlarged again by bicubic interpolation."""

    degradation: Any

    def __call__(self, images: np.ndarray, rng: np.random.RandomState | int | None) -> np.ndarray:
        return degrade(images, degradations.resolve(self.degradation)[0], 1, rng)


class SharedEnhancement:
    """Poor and restored images of a fold for all treatments, each made once, in fractions of the learned scale."""

    def __init__(self, fold: Fold, name: str, poor: Poor, enhancer: Any) -> None:
        self._fold, self._name, self._function, self._enhancer = fold, name, poor, enhancer
        self._scale = ImageScale.learn(fold.X)
        self._restored: dict[tuple, np.ndarray] = {}

    @cached_property
    def good(self) -> dict[str, np.ndarray]:
        parts = {"train": self._fold.X, "test": self._fold.X_test}
        return {part: self._with_channels(self._scale.encode(X)) for part, X in parts.items()}

    @cached_property
    def poor(self) -> dict[str, np.ndarray]:
        seeds = {part: self._fold.seed(f"{self._name}, {part}") for part in self.good}
        return {part: self._function(images, seeds[part]) for part, images in self.good.items()}

    def images(self, treatment: str, part: str) -> np.ndarray:
        """Return images of "train" or "test" as a classifier meets them."""
        if treatment in ("clean", "degraded"):
            return (self.good if treatment == "clean" else self.poor)[part]
        if (treatment, part) not in self._restored:
            self._restored[treatment, part] = self._restore(treatment, self.poor[part])
        return self._restored[treatment, part]

    def _restore(self, treatment: str, images: np.ndarray) -> np.ndarray:
        if treatment == "GANEnhancer":
            return self._with_channels(self._scale.encode(self.enhancer.transform(self._as_rows(images))))
        if treatment == "BM3D":
            return np.stack([_bm3d(image, self._strength_of_bm3d) for image in images])
        name = FILTERS[treatment]
        return np.stack([_filters.run_filter(name, self._strengths[name], image) for image in images])

    def _as_rows(self, images: np.ndarray) -> np.ndarray:
        """Return images as the user's: in their units and shape."""
        return self._scale.decode(images).reshape(len(images), *self._fold.X.shape[1:])

    def expected_error(self, some: slice) -> np.ndarray:
        """Return the deviation that the enhancer expects of its error on some test images, in the user's units."""
        rows = self._as_rows(self.poor["test"][some])
        return self._with_channels(np.asarray(self.enhancer.uncertainty(rows, n_samples=None)))

    @cached_property
    def enhancer(self) -> Any:
        """Return the enhancer, fitted on the clean training images, which it degrades itself by the same function."""
        enhancer = clone(self._enhancer).set_params(degradation=self._function)
        seed_parts(self._fold.seed(f"{self._name}, enhancer"), enhancer)
        return enhancer.fit(self._fold.X, self._fold.y)

    @cached_property
    def _tuning(self) -> tuple[list, list]:
        """Return a few training images, poor and good."""
        order = np.random.RandomState(self._fold.seed(f"{self._name}, tuning")).permutation(len(self._fold.X))
        poor, good = ([part["train"][i] for i in order[:TUNED_ON]] for part in (self.poor, self.good))
        return poor, good

    @cached_property
    def _strengths(self) -> dict[str, float]:
        return _guard.tune(*self._tuning)

    @cached_property
    def _strength_of_bm3d(self) -> float:
        pairs = list(zip(*self._tuning, strict=True))[:TUNED_BM3D]
        scores = [np.mean([_guard.psnr(_bm3d(poor, s), good) for poor, good in pairs]) for s in _filters.STRENGTHS]
        return _filters.STRENGTHS[int(np.argmax(scores))]

    @staticmethod
    def _with_channels(images: np.ndarray) -> np.ndarray:
        return images if images.ndim == 4 else images[..., None]


def _bm3d(image: np.ndarray, strength: float) -> np.ndarray:
    """Return BM3D of each channel, told `strength` times the estimated noise."""
    import bm3d

    sigma = max(strength * _filters.estimate_noise(image), 1e-4)
    channels = [bm3d.bm3d(image[..., c], sigma_psd=sigma) for c in range(image.shape[2])]
    return np.stack(channels, axis=-1).astype(np.float32)


def _treated(fold: Fold, shared: Any, classifier: Any, *, treatment: str, matched: bool) -> Columns:
    train = shared.images(treatment if matched else "clean", "train")
    return standardised(flat(train), fold.y, flat(shared.images(treatment, "test")))


def enhancement_arms(
    degraded: Mapping[str, Any] | None = None,
    *,
    treatments: Sequence[str] | None = None,
    trained: Sequence[str] = TRAINED,
    enhancer: Any = None,
) -> dict[str, Arm]:
    """Return arms in which a classifier meets poor test images, as they are or restored.

    Parameters
    ----------
    degraded : mapping of str to degradation, default=None
        Name -> what `sklearn_medgan.degradations.resolve` takes. None is the protocol's: noise of 25 and of 50 grey
        levels, blur and noise, downscaling by 2, low contrast, low dose.
    treatments : list of str, default=None
        Of "clean" (the bound), "degraded" (nothing is done; the reference, always there), "wavelet", "NLM", "TV",
        "BM3D" (needs the package bm3d, and seconds an image) and "GANEnhancer"; None: all but BM3D. Strengths of
        filters are tuned by PSNR on 8 training images, that of BM3D on 2.
    trained : tuple of {"clean", "matched"}, default=("clean", "matched")
        Whether the classifier is trained on clean rows, or on rows degraded and treated as the test rows are.
    enhancer : GANEnhancer, default=None
        Its `degradation` is set to the degradation measured; one fit each, shared by all classifiers. None:
        ``GANEnhancer()``.

    Returns
    -------
    dict of str to Arm
        Names as "noise 25, clean-trained: NLM". Classifiers see standardised pixels.

    Examples
    --------
    >>> from sklearn_medgan.benchmark import enhancement_arms
    >>> list(enhancement_arms({"dim": "low_contrast"}, treatments=["TV"], trained=["clean"]))
    ['dim, clean-trained: degraded', 'dim, clean-trained: TV']
    """
    degraded = DEGRADED if degraded is None else degraded
    treatments = [t for t in TREATMENTS if t != "BM3D"] if treatments is None else treatments
    wanted = list(dict.fromkeys(["degraded", *treatments]))
    _check_known("treatments", wanted, TREATMENTS)
    _check_known("trained", trained, TRAINED)
    enhancer = GANEnhancer() if enhancer is None else enhancer
    arms = {}
    for name, degradation in degraded.items():
        degradations.resolve(degradation)  # unknown ones are refused here, not in every fold
        fit = partial(SharedEnhancement, name=name, poor=Poor(degradation), enhancer=enhancer)
        for kind in trained:
            for treatment in (t for t in wanted if (t, kind) != ("clean", "matched")):  # matched, it is clean-trained
                arms[f"{name}, {kind}-trained: {treatment}"] = Arm(
                    "enhancement",
                    partial(_treated, treatment=treatment, matched=kind == "matched"),
                    reference=f"{name}, {kind}-trained: degraded",
                    share=f"enhancement {name}",
                    fit_shared=fit,
                    images_only=True,
                    needs=TREATMENTS[treatment],
                    competes=treatment != "clean",
                    about=IN_WORDS.get(treatment, f"poor images restored by {treatment}"),
                    show=show_enhancer if treatment == "GANEnhancer" else None,
                )
    return arms


def _check_known(parameter: str, names: Any, known: Any) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"{parameter} holds unknown names {unknown}. Known are {list(known)}.")
