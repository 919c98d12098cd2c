"""Answers of returns: the next close after raw daily prices."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DataError
from pipeline.evaluation.network import LoadedNetwork
from pipeline.raw_input import NO_VALUES, Answer, known_keys, numbers, warned
from pipeline.tasks.returns.prepare import columns_of, features, scaled


def forecast(loaded: LoadedNetwork, item: Any) -> dict[str, Any]:
    """Forecast the next close, with its interval, after item["values"].

    item["high"], item["low"] and item["volume"] are of the same days; a model of prices alone takes none. An empty item
    continues from the latest days that the model knows. Raises DataError for columns that are missing, too short, of
    different lengths or impossible.
    """
    encoder = loaded.encoder
    columns = _columns(encoder, encoder["latest"] if item == {} else item)
    scaling = encoder["scalings"][0]
    inputs = scaled(features(columns)[-encoder["window"] :], scaling)
    log_return = float(loaded.model.predict(inputs[None])[0, 0]) * scaling["spread"]
    price = float(columns["values"][-1] * np.exp(log_return))
    width = encoder["interval"]["width"]
    answer = {
        "values": [price],
        "lower": [price * float(np.exp(-width))],
        "upper": [price * float(np.exp(width))],
        "level": encoder["interval"]["level"],
        "log_return": log_return,
        "unit": encoder["unit"],
        "start": None,
    }
    constant = bool(np.ptp(columns["values"][-encoder["first"] :]) == 0)
    return warned(answer, {NO_VALUES: not item, "the price never changes": constant})


def _columns(encoder: Mapping[str, Any], item: Any) -> dict[str, NDArray[np.float64]]:
    names = columns_of(encoder)
    need = f"a forecast needs lists of numbers called {', '.join(names)}, or {{}} to continue from the latest known"
    if not isinstance(item, Mapping) or not set(names) <= set(item):
        raise DataError(need)
    known_keys(item, names)
    columns = {name: numbers(item[name], need) for name in names}
    lengths = {column.shape for column in columns.values()}
    need, length = encoder["first"], len(columns["values"]) if columns["values"].ndim == 1 else 0
    if len(lengths) > 1 or length < need:
        raise DataError(f"{', '.join(names)}: found shapes {sorted(lengths)}; {need} days or more, as many of each")
    for name, column in columns.items():
        if not (np.isfinite(column).all() and (column >= 0).all() and (name == "volume" or (column > 0).all())):
            raise DataError(f"{name}: must be finite, and prices above zero")
    if "high" in columns and (columns["high"] < columns["low"]).any():
        raise DataError("high: must not be below low on any day")
    return columns


def answer(loaded: LoadedNetwork, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """Forecast the next close for each input: {values, high, low, volume} → {values, lower, upper, level}."""
    return [forecast(loaded, item) for item in inputs]


def latest_input(encoder: Mapping[str, Any]) -> dict[str, Any]:
    """Return the latest days that the model knows, exactly as many as it needs for an answer."""
    return dict(encoder["latest"])
