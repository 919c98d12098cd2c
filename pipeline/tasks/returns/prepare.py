"""Prepare daily prices for returns: next-day log returns, features of the days before, and several test origins.

The last part of the series is split into equal blocks. Each block is forecast by a network that was trained on the days
before it. Parts are separated by as many days as a window reads, so that no window straddles two parts. Fold 0 is the
latest origin, because the first model of an experiment is the one that is served.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from pipeline.config.schema.datasets import ReturnsData
from pipeline.encoding.records import Encoded, Series
from pipeline.errors import DataError

WEEK, MONTH = 5, 21  # in trading days
COLUMNS = ("values", "high", "low", "volume")  # the columns that a forecast needs
CALM = 1e-4  # added to daily moves before the logarithm, which thus stays finite on calm days
MIN_DAYS = 20
CLIP = 5.0  # standard deviations; otherwise one day of a crash would weigh as much as a hundred others
Floats = NDArray[np.float64]


def encode(record: Series, row: ReturnsData, seed: int) -> Encoded:
    """Return the arrays values float64 [time], returns float64 [time] (of each day over the day before, at first NaN),
    features float64 [time, features] (known at the end of each day), and dates datetime64[D] [time] if they are known.

    summary["martingale"]: whether the best possible forecast is "no change", as it is for synthetic prices.

    encoder["blocks"]: the first day of each test block, and the end of the last; encoder["scalings"]: of each fold.
    """
    del seed  # the split is by time
    columns = _columns(record, row.source)
    values, n = columns["values"], len(record.values)
    size = (round(n * row.test) if record.test_start is None else n - record.test_start) // row.origins
    encoder: dict[str, Any] = {
        "window": row.window,
        "first": row.window + MONTH,
        "validation": row.validation,
        "blocks": [n - size * i for i in range(row.origins, -1, -1)],
        "unit": record.unit,
        **({} if len(columns) == len(COLUMNS) else {"columns": list(columns)}),
    }
    arrays: dict[str, NDArray[Any]] = {
        "values": values,
        "returns": np.diff(np.log(values), prepend=np.nan),
        "features": features(columns),
        **({} if record.dates is None else {"dates": record.dates}),
        **{name: column for name, column in columns.items() if name != "values"},
    }
    encoded = Encoded(arrays, encoder, {}, {})
    _check_length(row, n, encoded)
    if np.ptp(values[: encoder["blocks"][0]]) == 0:
        raise DataError(f"{row.source}: the price is constant before the test part; there is nothing to forecast")
    encoder["scalings"] = [_scaling(encoded, fold) for fold in range(row.origins)]
    examples = {split: len(days(encoded, split, 0)) for split in ("train", "validation", "test")}
    martingale = record.optimum is not None and np.array_equal(record.optimum[:, 0], values)
    summary = {"folds": row.origins, "findings": dict(record.findings), "martingale": martingale}
    return Encoded(arrays, encoder, examples, summary)


def _columns(record: Series, source: str) -> dict[str, Floats]:
    """Return the prices, and high, low and volume if the source has all three, in capitals or not."""
    found = {name.lower(): column for name, column in record.covariates.items()}
    further = {name: found[name] for name in COLUMNS[1:] if set(COLUMNS[1:]) <= set(found)}
    columns = {"values": record.values, **{name: carried(column) for name, column in further.items()}}
    for name, column in columns.items():
        wrong = ~(column >= 0) if name == "volume" else ~(column > 0)
        if wrong.any():
            at = int(np.argmax(wrong))
            raise DataError(
                f"{source}: {name} number {at + 1} is {column[at]:g}; returns needs prices above zero, and "
                "`task: forecasting` reads any series"
            )
    return columns


def carried(column: Floats) -> Floats:
    """Fill each gap (NaN) with the number before it, and at the start with the first; float64 [time]."""
    known = ~np.isnan(column)
    last = np.maximum.accumulate(np.where(known, np.arange(len(column)), int(np.argmax(known))))
    return column[last]


def columns_of(encoder: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the columns that a forecast needs."""
    return tuple(encoder.get("columns", COLUMNS))


