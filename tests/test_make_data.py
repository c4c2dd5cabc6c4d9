"""The benchmarks' data from their sources: which pixels a cell is cut from, and what counts as alike or the same."""

import gzip

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="module")
def made(benchmark_script):
    return benchmark_script("make_data")


def test_a_cell_is_a_square_around_its_box_and_the_box_at_the_edge(made, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (96, 96), np.uint8)
    folder = tmp_path / "BCCD_Dataset/BCCD"
    for name in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (folder / name).mkdir(parents=True)
    Image.fromarray(pixels).save(folder / "JPEGImages/Blood_1.jpg", "PNG")
    for split in ("train", "val", "test"):
        (folder / f"ImageSets/Main/{split}.txt").write_text("Blood_1\n" if split == "val" else "")
    boxes = {"RBC": (40, 20, 64, 52), "WBC": (0, 30, 30, 62), "Platelets": (1, 1, 12, 40)}  # square, edge, too narrow
    sides = ("xmin", "ymin", "xmax", "ymax")
    cells = (
        f"<object><name>{name}</name><bndbox>"
        + "".join(f"<{side}>{value}</{side}>" for side, value in zip(sides, box, strict=True))
        + "</bndbox></object>"
        for name, box in boxes.items()
    )
    (folder / "Annotations/Blood_1.xml").write_text(f"<annotation>{''.join(cells)}</annotation>")
    found = made.bccd(tmp_path)
    assert (found["y"].tolist(), found["split"].tolist()) == ([0, 1], ["val", "val"])
    np.testing.assert_array_equal(found["X"][0, ..., 0], pixels[20:52, 36:68])  # already 32 x 32
    edge = Image.fromarray(pixels[30:62, :30]).resize((32, 32), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(found["X"][1, ..., 0], np.asarray(edge))


def test_images_that_a_chain_of_likeness_joins_are_one_group(made):
    first, second, other = np.random.default_rng(0).normal(size=(3, 8, 8))
    chain = [first, first + 0.2 * second, first + 0.4 * second]  # the ends correlate by 0.93
    assert np.unique(made.near_duplicates(np.stack([*chain, other, 2 * other + 1])), return_inverse=True)[
        1
    ].tolist() == [
        0,
        0,
        0,
        1,
        1,
    ]


def test_the_digest_tells_values_and_not_widths(made):
    arrays = {"X": np.arange(4, dtype=np.uint8), "name": np.array(["a", "b"])}
    assert made.digest(arrays) == made.digest({"name": np.array(["a", "b"], "<U9"), "X": np.arange(4)})
    assert made.digest(arrays) != made.digest({**arrays, "X": np.arange(4)[::-1]})


def test_a_missing_repository_is_named(made, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Expected images in .*CT_NonCOVID.* Clone the repository"):
        made.covid(tmp_path, 64, made.Resampling.BICUBIC)


def test_slices_of_a_volume_reach_from_0_to_its_percentile(made, tmp_path):
    volume = np.arange(3 * 4 * 5, dtype="<i2").reshape(3, 4, 5)
    (tmp_path / "pyradiomics/data").mkdir(parents=True)
    for name, factor in {"brain1": 1, "brain2": 2}.items():
        header = b"NRRD0004\ntype: short\nsizes: 5 4 3\nendian: little\nencoding: gzip\n\n"
        data = gzip.compress((factor * volume).tobytes())
        (tmp_path / f"pyradiomics/data/{name}_image.nrrd").write_bytes(header + data)
    found = made.heads(tmp_path)
    assert found["group"].tolist() == ["brain1"] * 3 + ["brain2"] * 3
    np.testing.assert_array_equal(found["X"][:3], found["X"][3:])  # each by its own range
    assert found["X"].ravel()[:60].tolist() == [min(255, round(255 * v / (0.998 * 59))) for v in range(60)]


def test_a_patient_has_one_chest(made, tmp_path):
    folder = tmp_path / "COVID-19/X-Ray Image DataSet/No_findings"
    folder.mkdir(parents=True)
    for value, name in enumerate(["00000007_001", "00000007_000", "00000002_003"]):
        Image.new("L", (300, 300), value).save(folder / f"{name}.png")
    found = made.chests(tmp_path)
    assert dict(zip(found["group"].tolist(), found["X"][:, 0, 0].tolist(), strict=True)) == {
        "00000007": 1,
        "00000002": 2,
    }
