"""Baselines of forecasting: the last value, seasonal values and linear autoregressions on the same test origins."""

import numpy as np

from pipeline.encoding.records import Encoded
from pipeline.evaluation.metric import Baseline
from pipeline.tasks.forecasting.prepare import targets
from pipeline.tasks.forecasting.score import score, score_free_run


def baselines(encoded: Encoded) -> dict[str, Baseline]:
    """Score the last value, the value a season before, and linear autoregressions with the network's inputs.

    The autoregressions are fitted by least squares and by least absolute deviations (L1).
    """
    from pipeline.baselines.linear_series import linear_forecasts, linear_free_run

    values, horizons = encoded.arrays["values"], encoded.encoder["horizons"]
    origins, _ = targets(encoded, "test")
    forecasts = {"last value": np.repeat(values[origins, None], len(horizons), axis=1)}
    for season in encoded.encoder["seasonal_periods"]:
        back = [h - season * -(-h // season) for h in horizons]
        forecasts[f"season {season}"] = values[origins[:, None] + np.array(back)]
    forecasts |= linear_forecasts(encoded, origins)
    baselines = {}
    for name, predictions in forecasts.items():
        metrics = score(encoded, "test", predictions)
        if encoded.encoder["free_run"] and name == "linear (least squares)":
            metrics |= score_free_run(encoded, linear_free_run(encoded))
        baselines[name] = Baseline(metrics, (predictions,))
    return baselines
