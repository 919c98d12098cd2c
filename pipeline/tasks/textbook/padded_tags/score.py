"""Figures of padded_tags on a split, and the loss of each test sentence."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded
from pipeline.evaluation.metric import Metric
from pipeline.tasks.textbook.padded_tags.prepare import PAD, in_split

PRIMARY_METRIC = Metric("padded_accuracy", higher_is_better=True)
MONITOR = PRIMARY_METRIC
BOOTSTRAP_BLOCK = 1


def score(encoded: Encoded, split: str, predictions: NDArray[Any], fold: int = 0) -> dict[str, float]:
    """Return padded_accuracy, the textbook's accuracy over all cells, and token_accuracy, over words alone.

    predictions: int [sentences of the split, length], the class with the largest output in every cell.
    """
    which = in_split(encoded, split)
    right = predictions == encoded.arrays["tags"][which]
    real = encoded.arrays["words"][which] > PAD
    return {"padded_accuracy": float(right.mean()), "token_accuracy": float(right[real].mean())}


def losses(encoded: Encoded, predictions: NDArray[Any], fold: int = 0) -> NDArray[np.float64]:
    """Return float64 [test sentences]: the share of wrong cells of each, padding included."""
    return np.asarray(np.mean(predictions != encoded.arrays["tags"][in_split(encoded, "test")], axis=1))
