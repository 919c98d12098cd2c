"""Read the daily prices of Microsoft's share, 2012 to 2017.

The file is as Yahoo Finance published it, with an adjusted close: the close, reduced in proportion to the dividends
paid since. Terms unclear: for personal use; the user fetches it. Yahoo adjusts the whole history again with every
dividend, so only this copy has this checksum. LF line ends, six decimals:

    Date,Open,High,Low,Close,Adj Close,Volume
    2012-01-03,26.549999,26.959999,26.389999,26.770000,22.688747,64731500
"""

from pathlib import Path

import numpy as np

from pipeline.encoding.records import Series
from pipeline.sources.card import Card, RawFile, find_file
from pipeline.sources.daily_prices import random_walk, read_prices, write_prices

GENERATED = False
FILE = "MSFT_2012_2017.csv"
HEADER = "Date,Open,High,Low,Close,Adj Close,Volume"
SAMPLE_DAYS = 700
DIVIDENDS = 0.15  # the share by which the adjustment lowers the oldest price
QUARTER = 63  # days from one dividend to the next

CARD = Card(
    title="Microsoft, daily",
    about="Open, high, low, close, adjusted close and volume of 1,509 trading days, 2012-01-03 to 2017-12-29.",
    homepage="https://finance.yahoo.com/quote/MSFT/history",
    licence="Unclear (Yahoo Finance: personal use)",
    example="2012-01-03,26.549999,26.959999,26.389999,26.770000,22.688747,64731500",
    forms=(
        (
            RawFile(
                FILE,
                sha256="bc4fbc2cd7b875997fc78abb0b823239af4a66b16b86dc529e703b2728edc368",
                size=105_688,
                url=None,
                magic=b"Date,Open,",
            ),
        ),
    ),
    how_to_get="the terms of Yahoo Finance let you download the history yourself, but it is adjusted again with every "
    "dividend: the pinned file is MSFT_2012_2017.csv as it was at the end of 2017 (1,509 days)",
)


def read(folder: Path) -> Series:
    """The adjusted close in USD, with the columns as traded as covariates."""
    return read_prices(find_file(folder, (FILE,)), HEADER, "USD")


def synthesize(folder: Path, seed: int) -> None:
    """Write MSFT_2012_2017.csv with 700 weekdays; the adjusted close is a random walk, dividends are quarterly.

    The prices as traded are those of the walk, divided by what the dividends still to come leave of them.
    """
    dates, walk = random_walk(seed, "2012-01-03", SAMPLE_DAYS, 23.0)
    paid = np.arange(SAMPLE_DAYS) // QUARTER / ((SAMPLE_DAYS - 1) // QUARTER)
    adjusted = 1 - DIVIDENDS * (1 - paid)
    columns = {name: column if name == "volume" else column / adjusted for name, column in walk.items()}
    columns["adj close"] = walk["close"]
    write_prices(folder / FILE, HEADER, dates, columns, 6)
