"""Sentiment: one class for each text.

Duplicates are folded together before the split (a random split of texts that repeat would test on what was trained).
Where the publisher made a test part it is the test, as it is; training texts that stand in it are left out, and the
validation part is made of whole groups (all reviews of a film). See word_features for what a word is described by.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema.datasets import SentimentData
from pipeline.encoding import vocabulary
from pipeline.encoding.records import SPLITS, Encoded, LabelledTexts, pack
from pipeline.encoding.word_features import Bags, Tokens, bags, cut, features, tokenised, words
from pipeline.errors import DataError
from pipeline.evaluation.metric import EXACT

TRAIN, VALIDATION, TEST = range(3)
UNKNOWN_ID = 1
FIRST_ID = 2


def encode_texts(texts: Sequence[str], encoder: Mapping[str, Any]) -> list[NDArray[np.int32]]:
    """Raw texts as the model sees them: int32 [words, features] each; a word without known features is UNKNOWN."""
    found = [cut(features(words(text) or [""], encoder), encoder) for text in texts]
    flat = vocabulary.bags([token for bag in found for token in bag], encoder["ids"])  # as wide for each text
    flat[~flat.any(axis=1), 0] = UNKNOWN_ID
    return np.split(flat, np.cumsum([len(bag) for bag in found])[:-1])


def encode(record: LabelledTexts, row: SentimentData, seed: int) -> Encoded:
    """Arrays: features int32 [words, features] with offsets int64 [texts + 1], labels int32 [texts],
    split int8 [folds, texts], counts int32 [folds, 2, vocabulary]: in how many texts a feature stands in the training
    part, and in training and validation part together.
    """
    encoder: dict[str, Any] = {
        "bigrams": row.bigrams,
        "char_ngrams": row.char_ngrams,
        "max_length": row.max_length,
        "cut": row.cut,
        "label_names": list(record.label_names),
    }
    tokens = tokenised(record.texts)
    chosen, labels, dropped = _chosen(record, tokens, row)
    split = _splits(labels, row, seed) if record.is_test is None else _published(record, chosen, labels, row, seed)
    found = bags(tokens, chosen, encoder)
    counts = _counts(found, split)
    kept = _vocabulary(found, counts, row.max_features)
    encoder |= {"size": len(kept) + FIRST_ID, "min_count": row.min_count}
    encoder["ids"] = {name: i for i, name in enumerate(kept, start=FIRST_ID)}
    numbers = np.fromiter(kept.values(), np.int64, len(kept))
    arrays: dict[str, NDArray[Any]] = {
        "features": _numbered(found, numbers),
        "offsets": found.offsets,
        "labels": labels,
        "split": split,
        "counts": np.pad(counts.take(numbers, axis=2), ((0, 0), (0, 0), (FIRST_ID, 0))),
        **pack([record.texts[i] for i in chosen]),
    }
    summary = {"folds": row.folds, "texts": len(chosen), **dropped, "findings": dict(record.findings)}
    examples = {name: int(np.sum(split[0] == part)) for part, name in enumerate(SPLITS)}
    return Encoded(arrays, encoder, examples, summary)


def _chosen(
    record: LabelledTexts, tokens: Tokens, row: SentimentData
) -> tuple[NDArray[np.int64], NDArray[np.int32], dict[str, int]]:
    """Positions int64 [texts] and labels int32 [texts] of what is used, the published test part last, and how many
    texts were dropped."""
    if record.is_test is not None and row.folds > 1:
        raise DataError(f"{row.source}: has a published test part; folds is {row.folds}, it must be 1")
    test = np.zeros(len(record.texts), np.bool_) if record.is_test is None else record.is_test
    first, labels, dropped = np.flatnonzero(~test), record.labels[~test], {"repeats_dropped": 0}
    if row.drop_duplicates:
        tested = {tokens.key(i) for i in np.flatnonzero(test).tolist()} - {b""}
        keys = {i: tokens.key(i) for i in first.tolist()}
        fresh = {i: key for i, key in keys.items() if key not in tested}
        first, labels = _distinct(fresh, record.labels)
        dropped = {"repeats_dropped": len(fresh) - len(first)}
        if record.is_test is not None:
            dropped["train_texts_in_test_dropped"] = len(keys) - len(fresh)
    for part in (labels, record.labels[test]) if test.any() else (labels,):
        _check_classes(part, record.label_names, row)
    return np.concatenate([first, np.flatnonzero(test)]), np.concatenate([labels, record.labels[test]]), dropped


def _distinct(keys: Mapping[int, bytes], labels: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The first text of each key that is not empty, with the label that most texts of the key carry."""
    votes: dict[bytes, Counter[int]] = {}
    first: dict[bytes, int] = {}
    for i, key in keys.items():
        first.setdefault(key, i)
        votes.setdefault(key, Counter())[int(labels[i])] += 1
    kept = [key for key in votes if key]
    winners = [votes[key].most_common(1)[0][0] for key in kept]
    return np.array([first[key] for key in kept], np.int64), np.array(winners, np.int32)


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


