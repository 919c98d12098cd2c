"""Figures of image_rows on a split, and the loss of each test image."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded
from pipeline.evaluation.metric import Metric

PRIMARY_METRIC = Metric("top1_accuracy", higher_is_better=True)
MONITOR = PRIMARY_METRIC
BOOTSTRAP_BLOCK = 1


def score(encoded: Encoded, split: str, predictions: NDArray[Any], fold: int = 0) -> dict[str, float]:
    """Return accuracy and log loss. predictions: float [images of the split, classes], probabilities."""
    truth = encoded.arrays[f"{split}_y"]
    p = np.clip(predictions[np.arange(len(truth)), truth].astype(np.float64), 1e-7, 1.0)
    return {
        "top1_accuracy": float(np.mean(predictions.argmax(axis=1) == truth)),
        "log_loss": float(-np.log(p).mean()),
    }


def losses(encoded: Encoded, predictions: NDArray[Any], fold: int = 0) -> NDArray[np.float64]:
    """Return float64 [test images]: 1 where the predicted class is wrong, 0 where it is right."""
    return np.asarray(predictions.argmax(axis=1) != encoded.arrays["test_y"], np.float64)


def optimum(encoded: Encoded, fold: int = 0) -> NDArray[Any] | None:
    """Return float32 [test images, classes]: the probability of each class given the image, if the process is known."""
    return encoded.arrays.get("optimum")
