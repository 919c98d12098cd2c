"""Figures of returns on a split, prediction intervals, and the loss of each test day."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded
from pipeline.evaluation.metric import Metric
from pipeline.evaluation.statistics import LEVEL, conformal_width, diebold_mariano
from pipeline.tasks.returns.prepare import Floats, days

PRIMARY_METRIC = Metric("theil_u")
MONITOR = PRIMARY_METRIC
BOOTSTRAP_BLOCK = 20


def score(encoded: Encoded, split: str, predictions: NDArray[Any], fold: int = 0) -> dict[str, float]:
    """Return Theil's U, RMSE, MAE, the share of right directions, and R².

    predictions: float [targets of the split], log returns. Theil's U is the RMSE divided by that of the forecast
    "no change". A forecast of exactly zero counts as "not up". R² is relative to the mean of the same returns.
    """
    truth = encoded.arrays["returns"][days(encoded, split, fold)]
    error = predictions - truth
    rmse = float(np.sqrt(np.mean(error**2)))
    return {
        "theil_u": rmse / float(np.sqrt(np.mean(truth**2))),
        "rmse": rmse,
        "mae": float(np.mean(np.abs(error))),
        "direction_accuracy": float(np.mean((predictions > 0) == (truth > 0))),
        "r2": 1.0 - float(np.mean(error**2) / np.var(truth)),
    }


def interval(encoded: Encoded, predictions: NDArray[Any], fold: int = 0) -> dict[str, Any]:
    """Return the level and half the `width`, in log returns, of an interval around a forecast; see conformal_width.

    predictions: float [targets] of the validation part, made by a network that was not fitted on it.
    """
    truth = encoded.arrays["returns"][days(encoded, "validation", fold)]
    return {"level": LEVEL, "width": conformal_width(predictions - truth)}


def coverage(encoded: Encoded, validation: NDArray[Any], predictions: NDArray[Any], fold: int = 0) -> dict[str, float]:
    """Return the share of test days inside the interval that the validation predictions give."""
    error = np.abs(predictions - encoded.arrays["returns"][days(encoded, "test", fold)])
    return {"interval_coverage": float(np.mean(error <= interval(encoded, validation, fold)["width"]))}


def score_origins(encoded: Encoded, networks: Sequence[tuple[int, NDArray[Any]]]) -> dict[str, float]:
    """Return figures of the test days of all origins together. networks: (fold, test predictions) of each network.

    dm_p is the one-sided p of the Diebold–Mariano test that the squared errors are smaller than those of "no change".
    """
    ours: dict[int, list[Floats]] = {}
    for fold, predictions in networks:
        truth = encoded.arrays["returns"][days(encoded, "test", fold)]
        ours.setdefault(fold, []).append((predictions - truth) ** 2)
    latest_last = sorted(ours, reverse=True)
    losses = np.concatenate([np.mean(ours[fold], axis=0) for fold in latest_last])
    naive = np.concatenate([encoded.arrays["returns"][days(encoded, "test", fold)] ** 2 for fold in latest_last])
    return {"dm_p": diebold_mariano(losses, naive)[1]}


def losses(encoded: Encoded, predictions: NDArray[Any], fold: int = 0) -> Floats:
    """Return float64 [test days]: what each day adds to Theil's U, to first order.

    U is the root of a mean, and so not itself a mean of losses. These losses have U as their mean, and the standard
    error of that mean is the one of U by the delta method.
    """
    truth = encoded.arrays["returns"][days(encoded, "test", fold)]
    squared = (predictions - truth) ** 2
    rmse = np.sqrt(np.mean(squared))
    naive = np.sqrt(np.mean(truth**2))
    return np.asarray((rmse + squared / max(rmse, np.finfo(np.float64).tiny)) / 2 / naive, np.float64)


def optimum(encoded: Encoded, fold: int = 0) -> NDArray[Any] | None:
    """Return float64 [test days]: the conditional mean of the return, which is zero if the process is a martingale."""
    return np.zeros(len(days(encoded, "test", fold))) if encoded.summary.get("martingale") else None
