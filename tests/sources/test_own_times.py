"""Times as people write them are read back to the moment that was written, or refused: never another moment."""

import re
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import DataError
from pipeline.sources.own_numbers import Column
from pipeline.sources.own_times import NO_TIME, Times, is_clock, is_time, read_times


def times(*cells: str, day_first: bool | None = None) -> Times:
    return read_times(Column(Path("my.csv"), "time", cells, range(2, len(cells) + 2)), day_first)


def moments(*cells: str, day_first: bool | None = None) -> list[str]:
    local = times(*cells, day_first=day_first).local
    return [str(np.datetime64(int(time), "us").astype("datetime64[m]")) for time in local]


SAME = "2026-01-31T13:45"
READ = {
    "ISO": ("2026-01-31T13:45", SAME),
    "seconds": ("2026-01-31 13:45:00", SAME),
    "fraction": ("2026-01-31 13:45:00.000", SAME),
    "fraction with a comma": ("2026-01-31 13:45:00,000", SAME),
    "minutes and a comma": ("2026-01-31 13:45,000", SAME),
    "ISO without signs": ("20260131T1345", SAME),
    "digits alone": ("20260131134500", SAME),
    "dots": ("31.1.2026 13:45", SAME),
    "dots and spaces": ("31. 1. 2026 13:45", SAME),
    "slashes, year first": ("2026/1/31 13:45", SAME),
    "slashes, day first": ("31/01/2026 13:45", SAME),
    "slashes, month first": ("01/31/2026 1:45 PM", SAME),
    "a.m.": ("1/31/2026 12:45 a.m.", "2026-01-31T00:45"),
    "noon": ("1/31/2026 12:45 pm", "2026-01-31T12:45"),
    "month by name": ("31-Jan-2026 13:45", SAME),
    "American": ("January 31, 2026 13:45", SAME),
    "mail": ("Sat, 31 Jan 2026 13:45:00 GMT", SAME),
    "server log": ("31/Jan/2026:13:45:00 +0000", SAME),
    "browser": ("Sat Jan 31 2026 13:45:00 GMT+0100 (Central European Standard Time)", SAME),
    "Chinese": ("2026年1月31日 13:45", SAME),
    "Arabic-Indic": ("٢٠٢٦-٠١-٣١ ١٣:٤٥", SAME),
    "other hyphens and spaces": ("2026−01–31\xa013:45", SAME),
    "midnight at the end of the day": ("2026-01-31 24:00", "2026-02-01T00:00"),
    "only the hour": ("2026-01-31 7", "2026-01-31T07:00"),
    "day": ("2026-01-31", "2026-01-31T00:00"),
    "day in digits": ("20260131", "2026-01-31T00:00"),
    "month": ("2026-01", "2026-01-01T00:00"),
    "month first": ("01/2026", "2026-01-01T00:00"),
    "month name": ("Jan 2026", "2026-01-01T00:00"),
    "whole month name": ("September 2026", "2026-09-01T00:00"),
    "month of Eurostat": ("2026M09", "2026-09-01T00:00"),
    "month in digits": ("202609", "2026-09-01T00:00"),
    "quarter": ("2026-Q3", "2026-07-01T00:00"),
    "quarter first": ("Q3 2026", "2026-07-01T00:00"),
    "year": ("2026", "2026-01-01T00:00"),
    "week": ("2026-W05", "2026-01-26T00:00"),
    "seconds since 1970": ("1769867100", SAME),
    "thousandths since 1970": ("1769867100000", SAME),
    "billionths since 1970": ("1769867100000000000", SAME),
}


@pytest.mark.parametrize("name", READ)
def test_times_as_they_are_written(name: str) -> None:
    cell, moment = READ[name]
    assert moments(cell) == [moment]


