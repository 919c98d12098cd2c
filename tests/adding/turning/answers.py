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
    window = loaded.encoder["window"]
    values = np.asarray((item or {}).get("values", []) if isinstance(item, dict) or not item else [], np.float64)
    if values.ndim != 1 or len(values) < window:
        raise DataError(f'a forecast needs {{"values": [{window} numbers or more]}}')
    scaled = (values[-window:] - loaded.encoder["mean"]) / loaded.encoder["sd"]
    return float(loaded.model.predict(scaled[None, :, None].astype(np.float32))[0, 0])
