"""Prepare tagged sentences for pos_tagging: split by document, and a row of features for each word.

No document is in two parts. The features of a word are the word itself, its ends, its beginnings and its shape. Neither
padding nor traces count in any figure.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema.datasets import PosTaggingData
from pipeline.encoding.records import SPLITS, Encoded, TaggedSentences, pack
from pipeline.errors import DataError
from pipeline.evaluation.network import Predicting
from pipeline.training import buckets

SLOTS = (
    "word",
    *(f"suffix{k}" for k in (1, 2, 3, 4, 5)),
    *(f"prefix{k}" for k in (1, 2, 3, 4)),
    "shape",
    "short shape",
    "case",
    "last part",
    "last part's suffix",
)
OPENING = ("``", "''", "-LRB-")
SHOWN, SHOWN_SHORTEST, SHOWN_LONGEST = 3, 6, 20  # sentences whose attention is drawn, and limits of their length
FIRST_ID = 1 + len(SLOTS)  # 0 is padding, then each slot's own "unknown"


def features(words: Sequence[str]) -> list[list[str]]:
    """Return the features of each word as strings, [words][slots]; "" if a word has no feature for a slot."""
    words = [word if word.isascii() else unicodedata.normalize("NFC", word) for word in words]
    first = 1 if words and words[0] in OPENING else 0
    return [_word_features(word, first=i <= first) for i, word in enumerate(words)]


def _plain(word: str) -> str:
    return re.sub(r"[0-9]", "0", word.lower())


def _word_features(word: str, *, first: bool) -> list[str]:
    low = _plain(word)
    shape = re.sub(r"[0-9]", "d", re.sub(r"[a-z]", "x", re.sub(r"[A-Z]", "X", word)))
    case = ("first " if first else "") + ("upper" if word.isupper() else "title" if word[:1].isupper() else "lower")
    case += " digit" * any(c.isdigit() for c in word) + " dash" * ("-" in word[1:])
    ends = [low[-k:] if len(low) >= k else "" for k in (1, 2, 3, 4, 5)]
    starts = [low[:k] if len(low) >= k else "" for k in (1, 2, 3, 4)]
    last = low.rsplit("-", 1)[-1] if "-" in low[1:-1] else ""
    return [low, *ends, *starts, shape, re.sub(r"(.)\1+", r"\1", shape), case, last, last[-3:]]


def encode_words(words: Sequence[str], encoder: Mapping[str, Any]) -> NDArray[np.int32]:
    """Return int32 [words, slots] for the words of a raw sentence; an unlisted feature becomes its slot's unknown."""
    return _look_up(features(words), encoder["ids"])


def joined(words: Sequence[str], encoder: Mapping[str, Any]) -> list[str]:
    """Join words that the model knows as one word with spaces inside, such as Việt Nam: the longest first."""
    known = {name.removeprefix("word=") for name in encoder["ids"] if name.startswith("word=") and " " in name}
    longest = max((name.count(" ") + 1 for name in known), default=1)
    out: list[str] = []
    at = 0
    while at < len(words):
        lengths = (n for n in range(longest, 1, -1) if _plain(" ".join(words[at : at + n])) in known)
        taken = next(lengths, 1)
        out.append(" ".join(words[at : at + taken]))
        at += taken
    return out


