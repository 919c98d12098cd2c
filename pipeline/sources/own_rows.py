"""Tell the rows of a user's table from blank, repeated, cut and malformed ones."""

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from pipeline.encoding.dropped import Dropped

MALFORMED = "malformed_rows_dropped"
REPEATED = 5  # times that a line's cell is repeated by others, if it is a label


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


@dataclass(frozen=True)
class ParsedRow:
    """A row as the CSV reader sees it: its cells, or what is wrong. It begins in `line` and takes `span` lines."""

    line: int
    cells: list[str] | str
    span: int = 1


@dataclass
class Swallowed:
    """Tell a quoted text of several lines from rows that stray quotes have joined: lines of the latter are rows too."""

    text: str
    delimiter: str
    width: int
    recurring: int | None
    rows: list[ParsedRow]

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

    def __call__(self, row: ParsedRow) -> bool:
        lines = self._lines[row.line - 1 : row.line - 1 + row.span]
        return row.span > 1 and 2 * sum(map(self._is_row, lines)) > len(lines)

    def _is_row(self, line: str) -> bool:
        cells = self._split(line)
        return bool(cells) and (self.recurring is None or cells[self.recurring].strip(' "') in self._known)


@dataclass
class Rows:
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

    def cells(self, row: ParsedRow, stray: Callable[[ParsedRow], bool]) -> list[str]:
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
            self.dropped.add(MALFORMED, line, counted_columns(len(cells)), row.span)
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


def rows_of(text: str, delimiter: str, *, quoting: bool) -> Iterator[ParsedRow]:
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
            yield ParsedRow(line, cells, reader.line_num - line + 1)


def counted_columns(count: int) -> str:
    """Write how many columns there are."""
    return "1 column" if count == 1 else f"{count} columns"
