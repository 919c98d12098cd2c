"""Figures of cosine_windows on a split, and the loss of each test window."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded
from pipeline.evaluation.metric import Metric
from pipeline.tasks.textbook.cosine_windows.prepare import Floats

PRIMARY_METRIC = Metric("rmse")
MONITOR = PRIMARY_METRIC
BOOTSTRAP_BLOCK = 6  # about a period


def score(encoded: Encoded, split: str, predictions: NDArray[Any], fold: int = 0) -> dict[str, float]:
    """Return RMSE and MAE. predictions: float [windows of the split], the value after each window."""
    error = predictions - encoded.arrays[f"{split}_y"]
    return {"rmse": float(np.sqrt(np.mean(error**2))), "mae": float(np.mean(np.abs(error)))}


def losses(encoded: Encoded, predictions: NDArray[Any], fold: int = 0) -> Floats:
    """Return float64 [test windows]: squared errors divided by the RMSE, so that their mean is the RMSE."""
    squared = np.asarray((predictions - encoded.arrays["test_y"]) ** 2, np.float64)
    rmse = np.sqrt(squared.mean())
    return squared / rmse if rmse else squared
