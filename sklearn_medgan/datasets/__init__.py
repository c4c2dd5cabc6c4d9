"""Images to try a method on: a phantom with known truth, real tissue patches, and your own files."""

from .._lazy import LazyImages
from ._loaders import load_images
from ._nodules import make_nodules
from ._tissue import load_tissue_patches

__all__ = ["LazyImages", "load_images", "load_tissue_patches", "make_nodules"]
