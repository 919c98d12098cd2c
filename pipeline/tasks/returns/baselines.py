"""Baselines of returns: three constant forecasts on the same test days."""

import numpy as np

from pipeline.encoding.records import Encoded
from pipeline.evaluation.metric import Baseline
from pipeline.tasks.returns.prepare import days
from pipeline.tasks.returns.score import score, score_origins


def baselines(encoded: Encoded) -> dict[str, Baseline]:
    """Score no change, the mean return before the test, and its absolute value, which is always up."""
    folds = range(encoded.summary["folds"])
    tests = [days(encoded, "test", fold) for fold in folds]
    means = [np.full(len(test), np.mean(encoded.arrays["returns"][1 : test[0]])) for test in tests]
    forecasts = {
        "persistence": [np.zeros(len(test)) for test in tests],
        "drift": means,
        "always up": [np.abs(mean) for mean in means],
    }
    baselines = {}
    for name, predictions in forecasts.items():
        scores = [score(encoded, "test", p, fold) for fold, p in enumerate(predictions)]
        metrics = {m: float(np.mean([s[m] for s in scores])) for m in scores[0]}
        baselines[name] = Baseline(metrics | score_origins(encoded, list(enumerate(predictions))), predictions)
    return baselines
