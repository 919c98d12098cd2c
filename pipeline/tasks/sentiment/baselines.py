"""What naive methods score on the same test examples."""

import numpy as np
from numpy.typing import NDArray

from pipeline.baselines.linear_text import linear_predictions
from pipeline.encoding.records import Encoded
from pipeline.evaluation.metric import Baseline
from pipeline.tasks.sentiment.prepare import TEST
from pipeline.tasks.sentiment.score import score


def baselines(encoded: Encoded) -> dict[str, Baseline]:
    """Majority class; TF-IDF of words and pairs + logistic regression, plain and tuned; the same with character
    n-grams where the networks have them; naive Bayes and a support vector machine for two classes."""
    folds = range(encoded.summary["folds"])
    predicted = [{"majority": _majority(encoded, fold), **linear_predictions(encoded, fold)} for fold in folds]
    found = {}
    for name in predicted[0]:
        predictions = [of[name] for of in predicted]
        scores = [score(encoded, "test", p, fold) for fold, p in zip(folds, predictions, strict=True)]
        found[name] = Baseline({m: float(np.mean([s[m] for s in scores])) for m in scores[0]}, predictions)
    return found


def _majority(encoded: Encoded, fold: int) -> NDArray[np.float64]:
    labels, split = encoded.arrays["labels"], encoded.arrays["split"][fold]
    shares = np.bincount(labels[split != TEST], minlength=len(encoded.encoder["label_names"])) / np.sum(split != TEST)
    return np.tile(shares, (int(np.sum(split == TEST)), 1))
