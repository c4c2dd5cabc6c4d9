"""Does it help a diagnosis? Arms of rows, columns and enhancement compared on real data by one protocol.

`diagnostic_benchmark` trains classifiers on what each arm makes of the training rows, tests them on groups that were
not trained on, and says in words what the figures allow: a gain, a loss, or no evidence of a gain. `ARMS` is the table
of arms, which any estimator extends: ``arms={**ARMS, "mine": MyTransformer()}``.
"""

from ._arms import Arm, Columns, Fold, classical_arm
from ._benchmark import ARMS, CLASSIFIERS, diagnostic_benchmark
from ._enhancement_arms import enhancement_arms
from ._estimator_arms import gan_arms
from ._result import BenchmarkResult
from ._transfer_arms import transfer_arms

__all__ = [
    "ARMS",
    "CLASSIFIERS",
    "Arm",
    "BenchmarkResult",
    "Columns",
    "Fold",
    "classical_arm",
    "diagnostic_benchmark",
    "enhancement_arms",
    "gan_arms",
    "transfer_arms",
]
