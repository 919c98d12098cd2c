"""Look at a user's file before it has a row: is it there, is it text, and how is it encoded?"""

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.encoding.decoding import MARKS, decoded, likely_encodings
from pipeline.errors import DataError, UserError

BINARY = {
    b"PK\x03\x04": "a ZIP archive or a workbook such as .xlsx; save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "a workbook such as .xls; save the sheet as CSV",
    b"%PDF": "a PDF; save its text as a plain text file",
    b"\x1f\x8b": "compressed by gzip; unpack it first (gunzip)",
    b"BZh": "compressed by bzip2; unpack it first (bunzip2)",
    b"\xfd7zXZ": "compressed by xz; unpack it first (unxz)",
    b"PAR1": "a Parquet file; save it as CSV",
    b"SQLite format 3": "a database; save the table as CSV",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
}
CONTROL = 0.05  # share of control characters that text does not have


@dataclass(frozen=True)
class Look:
    """What is to be read.

    root: of the project. keys: those of the row of `own` that say which files are read: its path and encoding, and of a
    folder its files. file, text: one of the files, and what it has.
    """

    root: Path
    keys: Mapping[str, Any]
    file: Path
    text: str
    reasons: tuple[str, ...] = field(default=())

    @property
    def folder(self) -> Path:
        """The folder in which a reader finds the file, or the folder of files."""
        return (self.root / self.keys["path"]).parent

    @property
    def name(self) -> str:
        return Path(self.keys["path"]).name


def look(root: Path, given: str) -> Look:
    """Look at the file at the path `given`, relative to the current folder.

    Raises UserError for a file that is missing, empty, outside the project or no text.
    """
    path = Path(os.path.abspath(given))
    if not path.exists():
        raise UserError(f"{given}: no such file{_nearest(path)}")
    if not path.is_relative_to(root):
        raise UserError(
            f"{given}: outside the project, which DVC cannot reproduce elsewhere; copy it first: mkdir -p my && cp "
            f"{given} my/"
        )
    if path.is_dir():
        raise UserError(f"{given}: a folder; name a file in it")
    text, encoding, reasons = read(path)
    keys = {"path": path.relative_to(root).as_posix(), **({"encoding": encoding} if encoding else {})}
    return Look(root, keys, path, text, reasons)


def read(path: Path) -> tuple[str, str | None, tuple[str, ...]]:
    """Return the text of a file, its encoding if the row must name it, and how that was guessed."""
    with path.open("rb") as stream:
        raw = stream.read(1 << 16)
    if not raw.strip():
        raise UserError(f"{path}: {'has white space alone' if raw else 'the file is empty'}; nothing to read")
    for magic, what in BINARY.items():
        if raw.startswith(magic):
            raise UserError(f"{path}: {what}; expected plain text")
    try:
        text = decoded(path, "utf-8", path.name)[0]
        _check_text(path, text)
        return text, None, _marked(raw)
    except DataError:
        names = likely_encodings(path.read_bytes())
        if not names:
            raise
    text = decoded(path, names[0], path.name)[0]
    _check_text(path, text)
    other = f" (or {', '.join(names[1:])})" if names[1:] else ""
    shown = next((line for line in text.split("\n") if not line.isascii()), text.partition("\n")[0])
    return text, names[0], (f"encoding {names[0]}{other}: not UTF-8; a line reads {shown.strip()[:60]!r}",)


def _marked(raw: bytes) -> tuple[str, ...]:
    mark = next((mark for mark in MARKS if raw.startswith(mark)), b"")
    return (f"encoding {MARKS[mark]}, as the byte order mark says",) if mark else ()


def _check_text(path: Path, text: str) -> None:
    part = text[:10_000]
    strange = sum(not c.isprintable() and not c.isspace() for c in part if c not in "\u200b\u200c\u200d\u00ad")
    if strange > CONTROL * len(part):
        raise UserError(
            f"{path}: {strange:,} of its first {len(part):,} characters cannot be printed, so it is binary; expected "
            "plain text"
        )


def _nearest(path: Path) -> str:
    present = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
    close = difflib.get_close_matches(path.name, present, n=1)
    return f"; did you mean {close[0]}?" if close else ""
