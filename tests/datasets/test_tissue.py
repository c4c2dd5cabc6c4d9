"""The patches against the images they were cut from."""

import numpy as np
import pytest

from sklearn_medgan.datasets import load_tissue_patches


@pytest.fixture(scope="module")
def patches():
    return load_tissue_patches()


def test_patches_are_a_few_hundred_grey_images_in_four_classes(patches):
    assert patches.data.shape == (443, 32, 32)
    assert patches.data.dtype == np.uint8
    assert len(patches.target_names) == 4
    counts = np.bincount(patches.target)
    assert len(counts) == 4
    assert counts.min() >= 60
    assert counts.min() < counts.max() / 2
    assert patches.spacing is None


def test_microscopy_patches_are_the_pixels_at_their_position(patches):
    from skimage.data import immunohistochemistry

    section = immunohistochemistry()
    for k in np.flatnonzero(patches.source == "microscopy"):
        row, column = patches.position[k]
        np.testing.assert_array_equal(patches.data[k], section[row : row + 32, column : column + 32, 1])


def test_retina_patches_are_the_halved_photograph_inside_its_field(patches):
    from skimage.data import retina
    from skimage.transform import downscale_local_mean

    half = downscale_local_mean(retina()[:1410, :1410], (2, 2, 1))
    for k in np.flatnonzero(patches.source == "retina"):
        row, column = patches.position[k]
        box = half[row : row + 32, column : column + 32]
        np.testing.assert_allclose(patches.data[k], box[..., 1], atol=0.5)
        assert box[..., 0].min() > 30


@pytest.fixture(scope="module")
def large():
    return load_tissue_patches(patch_size=128, source="retina")


def test_large_patches_are_the_photograph_at_full_size(large):
    from skimage.data import retina

    assert large.data.shape == (127, 128, 128)
    assert np.bincount(large.target).min() >= 50
    photograph = retina()
    for pixels, (row, column) in zip(large.data, large.position, strict=True):
        box = photograph[row : row + 128, column : column + 128]
        np.testing.assert_array_equal(pixels, box[..., 1])
        assert box[..., 0].min() > 30


def test_large_patches_overlap_within_their_group_only(large):
    assert len(set(large.groups)) == 35
    corners = large.position.astype(int)
    apart = np.abs(corners[:, None] - corners[None]).max(-1)  # of two squares, along the axis where it is more
    same = large.groups[:, None] == large.groups[None]
    assert apart[same].max() == 32
    assert apart[~same].min() == 128 + 32


def test_large_vessels_are_those_that_cross_a_large_patch(large):
    """A patch of 128 pixels holds 2 x 2 of the small ones, halved: it has a vessel where some of them do."""
    small = load_tissue_patches(patch_size=32, source="retina")
    corner = large.position[:, None] / 2
    inside = ((small.position >= corner - 8) & (small.position + 32 <= corner + 64 + 8)).all(-1)
    vessels = (inside * small.target).sum(1) / np.maximum(inside.sum(1), 1)
    assert vessels[large.target == 1].mean() > 4 * vessels[large.target == 0].mean()


def test_large_patches_are_neither_trivial_nor_hopeless_for_an_svc(large, balanced_accuracy):
    assert 0.6 < balanced_accuracy(large.data, large.target, large.groups) < 0.9


@pytest.mark.parametrize("patch_size", [17, 32])
def test_patches_never_overlap_and_groups_keep_a_gap(patch_size):
    patches = load_tissue_patches(patch_size=patch_size)
    for source in ("microscopy", "retina"):
        rows = patches.source == source
        owner = np.full((720, 720), -1)
        for (row, column), group in zip(patches.position[rows], patches.groups[rows], strict=True):
            box = owner[row : row + patch_size, column : column + patch_size]
            assert (box == -1).all()
            box[:] = group
            near = owner[
                max(row - patch_size // 4, 0) : row + patch_size + patch_size // 4,
                max(column - patch_size // 4, 0) : column + patch_size + patch_size // 4,
            ]
            assert set(np.unique(near)) <= {-1, group}


def test_no_group_holds_both_sources(patches):
    assert all(len(set(patches.source[patches.groups == group])) == 1 for group in np.unique(patches.groups))
    np.testing.assert_array_equal(np.unique(patches.groups), np.arange(patches.groups.max() + 1))


def test_stained_patches_are_browner_though_the_label_is_not_read_off_the_grey(patches):
    """Brown is more red than blue; the colour never reaches the classifier."""
    from skimage.data import immunohistochemistry

    section = immunohistochemistry().astype(float)
    brown = section[..., 0] - section[..., 2]
    rows = patches.source == "microscopy"
    share = np.array([(brown[r : r + 32, c : c + 32] > 20).mean() for r, c in patches.position[rows]])
    stained = patches.target[rows] == patches.target_names.index("DAB stained")
    assert share[stained].min() > 0.3
    assert share[~stained].mean() < 0.25
    assert np.corrcoef(share, stained)[0, 1] > 0.85


def test_vessel_patches_hold_dark_structures(patches):
    """A vessel makes a long dark tail: the darkest tenth lies further below the median."""
    rows = patches.source == "retina"
    data = patches.data[rows].astype(float)
    depth = np.median(data, axis=(1, 2)) - np.quantile(data, 0.1, axis=(1, 2))
    vessel = patches.target[rows] == patches.target_names.index("large vessel")
    assert np.median(depth[vessel]) > 2 * np.median(depth[~vessel])


def test_the_patches_are_neither_trivial_nor_hopeless_for_an_svc(patches, balanced_accuracy):
    assert 0.65 < balanced_accuracy(patches.data, patches.target, patches.groups) < 0.9


@pytest.mark.parametrize("source", ["microscopy", "retina"])
def test_one_source_is_its_rows_of_both_with_classes_from_zero(patches, source, balanced_accuracy):
    X, y = load_tissue_patches(source=source, return_X_y=True)
    rows = patches.source == source
    np.testing.assert_array_equal(X, patches.data[rows])
    np.testing.assert_array_equal(y, patches.target[rows] - patches.target[rows].min())
    assert 0.75 < balanced_accuracy(X, y, patches.groups[rows]) < 0.95


def test_an_image_missing_from_scikit_image_is_an_error_and_no_download(monkeypatch, tmp_path):
    import skimage.data

    monkeypatch.setattr(skimage.data, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(FileNotFoundError, match=r"hold ihc.png; there is no .* Nothing is downloaded"):
        load_tissue_patches()


@pytest.mark.parametrize("kwargs", [{"patch_size": 7}, {"patch_size": 129}, {"source": "skin"}])
def test_load_tissue_patches_says_what_it_expected(kwargs):
    with pytest.raises(ValueError, match=f"'{next(iter(kwargs))}' parameter of load_tissue_patches must be"):
        load_tissue_patches(**kwargs)


@pytest.mark.parametrize("source", ["all", "microscopy"])
def test_the_section_is_too_small_for_large_patches(source):
    with pytest.raises(ValueError, match=r"must be at most 64 for source='\w+', .*; got 65. Set source=\"retina\""):
        load_tissue_patches(patch_size=65, source=source)
