"""Read a user's own file as text or as a table: the functions shared by the readers own_*."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import get_args

from pipeline.config.own_files import OwnFile, selected
from pipeline.config.schema.sources import Delimiter, OwnRow, OwnTable
from pipeline.encoding.decoding import decoded
from pipeline.encoding.dropped import Dropped
from pipeline.errors import DataError
from pipeline.sources.own_rows import MALFORMED, Rows, Swallowed, counted_columns, rows_of


def find_own(folder: Path, row: OwnRow) -> Path:
    """Return the path of the copy of the user's file, or folder of files, that the import stage made.

    Raises DataError if there is none.
    """
    path = folder / PurePath(row.path).name
    if not path.exists():
        raise DataError(f"{path}: no such file; `dvc repro` copies it there")
    return path


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
    sorted_out = Rows(names if row.header else None, len(names), dropped, path.name if several else "")
    stray = Swallowed(text, row.separator or ",", len(names), at.get(recurring or ""), rows)
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
        f"{counted_columns(len(names))}: "
        + ", ".join(name[:40] for name in names[:20])
        + _another_delimiter(text, column, row)
    )


def _another_delimiter(text: str, column: str | int, row: OwnTable) -> str:
    """Name a delimiter with which line 1 has the column."""
    for delimiter in get_args(Delimiter):
        cells = [cell.strip(' "') for cell in text.partition("\n")[0].split(delimiter)]
        if delimiter != row.separator and (column in cells if isinstance(column, str) else len(cells) >= column):
            return f"; with `delimiter: {json.dumps(delimiter)}` it has {counted_columns(len(cells))}"
    return ""


def _about_malformed(text: str, row: OwnTable, width: int, total: int, *, quoting: bool) -> str:
    """Say how rows are written, and propose to read quotes as letters only if that leaves few enough malformed rows."""
    plain = [each.cells for each in rows_of(text, row.separator or ",", quoting=False)] if quoting else []
    wrong = sum(len(cells) != width for cells in plain)
    hint = ""
    if plain and hasattr(row, "quoting") and wrong <= row.max_dropped * total:
        hint = ", or write `quoting: false` in the row of `own` if quotes are letters in this file"
    return (
        f"each row needs {counted_columns(width)}; put a cell that contains {_separator_name(row)}, a quote or a line "
        f"end in double quotes, and double each quote in it{hint}"
    )


def _separator_name(row: OwnTable) -> str:
    return "tabs" if row.separator == "\t" else f"{row.separator!r}"
