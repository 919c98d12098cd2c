"""Daily prices: the values forecast, the days left out and counted, and the lines refused."""

import csv
from pathlib import Path

import numpy as np
import pytest

from pipeline.config.schema.datasets import ReturnsData
from pipeline.encoding.records import Series
from pipeline.errors import DataError
from pipeline.sources import djia, load_source, msft, nasdaq
from pipeline.sources.daily_prices import random_walk
from pipeline.tasks.returns.prepare import encode, features
from pipeline.tasks.returns.task import TASK

GOOD = (
    "2012-01-03,26.5,27.0,26.4,26.8,22.7,64731500",
    "2012-01-04,26.8,27.5,26.8,27.4,23.2,80516100",
    "2012-01-09,27.4,27.7,27.3,27.7,23.5,0",
)

NO_DATES = ("today", "now", "2024", "2012-01", "2012-02-30", "20120110", "2012-01-10T00:00", "NaT", "٢٠١٢-٠١-١٠")
NO_PRICES = ("1_000", "1e300", "1e-300", "1e999", "0", " 1", "0x1", "inf", "١")


def table(folder: Path, *rows: str, header: str = msft.HEADER, end: str = "\n") -> Path:
    (folder / msft.FILE).write_bytes(("\n".join([header, *rows]) + end).encode())
    return folder


def test_the_adjusted_close_is_forecast_and_the_columns_as_traded_stay(tmp_path: Path) -> None:
    record = msft.read(table(tmp_path, *GOOD))
    assert record.values.tolist() == [22.7, 23.2, 23.5]
    assert {name: column.tolist() for name, column in record.covariates.items()} == {
        "open": [26.5, 26.8, 27.4],
        "high": [27.0, 27.5, 27.7],
        "low": [26.4, 26.8, 27.3],
        "close": [26.8, 27.4, 27.7],
        "volume": [64731500, 80516100, 0],
    }
    assert record.dates is not None and record.dates.dtype == np.dtype("datetime64[D]")
    assert record.dates.astype(str).tolist() == ["2012-01-03", "2012-01-04", "2012-01-09"]
    assert (record.unit, record.start, record.step_seconds) == ("USD", None, None)


def test_without_an_adjusted_close_the_close_is_forecast(tmp_path: Path) -> None:
    (tmp_path / djia.FILE).write_text(f"{djia.HEADER}\n1930-02-03,268.4,271.5,264.8,266.5,428572\n")
    record = djia.read(tmp_path)
    assert record.values.tolist() == record.covariates["close"].tolist() == [266.5]
    assert record.unit == "points"


@pytest.mark.fault("odd-calendar")
def test_missing_days_are_left_out_and_gaps_counted(tmp_path: Path) -> None:
    rows = [*GOOD, "2012-01-10,null,null,null,null,null,null", "2012-01-11,-,1,1,1,1,1", "2012-01-12,1,1,1,1,1,"]
    findings = msft.read(table(tmp_path, *rows)).findings
    assert findings["days"] == 3
    assert findings["days_with_missing_cells_left_out"] == 3
    assert findings["gaps_of_more_than_4_days"] == 1, "five days from the 4th to the 9th"


@pytest.mark.fault("malformed-rows")
@pytest.mark.parametrize(
    ("row", "message"),
    [
        *((f"{day},1,1,1,1,1,1", f"line 5 begins with '{day}', expected a date") for day in NO_DATES),
        *((f"2012-01-10,1,1,1,{n},1,1", f"line 5 has '{n}' as Close, expected a price above 0") for n in NO_PRICES),
        (f"2012-01-10,1,1,1,{'1' * 140_000},1,1", r"line 5 cannot be split into cells \(field larger than field limit"),
        ('2012-01-10,1,1,1,"1,1,1', r"line 5 cannot be split into cells \(unexpected end of data\)"),
        ("2012-01-10,1,1,1,1,1,1e31", "line 5 has '1e31' as Volume"),
        ("2012-01-10,1,1,1,1,1", "line 5 has 6 cells, expected 7"),
        ("10.01.2012,1,1,1,1,1,1", "line 5 begins with '10.01.2012', expected a date"),
        (",1,1,1,1,1,1", "line 5 begins with '', expected a date"),
        ("2012-01-09,1,1,1,1,1,1", "line 5 is dated 2012-01-09, expected a date after 2012-01-09"),
        ("2012-01-05,1,1,1,1,1,1", "line 5 is dated 2012-01-05, expected a date after 2012-01-09"),
        ("2012-01-10,1,1,0,1,1,1", "line 5 has '0' as Low, expected a price above 0"),
        ("2012-01-10,1,1,1,-3,1,1", "line 5 has '-3' as Close, expected a price above 0"),
        ("2012-01-10,1,nan,1,1,1,1", "line 5 has 'nan' as High"),
        ("2012-01-10,1,1,1,1,n/a,1", "line 5 has 'n/a' as Adj Close"),
        ("2012-01-10,1,1,1,1,1,-1", "line 5 has '-1' as Volume, expected a number of at least 0"),
    ],
)
def test_a_malformed_row_is_refused_with_its_line(row: str, message: str, tmp_path: Path) -> None:
    csv.field_size_limit(131_072)  # Python's own; a reader of own tables raises it for the whole process
    with pytest.raises(DataError, match=f"{msft.FILE}: {message}"):
        msft.read(table(tmp_path, *GOOD, row))


