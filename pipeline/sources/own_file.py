"""Read a user's own file as text or as a table: the functions shared by the readers own_*."""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePath
from typing import Literal, get_args

from pipeline.config.own_files import OwnFile, selected
from pipeline.config.schema.sources import Delimiter, OwnRow, OwnTable
from pipeline.encoding.decoding import decoded
from pipeline.encoding.dropped import Dropped
from pipeline.errors import DataError

MALFORMED = "malformed_rows_dropped"
REPEATED = 5  # times that a line's cell is repeated by others, if it is a label


def find_own(folder: Path, row: OwnRow) -> Path:
    """Return the path of the copy of the user's file, or folder of files, that the import stage made.

    Raises DataError if there is none.
    """
    path = folder / PurePath(row.path).name
    if not path.exists():
        raise DataError(f"{path}: no such file; `dvc repro` copies it there")
    return path


class Line(int):
    """The number of a line of one of several files, which is written with the name of the file: 3 of b.csv."""

    file = ""

    @classmethod
    def of(cls, number: int, file: str) -> int:
        """Return the number alone if `file` is empty."""
        if not file:
            return number
        line = cls(number)
        line.file = file
        return line

    def __format__(self, style: str) -> str:
        return f"{int(self):{style}} of {self.file}"


def read_text(path: Path, row: OwnRow) -> tuple[str, dict[str, int]]:
    """Read the text of the copy `path` of a user's file; also return counts of what changed: see decoded()."""
    original = PurePath(row.path)
    return decoded(path, row.encoding, str(original if original.name == path.name else original / path.name))


@dataclass(frozen=True)
class Table:
    """The cells of some columns of a table, by key of the user's row.

    names: the name of each column in the header, or its number if there is no header.
    lines: the line of the file on which each row of the table begins.
    findings: what loses nothing, and was not checked against the limit.
    dropped: what was lost so far. The reader adds its own kinds, and checks it with `total`, the number of rows.
    tested: whether each row is of the publisher's test part.
    columns: the names of all columns. head: the first two rows, with all their cells.
    """

    names: Mapping[str, str]
    cells: Mapping[str, list[str]]
    lines: list[int]
    findings: dict[str, int]
    dropped: Dropped
    total: int
    tested: list[bool] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    head: list[list[str]] = field(default_factory=list)


def read_table(
    path: Path, row: OwnTable, wanted: Mapping[str, str | int], *, quoting: bool = True, recurring: str | None = None
) -> Table:
    """Read some columns of a table, or of the tables in a folder.

    wanted: the name or number of a column by the key of `row` that gives it.

    Drops and counts rows that have another number of cells than the first one, an unclosed quote, or a quoted cell that
    holds further rows. recurring: a key of `wanted` whose cells repeat each other, which tells rows from lines of a
    text. Raises DataError if the dropped rows are more than `max_dropped` of all.
    """
    dropped = Dropped(path, row.max_dropped)
    dropped.kind(MALFORMED, "")
    files = selected(path, row)
    tables = [_read(file, row, wanted, dropped, quoting, recurring, several=len(files) > 1) for file in files]
    joined = _joined(tables)
    dropped.check(joined.total)
    return joined


def _joined(tables: Sequence[Table]) -> Table:
    first = tables[0]
    if len(tables) == 1:
        return first
    return replace(
        first,
        cells={key: [cell for one in tables for cell in one.cells[key]] for key in first.cells},
        lines=[line for one in tables for line in one.lines],
        findings={"files": len(tables), **summed([one.findings for one in tables])},
        total=sum(one.total for one in tables),
        tested=[tested for one in tables for tested in one.tested],
    )


