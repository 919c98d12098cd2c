"""What a tuning's trial may see of labelled texts: the training and validation parts of fold 0."""

import numpy as np

from pipeline.encoding.records import Encoded, pack, unpack
from pipeline.tasks.sentiment.prepare import TEST


def blind(encoded: Encoded) -> Encoded:
    """Return the data set without the test texts of fold 0, without the other folds, and without the names of the
    features that only test texts have.

    The validation parts of the other folds hold test texts of fold 0.
    """
    arrays = encoded.arrays
    kept = arrays["split"][0] != TEST
    lengths, counts = np.diff(arrays["offsets"]), arrays["counts"][:1]
    ids = {name: i for name, i in encoded.encoder["ids"].items() if counts[0, 1, i]}
    mine = {
        "features": arrays["features"][np.repeat(kept, lengths)],
        "offsets": np.cumsum([0, *lengths[kept]]),
        "labels": arrays["labels"][kept],
        "split": arrays["split"][:1, kept],
        "counts": counts,
        **pack(unpack(arrays, np.flatnonzero(kept))),
    }
    return Encoded(mine, {**encoded.encoder, "ids": ids}, {}, {})
