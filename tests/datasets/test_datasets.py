"""The phantom against its stated truth, the patches against their images, the loader against the file."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_medgan.datasets import load_images, load_tissue_patches, make_nodules


def balanced_accuracy(X, y, groups=None):
    classifier = make_pipeline(StandardScaler(), SVC(C=10))
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    folds = kind(5, shuffle=True, random_state=0)
    flat = X.reshape(len(X), -1).astype(float)
    return cross_val_score(classifier, flat, y, groups=groups, cv=folds, scoring="balanced_accuracy").mean()


def test_importing_the_datasets_loads_neither_tensorflow_nor_scikit_image():
    heavy = "{'tensorflow', 'keras', 'skimage'}"
    code = f"import sys, sklearn_medgan.datasets; sys.exit(len({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- make_nodules -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("prevalence", "n_ill"), [(0, 0), (0.1, 7), (0.5, 36), (1, 73)])
def test_prevalence_is_exact_and_masks_mark_the_ill(prevalence, n_ill):
    nodules = make_nodules(73, image_size=24, prevalence=prevalence, random_state=1)
    assert nodules.target.sum() == n_ill
    np.testing.assert_array_equal(nodules.masks.any(axis=(1, 2)), nodules.target == 1)
    np.testing.assert_array_equal(np.isfinite(nodules.truth["row"]), nodules.target == 1)


@pytest.mark.parametrize(("image_size", "shape"), [(16, (16, 16)), ((20, 33), (20, 33))])
def test_images_are_int16_hounsfield_units_of_the_size_asked_for(image_size, shape):
    nodules = make_nodules(30, image_size=image_size, n_vessels=0, random_state=0)
    assert nodules.data.shape == nodules.masks.shape == (30, *shape)
    assert nodules.data.dtype == np.int16
    assert -900 < np.median(nodules.data) < -780


def test_equal_random_state_gives_equal_bytes_and_another_does_not():
    one, same, other = (make_nodules(70, image_size=16, random_state=seed) for seed in (3, 3, 4))
    assert one.data.tobytes() == same.data.tobytes()
    assert one.target.tobytes() == same.target.tobytes()
    assert one.data.tobytes() != other.data.tobytes()


def test_the_global_random_state_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    make_nodules(5, image_size=16, random_state=0)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize("contrast", [300.0, -120.0])
def test_contrast_is_the_difference_a_nodule_makes_and_nothing_else_changes(contrast):
    kwargs = {"image_size": 40, "spacing_mm": 0.7, "diameter_mm": (8, 12), "random_state": 2}
    with_nodule, without = (
        make_nodules(60, contrast=contrast, **kwargs),
        make_nodules(60, contrast=0, **kwargs),
    )
    difference = with_nodule.data.astype(float) - without.data
    assert not difference[with_nodule.target == 0].any()
    rows, columns = np.mgrid[:40, :40]
    for k in np.flatnonzero(with_nodule.target):
        truth = {name: column[k] for name, column in with_nodule.truth.items()}
        middle = np.hypot(rows - truth["row"], columns - truth["column"]) * 0.7 < 2.0
        np.testing.assert_allclose(difference[k][middle], contrast, atol=1)
        inside, outside = abs(difference[k][with_nodule.masks[k]]), abs(difference[k][~with_nodule.masks[k]])
        assert inside.min() >= abs(contrast) / 2 - 1
        assert outside.max() <= abs(contrast) / 2 + 1
        assert truth["contrast"] == contrast


def test_nodules_stand_out_of_their_images_by_the_contrast():
    nodules = make_nodules(300, image_size=32, prevalence=1, contrast=400, n_vessels=0, random_state=0)
    pairs = zip(nodules.data, nodules.masks, strict=True)
    gaps = [image[mask].mean() - image[~mask].mean() for image, mask in pairs]
    # The soft edge takes some of the contrast inside the mask and puts it outside.
    assert 0.8 * 400 < np.mean(gaps) < 400


def test_noise_is_white_with_the_standard_deviation_asked_for():
    quiet = make_nodules(200, image_size=32, noise=0, random_state=5).data.astype(float)
    noise = make_nodules(200, image_size=32, noise=50, random_state=5).data - quiet
    # 204,800 draws: the standard error of the standard deviation is 0.08, of a correlation 0.0022.
    assert noise.std() == pytest.approx(50, abs=0.4)
    assert noise.mean() == pytest.approx(0, abs=0.5)
    for a, b in ((noise[:, 1:], noise[:, :-1]), (noise[:, :, 1:], noise[:, :, :-1]), (noise[1:], noise[:-1])):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.01


def test_texture_has_the_standard_deviation_asked_for_and_is_smooth():
    kwargs = {"image_size": 32, "prevalence": 0, "noise": 0, "n_vessels": 0, "random_state": 6}
    flat = make_nodules(2000, texture=0, **kwargs).data.astype(float)
    texture = make_nodules(2000, texture=60, **kwargs).data - flat
    assert not np.ptp(flat, axis=(1, 2)).any()
    np.testing.assert_allclose(texture.std(axis=0), 60, rtol=0.1)
    assert np.corrcoef(texture[:, 1:].ravel(), texture[:, :-1].ravel())[0, 1] > 0.95


def test_diameter_and_place_in_truth_are_those_of_the_mask():
    nodules = make_nodules(
        80,
        image_size=(64, 48),
        prevalence=1,
        diameter_mm=(8, 14),
        spacing_mm=0.5,
        max_offset_mm=None,
        random_state=7,
    )
    measured = 2 * np.sqrt(nodules.masks.sum(axis=(1, 2)) * 0.5**2 / np.pi)
    np.testing.assert_allclose(measured, nodules.truth["diameter_mm"], rtol=0.04)
    assert nodules.truth["diameter_mm"].min() >= 8
    assert nodules.truth["diameter_mm"].max() <= 14
    for mask, row, column in zip(nodules.masks, nodules.truth["row"], nodules.truth["column"], strict=True):
        np.testing.assert_allclose(np.argwhere(mask).mean(axis=0), (row, column), atol=0.3)
    assert nodules.spacing == (0.5, 0.5)


def test_the_nodule_stays_within_the_offset_and_fully_inside():
    near = make_nodules(200, image_size=64, prevalence=1, max_offset_mm=3, random_state=8)
    for name in ("row", "column"):
        assert abs(near.truth[name] - 31.5).max() <= 3
    anywhere = make_nodules(400, image_size=16, prevalence=1, max_offset_mm=None, random_state=8)
    border = np.ones((16, 16), dtype=bool)
    border[1:-1, 1:-1] = False
    # An ellipse cut off by the border would lose area against its stated diameter.
    touching = (anywhere.masks & border).any(axis=(1, 2))
    area = np.pi / 4 * anywhere.truth["diameter_mm"][touching] ** 2
    assert touching.any()
    np.testing.assert_allclose(anywhere.masks[touching].sum(axis=(1, 2)) / area, 1, atol=0.2)


def test_vessels_are_bright_and_in_both_classes():
    kwargs = {"image_size": 32, "contrast": 0, "noise": 0, "texture": 0, "random_state": 9}
    nodules, bare = make_nodules(100, n_vessels=2, **kwargs), make_nodules(100, n_vessels=0, **kwargs)
    assert not np.ptp(bare.data, axis=(1, 2)).any()
    bright = np.ptp(nodules.data, axis=(1, 2)) > 200
    assert bright[nodules.target == 0].mean() > 0.95
    assert bright[nodules.target == 1].mean() > 0.95


def test_without_contrast_an_ill_image_is_the_healthy_one():
    kwargs = {"image_size": 24, "contrast": 0, "random_state": 10}
    healthy, ill = (make_nodules(70, prevalence=prevalence, **kwargs).data for prevalence in (0, 1))
    np.testing.assert_array_equal(healthy, ill)


def test_without_contrast_a_classifier_is_at_chance_and_with_it_above():
    """600 images: the standard error of a balanced accuracy at chance is 0.02."""
    for contrast, low, high in ((0, 0.43, 0.57), (500, 0.75, 0.95)):
        X, y = make_nodules(600, image_size=24, contrast=contrast, random_state=0, return_X_y=True)
        assert low < balanced_accuracy(X, y) < high


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"n_samples": 0}, "'n_samples' parameter of make_nodules must be an int"),
        ({"prevalence": 1.2}, "'prevalence' parameter of make_nodules"),
        ({"image_size": 4}, "'image_size' parameter of make_nodules"),
        ({"image_size": (4, 40)}, r"each at least 8; got \(4, 40\)"),
        ({"image_size": (40,)}, r"a pair \(height, width\), each at least 8; got \(40,\)"),
        ({"diameter_mm": 60}, r"at most 26.8 to fit the shorter side of the image, 32 mm; got 60"),
        ({"diameter_mm": (9, 5)}, r"rising pair \(smallest, largest\), both above 0; got \(9, 5\)"),
        ({"diameter_mm": "5"}, "'diameter_mm' parameter of make_nodules"),
        ({"contrast": np.nan}, "'contrast' parameter of make_nodules"),
        ({"contrast": 9000}, "'contrast' parameter of make_nodules"),
        ({"noise": -1}, "'noise' parameter of make_nodules"),
        ({"max_offset_mm": -1}, "'max_offset_mm' parameter of make_nodules"),
        ({"random_state": "0"}, "'random_state' parameter of make_nodules"),
    ],
)
def test_make_nodules_says_what_it_expected(kwargs, message):
    with pytest.raises(ValueError, match=message):
        make_nodules(**{"n_samples": 5, "image_size": 32} | kwargs)


# --- load_tissue_patches ----------------------------------------------------------------------------------


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


def test_the_patches_are_neither_trivial_nor_hopeless_for_an_svc(patches):
    assert 0.65 < balanced_accuracy(patches.data, patches.target, patches.groups) < 0.9


@pytest.mark.parametrize("source", ["microscopy", "retina"])
def test_one_source_is_its_rows_of_both_with_classes_from_zero(patches, source):
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


@pytest.mark.parametrize("kwargs", [{"patch_size": 7}, {"patch_size": 65}, {"source": "skin"}])
def test_load_tissue_patches_says_what_it_expected(kwargs):
    with pytest.raises(ValueError, match=f"'{next(iter(kwargs))}' parameter of load_tissue_patches must be"):
        load_tissue_patches(**kwargs)


# --- load_images ------------------------------------------------------------------------------------------


def images(n, *, seed=0, shape=(9, 11), dtype=np.uint8):
    return np.random.default_rng(seed).integers(0, 200, size=(n, *shape)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32, np.float64, bool])
@pytest.mark.parametrize("shape", [(9, 11), (8, 8, 3)])
def test_the_plain_form_comes_back_as_it_was_saved(tmp_path, dtype, shape):
    X, y, group = images(6, shape=shape, dtype=dtype), np.array([0, 1, 2, 0, 1, 2]), np.array(list("aabbcc"))
    path = tmp_path / "a.npz"
    np.savez(path, X=X, y=y, group=group, class_names=["x", "y", "z"], spacing=(0.7, 0.8))
    loaded = load_images(path)
    assert loaded.data.dtype == X.dtype
    np.testing.assert_array_equal(loaded.data, X)
    np.testing.assert_array_equal(loaded.target, y)
    np.testing.assert_array_equal(loaded.groups, group)
    assert loaded.target_names == ["x", "y", "z"]
    assert loaded.spacing == (0.7, 0.8)
    assert loaded.split is None
    assert loaded.path == str(path)
    assert "6 images" in loaded.DESCR


def test_images_alone_have_no_target(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", X=images(3))
    loaded = load_images(str(tmp_path / "a.npz"))
    missing = (loaded.target, loaded.target_names, loaded.groups, loaded.split, loaded.spacing)
    assert missing == (None,) * 5


def test_a_subset_of_the_plain_form_takes_every_column(tmp_path):
    X, split = images(5), np.array(["fit", "rest", "fit", "fit", "rest"])
    np.savez(tmp_path / "a.npz", X=X, y=np.arange(5), group=np.arange(10, 15), split=split)
    rest = load_images(tmp_path / "a.npz", subset="rest")
    np.testing.assert_array_equal(rest.data, X[[1, 4]])
    np.testing.assert_array_equal(rest.target, [1, 4])
    np.testing.assert_array_equal(rest.groups, [11, 14])
    np.testing.assert_array_equal(rest.split, ["rest", "rest"])


def save_medmnist(path, splits=("train", "val", "test"), **other):
    sizes = {"train": 5, "val": 2, "test": 3}
    arrays = {}
    for seed, split in enumerate(splits):
        arrays[f"{split}_images"] = images(sizes[split], seed=seed)
        arrays[f"{split}_labels"] = (np.arange(sizes[split]) % 2)[:, None].astype(np.uint8)
    np.savez(path, **arrays | other)
    return arrays


def test_medmnist_splits_are_joined_in_order_and_named(tmp_path):
    arrays = save_medmnist(tmp_path / "m.npz")
    loaded = load_images(tmp_path / "m.npz")
    np.testing.assert_array_equal(loaded.split, ["train"] * 5 + ["val"] * 2 + ["test"] * 3)
    for split in ("train", "val", "test"):
        rows = loaded.split == split
        np.testing.assert_array_equal(loaded.data[rows], arrays[f"{split}_images"])
        np.testing.assert_array_equal(loaded.target[rows], arrays[f"{split}_labels"][:, 0])


@pytest.mark.parametrize("subset", ["train", "val", "test"])
def test_one_medmnist_split(tmp_path, subset):
    arrays = save_medmnist(tmp_path / "m.npz")
    X, y = load_images(tmp_path / "m.npz", subset=subset, return_X_y=True)
    np.testing.assert_array_equal(X, arrays[f"{subset}_images"])
    np.testing.assert_array_equal(y, arrays[f"{subset}_labels"][:, 0])
    assert y.shape == (len(X),)


def test_medmnist_without_labels_has_no_target(tmp_path):
    np.savez(tmp_path / "m.npz", train_images=images(3), test_images=images(2))
    loaded = load_images(tmp_path / "m.npz")
    assert loaded.target is None
    assert len(loaded.data) == 5


def test_text_labels_become_indices_of_their_names(tmp_path):
    y = np.array(["ill", "fit", "ill"])
    np.savez(tmp_path / "a.npz", X=images(3), y=y)
    np.savez(tmp_path / "b.npz", X=images(3), y=y, class_names=["ill", "rare", "fit"])
    for name, names in (("a", ["fit", "ill"]), ("b", ["ill", "rare", "fit"])):
        loaded = load_images(tmp_path / f"{name}.npz")
        assert loaded.target_names == names
        assert [names[k] for k in loaded.target] == y.tolist()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"expected a file or folder at .*none\.npz; there is none\. Check"):
        load_images(tmp_path / "none.npz")


@pytest.mark.parametrize("name", ["scan.xyz", "scan"])
def test_an_unknown_suffix_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(
        ValueError, match=r"a folder or a file ending in \.npz or \.png.*; got the suffix '.*Save the images"
    ):
        load_images(tmp_path / name)


@pytest.mark.parametrize("content", [b"", b"not a zip", "npy", "cut"])
def test_a_file_that_is_no_npz_is_refused(tmp_path, content):
    path = tmp_path / "a.npz"
    if content == "npy":
        with path.open("wb") as file:
            np.save(file, images(2))
    elif content == "cut":
        np.savez(path, X=images(2))
        path.write_bytes(path.read_bytes()[:-40])
    else:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"expected an npz archive; .* is not one"):
        load_images(path)


def test_a_damaged_array_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, X=images(50))
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=r"'X' in .* was expected to be a plain array"):
        load_images(path)


def test_a_pickle_is_never_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    trap = np.empty(2, dtype=object)
    trap[:] = [Trap(), Trap()]
    np.savez(tmp_path / "a.npz", X=images(2), y=trap)
    with pytest.raises(ValueError, match=r"'y' in .* expected to be a plain array.* never unpickles"):
        load_images(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"pixels": images(2), "lab": [0, 1]},
            r"train_images.* or X with .* its keys are \['lab', 'pixels'\]",
        ),
        ({"X": images(3), "y": [0, 1]}, r"one row an image; got the lengths \{'X': 3, 'y': 2\}"),
        ({"X": images(3), "group": [0, 1]}, r"got the lengths \{'X': 3, 'group': 2\}"),
        ({"X": images(2, shape=(9,))}, r"\(n, height, width, channels\) .* got \(2, 9\)"),
        ({"X": np.float64(3)}, r"expected images of shape .* got \(\)"),
        ({"X": images(2, shape=(9, 9, 9))}, r"1 to 4 channels; got \(2, 9, 9, 9\)"),
        ({"X": images(2, dtype=complex)}, "images of numbers; got dtype complex128"),
        ({"X": images(2), "y": [[0, 1], [1, 0]]}, r"one label an image, .* got \(2, 2\)"),
        ({"X": images(2), "y": [0.5, 1]}, "labels that are whole numbers or text; got dtype float64"),
        ({"X": images(2), "y": [1, 2], "class_names": ["a", "b"]}, "2 class_names, 0 to 1; got 1 to 2"),
        (
            {"X": images(2), "y": ["a", "c"], "class_names": ["a", "b"]},
            r"class_names \['a', 'b'\]; got \['c'\]",
        ),
        ({"X": images(2), "group": [[0], [1]]}, r"'group' .* one value an image, shape \(n,\); got \(2, 1\)"),
        ({"X": images(2), "spacing": [0.0, 1.0]}, "millimetres a pixel, numbers above 0"),
        ({"train_images": images(2), "train_labels": [[0]]}, r"\{'train_images': 2, 'train_labels': 1\}"),
        (
            {"train_images": images(2), "train_labels": [[0], [1]], "test_images": images(2)},
            r"labels for all of \['train', 'test'\] or for none; it has them for \['train'\]",
        ),
        (
            {"train_images": images(2), "test_images": images(2, shape=(8, 8))},
            r"images of one shape; got \{'train': \(9, 11\), 'test': \(8, 8\)\}",
        ),
    ],
)
def test_a_file_of_another_form_is_refused_with_what_was_found(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        load_images(tmp_path / "a.npz")


def test_an_unknown_subset_lists_those_there_are(tmp_path):
    save_medmnist(tmp_path / "m.npz", splits=("train", "test"))
    np.savez(tmp_path / "a.npz", X=images(2), split=["early", "late"])
    np.savez(tmp_path / "b.npz", X=images(2))
    for name, choices in (("m", "'all', 'train', 'test'"), ("a", "'all', 'early', 'late'"), ("b", "'all'")):
        with pytest.raises(ValueError, match=rf"subset was expected to be one of \[{choices}\] .* got 'val'"):
            load_images(tmp_path / f"{name}.npz", subset="val")


def test_a_path_that_is_no_path_is_refused():
    with pytest.raises(TypeError, match="'path' parameter of load_images must be"):
        load_images(3)


# --- load_images: files and folders -----------------------------------------------------------------------


def save_images(folder, **files):
    """Images under their names, where "__" stands for a subfolder and the suffix is PNG."""
    for name, image in files.items():
        path = folder.joinpath(*name.split("__")).with_suffix(".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


def test_one_image_file_is_a_stack_of_one(tmp_path):
    image = images(1, shape=(8, 9, 3))
    Image.fromarray(image[0]).save(tmp_path / "a.png")
    loaded = load_images(tmp_path / "a.png")
    np.testing.assert_array_equal(loaded.data, image)
    assert loaded.filenames == [str(tmp_path / "a.png")]
    missing = (loaded.target, loaded.target_names, loaded.groups, loaded.split, loaded.spacing)
    assert missing == (None,) * 5
    assert loaded.path == str(tmp_path / "a.png")
    assert loaded.DESCR == "a.png: 1 images of shape (8, 9, 3), uint8, no labels."


def test_pages_of_a_tiff_are_rows_that_share_a_filename(tmp_path):
    pages = images(5, dtype=np.int16)
    tifffile.imwrite(tmp_path / "a.tif", pages)
    loaded = load_images(tmp_path / "a.tif")
    assert loaded.data.dtype == np.int16
    np.testing.assert_array_equal(loaded.data, pages)
    assert loaded.filenames == [str(tmp_path / "a.tif")] * 5


def test_a_folder_of_images_is_read_in_sorted_order_without_labels(tmp_path):
    X = images(4)
    save_images(tmp_path, b=X[2], a10=X[0], a2=X[1])
    tifffile.imwrite(tmp_path / "c.TIF", X[3])
    loaded = load_images(tmp_path)
    np.testing.assert_array_equal(loaded.data, X)
    assert loaded.target is None
    assert loaded.target_names is None
    assert [Path(name).name for name in loaded.filenames] == ["a10.png", "a2.png", "b.png", "c.TIF"]


def test_subfolders_are_the_classes(tmp_path):
    X = images(5)
    save_images(tmp_path, benign__2=X[1], benign__1=X[0], malignant__1=X[2])
    tifffile.imwrite(tmp_path / "malignant" / "2.tif", X[3:])
    loaded = load_images(tmp_path)
    np.testing.assert_array_equal(loaded.data, X)
    assert loaded.target.dtype == np.int64
    np.testing.assert_array_equal(loaded.target, [0, 0, 1, 1, 1])
    assert loaded.target_names == ["benign", "malignant"]
    names = ["benign/1.png", "benign/2.png", "malignant/1.png", "malignant/2.tif", "malignant/2.tif"]
    assert loaded.filenames == [str(tmp_path / name) for name in names]
    assert "5 images of shape (9, 11), uint8, 2 classes" in loaded.DESCR
    data, target = load_images(tmp_path, return_X_y=True)
    np.testing.assert_array_equal(data, X)
    np.testing.assert_array_equal(target, loaded.target)


def test_an_npz_file_has_no_filenames(tmp_path):
    np.savez(tmp_path / "a.npz", X=images(2))
    assert load_images(tmp_path / "a.npz").filenames is None


def test_hidden_files_are_left_out_in_silence(tmp_path):
    save_images(tmp_path, a__1=images(1)[0], b__1=images(1)[0])
    for name in (".DS_Store", "a/.hidden.png", ".git/config"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert load_images(tmp_path).data.shape == (2, 9, 11)


def test_other_files_are_left_out_with_a_warning_that_names_some(tmp_path):
    save_images(tmp_path, a__1=images(1)[0], b__1=images(1)[0])
    for name in ("README.md", "a/1.txt", "a/2.txt", "b/x.csv"):
        (tmp_path / name).write_text("x")
    with pytest.warns(UserWarning, match=r"ignored 4 file\(s\) .*: README.md, a/1.txt, a/2.txt, \.\.\.\.") as caught:
        assert len(load_images(tmp_path).data) == 2
    assert caught[0].filename == __file__


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, bool])
def test_image_shape_resizes_to_the_mean_and_keeps_dtype_and_equal_images(tmp_path, dtype):
    """A constant image stays constant, and a step the mean of its halves."""
    constant, same = np.full((40, 60), 1 if dtype is bool else 201, dtype), images(1, shape=(10, 20), dtype=dtype)[0]
    save_images(tmp_path, a=constant, b=same)
    data = load_images(tmp_path, image_shape=(10, 20)).data
    assert data.dtype == dtype
    np.testing.assert_array_equal(data[0], np.full((10, 20), constant[0, 0]))
    np.testing.assert_array_equal(data[1], same)


def test_a_reduced_image_is_smoothed(tmp_path):
    """Fine stripes become their mean; picking pixels would keep black and white."""
    stripes = np.tile(np.array([0, 200], np.uint8), (64, 32))
    save_images(tmp_path, a=stripes)
    np.testing.assert_allclose(load_images(tmp_path, image_shape=[8, 8]).data.astype(int), 100, atol=25)


def test_image_shape_takes_colour_and_npz(tmp_path):
    save_images(tmp_path / "folder", a=images(1, shape=(20, 20, 4))[0], b=images(1, shape=(12, 9, 4))[0])
    np.savez(tmp_path / "a.npz", X=np.full((3, 20, 20), 7, np.int16))
    assert load_images(tmp_path / "folder", image_shape=(9, 8)).data.shape == (2, 9, 8, 4)
    np.testing.assert_array_equal(load_images(tmp_path / "a.npz", image_shape=(9, 8)).data, np.full((3, 9, 8), 7))


GREY, COLOUR = images(1)[0], images(1, shape=(9, 11, 3))[0]
BAD_FOLDERS = {
    "no entry": ({}, r"expected images \(\.png, .*\) in .*; it holds nothing\. Convert or add"),
    "other files only": ({"a.txt": b"x"}, r"it holds only other files \(a\.txt\)"),
    "hidden files only": ({".a.png": b"x"}, "it holds nothing"),
    "an empty class": ({"a/1.png": GREY, "b/.x": b"x"}, r"expected images .* in .*/b; it holds nothing"),
    "a class of other files": ({"a/1.png": GREY, "b/x.txt": b"x"}, r"/b; it holds only other files \(x\.txt\)"),
    "both": ({"a/1.png": GREY, "2.png": GREY}, r"it holds both, images \(2\.png\) and subfolders \(a\)"),
    "deeper": ({"a/1.png": GREY, "b/c/1.png": GREY}, r"it is nested deeper: b/c\. Move the images up"),
    "shapes": (
        {"1.png": GREY, "2.png": GREY, "3.png": GREY.T, "4.png": GREY[:5]},
        r"one shape; they have 3, for example \(9, 11\) \(.*1\.png\) and \(11, 9\) \(.*3\.png\)\. Pass image_shape=",
    ),
    "grey and colour": (
        {"a/1.png": GREY, "b/1.png": COLOUR},
        r"one number of channels; they have 2, for example 1 \(.*a/1\.png\) and 3 \(.*b/1\.png\)\. Convert",
    ),
    "dtypes": (
        {"1.png": GREY, "2.png": GREY.astype(np.uint16)},
        r"one dtype; they have 2, for example uint8 \(.*1\.png\) and uint16 \(.*2\.png\)\. Convert",
    ),
    "damage": ({"1.png": GREY, "2.png": b"x"}, r"2\.png is not an image that can be read"),
}


@pytest.mark.parametrize("case", BAD_FOLDERS)
def test_a_folder_of_another_form_is_refused_with_what_was_found(tmp_path, case):
    files, message = BAD_FOLDERS[case]
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            Image.fromarray(content).save(path)
    with pytest.raises(ValueError, match=message):
        load_images(tmp_path)


def test_image_shape_does_not_mix_grey_and_colour(tmp_path):
    save_images(tmp_path, a=GREY, b=images(1, shape=(20, 20, 3))[0])
    with pytest.raises(ValueError, match="one number of channels"):
        load_images(tmp_path, image_shape=(8, 8))


def test_a_tiff_of_five_channels_is_refused(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif", images(1, shape=(9, 11, 5))[0], photometric="minisblack", planarconfig="contig"
    )
    with pytest.raises(ValueError, match=r"1 to 4 channels; got \(1, 9, 11, 5\)"):
        load_images(tmp_path / "a.tif")


def test_a_folder_and_an_image_file_have_no_subsets(tmp_path):
    save_images(tmp_path, a=GREY)
    for path in (tmp_path, tmp_path / "a.png"):
        with pytest.raises(ValueError, match=r"expected to be 'all' .*; got 'train'\. Folders and image files"):
            load_images(path, subset="train")


@pytest.mark.parametrize("image_shape", [(8,), (8, 0), (8, 8.0), (8, 8, 3), (True, 8), 8])
def test_an_image_shape_that_is_none_is_refused(tmp_path, image_shape):
    with pytest.raises(ValueError, match="image_shape"):
        load_images(tmp_path, image_shape=image_shape)
