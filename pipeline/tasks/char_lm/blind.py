"""What a tuning's trial may see of a text: the training and validation parts."""

from pipeline.encoding.records import Encoded


def blind(encoded: Encoded) -> Encoded:
    """Return the data set without its test part, and without what is known of the process there."""
    return Encoded({name: encoded.arrays[name] for name in ("train", "validation")}, encoded.encoder, {}, {})
