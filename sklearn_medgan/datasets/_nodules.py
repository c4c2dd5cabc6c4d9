"""A lung-nodule phantom: CT-like patches whose every nodule is known."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import Bunch, check_random_state

from .._sklearn_compat import Interval, validate_params

Shape = tuple[int, int]
FIELDS = ("row", "column", "diameter", "ratio", "angle")  # of an ellipse
LUNG_HU = -850.0  # aerated lung; soft tissue lies near +40 HU
VESSEL_HU = 350.0  # above the lung: a vessel of a few pixels, blurred by partial volume
VESSEL_RADIUS_MM = (0.8, 2.2)
LEVEL_SPREAD_HU = 20.0  # how much the mean lung density differs between images
AXIS_RATIO = (0.7, 1.0)  # minor to major axis of a nodule
EDGE_MM = 1.5  # width of the ramp from nodule, or vessel, to lung
CHUNK = 64  # images drawn at a time: the working arrays stay in the cache

DESCR = """\
Lung-nodule phantom

Synthetic patches in the manner of a lung CT, in Hounsfield units, with known truth. A patch is a smooth lung
background, bright tubes (vessels, present in both classes, as distractors), white noise, and in the class
"nodule" one soft-edged ellipse. Only the ellipse tells the classes apart: with contrast=0 nothing does.

Nothing here was measured on a patient. Use it to test methods against a known truth, never to claim a
clinical performance.
"""


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "image_size": [Interval(Integral, 8, None, closed="left"), tuple, list],
        "prevalence": [Interval(Real, 0, 1, closed="both")],
        "diameter_mm": [Interval(Real, 0, None, closed="neither"), tuple, list],
        "max_offset_mm": [Interval(Real, 0, None, closed="left"), None],
        # Within these bounds int16 holds every pixel, so none is ever clipped.
        "contrast": [Interval(Real, -8000, 8000, closed="both")],
        "noise": [Interval(Real, 0, 2000, closed="both")],
        "texture": [Interval(Real, 0, 2000, closed="both")],
        "n_vessels": [Interval(Integral, 0, None, closed="left")],
        "spacing_mm": [Interval(Real, 0, None, closed="neither")],
        "random_state": ["random_state"],
        "return_X_y": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def make_nodules(
    n_samples: int = 200,
    *,
    image_size: int | Sequence[int] = 64,
    prevalence: float = 0.5,
    diameter_mm: float | Sequence[float] = (5.0, 10.0),
    max_offset_mm: float | None = 8.0,
    contrast: float = 500.0,
    noise: float = 60.0,
    texture: float = 40.0,
    n_vessels: int = 2,
    spacing_mm: float = 1.0,
    random_state: int | np.random.RandomState | None = None,
    return_X_y: bool = False,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Make CT-like lung patches, some with a nodule, whose truth is known exactly.

    A patch is smooth lung, vessels (bright tubes in both classes) and white noise; a patch of the class
    "nodule" also holds one soft-edged ellipse, fully inside the image. The random draws do not depend on
    `contrast`, `noise` and `texture`: two calls with the same `random_state` that differ in `contrast`
    differ in nothing but the nodules.

    Parameters
    ----------
    n_samples : int, default=200
        Number of images.
    image_size : int or (int, int), default=64
        Height and width in pixels, at least 8; one number makes a square.
    prevalence : float, default=0.5
        Share of images with a nodule, 0 to 1: exactly ``round(prevalence * n_samples)`` of them.
    diameter_mm : float or (float, float), default=(5.0, 10.0)
        Diameter of a nodule in millimetres, drawn evenly from this range: of the circle of the same area.
    max_offset_mm : float or None, default=8.0
        How far a nodule's centre may lie from the middle of the image along either axis, in millimetres, as
        in a patch cut around a suspicious spot. None: anywhere. It always lies fully inside the image.
    contrast : float, default=500.0
        What a nodule adds to the lung, in Hounsfield units, -8000 to 8000. 0 makes the classes
        indistinguishable; a negative one makes a hole.
    noise : float, default=60.0
        Standard deviation of the white noise, in Hounsfield units, up to 2000.
    texture : float, default=40.0
        Standard deviation of the smooth lung background, in Hounsfield units, up to 2000.
    n_vessels : int, default=2
        Number of vessels in each image.
    spacing_mm : float, default=1.0
        Size of a pixel in millimetres.
    random_state : int, RandomState instance or None, default=None
        Pass an int for the same images at every call.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        data : ndarray of shape (n_samples, height, width), int16
            The images in Hounsfield units: lung near -850, soft tissue near 0.
        target : ndarray of shape (n_samples,), int64
            1 with a nodule, 0 without.
        target_names : list of str
            ``["healthy", "nodule"]``.
        masks : ndarray of shape (n_samples, height, width), bool
            The pixels of the nodule, out to where it has fallen to half its contrast.
        truth : dict of ndarray of shape (n_samples,), float64
            ``row`` and ``column`` of the nodule's centre in pixels (the centre of the first pixel is 0),
            ``diameter_mm``, and ``contrast`` in Hounsfield units; NaN (contrast: 0) without a nodule.
        groups : None
            The images are independent, so any split is fair.
        spacing : tuple of (float, float)
            Size of a pixel in millimetres, row and column.
        DESCR : str
            What the images are.
    (data, target) : tuple if ``return_X_y=True``

    Raises
    ------
    ValueError
        If the largest nodule does not fit the image, or a range is not a pair of rising numbers.

    Examples
    --------
    >>> from sklearn_medgan.datasets import make_nodules
    >>> nodules = make_nodules(20, image_size=32, prevalence=0.25, random_state=0)
    >>> nodules.data.shape, nodules.data.dtype, int(nodules.target.sum())
    ((20, 32, 32), dtype('int16'), 5)
    >>> bool((nodules.masks.any(axis=(1, 2)) == (nodules.target == 1)).all())
    True
    """
    height, width = _height_width(image_size)
    diameter_range = _diameter_range(diameter_mm, min(height, width) * spacing_mm)
    # A Generator draws float32 normals several times faster than a RandomState.
    rng = np.random.default_rng(check_random_state(random_state).randint(0, 2**31 - 1, size=4))

    target = np.zeros(n_samples, dtype=np.int64)
    target[: round(prevalence * n_samples)] = 1
    rng.shuffle(target)
    ellipses = _draw_ellipses(rng, n_samples, (height, width), diameter_range, max_offset_mm, spacing_mm)

    data = np.empty((n_samples, height, width), dtype=np.int16)
    masks = np.zeros((n_samples, height, width), dtype=bool)
    for start in range(0, n_samples, CHUNK):
        rows = slice(start, start + CHUNK)
        ill = target[rows] == 1
        lung = _draw_lung(rng, len(ill), (height, width), spacing_mm, texture, n_vessels)
        nodule = _ellipse_profile(ellipses[rows][ill], (height, width), spacing_mm)
        lung[ill] += np.float32(contrast) * nodule
        lung += np.float32(noise) * rng.standard_normal(lung.shape, dtype=np.float32)
        data[rows] = np.rint(lung)
        masks[start + np.flatnonzero(ill)] = nodule >= 0.5

    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        target_names=["healthy", "nodule"],
        masks=masks,
        truth=_truth(ellipses, target, contrast),
        groups=None,
        spacing=(float(spacing_mm), float(spacing_mm)),
        DESCR=DESCR,
    )


