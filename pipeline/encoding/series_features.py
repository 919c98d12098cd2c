"""Compute the inputs of a forecast besides the latest value: values a seasonal period earlier, and the calendar."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.series_times import times_of

Floats = NDArray[np.float64]
HARMONICS = 4
DEPTH = {0: 7, 1: 4}  # the number of periods in a seasonal mean, by index of the seasonal period


def lookback(encoder: Mapping[str, Any]) -> int:
    """Return how many steps before its origin a forecast needs."""
    deepest: list[int] = [period * _depth(encoder, i) for i, period in enumerate(encoder["seasonal_periods"])]
    return max(int(encoder["lags"]), *deepest, 1)


def _depth(encoder: Mapping[str, Any], i: int) -> int:
    return DEPTH.get(i, 4) if encoder["seasonal_means"] else 1


def lag_features(scaled: Floats, encoder: Mapping[str, Any]) -> Floats:
    """Compute the seasonal inputs, float64 [time, features]; NaN where the past is too short.

    For each horizon and seasonal period: the last known value a whole number of periods before the target; with
    `seasonal_means` also the mean of DEPTH such values.
    """
    columns: list[Floats] = []
    for horizon in encoder["horizons"]:
        for i, period in enumerate(encoder["seasonal_periods"]):
            nearest = period * -(-horizon // period) - horizon
            lags = [_lag(scaled, nearest + k * period) for k in range(_depth(encoder, i))]
            columns += [lags[0], np.mean(lags, axis=0)] if encoder["seasonal_means"] else lags
    return np.column_stack(columns) if columns else np.empty((len(scaled), 0))


def lag_columns(encoder: Mapping[str, Any]) -> int:
    """Return the number of columns of lag_features(), in which the columns of a horizon are adjacent."""
    return len(encoder["horizons"]) * len(encoder["seasonal_periods"]) * (2 if encoder["seasonal_means"] else 1)


def _lag(values: Floats, steps: int) -> Floats:
    """Return values[t - steps] at each t, NaN before the start."""
    return np.concatenate([np.full(steps, np.nan), values[: len(values) - steps]])


def calendar_features(length: int, encoder: Mapping[str, Any]) -> Floats:
    """Compute calendar inputs, float64 [time, features], of the step after each step.

    They are the time of day and of year (sine waves) and the day of week (one-hot). For each horizon of a day or more,
    the day of week of its target is added. Of months, quarters and years they are the time of year alone.
    """
    steps = np.arange(length)
    after = times_of(encoder, steps + 1)
    if encoder.get("step_months"):
        return _time_of_year(after)
    blocks = [_time_of_day(after), _day_of_week(after), _time_of_year(after)]
    days = [h for h in encoder["horizons"] if h * encoder["step_seconds"] >= 86_400]
    return np.concatenate([*blocks, *(_day_of_week(times_of(encoder, steps + h)) for h in days)], axis=1)


def _time_of_day(times: NDArray[Any]) -> Floats:
    day = times.astype("datetime64[D]")
    share = (times - day).astype(np.float64) / 86_400
    waves = [f(2 * np.pi * k * share) for k in range(1, HARMONICS + 1) for f in (np.sin, np.cos)]
    return np.column_stack(waves)


def _time_of_year(times: NDArray[Any]) -> Floats:
    day = times.astype("datetime64[D]")
    angle = 2 * np.pi * (day - day.astype("datetime64[Y]")).astype(np.float64) / 365.25
    return np.column_stack([np.sin(angle), np.cos(angle)])


def _day_of_week(times: NDArray[Any]) -> Floats:
    weekday = (times.astype("datetime64[D]").astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday; 0 is Monday
    return np.asarray(weekday[:, None] == np.arange(6), np.float64)
