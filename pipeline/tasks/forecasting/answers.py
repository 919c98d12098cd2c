"""Answers of forecasting: the next steps of a raw series, with intervals."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema.networks import ForecastingNetwork
from pipeline.encoding.series_features import lookback
from pipeline.encoding.series_times import has_clock, step_at, time_of_step
from pipeline.errors import DataError
from pipeline.evaluation.network import LoadedNetwork
from pipeline.raw_input import (
    MAX_FORECAST,
    MAX_STEPS,
    NO_VALUES,
    Answer,
    bounded,
    known_keys,
    number,
    numbers,
    shown,
    warned,
)
from pipeline.tasks.forecasting.prepare import roll_out
from pipeline.tasks.forecasting.score import widths

TOO_LARGE = 1e30  # the network computes in float32
ENDS = ("values", "lower", "upper")
NEEDED = 'a forecast needs {"values": [numbers], "start": "2026-01-01T00:00"}, or {} to continue from the latest known'
KEYS = ("values", "start", "covariates")
FAR = 10.0  # standard deviations from the mean of the training part


def forecast(loaded: LoadedNetwork, item: Any, steps: int) -> dict[str, Any]:
    """Forecast the next `steps` values after item["values"], whose first one is of the time item["start"].

    An empty item continues the latest values that the model knows. `lower` and `upper` are the ends of an interval of
    `level`.

    At the model's horizons, the result is the forecast that was evaluated, made from the past alone. At other steps it
    is the one-step forecast, fed back, plus a correction that makes both agree at the horizons. The correction is
    linear between horizons and constant after the last. Without a one-step horizon, the forecast itself is linear
    between them.

    item["covariates"] is {name: [numbers]} from the first value on, and may extend into the future. After its end, a
    column is held at its last number; a column that is missing is held at the last one that the model knows. The
    answer's `held` lists both. Raises DataError for input that the model cannot use.
    """
    if not isinstance(item, Mapping):
        raise DataError(NEEDED)
    encoder, network = loaded.encoder, loaded.row
    past, first = _past(encoder, item)
    if item and "extras" in item:
        raise DataError("extras: is now called covariates")
    if item:
        known_keys(item, KEYS)
    covariates, held = _with_covariates(encoder, item, len(past), len(past) + steps)
    values, half = _ahead(loaded.model, network, encoder, past, first, steps, covariates), widths(encoder, steps)
    answer = {
        **{name: row.tolist() for name, row in zip(ENDS, (values, values - half, values + half), strict=True)},
        "level": encoder["interval"]["level"],
        "unit": encoder["unit"],
        "start": time_of_step(encoder, first + len(past)),
        **({} if covariates is None else {"held": held}),
    }
    read, longest = past[-lookback(encoder) - 1 :], max(encoder["horizons"])
    return warned(
        answer,
        {
            NO_VALUES: not item,
            "the values are all the same; the model learned from a series that changes": bool(np.ptp(read) == 0),
            "some values are far from all values that the model learned from": bool(
                np.max(np.abs(read - encoder["mean"])) > FAR * encoder["sd"]
            ),
            f"after step {longest}, the model's last horizon, its forecast is repeated": (
                1 not in encoder["horizons"] and steps > longest
            ),
        },
    )


def _ahead(
    model: Any,
    network: ForecastingNetwork,
    encoder: Mapping[str, Any],
    past: NDArray[np.float64],
    first: int,
    steps: int,
    covariates: NDArray[np.float64] | None,
) -> NDArray[np.float64]:
    """Return float64 [steps]; see forecast. The value at a step does not depend on the number of steps."""
    horizons = encoder["horizons"]
    length = min((h for h in horizons if h >= steps), default=steps)
    rolled = length if 1 in horizons else 1
    if covariates is not None:
        covariates = covariates[np.minimum(np.arange(len(past) + rolled), len(covariates) - 1)]
    values, direct = roll_out(model, network, encoder, past, first, rolled, covariates)
    if 1 not in horizons:
        values = np.full(length, past[-1])
    misses = sorted((h, ahead - values[h - 1]) for h, ahead in zip(horizons, direct, strict=True) if h <= length)
    at, correction = np.array([(0, 0.0), *misses]).T
    return np.asarray(values[:steps] + np.interp(np.arange(1, steps + 1), at, correction))


def _with_covariates(
    encoder: Mapping[str, Any], item: Any, past: int, length: int
) -> tuple[NDArray[np.float64] | None, dict[str, float]]:
    """Return float64 [length, covariates] of past and future steps or None, and {name: last value} of the held ones."""
    if not encoder.get("covariates"):
        if item and item.get("covariates"):
            raise DataError("covariates: the model has none; leave them out")
        return None, {}
    latest = np.array(encoder["latest"]["covariates"])
    given = _given_covariates(encoder, item.get("covariates", {}), past, length) if item else {}
    columns, held = [], {}
    for i, extra in enumerate(encoder["covariates"]):
        column = given.get(extra["name"], latest[-1:, i] if item else latest[:, i])[:length]
        if len(column) < length:
            held[extra["name"]] = float(column[-1])
        columns.append(np.concatenate([column, np.full(length - len(column), column[-1])]))
    return np.column_stack(columns), held


def _given_covariates(encoder: Mapping[str, Any], given: Any, past: int, length: int) -> dict[str, NDArray[np.float64]]:
    known = [extra["name"] for extra in encoder["covariates"]]
    if not isinstance(given, Mapping) or not set(given) <= set(known):
        raise DataError(f"covariates: found {shown(given)}; expected {{name: [numbers]}} of {', '.join(known)}")
    columns = {}
    for name, value in given.items():
        column = numbers(value, f"covariates: {name!r} needs a list of numbers, found {shown(value)}")
        if column.ndim != 1 or not past <= len(column) <= length or not (np.abs(column) < TOO_LARGE).all():
            raise DataError(
                f"covariates: {name!r} needs {past} numbers in a row, one for each value, and at most "
                f"{length - past} more for the steps to come, all finite and below {TOO_LARGE:g}"
            )
        columns[name] = column
    return columns


def _past(encoder: Mapping[str, Any], item: Any) -> tuple[NDArray[np.float64], int]:
    latest = encoder["latest"]
    if not item:
        return np.array(latest["values"]), latest["first"]
    if "values" not in item:
        raise DataError(NEEDED)
    values = numbers(item["values"], NEEDED)
    if values.ndim != 1 or len(values) <= lookback(encoder) or not (np.abs(values) < TOO_LARGE).all():
        raise DataError(
            f"values: found numbers of shape {list(values.shape)}; more than {lookback(encoder)} are needed, in one "
            f"row, all finite and below {TOO_LARGE:g}"
        )
    if not has_clock(encoder) or "start" not in item:
        return values, 0
    return values, step_at(encoder, _time(encoder, item["start"]))


def _time(encoder: Mapping[str, Any], text: Any) -> np.datetime64:
    """Return the time, converted to UTC if it has an offset; a month begins on its first day.

    Raises DataError for words such as now, and for a date without a day if steps are shorter than months.
    """
    month = encoder.get("step_months") and isinstance(text, str) and re.fullmatch(r"\d{4}-\d\d", text)
    try:
        time = datetime.fromisoformat(f"{text}-01" if month else text if isinstance(text, str) else "")
        return np.datetime64(time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time, "s")
    except (ValueError, OverflowError):
        raise DataError(
            f'start: found {shown(text)}; it must be the time of the first value, e.g. "2026-01-01T00:00"'
        ) from None


def answer(loaded: LoadedNetwork, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """Forecast the next steps of each series: {values, start, covariates} → {values, lower, upper, level, …}."""
    steps = int(number(options, "steps", 96, 1, MAX_STEPS))
    bounded(len(inputs) * steps, MAX_FORECAST, "steps to forecast")
    return [forecast(loaded, item, steps) for item in inputs]


def latest_input(encoder: Mapping[str, Any]) -> dict[str, Any]:
    """Return as many of the latest values as the model needs for an answer, and the time of the first of them."""
    latest, need = encoder["latest"], lookback(encoder) + 1
    first = latest["first"] + max(0, len(latest["values"]) - need)
    covariates = {
        column["name"]: [row[i] for row in latest["covariates"][-need:]]
        for i, column in enumerate(encoder.get("covariates", ()))
    }
    item = {"values": latest["values"][-need:], "start": time_of_step(encoder, first) or "2026-01-01T00:00"}
    return {**item, "covariates": covariates} if covariates else item