@pytest.mark.parametrize(
    ("cell", "hours"),
    [
        ("2026-01-31 13:45Z", 0), ("2026-01-31 13:45 UTC", 0), ("2026-01-31 13:45:00 +0000 UTC", 0),
        ("2026-01-31T13:45+01:00", 1), ("2026-01-31T13:45-0530", -5.5), ("2026-01-31 13:45 −03", -3),
        ("2026-01-31 13:45 CET", 1), ("2026-07-31 13:45 CEST", 2), ("2026-01-31T13:45+01:00[Europe/Berlin]", 1),
        ("1769867100", 0), ("2026-01-31 13:45", None),
    ],
)  # fmt: skip
def test_offsets_and_zones(cell: str, hours: float | None) -> None:
    offset = times(cell).offset
    assert (None if offset is None else offset.tolist()) == (None if hours is None else [hours * 3_600_000_000])


REFUSED = {
    "no such day": (["2026-02-30"], r"my\.csv: line 2: column 'time' has '2026-02-30', which is no time .*time: null"),
    "no such hour": (["2026-01-31 25:00"], r"has '2026-01-31 25:00'"),
    "after 24:00": (["2026-01-31 24:01"], r"has '2026-01-31 24:01'"),
    "leap second": (["2026-01-31 23:59:60"], r"has '2026-01-31 23:59:60'"),
    "half a minute or half a second": (["2026-01-31 00:30,500"], r"has '2026-01-31 00:30,500'"),
    "finer than a microsecond": (["1769867100123456789"], r"has '1769867100123456789'"),
    "year of two digits": (["31/12/25"], r"has '31/12/25'"),
    "Excel's month or day": (["Jan-24"], r"has 'Jan-24'"),
    "Excel's days since 1900": (["46053.5"], r"has '46053\.5'"),
    "index": (["0", "1"], r"has '0', which is no time that can be read; .*`time: null` in the row of `own`"),
    "season": (["2025-26"], r"has '2025-26'"),
    "13 o'clock in the afternoon": (["2026-01-31 13:45 PM"], r"has '2026-01-31 13:45 PM'"),
    "an hour or a dash": (["2026-01-31-05"], r"has '2026-01-31-05'"),
    "zone of several offsets": (["2026-01-31 13:45 EST"], r"whose time zone is not known; write its offset .*\+01:00"),
    "zone of a city": (["2026-01-31 13:45 Europe/Berlin"], r"whose time zone is not known"),
    "clock alone": (["00:15"], r"a time of day without a date; give the columns .*`time: \[date, time\]`"),
    "hours or seconds": (["2026010100", "2026010101"], r"may be a date and an hour, or seconds since 1970"),
    "months or days": (["200112", "200201"], r"'200112', which may be a year and a month, or a day of a year of two"),
    "undecided": (
        ["01/02/2026", "03/04/2026"],
        r"line 2: .*'01/02/2026', and no date .*; write `day_first: true` or `day_first: false` in the row of `own`",
    ),
    "undecided dashes": (["01-02-2026"], r"write `day_first: true`"),
    "both orders": (
        ["13/01/2026", "01/13/2026"],
        r"line 2: .*'13/01/2026' and line 3 has '01/13/2026': the day comes first in one and the month in the other",
    ),
    "offsets now and then": (
        ["2026-01-31 13:45", "2026-01-31 14:45Z"],
        r"line 2: .*13:45' without an offset such as \+01:00, and line 3 has '2026-01-31 14:45Z' with one",
    ),
}  # fmt: skip


@pytest.mark.fault("unread-times")
@pytest.mark.parametrize("name", REFUSED)
def test_a_time_that_cannot_be_read_is_named(name: str) -> None:
    cells, message = REFUSED[name]
    with pytest.raises(DataError, match=message):
        times(*cells)


def test_the_file_decides_whether_the_day_or_the_month_comes_first() -> None:
    assert moments("01/02/2026", "16/12/2006")[0] == "2026-02-01T00:00"
    assert moments("01/02/2026", "12/16/2006")[0] == "2026-01-02T00:00"
    assert moments("01/01/2026") == ["2026-01-01T00:00"]
    assert moments("01.02.2026") == ["2026-02-01T00:00"], "with dots the day comes first"
    assert moments("01.02.2026", "12.16.2006")[0] == "2026-01-02T00:00", "unless a date shows otherwise"


