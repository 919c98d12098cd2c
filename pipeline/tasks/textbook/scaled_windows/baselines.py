"""What naive methods score on the same test examples."""

from collections.abc import Mapping

import numpy as np

from pipeline.encoding.records import Encoded
from pipeline.evaluation.metric import Baseline
from pipeline.tasks.textbook.scaled_windows.prepare import Floats, bounds, last_values, targets, values_before
from pipeline.tasks.textbook.scaled_windows.score import score


def baselines(encoded: Encoded) -> dict[str, Baseline]:
    """The newest value that the row knows; the value a season before the target; the mean of the training part."""
    start, end = bounds(encoded, "test")
    mean = float(np.mean(targets(encoded, "train")))
    found: Mapping[str, Floats] = {"last value": last_values(encoded, "test"), "mean": np.full(end - start, mean)}
    if season := encoded.encoder["season"]:
        found = {**found, f"season {season}": values_before(encoded, "test", season)}
    return {name: Baseline(score(encoded, "test", p), (p,)) for name, p in found.items()}
