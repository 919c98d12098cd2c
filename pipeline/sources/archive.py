"""Read archives without trusting them: check, cap and stream their members, and extract nothing to disk.

An archive with one unsafe member is refused as a whole. Unsafe are absolute names, `..`, backslashes, links, devices,
holes and duplicates.
"""

import bz2
import errno
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from pipeline.errors import DataError

# What the libraries raise for damaged archives: RuntimeError for an encrypted member or an unknown method of
# compression, ValueError for a name that is not UTF-8 or a place before the beginning of the file.
BROKEN = (
    EOFError, IndexError, KeyError, OverflowError, RuntimeError, ValueError,
    lzma.LZMAError, struct.error, tarfile.TarError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
MAX_MEMBERS = 200_000
HEADER_LIMIT = 100_000  # bytes of a name, or of other facts on a member, that are stored before it
TOTAL_LIMIT = 4_000_000_000  # bytes of a .tar once it is decompressed
CHUNK = 1 << 20


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive and check that all its member names are safe; DataError if it is damaged or unsafe."""
    with _damage_as_data_error(path):
        archive = zipfile.ZipFile(path)
    with archive:
        members = archive.infolist()
        for member in members:
            _refuse_unsafe(path, member.filename)
            if (member.external_attr >> 16) & 0o170000 == 0o120000:
                raise DataError(f"{path}: unsafe member {member.filename!r} (a symbolic link); nothing was read")
        _refuse_repeats(path, [member.filename for member in members])
        yield archive


def stream_zip_member(path: Path, archive: zipfile.ZipFile, name: str, limit: int) -> IO[bytes]:
    """Open member `name` as a binary stream; DataError if it is missing or declares more than `limit` bytes."""
    try:
        member = archive.getinfo(name)
    except KeyError:
        first_names = ", ".join(archive.namelist()[:5])
        raise DataError(f"{path}: no member {name!r} in the archive; it holds {first_names or 'nothing'}") from None
    if member.file_size > limit:
        raise DataError(f"{path}: member {name!r} declares {member.file_size:,} bytes, more than {limit:,}")
    # zipfile stops at the declared size and then compares the CRC, so a false size cannot make the stream longer.
    with _damage_as_data_error(path):
        return io.BufferedReader(_Guarded(path, archive.open(member)), CHUNK)


class _Guarded(io.RawIOBase):
    """A member whose damage is a DataError wherever it is noticed."""

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self.path, self.stream = path, stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with _damage_as_data_error(self.path):
            content = self.stream.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def close(self) -> None:
        self.stream.close()
        super().close()


def read_zip_member(path: Path, archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """Read member `name`, which may hold at most `limit` bytes."""
    with stream_zip_member(path, archive, name, limit) as stream:
        return stream.read()


def stream_tar(
    path: Path, limit: int, wanted: Callable[[str], bool] = lambda name: True
) -> Iterator[tuple[str, bytes]]:
    """Yield the name and bytes of each regular file of a .tar.xz, .tar.bz2 or .tar.gz, in stored order.

    Files whose names are not `wanted` are skipped. `limit` caps the bytes of each wanted file; all other checks apply
    to every member. Raises DataError for an unsafe or damaged archive.
    """
    with _damage_as_data_error(path):
        stream = cast(IO[bytes], _Capped(path, _decompressed(path)))
        archive = tarfile.open(fileobj=stream, mode="r|", tarinfo=_Header)  # noqa: SIM115
    with stream, archive:
        seen: set[str] = set()
        while (member := _next(path, archive)) is not None:
            _refuse_unsafe(path, member.name)
            if member.isdir():
                continue
            if not member.isreg() or member.issparse():
                raise DataError(f"{path}: unsafe member {member.name!r} (a link or device); nothing more was read")
            if member.name in seen:
                raise DataError(f"{path}: unsafe archive, member {member.name!r} occurs twice")
            if wanted(member.name) and member.size > limit:
                raise DataError(f"{path}: member {member.name!r} declares {member.size:,} bytes, more than {limit:,}")
            seen.add(member.name)
            if len(seen) > MAX_MEMBERS:
                raise DataError(f"{path}: more than {MAX_MEMBERS:,} members")
            if wanted(member.name):
                with _damage_as_data_error(path):
                    content = _content(archive, member)
                yield member.name, content


def _next(path: Path, archive: tarfile.TarFile) -> tarfile.TarInfo | None:
    with _damage_as_data_error(path):
        return archive.next()


class _Header(tarfile.TarInfo):
    """A header of a .tar.

    tarfile takes a damaged one for the end of the archive, and reads long names and other facts on a member into memory
    whatever their size.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Header":
        try:
            return super().frombuf(buf, encoding, errors)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as error:  # type: ignore[attr-defined]
            raise EOFError(f"the header of a member is damaged: {error}") from error

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        facts = (*tarfile.GNU_TYPES, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
        if self.type in facts and self.size > HEADER_LIMIT:
            raise EOFError(f"{self.size:,} bytes of facts on a member, more than {HEADER_LIMIT:,}")
        return cast(tarfile.TarInfo, super()._proc_member(archive))  # type: ignore[misc]


class _Capped:
    """A decompressed stream that ends with an error after TOTAL_LIMIT bytes."""

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self.path, self.stream, self.left = path, stream, TOTAL_LIMIT

    def read(self, size: int) -> bytes:
        content = self.stream.read(size)
        self.left -= len(content)
        if self.left < 0:
            raise DataError(f"{self.path}: more than {TOTAL_LIMIT:,} bytes once it is decompressed")
        return content

    def __enter__(self) -> "_Capped":
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(member)
    content = b"" if stream is None else stream.read()
    if len(content) != member.size:
        raise EOFError(f"member {member.name} ends after {len(content)} of {member.size} bytes")
    return content


def _decompressed(path: Path) -> IO[bytes]:
    # Not tarfile's own r|xz: it mistakes a truncated compressed stream for the end of the archive.
    openers: dict[str, Callable[[Path], Any]] = {".xz": lzma.open, ".bz2": bz2.open, ".gz": gzip.open}
    return cast(IO[bytes], openers[path.suffix](path))


def _refuse_unsafe(path: Path, name: str) -> None:
    parts = name.split("/")
    if not name or name.startswith("/") or ".." in parts or any(c in name for c in "\\\0:"):
        raise DataError(f"{path}: unsafe member {name!r} (it points outside the archive); nothing was read from it")


def _refuse_repeats(path: Path, names: list[str]) -> None:
    if len(names) > MAX_MEMBERS:
        raise DataError(f"{path}: {len(names):,} members, more than {MAX_MEMBERS:,}")
    if len(set(names)) < len(names):
        repeated = next(name for name in sorted(names) if names.count(name) > 1)
        raise DataError(f"{path}: unsafe archive, member {repeated!r} occurs twice")


@contextmanager
def _damage_as_data_error(path: Path) -> Iterator[None]:
    """Turn the exceptions of a damaged archive into a DataError that names the file and its size."""
    try:
        yield
    except (*BROKEN, OSError) as error:
        # bz2 raises a bare OSError for bad data; a place outside the file is an invalid argument.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise DataError(
            f"{path}: the archive is truncated or damaged at {path.stat().st_size:,} bytes ({error}); "
            "delete it and run the download again"
        ) from error
