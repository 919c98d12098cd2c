"""Baselines of char_lm: an n-gram model and PPMd, static and adaptive, and two other compressors, on the test text."""

import bz2
import functools
import itertools
import lzma
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pipeline.baselines import ppm
from pipeline.baselines.kneser_ney import Ids, kneser_ney_bits
from pipeline.encoding.records import SPLITS, Encoded
from pipeline.evaluation.metric import Baseline
from pipeline.tasks.char_lm.score import ADAPTIVE, PRIMARY_METRIC, score

# The adaptive n-gram model counts anew after each piece of the test text: in 32 pieces, or in fewer of a long text, but
# not in fewer than eight, so that not many more characters than COUNTED are counted in all.
PIECES, FEWEST_PIECES, COUNTED = 32, 8, 30_000_000
COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "bz2": bz2.compress,
    "xz": functools.partial(lzma.compress, preset=9),
}


def baselines(encoded: Encoded) -> dict[str, Baseline]:
    """Score a Kneser–Ney n-gram model and PPMd, their orders chosen on validation, and two compressors.

    All are given the text before the test. The compressors go on learning while they read the test, and say nothing of
    single characters: they have no predictions, and so are never the best baseline.
    """
    train, validation, test = (encoded.arrays[s] for s in SPLITS)
    before, size = np.concatenate([train, validation]), len(encoded.encoder["symbols"])
    longest = best_order(train, validation, size)
    order = ppm.best_order(train, validation, size)
    found = {
        f"{longest}-gram": (_n_gram_bits(before, test, size, longest), _learning(before, test, size, longest)),
        "PPMd": (
            ppm.bits_of_blocks(before, test, size, order),
            ppm.added_bits(before, test, size, order) / len(test),
        ),
    }
    scored = {
        name: Baseline(score(encoded, "test", bits) | {ADAPTIVE.name: adaptive}, (bits,))
        for name, (bits, adaptive) in found.items()
    }
    for name in COMPRESSORS:
        added = _added(name, size, before, test)
        scored[name] = Baseline({PRIMARY_METRIC.name: 8 * added / len(test)})
    return scored


def best_order(train: Ids, validation: Ids, size: int) -> int:
    """Return the order of the n-gram model that is best on validation."""
    return 1 + int(np.argmin([bits.mean() for bits in kneser_ney_bits(train, validation, size)]))


def _n_gram_bits(before: Ids, text: Ids, size: int, order: int) -> NDArray[np.float64]:
    return next(itertools.islice(kneser_ney_bits(before, text, size), order - 1, None))


def _learning(before: Ids, test: Ids, size: int, order: int) -> float:
    """Return the mean bits of each character, each piece of the test scored before it is counted too."""
    whole = np.concatenate([before, test])
    pieces = min(PIECES, max(FEWEST_PIECES, COUNTED // len(whole)))
    ends = len(before) + np.linspace(0, len(test), pieces + 1).round().astype(int)
    bits = [_n_gram_bits(whole[:start], whole[start:end], size, order) for start, end in itertools.pairwise(ends)]
    return float(np.concatenate(bits).mean())


def _added(compressor: str, size: int, before: Ids, text: Ids) -> int:
    """Return by how many bytes the compressed text grows when `text` follows `before`."""
    compress = COMPRESSORS[compressor]
    return len(compress(_bytes(size, before, text))) - len(compress(_bytes(size, before)))


def _bytes(size: int, *parts: Ids) -> bytes:
    return np.concatenate(parts).astype(np.uint8 if size <= 256 else np.int16).tobytes()
