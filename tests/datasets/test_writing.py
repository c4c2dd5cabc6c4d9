"""Restored scans: what the header keeps, what it says, and the pixels as another reader sees them."""

import shutil
import subprocess

import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

from sklearn_medgan.datasets import _writing, load_images

CHANGED = {"SOPInstanceUID", "ImageType", "DerivationDescription", "SourceImageSequence", "PixelData"}
CHANGED |= {"SmallestImagePixelValue", "LargestImagePixelValue"}
CODED = {"PlanarConfiguration", "PhotometricInterpretation"}  # of colours that were compressed
WRITTEN = ["CT_small.dcm", "MR_small_implicit.dcm", "MR_small_RLE.dcm", "JPEG2000.dcm", "examples_ybr_color.dcm"]


def restored(name, tmp_path, change=0, source=None):
    source = source or get_testdata_file(name)
    stack = load_images(source).data
    out = tmp_path / "out.dcm"
    _writing.check_restorable(out, stack, source := type(out)(source))
    _writing.write_restored(tmp_path / "staged", stack + np.asarray(change, stack.dtype), out, source)
    return stack, pydicom.dcmread(source), pydicom.dcmread(tmp_path / "staged")


@pytest.mark.parametrize("name", WRITTEN)
def test_dicom_keeps_the_header_but_for_what_says_that_it_is_derived(tmp_path, name):
    stack, before, after = restored(name, tmp_path)
    keywords = {element.keyword for element in [*before, *after]}
    kept = {keyword for keyword in keywords - CHANGED - CODED if before.get(keyword) == after.get(keyword)}
    assert not keywords - CHANGED - CODED - kept
    assert after.SOPInstanceUID not in ("", before.SOPInstanceUID)
    assert after.file_meta.MediaStorageSOPInstanceUID == after.SOPInstanceUID
    assert after.SourceImageSequence[0].ReferencedSOPInstanceUID == before.SOPInstanceUID
    assert after.ImageType[0] == "DERIVED"
    assert "GANEnhancer" in after.DerivationDescription
    assert not after.file_meta.TransferSyntaxUID.is_compressed
    np.testing.assert_array_equal(load_images(tmp_path / "staged").data, stack)


# A header that calls itself explicit and is implicit, and an element longer than it may be, are mended.
@pytest.mark.parametrize("name", [*WRITTEN, "SC_rgb_jpeg.dcm", "MR_small_padded.dcm"])
@pytest.mark.filterwarnings("ignore:Expected explicit VR, but found implicit VR")  # of the source
def test_dicom_passes_the_checks_of_pydicom(tmp_path, name, monkeypatch):
    restored(name, tmp_path)
    monkeypatch.setattr(pydicom.config.settings, "reading_validation_mode", pydicom.config.RAISE)
    written = pydicom.dcmread(tmp_path / "staged")
    assert len([element.value for element in written.iterall()]) > 10
    assert (written.Rows, written.Columns) in (written.pixel_array.shape[:2], written.pixel_array.shape[1:3])


def faults(path):
    """What dicom3tools' checker calls an error."""
    done = subprocess.run(["dciodvfy", path], capture_output=True, check=False)
    assert done.stderr
    return {line for line in (done.stdout + done.stderr).splitlines() if line.startswith(b"Error")}


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="no dciodvfy: apt-get install dicom3tools")
@pytest.mark.parametrize("name", WRITTEN)
def test_another_checker_finds_no_fault_that_the_source_has_not(tmp_path, name):
    restored(name, tmp_path)
    assert faults(tmp_path / "staged") <= faults(get_testdata_file(name))
    assert name.startswith("examples") or name == "JPEG2000.dcm" or not faults(tmp_path / "staged")


