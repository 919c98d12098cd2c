"""Propose rows for a series of numbers, and for prices."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from pipeline.config.schema.sources import OwnRows, OwnSeries
from pipeline.encoding.records import Series
from pipeline.encoding.series_features import lookback
from pipeline.errors import DataError, UserError
from pipeline.proposals import settings
from pipeline.proposals.columns import Cells, TableLook
from pipeline.proposals.look import Look
from pipeline.proposals.proposal import Proposal, record, shortened
from pipeline.sources.own_file import find_own, read_table
from pipeline.sources.own_grid import Step
from pipeline.sources.own_numbers import NINES, Column, read_numbers
from pipeline.sources.own_times import NO_TIME, read_times

CLOSE = re.compile(r"(adj\.? ?)?(close|close/last|last|settle(ment)?|price)", re.IGNORECASE)
OF_PRICES = ("high", "low", "volume")
TARGETS = re.compile(r"value|target|^y$|total|sales|demand|load|count|visits|kwh?", re.IGNORECASE)
MOST_COVARIATES = 8
LAGS, TARGETS_OF_A_PART = 20, 24  # as in forecasting
SHARES: tuple[dict[str, float], ...] = ({}, {"validation": 0.15}, {"validation": 0.25, "test": 0.25})
SHOWN = 3


@dataclass(frozen=True)
class Numbers:
    """The columns of a table of numbers: the one to forecast, further ones, and those of the times."""

    value: Cells
    further: list[Cells]
    time: list[Cells]


def columns(table: TableLook | None) -> Numbers | None:
    """Return which columns make a series, or None if no column has numbers."""
    if table is None:
        return None
    days = [one for one in table.columns if one.is_times and not one.is_clock][:1]
    clocks = [one for one in table.columns if one.is_clock][:1]
    time = [*days, *clocks] if days and days[0].different < len(days[0].filled) else days
    numbers = [
        one for one in table.columns if one.is_numbers and one not in days and one not in clocks and not _counts(one)
    ]
    if not numbers:
        return None
    value = min(numbers, key=lambda one: not TARGETS.search(one.name)) if table.header else numbers[0]
    return Numbers(value, [one for one in numbers if one is not value and one.different > 1], time)


def _counts(column: Cells) -> bool:
    """Tell whether a column only numbers the rows."""
    cells = column.filled
    named = column.name.lower() in ("", "id", "index", "no", "nr", "row")
    whole = all(map(str.isdecimal, cells)) and len(cells) > 2
    return whole and (named or column.number == 1) and all(int(b) > int(a) for a, b in pairwise(cells))


def close(table: TableLook | None) -> Cells | None:
    """Return the column of closing prices, or None: named like one, above zero, beside a column of days."""
    found = columns(table)
    if table is None or found is None or not table.header or len(found.time) != 1:
        return None
    named = [one for one in (found.value, *found.further) if CLOSE.fullmatch(one.name)]
    named.sort(key=lambda one: one.name.lower() not in ("close", "close/last"))
    daily = found.time[0].different == len(found.time[0].filled) and not any(":" in c for c in found.time[0].filled)
    return named[0] if named and daily and not any("-" in cell for cell in named[0].filled) else None


def of_prices(look: Look, table: TableLook | None) -> Proposal:
    """Propose forecasts of returns."""
    found = columns(table)
    if table is None or found is None:
        raise UserError(f"{look.name}: cannot be read as prices: no column has numbers")
    value = close(table) or found.value
    further = [one for one in found.further if one.name.lower() in OF_PRICES]
    further = further if len(further) == len(OF_PRICES) else []
    own = _own(look, table, value, further, found.time)
    if found.time:
        own["even"] = False
    series, own, why = _read(look, own)
    reasons = (
        *table.evidence,
        f"value: {table.key(value)}, the price of each row",
        *(("even: false: trading days are at uneven times; the rows are sorted by day",) if found.time else ()),
        *why,
        f"a network for {len(series.values):,} days; tomorrow's price is mostly today's, so it forecasts returns",
    )
    network = settings.prices_network(len(series.values))
    data: dict[str, Any] = {} if series.test_start is None else {"origins": 1}
    return Proposal("prices", own, data, network, reasons, tuple(_examples(series)))


def of_series(look: Look, table: TableLook | None) -> Proposal:
    """Propose forecasts of a series."""
    found = columns(table)
    if table is None or found is None:
        raise UserError(f"{look.name}: cannot be read as a series: no column has numbers")
    further = found.further[:MOST_COVARIATES]
    own = _own(look, table, found.value, further, found.time)
    series, own, why = _read(look, own)
    data, spacing = _data(series)
    if own.get("covariates"):
        data["covariates"] = list(series.covariates)
    times = " and ".join(str(table.key(one)) for one in found.time)
    reasons = (
        *table.evidence,
        f"time: {times}" if times else "time: null: no column has times, so the rows are taken as they are",
        f"value: {table.key(found.value)}{_others(found, series)}",
        *why,
        spacing,
        f"a network for {len(series.values):,} steps",
    )
    network = settings.series_network(_training(series, data))
    return Proposal("series", own, data, network, reasons, tuple(_examples(series)))


def _others(found: Numbers, series: Series) -> str:
    if not found.further:
        return ""
    used = ", ".join(series.covariates)
    return f"; other columns of numbers help as covariates: {used}" if used else "; the other columns are left out"


def _own(look: Look, table: TableLook, value: Cells, further: Sequence[Cells], time: Sequence[Cells]) -> dict[str, Any]:
    own: dict[str, Any] = {**look.keys, "reader": "own_series", **table.keys(look.name)}
    names = [table.key(one) for one in time]
    own |= {"time": names[0] if len(names) == 1 else names or None, "value": table.key(value)}
    return {**own, "covariates": [table.key(one) for one in further]} if further else own


def _read(look: Look, own: dict[str, Any]) -> tuple[Series, dict[str, Any], tuple[str, ...]]:
    """Read the series; decide what its cells leave open. Return it, the row, and what was decided."""
    written, reasons = _notation(look, own)
    own = {**own, **written}
    try:
        return record(look, own), own, reasons
    except DataError as first:
        for change, why in _ways_out(own):
            changed = {key: value for key, value in {**own, **change}.items() if key not in change or value != ()}
            try:
                return record(look, changed), changed, (*reasons, f"{why} ({shortened(str(first))})")
            except DataError:
                continue
        raise


def _ways_out(own: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield changes of a row that cannot be read: () leaves a key out."""
    if own.get("covariates"):
        yield {"covariates": ()}, "the further columns of numbers are left out, since they cannot be used"
    if own["time"] is not None and own.get("even", True):
        yield {"even": False}, "even: false: the times are on no even grid, so rows are taken in the order of time"
        yield {"even": False, "covariates": ()}, "even: false, and no further columns: the times are on no even grid"


