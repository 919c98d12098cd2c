"""Batches of sequences of similar length, padded on the right, so that little work goes into padding."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROUND = 8  # lengths are rounded up to multiples of this, so that few distinct shapes occur


def batches(lengths: NDArray[np.int64], batch: int, rng: np.random.Generator | None) -> list[NDArray[np.int64]]:
    """Split int64 [sequences] lengths into batches of similar length; each batch is int64 [at most batch] positions.

    `rng` jitters the lengths by up to 20 % and shuffles the batches.
    """
    keys = lengths if rng is None else lengths * rng.uniform(0.8, 1.2, len(lengths))
    order = np.argsort(keys, kind="stable")
    groups = [order[i : i + batch] for i in range(0, len(order), batch)]
    if rng is not None:
        rng.shuffle(groups)
    return groups


def pad(rows: Sequence[NDArray[Any]], fill: int = 0) -> NDArray[Any]:
    """Stack rows [time, …] of different lengths into [sequences, time, …] with `fill` after each.

    Time is the greatest length, rounded up to a multiple of ROUND.
    """
    time = -(-max(len(row) for row in rows) // ROUND) * ROUND
    out = np.full((len(rows), time, *rows[0].shape[1:]), fill, rows[0].dtype)
    for target, row in zip(out, rows, strict=True):
        target[: len(row)] = row
    return out


def drop_rare(
    ids: NDArray[np.int32], counts: NDArray[np.int32], rarity: float | NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Return bool [shape of ids]: the ids to hide in training, each with probability rarity / (rarity + count).

    The network thus learns to do without words that it will not know (Dyer et al. 2015, after Kiperwasser and Goldberg
    2016). counts: int32 [vocabulary].
    """
    return np.asarray(rng.random(ids.shape) < rarity / (rarity + np.maximum(counts, 1)[ids]))
