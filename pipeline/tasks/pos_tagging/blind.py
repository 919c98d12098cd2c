"""What a tuning's trial may see of tagged sentences: the training and validation parts."""

import numpy as np

from pipeline.encoding.records import TEST, Encoded, pack, unpack


def blind(encoded: Encoded) -> Encoded:
    """Return the data set without its test sentences, and without the names of the features that only they have."""
    arrays = encoded.arrays
    kept = arrays["split"][0] != TEST
    lengths, counts = np.diff(arrays["offsets"]), arrays["counts"]
    words = np.repeat(kept, lengths)
    ids = {name: i for name, i in encoded.encoder["ids"].items() if counts[0, 1, i]}
    mine = {
        "features": arrays["features"][words],
        "offsets": np.cumsum([0, *lengths[kept]]),
        "tags": arrays["tags"][words],
        "split": arrays["split"][:, kept],
        "counts": counts,
        **pack(unpack(arrays, np.flatnonzero(words))),
    }
    return Encoded(mine, {**encoded.encoder, "ids": ids}, {}, {})
