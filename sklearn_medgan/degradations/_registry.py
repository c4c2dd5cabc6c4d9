"""The table of degradations, and how they are named, chained and mixed."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import ceil, prod

import numpy as np
from sklearn.utils import check_random_state

from ._blur import _gaussian_radius, gaussian_blur, motion_blur
from ._checks import _bounds, _check_images, _whole
from ._intensity import jpeg, low_contrast
from ._noise import gaussian_noise, poisson_noise, rician_noise
from ._resolution import downscale
from ._tomography import low_dose_ct


@dataclass(frozen=True)
class Degradation:
    """What a name in :data:`DEGRADATIONS` stands for.

    Parameters
    ----------
    function : callable
        ``f(images, rng, *, levels) -> images``.
    reach : int or None
        How many pixels away another pixel may lie and still change a pixel's result, at the default levels: 0 for
        pixelwise ones, None for the whole image. A crop with such a margin is degraded like the whole.
    reach_at : callable or None, default=None
        The reach at other levels, from the parameters of `function`; None where it is the same at any level.

    Examples
    --------
    >>> DEGRADATIONS["blur"].reach, DEGRADATIONS["noise"].reach, DEGRADATIONS["low_dose_ct"].reach
    (8, 0, None)
    """

    function: Callable
    reach: int | None
    reach_at: Callable | None = None


def _gaussian_reach(sigma=(0.0, 2.0)):
    return int(_gaussian_radius(_bounds("sigma", sigma)[1]))


def _motion_reach(length=(1.0, 9.0), angle=None):
    return ceil((_bounds("length", length, 1.0)[1] - 1) / 2)


def _downscale_reach(factor=2):
    return 2 * _whole("factor", factor)


#: Name in ``GANEnhancer(degradation=...)`` -> function and reach.
DEGRADATIONS = {
    "noise": Degradation(gaussian_noise, reach=0),
    "poisson": Degradation(poisson_noise, reach=0),
    "rician": Degradation(rician_noise, reach=0),
    "blur": Degradation(gaussian_blur, reach=_gaussian_reach(), reach_at=_gaussian_reach),
    "motion_blur": Degradation(motion_blur, reach=_motion_reach(), reach_at=_motion_reach),
    # In pixels of the large image, for crops that begin at a multiple of the factor.
    "downscale": Degradation(downscale, reach=_downscale_reach(), reach_at=_downscale_reach),
    "low_contrast": Degradation(low_contrast, reach=0),
    # Blocks of 8x8 count from the corner of the image, so a crop has other blocks.
    "jpeg": Degradation(jpeg, reach=None),
    "low_dose_ct": Degradation(low_dose_ct, reach=None),
}


@dataclass(frozen=True)
class _Named:
    """A degradation of the table with levels of its own."""

    name: str
    parameters: dict = field(default_factory=dict)

    def __call__(self, images, rng):
        return DEGRADATIONS[self.name].function(images, rng, **self.parameters)

    @property
    def reach(self):
        entry = DEGRADATIONS[self.name]
        return entry.reach if entry.reach_at is None else entry.reach_at(**self.parameters)

    @property
    def scale(self):
        """How many times smaller the result is."""
        return self.parameters.get("factor", 2) if self.name == "downscale" else 1


@dataclass(frozen=True)
class _Compose:
    """Steps applied in turn."""

    steps: tuple

    def __call__(self, images, rng):
        rng = check_random_state(rng)
        for step in self.steps:
            images = step(images, rng)
        return images

    @property
    def reach(self):
        reaches = [getattr(step, "reach", None) for step in self.steps]
        if None in reaches:
            return None
        # After a step that shrinks, a pixel stands for several of the input.
        sizes = [prod(_scale(earlier) for earlier in self.steps[:i]) for i in range(len(self.steps))]
        return sum(reach * size for reach, size in zip(reaches, sizes, strict=True))

    @property
    def scale(self):
        return prod(_scale(step) for step in self.steps)


@dataclass(frozen=True)
class _Mix:
    """One of the choices an image, drawn evenly."""

    choices: tuple

    def __call__(self, images, rng):
        rng = check_random_state(rng)
        if len(images) == 0:
            return self.choices[0](images, rng)
        drawn = rng.randint(len(self.choices), size=len(images))
        parts = {k: self.choices[k](images[drawn == k], rng) for k in np.unique(drawn).tolist()}
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
    def reach(self):
        reaches = [getattr(choice, "reach", None) for choice in self.choices]
        return None if None in reaches else max(reaches)

    @property
    def scale(self):
        return max(_scale(choice) for choice in self.choices)


def _scale(step):
    """How many times smaller a step makes the images, as far as it says so."""
    return getattr(step, "scale", 1)


def compose(*steps):
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
        :class:`Degradation`, None if a step is a callable that has no such attribute. Attribute `scale`: how many
        times smaller its images are.

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
    return _Compose(tuple(_step(step) for step in steps))


def mix(*choices):
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
    TypeError
        If a choice is none of these, or a parameter is unknown.
    ValueError
        If a name is unknown, or there is no choice.

    References
    ----------
    Zhang, Liang, Van Gool and Timofte, "Designing a practical degradation model for deep blind image
    super-resolution", ICCV (2021): training on random mixtures generalises to unknown ones.

    Examples
    --------
    >>> import numpy as np
    >>> half_dark = mix(("low_contrast", {"gain": 0.0, "offset": 0.0}), compose())
    >>> sorted(set(half_dark(np.ones((8, 8, 8, 1)), 0).mean(axis=(1, 2, 3)).tolist()))
    [0.0, 1.0]
    """
    if not choices:
        raise ValueError("mix needs at least one choice; got none. Pass for example mix('noise', 'poisson').")
    return _Mix(tuple(_step(choice) for choice in choices))


