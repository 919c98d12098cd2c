"""Prepare labelled texts for sentiment: deduplication, splits, and ids of word features.

Duplicates are merged before the split, since a random split of repeated texts would test on training texts. A test part
that the publisher made is used unchanged. Training texts that also occur in it are dropped, and whole groups (all
reviews of a film) form the validation part. See encoding.word_features for the features of a word.
"""

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema.datasets import SentimentData
from pipeline.encoding import vocabulary
from pipeline.encoding.dropped import Dropped
from pipeline.encoding.records import SPLITS, Encoded, LabelledTexts, listed, pack
from pipeline.encoding.word_features import Bags, Tokens, bags, cut, features, first_only, tokenised, words
from pipeline.errors import DataError
from pipeline.evaluation.metric import EXACT
from pipeline.evaluation.network import Predicting
from pipeline.training import buckets

TRAIN, VALIDATION, TEST = range(3)
UNKNOWN_ID = 1
FIRST_ID = 2
SHOWN = 5
WORDLESS = "texts_without_words_dropped"


def encode_texts(texts: Sequence[str], encoder: Mapping[str, Any]) -> list[NDArray[np.int32]]:
    """Encode raw texts for the model: int32 [words, features] each; a word without known features is UNKNOWN_ID."""
    word_bags = [cut(features(words(text) or [""], encoder), encoder) for text in texts]
    flat = vocabulary.bags([bag for row in word_bags for bag in row], encoder["ids"])  # the same width for all texts
    by_text = np.split(flat, np.cumsum([len(row) for row in word_bags])[:-1])
    if encoder.get("binary"):  # models from before the setting lack it
        by_text = [first_only(ids) for ids in by_text]
    for ids in by_text:
        ids[~ids.any(axis=1), 0] = UNKNOWN_ID
    return by_text


def encode(record: LabelledTexts, row: SentimentData, seed: int) -> Encoded:
    """Return the arrays features int32 [words, features] with offsets int64 [texts + 1], labels int32 [texts],
    split int8 [folds, texts], and counts int32 [folds, 2, vocabulary], the number of texts with a feature in the
    training part, and in the training and validation parts together.
    """
    encoder: dict[str, Any] = {
        "bigrams": row.bigrams,
        "char_ngrams": row.char_ngrams,
        "max_length": row.max_length,
        "cut": row.cut,
        "binary": row.binary,
        "label_names": list(record.label_names),
    }
    tokens = tokenised(record.texts)
    chosen, labels, dropped = _chosen(record, tokens, row)
    split = _splits(labels, row, seed) if record.is_test is None else _published(record, chosen, labels, row, seed)
    _check_parts(split, labels, record.label_names, row)
    numbered = bags(tokens, chosen, encoder)
    counts = _counts(numbered, split)
    kept = _vocabulary(numbered, counts, row.max_features)
    encoder |= {"size": len(kept) + FIRST_ID, "min_count": row.min_count}
    encoder["ids"] = {name: i for i, name in enumerate(kept, start=FIRST_ID)}
    numbers = np.fromiter(kept.values(), np.int64, len(kept))
    ids = _to_ids(numbered, numbers)
    if row.binary:
        for start, end in itertools.pairwise(numbered.offsets):
            ids[start:end] = first_only(ids[start:end])
    arrays: dict[str, NDArray[Any]] = {
        "features": ids,
        "offsets": numbered.offsets,
        "labels": labels,
        "split": split,
        "counts": np.pad(counts.take(numbers, axis=2), ((0, 0), (0, 0), (FIRST_ID, 0))),
        **pack([record.texts[i] for i in chosen]),
    }
    if record.optimum is not None:
        arrays["optimum"] = record.optimum[chosen]
    summary = {"folds": row.folds, "texts": len(chosen), **dropped, "findings": dict(record.findings)}
    examples = {name: int(np.sum(split[0] == part)) for part, name in enumerate(SPLITS)}
    return Encoded(arrays, encoder, examples, summary)