def _published(
    record: LabelledTexts, chosen: NDArray[np.int64], labels: NDArray[np.int32], row: SentimentData, seed: int
) -> NDArray[np.int8]:
    """int8 [1, texts]: the published test part, and a validation part from the rest."""
    assert record.is_test is not None
    rng = np.random.default_rng(seed)
    split = np.where(record.is_test[chosen], TEST, TRAIN).astype(np.int8)
    rest = np.flatnonzero(split == TRAIN)
    if record.groups is None:
        picked = _share(labels[rest], row.validation, rng)
    else:
        picked = _whole_groups(record.groups[chosen[rest]], row.validation, rng)
    split[rest[picked]] = VALIDATION
    return split[None]


def _whole_groups(groups: NDArray[np.int32], share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """bool [examples]: groups in random order until they hold the `share`."""
    _, of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = rng.permutation(len(sizes))
    before = np.cumsum(sizes[order]) - sizes[order]
    return np.isin(of, order[before < share * len(groups) - EXACT])


def _counts(found: Bags, split: NDArray[np.int8]) -> NDArray[np.int32]:
    """int32 [folds, 2, features by number]; see encode."""
    counts = np.zeros((len(split), 2, found.size + 1), np.int32)
    for text in np.flatnonzero((split != TEST).any(axis=0)):
        present = np.unique(found.numbers[found.offsets[text] : found.offsets[text + 1]])
        for fold, part in enumerate(split[:, text]):
            if part != TEST:
                counts[fold, 1, present] += 1
                counts[fold, 0, present] += part == TRAIN
    return counts[:, :, :-1]  # without the padding


def _vocabulary(found: Bags, counts: NDArray[np.int32], limit: int | None) -> dict[str, int]:
    """The features in order of their names, with their numbers: all, or the `limit` that stand in most texts of the
    training part, whatever the others hold."""
    if limit is None:
        return _by_name(found, np.setdiff1d(found.numbers, [found.size]).tolist())
    trained = counts[0, 0]
    floor = np.sort(trained)[-limit] if limit < len(trained) else 0
    above = np.flatnonzero(trained > floor).tolist()
    ties = _by_name(found, np.flatnonzero(trained == floor).tolist() if floor else [])
    return _by_name(found, [*above, *list(ties.values())[: limit - len(above)]])


def _by_name(found: Bags, numbers: Sequence[int]) -> dict[str, int]:
    return dict(sorted((found.name(i), i) for i in numbers))


def _numbered(found: Bags, numbers: NDArray[np.int64]) -> NDArray[np.int32]:
    """int32 [words, features]: ids in place of numbers; 0 for what is not in the vocabulary."""
    ids = np.zeros(found.size + 1, np.int32)
    ids[numbers] = np.arange(FIRST_ID, FIRST_ID + len(numbers))
    return ids[found.numbers]


def known_counts(encoded: Encoded, fitted_on: Sequence[str], fold: int) -> NDArray[np.int32]:
    """int32 [vocabulary]: in how many of the fitted texts each feature stands; 0 for those below min_count."""
    counts = encoded.arrays["counts"][fold, 1 if "validation" in fitted_on else 0]
    return np.where(counts >= encoded.encoder["min_count"], counts, 0)


def fitted(encoded: Encoded, fitted_on: tuple[str, ...], fold: int = 0) -> dict[str, Any]:
    """The encoder with only the features that the model was fitted on."""
    counts = known_counts(encoded, fitted_on, fold)
    return {**encoded.encoder, "ids": {s: i for s, i in encoded.encoder["ids"].items() if counts[i]}}
