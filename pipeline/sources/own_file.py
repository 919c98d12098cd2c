"""Read a user's own file as text or as a table: the functions shared by the readers own_*."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Literal

from pipeline.config.schema.sources import OwnRow, OwnTable
from pipeline.encoding.dropped import Dropped
from pipeline.errors import DataError

MALFORMED = "malformed_rows_dropped"
# str.splitlines() also splits at these characters; here they are ordinary characters inside a line.
LINE_LIKE = "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
ENCODINGS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


def find_own(folder: Path, row: OwnRow) -> Path:
    """Return the path of the copy of the user's file that the import stage made; DataError if there is none."""
    path = folder / PurePath(row.path).name
    if not path.is_file():
        raise DataError(f"{path}: no such file; `dvc repro` copies it there")
    return path


def read_text(path: Path) -> tuple[str, dict[str, int]]:
    """Read a text, converted to ``\\n`` line ends and without a byte order mark; also return counts of these changes.

    Raises DataError for NUL characters and for text that is not UTF-8, with the line and the byte.
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
    has_mark = text.startswith("\ufeff")
    text = text.removeprefix("\ufeff")
    converted = text.count("\r")  # \r\n and a lone \r count as one each
    return text.replace("\r\n", "\n").replace("\r", "\n"), {
        "byte_order_marks_dropped": int(has_mark),
        "line_ends_converted": converted,
        "line_separators_inside_lines": sum(text.count(character) for character in LINE_LIKE),
    }


@dataclass(frozen=True)
class Table:
    """The cells of some columns of a table, by key of the user's row.

    names: the name of each column in the header, or its number if there is no header.
    lines: the line of the file on which each row of the table begins.
    findings: what loses nothing, and was not checked against the limit.
    dropped: what was lost so far. The reader adds its own kinds, and checks it with `total`, the number of rows.
    columns: the names of all columns. head: the first two rows, with all their cells.
    """

    names: Mapping[str, str]
    cells: Mapping[str, list[str]]
    lines: list[int]
    findings: dict[str, int]
    dropped: Dropped
    total: int
    columns: list[str] = field(default_factory=list)
    head: list[list[str]] = field(default_factory=list)


def read_table(path: Path, row: OwnTable, wanted: Mapping[str, str | int], *, quoting: bool = True) -> Table:
    """Read some columns of a table. `wanted`: the name or number of a column by the key of `row` that gives it.

    Drops and counts rows that have another number of cells than the first one, or an unclosed quote. Raises DataError
    if these are more than `max_dropped` of the rows.
    """
    text, findings = read_text(path)
    rows = _rows(text, row.separator or ",", quoting=quoting)
    first_line, first = next(rows, (1, "the file has no rows"))
    if isinstance(first, str):
        raise DataError(f"{path}: line {first_line}: {first}; expected columns separated by {_separator_name(row)}")
    names = [name.strip() for name in first] if row.header else [str(i + 1) for i in range(len(first))]
    at = {key: _position(path, names, key, column, row) for key, column in wanted.items()}
    dropped = Dropped(path, row.max_dropped)
    dropped.kind(MALFORMED, _about_malformed(row, len(names), quoting=quoting))
    read = _Rows(names if row.header else None, len(names), dropped)
    kept = [cells for cells in (read.cells(*each) for each in rows) if cells]
    lines = read.lines
    if not row.header:
        kept, lines = [first, *kept], [first_line, *lines]
    total = len(lines) + sum(dropped.counts.values())
    dropped.check(total)
    cells = {key: [row_cells[i].strip() for row_cells in kept] for key, i in at.items()}
    return Table(
        {key: names[i] for key, i in at.items()},
        cells,
        lines,
        findings | read.findings(),
        dropped,
        total,
        names,
        kept[:2],
    )


@dataclass
class _Rows:
    """Tell the rows of a table from blank, repeated, cut and malformed ones, and count each kind.

    header: the names of the columns, or None. width: how many cells a row has.
    """

    header: list[str] | None
    width: int
    dropped: Dropped
    lines: list[int] = field(default_factory=list)
    blank: int = 0
    repeated_headers: int = 0
    ended: int = 0

    def cells(self, line: int, cells: list[str] | str) -> list[str]:
        """Return the cells of a row, or none if it is not one."""
        if isinstance(cells, str):
            self.dropped.add(MALFORMED, line, cells)
        elif not any(map(str.strip, cells)):
            self.blank += 1
        elif [cell.strip() for cell in cells] == self.header:
            self.repeated_headers += 1
        elif self._ends_in_a_delimiter(cells):
            self.ended += 1
            return self._kept(line, cells[:-1])
        elif len(cells) != self.width:
            self.dropped.add(MALFORMED, line, _columns(len(cells)))
        else:
            return self._kept(line, cells)
        return []

    def _ends_in_a_delimiter(self, cells: list[str]) -> bool:
        """Tell whether rows end in a delimiter that the header lacks: so does the first row below the header."""
        so_far = self.ended == len(self.lines)
        return self.header is not None and so_far and len(cells) == self.width + 1 and not cells[-1].strip()

    def _kept(self, line: int, cells: list[str]) -> list[str]:
        self.lines.append(line)
        return cells

    def findings(self) -> dict[str, int]:
        return {
            "rows": len(self.lines),
            "blank_rows": self.blank,
            "repeated_headers_dropped": self.repeated_headers,
            "rows_with_a_delimiter_at_the_end": self.ended,
        }


def _rows(text: str, delimiter: str, *, quoting: bool) -> Iterator[tuple[int, list[str] | str]]:
    """Yield (line, cells) for each row that is not empty; (line, error message) for each line that cannot be parsed."""
    style: Literal[0, 3] = csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE
    lines = io.StringIO(text)  # splits at \n only
    reader = csv.reader(lines, delimiter=delimiter, quoting=style, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:  # the reader continues after the line where it noticed the error
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
        raise DataError(f"{path}: {key}: found {column!r}; without a header, use a column number, 1 to {len(names)}")
    problem = "occurs more than once" if column in names else "does not exist"
    raise DataError(
        f"{path}: {key}: column {column!r} {problem}; separated by {_separator_name(row)}, line 1 has "
        f"{_columns(len(names))}: " + ", ".join(name[:40] for name in names[:20])
    )


def _about_malformed(row: OwnTable, width: int, *, quoting: bool) -> str:
    hint = "set `quoting: false` to read quotes as letters" if quoting and hasattr(row, "quoting") else ""
    return (
        f"each row needs {_columns(width)}; put a cell that contains {_separator_name(row)} in double quotes, and "
        f"double a quote in it; or {hint or 'check the delimiter'}"
    )


def _columns(count: int) -> str:
    return "1 column" if count == 1 else f"{count} columns"


def _separator_name(row: OwnTable) -> str:
    return "tabs" if row.separator == "\t" else f"{row.separator!r}"
