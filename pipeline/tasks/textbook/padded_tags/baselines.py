"""What naive methods score on the same test examples."""

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import SPLITS, Encoded
from pipeline.evaluation.metric import Baseline
from pipeline.tasks.textbook.padded_tags.prepare import FIRST_ID, TRAIN, in_split
from pipeline.tasks.textbook.padded_tags.score import score


def baselines(encoded: Encoded) -> dict[str, Baseline]:
    """The answer 0 everywhere, which reads nothing; and each word's most frequent tag, with 0 on padding."""
    words = encoded.arrays["words"][in_split(encoded, "test")]
    predicted = {"always tag 0": np.zeros_like(words), "most frequent tag": _most_frequent(encoded)[words]}
    return {name: Baseline(score(encoded, "test", p), (p.astype(np.int16),)) for name, p in predicted.items()}


def _most_frequent(encoded: Encoded) -> NDArray[np.int64]:
    """int64 [word ids]: the tag that stands most often at each in the training sentences; 0 where it stands nowhere."""
    counts = np.zeros((len(encoded.encoder["ids"]) + FIRST_ID, len(encoded.encoder["tags"])), np.int64)
    train = in_split(encoded, SPLITS[TRAIN])
    np.add.at(counts, (encoded.arrays["words"][train], encoded.arrays["tags"][train]), 1)
    return np.asarray(counts.argmax(axis=1))
