"""What naive methods score on the same test examples."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded, unpack
from pipeline.evaluation.metric import Baseline
from pipeline.tasks.textbook.padded_texts.prepare import TEST
from pipeline.tasks.textbook.padded_texts.score import score


def baselines(encoded: Encoded) -> dict[str, Baseline]:
    """Majority class; a table of the texts outside the test; TF-IDF of words and pairs + logistic regression."""
    majority = _majority(encoded)
    predicted = {
        "majority": majority,
        "look-up table": _looked_up(encoded, majority),
        "tfidf+lr": _linear(encoded),
    }
    return {name: Baseline(score(encoded, "test", p), [p]) for name, p in predicted.items()}


def _majority(encoded: Encoded) -> NDArray[np.float64]:
    labels, (split,) = encoded.arrays["labels"], encoded.arrays["split"]
    shares = np.bincount(labels[split != TEST], minlength=2) / np.sum(split != TEST)
    return np.tile(shares, (int(np.sum(split == TEST)), 1))


def _looked_up(encoded: Encoded, otherwise: NDArray[np.float64]) -> NDArray[np.float64]:
    """The shares of the classes among equal texts outside the test; `otherwise` where there is none."""
    (split,) = encoded.arrays["split"]
    votes: dict[str, Counter[int]] = {}
    before = np.flatnonzero(split != TEST)
    for text, label in zip(unpack(encoded.arrays, before), encoded.arrays["labels"][before].tolist(), strict=True):
        votes.setdefault(text, Counter())[label] += 1
    found = otherwise.copy()
    for row, text in zip(found, unpack(encoded.arrays, np.flatnonzero(split == TEST)), strict=True):
        if text in votes:
            row[:] = [votes[text][label] / votes[text].total() for label in (0, 1)]
    return found


def _linear(encoded: Encoded) -> NDArray[np.float64]:
    """TF-IDF of words and pairs, logistic regression with C = 1, fitted on all but the test."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    (split,) = encoded.arrays["split"]
    before, test = np.flatnonzero(split != TEST), np.flatnonzero(split == TEST)
    vectoriser = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
    x = vectoriser.fit_transform(unpack(encoded.arrays, before))
    model = LogisticRegression(max_iter=2_000).fit(x, encoded.arrays["labels"][before])
    return np.asarray(model.predict_proba(vectoriser.transform(unpack(encoded.arrays, test))))
