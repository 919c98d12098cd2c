"""Read a user's own series: a table (CSV, TSV) with a column of numbers and one of times, sorted onto an even grid.

own_numbers and own_times say how numbers and times may be written, own_grid which grids there are.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema.sources import OwnSeries
from pipeline.encoding.dropped import Dropped
from pipeline.encoding.records import Series
from pipeline.errors import DataError
from pipeline.sources.own_file import Table, find_own, read_table
from pipeline.sources.own_grid import Step, clock, find_step, iso_time, positions
from pipeline.sources.own_numbers import Column, Numbers, read_numbers, shown_decimal
from pipeline.sources.own_times import NO_TIME, is_clock, is_time, read_times

UNREADABLE = "unreadable_times_dropped"
EMPTY, NO_NUMBER, NO_ROW = "empty_values", "values_that_are_no_numbers", "missing_steps_filled"
CELL = 40  # characters of a cell in a message
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Grid:
    """The steps of a series.

    rows: int64 [steps], the row of the table at each step, -1 where there is none.
    start: of the first step, microseconds since 1970; None without a clock, as `step`.
    days: datetime64[D] [steps] of rows that are in the order of their days, but not evenly spaced; else None.
    test_start: the first step of the publisher's test part; None if there is none.
    """

    rows: NDArray[np.int64]
    start: int | None
    step: Step | None
    findings: dict[str, int]
    days: NDArray[np.datetime64] | None = None
    test_start: int | None = None

    def time(self, step: int) -> str:
        """Return the ISO time of a step of a grid with a clock."""
        return str(self.step.time(self.start, step)) if self.step and self.start is not None else ""


def read(folder: Path, row: OwnSeries) -> Series:
    """Read the values onto their grid; a missing step is not valid and repeats the value of the step before.

    Covariates are NaN where there is no number. Raises DataError for numbers and times that cannot be read, if a time
    occurs with different values, if times do not fit a grid, or if more is missing than `max_dropped` allows.
    """
    path = find_own(folder, row)
    covariates = {f"covariates[{i}]": column for i, column in enumerate(row.covariates)}
    time = {"time" if len(row.time) == 1 else f"time[{i}]": column for i, column in enumerate(row.time)}
    table = read_table(path, row, {"value": row.value, **time, **covariates})
    if not table.lines:
        raise DataError(f"{path}: no rows below the header")
    _check_header(path, table, row)
    columns = _numbers({key: _column(path, table, row, key) for key in ("value", *covariates)}, row.decimal)
    numbers = np.column_stack([column.values for column in columns.values()])
    grid = _with_clock(path, table, list(time), numbers, row) if time else _in_file_order(table)
    known = np.flatnonzero((grid.rows >= 0) & ~np.isnan(numbers[grid.rows, 0]))
    if not len(known):
        raise DataError(
            f"{path}: no cell of column {table.names['value']!r} is a number; `value` must name their column"
        )
    whole = slice(int(known[0]), int(known[-1]) + 1)  # tables often have rows before the first and after the last value
    losses = _losses(path, table, grid, whole, numbers, row)
    cut = {"steps_without_value_cut_off_at_the_ends": len(grid.rows) - (whole.stop - whole.start)}
    return _series(grid, whole, columns, table, losses | cut, row)


def _column(path: Path, table: Table, row: OwnSeries, *keys: str) -> Column:
    """Return a column of the table, or several as one, with a space between their cells."""
    cells = [" ".join(parts).strip() for parts in zip(*(table.cells[key] for key in keys), strict=True)]
    return Column(
        path, ", ".join(table.names[key] for key in keys), cells, table.lines, row.separator or ",", row.missing
    )


def _numbers(columns: dict[str, Column], decimal: str | None) -> dict[str, Numbers]:
    """Read columns of numbers. Without `decimal`, a column that does not decide its notation has that of the others."""
    shown = set() if decimal else {shown_decimal(column) for column in columns.values()} - {None}
    decimal = shown.pop() if len(shown) == 1 and len(columns) > 1 else decimal
    return {key: read_numbers(column, decimal) for key, column in columns.items()}


def _check_header(path: Path, table: Table, row: OwnSeries) -> None:
    """Raise DataError if line 1 was read as a header and looks like a row, or the other way round."""
    name = table.names["value"]
    if not row.header:
        _check_first_row(path, table)
    elif _is_number(name) and any(is_time(column) for column in table.columns):
        raise DataError(
            f"{path}: line 1 is read as the header, but has the value {name!r}; write `header: false`, and give "
            "columns as numbers"
        )
    elif _is_number(name) and isinstance(row.value, int) and row.value <= len(table.columns):
        raise DataError(
            f"{path}: line 1 is read as the header, but has {name!r} in column {row.value}; if that is the column's "
            f"name, write `value: '{name}'`; if it is the first value, write `header: false`"
        )


def _check_first_row(path: Path, table: Table) -> None:
    """Raise DataError if line 1 has no time where line 2 has one."""
    first, second = table.head if len(table.head) == 2 else ([], [])
    for i, (above, below) in enumerate(zip(first, second, strict=True), start=1):
        if is_time(below) and not is_time(above):
            raise DataError(
                f"{path}: line 1 is read as a row, but looks like a header: its column {i} has {above[:CELL]!r}, "
                f"and line {table.lines[1]:,} has {below[:CELL]!r}; leave `header: false` out, and give columns by name"
            )


def _is_number(name: str) -> bool:
    try:
        return bool(np.isfinite(read_numbers(Column(Path(), name, [name], [1]), None).values[0]))
    except DataError:
        return False


def _in_file_order(table: Table) -> _Grid:
    start = table.tested.index(True) if any(table.tested) else None
    return _Grid(np.arange(len(table.lines)), None, None, table.dropped.check(table.total), test_start=start)


def _with_clock(path: Path, table: Table, keys: list[str], numbers: Floats, row: OwnSeries) -> _Grid:
    """Sort the rows by time, drop repeats and find their grid; DataError if a time occurs with different numbers."""
    column = _column(path, table, row, *keys)
    found = clock(read_times(column, row.day_first))
    lines = np.array(table.lines, dtype=object)  # which may say their file
    readable = np.flatnonzero(found.times != NO_TIME)
    unreadable = _unreadable(table, column, found.times)
    order = readable[np.argsort(found.times[readable], kind="stable")]
    again = _repeats(path, table, found.times[order], numbers[order], lines[order])
    kept = np.delete(order, again)
    times = found.times[kept]
    findings = {
        **unreadable,
        **found.findings,
        "rows_earlier_than_the_one_before": int(np.sum(np.diff(found.times[readable]) < 0)),
        "repeated_times_dropped": len(again),
    }
    first, repeated = _test_part(path, found.times[readable], np.array(table.tested)[readable], lines[readable])
    if first is not None:
        findings["training_rows_in_the_test_part_dropped"] = repeated
    if not row.even:
        days = times.astype("datetime64[us]").astype("datetime64[D]")
        start = None if first is None else int(np.searchsorted(times, first))
        return _Grid(kept, None, None, findings, days if len(np.unique(days)) == len(days) else None, start)
    step = find_step(path, times, row.frequency)
    at = positions(path, times, lines[kept], step)
    rows = np.full(_length(path, at, step), -1)
    rows[at] = kept
    start = None if first is None else int(at[np.searchsorted(times, first)])
    return _Grid(rows, int(times[0]), step, findings, test_start=start)


def _test_part(
    path: Path, times: NDArray[np.int64], tested: NDArray[np.bool_], lines: NDArray[Any]
) -> tuple[int | None, int]:
    """Return the first time of the test files, None without any, and how many rows of the others repeat one of theirs.

    Raises DataError for another row at or after that time: training would read what the test part asks.
    """
    if not tested.any():
        return None, 0
    first = int(times[tested].min())
    late = ~tested & (times >= first)
    alone = np.flatnonzero(late & ~np.isin(times, times[tested]))
    if len(alone):
        i = int(alone[0])
        raise DataError(
            f"{path}: {len(alone):,} rows of the training files are not before the test part, which begins at "
            f"{iso_time(first)}, first line {lines[i]:,}: {iso_time(times[i])}; move them into the test files, or "
            "remove them"
        )
    return first, int(late.sum())


def _unreadable(table: Table, column: Column, times: NDArray[np.int64]) -> dict[str, int]:
    """Count the rows without a time, and return what was dropped; DataError if it is too much."""
    table.dropped.kind(UNREADABLE, "the row of each value needs its time")
    for i in np.flatnonzero(times == NO_TIME).tolist():
        table.dropped.add(UNREADABLE, table.lines[i], repr(column.cells[i][:CELL]))
    return table.dropped.check(table.total)


def _length(path: Path, at: NDArray[np.int64], step: Step) -> int:
    """Return the number of steps. Raises DataError for so many without a row that they would fill the memory."""
    length = int(at[-1]) + 1
    if length > 1000 * len(at) + 1_000_000:
        raise DataError(
            f"{path}: {len(at):,} rows for {length:,} steps, every {step}; set `frequency` to their spacing, or remove "
            "rows that are far from the others in time"
        )
    return length


def _repeats(
    path: Path, table: Table, times: NDArray[np.int64], numbers: Floats, lines: NDArray[np.int64]
) -> NDArray[np.intp]:
    """Return which rows repeat the one before, with equal numbers; DataError if the numbers differ."""
    again = np.flatnonzero(np.diff(times) == 0) + 1
    here, there = numbers[again], numbers[again - 1]
    same = (here == there) | (np.isnan(here) & np.isnan(there))
    if same.all():
        return again
    at = again[~same.all(axis=1)]
    clocks = [name for name, cell in zip(table.columns, table.head[0], strict=True) if is_clock(cell.strip())]
    instead = (
        f"if column {clocks[0]!r} has the times of day, give both columns: `time: [{table.names['time']}, {clocks[0]}]`"
        if clocks and "time" in table.names
        else "keep one, or, where clocks are set back, write times with their offset (2026-10-25T02:30+01:00)"
    )
    raise DataError(
        f"{path}: {len(at):,} times occur twice with different values, first {iso_time(times[at[0]])} in "
        f"lines {lines[at[0] - 1]:,} and {lines[at[0]]:,}; {instead}"
    )


def _losses(path: Path, table: Table, grid: _Grid, whole: slice, numbers: Floats, row: OwnSeries) -> dict[str, int]:
    """Count the steps without a value, and the missing numbers of covariates; DataError if they are too many."""
    lost = Dropped(path, row.max_dropped, "steps")
    lost.kind(EMPTY, "write the value into the cell")
    lost.kind(NO_NUMBER, "write a number, or give the column of numbers as `value`")
    fewer = "set `frequency` to the spacing of the rows, or remove rows that are far from the others"
    lost.kind(NO_ROW, f"the grid has a step every {grid.step}; {fewer}")
    line = 0
    for step in range(whole.start, whole.stop):
        i = int(grid.rows[step])
        line = line if i < 0 else table.lines[i]
        if i < 0:
            lost.add(NO_ROW, line, f"no row follows for {grid.time(step)}")
        elif np.isnan(numbers[i, 0]):
            cell = table.cells["value"][i]
            lost.add(NO_NUMBER if cell else EMPTY, line, repr(cell[:CELL]) if cell else "no value")
    findings = lost.check(whole.stop - whole.start)
    rows = grid.rows[whole][grid.rows[whole] >= 0]
    return findings | {"extra_values_missing": _lost_covariates(path, table, rows, numbers, row)}


def _lost_covariates(path: Path, table: Table, rows: NDArray[np.int64], numbers: Floats, row: OwnSeries) -> int:
    missing = 0
    for j in range(1, numbers.shape[1]):
        key = f"covariates[{j - 1}]"
        lost = Dropped(path, row.max_dropped, f"numbers of column {table.names[key]!r}")
        lost.kind("extra_values_missing", "write a number")
        for i in rows[np.isnan(numbers[rows, j])].tolist():
            lost.add("extra_values_missing", table.lines[i], repr(table.cells[key][i][:CELL]))
        missing += sum(lost.check(len(rows)).values())
    return missing


def _series(
    grid: _Grid, whole: slice, columns: dict[str, Numbers], table: Table, losses: dict[str, int], row: OwnSeries
) -> Series:
    rows = grid.rows[whole]
    on_grid = {key: np.where(rows < 0, np.nan, column.values[rows]) for key, column in columns.items()}
    values = on_grid.pop("value")
    valid = ~np.isnan(values)
    before = np.maximum.accumulate(np.where(valid, np.arange(len(values)), 0))
    counts = {"points": len(values), "points_without_value": int(np.sum(~valid))}
    rewritten = {"numbers_in_another_notation": sum(column.rewritten for column in columns.values())}
    series = Series(
        values=values[before],
        valid=valid,
        unit=row.unit or columns["value"].unit,
        findings={**counts, **table.findings, **grid.findings, **losses, **rewritten},
        covariates={table.names[key]: column for key, column in on_grid.items()},
        dates=None if grid.days is None else grid.days[whole],
        test_start=None if grid.test_start is None else max(grid.test_start - whole.start, 0),
    )
    if grid.step is None:
        return series
    start = grid.time(whole.start)
    return replace(series, start=start, step_seconds=grid.step.seconds, step_months=grid.step.months)
