"""Test texts of padded_texts as raw input."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import TEST, Encoded, unpack
from pipeline.evaluation.raw_rows import RawRows, read_probabilities, spread


def raw_rows(network: Mapping[str, Any], encoded: Encoded, stored: NDArray[Any], rows: int) -> RawRows:
    """Return at most `rows` test texts with their stored probabilities."""
    at = spread(len(stored), rows)
    tests = np.flatnonzero(encoded.arrays["split"][0] == TEST)
    return RawRows(unpack(encoded.arrays, tests[at]), list(stored[at]), read_probabilities(encoded))
