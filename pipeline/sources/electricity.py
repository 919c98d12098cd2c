r"""Read the electricity load of one Portuguese client (MT_251), every 15 minutes from 2011 to 2014.

From the UCI set "ElectricityLoadDiagrams20112014" (A. Trindade, 2015), CC BY 4.0. Two forms:

LD_250.npy   this one client, NumPy v1 float64 [140256]. "250" is the zero-based column after the time stamp, that is,
             the client whose header is MT_251.
LD2011_2014.txt.zip   all 370 clients in LD2011_2014.txt: semicolons, decimal commas, 711 MB, which is streamed:

    "";"MT_001";"MT_002";…
    "2011-01-01 00:15:00";0;0;…;56,2907536061428;…

Every day has 96 slots in local time. On the last Sunday of March the hour from 01:00 does not exist and its four slots
hold the client's lowest value (2012–2014); on the last Sunday of October they hold the sum of two hours. These slots
are not valid in any year: the calendar decides, not the value. So those of 2011 are not valid either, although their
values look ordinary.
"""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Series
from pipeline.errors import DataError
from pipeline.sources.archive import open_zip, stream_zip_member
from pipeline.sources.card import Card, RawFile, find_file
from pipeline.synthesis import heated_house, optimum

GENERATED = False
FILES = ("LD_250.npy", "LD2011_2014.txt.zip")
MEMBER = "LD2011_2014.txt"
COLUMN = 251  # the time stamp is column 0
CLIENT = b'"MT_251"'
START = datetime(2011, 1, 1, 0, 15)
STEP = timedelta(minutes=15)
MEMBER_LIMIT = 1_000_000_000
LINE_LIMIT = 65_536
SAMPLE_POINTS = 140 * 96
OPTIMUM_STEPS = (1, 2, 3, *range(4, 97, 4))  # ahead, up to a day; the file stays small
NUMBER = re.compile(rb"-?[0-9]+(?:,[0-9]+)?(?:[eE][+-]?[0-9]+)?")
LARGEST = 1e30  # kW
FLOOR = 0.668091929449492
QUANTUM = 0.534473543559594

CARD = Card(
    title="Electricity load, client MT_251",
    about="One client's load in kW, 140,256 quarter hours from 2011-01-01 00:15 to 2015-01-01 00:00.",
    homepage="https://archive.ics.uci.edu/dataset/321/electricityloaddiagrams20112014",
    licence="CC BY 4.0 (UCI Machine Learning Repository)",
    example='"2011-01-01 00:15:00";…;56,2907536061428;… (column MT_251)',
    forms=(
        (
            RawFile(
                "LD_250.npy",
                sha256="eea4e90a91f04075bb18086880c840d4b7ac7842512407d16243d0c9bee317ce",
                size=1_122_176,
                url=None,
                magic=b"\x93NUMPY",
            ),
        ),
        (
            RawFile(
                "LD2011_2014.txt.zip",
                sha256=None,
                size=None,
                url="https://archive.ics.uci.edu/static/public/321/electricityloaddiagrams20112014.zip",
                magic=b"PK\x03\x04",
                member=MEMBER,
                member_sha256="d51565f2cb5a6b768d06ba1bbd3c084c6e2f3aab07f00c6f2dcb80e90175124b",
            ),
        ),
    ),
)


def read(folder: Path) -> Series:
    """Read the load in kW, float64 [time].

    Raises DataError for an array of another shape, a gap in the time stamps, or values that are not finite.
    """
    path = find_file(folder, FILES)
    values = _from_array(path) if path.suffix == ".npy" else _from_zip(path)
    wrong = ~(np.abs(values) < LARGEST)
    if wrong.any():
        raise DataError(
            f"{path}: {int(wrong.sum())} values are not finite or beyond {LARGEST:g} kW, first {values[wrong][0]:g} at "
            f"index {int(wrong.argmax())}, expected none"
        )
    valid = np.ones(values.shape, dtype=np.bool_)
    valid[clock_change_slots(len(values))] = False
    findings = {
        "points": len(values),
        "clock_change_slots_masked": int((~valid).sum()),
        "zeros": int((values == 0).sum()),
    }
    record = Series(values, valid, "kW", START.isoformat(), int(STEP.total_seconds()), findings)
    known = optimum.load(folder, medians=len(values))
    if not known:
        return record
    medians, steps = FLOOR + QUANTUM * known["medians"], tuple(known["steps"].tolist())
    return replace(record, optimum=medians, optimum_steps=steps)


