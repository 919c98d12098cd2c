"""Test texts of sentiment as raw input, and an id of each labelled test text."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import TEST, Encoded, unpack
from pipeline.evaluation.raw_rows import Ids, RawRows, hashed, read_probabilities, spread


def row_ids(encoded: Encoded, fold: int) -> Ids:
    """Return uint64 [test texts of the fold]: a hash of label and text."""
    which = np.flatnonzero(encoded.arrays["split"][fold] == TEST)
    names = encoded.encoder["label_names"]
    labels = (names[label] for label in encoded.arrays["labels"][which])
    return hashed(
        f"{label}\0{text}".encode() for label, text in zip(labels, unpack(encoded.arrays, which), strict=True)
    )


def raw_rows(network: Mapping[str, Any], encoded: Encoded, stored: NDArray[Any], rows: int) -> RawRows:
    """Return at most `rows` test texts of fold 0. stored: float [test texts, classes], the predictions."""
    at = spread(len(stored), rows)
    tests = np.flatnonzero(encoded.arrays["split"][0] == TEST)
    return RawRows(unpack(encoded.arrays, tests[at]), list(stored[at]), read_probabilities(encoded))