def test_dicom_stores_units_by_the_slope_of_the_file_and_clips_to_its_bits(tmp_path):
    _, before, after = restored("CT_small.dcm", tmp_path, change=5)
    np.testing.assert_array_equal(after.pixel_array, before.pixel_array + 5)  # 5 HU at slope 1
    x_ray = str(pydicom.data.__path__[0]) + "/test_files/dicomdirtests/77654033/CR1/6154"
    _, before, after = restored("", tmp_path, change=0.684 * 10, source=x_ray)
    assert after.PhotometricInterpretation == "MONOCHROME1"
    np.testing.assert_array_equal(
        after.pixel_array, before.pixel_array.astype(int) - 10
    )  # brighter where zero is white
    _, before, after = restored("", tmp_path, change=1e6, source=x_ray)
    assert (after.pixel_array == 0).all()


def test_dicom_that_is_enlarged_says_so_in_millimetres(tmp_path):
    source = get_testdata_file("CT_small.dcm")
    stack = load_images(source).data
    large = stack.repeat(2, axis=1).repeat(2, axis=2)
    _writing.write_restored(tmp_path / "a", large, tmp_path / "a.dcm", type(tmp_path)(source))
    before, after = pydicom.dcmread(source), pydicom.dcmread(tmp_path / "a")
    assert (after.Rows, after.Columns) == (256, 256)
    np.testing.assert_allclose(after.PixelSpacing, np.array(before.PixelSpacing) / 2)
    corner = np.array(before.ImagePositionPatient) - [0.661468 / 2, 0.661468 / 2, 0]  # rows and columns along x and y
    np.testing.assert_allclose(np.array(after.ImagePositionPatient) - [0.661468 / 4, 0.661468 / 4, 0], corner)


@pytest.mark.parametrize(
    ("name", "out", "message"),
    [
        ("rtdose.dcm", "a.dcm", "its pixels have 32 bits"),
        ("examples_palette.dcm", "a.dcm", "its colours are those of a palette"),
        ("MR_small_bigendian.dcm", "a.dcm", "it is big-endian"),
        ("MR_small.dcm", "a.nii", "only a file of that kind gives the header"),
        ("MR_small.dcm", "a.png", "PNG cannot hold int16"),
    ],
)
def test_what_cannot_be_written_is_refused_before(tmp_path, name, out, message):
    source = get_testdata_file(name)
    with pytest.raises(ValueError, match=message):
        _writing.check_restorable(tmp_path / out, load_images(source).data, type(tmp_path)(source))


@pytest.mark.parametrize("axis", ["axial", "coronal", "sagittal"])
@pytest.mark.parametrize("name", ["anatomical.nii", "functional.nii", "example_nifti2.nii.gz", "test.mgz"])
def test_volumes_keep_header_place_and_dtype(tmp_path, name, axis):
    source = type(tmp_path)(nibabel.__file__).parent / "tests" / "data" / name
    stack = load_images(source, axis=axis).data
    path = tmp_path / name
    _writing.check_restorable(path, stack, source)
    _writing.write_restored(path, stack, path, source, axis)
    before, after = nibabel.load(source), nibabel.load(path)
    np.testing.assert_allclose(after.dataobj, before.dataobj, rtol=1e-6)
    np.testing.assert_array_equal(after.affine, before.affine)
    assert after.header == before.header


def test_a_volume_that_is_enlarged_keeps_its_corner(tmp_path):
    source = type(tmp_path)(nibabel.__file__).parent / "tests" / "data" / "anatomical.nii"
    stack = load_images(source).data
    path = tmp_path / "a.nii"
    _writing.write_restored(path, stack.repeat(2, axis=1).repeat(2, axis=2), path, source)
    before, after = nibabel.load(source), nibabel.load(path)
    assert after.shape == (66, 82, 25)
    np.testing.assert_allclose(after.affine @ [-0.5, -0.5, -0.5, 1], before.affine @ [-0.5, -0.5, -0.5, 1], atol=1e-4)
    np.testing.assert_allclose(nibabel.affines.voxel_sizes(after.affine), [1, 1, 2], rtol=1e-5)