def clock_change_slots(points: int) -> NDArray[np.intp]:
    """Return the indices, below `points`, of the slots 01:00 to 01:45 of the last Sundays of March and October."""
    hours = [_last_sunday(year, month) + timedelta(hours=1) for year in range(2011, 2100) for month in (3, 10)]
    slots = [int((hour - START) / STEP) + quarter for hour in hours for quarter in range(4)]
    return np.array([slot for slot in slots if slot < points], dtype=np.intp)


def synthesize(folder: Path, seed: int) -> None:
    """Write LD_250.npy with 140 days of an invented house, in the real step size and minimum, and the optimum.

    The masked slots of March hold the minimum, which says nothing, so the optimum is computed without them.
    """
    counts = heated_house.draw(SAMPLE_POINTS, QUANTUM, np.random.default_rng(seed))
    known = np.ones(SAMPLE_POINTS, np.bool_)
    known[clock_change_slots(SAMPLE_POINTS)] = False
    counts[~known] = 0
    best = heated_house.medians(heated_house.filtered(counts, known, QUANTUM), OPTIMUM_STEPS, QUANTUM)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "LD_250.npy", FLOOR + QUANTUM * counts, allow_pickle=False)
    optimum.save(folder, steps=np.array(OPTIMUM_STEPS), medians=best.astype(np.int16))


def _last_sunday(year: int, month: int) -> datetime:
    last = datetime(year, month, 31)
    return last - timedelta(days=(last.weekday() + 1) % 7)


def _from_array(path: Path) -> NDArray[np.float64]:
    try:
        # Memory-mapped, so that a header that declares more than the file holds fails instead of allocating memory.
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # its header is read as Python, so that a damaged one raises nearly anything
        raise DataError(f"{path}: not a whole NumPy array, {path.stat().st_size:,} bytes ({error})") from error
    if not isinstance(array, np.ndarray) or array.dtype != np.float64 or array.ndim != 1 or not array.size:
        actual = f"{array.dtype} {list(array.shape)}" if isinstance(array, np.ndarray) else "an archive of arrays"
        raise DataError(f"{path}: found {actual}, expected float64 [time] with at least one value")
    return np.array(array)


def _from_zip(path: Path) -> NDArray[np.float64]:
    values: list[float] = []
    with open_zip(path) as archive, stream_zip_member(path, archive, MEMBER, MEMBER_LIMIT) as stream:
        header = stream.readline(LINE_LIMIT).rstrip(b"\r\n").split(b";")
        if len(header) <= COLUMN or header[COLUMN] != CLIENT:
            raise DataError(f"{path}: {MEMBER} has {len(header)} columns, expected {CLIENT.decode()} at {COLUMN}")
        while line := stream.readline(LINE_LIMIT):
            values.append(_value(path, len(values), line))
    if not values:
        raise DataError(f"{path}: {MEMBER} has no line below its header")
    return np.array(values, dtype=np.float64)


def _value(path: Path, index: int, line: bytes) -> float:
    fields = line.rstrip(b"\r\n").split(b";", COLUMN + 1)
    expected = START + index * STEP
    stamp = fields[0].strip(b'"').decode("ascii", "replace")
    if stamp != str(expected):
        raise DataError(f"{path}: {MEMBER} line {index + 2} is stamped {stamp[:30]!r}, expected '{expected}'")
    if len(fields) <= COLUMN or not NUMBER.fullmatch(fields[COLUMN]):
        raise DataError(f"{path}: {MEMBER} line {index + 2} has no number in column {COLUMN}, expected e.g. '56,29'")
    return float(fields[COLUMN].replace(b",", b"."))
