"""The words of a text as bags of features: the word, the pair with the word before it, its character n-grams.

Two ways to the same features: as strings, for a few texts and a known vocabulary; and as numbers, for all the texts of
a data set at once, of which most strings are never made.
"""

import re
from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

START = "<s>"  # stands before the first word; no word is written with brackets
Item = TypeVar("Item")


def words(text: str) -> list[str]:
    """Lower-case words without punctuation and line breaks of HTML; an apostrophe joins what it stands between."""
    plain = re.sub(r"<br\s*/?>", " ", text.lower()) if "<" in text else text.lower()
    return re.findall(r"\w+", plain.replace("'", "").replace("’", ""))


def grams(word: str, longest: int) -> list[str]:
    """Character n-grams of 2 to `longest` letters, each once, with the word's ends marked: <w wo rd d> …"""
    framed = f"<{word}>"
    found = (f"#{framed[i : i + n]}" for n in range(2, longest + 1) for i in range(len(framed) - n + 1))
    return list(dict.fromkeys(found))


def features(tokens: Sequence[str], encoder: Mapping[str, Any]) -> list[list[str]]:
    """The features of each word: itself; with `bigrams`, the pair; character n-grams of 2 to `char_ngrams` letters."""
    before = [START, *tokens]
    return [
        [word] + ([f"{before[i]} {word}"] if encoder["bigrams"] else []) + grams(word, encoder["char_ngrams"])
        for i, word in enumerate(tokens)
    ]


def cut(items: Sequence[Item], encoder: Mapping[str, Any]) -> list[Item]:
    """At most `max_length` of them: the first, or as many of the first as of the last where `cut` is both_ends."""
    head, tail = _ends(encoder)
    return [*items[:head], *items[max(head, len(items) - tail) :]]


def _ends(encoder: Mapping[str, Any]) -> tuple[int, int]:
    tail = encoder["max_length"] // 2 if encoder["cut"] == "both_ends" else 0
    return encoder["max_length"] - tail, tail


@dataclass(frozen=True)
class Tokens:
    """Texts as numbers of words: `ids` int32 [words], `offsets` int64 [texts + 1]; a text without words has the one
    word 0, which is empty. `types`: the words by number."""

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    types: list[str]

    def key(self, text: int) -> bytes:
        """The same for texts that are equal but for case and punctuation; empty for one without words."""
        ids = self.ids[self.offsets[text] : self.offsets[text + 1]]
        return ids.tobytes() if ids.any() else b""


def tokenised(texts: Iterable[str]) -> Tokens:
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__  # a new word gets the next number
    nothing = [""]
    numbers.setdefault("", 0)
    flat, ends = array("i"), [0]
    for text in texts:
        flat.extend(map(numbers.__getitem__, words(text) or nothing))
        ends.append(len(flat))
    return Tokens(np.array(flat, np.int32), np.array(ends, np.int64), list(numbers))


@dataclass(frozen=True)
class Bags:
    """Features by number, before any vocabulary: `numbers` int32 [tokens, features], padded with `size`; `offsets`
    int64 [texts + 1]. Numbers are dealt out to the words first, then to the pairs, then to the n-grams.

    pairs: int64 [pairs], (number of the word before + 1) × words + number of the word; 0 for no word before.
    """

    numbers: NDArray[np.int32]
    offsets: NDArray[np.int64]
    types: list[str]
    pairs: NDArray[np.int64]
    grams: list[str]

    @property
    def size(self) -> int:
        return len(self.types) + len(self.pairs) + len(self.grams)

    def name(self, number: int) -> str:
        """The feature as features() writes it."""
        if number < len(self.types):
            return self.types[number]
        number -= len(self.types)
        if number < len(self.pairs):
            before, word = divmod(int(self.pairs[number]), len(self.types))
            return f"{self.types[before - 1] if before else START} {self.types[word]}"
        return self.grams[number - len(self.pairs)]


def bags(tokens: Tokens, texts: NDArray[np.int64], encoder: Mapping[str, Any]) -> Bags:
    """Of the texts at the positions `texts`, each cut to its length."""
    kept, lengths = _kept(tokens, texts, encoder)
    columns = [tokens.ids[kept][:, None]]
    pairs, spelt = np.empty(0, np.int64), _Grams([], columns[0])
    if encoder["bigrams"]:
        pairs, which = np.unique(_pairs(tokens)[kept], return_inverse=True)
        columns.append((len(tokens.types) + which[:, None]).astype(np.int32))
    if encoder["char_ngrams"]:
        spelt = _spelt(tokens, columns[0][:, 0], encoder["char_ngrams"])
        columns.append(len(tokens.types) + len(pairs) + spelt.numbers)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return Bags(np.concatenate(columns, axis=1), offsets, tokens.types, pairs, spelt.names)


def _kept(tokens: Tokens, texts: NDArray[np.int64], encoder: Mapping[str, Any]) -> tuple[Any, NDArray[np.int64]]:
    """Positions in tokens.ids of what is left of the texts, one after another; and how much of each."""
    starts, lengths = tokens.offsets[texts], np.diff(tokens.offsets)[texts]
    head, tail = _ends(encoder)
    gap = np.maximum(lengths - head - tail, 0)
    left = lengths - gap
    inside = np.arange(left.sum()) - np.repeat(np.cumsum(left) - left, left)
    skipped = np.where(inside < head, 0, np.repeat(gap, left))
    return np.repeat(starts, left) + inside + skipped, left


def _pairs(tokens: Tokens) -> NDArray[np.int64]:
    before = np.empty(len(tokens.ids), np.int64)
    before[1:] = tokens.ids[:-1] + 1
    before[tokens.offsets[:-1]] = 0
    return before * len(tokens.types) + tokens.ids


@dataclass(frozen=True)
class _Grams:
    """`names`: every n-gram; `numbers`: int32 [tokens, n-grams of a token], padded with how many names there are."""

    names: list[str]
    numbers: NDArray[np.int32]


def _spelt(tokens: Tokens, ids: NDArray[np.int32], longest: int) -> _Grams:
    used, which = np.unique(ids, return_inverse=True)
    spelt = [grams(tokens.types[word], longest) for word in used]
    numbers: dict[str, int] = {}
    for gram in (gram for word in spelt for gram in word):
        numbers.setdefault(gram, len(numbers))
    table = np.full((len(used), max(map(len, spelt))), len(numbers), np.int32)
    for row, word in zip(table, spelt, strict=True):
        row[: len(word)] = [numbers[gram] for gram in word]
    return _Grams(list(numbers), table[which])
