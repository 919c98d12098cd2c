"""Baselines of char_lm: an n-gram model and two compressors on the same test text."""

import bz2
import functools
import lzma
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pipeline.baselines.ngrams import Ids, longest_order, witten_bell_bits
from pipeline.encoding.records import SPLITS, Encoded
from pipeline.evaluation.metric import Baseline
from pipeline.tasks.char_lm.score import score

PIECES = 32  # of the test text, for the interval of a compressor
COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "bz2": bz2.compress,
    "xz": functools.partial(lzma.compress, preset=9),
}


def baselines(encoded: Encoded) -> dict[str, Baseline]:
    """Score an n-gram model (order chosen on validation) and two compressors, all given the text before the test."""
    train, validation, test = (encoded.arrays[s] for s in SPLITS)
    size = len(encoded.encoder["symbols"])
    orders = range(1, longest_order(size) + 1)
    best = min(orders, key=lambda order: float(np.mean(witten_bell_bits(train, validation, size, order))))
    before = np.concatenate([train, validation])
    bits = witten_bell_bits(before, test, size, best)
    n_gram = Baseline(score(encoded, "test", bits), (bits,))
    sizes = {name: _added(name, size, before, test) for name in COMPRESSORS}
    least = min(sizes, key=lambda name: sizes[name])
    compressors = {name: Baseline({"bits_per_char": 8 * added / len(test)}) for name, added in sizes.items()}
    if compressors[least].metrics["bits_per_char"] < n_gram.metrics["bits_per_char"]:
        compressors[least] = Baseline(compressors[least].metrics, (_by_piece(least, size, before, test),))
    return {f"{best}-gram": n_gram, **compressors}


def _added(compressor: str, size: int, before: Ids, text: Ids) -> int:
    """Return by how many bytes the compressed text grows when `text` follows `before`."""
    compress = COMPRESSORS[compressor]
    return len(compress(_bytes(size, before, text))) - len(compress(_bytes(size, before)))


def _by_piece(compressor: str, size: int, before: Ids, test: Ids) -> NDArray[np.float64]:
    """Return float64 [test characters]: bits of each, by how much each of PIECES pieces adds to the compressed text.

    A compressor says nothing of single characters, but an interval needs figures of parts. The mean is its score.
    """
    ends = np.linspace(0, len(test), PIECES + 1).round().astype(int)
    added = np.diff([_added(compressor, size, before, test[:end]) for end in ends])
    lengths = np.diff(ends)
    return np.repeat(8.0 * added / np.maximum(lengths, 1), lengths)


def _bytes(size: int, *parts: Ids) -> bytes:
    return np.concatenate(parts).astype(np.uint8 if size <= 256 else np.int16).tobytes()
