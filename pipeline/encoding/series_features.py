"""What a forecast is told beside the newest value: the seasons before its target, and the target's calendar."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
HARMONICS = 4
DEPTH = {0: 7, 1: 4}  # how many seasons the means look back: of the first season, of the second


def reach(encoder: Mapping[str, Any]) -> int:
    """How many steps before its origin a forecast looks back."""
    deepest: list[int] = [season * _depth(encoder, i) for i, season in enumerate(encoder["seasonal_periods"])]
    return max(int(encoder["lags"]), *deepest, 1)


def _depth(encoder: Mapping[str, Any], i: int) -> int:
    return DEPTH.get(i, 4) if encoder["seasonal_means"] else 1


def lag_features(scaled: Floats, encoder: Mapping[str, Any]) -> Floats:
    """float64 [time, features]: for each horizon and season, the value a season before the target (the nearest one that
    is known); with `seasonal_means` also the mean of that slot over DEPTH seasons. NaN where the past is too short."""
    columns: list[Floats] = []
    for horizon in encoder["horizons"]:
        for i, season in enumerate(encoder["seasonal_periods"]):
            nearest = season * -(-horizon // season) - horizon
            lags = [_lag(scaled, nearest + k * season) for k in range(_depth(encoder, i))]
            columns += [lags[0], np.mean(lags, axis=0)] if encoder["seasonal_means"] else lags
    return np.column_stack(columns) if columns else np.empty((len(scaled), 0))


def lag_columns(encoder: Mapping[str, Any]) -> int:
    """How many columns lag_features has; those of a horizon stand together."""
    return len(encoder["horizons"]) * len(encoder["seasonal_periods"]) * (2 if encoder["seasonal_means"] else 1)


def _lag(values: Floats, steps: int) -> Floats:
    """values[t - steps], NaN before the start."""
    return np.concatenate([np.full(steps, np.nan), values[: len(values) - steps]])


def calendar_features(length: int, encoder: Mapping[str, Any]) -> Floats:
    """float64 [time, features]: time of day and of year (waves), day of week (one-hot) of the step after each step; for
    horizons of a day and more, the day of week of that target too."""
    step = np.timedelta64(encoder["step_seconds"], "s")
    times = np.datetime64(encoder["start"], "s") + step * np.arange(length)
    blocks = [_time_of_day(times + step), _day_of_week(times + step), _time_of_year(times + step)]
    blocks += [_day_of_week(times + step * h) for h in encoder["horizons"] if h * encoder["step_seconds"] >= 86_400]
    return np.concatenate(blocks, axis=1)


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
