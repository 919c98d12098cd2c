"""Read the Dow Jones Industrial Average, daily, 1930 to 2024.

The file is as Stooq publishes it: full precision, no adjusted close (an index pays no dividend). Terms unclear: for
personal use; the user fetches it. LF line ends:

    Date,Open,High,Low,Close,Volume
    1930-02-03,268.4,271.5,264.8,266.5,428572

It has gaps for two weeks in which the exchange was closed (March 1933, September 2001); the other gaps are long
holidays.
"""

from pathlib import Path

from pipeline.encoding.records import Series
from pipeline.sources.card import Card, RawFile, find_file
from pipeline.sources.daily_prices import random_walk, read_prices, write_prices

GENERATED = False
FILE = "dji_d.csv"
HEADER = "Date,Open,High,Low,Close,Volume"
SAMPLE_DAYS = 1_500  # up to the end of 2023, so that the first half of that year can be the test part

CARD = Card(
    title="Dow Jones Industrial Average, daily",
    about="Open, high, low, close and volume of 24,628 trading days, 1930-02-03 to 2024-02-07.",
    homepage="https://stooq.com/q/d/?s=^dji",
    licence="Unclear (Stooq: personal use)",
    example="2024-02-07,38613.89,38748.11,38571.01,38677.36,306881631",
    forms=(
        (
            RawFile(
                FILE,
                sha256="c9e791bc4b26a802cc9736609eae5d95c2d6c57c591b0554263fc1663f0228da",
                size=1_121_075,
                url=None,
                magic=b"Date,Open,",
            ),
        ),
    ),
    how_to_get="the terms of Stooq let you download the history yourself: https://stooq.com/q/d/?s=^dji, daily, "
    "1930-02-03 to 2024-02-07. A history that has been corrected since then has another checksum and is refused",
)


def read(folder: Path) -> Series:
    """The close in points, with the other columns as covariates."""
    return read_prices(find_file(folder, (FILE,)), HEADER, "points")


def synthesize(folder: Path, seed: int) -> None:
    """Write dji_d.csv with 1,500 weekdays of a random walk."""
    dates, columns = random_walk(seed, "2018-04-02", SAMPLE_DAYS, 24_000.0)
    write_prices(folder / FILE, HEADER, dates, columns, 2)
