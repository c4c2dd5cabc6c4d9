"""The file: a zip of ``header.json`` and of each array as ``arrays/N.npy``, checked before it is read, written whole.

The comment of the zip, at its very end, is the SHA-256 of all before it (format 1 had none). It tells damage, not who
wrote the file: so what a file says is checked for itself, and before memory is taken for it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import stat
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .._version import __version__
from ._values import ESTIMATORS

FORMAT = "sklearn_medgan"
FORMAT_VERSION = 2
CHECKSUMMED = 2  # the first format that is
NO_CHECKSUM = b"0" * 64
HEADER = "header.json"
MOST_HEADER = 1 << 25  # bytes of it; as Python objects they may take ten times as many


@contextlib.contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[tuple[zipfile.ZipFile, dict[str, Any]]]:
    """The archive and its header."""
    if stat.S_ISFIFO(os.stat(path).st_mode):  # opening it would wait for whoever writes to it
        raise ValueError(f"{path} is a pipe; expected a file that sklearn_medgan.save wrote.")
    with open(path, "rb") as file:
        with damage_told(path, "is not a file that sklearn_medgan.save wrote, or it was cut short"):
            archive = zipfile.ZipFile(file)
            _check_members(archive, os.fstat(file.fileno()).st_size)
            header = json.loads(archive.read(HEADER))
            kind, version = header["format"], header["format_version"]
            if kind == FORMAT and not (type(version) is int and version > 0 and header["estimator"] in ESTIMATORS):
                raise ValueError(f"format version {version!r}, estimator {header['estimator']!r}")
        if kind != FORMAT:
            raise ValueError(f"{path} is of format {kind!r}; expected {FORMAT!r}. Load it with what wrote it.")
        if version > FORMAT_VERSION:
            raise ValueError(
                f"{path} was written by sklearn_medgan {header.get('package_version')} in format {version}; this "
                f"version, {__version__}, reads formats up to {FORMAT_VERSION}. Update sklearn_medgan."
            )
        with damage_told(path):
            if version >= CHECKSUMMED and archive.comment != _checksum(file):
                raise ValueError("its checksum is another")
        yield archive, header


def _check_members(archive: zipfile.ZipFile, size: int) -> None:
    """Raise where members would take more memory than the file has bytes: compressed, or one over the other."""
    members = archive.infolist()
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise ValueError("it is compressed")
    if sum(member.file_size for member in members) > size or archive.getinfo(HEADER).file_size > MOST_HEADER:
        raise ValueError("its parts are too long")


def _checksum(file: BinaryIO) -> bytes:
    """SHA-256 of all but the end that holds it, in hexadecimal digits."""
    sha, left = hashlib.sha256(), file.seek(0, os.SEEK_END) - len(NO_CHECKSUM)
    file.seek(0)
    while left > 0:
        part = file.read(min(left, 1 << 20))
        sha.update(part)
        left -= len(part)
    return sha.hexdigest().encode()


@contextlib.contextmanager
def damage_told(path: str | os.PathLike[str], what: str = "is damaged and cannot be loaded") -> Iterator[None]:
    """Whatever a broken file makes Python raise is one ValueError; a missing library is no damage."""
    try:
        yield
    except ImportError:
        raise
    except Exception as error:
        raise ValueError(f"{path} {what} ({type(error).__name__}: {error}). Save the estimator again.") from error


def write(path: Path, header: str, arrays: list[np.ndarray]) -> None:
    """All or nothing: what is complete takes the place of `path`."""
    if len(header) > MOST_HEADER:
        raise ValueError(f"save would write a header of {len(header)} bytes; expected at most {MOST_HEADER}.")
    with _replacing(path) as file:
        with zipfile.ZipFile(file, "w") as archive:
            archive.comment = NO_CHECKSUM
            archive.writestr(zipfile.ZipInfo(HEADER), header)  # ZipInfo has a fixed date: equal models, equal bytes
            for i, array in enumerate(arrays):
                buffer = io.BytesIO()
                np.lib.format.write_array(buffer, array, allow_pickle=False)
                archive.writestr(zipfile.ZipInfo(f"arrays/{i}.npy"), buffer.getvalue())
        checksum = _checksum(file)
        file.write(checksum)


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` at the end, with its permissions.

    Until then it has no name where the system can do without (Linux), so that a kill leaves nothing.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        descriptor = os.open(path.parent, os.O_TMPFILE | os.O_RDWR, 0o666)
        nameless = True
    except (AttributeError, OSError):
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0), 0o666)
        nameless = False
    try:
        with open(descriptor, "w+b") as file:
            if path.exists():
                if not path.is_file():
                    raise FileExistsError(f"{path} is there and no ordinary file. Pass another path.")
                os.chmod(descriptor if nameless else temporary, path.stat().st_mode)
            yield file
            file.flush()
            os.fsync(descriptor)
            if nameless:  # `src_dir_fd` has no meaning here, but with it Python's link follows links
                os.link(f"/proc/self/fd/{descriptor}", temporary, src_dir_fd=descriptor, follow_symlinks=True)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
