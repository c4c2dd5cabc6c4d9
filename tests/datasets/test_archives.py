"""Images of npz files, sound and broken."""

import io
import zipfile

import numpy as np
import pytest
from pictures import images

from sklearn_medgan._parameters import ParameterError
from sklearn_medgan.datasets import load_images


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


def test_label_column_names_the_array_of_labels(tmp_path):
    X, y, grade = images(4), np.array([0, 0, 1, 1]), np.array(["high", "low", "low", "high"])
    np.savez(tmp_path / "a.npz", X=X, y=y, grade=grade, class_names=["fit", "ill"])
    by_grade = load_images(tmp_path / "a.npz", label_column="grade")
    assert (by_grade.target.tolist(), by_grade.target_names) == ([0, 1, 1, 0], ["high", "low"])
    assert load_images(tmp_path / "a.npz", label_column="y").target_names == ["fit", "ill"]
    with pytest.raises(ParameterError, match=r"label_column was expected to be one of the arrays of .*; got 'stage'"):
        load_images(tmp_path / "a.npz", label_column="stage")
    save_medmnist(tmp_path / "m.npz")
    with pytest.raises(ParameterError, match=r"None for .*m\.npz, whose labels are train_labels"):
        load_images(tmp_path / "m.npz", label_column="y")


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
    with pytest.raises(ValueError, match=r"Expected an npz archive; .* is not one"):
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
        ({"X": np.float64(3)}, r"Expected images of shape .* got \(\)"),
        ({"X": images(2, shape=(9, 9, 9))}, r"1 to 4 channels; got \(2, 9, 9, 9\)"),
        ({"X": images(2, shape=(3, 9, 9))}, r"got \(2, 3, 9, 9\).* channels seem to come first"),
        ({"X": images(2, dtype=complex)}, "images of numbers; got dtype complex128"),
        ({"X": images(2), "y": [[0, 1], [1, 0]]}, r"one label an image, .* got \(2, 2\)"),
        ({"X": images(2), "y": [0.5, 1]}, "labels that are whole numbers or text; got dtype float64"),
        ({"X": images(2), "y": [0, 1e300]}, r"labels that int64 holds; got 0\.0 to 1e\+300"),
        ({"X": images(2), "y": np.array([0, 2**63], np.uint64)}, "labels that int64 holds"),
        ({"X": images(2), "y": [0, np.inf]}, "labels that int64 holds"),
        ({"X": images(2), "y": [0, np.nan]}, "labels that are whole numbers"),
        ({"X": images(2), "y": np.array([b"a", b"\xff"])}, "labels in .* expected to be text"),
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
            r"labels for all of \['train', 'test'\] or for none; got them for \['train'\]",
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


def test_an_npz_file_has_no_filenames(tmp_path):
    np.savez(tmp_path / "a.npz", X=images(2))
    assert load_images(tmp_path / "a.npz").filenames is None


def broken(path, kind):
    """A file that numpy wrote, damaged: each kind ends in another error within numpy or zipfile."""
    np.savez_compressed(path, X=images(6, shape=(10, 10)), y=np.arange(6) % 2)
    raw = bytearray(path.read_bytes())
    central = raw.find(b"PK\x01\x02")
    if kind == "a byte is missing":
        del raw[300]
    elif kind == "text":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("X", "hello")
        return
    else:
        place, bit = {"version": (6, 128), "encrypted": (8, 1), "patch": (8, 32), "method": (10, 4)}[kind]
        raw[central + place] ^= bit
    path.write_bytes(raw)


@pytest.mark.parametrize("kind", ["a byte is missing", "text", "version", "encrypted", "patch", "method"])
def test_a_broken_file_ends_in_a_value_error_that_names_it(tmp_path, kind):
    broken(tmp_path / "a.npz", kind)
    with pytest.raises(ValueError, match=r"a\.npz"):
        load_images(tmp_path / "a.npz")


def write_member(path, header, data, *more):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (("X.npy", (header, data)), *more):
            file = io.BytesIO()
            np.lib.format.write_array_header_1_0(file, {"fortran_order": False, **content[0]})
            archive.writestr(name, file.getvalue() + content[1])


@pytest.mark.parametrize("shape", [(10**6, 10**4, 10**3), (3, 8, 7), (3, 8, 9), (-3, -8, 8)])
def test_a_header_that_states_another_size_is_refused(tmp_path, shape):
    write_member(tmp_path / "a.npz", {"descr": "|u1", "shape": shape}, bytes(3 * 8 * 8))
    with pytest.raises(ValueError, match=r"'X' in .*a\.npz was expected to be a plain array"):
        load_images(tmp_path / "a.npz")


def test_a_small_file_does_not_unpack_to_a_large_array(tmp_path, monkeypatch):
    monkeypatch.setattr("sklearn_medgan.datasets._files.UNPACKED_BYTES", 2**20)
    np.savez_compressed(tmp_path / "a.npz", X=np.zeros((5, 500, 500), np.uint8))
    splits = {f"{split}_images": np.zeros((2, 500, 500), np.uint8) for split in ("train", "val", "test")}
    np.savez_compressed(tmp_path / "b.npz", **splits)
    for name in ("a", "b"):
        with pytest.raises(ValueError, match=rf"{name}\.npz cannot be read: with .* to 1 MB; .* save it without"):
            load_images(tmp_path / f"{name}.npz")
    np.savez(tmp_path / "a.npz", X=np.zeros((5, 500, 500), np.uint8))  # what the message advises
    assert load_images(tmp_path / "a.npz").data.shape == (5, 500, 500)


def test_rows_without_bytes_are_counted_as_well(tmp_path):
    """Text of no letters takes no memory, until it is made a list."""
    label = ("y.npy", ({"descr": "<U0", "shape": (10**12,)}, b""))
    write_member(tmp_path / "a.npz", {"descr": "|u1", "shape": (10**12, 0, 8)}, b"", label)
    with pytest.raises(ValueError, match="would unpack to"):
        load_images(tmp_path / "a.npz")


def test_labels_and_names_may_be_bytes(tmp_path):
    np.savez(tmp_path / "a.npz", X=images(2), y=np.array([b"ill", b"fit"]), class_names=np.array([b"fit", b"ill"]))
    loaded = load_images(tmp_path / "a.npz")
    assert loaded.target_names == ["fit", "ill"]
    np.testing.assert_array_equal(loaded.target, [1, 0])


def test_names_that_lead_elsewhere_lead_nowhere(tmp_path):
    """Separators of Windows, and paths out of the folder, as an archive may hold them."""
    folder = tmp_path / "in"
    folder.mkdir()
    others = dict.fromkeys(["..\\y", "../y", "/y", "C:\\y"], np.arange(2))
    np.savez(folder / "a.npz", X=images(2), **others)
    assert load_images(folder / "a.npz").target is None
    np.savez(folder / "b.npz", **{"in\\X": images(2)})
    with pytest.raises(ValueError, match=r"b\.npz"):
        load_images(folder / "b.npz")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.npz", "b.npz", "in"]
