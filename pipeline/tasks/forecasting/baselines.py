"""Baselines of forecasting: naive values, linear autoregressions and boosted trees on the same test origins."""

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded
from pipeline.evaluation.metric import Baseline
from pipeline.tasks.forecasting.prepare import Floats, targets
from pipeline.tasks.forecasting.score import score, score_free_run


def baselines(encoded: Encoded) -> dict[str, Baseline]:
    """Score naive values, and linear autoregressions and boosted trees with the network's inputs.

    The autoregressions are fitted by least squares and by least absolute deviations (L1).
    """
    from pipeline.baselines.boosted_series import boosted_forecasts
    from pipeline.baselines.linear_series import linear_forecasts, linear_free_run

    origins, _ = targets(encoded, "test")
    forecasts = naive_forecasts(encoded, origins) | linear_forecasts(encoded, origins)
    forecasts["boosted trees"] = boosted_forecasts(encoded, origins)
    baselines = {}
    for name, predictions in forecasts.items():
        metrics = score(encoded, "test", predictions)
        if encoded.encoder["free_run"] and name == "linear (least squares)":
            metrics |= score_free_run(encoded, linear_free_run(encoded))
        baselines[name] = Baseline(metrics, (predictions,))
    return baselines


def naive_forecasts(encoded: Encoded, origins: NDArray[np.int64]) -> dict[str, Floats]:
    """Forecast float64 [origins, horizons] by the mean of the training part, the last value, drift, and past seasons.

    Drift adds to the last value the mean change a step of the training part, times the horizon (Hyndman and
    Athanasopoulos, Forecasting: Principles and Practice, 3rd edition, section 5.2).
    """
    encoder, values = encoded.encoder, encoded.arrays["values"]
    horizons = np.array(encoder["horizons"])
    last = np.repeat(values[origins, None], len(horizons), axis=1)
    trained = values[: encoder["cuts"][0]]
    drift = last + (trained[-1] - trained[0]) / (len(trained) - 1) * horizons
    forecasts = {"mean": np.full(last.shape, encoder["mean"]), "last value": last, "drift": drift}
    for season in encoder["seasonal_periods"]:
        back = horizons - season * -(-horizons // season)
        forecasts[f"season {season}"] = values[origins[:, None] + back]
    return forecasts
