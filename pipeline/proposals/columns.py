"""Look at a table: its delimiter, whether line 1 is a header, and what each column holds.

The readers' own parsing decides: a column holds numbers if own_numbers reads it, and times if own_times does.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.config.schema.sources import DELIMITERS, Delimiter
from pipeline.errors import DataError
from pipeline.sources.own_numbers import Column, read_numbers
from pipeline.sources.own_rows import rows_of
from pipeline.sources.own_times import NO_TIME, is_clock, is_time, read_times

ORDER: tuple[Delimiter, ...] = ("\t", ";", "|", ",")
NAMES = {"\t": "tabs", ";": "semicolons", "|": "bars", ",": "commas"}
SAMPLE, PLACES = 300_000, 10  # characters of each place of a long file, and how many places: files may be sorted
ROWS = 2_000  # that are looked at
EVEN = 0.9  # share of the rows with as many cells as the first
MOSTLY = 0.5  # share of the cells that must have a number
SENTENCES = 0.1  # share of the sentences of a column that must differ
MOST_LABELS, REPEATED = 150, 5  # different labels; texts of each on average
TIME_NAMES = re.compile(
    r"date|time|stamp|datum|zeit|fecha|heure|hora|^(ts|day|tag|jour|month|monat|year|jahr|week)$", re.I
)


@dataclass(frozen=True)
class Cells:
    """A column of the first rows, without the header. number: its position from 1."""

    name: str
    number: int
    cells: list[str]
    delimiter: str

    @cached_property
    def filled(self) -> list[str]:
        return [cell for cell in self.cells if cell]

    @cached_property
    def _column(self) -> Column:
        return Column(Path(self.name), self.name, self.cells, range(len(self.cells)), self.delimiter, missing=())

    @cached_property
    def is_clock(self) -> bool:
        """Tell whether the cells are times of day without a date."""
        return bool(self.filled) and all(map(is_clock, self.filled))

    @cached_property
    def is_numbers(self) -> bool:
        reads = map(self._numbers, (None, ".", ","))
        found = next((values for values in reads if values is not None), None)
        return found is not None and bool(np.mean(~np.isnan(found)) > MOSTLY)

    @cached_property
    def is_times(self) -> bool:
        """Tell whether the cells are times; digits alone are, if the name says so."""
        reads = map(self._times, (None, True, False))
        found = next((times for times in reads if times is not None), None)
        if found is None or np.mean(found != NO_TIME) < EVEN:
            return False
        return bool(TIME_NAMES.search(self.name)) or all(map(is_time, self.filled))

    def _numbers(self, decimal: str | None) -> Any:
        try:
            return read_numbers(self._column, decimal).values
        except DataError:
            return None

    def _times(self, day_first: bool | None) -> Any:
        try:
            return read_times(self._column, day_first).local
        except DataError:
            return None

    @cached_property
    def different(self) -> int:
        return len(set(self.filled))

    @cached_property
    def words(self) -> float:
        """The number of words of a cell on average."""
        return sum(len(cell.split()) for cell in self.filled) / max(len(self.filled), 1)

    @cached_property
    def letters(self) -> float:
        return sum(map(len, self.filled)) / max(len(self.filled), 1)

    @property
    def may_be_labels(self) -> bool:
        """Tell whether few values come again and again."""
        often = self.different * REPEATED <= len(self.filled)
        return 2 <= self.different <= MOST_LABELS and often and self.words < 4

    @property
    def may_be_texts(self) -> bool:
        long = self.words >= 2 or self.letters >= 20  # scripts without spaces
        share = SENTENCES if self.words >= 4 else MOSTLY
        return long and self.different > share * len(self.filled) and not self.is_times and not self.is_numbers


@dataclass(frozen=True)
class TableLook:
    """A table. delimiter, header: how it is written; evidence: why; columns: what its first rows hold."""

    delimiter: Delimiter
    header: bool
    columns: tuple[Cells, ...]
    rows: int
    evidence: tuple[str, ...]

    def keys(self, path: str) -> dict[str, Any]:
        """Return the keys of the row of `own` that say how the table is written, but for defaults."""
        usual = DELIMITERS.get(Path(path).suffix.lower())
        written: dict[str, Any] = {} if usual == self.delimiter else {"delimiter": self.delimiter}
        return written if self.header else {**written, "header": False}

    def key(self, column: Cells) -> str | int:
        """Return what names a column in a row: its name if it has one of its own, else its number."""
        own = [one.name for one in self.columns].count(column.name) == 1
        return column.name if self.header and column.name and own else column.number


def table(text: str) -> TableLook | None:
    """Look at a text as a table; None if it is none."""
    part = _places(text)
    looks = [(_evenness(part, delimiter), delimiter) for delimiter in ORDER]
    (even, width, rows), delimiter = max(looks, key=lambda look: look[0][0])
    if even < EVEN or len(rows) < 2:
        delimiter, width = ",", 1
        rows = [[line] for line in part.split("\n") if line.strip()]
        if not _of_one_column(rows):
            return None
    return _looked(rows, width, delimiter)


def _places(text: str) -> str:
    """Return whole lines from places all over a long text, the first ones first."""
    if len(text) <= SAMPLE * PLACES:
        return text
    starts = [len(text) * i // PLACES for i in range(PLACES)]
    parts = [text[start : start + SAMPLE].rpartition("\n")[0] for start in starts]
    return "\n".join([parts[0], *(part.partition("\n")[2] for part in parts[1:])])


def _of_one_column(rows: list[list[str]]) -> bool:
    below = Cells("", 1, [row[0].strip() for row in _spread(rows[1:])], ",")
    return len(rows) > 2 and below.is_numbers


def _evenness(text: str, delimiter: Delimiter) -> tuple[float, int, list[list[str]]]:
    """Return the share of the rows with as many cells as the first, that number, and the rows that have it."""
    quoted, plain = ([each.cells for each in rows_of(text, delimiter, quoting=quoting)] for quoting in (True, False))
    best = (0.0, 0, list[list[str]]())
    for rows in (quoted, plain):
        cells = [row for row in rows if isinstance(row, list) and any(map(str.strip, row))]
        width = len(cells[0]) if cells else 0
        even = [row[:width] for row in cells if len(row) == width or (len(row) > width and not any(row[width:]))]
        share = len(even) / max(len(rows), 1)
        if width > 1 and share > best[0]:
            best = (share, width, even)
    return best


def _looked(rows: list[list[str]], width: int, delimiter: Delimiter) -> TableLook:
    first = [cell.strip() for cell in rows[0]]
    named_once = not any(Cells("", 1, [cell], delimiter).is_numbers for cell in first)  # joined files repeat a header
    below = [[cell.strip() for cell in row] for row in _spread(rows[1:])]
    below = [row for row in below if row != first] if named_once else below
    named = [Cells(first[i], i + 1, [row[i] for row in below], delimiter) for i in range(width)]
    header, why = _has_header(first, named)
    separated = f"{width} columns separated by {NAMES[delimiter]}" if width > 1 else "one column"
    if not header:
        named = [Cells(str(c.number), c.number, [first[i], *c.cells], delimiter) for i, c in enumerate(named)]
    return TableLook(delimiter, header, tuple(named), len(rows) - header, (separated, why))


def _spread(rows: list[list[str]]) -> list[list[str]]:
    """Return ROWS rows from all over the table, or all."""
    return rows[:: max(1, len(rows) // ROWS)]


def _has_header(first: Sequence[str], columns: Sequence[Cells]) -> tuple[bool, str]:
    """Tell whether line 1 has names: a cell that is no number or time above such, or that no row below repeats."""
    for cell, column in zip(first, columns, strict=True):
        alone = Cells(column.name, column.number, [cell], column.delimiter)
        if column.filled and (column.is_clock or all(map(is_time, column.filled))):
            what, header = "times", not (is_time(cell) or is_clock(cell))
        elif column.is_numbers:
            what, header = "numbers", not alone.is_numbers
        else:
            continue
        said = f"{cell[:30]!r} above {what}" if header else f"{cell[:30]!r} is one of the {what} of its column"
        return header, f"line 1 is {'the header' if header else 'a row'}: {said}"
    for cell, column in zip(first, columns, strict=True):
        if column.may_be_labels and column.filled:
            header = cell not in column.filled
            said = f"{cell[:30]!r} is {'no' if header else 'a'} value of the rows below"
            return header, f"line 1 is {'the header' if header else 'a row'}: {said}"
    header = all(len(cell.split()) <= 3 and len(cell) <= 40 for cell in first)
    return header, f"line 1 is {'the header' if header else 'a row'}: its cells are {'short' if header else 'long'}"


def counted(cells: Sequence[str]) -> str:
    """Return the most frequent values and how often they occur."""
    most = Counter(cells).most_common(4)
    return ", ".join(f"{value[:20]} ({count:,})" for value, count in most)
