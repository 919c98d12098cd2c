"""Baselines of sentiment: the majority class and linear models of words on the same test texts."""

import numpy as np
from numpy.typing import NDArray

from pipeline.baselines.linear_text import linear_predictions
from pipeline.encoding.records import Encoded
from pipeline.evaluation.metric import Baseline
from pipeline.tasks.sentiment.prepare import TEST
from pipeline.tasks.sentiment.score import score


def baselines(encoded: Encoded) -> dict[str, Baseline]:
    """Score the majority class and linear models, the figures averaged over the folds.

    The linear models are TF-IDF of words and pairs + logistic regression, plain and tuned; the same with character
    n-grams, tuned; and a support vector machine on naive Bayes ratios (NB-SVM).
    """
    folds = range(encoded.summary["folds"])
    predicted = [{"majority": _majority(encoded, fold), **linear_predictions(encoded, fold)} for fold in folds]
    scored = {}
    for name in predicted[0]:
        predictions = [by_name[name] for by_name in predicted]
        scores = [score(encoded, "test", p, fold) for fold, p in zip(folds, predictions, strict=True)]
        scored[name] = Baseline({m: float(np.mean([s[m] for s in scores])) for m in scores[0]}, predictions)
    return scored


def _majority(encoded: Encoded, fold: int) -> NDArray[np.float64]:
    labels, split = encoded.arrays["labels"], encoded.arrays["split"][fold]
    shares = np.bincount(labels[split != TEST], minlength=len(encoded.encoder["label_names"])) / np.sum(split != TEST)
    return np.tile(shares, (int(np.sum(split == TEST)), 1))
