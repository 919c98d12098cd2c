"""Test figures, and the loss of each test example."""

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
    """`predictions`: float [targets, horizons] in the unit, for the origins of targets().

    MAE and RMSE in the unit; MASE: MAE over the in-sample error of the seasonal naive forecast; Theil's U: RMSE over
    that of "the last value stays". For each horizon (…_h4), and the mean over the horizons.
    """
    origins, truth = targets(encoded, split)
    last = encoded.arrays["values"][origins]
    found: dict[str, float] = {}
    for j, horizon in enumerate(encoded.encoder["horizons"]):
        error = predictions[:, j] - truth[:, j]
        rmse = float(np.sqrt(np.nanmean(error**2)))
        naive = float(np.sqrt(np.nanmean((last - truth[:, j]) ** 2)))
        mae = float(np.nanmean(np.abs(error)))
        found |= {f"mae_h{horizon}": mae, f"rmse_h{horizon}": rmse}
        found |= {f"mase_h{horizon}": mae / encoded.encoder["scale"], f"theil_u_h{horizon}": rmse / naive}
    horizons = encoded.encoder["horizons"]
    means = {m: float(np.mean([found[f"{m}_h{h}"] for h in horizons])) for m in ("mae", "rmse", "mase", "theil_u")}
    return means | found


def interval(encoded: Encoded, predictions: NDArray[Any], fold: int = 0) -> dict[str, Any]:
    """Half the widths, one for each horizon, of intervals around a forecast, in the unit: see base.conformal_width.

    `predictions`: float [targets, horizons] for the validation part, which the network had not been fitted on. With
    `refit` the one that is served has seen that part as well, and should err a little less.
    """
    error = predictions - targets(encoded, "validation")[1]
    return {"level": LEVEL, "widths": [conformal_width(column) for column in error.T]}


def widths(encoder: Mapping[str, Any], steps: int) -> Floats:
    """float64 [steps]: half the width of the interval at each step: linear between the horizons, held outside them."""
    horizons, half = np.array(sorted(zip(encoder["horizons"], encoder["interval"]["widths"], strict=True))).T
    return np.asarray(np.interp(np.arange(1, steps + 1), horizons, half))


def coverage(encoded: Encoded, validation: NDArray[Any], predictions: NDArray[Any], fold: int = 0) -> dict[str, float]:
    """Which share of the test targets the intervals hold that are made from the validation predictions: mean over the
    horizons, and of each."""
    error = np.abs(predictions - targets(encoded, "test")[1])
    half = interval(encoded, validation, fold)["widths"]
    shares = [float(np.mean(e[~np.isnan(e)] <= w)) for e, w in zip(error.T, half, strict=True)]
    horizons = encoded.encoder["horizons"]
    each = {f"interval_coverage_h{h}": share for h, share in zip(horizons, shares, strict=True)}
    return {"interval_coverage": float(np.mean(shares)), **each}


def score_free_run(encoded: Encoded, values: NDArray[Any]) -> dict[str, float]:
    """`values`: float [steps], forecasts from the start of the test part that were fed with nothing but themselves."""
    start, _ = bounds(encoded, "test")
    truth = encoded.arrays["values"][start : start + len(values)]
    return {"free_run_max_error": float(np.max(np.abs(values - truth)))}


def losses(encoded: Encoded, predictions: NDArray[Any], fold: int = 0) -> Floats:
    """Each test origin's absolute error in units of MASE, the mean over its horizons."""
    _, truth = targets(encoded, "test")
    error = np.abs(predictions - truth) / encoded.encoder["scale"]
    return np.asarray(np.nanmean(error[~np.isnan(truth).all(axis=1)], axis=1), np.float64)


def optimum(encoded: Encoded, fold: int = 0) -> NDArray[Any] | None:
    """Return float64 [targets, horizons]: the conditional median at each test origin, if the process is known."""
    if "optimum" not in encoded.arrays:
        return None
    return encoded.arrays["optimum"][targets(encoded, "test")[0]]
