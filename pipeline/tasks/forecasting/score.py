"""Figures of forecasting on a split, prediction intervals, and the loss of each test origin."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded
from pipeline.evaluation.metric import Metric
from pipeline.evaluation.statistics import LEVEL, conformal_width
from pipeline.tasks.forecasting.prepare import Floats, bounds, targets

PRIMARY_METRIC = Metric("mase")
MONITOR = PRIMARY_METRIC
BOOTSTRAP_BLOCK = 96


def score(encoded: Encoded, split: str, predictions: NDArray[Any], fold: int = 0) -> dict[str, float]:
    """Return MAE and RMSE in the unit, MASE and Theil's U, for each horizon (…_h4) and as means over the horizons.

    MASE is the MAE divided by the in-sample error of the seasonal naive forecast. Theil's U is the RMSE divided by that
    of the forecast "the last value stays". predictions: float [targets, horizons] in the unit, for the origins of
    targets().
    """
    origins, truth = targets(encoded, split)
    last = encoded.arrays["values"][origins]
    by_horizon: dict[str, float] = {}
    for j, horizon in enumerate(encoded.encoder["horizons"]):
        error = predictions[:, j] - truth[:, j]
        rmse = float(np.sqrt(np.nanmean(error**2)))
        naive = float(np.sqrt(np.nanmean((last - truth[:, j]) ** 2)))
        mae = float(np.nanmean(np.abs(error)))
        by_horizon |= {f"mae_h{horizon}": mae, f"rmse_h{horizon}": rmse}
        by_horizon |= {f"mase_h{horizon}": mae / encoded.encoder["scale"], f"theil_u_h{horizon}": rmse / naive}
    horizons = encoded.encoder["horizons"]
    means = {m: float(np.mean([by_horizon[f"{m}_h{h}"] for h in horizons])) for m in ("mae", "rmse", "mase", "theil_u")}
    return means | by_horizon


def interval(encoded: Encoded, predictions: NDArray[Any], fold: int = 0) -> dict[str, Any]:
    """Return the level and, for each horizon, half the width of an interval in the unit; see conformal_width.

    predictions: float [targets, horizons] of the validation part, made by a network that was not fitted on it. With
    `refit`, the served network was also fitted on that part, and should have slightly smaller errors.
    """
    error = predictions - targets(encoded, "validation")[1]
    return {"level": LEVEL, "widths": [conformal_width(column) for column in error.T]}


def widths(encoder: Mapping[str, Any], steps: int) -> Floats:
    """Return float64 [steps]: half the interval's width at each step, linear between horizons, constant outside."""
    horizons, half = np.array(sorted(zip(encoder["horizons"], encoder["interval"]["widths"], strict=True))).T
    return np.asarray(np.interp(np.arange(1, steps + 1), horizons, half))


def coverage(encoded: Encoded, validation: NDArray[Any], predictions: NDArray[Any], fold: int = 0) -> dict[str, float]:
    """Return the share of test targets inside the intervals that the validation predictions give.

    It is given for each horizon and as the mean over the horizons.
    """
    error = np.abs(predictions - targets(encoded, "test")[1])
    half = interval(encoded, validation, fold)["widths"]
    shares = [float(np.mean(e[~np.isnan(e)] <= w)) for e, w in zip(error.T, half, strict=True)]
    horizons = encoded.encoder["horizons"]
    each = {f"interval_coverage_h{h}": share for h, share in zip(horizons, shares, strict=True)}
    return {"interval_coverage": float(np.mean(shares)), **each}


def score_free_run(encoded: Encoded, values: NDArray[Any]) -> dict[str, float]:
    """Return the greatest absolute error of a free run: float [steps] from the start of the test part."""
    start, _ = bounds(encoded, "test")
    truth = encoded.arrays["values"][start : start + len(values)]
    return {"free_run_max_error": float(np.max(np.abs(values - truth)))}


def losses(encoded: Encoded, predictions: NDArray[Any], fold: int = 0) -> Floats:
    """Return float64 [test origins with a target]: the mean absolute error over the horizons, in units of MASE."""
    _, truth = targets(encoded, "test")
    error = np.abs(predictions - truth) / encoded.encoder["scale"]
    return np.asarray(np.nanmean(error[~np.isnan(truth).all(axis=1)], axis=1), np.float64)


def optimum(encoded: Encoded, fold: int = 0) -> NDArray[Any] | None:
    """Return float64 [targets, horizons]: the conditional median at each test origin, if the process is known."""
    if "optimum" not in encoded.arrays:
        return None
    return encoded.arrays["optimum"][targets(encoded, "test")[0]]
