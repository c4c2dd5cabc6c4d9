"""NIfTI and FreeSurfer volumes, on nibabel's own files and on volumes whose every voxel says where it lies."""

import gzip
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest

from sklearn_medgan.datasets import load_images
from sklearn_medgan.datasets._nifti import read_nifti, read_nifti_header

DATA = Path(nibabel.__file__).parent / "tests" / "data"
KINDS = (".nii", ".nii.gz", ".mgz", ".hdr", ".img")
FILES = sorted(path for path in DATA.iterdir() if path.name.endswith(KINDS))
REFUSED = {
    "row_major.dconn.nii": r"it is no volume \(Cifti2Image\)",
    **dict.fromkeys(["analyze.hdr", "nifti1.hdr", "nifti2.hdr"], r"one of a pair.*\.img, is not there"),
}


def axial_by_hand(image):
    """Slices by world coordinates: rows from front to back, columns from right to left, slices from foot to head."""
    data = np.asanyarray(image.dataobj)
    codes = nibabel.aff2axcodes(image.affine)
    for ends, wanted in (("LR", "L"), ("PA", "P"), ("IS", "S")):
        place = next(i for i, code in enumerate(codes) if code in ends)
        if codes[place] != wanted:
            data = np.flip(data, place)
    order = [next(i for i, code in enumerate(codes) if code in ends) for ends in ("LR", "PA", "IS")]
    data = data.transpose(*order, *range(3, data.ndim))
    volumes = data.reshape(*data.shape[:3], -1)
    return np.array([volumes[:, :, z, t].T for t in range(volumes.shape[3]) for z in range(volumes.shape[2])])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_volume_that_nibabel_ships_is_read_right_or_refused_with_the_reason(path):
    if path.name in REFUSED:
        with pytest.raises(ValueError, match=REFUSED[path.name]):
            load_images(path)
        return
    scan, expected = load_images(path), axial_by_hand(nibabel.load(path))
    assert scan.data.dtype.isnative
    np.testing.assert_allclose(scan.data, expected, rtol=1e-6)
    assert (scan.groups == 0).all()


@pytest.mark.parametrize("suffix", [".mnc", ".PAR", ".HEAD", ".trk"])
def test_volumes_of_other_kinds_are_refused_with_what_to_do(suffix):
    path = next(DATA.glob(f"*{suffix}"))
    with pytest.raises(ValueError, match="a volume of another kind as NIfTI with nibabel"):
        load_images(path)


def head(codes, dtype=np.int16):
    """A volume in some orientation whose voxels are 100 x + 10 y + z by their places from left, back and foot."""
    x, y, z = np.ogrid[:4, :5, :6]
    canonical = nibabel.Nifti1Image((100 * x + 10 * y + z).astype(dtype), np.diag([2.0, 3.0, 5.0, 1.0]))
    wanted = nibabel.orientations.axcodes2ornt(codes)
    return canonical.as_reoriented(
        nibabel.orientations.ornt_transform(nibabel.io_orientation(canonical.affine), wanted)
    )


@pytest.mark.parametrize("codes", ["RAS", "LPS", "PIR", "ASL"])
@pytest.mark.parametrize(
    ("axis", "first", "right", "down", "spacing"),
    [
        ("axial", 340, -100, -10, (3.0, 2.0)),  # foot first; the left upper corner is right and front
        ("coronal", 305, -100, -1, (5.0, 2.0)),  # back first; the corner is right and head
        ("sagittal", 45, -10, -1, (5.0, 3.0)),  # left first; the corner is front and head
    ],
)
def test_slices_look_as_a_radiologist_expects_however_they_are_stored(
    tmp_path, codes, axis, first, right, down, spacing
):
    nibabel.save(head(codes), tmp_path / "a.nii.gz")
    scan = load_images(tmp_path / "a.nii.gz", axis=axis)
    assert scan.data[0, 0, 0] == first
    assert scan.data[0, 0, 1] - scan.data[0, 0, 0] == right
    assert scan.data[0, 1, 0] - scan.data[0, 0, 0] == down
    assert scan.spacing == pytest.approx(spacing)
    header = read_nifti_header(tmp_path / "a.nii.gz", axis)
    assert (header.n_images, *header.size) == scan.data.shape