def resolve(degradation):
    """Turn the `degradation` parameter of an estimator into a function and its reach.

    Parameters
    ----------
    degradation : str, (str, dict), list or tuple of these, or callable
        A name in :data:`DEGRADATIONS`, a name with its parameters, several applied in turn, or a callable
        ``f(images, rng) -> images``. ``"auto"`` is a blind mix meant for photographs of tissue: a third of the images
        is blurred (sigma up to 1.5 pixels), then each gets Gaussian noise (sigma up to 0.2) or photon noise.

    Returns
    -------
    function : callable
        ``f(images, rng) -> images``.
    reach : int or None
        Pixels of margin that a crop needs, as in :class:`Degradation`; None, for a callable without an attribute
        `reach`: degrade whole images.

    Raises
    ------
    TypeError
        If `degradation` is none of these, or a parameter is unknown.
    ValueError
        If a name is unknown, or a list is empty.

    Examples
    --------
    >>> resolve(["blur", "noise"])[1], resolve("jpeg")[1]
    (8, None)
    >>> resolve("nose")
    Traceback (most recent call last):
    ...
    ValueError: Unknown degradation 'nose'; did you mean 'noise'? Known are 'auto', 'blur', 'downscale', 'jpeg', \
'low_contrast', 'low_dose_ct', 'motion_blur', 'noise', 'poisson', 'rician'.
    """
    several = isinstance(degradation, list | tuple) and not _is_name_with_parameters(degradation)
    if several and not degradation:
        raise ValueError(f"degradation must name at least one; got {degradation!r}. Pass for example 'noise'.")
    function = compose(*degradation) if several else _step(degradation)
    return function, getattr(function, "reach", None)


def apply(function, images, rng, *, scale=1):
    """Call a degradation that someone else wrote, and check what it returns.

    Parameters
    ----------
    function : callable
        ``f(images, rng) -> images``. It gets a copy of the images and a RandomState.
    images : ndarray of shape (n, height, width, channels), float32 or float64
        Fractions of the intensity scale, nominally 0 to 1.
    rng : int, RandomState instance or None
        Where the draws come from; anything that :func:`sklearn.utils.check_random_state` takes.
    scale : int, default=1
        How many times smaller the result must be.

    Returns
    -------
    degraded : ndarray of shape (n, ceil(height / scale), ceil(width / scale), channels)
        The dtype of images.

    Raises
    ------
    TypeError
        If the function returns no array of real numbers.
    ValueError
        If the result has another shape, or holds NaN or infinity.

    Examples
    --------
    >>> import numpy as np
    >>> apply(lambda images, rng: 1 - images, np.zeros((1, 2, 2, 1)), 0).ravel().tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    _check_images(images)
    scale = _whole("scale", scale)
    degraded = function(images.copy(), check_random_state(rng))
    if not isinstance(degraded, np.ndarray) or degraded.dtype.kind not in "biuf":
        what = f"dtype {degraded.dtype}" if isinstance(degraded, np.ndarray) else type(degraded).__name__
        raise TypeError(
            f"{_called(function)} must return a NumPy array of real numbers; got {what}. Return the degraded images."
        )
    n, height, width, channels = images.shape
    expected = (n, ceil(height / scale), ceil(width / scale), channels)
    if degraded.shape != expected:
        raise ValueError(
            f"{_called(function)} must return images of shape {expected} for images of shape {images.shape} and "
            f"scale={scale}; got shape {degraded.shape}. Keep the number, size and channels of the images, and set "
            "scale to how many times smaller they become."
        )
    if not np.isfinite(degraded).all():
        raise ValueError(
            f"{_called(function)} must return finite values; got NaN or infinity. Look for a division by zero or a "
            "logarithm of zero; the images hold fractions of the intensity scale."
        )
    return degraded.astype(images.dtype, copy=False)


def _called(function):
    """The degradation's name for a message."""
    return f"The degradation {getattr(function, '__name__', None) or repr(function)}"


def _is_name_with_parameters(step):
    return isinstance(step, tuple) and len(step) == 2 and isinstance(step[0], str) and isinstance(step[1], Mapping)


def _step(step):
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
