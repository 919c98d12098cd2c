"""Own series in the notations that people have: read right, or refused with advice that works when it is followed."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pydantic import TypeAdapter, ValidationError

from pipeline.config.schema.sources import OwnRows, OwnSeries
from pipeline.encoding.records import Series
from pipeline.errors import DataError
from pipeline.sources.own_series import read as read_series

Read = Callable[..., Series]
ROWS = 400


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read lines below the header `time,value` as the file of an own series."""

    def ask(lines: list[str], names: str = "time,value", **keys: Any) -> Series:
        (tmp_path / "file.csv").write_text("\n".join([names, *lines] if names else lines) + "\n", encoding="utf-8")
        return read_series(tmp_path, row(**keys))

    return ask


def row(**keys: Any) -> OwnSeries:
    given = {"path": "my/file.csv", "reader": "own_series", "time": "time", "value": "value", **keys}
    made = TypeAdapter[OwnRows](OwnRows).validate_python(given)
    assert isinstance(made, OwnSeries)
    return made


def advised(error: pytest.ExceptionInfo[DataError]) -> dict[str, Any]:
    """The keys of a row that the message tells to write, such as `decimal: ','`."""
    keys: dict[str, Any] = {}
    for found in re.findall(r"`(\w+: [^`]+)`", str(error.value)):
        keys = {**yaml.safe_load(found), **keys}  # the first of several ways
    return keys