def _notation(look: Look, own: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the keys of a row for what no cell of its columns decides, and why they are so."""
    row = TypeAdapter[OwnRows](OwnRows).validate_python({**own, "max_dropped": 0.99})
    assert isinstance(row, OwnSeries)
    wanted = {"value": row.value, **{f"time[{i}]": name for i, name in enumerate(row.time)}}
    wanted |= {f"covariates[{i}]": name for i, name in enumerate(row.covariates)}
    path = find_own(look.folder, row)
    cells = read_table(path, row, wanted)
    keys: dict[str, Any] = {}
    reasons: list[str] = []
    for key in wanted:
        if key.startswith("time"):
            continue
        column = Column(path, cells.names[key], cells.cells[key], cells.lines, row.separator or ",", missing=())
        decimal = _undecided(lambda mark, column=column: read_numbers(column, mark), (None, ",", "."))
        if decimal is not None and "decimal" not in keys:
            keys["decimal"] = "," if row.separator == ";" else "."
            read_numbers(column, keys["decimal"])
            reasons.append(
                f"decimal: {keys['decimal']!r}: a guess, since no number decides it; look at the records below"
            )
        marks = [cell for cell in dict.fromkeys(column.cells) if NINES.fullmatch(cell)]
        if key == "value" and marks and _undecided(lambda m, c=column: _marked(c, m), (None, ())) is not None:
            keys["missing"] = marks
            reasons.append(f"missing: {', '.join(marks)}: far from all other values, and again and again")
    times = [" ".join(parts) for parts in zip(*(cells.cells[k] for k in wanted if k.startswith("time")), strict=True)]
    order = _day_first(Column(path, "time", times, cells.lines)) if times else None
    if order is not None:
        keys["day_first"] = order
        what = "the day" if order else "the month"
        reasons.append(f"day_first: {str(order).lower()}: a guess, since no date decides it; {what} first is more even")
    return keys, tuple(reasons)


def _marked(column: Column, missing: Any) -> Any:
    return read_numbers(Column(column.path, column.name, column.cells, column.lines, column.delimiter, missing), None)


def _undecided(read: Any, choices: Sequence[Any]) -> Any:
    """Return the first choice with which a column can be read if None is not enough, else None."""
    for choice in choices:
        try:
            read(choice)
        except DataError:
            continue
        return choice
    return None


def _day_first(column: Column) -> bool | None:
    """Return the order of dates that no cell decides, by the spacing that it gives; None if the cells decide it."""
    spacings: dict[bool | None, int] = {}
    for first in (None, True, False):
        try:
            times = read_times(column, first).local
        except DataError:
            continue
        if first is None:
            return None
        spacings[first] = len(np.unique(np.diff(np.sort(times[times != NO_TIME]))))
    return min(spacings, key=lambda first: spacings[first]) if spacings else None


def _data(series: Series) -> tuple[dict[str, Any], str]:
    """Return the row of the data set, and why it is so: horizons and seasons that the series is long enough for."""
    ahead, seasons = settings.of_spacing(series.step_seconds, series.step_months)
    spacing = Step(series.step_seconds, series.step_months)
    for horizons, periods, shares in _choices(ahead, seasons):
        if series.test_start is not None:
            shares.pop("test", None)
        if _fits(len(series.values), horizons, periods, shares, series.test_start):
            break
    data: dict[str, Any] = {"horizons": list(horizons)}
    if periods:
        data["seasonal_periods"] = list(periods)
    if series.start is not None and series.step_months != 12:
        data["calendar"] = True
    data |= shares
    short = "" if (horizons, periods) == (ahead, seasons) else "; it is too short for more"
    if series.start is None:
        return data, f"horizons: {data['horizons']}: no even clock, so no seasons"
    seen = f", seasonal_periods: {list(periods)}" if periods else ""
    return data, f"horizons: {list(horizons)}{seen}: a step is {spacing}{short}"


def _choices(
    ahead: tuple[int, ...], seasons: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...], dict[str, float]]]:
    for last in range(len(ahead), 0, -1):
        for most in range(len(seasons), -1, -1):
            for shares in SHARES:
                yield ahead[:last], seasons[:most], dict(shares)


def _fits(
    n: int, horizons: tuple[int, ...], periods: tuple[int, ...], shares: dict[str, float], test_start: int | None
) -> bool:
    validation, test = shares.get("validation", 0.1), shares.get("test", 0.2)
    end = round(n * (1 - test)) if test_start is None else test_start
    cuts = end - round(n * validation), end
    past = lookback({"lags": LAGS, "seasonal_periods": periods, "seasonal_means": False})
    return min(cuts[0] - past, cuts[1] - cuts[0], n - cuts[1]) >= max(horizons) + TARGETS_OF_A_PART


def _training(series: Series, data: dict[str, Any]) -> int:
    """Return how many steps of the training part have a past and a target."""
    n = len(series.values)
    past = max([LAGS, *data.get("seasonal_periods", [])]) + max(data["horizons"])
    end = n * (1 - data.get("test", 0.2)) if series.test_start is None else series.test_start
    return int(end - n * data.get("validation", 0.1) - past)


def _examples(series: Series) -> Iterator[str]:
    n = len(series.values)
    for i in [*range(min(SHOWN, n)), n - 1]:
        further = "".join(f"  {name} {column[i]:g}" for name, column in series.covariates.items())
        yield f"{_time(series, i)}  {f'{series.values[i]:g} {series.unit}'.strip()}{further}"


def _time(series: Series, i: int) -> str:
    if series.dates is not None:
        return str(series.dates[i])
    if series.start is None:
        return f"row {i + 1}"
    if series.step_months:
        month = np.datetime64(series.start, "M") + i * series.step_months
        return str(month)
    return str(np.datetime64(series.start, "s") + i * (series.step_seconds or 0)).replace("T", " ")
