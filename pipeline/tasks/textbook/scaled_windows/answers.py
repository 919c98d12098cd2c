"""Answers of scaled_windows: the next value of a raw series."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DataError
from pipeline.evaluation.network import LoadedNetwork
from pipeline.raw_input import Answer, numbers

TOO_LARGE = 1e30  # the network computes in float32


def forecast(loaded: LoadedNetwork, item: Any) -> dict[str, Any]:
    """Forecast the value `target_offset` steps (one if it is 0) after item["values"].

    An empty item continues the latest window that the model knows. Raises DataError for values that are not usable.
    """
    encoder = loaded.encoder
    inputs = np.array(encoder["latest"] if item == {} else _window(encoder, item), np.float32)
    scaled = float(loaded.model.predict(inputs[None])[0, 0])
    shift, spread = encoder["target"]
    return {"values": [scaled * spread + shift], "unit": encoder["unit"], "start": None}


def _window(encoder: Mapping[str, Any], item: Any) -> NDArray[np.float64]:
    """Return float64 [window, 1], scaled, from the end of item["values"]."""
    if encoder["inputs"] == "price_features":
        raise DataError("this network reads features of a year of prices; give {} to continue from the latest it knows")
    need = 'a forecast needs {"values": [numbers]}, or {} to continue from the latest known'
    if not isinstance(item, Mapping) or "values" not in item:
        raise DataError(need)
    values = numbers(item["values"], need)
    if values.ndim != 1 or len(values) < encoder["window"] or not (np.abs(values) < TOO_LARGE).all():
        raise DataError(
            f"values: found numbers of shape {list(values.shape)}; {encoder['window']} or more are needed, in one row,"
            f" all finite and below {TOO_LARGE:g}"
        )
    return (values[-encoder["window"] :, None] - encoder["shift"]) / encoder["spread"]  # type: ignore[no-any-return]


def answer(loaded: LoadedNetwork, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """Forecast one value for each series: {values} → {values}."""
    return [forecast(loaded, item) for item in inputs]
