"""TIFF files of every kind, sound ones and bombs."""

import importlib.util
import lzma
import zlib

import numpy as np
import pytest
import tifffile
from pictures import assert_same, pixels
from PIL import Image

from sklearn_medgan.datasets._images import read_stack

without_imagecodecs = pytest.mark.skipif(
    importlib.util.find_spec("imagecodecs") is not None, reason="imagecodecs reads what is refused without it"
)


def read_image(path):
    (image,) = read_stack(path)
    return image


def spread(image):
    """What is read of an image: one bit is spread over 0 to 255."""
    return image * np.uint8(255) if image.dtype == bool else image


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.uint16, np.int16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"byteorder": ">"}, {"bigtiff": True}])
def test_tiff_of_any_dtype_comes_back(tmp_path, dtype, options):
    image = pixels(dtype=dtype)
    options = {"photometric": "minisblack"} if dtype is bool else options
    tifffile.imwrite(tmp_path / "a.tif", image, **options)
    assert_same(read_image(tmp_path / "a.tif"), spread(image))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("n_channels", [3, 4])
@pytest.mark.parametrize("plane", ["contig", "separate"])
def test_tiff_in_colour_has_its_channels_last(tmp_path, dtype, n_channels, plane):
    image = pixels((9, 11, n_channels), dtype)
    stored = image if plane == "contig" else np.moveaxis(image, -1, 0)
    tifffile.imwrite(tmp_path / "a.tiff", stored, photometric="rgb", planarconfig=plane)
    assert_same(read_image(tmp_path / "a.tiff"), image)


@pytest.mark.parametrize("shape", [(5, 9, 11), (2, 9, 11, 3), (3, 4, 9, 11)])
@pytest.mark.parametrize("options", [{}, {"metadata": None}, {"imagej": True}])
def test_pages_of_a_tiff_are_a_stack(tmp_path, shape, options):
    image = pixels(shape)
    tifffile.imwrite(tmp_path / "a.tif", image, photometric="rgb" if shape[-1] == 3 else "minisblack", **options)
    expected = image if shape[-1] == 3 else image.reshape(-1, 9, 11)
    assert_same(read_stack(tmp_path / "a.tif"), expected)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.uint16])
def test_pages_with_lzw_come_back(tmp_path, dtype):
    images = [pixels(dtype=dtype, seed=k) for k in range(3)]
    first, *rest = map(Image.fromarray, images)
    first.save(tmp_path / "a.tif", save_all=True, append_images=rest, compression="tiff_lzw")
    assert_same(read_stack(tmp_path / "a.tif"), spread(np.stack(images)))


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.uint16])
def test_white_zero_is_turned_round(tmp_path, dtype):
    image = pixels(dtype=dtype)
    tifffile.imwrite(tmp_path / "a.tif", image, photometric="miniswhite")
    assert_same(read_image(tmp_path / "a.tif"), spread(np.invert(image)))


@pytest.mark.parametrize(
    ("dtype", "shape", "options"),
    [
        (np.uint8, (9, 11, 3), {"compression": "zstd"}),
        (np.uint16, (9, 11), {"compression": "zstd", "tiffinfo": {317: 2}}),
        (np.float32, (9, 11), {"compression": "tiff_adobe_deflate", "tiffinfo": {317: 3}}),
        (np.float32, (9, 11), {"compression": "tiff_lzw", "tiffinfo": {317: 3}}),
        (np.int32, (9, 11), {"compression": "tiff_lzw"}),
        (np.uint8, (9, 11, 4), {"compression": "packbits"}),
        (bool, (9, 11), {"compression": "group4"}),
    ],
)
def test_what_pillow_compressed_comes_back(tmp_path, dtype, shape, options):
    image = pixels(shape, dtype)
    try:
        Image.fromarray(image).save(tmp_path / "a.tif", **options)
    except OSError:
        pytest.skip("this pillow cannot write it: before 11.1 some are without ZSTD")
    assert_same(read_image(tmp_path / "a.tif"), spread(image))


