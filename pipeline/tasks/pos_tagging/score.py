"""Figures of pos_tagging on a split, and the loss of each test word."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import SPLITS, Encoded, unpack
from pipeline.evaluation.metric import Metric
from pipeline.tasks.pos_tagging.prepare import in_split

PRIMARY_METRIC = Metric("token_accuracy", higher_is_better=True)
MONITOR = PRIMARY_METRIC
BOOTSTRAP_BLOCK = 25  # about a sentence, whose words are dependent


def score(encoded: Encoded, split: str, predictions: NDArray[Any], fold: int = 0) -> dict[str, float]:
    """Return the accuracy on words, on whole sentences, and on unknown words (oov_accuracy), if there are any.

    predictions: int [words of the split], tag ids in reading order. A word is unknown if no earlier split has it: for
    the test, neither training nor validation.
    """
    arrays = encoded.arrays
    right = predictions == arrays["tags"][in_split(encoded, split)]
    unknown = _unknown(encoded, split)
    lengths = np.diff(arrays["offsets"])[arrays["split"][0] == SPLITS.index(split)]
    wrong = np.add.reduceat(~right, np.cumsum([0, *lengths[:-1]]))
    known = {"token_accuracy": float(right.mean()), "sentence_accuracy": float(np.mean(wrong == 0))}
    return known | ({"oov_accuracy": float(right[unknown].mean())} if unknown.any() else {})


def _unknown(encoded: Encoded, split: str) -> NDArray[np.bool_]:
    """Return bool [words of the split]: whether no earlier split has this word."""
    words = np.array(unpack(encoded.arrays, np.arange(len(encoded.arrays["tags"]))))
    before = [in_split(encoded, name) for name in SPLITS[: SPLITS.index(split)]]
    return ~np.isin(words[in_split(encoded, split)], words[np.any(before, axis=0)])


def losses(encoded: Encoded, predictions: NDArray[Any], fold: int = 0) -> NDArray[np.float64]:
    """Return float64 [test words]: 1 where the predicted tag is wrong, 0 where it is right."""
    return np.asarray(predictions != encoded.arrays["tags"][in_split(encoded, "test")], np.float64)


def optimum(encoded: Encoded, fold: int = 0) -> NDArray[Any] | None:
    """Return int16 [test words]: the likeliest tag of each word given its sentence, if the process is known."""
    if "optimum" not in encoded.arrays:
        return None
    return encoded.arrays["optimum"][in_split(encoded, "test")]
