"""DOC."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded, unpack
from pipeline.evaluation.raw_rows import TEST, Ids, Network, RawRows, hashed, read_probabilities, spread


def _text_ids(encoded: Encoded, fold: int) -> Ids:
    which = np.flatnonzero(encoded.arrays["split"][fold] == TEST)
    names = encoded.encoder["label_names"]
    labels = (names[label] for label in encoded.arrays["labels"][which])
    return hashed(
        f"{label}\0{text}".encode() for label, text in zip(labels, unpack(encoded.arrays, which), strict=True)
    )


def _raw_texts(network: Network, encoded: Encoded, stored: NDArray[Any], rows: int) -> RawRows:
    at = spread(len(stored), rows)
    tests = np.flatnonzero(encoded.arrays["split"][0] == TEST)
    return RawRows(unpack(encoded.arrays, tests[at]), list(stored[at]), read_probabilities(encoded))