@pytest.mark.fault("tiny-series")
def test_another_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 1 is 'Day,Price', expected 'Date,Open,"):
        msft.read(table(tmp_path, "1,2", header="Day,Price"))
    with pytest.raises(DataError, match="no day with prices below the header"):
        msft.read(table(tmp_path))
    with pytest.raises(DataError, match="the last line has no line end"):
        msft.read(table(tmp_path, *GOOD, end=""))


@pytest.mark.parametrize(("name", "days"), [("djia", 1_500), ("nasdaq", 1_500), ("msft", 700)])
def test_synthetic_files_look_like_the_real_files(name: str, days: int, tmp_path: Path) -> None:
    source = load_source(name)
    source.synthesize(tmp_path, 42)
    record = source.read(tmp_path)
    assert isinstance(record, Series) and record.dates is not None
    assert record.findings == {
        "days": days,
        "days_with_missing_cells_left_out": 0,
        "gaps_of_more_than_4_days": 0,
        "days_with_close_outside_low_and_high": 0,
    }
    returns = np.diff(np.log(record.values))
    assert 0.005 < returns.std() < 0.02
    assert np.corrcoef(np.abs(returns[1:]), np.abs(returns[:-1]))[0, 1] > 0, "calm and wild months"
    if name == "msft":
        assert record.values[0] / record.covariates["close"][0] == pytest.approx(0.85, abs=1e-3)
        factor = record.values / record.covariates["close"]
        assert len(set(factor.round(6).tolist())) == 12, "dividends are paid once a quarter"
        assert factor[-1] == pytest.approx(1.0, abs=1e-6)
    else:
        assert record.dates[0] < np.datetime64("2022-01-01") and record.dates[-1] > np.datetime64("2023-06-30")


def test_the_past_says_nothing_about_the_next_return() -> None:
    days = 50_000
    _, columns = random_walk(3, "1900-01-01", days, 24_000.0)
    returns = np.diff(np.log(columns["close"]))
    after, noise = returns[21:], 4 / np.sqrt(days)
    known = features({**columns, "values": columns["close"]})[21:-1]
    known = np.column_stack([known, *(returns[21 - lag : -lag] for lag in range(2, 8)), columns["open"][21:-1]])
    for column in known.T:
        assert abs(np.corrcoef(column, after)[0, 1]) < noise
        assert abs(np.corrcoef(column, np.sign(after))[0, 1]) < noise
    assert abs(np.mean(after > 0) - 0.5) < noise / 2
    assert abs(after.mean()) < noise * after.std()
    z = after / after.std()
    assert np.mean(z**4) > 4, "heavy tails"


@pytest.mark.parametrize("name", ["djia", "nasdaq", "msft"])
def test_no_change_is_the_best_forecast_of_synthetic_prices_alone(name: str, tmp_path: Path) -> None:
    source = load_source(name)
    source.synthesize(tmp_path, 42)
    record = source.read(tmp_path)
    assert isinstance(record, Series) and record.optimum is not None
    assert np.array_equal(record.optimum, record.values[:, None]) and record.optimum_steps == (1,)
    row = ReturnsData.model_validate({"source": name, "task": "returns"})
    encoded = encode(record, row, 0)
    for fold in range(5):
        best = TASK.optimum(encoded, fold) if TASK.optimum else None
        assert best is not None
        figures = TASK.score(encoded, "test", best, fold)
        assert figures["theil_u"] == 1.0
    (tmp_path / "optimum.npz").unlink()
    record = source.read(tmp_path)
    assert isinstance(record, Series) and record.optimum is None
    assert encode(record, row, 0).summary["martingale"] is False


@pytest.mark.parametrize("name", ["djia", "nasdaq", "msft"])
def test_rounding_moves_prices_by_less_than_a_thousandth_of_a_days_change(name: str, tmp_path: Path) -> None:
    source = load_source(name)
    source.synthesize(tmp_path, 42)
    record = source.read(tmp_path)
    assert isinstance(record, Series)
    first, price, digits = {
        "djia": ("2018-04-02", 24_000.0, 2),
        "nasdaq": ("2018-04-02", 7_000.0, 6),
        "msft": ("2012-01-03", 23.0, 6),
    }[name]
    _, walk = random_walk(42, first, len(record.values), price)
    assert np.abs(record.values - walk["close"]).max() <= 0.51 * 10.0**-digits
    assert np.abs(np.log(record.values / walk["close"])).max() < 1e-3 * np.diff(np.log(walk["close"])).std()


def test_the_files_of_the_nasdaq_lie_with_those_of_the_dow_jones() -> None:
    assert nasdaq.CARD.folder == "djia"