def _chosen(
    record: LabelledTexts, tokens: Tokens, row: SentimentData
) -> tuple[NDArray[np.int64], NDArray[np.int32], dict[str, int]]:
    """Return positions int64 [texts] and labels int32 [texts] of the texts to use, and counts of the dropped ones.

    The published test part comes last.
    """
    if record.is_test is not None and row.folds > 1:
        raise DataError(f"{row.source}: has a published test part; folds is {row.folds}, it must be 1")
    test = np.zeros(len(record.texts), np.bool_) if record.is_test is None else record.is_test
    first, labels, dropped = np.flatnonzero(~test), record.labels[~test], {"repeats_dropped": 0}
    tested = {tokens.key(i) for i in np.flatnonzero(test).tolist()} - {b""}
    keys = {i: tokens.key(i) for i in first.tolist()}
    fresh = {i: key for i, key in keys.items() if key not in tested}
    of_user = record.dropped is not None
    if of_user and tested and not row.drop_duplicates:  # repeats stay, but never in both parts
        first = np.array(list(fresh), np.int64)
        labels, dropped = record.labels[first], {"train_texts_in_test_dropped": len(keys) - len(fresh)}
    if row.drop_duplicates:
        first, labels = _distinct(fresh, record.labels)
        dropped = {"repeats_dropped": len(fresh) - len(first)}
        if record.is_test is not None:
            dropped["train_texts_in_test_dropped"] = len(keys) - len(fresh)
        if record.dropped is not None:
            dropped |= _own_counts(record, record.dropped, fresh, first, labels)
    for part in (labels, record.labels[test]) if test.any() else (labels,):
        _check_classes(part, record.label_names, row)
    return np.concatenate([first, np.flatnonzero(test)]), np.concatenate([labels, record.labels[test]]), dropped


def _own_counts(
    record: LabelledTexts,
    losses: Dropped,
    keys: Mapping[int, bytes],
    kept: NDArray[np.int64],
    labels: NDArray[np.int32],
) -> dict[str, int]:
    """Count what the words of a user's texts lead to: what is lost, what is merged, how many of each class are left.

    Raises DataError if too many texts have no words.
    """
    losses.kind(WORDLESS, "write what they say in words, or write `drop_duplicates: false` to keep them")
    for i, key in keys.items():
        if not key:
            losses.add(WORDLESS, f"text {i + 1:,}", f"{record.texts[i][:20]!r} has no letters, digits or emoji")
    written = {keys[i]: record.texts[i] for i in kept.tolist()}
    labelled = dict(zip(written, labels.tolist(), strict=True))
    merged = [i for i, key in keys.items() if key]
    counts = {
        **losses.check(losses.total),
        "repeats_dropped": len(merged) - len(kept),
        "of_these_written_otherwise": sum(record.texts[i] != written[keys[i]] for i in merged),
        "of_these_labelled_otherwise": sum(int(record.labels[i]) != labelled[keys[i]] for i in merged),
    }
    left = np.bincount(labels, minlength=len(record.label_names))
    return counts | {f"texts_used_of_{record.label_names[i]}": int(left[i]) for i in listed(left)}


