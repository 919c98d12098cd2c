"""DOC."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.errors import DataError
from pipeline.raw_input import MAX_STEPS, Answer, number
from pipeline.serving.served import Served
from pipeline.tasks.textbook.cosine_windows.network import after


def forecast(served: Any, item: Any, steps: int) -> dict[str, Any]:
    """The next `steps` values after item["values"], forecasts fed back; an empty item: after the latest values."""
    window = served.encoder["window"]
    try:
        past = np.array(item["values"] if item else served.encoder["latest"], np.float64)
    except (TypeError, KeyError, ValueError):
        raise DataError('a forecast needs {"values": [numbers]}, or {} to go on') from None
    if past.ndim != 1 or len(past) < window or not np.isfinite(past).all():
        raise DataError(
            f"values: found numbers of shape {list(past.shape)}; at least {window} are needed, in one row, all finite"
        )
    values = list(past[-window:])
    for _ in range(steps):
        values.append(float(after(served.compiled(), np.array([values[-window:]]))[0]))
    return {"values": values[window:], "unit": served.encoder["unit"]}


def _after_windows(served: Served, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """{values} → {values}: the next steps; see pipeline.models.cosine_windows.forecast"""
    from pipeline.tasks.textbook.cosine_windows.answers import forecast

    steps = int(number(options, "steps", 96, 1, MAX_STEPS))
    return [forecast(served, item, steps) for item in inputs]
