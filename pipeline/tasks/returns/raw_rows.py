"""Test days of returns as raw input, and an id of each test day."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded
from pipeline.evaluation.raw_rows import Ids, RawRows, hashed, spread
from pipeline.tasks.returns.prepare import columns_of, days

PAST = 8  # days before a day whose returns tell it from other days


def row_ids(encoded: Encoded, fold: int) -> Ids:
    """Return uint64 [test days of the fold]: a hash of each day's return and the PAST returns before it."""
    past = encoded.arrays["returns"]
    return hashed(past[max(0, day - PAST) : day + 1].tobytes() for day in days(encoded, "test", fold))


def raw_rows(network: Mapping[str, Any], encoded: Encoded, stored: NDArray[Any], rows: int) -> RawRows:
    """Return the days before each of at most `rows` test days of fold 0. stored: float [test days], log returns."""
    need, at = encoded.encoder["first"], spread(len(stored), rows)
    tests = days(encoded, "test", 0)[at]
    names = columns_of(encoded.encoder)
    inputs = [{name: encoded.arrays[name][day - need : day].tolist() for name in names} for day in tests]
    unit = encoded.encoder["scalings"][0]["spread"]
    return RawRows(inputs, list(stored[at]), lambda answer, _: np.array(answer["log_return"]), unit=unit)
