"""Read a column of times as people write them: ISO 8601, 31.1.2026, 01/31/2026 1:45 PM, Jan 2024, 2024Q1, 1767225600.

Whether the day or the month comes first in 01/02/2026 is decided by other cells of the column, or by `day_first` of the
row. A cell with digits that cannot be read is an error.
"""

import re
from dataclasses import dataclass
from datetime import date
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DataError
from pipeline.sources.own_numbers import Column, holds_digits, plain_characters

SECOND = 1_000_000  # times are counted in microseconds
DAY = 86_400 * SECOND
NO_TIME = np.iinfo(np.int64).min
EPOCH = date(1970, 1, 1).toordinal()
MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
NUMBERS = {name[:length]: i for i, name in enumerate(MONTHS, start=1) for length in (3, len(name))} | {"sept": 9}
NAME = f"(?P<name>{'|'.join(sorted(NUMBERS, key=len, reverse=True))})"
WEEKDAY = re.compile(r"(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+", re.IGNORECASE)
# Zones that are written as letters and mean one offset only; in hours.
ZONES = {"z": 0, "utc": 0, "gmt": 0, "wet": 0, "west": 1, "cet": 1, "cest": 2, "eet": 2, "eest": 3}

DAYS = (
    r"(?P<y>\d{4})(?P<s>[-/.])(?P<m>\d{1,2})(?P=s)(?P<d>\d{1,2})",
    r"(?P<a>\d{1,2})(?P<s>[-/.])\s?(?P<b>\d{1,2})(?P=s)\s?(?P<y>\d{4})",
    r"(?P<y>\d{4})(?P<m>\d\d)(?P<d>\d\d)",
    rf"(?P<d>\d{{1,2}})\.?[-/\s]?{NAME}\.?[-/,\s]{{0,2}}(?P<y>\d{{4}})",
    rf"{NAME}\.?\s(?P<d>\d{{1,2}})(?:st|nd|rd|th)?,?\s(?P<y>\d{{4}})",
    rf"(?P<y>\d{{4}})[-/\s]?{NAME}[-/\s](?P<d>\d{{1,2}})",
    r"(?P<y>\d{4})年(?P<m>\d{1,2})月(?P<d>\d{1,2})日",
    r"(?P<y>\d{4})-?W(?P<week>\d\d)(?:-?(?P<weekday>[1-7]))?",
)
SPANS = (  # of more than a day, which have no clock
    r"(?P<y>\d{4})[-/](?P<m>\d{1,2})",
    r"(?P<m>\d{1,2})[-/.](?P<y>\d{4})",
    r"(?P<y>\d{4})-?M(?P<m>\d{1,2})",
    r"(?P<y>1[5-9]\d\d|2[01]\d\d)(?P<m>\d\d)",
    rf"{NAME}\.?[-/,\s]{{0,2}}(?P<y>\d{{4}})",
    rf"(?P<y>\d{{4}})[-/\s]?{NAME}",
    r"(?P<y>\d{4})年(?P<m>\d{1,2})月",
    r"(?P<y>\d{4})[-/\s]?Q(?P<q>[1-4])",
    r"Q(?P<q>[1-4])[-/\s]?(?P<y>\d{4})",
    r"(?P<q>[1-4])Q[-/\s]?(?P<y>\d{4})",
    r"(?P<y>1[5-9]\d\d|2[01]\d\d)",
)
CLOCK = (
    r"(?:[T,:]\s*|\s+)(?:(?P<H>\d{1,2})[:h](?P<M>\d\d)(?::(?P<S>\d\d))?(?:[.,](?P<f>\d{1,9}))?|(?P<compact>\d{4}|\d{6})"
    r"|(?P<hour>\d{1,2}))\s*(?P<half>[ap]\.?m\.?)?"
)
OFFSET = (
    rf"\s*(?P<zone>{'|'.join(sorted(ZONES, key=len, reverse=True))})?\s*(?P<offset>[+-]\d{{1,2}}(?::?\d\d)?)?"
    r"(?:\s*(?:UTC|GMT|Z))?(?:\s?\([^()]*\)|\[[^\[\]]*\])?"
)
FORMS = [
    *(re.compile(rf"{day}(?:{CLOCK}(?:{OFFSET}))?", re.IGNORECASE | re.ASCII) for day in DAYS),
    re.compile(r"(?P<y>\d{4})(?P<m>\d\d)(?P<d>\d\d)(?P<compact>\d{4}|\d{6})", re.ASCII),
    *(re.compile(span, re.IGNORECASE | re.ASCII) for span in SPANS),
    re.compile(r"(?P<since>\d{9,10})(?:\.(?P<f>\d{1,9}))?|(?P<fine>\d{13}|\d{16}|\d{19})", re.ASCII),
]
ZONE_NAME = re.compile(r":\d\d ?[A-Za-z]+(?:/[A-Za-z_]+)*$")
SHORT_DAY = r"\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
# Digits that two forms can have, so that only a cell which has one of them decides.
UNDECIDED = {
    re.compile(rf"(?:19|20){SHORT_DAY}(?:[01]\d|2[0-4])"): "a date and an hour, or seconds since 1970",
    re.compile(SHORT_DAY): "a year and a month, or a day of a year of two digits",
    re.compile(rf"{SHORT_DAY}(?:[01]\d|2[0-4])[0-5]\d[0-5]\d"): "a time without seconds, or a year of two digits",
}
Parts = dict[str, str | None]


