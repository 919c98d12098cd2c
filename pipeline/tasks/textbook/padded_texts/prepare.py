"""Prepare labelled texts for padded_texts, by the textbook's protocol: words as ids, repeats kept.

Its flaws are kept and counted in summary["flaws"]. The task sentiment is the held-out counterpart. The metric
accuracy_unseen scores the same predictions without the texts that are also in the training part.
"""

import re
import sys
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema.datasets import PaddedTextsData
from pipeline.encoding.records import SPLITS, Encoded, LabelledTexts, pack
from pipeline.encoding.vocabulary import UNKNOWN
from pipeline.errors import DataError
from pipeline.evaluation.network import Predicting
from pipeline.training import buckets

TRAIN, VALIDATION, TEST = range(3)
PAD_ID, UNKNOWN_ID, FIRST_ID = range(3)
FEWEST = 5  # texts of each class
MARKUP = re.compile(r"<[^>]*>")
EMOTICON = re.compile(r"[:;=]-?[()DP]")


def _nltk() -> Callable[[str], list[str]]:
    # NLTK's word_tokenize for a text of one sentence: splitting sentences first would need a data file.
    unneeded = [name for name in ("matplotlib", "pandas", "scipy", "sklearn") if name not in sys.modules]
    sys.modules.update(dict.fromkeys(unneeded))  # type: ignore[arg-type]  # NLTK imports them, if it can: seconds
    try:
        from nltk.tokenize import NLTKWordTokenizer
    finally:
        for name in unneeded:
            del sys.modules[name]
    tokenizer = NLTKWordTokenizer()
    return lambda text: list(tokenizer.tokenize(text.lower()))


def _words(text: str) -> list[str]:
    return re.findall(r"[\w']+", MARKUP.sub("", text).lower())


def _emoticons(text: str) -> list[str]:
    """Return the words, then the emoticons without their noses."""
    text = MARKUP.sub("", text)
    return re.findall(r"\w+", text.lower()) + [emoticon.replace("-", "") for emoticon in EMOTICON.findall(text)]


def tokenizer(name: str) -> Callable[[str], list[str]]:
    """Return the function called `name` that splits a raw text into words; see PaddedTextsData."""
    return _nltk() if name == "nltk" else {"words": _words, "emoticons": _emoticons}[name]


def encode_texts(texts: Iterable[str], encoder: Mapping[str, Any]) -> list[NDArray[np.int32]]:
    """Encode raw texts as ids, int32 [at least 1 word] each. Batches add the padding."""
    tokens, ids = tokenizer(encoder["tokens"]), encoder["ids"]
    return [np.array([ids.get(t, UNKNOWN_ID) for t in tokens(text)] or [UNKNOWN_ID], np.int32) for text in texts]


