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
    needed = f'values: needs {{"values": [{window} finite numbers or more]}}, or {{}} to continue from the latest known'
    try:
        values = np.asarray(item["values"] if item else encoder["latest"], np.float64)
    except (TypeError, KeyError, ValueError, IndexError):
        raise DataError(needed) from None
    if values.ndim != 1 or len(values) < window or not np.isfinite(values).all():
        raise DataError(needed)
    scaled = (values[-window:] - encoder["mean"]) / encoder["sd"]
    return float(loaded.model.predict(scaled[None, :, None].astype(np.float32))[0, 0])
