"""Fit linear baselines for texts: settings are chosen on validation, the final fit uses all data but the test.

One is TF-IDF of words and pairs with logistic regression, also with character n-grams. The other is NB-SVM (Wang and
Manning, "Baselines and Bigrams", ACL 2012): a support vector machine on the presence of words and pairs, each weighted
by its naive Bayes log-count ratio; of more than two classes, each against the rest.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.baselines.letters import LetterCounts
from pipeline.encoding.records import SPLITS, Encoded, unpack
from pipeline.encoding.word_features import pieces

STRENGTHS = (1.0, 10.0, 30.0, 100.0)
PLAIN, TUNED, LETTERS, BAYES = "TF-IDF", "tuned TF-IDF", "TF-IDF with letters", "NB-SVM"
SVM_STRENGTHS = (0.01, 0.1, 1.0)
SHARE_OF_SVM = 0.25  # β of the paper; _ratios uses its smoothing α = 1
# Above this number of characters in all texts, vectors with n-grams are float32, and leave out n-grams that more than a
# share of the texts have, and words and pairs that fewer than some have: a third of the memory.
LONG, COMMON, FEWEST = 10_000_000, 0.15, 2
CHUNK = 2_000  # test texts that are held as n-grams at once

Predictions = NDArray[np.float64]
Texts = Sequence[Sequence[str]]  # of train, validation and test


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
    """Predict probabilities, float64 [test texts, classes], by the name of the method."""
    split, labels = encoded.arrays["split"][fold], encoded.arrays["labels"]
    parts = [np.flatnonzero(split == i) for i in range(len(SPLITS))]
    texts = [unpack(encoded.arrays, part) for part in parts]
    classes = len(encoded.encoder["label_names"])
    return _of_words(texts, [labels[part] for part in parts], classes) | {
        LETTERS: _with_letters(texts, labels[parts[0]], labels[parts[1]])
    }


def _of_words(texts: Texts, labels: Sequence[NDArray[np.int32]], classes: int) -> dict[str, Predictions]:
    first, second = _vectoriser(), _vectoriser()
    train, validation = first.fit_transform(texts[0]), first.transform(texts[1])
    del first  # frees its large vocabulary
    before, test = second.fit_transform([*texts[0], *texts[1]]), second.transform(texts[2])
    fold = _Fold(train, validation, before, test, labels[0], labels[1], np.concatenate(labels[:2]))
    machine = _bayes_svm(fold) if classes == 2 else _bayes_svms(fold, classes)
    return {PLAIN: _logistic(fold, 1.0), TUNED: _tuned(fold), BAYES: machine}


def _with_letters(texts: Texts, train_y: NDArray[np.int32], validation_y: NDArray[np.int32]) -> Predictions:
    """Predict the test texts from words, pairs and character n-grams. Only one fit's vectors are held at a time."""
    dtype = np.float32 if sum(len(text) for part in texts for text in part) > LONG else np.float64
    vectoriser = _vectoriser(letters=dtype)
    best = _best(vectoriser.fit_transform(texts[0]), train_y, vectoriser.transform(texts[1]), validation_y)
    vectoriser = _vectoriser(letters=dtype)
    before = vectoriser.fit_transform([*texts[0], *texts[1]])
    model = _fit(before, np.concatenate([train_y, validation_y]), best)
    del before
    chunks = [texts[2][i : i + CHUNK] for i in range(0, len(texts[2]), CHUNK)]
    return np.concatenate([model.predict_proba(vectoriser.transform(chunk)) for chunk in chunks])


def _vectoriser(letters: Any = None) -> Any:
    """Return a vectoriser of words and pairs; with `letters`, a data type, also of n-grams of 2 to 5 letters."""
    from sklearn.feature_extraction.text import TfidfTransformer, TfidfVectorizer
    from sklearn.pipeline import make_pipeline, make_union

    limited = letters is np.float32
    words = TfidfVectorizer(
        ngram_range=(1, 2),
        tokenizer=pieces,
        token_pattern=None,
        preprocessor=_plain,
        sublinear_tf=True,
        dtype=letters or np.float64,
        min_df=FEWEST if limited else 1,
    )
    if letters is None:
        return words
    counts = LetterCounts(_plain, (2, 5), letters, most=COMMON if limited else 1.0)
    return make_union(words, make_pipeline(counts, TfidfTransformer(sublinear_tf=True)))


def _plain(text: str) -> str:
    return re.sub(r"<br\s*/?>", " ", text.lower())


def _tuned(fold: _Fold) -> Predictions:
    return _logistic(fold, _best(fold.train, fold.train_y, fold.validation, fold.validation_y))


def _best(x: Any, y: NDArray[np.int32], validation: Any, validation_y: NDArray[np.int32]) -> float:
    """Return the strength with the highest accuracy on validation."""
    return max(STRENGTHS, key=lambda c: _fit(x, y, c).score(validation, validation_y))


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


def _bayes_svms(fold: _Fold, classes: int) -> Predictions:
    """Map the margins of an NB-SVM of each class against the rest to probabilities, by a softmax.

    Its scale is fitted on validation, which leaves the class that is predicted as it is.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    margins = {c: _one_against_rest(fold.train, fold.train_y, classes, fold.validation, c) for c in SVM_STRENGTHS}
    best = max(SVM_STRENGTHS, key=lambda c: np.mean(margins[c].argmax(axis=1) == fold.validation_y))
    rows = np.arange(len(fold.validation_y))

    def loss(log_scale: float) -> float:
        return -float(log_softmax(np.exp(log_scale) * margins[best], axis=1)[rows, fold.validation_y].mean())

    scale = np.exp(minimize_scalar(loss, bounds=(-5, 5), method="bounded").x)
    test = _one_against_rest(fold.before, fold.before_y, classes, fold.test, best)
    return np.asarray(np.exp(log_softmax(scale * test, axis=1)))


def _one_against_rest(x: Any, y: NDArray[np.int32], classes: int, other: Any, strength: float) -> Predictions:
    """Return the margins of each class on `other`, float64 [texts, classes]."""
    return np.stack([_margins(x, (y == label).astype(np.int32), other, strength) for label in range(classes)], axis=1)


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
