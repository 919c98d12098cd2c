"""Character language model: predict each next character of a running text.

Split contiguously before anything is fitted. Symbols that the training part lacks are one UNKNOWN symbol.
"""

import bz2
import lzma
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import vocabulary
from pipeline.errors import DataError
from pipeline.records import Encoded, TextCorpus
from pipeline.rows import CharLmData
from pipeline.tasks.base import SPLITS, Baseline

HEADLINE = "bits_per_char"
MONITOR = "bits_per_char"
BLOCK = 200
MAX_ORDER = 8
MIN_CHARACTERS = 1_000

Ids = NDArray[np.int16]


def prepare(text: str, encoder: Mapping[str, Any]) -> str:
    """The text as the model sees it: the same preparation for the corpus and for a prompt."""
    if encoder["lowercase"]:
        text = text.lower()
    if encoder["ascii_only"]:
        text = text.encode("ascii", "ignore").decode()
    if encoder["line_ends"] == "space":
        lines = (line.strip() for line in re.split(r"\n", text))
        return " ".join(line for line in lines if line)
    return text


def encode(record: TextCorpus, row: CharLmData, seed: int) -> Encoded:
    """Arrays train, validation, test: int16 [characters], contiguous in the text's order."""
    del seed  # the split is by position
    options = {"lowercase": row.lowercase, "ascii_only": row.ascii_only, "line_ends": row.line_ends}
    text = prepare(record.text, options)
    if len(text) < MIN_CHARACTERS:
        hint = "; ascii_only: false keeps letters beyond ASCII" if row.ascii_only and not record.text.isascii() else ""
        raise DataError(f"{row.source}: {len(text)} usable characters; at least {MIN_CHARACTERS} are needed{hint}")
    cuts = [round(len(text) * (1 - row.validation - row.test)), round(len(text) * (1 - row.test))]
    parts = dict(zip(SPLITS, (text[: cuts[0]], text[cuts[0] : cuts[1]], text[cuts[1] :]), strict=True))
    symbols = vocabulary.build(parts["train"])
    encoder = {**options, "symbols": list(symbols.symbols)}
    arrays = {name: symbols.encode(part).astype(np.int16) for name, part in parts.items()}
    summary = {
        "characters": len(text),
        "symbols": len(symbols) - 2,
        "unknown_in_test": int(np.sum(arrays["test"] == symbols.ids[vocabulary.UNKNOWN])),
        "findings": dict(record.findings),
    }
    return Encoded(arrays, encoder, {name: len(part) for name, part in parts.items()}, summary)


def fitted(encoded: Encoded, fitted_on: tuple[str, ...], fold: int = 0) -> dict[str, Any]:
    """The encoder: its symbols are fitted on the training part alone."""
    return dict(encoded.encoder)


def score(encoded: Encoded, split: str, predictions: NDArray[Any], fold: int = 0) -> dict[str, float]:
    """`predictions`: float [characters], -log2 of the probability given to each character of the split."""
    assert len(predictions) == len(encoded.arrays[split])
    return {"bits_per_char": float(np.mean(predictions, dtype=np.float64))}


def losses(encoded: Encoded, predictions: NDArray[Any], fold: int = 0) -> NDArray[np.float64]:
    """Bits of each test character."""
    return predictions.astype(np.float64)


def baselines(encoded: Encoded) -> dict[str, Baseline]:
    """An n-gram model (order chosen on validation) and two general compressors, all given the text before the test."""
    train, validation, test = (encoded.arrays[s] for s in SPLITS)
    size = len(encoded.encoder["symbols"])
    # A window of symbols is one 64-bit number, which bounds the order for alphabets of thousands of symbols.
    orders = range(1, min(MAX_ORDER, int(62 / np.log2(size))) + 1)
    best = min(orders, key=lambda order: float(np.mean(witten_bell_bits(train, validation, size, order))))
    before = np.concatenate([train, validation])
    bits = witten_bell_bits(before, test, size, best)
    found = {f"{best}-gram": Baseline(score(encoded, "test", bits), (bits,))}
    for name, compress in (("bz2", bz2.compress), ("xz", lambda b: lzma.compress(b, preset=9))):
        extra = len(compress(_bytes(size, before, test))) - len(compress(_bytes(size, before)))
        found[name] = Baseline({"bits_per_char": 8 * extra / len(test)})
    return found


def witten_bell_bits(train: Ids, text: Ids, size: int, order: int) -> NDArray[np.float64]:
    """-log2 p of each character of `text`, which follows `train`, under an interpolated n-gram model of `order`.

    p_k(c|h) = (n(h,c) + t(h) p_{k-1}(c|h')) / (n(h) + t(h)) with n counts and t distinct followers of the context h
    (Witten and Bell 1991); p_0 is uniform. float64 [len(text)].
    """
    context = np.concatenate([train[-order:], text]).astype(np.int64)
    start = len(context) - len(text)
    p = np.full(len(text), 1.0 / size)
    for k in range(order):
        n_pair, n_context, followers = _counts(train.astype(np.int64), context, start, size, k)
        p = np.where(n_context > 0, (n_pair + followers * p) / np.maximum(n_context + followers, 1), p)
    return np.asarray(-np.log2(p), np.float64)


def _counts(train: NDArray[np.int64], text: NDArray[np.int64], start: int, size: int, k: int) -> tuple[Any, Any, Any]:
    """For each position from `start`: counts of (context of k, character), of the context, of its followers."""
    pairs, n = np.unique(_windows(train, size, k + 1), return_counts=True)
    heads, first, followers = np.unique(pairs // size, return_index=True, return_counts=True)
    totals = np.add.reduceat(n, first)
    wanted = _windows(text, size, k + 1)[start - k :]
    n_pair = _look_up(pairs, n, wanted)
    return n_pair, _look_up(heads, totals, wanted // size), _look_up(heads, followers, wanted // size)


def _windows(ids: NDArray[np.int64], size: int, width: int) -> NDArray[np.int64]:
    """Each run of `width` ids as one number in base `size`: int64 [len(ids) - width + 1]."""
    count = len(ids) - width + 1
    keys = np.zeros(count, np.int64)
    for i in range(width):
        keys = keys * size + ids[i : i + count]
    return keys


def _look_up(keys: NDArray[np.int64], values: NDArray[Any], wanted: NDArray[np.int64]) -> NDArray[Any]:
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, values[at], 0)


def _bytes(size: int, *parts: Ids) -> bytes:
    return np.concatenate(parts).astype(np.uint8 if size <= 256 else np.int16).tobytes()
