"""Test windows as raw input, and which raw window each test loss belongs to."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded
from pipeline.evaluation.raw_rows import Ids, RawRows, hashed, spread


def row_ids(encoded: Encoded, fold: int) -> Ids:
    """Return uint64 [test windows]: equal for equal windows."""
    return hashed(window.tobytes() for window in encoded.arrays["test_x"])


def raw_rows(network: Mapping[str, Any], encoded: Encoded, stored: NDArray[Any], rows: int) -> RawRows:
    """Return at most `rows` test windows in the unit of the series, with the stored probabilities."""
    at, encoder = spread(len(stored), rows), encoded.encoder
    values = encoded.arrays["test_x"][at].astype(np.float64) * encoder["sd"] + encoder["mean"]
    inputs = [{"values": window.tolist()} for window in values]
    return RawRows(inputs, list(stored[at, None]), lambda answer, _: np.array(answer["values"]))
