"""Accuracy of the direction."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded
from pipeline.evaluation.metric import Metric

PRIMARY_METRIC = Metric("turn_accuracy", higher_is_better=True)
MONITOR = PRIMARY_METRIC
BOOTSTRAP_BLOCK = 10


def score(encoded: Encoded, split: str, predictions: NDArray[Any], fold: int = 0) -> dict[str, float]:
    """predictions: float [windows], the probability that the series goes up."""
    return {"turn_accuracy": float(np.mean((predictions > 0.5) == (encoded.arrays[f"{split}_y"] == 1)))}


def losses(encoded: Encoded, predictions: NDArray[Any], fold: int = 0) -> NDArray[np.float64]:
    """Return 1 for each test window with the wrong direction, else 0."""
    return np.asarray((predictions > 0.5) != (encoded.arrays["test_y"] == 1), np.float64)
