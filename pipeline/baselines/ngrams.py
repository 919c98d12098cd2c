"""N-gram models of running text: interpolated as Witten and Bell (1991) did, on sorted counts."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_ORDER = 8
Ids = NDArray[np.int16]
Keys = NDArray[np.int64]


class _Counts(NamedTuple):
    """Of contexts of k symbols, `heads`, and of the symbols behind them, `pairs`; both as sorted keys, int64."""

    pairs: Keys
    n: Keys
    heads: Keys
    totals: Keys
    followers: Keys


def longest_order(size: int) -> int:
    """At most MAX_ORDER, fewer for alphabets of thousands: a run of symbols is one 64-bit number in base `size`."""
    return min(MAX_ORDER, int(62 / np.log2(size)))


def witten_bell_bits(train: Ids, text: Ids, size: int, order: int) -> NDArray[np.float64]:
    """-log2 p of each character of `text`, which follows `train`, under an interpolated n-gram model of `order`.

    p_k(c|h) = (n(h,c) + t(h) p_{k-1}(c|h')) / (n(h) + t(h)) with n counts and t distinct followers of the context h
    (Witten and Bell 1991); p_0 is uniform. float64 [len(text)].
    """
    context = np.concatenate([train[-order:], text]).astype(np.int64)
    start = len(context) - len(text)
    p = np.full(len(text), 1.0 / size)
    for k in range(order):
        wanted = _windows(context, size, k + 1)[start - k :]
        p = _interpolated(p, _counts(train.astype(np.int64), size, k), wanted // size, wanted)
    return np.asarray(-np.log2(p), np.float64)


def witten_bell(train: Ids, contexts: Ids, known: NDArray[np.int64], size: int) -> Iterator[NDArray[np.float64]]:
    """p of every symbol behind each context, float64 [contexts, size], under models of order 1, 2, 3 …

    contexts: [contexts, width], their last symbols on the right; known: how many of those count, for each context.
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
    """p of the symbols `wanted` behind the contexts `heads`, from `p` of the next shorter contexts."""
    n_context = _look_up(counts.heads, counts.totals, heads)
    followers = _look_up(counts.heads, counts.followers, heads)
    n_pair = _look_up(counts.pairs, counts.n, wanted)
    return np.where(n_context > 0, (n_pair + followers * p) / np.maximum(n_context + followers, 1), p)


def _counts(train: Keys, size: int, k: int) -> _Counts:
    pairs, n = np.unique(_windows(train, size, k + 1), return_counts=True)
    heads, first, followers = np.unique(pairs // size, return_index=True, return_counts=True)
    return _Counts(pairs, n, heads, np.add.reduceat(n, first), followers)


def _windows(ids: Keys, size: int, width: int) -> Keys:
    """Each run of `width` ids as one number in base `size`: int64 [len(ids) - width + 1]."""
    count = len(ids) - width + 1
    keys = np.zeros(count, np.int64)
    for i in range(width):
        keys = keys * size + ids[i : i + count]
    return keys


def _look_up(keys: Keys, values: NDArray[Any], wanted: Keys) -> NDArray[Any]:
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, values[at], 0)
