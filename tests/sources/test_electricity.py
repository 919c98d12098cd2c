"""electricity: both forms give the same series, with the slots of clock changes masked."""

import contextlib
import shutil
import zipfile
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from pipeline.config.schema.datasets import ForecastingData
from pipeline.errors import DataError
from pipeline.sources import electricity
from pipeline.tasks.forecasting.baselines import baselines
from pipeline.tasks.forecasting.prepare import encode, targets
from pipeline.tasks.forecasting.task import TASK

START = datetime(2011, 1, 1, 0, 15)


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synthetic")
    electricity.synthesize(folder, 42)
    return folder


def _line(index: int, value: str, stamp: datetime | None = None) -> str:
    stamp = stamp or START + timedelta(minutes=15 * index)
    return ";".join([f'"{stamp}"', *["0"] * 250, value, *["7,5"] * 119])


def _official(folder: Path, *lines: str, columns: int = 370, member: str = "LD2011_2014.txt") -> Path:
    header = ";".join(['""', *(f'"MT_{i:03d}"' for i in range(1, columns + 1))])
    with zipfile.ZipFile(folder / "LD2011_2014.txt.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, "\r\n".join([header, *lines]) + "\r\n")
        archive.writestr("__MACOSX/._LD2011_2014.txt", "resource fork")
    return folder


def test_both_forms_give_the_same_series(tmp_path: Path) -> None:
    values = np.array([56.2907536061428, 57.8995181894121, 0.0, 43.0])
    (tmp_path / "npy").mkdir()
    (tmp_path / "zip").mkdir()
    np.save(tmp_path / "npy" / "LD_250.npy", values)
    lines = [_line(i, repr(float(value)).replace(".", ",")) for i, value in enumerate(values)]
    official = electricity.read(_official(tmp_path / "zip", *lines))
    array = electricity.read(tmp_path / "npy")
    assert official.values.tolist() == array.values.tolist() == values.tolist()
    assert official.findings == array.findings == {"points": 4, "clock_change_slots_masked": 0, "zeros": 1}
    assert (official.unit, official.start, official.step_seconds) == ("kW", "2011-01-01T00:15:00", 900)


@pytest.mark.fault("clock-changes")
def test_clock_change_slots_are_those_of_the_calendar() -> None:
    slots = electricity.clock_change_slots(140_256)
    stamps = [START + timedelta(minutes=15 * int(slot)) for slot in slots]
    assert len(stamps) == 32
    assert {stamp.strftime("%H:%M") for stamp in stamps} == {"01:00", "01:15", "01:30", "01:45"}
    days = sorted({stamp.strftime("%Y-%m-%d") for stamp in stamps})
    assert days == [
        "2011-03-27", "2011-10-30", "2012-03-25", "2012-10-28", "2013-03-31", "2013-10-27", "2014-03-30", "2014-10-26",
    ]  # fmt: skip


def test_the_synthetic_file_has_daily_and_weekly_waves_and_the_floor_in_march(synthetic: Path) -> None:
    record = electricity.read(synthetic)
    masked = record.values[~record.valid]
    assert masked.tolist() == [electricity.FLOOR] * 4
    assert len(record.values) == 13_440
    steps = (record.values - electricity.FLOOR) / electricity.QUANTUM
    assert np.abs(steps - steps.round()).max() < 1e-9, "whole steps of the meter"
    by_slot = record.values[record.valid][: 96 * 84].reshape(-1, 96).mean(axis=0)
    assert np.ptp(by_slot) > 20, "kW between night and day"
    weekend = np.arange(len(record.values)) // 96 % 7 < 2
    assert record.values[weekend].mean() < record.values[~weekend].mean() - 3


def test_the_stored_optimum_is_better_than_every_baseline(synthetic: Path) -> None:
    record = electricity.read(synthetic)
    assert record.optimum is not None
    assert record.optimum.shape == (13_440, len(record.optimum_steps))
    assert {1, 4, *range(8, 97, 8)} <= set(record.optimum_steps)
    row = {"source": "electricity", "task": "forecasting", "horizons": [96, 1, 4], "seasonal_periods": [96, 672]}
    encoded = encode(record, ForecastingData.model_validate({**row, "calendar": True}), 42)
    best = TASK.optimum(encoded, 0) if TASK.optimum else None
    assert best is not None
    _, truth = targets(encoded, "test")
    gaps = np.nanmean(np.abs(best - truth), axis=0)
    for name, baseline in baselines(encoded).items():
        theirs = TASK.losses(encoded, baseline.predictions[0], 0) - TASK.losses(encoded, best, 0)
        days = theirs[: len(theirs) // 96 * 96].reshape(-1, 96).mean(axis=1)
        assert theirs.mean() > 3 * days.std() / np.sqrt(len(days)), name
        assert (np.nanmean(np.abs(baseline.predictions[0] - truth), axis=0) > 1.2 * gaps).all(), name


def test_the_optimum_of_another_file_is_refused(synthetic: Path, tmp_path: Path) -> None:
    shutil.copy(synthetic / "optimum.npz", tmp_path)
    np.save(tmp_path / "LD_250.npy", np.ones(5))
    with pytest.raises(DataError, match="medians of 13,440 rows, the data have 5; run the download again"):
        electricity.read(tmp_path)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 2)), r"found float64 \[3, 2\], expected float64 \[time\]"),
        (np.zeros(3, dtype=np.float32), r"found float32 \[3\]"),
        (np.zeros(0), "at least one value|not a whole NumPy array"),
        (np.array([1.0, np.nan]), "1 values are not finite or beyond 1e.30 kW, first nan at index 1"),
        (np.array([1.0, 2.0, -1e300]), "first -1e.300 at index 2"),
    ],
)
def test_other_arrays_are_refused(array: np.ndarray, message: str, tmp_path: Path) -> None:
    np.save(tmp_path / "LD_250.npy", array)
    with pytest.raises(DataError, match=f"LD_250.npy: .*({message})"):
        electricity.read(tmp_path)