def _check_length(row: ReturnsData, n: int, encoded: Encoded) -> None:
    """Raise DataError if the earliest origin, which has the fewest days before it, has too few."""
    fewest = min(len(days(encoded, split, row.origins - 1)) for split in ("train", "validation", "test"))
    if encoded.encoder["blocks"][0] <= encoded.encoder["first"] or fewest < MIN_DAYS:
        raise DataError(
            f"{row.source}: {n} days are too few: the smallest part of the first origin has {fewest} days and needs"
            f" {MIN_DAYS}; lower window ({row.window}) or origins ({row.origins})"
        )


def features(columns: Mapping[str, Floats]) -> Floats:
    """Return float64 [time, 5]: return, log volatility of the week and of the month, log change of volume, log range.

    Each is computed from its day and those before it, and NaN where the past is too short. Prices alone have the first
    three.
    """
    returns = np.diff(np.log(columns["values"]), prepend=np.nan)
    if len(columns) < len(COLUMNS):
        return np.column_stack([returns, _volatility(returns, WEEK), _volatility(returns, MONTH)])
    volume = np.diff(np.log1p(columns["volume"]), prepend=np.nan)
    spread = np.log(CALM + np.log(columns["high"] / columns["low"]))
    return np.column_stack([returns, _volatility(returns, WEEK), _volatility(returns, MONTH), volume, spread])


def _volatility(returns: Floats, length: int) -> Floats:
    """Return float64 [time]: log of the root mean square of the last `length` returns."""
    out = np.full(len(returns), np.nan)
    if len(returns) >= length:
        out[length - 1 :] = np.log(CALM + np.sqrt(np.mean(sliding_window_view(returns, length) ** 2, axis=1)))
    return out


def days(encoded: Encoded, split: str, fold: int) -> NDArray[np.int64]:
    """Return int64 [targets]: the days whose returns are forecast, each at the end of the day before."""
    encoder = encoded.encoder
    first, window, blocks = encoder["first"], encoder["window"], encoder["blocks"][::-1]
    start, end = blocks[fold + 1], blocks[fold]
    border = start - round((start - first) * encoder["validation"])
    edges = {"train": (first, border - window), "validation": (border, start - window), "test": (start, end)}
    return np.arange(*edges[split])


def _scaling(encoded: Encoded, fold: int) -> dict[str, Any]:
    """Return from the training part `mean` and `sd` of the features and `spread`, the root mean square of returns."""
    train = days(encoded, "train", fold)
    known = encoded.arrays["features"][: train[-1]]
    spread = float(np.sqrt(np.mean(encoded.arrays["returns"][train] ** 2)))
    sd = np.nanstd(known, axis=0)
    return {"mean": np.nanmean(known, axis=0).tolist(), "sd": np.where(sd > 0, sd, 1.0).tolist(), "spread": spread}


def fitted(encoded: Encoded, fitted_on: tuple[str, ...], fold: int = 0) -> dict[str, Any]:
    """Return the encoder with the scaling of the fold and the latest days, which a forecast without input continues."""
    kept = {name: value for name, value in encoded.encoder.items() if name != "scalings"}
    latest = {name: encoded.arrays[name][-encoded.encoder["first"] :].tolist() for name in columns_of(encoded.encoder)}
    return {**kept, "scalings": [encoded.encoder["scalings"][fold]], "latest": latest}


def scaled(values: NDArray[np.float64], scaling: Mapping[str, Any]) -> NDArray[np.float32]:
    """Return float32 [time, features] in standard deviations of the training part, clipped at ± CLIP."""
    return np.asarray(np.clip((values - scaling["mean"]) / scaling["sd"], -CLIP, CLIP), np.float32)
