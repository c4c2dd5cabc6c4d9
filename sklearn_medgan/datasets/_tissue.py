"""Labelled patches of the real microscopy and retina images inside scikit-image's wheel."""

from __future__ import annotations

from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from .._parameters import ParameterError
from .._sklearn_compat import Interval, StrOptions, validate_params

# Patches, whether of the second class, names of both classes, region of each patch, and its first pixel.
Part = tuple[np.ndarray, np.ndarray, list[str], np.ndarray, np.ndarray]
DAB_DENSITY = 0.06  # Otsu's threshold on the DAB channel of the section is 0.062
DAB_SHARE = 0.5
VESSEL_DEPTH = 10.0  # grey levels darker than the surroundings
VESSEL_REACH = 8  # pixels of the halved image: wider than half the widest vessel
VESSEL_SHARE = 0.2  # of patches up to `SMALL`; of larger ones less, for a vessel that crosses them fills less
SMALL = 64  # pixels a side: larger patches come from the full photograph, and overlap
FIELD_OF_VIEW_RED = 40  # outside the round field the photograph is black

DESCR = """\
Tissue patches

Square grey patches (the green channel) cut from two real images that scikit-image ships, with labels that a
fixed rule draws from the full image.

ihc.png, a section of colonic glands, 512 x 512 pixels: brown (DAB) marks the protein FHL2, blue
(haematoxylin) the nuclei. Center for Microscopy and Molecular Imaging; no known copyright restrictions.
    "DAB stained"      at least half of the patch's pixels hold DAB: density above 0.06 in the colour
                       deconvolution of Ruifrok and Johnston
    "unstained"        the other patches: connective tissue, the edges of glands, empty glass
retina.jpg, a fundus photograph of a normal left eye, 1411 x 1411 pixels, halved here for patches of up to 64
pixels. Mikael Haggstrom, CC0.
    "large vessel"     at least 20 % of the patch's pixels are vessel: more than 10 grey levels darker than
                       their surroundings (black top-hat, radius 8 pixels, of the smoothed green channel of
                       the halved photograph); above 64 pixels a side, 20 % x 64 / side
    "no large vessel"  the other patches inside the round field: background, thin vessels, optic disc, fovea

Nobody annotated these images. The stain rule reads the colour, which the grey patches do not show; the vessel
rule reads the same channel as the patches, and their surroundings. One section of one tissue and one eye: a
demonstration of the method, not a diagnosis, and no figure found here carries over to patients.

Patches come in regions of 2 x 2. `groups` names the region; regions are a quarter of a patch apart, so a
split by group never parts touching patches. Patches above 64 pixels overlap by three quarters within their
region, or there would be too few. Two images remain two images, however they are split.
"""


