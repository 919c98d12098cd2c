"""Figures of generated text: does it loop, and does it copy the training text?"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.vocabulary import as_symbols

Names = NDArray[np.int64]  # int64 [runs]: equal numbers for equal runs of symbols


def figures(
    samples: Sequence[Mapping[str, Any]], source: NDArray[np.integer[Any]], symbols: Sequence[str]
) -> list[dict[str, float]]:
    """Return a row of figures for each final sample, without those written after an epoch.

    source: int [characters], the training text as indices into `symbols`.
    """
    return [
        {
            "temperature": sample["temperature"],
            "top_p": sample.get("top_p", 1.0),
            "distinct_2": distinct(sample["text"], 2),
            "repetition": repetition(sample["text"]),
            "longest_copy": longest_copy(_ids(sample["text"], symbols), source),
        }
        for sample in samples
        if "epoch" not in sample
    ]


def _ids(text: str, symbols: Sequence[str]) -> NDArray[np.int64]:
    """Return int64 [symbols]: indices into `symbols`, -1 where marks of two drawn symbols joined."""
    ids = {symbol: i for i, symbol in enumerate(symbols)}
    return np.array([ids.get(symbol, -1) for symbol in as_symbols(text, symbols)], np.int64)


def distinct(text: str, n: int) -> float:
    """Return distinct-n over words (Li et al. 2016): the share of distinct n-grams, 1 if none repeats."""
    words = text.split()
    grams = list(zip(*(words[i:] for i in range(n)), strict=False))
    return len(set(grams)) / len(grams) if grams else 1.0


def repetition(text: str, n: int = 4) -> float:
    """Return the share of word n-grams that occurred earlier in the text: near 1 in a loop."""
    return 1.0 - distinct(text, n)


def longest_copy(text: NDArray[np.integer[Any]], source: NDArray[np.integer[Any]]) -> int:
    """Return the length, in symbols, of the longest run of `text` that also occurs in `source`.

    Equal runs get equal numbers (Karp, Miller and Rosenberg 1972). The length doubles while the texts share a run.
    Bisection then finds the longest, with each run made of two shorter ones that overlap.
    """
    named = _joined(text.astype(np.int64), source.astype(np.int64), 0)
    width = 1
    longer = named
    while longer is not None:
        named, longer = longer, _joined(*longer, width)
        width *= 2
    if named is None:
        return 0
    low, high = width // 2, width
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _joined(*named, middle - width // 2) else (low, middle)
    return low


def _joined(ours: Names, theirs: Names, gap: int) -> tuple[Names, Names] | None:
    """Name the runs that two runs `gap` apart make together. Equal runs of both texts have equal numbers.

    Runs of `theirs` that `ours` lacks are -1. Returns None if `ours` has none of them.
    """
    if min(len(ours), len(theirs)) <= gap:
        return None
    base = int(ours.max()) + 1
    known, names = np.unique(ours[: len(ours) - gap] * base + ours[gap:], return_inverse=True)
    first, second = theirs[: len(theirs) - gap], theirs[gap:]
    at = np.flatnonzero((first >= 0) & (second >= 0) & (first < base) & (second < base))
    wanted = first[at] * base + second[at]
    nearest = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    hits = known[nearest] == wanted
    their_names = np.full(len(first), -1, np.int64)
    their_names[at[hits]] = nearest[hits]
    return (names, their_names) if hits.any() else None