def _distinct(keys: Mapping[int, bytes], labels: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the position of the first text of each non-empty key, and the most frequent label of the key's texts."""
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
        fewest = sorted(np.argsort(counts, kind="stable")[:SHOWN])
        sizes = ", ".join(f"{names[i]} {counts[i]}" for i in fewest) + (", …" if len(counts) > SHOWN else "")
        raise DataError(f"{row.source}: too few different texts of a class ({sizes}); each needs at least {need}")


def _check_parts(split: NDArray[np.int8], labels: NDArray[np.int32], names: Sequence[str], row: SentimentData) -> None:
    """Raise DataError if a training part lacks a class, or another part has less than two."""
    for parts in split:
        counts = [np.bincount(labels[parts == part], minlength=len(names)) for part in range(len(SPLITS))]
        if not counts[TRAIN].all():
            lacking = names[int(counts[TRAIN].argmin())]
            raise DataError(f"{row.source}: no text of {lacking} is left to train on; lower `test` or `validation`")
        for part, left in ((TEST, sum(counts)), (VALIDATION, counts[TRAIN] + counts[VALIDATION])):
            if np.sum(counts[part] > 0) < 2:
                enough = math.ceil(100 / int(np.min(left))) / 100
                raise DataError(
                    f"{row.source}: the {SPLITS[part]} part has {counts[part].sum()} of {len(labels)} texts, all of "
                    f"one class; add texts, or write `{SPLITS[part]}: {enough:g}` in the row of `datasets`"
                )


def _splits(labels: NDArray[np.int32], row: SentimentData, seed: int) -> NDArray[np.int8]:
    """Return int8 [folds, texts] of TRAIN, VALIDATION and TEST, with each class spread evenly."""
    rng = np.random.default_rng(seed)
    fold_of = _stratified(labels, row.folds, rng) if row.folds > 1 else np.where(_share(labels, row.test, rng), 0, -1)
    split = np.zeros((row.folds, len(labels)), np.int8)
    for fold in range(row.folds):
        rest = np.flatnonzero(fold_of != fold)
        split[fold, fold_of == fold] = TEST
        split[fold, rest[_share(labels[rest], row.validation, rng)]] = VALIDATION
    return split


def _by_class(labels: NDArray[np.int32], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return int64 [examples]: positions sorted by class, in random order within a class."""
    order = rng.permutation(len(labels))
    return order[np.argsort(labels[order], kind="stable")]


def _stratified(labels: NDArray[np.int32], parts: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return int64 [examples]: the number of a part for each, with every class dealt to the `parts` parts in turn."""
    part = np.empty(len(labels), np.int64)
    part[_by_class(labels, rng)] = np.arange(len(labels)) % parts
    return part


def _share(labels: NDArray[np.int32], share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return bool [examples]: a random `share`, which takes the same share of each class."""
    chosen = np.empty(len(labels), np.bool_)
    reached = np.floor(np.arange(len(labels)) * share + EXACT)
    chosen[_by_class(labels, rng)] = np.diff(reached, prepend=-1.0) > 0
    return chosen


def _published(
    record: LabelledTexts, chosen: NDArray[np.int64], labels: NDArray[np.int32], row: SentimentData, seed: int
) -> NDArray[np.int8]:
    """Return int8 [1, texts]: the published test part, and a validation part from the rest."""
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
    """Return bool [examples]: whole groups in random order, until they make up the `share`."""
    _, group_of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = rng.permutation(len(sizes))
    before = np.cumsum(sizes[order]) - sizes[order]
    return np.isin(group_of, order[before < share * len(groups) - EXACT])


def _counts(numbered: Bags, split: NDArray[np.int8]) -> NDArray[np.int32]:
    """Return int32 [folds, 2, features by number]; see encode."""
    counts = np.zeros((len(split), 2, numbered.size + 1), np.int32)
    for text in np.flatnonzero((split != TEST).any(axis=0)):
        present = np.unique(numbered.numbers[numbered.offsets[text] : numbered.offsets[text + 1]])
        for fold, part in enumerate(split[:, text]):
            if part != TEST:
                counts[fold, 1, present] += 1
                counts[fold, 0, present] += part == TRAIN
    return counts[:, :, :-1]  # without the padding


def _vocabulary(numbered: Bags, counts: NDArray[np.int32], limit: int | None) -> dict[str, int]:
    """Return {name: number} of the features to keep, sorted by name.

    These are all, or the `limit` that occur in most texts of the training part (of fold 0).
    """
    if limit is None:
        return _by_name(numbered, np.setdiff1d(numbered.numbers, [numbered.size]).tolist())
    trained = counts[0, 0]
    floor = np.sort(trained)[-limit] if limit < len(trained) else 0
    above = np.flatnonzero(trained > floor).tolist()
    ties = _by_name(numbered, np.flatnonzero(trained == floor).tolist() if floor else [])
    return _by_name(numbered, [*above, *list(ties.values())[: limit - len(above)]])


def _by_name(numbered: Bags, numbers: Sequence[int]) -> dict[str, int]:
    return dict(sorted((numbered.name(i), i) for i in numbers))


def _to_ids(numbered: Bags, numbers: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return int32 [words, features]: ids in place of numbers, 0 for features outside the vocabulary."""
    ids = np.zeros(numbered.size + 1, np.int32)
    ids[numbers] = np.arange(FIRST_ID, FIRST_ID + len(numbers))
    return ids[numbered.numbers]


def known_counts(encoded: Encoded, fitted_on: Sequence[str], fold: int) -> NDArray[np.int32]:
    """Return int32 [vocabulary]: the number of fitted texts with each feature, 0 if it is below min_count."""
    counts = encoded.arrays["counts"][fold, 1 if "validation" in fitted_on else 0]
    return np.where(counts >= encoded.encoder["min_count"], counts, 0)


def fitted(encoded: Encoded, fitted_on: tuple[str, ...], fold: int = 0) -> dict[str, Any]:
    """Return the encoder with only the features that the model was fitted on."""
    counts = known_counts(encoded, fitted_on, fold)
    return {**encoded.encoder, "ids": {s: i for s, i in encoded.encoder["ids"].items() if counts[i]}}


def probabilities(model: Predicting, texts: Sequence[NDArray[np.int32]], batch: int = 128) -> NDArray[np.float32]:
    """Return float32 [texts, classes], in the order of the texts, int32 [words, features] each."""
    out: NDArray[np.float32] | None = None
    for group in buckets.batches(np.array([len(text) for text in texts]), batch, None):
        p = model.predict(buckets.pad([texts[i] for i in group]))
        out = np.zeros((len(texts), p.shape[1]), np.float32) if out is None else out
        out[group] = p
    assert out is not None
    return out
