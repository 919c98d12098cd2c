"""Encode each word of a text as a bag of features: the word, the pair with the word before it, character n-grams.

There are two ways to the same features: as strings, for a few texts and a known vocabulary; and as numbers, for all
texts of a data set at once, which never makes most of the strings.
"""

import re
import unicodedata
from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import regex
from numpy.typing import NDArray

FIRST_MARK = "\u0300"  # below it are letters, digits and signs that re and regex tell apart alike
PLAIN_WORD = re.compile(r"\w+")
EMOJI = r"[\p{Emoji}--[\p{ASCII}©®™]]"
UNSPACED = r"[[\p{Han}\p{Hiragana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]&&\p{L}]"
RUN = rf"[[\w\p{{N}}]--{EMOJI}--{UNSPACED}]"
WORD = regex.compile(rf"(?V1)(?={EMOJI}|{UNSPACED})\X|[{RUN}--[\p{{M}}\u200c\u200d]]{RUN}*")
LETTERS = 32  # of a word that are spelt as n-grams; a longer one is rarely a word
START = "<s>"  # comes before the first word; no word contains angle brackets
Item = TypeVar("Item")


def words(text: str) -> list[str]:
    """Split a text into lower-case words without punctuation and HTML line breaks; drop apostrophes (isn't → isnt)."""
    plain = re.sub(r"<br\s*/?>", " ", text.lower()) if "<" in text else text.lower()
    return pieces(plain.replace("'", "").replace("’", ""))


def pieces(text: str) -> list[str]:
    """Split a text into runs of letters with their marks, digits and underscores, by Unicode's classes.

    An emoji is a word. So is each character, with its marks, of a script that puts no spaces between words (Thai,
    Chinese, …), since only a dictionary could find the words there.
    """
    if text.isascii() or max(text) < FIRST_MARK:
        return PLAIN_WORD.findall(text)
    found: list[str] = WORD.findall(unicodedata.normalize("NFC", text))
    return found


def grams(word: str, longest: int) -> list[str]:
    """List the distinct character n-grams of 2 to `longest` letters, with the ends of the word marked: <w wo rd d> …

    Of a word of more than LETTERS letters, only those of its two ends.
    """
    framed = f"<{word}>"
    ends = (framed,) if len(word) <= LETTERS else (framed[: LETTERS // 2 + 1], framed[-LETTERS // 2 - 1 :])
    return list(dict.fromkeys(f"#{e[i : i + n]}" for n in range(2, longest + 1) for e in ends for i in _starts(e, n)))


def _starts(text: str, length: int) -> range:
    return range(len(text) - length + 1)


def features(tokens: Sequence[str], encoder: Mapping[str, Any]) -> list[list[str]]:
    """List the features of each word: the word; with `bigrams`, the pair; n-grams of 2 to `char_ngrams` letters."""
    before = [START, *tokens]
    return [
        [word] + ([f"{before[i]} {word}"] if encoder["bigrams"] else []) + grams(word, encoder["char_ngrams"])
        for i, word in enumerate(tokens)
    ]


def cut(items: Sequence[Item], encoder: Mapping[str, Any]) -> list[Item]:
    """Keep at most `max_length` items: the first, or if `cut` is both_ends, half of them from each end."""
    head, tail = _ends(encoder)
    return [*items[:head], *items[max(head, len(items) - tail) :]]


def first_only(ids: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the ids of a text, [words, features], with 0 for all but the first occurrence of each."""
    out = np.zeros_like(ids)
    _, first = np.unique(ids, return_index=True)
    out.flat[first] = ids.flat[first]
    return out


def _ends(encoder: Mapping[str, Any]) -> tuple[int, int]:
    tail = encoder["max_length"] // 2 if encoder["cut"] == "both_ends" else 0
    return encoder["max_length"] - tail, tail


@dataclass(frozen=True)
class Tokens:
    """Tokenised texts. A text without words has the single word 0, which is empty.

    ids: int32 [words], the words of all texts, one text after another.
    offsets: int64 [texts + 1], where each text begins and ends in `ids`.
    types: the word of each id.
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    types: list[str]

    def key(self, text: int) -> bytes:
        """Return a key that is equal for texts with the same words; it is empty if there are no words."""
        ids = self.ids[self.offsets[text] : self.offsets[text + 1]]
        return ids.tobytes() if ids.any() else b""


def tokenised(texts: Iterable[str]) -> Tokens:
    """Split texts into words and number the words in order of first appearance."""
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__  # a new word gets the next number
    no_words = [""]
    numbers.setdefault("", 0)
    flat, ends = array("i"), [0]
    for text in texts:
        flat.extend(map(numbers.__getitem__, words(text) or no_words))
        ends.append(len(flat))
    return Tokens(np.array(flat, np.int32), np.array(ends, np.int64), list(numbers))


@dataclass(frozen=True)
class Bags:
    """Features by number, before any vocabulary. Words are numbered first, then pairs, then n-grams.

    numbers: int32 [tokens, features], padded with `size`.
    offsets: int64 [texts + 1], where each text begins and ends in `numbers`.
    pairs: int64 [pairs], (number of the word before + 1, or 0 if there is none) × words + number of the word.
    """

    numbers: NDArray[np.int32]
    offsets: NDArray[np.int64]
    types: list[str]
    pairs: NDArray[np.int64]
    grams: list[str]

    @property
    def size(self) -> int:
        """The number of features."""
        return len(self.types) + len(self.pairs) + len(self.grams)

    def name(self, number: int) -> str:
        """Return the feature as features() writes it."""
        if number < len(self.types):
            return self.types[number]
        number -= len(self.types)
        if number < len(self.pairs):
            before, word = divmod(int(self.pairs[number]), len(self.types))
            return f"{self.types[before - 1] if before else START} {self.types[word]}"
        return self.grams[number - len(self.pairs)]


def bags(tokens: Tokens, texts: NDArray[np.int64], encoder: Mapping[str, Any]) -> Bags:
    """Make the bags of the texts at the positions `texts`, each cut to `max_length` words."""
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
    """Return the positions in tokens.ids of the words that remain after cutting, and how many remain of each text."""
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
    """The n-grams of all tokens. names: every n-gram; numbers: int32 [tokens, n-grams], padded with len(names)."""

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
