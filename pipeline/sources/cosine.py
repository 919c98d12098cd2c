r"""Compute the cosine of 0, 1, 2 … radians: a series with a known answer (AR(2) predicts it without error).

It is computed here and is the same in both editions; nothing is downloaded. It needs no licence.

cosine.csv has LF line ends and 17 significant digits, so that each float64 is read back exactly:

    index,value
    0,1
    1,0.54030230586813977
"""

import csv
import math
from pathlib import Path

import numpy as np

from pipeline.encoding.records import Series
from pipeline.errors import DataError
from pipeline.sources.card import Card, find_file

GENERATED = True
FILE = "cosine.csv"
POINTS = 2000
HEADER = ["index", "value"]

CARD = Card(
    title="Cosine, one radian per step",
    about="cos(0), cos(1) … cos(1999): a noiseless series that a recurrent network should continue almost exactly.",
    homepage="https://en.wikipedia.org/wiki/Sine_and_cosine",
    licence="Public domain (computed)",
    example="1,0.54030230586813977",
    forms=((),),
    how_to_get="computed, the same in both editions",
)


def read(folder: Path) -> Series:
    """Read the series, float64 [2000], which has no dates; DataError names the first line that is not `index,value`.

    The best possible forecast is exact but for rounding: cos(t + 1) = 2 cos(1) cos(t) - cos(t - 1).
    """
    path = find_file(folder, (FILE,))
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    if rows[0] != HEADER:
        raise DataError(f"{path}: line 1 is {','.join(rows[0])!r}, expected 'index,value'")
    values = np.array([_value(path, line, row) for line, row in enumerate(rows[1:], start=2)], dtype=np.float64)
    if not values.size:
        raise DataError(f"{path}: no values below the header, expected {POINTS}")
    before = np.concatenate([[math.cos(-1)], values[:-1]])
    following = 2 * math.cos(1) * values - before
    valid = np.ones(values.shape, dtype=np.bool_)
    return Series(values, valid, "", findings={"points": len(values)}, optimum=following[:, np.newaxis])


def synthesize(folder: Path, seed: int) -> None:
    """Write cosine.csv; `seed` is ignored, since nothing is random."""
    del seed
    lines = [",".join(HEADER), *(f"{i},{math.cos(i):.17g}" for i in range(POINTS))]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_bytes(("\n".join(lines) + "\n").encode("ascii"))


def _value(path: Path, line: int, row: list[str]) -> float:
    try:
        index, value = int(row[0]), float(row[1])
    except (ValueError, IndexError):
        raise DataError(f"{path}: line {line} is {','.join(row)!r}, expected e.g. '0,1'") from None
    if index != line - 2 or not math.isfinite(value):
        raise DataError(f"{path}: line {line} is {','.join(row)!r}, expected index {line - 2} and a finite value")
    return value
