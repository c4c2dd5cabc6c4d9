"""PNG, JPEG and writing, against what pillow and tifffile wrote, and what they read back."""

import struct

import numpy as np
import pytest
import tifffile
from pictures import assert_same, pixels, save_png
from PIL import Image

from sklearn_medgan.datasets._images import read_stack, write_stack


def read_image(path):
    (image,) = read_stack(path)
    return image


# --- read_image -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(9, 11), (9, 11, 2), (9, 11, 3), (9, 11, 4), (1, 1), (4, 3, 3)])
def test_8_bit_png_comes_back(tmp_path, shape):
    image = pixels(shape)
    Image.fromarray(image).save(tmp_path / "a.png")
    assert_same(read_image(tmp_path / "a.png"), image)


def test_16_bit_png_comes_back(tmp_path):
    image = pixels(dtype=np.uint16)
    Image.fromarray(image).save(tmp_path / "a.PNG")
    assert_same(read_image(str(tmp_path / "a.PNG")), image)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_grey_of_few_bits_is_spread_over_the_range_of_eight(tmp_path, depth):
    highest = 2**depth - 1
    image = pixels() % (highest + 1)
    save_png(tmp_path / "a.png", image, depth, 0)
    assert_same(read_image(tmp_path / "a.png"), (image * (255 // highest)).astype(np.uint8))
    assert set(np.unique(read_image(tmp_path / "a.png"))) >= {0, 255}


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_a_grey_that_stands_for_transparent_becomes_alpha(tmp_path, depth):
    image, factor = pixels(dtype=np.uint16) & np.uint16(2**depth - 1), 255 // (2**depth - 1) or 1
    save_png(tmp_path / "a.png", image, depth, 0, (b"tRNS", struct.pack(">H", image[0, 0])))
    opaque = np.where(image == image[0, 0], 0, 65535 if depth == 16 else 255)
    got = read_image(tmp_path / "a.png")
    assert_same(got, np.stack([image * factor, opaque], axis=-1).astype(np.uint16 if depth == 16 else np.uint8))


def test_16_bit_grey_png_from_another_writer_comes_back(tmp_path):
    image = pixels(dtype=np.uint16)
    save_png(tmp_path / "a.png", image, 16, 0)
    assert_same(read_image(tmp_path / "a.png"), image)


@pytest.mark.parametrize(("n_channels", "colour_type"), [(2, 4), (3, 2), (4, 6)])
def test_16_bit_colour_png_is_refused_and_not_reduced(tmp_path, n_channels, colour_type):
    save_png(tmp_path / "a.png", pixels((9, 11, n_channels), np.uint16), 16, colour_type)
    with pytest.raises(ValueError, match=r"a\.png cannot be read: .* reduces to 8; save it as TIFF"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("grey", [False, True])
def test_a_palette_becomes_its_colours_or_its_greys(tmp_path, suffix, grey):
    colours = pixels((256, 3), seed=1)
    if grey:
        colours[:] = colours[:, :1]
    index = pixels()
    image = Image.fromarray(index)
    image.putpalette(colours.ravel().tolist())
    image.save(tmp_path / f"a.{suffix}")
    assert_same(read_image(tmp_path / f"a.{suffix}"), colours[index][..., 0] if grey else colours[index])


@pytest.mark.parametrize("grey", [False, True])
def test_transparent_palette_entries_become_alpha(tmp_path, grey):
    colours, index, alpha = pixels((256, 3), seed=1), pixels(), pixels((256,), seed=2)
    if grey:
        colours[:] = colours[:, :1]
    image = Image.fromarray(index)
    image.putpalette(colours.ravel().tolist())
    image.save(tmp_path / "a.png", transparency=alpha.tobytes())
    got = read_image(tmp_path / "a.png")
    assert_same(got[..., -1], alpha[index])
    assert_same(got[..., :-1], colours[index][..., : 1 if grey else 3])


@pytest.mark.parametrize("shape", [(9, 11), (9, 11, 3)])
def test_jpeg_comes_back_as_pillow_decodes_it(tmp_path, shape):
    Image.fromarray(pixels(shape)).save(tmp_path / "a.jpg")
    assert_same(read_image(tmp_path / "a.jpg"), np.asarray(Image.open(tmp_path / "a.jpg")))


@pytest.mark.parametrize(("orientation", "turn"), [(3, 2), (6, -1), (8, 1)])
def test_jpeg_is_turned_upright(tmp_path, orientation, turn):
    flat = np.zeros((16, 32), np.uint8)
    flat[:8, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(flat).save(tmp_path / "a.jpg", exif=exif, quality=100)
    np.testing.assert_allclose(read_image(tmp_path / "a.jpg").astype(int), np.rot90(flat, turn).astype(int), atol=3)


def test_a_jpeg_named_png_is_read(tmp_path):
    Image.fromarray(pixels()).save(tmp_path / "a.png", format="JPEG")
    assert read_image(tmp_path / "a.png").shape == (9, 11)


def save_turned(path):
    tifffile.imwrite(path, pixels(), extratags=[(274, "H", 1, 6, True)])


def save_unlike_pages(path):
    for k in (9, 10):
        tifffile.imwrite(path, pixels((k, 11)), append=k > 9, metadata=None)


def save_white_lzw(path):
    Image.fromarray(pixels(dtype=np.uint16)).save(path, compression="tiff_lzw", tiffinfo={262: 0})


def save_animation(path):
    Image.fromarray(pixels()).save(path, save_all=True, append_images=[Image.fromarray(pixels(seed=1))])


REFUSED = {
    "a CMYK JPEG": ("a.jpg", lambda path: Image.new("CMYK", (9, 9)).save(path), "its colours are CMYK"),
    "a CMYK TIFF": ("a.tif", lambda path: Image.new("CMYK", (9, 9)).save(path), "its colours are SEPARATED"),
    "a turned TIFF": ("a.tif", save_turned, "orientation 6.*save it upright"),
    "unlike pages": ("a.tif", save_unlike_pages, r"not alike: \(10, 11\) uint8, \(9, 11\) uint8"),
    "white zero by pillow": ("a.tif", save_white_lzw, "zero is white and the dtype uint16"),
    "an animation": ("a.png", save_animation, "an animation of 2 frames"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_had_exactly_is_refused(tmp_path, case):
    name, save, message = REFUSED[case]
    save(tmp_path / name)
    with pytest.raises(ValueError, match=rf"{name} cannot be read: .*{message}"):
        read_image(tmp_path / name)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
@pytest.mark.parametrize("content", [b"", b"hello, this is text, not an image"])
def test_a_file_that_is_no_image_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    what = "of another kind|not a TIFF" if content else "the file is empty"
    with pytest.raises(ValueError, match=rf"{name} is not an image that can be read \(.*({what}).*fetch it again"):
        read_image(tmp_path / name)


def save_as_it_comes(path, images):
    tifffile.imwrite(path, images, metadata=None, photometric="minisblack")


def save_shaped(path, images):
    tifffile.imwrite(path, images, photometric="minisblack")


def save_imagej(path, images):
    tifffile.imwrite(path, images, imagej=True)


def save_lzw(path, images):
    first, *rest = map(Image.fromarray, images)
    first.save(path, save_all=True, append_images=rest, compression="tiff_lzw")


def save_first(path, images):
    Image.fromarray(images[0]).save(path)


WRITERS = [
    ("a.tif", save_as_it_comes),
    ("a.tif", save_shaped),
    ("a.tif", save_imagej),
    ("a.tif", save_lzw),
    ("a.png", save_first),
    ("a.jpg", save_first),
]


@pytest.mark.parametrize(("name", "save"), WRITERS)
@pytest.mark.parametrize("fraction", [0.05, 0.35, 0.6, 0.8, 0.95])
@pytest.mark.filterwarnings("ignore:Truncated File Read")
def test_a_file_that_is_cut_short_is_refused_whatever_is_left(tmp_path, name, save, fraction):
    """tifffile alone takes the pages that are left for all."""
    path = tmp_path / name
    save(path, pixels((5, 90, 110)))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * fraction)])
    with pytest.raises(ValueError, match=rf"{name} is not an image that can be read"):
        read_stack(path)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize("limit", [60, 20])
def test_more_pixels_than_pillow_takes_for_safe_are_refused(tmp_path, monkeypatch, name, limit):
    Image.fromarray(pixels()).save(tmp_path / name)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(ValueError, match=rf"{name} has more pixels than .* raise PIL.Image.MAX_IMAGE_PIXELS"):
        read_image(tmp_path / name)


def test_a_blank_picture_far_larger_than_its_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("sklearn_medgan.datasets._files.UNPACKED_BYTES", 2**20)
    Image.new("RGB", (700, 700)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"a\.png cannot be read: .* would unpack to 1 MB"):
        read_image(tmp_path / "a.png")


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_image(tmp_path / "none.png")


# --- write_stack ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [(np.uint8, (9, 11)), (np.uint8, (9, 11, 2)), (np.uint8, (9, 11, 3)), (np.uint8, (9, 11, 4))]
    + [(np.uint16, (9, 11)), (">u2", (9, 11)), (np.uint16, (9, 11, 1)), (bool, (9, 11))],
)
def test_png_is_what_pillow_reads(tmp_path, dtype, shape):
    image = pixels(shape, dtype)
    write_stack(tmp_path / "a.png", image[None])
    back = np.asarray(Image.open(tmp_path / "a.png"))
    np.testing.assert_array_equal(back, image[..., 0] if shape[-1] == 1 else image)
    assert back.dtype.itemsize == image.dtype.itemsize


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.float16, np.float32, float])
@pytest.mark.parametrize("shape", [(9, 11), (9, 11, 2), (3, 11, 3), (9, 4, 4)])
def test_tiff_is_what_tifffile_reads(tmp_path, dtype, shape):
    image = pixels(shape, dtype)
    write_stack(tmp_path / "a.tif", image[None])
    assert_same(tifffile.imread(tmp_path / "a.tif"), image)
    assert_same(read_image(tmp_path / "a.tif"), image)


@pytest.mark.parametrize("shape", [(3, 9, 11), (4, 9, 3), (2, 9, 11, 3), (2, 9, 11, 2), (1, 9, 11)])
def test_a_stack_is_the_pages_of_a_tiff(tmp_path, shape):
    stack = pixels(shape, np.int16)
    write_stack(tmp_path / "a.tif", stack)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert_same(np.stack([page.asarray() for page in tiff.pages]), stack)
    assert_same(read_stack(tmp_path / "a.tif"), stack)


def test_one_bit_tiff_is_what_pillow_reads(tmp_path):
    write_stack(tmp_path / "a.tif", pixels(dtype=bool)[None])
    assert_same(np.asarray(Image.open(tmp_path / "a.tif")), pixels(dtype=bool))


@pytest.mark.parametrize("n_channels", [1, 3])
def test_jpeg_is_near_to_what_was_written(tmp_path, n_channels):
    image = np.add.outer(np.arange(32), np.arange(24)).astype(np.uint8)[..., None].repeat(n_channels, -1)
    write_stack(tmp_path / "a.jpeg", image[None])
    back = np.asarray(Image.open(tmp_path / "a.jpeg"))
    np.testing.assert_allclose(back.reshape(image.shape).astype(int), image.astype(int), atol=4)


@pytest.mark.parametrize(
    ("name", "stack", "message"),
    [
        ("a.png", pixels((1, 9, 11), np.float32), r"PNG cannot hold float32; write TIFF \(\.tif\) or \.npz"),
        ("a.png", pixels((1, 9, 11), np.int16), "PNG cannot hold int16"),
        ("a.png", pixels((1, 9, 11, 3), np.uint16), "PNG cannot hold uint16 of 3 channels; write TIFF"),
        ("a.jpg", pixels((1, 9, 11), np.uint16), "JPEG cannot hold uint16; write TIFF"),
        ("a.jpg", pixels((1, 9, 11, 4)), "JPEG cannot hold uint8 of 4 channels"),
        ("a.tif", pixels((1, 9, 11), np.float32).astype(complex), "TIFF cannot hold complex128; convert"),
        ("a.tif", pixels((1, 9, 11, 3), bool), "TIFF cannot hold bool of 3 channels; convert"),
        ("a.png", pixels((2, 9, 11)), "PNG cannot hold 2 images; write TIFF"),
        ("a.tif", pixels((1, 9, 11, 5)), r"1 to 4 channels; got \(9, 11, 5\)"),
        ("a.tif", pixels((1, 9)), r"\(height, width\) .* got \(9,\)"),
        ("a.tif", pixels((1, 0, 9)), r"got \(0, 9\)"),
        ("a.bmp", pixels((1, 9, 11)), r"expected to end in \.png or .*\.tiff; got .*a\.bmp"),
    ],
)
def test_what_a_format_cannot_hold_is_refused_and_no_file_made(tmp_path, name, stack, message):
    with pytest.raises(ValueError, match=message):
        write_stack(tmp_path / name, stack)
    assert not (tmp_path / name).exists()
