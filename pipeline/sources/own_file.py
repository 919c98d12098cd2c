"""What the readers of a user's own files share: the file, its text, and the columns of a table in it."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

from pipeline.config.schema.sources import OwnRow, OwnTable
from pipeline.errors import DataError

MALFORMED_SHARE = 0.01
SHOWN = 3
# What str.splitlines() takes for line ends beside \n and \r; here they are characters of a line like any other.
LINE_LIKE = "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
ENCODINGS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


def find_own(folder: Path, row: OwnRow) -> Path:
    """The copy of the user's file that the import stage made."""
    path = folder / PurePath(row.path).name
    if not path.is_file():
        raise DataError(f"{path}: no such file; `dvc repro` puts it there")
    return path


def read_text(path: Path) -> tuple[str, dict[str, int]]:
    """The text with ``\\n`` line ends and without a byte order mark, and what was found on the way.

    DataError for another encoding than UTF-8, with line and byte, and for NUL characters.
    """
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        likely = ENCODINGS.get(raw[:2], "WINDOWS-1252")
        raise DataError(
            f"{path}: not UTF-8, byte {raw[error.start]:#04x} at offset {error.start:,} (line {line:,}); convert it "
            f"first, for example: iconv -f {likely} -t UTF-8 {path.name} > converted{path.suffix}"
        ) from error
    if "\0" in text:
        raise DataError(f"{path}: NUL character at position {text.index(chr(0)):,}; expected plain text in UTF-8")
    marks = text.startswith("\ufeff")
    text = text.removeprefix("\ufeff")
    converted = text.count("\r")  # \r\n or \r alone, one each
    return text.replace("\r\n", "\n").replace("\r", "\n"), {
        "byte_order_marks_dropped": int(marks),
        "line_ends_converted": converted,
        "line_separators_inside_lines": sum(text.count(character) for character in LINE_LIKE),
    }


@dataclass(frozen=True)
class Table:
    """The cells of some columns. `names`: what the header calls them, or their numbers without one; `lines`: where each
    row begins in the file."""

    names: Mapping[str, str]
    cells: Mapping[str, list[str]]
    lines: list[int]
    findings: dict[str, int]


def read_table(path: Path, row: OwnTable, wanted: Mapping[str, str | int], *, quoting: bool = True) -> Table:
    """The columns `wanted`, by the keys of the user's row that name them.

    Rows that are not as wide as the first one, or whose quotes do not close, are dropped and counted; DataError where
    they are more than MALFORMED_SHARE of the lines.
    """
    text, findings = read_text(path)
    rows = _rows(text, row.separator or ",", quoting=quoting)
    top, first = next(rows, (1, "the file has no rows"))
    if isinstance(first, str):
        raise DataError(f"{path}: line {top}: {first}; expected columns separated by {_seen(row)}")
    names = [name.strip() for name in first] if row.header else [str(i + 1) for i in range(len(first))]
    at = {key: _position(path, names, key, column, row) for key, column in wanted.items()}
    cells: dict[str, list[str]] = {key: [] if row.header else [first[i].strip()] for key, i in at.items()}
    lines, malformed, blank = [] if row.header else [top], [], 0
    for line, found in rows:
        if isinstance(found, str):
            malformed.append((line, found))
        elif not any(map(str.strip, found)):
            blank += 1
        elif len(found) != len(names):
            malformed.append((line, _columns(len(found))))
        else:
            lines.append(line)
            for key, i in at.items():
                cells[key].append(found[i].strip())
    _judge(path, malformed, text.rstrip("\n").count("\n") + 1, len(names), row, quoting=quoting)
    findings |= {"rows": len(lines), "blank_rows": blank, "malformed_rows_dropped": len(malformed)}
    return Table({key: names[i] for key, i in at.items()}, cells, lines, findings)


def _rows(text: str, delimiter: str, *, quoting: bool) -> Iterator[tuple[int, list[str] | str]]:
    """(line, cells) of each row that is not empty; in place of cells, what is wrong with them, once for each line."""
    style: Literal[0, 3] = csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE
    lines = io.StringIO(text)  # which end at \n alone
    reader = csv.reader(lines, delimiter=delimiter, quoting=style, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:  # the reader goes on with the line after the one where it noticed
            yield from ((at, str(error)) for at in range(line, reader.line_num + 1))
            continue
        if cells:
            yield line, cells


def _position(path: Path, names: list[str], key: str, column: str | int, row: OwnTable) -> int:
    if isinstance(column, int) and column <= len(names):
        return column - 1
    if isinstance(column, str) and row.header and names.count(column) == 1:
        return names.index(column)
    if isinstance(column, str) and not row.header:
        raise DataError(f"{path}: {key}: found {column!r}; without a header, a column is a number, 1 to {len(names)}")
    what = "stands twice" if column in names else "is not there"
    raise DataError(
        f"{path}: {key}: column {column!r} {what}; separated by {_seen(row)}, line 1 has {_columns(len(names))}: "
        + ", ".join(name[:40] for name in names[:20])
    )


def _judge(
    path: Path, malformed: list[tuple[int, str]], lines: int, width: int, row: OwnTable, *, quoting: bool
) -> None:
    if len(malformed) <= MALFORMED_SHARE * lines:
        return
    shown = "; ".join(f"line {line:,}: {what}" for line, what in malformed[:SHOWN])
    hint = " or `quoting: false` reads quotes as letters" if quoting and hasattr(row, "quoting") else ""
    raise DataError(
        f"{path}: {len(malformed):,} of {lines:,} lines are no rows of {_columns(width)} ({shown}); at most "
        f"{MALFORMED_SHARE:.0%} are dropped. A cell with {_seen(row)} in it stands in double quotes, a quote in it is "
        f"doubled;{hint or ' check the delimiter'}"
    )


def _columns(count: int) -> str:
    return "1 column" if count == 1 else f"{count} columns"


def _seen(row: OwnTable) -> str:
    return "tabs" if row.separator == "\t" else f"{row.separator!r}"
