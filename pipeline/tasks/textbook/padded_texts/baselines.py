"""Baselines of padded_texts: the majority class, a look-up table and a linear model on the same test texts."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded, unpack
from pipeline.evaluation.metric import Baseline
from pipeline.tasks.textbook.padded_texts.prepare import TEST
from pipeline.tasks.textbook.padded_texts.score import score


def baselines(encoded: Encoded) -> dict[str, Baseline]:
    """Score the majority class, a table of the texts outside the test, and TF-IDF + logistic regression."""
    majority = _majority(encoded)
    predicted = {
        "majority": majority,
        "look-up table": _looked_up(encoded, majority),
        "TF-IDF": _linear(encoded),
    }
    return {name: Baseline(score(encoded, "test", p), [p]) for name, p in predicted.items()}


def _majority(encoded: Encoded) -> NDArray[np.float64]:
    labels, (split,) = encoded.arrays["labels"], encoded.arrays["split"]
    shares = np.bincount(labels[split != TEST], minlength=2) / np.sum(split != TEST)
    return np.tile(shares, (int(np.sum(split == TEST)), 1))


def _looked_up(encoded: Encoded, otherwise: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return float64 [test texts, 2]: the shares of the classes among equal texts outside the test.

    otherwise: the row for a test text that has no equal there, float64 [test texts, 2].
    """
    (split,) = encoded.arrays["split"]
    votes: dict[str, Counter[int]] = {}
    before = np.flatnonzero(split != TEST)
    for text, label in zip(unpack(encoded.arrays, before), encoded.arrays["labels"][before].tolist(), strict=True):
        votes.setdefault(text, Counter())[label] += 1
    shares = otherwise.copy()
    for row, text in zip(shares, unpack(encoded.arrays, np.flatnonzero(split == TEST)), strict=True):
        if text in votes:
            row[:] = [votes[text][label] / votes[text].total() for label in (0, 1)]
    return shares


def _linear(encoded: Encoded) -> NDArray[np.float64]:
    """Return float64 [test texts, 2]: probabilities of TF-IDF of words and pairs + logistic regression with C = 1."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    (split,) = encoded.arrays["split"]
    before, test = np.flatnonzero(split != TEST), np.flatnonzero(split == TEST)
    vectoriser = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
    x = vectoriser.fit_transform(unpack(encoded.arrays, before))
    model = LogisticRegression(max_iter=2_000).fit(x, encoded.arrays["labels"][before])
    return np.asarray(model.predict_proba(vectoriser.transform(unpack(encoded.arrays, test))))
