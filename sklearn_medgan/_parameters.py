"""The error that names a parameter, and the checks of whole numbers and ranges that share its wording."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np


class ParameterError(ValueError):
    """A parameter, or the data where a parameter would help, is not as expected.

    As a string it speaks to Python code. A caller whose users know the parameter by another name (the command line)
    takes the parts, and words it with :meth:`worded`. `expected` and `got` are what was expected and what came,
    `advice` what Python code can do about it; `subject` is what is not as expected, where that is not the parameter.

    >>> error = ParameterError("n_splits", "must be at most the number of groups, 3", "4", "Lower n_splits.")
    >>> str(error)
    'n_splits must be at most the number of groups, 3; got 4. Lower n_splits.'
    >>> error.worded("--folds", "Lower it.")
    '--folds must be at most the number of groups, 3; got 4. Lower it.'
    """

    def __init__(self, parameter: str, expected: str, got: str, advice: str = "", subject: str | None = None) -> None:
        super().__init__(parameter, expected, got, advice, subject)  # what pickle hands back
        self.parameter, self.expected, self.got, self.advice, self.subject = self.args

    def __str__(self) -> str:
        return self.worded(self.parameter, self.advice)

    def worded(self, name: str, advice: str) -> str:
        """Return the message with another name for the parameter, and other advice."""
        return f"{self.subject or name} {self.expected}; got {self.got}. {advice}".rstrip()


def is_number(value: object) -> bool:
    """Return whether a value is a real number, and no truth value."""
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def check_whole(name: str, value: object, fewest: int = 1, advice: str = "") -> int:
    """Return a whole number from `fewest` up as an int; else a ParameterError.

    In place of scikit-learn's ``check_scalar``, whose wording neither says what came nor takes an advice.
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or value < fewest:
        raise ParameterError(name, f"must be a whole number from {fewest} up", repr(value), advice)
    return int(value)


def check_goes_on(earlier: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Raise ValueError, naming what differs, unless the networks that a fit would go on with are those asked for."""
    others = [name for name in asked if asked[name] != earlier.get(name)]
    if others:
        was, now = (", ".join(f"{name}={each.get(name)!r}" for name in others) for each in (earlier, asked))
        raise ValueError(
            f"warm_start=True goes on with the networks of the earlier fit, {was}; the parameters now ask for {now}. "
            "Set warm_start=False, or the parameters back."
        )


def check_range(name: str, value: object, lowest: float = 0.0, highest: float = np.inf) -> tuple[float, float]:
    """Return the range (low, high) that a number or a rising pair stands for, within limits; else a ParameterError."""
    pair = value if isinstance(value, tuple | list) else (value, value)
    finite = len(pair) == 2 and all(is_number(bound) and np.isfinite(bound) for bound in pair)
    if not finite or not lowest <= pair[0] <= pair[1] <= highest:
        limits = f"at least {lowest:g}" if highest == np.inf else f"from {lowest:g} to {highest:g}"
        raise ParameterError(
            name,
            f"must be a number or a pair (low, high) with low <= high, {limits}",
            repr(value),
            "Pass one number for all images, or a pair from which each image draws its own.",
        )
    return float(pair[0]), float(pair[1])
