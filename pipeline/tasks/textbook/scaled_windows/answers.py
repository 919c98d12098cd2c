"""Answers to raw input."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DataError
from pipeline.evaluation.network import LoadedNetwork
from pipeline.raw_input import Answer

TOO_LARGE = 1e30  # the network counts in float32


def forecast(loaded: LoadedNetwork, item: Any) -> dict[str, Any]:
    """The value `target_offset` steps (or one) after item["values"]; an empty item: after the latest that is known."""
    encoder = loaded.encoder
    inputs = np.array(_window(encoder, item) if item else encoder["latest"], np.float32)
    scaled = float(loaded.model.predict(inputs[None])[0, 0])
    shift, spread = encoder["target"]
    return {"values": [scaled * spread + shift], "unit": encoder["unit"], "start": None}


def _window(encoder: Mapping[str, Any], item: Any) -> NDArray[np.float64]:
    """float64 [window, 1], scaled."""
    if encoder["inputs"] == "price_features":
        raise DataError("this network reads features of a year of prices; it goes on from the latest it knows: give {}")
    try:
        values = np.array(item["values"], np.float64)
    except (TypeError, KeyError, ValueError, IndexError):
        raise DataError('a forecast needs {"values": [numbers]}, or {} to go on') from None
    if values.ndim != 1 or len(values) < encoder["window"] or not (np.abs(values) < TOO_LARGE).all():
        raise DataError(
            f"values: found numbers of shape {list(values.shape)}; {encoder['window']} or more are needed, in one row,"
            f" all finite and below {TOO_LARGE:g}"
        )
    return (values[-encoder["window"] :, None] - encoder["shift"]) / encoder["spread"]  # type: ignore[no-any-return]


def answer(loaded: LoadedNetwork, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """{values} → {values}: the one the network forecasts; see forecast"""
    return [forecast(loaded, item) for item in inputs]
