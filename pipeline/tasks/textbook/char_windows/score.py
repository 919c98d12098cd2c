"""Test figures, and the loss of each test example."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded
from pipeline.evaluation import generated_text
from pipeline.evaluation.metric import Metric

PRIMARY_METRIC = Metric("bits_per_char")
MONITOR = PRIMARY_METRIC
BOOTSTRAP_BLOCK = 30  # neighbours in the sample share characters


def score(encoded: Encoded, split: str, predictions: NDArray[Any], fold: int = 0) -> dict[str, float]:
    """`predictions`: from `graded`, of the scored windows, whichever the split."""
    assert len(predictions) == len(encoded.arrays["sample"])
    bits, right = predictions.mean(axis=0, dtype=np.float64)
    return {"bits_per_char": float(bits), "window_accuracy": float(right)}


def losses(encoded: Encoded, predictions: NDArray[Any], fold: int = 0) -> NDArray[np.float64]:
    """Bits per character of each scored window."""
    return predictions[:, 0].astype(np.float64)


def generated(
    encoded: Encoded, samples: Sequence[Mapping[str, Any]], fitted_on: tuple[str, ...]
) -> list[dict[str, float]]:
    """What can be counted in what the model wrote; see pipeline.tasks.generated_text."""
    return generated_text.figures(samples, encoded.arrays["text"], encoded.encoder["symbols"])