def summed(findings: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """Add up the findings of several files, which have the same keys."""
    return {key: sum(one[key] for one in findings) for key in findings[0]}


def _read(
    file: OwnFile,
    row: OwnTable,
    wanted: Mapping[str, str | int],
    dropped: Dropped,
    quoting: bool,
    recurring: str | None,
    *,
    several: bool,
) -> Table:
    """Read a file, and count what is dropped; several: whether messages must name the file of a line."""
    path = file.path
    text, findings = read_text(path, row)
    rows = list(rows_of(text, row.separator or ",", quoting=quoting))
    first = rows[0].cells if rows else "the file has no rows"
    if isinstance(first, str):
        line = rows[0].line if rows else 1
        raise DataError(f"{path}: line {line}: {first}; expected columns separated by {_separator_name(row)}")
    names = [name.strip() for name in first] if row.header else [str(i + 1) for i in range(len(first))]
    at = {key: _position(path, names, key, column, row, text) for key, column in wanted.items()}
    before = dropped.counts[MALFORMED]
    sorted_out = _Rows(names if row.header else None, len(names), dropped, path.name if several else "")
    stray = _Swallowed(text, row.separator or ",", len(names), at.get(recurring or ""), rows)
    kept = [cells for each in rows[1 if row.header else 0 :] if (cells := sorted_out.cells(each, stray))]
    malformed = dropped.counts[MALFORMED] - before
    total = len(kept) + malformed
    if malformed:
        dropped.kind(MALFORMED, _about_malformed(text, row, len(names), total, quoting=quoting))
    wanted_cells = {key: [cells[i].strip() for cells in kept] for key, i in at.items()}
    return Table(
        {key: names[i] for key, i in at.items()},
        wanted_cells,
        sorted_out.lines,
        findings | sorted_out.findings(),
        sorted_out.dropped,
        total,
        [file.is_test] * len(kept),
        names,
        kept[:2],
    )


@dataclass(frozen=True)
class _Parsed:
    """A row as the CSV reader sees it: its cells, or what is wrong. It begins in `line` and takes `span` lines."""

    line: int
    cells: list[str] | str
    span: int = 1


@dataclass
class _Swallowed:
    """Tell a quoted text of several lines from rows that stray quotes have joined: lines of the latter are rows too."""

    text: str
    delimiter: str
    width: int
    recurring: int | None
    rows: list[_Parsed]

    @cached_property
    def _lines(self) -> list[str]:
        return self.text.split("\n")

    @cached_property
    def _known(self) -> set[str]:
        """Return the cells of the recurring column: of whole rows, or if there are none, those that lines repeat."""
        if self.recurring is None:
            return set()
        rows = [row.cells for row in self.rows[1:] if row.span == 1 and isinstance(row.cells, list)]
        whole = {cells[self.recurring].strip() for cells in rows if len(cells) == self.width}
        lines = Counter(cells[self.recurring].strip(' "') for cells in map(self._split, self._lines[1:]) if cells)
        return whole or {cell for cell, n in lines.items() if n >= REPEATED}

    def _split(self, line: str) -> list[str]:
        cells = line.split(self.delimiter)
        return cells if len(cells) == self.width > 1 else []

    def __call__(self, row: _Parsed) -> bool:
        lines = self._lines[row.line - 1 : row.line - 1 + row.span]
        return row.span > 1 and 2 * sum(map(self._is_row, lines)) > len(lines)

    def _is_row(self, line: str) -> bool:
        cells = self._split(line)
        return bool(cells) and (self.recurring is None or cells[self.recurring].strip(' "') in self._known)


@dataclass
class _Rows:
    """Tell the rows of a table from blank, repeated, cut and malformed ones, and count each kind.

    header: the names of the columns, or None. width: how many cells a row has. file: its name, for messages, if several
    are read.
    """

    header: list[str] | None
    width: int
    dropped: Dropped
    file: str = ""
    lines: list[int] = field(default_factory=list)
    blank: int = 0
    repeated_headers: int = 0
    ended: int = 0

    def cells(self, row: _Parsed, stray: Callable[[_Parsed], bool]) -> list[str]:
        """Return the cells of a row, or none if it is not one. stray: tells whether quotes have joined several rows."""
        line, cells = Line.of(row.line, self.file), row.cells
        if isinstance(cells, str):
            self.dropped.add(MALFORMED, line, cells, row.span)
        elif stray(row):
            self.dropped.add(MALFORMED, line, f"a quote opens a cell that ends {row.span - 1:,} lines below", row.span)
        elif not any(map(str.strip, cells)):
            self.blank += 1
        elif [cell.strip() for cell in cells] == self.header:
            self.repeated_headers += 1
        elif self._ends_in_a_delimiter(cells):
            self.ended += 1
            return self._kept(line, cells[: self.width])
        elif len(cells) != self.width:
            self.dropped.add(MALFORMED, line, _columns(len(cells)), row.span)
        else:
            return self._kept(line, cells)
        return []

    def _ends_in_a_delimiter(self, cells: list[str]) -> bool:
        """Tell whether rows end in delimiters that the header lacks: so does the first row below the header."""
        so_far = self.ended == len(self.lines)
        return self.header is not None and so_far and len(cells) > self.width and not any(cells[self.width :])

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


def rows_of(text: str, delimiter: str, *, quoting: bool) -> Iterator[_Parsed]:
    """Yield each row that is not empty."""
    style: Literal[0, 3] = csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))  # one for the whole process
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, quoting=style, strict=True)  # splits at \n only
    while True:
        line = reader.line_num + 1
        cells: list[str] | str
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:  # the reader continues after the line where it noticed the error
            cells = str(error)
        if cells:
            yield _Parsed(line, cells, reader.line_num - line + 1)


