"""What naive methods score on the same test examples."""

import numpy as np

from pipeline.encoding.records import Encoded
from pipeline.evaluation.metric import Baseline
from pipeline.tasks.forecasting.prepare import targets
from pipeline.tasks.forecasting.score import score, score_free_run


def baselines(encoded: Encoded) -> dict[str, Baseline]:
    """Last value; the value a season before; linear autoregressions with the network's inputs, least squares and L1."""
    from pipeline.baselines.linear_series import linear_forecasts, linear_free_run

    values, horizons = encoded.arrays["values"], encoded.encoder["horizons"]
    origins, _ = targets(encoded, "test")
    found = {"last value": np.repeat(values[origins, None], len(horizons), axis=1)}
    for season in encoded.encoder["seasonal_periods"]:
        back = [h - season * -(-h // season) for h in horizons]
        found[f"season {season}"] = values[origins[:, None] + np.array(back)]
    found |= linear_forecasts(encoded, origins)
    baselines = {}
    for name, predictions in found.items():
        metrics = score(encoded, "test", predictions)
        if encoded.encoder["free_run"] and name == "linear (least squares)":
            metrics |= score_free_run(encoded, linear_free_run(encoded))
        baselines[name] = Baseline(metrics, (predictions,))
    return baselines
