"""The file: a zip of ``header.json`` and of all arrays as safetensors, checked before it is read, written whole.

The comment of the zip, at its very end, is the SHA-256 of all before it (format 1 had none). It tells damage, not who
wrote the file: so what a file says is checked for itself, and before memory is taken for it. Formats 1 and 2 had each
array as ``arrays/N.npy``. Steps of pipelines that are not ours are ``skops/N.skops``.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import uuid
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from .._version import __version__
from ._tensors import MOST_HEADER
from ._values import ESTIMATORS, PIPELINES

FORMAT = "sklearn_medgan"
FORMAT_VERSION = 3
CHECKSUMMED = 2  # the first format that is
NO_CHECKSUM = b"0" * 64
HEADER = "header.json"


class UntrustedError(ValueError):
    """A file asks for types that are not trusted: no damage."""


@contextlib.contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[tuple[zipfile.ZipFile, dict[str, Any]]]:
    """The archive and its header."""
    if stat.S_ISFIFO(os.stat(path).st_mode):  # opening it would wait for whoever writes to it
        raise ValueError(f"{path} is a pipe; expected a file that sklearn_medgan.save wrote.")
    with open(path, "rb") as file:
        with damage_told(path, "is not a file that sklearn_medgan.save wrote, or it was cut short"):
            archive = zipfile.ZipFile(file)
            check_members(archive, os.fstat(file.fileno()).st_size)
            header = json.loads(archive.read(HEADER))
            kind, version = header["format"], header["format_version"]
            known = {**ESTIMATORS, **PIPELINES}
            if kind == FORMAT and not (type(version) is int and version > 0 and header["estimator"] in known):
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


def check_members(archive: zipfile.ZipFile, size: int, header: str = HEADER) -> None:
    """Raise ValueError where members take more memory than the file has bytes: compressed, or one over the other."""
    members = archive.infolist()
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise ValueError("it is compressed")
    if sum(member.file_size for member in members) > size or archive.getinfo(header).file_size > MOST_HEADER:
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
    except (ImportError, UntrustedError):
        raise
    except Exception as error:
        raise ValueError(f"{path} {what} ({type(error).__name__}: {error}). Save the estimator again.") from error


def write(path: Path, header: str, members: Iterable[tuple[str, Iterable[bytes]]] = ()) -> None:
    """Write all or nothing, names and parts of members after the header: what is complete takes the place of `path`."""
    if len(header) > MOST_HEADER:
        raise ValueError(f"save would write a header of {len(header)} bytes; expected at most {MOST_HEADER}.")
    with replacing(path) as file:
        with zipfile.ZipFile(file, "w") as archive:
            archive.comment = NO_CHECKSUM
            for name, parts in [(HEADER, [header.encode()]), *members]:
                # ZipInfo has a fixed date: equal models, equal bytes
                with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as member:
                    for part in parts:
                        member.write(part)
        checksum = _checksum(file)
        file.write(checksum)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
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