def encode(record: LabelledTexts, row: PaddedTextsData, seed: int) -> Encoded:
    """Return the arrays ids int32 [words of all texts] with offsets int64 [texts + 1], labels int32 [texts],
    split int8 [1, texts], and seen bool [texts], whether the same text is in the training part.

    If `split` has no VALIDATION, the test part serves as validation; see `positions`.
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
    sizes = ", ".join(f"{name} {count}" for name, count in zip(record.label_names, counts, strict=True))
    if len(counts) != 2:
        raise DataError(f"{row.source}: found {len(counts)} classes ({sizes}); padded_texts needs exactly two")
    if counts.min() < FEWEST:
        raise DataError(f"{row.source}: too few texts of a class ({sizes}); each needs at least {FEWEST}")


def _split(record: LabelledTexts, row: PaddedTextsData, rng: np.random.Generator) -> NDArray[np.int8]:
    """Return int8 [texts] of TRAIN, VALIDATION and TEST: random shares regardless of repeats, or the published test."""
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
    """Number words by first occurrence: int32 [words of all texts], offsets int64 [texts + 1], the distinct words."""
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
    """Return the `limit` most frequent words (ties in order of code points), and the id of each of `symbols`."""
    counts = np.bincount(counted, minlength=len(symbols))
    order = sorted(range(len(symbols)), key=lambda i: (-counts[i], symbols[i]))
    kept = [i for i in order if counts[i] and symbols[i] != UNKNOWN][:limit]
    ids = np.full(len(symbols), UNKNOWN_ID, np.int32)
    ids[kept] = np.arange(FIRST_ID, FIRST_ID + len(kept))
    return [symbols[i] for i in kept], ids


def positions(encoded: Encoded, split: str) -> NDArray[np.int64]:
    """Return int64 [texts of the split]: their positions; for validation, the test texts if there is no such part."""
    at = np.flatnonzero(encoded.arrays["split"][0] == SPLITS.index(split))
    return positions(encoded, "test") if split == "validation" and not len(at) else at


def ids_of(encoded: Encoded, which: NDArray[np.int64]) -> list[NDArray[np.int32]]:
    """Return int32 [words] for each of the texts at `which`, as views."""
    ids, offsets = encoded.arrays["ids"], encoded.arrays["offsets"]
    return [ids[offsets[i] : offsets[i + 1]] for i in which]


def _flaws(encoded: Encoded, record: LabelledTexts) -> list[str]:
    """List the flaws of this protocol, with counts on this data."""
    arrays, length = encoded.arrays, encoded.encoder["length"]
    (split,) = arrays["split"]
    flaws = [
        *_repeated(record, split, arrays["seen"]),
        *([] if np.any(split == VALIDATION) else ["The test part is the validation part: it judges every epoch."]),
    ]
    trained = np.bincount(np.concatenate(ids_of(encoded, positions(encoded, "train"))), minlength=FIRST_ID)
    size, lost = encoded.encoder["size"], encoded.encoder["size"] - FIRST_ID - np.count_nonzero(trained[FIRST_ID:])
    if lost:
        flaws.append(f"Words were counted before the split: {lost:,} of {size - FIRST_ID:,} are in no training text.")
    if length is not None:
        lengths = np.diff(arrays["offsets"])
        share = 1.0 - np.minimum(lengths, length).mean() / length
        flaws.append(
            f"Padding is read like words and makes up {share:.1%} of the steps. {np.mean(lengths > length):.1%} of the "
            f"texts are longer than {length} words and lose their beginning."
        )
    return flaws


def _repeated(record: LabelledTexts, split: NDArray[np.int8], seen: NDArray[np.bool_]) -> list[str]:
    tests = [text for text, part in zip(record.texts, split, strict=True) if part == TEST]
    both = len(set(tests) & {text for text, part in zip(record.texts, split, strict=True) if part != TEST})
    if not both:
        return []
    whose = "published halves" if record.is_test is not None else "parts"
    return [
        f"{np.mean(seen[split == TEST]):.1%} of the {len(tests):,} test texts are also training texts, word for word;"
        f" {both:,} distinct texts are in both {whose}."
    ]


def fitted(encoded: Encoded, fitted_on: tuple[str, ...], fold: int = 0) -> dict[str, Any]:
    """Return the encoder as it is: its words were counted before the split."""
    return dict(encoded.encoder)


def padded(texts: Sequence[NDArray[np.int32]], length: int | None) -> NDArray[np.int32]:
    """Return int32 [texts, words]: padding and the last `length` words, or without a length, all words and padding."""
    if length is None:
        return buckets.pad(texts, PAD_ID)
    out = np.full((len(texts), length), PAD_ID, np.int32)
    for row, text in zip(out, texts, strict=True):
        row[length - min(length, len(text)) :] = text[-length:]
    return out


def probabilities(
    model: Predicting, texts: Sequence[NDArray[np.int32]], length: int | None, batch: int = 128
) -> NDArray[np.float32]:
    """Return float32 [texts, 2], in the order of the texts, int32 [words] each."""
    out = np.zeros((len(texts), 2), np.float32)
    for group in buckets.batches(np.array([len(text) for text in texts]), batch, None):
        out[group, 1] = model.predict(padded([texts[i] for i in group], length))[:, 0]
    out[:, 0] = 1.0 - out[:, 1]
    return out
