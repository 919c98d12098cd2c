"""Describe a source: where its files come from, under which terms, and what one record looks like on disk."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.errors import ConfigError, DataError


@dataclass(frozen=True)
class RawFile:
    """One published file.

    name: file name under data/raw/<source>/ and under <mirror>/<source>/.
    sha256, size: of the whole file; None for an archive without a published checksum, in which `member` is pinned.
    url: official address, or None if the file cannot be fetched without an account.
    magic: the bytes that the file must begin with, so that an HTML page is refused before its checksum is computed.
    member, member_sha256: if sha256 is None, the file in the archive that is verified, and its checksum.
    """

    name: str
    sha256: str | None
    size: int | None
    url: str | None
    magic: bytes = b""
    member: str | None = None
    member_sha256: str | None = None


@dataclass(frozen=True)
class Card:
    """Describes one source.

    forms: the alternative sets of files in which the same data is published; each is complete on its own.
    folder: the folder of a mirror that holds the files, if it is not the source's name.
    """

    title: str
    about: str
    homepage: str
    licence: str
    example: str
    forms: tuple[tuple[RawFile, ...], ...]
    how_to_get: str = ""
    folder: str = ""


def pinned(name: str, card: Card, pins: Mapping[str, str]) -> Card:
    """Replace the checksums of `card` by those in `sources.<name>.pins`.

    The size of a newly pinned file becomes unknown. Forms without a pinned file are dropped, unless `pins` is empty.
    Raises ConfigError, which lists the files of the card, if a pinned file is not one of them.
    """
    known = [file.name for form in card.forms for file in form]
    for file in pins:
        if file not in known:
            raise ConfigError(f"sources.{name}.pins: found {file!r}; known: {', '.join(known) or 'no file'}")
    forms = [form for form in card.forms if not pins or any(file.name in pins for file in form)]
    return replace(card, forms=tuple(tuple(_pinned(file, pins.get(file.name)) for file in form) for form in forms))


def _pinned(file: RawFile, sha256: str | None) -> RawFile:
    return replace(file, sha256=sha256, size=None) if sha256 else file


def find_file(folder: Path, names: tuple[str, ...]) -> Path:
    """Return the path of the first of `names` that exists in `folder`; DataError if none does or it is empty."""
    for name in names:
        path = folder / name
        if path.is_file():
            if path.stat().st_size == 0:
                raise DataError(f"{path}: the file is empty (0 bytes); delete it and run the download again")
            return path
    present = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    raise DataError(
        f"{folder}: found {', '.join(present) or 'no file'}, expected {' or '.join(names)}; run the download again"
    )
