"""Test examples as raw input, and ids that are equal for equal raw examples."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded

Ids = NDArray[np.uint64]
Answers = list[dict[str, Any]]


@dataclass(frozen=True)
class RawRows:
    """Test rows as raw input, and the predictions that evaluate stored for them.

    `read(answer, expected)` takes from an answer the values to compare with `expected`. A difference is measured in
    `unit`, or relative to the stored value where that is larger: networks compute in float32, with seven digits.
    """

    inputs: list[Any]
    expected: list[NDArray[Any]]
    read: Callable[[dict[str, Any], NDArray[Any]], NDArray[Any]]
    options: dict[str, Any] = field(default_factory=dict)
    unit: float = 1.0


def spread(total: int, rows: int) -> NDArray[np.int64]:
    """Return int64 [at most rows]: evenly spaced positions from 0 to total − 1."""
    return np.unique(np.linspace(0, total - 1, min(total, max(rows, 1))).round().astype(np.int64))


def read_probabilities(encoded: Encoded) -> Callable[[dict[str, Any], NDArray[Any]], NDArray[Any]]:
    """Return a function that reads float [classes] probabilities from an answer, all NaN if its label is wrong."""
    names = encoded.encoder["label_names"]

    def read(answer: dict[str, Any], expected: NDArray[Any]) -> NDArray[Any]:
        if answer["label"] != names[expected.argmax()]:
            return np.full(len(names), np.nan)
        return np.array([answer["probabilities"][name] for name in names])

    return read


def hashed(rows: Iterable[bytes]) -> Ids:
    """Return uint64 [rows]: the first 8 bytes of each row's BLAKE2b hash, equal for equal rows."""
    return np.array([int.from_bytes(hashlib.blake2b(row, digest_size=8).digest()) for row in rows], np.uint64)
