"""Pictures of fitted models and of comparisons, as Display classes. They need matplotlib (the extra ``plot``)."""

from ._enhancement import EnhancementDisplay
from ._history import TrainingHistoryDisplay
from ._intervals import IntervalDisplay
from ._samples import SampleGridDisplay

__all__ = ["EnhancementDisplay", "IntervalDisplay", "SampleGridDisplay", "TrainingHistoryDisplay"]