def wave(count: int = ROWS) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Values around 0 that reach ±300, with one decimal."""
    return np.round(300 * np.sin(np.arange(count) / 7), 1)


def hourly(values: list[str], form: str = "%Y-%m-%d %H:%M") -> list[str]:
    start = np.datetime64("2026-01-01T00:00")
    return [f"{(start + np.timedelta64(i, 'h')).item():{form}},{value}" for i, value in enumerate(values)]


def test_thousands_and_signs_are_read(read: Read) -> None:
    values = wave() + 800
    assert read(hourly([f'"{v:,.1f}"' for v in values])).values.tolist() == values.tolist()
    assert read(hourly([f"{v:.1f}".replace("-", "−") for v in wave()])).values.tolist() == wave().tolist()


def test_a_decimal_comma_in_some_cells_is_read(read: Read) -> None:
    rain = np.where(np.arange(ROWS) % 5 < 3, 0, 0.5 + np.arange(ROWS) % 7)
    cells = [line.replace(",", ";") for line in hourly([f"{v:g}" for v in rain])]
    cells = [cell.replace(".", ",") for cell in cells]
    record = read(cells, "time;value", delimiter=";")
    assert record.values.tolist() == rain.tolist() and record.valid.all()
    assert record.findings["numbers_in_another_notation"] == np.sum(rain > 0)


def test_the_unit_at_the_numbers_is_that_of_the_series(read: Read) -> None:
    cells = hourly([f"{v:.1f} kW" for v in wave()])
    assert read(cells).unit == "kW"
    assert read(cells, unit="MW").unit == "MW", "the row's own comes first"


@pytest.mark.fault("undecided-notation")
def test_undecided_thousands_are_refused_and_the_advice_works(read: Read) -> None:
    values = np.arange(700, 1100)
    lines = hourly([f'"{v:,}"' for v in values])
    with pytest.raises(
        DataError, match=r"line 302: column 'value' has '1,000', which may be 1,000\.0 or 1\.0"
    ) as error:
        read(lines)
    assert read(lines, **advised(error)).values.tolist() == values.tolist()


@pytest.mark.fault("undecided-notation")
def test_undecided_dates_are_refused_and_the_advice_works(read: Read) -> None:
    lines = [f"{i + 1:02}/01/2026,{i}" for i in range(12)]
    with pytest.raises(DataError, match=r"line 3: .*'02/01/2026', and no date") as error:
        read(lines)
    assert read(lines, **advised(error)).step_seconds == 86_400
    assert read(lines, day_first=False).step_months == 1


@pytest.mark.parametrize(
    "form",
    ["%d/%m/%Y %H:%M", "%m/%d/%Y %I:%M %p", "%Y-%m-%d %H:%M:%S UTC", '"%Y-%m-%d %H:%M:%S,000"', "%d %b %Y %H:%M"],
)
def test_hours_as_they_are_written(form: str, read: Read) -> None:
    record = read(hourly([str(v) for v in wave()], form))
    assert (record.start, record.step_seconds) == ("2026-01-01T00:00:00", 3600)
    assert record.values.tolist() == wave().tolist()


def test_the_hour_24(read: Read) -> None:
    lines = [f"2026-01-{d:02} {h:02}:00,{24 * d + h}" for d in range(1, 17) for h in range(1, 25)]
    record = read(lines)
    assert (record.start, record.step_seconds, len(record.values)) == ("2026-01-01T01:00:00", 3600, 384)
    assert record.findings["missing_steps_filled"] == 0 and np.all(np.diff(record.values) == 1)


DAY = np.timedelta64(24, "h")
LOCAL_DAYS = {
    "offsets": ("T00:00:00+01:00", "T00:00:00+02:00", "2026-01-01T00:00:00"),
    "winter alone": ("T00:00:00+01:00", "T00:00:00+01:00", "2026-01-01T00:00:00"),
    "in UTC": ("T23:00:00Z", "T22:00:00Z", "2026-01-01T23:00:00"),
    "in UTC at midnight": ("T05:00:00Z", "T04:00:00Z", "2026-01-01T05:00:00"),
}


@pytest.mark.parametrize("name", LOCAL_DAYS)
def test_days_at_local_midnight_are_days(name: str, read: Read) -> None:
    winter, summer, start = LOCAL_DAYS[name]
    days = np.datetime64("2026-01-01") + np.arange(ROWS)
    is_summer = (days > np.datetime64("2026-03-29")) & (days <= np.datetime64("2026-10-25"))
    lines = [f"{d}{summer if s else winter},{v}" for d, s, v in zip(days, is_summer, wave(), strict=True)]
    record = read(lines)
    assert (record.start, record.step_seconds) == (start, 86_400)
    assert record.values.tolist() == wave().tolist() and record.valid.all()
    moved = record.findings["times_of_days_moved_by_an_hour"]
    assert moved == (is_summer.sum() if "UTC" in name else 0), name
    assert record.findings["times_with_an_offset_taken_as_local_days"] == (ROWS if "UTC" not in name else 0)


def test_the_summer_time_of_midnight_in_britain(read: Read) -> None:
    # 00:00 in winter is 23:00 of the day before in summer
    stamps = [f"2026-03-{d}T00:00Z" for d in (27, 28, 29)] + [f"2026-03-{d}T23:00Z" for d in (29, 30)]
    assert read([f"{s},{i}" for i, s in enumerate(stamps)]).values.tolist() == [0, 1, 2, 3, 4]


SPANS: dict[str, tuple[list[str], int]] = {
    "months": ([f"{1949 + i // 12}-{i % 12 + 1:02}" for i in range(30)], 1),
    "names of months": ([f"{np.datetime64('2020-01') + i!s}" for i in range(30)], 1),
    "first days": ([f"{1949 + i // 12}-{i % 12 + 1:02}-01" for i in range(30)], 1),
    "last days": ([str((np.datetime64("2020-01") + i + 1).astype("datetime64[D]") - 1) for i in range(30)], 1),
    "first days with an offset": ([f"2020-{i:02}-01T00:00:00+0{1 + (3 < i < 11)}:00" for i in range(1, 13)], 1),
    "quarters": ([f"{2000 + i // 4}Q{i % 4 + 1}" for i in range(30)], 3),
    "ends of quarters": (["2023-03-31", "2023-06-30", "2023-09-30", "2023-12-31", "2024-03-31"], 3),
    "years": ([str(1950 + i) for i in range(30)], 12),
    "last days of years": ([f"{1950 + i}-12-31" for i in range(30)], 12),
}


@pytest.mark.parametrize("name", SPANS)
def test_months_quarters_and_years(name: str, read: Read) -> None:
    stamps, months = SPANS[name]
    record = read([f"{stamp},{i}" for i, stamp in enumerate(stamps)])
    assert (record.step_months, record.step_seconds) == (months, None)
    assert record.start is not None and record.start.endswith("-01T00:00:00")
    assert record.values.tolist() == list(range(len(stamps))) and record.valid.all()


def test_a_missing_month_is_a_gap(read: Read) -> None:
    stamps = [f"{2000 + i // 12}-{i % 12 + 1:02}" for i in range(200)]
    record = read([f"{stamp},{i}" for i, stamp in enumerate(stamps) if i != 77])
    assert len(record.values) == 200 and np.flatnonzero(~record.valid).tolist() == [77]


def test_odd_days_of_months_are_refused_and_the_advice_works(read: Read) -> None:
    lines = ["2023-12-29,1", "2024-01-31,2", "2024-02-29,3", "2024-03-29,4"]
    with pytest.raises(DataError, match=r"off the grid, .*write `frequency: 1M` in the row") as error:
        read(lines)
    record = read(lines, frequency=advised(error)["frequency"])
    assert (record.step_months, record.start, record.values.tolist()) == (1, "2023-12-01T00:00:00", [1, 2, 3, 4])


@pytest.mark.parametrize(
    ("written", "seconds", "months"),
    [
        ("D", 86_400, None),
        ("1D", 86_400, None),
        ("h", 3600, None),
        ("15min", 900, None),
        ("M", None, 1),
        ("Q", None, 3),
    ],
)
def test_frequencies(written: str, seconds: int | None, months: int | None, read: Read) -> None:
    step = np.timedelta64(seconds, "s") if seconds else None
    stamps = [
        str(np.datetime64("2026-01-01T00:00:00") + i * step)
        if step
        else str(np.datetime64("2026-01") + i * (months or 1))
        for i in range(6)
    ]
    record = read([f"{stamp},{i}" for i, stamp in enumerate(stamps)], frequency=written)
    assert (record.step_seconds, record.step_months) == (seconds, months)


@pytest.mark.parametrize("written", ["hourly", "0h", "1x", "", "1 D", 5, True])
def test_another_frequency_is_refused_with_those_that_there_are(written: Any) -> None:
    with pytest.raises(ValidationError, match=r"expected s, min, h, D, W, M \(months\), Q or Y, and how many"):
        row(frequency=written)


def test_a_finer_grid_is_advised_and_works(read: Read) -> None:
    lines = hourly([str(i) for i in range(6)])
    lines[4] = lines[4].replace("04:00", "04:20")
    with pytest.raises(
        DataError, match=r"1 of 6 times are off the grid, every 3,600 s .*line 6: 2026-01-01T04:20"
    ) as error:
        read(lines)
    keys = advised(error)
    assert keys == {"frequency": "20min", "max_dropped": 0.625, "time": None}
    record = read(lines, frequency=keys["frequency"], max_dropped=keys["max_dropped"])
    assert record.step_seconds == 1200 and record.valid.sum() == 6
    assert read(lines, time=None).values.tolist() == [0, 1, 2, 3, 4, 5]


def test_two_rows_in_a_month_are_refused(read: Read) -> None:
    with pytest.raises(
        DataError, match=r"1 times are in the same step .*every month .*line 4: .*leave `frequency` out"
    ):
        read(["2026-01-01,1", "2026-02-01,2", "2026-02-05,3", "2026-03-01,3"], frequency="M")


def test_date_and_time_in_two_columns(read: Read) -> None:
    lines = [line.replace(" ", ",", 1) for line in hourly([str(v) for v in wave()])]
    header = "date,time,value"
    with pytest.raises(DataError, match=r"times occur twice .*if column 'time' has the times of day") as error:
        read(lines, header, time="date")
    assert advised(error) == {"time": ["date", "time"]}
    record = read(lines, header, **advised(error))
    assert record.values.tolist() == wave().tolist() and record.step_seconds == 3600
    with pytest.raises(DataError, match=r"line 2: column 'time' has '00:00', a time of day without a date") as error:
        read(lines, header, time="time")
    assert advised(error) == {"time": ["date", "time"]}
    hours = [re.sub(r":00,", ",", line) for line in lines]
    assert read(hours, header, time=["date", "time"]).step_seconds == 3600, "hours as whole numbers"


@pytest.mark.fault("marks-of-missing-values")
@pytest.mark.parametrize("mark", ["-999", "-9999.0", "9999", "-99999"])
def test_marks_of_missing_values_are_refused_and_the_advice_works(mark: str, read: Read) -> None:
    lines = hourly([mark if i in (7, 90, 91) else f"{v:.1f}" for i, v in enumerate(wave() / 10)])
    with pytest.raises(
        DataError, match=rf"line 9: column 'value' has '{mark}', 3 times and far from all other"
    ) as error:
        read(lines)
    record = read(lines, **advised(error))
    assert np.flatnonzero(~record.valid).tolist() == [7, 90, 91]
    assert record.findings["values_that_are_no_numbers"] == 3
    assert read(lines, missing=[float(mark)]).values.tolist() == record.values.tolist(), "as a number"
    assert read(lines, missing=[]).values[7] == float(mark)


def test_numbers_of_nines_among_others_are_values(read: Read) -> None:
    values = [str(v) for v in (90 + np.arange(ROWS) % 12)]
    assert read(hourly(values)).values.max() == 101


def test_one_column_decides_the_notation_of_the_others(read: Read) -> None:
    lines = [f'{line},"{i * 100:,}"' for i, line in enumerate(hourly([f"{v:.1f}" for v in wave()]))]
    record = read(lines, "time,value,rain", covariates=["rain"])
    assert record.covariates["rain"].tolist() == [100 * i for i in range(ROWS)]
    alone = [line.replace(".", "") for line in lines]
    with pytest.raises(DataError, match=r"line 12: column 'rain' has '1,000', which may be 1,000\.0 or 1\.0"):
        read(alone, "time,value,rain", covariates=["rain"])


NUMERIC = ",773869,767541"


def test_a_header_of_numbers_is_a_header(read: Read) -> None:
    lines = [f"{line},{i}" for i, line in enumerate(hourly([str(v) for v in wave()]))]
    record = read(lines, NUMERIC, time=1, value="773869", covariates=["767541"])
    assert record.values.tolist() == wave().tolist()
    assert record.covariates["767541"].tolist() == list(range(ROWS))
    assert read(lines, NUMERIC, time=1, value=773869).values.tolist() == wave().tolist(), "YAML without quotes"
    with pytest.raises(DataError, match=r"has '773869' in column 2; .* `value: '773869'`; .*`header: false`") as error:
        read(lines, NUMERIC, time=1, value=2)
    assert read(lines, NUMERIC, time=1, value=advised(error)["value"]).values.tolist() == wave().tolist()
    for time in (None, 1):
        with pytest.raises(DataError, match=r"line 1 is read as a row, but looks like a header: its column 1 has ''"):
            read(lines, NUMERIC, time=time, value=2, header=False)


def test_a_row_that_is_read_as_the_header_is_named(read: Read) -> None:
    lines = hourly([str(v) for v in wave()])
    with pytest.raises(
        DataError, match=r"line 1 is read as the header, but has the value '0\.0'; write `header: false`"
    ):
        read(lines, "", time=1, value=2)
    assert read(lines, "", time=1, value=2, header=False).values.tolist() == wave().tolist()
    with pytest.raises(DataError, match=r"if it is the first value, write `header: false`"):
        read(["3", "1", "2"], "", time=None, value=1)
    assert read(["3", "1", "2"], "", time=None, value=1, header=False).values.tolist() == [3, 1, 2]


def test_delimiters_at_the_end_and_headers_in_the_middle(read: Read) -> None:
    lines = hourly([str(v) for v in wave()])
    for end in (",", ",,,"):
        assert read([f"{line}{end}" for line in lines]).values.tolist() == wave().tolist()
    record = read([*lines[:100], "time,value", *lines[100:]])
    assert record.values.tolist() == wave().tolist()
    assert record.findings["repeated_headers_dropped"] == 1


@pytest.mark.fault("gaps-filled")
@pytest.mark.parametrize(
    ("spoil", "finding"),
    [
        (
            lambda lines: [line.split(",")[0] + "," if i % 50 == 7 else line for i, line in enumerate(lines)],
            "empty values: 8",
        ),
        (
            lambda lines: [line.split(",")[0] + ",error" if i % 50 == 7 else line for i, line in enumerate(lines)],
            r"values that are no numbers: 8 \(line 9: 'error'; line 59: 'error'; line 109: 'error'; and 5 more\)",
        ),
        (
            lambda lines: [line for i, line in enumerate(lines) if i % 50 != 7],
            r"missing steps filled: 8 \(line 8: no row follows for 2026-01-01T07:00:00",
        ),
    ],
)
def test_what_is_filled_is_limited_and_the_advice_works(
    spoil: Callable[[list[str]], list[str]], finding: str, read: Read
) -> None:
    lines = spoil(hourly([str(v) for v in wave()]))
    with pytest.raises(DataError, match=rf"8 of 400 steps would be dropped or replaced, .*{finding}") as error:
        read(lines)
    record = read(lines, max_dropped=advised(error)["max_dropped"])
    assert np.flatnonzero(~record.valid).tolist() == list(range(7, ROWS, 50))
    assert record.values[record.valid].tolist() == np.delete(wave(), range(7, ROWS, 50)).tolist()


@pytest.mark.fault("gaps-filled")
def test_missing_numbers_of_covariates_are_limited(read: Read) -> None:
    lines = [f"{line},{'' if i % 50 == 7 else i}" for i, line in enumerate(hourly([str(v) for v in wave()]))]
    with pytest.raises(
        DataError, match=r"8 of 400 numbers of column 'sun' would .*extra values missing: 8 \(line 9: ''"
    ):
        read(lines, "time,value,sun", covariates=["sun"])
    record = read(lines, "time,value,sun", covariates=["sun"], max_dropped=0.02)
    assert np.isnan(record.covariates["sun"]).sum() == 8


@pytest.mark.fault("gaps-filled")
def test_rows_without_a_time_are_limited(read: Read) -> None:
    lines = hourly([str(v) for v in wave()])
    record = read([*lines, "Total,9"])
    assert record.findings["unreadable_times_dropped"] == 1 and record.values.tolist() == wave().tolist()
    with pytest.raises(DataError, match=r"unreadable times dropped: 5 \(line 402: 'Total'"):
        read([*lines, *["Total,9"] * 5])


@pytest.mark.fault("tiny-series")
@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], r"file\.csv: no rows below the header"),
        (["2026-01-01,5"], r"1 different times; expected two or more"),
        (["2026-01-01,n/a", "2026-01-02,"], r"no cell of column 'value' is a number; `value` must name their column"),
        (["2026-01-01,5"] * 3, r"1 different times"),
        (["Total,5"] * 3, r"3 of 3 rows would be dropped"),
        (
            ["2026-01-01 00:00:00,1", "2026-01-01 00:00:01,1", "2999-01-01,1"],
            r"3 rows for 30,\d+,\d+,\d+ steps, every 1 s",
        ),
    ],
)
def test_nearly_nothing_is_refused(lines: list[str], message: str, read: Read) -> None:
    with pytest.raises(DataError, match=message):
        read(lines)