def _height_width(image_size: Any) -> Shape:
    """The two sides of the image, from one number or a pair."""
    if isinstance(image_size, Integral):
        return int(image_size), int(image_size)
    if len(image_size) != 2 or not all(isinstance(side, Integral) and int(side) >= 8 for side in image_size):
        raise ValueError(
            f"image_size must be one integer or a pair (height, width), each at least 8; got {image_size!r}. "
            "Pass for example image_size=(48, 64)."
        )
    return int(image_size[0]), int(image_size[1])


def _diameter_range(diameter_mm: Any, shorter_side_mm: float) -> tuple[float, float]:
    """The smallest and the largest diameter in mm, checked to fit the image at any angle."""
    low, high = _pair(diameter_mm if isinstance(diameter_mm, tuple | list) else (diameter_mm, diameter_mm))
    longest = shorter_side_mm * np.sqrt(AXIS_RATIO[0])
    if high > longest:
        raise ValueError(
            f"diameter_mm must be at most {longest:.3g} to fit the shorter side of the image, "
            f"{shorter_side_mm:.3g} mm; got {diameter_mm!r}. "
            "Lower diameter_mm, or raise image_size or spacing_mm."
        )
    return low, high


def _pair(diameter_mm: Sequence[float]) -> tuple[float, float]:
    if (
        len(diameter_mm) != 2
        or not all(isinstance(value, Real) for value in diameter_mm)
        or not 0 < diameter_mm[0] <= diameter_mm[1]
    ):
        raise ValueError(
            "diameter_mm must be one number or a rising pair (smallest, largest), both above 0; "
            f"got {diameter_mm!r}. Pass for example diameter_mm=(5.0, 10.0)."
        )
    return diameter_mm[0], diameter_mm[1]


def _draw_ellipses(
    rng: np.random.Generator,
    n_samples: int,
    shape: Shape,
    diameter_range: tuple[float, float],
    max_offset_mm: float | None,
    spacing_mm: float,
) -> np.ndarray:
    """One ellipse an image, drawn also for the healthy ones so that no draw depends on the class."""
    ellipses = np.empty(n_samples, dtype=[(field, float) for field in FIELDS])
    ellipses["diameter"] = rng.uniform(*diameter_range, n_samples)
    ellipses["ratio"] = rng.uniform(*AXIS_RATIO, n_samples)
    ellipses["angle"] = rng.uniform(0, np.pi, n_samples)
    reach = ellipses["diameter"] / 2 / np.sqrt(ellipses["ratio"]) / spacing_mm
    for name, side in zip(("row", "column"), shape, strict=True):
        room = side / 2 - reach
        if max_offset_mm is not None:
            room = np.minimum(room, max_offset_mm / spacing_mm)
        ellipses[name] = (side - 1) / 2 + rng.uniform(-room, room)
    return ellipses


