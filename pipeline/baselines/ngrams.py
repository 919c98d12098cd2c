"""Fit n-gram models on sorted counts, interpolated after Witten and Bell (1991), for contexts of limited length."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_ORDER = 8
Ids = NDArray[np.int16]
Keys = NDArray[np.int64]


class _Counts(NamedTuple):
    """Counts of contexts of k symbols. All keys are int64.

    pairs, n: sorted keys of each context with the symbol after it, and how often each occurs.
    heads, totals, followers: sorted keys of the contexts, how often each occurs, and with how many distinct symbols
    after it.
    """

    pairs: Keys
    n: Keys
    heads: Keys
    totals: Keys
    followers: Keys


def longest_order(size: int) -> int:
    """Return the longest n-gram for an alphabet of `size` symbols, at most MAX_ORDER.

    Alphabets of thousands allow fewer, since an n-gram is stored as one 64-bit number in base `size`.
    """
    return min(MAX_ORDER, int(62 / np.log2(size)))


def witten_bell(train: Ids, contexts: Ids, known: NDArray[np.int64], size: int) -> Iterator[NDArray[np.float64]]:
    """Yield p of every symbol after each context, float64 [contexts, size], under models of order 1, 2, 3 …

    p_k(c|h) = (n(h,c) + t(h) p_{k-1}(c|h')) / (n(h) + t(h)), where n are counts in `train`, t(h) is the number of
    distinct symbols after the context h, and h' is h without its first symbol (Witten and Bell 1991); p_0 is uniform.

    contexts: int16 [contexts, width], the last symbol on the right.
    known: int64 [contexts], how many symbols of each context may be used, counted from the right.
    """
    p = np.full((len(contexts), size), 1.0 / size)
    heads, width = np.zeros(len(contexts), np.int64), contexts.shape[1]
    for k in range(width + 1):
        if k:
            heads = heads + contexts[:, width - k].astype(np.int64) * size ** (k - 1)
        wanted = heads[:, None] * size + np.arange(size)
        longer = _interpolated(p, _counts(train.astype(np.int64), size, k), heads[:, None], wanted)
        p = np.where((known >= k)[:, None], longer, p)
        yield p


def _interpolated(p: NDArray[np.float64], counts: _Counts, heads: Keys, wanted: Keys) -> NDArray[np.float64]:
    """Compute p of the symbols `wanted` after the contexts `heads`, from `p` after contexts one symbol shorter."""
    n_context = _look_up(counts.heads, counts.totals, heads)
    followers = _look_up(counts.heads, counts.followers, heads)
    n_pair = _look_up(counts.pairs, counts.n, wanted)
    return np.where(n_context > 0, (n_pair + followers * p) / np.maximum(n_context + followers, 1), p)


def _counts(train: Keys, size: int, k: int) -> _Counts:
    pairs, n = np.unique(_windows(train, size, k + 1), return_counts=True)
    heads, first, followers = np.unique(pairs // size, return_index=True, return_counts=True)
    return _Counts(pairs, n, heads, np.add.reduceat(n, first), followers)


def _windows(ids: Keys, size: int, width: int) -> Keys:
    """Encode each run of `width` ids as one number in base `size`, int64 [len(ids) - width + 1]."""
    count = len(ids) - width + 1
    keys = np.zeros(count, np.int64)
    for i in range(width):
        keys = keys * size + ids[i : i + count]
    return keys


def _look_up(keys: Keys, values: NDArray[Any], wanted: Keys) -> NDArray[Any]:
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, values[at], 0)
