"""DICOM, on the files that pydicom's wheel holds, against pydicom's own arrays and tables."""

import logging
import re
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, generate_uid

from sklearn_medgan.datasets import _files, load_images

DATA = Path(pydicom.data.__file__).parent
NO_PIXELS = r"cannot be read: it holds no pixels \(it "
# Files that are no images, or are damaged on purpose, and what is said of them.
REFUSED = {
    "ExplVR_BigEndNoMeta.dcm": r"pixels \(it is of the kind 'RT Ion Plan Storage'\)",
    "JPEG-lossy.dcm": "A misplaced marker segment",
    "JPEG2000-embedded-sequence-delimiter.dcm": "cannot be read|not a DICOM image that can be read",
    "MR_truncated.dcm": r"less than expected \(8130 vs 8192 bytes\).*Is it damaged or cut short\?",
    "meta_missing_tsyntax.dcm": "has no attribute 'SamplesPerPixel'",
    "badVR.dcm": "header is damaged",
    "nested_priv_SQ.dcm": "not a DICOM image that can be read",
    "DICOMDIR-empty.dcm": "it holds no image",
    **dict.fromkeys(
        [
            "ExplVR_LitEndNoMeta.dcm",
            "UN_sequence.dcm",
            "empty_charset_LEI.dcm",
            "no_meta.dcm",
        ]
        + ["no_meta_group_length.dcm", "priv_SQ.dcm", "reportsi.dcm", "reportsi_with_empty_number_tags.dcm"]
        + ["rtplan.dcm", "rtplan_truncated.dcm", "rtstruct.dcm", "test-SR.dcm", "waveform_ecg.dcm"]
        + ["chrJapMulti.dcm", "chrJapMultiExplicitIR6.dcm", "chrKoreanMulti.dcm"]
        + ["chrSQEncoding.dcm", "chrSQEncoding1.dcm"]
        + [path.name for path in (DATA / "palettes").glob("*.dcm")],
        NO_PIXELS,
    ),
}
FOLDERS = [DATA / "test_files" / "dicomdirtests" / patient for patient in ("77654033", "98892001", "98892003")]
FILES = [*sorted(DATA.rglob("*.dcm")), *(path for folder in FOLDERS for path in sorted(folder.rglob("*/*")))]


