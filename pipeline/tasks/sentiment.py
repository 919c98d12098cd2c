"""Sentiment: one class for each text.

Duplicates are folded together before the split (a random split of texts that repeat would test on what was trained).
Every word is a bag of features: itself, the pair with the word before it, and its character n-grams, so that words that
were never seen still say something.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import vocabulary
from pipeline.errors import DataError
from pipeline.records import Encoded, LabelledTexts
from pipeline.rows import SentimentData
from pipeline.tasks.base import EXACT, SPLITS, Baseline, pack
from pipeline.tasks.linear_text import LINEAR, linear_probabilities

HEADLINE = "accuracy"
MONITOR = "log_loss"
BLOCK = 1
TRAIN, VALIDATION, TEST = range(3)
UNKNOWN_ID = 1
FIRST_ID = 2


def words(text: str) -> list[str]:
    """Lower-case words without punctuation; an apostrophe joins what it stands between."""
    return re.findall(r"\w+", re.sub(r"['’]", "", text.lower()))


def features(tokens: Sequence[str], encoder: Mapping[str, Any]) -> list[list[str]]:
    """The features of each word: itself; with `bigrams`, the pair; character n-grams of 2 to `char_ngrams` letters."""
    found, before = [], "<s>"
    for word in tokens:
        bag = [word] + ([f"{before} {word}"] if encoder["bigrams"] else [])
        framed = f"<{word}>"
        grams = (
            f"#{framed[i : i + n]}" for n in range(2, encoder["char_ngrams"] + 1) for i in range(len(framed) - n + 1)
        )
        found.append(bag + list(dict.fromkeys(grams)))
        before = word
    return found


def encode_texts(texts: Sequence[str], encoder: Mapping[str, Any]) -> list[NDArray[np.int32]]:
    """Raw texts as the model sees them: int32 [words, features] each; a word without known features is UNKNOWN."""
    bags = [features(words(text)[: encoder["max_length"]] or [""], encoder) for text in texts]
    flat = vocabulary.bags([token for bag in bags for token in bag], encoder["ids"])  # as wide for each text
    flat[~flat.any(axis=1), 0] = UNKNOWN_ID
    return np.split(flat, np.cumsum([len(bag) for bag in bags])[:-1])


def encode(record: LabelledTexts, row: SentimentData, seed: int) -> Encoded:
    """Arrays: features int32 [words, features] with offsets int64 [texts + 1], labels int32 [texts],
    split int8 [folds, texts], counts int32 [folds, 2, vocabulary]: in how many texts a feature stands in the training
    part, and in training and validation part together.
    """
    texts, labels, repeats = _distinct(record) if row.drop_duplicates else (record.texts, record.labels, 0)
    _check_classes(labels, record.label_names, row)
    encoder: dict[str, Any] = {
        "bigrams": row.bigrams,
        "char_ngrams": row.char_ngrams,
        "max_length": row.max_length,
        "label_names": list(record.label_names),
    }
    bags = [features(words(text)[: row.max_length] or [""], encoder) for text in texts]
    symbols = sorted({f for text in bags for token in text for f in token})
    ids = {symbol: i for i, symbol in enumerate(symbols, start=FIRST_ID)}
    split = _splits(labels, row, seed)
    counts = _counts(bags, ids, split)
    encoder |= {"size": len(ids) + FIRST_ID, "min_count": row.min_count, "ids": ids}
    flat = [token for text in bags for token in text]
    arrays = {
        "features": vocabulary.bags(flat, ids),
        "offsets": np.cumsum([0, *map(len, bags)]),
        "labels": labels,
        "split": split,
        "counts": counts,
        **pack(texts),
    }
    summary = {"folds": row.folds, "texts": len(texts), "repeats_dropped": repeats, "findings": dict(record.findings)}
    examples = {name: int(np.sum(split[0] == part)) for part, name in enumerate(SPLITS)}
    return Encoded(arrays, encoder, examples, summary)


def _distinct(record: LabelledTexts) -> tuple[Sequence[str], NDArray[np.int32], int]:
    """Texts that are equal but for case and punctuation once each, with the label that most of them carry."""
    votes: dict[str, Counter[int]] = {}
    first: dict[str, str] = {}
    for text, label in zip(record.texts, record.labels.tolist(), strict=True):
        key = " ".join(words(text))
        first.setdefault(key, text)
        votes.setdefault(key, Counter())[label] += 1
    kept = [key for key in votes if key]
    labels = np.array([votes[key].most_common(1)[0][0] for key in kept], np.int32)
    return [first[key] for key in kept], labels, len(record.texts) - len(kept)


def _check_classes(labels: NDArray[np.int32], names: Sequence[str], row: SentimentData) -> None:
    counts = np.bincount(labels, minlength=len(names))
    need = max(row.folds, 5)
    if counts.min() < need:
        found = ", ".join(f"{name} {count}" for name, count in zip(names, counts, strict=True))
        raise DataError(f"{row.source}: too few texts of a class ({found}); each needs at least {need}")


def _splits(labels: NDArray[np.int32], row: SentimentData, seed: int) -> NDArray[np.int8]:
    """int8 [folds, texts] of TRAIN, VALIDATION, TEST, each class spread evenly."""
    rng = np.random.default_rng(seed)
    fold_of = _stratified(labels, row.folds, rng) if row.folds > 1 else np.where(_share(labels, row.test, rng), 0, -1)
    split = np.zeros((row.folds, len(labels)), np.int8)
    for fold in range(row.folds):
        rest = np.flatnonzero(fold_of != fold)
        split[fold, fold_of == fold] = TEST
        split[fold, rest[_share(labels[rest], row.validation, rng)]] = VALIDATION
    return split


def _by_class(labels: NDArray[np.int32], rng: np.random.Generator) -> NDArray[np.int64]:
    """int64 [examples]: the examples one class after another, each in random order."""
    order = rng.permutation(len(labels))
    return order[np.argsort(labels[order], kind="stable")]


def _stratified(labels: NDArray[np.int32], parts: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """int64 [examples]: one of `parts` parts for each, every class dealt out in turn."""
    part = np.empty(len(labels), np.int64)
    part[_by_class(labels, rng)] = np.arange(len(labels)) % parts
    return part


def _share(labels: NDArray[np.int32], share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """bool [examples]: a random `share`, at even distances along the classes, so that each gives as much."""
    chosen = np.empty(len(labels), np.bool_)
    reached = np.floor(np.arange(len(labels)) * share + EXACT)
    chosen[_by_class(labels, rng)] = np.diff(reached, prepend=-1.0) > 0
    return chosen


def _counts(bags: Sequence[Any], ids: Mapping[str, int], split: NDArray[np.int8]) -> NDArray[np.int32]:
    counts = np.zeros((len(split), 2, len(ids) + FIRST_ID), np.int32)
    for text, bag in enumerate(bags):
        present = np.array(sorted({ids[f] for token in bag for f in token}))
        for fold, part in enumerate(split[:, text]):
            if part != TEST:
                counts[fold, 1, present] += 1
                counts[fold, 0, present] += part == TRAIN
    return counts


def known_counts(encoded: Encoded, fitted_on: Sequence[str], fold: int) -> NDArray[np.int32]:
    """int32 [vocabulary]: in how many of the fitted texts each feature stands; 0 for those below min_count."""
    counts = encoded.arrays["counts"][fold, 1 if "validation" in fitted_on else 0]
    return np.where(counts >= encoded.encoder["min_count"], counts, 0)


def fitted(encoded: Encoded, fitted_on: tuple[str, ...], fold: int = 0) -> dict[str, Any]:
    """The encoder with only the features that the model was fitted on."""
    counts = known_counts(encoded, fitted_on, fold)
    return {**encoded.encoder, "ids": {s: i for s, i in encoded.encoder["ids"].items() if counts[i]}}


def score(encoded: Encoded, split: str, predictions: NDArray[Any], fold: int = 0) -> dict[str, float]:
    """`predictions`: float [texts of the split, classes], probabilities. F1 is the mean over the classes."""
    truth = encoded.arrays["labels"][encoded.arrays["split"][fold] == SPLITS.index(split)]
    picked = predictions.argmax(axis=1)
    p = np.clip(predictions[np.arange(len(truth)), truth].astype(np.float64), 1e-7, 1.0)
    f1 = []
    for label in range(predictions.shape[1]):
        hits = np.sum((picked == label) & (truth == label))
        f1.append(2 * hits / max(1, np.sum(picked == label) + np.sum(truth == label)))
    return {"accuracy": float(np.mean(picked == truth)), "f1": float(np.mean(f1)), "log_loss": float(-np.log(p).mean())}


def losses(encoded: Encoded, predictions: NDArray[Any], fold: int = 0) -> NDArray[np.float64]:
    """1 for each test text that is given the wrong class, else 0."""
    truth = encoded.arrays["labels"][encoded.arrays["split"][fold] == TEST]
    return np.asarray(predictions.argmax(axis=1) != truth, np.float64)


def baselines(encoded: Encoded) -> dict[str, Baseline]:
    """Majority class; TF-IDF of words and pairs + logistic regression; the same with character n-grams, tuned."""
    folds = range(encoded.summary["folds"])
    predicted = {"majority": [_majority(encoded, fold) for fold in folds]}
    predicted |= {name: [linear_probabilities(encoded, fold, name) for fold in folds] for name in LINEAR}
    found = {}
    for name, predictions in predicted.items():
        scores = [score(encoded, "test", p, fold) for fold, p in zip(folds, predictions, strict=True)]
        found[name] = Baseline({m: float(np.mean([s[m] for s in scores])) for m in scores[0]}, predictions)
    return found


def _majority(encoded: Encoded, fold: int) -> NDArray[np.float64]:
    labels, split = encoded.arrays["labels"], encoded.arrays["split"][fold]
    shares = np.bincount(labels[split != TEST], minlength=len(encoded.encoder["label_names"])) / np.sum(split != TEST)
    return np.tile(shares, (int(np.sum(split == TEST)), 1))
