"""Answers to raw input."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.errors import DataError
from pipeline.evaluation.network import LoadedNetwork
from pipeline.raw_input import Answer


def answer(loaded: LoadedNetwork, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """{values} → {values}: the probability that the next value lies above the last one."""
    return [{"values": [_probability(loaded, item)]} for item in inputs]


def _probability(loaded: LoadedNetwork, item: Any) -> float:
    encoder, window = loaded.encoder, loaded.encoder["window"]
    given = item.get("values") if isinstance(item, dict) and item else encoder["latest"]
    values = np.asarray(given, np.float64)
    if values.ndim != 1 or len(values) < window:
        raise DataError(f'values: needs {{"values": [{window} numbers or more]}}, or {{}} to continue')
    scaled = (values[-window:] - encoder["mean"]) / encoder["sd"]
    return float(loaded.model.predict(scaled[None, :, None].astype(np.float32))[0, 0])
