"""What a tuning's trial may see of daily prices: what comes before the test block of the earliest origin."""

from pipeline.encoding.records import Encoded


def blind(encoded: Encoded) -> Encoded:
    """Return the data set with the earliest origin alone, as fold 0.

    The validation part of a later origin lies in the test block of an earlier one.
    """
    first, end = encoded.encoder["blocks"][:2]
    kept = {name: array[:first] for name, array in encoded.arrays.items()}
    encoder = {**encoded.encoder, "blocks": [first, end], "scalings": encoded.encoder["scalings"][-1:]}
    return Encoded(kept, encoder, {}, {})
