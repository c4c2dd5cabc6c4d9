"""Images for tests, PNG files byte by byte, and equality that minds the dtype."""

import struct
import zlib

import numpy as np


def pixels(shape=(9, 11), dtype=np.uint8, seed=0):
    """Draw values from the whole range of the dtype."""
    values = np.random.default_rng(seed).integers(0, 2**63, size=shape, dtype=np.int64)
    if np.dtype(dtype).kind == "f":
        return (values / 2**60).astype(dtype)
    return values % 2 == 1 if dtype is bool else values.astype(dtype)


def images(n, *, seed=0, shape=(9, 11), dtype=np.uint8):
    """Draw a stack of images, values below 200."""
    return np.random.default_rng(seed).integers(0, 200, size=(n, *shape)).astype(dtype)


def save_png(path, array, depth, colour_type, *more):
    """Write a PNG byte by byte: pillow writes no colour of 16 bits and no grey of 2 or 4; `more` are (name, data)."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    if depth < 8:  # the bits of each pixel, most significant first, rows filled to whole bytes
        bits = (array[..., None] >> np.arange(depth)[::-1]) & 1
        lines = [line.tobytes() for line in np.packbits(bits.reshape(len(array), -1).astype(np.uint8), axis=1)]
    else:
        lines = [line.astype(f">u{depth // 8}").tobytes() for line in array]
    header = struct.pack(">IIBBBBB", array.shape[1], array.shape[0], depth, colour_type, 0, 0, 0)
    body = [chunk(b"IHDR", header), *(chunk(*extra) for extra in more)]
    body += [chunk(b"IDAT", zlib.compress(b"".join(b"\0" + line for line in lines))), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(body))


def assert_same(got, expected):
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)


def uniform(shape=(3, 20, 24, 1), dtype=np.float64, seed=0, low=0.0, high=1.0):
    """Draw images in fractions of the intensity scale."""
    return np.random.RandomState(seed).uniform(low, high, shape).astype(dtype)


def constant(value, n=40):
    return np.full((n, 32, 32, 1), float(value))


def assert_moments(sample, mean, variance):
    """Within five standard errors of the closed form; noise here has at most twice the kurtosis of a Gaussian."""
    assert abs(sample.mean() - mean) <= 5 * np.sqrt(variance / sample.size)
    assert abs(sample.var() / variance - 1) <= 5 * np.sqrt(4 / sample.size)
