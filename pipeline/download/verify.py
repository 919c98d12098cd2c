"""Is this file the pinned one? sha256 of the whole, or of a member where the publisher gives none for the whole."""

import hashlib
from pathlib import Path
from typing import IO

from pipeline.errors import DataError
from pipeline.sources.archive import open_zip, stream_zip_member
from pipeline.sources.card import RawFile

MEMBER_LIMIT = 2_000_000_000
CHUNK = 1 << 20


def sha256_of(path: Path) -> str:
    """The file's sha256, hexadecimal."""
    with path.open("rb") as stream:
        return _digest(stream)


def fault_of(path: Path, file: RawFile) -> str | None:
    """What distinguishes the file at `path` from the pinned one, as found and expected; None when it is that file."""
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        return f"found {size:,} bytes, expected {file.size:,}"
    if file.sha256 is not None:
        return _difference(f"sha256 of {size:,} bytes", sha256_of(path), file.sha256)
    if file.member is None or file.member_sha256 is None:
        return f"{file.name} is pinned neither by its own sha256 nor by that of a member"
    try:
        found = member_sha256(path, file.member)
    except DataError as error:
        return str(error)
    return _difference(f"sha256 of {file.member} in it", found, file.member_sha256)


def _difference(what: str, found: str, expected: str) -> str | None:
    return None if found == expected else f"found {what} {found}, expected {expected}"


def member_sha256(path: Path, member: str) -> str:
    """The sha256 of a file inside the zip archive at `path`; DataError where it cannot be read."""
    with open_zip(path) as archive, stream_zip_member(path, archive, member, MEMBER_LIMIT) as stream:
        return _digest(stream)


def _digest(stream: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while chunk := stream.read(CHUNK):
        digest.update(chunk)
    return digest.hexdigest()
