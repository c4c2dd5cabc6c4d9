"""What `load_images` says of paths and parameters, whatever is read."""

import os
import subprocess
import sys

import pytest

from sklearn_medgan.datasets import load_images


@pytest.mark.slow
def test_importing_the_datasets_loads_neither_tensorflow_nor_scikit_image():
    heavy = "{'tensorflow', 'keras', 'skimage'}"
    code = f"import sys, sklearn_medgan.datasets; sys.exit(len({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Expected a file or folder at .*none\.npz; there is none\. Check"):
        load_images(tmp_path / "none.npz")


@pytest.mark.parametrize("name", ["scan.xyz", "scan"])
def test_an_unknown_suffix_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(
        ValueError, match=r"a folder or a file ending in \.npz or \.png.*; got the suffix '.*Save the images"
    ):
        load_images(tmp_path / name)


def test_a_path_that_is_no_path_is_refused():
    with pytest.raises(TypeError, match="'path' parameter of load_images must be"):
        load_images(3)


@pytest.mark.parametrize("image_shape", [(8,), (8, 0), (8, 8.0), (8, 8, 3), (True, 8), 8])
def test_an_image_shape_that_is_none_is_refused(tmp_path, image_shape):
    with pytest.raises(ValueError, match="image_shape"):
        load_images(tmp_path, image_shape=image_shape)


@pytest.mark.parametrize("parameter", ["path_column", "label_column"])
def test_a_column_is_refused_where_there_is_no_table(tmp_path, parameter):
    with pytest.raises(ValueError, match=f"{parameter} was expected to be None for .*, which is no table; got 'y'"):
        load_images(tmp_path, **{parameter: "y"})


@pytest.mark.parametrize("name", ["pipe.png", "pipe.tif", "pipe.npz"])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(ValueError, match=rf"{name} was expected to be a regular file; it is a folder, pipe or device"):
        load_images(tmp_path / name)


def test_a_pipe_in_a_folder_is_refused(tmp_path):
    (tmp_path / "a").mkdir()
    os.mkfifo(tmp_path / "a" / "1.jpg")
    with pytest.raises(ValueError, match=r"1\.jpg was expected to be a regular file"):
        load_images(tmp_path)
