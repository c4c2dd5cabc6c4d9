"""Images that stay in their files: the array that a folder holds, decoded a few files at a time."""

import pickle

import numpy as np
import pytest
import tifffile
from pictures import images
from PIL import Image

from sklearn_medgan.datasets import LazyImages, _lazy_files, load_images


@pytest.fixture
def folder(tmp_path):
    """Two classes, three pages and four files."""
    for name, image in zip(("a/1", "a/2", "b/1"), images(3, shape=(8, 9)), strict=True):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    tifffile.imwrite(tmp_path / "b" / "2.tif", images(3, shape=(8, 9)), photometric="minisblack")
    return tmp_path


def test_they_are_those_that_are_loaded(folder):
    lazy, loaded = load_images(folder, lazy=True), load_images(folder)
    assert isinstance(lazy.data, LazyImages)
    np.testing.assert_array_equal(np.asarray(lazy.data), loaded.data)
    np.testing.assert_array_equal(lazy.data[[5, 0]][:], loaded.data[[5, 0]])
    np.testing.assert_array_equal(lazy.target, loaded.target)
    assert (lazy.filenames, lazy.target_names, lazy.DESCR) == (loaded.filenames, loaded.target_names, loaded.DESCR)
    again = pickle.loads(pickle.dumps(lazy.data))  # workers of joblib open the files themselves
    np.testing.assert_array_equal(again[2:5], loaded.data[2:5])


def test_they_are_resized_as_those_that_are_loaded(folder):
    lazy, target = load_images(folder, lazy=True, image_shape=(12, 10), return_X_y=True)
    np.testing.assert_array_equal(lazy[:], load_images(folder, image_shape=(12, 10)).data)
    np.testing.assert_array_equal(target, [0, 0, 1, 1, 1, 1])


def test_only_files_that_are_asked_for_are_decoded(folder, monkeypatch):
    data = load_images(folder, lazy=True).data
    decoded = []
    read = _lazy_files.read_images
    monkeypatch.setattr(_lazy_files, "read_images", lambda file, form: (decoded.append(file.name), read(file, form))[1])
    data[1:5]
    assert decoded == ["2.png", "1.png", "2.tif"]  # the pages of one file together


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((8, 10), np.uint8), r"one shape; got 2, for example \(8, 9\) .*1.png.* and \(8, 10\) .*odd.png"),
        (np.zeros((8, 9), np.uint16), r"one dtype; got 2, for example uint8 .*1.png.* and uint16 .*odd.png"),
        (np.zeros((8, 9, 3), np.uint8), r"number of channels; got 2, for example 1 .*1.png.* and 3 .*odd.png"),
    ],
    ids=["shape", "dtype", "channels"],
)
def test_a_file_that_differs_is_named_when_it_is_read(folder, image, message):
    Image.fromarray(image).save(folder / "b" / "odd.png")
    data = load_images(folder, lazy=True).data
    data[:6]
    with pytest.raises(ValueError, match=message):
        data[6]


def test_files_that_change_or_vanish_are_named(folder):
    data = load_images(folder, lazy=True).data
    tifffile.imwrite(folder / "b" / "2.tif", images(2, shape=(8, 9)), photometric="minisblack")
    with pytest.raises(ValueError, match=r"2\.tif had 3 image\(s\) when it was listed, and has 2 now"):
        data[4]
    (folder / "a" / "2.png").unlink()
    with pytest.raises(OSError, match=r"2\.png"):
        data[1]


def test_an_archive_is_not_lazy(tmp_path):
    np.savez(tmp_path / "a.npz", X=images(2, shape=(8, 9)))
    with pytest.raises(ValueError, match=r"an npz file, which is unpacked whole.*mmap_mode='r'"):
        load_images(tmp_path / "a.npz", lazy=True)
