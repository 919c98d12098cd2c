"""The more frequent direction, and the direction of the last step."""

import numpy as np
from pipeline.tasks.turning.score import score

from pipeline.encoding.records import Encoded
from pipeline.evaluation.metric import Baseline


def baselines(encoded: Encoded) -> dict[str, Baseline]:
    """Score both on the test windows."""
    x, y = encoded.arrays["test_x"], encoded.arrays["train_y"]
    predictions = {"majority": np.full(len(x), float(y.mean() > 0.5)), "last step": (x[:, -1] > x[:, -2]).astype(float)}
    return {name: Baseline(score(encoded, "test", p), (p,)) for name, p in predictions.items()}
