"""Where rows are added: a pipeline and a classifier that add them at `fit`, and only there."""

from ._classifier import AugmentedClassifier
from ._pipeline import Pipeline, make_pipeline

__all__ = ["AugmentedClassifier", "Pipeline", "make_pipeline"]
