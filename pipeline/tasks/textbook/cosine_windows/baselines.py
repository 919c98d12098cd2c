"""Baselines of cosine_windows: constants, the nearest training window and AR(2) on the same test windows."""

import numpy as np

from pipeline.encoding.records import Encoded
from pipeline.evaluation.metric import Baseline
from pipeline.tasks.textbook.cosine_windows.score import score


def baselines(encoded: Encoded) -> dict[str, Baseline]:
    """Score the mean, the last value, the value after the nearest training window, and AR(2), which a cosine obeys."""
    x, y, test = encoded.arrays["train_x"], encoded.arrays["train_y"], encoded.arrays["test_x"]
    distances = ((test[:, None] - x) ** 2).sum(axis=2)
    predicted = {
        "mean": np.full(len(test), y.mean()),
        "last value": test[:, -1],
        "nearest training window": y[distances.argmin(axis=1)],
        "AR(2)": test[:, -2:] @ np.linalg.lstsq(x[:, -2:], y, rcond=None)[0],
    }
    return {name: Baseline(score(encoded, "test", p), (p,)) for name, p in predicted.items()}
