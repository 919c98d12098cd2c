"""Figures of char_lm on a split, the loss of each test character, and figures of generated texts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded
from pipeline.evaluation import generated_text
from pipeline.evaluation.metric import Metric

PRIMARY_METRIC = Metric("bits_per_char")
ADAPTIVE = Metric("bits_per_char_adaptive")  # a method goes on learning, and a character is scored before
MONITOR = PRIMARY_METRIC
BOOTSTRAP_BLOCK = 200


def score(encoded: Encoded, split: str, predictions: NDArray[Any], fold: int = 0) -> dict[str, float]:
    """Return the mean bits per character.

    predictions: float [characters], -log2 of the probability given to each character of the split.
    """
    assert len(predictions) == len(encoded.arrays[split])
    return {"bits_per_char": float(np.mean(predictions, dtype=np.float64))}


def score_adaptive(encoded: Encoded, bits: NDArray[Any]) -> dict[str, float]:
    """Return the mean bits per character of a network that goes on learning. bits: float [test characters]."""
    assert len(bits) == len(encoded.arrays["test"])
    return {ADAPTIVE.name: float(np.mean(bits, dtype=np.float64))}


def losses(encoded: Encoded, predictions: NDArray[Any], fold: int = 0) -> NDArray[np.float64]:
    """Return float64 [test characters]: the bits of each."""
    return predictions.astype(np.float64)


def generated(
    encoded: Encoded, samples: Sequence[Mapping[str, Any]], fitted_on: tuple[str, ...]
) -> list[dict[str, float]]:
    """Return figures of the texts of a model that was fitted on those splits; see evaluation.generated_text."""
    source = np.concatenate([encoded.arrays[split] for split in fitted_on])
    return generated_text.figures(samples, source, encoded.encoder["symbols"])


def optimum(encoded: Encoded, fold: int = 0) -> NDArray[Any] | None:
    """Return float [characters]: the bits of each test character under the process that wrote the text, if known."""
    return encoded.arrays.get("optimum")
