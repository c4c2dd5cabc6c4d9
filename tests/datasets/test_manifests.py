"""Tables of files: columns of any name and order, and what is wrong with them."""

import os
import re

import numpy as np
import pytest
from pictures import images
from PIL import Image

from sklearn_medgan._parameters import ParameterError
from sklearn_medgan.datasets import load_images

X = images(4)


@pytest.fixture
def folder(tmp_path):
    for k, image in enumerate(X):
        path = tmp_path / "scans" / f"{k}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(path)
    return tmp_path


def manifest(folder, text, encoding="utf-8", name="table.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


ROWS = [
    ("scans/2.png", "ill", "P7"),
    ("scans/0.png", "well", "P7"),
    ("scans/1.png", "ill", "P9"),
    ("scans/3.png", "well", "P1"),
]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    ("names", "order", "options"),
    [
        (("path", "label", "patient"), (0, 1, 2), {}),
        (("File Name", "Diagnosis", "Patient_ID"), (2, 0, 1), {}),
        (("Bilddatei", "Befund", "Patient"), (1, 2, 0), {}),
        (("a", "b", "c"), (2, 1, 0), {"path_column": "a", "label_column": "b", "groups": "c"}),
        (("影像", "诊断", "病人"), (1, 0, 2), {"label_column": "诊断", "groups": "病人"}),
    ],
)
def test_columns_are_found_by_name_and_content_or_told(folder, separator, names, order, options):
    lines = [separator.join(row[k] for k in order) for row in [names, *ROWS]]
    scans = load_images(manifest(folder, "\n".join(lines) + "\n"), **options)
    np.testing.assert_array_equal(scans.data, X[[2, 0, 1, 3]])  # in the order of the table
    assert scans.target_names == ["ill", "well"]
    np.testing.assert_array_equal(scans.target, [0, 1, 0, 1])
    np.testing.assert_array_equal(scans.groups, [1, 1, 2, 0])  # numbers: the ids stay in the table
    assert scans.filenames == [str(folder / row[0]) for row in ROWS]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16"])
def test_tables_of_spreadsheets_in_their_encodings(folder, encoding):
    (folder / "scans" / "0.png").rename(folder / "scans" / "größe.png")
    text = 'path;label\r\n"scans\\größe.png";Tumor, bösartig\r\nscans/1.png;gesund\r\n\r\n'
    scans = load_images(manifest(folder, text, encoding))
    assert scans.target_names == ["Tumor, bösartig", "gesund"]


def test_splits_labels_and_groups_may_be_absent(folder):
    scans = load_images(manifest(folder, "path\nscans/0.png\nscans/1.png\n"))
    assert scans.target is scans.groups is scans.split is None
    table = manifest(folder, "path,split\nscans/0.png,train\nscans/1.png,test\n")
    assert load_images(table).split.tolist() == ["train", "test"]
    assert load_images(table, subset="test").filenames == [str(folder / "scans" / "1.png")]


def test_groups_by_an_expression_on_the_path(folder):
    table = manifest(folder, "path,label\n" + "".join(f"scans/{k}.png,{k % 2}\n" for k in range(4)))
    np.testing.assert_array_equal(load_images(table, groups=r"([01]|[23])\.png").groups, [0, 1, 2, 3])
    np.testing.assert_array_equal(load_images(table, groups=r"scans").groups, [0, 0, 0, 0])
    with pytest.raises(ParameterError, match=r"'subfolder', a column .*; got 'Patient', which does not match"):
        load_images(table, groups="Patient")
    with pytest.raises(ParameterError, match="regular expression"):
        load_images(table, groups="(")


