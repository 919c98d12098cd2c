"""Sentiment as the chapters prepare it: words as ids, padded to one length or batched by length, repeats kept.

Its flaws are part of it, are counted in summary["flaws"], and have an held-out counterpart in the task sentiment. The
metric accuracy_unseen reads the same predictions without the texts that stand in the training part as well.
"""

import re
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema.datasets import PaddedTextsData
from pipeline.encoding.records import SPLITS, Encoded, LabelledTexts, pack
from pipeline.encoding.vocabulary import UNKNOWN
from pipeline.errors import DataError

TRAIN, VALIDATION, TEST = range(3)
PAD_ID, UNKNOWN_ID, FIRST_ID = range(3)
FEWEST = 5
MARKUP = re.compile(r"<[^>]*>")
EMOTICON = re.compile(r"[:;=]-?[()DP]")


def _nltk() -> Callable[[str], list[str]]:
    # NLTK's word_tokenize for a text of one sentence: splitting sentences first would need a data file.
    from nltk.tokenize import NLTKWordTokenizer

    tokenizer = NLTKWordTokenizer()
    return lambda text: list(tokenizer.tokenize(text.lower()))


def _words(text: str) -> list[str]:
    return re.findall(r"[\w']+", MARKUP.sub("", text).lower())


def _emoticons(text: str) -> list[str]:
    """The words, then the emoticons, with or without a nose the same."""
    text = MARKUP.sub("", text)
    return re.findall(r"\w+", text.lower()) + [found.replace("-", "") for found in EMOTICON.findall(text)]


def tokenizer(name: str) -> Callable[[str], list[str]]:
    """Raw text → words; see PaddedTextsData."""
    return _nltk() if name == "nltk" else {"words": _words, "emoticons": _emoticons}[name]


def encode_texts(texts: Iterable[str], encoder: Mapping[str, Any]) -> list[NDArray[np.int32]]:
    """Raw texts as ids, int32 [words] each, at least one; padding is the batches' business."""
    tokens, ids = tokenizer(encoder["tokens"]), encoder["ids"]
    return [np.array([ids.get(t, UNKNOWN_ID) for t in tokens(text)] or [UNKNOWN_ID], np.int32) for text in texts]


def encode(record: LabelledTexts, row: PaddedTextsData, seed: int) -> Encoded:
    """Arrays: ids int32 [words of all texts] with offsets int64 [texts + 1], labels int32 [texts],
    split int8 [1, texts], seen bool [texts]: whether the text stands word for word in the training part.

    Without a row of VALIDATION in `split` the test part serves as validation, see `positions`.
    """
    _check(record, row)
    split = _split(record, row, np.random.default_rng(seed))
    flat, offsets, symbols = _numbered(record.texts, tokenizer(row.tokens))
    counted = np.ones(len(split), np.bool_) if record.is_test is None else ~record.is_test
    known, ids = _vocabulary(flat[np.repeat(counted, np.diff(offsets))], symbols, row.vocabulary)
    train = {text for text, part in zip(record.texts, split, strict=True) if part == TRAIN}
    arrays: dict[str, NDArray[Any]] = {
        "ids": ids[flat],
        "offsets": offsets,
        "labels": record.labels,
        "split": split[None],
        "seen": np.array([text in train for text in record.texts]),
        **pack(record.texts),
    }
    encoder = {
        "tokens": row.tokens,
        "length": row.length,
        "label_names": list(record.label_names),
        "size": len(known) + FIRST_ID,
        "ids": {symbol: i for i, symbol in enumerate(known, start=FIRST_ID)},
    }
    lengths = np.diff(offsets)
    facts = {"types": len(symbols), "shortest_text": int(lengths.min()), "longest_text": int(lengths.max())}
    encoded = Encoded(arrays, encoder, {}, {**facts, "findings": dict(record.findings)})
    examples = {name: len(positions(encoded, name)) for name in SPLITS}
    return Encoded(arrays, encoder, examples, {**encoded.summary, "flaws": _flaws(encoded, record)})


def _check(record: LabelledTexts, row: PaddedTextsData) -> None:
    counts = np.bincount(record.labels, minlength=len(record.label_names))
    found = ", ".join(f"{name} {count}" for name, count in zip(record.label_names, counts, strict=True))
    if len(counts) != 2:
        raise DataError(f"{row.source}: found {len(counts)} classes ({found}); padded_texts tells two apart")
    if counts.min() < FEWEST:
        raise DataError(f"{row.source}: too few texts of a class ({found}); each needs at least {FEWEST}")