@pytest.mark.parametrize("dtype", [np.uint8, ">i2", np.float32, np.float64])
def test_dtypes_and_byte_orders_come_back(tmp_path, dtype):
    image = head("RAS")
    header = nibabel.Nifti1Header(endianness=">" if dtype == ">i2" else "<")
    header.set_data_dtype(dtype)
    data = np.asanyarray(image.dataobj) % 256
    nibabel.save(nibabel.Nifti1Image(data.astype(dtype), image.affine, header), tmp_path / "a.nii")
    scan = load_images(tmp_path / "a.nii", lazy=True)
    assert scan.data.dtype == np.dtype(dtype).newbyteorder("=")
    assert scan.data[0].ravel()[0] == 340 % 256


@pytest.mark.parametrize(("slope", "inter", "dtype"), [(1, -1024, np.int16), (0.5, 3, np.float32)])
def test_slope_and_intercept_are_applied(tmp_path, slope, inter, dtype):
    image = head("RAS")
    image.header.set_slope_inter(slope, inter)
    nibabel.save(image, tmp_path / "a.nii")
    data = load_images(tmp_path / "a.nii").data
    assert data.dtype == dtype
    assert data[0, 0, 0] == 340 * slope + inter


def test_colours_are_channels(tmp_path):
    colours = np.zeros((4, 5, 6), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    colours["G"][3, 4, 0] = 7
    nibabel.save(nibabel.Nifti1Image(colours, np.eye(4)), tmp_path / "a.nii")
    data = load_images(tmp_path / "a.nii").data
    assert data.shape == (6, 5, 4, 3)
    np.testing.assert_array_equal(data[0, 0, 0], [0, 7, 0])


def test_pairs_are_read_once_and_volumes_are_groups(tmp_path):
    for name, kind in (
        ("ill/a.nii", nibabel.Nifti1Image),
        ("ill/c.nii.gz", nibabel.Nifti1Image),
        ("well/b.img", nibabel.Nifti1Pair),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        image = head("LPS")
        nibabel.save(kind(np.asanyarray(image.dataobj), image.affine), tmp_path / name)
    scans = load_images(tmp_path)
    assert scans.data.shape == (18, 5, 4)
    np.testing.assert_array_equal(scans.groups, np.repeat([0, 1, 2], 6))
    np.testing.assert_array_equal(scans.target, np.repeat([0, 0, 1], 6))
    np.testing.assert_array_equal(load_images(tmp_path / "well" / "b.hdr").data, scans.data[:6])


def test_what_is_damaged_lies_or_cannot_be_sliced_is_refused(tmp_path):
    path = tmp_path / "a.nii"
    nibabel.save(head("RAS"), path)
    content = path.read_bytes()
    path.write_bytes(content[:-30])
    with pytest.raises(ValueError, match=r"a\.nii is not a volume that can be read"):
        load_images(path)
    lie = bytearray(content)
    lie[42:48] = np.array([30000, 30000, 3000], "<i2").tobytes()
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(bytes(lie)))
    with pytest.raises(ValueError, match=r"b\.nii\.gz cannot be read: .* would unpack to"):
        load_images(tmp_path / "b.nii.gz")
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 5, 6, 1, 3), np.float32), np.eye(4)), tmp_path / "c.nii")
    with pytest.raises(ValueError, match="it holds vectors"):
        load_images(tmp_path / "c.nii")
    (tmp_path / "d.nii").write_bytes(b"no volume")
    with pytest.raises(ValueError, match=r"d\.nii is not a volume that can be read"):
        load_images(tmp_path / "d.nii")


def test_nibabel_that_is_missing_is_named(tmp_path, monkeypatch):
    nibabel.save(head("RAS"), tmp_path / "a.nii")
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(ImportError, match=r'pip install "sklearn-medgan\[nifti\]"'):
        read_nifti(tmp_path / "a.nii", "axial")


@pytest.mark.parametrize(("code", "factor"), [(1, 1000), (2, 1), (3, 0.001), (0, 1), (7, 1)])
def test_units_that_nobody_knows_are_millimetres(tmp_path, code, factor):
    volume = head("RAS")
    volume.header["xyzt_units"] = code
    nibabel.save(volume, tmp_path / "a.nii")
    assert load_images(tmp_path / "a.nii").spacing == pytest.approx((3 * factor, 2 * factor))
