r"""Compute the cosine of 0, 1, 2 … radians: a series with a known answer (AR(2) predicts it without error).

It is computed here and is the same in both editions; nothing is downloaded. It needs no licence.

cosine.csv has LF line ends and 17 significant digits, so that each float64 is read back exactly:

    index,value
    0,1
    1,0.54030230586813977
"""

import math
import re
from pathlib import Path

import numpy as np

from pipeline.encoding.records import Series
from pipeline.errors import DataError
from pipeline.sources.card import Card, find_file

GENERATED = True
FILE = "cosine.csv"
POINTS = 2000
HEADER = "index,value"
ROW = re.compile(r"([0-9]+),(-?[0-9]+(?:\.[0-9]*)?(?:e-?[0-9]+)?)")
SHOWN = 60  # characters of a line

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
    first, *lines = path.read_bytes().decode("utf-8", "replace").splitlines() or [""]
    if first != HEADER:
        raise DataError(f"{path}: line 1 is {first[:SHOWN]!r}, expected {HEADER!r}")
    values = np.array([_value(path, number, line) for number, line in enumerate(lines, start=2)], dtype=np.float64)
    if not values.size:
        raise DataError(f"{path}: no values below the header, expected {POINTS}")
    before = np.concatenate([[math.cos(-1)], values[:-1]])
    following = 2 * math.cos(1) * values - before
    valid = np.ones(values.shape, dtype=np.bool_)
    return Series(values, valid, "", findings={"points": len(values)}, optimum=following[:, np.newaxis])


def synthesize(folder: Path, seed: int) -> None:
    """Write cosine.csv; `seed` is ignored, since nothing is random."""
    del seed
    lines = [HEADER, *(f"{i},{math.cos(i):.17g}" for i in range(POINTS))]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_bytes(("\n".join(lines) + "\n").encode("ascii"))


def _value(path: Path, number: int, line: str) -> float:
    row = ROW.fullmatch(line)
    if row is None:
        raise DataError(f"{path}: line {number} is {line[:SHOWN]!r}, expected e.g. '0,1'")
    if row[1] != str(number - 2) or not abs(float(row[2])) <= 1:
        raise DataError(
            f"{path}: line {number} is {line[:SHOWN]!r}, expected index {number - 2} and a cosine, from -1 to 1"
        )
    return float(row[2])
