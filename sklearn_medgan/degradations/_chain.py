"""Degradations by name, chained and mixed."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, TypeGuard

import numpy as np
from sklearn.utils import check_random_state

from ._checks import RandomState
from ._registry import DEGRADATIONS

Function = Callable[[np.ndarray, RandomState], np.ndarray]
Step = str | tuple[str, Mapping[str, Any]] | Function


@dataclass(frozen=True)
class _Named:
    """A degradation of the table with levels of its own; `reach` and `scale` are those of :func:`compose`."""

    name: str
    parameters: dict[str, Any] = field(default_factory=dict)

    def __call__(self, images: np.ndarray, rng: RandomState) -> np.ndarray:
        return DEGRADATIONS[self.name].function(images, rng, **self.parameters)

    @property
    def reach(self) -> int | None:
        entry = DEGRADATIONS[self.name]
        return entry.reach if entry.reach_at is None else entry.reach_at(**self.parameters)

    @property
    def scale(self) -> int:
        return self.parameters.get("factor", 2) if self.name == "downscale" else 1


@dataclass(frozen=True)
class Compose:
    """Steps applied in turn: see :func:`compose`."""

    steps: tuple[Function, ...]

    def __call__(self, images: np.ndarray, rng: RandomState) -> np.ndarray:
        state = check_random_state(rng)
        for step in self.steps:
            images = step(images, state)
        return images

    @property
    def reach(self) -> int | None:
        """Pixels of margin that a crop needs; None: the whole image."""
        reaches: list[Any] = [getattr(step, "reach", None) for step in self.steps]
        # After a step that shrinks, a pixel stands for several of the input.
        sizes = [prod(map(_scale, self.steps[:i])) for i in range(len(self.steps))]
        return None if None in reaches else sum(np.multiply(reaches, sizes).tolist())

    @property
    def scale(self) -> int:
        """How many times smaller the result is."""
        return prod(map(_scale, self.steps))


@dataclass(frozen=True)
class Mix:
    """One of the choices for each image: see :func:`mix`."""

    choices: tuple[Function, ...]

    def __call__(self, images: np.ndarray, rng: RandomState) -> np.ndarray:
        state = check_random_state(rng)
        if len(images) == 0:
            return self.choices[0](images, state)
        drawn = state.randint(len(self.choices), size=len(images))
        parts = {k: self.choices[k](images[drawn == k], state) for k in np.unique(drawn).tolist()}
        shapes = {part.shape[1:] for part in parts.values()}
        if len(shapes) > 1:
            raise ValueError(
                f"The choices of mix must return images of one size; got {sorted(shapes)}. Mix degradations that "
                "shrink by the same factor, or put the one that shrinks after the mix with compose."
            )
        mixed = np.empty((len(images), *shapes.pop()), images.dtype)
        for k, part in parts.items():
            mixed[drawn == k] = part
        return mixed

    @property
    def reach(self) -> int | None:
        reaches: list[Any] = [getattr(choice, "reach", None) for choice in self.choices]
        return None if None in reaches else max(reaches)

    @property
    def scale(self) -> int:
        return max(map(_scale, self.choices))


def _scale(step: Function) -> int:
    """How many times smaller a step makes the images, as far as it says so."""
    return getattr(step, "scale", 1)


def compose(*steps: Step) -> Compose:
    """Chain degradations: each works on the result of the one before.

    Parameters
    ----------
    *steps : str, (str, dict) or callable
        A name in :data:`DEGRADATIONS` or ``"auto"``, a name with its parameters, or ``f(images, rng) -> images``. No
        step at all returns the images themselves.

    Returns
    -------
    degradation : callable
        ``f(images, rng) -> images``. It pickles if its callables do. Attribute `reach`: pixels as in
        :class:`Degradation`, None if a step is a callable without it. Attribute `scale`: how many times smaller its
        images are.

    Raises
    ------
    TypeError
        If a step is none of these, or a parameter is unknown.
    ValueError
        If a name is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> worn = compose(("blur", {"sigma": 1.0}), "noise")
    >>> worn(np.zeros((3, 16, 16, 1)), 0).shape, worn.reach
    ((3, 16, 16, 1), 4)
    """
    return Compose(tuple(_step(step) for step in steps))


def mix(*choices: Step) -> Mix:
    """Send each image through one of several degradations, drawn at random with equal chances.

    Parameters
    ----------
    *choices : str, (str, dict) or callable
        As the steps of :func:`compose`; at least one, and all must return images of the same size. A choice given
        twice is drawn twice as often, and ``compose()`` leaves an image as it is.

    Returns
    -------
    degradation : callable
        ``f(images, rng) -> images``, with the attributes of :func:`compose`.

    Raises
    ------
    TypeError, ValueError
        As by :func:`compose`, and without any choice.

    References
    ----------
    Zhang et al. 2021, ICCV, "Designing a practical degradation model for deep blind image super-resolution".

    Examples
    --------
    >>> import numpy as np
    >>> half_dark = mix(("low_contrast", {"gain": 0.0, "offset": 0.0}), compose())
    >>> sorted(set(half_dark(np.ones((8, 8, 8, 1)), 0).mean(axis=(1, 2, 3)).tolist()))
    [0.0, 1.0]
    """
    if not choices:
        raise ValueError("mix needs at least one choice; got none. Pass for example mix('noise', 'poisson').")
    return Mix(tuple(_step(choice) for choice in choices))


def resolve(degradation: Step | Sequence[Step]) -> tuple[Function, int | None]:
    """Turn the `degradation` parameter of an estimator into a function and its reach.

    Parameters
    ----------
    degradation : str, (str, dict), list or tuple of these, or callable
        A step of :func:`compose`, or several. ``"auto"`` is a blind mix meant for photographs of tissue: a third of the
        images is blurred (sigma up to 1.5 pixels), then each gets Gaussian noise (sigma up to 0.2) or photon noise.

    Returns
    -------
    function : callable
        ``f(images, rng) -> images``.
    reach : int or None
        Pixels of margin that a crop needs, as in :class:`Degradation`; None, also for a callable without an attribute
        `reach`: degrade whole images.

    Raises
    ------
    TypeError, ValueError
        As by :func:`compose`, and for an empty list.

    Examples
    --------
    >>> resolve(["blur", "noise"])[1], resolve("jpeg")[1]
    (8, None)
    >>> resolve("nose")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: Unknown degradation 'nose'; did you mean 'noise'? Known are 'auto', 'bias_field', 'blur', ...
    """
    several = isinstance(degradation, list | tuple) and not _is_name_with_parameters(degradation)
    if several and not degradation:
        raise ValueError(f"degradation must name at least one; got {degradation!r}. Pass for example 'noise'.")
    steps: Any = degradation
    function = compose(*steps) if several else _step(steps)
    return function, getattr(function, "reach", None)


def _is_name_with_parameters(step: object) -> TypeGuard[tuple[str, Mapping[str, Any]]]:
    return isinstance(step, tuple) and len(step) == 2 and isinstance(step[0], str) and isinstance(step[1], Mapping)


def _step(step: Any) -> Function:
    """`f(images, rng)` from a name, a name with parameters, or a callable."""
    if callable(step):
        return step
    if not isinstance(step, str) and not _is_name_with_parameters(step):
        raise TypeError(
            f"A degradation must be a name, a pair (name, {{parameter: value}}) or a callable f(images, rng); got "
            f"{step!r}. Pass for example 'noise' or ('noise', {{'sigma': 0.1}})."
        )
    name, parameters = (step, {}) if isinstance(step, str) else step
    known = {**DEGRADATIONS, "auto": None}
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else "."
        raise ValueError(f"Unknown degradation {name!r}{hint} Known are {', '.join(map(repr, sorted(known)))}.")
    accepted = [] if name == "auto" else list(inspect.signature(DEGRADATIONS[name].function).parameters)[2:]
    if not set(parameters) <= set(accepted):
        raise TypeError(
            f"The degradation {name!r} takes the parameters {accepted}; got {sorted(parameters)}. Rename or drop some."
        )
    return AUTO if name == "auto" else _Named(name, dict(parameters))


# A third of the images is blurred; compose() without steps leaves an image as it is.
AUTO = compose(
    mix(("blur", {"sigma": (0.0, 1.5)}), compose(), compose()),
    mix(("noise", {"sigma": (0.0, 0.2)}), "poisson"),
)