@dataclass(frozen=True)
class Times:
    """A column of times.

    local: int64 [cells], microseconds since 1970 as the clock shows it, NO_TIME where a cell has no digit.
    offset: int64 [cells], of that clock from UTC in microseconds, or None if no cell has one.
    """

    local: NDArray[np.int64]
    offset: NDArray[np.int64] | None


def read_times(column: Column, day_first: bool | None) -> Times:
    """Read a column of times.

    day_first: whether 01/02/2026 is 1 February, or None to let the cells decide; with dots, the day then comes first
    unless a cell contradicts it. Raises DataError for a cell with digits that cannot be read, if only some times have
    an offset, and if the cells do not decide the order of the date.
    """
    cells = column.cells
    found = {i: _parts(text) for i, text in enumerate(cells) if holds_digits(text)}
    _check_digits(column, found)
    orders = {sign: _order(sign, column, found, day_first) for sign in "-/."}
    local, offset = np.full(len(cells), NO_TIME), np.zeros(len(cells), np.int64)
    with_offset = []
    for i, parts in found.items():
        moment = None if parts is None else _moment(parts, orders)
        if moment is None:
            _unread(i, column)
        local[i] = moment[0]
        if moment[1] is not None:
            offset[i] = moment[1]
            with_offset.append(i)
    if with_offset and len(with_offset) < len(found):
        without = min(found.keys() - set(with_offset))
        raise DataError(
            f"{column.at(without)} without an offset such as +01:00, and {column.also(with_offset[0])} with one; write "
            "all times with it or none"
        )
    return Times(local, offset if with_offset else None)


def is_time(cell: str) -> bool:
    """Tell whether a cell is a time that cannot be taken for a number."""
    parts = _parts(cell)
    numeric = plain_characters(cell).replace(".", "").isdecimal()
    return parts is not None and not numeric and _moment(parts, dict.fromkeys("-/.", True)) is not None


def is_clock(cell: str) -> bool:
    """Tell whether a cell is a time of day without a date."""
    return re.fullmatch(CLOCK, f" {cell}", re.IGNORECASE | re.ASCII) is not None and ":" in cell


def _parts(text: str) -> Parts | None:
    """Return the named parts of a time, or None if it has none of the FORMS."""
    cell = WEEKDAY.sub("", plain_characters(text), count=1)
    match = next((match for form in FORMS if (match := form.fullmatch(cell))), None)
    return None if match is None else match.groupdict()


def _unread(at: int, column: Column) -> NoReturn:
    text = column.cells[at]
    what = "which is no time that can be read"
    instead = "write it as 2026-01-31 13:45, or set `time: null` in the row of `own` to take the rows in file order"
    if is_clock(text):
        what = "a time of day without a date"
        instead = "give the columns of the date and of the time of day in the row of `own`: `time: [date, time]`"
    elif ZONE_NAME.search(text):
        what = "whose time zone is not known"
        instead = "write its offset from UTC instead of its name: 2026-01-31 13:45+01:00"
    raise DataError(f"{column.at(at)}, {what}; {instead}")


def _check_digits(column: Column, found: dict[int, Parts | None]) -> None:
    """Raise DataError for digits without separators that can be read in two ways in each row."""
    for form, readings in UNDECIDED.items():
        if found and all(form.fullmatch(column.cells[i]) for i in found):
            raise DataError(f"{column.at(min(found))}, which may be {readings}; write it as 2026-01-31 13:45")


