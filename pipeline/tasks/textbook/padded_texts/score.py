"""Figures of padded_texts on a split, and the loss of each test text."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded
from pipeline.evaluation.metric import Metric
from pipeline.tasks.textbook.padded_texts.prepare import positions

PRIMARY_METRIC = Metric("accuracy", higher_is_better=True)
MONITOR = PRIMARY_METRIC
BOOTSTRAP_BLOCK = 1


def score(encoded: Encoded, split: str, predictions: NDArray[Any], fold: int = 0) -> dict[str, float]:
    """Return accuracy, F1 (the mean over the classes), log loss, and accuracy_unseen.

    accuracy_unseen is the accuracy on texts that are not in the training part, and missing if there are none.
    predictions: float [texts of the split, 2], probabilities.
    """
    at = positions(encoded, split)
    truth, unseen = encoded.arrays["labels"][at], ~encoded.arrays["seen"][at]
    picked = predictions.argmax(axis=1)
    p = np.clip(predictions[np.arange(len(truth)), truth].astype(np.float64), 1e-7, 1.0)
    hits = np.bincount(truth[picked == truth], minlength=2)
    f1 = 2 * hits / np.maximum(1, np.bincount(picked, minlength=2) + np.bincount(truth, minlength=2))
    figures = {"accuracy": np.mean(picked == truth), "f1": np.mean(f1), "log_loss": -np.log(p).mean()}
    if unseen.any():
        figures["accuracy_unseen"] = np.mean((picked == truth)[unseen])
    return {name: float(value) for name, value in figures.items()}


def losses(encoded: Encoded, predictions: NDArray[Any], fold: int = 0) -> NDArray[np.float64]:
    """Return float64 [test texts]: 1 where the predicted class is wrong, 0 where it is right."""
    return np.asarray(predictions.argmax(axis=1) != encoded.arrays["labels"][positions(encoded, "test")], np.float64)
