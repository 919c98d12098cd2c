"""Prepare a series for forecasting: splits by the time of the target, scaled inputs, and targets.

Everything that is fitted, such as the scaling, comes from the training part alone. Masked values are filled for input,
and are never targets.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from pipeline.config.schema.datasets import ForecastingData
from pipeline.config.schema.networks import ForecastingNetwork
from pipeline.encoding.records import SPLITS, Encoded, Series
from pipeline.encoding.series_bases import fit_bases, levels, root_mean_square
from pipeline.encoding.series_features import calendar_features, lag_features, lookback
from pipeline.encoding.series_times import time_of_step
from pipeline.errors import DataError
from pipeline.evaluation.network import Predicting

MIN_TARGETS = 24
LARGEST = 1e30  # of the values; the network computes in float32
STREAMS = 8
WARM_UP = 1_500  # steps read before a forecast, so that a carried state no longer depends on its start
Floats = NDArray[np.float64]


def encode(record: Series, row: ForecastingData, seed: int) -> Encoded:
    """Return the arrays values float64 [time], in the unit of the series; valid bool [time]; inputs float32 [time,
    features], the inputs of each step, NaN where the past is too short; if the row names covariates, covariates float64
    [time, covariates] without gaps; and if the process is known at all horizons, optimum float64 [time, horizons].

    encoder["cuts"]: the first step of validation and of test.
    """
    del seed  # the split is by time
    n = len(record.values)
    cuts = [round(n * (1 - row.validation - row.test)), round(n * (1 - row.test))]
    if record.test_start is not None:
        cuts = [record.test_start - round(n * row.validation), record.test_start]
    encoder: dict[str, Any] = {
        "horizons": list(row.horizons),
        "seasonal_periods": list(row.seasonal_periods),
        "seasonal_means": row.seasonal_means,
        "calendar": row.calendar and record.start is not None,
        "lags": row.lags,
        "free_run": row.free_run,
        "unit": record.unit,
        "start": record.start,
        "step_seconds": record.step_seconds,
        **({} if record.step_months is None else {"step_months": record.step_months}),
        "cuts": cuts,
    }
    _check_length(row.source, n, cuts, encoder)
    _check_free_run(row.source, encoder)
    values = filled(record.values, record.valid, encoder)
    _check_changes(row.source, values, record.valid, encoder)
    trained = record.values[: cuts[0]][record.valid[: cuts[0]]]
    encoder |= _scaling(row.source, "the values", trained, values)
    encoder["scale"] = _naive_error(values[: cuts[0]], row.seasonal_periods[0] if row.seasonal_periods else 1)
    arrays: dict[str, NDArray[Any]] = {"values": values, "valid": record.valid}
    if row.covariates:
        columns = _extra_columns(record, row)
        encoder["covariates"] = [_of_covariate(row.source, *pair, cuts[0]) for pair in columns.items()]
        means = [extra["mean"] for extra in encoder["covariates"]]
        arrays["covariates"] = np.column_stack([carried(*pair) for pair in zip(columns.values(), means, strict=True)])
    if record.optimum is not None and set(row.horizons) <= set(record.optimum_steps):
        arrays["optimum"] = record.optimum[:, [record.optimum_steps.index(h) for h in row.horizons]]
    if row.base != "mean":
        of_validation = targets(Encoded(arrays, encoder, {}, {}), "validation")
        encoder["bases"] = fit_bases(encoder, row.base, values, *of_validation)
        encoder["change_sds"] = [root_mean_square(column) for column in _changes(values[: cuts[0]], encoder).T]
    arrays["inputs"] = inputs(values, encoder, arrays.get("covariates")).astype(np.float32)
    encoder["features"] = arrays["inputs"].shape[1]
    bounds = dict(zip(SPLITS, zip([0, *cuts], [*cuts, n], strict=True), strict=True))
    summary: dict[str, Any] = {"masked": int(np.sum(~record.valid)), "findings": dict(record.findings)}
    if "bases" in encoder:
        chosen = ", ".join(f"{b['name']} at {h}" for b, h in zip(encoder["bases"], encoder["horizons"], strict=True))
        summary["notes"] = [f"forecasts are changes from the mean, last value or season, by steps ahead: {chosen}"]
    return Encoded(arrays, encoder, {name: end - start for name, (start, end) in bounds.items()}, summary)


def _check_length(source: str, n: int, cuts: list[int], encoder: Mapping[str, Any]) -> None:
    need = lookback(encoder) + max(encoder["horizons"]) + MIN_TARGETS
    smallest = min(cuts[0] - lookback(encoder), cuts[1] - cuts[0], n - cuts[1])
    if smallest < max(encoder["horizons"]) + MIN_TARGETS:
        raise DataError(
            f"{source}: {n} points are too few: the past that a forecast reads and the longest horizon need {need}"
            f" in the training part, and {max(encoder['horizons']) + MIN_TARGETS} in each other part; "
            "shorten seasonal_periods or horizons"
        )


def filled(values: Floats, valid: NDArray[np.bool_], encoder: Mapping[str, Any]) -> Floats:
    """Replace each masked value by the one a season before, or by the last one if there is none; float64 [time]."""
    out = values.copy()
    season: int = (encoder["seasonal_periods"] or [1])[0]
    for i in np.flatnonzero(~valid):
        out[i] = out[i - season] if i >= season else out[max(int(i) - 1, 0)]
    return out


def _naive_error(values: Floats, season: int) -> float:
    """Return the in-sample MAE of the seasonal naive forecast, which is the unit of MASE (Hyndman & Koehler 2006)."""
    return float(np.mean(np.abs(values[season:] - values[:-season])))


def _check_changes(source: str, values: Floats, valid: NDArray[np.bool_], encoder: Mapping[str, Any]) -> None:
    """Raise DataError if a naive forecast makes no error on a part: it is empty, constant or repeats itself exactly."""
    edges = [0, *encoder["cuts"], len(values)]
    for name, start, end in zip(("training", *SPLITS[1:]), edges, edges[1:], strict=False):
        known = values[start:end][valid[start:end]]
        if not len(known):
            raise DataError(f"{source}: the {name} part has no values; change the shares of validation and test")
        if np.ptp(known) == 0:
            raise DataError(f"{source}: the series is constant on the {name} part; there is nothing to forecast")
        for lag in (*encoder["horizons"], *encoder["seasonal_periods"][:1]):
            if np.array_equal(values[max(start, lag) : end], values[max(start - lag, 0) : end - lag]):
                raise DataError(
                    f"{source}: the {name} part repeats itself every {lag} steps; there is nothing to forecast"
                )


def _extra_columns(record: Series, row: ForecastingData) -> dict[str, Floats]:
    unknown = [name for name in row.covariates if name not in record.covariates]
    if unknown:
        known = ", ".join(record.covariates) or "none"
        raise DataError(f"{row.source}: covariates: no further column {unknown[0]!r}; the source has: {known}")
    return {name: record.covariates[name] for name in row.covariates}


def _of_covariate(source: str, name: str, column: Floats, cut: int) -> dict[str, Any]:
    """Return the name of a covariate, and the mean and sd of its training part: `column`, float64 [time], to `cut`."""
    known = column[:cut][~np.isnan(column[:cut])]
    if not len(known):
        raise DataError(f"{source}: covariates: {name!r} has no number in the training part")
    if np.ptp(known) == 0 and abs(known[0]) < LARGEST:
        return {"name": name, "mean": float(known.mean()), "sd": 1.0}
    return {"name": name, **_scaling(source, f"covariates: {name!r}", known, column)}


def _scaling(source: str, what: str, train: Floats, whole: Floats) -> dict[str, float]:
    """Return the mean and sd of `train`; DataError if squares of such numbers are too large or small for a float64."""
    largest, spread = float(np.nanmax(np.abs(whole))), float(np.ptp(train))
    if largest >= LARGEST or spread <= 1 / LARGEST:
        raise DataError(
            f"{source}: {what} reach {largest:g} and differ by at most {spread:g}; expected numbers below {LARGEST:g} "
            f"that differ by more than {1 / LARGEST:g}; give them in another unit"
        )
    return {"mean": float(train.mean()), "sd": float(train.std())}


def _check_free_run(source: str, encoder: Mapping[str, Any]) -> None:
    """Raise DataError for a free run with other inputs than the last values: its linear baseline has no others."""
    others = ["seasonal_periods"] * bool(encoder["seasonal_periods"]) + ["calendar"] * encoder["calendar"]
    if encoder["free_run"] and others:
        raise DataError(
            f"{source}: free_run continues a series from its last values alone; set free_run to 0, or leave out "
            f"{' and '.join(others)}"
        )


def carried(column: Floats, before: float) -> Floats:
    """Fill each gap (NaN) with the last value before it, or with `before` if there is none; float64 [time]."""
    known = ~np.isnan(column)
    last = np.maximum.accumulate(np.where(known, np.arange(len(column)), -1))
    return np.where(last < 0, before, column[last])


def inputs(values: Floats, encoder: Mapping[str, Any], covariates: Floats | None = None) -> Floats:
    """Return float64 [time, features]: the inputs of each step.

    They are the scaled value, the values a season before each target, the calendar of the targets, and the scaled
    `covariates` (float64 [time, covariates]) of the same step. A network that predicts changes gets no levels, which
    may later be far from all that it was trained on, but _changes().
    """
    if "bases" in encoder:
        blocks = [_changes(values, encoder) / np.array(encoder["change_sds"])]
    else:
        scaled = (values - encoder["mean"]) / encoder["sd"]
        blocks = [scaled[:, None], lag_features(scaled, encoder)]
    if encoder["calendar"]:
        blocks.append(calendar_features(len(values), encoder))
    if covariates is not None:
        means, sds = (np.array([extra[key] for extra in encoder["covariates"]]) for key in ("mean", "sd"))
        blocks.append((covariates - means) / sds)
    return np.concatenate(blocks, axis=1)


def _changes(values: Floats, encoder: Mapping[str, Any]) -> Floats:
    """Return float64 [time, 2 + seasonal columns]: the changes that lead from and to the value of each step.

    They are the value less the mean of the last `lags` values, the seasonal values less the value, and the value less
    the one before.
    """
    lags = int(encoder["lags"])
    recent = np.full(len(values), np.nan)
    if len(values) >= lags:
        recent[lags - 1 :] = sliding_window_view(values, lags).mean(axis=1)
    before = np.concatenate([[np.nan], values[:-1]])
    return np.column_stack([values - recent, lag_features(values, encoder) - values[:, None], values - before])


def fitted(encoded: Encoded, fitted_on: tuple[str, ...], fold: int = 0) -> dict[str, Any]:
    """Return the encoder with the latest values, which a forecast without input continues."""
    tail = max(4 * lookback(encoded.encoder), 2_001)
    values = encoded.arrays["values"]
    end: dict[str, Any] = {"first": max(0, len(values) - tail), "values": [float(v) for v in values[-tail:]]}
    if "covariates" in encoded.arrays:
        end["covariates"] = encoded.arrays["covariates"][-tail:].tolist()
    return {**encoded.encoder, "latest": end}


def targets(encoded: Encoded, split: str) -> tuple[NDArray[np.int64], Floats]:
    """Return origins int64 [targets], and truth float64 [targets, horizons], the values after each origin.

    The truth is NaN where the target is outside the split or masked. Origins whose past is too short are left out.
    """
    values, valid, horizons = encoded.arrays["values"], encoded.arrays["valid"], encoded.encoder["horizons"]
    start, end = bounds(encoded, split)
    origins = np.arange(max(start - max(horizons), lookback(encoded.encoder)), end - min(horizons))
    truth = np.full((len(origins), len(horizons)), np.nan)
    for j, horizon in enumerate(horizons):
        at = origins + horizon
        inside = (at >= start) & (at < end)
        inside[inside] = valid[at[inside]]
        truth[inside, j] = values[at[inside]]
    return origins, truth


def carried_steps(encoded: Encoded, split: str) -> tuple[NDArray[np.int64], int]:
    """Return the steps that a stateful network reads to forecast from the origins of a split, and the warm-up.

    The steps are int64 [STREAMS, warm-up + steps]: STREAMS parts that are read in parallel, each after the WARM_UP
    steps before it, or as many as there are.
    """
    origins, _ = targets(encoded, split)
    share = -(-len(origins) // STREAMS)
    warm = min(WARM_UP, int(origins[0]) - lookback(encoded.encoder))
    starts = origins[0] + share * np.arange(STREAMS)
    return np.minimum(starts[:, None] + np.arange(-warm, share), origins[-1]), warm


def window_steps(encoded: Encoded, split: str, time_steps: int) -> NDArray[np.int64]:
    """Return int64 [window]: the steps that a stateless network reads to forecast from an origin, relative to it.

    The window has `time_steps` steps, or fewer for all origins if the first one has a shorter past.
    """
    origins, _ = targets(encoded, split)
    return np.arange(-min(time_steps - 1, int(origins[0]) - lookback(encoded.encoder)), 1)


def bounds(encoded: Encoded, split: str) -> tuple[int, int]:
    """Return the first step of the split, and the one after its last."""
    edges = [0, *encoded.encoder["cuts"], len(encoded.arrays["values"])]
    i = SPLITS.index(split)
    return edges[i], edges[i + 1]


def roll_out(
    model: Predicting,
    network: ForecastingNetwork,
    encoder: Mapping[str, Any],
    past: NDArray[np.float64],
    first: int,
    steps: int,
    covariates: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Forecast `steps` values after `past`, float64 [time], whose first value is step `first` of the series.

    Returns the one-step forecast, fed back, float64 [steps], and the forecasts for each horizon from `past` alone,
    float64 [horizons]. covariates: float64 [past + steps, covariates], or None if the model has none.

    A stateful model reads the past once and then one step at a time; a stateless one reads its last `time_steps` steps
    every time.
    """
    column = encoder["horizons"].index(1) if 1 in encoder["horizons"] else 0
    window = lookback(encoder) + (WARM_UP + 1 if network.stateful else network.time_steps)
    tail = np.concatenate([past[-window:], np.empty(steps)])
    known = len(tail) - steps
    columns = None if covariates is None else covariates[-len(tail) :]
    first += len(past) - known
    model.reset_states()
    fresh = known - lookback(encoder)  # rows that the model has not read yet
    direct = np.empty(0)
    for t in range(known, len(tail)):
        part = slice(max(0, t - lookback(encoder) - fresh), t)
        clock = {**encoder, "start": time_of_step(encoder, first + part.start)}
        rows = inputs(tail[part], clock, None if columns is None else columns[part])[-fresh:]
        scaled = model.predict(rows[None].astype(np.float32))[0, -1:]
        ahead = levels(scaled, tail, np.array([t - 1]), encoder)[0]
        direct = direct if len(direct) else ahead
        tail[t] = ahead[column]
        fresh = 1 if network.stateful else fresh
    return tail[known:], direct
