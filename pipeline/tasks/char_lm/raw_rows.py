"""Test text of char_lm as raw input, and an id of each test character with its context."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded
from pipeline.encoding.text_cleaning import prepare
from pipeline.encoding.vocabulary import UNKNOWN, Vocabulary, as_symbols
from pipeline.evaluation.raw_rows import Ids, RawRows
from pipeline.tasks.char_lm.prepare import carried_rows

CONTEXT = 64  # characters before a place in a text that tell it from other places
SCORED = 200  # characters of each stream
FACTOR = 0x9E3779B97F4A7C15  # odd, so that no power of it is 0 modulo 2^64


def row_ids(encoded: Encoded, fold: int) -> Ids:
    """Return uint64 [test characters]: a polynomial hash of each character with the CONTEXT before it."""
    symbols = encoded.encoder["symbols"]
    points = np.array([_number(s) for s in symbols], np.uint64)
    points[Vocabulary(tuple(symbols)).ids[UNKNOWN]] = 0
    before = np.concatenate([encoded.arrays["train"][-CONTEXT:], encoded.arrays["validation"]])[-CONTEXT:]
    text = points[np.concatenate([before, encoded.arrays["test"]])] + np.uint64(1)
    hashes = np.zeros(len(encoded.arrays["test"]), np.uint64)
    for back in range(len(before) + 1):
        hashes += np.uint64(pow(FACTOR, back, 2**64)) * text[len(before) - back : len(text) - back]
    return hashes


def _number(symbol: str) -> int:
    """Return the code point of a symbol, or a hash of several."""
    return ord(symbol) if len(symbol) == 1 else int.from_bytes(hashlib.sha256(symbol.encode()).digest()[:8], "big")


def raw_rows(network: Mapping[str, Any], encoded: Encoded, stored: NDArray[Any], rows: int) -> RawRows:
    """Return the first SCORED characters of each stream that evaluate read, with the characters that it read before."""
    symbols = Vocabulary(tuple(encoded.encoder["symbols"]))
    unseen = (chr(c) for c in range(33, 0x3000) if chr(c) not in symbols)
    stand_in = next(c for c in unseen if prepare(c, encoded.encoder) == c)  # for characters that training lacks
    read, lengths = carried_rows(encoded, "test")
    starts = np.cumsum([0, *lengths[:-1]])
    inputs, expected = [], []
    for ids, length, start in list(zip(read, lengths, starts, strict=True))[:rows]:
        before = len(ids) - length
        shown = [stand_in if s == UNKNOWN else s for s in symbols.decode(ids[: before + SCORED])]
        while shown[-1].isspace():
            shown.pop()
        text = "".join(shown)
        # Not if prepare() cuts a leading space, or a mark joins the character before it.
        again = list(as_symbols(prepare(text, encoded.encoder), symbols.symbols))
        if again == shown and len(shown) > before:
            inputs.append(text)
            expected.append(stored[start : start + len(shown) - before])
    return RawRows(inputs, expected, lambda answer, bits: np.array(answer["bits"][-len(bits) :]), {"score": True})
