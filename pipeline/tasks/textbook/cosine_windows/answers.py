"""Answers of cosine_windows: the next steps of a raw series."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.errors import DataError
from pipeline.evaluation.network import LoadedNetwork
from pipeline.raw_input import MAX_FORECAST, MAX_STEPS, Answer, bounded, number, numbers
from pipeline.tasks.textbook.cosine_windows.prepare import after


def forecast(loaded: LoadedNetwork, item: Any, steps: int) -> dict[str, Any]:
    """Forecast the next `steps` values after item["values"], feeding forecasts back.

    An empty item continues the latest values that the model knows. Raises DataError for values that are not usable.
    """
    window = loaded.encoder["window"]
    need = 'a forecast needs {"values": [numbers]}, or {} to continue from the latest known'
    if item != {} and not (isinstance(item, Mapping) and "values" in item):
        raise DataError(need)
    past = numbers(item["values"] if item else loaded.encoder["latest"], need)
    if past.ndim != 1 or len(past) < window or not np.isfinite(past).all():
        raise DataError(
            f"values: found numbers of shape {list(past.shape)}; at least {window} are needed, in one row, all finite"
        )
    values = list(past[-window:])
    for _ in range(steps):
        values.append(float(after(loaded.model, np.array([values[-window:]]))[0]))
    return {"values": values[window:], "unit": loaded.encoder["unit"]}


def answer(loaded: LoadedNetwork, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """Forecast the next steps of each series: {values} → {values}."""
    steps = int(number(options, "steps", 96, 1, MAX_STEPS))
    bounded(len(inputs) * steps, MAX_FORECAST, "steps to forecast")
    return [forecast(loaded, item, steps) for item in inputs]