def test_an_array_of_objects_is_not_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "LD_250.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="not a whole NumPy array"):
        electricity.read(tmp_path)


def test_a_gap_in_the_time_stamps_is_named(tmp_path: Path) -> None:
    late = _line(1, "1", START + timedelta(hours=1))
    with pytest.raises(DataError, match="line 3 is stamped '2011-01-01 01:15:00', expected '2011-01-01 00:30:00'"):
        electricity.read(_official(tmp_path, _line(0, "1,5"), late))


@pytest.mark.fault("damaged-array")
def test_a_damaged_header_is_named(tmp_path: Path) -> None:
    np.save(tmp_path / "LD_250.npy", np.arange(50.0))
    raw = (tmp_path / "LD_250.npy").read_bytes()
    end = raw.index(b"\n")
    for at in range(end):
        for byte in b"({":
            (tmp_path / "LD_250.npy").write_bytes(raw[:at] + bytes([byte]) + raw[at + 1 :])
            with contextlib.suppress(DataError):
                electricity.read(tmp_path)
    for size in range(0, len(raw), 7):
        (tmp_path / "LD_250.npy").write_bytes(raw[:size])
        with pytest.raises(DataError, match=r"LD_250\.npy: "):
            electricity.read(tmp_path)


@pytest.mark.fault("malformed-rows")
@pytest.mark.parametrize("value", ["", "n/a", "1.000,5", "1_0", "nan", "inf", "0x1"])
def test_what_is_no_number_is_named(value: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 3 has no number in column 251"):
        electricity.read(_official(tmp_path, _line(0, "1,5"), _line(1, value)))


def test_another_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'LD2011_2014\.txt has 101 columns, expected "MT_251"'):
        electricity.read(_official(tmp_path, columns=100))
    with pytest.raises(DataError, match="has no line below its header"):
        electricity.read(_official(tmp_path))
    with pytest.raises(DataError, match=r"no member 'LD2011_2014.txt'.* holds other.txt"):
        electricity.read(_official(tmp_path, member="other.txt"))
