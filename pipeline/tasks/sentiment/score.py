"""Figures of sentiment on a split, and the loss of each test text."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import SPLITS, Encoded
from pipeline.evaluation.metric import Metric
from pipeline.tasks.sentiment.prepare import TEST

PRIMARY_METRIC = Metric("accuracy", higher_is_better=True)
MONITOR = Metric("log_loss")
BOOTSTRAP_BLOCK = 1


def score(encoded: Encoded, split: str, predictions: NDArray[Any], fold: int = 0) -> dict[str, float]:
    """Return accuracy, F1 (the mean over the classes) and log loss.

    predictions: float [texts of the split, classes], probabilities.
    """
    truth = encoded.arrays["labels"][encoded.arrays["split"][fold] == SPLITS.index(split)]
    picked = predictions.argmax(axis=1)
    p = np.clip(predictions[np.arange(len(truth)), truth].astype(np.float64), 1e-7, 1.0)
    f1 = []
    for label in range(predictions.shape[1]):
        hits = np.sum((picked == label) & (truth == label))
        f1.append(2 * hits / max(1, np.sum(picked == label) + np.sum(truth == label)))
    return {"accuracy": float(np.mean(picked == truth)), "f1": float(np.mean(f1)), "log_loss": float(-np.log(p).mean())}


def losses(encoded: Encoded, predictions: NDArray[Any], fold: int = 0) -> NDArray[np.float64]:
    """Return float64 [test texts]: 1 where the predicted class is wrong, 0 where it is right."""
    truth = encoded.arrays["labels"][encoded.arrays["split"][fold] == TEST]
    return np.asarray(predictions.argmax(axis=1) != truth, np.float64)


def optimum(encoded: Encoded, fold: int = 0) -> NDArray[Any] | None:
    """Return float32 [test texts, classes]: the probability of each class given the text, if the process is known."""
    if "optimum" not in encoded.arrays:
        return None
    return np.asarray(encoded.arrays["optimum"][encoded.arrays["split"][fold] == TEST])