def test_the_advice_on_the_order_of_dates_works() -> None:
    with pytest.raises(DataError) as error:
        times("01/02/2026")
    assert re.findall(r"`day_first: (\w+)`", str(error.value)) == ["true", "false"]
    assert moments("01/02/2026", day_first=True) == ["2026-02-01T00:00"]
    assert moments("01/02/2026", day_first=False) == ["2026-01-02T00:00"]
    with pytest.raises(DataError, match=r"has '16/12/2006'"):
        times("01/02/2026", "16/12/2006", day_first=False)


def test_a_cell_without_a_digit_is_no_time() -> None:
    assert times("", "Total", "now").local.tolist() == [NO_TIME] * 3


def test_what_is_told_from_numbers() -> None:
    assert is_time("2026-01-01 00:00") and is_time("Jan 2024")
    assert not any(map(is_time, ["773869", "", "2024", "20240101", "12.5", "kW"]))
    assert is_clock("00:00") and is_clock("1:45 PM") and not is_clock("5") and not is_clock("2026-01-01")


FORMATS = (
    "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y/%m/%d %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %I:%M:%S %p", "%m-%d-%Y %H:%M:%S", "%d-%b-%Y %H:%M:%S", "%B %d, %Y %H:%M:%S", "%Y%m%dT%H%M%S",
    "%Y%m%d%H%M%S", "%a %b %d %Y %H:%M:%S", "%Y-%m-%d %H:%M:%S,%f", "%G-W%V-%u %H:%M:%S", "%Y%m%d%H%M", "%Y%m%d %H%M",
    "%d/%m/%Y", "%m/%d/%Y", "%Y%m%d", "%Y-%m", "%Y%m", "%b %Y", "%Y", "%y-%m-%d", "%d/%m/%y", "%Y-%j", "%Y%m%d%H", "%s",
    "%y%m%d", "%y%m%d%H%M%S", "%d%m%Y", "%m%d%Y",
)  # fmt: skip
MOMENTS = st.datetimes(datetime(1975, 1, 1), datetime(2030, 12, 31)).map(lambda moment: moment.replace(microsecond=0))


@given(st.sampled_from(FORMATS), st.lists(MOMENTS, min_size=1, max_size=6))
def test_every_time_is_read_back_or_refused(form: str, drawn: list[datetime]) -> None:
    utc = [moment - datetime(1970, 1, 1) for moment in drawn]
    cells = [str(int(s.total_seconds())) if form == "%s" else m.strftime(form) for m, s in zip(drawn, utc, strict=True)]
    try:
        found = times(*cells).local
    except DataError:
        return
    for moment, cell, time in zip(drawn, cells, found, strict=True):
        expected = moment if form == "%s" else datetime.strptime(cell, form)
        assert datetime(1970, 1, 1) + timedelta(microseconds=int(time)) == expected, cell


@pytest.mark.parametrize("form", FORMATS)
def test_most_formats_are_read(form: str) -> None:
    day = datetime(1999, 12, 31, 23, 59, 58)
    cell = "946684798" if form == "%s" else day.strftime(form)
    if form in ("%y-%m-%d", "%d/%m/%y", "%Y-%j", "%Y%m%d%H", "%y%m%d", "%y%m%d%H%M%S", "%d%m%Y", "%m%d%Y"):
        with pytest.raises(DataError, match=re.escape(repr(cell))):
            times(cell)
    else:
        assert len(times(cell).local) == 1


@given(st.lists(st.text("0123456789-/.: TZ+,QWM", min_size=1, max_size=16), min_size=1, max_size=3))
def test_no_cell_with_a_digit_is_dropped(cells: list[str]) -> None:
    try:
        found = times(*cells).local
    except DataError:
        return
    assert [time == NO_TIME for time in found] == [not re.search(r"\d", cell) for cell in cells]