def _order(sign: str, column: Column, found: dict[int, Parts | None], day_first: bool | None) -> bool:
    """Return whether the day comes before the month in dates such as 01/02/2026 with `sign` between their parts."""
    if day_first is not None:
        return day_first
    dates = {i: parts for i, parts in found.items() if parts and parts.get("a") and parts["s"] == sign}
    first, second = (next((i for i in dates if int(dates[i][key] or 0) > 12), None) for key in "ab")
    if first is not None and second is not None:
        raise DataError(
            f"{column.at(first)} and {column.also(second)}: the day "
            "comes first in one and the month in the other; write all dates as 2026-01-31"
        )
    if first is None and second is None and sign != ".":
        unsure = next((i for i in dates if int(dates[i]["a"] or 0) != int(dates[i]["b"] or 0)), None)
        if unsure is not None:
            raise DataError(
                f"{column.at(unsure)}, and no date of the column shows whether the day or the month comes "
                "first; write `day_first: true` or `day_first: false` in the row of `own`"
            )
    return second is None


def _moment(parts: Parts, orders: dict[str, bool]) -> tuple[int, int | None] | None:
    """Return the microseconds since 1970 of the clock, and of its offset from UTC or None; None if there is no such
    time."""
    if parts.get("since") or parts.get("fine"):
        since = _since(parts)
        return None if since is None else (since, 0)
    try:
        day = (_date(parts, orders).toordinal() - EPOCH) * DAY
        return day + _clock(parts), _offset(parts)
    except ValueError:
        return None


def _since(parts: Parts) -> int | None:
    """Return microseconds from seconds since 1970 (9 or 10 digits), or thousandths, millionths or billionths."""
    if parts["since"]:
        return int(parts["since"]) * SECOND + _fraction(parts["f"])
    digits = parts["fine"] or ""
    whole = int(digits[:10]) * SECOND + int(digits[10:].ljust(6, "0")[:6])
    return None if digits[16:].strip("0") else whole


def _date(parts: Parts, orders: dict[str, bool]) -> date:
    """Return the day, or the first day of a month, quarter or year; raises ValueError if there is no such day."""
    year = int(parts["y"] or 0)
    if week := parts.get("week"):
        return date.fromisocalendar(year, int(week), int(parts["weekday"] or 1))
    if parts.get("a"):
        a, b = int(parts["a"] or 0), int(parts["b"] or 0)
        return date(year, b, a) if orders[parts["s"] or ""] else date(year, a, b)
    if quarter := parts.get("q"):
        return date(year, 3 * int(quarter) - 2, 1)
    name = parts.get("name")
    month = NUMBERS[name.lower()] if name else int(parts.get("m") or 1)
    return date(year, month, int(parts.get("d") or 1))


def _clock(parts: Parts) -> int:
    """Return the time of day in microseconds; 24:00 is the end of the day. Raises ValueError if there is none such."""
    compact = parts.get("compact") or ""
    hour, minute, second = (
        (int(compact[:2]), int(compact[2:4]), int(compact[4:] or 0))
        if compact
        else (int(parts.get("H") or parts.get("hour") or 0), int(parts.get("M") or 0), int(parts.get("S") or 0))
    )
    fraction = _fraction(parts.get("f"))
    if half := parts.get("half"):
        if not 1 <= hour <= 12:
            raise ValueError(hour)
        hour = hour % 12 + (12 if half[0] in "pP" else 0)
    of_minutes = fraction and parts.get("S") is None  # 13:45.5 may be half a minute or a clock without an hour
    if of_minutes or minute > 59 or second > 59 or hour > 24 or (hour == 24 and (minute or second or fraction)):
        raise ValueError(hour)
    return (hour * 3600 + minute * 60 + second) * SECOND + fraction


def _fraction(digits: str | None) -> int:
    """Return microseconds; raises ValueError for a fraction that is finer."""
    text = (digits or "").ljust(6, "0")
    if text[6:].strip("0"):
        raise ValueError(digits)
    return int(text[:6])


def _offset(parts: Parts) -> int | None:
    """Return the offset from UTC in microseconds, or None; raises ValueError for more than 15 hours."""
    zone, text = parts.get("zone"), parts.get("offset")
    if text is None:
        return None if zone is None else ZONES[zone.lower()] * 3600 * SECOND
    digits = text[1:].replace(":", "")
    hours, minutes = int(digits[:2]), int(digits[2:] or 0)
    if hours > 15 or minutes > 59 or (zone is not None and ZONES[zone.lower()]):
        raise ValueError(text)
    return (-1 if text[0] == "-" else 1) * (hours * 3600 + minutes * 60) * SECOND
