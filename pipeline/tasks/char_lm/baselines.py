"""Baselines of char_lm: an n-gram model and two compressors on the same test text."""

import bz2
import lzma

import numpy as np

from pipeline.baselines.ngrams import Ids, longest_order, witten_bell_bits
from pipeline.encoding.records import SPLITS, Encoded
from pipeline.evaluation.metric import Baseline
from pipeline.tasks.char_lm.score import score


def baselines(encoded: Encoded) -> dict[str, Baseline]:
    """Score an n-gram model (order chosen on validation) and two compressors, all given the text before the test."""
    train, validation, test = (encoded.arrays[s] for s in SPLITS)
    size = len(encoded.encoder["symbols"])
    orders = range(1, longest_order(size) + 1)
    best = min(orders, key=lambda order: float(np.mean(witten_bell_bits(train, validation, size, order))))
    before = np.concatenate([train, validation])
    bits = witten_bell_bits(before, test, size, best)
    scored = {f"{best}-gram": Baseline(score(encoded, "test", bits), (bits,))}
    for name, compress in (("bz2", bz2.compress), ("xz", lambda b: lzma.compress(b, preset=9))):
        extra = len(compress(_bytes(size, before, test))) - len(compress(_bytes(size, before)))
        scored[name] = Baseline({"bits_per_char": 8 * extra / len(test)})
    return scored


def _bytes(size: int, *parts: Ids) -> bytes:
    return np.concatenate(parts).astype(np.uint8 if size <= 256 else np.int16).tobytes()
