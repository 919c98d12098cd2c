"""Look at a user's file before it has a row: is it there, is it text, and how is it encoded?"""

import difflib
import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.config.own_files import selected
from pipeline.config.schema.sources import OwnRow
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
NO_DATA = (".md", ".dvc", ".py", ".pdf", ".png", ".jpg")  # files that lie beside data
OF_TEST = re.compile(r"(?:^|[^a-z])(?:test|eval|holdout)(?:$|[^a-z])", re.IGNORECASE)
SHOWN = 5
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
        return (self.root / str(self.keys["path"])).parent

    @property
    def name(self) -> str:
        return Path(self.keys["path"]).name


def look(root: Path, given: str) -> Look:
    """Look at the file or the folder of files at the path `given`, relative to the current folder.

    Raises UserError for one that is missing, empty, outside the project or no text.
    """
    path = Path(os.path.abspath(given))
    if not path.exists():
        raise UserError(f"{given}: no such file{_nearest(path)}")
    if not path.is_relative_to(root):
        raise UserError(
            f"{given}: outside the project, which DVC cannot reproduce elsewhere; copy it first: mkdir -p my && cp "
            f"{given} my/"
        )
    if path == root:
        raise UserError(f"{given!r}: the project’s own folder; give a file, or a folder of files in it")
    keys: dict[str, Any] = {"path": path.relative_to(root).as_posix()}
    file, of_folder = path, tuple[str, ...]()
    if path.is_dir():
        file, files, of_folder = _of_folder(given, path)
        keys |= files
    text, encoding, reasons = read(file)
    return Look(root, {**keys, **({"encoding": encoding} if encoding else {})}, file, text, (*of_folder, *reasons))


def _of_folder(given: str, folder: Path) -> tuple[Path, dict[str, Any], tuple[str, ...]]:
    """Return a training file of a folder, the keys of a row that choose its files, and why they do."""
    visible = [file.path for file in selected(folder, OwnRow(path=str(folder))) if file.path.suffix not in NO_DATA]
    endings = Counter(path.suffix for path in visible)
    if not endings:
        raise UserError(f"{given}: the folder has no files that can be read; those in folders below it are not")
    ((ending, count), *others) = endings.most_common()
    if others and others[0][1] == count:
        raise UserError(
            f"{given}: the folder has files of several kinds ({', '.join(endings)}); keep those of one in it"
        )
    chosen = [path for path in visible if path.suffix == ending]
    test = [path.name for path in chosen if OF_TEST.search(path.stem)]
    rest = [path for path in chosen if path.name not in test]
    if not rest:
        test, rest = [], chosen
    keys: dict[str, Any] = {"files": [f"*{ending}"]} if len(visible) < len(list(folder.iterdir())) or others else {}
    why = [f"files: {', '.join(path.name for path in rest[:SHOWN])}{', …' if len(rest) > SHOWN else ''}"]
    if test:
        keys["test_files"] = test
        why.append(f"test_files: {', '.join(test)}: by the name; it is the test part, and what it has leaves training")
    return rest[0], keys, tuple(why)


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
