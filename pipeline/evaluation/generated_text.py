"""What can be counted in a text that a model wrote: whether it loops, and whether it copies what it was trained on."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Names = NDArray[np.int64]


def figures(
    samples: Sequence[Mapping[str, Any]], source: NDArray[np.integer[Any]], symbols: Sequence[str]
) -> list[dict[str, float]]:
    """A row for each final sample; those of an epoch are left out. `source`: the training text as ids of `symbols`."""
    ids = {symbol: i for i, symbol in enumerate(symbols)}
    return [
        {
            "temperature": sample["temperature"],
            "top_p": sample.get("top_p", 1.0),
            "distinct_2": distinct(sample["text"], 2),
            "repetition": repetition(sample["text"]),
            "longest_copy": longest_copy(np.array([ids[c] for c in sample["text"]]), source),
        }
        for sample in samples
        if "epoch" not in sample
    ]


def distinct(text: str, n: int) -> float:
    """distinct-n (Li et al. 2016) over words: the share of n-grams that differ, 1 where none comes twice."""
    words = text.split()
    grams = list(zip(*(words[i:] for i in range(n)), strict=False))
    return len(set(grams)) / len(grams) if grams else 1.0


def repetition(text: str, n: int = 4) -> float:
    """The share of word n-grams that stand earlier in the text already: near 1 in a loop."""
    return 1.0 - distinct(text, n)


def longest_copy(text: NDArray[np.integer[Any]], source: NDArray[np.integer[Any]]) -> int:
    """How long the longest run of `text` is that stands in `source` too, in symbols.

    Runs that stand in both are named by numbers, of a length that doubles as long as there are any; the longest is then
    found by halving, each run as two shorter ones that overlap (Karp, Miller and Rosenberg 1972).
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
    """Names for the runs that two runs `gap` apart make together, -1 for those that `ours` lacks; None where no run of
    `theirs` has a name. The same number is the same run in both."""
    if min(len(ours), len(theirs)) <= gap:
        return None
    base = int(ours.max()) + 1
    known, names = np.unique(ours[: len(ours) - gap] * base + ours[gap:], return_inverse=True)
    first, second = theirs[: len(theirs) - gap], theirs[gap:]
    at = np.flatnonzero((first >= 0) & (second >= 0) & (first < base) & (second < base))
    wanted = first[at] * base + second[at]
    nearest = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    hits = known[nearest] == wanted
    found = np.full(len(first), -1, np.int64)
    found[at[hits]] = nearest[hits]
    return (names, found) if hits.any() else None
