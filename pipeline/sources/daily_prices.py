"""Read the tables of the sources of daily prices, and write random walks in the same format.

The logarithm of a synthetic price is a martingale. Each change is the product of a spread and of noise, which is drawn
from a symmetric distribution with heavy tails and independent of everything before, the spread included. So the return
of the next day has mean and median zero, whatever the past. Rounding moves prices by less than a thousandth of a
day's change.
"""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Series
from pipeline.errors import DataError
from pipeline.synthesis import optimum

MISSING = ("", "-", "null")  # how Yahoo and others mark a day without trades
COLUMNS = ("open", "high", "low", "close", "volume")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
NUMBER = re.compile(r"[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?")
LARGEST = 1e30  # of prices and volumes; prices are at least 1e-30, so that their squares stay finite
TAILS = 5  # degrees of freedom of Student's t
LONG_GAP = np.timedelta64(4, "D")  # a weekend with a holiday on either side is not a gap


def read_prices(path: Path, header: str, unit: str, *, ends_with_newline: bool = True) -> Series:
    """Read a table of daily prices with the columns of `header`.

    The values are the adjusted close, or the close if there is no such column. Days with a missing cell are left out
    and counted. Raises DataError, which names the line, for a row with another number of cells, a cell that is not a
    number, a price that is not positive, and a date that is not after the one before.
    """
    raw = path.read_bytes()
    if ends_with_newline and not raw.endswith(b"\n"):
        raise DataError(f"{path}: the last line has no line end, so the file is truncated; run the download again")
    lines = raw.decode("utf-8", "replace").splitlines()
    if lines[0] != header:
        raise DataError(f"{path}: line 1 is {lines[0][:80]!r}, expected {header!r}")
    names = header.split(",")[1:]
    dates: list[np.datetime64] = []
    prices: list[list[float]] = []
    missing = 0
    for where, cells in _rows(path, lines[1:]):
        if len(cells) != len(names) + 1:
            raise DataError(f"{where} has {len(cells)} cells, expected {len(names) + 1}: {header}")
        if any(cell in MISSING for cell in cells[1:]):
            missing += 1
            continue
        dates.append(_date(where, cells[0], dates))
        prices.append([_number(where, *pair) for pair in zip(names, cells[1:], strict=True)])
    if not prices:
        raise DataError(f"{path}: no day with prices below the header")
    martingale = bool(optimum.load(path.parent).get("martingale", False))
    return _series(np.array(prices), np.array(dates), names, unit, missing, martingale=martingale)


def _rows(path: Path, lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the place and the cells of each line below the header; DataError for a line that is none of a table."""
    for number, line in enumerate(lines, start=2):
        where = f"{path}: line {number}"
        try:
            cells = next(csv.reader([line], strict=True), [])
        except csv.Error as error:
            raise DataError(f"{where} cannot be split into cells ({error}): {line[:30]!r}") from None
        yield where, cells


def _date(where: str, cell: str, before: list[np.datetime64]) -> np.datetime64:
    date: np.datetime64
    try:
        date = np.datetime64(cell if DATE.fullmatch(cell) else "NaT", "D")
    except ValueError:  # there is no 30 February
        date = np.datetime64("NaT", "D")
    if np.isnat(date):
        raise DataError(f"{where} begins with {cell[:30]!r}, expected a date such as '2024-02-07'")
    if before and date <= before[-1]:
        raise DataError(f"{where} is dated {date}, expected a date after {before[-1]}: each day once, oldest first")
    return date


def _number(where: str, name: str, cell: str) -> float:
    value = float(cell) if NUMBER.fullmatch(cell) else np.nan
    low = 0.0 if name == "Volume" else 1 / LARGEST
    if not low <= value <= LARGEST:
        expected = "a number of at least 0" if name == "Volume" else "a price above 0"
        raise DataError(f"{where} has {cell[:30]!r} as {name}, expected {expected}, such as 26.5")
    return value


def _series(
    table: NDArray[np.float64],
    dates: NDArray[np.datetime64],
    names: list[str],
    unit: str,
    missing: int,
    *,
    martingale: bool,
) -> Series:
    """Make the record of `table`, float64 [time, columns]; martingale: the best forecast of a price is the last one."""
    columns = {name.lower(): table[:, i] for i, name in enumerate(names)}
    values = columns.pop("adj close", columns["close"])
    findings = {
        "days": len(dates),
        "days_with_missing_cells_left_out": missing,
        "gaps_of_more_than_4_days": int(np.sum(np.diff(dates) > LONG_GAP)),
        "days_with_close_outside_low_and_high": int(
            np.sum((columns["close"] > columns["high"]) | (columns["close"] < columns["low"]))
        ),
    }
    return Series(
        values,
        np.ones(len(values), np.bool_),
        unit,
        findings=findings,
        covariates={name: columns[name] for name in COLUMNS},
        dates=dates,
        optimum=values[:, np.newaxis] if martingale else None,
    )


def random_walk(seed: int, first: str, days: int, price: float) -> tuple[list[str], dict[str, NDArray[np.float64]]]:
    """Return `days` weekdays from `first` on and synthetic columns: volatility changes slowly, returns are random.

    The close is the martingale.
    """
    random = np.random.default_rng(seed)
    start = np.busday_offset(np.datetime64(first, "D"), 0, roll="forward")
    dates = [str(np.busday_offset(start, i)) for i in range(days)]
    spread = 0.009 * np.exp(0.4 * np.sin(np.arange(days) / 40.0) + random.normal(0.0, 0.2, days))
    close = price * np.exp(np.cumsum(spread * random.standard_t(TAILS, days) / np.sqrt(TAILS / (TAILS - 2))))
    before = np.concatenate([[price], close[:-1]])
    opened = before * np.exp(0.3 * spread * random.normal(size=days))
    high = np.maximum(opened, close) * np.exp(np.abs(0.4 * spread * random.normal(size=days)))
    low = np.minimum(opened, close) * np.exp(-np.abs(0.4 * spread * random.normal(size=days)))
    volume = np.round(3e7 * np.exp(random.normal(0.0, 0.3, days) + 20 * spread))
    return dates, {"open": opened, "high": high, "low": low, "close": close, "volume": volume}


def write_prices(
    path: Path, header: str, dates: list[str], columns: dict[str, NDArray[np.float64]], digits: int
) -> None:
    """Write the table with the columns of `header`, and next to it that the prices are a martingale.

    Prices have `digits` decimals, volumes are whole numbers.
    """
    names = [name.lower() for name in header.split(",")[1:]]
    lines = [header]
    for i, date in enumerate(dates):
        cells = [f"{columns[n][i]:.{0 if n == 'volume' else digits}f}" for n in names]
        lines.append(",".join([date, *cells]))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(("\n".join(lines) + "\n").encode("ascii"))
    optimum.save(path.parent, martingale=np.array(True))
