"""Test examples as raw input, and which raw example each test loss belongs to."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import TEST, Encoded, unpack
from pipeline.evaluation.raw_rows import Ids, RawRows, hashed, read_probabilities, spread


def row_ids(encoded: Encoded, fold: int) -> Ids:
    which = np.flatnonzero(encoded.arrays["split"][fold] == TEST)
    names = encoded.encoder["label_names"]
    labels = (names[label] for label in encoded.arrays["labels"][which])
    return hashed(
        f"{label}\0{text}".encode() for label, text in zip(labels, unpack(encoded.arrays, which), strict=True)
    )


def raw_rows(network: Mapping[str, Any], encoded: Encoded, stored: NDArray[Any], rows: int) -> RawRows:
    at = spread(len(stored), rows)
    tests = np.flatnonzero(encoded.arrays["split"][0] == TEST)
    return RawRows(unpack(encoded.arrays, tests[at]), list(stored[at]), read_probabilities(encoded))
