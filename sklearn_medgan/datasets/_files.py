"""Files that are safe to open: regular ones, which stay within bounds when they are unpacked."""

from __future__ import annotations

import os
import stat
from typing import BinaryIO

UNPACKED_BYTES = 2**28  # what any file may unpack to
UNPACKED_RATIO = 50  # and how many times its size a larger one


class RefusedError(ValueError):
    """A file that may well be sound, and is not read; the message says why and what to do."""


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file for reading; a pipe would wait for ever, a device may never end."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError(f"{path} was expected to be a regular file; it is a folder, pipe or device. Copy it.")
    return open(path, "rb")


def unpacked_limit(file: BinaryIO) -> int:
    """Return the number of bytes that a file may unpack to."""
    return max(UNPACKED_BYTES, UNPACKED_RATIO * os.fstat(file.fileno()).st_size)


def check_unpacked(file: BinaryIO, n_bytes: int) -> None:
    """Raise a ValueError where the arrays of a file would be too large to be meant.

    Called with the sizes that the file states, before memory is taken.
    """
    if n_bytes > UNPACKED_BYTES and n_bytes > unpacked_limit(file):
        stored = os.fstat(file.fileno()).st_size
        raise RefusedError(
            f"its {stored / 2**20:.1f} MB would unpack to {n_bytes / 2**20:.0f} MB; a file may unpack to "
            f"{UNPACKED_BYTES / 2**20:.0f} MB, or to {UNPACKED_RATIO} times its size. If you trust it, save it without "
            "compression, or in parts"
        )