BAD = {
    "empty": ("", "it is empty"),
    "no row": ("path,label\n", "has no row"),
    "missing files": (
        "path,label\nscans/0.png,a\n" + "".join(f"none{k}.png,b\n" for k in range(5)),
        r"names 5 of 6 file\(s\) that are not there: 'none0\.png', 'none1\.png', 'none2\.png', \.\.\.\. Paths lead",
    ),
    "a name too long": ("path,label\nscans/0.png,a\n" + 300 * "9" + ".png,b\n", r"names 1 of 2 file\(s\) that are not"),
    "a file twice": ("path,label\nscans/0.png,a\nscans/../scans/0.png,b\n", r"twice: row\(s\) 1, 2\. Remove one"),
    "outside": ("path,label\nscans/0.png,a\n../outside.png,b\n", r"'\.\./outside\.png', which lies outside of"),
    "a link out": ("path,label\nscans/0.png,a\nscans/link.png,b\n", r"'scans/link\.png', which lies outside of"),
    "absolute": ("path,label\nscans/0.png,a\n/etc/hostname,b\n", "which lies outside of"),
    "no paths": ("name,label\na,b\n", r"table\.csv was expected to hold paths"),
    "no label": ("path,label\nscans/0.png,a\nscans/1.png,\n", r"has no 'label' in row\(s\) 2"),
    "no patient": ("path,label,patient\nscans/0.png,a,1\nscans/1.png,b,\n", r"has no 'patient' in row\(s\) 2"),
    "several columns": ("path,age,sex\nscans/0.png,3,f\n", r"got the columns \['age', 'sex'\]\. Name the one"),
    "ragged": ("path,label\nscans/0.png,a,b\n", r"2 columns in each row; row 2 has another number"),
    "names twice": ("path,label,label\nscans/0.png,a,b\n", "two columns of one name"),
    "a quote without end": ('path,label\n"scans/0.png,a\n', "2 columns in each row|no table"),
    "NUL": ("path,label\nscans/\0.png,a\n", "no table|are not there"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_table_that_cannot_be_meant_is_refused(folder, case):
    text, message = BAD[case]
    Image.fromarray(X[0]).save(folder.parent / "outside.png")
    (folder / "scans" / "link.png").symlink_to(folder.parent / "outside.png")
    with pytest.raises(ValueError, match=message):
        load_images(manifest(folder, text))


def test_a_column_of_identifiers_is_no_label(folder):
    names = [f"{k}.png" for k in range(12)]
    for name in names:
        Image.fromarray(X[0]).save(folder / name)
    text = "path,label\n" + "".join(f"{name},ID{k}\n" for k, name in enumerate(names))
    with pytest.raises(
        ParameterError, match=r"'label' in .* a few classes; got 12 different values in 12 rows, as of an id"
    ):
        load_images(manifest(folder, text))


def test_a_named_column_must_be_there(folder):
    table = manifest(folder, "path,label\nscans/0.png,a\n")
    with pytest.raises(
        ParameterError, match=r"label_column was expected to be a column .*\['path', 'label'\]; got 'y'"
    ):
        load_images(table, label_column="y")


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_names_that_are_no_utf8(folder):
    raw = os.fsencode(folder) + b"/gr\xfc\xdfe.png"
    os.rename(folder / "scans" / "0.png", raw)
    table = manifest(folder, b"path,label\ngr\xfc\xdfe.png,a\nscans/1.png,b\n")
    scans = load_images(table)
    np.testing.assert_array_equal(scans.data, X[:2])
    os.makedirs(os.fsencode(folder) + b"/f/kr\xe4nk")
    os.rename(raw, os.fsencode(folder) + b"/f/kr\xe4nk/\xff.png")
    loaded = load_images(folder / "f")
    assert loaded.target_names == [os.fsdecode(b"kr\xe4nk")]
    assert os.fsencode(loaded.filenames[0]).endswith(b"\xff.png")


def test_the_manifest_of_augment_is_one(folder):
    text = "file,class,group,synthetic,seed\nscans/0.png,a,1,false,\nscans/1.png,b,2,false,\nscans/2.png,b,,true,0\n"
    with pytest.raises(ValueError, match=re.escape("has no 'group' in row(s) 3")):
        load_images(manifest(folder, text, name="manifest.csv"))
