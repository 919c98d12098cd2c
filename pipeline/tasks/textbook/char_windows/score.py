"""Figures of char_windows, the loss of each scored window, and figures of generated texts."""

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
    """Return bits per character and accuracy on training windows.

    predictions: float32 [scored windows, 2], from prepare.graded; the same for every split.
    """
    assert len(predictions) == len(encoded.arrays["sample"])
    bits, right = predictions.mean(axis=0, dtype=np.float64)
    return {"bits_per_char": float(bits), "window_accuracy": float(right)}


def losses(encoded: Encoded, predictions: NDArray[Any], fold: int = 0) -> NDArray[np.float64]:
    """Return float64 [scored windows]: bits per character of each."""
    return predictions[:, 0].astype(np.float64)


def generated(
    encoded: Encoded, samples: Sequence[Mapping[str, Any]], fitted_on: tuple[str, ...]
) -> list[dict[str, float]]:
    """Return figures of the texts of a model; see evaluation.generated_text."""
    return generated_text.figures(samples, encoded.arrays["text"], encoded.encoder["symbols"])
