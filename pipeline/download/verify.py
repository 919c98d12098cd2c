"""Verify that a file is the pinned one, by its sha256 or, if none is published for an archive, by that of a member."""

import hashlib
from pathlib import Path
from typing import IO

from pipeline.errors import DataError
from pipeline.sources.archive import open_zip, stream_zip_member
from pipeline.sources.card import RawFile

MEMBER_LIMIT = 2_000_000_000
CHUNK = 1 << 20


def sha256_of(path: Path) -> str:
    """Compute the sha256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return _digest(stream)


def fault_of(path: Path, file: RawFile) -> str | None:
    """Say how the file at `path` differs from the pinned one, as found and expected; None if it is the pinned one."""
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        return f"found {size:,} bytes, expected {file.size:,}"
    if file.sha256 is not None:
        return _difference(f"sha256 of {size:,} bytes", sha256_of(path), file.sha256)
    if file.member is None or file.member_sha256 is None:
        return f"{file.name} is pinned neither by its own sha256 nor by that of a member"
    try:
        actual = member_sha256(path, file.member)
    except DataError as error:
        return str(error)
    return _difference(f"sha256 of {file.member} in it", actual, file.member_sha256)


def _difference(name: str, actual: str, expected: str) -> str | None:
    return None if actual == expected else f"found {name} {actual}, expected {expected}"


def member_sha256(path: Path, member: str) -> str:
    """Compute the sha256 of a file in the zip archive at `path`; DataError if it cannot be read."""
    with open_zip(path) as archive, stream_zip_member(path, archive, member, MEMBER_LIMIT) as stream:
        return _digest(stream)


def _digest(stream: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while chunk := stream.read(CHUNK):
        digest.update(chunk)
    return digest.hexdigest()
