"""Baselines of padded_tags: tag 0 everywhere and most frequent tags on the same test sentences."""

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import SPLITS, Encoded
from pipeline.evaluation.metric import Baseline
from pipeline.tasks.textbook.padded_tags.prepare import FIRST_ID, TRAIN, in_split
from pipeline.tasks.textbook.padded_tags.score import score


def baselines(encoded: Encoded) -> dict[str, Baseline]:
    """Score tag 0 everywhere, which needs no input, and each word's most frequent tag, with 0 on padding."""
    words = encoded.arrays["words"][in_split(encoded, "test")]
    predicted = {"always tag 0": np.zeros_like(words), "most frequent tag": _most_frequent(encoded)[words]}
    return {name: Baseline(score(encoded, "test", p), (p.astype(np.int16),)) for name, p in predicted.items()}


def _most_frequent(encoded: Encoded) -> NDArray[np.int64]:
    """Return int64 [word ids]: the most frequent tag of each word in the training sentences, 0 for unseen words."""
    counts = np.zeros((len(encoded.encoder["ids"]) + FIRST_ID, len(encoded.encoder["tags"])), np.int64)
    train = in_split(encoded, SPLITS[TRAIN])
    np.add.at(counts, (encoded.arrays["words"][train], encoded.arrays["tags"][train]), 1)
    return np.asarray(counts.argmax(axis=1))
