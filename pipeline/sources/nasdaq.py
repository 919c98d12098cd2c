"""Read the NASDAQ Composite, daily, 1990 to the middle of 2023.

The repository of a textbook ships this file, as Yahoo Finance published it, with its chapter on the Dow Jones. But its
closes, 459.3 on the first day and 13,787.9 on the last, are those of the NASDAQ Composite (^IXIC); the Dow Jones was at
2,810 and 34,408. The chapter's printed figures can be compared on this file only. Terms unclear: for personal use; the
user fetches it. LF line ends, the last line without one:

    Date,Open,High,Low,Close,Adj Close,Volume
    1990-01-02,452.899994,459.299988,452.700012,459.299988,459.299988,110720000
"""

from pathlib import Path

from pipeline.encoding.records import Series
from pipeline.sources.card import Card, RawFile, find_file
from pipeline.sources.daily_prices import random_walk, read_prices, write_prices

GENERATED = False
FILE = "19900101_20230630.csv"
HEADER = "Date,Open,High,Low,Close,Adj Close,Volume"
SAMPLE_DAYS = 1_500

CARD = Card(
    title="NASDAQ Composite, daily",
    about="Open, high, low, close and volume of 8,439 trading days, 1990-01-02 to 2023-06-30.",
    homepage="https://finance.yahoo.com/quote/%5EIXIC/history",
    licence="Unclear (Yahoo Finance: personal use)",
    example="1990-01-02,452.899994,459.299988,452.700012,459.299988,459.299988,110720000",
    forms=(
        (
            RawFile(
                FILE,
                sha256="8ac0665fc7a006826506964a6b3fd9bc09491a5bcc6141b7549c4e56187efa22",
                size=686_297,
                url=None,
                magic=b"Date,Open,",
            ),
        ),
    ),
    how_to_get="the terms of Yahoo Finance let you download the history of ^IXIC yourself: daily, 1990-01-01 to "
    "2023-06-30, saved as 19900101_20230630.csv",
    folder="djia",
)


def read(folder: Path) -> Series:
    """The close in points, with the other columns as covariates; the adjusted close of an index is its close."""
    return read_prices(find_file(folder, (FILE,)), HEADER, "points", ends_with_newline=False)


def synthesize(folder: Path, seed: int) -> None:
    """Write 19900101_20230630.csv with 1,500 weekdays of a random walk."""
    dates, columns = random_walk(seed, "2018-04-02", SAMPLE_DAYS, 7_000.0)
    write_prices(folder / FILE, HEADER, dates, {**columns, "adj close": columns["close"]}, 6)
