"""Fit linear baselines for texts: settings are chosen on validation, the final fit uses all data but the test.

One is TF-IDF of words and pairs with logistic regression. The other is NB-SVM (Wang and Manning, "Baselines and
Bigrams", ACL 2012): a support vector machine on the presence of words and pairs, each weighted by its naive Bayes
log-count ratio.
"""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import SPLITS, Encoded, unpack
from pipeline.encoding.word_features import pieces

STRENGTHS = (1.0, 10.0, 30.0, 100.0)
PLAIN, TUNED, LETTERS, BAYES = "tfidf+lr", "tfidf+lr, tuned", "tfidf with letters+lr, tuned", "nb-svm"
SVM_STRENGTHS = (0.01, 0.1, 1.0)
SHARE_OF_SVM = 0.25  # β of the paper; _ratios uses its smoothing α = 1

Predictions = NDArray[np.float64]


@dataclass(frozen=True)
class _Fold:
    """Vectors of two fits: on train, to score validation; on train and validation (`before`), to predict the test.

    The labels are int32 [texts].
    """

    train: Any
    validation: Any
    before: Any
    test: Any
    train_y: NDArray[np.int32]
    validation_y: NDArray[np.int32]
    before_y: NDArray[np.int32]


def linear_predictions(encoded: Encoded, fold: int) -> dict[str, Predictions]:
    """Predict probabilities, float64 [test texts, classes], by the name of the method.

    The method with character n-grams is used if the networks get them; NB-SVM, if there are two classes.
    """
    words = _vectors(encoded, fold, letters=False)
    predictions = {PLAIN: _logistic(words, 1.0), TUNED: _tuned(words)}
    if len(encoded.encoder["label_names"]) == 2:
        predictions[BAYES] = _bayes_svm(words)
    if encoded.encoder["char_ngrams"]:
        predictions[LETTERS] = _tuned(_vectors(encoded, fold, letters=True))
    return predictions


def _vectors(encoded: Encoded, fold: int, *, letters: bool) -> _Fold:
    split, labels = encoded.arrays["split"][fold], encoded.arrays["labels"]
    parts = [np.flatnonzero(split == i) for i in range(len(SPLITS))]
    texts = [unpack(encoded.arrays, part) for part in parts]
    first, second = _vectoriser(letters), _vectoriser(letters)
    train, validation = first.fit_transform(texts[0]), first.transform(texts[1])
    del first  # frees its large vocabulary
    before, test = second.fit_transform(texts[0] + texts[1]), second.transform(texts[2])
    both = np.concatenate(parts[:2])
    return _Fold(train, validation, before, test, labels[parts[0]], labels[parts[1]], labels[both])


def _vectoriser(letters: bool) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_union

    options: dict[str, Any] = {"preprocessor": _plain, "sublinear_tf": True}
    words = TfidfVectorizer(ngram_range=(1, 2), tokenizer=pieces, token_pattern=None, **options)
    return make_union(words, TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), **options)) if letters else words


def _plain(text: str) -> str:
    return re.sub(r"<br\s*/?>", " ", text.lower())


def _tuned(fold: _Fold) -> Predictions:
    models = {c: _fit(fold.train, fold.train_y, c) for c in STRENGTHS}
    return _logistic(fold, max(STRENGTHS, key=lambda c: models[c].score(fold.validation, fold.validation_y)))


def _logistic(fold: _Fold, strength: float) -> Predictions:
    return np.asarray(_fit(fold.before, fold.before_y, strength).predict_proba(fold.test))


def _fit(x: Any, y: NDArray[np.int32], strength: float) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=strength, max_iter=2_000).fit(x, y)


def _bayes_svm(fold: _Fold) -> Predictions:
    """Map the margins of an NB-SVM to probabilities by a logistic curve fitted on validation (Platt 1999).

    The curve has no intercept, so that the more probable class is the one the machine predicts.
    """
    from sklearn.linear_model import LogisticRegression

    margins = {c: _margins(fold.train, fold.train_y, fold.validation, c) for c in SVM_STRENGTHS}
    best = max(SVM_STRENGTHS, key=lambda c: np.mean((margins[c] > 0) == fold.validation_y))
    curve = LogisticRegression(C=1e6, fit_intercept=False).fit(margins[best][:, None], fold.validation_y)
    return np.asarray(curve.predict_proba(_margins(fold.before, fold.before_y, fold.test, best)[:, None]))


def _margins(x: Any, y: NDArray[np.int32], other: Any, strength: float) -> Predictions:
    """Fit an NB-SVM on x [texts, features] and y; return its margins on `other`, float64 [texts], > 0 for class 1."""
    from sklearn.svm import LinearSVC

    x, other = _binary(x), _binary(other)
    ratios = _ratios(x, y)
    machine = LinearSVC(C=strength, random_state=0).fit(x.multiply(ratios).tocsr(), y)
    bayes = np.abs(machine.coef_[0]).mean()  # the same weight for every ratio
    weights = (1 - SHARE_OF_SVM) * bayes + SHARE_OF_SVM * machine.coef_[0]
    return np.asarray(other @ (ratios * weights) + SHARE_OF_SVM * machine.intercept_)


def _binary(x: Any) -> Any:
    present = x.copy()
    present.data[:] = 1.0
    return present


def _ratios(x: Any, y: NDArray[np.int32]) -> Predictions:
    """Compute float64 [features]: the log of the ratio of each feature's share in class 1 to its share in class 0."""
    one, zero = (1.0 + np.asarray(x[y == label].sum(axis=0)).ravel() for label in (1, 0))
    return np.asarray(np.log((one / one.sum()) / (zero / zero.sum())))
