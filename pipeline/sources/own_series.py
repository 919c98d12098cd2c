"""Read a user's own series: a table (CSV, TSV) with a column of numbers and one of times, sorted onto an even grid.

Times are ISO 8601 (2026-01-31 13:45), day first with dots (31.01.2026 13:45) or year first with slashes. They are local
times, or have an offset and are converted to UTC.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema.sources import OwnSeries
from pipeline.encoding.dropped import SHOWN
from pipeline.encoding.records import Series
from pipeline.errors import DataError
from pipeline.sources.own_file import Table, find_own, read_table

NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")
SLASHED = re.compile(r"(\d{4})/(\d{1,2})/(\d{1,2})")
SHORT_HOUR = re.compile(r"[ T](\d):")
OFFSET = re.compile(r":\d\d(?:\.\d+)? ?(?:Z|[+-]\d\d(?::?\d\d)?)$")
UNITS = {"s": 1, "min": 60, "h": 3600, "D": 86_400, "W": 7 * 86_400}
SECOND = 1_000_000  # times are counted in microseconds
MALFORMED_SHARE = 0.01
AS_THEY_ARE = "or write `time: null` to take the rows in file order"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Rows:
    """Rows of the table.

    times: int64 [rows], microseconds since 1970.
    numbers: float64 [rows, 1 + covariates], NaN where a cell has no number.
    lines: int64 [rows], the line of the file that holds each row.
    """

    times: NDArray[np.int64]
    numbers: Floats
    lines: NDArray[np.int64]

    def __getitem__(self, which: NDArray[Any]) -> "_Rows":
        return _Rows(self.times[which], self.numbers[which], self.lines[which])


def read(folder: Path, row: OwnSeries) -> Series:
    """Read the values onto their grid; a missing step is not valid and repeats the value of the step before.

    Covariates are NaN where there is no number. Raises DataError if a time occurs with different values, if times do
    not fit a grid, or if more than half of the values are missing.
    """
    path = find_own(folder, row)
    covariates = {f"covariates[{i}]": column for i, column in enumerate(row.covariates)}
    time = {} if row.time is None else {"time": row.time}
    table = read_table(path, row, {"value": row.value, **time, **covariates})
    if not table.lines:
        raise DataError(f"{path}: no rows below the header")
    numbers = np.array([[_number(cell, row.decimal) for cell in table.cells[key]] for key in ("value", *covariates)]).T
    findings = table.findings | table.dropped.check(table.total) | _check_numbers(path, table, numbers, row)
    start, step = None, None
    if row.time is not None:
        rows, time_findings = _timed(path, table.cells["time"], numbers, np.array(table.lines))
        step = _step(path, rows.times, row.frequency)
        numbers, filled = _on_grid(path, rows, step)
        start, findings = int(rows.times[0]), findings | time_findings | {"missing_steps_filled": filled}
    known = np.flatnonzero(~np.isnan(numbers[:, 0]))
    whole = slice(int(known[0]), int(known[-1]) + 1)  # tables often have rows before the first and after the last value
    start = None if start is None or step is None else start + step * whole.start
    findings |= {"steps_without_value_cut_off_at_the_ends": len(numbers) - (whole.stop - whole.start)}
    return _series(numbers[whole], start, step, [table.names[key] for key in covariates], findings, row)


def _series(
    numbers: Floats,
    start: int | None,
    step: int | None,
    covariates: Sequence[str],
    findings: dict[str, int],
    row: OwnSeries,
) -> Series:
    values, valid = numbers[:, 0], ~np.isnan(numbers[:, 0])
    before = np.maximum.accumulate(np.where(valid, np.arange(len(values)), 0))
    series = Series(
        values=values[before],
        valid=valid,
        unit=row.unit,
        findings={"points": len(values), "points_without_value": int(np.sum(~valid)), **findings},
        covariates={name: numbers[:, i] for i, name in enumerate(covariates, start=1)},
    )
    if start is None or step is None:
        return series
    return replace(series, start=str(np.datetime64(start, "us").astype("datetime64[s]")), step_seconds=step // SECOND)


def _number(cell: str, decimal: str) -> float:
    """Parse a cell; NaN if it is not a finite number. 1.234,5 is NaN too: thousands separators are not guessed."""
    plain = cell if decimal == "." else cell.replace(".", "?").replace(",", ".")
    value = float(plain) if NUMBER.fullmatch(plain) else np.nan
    return value if np.isfinite(value) else np.nan


def _check_numbers(path: Path, table: Table, numbers: Floats, row: OwnSeries) -> dict[str, int]:
    """Count the cells without a number; DataError if they are more than half of the values."""
    name, cells = table.names["value"], table.cells["value"]
    if row.header and not np.isnan(_number(name, row.decimal)):
        raise DataError(
            f"{path}: line 1 is read as the header, but has the value {name!r}; write `header: false`, and give "
            "columns as numbers"
        )
    missing = np.isnan(numbers[:, 0])
    wrong = [int(i) for i in np.flatnonzero(missing) if cells[i]]
    if 2 * missing.sum() > len(cells):
        example = f" (line {table.lines[wrong[0]]:,}: {cells[wrong[0]][:40]!r})" if wrong else ""
        raise DataError(
            f"{path}: {missing.sum():,} of {len(cells):,} values are not numbers{example}; `value` must name their "
            f"column, and `decimal` (now {row.decimal!r}) must be their decimal separator"
        )
    return {
        "empty_values": int(missing.sum()) - len(wrong),
        "values_that_are_no_numbers": len(wrong),
        "extra_values_missing": int(np.isnan(numbers[:, 1:]).sum()),
    }


def _timed(path: Path, cells: Sequence[str], numbers: Floats, lines: NDArray[np.int64]) -> tuple[_Rows, dict[str, int]]:
    """Sort the rows by time and drop repeats; DataError if a time occurs twice with different numbers."""
    times, offsets = _times(path, cells, lines)
    readable = times != np.iinfo(np.int64).min
    rows = _Rows(times, numbers, lines)[readable]
    backwards = int(np.sum(np.diff(rows.times) < 0))
    rows = rows[np.argsort(rows.times, kind="stable")]
    again = np.flatnonzero(np.diff(rows.times) == 0) + 1
    here, there = rows.numbers[again], rows.numbers[again - 1]
    same = (here == there) | (np.isnan(here) & np.isnan(there))
    if not same.all():
        at = again[~same.all(axis=1)]
        raise DataError(
            f"{path}: {len(at):,} times occur twice with different values, first {_iso_time(rows.times[at[0]])} in "
            f"lines {rows.lines[at[0] - 1]:,} and {rows.lines[at[0]]:,}; keep one, or, where clocks are set back, "
            "write times with their offset (2026-10-25T02:30+01:00)"
        )
    findings = {
        "unreadable_times_dropped": int(np.sum(~readable)),
        "times_with_an_offset_converted_to_utc": offsets,
        "rows_earlier_than_the_one_before": backwards,
        "repeated_times_dropped": len(again),
    }
    return rows[np.setdiff1d(np.arange(len(rows.times)), again)], findings


def _times(path: Path, cells: Sequence[str], lines: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """Parse the times. Return int64 [rows], microseconds since 1970, and how many times have an offset.

    A time that cannot be parsed becomes the lowest int64. Raises DataError if these are too many, or if only some times
    have an offset.
    """
    import pandas

    offsets = sum(OFFSET.search(cell) is not None for cell in cells)
    if 0 < offsets < len(cells):
        raise DataError(
            f"{path}: {offsets:,} of {len(cells):,} times have an offset such as +01:00; expected all or none"
        )
    parsed = pandas.to_datetime(pandas.Series(map(_iso, cells)), format="ISO8601", utc=True, errors="coerce")
    times = parsed.dt.tz_convert(None).to_numpy("datetime64[us]")
    wrong = np.flatnonzero(np.isnat(times))
    if len(wrong) > MALFORMED_SHARE * len(cells):
        examples = "; ".join(f"line {lines[i]:,}: {cells[i][:40]!r}" for i in wrong[:SHOWN])
        raise DataError(
            f"{path}: {len(wrong):,} of {len(cells):,} times cannot be read ({examples}); write 2026-01-31 13:45 or "
            f"31.01.2026 13:45, {AS_THEY_ARE}"
        )
    return times.astype(np.int64), offsets


def _iso(cell: str) -> str:
    if date := DOTTED.match(cell):
        cell = f"{date[3]}-{date[2]:0>2}-{date[1]:0>2}{cell[date.end() :]}"
    elif date := SLASHED.match(cell):
        cell = f"{date[1]}-{date[2]:0>2}-{date[3]:0>2}{cell[date.end() :]}"
    return SHORT_HOUR.sub(r" 0\1:", cell)


def _step(path: Path, times: NDArray[np.int64], frequency: str | None) -> int:
    """Return the step of the grid in microseconds: `frequency`, or the most common difference between times."""
    if len(times) < 2:
        raise DataError(f"{path}: {len(times)} different times; expected two or more")
    if frequency is not None:
        count, unit = re.findall(r"\d+|\D+", frequency)
        return int(count) * UNITS[unit] * SECOND
    steps, counts = np.unique(np.diff(times), return_counts=True)
    step = int(steps[counts.argmax()])
    if step % SECOND:
        raise DataError(f"{path}: most times are {step / SECOND:g} s apart; expected whole seconds, {AS_THEY_ARE}")
    return step


def _on_grid(path: Path, rows: _Rows, step: int) -> tuple[Floats, int]:
    """Put the rows on an even grid: float64 [steps, 1 + covariates], NaN at missing steps; also count these steps."""
    at, rest = np.divmod(rows.times - rows.times[0], step)
    off = np.flatnonzero(rest)
    grid = f"every {step // SECOND:,} s from {_iso_time(rows.times[0])}"
    if len(off):
        examples = "; ".join(f"line {rows.lines[i]:,}: {_iso_time(rows.times[i])}" for i in off[:SHOWN])
        raise DataError(
            f"{path}: {len(off):,} of {len(at):,} times are off the grid, {grid} ({examples}); set `frequency` to a "
            f"step that fits all of them, {AS_THEY_ARE}"
        )
    length = int(at[-1]) + 1
    present = int(np.sum(~np.isnan(rows.numbers[:, 0])))
    if length > 2 * present:
        raise DataError(
            f"{path}: {present:,} values for {length:,} steps {grid}, more than half are missing; set `frequency`, or "
            "remove rows that are far from the others in time"
        )
    numbers = np.full((length, rows.numbers.shape[1]), np.nan)
    numbers[at] = rows.numbers
    return numbers, length - len(at)


def _iso_time(time: np.int64) -> str:
    return str(np.datetime64(int(time), "us").astype("datetime64[s]"))
