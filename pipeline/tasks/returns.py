"""Next-day log returns of a price, from the days before: what can be foreseen of a share, if anything.

Tested at several origins: the last part of the series in equal blocks, each forecast by a network that was trained on
what lies before it. Between the parts as many days are left out as a window reads, so that none straddles two parts.
Fold 0 is the latest origin, because the first model of an experiment is the one that is served.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded, Series
from pipeline.errors import DataError
from pipeline.rows.datasets import ReturnsData
from pipeline.tasks.base import LEVEL, Baseline, conformal_width, diebold_mariano

HEADLINE = "theil_u"
MONITOR = "theil_u"
BLOCK = 20
WEEK, MONTH = 5, 21  # in trading days
COLUMNS = ("values", "high", "low", "volume")  # what a forecast is made from
CALM = 1e-4  # the smallest daily move that is told from none, so that its logarithm stays small
MIN_DAYS = 20

Floats = NDArray[np.float64]


def encode(record: Series, row: ReturnsData, seed: int) -> Encoded:
    """Arrays: values float64 [time]; returns float64 [time], of each day over the day before (NaN on the first);
    features float64 [time, features], known at the end of each day; dates datetime64[D] [time].

    encoder["blocks"]: the first day of each test block and the end of the last; encoder["scalings"]: of each fold.
    """
    del seed  # the split is by time
    columns, dates = _columns(record, row.source)
    values, n = columns["values"], len(record.values)
    size = round(n * row.test) // row.origins
    encoder: dict[str, Any] = {
        "window": row.window,
        "first": row.window + MONTH,
        "validation": row.validation,
        "blocks": [n - size * i for i in range(row.origins, -1, -1)],
        "unit": record.unit,
    }
    arrays: dict[str, NDArray[Any]] = {
        "values": values,
        "returns": np.diff(np.log(values), prepend=np.nan),
        "features": features(columns),
        "dates": dates,
        **{name: columns[name] for name in COLUMNS[1:]},
    }
    encoded = Encoded(arrays, encoder, {}, {})
    _check_length(row, n, encoded)
    encoder["scalings"] = [_scaling(encoded, fold) for fold in range(row.origins)]
    examples = {split: len(days(encoded, split, 0)) for split in ("train", "validation", "test")}
    summary = {"folds": row.origins, "findings": dict(record.findings)}
    return Encoded(arrays, encoder, examples, summary)


def _columns(record: Series, source: str) -> tuple[dict[str, Floats], NDArray[np.datetime64]]:
    missing = [name for name in COLUMNS[1:] if name not in record.extras]
    if missing or record.dates is None:
        raise DataError(f"{source}: has no dates or no {', '.join(missing)}; returns needs daily prices such as djia's")
    return {"values": record.values, **{name: record.extras[name] for name in COLUMNS[1:]}}, record.dates


def _check_length(row: ReturnsData, n: int, encoded: Encoded) -> None:
    """The earliest origin has the least before it."""
    fewest = min(len(days(encoded, split, row.origins - 1)) for split in ("train", "validation", "test"))
    if encoded.encoder["blocks"][0] <= encoded.encoder["first"] or fewest < MIN_DAYS:
        raise DataError(
            f"{row.source}: {n} days are too few: the part of the first origin with the fewest days has {fewest}, and"
            f" needs {MIN_DAYS}; lower window ({row.window}) or origins ({row.origins})"
        )


def features(columns: Mapping[str, Floats]) -> Floats:
    """float64 [time, 5]: return, log volatility of the week and of the month, log change of volume, log range of the
    day; each from that day and those before it, NaN where the past is too short."""
    returns = np.diff(np.log(columns["values"]), prepend=np.nan)
    volume = np.diff(np.log1p(columns["volume"]), prepend=np.nan)
    spread = np.log(CALM + np.log(columns["high"] / columns["low"]))
    return np.column_stack([returns, _volatility(returns, WEEK), _volatility(returns, MONTH), volume, spread])


def _volatility(returns: Floats, length: int) -> Floats:
    """float64 [time]: log of the root mean square of the last `length` returns."""
    out = np.full(len(returns), np.nan)
    if len(returns) >= length:
        out[length - 1 :] = np.log(CALM + np.sqrt(np.mean(sliding_window_view(returns, length) ** 2, axis=1)))
    return out


def days(encoded: Encoded, split: str, fold: int) -> NDArray[np.int64]:
    """int64 [targets]: the days whose return is forecast, each at the end of the day before."""
    encoder = encoded.encoder
    first, window, blocks = encoder["first"], encoder["window"], encoder["blocks"][::-1]
    start, end = blocks[fold + 1], blocks[fold]
    border = start - round((start - first) * encoder["validation"])
    edges = {"train": (first, border - window), "validation": (border, start - window), "test": (start, end)}
    return np.arange(*edges[split])


def _scaling(encoded: Encoded, fold: int) -> dict[str, Any]:
    """Of the training part: `mean` and `sd` of the features, `spread`: the root mean square of the returns."""
    train = days(encoded, "train", fold)
    known = encoded.arrays["features"][: train[-1]]
    spread = float(np.sqrt(np.mean(encoded.arrays["returns"][train] ** 2)))
    sd = np.nanstd(known, axis=0)
    return {"mean": np.nanmean(known, axis=0).tolist(), "sd": np.where(sd > 0, sd, 1.0).tolist(), "spread": spread}


def fitted(encoded: Encoded, fitted_on: tuple[str, ...], fold: int = 0) -> dict[str, Any]:
    """The encoder with the scaling of the fold, and the latest days, after which to forecast when none are given."""
    kept = {name: value for name, value in encoded.encoder.items() if name != "scalings"}
    latest = {name: encoded.arrays[name][-encoded.encoder["first"] :].tolist() for name in COLUMNS}
    return {**kept, "scalings": [encoded.encoder["scalings"][fold]], "latest": latest}


def score(encoded: Encoded, split: str, predictions: NDArray[Any], fold: int = 0) -> dict[str, float]:
    """`predictions`: float [targets of the split], log returns.

    Theil's U: RMSE over that of the forecast "no change". A forecast of exactly zero counts as "not up". R² is about
    the mean of the same returns.
    """
    truth = encoded.arrays["returns"][days(encoded, split, fold)]
    error = predictions - truth
    rmse = float(np.sqrt(np.mean(error**2)))
    return {
        "theil_u": rmse / float(np.sqrt(np.mean(truth**2))),
        "rmse": rmse,
        "mae": float(np.mean(np.abs(error))),
        "direction_accuracy": float(np.mean((predictions > 0) == (truth > 0))),
        "r2": 1.0 - float(np.mean(error**2) / np.var(truth)),
    }


def interval(encoded: Encoded, predictions: NDArray[Any], fold: int = 0) -> dict[str, Any]:
    """Half the `width`, in log returns, of an interval around a forecast: see base.conformal_width.

    `predictions`: float [targets] for the validation part, which the network had not been fitted on.
    """
    truth = encoded.arrays["returns"][days(encoded, "validation", fold)]
    return {"level": LEVEL, "width": conformal_width(predictions - truth)}


def coverage(encoded: Encoded, validation: NDArray[Any], predictions: NDArray[Any], fold: int = 0) -> dict[str, float]:
    """Which share of the test days the interval holds that is made from the validation predictions."""
    error = np.abs(predictions - encoded.arrays["returns"][days(encoded, "test", fold)])
    return {"interval_coverage": float(np.mean(error <= interval(encoded, validation, fold)["width"]))}


def score_origins(encoded: Encoded, members: Sequence[tuple[int, NDArray[Any]]]) -> dict[str, float]:
    """Figures of the test rows of all origins together. members: (fold, test predictions) of each network.

    dm_p: how likely chance alone makes the squared errors as much smaller than those of "no change" (Diebold–Mariano).
    """
    ours: dict[int, list[Floats]] = {}
    for fold, predictions in members:
        truth = encoded.arrays["returns"][days(encoded, "test", fold)]
        ours.setdefault(fold, []).append((predictions - truth) ** 2)
    latest_last = sorted(ours, reverse=True)
    losses = np.concatenate([np.mean(ours[fold], axis=0) for fold in latest_last])
    naive = np.concatenate([encoded.arrays["returns"][days(encoded, "test", fold)] ** 2 for fold in latest_last])
    return {"dm_p": diebold_mariano(losses, naive)[1]}


def losses(encoded: Encoded, predictions: NDArray[Any], fold: int = 0) -> Floats:
    """What each test day adds to Theil's U, to first order: the mean over the days is U itself, and the spread of that
    mean is the one of U by the delta method (U is the root of a mean, which no mean of the days' errors can be)."""
    truth = encoded.arrays["returns"][days(encoded, "test", fold)]
    squared = (predictions - truth) ** 2
    rmse = np.sqrt(np.mean(squared))
    naive = np.sqrt(np.mean(truth**2))
    return np.asarray((rmse + squared / max(rmse, np.finfo(np.float64).tiny)) / 2 / naive, np.float64)


def baselines(encoded: Encoded) -> dict[str, Baseline]:
    """No change; the mean return before the test; the same size of return, but always up."""
    folds = range(encoded.summary["folds"])
    tests = [days(encoded, "test", fold) for fold in folds]
    means = [np.full(len(test), np.mean(encoded.arrays["returns"][1 : test[0]])) for test in tests]
    found = {
        "persistence": [np.zeros(len(test)) for test in tests],
        "drift": means,
        "always up": [np.abs(mean) for mean in means],
    }
    baselines = {}
    for name, predictions in found.items():
        scores = [score(encoded, "test", p, fold) for fold, p in enumerate(predictions)]
        metrics = {m: float(np.mean([s[m] for s in scores])) for m in scores[0]}
        baselines[name] = Baseline(metrics | score_origins(encoded, list(enumerate(predictions))), predictions)
    return baselines
