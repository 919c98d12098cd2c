"""Fit n-gram models of running text with modified Kneser–Ney smoothing (Chen and Goodman 1998), on sorted counts."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LONGEST = 12  # the longest n-gram; no text here gained from a longer one on validation
Ids = NDArray[np.int16]
Numbers = NDArray[np.int64]
Numbers32 = NDArray[np.int32]  # of runs of a text, in half the memory
Floats = NDArray[np.float64]


class _Runs(NamedTuple):
    """The distinct runs of k symbols of a text, numbered in the order of `keys`, so that no order is too high.

    keys: int64 [distinct runs], the number of the run's first k - 1 symbols × size + its last symbol, sorted. counts,
    first: int32 [distinct runs], how often it occurs, and where it first ends. numbers: int32 [characters], the number
    of the run that ends there, -1 where none does.
    """

    keys: Numbers
    counts: Numbers32
    first: Numbers32
    numbers: Numbers32


def kneser_ney_bits(before: Ids, text: Ids, size: int) -> Iterator[Floats]:
    """Yield -log2 p of each character of `text`, float64 [len(text)], under models of order 1, 2, … LONGEST.

    All are fitted on `before`, which directly precedes `text`, over an alphabet of `size` symbols.
    p_k(c|h) = (max(n(hc) - D(n(hc)), 0) + Σ_c D(n(hc)) · p_{k-1}(c|h')) / Σ_c n(hc), where h' is h without its first
    symbol and p_0 is uniform. In the model's highest order, n(hc) counts occurrences; in the lower ones, the different
    symbols that precede hc.
    """
    ids, asked = before.astype(np.int32), np.concatenate([before[-LONGEST:], text]).astype(np.int32)
    start = len(asked) - len(text)
    heads, asked_heads = np.zeros_like(ids), np.zeros_like(asked)
    p, shorter = np.full(len(text), 1.0 / size), None
    for _ in range(min(LONGEST, len(before))):
        runs = _runs(heads, ids, size)
        asked_runs = _numbers(runs, asked_heads, asked, size)
        if shorter is not None:
            preceding = np.bincount(shorter[0].numbers[runs.first], minlength=len(shorter[0].keys))
            # Nothing precedes the run at the start of the text.
            p = _interpolated(p, shorter[0].keys // size, np.maximum(preceding, 1), *shorter[1:])
        here = asked_heads[start:], asked_runs[start:]
        yield np.asarray(-np.log2(_interpolated(p, runs.keys // size, runs.counts, *here)))
        shorter = runs, *here
        heads, asked_heads = _one_later(runs.numbers), _one_later(asked_runs)


def _runs(heads: Numbers32, ids: Numbers32, size: int) -> _Runs:
    """Number the runs that end at each character. heads: the number of the run that ends before it, -1 for none."""
    at = np.flatnonzero(heads >= 0)
    keys, first, numbered, counts = np.unique(
        heads[at].astype(np.int64) * size + ids[at], return_index=True, return_inverse=True, return_counts=True
    )
    numbers = np.full(len(ids), -1, np.int32)
    numbers[at] = numbered
    return _Runs(keys, counts.astype(np.int32), at[first].astype(np.int32), numbers)


def _numbers(runs: _Runs, heads: Numbers32, ids: Numbers32, size: int) -> Numbers32:
    """Return the numbers that runs of another text have in `runs`, -1 for those that are not there."""
    wanted = heads.astype(np.int64) * size + ids
    at = np.minimum(np.searchsorted(runs.keys, wanted), len(runs.keys) - 1)
    return np.where((heads >= 0) & (runs.keys[at] == wanted), at, -1).astype(np.int32)


def _one_later(numbers: Numbers32) -> Numbers32:
    return np.concatenate([np.array([-1], np.int32), numbers[:-1]])


def _interpolated(
    p: Floats, heads: Numbers, counts: NDArray[np.integer], asked_heads: Numbers32, asked_runs: Numbers32
) -> Floats:
    """Compute p_k from p_{k-1}. heads, counts: integers [distinct runs]; the others [characters asked for]."""
    discount = discounts(counts)[np.minimum(counts, 3)]
    contexts = max(int(heads[-1]), int(asked_heads.max(initial=0))) + 1
    total, freed = (
        np.bincount(heads, counts, contexts)[asked_heads],
        np.bincount(heads, discount, contexts)[asked_heads],
    )
    kept = np.where(asked_runs >= 0, (counts - discount)[asked_runs], 0.0)
    known = (asked_heads >= 0) & (total > 0)
    return np.where(known, (kept + freed * p) / np.where(known, total, 1.0), p)


def discounts(counts: NDArray[np.integer]) -> Floats:
    """Return D(0) = 0, D(1), D(2) and D(3), which is also that of higher counts, from how many counts are 1, 2, 3, 4.

    One half each where one of these numbers is zero, as in a very short text. None is less than D(1), which is above
    zero: otherwise a character that never followed a context would be impossible.
    """
    n = np.bincount(np.minimum(counts, 5), minlength=6)[1:5].astype(np.float64)
    if not n.all():
        return np.array([0.0, 0.5, 0.5, 0.5])
    share, k = n[0] / (n[0] + 2 * n[1]), np.arange(1, 4)
    estimated = k - (k + 1) * share * n[1:] / n[:-1]
    return np.concatenate([[0.0], np.clip(estimated, estimated[0], k)])
