"""Image files and folders of them as the columns of a Bunch."""

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from pictures import images
from PIL import Image

from sklearn_medgan._parameters import ParameterError
from sklearn_medgan.datasets import _entries, load_images


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
    with pytest.warns(UserWarning, match=r"Ignored 4 file\(s\) .*: README.md, a/1.txt, a/2.txt, \.\.\.\.") as caught:
        assert len(load_images(tmp_path).data) == 2
    assert caught[0].filename == __file__


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_image_shape_resizes_to_the_mean_and_keeps_dtype_and_equal_images(tmp_path, dtype):
    """A constant image stays constant, and a step the mean of its halves."""
    constant, same = np.full((40, 60), 201, dtype), images(1, shape=(10, 20), dtype=dtype)[0]
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


GREY, COLOUR = images(1)[0], images(1, shape=(9, 11, 3))[0]
BAD_FOLDERS = {
    "no entry": ({}, r"Expected images \(\.png, .*\) in .*; it holds nothing\. Convert or add"),
    "other files only": ({"a.txt": b"x"}, r"it holds only other files \(a\.txt\)"),
    "hidden files only": ({".a.png": b"x"}, "it holds nothing"),
    "an empty class": ({"a/1.png": GREY, "b/.x": b"x"}, r"Expected images .* in .*/b; it holds nothing"),
    "a class of other files": ({"a/1.png": GREY, "b/x.txt": b"x"}, r"/b; it holds only other files \(x\.txt\)"),
    "both": ({"a/1.png": GREY, "2.png": GREY}, r"it holds both, images \(2\.png\) and subfolders \(a\)"),
    "masks": ({"a/images/1.png": GREY, "a/masks/1.png": GREY}, r"holds a/masks, .* no images to diagnose\. Move it"),
    "shapes": (
        {"1.png": GREY, "2.png": GREY, "3.png": GREY.T, "4.png": GREY[:5]},
        r"one shape; got 3, for example \(9, 11\) \(.*1\.png\) and \(11, 9\) \(.*3\.png\)\. Pass image_shape=",
    ),
    "grey and colour": (
        {"a/1.png": GREY, "b/1.png": COLOUR},
        r"one number of channels; got 2, for example 1 \(.*a/1\.png\) and 3 \(.*b/1\.png\)\. Convert",
    ),
    "dtypes": (
        {"1.png": GREY, "2.png": GREY.astype(np.uint16)},
        r"one dtype; got 2, for example uint8 \(.*1\.png\) and uint16 \(.*2\.png\)\. Convert",
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


def test_image_shape_takes_colour_and_npz(tmp_path):
    save_images(tmp_path / "folder", a=images(1, shape=(20, 20, 4))[0], b=images(1, shape=(12, 9, 4))[0])
    np.savez(tmp_path / "a.npz", X=np.full((3, 20, 20), 7, np.int16))
    assert load_images(tmp_path / "folder", image_shape=(9, 8)).data.shape == (2, 9, 8, 4)
    np.testing.assert_array_equal(load_images(tmp_path / "a.npz", image_shape=(9, 8)).data, np.full((3, 9, 8), 7))


def test_splits_hold_classes(tmp_path):
    X = images(4)
    save_images(tmp_path, train__a__1=X[0], train__b__1=X[1], test__a__1=X[2], Val__b__1=X[3])
    loaded = load_images(tmp_path)
    assert loaded.split.tolist() == ["Val", "test", "train", "train"]
    assert loaded.target_names == ["a", "b"]
    np.testing.assert_array_equal(loaded.target, [1, 0, 0, 1])
    np.testing.assert_array_equal(load_images(tmp_path, subset="train").data, X[:2])
    with pytest.raises(ValueError, match=r"one of \['all', 'Val', 'test', 'train'\] .*; got 'valid'"):
        load_images(tmp_path, subset="valid")


def test_folders_in_classes_are_patients(tmp_path):
    X = images(5)
    save_images(tmp_path, a__p1__1=X[0], a__p2__1=X[1], b__p2__1=X[2], b__p3__x__1=X[3], b__4=X[4])
    loaded = load_images(tmp_path)
    names = [Path(name).relative_to(tmp_path).as_posix() for name in loaded.filenames]
    assert names == ["a/p1/1.png", "a/p2/1.png", "b/4.png", "b/p2/1.png", "b/p3/x/1.png"]
    assert loaded.groups[1] == loaded.groups[3]  # a patient with images of both classes
    assert len(set(loaded.groups)) == 4  # and one image that is of nobody known
    with pytest.raises(
        ParameterError, match=r"groups was expected to be a subfolder of each class; got none for .*b/4"
    ):
        load_images(tmp_path, groups="subfolder")
    (tmp_path / "b" / "4.png").unlink()
    np.testing.assert_array_equal(load_images(tmp_path, groups="subfolder").groups, [0, 1, 1, 2])
    np.testing.assert_array_equal(load_images(tmp_path, groups=r"(\d)/").groups, [0, 1, 1, 2])


def test_folders_that_say_images_are_no_patients(tmp_path):
    save_images(tmp_path, a__images__1=GREY, b__images__1=GREY)
    assert load_images(tmp_path).groups is None


def test_patients_taken_for_classes_are_told_of(tmp_path):
    for patient in "xyz":
        (tmp_path / patient).mkdir()
        tifffile.imwrite(tmp_path / patient / "a.tif", images(3), photometric="minisblack")
    with pytest.warns(UserWarning, match=r"Each of the 3 classes .* one patient alone.*a CSV file") as caught:
        load_images(tmp_path)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("how", [{}, {"lazy": True}, pytest.param({"n_jobs": 2}, marks=pytest.mark.slow)])
def test_unreadable_files_are_each_named_and_left_out_on_request(tmp_path, how, monkeypatch):
    monkeypatch.setattr(_entries, "AT_ONCE", 1)
    X = images(4)
    save_images(tmp_path, a__1=X[0], a__2=X[1], b__1=X[2], b__2=X[3])
    for name in ("a/2.png", "b/1.png"):
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:60])
    os.mkfifo(tmp_path / "b" / "pipe.png")
    with pytest.raises(ValueError, match=r"2\.png is not an image"):
        load_images(tmp_path, **how).data[:]
    with pytest.warns(UserWarning, match="Left out") as caught:
        loaded = load_images(tmp_path, skip_unreadable=True, **how)
    np.testing.assert_array_equal(loaded.data[:], X[[0, 3]])
    np.testing.assert_array_equal(loaded.target, [0, 1])
    said = [str(warning.message) for warning in caught]
    assert len(said) == 3
    for text, name in zip(said, ("a/2.png", "b/1.png", "b/pipe.png"), strict=True):
        assert text.startswith("Left out, since it cannot be read: ")
        assert name in text
    for name in ("a/1.png", "b/2.png"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(ValueError, match=r"Expected at least one image in .* that can be read: .*1\.png"):
        load_images(tmp_path, skip_unreadable=True)


def test_channels_make_grey_and_colour_alike(tmp_path):
    """Red, green and blue of full strength have the luma of BT.601; grey stays, three times."""
    colours = np.zeros((8, 9, 3), np.uint8)
    colours[0, :3] = np.eye(3) * 255
    alpha = np.dstack([GREY[:8, :9]] * 3 + [GREY[:8, :9]])
    save_images(tmp_path, a=GREY[:8, :9], b=colours, c=alpha)
    grey = load_images(tmp_path, channels=1).data
    np.testing.assert_array_equal(grey[[0, 2]], [GREY[:8, :9]] * 2)
    np.testing.assert_array_equal(grey[1, 0, :4], [76, 150, 29, 0])
    rgb = load_images(tmp_path, channels=3, lazy=True).data[:]
    np.testing.assert_array_equal(rgb[1], colours)
    np.testing.assert_array_equal(rgb[[0, 2]], [np.dstack([GREY[:8, :9]] * 3)] * 2)
    with pytest.raises(ParameterError, match=r"channels was expected to be 1 \(grey\), 3 \(RGB\) or None; got 2"):
        load_images(tmp_path, channels=2)


def test_a_window_cuts_other_files_too(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.arange(-100, 300, dtype=np.int16).reshape(1, 20, 20))
    data = load_images(tmp_path / "a.tif", window=(100, 200)).data.ravel()
    assert data.dtype == np.uint8
    assert (data[:101] == 0).all()  # DICOM's linear window: from 0.5 below center - width / 2
    assert (data[-100:] == 255).all()
    assert data[200] == round(0.5 / 199 * 255 + 127.5)
    with pytest.raises(ParameterError, match="where files are not DICOM"):
        load_images(tmp_path / "a.tif", window="file")


@pytest.mark.parametrize("target", ["file", "folder", "circle"])
def test_links_out_of_the_folder_or_to_folders_are_refused(tmp_path, target):
    save_images(tmp_path, data__a__1=GREY, secret__1=GREY)
    where = {"file": "../../secret/1.png", "folder": "../../secret", "circle": ".."}[target]
    (tmp_path / "data" / "a" / "link.png").symlink_to(where)
    with pytest.raises(ValueError, match=r"link\.png is a link that leads out of .*Copy what"):
        load_images(tmp_path / "data")
    (tmp_path / "data" / "a" / "link.png").unlink()
    (tmp_path / "data" / "a" / "link.png").symlink_to("1.png")
    assert len(load_images(tmp_path / "data").data) == 2