def test_all_files_are_there():
    assert len(FILES) > 100  # the wheel of pydicom 3.0
    assert not set(REFUSED) - {path.name for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_file_that_pydicom_ships_is_read_right_or_refused_with_the_reason(path):
    if path.name in REFUSED:
        with pytest.raises(ValueError, match=REFUSED[path.name]) as caught:
            load_images(path)
        assert str(path) in str(caught.value)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = pydicom.dcmread(path)
        expected = data.pixel_array
        n_frames = int(data.get("NumberOfFrames", 1))
        if data.PhotometricInterpretation == "PALETTE COLOR":
            expected = apply_color_lut(expected, data)
        elif data.SamplesPerPixel == 1:
            expected = apply_modality_lut(expected, data)
    if data.get("PhotometricInterpretation") == "MONOCHROME1":  # of 12 bits
        expected = 2 * float(data.RescaleIntercept) + 4095 * float(data.RescaleSlope) - expected
    if data.get("Modality") == "RTDOSE":
        expected = expected * float(data.DoseGridScaling)
    got = load_images(path)
    assert got.data.shape == (n_frames, *expected.shape[expected.ndim > 3 or (n_frames > 1) :])[: got.data.ndim]
    np.testing.assert_allclose(got.data, expected.reshape(got.data.shape), rtol=1e-6, atol=1e-3)
    assert got.data.dtype.isnative
    assert got.data.dtype == (expected.dtype.newbyteorder("=") if expected.dtype.kind != "f" else got.data.dtype)


def test_ct_is_in_hounsfield_units_as_int16():
    """The first pixel of CT_small is stored as 175, and the intercept is -1024."""
    scan = load_images(get_testdata_file("CT_small.dcm"))
    assert scan.data.dtype == np.int16
    assert scan.data[0, 0, 0] == 175 - 1024
    assert (scan.data.min(), scan.data.max()) == (128 - 1024, 2191 - 1024)
    assert scan.spacing == (0.661468, 0.661468)
    np.testing.assert_array_equal(scan.groups, [0])


def write(path, pixels=None, patient="1", **elements):
    """A DICOM file of a grey image (12 of 16 bits) with these elements."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, generate_uid()
    data.PatientName, data.PatientID, data.Modality = "Secret^Name", patient, "MR"
    data.StudyInstanceUID = elements.pop("StudyInstanceUID", generate_uid())
    if pixels is not None:
        pixels = np.asarray(pixels)
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.Rows, data.Columns = pixels.shape[-2:]
        data.BitsAllocated, data.BitsStored, data.HighBit = 16, 12, 11
        data.PixelRepresentation = int(pixels.dtype.kind == "i")
        if pixels.ndim == 3:
            data.NumberOfFrames = len(pixels)
        data.PixelData = pixels.astype("<i2" if data.PixelRepresentation else "<u2").tobytes()
        data["PixelData"].VR = "OW"
    for name, value in elements.items():
        setattr(data, name, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True)
    return path


RAMP = np.arange(96, dtype=np.uint16).reshape(8, 12) * 43  # 0 to 4085


def test_zero_as_white_is_turned_round_within_the_stored_bits(tmp_path):
    path = write(tmp_path / "a.dcm", RAMP, PhotometricInterpretation="MONOCHROME1")
    data = load_images(path).data
    assert data.dtype == np.uint16
    np.testing.assert_array_equal(data[0], 4095 - RAMP)
    path = write(path, RAMP, PhotometricInterpretation="MONOCHROME1", RescaleSlope="0.5", RescaleIntercept="100")
    np.testing.assert_array_equal(load_images(path).data[0], (100 + 4095 * 0.5 + 100) - (RAMP * 0.5 + 100))
    path = write(
        path, RAMP, PhotometricInterpretation="MONOCHROME1", Modality="CT", RescaleSlope="1", RescaleIntercept="-1024"
    )
    np.testing.assert_array_equal(load_images(path).data[0], RAMP.astype(int) - 1024)  # Hounsfield units stay


def test_values_are_float32_where_int16_cannot_hold_them(tmp_path):
    path = write(tmp_path / "a.dcm", RAMP, RescaleSlope="0.25", RescaleIntercept="-3")
    data = load_images(path).data
    assert data.dtype == np.float32
    np.testing.assert_array_equal(data[0], RAMP * 0.25 - 3)
    path = write(tmp_path / "a.dcm", RAMP, RescaleSlope="100", RescaleIntercept="0")
    assert load_images(path).data.dtype == np.float32
    path = write(tmp_path / "b.dcm", RAMP, RescaleSlope="1", RescaleIntercept="-10")
    both = load_images(tmp_path)
    assert both.data.dtype == np.float32
    np.testing.assert_array_equal(both.data[1], RAMP.astype(int) - 10)


def lut(first, depth, entries):
    item = Dataset()
    item.LUTDescriptor, item.LUTData = [len(entries), first, depth], entries
    item["LUTDescriptor"].VR, item["LUTData"].VR = "US", "US"
    return Sequence([item])


def test_a_window_is_spread_over_eight_bits(tmp_path):
    path = write(tmp_path / "a.dcm", RAMP, WindowCenter="2048", WindowWidth="1001")
    data = load_images(path, window="file").data
    assert data.dtype == np.uint8
    raw = pydicom.dcmread(path)
    expected = apply_voi_lut(raw.pixel_array, raw) / 4095 * 255
    np.testing.assert_allclose(data[0], expected, atol=0.51)
    np.testing.assert_array_equal(load_images(path, window=(2048, 1001)).data, data)
    inverted = write(
        tmp_path / "b.dcm", RAMP, WindowCenter="2048", WindowWidth="1001", PhotometricInterpretation="MONOCHROME1"
    )
    np.testing.assert_array_equal(load_images(inverted, window="file").data, 255 - data)
    with pytest.raises(ValueError, match="says nothing of a window"):
        load_images(write(tmp_path / "c.dcm", RAMP), window="file")
    with pytest.raises(ValueError, match="a window is for grey images"):
        load_images(get_testdata_file("SC_rgb_rle.dcm"), window=(1, 2))
    with pytest.raises(ValueError, match=r"window was expected to be \(center, width\)"):
        load_images(path, window=(40, 0))


def test_tables_of_modality_and_of_window(tmp_path):
    entries = [int(value) for value in np.arange(4096)[::-1] // 2]
    path = write(tmp_path / "a.dcm", RAMP, ModalityLUTSequence=lut(0, 16, entries))
    np.testing.assert_array_equal(load_images(path).data[0], (4095 - RAMP) // 2)
    path = write(tmp_path / "b.dcm", RAMP, VOILUTSequence=lut(0, 12, entries))
    np.testing.assert_array_equal(load_images(path).data[0], RAMP)
    np.testing.assert_allclose(load_images(path, window="file").data[0], (4095 - RAMP) // 2 * (255 / 4095), atol=0.51)


def test_frames_have_slopes_of_their_own(tmp_path):
    """An enhanced multi-frame image: slope and spacing are in functional groups."""

    def group(slope):
        item, transformation = Dataset(), Dataset()
        transformation.RescaleSlope, transformation.RescaleIntercept = slope, "0"
        item.PixelValueTransformationSequence = Sequence([transformation])
        return item

    measures, shared = Dataset(), Dataset()
    measures.PixelSpacing = [0.5, 0.75]
    shared.PixelMeasuresSequence = Sequence([measures])
    path = write(
        tmp_path / "a.dcm",
        np.stack([RAMP, RAMP]),
        SharedFunctionalGroupsSequence=Sequence([shared]),
        PerFrameFunctionalGroupsSequence=Sequence([group("2"), group("3")]),
    )
    scan = load_images(path)
    np.testing.assert_array_equal(scan.data, [RAMP * 2, RAMP * 3])
    assert scan.spacing == (0.5, 0.75)
    np.testing.assert_array_equal(scan.groups, [0, 0])
    assert load_images(path, image_shape=(16, 12)).spacing == (0.25, 0.75)


def test_slices_of_a_series_are_in_the_order_of_their_places(tmp_path):
    series = {"SeriesInstanceUID": generate_uid(), "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
    for name, z in (("a", 20.0), ("b", -5.0), ("c", 7.5)):
        write(tmp_path / f"{name}.dcm", RAMP + int(z + 5), **series, ImagePositionPatient=[0, 0, z])
    scan = load_images(tmp_path)
    assert [Path(name).stem for name in scan.filenames] == ["b", "c", "a"]
    np.testing.assert_array_equal(scan.data[:, 0, 0], [0, 12, 25])
    np.testing.assert_array_equal(load_images(tmp_path, lazy=True).data[:], scan.data)


def test_patients_are_numbers_and_their_names_are_nowhere(tmp_path):
    study = generate_uid()
    for name, patient, more in (
        ("ill/1", "SMITH7", {}),
        ("well/2", "SMITH7", {}),
        ("ill/3", "JONES9", {}),
        ("ill/4", "", {"StudyInstanceUID": study}),
        ("well/5", "", {"StudyInstanceUID": study}),
    ):
        write(tmp_path / f"{name}.dcm", RAMP, patient, **more)
    scans = load_images(tmp_path)
    names = [Path(name).stem for name in scans.filenames]
    of = dict(zip(names, scans.groups.tolist(), strict=True))
    assert of["1"] == of["2"]
    assert of["4"] == of["5"]
    assert len(set(of.values())) == 3
    assert not re.search("SMITH|JONES|Secret", repr(dict(scans)))
    lazy = load_images(tmp_path, lazy=True)
    assert not re.search("SMITH|JONES|Secret", repr(lazy.data.__dict__) + repr(lazy.data._source.__dict__))
    np.testing.assert_array_equal(lazy.groups, scans.groups)


@pytest.mark.parametrize("damage", ["header", "pixels"])
def test_errors_warnings_and_log_name_no_patient(tmp_path, damage, caplog):
    path = write(tmp_path / "a.dcm", RAMP, "SMITH7", PatientBirthDate="19010101")
    content = path.read_bytes()
    if damage == "header":  # a value that pydicom warns of, and a length that it cannot follow
        path.write_bytes(content.replace(b"19010101", b"SMITH777").replace(b"Secret^Name ", b"Secret\\Name "))
    path.write_bytes(path.read_bytes()[: -100 if damage == "pixels" else len(content) // 2 - 40])
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(ValueError, match=r"a\.dcm") as error:
            load_images(path)
    chain = [error.value, error.value.__cause__, None if error.value.__suppress_context__ else error.value.__context__]
    told = f"{chain} {caplog.text} {[str(warning.message) for warning in caught]}"
    assert not re.search("SMITH|Secret", told)


def test_a_representation_of_values_that_nobody_knows_is_damage(tmp_path):
    content = write(tmp_path / "a.dcm", RAMP).read_bytes()
    (tmp_path / "a.dcm").write_bytes(content.replace(b"\x02\0\x02\0UI", b"\x02\0\x02\0M\x02", 1))
    with pytest.raises(ValueError, match=r"a\.dcm is not a DICOM file that can be read"):
        load_images(tmp_path / "a.dcm")


def test_a_panic_of_a_decoder_is_damage(tmp_path, monkeypatch):
    """Those in Rust raise what is no Exception (of a run-length that ends too early, for one)."""
    panic = type("PanicException", (BaseException,), {})
    path, broken = write(tmp_path / "a.dcm", RAMP), property(lambda data: (_ for _ in ()).throw(panic("out of bounds")))
    monkeypatch.setattr(Dataset, "pixel_array", broken)
    with pytest.raises(ValueError, match=r"a\.dcm is not a DICOM image that can be read \(out of bounds\)"):
        load_images(path)


def test_a_file_is_known_by_content_and_old_ones_by_their_name(tmp_path):
    write(tmp_path / "IM000001", RAMP)
    write(tmp_path / "1.2.840.10008.77", RAMP)
    data = pydicom.dcmread(get_testdata_file("MR_small.dcm"))
    data.file_meta = FileMetaDataset()
    assert load_images(tmp_path).data.shape == (2, 8, 12)
    bare = tmp_path / "bare.dcm"
    data.preamble = None
    pydicom.dcmwrite(bare, data, implicit_vr=True, little_endian=True)
    np.testing.assert_array_equal(
        load_images(bare).data[0], pydicom.dcmread(get_testdata_file("MR_small.dcm")).pixel_array
    )


def test_a_directory_stands_for_its_files():
    folder = FOLDERS[2]
    whole = load_images(folder)
    assert whole.data.shape[1:] == (16, 16)
    assert len(whole.data) == len([path for path in folder.rglob("*") if path.is_file()])
    assert set(whole.groups) == {0}  # one patient, whatever the folders of the series
    assert whole.target_names == sorted(path.name for path in folder.iterdir())


def test_a_deflated_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(_files, "UNPACKED_BYTES", 1 << 20)
    data = pydicom.dcmread(get_testdata_file("image_dfl.dcm"))
    data.PixelData = bytes(3 << 20)
    data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    data.save_as(tmp_path / "a.dcm")
    with pytest.raises(ValueError, match=r"a\.dcm cannot be read: its 0\.0 MB would unpack to 1 MB"):
        load_images(tmp_path / "a.dcm")


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        ({"Rows": 60000, "Columns": 60000}, "would unpack to"),
        ({"Rows": 9}, "less than expected"),
        ({"BitsAllocated": 12}, "can be read"),
        ({"SamplesPerPixel": 3}, "can be read"),
    ],
    ids=["huge", "rows", "bits", "samples"],
)
def test_headers_that_lie_are_refused(tmp_path, elements, message):
    with pytest.raises(ValueError, match=rf"a\.dcm .*{message}"):
        load_images(write(tmp_path / "a.dcm", RAMP, **elements))


def test_what_is_missing_is_said_with_what_to_install(tmp_path, monkeypatch):
    path = get_testdata_file("MR_small_jpeg_ls_lossless.dcm")
    from pydicom.pixels.decoders import JPEGLSLosslessDecoder

    monkeypatch.setattr(JPEGLSLosslessDecoder, "_available", {})
    with pytest.raises(ValueError, match=r"no decoder for 'JPEG-LS .*pip install \"sklearn-medgan\[dicom\]\""):
        load_images(path)
    monkeypatch.setitem(__import__("sys").modules, "pydicom", None)
    with pytest.raises(ImportError, match=r"DICOM files need pydicom\. Install it with: pip install"):
        load_images(path)
