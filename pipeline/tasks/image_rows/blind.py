"""What a tuning's trial may see of images: the training and validation parts."""

from pipeline.encoding.records import Encoded


def blind(encoded: Encoded) -> Encoded:
    """Return the data set without its test images. Its validation part must not be the test part."""
    kept = {name: array for name, array in encoded.arrays.items() if name.startswith(("train_", "validation_"))}
    return Encoded(kept, encoded.encoder, {}, {})
