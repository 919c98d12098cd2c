"""Sequences of different lengths in batches of similar length, padded on the right: little padding, little waste."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROUND = 8  # lengths are rounded up to multiples of this, so that few distinct shapes are traced


def batches(lengths: NDArray[np.int64], batch: int, rng: np.random.Generator | None) -> list[NDArray[np.int64]]:
    """Positions [batch] of sequences of similar length; with `rng`, lengths are jittered and the batches shuffled."""
    keys = lengths if rng is None else lengths * rng.uniform(0.8, 1.2, len(lengths))
    order = np.argsort(keys, kind="stable")
    groups = [order[i : i + batch] for i in range(0, len(order), batch)]
    if rng is not None:
        rng.shuffle(groups)
    return groups


def pad(rows: Sequence[NDArray[Any]], fill: int = 0) -> NDArray[Any]:
    """[sequences, time, …], each row on the left and `fill` behind it; time is a multiple of ROUND."""
    time = -(-max(len(row) for row in rows) // ROUND) * ROUND
    out = np.full((len(rows), time, *rows[0].shape[1:]), fill, rows[0].dtype)
    for target, row in zip(out, rows, strict=True):
        target[: len(row)] = row
    return out


def drop_rare(
    ids: NDArray[np.int32], counts: NDArray[np.int32], rarity: float | NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Where to hide an id in training: with probability rarity / (rarity + count), so that the network learns to do
    without the words it will not know (Dyer et al. 2015, after Kiperwasser and Goldberg 2016)."""
    return np.asarray(rng.random(ids.shape) < rarity / (rarity + np.maximum(counts, 1)[ids]))