def is_unknown(features: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Return bool [words]: whether the word itself, regardless of its ends, is unknown. features: from encode_words."""
    return np.asarray(features[:, 0] == 1)


def _look_up(rows: Sequence[Sequence[str]], ids: Mapping[str, int]) -> NDArray[np.int32]:
    out = np.zeros((len(rows), len(SLOTS)), np.int32)
    for i, row in enumerate(rows):
        for slot, value in enumerate(row):
            out[i, slot] = ids.get(f"{SLOTS[slot]}={value}", 1 + slot) if value else 0
    return out


def encode(record: TaggedSentences, row: PosTaggingData, seed: int) -> Encoded:
    """Return the arrays features int32 [words, slots] with offsets int64 [sentences + 1], tags int16 [words],
    split int8 [1, sentences], and counts int32 [1, 2, vocabulary], the number of occurrences of a feature in the
    training part, and in the training and validation parts together.
    """
    del seed  # the split is by the order of the documents
    split = _split(record.documents, row) if record.is_test is None else _published(record, record.is_test, row)
    rows = [features(sentence) for sentence in record.words]
    names = sorted({f"{SLOTS[i]}={v}" for sentence in rows for word in sentence for i, v in enumerate(word) if v})
    ids = {name: i for i, name in enumerate(names, start=FIRST_ID)}
    flat = _look_up([word for sentence in rows for word in sentence], ids)
    part = np.repeat(split, [len(sentence) for sentence in rows])
    counts = np.stack([_counts(flat[part <= last], len(ids) + FIRST_ID, row.min_words) for last in (0, 1)])[None]
    tags = sorted({t for s, p in zip(record.tags, split, strict=True) for t in s if p <= 1})
    tag_ids = {tag: i for i, tag in enumerate(tags)}
    arrays: dict[str, NDArray[Any]] = {
        "features": flat,
        "offsets": np.cumsum([0, *map(len, rows)]),
        # -1 for a tag that only the test part has: no model can know it, so every answer is wrong.
        "tags": np.array([tag_ids.get(t, -1) for s in record.tags for t in s], np.int16),
        "split": split[None],
        "counts": counts,
        **pack([word for sentence in record.words for word in sentence]),
    }
    if record.optimum is not None:
        arrays["optimum"] = np.array(
            [tag_ids.get(t, -2) for s in record.optimum for t in s], np.int16
        )  # -2: never right
    encoder = {"ids": ids, "size": len(ids) + FIRST_ID, "tags": tags}
    examples = {name: int(np.sum(split == i)) for i, name in enumerate(SPLITS)}
    words = {f"{name}_words": int(np.sum(part == i)) for i, name in enumerate(SPLITS)}
    summary = {"documents": len(set(record.documents)), "tags": len(tags), **words, "findings": dict(record.findings)}
    return Encoded(arrays, encoder, examples, summary)


def _split(documents: Sequence[str], row: PosTaggingData) -> NDArray[np.int8]:
    """Return int8 [sentences]: 0 train, 1 validation, 2 test; the last documents are the test part."""
    names = list(dict.fromkeys(documents))
    if len(names) < 5:
        raise DataError(f"{row.source}: {len(names)} documents; splitting by document needs at least 5")
    tests, validations = (max(1, round(len(names) * share)) for share in (row.test, row.validation))
    if tests + validations >= len(names):
        raise DataError(
            f"{row.source}: {len(names)} documents; test and validation take all of them; lower one of the two"
        )
    first_test = len(names) - tests
    part = {n: 2 if i >= first_test else 1 if i >= first_test - validations else 0 for i, n in enumerate(names)}
    return np.array([part[d] for d in documents], np.int8)


def _published(record: TaggedSentences, is_test: NDArray[np.bool_], row: PosTaggingData) -> NDArray[np.int8]:
    """Return int8 [sentences]: 2 for the publisher's test part, 1 for the last of the other documents."""
    names = list(dict.fromkeys(name for name, test in zip(record.documents, is_test, strict=True) if not test))
    validations = max(1, round(len(names) * row.validation))
    if len(names) <= validations:
        raise DataError(
            f"{row.source}: {len(names)} documents besides the test files, {validations} of them for validation; "
            "nothing is left to train on"
        )
    validated = set(names[-validations:])
    part = [2 if test else int(name in validated) for name, test in zip(record.documents, is_test, strict=True)]
    return np.array(part, np.int8)


def _counts(flat: NDArray[np.int32], size: int, min_words: int) -> NDArray[np.int32]:
    """Return int32 [vocabulary]: occurrences of each feature in `flat`, int32 [words, slots].

    A feature that fewer than `min_words` distinct words have gets 0; words themselves are always counted.
    """
    counts = np.bincount(flat.ravel(), minlength=size).astype(np.int32)
    pairs = np.unique(
        np.stack([np.repeat(flat[:, :1], flat.shape[1] - 1, axis=1), flat[:, 1:]], axis=-1).reshape(-1, 2), axis=0
    )
    words = np.bincount(pairs[:, 1], minlength=size)
    words[flat[:, 0]] = min_words
    return np.where(words >= min_words, counts, 0).astype(np.int32)


def known_counts(encoded: Encoded, fitted_on: Sequence[str]) -> NDArray[np.int32]:
    """Return int32 [vocabulary]: occurrences of each feature in the fitted sentences, 0 if it was not fitted."""
    return np.asarray(encoded.arrays["counts"][0, 1 if "validation" in fitted_on else 0])


def fitted(encoded: Encoded, fitted_on: tuple[str, ...], fold: int = 0) -> dict[str, Any]:
    """Return the encoder with only the features that the model was fitted on."""
    counts = known_counts(encoded, fitted_on)
    return {**encoded.encoder, "ids": {s: i for s, i in encoded.encoder["ids"].items() if counts[i]}}


def in_split(encoded: Encoded, split: str) -> NDArray[np.bool_]:
    """Return bool [words]: whether the word is in the split."""
    return np.repeat(encoded.arrays["split"][0] == SPLITS.index(split), np.diff(encoded.arrays["offsets"]))


def shown_sentences(encoded: Encoded) -> NDArray[np.int64]:
    """Return int64 [at most SHOWN]: the first test sentences of SHOWN_SHORTEST to SHOWN_LONGEST words."""
    lengths, test = np.diff(encoded.arrays["offsets"]), encoded.arrays["split"][0] == SPLITS.index("test")
    return np.flatnonzero(test & (lengths >= SHOWN_SHORTEST) & (lengths <= SHOWN_LONGEST))[:SHOWN]


def tag_ids(model: Predicting, sentences: Sequence[NDArray[np.int32]], batch: int = 64) -> list[NDArray[np.int16]]:
    """Return int16 [words] for each sentence, int32 [words, slots], in the order of the sentences."""
    out: list[NDArray[np.int16]] = [np.zeros(0, np.int16)] * len(sentences)
    for group in buckets.batches(np.array([len(s) for s in sentences]), batch, None):
        logits = model.predict(buckets.pad([sentences[i] for i in group]))
        for i, row in zip(group, logits, strict=True):
            out[i] = row[: len(sentences[i])].argmax(axis=-1).astype(np.int16)
    return out