def _ellipse_profile(ellipses: np.ndarray, shape: Shape, spacing_mm: float) -> np.ndarray:
    """How much of a nodule each pixel holds: (n, height, width), 0 to 1, one half on the ellipse itself."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    column = {name: ellipses[name][:, None, None] for name in FIELDS}
    down, right = (rows - column["row"]) * spacing_mm, (columns - column["column"]) * spacing_mm
    cos, sin = np.cos(column["angle"]), np.sin(column["angle"])
    stretch = np.sqrt(column["ratio"])
    # Stretched back to a circle of the same area, so the radius is half the diameter in every direction.
    along, across = (cos * right + sin * down) * stretch, (cos * down - sin * right) / stretch
    inward_mm = column["diameter"] / 2 - np.hypot(along, across)
    return _ramp(inward_mm, spacing_mm).astype(np.float32)


def _ramp(inward_mm: np.ndarray, spacing_mm: float) -> np.ndarray:
    """A soft edge: 1 well inside, 0 well outside, 1/2 on the border."""
    return np.clip(inward_mm / np.float32(max(EDGE_MM, spacing_mm)) + np.float32(0.5), 0, 1)


def _draw_lung(
    rng: np.random.Generator, n_samples: int, shape: Shape, spacing_mm: float, texture: float, n_vessels: int
) -> np.ndarray:
    """Lung without nodule or noise, in Hounsfield units: (n_samples, height, width), float32."""
    lung = np.float32(texture) * _draw_texture(rng, n_samples, shape)
    lung += LUNG_HU + LEVEL_SPREAD_HU * rng.standard_normal((n_samples, 1, 1), dtype=np.float32)
    lung += VESSEL_HU * _draw_vessels(rng, n_samples, shape, spacing_mm, n_vessels)
    return lung


def _draw_texture(rng: np.random.Generator, n_samples: int, shape: Shape, knot_distance: float = 6.0) -> np.ndarray:
    """A smooth random field of unit variance: a cubic B-spline surface over white knots."""
    down, across = (_spline_basis(side, knot_distance) for side in shape)
    knots = rng.standard_normal((n_samples, down.shape[1], across.shape[1]), dtype=np.float32)
    return down @ knots @ across.T


def _spline_basis(side: int, knot_distance: float) -> np.ndarray:
    """Cubic B-splines at each pixel of a side, scaled so that white knots give unit variance."""
    position = np.arange(side)[:, None] / knot_distance
    distance = np.abs(position - np.arange(-1, int(np.ceil(side / knot_distance)) + 2))
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.clip(2 - distance, 0, None) ** 3 / 6
    basis = np.where(distance < 1, near, far)
    return (basis / np.linalg.norm(basis, axis=1, keepdims=True)).astype(np.float32)


def _draw_vessels(
    rng: np.random.Generator, n_samples: int, shape: Shape, spacing_mm: float, n_vessels: int
) -> np.ndarray:
    """How much of a vessel each pixel holds, 0 to 1: gently bent tubes that cross the image."""
    rows, columns = (axis.astype(np.float32) for axis in np.ogrid[: shape[0], : shape[1]])
    vessels = np.zeros((n_samples, *shape), dtype=np.float32)
    for _ in range(n_vessels):
        uniform = rng.uniform(size=(5, n_samples, 1, 1)).astype(np.float32)
        down, right = rows - uniform[0] * shape[0], columns - uniform[1] * shape[1]
        angle = np.float32(np.pi) * uniform[2]
        cos, sin = np.cos(angle), np.sin(angle)
        bend = (uniform[3] - np.float32(0.5)) / np.float32(max(shape))
        along, across = cos * right + sin * down, cos * down - sin * right
        thin, thick = VESSEL_RADIUS_MM
        radius = thin + (thick - thin) * uniform[4]
        inward_mm = radius - np.abs(across + bend * along**2) * np.float32(spacing_mm)
        # Crossing vessels do not add up: the brighter one is seen.
        np.maximum(vessels, _ramp(inward_mm, spacing_mm), out=vessels)
    return vessels


def _truth(ellipses: np.ndarray, target: np.ndarray, contrast: float) -> dict[str, np.ndarray]:
    """What is known of each image, one value a row; NaN where there is no nodule."""
    ill = target == 1
    truth = {
        name: np.where(ill, ellipses[field], np.nan)
        for name, field in (("row", "row"), ("column", "column"), ("diameter_mm", "diameter"))
    }
    truth["contrast"] = np.where(ill, float(contrast), 0.0)
    return truth
