"""Prepare tagged sentences for padded_tags, by the textbook's protocol: every sentence padded to one length.

Accuracy counts the cells of an array [sentences, length], as Keras' own accuracy does: the largest output against the
largest target. Padding comes first, as from Keras' pad_sequences. Its targets are all zeros, of which the first counts
as the largest: the prediction 0 is right on padding, while padding has no weight in the loss. Tags are numbered from 0
by frequency, so that 0 is also the most frequent tag. There is one class more than tags, since padding was meant to
have its own. Words are lower-cased, and all but the most frequent ones of the whole corpus become one unknown word.
`pos_tagging` is the same task without these flaws.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema.datasets import PaddedTagsData
from pipeline.encoding.records import Encoded, TaggedSentences
from pipeline.errors import DataError
from pipeline.evaluation.network import Predicting

TRAIN, TEST = 0, 2
PAD, UNKNOWN, FIRST_ID = 0, 1, 2


def encode_sentences(sentences: Iterable[Sequence[str]], encoder: Mapping[str, Any]) -> NDArray[np.int32]:
    """Return int32 [sentences, length]: word ids with PAD before them; no sentence may be longer than `length`."""
    ids = encoder["ids"]
    return _in_front([[ids.get(word.lower(), UNKNOWN) for word in sentence] for sentence in sentences], encoder)


def _in_front(rows: Sequence[Sequence[int]], encoder: Mapping[str, Any]) -> NDArray[np.int32]:
    out = np.zeros((len(rows), encoder["length"]), np.int32)
    for target, row in zip(out, rows, strict=True):
        target[len(target) - len(row) :] = row
    return out


def encode(record: TaggedSentences, row: PaddedTagsData, seed: int) -> Encoded:
    """Return the arrays words and tags, int32 [sentences, length], both 0 on padding, and split int8 [1, sentences].

    The split is TRAIN or TEST.
    """
    longest = max(map(len, record.words))
    if longest > row.length:
        raise DataError(f"{row.source}: a sentence of {longest} words; length is {row.length}, raise it")
    encoder: dict[str, Any] = {
        "length": row.length,
        "ids": _word_ids(record.words, row),
        "tags": _by_frequency(record.tags),
    }
    tag_ids = {tag: i for i, tag in enumerate(encoder["tags"])}
    split = _split(len(record.words), row, seed)
    arrays: dict[str, NDArray[Any]] = {
        "words": encode_sentences(record.words, encoder),
        "tags": _in_front([[tag_ids[tag] for tag in sentence] for sentence in record.tags], encoder),
        "split": split[None],
    }
    tests = int(np.sum(split == TEST))
    examples = {"train": len(split) - tests, "validation": tests, "test": tests}
    summary = {
        "tags": len(encoder["tags"]),
        "words": sum(map(len, record.words)),
        "flaws": _flaws(record, arrays, encoder),
        "findings": dict(record.findings),
    }
    return Encoded(arrays, encoder, examples, summary)


def _word_ids(sentences: Sequence[Sequence[str]], row: PaddedTagsData) -> dict[str, int]:
    kept = _by_frequency([[word.lower() for word in sentence] for sentence in sentences])[: row.vocabulary]
    return {word: i for i, word in enumerate(kept, start=FIRST_ID)}


def _by_frequency(sentences: Sequence[Sequence[str]]) -> list[str]:
    """Return the symbols, the most frequent first, ties in order of code points."""
    counts = Counter(symbol for sentence in sentences for symbol in sentence)
    return sorted(counts, key=lambda symbol: (-counts[symbol], symbol))


def _split(sentences: int, row: PaddedTagsData, seed: int) -> NDArray[np.int8]:
    tests = round(sentences * row.test)
    if not 0 < tests < sentences:
        raise DataError(f"{row.source}: {sentences} sentences; test {row.test:g} leaves nothing to train on or to test")
    split = np.full(sentences, TRAIN, np.int8)
    split[np.random.default_rng(seed).permutation(sentences)[:tests]] = TEST
    return split


def _flaws(record: TaggedSentences, arrays: Mapping[str, NDArray[Any]], encoder: Mapping[str, Any]) -> list[str]:
    """List the flaws of this protocol, with counts on these sentences."""
    words, tags, test = arrays["words"], arrays["tags"], arrays["split"][0] == TEST
    padding, zero = float(np.mean(words == PAD)), float(np.mean(tags == 0))
    documents = np.array(record.documents)
    shared = float(np.isin(documents[test], documents[~test]).mean())
    unseen = float(np.mean(~np.isin(words[test][words[test] > PAD], words[~test])))
    return [
        f"{100 * padding:.1f} % of the cells are padding, and count as right if the prediction is 0.",
        f"The id 0 means both padding and {encoder['tags'][0]}, the most frequent tag: predicting 0 everywhere is "
        f"right in {100 * zero:.1f} % of the cells.",
        "Padding has no weight in the loss: the predictions there, and with them most of the accuracy, are left to "
        "chance.",
        f"The decoder reads one vector only: the tags of all {encoder['length']} steps come from it, and no step sees "
        "its word.",
        "The validation part is the test part.",
        f"Sentences are split at random: {100 * shared:.1f} % of the test sentences come from a text that was trained "
        "on.",
        f"The {len(encoder['ids']):,} words are the most frequent ones of all sentences, including the test: "
        f"{100 * unseen:.1f} % of the test words have an id that no training sentence has.",
    ]


def fitted(encoded: Encoded, fitted_on: tuple[str, ...], fold: int = 0) -> dict[str, Any]:
    """Return the encoder as it is: the textbook fits it on everything."""
    return dict(encoded.encoder)


def in_split(encoded: Encoded, split: str) -> NDArray[np.bool_]:
    """Return bool [sentences]: whether each is in the split; validation and test are the same sentences."""
    part = TRAIN if split == "train" else TEST
    return np.asarray(encoded.arrays["split"][0] == part)


def tag_ids(model: Predicting, words: NDArray[np.int32], batch: int = 128) -> NDArray[np.int16]:
    """Return int16 [sentences, length] tag ids for words, int32 [sentences, length]."""
    parts = [model.predict(words[i : i + batch]).argmax(axis=-1) for i in range(0, len(words), batch)]
    return np.concatenate(parts).astype(np.int16)
