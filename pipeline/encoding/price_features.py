"""Compute the features of a share in a textbook chapter: means, spreads and returns over a week, a month, a year."""

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
    """Compute the features known at the end of each day, float64 [time, 36]; NaN where the past is shorter than a span.

    They are the day's five columns; the mean and the standard deviation of close and of volume over each span, and the
    ratios between spans; the returns of the day and over each span; and the mean of the daily returns over each span.
    """
    close, volume = columns["close"], columns["volume"]
    returns = _return(close, 1)
    features = [columns[name] for name in ("open", "high", "low", "close", "volume")]
    for series in (close, volume):
        for moment in (np.mean, np.std):
            spans = [_over(series, span, moment) for span in SPANS]
            features += [*spans, *(short / np.maximum(long, SMALL) for short, long in combinations(spans, 2))]
    features += [returns, *(_return(close, span) for span in SPANS)]
    features += [_over(returns, span, np.mean) for span in SPANS]
    return np.column_stack(features)


def _over(values: Floats, span: int, moment: object) -> Floats:
    """Compute `moment` over the last `span` values, float64 [time]; NaN before there are that many."""
    assert callable(moment)
    out = np.full(len(values), np.nan)
    if len(values) >= span:
        out[span - 1 :] = moment(sliding_window_view(values, span), axis=1)
    return out


def _return(close: Floats, span: int) -> Floats:
    """Compute the relative change over `span` days, float64 [time]; NaN for the first `span` days."""
    out = np.full(len(close), np.nan)
    out[span:] = close[span:] / close[:-span] - 1.0
    return out
