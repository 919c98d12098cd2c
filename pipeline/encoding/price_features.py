"""What a chapter tells its network of a share: averages, spreads and returns over a week, a month and a year."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

WEEK, MONTH, YEAR = 5, 21, 252  # in trading days
SPANS = (WEEK, MONTH, YEAR)
SMALL = 1e-12

Floats = NDArray[np.float64]


def price_features(columns: Mapping[str, Floats]) -> Floats:
    """float64 [time, 36], known at the end of each day: the day's five columns; of price and of volume the mean and the
    standard deviation over each span, and the ratios of those; returns of the day and of each span, and the mean of
    the daily ones. NaN where the past is shorter than a year.
    """
    close, volume = columns["close"], columns["volume"]
    returns = _return(close, 1)
    found = [columns[name] for name in ("open", "high", "low", "close", "volume")]
    for series in (close, volume):
        for moment in (np.mean, np.std):
            spans = [_over(series, span, moment) for span in SPANS]
            found += [*spans, *(short / np.maximum(long, SMALL) for short, long in combinations(spans, 2))]
    found += [returns, *(_return(close, span) for span in SPANS), *(_over(returns, span, np.mean) for span in SPANS)]
    return np.column_stack(found)


def _over(values: Floats, span: int, moment: object) -> Floats:
    """float64 [time]: the moment of the last `span` values."""
    assert callable(moment)
    out = np.full(len(values), np.nan)
    if len(values) >= span:
        out[span - 1 :] = moment(sliding_window_view(values, span), axis=1)
    return out


def _return(close: Floats, span: int) -> Floats:
    """float64 [time]: the change over `span` days, as a share."""
    out = np.full(len(close), np.nan)
    out[span:] = close[span:] / close[:-span] - 1.0
    return out