def _position(path: Path, names: list[str], key: str, column: str | int, row: OwnTable, text: str) -> int:
    if isinstance(column, int) and column <= len(names):
        return column - 1
    if row.header and names.count(str(column)) == 1:  # a number that no column has may be a name: 773869
        return names.index(str(column))
    if isinstance(column, str) and not row.header:
        raise DataError(f"{path}: {key}: found {column!r}; without a header, use a column number, 1 to {len(names)}")
    problem = "occurs more than once" if column in names else "does not exist"
    raise DataError(
        f"{path}: {key}: column {column!r} {problem}; separated by {_separator_name(row)}, line 1 has "
        f"{_columns(len(names))}: "
        + ", ".join(name[:40] for name in names[:20])
        + _another_delimiter(text, column, row)
    )


def _another_delimiter(text: str, column: str | int, row: OwnTable) -> str:
    """Name a delimiter with which line 1 has the column."""
    for delimiter in get_args(Delimiter):
        cells = [cell.strip(' "') for cell in text.partition("\n")[0].split(delimiter)]
        if delimiter != row.separator and (column in cells if isinstance(column, str) else len(cells) >= column):
            return f"; with `delimiter: {json.dumps(delimiter)}` it has {_columns(len(cells))}"
    return ""


def _about_malformed(text: str, row: OwnTable, width: int, total: int, *, quoting: bool) -> str:
    """Say how rows are written, and propose to read quotes as letters only if that leaves few enough malformed rows."""
    plain = [each.cells for each in rows_of(text, row.separator or ",", quoting=False)] if quoting else []
    wrong = sum(len(cells) != width for cells in plain)
    hint = ""
    if plain and hasattr(row, "quoting") and wrong <= row.max_dropped * total:
        hint = ", or write `quoting: false` in the row of `own` if quotes are letters in this file"
    return (
        f"each row needs {_columns(width)}; put a cell that contains {_separator_name(row)}, a quote or a line end in "
        f"double quotes, and double each quote in it{hint}"
    )


def _columns(count: int) -> str:
    return "1 column" if count == 1 else f"{count} columns"


def _separator_name(row: OwnTable) -> str:
    return "tabs" if row.separator == "\t" else f"{row.separator!r}"