def test_two_and_four_bits_are_spread_over_the_range_of_eight(tmp_path):
    for bits in (2, 4):
        image = pixels((5, 8)) % 2**bits
        packed = np.packbits(np.unpackbits(image[..., None], axis=-1)[..., -bits:].reshape(5, -1), axis=1)
        tifffile.imwrite(tmp_path / "a.tif", packed, photometric="minisblack")
        with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as tiff:
            tiff.pages[0].tags["BitsPerSample"].overwrite(bits)
            tiff.pages[0].tags["ImageWidth"].overwrite(8)
        assert_same(read_image(tmp_path / "a.tif"), (image * (255 // (2**bits - 1))).astype(np.uint8))


def relabelled(path, **tags):
    """A TIFF whose tags tell of a codec that nobody here has: its bytes are never looked at."""
    tifffile.imwrite(path, pixels(dtype=np.uint16))
    with tifffile.TiffFile(path, mode="r+") as tiff:
        for name, value in tags.items():
            tiff.pages[0].tags[name].overwrite(value)


@without_imagecodecs
@pytest.mark.parametrize(
    ("codec", "name"),
    [(34887, "LERC"), (34712, "JPEG2000"), (33005, "APERIO_JP2000"), (50002, "JPEGXL")],
)
def test_a_codec_that_is_absent_is_named_with_what_to_install(tmp_path, codec, name):
    relabelled(tmp_path / "a.tif", Compression=codec)
    with pytest.raises(ValueError, match=rf"a\.tif cannot be read: .*{name}.*pip install imagecodecs"):
        read_stack(tmp_path / "a.tif")


def save_lzw(path, image, byteorder="<"):
    """LZW of any dtype and order: pillow codes the bytes as if they were grey, tifffile writes the rest."""
    flat = image.astype(image.dtype.newbyteorder(byteorder)).view(np.uint8).reshape(len(image), -1)
    Image.fromarray(flat).save(path, compression="tiff_lzw", tiffinfo={278: len(image)})
    with tifffile.TiffFile(path) as tiff:
        (start,), (count,) = tiff.pages[0].dataoffsets, tiff.pages[0].databytecounts
    data = path.read_bytes()[start : start + count]
    options = {"compression": "zlib", "rowsperstrip": len(image), "byteorder": byteorder, "metadata": None}
    photometric = "rgb" if image.ndim == 3 else "minisblack"
    tifffile.imwrite(path, iter([data]), shape=image.shape, dtype=image.dtype, photometric=photometric, **options)
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tiff.pages[0].tags["Compression"].overwrite(5)


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_lzw_of_either_byte_order_comes_back(tmp_path, dtype, byteorder):
    image = pixels(dtype=dtype)
    save_lzw(tmp_path / "a.tif", image, byteorder)
    assert_same(read_image(tmp_path / "a.tif"), image)


@without_imagecodecs
@pytest.mark.parametrize(
    ("dtype", "shape", "cause"),
    [
        (np.uint16, (9, 11, 3), "reduces its uint16 to uint8|does not decode it"),
        (np.int16, (9, 11), "big-endian"),
        (np.float32, (9, 11), "big-endian"),
    ],
)
def test_what_pillow_would_change_is_refused(tmp_path, dtype, shape, cause):
    save_lzw(tmp_path / "a.tif", pixels(shape, dtype), ">")
    with pytest.raises(ValueError, match=rf"({cause}).*pip install imagecodecs"):
        read_stack(tmp_path / "a.tif")


def test_many_pages_of_nothing_are_refused_before_they_take_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("sklearn_medgan.datasets._files.UNPACKED_BYTES", 2**20)
    pages = np.zeros((6, 500, 500), np.uint8)
    save = {"compression": "zlib", "metadata": None, "photometric": "minisblack"}
    tifffile.imwrite(tmp_path / "few.tif", pages[:4], **save)
    tifffile.imwrite(tmp_path / "many.tif", pages, **save)
    assert read_stack(tmp_path / "few.tif").shape == (4, 500, 500)
    monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", None)  # the pixels are not asked for
    with pytest.raises(ValueError, match=r"many\.tif cannot be read: .* would unpack to 1 MB; .*50 times its size"):
        read_stack(tmp_path / "many.tif")


@pytest.mark.parametrize("codec", [8, 32946, 34925])
def test_a_strip_that_unpacks_to_more_than_the_page_is_refused(tmp_path, codec):
    """tifffile unpacks a stream to any size."""
    compress = lzma.compress if codec == 34925 else zlib.compress
    data = compress(bytes(2**20))
    tifffile.imwrite(tmp_path / "a.tif", iter([data]), shape=(8, 8), dtype=np.uint8, compression=codec, metadata=None)
    with pytest.raises(ValueError, match="part of page 1 unpacks to more than the page holds"):
        read_stack(tmp_path / "a.tif")


def test_a_tile_far_larger_than_its_page_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", pixels(), tile=(16, 16))
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as tiff:
        for name in ("TileWidth", "TileLength"):
            tiff.pages[0].tags[name].overwrite(2**15)
    with pytest.raises(ValueError, match="would unpack to 1024 MB"):
        read_stack(tmp_path / "a.tif")
