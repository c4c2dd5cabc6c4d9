"""Images that are not in memory: what is read when, and what scikit-learn can do with them."""

import pickle

import numpy as np
import pytest
from lazy_arrays import CountedRows
from sklearn.model_selection import KFold, ShuffleSplit
from tiny import random_images

from sklearn_medgan import _lazy
from sklearn_medgan._containers import as_rows, join_rows
from sklearn_medgan._lazy import LazyImages, is_lazy
from sklearn_medgan._sklearn_compat import _safe_indexing

VALUES = random_images(40, 9, 8)


def open_h5py(folder):
    h5py = pytest.importorskip("h5py", reason="HDF5 needs h5py")
    return h5py.File(folder / "rows.h5", "w").create_dataset("images", data=VALUES, chunks=(7, 9, 8))


def open_zarr(folder):
    zarr = pytest.importorskip("zarr", reason="zarr arrays need zarr")
    array = zarr.open(str(folder / "rows.zarr"), mode="w", shape=VALUES.shape, chunks=(7, 9, 8), dtype=VALUES.dtype)
    array[:] = VALUES
    return array


@pytest.fixture(params=["h5py", "zarr", "fake"])
def source(request, tmp_path):
    opened = {"h5py": open_h5py, "zarr": open_zarr, "fake": lambda _: CountedRows(VALUES)}
    return opened[request.param](tmp_path)


@pytest.mark.parametrize(
    "places",
    [[3], [39, 0, 39, 5], [-1, -40], np.arange(40)[::-1], [], np.arange(40) % 3 == 0, np.arange(10, 30)],
    ids=["one", "unsorted and twice", "from the end", "backwards", "none", "mask", "run"],
)
def test_any_places_are_those_of_the_array(source, places):
    some = LazyImages(source)[places]
    assert isinstance(some, LazyImages)
    np.testing.assert_array_equal(np.asarray(some), VALUES[np.asarray(places, None if len(places) else int)])
    assert some.shape == np.asarray(some).shape


@pytest.mark.parametrize("key", [slice(None), slice(3, 9), slice(30, 2, -5), slice(50, 60), 4, -1, np.int64(7)])
def test_slices_and_numbers_are_read(source, key):
    np.testing.assert_array_equal(LazyImages(source)[key], VALUES[key])


def test_places_of_places_and_other_shapes(source):
    images = LazyImages(source)[np.arange(0, 40, 2)].reshape(-1, 9, 8, 1)[np.array([4, 1])]
    np.testing.assert_array_equal(images[:], VALUES[[8, 2], ..., None])
    with pytest.raises(ValueError, match=r"shape \(2, 9, 8, 1\) cannot have the shape \(1, 144\)"):
        images.reshape(1, 144)
    with pytest.raises(IndexError, match="There are 2 images; got places from 0 to 2"):
        images[[0, 2]]
    with pytest.raises(IndexError, match="mask for 2 images must be as long; got 3"):
        images[np.ones(3, bool)]
    with pytest.raises(TypeError, match="whole images by their places"):
        images[:, 0]


def test_reading_is_bounded_and_by_chunks(monkeypatch):
    monkeypatch.setattr(_lazy, "BYTES_AT_ONCE", 10 * VALUES[0].nbytes)
    source = CountedRows(VALUES, chunk=4)
    images = LazyImages(source)
    source.reads.clear()
    np.testing.assert_array_equal(np.concatenate(list(images.blocks())), VALUES)
    assert source.reads == 5 * [8 * 72]  # whole chunks, as many as are allowed
    source.reads.clear()
    images[[0, 3, 20, 22]][:]
    assert source.reads == [4 * 72, 3 * 72]  # two chunks, each read once
    source.reads.clear()
    LazyImages(CountedRows(VALUES))[[0, 3, 20, 22]][:]
    np.testing.assert_array_equal(images[:], VALUES)
    assert max(source.reads) <= 10 * 72


def test_limits_are_those_of_each_channel_and_read_once():
    values = random_images(30, 8, 8, 3)
    source = CountedRows(values)
    images = LazyImages(source)
    np.testing.assert_array_equal(images.limits, (values.min((0, 1, 2)), values.max((0, 1, 2))))
    n_reads = len(source.reads)
    assert (images.min(), images.max()) == (values.min(), values.max())
    assert len(source.reads) == n_reads
    assert images[[3]].max() == values[3].max()  # not those of all


@pytest.mark.parametrize(
    "splitter", [KFold(3), KFold(3, shuffle=True, random_state=0), ShuffleSplit(2, random_state=0)]
)
def test_folds_of_scikit_learn_are_not_read(splitter, source):
    images = LazyImages(source)
    for train, test in splitter.split(images):
        for places in (train, test):
            fold = _safe_indexing(images, places)
            assert isinstance(fold, LazyImages)
            np.testing.assert_array_equal(fold[:], VALUES[places])


def test_what_is_in_memory_is_not_lazy(source):
    tf = pytest.importorskip("tensorflow")
    assert is_lazy(source)
    assert not any(is_lazy(X) for X in (VALUES, VALUES.tolist(), tf.constant(VALUES), VALUES[0], np.uint8(3)))
    assert as_rows(as_rows(source)) is not source
    with pytest.raises(TypeError, match="expected an array with shape, dtype and slices; got list"):
        LazyImages([1, 2])


def test_what_a_source_gives_counts_and_not_what_it_stores():
    class Scaled(CountedRows):
        def __getitem__(self, key):
            return super().__getitem__(key) / 4

    images = LazyImages(Scaled(VALUES))
    assert images.dtype == np.float64
    np.testing.assert_array_equal(images[[7, 1]][:], VALUES[[7, 1]] / 4)


def test_rows_behind_lazy_ones_are_joined_without_asking_for_all():
    joined = join_rows(LazyImages(CountedRows(VALUES)), VALUES[:2], VALUES[2:3])
    np.testing.assert_array_equal(joined, np.concatenate([VALUES, VALUES[:3]]))
    assert joined.dtype == VALUES.dtype


def test_it_is_pickled_with_its_source():
    images = pickle.loads(pickle.dumps(LazyImages(CountedRows(VALUES))[[5, 1]]))
    np.testing.assert_array_equal(images[:], VALUES[[5, 1]])
