"""GAN estimators for scikit-learn that help a classifier diagnose from medical images.

Importing the package loads neither TensorFlow nor scikit-learn: every public name is resolved when it
is first used.

Research use only; not a medical device.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from ._version import __version__

if TYPE_CHECKING:
    from . import benchmark as benchmark
    from . import datasets as datasets
    from . import metrics as metrics
    from . import plotting as plotting
    from .augmentation._augmenter import GANAugmenter as GANAugmenter
    from .augmentation._oversampler import GANOverSampler as GANOverSampler
    from .enhancement._enhancer import GANEnhancer as GANEnhancer
    from .persistence import load as load
    from .persistence import save as save
    from .pipeline import AugmentedClassifier as AugmentedClassifier
    from .pipeline import Pipeline as Pipeline
    from .pipeline import make_pipeline as make_pipeline

# Public name -> the module that holds it; None marks a submodule.
_LAZY = {
    "GANAugmenter": ".augmentation._augmenter",
    "GANEnhancer": ".enhancement._enhancer",
    "GANOverSampler": ".augmentation._oversampler",
    "AugmentedClassifier": ".pipeline",
    "Pipeline": ".pipeline",
    "make_pipeline": ".pipeline",
    "save": ".persistence",
    "load": ".persistence",
    "benchmark": None,
    "datasets": None,
    "metrics": None,
    "plotting": None,
}

__all__ = ["__version__", *sorted(_LAZY)]


def __getattr__(name: str):
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _LAZY[name]
    if home is None:
        return importlib.import_module(f".{name}", __name__)
    value = getattr(importlib.import_module(home, __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
