"""What a source says of itself: where its bytes come from, under which terms, and how one record looks on disk."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.errors import ConfigError, DataError


@dataclass(frozen=True)
class RawFile:
    """One published file.

    name: as stored under data/raw/<source>/ and under <mirror>/<source>/.
    sha256, size: of the whole file; None for an archive whose publisher gives no checksum, then `member` is pinned.
    url: official address, or None where the file cannot be fetched without an account.
    magic: first bytes that the file must begin with, so that an HTML page is refused before its checksum is taken.
    member, member_sha256: the file inside an archive that is verified instead when sha256 is None.
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
    """`forms`: the alternatives in which the same data is published; each is complete by itself. `folder`: where a
    mirror keeps them, if not under the source's own name."""

    title: str
    about: str
    homepage: str
    licence: str
    example: str
    forms: tuple[tuple[RawFile, ...], ...]
    how_to_get: str = ""
    folder: str = ""


def pinned(name: str, card: Card, pins: Mapping[str, str]) -> Card:
    """`card` with the sha256 that `sources.<name>.pins` gives for files, whose sizes are then unknown; only the forms
    that hold such a file are left. ConfigError names the files of the card where it has no such file."""
    known = [file.name for form in card.forms for file in form]
    for file in pins:
        if file not in known:
            raise ConfigError(f"sources.{name}.pins: found {file!r}; known: {', '.join(known) or 'no file'}")
    forms = [form for form in card.forms if not pins or any(file.name in pins for file in form)]
    return replace(card, forms=tuple(tuple(_pinned(file, pins.get(file.name)) for file in form) for form in forms))


def _pinned(file: RawFile, sha256: str | None) -> RawFile:
    return replace(file, sha256=sha256, size=None) if sha256 else file


def find_file(folder: Path, names: tuple[str, ...]) -> Path:
    """The first of `names` that lies in `folder`; DataError when there is none, or when it is empty."""
    for name in names:
        path = folder / name
        if path.is_file():
            if path.stat().st_size == 0:
                raise DataError(f"{path}: the file is empty (0 bytes); delete it and run the download again")
            return path
    found = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    raise DataError(
        f"{folder}: found {', '.join(found) or 'no file'}, expected {' or '.join(names)}; run the download again"
    )
