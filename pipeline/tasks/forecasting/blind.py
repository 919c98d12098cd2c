"""What a tuning's trial may see of a series: what comes before the test part."""

from pipeline.encoding.records import Encoded


def blind(encoded: Encoded) -> Encoded:
    """Return the data set with a series that ends where the test part begins."""
    end = encoded.encoder["cuts"][1]
    kept = {name: array[:end] for name, array in encoded.arrays.items() if name != "optimum"}
    return Encoded(kept, encoded.encoder, {}, {})
