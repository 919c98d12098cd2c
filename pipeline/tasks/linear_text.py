"""Linear baselines for texts: TF-IDF and logistic regression, C chosen on validation, fitted on all but the test."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.records import Encoded
from pipeline.tasks.base import SPLITS, unpack

STRENGTHS = (1.0, 10.0, 30.0, 100.0)
LINEAR: dict[str, tuple[bool, tuple[float, ...]]] = {
    "tfidf+lr": (False, (1.0,)),
    "tfidf+lr, tuned": (False, STRENGTHS),
    "tfidf with letters+lr, tuned": (True, STRENGTHS),
}


def linear_probabilities(encoded: Encoded, fold: int, name: str) -> NDArray[np.float64]:
    """float64 [test texts, classes] of one row of LINEAR: whether letters count too, and the values of C to try."""
    letters, strengths = LINEAR[name]
    split, labels = encoded.arrays["split"][fold], encoded.arrays["labels"]
    parts = [np.flatnonzero(split == i) for i in range(len(SPLITS))]
    texts = [unpack(encoded.arrays, part) for part in parts]
    best = strengths[0]
    if len(strengths) > 1:
        x, transform = _vectors(texts[0], letters)
        models = {c: _fit(x, labels[parts[0]], c) for c in strengths}
        y = labels[parts[1]]
        best = max(strengths, key=lambda c: models[c].score(transform(texts[1]), y))
    before = np.concatenate(parts[:2])
    x, transform = _vectors(texts[0] + texts[1], letters)
    return np.asarray(_fit(x, labels[before], best).predict_proba(transform(texts[2])))


def _vectors(texts: list[str], letters: bool) -> tuple[Any, Callable[[list[str]], Any]]:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_union

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
    union = make_union(words, TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True))
    vectorizer = union if letters else words
    return vectorizer.fit_transform(texts), vectorizer.transform


def _fit(x: Any, y: NDArray[np.int32], strength: float) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=strength, max_iter=2_000).fit(x, y)