@validate_params(
    {
        "patch_size": [Interval(Integral, 8, 128, closed="both")],
        "source": [StrOptions({"all", "microscopy", "retina"})],
        "return_X_y": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def load_tissue_patches(
    *, patch_size: int = 32, source: str = "all", return_X_y: bool = False
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load real images, microscopy and retina, labelled by what they show.

    The patches are cut from two images inside scikit-image's wheel, so nothing is downloaded. At the default
    size there are 443: of the microscopy 103 stained with DAB and 93 not, of the retina 71 with a large
    vessel and 176 without. The labels come from a rule, given in ``DESCR``, not from a physician.

    ``load_tissue_patches(patch_size=128, source="retina")`` returns 127 images of 128 x 128 in 35 regions. Larger
    ones would be too few for a split by region: of 224 x 224 the photograph has room for 11 that are apart.

    Parameters
    ----------
    patch_size : int, default=32
        Side of a patch in pixels, 8 to 64; of the retina to 128. Above 64 the retina's patches are cut from the
        photograph at full size, and overlap those of their own region by three quarters.
    source : {"all", "microscopy", "retina"}, default="all"
        Which image to cut from: both (four classes) or one (two classes).
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        data : ndarray of shape (n_samples, patch_size, patch_size), uint8, 0 to 255
            The patches: the green channel.
        target : ndarray of shape (n_samples,), int64
            Class of each patch, an index into `target_names`.
        target_names : list of str
            ``["unstained", "DAB stained", "no large vessel", "large vessel"]``, or the two of the one source.
        groups : ndarray of shape (n_samples,), int64
            Image region of each patch: split by it (``StratifiedGroupKFold``), never by row.
        source : ndarray of shape (n_samples,), str
            "microscopy" or "retina".
        position : ndarray of shape (n_samples, 2), int64
            Row and column of the patch's first pixel, in the image (for the retina up to 64 pixels: halved).
        spacing : None
            The size of a pixel is not known.
        DESCR : str
            Where images and labels come from, and what they are not.
    (data, target) : tuple if ``return_X_y=True``

    Raises
    ------
    FileNotFoundError
        If this installation of scikit-image lacks one of the images.
    ValueError
        If `patch_size` is above 64 and `source` is not "retina": the section would give too few.

    References
    ----------
    A. Ruifrok, D. Johnston, "Quantification of histochemical staining by color deconvolution", Analytical and
    Quantitative Cytology and Histology 23, 2001.

    M. Haggstrom, "Medical gallery of Mikael Haggstrom 2014", WikiJournal of Medicine 1(2), 2014.
    https://doi.org/10.15347/wjm/2014.008

    Examples
    --------
    >>> from sklearn_medgan.datasets import load_tissue_patches
    >>> patches = load_tissue_patches(source="microscopy")
    >>> patches.data.shape, patches.data.dtype, patches.target_names
    ((196, 32, 32), dtype('uint8'), ['unstained', 'DAB stained'])
    >>> len(set(patches.groups))
    49
    """
    if patch_size > SMALL and source != "retina":
        raise ParameterError(
            "patch_size",
            f"must be at most {SMALL} for source={source!r}, whose section holds too few larger patches to split",
            str(patch_size),
            'Set source="retina", which gives patches of up to 128 pixels.',
        )
    parts = {name: _SOURCES[name](patch_size) for name in _SOURCES if source in ("all", name)}
    joined = _join(parts)
    if return_X_y:
        return joined["data"], joined["target"]
    return Bunch(**joined, spacing=None, DESCR=DESCR)


def _cut_microscopy(patch_size: int) -> Part:
    """Patches of the stained section; the class is the share of stained pixels."""
    from skimage.color import rgb2hed

    section = _read_image("ihc.png")
    position, groups = _grid(section.shape[:2], patch_size)
    stained = rgb2hed(section)[..., 2] > DAB_DENSITY
    share = _cut(stained, position, patch_size).mean(axis=(1, 2))
    data = _cut(section[..., 1], position, patch_size)
    return data, share >= DAB_SHARE, ["unstained", "DAB stained"], groups, position


def _cut_retina(patch_size: int) -> Part:
    """Patches inside the fundus photograph's round field; the class is the share of vessel pixels."""
    from skimage.filters import gaussian
    from skimage.morphology import black_tophat, disk

    photograph = _read_image("retina.jpg")
    half = _halve(photograph)
    depth = black_tophat(gaussian(half[..., 1], 1.0, preserve_range=True), disk(VESSEL_REACH))
    vessel = depth > VESSEL_DEPTH
    if patch_size <= SMALL:
        photograph = half
    else:
        vessel = vessel.repeat(2, axis=0).repeat(2, axis=1)
        photograph = photograph[: len(vessel), : len(vessel[0])]
    green = photograph[..., 1]
    position, groups = _grid(green.shape, patch_size)
    inside = _cut(photograph[..., 0] > FIELD_OF_VIEW_RED, position, patch_size).all(axis=(1, 2))
    position, groups = position[inside], groups[inside]
    share = _cut(vessel, position, patch_size).mean(axis=(1, 2))
    return (
        _cut(green, position, patch_size),
        share >= VESSEL_SHARE * min(1.0, SMALL / patch_size),
        ["no large vessel", "large vessel"],
        groups,
        position,
    )


_SOURCES = {"microscopy": _cut_microscopy, "retina": _cut_retina}


def _read_image(name: str) -> np.ndarray:
    """An image out of scikit-image's own folder: its `skimage.data` functions may download instead."""
    import skimage.data
    from skimage.io import imread

    path = Path(skimage.data.__file__).parent / name
    if not path.is_file():
        raise FileNotFoundError(
            f"load_tissue_patches expected scikit-image to hold {name}; there is no {path}. "
            "Nothing is downloaded: install scikit-image from its wheel, "
            "pip install --force-reinstall 'scikit-image>=0.24'."
        )
    return imread(path)


def _halve(image: np.ndarray) -> np.ndarray:
    """Mean of each 2 x 2 block, rounded to uint8; an odd last row or column is left out."""
    height, width = image.shape[0] // 2, image.shape[1] // 2
    blocks = image[: 2 * height, : 2 * width].reshape(height, 2, width, 2, -1)
    return np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8)


def _grid(shape: tuple[int, ...], patch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """First pixel and region of each patch: regions of 2 x 2 patches, a quarter of a patch apart."""
    stride = patch_size if patch_size <= SMALL else patch_size // 4
    region = stride + patch_size
    step = region + patch_size // 4
    corners = [
        (row, column)
        for row in range(0, shape[0] - region + 1, step)
        for column in range(0, shape[1] - region + 1, step)
    ]
    within = stride * np.array([(0, 0), (0, 1), (1, 0), (1, 1)])
    position = (np.array(corners)[:, None] + within).reshape(-1, 2)
    return position, np.repeat(np.arange(len(corners)), 4)


def _cut(image: np.ndarray, position: np.ndarray, patch_size: int) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(image, (patch_size, patch_size))
    return windows[position[:, 0], position[:, 1]]


def _join(parts: dict[str, Part]) -> dict[str, Any]:
    """Stack the sources; classes and regions are numbered on from one source to the next."""
    columns: dict[str, list] = {"data": [], "target": [], "groups": [], "source": [], "position": []}
    target_names: list[str] = []
    n_regions = 0
    for name, (data, positive, names, groups, position) in parts.items():
        columns["data"].append(data)
        columns["target"].append(len(target_names) + positive.astype(np.int64))
        columns["groups"].append(n_regions + np.unique(groups, return_inverse=True)[1])
        columns["source"].append(np.full(len(data), name))
        columns["position"].append(position)
        target_names += names
        n_regions += len(np.unique(groups))
    return {key: np.concatenate(blocks) for key, blocks in columns.items()} | {"target_names": target_names}
