"""Figures of scaled_windows on a split, and the loss of each test row."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded
from pipeline.evaluation.metric import Metric
from pipeline.tasks.textbook.scaled_windows.prepare import Floats, targets

PRIMARY_METRIC = Metric("rmse")
MONITOR = PRIMARY_METRIC
BOOTSTRAP_BLOCK = 96


def score(encoded: Encoded, split: str, predictions: NDArray[Any], fold: int = 0) -> dict[str, float]:
    """Return RMSE, scaled_rmse (the RMSE of the series scaled to 0–1) and R².

    predictions: float [rows of the split], in the unit.
    """
    truth = targets(encoded, split)
    rmse = float(np.sqrt(np.mean((predictions - truth) ** 2)))
    return {
        "rmse": rmse,
        "scaled_rmse": rmse / encoded.encoder["range"],
        "r2": 1.0 - rmse**2 / float(np.var(truth)),
    }


def losses(encoded: Encoded, predictions: NDArray[Any], fold: int = 0) -> Floats:
    """Return float64 [test rows]: what each row adds to the RMSE, to first order.

    Their mean is the RMSE, and the standard error of that mean is the one of the RMSE by the delta method.
    """
    squared = (predictions - targets(encoded, "test")) ** 2
    rmse = np.sqrt(np.mean(squared))
    return np.asarray((rmse + squared / max(rmse, np.finfo(np.float64).tiny)) / 2, np.float64)
