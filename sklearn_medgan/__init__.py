"""GAN estimators for scikit-learn that help a classifier diagnose from medical images.

Importing the package loads neither TensorFlow nor scikit-learn: every public name is resolved when it
is first used. ``__init__.pyi`` lists them, for this file and for type checkers alike.

Research use only; not a medical device.
"""

from __future__ import annotations

import lazy_loader

from ._backend import choose_backend

choose_backend()  # before anything imports Keras
_resolve, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    if name not in __all__:  # in Python's own words: lazy_loader has others
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _resolve(name)
