"""Baselines of scaled_windows: the last value, the seasonal value and the mean on the same test rows."""

from collections.abc import Mapping

import numpy as np

from pipeline.encoding.records import Encoded
from pipeline.evaluation.metric import Baseline
from pipeline.tasks.textbook.scaled_windows.prepare import Floats, bounds, last_values, targets, values_before
from pipeline.tasks.textbook.scaled_windows.score import score


def baselines(encoded: Encoded) -> dict[str, Baseline]:
    """Score the latest value that a row knows, the mean of the training part, and the value a season before."""
    start, end = bounds(encoded, "test")
    mean = float(np.mean(targets(encoded, "train")))
    forecasts: Mapping[str, Floats] = {"last value": last_values(encoded, "test"), "mean": np.full(end - start, mean)}
    if season := encoded.encoder["season"]:
        forecasts = {**forecasts, f"season {season}": values_before(encoded, "test", season)}
    return {name: Baseline(score(encoded, "test", p), (p,)) for name, p in forecasts.items()}
