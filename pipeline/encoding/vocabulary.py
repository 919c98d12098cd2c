"""Map symbols to ids. A vocabulary is built from the training part only and stored as JSON with the model."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import regex
from numpy.typing import NDArray

PAD, UNKNOWN = "<pad>", "<unk>"
FIRST_MARK = "\u0300"  # below it, every code point is a character of its own


@dataclass(frozen=True)
class Vocabulary:
    """A list of symbols; `symbols[i]` has id i.

    If it was built with `reserved`, id 0 is padding and id 1 is for every symbol that is not listed.
    """

    symbols: tuple[str, ...]
    ids: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", {symbol: i for i, symbol in enumerate(self.symbols)})

    def __len__(self) -> int:
        return len(self.symbols)

    def __contains__(self, symbol: str) -> bool:
        return symbol in self.ids

    def encode(self, symbols: Iterable[str]) -> NDArray[np.int32]:
        """Return the ids, int32 [symbols]. An unlisted symbol gets the id of UNKNOWN; without one, KeyError."""
        unknown = self.ids.get(UNKNOWN)
        if unknown is None:
            return np.array([self.ids[s] for s in symbols], np.int32)
        return np.array([self.ids.get(s, unknown) for s in symbols], np.int32)

    def decode(self, ids: Iterable[int]) -> list[str]:
        """Return the symbol of each id."""
        return [self.symbols[i] for i in ids]


def characters(text: str) -> Sequence[str]:
    """Split a text into what a reader takes for characters, such as हि. A text of code points stays one."""
    if text.isascii() or max(text) < FIRST_MARK:
        return text
    clusters: list[str] = regex.findall(r"\X", text)
    return text if len(clusters) == len(text) else clusters


def as_symbols(text: str, symbols: Sequence[str]) -> Sequence[str]:
    """Split a text as the one was whose characters are `symbols`."""
    return characters(text) if any(len(s) > 1 for s in symbols if s not in (PAD, UNKNOWN)) else text


def build(symbols: Iterable[str], *, min_count: int = 1, reserved: bool = True) -> Vocabulary:
    """Build a vocabulary of the symbols that occur at least `min_count` times.

    The most frequent come first; symbols that are equally frequent are ordered by code points.
    """
    counts = Counter(symbols)
    kept: Sequence[str] = sorted((s for s in counts if counts[s] >= min_count), key=lambda s: (-counts[s], s))
    return Vocabulary((PAD, UNKNOWN, *kept) if reserved else tuple(kept))


def bags(features: Sequence[Sequence[str]], ids: Mapping[str, int], width: int | None = None) -> NDArray[np.int32]:
    """Return the ids of the listed features of each token, int32 [tokens, width], padded on the right with 0."""
    known = [[ids[f] for f in token if f in ids] for token in features]
    out = np.zeros((len(known), width or max(map(len, known), default=1) or 1), np.int32)
    for row, token in zip(out, known, strict=True):
        row[: len(token)] = token[: len(row)]
    return out