def _split(record: LabelledTexts, row: PaddedTextsData, rng: np.random.Generator) -> NDArray[np.int8]:
    """int8 [texts] of TRAIN, VALIDATION, TEST: plain random shares, whatever repeats, beside the published test."""
    split = np.zeros(len(record.texts), np.int8)
    if record.is_test is not None:
        split[record.is_test] = TEST
    else:
        split[rng.permutation(len(split))[: round(row.test * len(split))]] = TEST
    rest = rng.permutation(np.flatnonzero(split == TRAIN))
    split[rest[: round(row.validation * len(rest))]] = VALIDATION
    return split


def _numbered(
    texts: Sequence[str], tokens: Callable[[str], list[str]]
) -> tuple[NDArray[np.int32], NDArray[np.int64], list[str]]:
    """Every word numbered as it is first met: int32 [words of all texts], offsets int64 [texts + 1], the words."""
    seen: dict[str, int] = {}
    flat, lengths = array("i"), [0]
    for text in texts:
        before = len(flat)
        flat.extend(seen.setdefault(token, len(seen)) for token in tokens(text) or [UNKNOWN])
        lengths.append(len(flat) - before)
    return np.frombuffer(flat, np.int32), np.cumsum(lengths), list(seen)


def _vocabulary(
    counted: NDArray[np.int32], symbols: Sequence[str], limit: int | None
) -> tuple[list[str], NDArray[np.int32]]:
    """The `limit` most frequent words (ties in order of code points), and the id of each of `symbols`."""
    counts = np.bincount(counted, minlength=len(symbols))
    order = sorted(range(len(symbols)), key=lambda i: (-counts[i], symbols[i]))
    kept = [i for i in order if counts[i] and symbols[i] != UNKNOWN][:limit]
    ids = np.full(len(symbols), UNKNOWN_ID, np.int32)
    ids[kept] = np.arange(FIRST_ID, FIRST_ID + len(kept))
    return [symbols[i] for i in kept], ids


def positions(encoded: Encoded, split: str) -> NDArray[np.int64]:
    """The texts of a split; those of the test where no validation part was cut off."""
    at = np.flatnonzero(encoded.arrays["split"][0] == SPLITS.index(split))
    return positions(encoded, "test") if split == "validation" and not len(at) else at


def ids_of(encoded: Encoded, which: NDArray[np.int64]) -> list[NDArray[np.int32]]:
    """int32 [words] of each of the texts at `which`, as views."""
    ids, offsets = encoded.arrays["ids"], encoded.arrays["offsets"]
    return [ids[offsets[i] : offsets[i + 1]] for i in which]


def _flaws(encoded: Encoded, record: LabelledTexts) -> list[str]:
    """What is wrong with this protocol, counted on this data."""
    arrays, length = encoded.arrays, encoded.encoder["length"]
    (split,) = arrays["split"]
    found = [
        *_repeated(record, split, arrays["seen"]),
        *([] if np.any(split == VALIDATION) else ["The test part is the validation part: it is seen every epoch."]),
    ]
    trained = np.bincount(np.concatenate(ids_of(encoded, positions(encoded, "train"))), minlength=FIRST_ID)
    size, lost = encoded.encoder["size"], encoded.encoder["size"] - FIRST_ID - np.count_nonzero(trained[FIRST_ID:])
    if lost:
        found.append(f"Words were counted before the split: {lost:,} of {size - FIRST_ID:,} stand in no training text.")
    if length is not None:
        lengths = np.diff(arrays["offsets"])
        share = 1.0 - np.minimum(lengths, length).mean() / length
        found.append(
            f"Padding is read like words: {share:.1%} of the steps. {np.mean(lengths > length):.1%} of the texts lose "
            f"their beginning beyond {length} words."
        )
    return found


def _repeated(record: LabelledTexts, split: NDArray[np.int8], seen: NDArray[np.bool_]) -> list[str]:
    tests = [text for text, part in zip(record.texts, split, strict=True) if part == TEST]
    both = len(set(tests) & {text for text, part in zip(record.texts, split, strict=True) if part != TEST})
    if not both:
        return []
    whose = "published halves" if record.is_test is not None else "parts"
    return [
        f"{np.mean(seen[split == TEST]):.1%} of the {len(tests):,} test texts stand word for word in the training part;"
        f" {both:,} distinct texts stand in both {whose}."
    ]


def fitted(encoded: Encoded, fitted_on: tuple[str, ...], fold: int = 0) -> dict[str, Any]:
    """The encoder: its words were counted before the split."""
    return dict(encoded.encoder)
